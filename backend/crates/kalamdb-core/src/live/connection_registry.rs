//! Who is here: every open connection, by user and name, by hash.
//!
//! It knows how to reach a connection and nothing more. A login that was ended is remembered for a
//! while, so that a connection which is opened with its token at that very moment does not slip through.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use kalamdb_commons::{ConnectionId, UserId};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::close_reason::CloseReason;
use super::peer::{Credentials, Peer};
use super::session::UserLoad;

/// Ended logins that are remembered. A token is checked before its connection is opened; only
/// logouts between the two must be known here.
const REVOKED_REMEMBERED_MAX: usize = 1_024;

/// Every open connection.
#[derive(Debug)]
pub(crate) struct ConnectionRegistry {
    per_user_max: usize,
    subscriptions_per_user_max: u32,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    by_user: FxHashMap<UserId, OfUser>,
    user_of: FxHashMap<ConnectionId, UserId>,
    by_login: FxHashMap<u128, BTreeSet<ConnectionId>>,
    revoked: VecDeque<u128>,
    shut: bool,
}

/// What a user has.
#[derive(Debug)]
struct OfUser {
    connections: FxHashMap<ConnectionId, Arc<Peer>>,
    load: Arc<UserLoad>,
}

impl ConnectionRegistry {
    /// Nobody is here; each user may have so many connections, and so many subscriptions on all of them.
    pub fn new(per_user_max: u32, subscriptions_per_user_max: u32) -> Self {
        let per_user_max = usize::try_from(per_user_max).unwrap_or(usize::MAX);
        ConnectionRegistry { per_user_max, subscriptions_per_user_max, state: RwLock::default() }
    }

    /// Enters a connection.
    ///
    /// # Errors
    /// Why it may not be there.
    pub fn insert(&self, peer: &Arc<Peer>) -> Result<(), CloseReason> {
        let mut state = self.state.write();
        let login = peer.credentials().login;
        if state.shut {
            return Err(CloseReason::ShuttingDown);
        }
        if state.revoked.contains(&login) {
            return Err(CloseReason::TokenRevoked);
        }
        if state.by_user.get(&peer.user).is_some_and(|of_user| of_user.connections.len() >= self.per_user_max) {
            return Err(CloseReason::TooManyConnections);
        }
        let nothing = || OfUser {
            connections: FxHashMap::default(),
            load: Arc::new(UserLoad::new(self.subscriptions_per_user_max)),
        };
        let of_user = state.by_user.entry(peer.user.clone()).or_insert_with(nothing);
        peer.session.lock().count_for(of_user.load.clone());
        of_user.connections.insert(peer.id, peer.clone());
        state.user_of.insert(peer.id, peer.user.clone());
        state.by_login.entry(login).or_default().insert(peer.id);
        Ok(())
    }

    /// Takes a connection out; one that is not there is no error.
    pub fn remove(&self, peer: &Peer) {
        let mut state = self.state.write();
        if state.user_of.remove(&peer.id).is_none() {
            return;
        }
        if let Some(of_user) = state.by_user.get_mut(&peer.user) {
            of_user.connections.remove(&peer.id);
            if of_user.connections.is_empty() {
                state.by_user.remove(&peer.user);
            }
        }
        state.leave_login(peer.credentials().login, peer.id);
    }

    /// A connection lives by another token from now on.
    ///
    /// # Errors
    /// The token was revoked meanwhile; nothing has changed then.
    pub fn renew(&self, peer: &Peer, credentials: Credentials) -> Result<(), CloseReason> {
        let mut state = self.state.write();
        if state.revoked.contains(&credentials.login) {
            return Err(CloseReason::TokenRevoked);
        }
        let before = peer.credentials().login;
        peer.set_credentials(credentials);
        if state.user_of.contains_key(&peer.id) {
            state.leave_login(before, peer.id);
            state.by_login.entry(credentials.login).or_default().insert(peer.id);
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
        state.by_user.get(user).into_iter().flat_map(|of_user| of_user.connections.values()).cloned().collect()
    }

    /// A login has ended; gives the connections that live by it.
    pub fn end_login(&self, login: u128) -> Vec<Arc<Peer>> {
        let mut state = self.state.write();
        if state.revoked.len() >= REVOKED_REMEMBERED_MAX {
            state.revoked.pop_front();
        }
        state.revoked.push_back(login);
        let ids = state.by_login.get(&login).into_iter().flatten();
        ids.filter_map(|&id| state.get(id).cloned()).collect()
    }

    /// Every connection.
    pub fn all(&self) -> Vec<Arc<Peer>> {
        let state = self.state.read();
        state.by_user.values().flat_map(|of_user| of_user.connections.values()).cloned().collect()
    }

    /// Lets nobody in any more.
    pub fn shut(&self) {
        self.state.write().shut = true;
    }
}

impl State {
    fn get(&self, id: ConnectionId) -> Option<&Arc<Peer>> {
        self.by_user.get(self.user_of.get(&id)?)?.connections.get(&id)
    }

    fn leave_login(&mut self, login: u128, id: ConnectionId) {
        if let Some(of_login) = self.by_login.get_mut(&login) {
            of_login.remove(&id);
            if of_login.is_empty() {
                self.by_login.remove(&login);
            }
        }
    }
}

#[cfg(test)]
mod tests;
