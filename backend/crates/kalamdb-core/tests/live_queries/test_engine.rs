//! An engine as a server puts it together, over a store of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use kalamdb_auth::{Auth, AuthOptions, Identity, KeyOptions, Secret, Tokens};
use kalamdb_commons::protocol::{SqlRequest, StatementResult};
use kalamdb_commons::{Role, UserId};
use kalamdb_core::live::{CloseReason, LiveOptions, NewConnection};
use kalamdb_core::{Caller, Engine, EngineOptions, Limits};
use kalamdb_store::{ManualClock, Store, StoreOptions};
use kalamdb_system::{AuditLog, AuditOptions, Catalog, Users};
use serde_json::Value as Json;

use crate::client::Client;

/// Life of an access token.
pub const ACCESS_TTL_SECS: i64 = 60;

/// Where everybody is.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const PASSWORD: &str = "long enough";

/// An engine whose clock is the test's.
pub struct TestEngine {
    pub engine: Engine,
    pub auth: Arc<Auth>,
    pub store: Store,
    pub clock: Arc<ManualClock>,
    users: Arc<Users>,
    _dir: tempfile::TempDir,
}

impl TestEngine {
    /// A new one, with `root` in it.
    pub async fn start() -> TestEngine {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(1_600_000_000_000_000));
        let store = Store::open(StoreOptions { clock: clock.clone(), ..StoreOptions::new(dir.path()) }).unwrap();
        let catalog = Arc::new(Catalog::load(&store).unwrap());
        let users = Arc::new(Users::load(&store).unwrap());
        let audit = AuditLog::open(store.clone(), AuditOptions::default()).unwrap();
        let access_ttl_secs = u64::try_from(ACCESS_TTL_SECS).unwrap();
        let auth = AuthOptions {
            secret: Secret::new(vec![7; 32]).unwrap(),
            issuer: "test".to_owned(),
            access_ttl_secs,
            refresh_ttl_secs: 10 * access_ttl_secs,
            login_attempts_per_minute: 0,
            issuers: Vec::new(),
            issuer_keys: KeyOptions::default(),
        };
        let auth = Arc::new(Auth::new(store.clone(), users.clone(), audit.clone(), auth).unwrap());
        let options = EngineOptions {
            node_id: "n1".to_owned(),
            limits: Limits::default(),
            live: LiveOptions::default(),
            settings: Vec::new(),
        };
        let engine = Engine::open(store.clone(), catalog, users.clone(), auth.clone(), audit, options).unwrap();
        auth.ensure_root(Some(PASSWORD.to_owned())).await.unwrap();
        TestEngine { engine, auth, store, clock, users, _dir: dir }
    }

    /// Runs SQL that succeeds as `root`; the result of its last statement.
    pub async fn sql(&self, sql: &str) -> StatementResult {
        self.sql_of("root", Role::System, sql).await
    }

    /// Runs SQL that succeeds as somebody; the result of its last statement.
    pub async fn sql_of(&self, user: &str, role: Role, sql: &str) -> StatementResult {
        let caller = Caller::new(UserId::new(user).unwrap(), role);
        let request = SqlRequest { sql: sql.to_owned(), params: None, namespace_id: None };
        let mut response = self.engine.execute(caller, request).await;
        assert_eq!(response.error, None, "{sql}");
        response.results.pop().unwrap()
    }

    /// Rows as `root` sees them, as they travel.
    pub async fn rows(&self, sql: &str) -> Json {
        self.rows_of("root", Role::System, sql).await
    }

    /// Rows as somebody sees them, as they travel.
    pub async fn rows_of(&self, user: &str, role: Role, sql: &str) -> Json {
        serde_json::to_value(self.sql_of(user, role, sql).await).unwrap()["rows"].clone()
    }

    /// Logs a user in, who is made first if it is not there.
    pub async fn login(&self, user: &str) -> Tokens {
        if self.users.get(&UserId::new(user).unwrap()).is_none() {
            self.sql(&format!("CREATE USER '{user}' WITH PASSWORD '{PASSWORD}' ROLE user")).await;
        }
        self.auth.login(user, PASSWORD, ADDRESS).await.unwrap()
    }

    /// A connection of a user who has just logged in.
    pub async fn connect(&self, user: &str) -> Client<'_> {
        let tokens = self.login(user).await;
        self.open(&self.auth.verify(&tokens.access_token).unwrap()).unwrap()
    }

    /// A connection of whoever that is, or why there is none.
    pub fn open(&self, identity: &Identity) -> Result<Client<'_>, CloseReason> {
        let new = NewConnection { identity: identity.clone(), client_addr: format!("{ADDRESS}:1") };
        let (connection, outgoing) = self.engine.live().open(new)?;
        Ok(Client::new(&self.engine, connection, outgoing))
    }
}
