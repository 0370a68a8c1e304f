//! Live queries of the prompt that go on while the next line is typed.
//!
//! Each has a task that writes its changes above the line being typed. All share the session's one socket.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use kalam_link::{Event, Subscription};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::commands::subscribe::lines::{LineStyle, of_event};
use crate::commands::subscribe::{Wanted, start};
use crate::exit::Failure;
use crate::render::cell::harmless;
use crate::session::Session;

/// At most so many at a time.
const LIVE_MAX: usize = 50;
/// How long a full terminal is waited for before it is asked again.
const PRINT_EVERY: Duration = Duration::from_millis(20);

/// The live queries of this prompt, by id.
#[derive(Default)]
pub struct Background {
    running: BTreeMap<String, Running>,
    begun: u64,
}

struct Running {
    sql: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Background {
    /// Begins one; its lines go through `printer`, each with its id in front. Gives the id.
    ///
    /// # Errors
    /// The server refuses it, or there are too many.
    pub async fn subscribe(
        &mut self,
        session: &Session,
        sql: &str,
        style: LineStyle,
        printer: SyncSender<String>,
    ) -> Result<String, Failure> {
        self.forget_ended();
        if self.running.len() >= LIVE_MAX {
            return Err(Failure::usage(format!("{LIVE_MAX} live queries run already; \\unsubscribe ends one")));
        }
        self.begun += 1;
        let id = format!("live{}", self.begun);
        let wanted = Wanted { sql: sql.to_owned(), id: Some(id.clone()), ..Wanted::default() };
        let subscription = start(session, &wanted).await?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(print(subscription, id.clone(), style, printer, stopped));
        self.running.insert(id.clone(), Running { sql: sql.to_owned(), stop, task });
        Ok(id)
    }

    /// Ends one, and waits until the server has said so.
    ///
    /// # Errors
    /// There is none of this id.
    pub async fn unsubscribe(&mut self, id: &str) -> Result<(), Failure> {
        self.forget_ended();
        let running = self.running.remove(id).ok_or_else(|| {
            Failure::usage(format!("there is no live query \"{}\"; \\subscriptions lists them", harmless(id)))
        })?;
        // A task that ended by itself has unsubscribed already.
        let _ = running.stop.send(());
        let _ = running.task.await;
        Ok(())
    }

    /// Id and SQL of each.
    #[must_use]
    pub fn list(&mut self) -> Vec<(String, String)> {
        self.forget_ended();
        self.running.iter().map(|(id, running)| (id.clone(), running.sql.clone())).collect()
    }

    fn forget_ended(&mut self) {
        self.running.retain(|_, running| !running.task.is_finished());
    }
}

/// Prints what a live query tells until it ends or is told to.
async fn print(
    mut subscription: Subscription,
    id: String,
    style: LineStyle,
    printer: SyncSender<String>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let event = tokio::select! {
            _ = &mut stopped => break,
            event = subscription.next() => event,
        };
        let Some(event) = event else { return };
        let mut lines = of_event(&event, style);
        match &event {
            Event::Reset => lines.push("-- what came before is void: the result follows again".to_owned()),
            Event::Paused { reason } => lines.push(format!("-- paused: {}", harmless(reason))),
            Event::Active => lines.push("-- goes on; nothing was missed".to_owned()),
            Event::Ended(error) => lines.push(format!("-- ended: {}", Failure::from(error.clone()).text)),
            _ => {}
        }
        for line in lines {
            if !say(&printer, format!("[{id}] {line}"), &mut stopped).await {
                subscription.unsubscribe().await;
                return;
            }
        }
        if matches!(event, Event::Ended(_)) {
            return;
        }
    }
    subscription.unsubscribe().await;
}

/// Puts a line on the terminal once there is room; `false` when told to stop meanwhile.
///
/// While a statement runs nobody empties the printer, so that events wait in the client library, which bounds them.
async fn say(printer: &SyncSender<String>, mut line: String, stopped: &mut oneshot::Receiver<()>) -> bool {
    loop {
        match printer.try_send(line) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(back)) => line = back,
        }
        tokio::select! {
            _ = &mut *stopped => return false,
            () = tokio::time::sleep(PRINT_EVERY) => {}
        }
    }
}
