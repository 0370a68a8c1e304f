//! What happens in one run, from its seed alone: who does what, in which order, with which values, and where it
//! is cut. Nothing is decided later but by the timing of threads.

mod round;

use super::dice::Dice;
use super::query::QUERIES;
pub use round::{Act, Cut, Ddl, Fault, Mode, Op, Round, Write};

/// The users; the last one is `root`. The one before it may come to be dropped.
pub const USERS: [&str; 4] = ["anna", "ben", "carl", "root"];

/// The number of `root`.
pub const ROOT: usize = 3;

/// The number of the one who may only write what is its own.
pub const PLAIN: usize = 2;

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the server is told.
    pub settings: Vec<(&'static str, String)>,
    /// Do all commits reach the disk before they are acknowledged?
    pub sync: bool,
    /// Is history trimmed so early that a resume may be reset?
    pub forgetful: bool,
    /// Rows are large and sockets narrow, so that a reader who pauses is felt.
    pub fat: bool,
    /// Seconds that rows of `feed` live.
    pub feed_secs: u64,
    /// Bytes that may wait for one socket.
    pub outbox_bytes: u64,
    /// Whose each connection is, and what it subscribes to at first.
    pub connections: Vec<(usize, Vec<usize>)>,
    /// What comes then.
    pub rounds: Vec<Round>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let sync = !dice.percent(25);
        let forgetful = dice.percent(20);
        let fat = dice.percent(16);
        // Where a power loss may take the making of that table, its rows are not to be waited for.
        let feed_secs = if dice.percent(4) && sync { 1 } else { 3_600 };
        let outbox_bytes = if fat { 8_000 } else { dice.pick(&[1_024, 2_000, 8_000, 4 << 20]) };
        let mut settings = vec![
            // A storm on a busy machine takes longer than a quiet client is borne with.
            ("websocket.idle_timeout_secs", "3600".to_owned()),
            ("websocket.slow_reader_timeout_secs", "3600".to_owned()),
            ("live.batch_rows", dice.pick(if fat { &["1", "2", "3"] } else { &["1", "2", "1000"] }).to_owned()),
            ("live.rerun_interval_ms", dice.pick(&["1", "5", "30"]).to_owned()),
            ("storage.max_commit_batch", dice.pick(&["1", "3", "1024"]).to_owned()),
            ("websocket.outbox_max_bytes", outbox_bytes.to_string()),
            ("websocket.progress_interval_ms", dice.pick(&["2", "5", "20"]).to_owned()),
        ];
        if !sync {
            let millis = dice.pick(&["5", "50", "3600000", "3600000"]);
            settings.push(("storage.durability", "interval".to_owned()));
            settings.push(("storage.sync_interval_ms", millis.to_owned()));
        }
        if forgetful {
            settings.push(("live.history_max_bytes", dice.pick(&["0", "3000", "20000"]).to_owned()));
        }
        let connections: Vec<(usize, Vec<usize>)> = (0..dice.between(3, 5))
            .map(|at| {
                // Two users are always there, so that there is somebody to be kept apart.
                let user = if at < 2 { at } else { dice.below(USERS.len()) };
                let queries = (0..dice.between(2, 4)).map(|_| dice.below(QUERIES.len())).collect();
                (user, queries)
            })
            .collect();
        let mut builder = round::Builder::new(dice, connections.len(), fat, sync, forgetful);
        let mut rounds: Vec<Round> = (0..builder.dice().between(3, 6)).map(|_| builder.round()).collect();
        if fat {
            rounds.push(builder.flood());
        }
        Plan { settings, sync, forgetful, fat, feed_secs, outbox_bytes, connections, rounds }
    }

    /// How many things happen.
    pub fn steps(&self) -> usize {
        let of = |round: &Round| {
            let writes: usize = round.writers.iter().map(|(_, writes)| writes.len()).sum();
            writes + round.acts.len() + usize::from(round.cut.is_some())
        };
        self.rounds.iter().map(of).sum()
    }
}
