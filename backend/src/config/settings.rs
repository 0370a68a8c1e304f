//! Every setting: its name, default, bounds and meaning, once.
//!
//! What the server reads, `server.example.toml`, `docs/reference/config.md` and `system.settings` all
//! come from this list.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::ConfigError;
use super::given::Given;
use super::issuers::TrustedIssuer;
use super::value::{DurabilityMode, Hidden, LogFormat, SettingValue, read_number};

/// Ten years, the longest time there is here.
const SECS_MAX: u64 = 315_360_000;
/// An hour, in milliseconds.
const MILLIS_MAX: u64 = 3_600_000;
/// Any count; where 0 means no limit this is said.
const COUNT_MAX: u64 = 1 << 31;
/// A terabyte, the most bytes of anything held in memory.
const BYTES_MAX: u64 = 1 << 40;

/// A part of the settings.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    /// Only the pages that are written from this list have room for it.
    #[cfg(test)]
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [&'static str],
}

/// A setting and its value.
pub(crate) struct Entry {
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    pub(crate) doc: &'static str,
    /// As a file has it; `None` where there is none, or it is not to be shown.
    pub(crate) value: Option<String>,
    pub(crate) secret: bool,
}

/// The names of all settings, `section.key`.
pub(crate) fn names() -> impl Iterator<Item = String> {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| format!("{}.{key}", section.name)))
}

macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr $(, $range:expr)?;)+
        }
    )+) => {
        /// What the server is told. Each field is a setting of `server.toml`.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $key: $type,)+
            }

            impl Default for $Section {
                fn default() -> Self {
                    $Section { $($key: $default,)+ }
                }
            }

            impl $Section {
                fn read(given: &Given) -> Result<Self, ConfigError> {
                    $(
                        let name = concat!(stringify!($section), ".", stringify!($key));
                        let $key: $type = match given.get(name) {
                            None => $default,
                            Some((raw, origin)) => settings!(@read raw $(, $range)?)
                                .map_err(|must_be| ConfigError::value(name, origin.clone(), format!("must be {must_be}")))?,
                        };
                    )+
                    Ok($Section { $($key,)+ })
                }

                fn entries(&self) -> Vec<Entry> {
                    vec![$(Entry {
                        section: stringify!($section),
                        key: stringify!($key),
                        doc: concat!($($doc,)+),
                        value: SettingValue::written(&self.$key),
                        secret: <$type as SettingValue>::SECRET,
                    },)+]
                }
            }
        )+

        /// All parts, in the order in which they are shown.
        pub(crate) const SECTIONS: &[Section] = &[$(Section {
            name: stringify!($section),
            #[cfg(test)]
            doc: concat!($($section_doc,)+),
            keys: &[$(stringify!($key),)+],
        },)+];

        impl Default for Config {
            fn default() -> Self {
                Config { $($section: $Section::default(),)+ }
            }
        }

        impl Config {
            /// Reads each setting by itself; whether they go together is another question.
            pub(super) fn read(given: &Given) -> Result<Self, ConfigError> {
                Ok(Config { $($section: $Section::read(given)?,)+ })
            }

            /// All settings with their values, secrets without.
            pub(crate) fn entries(&self) -> Vec<Entry> {
                [$(self.$section.entries(),)+].into_iter().flatten().collect()
            }
        }
    };
    (@read $raw:ident) => { SettingValue::read($raw) };
    (@read $raw:ident, $range:expr) => { read_number($raw, &$range) };
}

settings! {
    /// The program: where it listens, where its data is.
    server: ServerSettings {
        /// Address and port that applications connect to.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 2900));
        /// Directory of the data; made if it is not there.
        data_dir: PathBuf = PathBuf::from("./data");
        /// Name of this server, shown in system tables.
        node_id: String = "n1".to_owned();
        /// Address and port that answers `/metrics` and `/health` to operators, without a token and
        /// without TLS. Not set: none.
        admin_listen: Option<SocketAddr> = None;
        /// TLS certificate with its chain, PEM. Not set: plain text.
        tls_cert_file: Option<PathBuf> = None;
        /// Key of the TLS certificate, PEM.
        tls_key_file: Option<PathBuf> = None;
        /// Listen in plain text on addresses that other machines can reach, as behind a proxy that does TLS.
        allow_insecure: bool = false;
        /// Addresses and networks of proxies whose `X-Forwarded-For` and `X-Real-IP` are believed.
        trusted_proxies: Vec<IpNet> = Vec::new();
        /// Time that running requests and closing sockets have when the server stops.
        shutdown_timeout_secs: u64 = 10, 0..=3_600;
        /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as
        /// `info,kalamdb_core=debug`. Also `RUST_LOG`.
        log: String = "info".to_owned();
        /// How log lines look: `text` or `json`.
        log_format: LogFormat = LogFormat::Text;
    }

    /// Passwords and tokens.
    auth: AuthSettings {
        /// Password of the user `root`, 8 bytes or more, set at the first start only. Also
        /// `KALAMDB_ROOT_PASSWORD`. Not set: a random one, printed once.
        root_password: Option<Hidden> = None;
        /// Key that tokens are signed with (HS256), 32 bytes or more. Not set: a random one, kept in the
        /// data directory.
        jwt_secret: Option<Hidden> = None;
        /// Name under which tokens are given out. Tokens of others are refused, but for those of
        /// `auth.trusted_issuers`.
        issuer: String = "kalamdb".to_owned();
        /// Life of an access token.
        access_token_ttl_secs: u64 = 3_600, 1..=SECS_MAX;
        /// Life of a refresh token.
        refresh_token_ttl_secs: u64 = 604_800, 1..=SECS_MAX;
        /// Other issuers whose tokens are taken as access tokens: a list of tables with `issuer`, `audiences`,
        /// and `jwks_url` (https, or http on this machine) or `jwks_file`; `user_claim` (`sub`),
        /// `user_prefix`, `create_users` (false) and `elevated_users` may be said. In the environment as
        /// JSON. See docs/SECURITY.md.
        trusted_issuers: Vec<TrustedIssuer> = Vec::new();
        /// How often the keys of an issuer are fetched from its URL.
        jwks_refresh_secs: u64 = 300, 1..=86_400;
        /// Least time between two looks for a key that a token names and nobody knows.
        jwks_min_refresh_secs: u64 = 30, 0..=3_600;
        /// How long the keys of an issuer are believed while they cannot be fetched.
        jwks_max_stale_secs: u64 = 86_400, 1..=SECS_MAX;
        /// Failed logins per minute, per address and per user. 0: no limit.
        login_attempts_per_minute: u32 = 10, 0..=60_000;
    }

    /// What is remembered of who did what (`system.audit_log`).
    audit: AuditSettings {
        /// Write the audit log. What is there already can be read either way.
        enabled: bool = true;
        /// Write logins and logouts that went well, too.
        logins: bool = true;
        /// How long an entry is kept.
        max_age_days: u32 = 90, 1..=36_500;
        /// Bytes of all entries. Logins and what was refused get at most a quarter of them.
        max_bytes: u64 = 256 << 20, (1 << 20)..=BYTES_MAX;
    }

    /// HTTP. A count of 0 means no limit.
    http: HttpSettings {
        /// Largest request body.
        max_body_bytes: usize = 8 << 20, 1_024..=BYTES_MAX;
        /// Time a client has for its TLS handshake and for the head of each request.
        header_timeout_secs: u64 = 10, 1..=3_600;
        /// Time a client has for the body of a request.
        body_timeout_secs: u64 = 30, 1..=3_600;
        /// TCP connections at one time.
        max_connections: usize = 20_000, 0..=COUNT_MAX;
        /// TCP connections of one address at one time; trusted proxies do not count.
        max_connections_per_address: usize = 2_000, 0..=COUNT_MAX;
        /// Requests of one user that run at one time.
        max_requests_per_user: usize = 256, 0..=COUNT_MAX;
    }

    /// Each WebSocket. A count of 0 means no limit.
    websocket: WebsocketSettings {
        /// A socket without authentication is closed after this time.
        auth_timeout_secs: u64 = 3, 1..=3_600;
        /// A socket without any frame from the client is closed after this time.
        idle_timeout_secs: u64 = 30, 1..=86_400;
        /// Largest message of a client. Larger ones are answered with `MESSAGE_TOO_LARGE`.
        max_message_bytes: usize = 1 << 20, 1_024..=(1 << 30);
        /// Messages per second and connection, averaged over ten seconds.
        max_messages_per_sec: u32 = 200, 0..=1_000_000;
        /// Bytes that wait for one slow reader before its subscriptions lag.
        outbox_max_bytes: usize = 4 << 20, 1_024..=BYTES_MAX;
        /// Time one write may take before the reader counts as too slow and is cut off.
        slow_reader_timeout_secs: u64 = 60, 1..=86_400;
        /// Quiet time after which a client is told up to where it has everything.
        progress_interval_ms: u64 = 5_000, 1..=MILLIS_MAX;
        /// Origins of web pages that may connect, besides the server's own, such as
        /// `["https://app.example.com"]`; `["*"]` admits all.
        allowed_origins: Vec<String> = Vec::new();
        /// Sockets of one address at one time.
        max_sockets_per_address: usize = 2_000, 0..=COUNT_MAX;
        /// Sockets at one time that have not been authenticated.
        max_unauthenticated: usize = 1_000, 0..=COUNT_MAX;
        /// The same, of one address.
        max_unauthenticated_per_address: usize = 100, 0..=COUNT_MAX;
    }

    /// Live queries, and the history that clients resume from.
    live: LiveSettings {
        /// Subscriptions of one connection.
        max_subscriptions_per_connection: u32 = 1_000, 1..=1_000_000;
        /// Connections of one user.
        max_connections_per_user: u32 = 100, 1..=1_000_000;
        /// Subscriptions of one user, on all its connections.
        max_subscriptions_per_user: u32 = 10_000, 1..=10_000_000;
        /// How long a change is kept for those who resume.
        history_max_age_secs: u64 = 86_400, 0..=SECS_MAX;
        /// How many bytes of changes are kept for those who resume.
        history_max_bytes: u64 = 1 << 30, 0..=(1 << 50);
        /// Rows of a snapshot page where the client does not say.
        batch_rows: u32 = 1_000, 1..=1_000_000;
        /// Rows of a snapshot page, whatever the client says.
        max_batch_rows: u32 = 10_000, 1..=1_000_000;
        /// Bytes of snapshots that one connection may hold unread.
        max_snapshot_bytes: usize = 128 << 20, 65_536..=BYTES_MAX;
        /// Bytes of the queries of one connection's subscriptions, parameters among them.
        max_query_bytes: usize = 8 << 20, 65_536..=BYTES_MAX;
        /// Shortest time between two runs of a query that is kept by running it again.
        rerun_interval_ms: u64 = 30, 1..=MILLIS_MAX;
        /// Bytes of a result that is kept by running its query again.
        max_rerun_bytes: usize = 16 << 20, 65_536..=BYTES_MAX;
        /// Queries that are run again at one time.
        max_reruns: usize = 4, 1..=1_024;
        /// Bytes of commits that wait to be delivered before writers wait too.
        max_queue_bytes: usize = 64 << 20, (1 << 20)..=BYTES_MAX;
    }

    /// What one request may cost.
    limits: LimitSettings {
        /// Bytes of SQL in one request.
        max_sql_bytes: usize = 1 << 20, 1_024..=(1 << 30);
        /// Statements in one request.
        max_statements: usize = 1_000, 1..=1_000_000;
        /// Parameters of one request.
        max_params: usize = 1_000, 1..=65_535;
        /// Operators in one chain (`a AND b AND …`), together with the chains around it.
        max_expression_ops: usize = 4_000, 16..=20_000;
        /// Levels of parentheses, brackets and CASE.
        max_nesting: usize = 48, 8..=128;
        /// SELECTs, joins and FROM items in one statement.
        max_relations: usize = 128, 4..=1_024;
        /// Columns of one table, and of one result.
        max_columns: usize = 500, 8..=10_000;
        /// Roles and users to whom rights on one table are granted.
        max_grantees: usize = 1_000, 1..=100_000;
        /// Rows of one result.
        max_result_rows: usize = 100_000, 1..=COUNT_MAX;
        /// Bytes of all results of one request, roughly.
        max_result_bytes: usize = 64 << 20, 65_536..=BYTES_MAX;
        /// Memory that one query may use for sorting, joining and grouping.
        max_query_memory_bytes: usize = 256 << 20, (1 << 20)..=BYTES_MAX;
        /// How long one query may run.
        query_timeout_secs: u64 = 60, 1..=86_400;
        /// Rows that one transaction may change.
        max_transaction_rows: usize = 100_000, 1..=COUNT_MAX;
        /// Bytes of rows that one transaction may write, roughly.
        max_transaction_bytes: usize = 64 << 20, 65_536..=BYTES_MAX;
        /// Bytes of one row, roughly.
        max_row_bytes: usize = 1 << 20, 1_024..=(1 << 30);
        /// How often a transaction is tried that meets concurrent writes to its rows.
        max_transaction_attempts: u32 = 16, 1..=1_000;
    }

    /// The data on the disk.
    storage: StorageSettings {
        /// When a commit is on the disk: `sync`, before its writer is answered, or `interval`, soon after
        /// (a power loss may take the last moments, the end of the process does not).
        durability: DurabilityMode = DurabilityMode::Sync;
        /// Time between two syncs with `interval`.
        sync_interval_ms: u64 = 100, 1..=MILLIS_MAX;
        /// Memory for blocks that were read.
        block_cache_bytes: usize = 128 << 20, (1 << 20)..=BYTES_MAX;
        /// Memory for what was written and is not in a table file yet.
        write_buffer_bytes: usize = 64 << 20, (1 << 20)..=BYTES_MAX;
        /// Most writes that are committed together.
        max_commit_batch: usize = 1_024, 1..=65_536;
    }
}
