//! Whatever happens in whatever order, a live query ends with its result.

use std::time::Duration;

use proptest::prelude::*;

use super::super::Key;
use super::server::Query;
use super::world::World;
use super::{ALL, LARGE, OPAQUE, world_with};
use crate::error::Error;
use crate::options::Options;

/// Something that can happen.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(i64, Option<i64>)>),
    Act,
    Deliver(usize),
    Take(usize, usize),
    Subscribe(u8, bool),
    Unsubscribe(usize),
    Resume(usize),
    Cut(u16),
    Reachable(bool),
    ForgetHistory,
    Progress,
    Lag,
    Refuse(usize),
    TokenFails,
    TokenRefused,
    Pass(u64),
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    let writes = prop::collection::vec((0_i64..8, prop::option::of(0_i64..20)), 1..5);
    prop_oneof![
        6 => writes.prop_map(Step::Commit),
        6 => Just(Step::Act),
        8 => (1_usize..8).prop_map(Step::Deliver),
        6 => (0_usize..8, 1_usize..6).prop_map(|(who, count)| Step::Take(who, count)),
        3 => (0_u8..3, any::<bool>()).prop_map(|(query, rows)| Step::Subscribe(query, rows)),
        2 => (0_usize..8).prop_map(Step::Unsubscribe),
        1 => (0_usize..8).prop_map(Step::Resume),
        2 => prop_oneof![Just(1006_u16), Just(1001), Just(4001), Just(4002), Just(4008), Just(4029)].prop_map(Step::Cut),
        1 => any::<bool>().prop_map(Step::Reachable),
        1 => Just(Step::ForgetHistory),
        2 => Just(Step::Progress),
        1 => Just(Step::Lag),
        1 => (1_usize..4).prop_map(Step::Refuse),
        1 => Just(Step::TokenFails),
        1 => Just(Step::TokenRefused),
        3 => (1_u64..12_000).prop_map(Step::Pass),
        1 => Just(Step::Reconnect),
    ]
}

fn nth(world: &World, n: usize) -> Option<Key> {
    let keys: Vec<Key> = world.programs.keys().copied().collect();
    keys.get(n % keys.len().max(1)).copied()
}

fn happen(world: &mut World, step: Step) {
    match step {
        Step::Commit(writes) => world.server.commit(&writes),
        Step::Act => {
            world.act();
        }
        Step::Deliver(count) => {
            (0..count).take_while(|_| world.deliver()).count();
        }
        Step::Take(who, count) => {
            if let Some(key) = nth(world, who) {
                (0..count).take_while(|_| world.take(key)).count();
            }
        }
        Step::Subscribe(query, keeps_rows) if world.programs.len() < 6 => {
            let query: Query = [ALL, LARGE, OPAQUE][usize::from(query)];
            world.subscribe(query, keeps_rows);
        }
        Step::Subscribe(..) => {}
        Step::Unsubscribe(who) => {
            if let Some(key) = nth(world, who) {
                world.unsubscribe(key);
            }
        }
        // From where the program stands, so that it can tell what is right.
        Step::Resume(who) => {
            if let Some(key) = nth(world, who)
                && let Some(seq) = world.state.delivered(key)
            {
                let moment = world.moment();
                let resumed = world.state.resume(moment, key, seq);
                assert_eq!(resumed.is_ok(), world.state.info(key).is_some(), "only what has ended does not");
            }
        }
        Step::Cut(code) => world.cut(code),
        Step::Reachable(reachable) => world.reachable = reachable,
        Step::ForgetHistory => world.server.history_from = world.server.seq,
        Step::Progress => world.server.progress(),
        Step::Lag => world.server.lag(),
        Step::Refuse(count) => world.server.refuses_messages = count,
        Step::TokenFails => world.token_errors.push(Error::Network("no answer".to_owned())),
        Step::TokenRefused => {
            let next = world.tokens + 1;
            world.server.refused_tokens = vec![format!("t{next}")];
        }
        Step::Pass(millis) => world.pass(Duration::from_millis(millis)),
        Step::Reconnect => {
            let moment = world.moment();
            world.state.reconnect(moment);
        }
    }
}

fn ends_well(steps: Vec<Step>, options: Options) {
    let mut world = world_with(options);
    for step in steps {
        happen(&mut world, step);
    }
    world.server.refuses_messages = 0;
    world.settle();
    world.server.commit(&[(1, Some(19)), (2, Some(1)), (3, None)]);
    world.settle();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fr013_whatever_happens_a_live_query_ends_with_its_result(steps in prop::collection::vec(step(), 1..120)) {
        ends_well(steps, Options::default());
    }

    #[test]
    fn fr013_whatever_happens_to_a_slow_program_it_ends_with_the_result(steps in prop::collection::vec(step(), 1..120)) {
        ends_well(steps, Options { event_buffer_bytes: 400, messages_per_sec_max: 5, ..Options::default() });
    }
}
