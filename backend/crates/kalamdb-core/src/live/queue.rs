//! The one ordered queue of the live loop: commits, requests and results of jobs, in the order of their coming.
//!
//! Commits are bounded in bytes: when too many wait, whoever commits waits too. The rest is bounded by
//! what asks for it: a connection has one request in it at a time, a job one result.

use std::collections::VecDeque;
use std::time::Instant;

use kalamdb_commons::Row;
use kalamdb_store::Commit;
use parking_lot::{Condvar, Mutex};

use super::live_loop::Input;

/// The queue.
#[derive(Debug)]
pub(crate) struct LoopQueue {
    commit_bytes_max: usize,
    state: Mutex<State>,
    /// Something has come, or the queue is closed.
    arrived: Condvar,
    /// A commit was taken, or the queue is closed.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inputs: VecDeque<Input>,
    commit_bytes: usize,
    closed: bool,
}

/// What [`LoopQueue::take`] came back with.
#[derive(Debug)]
pub(crate) enum Next {
    /// The next input.
    Input(Input),
    /// Nothing came before the deadline.
    Late,
    /// The queue is closed and empty.
    End,
}

impl LoopQueue {
    /// An empty queue in which commits of so many bytes may wait.
    pub fn new(commit_bytes_max: usize) -> Self {
        // One commit can always wait.
        LoopQueue {
            commit_bytes_max: commit_bytes_max.max(1),
            state: Mutex::default(),
            arrived: Condvar::new(),
            room: Condvar::new(),
        }
    }

    /// Puts an input at the end; `false` if the queue is closed.
    pub fn push(&self, input: Input) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.inputs.push_back(input);
        self.arrived.notify_one();
        true
    }

    /// Puts a commit at the end, once there is room for it.
    pub fn push_commit(&self, input: Input) {
        let bytes = commit_bytes(&input);
        let mut state = self.state.lock();
        while state.commit_bytes >= self.commit_bytes_max && !state.closed {
            self.room.wait(&mut state);
        }
        if state.closed {
            return;
        }
        state.commit_bytes = state.commit_bytes.saturating_add(bytes);
        state.inputs.push_back(input);
        self.arrived.notify_one();
    }

    /// Waits for the next input, or until `deadline`.
    pub fn take(&self, deadline: Option<Instant>) -> Next {
        let mut state = self.state.lock();
        loop {
            if let Some(input) = state.inputs.pop_front() {
                let bytes = commit_bytes(&input);
                if bytes > 0 {
                    state.commit_bytes = state.commit_bytes.saturating_sub(bytes);
                    self.room.notify_one();
                }
                return Next::Input(input);
            }
            if state.closed {
                return Next::End;
            }
            match deadline {
                Some(deadline) => {
                    if self.arrived.wait_until(&mut state, deadline).timed_out() && state.inputs.is_empty() {
                        return Next::Late;
                    }
                }
                None => self.arrived.wait(&mut state),
            }
        }
    }

    /// Takes nothing in any more; what is in it can still be taken.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.arrived.notify_all();
        self.room.notify_all();
    }
}

fn commit_bytes(input: &Input) -> usize {
    match input {
        Input::Commit { commit, .. } => size_bytes(commit),
        _ => 0,
    }
}

/// Memory held by a commit, roughly.
fn size_bytes(commit: &Commit) -> usize {
    const OVERHEAD: usize = 128;
    let row_bytes = |row: Option<&Row>| row.map_or(0, Row::size_bytes);
    let changes = commit.changes.iter().map(|change| {
        let rows = row_bytes(change.old.as_ref().map(|(_, row)| row)).saturating_add(row_bytes(change.new.as_ref()));
        rows.saturating_add(change.key.as_bytes().len()).saturating_add(OVERHEAD)
    });
    changes.sum::<usize>().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests;
