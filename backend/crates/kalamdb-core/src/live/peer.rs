//! What the live loop, the registry and a socket's two tasks share of one connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use kalamdb_auth::Identity;
use kalamdb_commons::{ConnectionId, Role, UserId};
use kalamdb_system::{ConnectionRow, UserRecord};
use parking_lot::Mutex;

use super::close_reason::CloseReason;
use super::options::LiveOptions;
use super::outbox::Outbox;
use super::session::Session;

/// One connection, as everybody but its own tasks knows it.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its name.
    pub id: ConnectionId,
    /// Whose it is.
    pub user: UserId,
    /// What its user may do. When that changes the connection ends.
    pub role: Role,
    /// What waits for its socket.
    pub outbox: Outbox,
    /// Its subscriptions.
    pub session: Mutex<Session>,
    credentials: Mutex<Credentials>,
    client_addr: String,
    opened_at: i64,
    heard_at: AtomicI64,
}

/// What of a token the connection lives by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// End of the token, in microseconds since the Unix epoch.
    pub expires_at: i64,
    /// The login that it goes back to.
    pub login: u128,
    /// The token counts while this is what the stored user says.
    pub tokens_valid_after: i64,
}

impl From<&Identity> for Credentials {
    fn from(identity: &Identity) -> Self {
        Credentials {
            expires_at: identity.expires_at,
            login: identity.login,
            tokens_valid_after: identity.tokens_valid_after,
        }
    }
}

impl Peer {
    /// A connection that has just been authenticated.
    pub fn new(
        id: ConnectionId,
        identity: &Identity,
        client_addr: String,
        now_micros: i64,
        options: &LiveOptions,
    ) -> Arc<Self> {
        Arc::new(Peer {
            id,
            user: identity.user.clone(),
            role: identity.role,
            outbox: Outbox::new(options.outbox_max_bytes),
            session: Mutex::new(Session::new(options.max_subscriptions_per_connection, options.queries_max_bytes)),
            credentials: Mutex::new(identity.into()),
            client_addr,
            opened_at: now_micros,
            heard_at: AtomicI64::new(now_micros),
        })
    }

    /// What it lives by.
    pub fn credentials(&self) -> Credentials {
        *self.credentials.lock()
    }

    /// It lives by another token from now on.
    pub fn set_credentials(&self, credentials: Credentials) {
        *self.credentials.lock() = credentials;
    }

    /// Why the connection may not go on now that this is what is stored of its user.
    pub fn objection(&self, stored: Option<&UserRecord>) -> Option<CloseReason> {
        let Some(stored) = stored else { return Some(CloseReason::UserDropped) };
        if stored.role != self.role {
            return Some(CloseReason::RoleChanged);
        }
        let valid = stored.tokens_valid_after == self.credentials().tokens_valid_after;
        (!valid).then_some(CloseReason::TokenRevoked)
    }

    /// A frame came in.
    pub fn heard(&self, now_micros: i64) {
        self.heard_at.store(now_micros, Ordering::Relaxed);
    }

    /// Its row in `system.connections`.
    pub fn row(&self, node_id: &str) -> ConnectionRow {
        ConnectionRow {
            connection_id: self.id,
            user_id: self.user.clone(),
            role: self.role,
            client_addr: self.client_addr.clone(),
            opened_at: self.opened_at,
            last_activity_at: self.heard_at.load(Ordering::Relaxed),
            expires_at: self.credentials().expires_at,
            subscriptions: self.session.lock().active().count() as u64,
            queued_bytes: self.outbox.bytes() as u64,
            node_id: node_id.to_owned(),
        }
    }
}
