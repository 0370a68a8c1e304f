//! A store for the loop's tests: every state there ever was, and what jobs find in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kalamdb_commons::SeqId;
use kalamdb_store::{Change, Commit, RowKey, Scope, StoredRow};

use crate::live::catch_up::{Pass, QueryPast, take_gone};
use crate::live::fixtures::{Again, TABLE, key, row};
use crate::live::job::{Found, Ran, ReadJob, RunJob, Wanted, rows_for};
use crate::live::live_loop::Token;
use crate::live::options::LiveOptions;
use crate::live::plan::{LivePlan, ResultRow, Strategy};
use crate::live::result_set::ResultSet;
use crate::live::resume::{alike, differences};
use crate::live::view::filter::result_rows;

type Rows = BTreeMap<RowKey, StoredRow>;

/// Every state there ever was.
#[derive(Debug)]
pub struct World {
    /// The rows after each change.
    states: BTreeMap<u64, Rows>,
    log: Vec<Change>,
    last: u64,
    /// Changes up to here are gone from the log.
    pub trimmed: u64,
    /// Passes over the log.
    pub passes: usize,
    /// Results of the past that were computed.
    pub results_as_of: usize,
}

impl World {
    pub fn new() -> Self {
        World {
            states: BTreeMap::from([(1, Rows::new())]),
            log: Vec::new(),
            last: 1,
            trimmed: 0,
            passes: 0,
            results_as_of: 0,
        }
    }

    pub fn last(&self) -> SeqId {
        SeqId(self.last)
    }

    /// Puts (`Some`) or deletes rows in one commit.
    pub fn commit(&mut self, writes: &[(i32, Option<i32>)]) -> Arc<Commit> {
        let first = self.last + 1;
        let writes: BTreeMap<i32, Option<i32>> = writes.iter().copied().collect();
        let mut changes = Vec::new();
        for (id, n) in writes {
            let mut rows = self.states[&self.last].clone();
            let old = rows.get(&key(id)).map(|old| (old.seq, old.row.clone()));
            if old.is_none() && n.is_none() {
                continue;
            }
            self.last += 1;
            let seq = SeqId(self.last);
            match n {
                Some(n) => rows.insert(key(id), StoredRow { key: key(id), seq, row: row(id, n) }),
                None => rows.remove(&key(id)),
            };
            let new = n.map(|n| row(id, n));
            changes.push(Change { table: TABLE, scope: Scope::Shared, key: key(id), seq, commit: seq, old, new });
            self.states.insert(self.last, rows);
        }
        if changes.is_empty() {
            let rows = self.states[&self.last].clone();
            self.last += 1;
            self.states.insert(self.last, rows);
        }
        for change in &mut changes {
            change.commit = SeqId(self.last);
        }
        self.log.extend(changes.iter().cloned());
        Arc::new(Commit {
            first: SeqId(first),
            last: self.last(),
            at_micros: self.last as i64,
            changes,
            records: Vec::new(),
            dropped_tables: Vec::new(),
        })
    }

    fn rows(&self, seq: SeqId) -> Vec<StoredRow> {
        let (_, rows) = self.states.range(..=seq.0).next_back().expect("there is a state from the first on");
        let mut rows: Vec<StoredRow> = rows.values().cloned().collect();
        rows.sort_by_key(|row| row.seq);
        rows
    }

    /// The query's result as of `seq`.
    pub fn evaluate(&self, plan: &LivePlan, seq: SeqId) -> Vec<ResultRow> {
        let rows = self.rows(seq);
        match &plan.strategy {
            Strategy::Filter(filter) => result_rows(plan, filter.as_ref(), &rows),
            Strategy::Rerun(_) => {
                let queries = [Again::Count, Again::Top, Again::AboveAverage];
                let query = queries.into_iter().find(|query| *plan.key.0 == format!("{query:?}"));
                query.expect("a query that is known").evaluate(&rows)
            }
        }
    }

    fn whole(&self, plan: &LivePlan, seq: SeqId) -> ResultSet {
        ResultSet::new(plan, self.evaluate(plan, seq))
    }

    fn is_gone(&self, from: SeqId) -> bool {
        from == SeqId::ZERO || from > self.last() || from.0 < self.trimmed
    }

    /// What a job finds now.
    pub fn read(&mut self, job: ReadJob, options: &LiveOptions) -> Vec<(Token, Found)> {
        match job.wanted {
            Wanted::Rows { plan, readers, .. } => {
                let rows = Arc::new(self.whole(&plan, self.last()));
                rows_for(&plan, self.last(), rows, readers)
            }
            Wanted::LastRows { token, plan, seq, result, last_rows } => {
                rows_for(&plan, seq, result, vec![(token, Some(last_rows))])
            }
            Wanted::Changes(mut queries) => {
                let gone = |query: &mut QueryPast| take_gone(&mut query.readers, |from| Ok(!self.is_gone(from)));
                let mut found: Vec<_> = queries.iter_mut().flat_map(|query| gone(query).unwrap()).collect();
                if let Some(mut pass) = Pass::new(&queries, options) {
                    self.passes += 1;
                    let after = pass.from();
                    let _ = self.log.iter().filter(|change| change.seq > after).try_for_each(|one| pass.change(one));
                    found.extend(pass.finish(self.last()));
                }
                found
            }
            Wanted::Difference(mut past) => {
                let mut found = take_gone(&mut past.readers, |from| Ok(!self.is_gone(from))).unwrap();
                let changed = |after: SeqId, upto: SeqId| {
                    Ok(self.log.iter().any(|change| change.seq > after && change.seq <= upto))
                };
                for readers in alike(&past.readers, changed).unwrap() {
                    self.results_as_of += 1;
                    let then = self.whole(&past.plan, readers[0].point.from);
                    found.extend(differences(&past, &then, &readers, options.frame_max_bytes).0);
                }
                found
            }
        }
    }

    /// What a run finds now.
    pub fn run(&self, job: &RunJob, options: &LiveOptions) -> Ran {
        let result = ResultSet::new(&job.plan, self.evaluate(&job.plan, self.last()));
        Ran::compared(&job.plan, job.previous.as_ref(), self.last(), result, options.frame_max_bytes)
    }
}
