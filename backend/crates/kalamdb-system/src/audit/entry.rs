//! What is to be remembered: made where it happens, with names and codes only.

use std::net::IpAddr;

use kalamdb_commons::{ErrorCode, UserId};

/// Longest name of an object that is kept, in bytes; what is longer is cut.
const OBJECT_BYTES_MAX: usize = 512;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditKind {
    /// A namespace, table or index came, went or changed.
    Ddl,
    /// A user came, went or changed.
    User,
    /// A right was given or taken.
    Grant,
    /// A connection or live query was ended.
    Kill,
    /// A statement ran in the name of another user.
    Impersonation,
    /// A password or a token of another issuer was not taken.
    LoginFailed,
    /// Somebody logged in.
    Login,
    /// Somebody logged out.
    Logout,
    /// All tokens of a user were ended.
    TokenRevoked,
}

/// An entry to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub(super) kind: AuditKind,
    pub(super) action: &'static str,
    pub(super) user: Option<UserId>,
    pub(super) acting_as: Option<UserId>,
    pub(super) object: Option<String>,
    pub(super) outcome: Option<ErrorCode>,
    pub(super) client: Option<IpAddr>,
}

impl AuditKind {
    /// Every kind there is.
    pub const ALL: [AuditKind; 9] = [
        AuditKind::Ddl,
        AuditKind::User,
        AuditKind::Grant,
        AuditKind::Kill,
        AuditKind::Impersonation,
        AuditKind::LoginFailed,
        AuditKind::Login,
        AuditKind::Logout,
        AuditKind::TokenRevoked,
    ];

    /// The kind as the column shows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AuditKind::Ddl => "ddl",
            AuditKind::User => "user",
            AuditKind::Grant => "grant",
            AuditKind::Kill => "kill",
            AuditKind::Impersonation => "impersonation",
            AuditKind::LoginFailed => "login_failed",
            AuditKind::Login => "login",
            AuditKind::Logout => "logout",
            AuditKind::TokenRevoked => "token_revoked",
        }
    }

    /// Can anybody cause it who only reaches the server, or has any user?
    pub(super) const fn is_anybodys(self) -> bool {
        matches!(self, AuditKind::LoginFailed | AuditKind::Login | AuditKind::Logout)
    }
}

impl AuditEntry {
    /// Something that went well. `action` is what was done, such as `CREATE TABLE`.
    #[must_use]
    pub const fn new(kind: AuditKind, action: &'static str) -> Self {
        AuditEntry { kind, action, user: None, acting_as: None, object: None, outcome: None, client: None }
    }

    /// Says who did it.
    #[must_use]
    pub fn by(mut self, user: &UserId) -> Self {
        self.user = Some(user.clone());
        self
    }

    /// Says in whose name, if that is another.
    #[must_use]
    pub fn acting_as(mut self, user: &UserId) -> Self {
        self.acting_as = Some(user.clone());
        self
    }

    /// Says what it was done to: the name of a table or user, the id of a connection. Never a value.
    #[must_use]
    pub fn on(mut self, object: impl Into<String>) -> Self {
        let mut object = object.into();
        object.truncate(object.floor_char_boundary(OBJECT_BYTES_MAX));
        self.object = Some(object);
        self
    }

    /// Says that it was refused, or failed, with this code.
    #[must_use]
    pub const fn refused(mut self, code: ErrorCode) -> Self {
        self.outcome = Some(code);
        self
    }

    /// Says from which address it came, where that is known.
    #[must_use]
    pub const fn from(mut self, client: Option<IpAddr>) -> Self {
        self.client = client;
        self
    }

    /// May it come as often as anybody likes? Then it goes into the drawer for that.
    pub(super) const fn is_attempt(&self) -> bool {
        self.outcome.is_some() || self.kind.is_anybodys()
    }
}
