//! The loop on a stage, moved step by step.
//!
//! A `stage` holds a `world` of rows in place of a store, and clients that check every frame they are given.
//! Nothing runs by itself: a test says when a commit is heard of, a job comes back, a client reads.

mod stage;
mod world;

mod client;

mod beginnings;
mod coming_back;
mod endings;

mod reruns;
mod sharing;
mod slow_readers;

mod any_order;

use kalamdb_commons::protocol::SubscribeOptions;
use kalamdb_commons::{ErrorCode, SeqId, SubscriptionId};

use super::*;
use crate::live::close_reason::CloseReason;
use crate::live::fixtures::{Again, TABLE, filter_plan, keyless_plan, rerun_plan};
use stage::{Client, Stage};

fn stage() -> Stage {
    Stage::new(LiveOptions::default())
}

fn all() -> SubscribeOptions {
    SubscribeOptions::default()
}

fn pages_of(rows: u32) -> SubscribeOptions {
    SubscribeOptions { batch_size: Some(rows), ..all() }
}

fn from(seq: u64) -> SubscribeOptions {
    SubscribeOptions { from: Some(SeqId(seq)), ..all() }
}

/// A result that the loop has not been given yet.
fn finish_one(stage: &mut Stage) {
    let result = stage.results.remove(0);
    stage.input(result);
}

fn rows(n: i32) -> Vec<(i32, Option<i32>)> {
    (1..=n).map(|id| (id, Some(id))).collect()
}
