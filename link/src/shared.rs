//! What all handles of one client and its driver share: the state, and who waits for it to change.
//!
//! Every touch of the state goes through [`Core::with`]: it locks, lets something happen, and wakes whoever is
//! concerned after the lock is gone. The lock is never held across an await.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::auth::Authenticator;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::event::ConnectionState;
use crate::options::Options;
use crate::state::{Key, Moment, Notice, State};
use crate::transport::Transport;

/// States of the connection that a slow listener can lag behind; older ones are dropped.
const STATES_WAITING_MAX: usize = 64;

/// See the module.
pub(crate) struct Core {
    pub transport: Arc<dyn Transport>,
    pub auth: Authenticator,
    pub options: Options,
    pub urls: Urls,
    shared: Mutex<Shared>,
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Urls {
    pub http: String,
    pub sql: String,
    pub socket: String,
}

struct Shared {
    state: State,
    /// Is there a task that does what the state wants?
    driven: bool,
    /// All handles are gone.
    abandoned: bool,
    driver: Option<Waker>,
    /// A socket is saying goodbye.
    closing: bool,
    goodbyes: Vec<Waker>,
    waiting: HashMap<Key, Vec<Waker>>,
    listeners: HashMap<u64, Listener>,
    next_listener: u64,
}

#[derive(Default)]
struct Listener {
    states: VecDeque<ConnectionState>,
    waker: Option<Waker>,
}

impl Urls {
    /// # Errors
    /// The address is not one of a server.
    pub fn parse(url: &str) -> Result<Self> {
        if url.contains('@') {
            // Not repeated, because it may hold a password.
            return Err(Error::InvalidArgument("the address holds a user; credentials are given apart".to_owned()));
        }
        let wrong = |why: &str| Error::InvalidArgument(format!("the address \"{url}\" {why}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("has no scheme, such as http://"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => "",
            "https" | "wss" => "s",
            _ => return Err(wrong("must begin with http:// or https://")),
        };
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() || rest.contains(char::is_whitespace) || rest.contains(['?', '#']) {
            return Err(wrong("must be scheme, host and port only"));
        }
        let http = format!("http{secure}://{rest}");
        Ok(Urls { sql: format!("{http}/v1/api/sql"), socket: format!("ws{secure}://{rest}/v1/ws"), http })
    }
}

impl Core {
    pub fn new(transport: Arc<dyn Transport>, auth: Authenticator, options: Options, urls: Urls) -> Self {
        let shared = Shared {
            state: State::new(options.clone()),
            driven: false,
            abandoned: false,
            driver: None,
            closing: false,
            goodbyes: Vec::new(),
            waiting: HashMap::new(),
            listeners: HashMap::new(),
            next_listener: 0,
        };
        Core { transport, auth, options, urls, shared: Mutex::new(shared) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        Moment { now: self.transport.now(), unix: self.transport.unix_now(), random: self.transport.random() }
    }

    /// Lets something happen to the state, on behalf of a handle. The driver looks again afterwards.
    pub fn with<T>(self: &Arc<Self>, happens: impl FnOnce(&mut State, Moment) -> T) -> T {
        let moment = self.moment();
        let mut shared = self.lock();
        let before = shared.state.next_timeout();
        let result = happens(&mut shared.state, moment);
        let mut wakers = shared.wakers();
        if shared.abandoned || shared.state.has_actions() || shared.state.next_timeout() != before {
            wakers.extend(shared.driver.take());
        }
        let undriven = !shared.driven && shared.state.needs_driver();
        shared.driven |= undriven;
        drop(shared);
        wakers.into_iter().for_each(Waker::wake);
        if undriven {
            self.transport.spawn(Box::pin(Driver::new(self.clone())));
        }
        result
    }

    /// Lets something happen to the state, on behalf of the driver.
    pub fn drive<T>(&self, happens: impl FnOnce(&mut State, Moment) -> T) -> T {
        let moment = self.moment();
        let mut shared = self.lock();
        let result = happens(&mut shared.state, moment);
        let wakers = shared.wakers();
        drop(shared);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// The driver is to be woken when a handle has done something. Tells if all handles are gone.
    pub fn wake_driver_with(&self, waker: &Waker) -> bool {
        let mut shared = self.lock();
        shared.driver = Some(waker.clone());
        shared.abandoned
    }

    /// The driver has begun to close a socket, or has closed it.
    pub fn set_closing(&self, closing: bool) {
        let mut shared = self.lock();
        shared.closing = closing;
        let wakers = if closing { Vec::new() } else { std::mem::take(&mut shared.goodbyes) };
        drop(shared);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Is nothing left of the connection that was closed?
    pub fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut shared = self.lock();
        if !shared.driven || !(shared.closing || shared.state.has_actions()) {
            return Poll::Ready(());
        }
        shared.goodbyes.push(cx.waker().clone());
        Poll::Pending
    }

    /// The driver is gone, and the socket with it.
    pub fn undriven(&self) {
        self.drive(|state, moment| {
            state.closed(moment, 1006, "the runtime that held the connection has ended");
            state.open_failed(moment, "the runtime that held the connection has ended".to_owned());
        });
        self.lock().driven = false;
        self.set_closing(false);
    }

    /// All handles are gone.
    pub fn abandon(self: &Arc<Self>) {
        let driven = {
            let mut shared = self.lock();
            shared.abandoned = true;
            shared.driven
        };
        if driven {
            self.with(State::disconnect);
        }
    }

    /// Looks at the state until there is an answer; looks again when something happened to the subscription.
    pub fn poll_with<T>(
        self: &Arc<Self>,
        key: Key,
        cx: &mut Context<'_>,
        look: impl FnOnce(&mut State, Moment) -> Poll<T>,
    ) -> Poll<T> {
        self.lock().wait(key, cx.waker());
        self.with(look)
    }

    /// A handle of a subscription waits no more. Who still does, looks again and says so.
    pub fn forget(&self, key: Key) {
        let waiting = self.lock().waiting.remove(&key).unwrap_or_default();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Begins to listen to the states of the connection, the present one first.
    pub fn listen(&self) -> u64 {
        let mut shared = self.lock();
        let id = shared.next_listener;
        shared.next_listener = id.wrapping_add(1);
        let state = shared.state.connection();
        shared.listeners.insert(id, Listener { states: VecDeque::from([state]), waker: None });
        id
    }

    /// The next state of the connection that a listener has not seen.
    pub fn poll_listen(&self, id: u64, cx: &Context<'_>) -> Poll<Option<ConnectionState>> {
        let mut shared = self.lock();
        let Some(listener) = shared.listeners.get_mut(&id) else { return Poll::Ready(None) };
        if let Some(state) = listener.states.pop_front() {
            return Poll::Ready(Some(state));
        }
        listener.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Listens no more.
    pub fn unlisten(&self, id: u64) {
        self.lock().listeners.remove(&id);
    }
}

impl Shared {
    fn wait(&mut self, key: Key, waker: &Waker) {
        let waiting = self.waiting.entry(key).or_default();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    /// Whoever is to be woken for what has happened.
    fn wakers(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for notice in self.state.take_notices() {
            match notice {
                Notice::Subscription(key) => wakers.extend(self.waiting.remove(&key).unwrap_or_default()),
                Notice::Connection(state) => {
                    for listener in self.listeners.values_mut() {
                        if listener.states.len() >= STATES_WAITING_MAX {
                            listener.states.pop_front();
                        }
                        listener.states.push_back(state.clone());
                        wakers.extend(listener.waker.take());
                    }
                }
            }
        }
        wakers
    }
}
