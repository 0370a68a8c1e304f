//! `system.live_queries` is exactly what clients are subscribed to. A socket that was lost is noticed a moment
//! later, so this waits until it is so, but not for ever.

use std::collections::BTreeSet;

use super::{Breach, breach};
use crate::client::Client;
use crate::plan::USERS;

/// What must be listed, and what may be besides.
#[derive(Debug, Default)]
pub struct Expected {
    must: BTreeSet<String>,
    may: BTreeSet<String>,
}

impl Expected {
    /// By what the clients believe. One that does not read may not know yet what ended.
    pub fn of<'a>(clients: impl Iterator<Item = &'a Client>) -> Self {
        let mut expected = Expected::default();
        for client in clients {
            let Some(connection) = client.connection() else { continue };
            let ids = client.subscriptions.keys().map(|id| format!("{}-{connection}-{id}", USERS[client.user]));
            if client.is_present() { expected.must.extend(ids) } else { expected.may.extend(ids) }
        }
        expected
    }

    /// Compares with what is listed.
    ///
    /// # Errors
    /// They differ.
    pub fn check(&self, listed: &[String]) -> Result<(), Breach> {
        let found: BTreeSet<String> = listed.iter().cloned().collect();
        let missing: Vec<_> = self.must.difference(&found).collect();
        let surplus: Vec<_> = found.iter().filter(|id| !self.must.contains(*id) && !self.may.contains(*id)).collect();
        if missing.is_empty() && surplus.is_empty() && found.len() == listed.len() {
            return Ok(());
        }
        breach("live_queries_true", format!("not listed: {missing:?}; listed and not subscribed: {surplus:?}"))
    }
}
