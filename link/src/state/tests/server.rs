//! A server that keeps to the wire contract, small enough to be obviously right.
//!
//! One table of numbers by id. It remembers every commit, so it can say what any query's result was at any time.

use std::collections::{BTreeMap, VecDeque};

use kalamdb_commons::protocol::{ClientMessage, SubscribeRequest};
use serde_json::{Value as Json, json};

/// A row's id, and its value before and after a commit.
pub type RowChange = (i64, Option<i64>, Option<i64>);

/// See the module.
#[derive(Default)]
pub struct Server {
    log: Vec<(u64, Vec<RowChange>)>,
    rows: BTreeMap<i64, i64>,
    pub seq: u64,
    /// Resuming from before here is not possible.
    pub history_from: u64,
    pub page_rows: usize,
    pub connection: Option<Connection>,
    pub refused_tokens: Vec<String>,
    pub connections: u32,
    /// So many messages are not read, because there are too many.
    pub refuses_messages: usize,
    /// Tokens live so long, in seconds of the world's clock; `None` for ever.
    pub expires_at: String,
}

/// One socket.
#[derive(Default)]
pub struct Connection {
    pub authenticated: bool,
    pub subscriptions: BTreeMap<String, Live>,
    pub out: VecDeque<Json>,
    /// Told once everything else was.
    pub close: Option<u16>,
}

/// One live query.
pub struct Live {
    query: Query,
    pages: VecDeque<Vec<(i64, i64)>>,
    next_page: u32,
    seq: u64,
}

/// Rows whose value is at least `min`; without their id and so without a key if `opaque`.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    pub min: i64,
    pub opaque: bool,
}

impl Query {
    pub fn sql(self) -> String {
        format!("{}:{}", if self.opaque { "opaque" } else { "keyed" }, self.min)
    }

    fn parse(sql: &str) -> Option<Query> {
        let (kind, min) = sql.split_once(':')?;
        Some(Query { min: min.parse().ok()?, opaque: kind == "opaque" })
    }

    fn holds(self, value: Option<i64>) -> Option<i64> {
        value.filter(|value| *value >= self.min)
    }
}

impl Server {
    pub fn new(page_rows: usize) -> Self {
        Server { page_rows, expires_at: "2100-01-01T00:00:00Z".to_owned(), ..Server::default() }
    }

    /// What a query's result was at `seq`.
    pub fn result_at(&self, query: Query, seq: u64) -> BTreeMap<i64, i64> {
        let mut rows = BTreeMap::new();
        for (_, changes) in self.log.iter().filter(|(at, _)| *at <= seq) {
            for (id, _, after) in changes {
                match after {
                    Some(value) => rows.insert(*id, *value),
                    None => rows.remove(id),
                };
            }
        }
        rows.retain(|_, value| *value >= query.min);
        rows
    }

    /// Sets rows to values, or deletes them, in one commit.
    pub fn commit(&mut self, writes: &[(i64, Option<i64>)]) {
        let writes: BTreeMap<i64, Option<i64>> = writes.iter().copied().collect();
        let mut changes: Vec<RowChange> = Vec::new();
        for (id, after) in writes {
            let before = match after {
                Some(value) => self.rows.insert(id, value),
                None => self.rows.remove(&id),
            };
            if before != after {
                changes.push((id, before, after));
            }
        }
        if changes.is_empty() {
            return;
        }
        self.seq += changes.len() as u64;
        self.log.push((self.seq, changes.clone()));
        let seq = self.seq;
        if let Some(connection) = &mut self.connection {
            for (id, live) in &mut connection.subscriptions {
                if live.pages.is_empty() {
                    live.seq = seq;
                    connection.out.extend(change_frames(id, live.query, seq, &changes));
                }
            }
        }
    }

    /// All up to now was sent, unless a snapshot is under way.
    pub fn progress(&mut self) {
        let seq = self.seq;
        if let Some(connection) = &mut self.connection
            && connection.subscriptions.values().all(|live| live.pages.is_empty())
        {
            connection.out.push_back(json!({"type": "progress", "seq": seq}));
        }
    }

    /// A subscription lags and is caught up with a whole snapshot.
    pub fn lag(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let Some((id, query)) = connection.subscriptions.iter().next().map(|(id, live)| (id.clone(), live.query))
        else {
            return;
        };
        connection
            .out
            .push_back(json!({"type": "status", "subscription_id": id, "status": "paused", "reason": "slow"}));
        self.begin(&id, query, true);
        let connection = self.connection.as_mut().unwrap();
        connection.out.push_back(json!({"type": "status", "subscription_id": id, "status": "active"}));
    }

    pub fn receive(&mut self, text: &str) {
        let message: ClientMessage = serde_json::from_str(text).unwrap();
        let Some(connection) = &mut self.connection else { return };
        if self.refuses_messages > 0 && connection.authenticated {
            self.refuses_messages -= 1;
            let id = match &message {
                ClientMessage::Subscribe { subscription } => subscription.id.as_str(),
                ClientMessage::NextBatch { subscription_id, .. } | ClientMessage::Unsubscribe { subscription_id } => {
                    subscription_id
                }
                _ => "protocol",
            };
            connection.out.push_back(error(id, "RATE_LIMIT_EXCEEDED"));
            return;
        }
        match message {
            ClientMessage::Authenticate { token, .. } => self.authenticate(&token),
            ClientMessage::Ping => connection.out.push_back(json!({"type": "pong"})),
            ClientMessage::Unsubscribe { subscription_id: id } => {
                let found = connection.subscriptions.remove(&id).is_some();
                let status = if found { "unsubscribed" } else { "not_found" };
                connection.out.push_back(json!({"type": "unsubscribe_ack", "subscription_id": id, "status": status}));
            }
            ClientMessage::NextBatch { subscription_id, .. } => self.send_page(&subscription_id),
            ClientMessage::Subscribe { subscription } => self.subscribe(&subscription),
        }
    }

    fn authenticate(&mut self, token: &str) {
        let connection = self.connection.as_mut().unwrap();
        if self.refused_tokens.iter().any(|refused| refused == token) {
            connection.out.push_back(json!({"type": "auth_error", "message": "the token is not valid"}));
            if !connection.authenticated {
                connection.close = Some(1008);
            }
            return;
        }
        if !std::mem::replace(&mut connection.authenticated, true) {
            self.connections += 1;
        }
        connection.out.push_back(json!({
            "type": "auth_success", "user": "anna", "role": "user", "connection_id": format!("c{}", self.connections),
            "protocol": {"serialization": "json", "compression": "none"}, "expires_at": self.expires_at,
        }));
    }

    fn subscribe(&mut self, wanted: &SubscribeRequest) {
        let connection = self.connection.as_mut().unwrap();
        assert!(connection.authenticated, "nothing is asked before auth_success");
        let id = wanted.id.as_str();
        if connection.subscriptions.contains_key(id) {
            connection.out.push_back(error(id, "SUBSCRIPTION_EXISTS"));
            return;
        }
        let Some(query) = Query::parse(&wanted.sql) else {
            connection.out.push_back(error(id, "INVALID_SQL"));
            return;
        };
        match wanted.options.from.map(|from| from.0) {
            Some(from) if from >= self.history_from && from <= self.seq => {
                connection.out.push_back(ack(id, query, from, 0, json!({"resumed": true, "reset": false})));
                for (seq, changes) in self.log.iter().filter(|(seq, _)| *seq > from) {
                    connection.out.extend(change_frames(id, query, *seq, changes));
                }
                let live = Live { query, pages: VecDeque::new(), next_page: 0, seq: self.seq };
                connection.subscriptions.insert(id.to_owned(), live);
            }
            Some(_) => self.begin(id, query, true),
            None if wanted.options.without_initial => {
                connection.out.push_back(ack(id, query, self.seq, 0, json!({"resumed": false, "reset": false})));
                let live = Live { query, pages: VecDeque::new(), next_page: 0, seq: self.seq };
                connection.subscriptions.insert(id.to_owned(), live);
            }
            None => self.begin(id, query, false),
        }
    }

    fn begin(&mut self, id: &str, query: Query, reset: bool) {
        let rows: Vec<(i64, i64)> = self.result_at(query, self.seq).into_iter().collect();
        let pages: VecDeque<_> = rows.chunks(self.page_rows).map(<[_]>::to_vec).collect();
        let connection = self.connection.as_mut().unwrap();
        connection.out.push_back(ack(id, query, self.seq, rows.len(), json!({"resumed": false, "reset": reset})));
        let empty = pages.is_empty();
        connection.subscriptions.insert(id.to_owned(), Live { query, pages, next_page: 0, seq: self.seq });
        if !empty {
            self.send_page(id);
        }
    }

    fn send_page(&mut self, id: &str) {
        let Some(connection) = &mut self.connection else { return };
        let Some(live) = connection.subscriptions.get_mut(id) else { return };
        let Some(page) = live.pages.pop_front() else { return };
        let last = live.pages.is_empty();
        let rows: Vec<Json> = page.iter().map(|(id, value)| row(live.query, *id, *value)).collect();
        let mut frame = json!({
            "type": "initial_data_batch", "subscription_id": id, "rows": rows,
            "batch_control": {"batch_num": live.next_page, "has_more": !last,
                "status": if last { "ready" } else { "loading_batch" }},
        });
        if live.query.opaque {
            frame["keys"] = page.iter().map(|(id, _)| format!("k{id}")).collect();
        }
        live.next_page += 1;
        connection.out.push_back(frame);
        if last {
            // What has happened since the snapshot.
            for (seq, changes) in self.log.iter().filter(|(seq, _)| *seq > live.seq) {
                connection.out.extend(change_frames(id, live.query, *seq, changes));
            }
            live.seq = self.seq;
        }
    }
}

fn error(id: &str, code: &str) -> Json {
    json!({"type": "error", "subscription_id": id, "code": code, "message": "no"})
}

fn ack(id: &str, query: Query, seq: u64, rows: usize, kind: Json) -> Json {
    let id_field = json!({"name": "id", "data_type": "Int", "index": 0, "flags": ["pk", "nn"]});
    let schema = if query.opaque {
        json!([{"name": "n", "data_type": "Int", "index": 0}])
    } else {
        json!([id_field, {"name": "n", "data_type": "Int", "index": 1}])
    };
    let status = if rows == 0 { "ready" } else { "loading" };
    json!({
        "type": "subscription_ack", "subscription_id": id, "total_rows": rows, "seq": seq, "schema": schema,
        "batch_control": {"batch_num": 0, "has_more": rows > 0, "status": status}, "strategy": "filter",
        "key": if query.opaque { Json::Null } else { json!(["id"]) },
        "resumed": kind["resumed"], "reset": kind["reset"],
    })
}

fn row(query: Query, id: i64, value: i64) -> Json {
    if query.opaque { json!({"n": value}) } else { json!({"id": id, "n": value}) }
}

/// A commit as the frames of one subscription: one per row, so that most commits come in several.
fn change_frames(id: &str, query: Query, seq: u64, changes: &[RowChange]) -> Vec<Json> {
    let mut frames = Vec::new();
    for (row_id, before, after) in changes {
        let (before, after) = (query.holds(*before), query.holds(*after));
        let kind = match (before, after) {
            (None, None) => continue,
            (None, Some(_)) => "insert",
            (Some(_), None) => "delete",
            (Some(before), Some(after)) if before == after => continue,
            (Some(_), Some(_)) => "update",
        };
        let mut frame = json!({"type": "change", "subscription_id": id, "change_type": kind, "seq": seq, "more": true});
        for (value, rows, keys) in [(after, "rows", "keys"), (before, "old_values", "old_keys")] {
            if let Some(value) = value {
                frame[rows] = json!([row(query, *row_id, value)]);
                if query.opaque {
                    frame[keys] = json!([format!("k{row_id}")]);
                }
            }
        }
        frames.push(frame);
    }
    if let Some(last) = frames.last_mut() {
        last.as_object_mut().unwrap().remove("more");
    }
    frames
}
