//! Hands the events of one live query to a function of JavaScript, one after the other.
//!
//! When the function returns a promise the next event waits for it, so that a slow program holds its own live query
//! back and nothing else. [`Turn`] lets others wait until everything that has come was handed over.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::wire::{self, ErrorShape, Told};
use crate::error::Result;
use crate::event::Event;
use crate::live_rows::LiveRows;
use crate::patch::Patch;
use crate::row::{Row, Schema};
use crate::subscription::Subscription;

/// Calls a function with a text, and waits for the promise it may return. What it throws is its own affair.
pub(super) async fn call(function: &Function, text: &str) {
    if let Ok(returned) = function.call1(&JsValue::NULL, &text.into())
        && let Some(promise) = returned.dyn_ref::<Promise>()
    {
        let _ = JsFuture::from(promise.clone()).await;
    }
}

/// See the module.
pub(super) struct Pump {
    tell: Function,
    turn: Rc<Turn>,
    /// The columns that were told last.
    schema: Option<Schema>,
}

impl Pump {
    pub(super) fn new(tell: Function, turn: Rc<Turn>) -> Self {
        Pump { tell, turn, schema: None }
    }

    async fn tell(&self, told: &Told<'_>) {
        call(&self.tell, &wire::text(told)).await;
    }

    async fn tell_columns(&mut self, rows: &[Row]) {
        if let Some(row) = rows.first()
            && self.schema.as_ref() != Some(row.schema())
        {
            self.tell(&Told::Columns { columns: row.schema().fields() }).await;
            self.schema = Some(row.schema().clone());
        }
    }

    /// Tells every event until the live query ends.
    pub(super) async fn events(&mut self, subscription: &Subscription) -> Result<()> {
        self.tell(&Told::Started { id: subscription.id() }).await;
        while let Some(event) = poll_fn(|cx| self.turn.watch(cx, |cx| subscription.poll_event(cx))).await {
            match event {
                Event::Snapshot(page) => {
                    self.tell_columns(&page.rows).await;
                    let (rows, keys) = (wire::cells(&page.rows), wire::keys(&page.rows));
                    let (first, last, seq) = (page.first, page.last, page.seq);
                    self.tell(&Told::Snapshot { rows, keys, first, last, seq }).await;
                }
                Event::Change(change) => {
                    self.tell_columns(&change.rows).await;
                    self.tell_columns(&change.old_rows).await;
                    let (rows, keys) = (wire::cells(&change.rows), wire::keys(&change.rows));
                    let (old_rows, old_keys) = (wire::cells(&change.old_rows), wire::keys(&change.old_rows));
                    self.tell(&Told::Change { kind: change.kind, rows, keys, old_rows, old_keys, seq: change.seq })
                        .await;
                }
                Event::Reset => self.tell(&Told::Reset).await,
                Event::Paused { reason } => self.tell(&Told::Paused { reason: &reason }).await,
                Event::Active => self.tell(&Told::Active).await,
                Event::Ended(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells how the rows change until the live query ends.
    pub(super) async fn rows(&mut self, mut live: LiveRows) -> Result<()> {
        self.tell(&Told::Started { id: live.id() }).await;
        let mut rows = live.rows();
        self.tell_columns(&rows).await;
        self.tell(&Told::Rows(Patch::between(&[], &rows))).await;
        loop {
            let next = poll_fn(|cx| self.turn.watch(cx, |cx| live.poll_changed(cx))).await?;
            self.tell_columns(&next).await;
            self.tell(&Told::Rows(Patch::between(&rows, &next))).await;
            rows = next;
        }
    }

    /// Tells why the live query has ended, if it was not the program who ended it.
    pub(super) async fn end(&self, told: Result<()>) {
        if let Err(error) = told {
            self.tell(&Told::Ended { error: ErrorShape::of(&error) }).await;
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.turn.over();
    }
}

/// Tells when a pump has handed over everything that has come.
#[derive(Default)]
pub(super) struct Turn(RefCell<Asked>);

#[derive(Default)]
struct Asked {
    /// How often somebody asked.
    asked: u64,
    /// Up to which of them nothing was left to be handed over.
    answered: u64,
    over: bool,
    pump: Option<Waker>,
    waiting: Vec<Waker>,
}

impl Turn {
    /// Looks for the next event, and remembers when there is none.
    fn watch<T>(&self, cx: &mut Context<'_>, look: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let found = look(cx);
        if found.is_pending() {
            let mut asked = self.0.borrow_mut();
            asked.answered = asked.asked;
            asked.pump = Some(cx.waker().clone());
            asked.waiting.drain(..).for_each(Waker::wake);
        }
        found
    }

    fn over(&self) {
        let mut asked = self.0.borrow_mut();
        asked.over = true;
        asked.waiting.drain(..).for_each(Waker::wake);
    }

    /// Waits until the pump has handed over everything that has come, or has ended.
    pub(super) async fn settled(&self) {
        let mine = {
            let mut asked = self.0.borrow_mut();
            asked.asked = asked.asked.saturating_add(1);
            asked.pump.take().into_iter().for_each(Waker::wake);
            asked.asked
        };
        poll_fn(|cx| {
            let mut asked = self.0.borrow_mut();
            if asked.over || asked.answered >= mine {
                return Poll::Ready(());
            }
            asked.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
