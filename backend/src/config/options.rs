//! The settings as the parts of the server take them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kalamdb_api::{AllowedOrigins, ApiOptions, InvalidOrigin, SocketOptions};
use kalamdb_auth::{AuthOptions, FileKeys, IssuerOptions, KeyOptions, KeySource, KeySourceError, Secret, SecretError};
use kalamdb_core::live::LiveOptions;
use kalamdb_core::{EngineOptions, Limits};
use kalamdb_store::{Durability, FORMAT_VERSION, StoreOptions};
use kalamdb_system::{AuditOptions, SettingRow};
use tokio_rustls::TlsAcceptor;

use super::value::{DurabilityMode, Hidden, parse_value};
use super::{Config, Jwks, TrustedIssuer};
use crate::jwks::UrlKeys;

/// Why there is nothing to sign or check tokens with.
#[derive(Debug, thiserror::Error)]
pub enum AuthOptionsError {
    /// There is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The keys of an issuer cannot be used.
    #[error("a setting of \"auth.trusted_issuers\" cannot be used")]
    Keys(#[from] KeySourceError),
}

impl Config {
    pub(crate) fn store_options(&self) -> StoreOptions {
        let storage = &self.storage;
        StoreOptions {
            durability: match storage.durability {
                DurabilityMode::Sync => Durability::Sync,
                DurabilityMode::Interval => Durability::Interval { millis: storage.sync_interval_ms },
            },
            history_max_age_secs: self.live.history_max_age_secs,
            history_max_bytes: self.live.history_max_bytes,
            block_cache_bytes: storage.block_cache_bytes,
            write_buffer_bytes: storage.write_buffer_bytes,
            commit_batch_max: storage.max_commit_batch,
            ..StoreOptions::new(&self.server.data_dir)
        }
    }

    /// The configured secret, or the one in the data directory, which must be there.
    pub(crate) fn auth_options(&self) -> Result<AuthOptions, AuthOptionsError> {
        let auth = &self.auth;
        let issuers = auth.trusted_issuers.iter().map(|trusted| self.issuer_options(trusted));
        Ok(AuthOptions {
            secret: match &auth.jwt_secret {
                Some(Hidden(secret)) => Secret::new(secret.as_bytes())?,
                None => Secret::load_or_create(&self.secret_file())?,
            },
            issuer: auth.issuer.clone(),
            access_ttl_secs: auth.access_token_ttl_secs,
            refresh_ttl_secs: auth.refresh_token_ttl_secs,
            login_attempts_per_minute: auth.login_attempts_per_minute,
            issuers: issuers.collect::<Result<_, _>>()?,
            issuer_keys: KeyOptions {
                min_refresh_secs: auth.jwks_min_refresh_secs,
                max_stale_secs: auth.jwks_max_stale_secs,
            },
        })
    }

    fn issuer_options(&self, trusted: &TrustedIssuer) -> Result<IssuerOptions, KeySourceError> {
        let keys: Arc<dyn KeySource> = match &trusted.jwks {
            Jwks::File(path) => Arc::new(FileKeys::open(path)?),
            Jwks::Url(url) => Arc::new(UrlKeys::new(url, Duration::from_secs(self.auth.jwks_refresh_secs))?),
        };
        Ok(IssuerOptions {
            issuer: trusted.issuer.clone(),
            audiences: trusted.audiences.clone(),
            user_claim: trusted.user_claim.clone(),
            user_prefix: trusted.user_prefix.clone(),
            create_users: trusted.create_users,
            elevated_users: trusted.elevated_users.clone(),
            keys,
        })
    }

    pub(crate) fn audit_options(&self) -> AuditOptions {
        let audit = &self.audit;
        AuditOptions {
            enabled: audit.enabled,
            logins: audit.logins,
            max_age_days: audit.max_age_days,
            max_bytes: audit.max_bytes,
        }
    }

    pub(crate) fn engine_options(&self, settings: Vec<SettingRow>) -> EngineOptions {
        EngineOptions {
            node_id: self.server.node_id.clone(),
            limits: self.limits(),
            live: self.live_options(),
            settings,
        }
    }

    pub(crate) fn api_options(&self, tls: Option<TlsAcceptor>) -> Result<ApiOptions, InvalidOrigin> {
        let http = &self.http;
        Ok(ApiOptions {
            allowed_origins: AllowedOrigins::parse(&self.websocket.allowed_origins)?,
            trusted_proxies: self.server.trusted_proxies.clone(),
            tls,
            body_bytes_max: http.max_body_bytes,
            header_timeout: Duration::from_secs(http.header_timeout_secs),
            body_timeout: Duration::from_secs(http.body_timeout_secs),
            connections_max: http.max_connections,
            connections_per_address_max: http.max_connections_per_address,
            requests_per_user_max: http.max_requests_per_user,
            shutdown_timeout: Duration::from_secs(self.server.shutdown_timeout_secs),
            socket: self.socket_options(),
        })
    }

    /// Rows of `system.settings`: what was set, and what the data directory says of itself.
    pub(crate) fn setting_rows(&self, epoch: u64) -> Vec<SettingRow> {
        let settings = self.entries().into_iter().map(|entry| SettingRow {
            name: format!("{}.{}", entry.section, entry.key),
            value: entry.value.map(|written| bare(&written)),
            description: if entry.secret { one_line(entry.doc) + " Never shown." } else { one_line(entry.doc) },
        });
        let about = |name: &str, value: String, description: &str| SettingRow {
            name: name.to_owned(),
            value: Some(value),
            description: description.to_owned(),
        };
        let facts = [
            about("about.version", env!("CARGO_PKG_VERSION").to_owned(), "Version of the server."),
            about("about.format", FORMAT_VERSION.to_string(), "Version of the form in which data is stored."),
            about("about.epoch", epoch.to_string(), "Which history SeqIds belong to."),
        ];
        settings.chain(facts).collect()
    }

    fn secret_file(&self) -> PathBuf {
        self.server.data_dir.join("jwt_secret")
    }

    fn limits(&self) -> Limits {
        let limits = &self.limits;
        Limits {
            sql_bytes_max: limits.max_sql_bytes,
            statements_max: limits.max_statements,
            params_max: limits.max_params,
            expression_ops_max: limits.max_expression_ops,
            nesting_max: limits.max_nesting,
            relations_max: limits.max_relations,
            columns_max: limits.max_columns,
            grantees_max: limits.max_grantees,
            result_rows_max: limits.max_result_rows,
            result_bytes_max: limits.max_result_bytes,
            query_memory_bytes_max: limits.max_query_memory_bytes,
            query_timeout: Duration::from_secs(limits.query_timeout_secs),
            transaction_rows_max: limits.max_transaction_rows,
            transaction_bytes_max: limits.max_transaction_bytes,
            row_bytes_max: limits.max_row_bytes,
            transaction_attempts_max: limits.max_transaction_attempts,
        }
    }

    fn live_options(&self) -> LiveOptions {
        let live = &self.live;
        LiveOptions {
            max_subscriptions_per_connection: live.max_subscriptions_per_connection,
            max_connections_per_user: live.max_connections_per_user,
            max_subscriptions_per_user: live.max_subscriptions_per_user,
            batch_rows: live.batch_rows,
            batch_rows_max: live.max_batch_rows,
            outbox_max_bytes: self.websocket.outbox_max_bytes,
            snapshots_max_bytes: live.max_snapshot_bytes,
            queries_max_bytes: live.max_query_bytes,
            rerun_tick: Duration::from_millis(live.rerun_interval_ms),
            rerun_max_bytes: live.max_rerun_bytes,
            reruns_max: live.max_reruns,
            queue_max_bytes: live.max_queue_bytes,
            ..LiveOptions::default()
        }
    }

    fn socket_options(&self) -> SocketOptions {
        let socket = &self.websocket;
        SocketOptions {
            auth_timeout: Duration::from_secs(socket.auth_timeout_secs),
            idle_timeout: Duration::from_secs(socket.idle_timeout_secs),
            slow_reader_timeout: Duration::from_secs(socket.slow_reader_timeout_secs),
            progress_interval: Duration::from_millis(socket.progress_interval_ms),
            message_bytes_max: socket.max_message_bytes,
            messages_per_sec_max: socket.max_messages_per_sec,
            sockets_per_address_max: socket.max_sockets_per_address,
            unauthenticated_max: socket.max_unauthenticated,
            unauthenticated_per_address_max: socket.max_unauthenticated_per_address,
        }
    }
}

/// The lines of a doc comment as one.
pub(super) fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text without the quotes that a file puts around it; anything else as it is.
fn bare(written: &str) -> String {
    match parse_value(written) {
        Some(toml::Value::String(text)) => text,
        _ => written.to_owned(),
    }
}

#[cfg(test)]
mod tests;
