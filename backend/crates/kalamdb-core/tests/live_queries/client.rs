//! A client without a socket: asks through a `Connection`, is told through its `Outgoing`.

use std::collections::BTreeMap;
use std::time::Duration;

use kalamdb_commons::SeqId;
use kalamdb_commons::protocol::{BatchControl, BatchStatus, ServerMessage, SubscribeOptions, SubscribeRequest};
use kalamdb_core::Engine;
use kalamdb_core::live::{CloseReason, Connection, Outgoing, OutgoingItem};
use serde_json::{Map, Value as Json, json};

/// Longer than anything takes to come that comes at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Both ends of one connection.
pub struct Client<'a> {
    pub connection: Connection,
    outgoing: Outgoing,
    engine: &'a Engine,
}

/// A live query's result as its client holds it, by `id`.
#[derive(Debug)]
pub struct Copy {
    /// Where to resume from.
    pub seq: SeqId,
    /// Changes follow, instead of a snapshot.
    pub resumed: bool,
    columns: Vec<String>,
    rows: BTreeMap<i64, Map<String, Json>>,
}

impl<'a> Client<'a> {
    pub fn new(engine: &'a Engine, connection: Connection, outgoing: Outgoing) -> Self {
        Client { connection, outgoing, engine }
    }

    /// Subscribes, and reads until the snapshot is whole.
    pub async fn subscribe(&mut self, id: &str, sql: &str, options: SubscribeOptions) -> Copy {
        let request =
            SubscribeRequest { id: id.to_owned(), sql: sql.to_owned(), params: None, namespace_id: None, options };
        self.connection.subscribe(self.engine, request).await;
        let ServerMessage::SubscriptionAck { schema, seq, resumed, batch_control, .. } = self.message().await else {
            panic!("{id} begins with an ack");
        };
        let columns = schema.into_iter().map(|field| field.name).collect();
        let mut copy = Copy { seq, resumed, columns, rows: BTreeMap::new() };
        let mut control: BatchControl = batch_control;
        while control.status != BatchStatus::Ready {
            if control.status == BatchStatus::LoadingBatch {
                self.connection.next_batch(id).await;
            }
            let ServerMessage::InitialDataBatch { rows, batch_control, .. } = self.message().await else {
                panic!("{id} goes on with a page");
            };
            copy.put(&rows);
            control = batch_control;
        }
        copy
    }

    /// Everything there is to be told by now: all commits have been looked at, and a message of the socket's own
    /// comes behind what they said. A query that is run again may have more to say.
    pub async fn told(&mut self) -> Vec<ServerMessage> {
        self.engine.live().settled().await;
        self.connection.send(&ServerMessage::Pong);
        let mut told = Vec::new();
        loop {
            match self.message().await {
                ServerMessage::Pong => return told,
                message => told.push(message),
            }
        }
    }

    /// Everything up to the change of this commit.
    pub async fn told_through(&mut self, commit: SeqId) -> Vec<ServerMessage> {
        let mut told = Vec::new();
        while told.last().is_none_or(|change| seq_of(change) < commit) {
            told.push(self.message().await);
        }
        told
    }

    /// Why it was closed; nothing comes before.
    pub async fn closed(&mut self) -> CloseReason {
        reason_of(next(&mut self.outgoing).await)
    }

    /// Closes it as its socket's task does, and says why it was closed; nothing comes before.
    pub async fn close(self, reason: CloseReason) -> CloseReason {
        let Client { connection, mut outgoing, .. } = self;
        connection.close(reason).await;
        reason_of(next(&mut outgoing).await)
    }

    async fn message(&mut self) -> ServerMessage {
        match next(&mut self.outgoing).await {
            OutgoingItem::Frame(frame) => serde_json::from_slice(&frame).unwrap(),
            OutgoingItem::Close(reason) => panic!("closed: {}", reason.text()),
        }
    }
}

async fn next(outgoing: &mut Outgoing) -> OutgoingItem {
    tokio::time::timeout(PATIENCE, outgoing.next()).await.expect("something comes")
}

fn reason_of(item: OutgoingItem) -> CloseReason {
    match item {
        OutgoingItem::Close(reason) => reason,
        OutgoingItem::Frame(frame) => panic!("a frame: {}", String::from_utf8_lossy(&frame)),
    }
}

impl Copy {
    /// The rows, by `id`, with their cells in the order of the columns.
    pub fn cells(&self) -> Json {
        let cells = |row: &Map<String, Json>| self.columns.iter().map(|column| row[column].clone()).collect::<Json>();
        self.rows.values().map(cells).collect()
    }

    /// Applies a change.
    pub fn apply(&mut self, change: &ServerMessage) {
        let ServerMessage::Change { rows, old_values, seq, .. } = change else { panic!("no change: {change:?}") };
        for row in old_values.iter().flatten() {
            assert!(self.rows.remove(&id_of(row)).is_some(), "a row leaves without being there: {change:?}");
        }
        self.put(rows.as_deref().unwrap_or_default());
        self.seq = *seq;
    }

    fn put(&mut self, rows: &[Map<String, Json>]) {
        for row in rows {
            assert!(self.rows.insert(id_of(row), row.clone()).is_none(), "a row comes twice: {row:?}");
        }
    }
}

/// The commit that a change tells of.
pub fn seq_of(change: &ServerMessage) -> SeqId {
    let ServerMessage::Change { seq, .. } = change else { panic!("no change: {change:?}") };
    *seq
}

/// Whom a message is for and what it says, with `-` the rows that leave and `+` those that come.
pub fn brief(message: &ServerMessage) -> String {
    match message {
        ServerMessage::Change { subscription_id, change_type, rows, old_values, .. } => {
            let gone = old_values.iter().flatten().map(|row| format!(" -{}", id_of(row)));
            let come = rows.iter().flatten().map(|row| format!(" +{}", id_of(row)));
            format!("{subscription_id}: {change_type:?}{}", gone.chain(come).collect::<String>())
        }
        ServerMessage::UnsubscribeAck { subscription_id, status } => format!("{subscription_id}: {status:?}"),
        other => json!(other).to_string(),
    }
}

fn id_of(row: &Map<String, Json>) -> i64 {
    row["id"].as_i64().expect("a row has an id")
}
