//! The connection is cut after the k-th frame, for every k, in either direction.

use super::world::World;
use super::{ALL, LARGE, OPAQUE, world_with};
use crate::options::Options;

/// Subscribing, snapshots in pages, commits in several frames, an unsubscribe, a pause with a reset. Returns with
/// everything settled and checked.
fn session(world: &mut World) {
    let all = world.subscribe(ALL, false);
    world.subscribe(LARGE, false);
    world.run();
    world.subscribe(OPAQUE, false);
    world.subscribe(ALL, true);
    world.act();
    world.server.commit(&[(1, Some(13)), (2, None), (6, Some(40))]);
    world.run();
    world.server.commit(&[(6, Some(41)), (1, Some(1)), (3, Some(2))]);
    world.server.progress();
    world.run();
    world.unsubscribe(all);
    world.server.commit(&[(7, Some(70)), (8, Some(80)), (9, Some(90))]);
    world.run();
    world.server.lag();
    world.server.commit(&[(7, None), (8, Some(8))]);
    world.run();
    world.subscribe(ALL, false);
    world.server.commit(&[(9, Some(1))]);
    world.settle();
}

fn cut_everywhere(history_lost: bool, options: &Options) {
    let mut whole = world_with(options.clone());
    session(&mut whole);
    let frames = whole.frames();
    assert!(frames > 50, "{frames}");
    for first in 1..=frames {
        let mut world = world_with(options.clone());
        world.cut_after = Some(first);
        if history_lost {
            world.server.history_from = u64::MAX;
        }
        session(&mut world);
        // A second cut while everything that was cut comes back.
        let again = world.frames();
        world.server.commit(&[(2, Some(22)), (3, Some(33))]);
        world.cut(1006);
        world.cut_after = Some(again + first % 17 + 1);
        world.settle();
        world.server.commit(&[(2, Some(23)), (3, None)]);
        world.settle();
    }
}

#[test]
fn fr013_a_cut_after_any_frame_leaves_nothing_missed_and_nothing_twice() {
    cut_everywhere(false, &Options::default());
}

#[test]
fn fr013_a_cut_after_any_frame_without_history_is_told_as_a_reset() {
    cut_everywhere(true, &Options::default());
}

#[test]
fn fr013_a_cut_after_any_frame_does_not_harm_a_slow_program() {
    cut_everywhere(false, &Options { event_buffer_bytes: 300, ..Options::default() });
}
