//! Who is here: every open connection, by user and name, by hash.
//!
//! It knows how to reach a connection and nothing more. A revoked pair of tokens is remembered for a
//! while, so that a connection which is opened with it at that very moment does not slip through.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use kalamdb_commons::{ConnectionId, UserId};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::close_reason::CloseReason;
use super::peer::{Credentials, Peer};

/// Revoked pairs that are remembered. A token is checked before its connection is opened; only
/// revocations between the two must be known here.
const REVOKED_REMEMBERED_MAX: usize = 1_024;

/// Every open connection.
#[derive(Debug)]
pub(crate) struct ConnectionRegistry {
    per_user_max: usize,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    by_user: FxHashMap<UserId, FxHashMap<ConnectionId, Arc<Peer>>>,
    user_of: FxHashMap<ConnectionId, UserId>,
    by_pair: FxHashMap<u128, BTreeSet<ConnectionId>>,
    revoked: VecDeque<u128>,
    shut: bool,
}

impl ConnectionRegistry {
    /// Nobody is here; each user may have so many connections.
    pub fn new(per_user_max: u32) -> Self {
        let per_user_max = usize::try_from(per_user_max).unwrap_or(usize::MAX);
        ConnectionRegistry { per_user_max, state: RwLock::default() }
    }

    /// Enters a connection.
    ///
    /// # Errors
    /// Why it may not be there.
    pub fn insert(&self, peer: &Arc<Peer>) -> Result<(), CloseReason> {
        let mut state = self.state.write();
        let pair = peer.credentials().pair;
        if state.shut {
            return Err(CloseReason::ShuttingDown);
        }
        if state.revoked.contains(&pair) {
            return Err(CloseReason::TokenRevoked);
        }
        if state.by_user.get(&peer.user).is_some_and(|of_user| of_user.len() >= self.per_user_max) {
            return Err(CloseReason::TooManyConnections);
        }
        state.by_user.entry(peer.user.clone()).or_default().insert(peer.id, peer.clone());
        state.user_of.insert(peer.id, peer.user.clone());
        state.by_pair.entry(pair).or_default().insert(peer.id);
        Ok(())
    }

    /// Takes a connection out; one that is not there is no error.
    pub fn remove(&self, peer: &Peer) {
        let mut state = self.state.write();
        if state.user_of.remove(&peer.id).is_none() {
            return;
        }
        if let Some(of_user) = state.by_user.get_mut(&peer.user) {
            of_user.remove(&peer.id);
            if of_user.is_empty() {
                state.by_user.remove(&peer.user);
            }
        }
        state.leave_pair(peer.credentials().pair, peer.id);
    }

    /// A connection lives by another token from now on.
    ///
    /// # Errors
    /// The token was revoked meanwhile; nothing has changed then.
    pub fn renew(&self, peer: &Peer, credentials: Credentials) -> Result<(), CloseReason> {
        let mut state = self.state.write();
        if state.revoked.contains(&credentials.pair) {
            return Err(CloseReason::TokenRevoked);
        }
        let before = peer.credentials().pair;
        peer.set_credentials(credentials);
        if state.user_of.contains_key(&peer.id) {
            state.leave_pair(before, peer.id);
            state.by_pair.entry(credentials.pair).or_default().insert(peer.id);
        }
        Ok(())
    }

    /// The connection of this name.
    pub fn get(&self, id: ConnectionId) -> Option<Arc<Peer>> {
        self.state.read().get(id).cloned()
    }

    /// The connections of a user.
    pub fn of_user(&self, user: &UserId) -> Vec<Arc<Peer>> {
        let state = self.state.read();
        state.by_user.get(user).into_iter().flat_map(FxHashMap::values).cloned().collect()
    }

    /// A pair of tokens counts no more; gives the connections that live by it.
    pub fn revoke_pair(&self, pair: u128) -> Vec<Arc<Peer>> {
        let mut state = self.state.write();
        if state.revoked.len() >= REVOKED_REMEMBERED_MAX {
            state.revoked.pop_front();
        }
        state.revoked.push_back(pair);
        let ids = state.by_pair.get(&pair).into_iter().flatten();
        ids.filter_map(|&id| state.get(id).cloned()).collect()
    }

    /// Every connection.
    pub fn all(&self) -> Vec<Arc<Peer>> {
        let state = self.state.read();
        state.by_user.values().flat_map(FxHashMap::values).cloned().collect()
    }

    /// Lets nobody in any more.
    pub fn shut(&self) {
        self.state.write().shut = true;
    }
}

impl State {
    fn get(&self, id: ConnectionId) -> Option<&Arc<Peer>> {
        self.by_user.get(self.user_of.get(&id)?)?.get(&id)
    }

    fn leave_pair(&mut self, pair: u128, id: ConnectionId) {
        if let Some(of_pair) = self.by_pair.get_mut(&pair) {
            of_pair.remove(&id);
            if of_pair.is_empty() {
                self.by_pair.remove(&pair);
            }
        }
    }
}

#[cfg(test)]
mod tests;
