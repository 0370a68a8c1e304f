//! A client for the loop's tests: keeps its rows by the frames alone, and checks every frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use kalamdb_commons::SeqId;
use serde_json::{Map, Value as Json};

use super::world::World;
use crate::live::delta::encode_row;
use crate::live::plan::LivePlan;

/// A live query's result as its client holds it.
#[derive(Debug, Clone)]
pub struct Copy {
    pub plan: Arc<LivePlan>,
    pub rows: BTreeMap<String, Map<String, Json>>,
    /// Where to resume from.
    pub seq: u64,
    pub ready: bool,
    pub acks: usize,
    pub resets: usize,
    /// `status` frames, in order.
    pub statuses: Vec<String>,
    /// The end of it.
    pub error: Option<String>,
    /// Frames of changes.
    pub changes: usize,
    /// Does it hold exactly the result? Not after coming back in the midst of a snapshot, or without all rows.
    pub exact: bool,
    row_seq: u64,
    /// Frames of a commit that is not whole yet; until then the copy stands where it stood.
    parts: Vec<Json>,
}

impl Copy {
    pub fn new(plan: Arc<LivePlan>) -> Self {
        Copy {
            plan,
            rows: BTreeMap::new(),
            seq: 0,
            ready: false,
            acks: 0,
            resets: 0,
            statuses: Vec::new(),
            error: None,
            changes: 0,
            exact: true,
            row_seq: 0,
            parts: Vec::new(),
        }
    }

    /// The connection was lost: back to what a client remembers.
    pub fn lost(&mut self) {
        self.ready = false;
        self.parts.clear();
        self.acks = 0;
        self.statuses.clear();
    }

    /// Applies a frame; should the next page be asked for?
    pub fn apply(&mut self, frame: &Json, world: &World) -> bool {
        assert!(self.error.is_none(), "nothing comes after the end: {frame}");
        match frame["type"].as_str().unwrap() {
            "subscription_ack" => self.ack(frame),
            "initial_data_batch" => return self.page(frame, world),
            "change" => self.change(frame, world),
            "status" => self.statuses.push(frame["status"].as_str().unwrap().to_owned()),
            "error" => self.error = Some(frame["code"].as_str().unwrap().to_owned()),
            other => panic!("{other}"),
        }
        if frame["type"] == "subscription_ack" && self.ready {
            self.check(world);
        }
        false
    }

    fn ack(&mut self, frame: &Json) {
        self.acks += 1;
        assert!(self.acks == 1 || frame["reset"] == true, "a second ack resets: {frame}");
        self.ready = frame["batch_control"]["status"] == "ready";
        if frame["resumed"] == true {
            assert!(self.ready && frame["reset"] == false, "{frame}");
            assert_eq!(seq_of(&frame["seq"]), self.seq, "a resume goes on where the client stands");
            return;
        }
        self.resets += usize::from(frame["reset"] == true);
        self.exact |= frame["reset"] == true;
        self.rows.clear();
        self.row_seq = 0;
        self.parts.clear();
        self.seq = seq_of(&frame["seq"]);
    }

    fn page(&mut self, frame: &Json, world: &World) -> bool {
        assert!(!self.ready && self.acks > 0, "a page of nothing: {frame}");
        for (at, row) in objects(&frame["rows"]).into_iter().enumerate() {
            if self.plan.order_by.is_none() && self.plan.rows_have_seq {
                let seq = seq_of(&row["_seq"]);
                assert!(seq > self.row_seq && seq <= self.seq, "pages ascend up to the snapshot: {frame}");
                self.row_seq = seq;
            }
            let key = self.identity(&row, &frame["keys"], at);
            assert!(self.rows.insert(key, row).is_none(), "a row comes twice: {frame}");
        }
        self.ready = frame["batch_control"]["status"] == "ready";
        assert_eq!(frame["batch_control"]["has_more"], !self.ready);
        self.check(world);
        !self.ready
    }

    /// Where a client that stops reading the snapshot here can come back.
    pub fn resume_point(frame: &Json) -> Option<u64> {
        Some(&frame["batch_control"]["last_seq_id"]).filter(|seq| !seq.is_null()).map(seq_of)
    }

    fn change(&mut self, frame: &Json, world: &World) {
        assert!(self.ready, "a change before the snapshot is whole: {frame}");
        let seq = seq_of(&frame["seq"]);
        assert!(seq > self.seq, "commits come in order, once: at {}, {frame}", self.seq);
        assert!(self.parts.iter().all(|part| part["seq"] == frame["seq"]), "a commit is torn: {frame}");
        self.changes += 1;
        self.parts.push(frame.clone());
        if frame["more"] != true {
            for part in std::mem::take(&mut self.parts) {
                self.apply_rows(&part);
            }
            self.seq = seq;
            self.check(world);
        }
    }

    fn apply_rows(&mut self, frame: &Json) {
        for (at, row) in objects(&frame["old_values"]).iter().enumerate() {
            let key = self.identity(row, &frame["old_keys"], at);
            match self.rows.remove(&key) {
                Some(held) => assert_eq!(without_seq(&held), without_seq(row), "{frame}"),
                None => assert!(!self.exact, "a row leaves without being there: {frame}"),
            }
        }
        let mut highest = self.row_seq;
        for (at, row) in objects(&frame["rows"]).into_iter().enumerate() {
            if let Some(seq) = row.get("_seq").map(seq_of) {
                // Rows that moved into a result unwritten all carry the run's own seq.
                let rerun = self.plan.strategy.name() == "re-run";
                assert!(seq > self.row_seq || (rerun && seq == self.row_seq), "_seq grows: {frame}");
                highest = highest.max(seq);
            }
            let key = self.identity(&row, &frame["keys"], at);
            assert!(self.rows.insert(key, row).is_none(), "a row comes twice: {frame}");
        }
        self.row_seq = highest;
    }

    /// Everything up to `seq` is here.
    pub fn progress(&mut self, seq: u64, world: &World) {
        assert!(self.ready && self.parts.is_empty(), "progress before everything is here");
        self.seq = self.seq.max(seq);
        self.check(world);
    }

    /// The rows are the query's result where the copy stands.
    pub fn check(&self, world: &World) {
        if self.exact && self.ready {
            self.check_at(world, SeqId(self.seq));
        }
    }

    pub fn check_at(&self, world: &World, seq: SeqId) {
        let fresh: BTreeMap<String, Json> = world
            .evaluate(&self.plan, seq)
            .iter()
            .map(|row| {
                let cells: Json = serde_json::from_slice(&encode_row(&self.plan, &row.cells, None)).unwrap();
                let named = || cells["id"].to_string();
                (self.plan.key_columns.as_ref().map_or_else(|| row.identity.to_string(), |_| named()), cells)
            })
            .collect();
        let held: BTreeMap<String, Json> =
            self.rows.iter().map(|(key, row)| (key.clone(), Json::Object(without_seq(row)))).collect();
        assert_eq!(held, fresh, "{} at {seq}", self.plan.key.0);
    }

    fn identity(&self, row: &Map<String, Json>, keys: &Json, at: usize) -> String {
        match &self.plan.key_columns {
            Some(_) => row["id"].to_string(),
            None => keys[at].as_str().expect("a row without key columns has a key").to_owned(),
        }
    }
}

fn seq_of(json: &Json) -> u64 {
    json.as_u64().or_else(|| json.as_str()?.parse().ok()).expect("a seq")
}

fn objects(json: &Json) -> Vec<Map<String, Json>> {
    let rows = json.as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().map(|row| row.as_object().expect("a row is an object").clone()).collect()
}

fn without_seq(row: &Map<String, Json>) -> Map<String, Json> {
    row.iter().filter(|(name, _)| *name != "_seq").map(|(name, cell)| (name.clone(), cell.clone())).collect()
}
