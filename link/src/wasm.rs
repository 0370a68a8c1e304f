//! Bindings for JavaScript, and nothing else: every call goes to [`Client`], every answer comes back as JSON text.
//!
//! One text per event, parsed by `JSON.parse`, keeps the order of cells and is the quickest way across. What the texts
//! look like is in [`wire`]; who hands the events of a live query over is in [`pump`]. Errors are thrown as texts too.

mod pump;
mod settings;
mod wire;

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures_util::future::{AbortHandle, abortable};
use js_sys::Function;
use kalamdb_commons::SeqId;
use serde_json::Value as Json;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::live_rows::LiveRows;
use crate::shared::Core;
use crate::state::Key;
use crate::subscription::SubscriptionBuilder;

use pump::{Pump, Turn};
use settings::{ClientSettings, SubscribeSettings};

type JsResult<T> = std::result::Result<T, JsValue>;

/// A client, as JavaScript holds it.
#[wasm_bindgen]
pub struct Link {
    client: Client,
    /// The pumps of the live queries that run.
    turns: RefCell<Vec<Weak<Turn>>>,
    watching: RefCell<Option<AbortHandle>>,
}

#[wasm_bindgen]
impl Link {
    /// A client with these settings (JSON). `provider` gives access tokens where the settings hold no credentials;
    /// `web_socket` is a constructor of sockets.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str, provider: Option<Function>, web_socket: Function) -> JsResult<Link> {
        let settings: ClientSettings = settings::read(settings).map_err(wire::thrown)?;
        let client = settings.client(provider, web_socket).map_err(wire::thrown)?;
        Ok(Link { client, turns: RefCell::default(), watching: RefCell::default() })
    }

    /// Runs statements and gives what each did.
    pub async fn execute(&self, sql: String, params: String) -> JsResult<String> {
        let params: Vec<Json> = settings::read(&params).map_err(wire::thrown)?;
        let outcomes = self.client.execute(sql, params).await.map_err(wire::thrown)?;
        Ok(wire::text(&wire::outcomes(&outcomes)))
    }

    /// Begins a live query whose events `tell` is called with.
    pub fn subscribe(&self, sql: String, params: &str, settings: &str, tell: Function) -> JsResult<LinkSubscription> {
        let begun = self.builder(sql, params, settings).and_then(|(builder, _)| builder.begin(false));
        let subscription = begun.map_err(wire::thrown)?;
        let (running, turn) = self.running(subscription.core().clone(), subscription.key_of_state());
        running.run(async move {
            let mut pump = Pump::new(tell, turn);
            let told = match subscription.started().await {
                Ok(()) => pump.events(&subscription).await,
                Err(error) => Err(error),
            };
            pump.end(told).await;
        });
        Ok(running)
    }

    /// Begins a live query whose rows are kept; `tell` is called with what has changed of them.
    pub fn live(&self, sql: String, params: &str, settings: &str, tell: Function) -> JsResult<LinkSubscription> {
        let begun = self.builder(sql, params, settings).and_then(|(builder, whole)| {
            let partial = || Error::InvalidArgument("rows are kept of a whole result only".to_owned());
            if whole { builder.begin(true) } else { Err(partial()) }
        });
        let subscription = begun.map_err(wire::thrown)?;
        let (running, turn) = self.running(subscription.core().clone(), subscription.key_of_state());
        running.run(async move {
            let mut pump = Pump::new(tell, turn);
            let told = match subscription.started().await {
                Ok(()) => pump.rows(LiveRows::of(subscription)).await,
                Err(error) => Err(error),
            };
            pump.end(told).await;
        });
        Ok(running)
    }

    /// Every live query there is.
    pub fn subscriptions(&self) -> String {
        wire::text(&wire::subscriptions(&self.client.subscriptions()))
    }

    /// Begins a live query again after a place.
    pub async fn resume(&self, id: String, from: String) -> JsResult<()> {
        let from = seq(&from).map_err(wire::thrown)?;
        self.client.resume(&id, from).map_err(wire::thrown)
    }

    /// Ends a live query by its name.
    pub async fn unsubscribe(&self, id: String) {
        self.client.unsubscribe(&id).await;
    }

    /// Waits until every live query has told everything up to a place.
    #[wasm_bindgen(js_name = waitFor)]
    pub async fn wait_for(&self, until: String) -> JsResult<()> {
        let until = seq(&until).map_err(wire::thrown)?;
        self.client.wait_for(until).await.map_err(wire::thrown)?;
        let turns: Vec<Rc<Turn>> = self.turns.borrow().iter().filter_map(Weak::upgrade).collect();
        for turn in turns {
            turn.settled().await;
        }
        Ok(())
    }

    /// Ends all live queries and closes the socket.
    pub async fn disconnect(&self) {
        self.client.disconnect().await;
    }

    /// Tries to connect now if the client waits to.
    pub fn reconnect(&self) {
        self.client.reconnect();
    }

    /// Calls `tell` with the state of the connection now and after each change.
    #[wasm_bindgen(js_name = watchConnection)]
    pub fn watch_connection(&self, tell: Function) {
        let mut states = self.client.connection_events();
        let (watch, handle) = abortable(async move {
            while let Some(state) = states.next().await {
                pump::call(&tell, &wire::text(&wire::connection(&state))).await;
            }
        });
        spawn_local(async move {
            let _ = watch.await;
        });
        if let Some(before) = self.watching.borrow_mut().replace(handle) {
            before.abort();
        }
    }
}

impl Link {
    /// The live query that is asked for, and if it begins with its result.
    fn builder(&self, sql: String, params: &str, settings: &str) -> Result<(SubscriptionBuilder, bool)> {
        let params: Vec<Json> = settings::read(params)?;
        let settings: SubscribeSettings = settings::read(settings)?;
        let whole = settings.begins_with_snapshot();
        Ok((settings.apply(self.client.subscribe(sql).params(params))?, whole))
    }

    fn running(&self, core: Arc<Core>, key: Key) -> (LinkSubscription, Rc<Turn>) {
        let turn = Rc::new(Turn::default());
        let mut turns = self.turns.borrow_mut();
        turns.retain(|turn| turn.strong_count() > 0);
        turns.push(Rc::downgrade(&turn));
        let running = LinkSubscription { core, key, turn: Rc::downgrade(&turn), abort: RefCell::default() };
        (running, turn)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(watching) = self.watching.borrow_mut().take() {
            watching.abort();
        }
    }
}

/// A live query that runs, as JavaScript holds it. Letting go of it does not end it.
#[wasm_bindgen]
pub struct LinkSubscription {
    core: Arc<Core>,
    key: Key,
    turn: Weak<Turn>,
    abort: RefCell<Option<AbortHandle>>,
}

#[wasm_bindgen]
impl LinkSubscription {
    /// Ends it. Nothing is told from now on.
    pub fn stop(&self) {
        if let Some(abort) = self.abort.borrow_mut().take() {
            abort.abort();
            self.core.with(|state, moment| state.unsubscribe(moment, self.key));
        }
    }

    /// Waits until it has told everything up to a place.
    #[wasm_bindgen(js_name = waitFor)]
    pub async fn wait_for(&self, until: String) -> JsResult<()> {
        let until = seq(&until).map_err(wire::thrown)?;
        crate::subscription::wait_for(&self.core, self.key, until).await.map_err(wire::thrown)?;
        if let Some(turn) = self.turn.upgrade() {
            turn.settled().await;
        }
        Ok(())
    }
}

impl LinkSubscription {
    fn run(&self, pumping: impl Future<Output = ()> + 'static) {
        let (pumping, abort) = abortable(pumping);
        *self.abort.borrow_mut() = Some(abort);
        spawn_local(async move {
            let _ = pumping.await;
        });
    }
}

fn seq(text: &str) -> Result<SeqId> {
    let wrong = || Error::InvalidArgument(format!("\"{text}\" is no place in the order of commits"));
    text.parse().map(SeqId).map_err(|_| wrong())
}
