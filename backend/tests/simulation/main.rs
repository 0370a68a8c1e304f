//! The whole server in a storm, made up from one number: writers, clients, lost sockets, kills, restarts, crashes,
//! power losses, a failing disk, DDL and users, all at once and again and again.
//!
//! A seed gives a plan ([`plan`]), and the plan says everything that is done, by whom, in which order, with which
//! values and where it is cut; only the timing of threads is free. The server is the real one, with RocksDB, HTTP and
//! WebSocket. What must hold is in [`checkers`]. `docs/simulation.md` tells what is covered and what is not.
//!
//! `KALAMDB_SEED=7 make sim` runs one seed and prints what happens; `make sim SEEDS=5000` runs new ones.

mod checkers;
mod client;
mod dice;
mod door;
mod history;
mod ledger;
mod plan;
mod query;
mod statement;
mod storm;
mod world;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use checkers::Breach;
use plan::Plan;
use storm::Storm;
use world::{Tally, Template};

/// A run takes some seconds. One that has not ended by then waits for something that will not come.
const END_WITHIN: Duration = Duration::from_secs(150);

/// Runs a seed. A breach ends the test and says how to run that seed again.
async fn run(seed: u64, template: &Template, loud: bool) -> (Tally, BTreeMap<String, usize>) {
    let plan = Arc::new(Plan::of(seed));
    let storm = Arc::new(Storm::new(template.tokens.clone(), loud));
    if loud {
        eprintln!("seed {seed}: {:?}", plan.settings);
    }
    let run = tokio::time::timeout(END_WITHIN, world::run(plan, storm.clone(), template)).await;
    let endless = || Err(Breach { checker: "comes_to_an_end", what: format!("it goes on after {END_WITHIN:?}") });
    match run.unwrap_or_else(|_| endless()) {
        Ok(tally) => (tally, storm.sights()),
        Err(breach) => {
            if !loud {
                eprintln!("the last that happened with seed {seed}:\n{}\n", storm.trace());
            }
            panic!(
                "seed {seed}: {} found: {}\n\nrun it again: KALAMDB_SEED={seed} make sim\n",
                breach.checker, breach.what
            );
        }
    }
}

/// Runs seeds one after the other.
fn run_all(seeds: impl Iterator<Item = u64>, loud: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let template = Template::new().await;
        let (mut runs, mut sum) = (0, Tally::default());
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for seed in seeds {
            let (tally, sights) = run(seed, &template, loud).await;
            runs += 1;
            for (what, times) in sights {
                *seen.entry(what).or_default() += times;
            }
            sum.steps += tally.steps;
            sum.points += tally.points;
            sum.results += tally.results;
            sum.unknown += tally.unknown;
        }
        eprintln!("{runs} seeds: {sum:?} {seen:?}");
        if runs >= 20 {
            // A storm in which nothing of this happens shows nothing.
            let needed = ["resumed", "reset", "page", "write done"];
            let missing: Vec<_> = needed.iter().filter(|what| !seen.contains_key(**what)).collect();
            assert!(missing.is_empty(), "in {runs} seeds there was none of {missing:?}: {seen:?}");
            assert!(sum.points > 0 && sum.results > 0, "the checkers looked at nothing: {sum:?}");
        }
    });
}

/// How many tests share the seeds, so that they run side by side.
const SLICES: u64 = 8;

/// A number from the environment.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

/// Runs one slice of the seeds: of the 200 that are always run, or of those that `make sim` asks for.
fn run_slice(slice: u64) {
    if let Some(seed) = asked("KALAMDB_SEED") {
        if slice == 0 {
            run_all(std::iter::once(seed), true);
        }
        return;
    }
    let first = asked("KALAMDB_FIRST_SEED").unwrap_or(0);
    let each = asked("KALAMDB_SEEDS").unwrap_or(200).div_ceil(SLICES);
    run_all(first + slice * each..first + (slice + 1) * each, false);
}

macro_rules! slices {
    ($($name:ident: $slice:expr),+ $(,)?) => {
        $(#[test]
        fn $name() {
            run_slice($slice);
        })+
    };
}

slices! {
    i1_i2_i3_i4_i5_i6_i7_hold_in_storms_of_seeds_0_to_24: 0,
    i1_i2_i3_i4_i5_i6_i7_hold_in_storms_of_seeds_25_to_49: 1,
    i1_i2_i3_i4_i5_i6_i7_hold_in_storms_of_seeds_50_to_74: 2,
    i1_i2_i3_i4_i5_i6_i7_hold_in_storms_of_seeds_75_to_99: 3,
    i1_i2_i3_i4_i5_i6_i7_hold_in_storms_of_seeds_100_to_124: 4,
    i1_i2_i3_i4_i5_i6_i7_hold_in_storms_of_seeds_125_to_149: 5,
    i1_i2_i3_i4_i5_i6_i7_hold_in_storms_of_seeds_150_to_174: 6,
    i1_i2_i3_i4_i5_i6_i7_hold_in_storms_of_seeds_175_to_199: 7,
}
