//! A client's copy of a live query's result, kept by the frames alone.
//!
//! Every frame is checked against the contract as it is applied: a row that comes twice, a row
//! that leaves without being there, an old row that is not the one held, a `seq` that does not
//! grow. What remains is compared with the query run afresh.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::http::seq_of;

/// The result of one live query as its client holds it.
#[derive(Debug, Clone)]
pub struct LiveRows {
    /// The subscription's id.
    pub id: String,
    /// The latest ack.
    pub ack: Json,
    rows: BTreeMap<String, Map<String, Json>>,
    seq: u64,
    row_seq: u64,
    ready: bool,
    changes: usize,
    open_commit: Option<u64>,
    partial: bool,
    /// Begun in the midst of a snapshot, so that rows may be missing until the changes bring them.
    lacking: bool,
    /// Where a client that stops reading the snapshot here can come back.
    page: Option<u64>,
    early: Vec<Json>,
}

impl LiveRows {
    /// Begins with an ack.
    #[must_use]
    pub fn new(ack: &Json) -> Self {
        assert_eq!(ack["type"], "subscription_ack", "{ack}");
        let mut rows = LiveRows {
            id: ack["subscription_id"].as_str().expect("an ack names its subscription").to_owned(),
            ack: Json::Null,
            rows: BTreeMap::new(),
            seq: 0,
            row_seq: 0,
            ready: false,
            changes: 0,
            open_commit: None,
            partial: false,
            lacking: false,
            page: None,
            early: Vec::new(),
        };
        rows.begin(ack);
        rows
    }

    /// Says that not all of the result was asked for, so rows may leave without being held.
    #[must_use]
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Goes on with the ack of a resume, or of a reset.
    pub fn resumed(&mut self, ack: &Json) {
        assert_eq!(ack["type"], "subscription_ack", "{ack}");
        assert_ne!(ack["resumed"], ack["reset"], "a resume is resumed or reset: {ack}");
        if ack["resumed"] == true {
            assert_eq!(ack["batch_control"]["status"], "ready", "{ack}");
            self.ack = ack.clone();
            self.ready = true;
        } else {
            self.begin(ack);
        }
    }

    fn begin(&mut self, ack: &Json) {
        self.ack = ack.clone();
        self.rows.clear();
        self.row_seq = 0;
        self.open_commit = None;
        self.lacking = false;
        self.page = None;
        self.early.clear();
        self.seq = seq_of(&ack["seq"]).expect("an ack has a seq");
        self.ready = ack["batch_control"]["status"] == "ready";
    }

    /// The socket was lost. Gives where to resume from: in the midst of a snapshot that is the last page's own
    /// point, and nowhere where the page offers none.
    pub fn lost(&mut self) -> Option<u64> {
        self.early.clear();
        assert!(self.open_commit.is_none(), "a client that holds half a commit has nowhere to resume from");
        if self.ready {
            return Some(self.seq);
        }
        self.seq = self.page?;
        self.lacking = true;
        Some(self.seq)
    }

    /// Everything up to `seq` is here, so that a client can come back from there.
    pub fn progress(&mut self, seq: u64) {
        assert!(self.ready && self.open_commit.is_none(), "progress to {seq} before everything is here: {}", self.id);
        self.seq = self.seq.max(seq);
    }

    /// Is the snapshot whole?
    #[must_use]
    pub fn ready(&self) -> bool {
        self.ready
    }

    /// Where to resume from.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// `change` frames applied so far.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// Applies one frame; should the next page be asked for?
    pub fn apply(&mut self, frame: &Json) -> bool {
        assert_eq!(frame["subscription_id"], self.id.as_str(), "{frame}");
        match frame["type"].as_str() {
            Some("initial_data_batch") => self.page(frame),
            Some("change") if !self.ready => {
                self.early.push(frame.clone());
                false
            }
            Some("change") => {
                self.change(frame);
                false
            }
            Some("subscription_ack") => {
                assert_eq!(frame["reset"], true, "a second ack resets: {frame}");
                self.begin(frame);
                false
            }
            Some("status") => false,
            _ => panic!("a live query goes on: {frame}"),
        }
    }

    fn page(&mut self, frame: &Json) -> bool {
        assert!(!self.ready, "a page after the snapshot was whole: {frame}");
        let one_table = self.ack["strategy"] == "filter";
        let rows = objects(&frame["rows"]);
        for (at, row) in rows.iter().enumerate() {
            if one_table {
                let seq = seq_of(&row["_seq"]).unwrap_or_else(|| panic!("a row of one table has _seq: {frame}"));
                assert!(seq > self.row_seq, "a snapshot ascends by _seq: {frame}");
                assert!(seq <= self.seq, "a snapshot holds nothing after its seq: {frame}");
                self.row_seq = seq;
            }
            self.insert(row, &frame["keys"], at, frame);
        }
        let control = &frame["batch_control"];
        self.page = seq_of(&control["last_seq_id"]);
        self.ready = control["status"] == "ready";
        assert_eq!(control["has_more"], !self.ready, "a page has more or is the last: {frame}");
        if self.ready {
            for early in std::mem::take(&mut self.early) {
                self.change(&early);
            }
        }
        !self.ready
    }

    fn change(&mut self, frame: &Json) {
        let seq = seq_of(&frame["seq"]).expect("a change has a seq");
        match self.open_commit {
            Some(open) => assert_eq!(seq, open, "a commit is not torn: {frame}"),
            None => assert!(seq > self.seq, "commits come in order, once: at {}, {frame}", self.seq),
        }
        self.open_commit = (frame["more"] == true).then_some(seq);
        self.seq = seq;
        self.changes += 1;
        let (rows, old) = (objects(&frame["rows"]), objects(&frame["old_values"]));
        let kind = match (rows.is_empty(), old.is_empty()) {
            (false, true) => "insert",
            (true, false) => "delete",
            (false, false) => "update",
            (true, true) => panic!("a change that changes nothing: {frame}"),
        };
        assert!(frame["change_type"] == kind || frame["more"] == true, "{kind}: {frame}");
        for (at, row) in old.iter().enumerate() {
            let key = self.identity(row, &frame["old_keys"], at);
            match self.rows.remove(&key) {
                Some(held) => {
                    assert_eq!(without_seq(&held), without_seq(row), "the old row is the one held: {frame}");
                }
                None => assert!(self.partial || self.lacking, "row {key} leaves without being there: {frame}"),
            }
        }
        let mut highest = self.row_seq;
        for (at, row) in rows.iter().enumerate() {
            if let Some(seq) = row.get("_seq").and_then(seq_of).filter(|_| self.ack["strategy"] == "filter") {
                assert!(seq > self.row_seq, "_seq grows beyond any delivered before ({}): {frame}", self.row_seq);
                highest = highest.max(seq);
            }
            self.insert(row, &frame["keys"], at, frame);
        }
        self.row_seq = highest;
    }

    fn insert(&mut self, row: &Map<String, Json>, keys: &Json, at: usize, frame: &Json) {
        let key = self.identity(row, keys, at);
        assert!(self.rows.insert(key.clone(), row.clone()).is_none(), "row {key} comes twice: {frame}");
    }

    fn identity(&self, row: &Map<String, Json>, keys: &Json, at: usize) -> String {
        match self.ack["key"].as_array() {
            Some(columns) => {
                let cell = |column: &Json| row.get(column.as_str().unwrap_or_default()).cloned();
                let cells: Vec<Json> = columns.iter().map(|c| cell(c).expect("key columns are in the row")).collect();
                json!(cells).to_string()
            }
            None => {
                keys[at].as_str().unwrap_or_else(|| panic!("a row without key columns has a key: {keys}")).to_owned()
            }
        }
    }

    /// The rows as a query returns them: cells by position, without what only the wire adds.
    #[must_use]
    pub fn cells(&self) -> Vec<Vec<Json>> {
        let schema = self.ack["schema"].as_array().expect("an ack has a schema");
        let names = schema.iter().filter_map(|field| field["name"].as_str());
        let names: Vec<&str> = names.filter(|name| !name.starts_with("_order_")).collect();
        let mut rows: Vec<&Map<String, Json>> = self.rows.values().collect();
        if let Some(order) = self.ack["order_by"].as_array() {
            rows.sort_by(|a, b| in_order(a, b, order, schema));
        }
        rows.iter().map(|row| names.iter().map(|name| row[*name].clone()).collect()).collect()
    }

    /// Are the rows those of `fresh`, in its order if the query has one?
    pub fn assert_equals(&self, fresh: &[Vec<Json>]) {
        let mut held = self.cells();
        let mut fresh = fresh.to_vec();
        if self.ack["order_by"].is_null() {
            held.sort_by_key(|row| json!(row).to_string());
            fresh.sort_by_key(|row| json!(row).to_string());
        }
        assert_eq!(held, fresh, "{}: the rows held are the query's result", self.id);
    }
}

fn objects(json: &Json) -> Vec<Map<String, Json>> {
    let rows = json.as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().map(|row| row.as_object().expect("a row is an object").clone()).collect()
}

fn without_seq(row: &Map<String, Json>) -> Map<String, Json> {
    row.iter().filter(|(name, _)| *name != "_seq").map(|(name, cell)| (name.clone(), cell.clone())).collect()
}

fn in_order(a: &Map<String, Json>, b: &Map<String, Json>, order: &[Json], schema: &[Json]) -> Ordering {
    for term in order {
        let column = term["column"].as_str().expect("an order names a column");
        let field = schema.iter().find(|field| field["name"] == column).expect("an order's column is in the schema");
        let (a, b) = (&a[column], &b[column]);
        let by_null = a.is_null().cmp(&b.is_null());
        let by_null = if term["nulls_first"] == true { by_null.reverse() } else { by_null };
        let by_value = compare(a, b, &field["data_type"]);
        let by_value = if term["desc"] == true { by_value.reverse() } else { by_value };
        let ordering = by_null.then(if a.is_null() || b.is_null() { Ordering::Equal } else { by_value });
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

/// Text by bytes, numbers by value.
fn compare(a: &Json, b: &Json, data_type: &Json) -> Ordering {
    let number = |json: &Json| json.as_f64().or_else(|| json.as_str()?.parse().ok());
    match data_type.as_str() {
        Some("Text" | "Uuid" | "Json") => a.as_str().cmp(&b.as_str()),
        Some("Boolean") => a.as_bool().cmp(&b.as_bool()),
        _ => number(a).partial_cmp(&number(b)).unwrap_or(Ordering::Equal),
    }
}

#[cfg(test)]
mod tests;
