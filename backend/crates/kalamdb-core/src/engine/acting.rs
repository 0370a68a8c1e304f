//! Who acts in a request, for as long as it may.
//!
//! A request is let in once and may run for long. Whoever is dropped meanwhile, or gets another role,
//! does nothing more with it, also if a user of the same name is there again. Who writes or changes the
//! catalog is looked at once more when the gate is passed, so that nothing is written after the end.

use std::net::IpAddr;

use kalamdb_commons::{ErrorCode, SeqId};
use kalamdb_system::UserRecord;

use super::parts::EngineParts;
use crate::context::Caller;
use crate::error::SqlError;

/// A caller, and which user of that name it was when the request began.
#[derive(Debug, Clone)]
pub(super) struct Acting {
    pub caller: Caller,
    since: SeqId,
}

impl Acting {
    /// The caller of a request that begins.
    ///
    /// # Errors
    /// As [`Acting::check`].
    pub fn begin(engine: &EngineParts, caller: Caller) -> Result<Acting, SqlError> {
        let since = engine.users.get(&caller.user).map_or(SeqId::ZERO, |record| record.since);
        let acting = Acting { caller, since };
        acting.check(engine).map(|()| acting)
    }

    /// A stored user in whose name a statement is run.
    pub fn of(record: &UserRecord, client: Option<IpAddr>) -> Acting {
        let caller = Caller { user: record.id.clone(), role: record.role, client };
        Acting { caller, since: record.since }
    }

    /// Fails unless the user is still there and what it was.
    ///
    /// # Errors
    /// `TOKEN_REVOKED`.
    pub fn check(&self, engine: &EngineParts) -> Result<(), SqlError> {
        let why = match engine.users.get(&self.caller.user) {
            Some(now) if now.since == self.since && now.role == self.caller.role => return Ok(()),
            Some(now) if now.since == self.since => "the user's role was changed",
            Some(_) | None => "the user was dropped",
        };
        Err(SqlError::new(ErrorCode::TokenRevoked, why))
    }
}
