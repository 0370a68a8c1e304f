//! Who reads slowly is paused and caught up, and costs nobody else anything.

use super::*;

#[test]
fn i7_a_slow_reader_is_paused_once_and_caught_up_and_nobody_else_notices() {
    let mut stage = Stage::new(LiveOptions { outbox_max_bytes: 2_000, ..LiveOptions::default() });
    let (mut slow, mut fast) = (stage.client(), stage.client());
    for client in [&mut slow, &mut fast] {
        stage.subscribe(client, "s", filter_plan(0), all());
        stage.read_all(client);
    }
    for n in 0..100 {
        stage.commit(&[(n % 7, Some(n))]);
        stage.read_all(&mut fast);
        assert!(slow.peer.outbox.bytes() <= 2_500, "{}", slow.peer.outbox.bytes());
    }
    assert_eq!((fast.copies["s"].changes, fast.copies["s"].statuses.len()), (100, 0));
    stage.read_all(&mut slow);
    let copy = &slow.copies["s"];
    assert_eq!((copy.changes, copy.resets), (100, 0));
    assert_eq!(copy.statuses, ["paused", "active"]);
    copy.check_at(&stage.world, stage.world.last());
}

#[test]
fn i7_a_reader_too_slow_for_the_history_gets_a_fresh_snapshot() {
    for plan in [filter_plan(0), rerun_plan(Again::AboveAverage)] {
        let mut stage = Stage::new(LiveOptions { outbox_max_bytes: 2_000, ..LiveOptions::default() });
        let mut client = stage.client();
        stage.subscribe(&mut client, "s", plan, pages_of(2));
        stage.read_all(&mut client);
        for n in 0..100 {
            stage.commit(&[(n % 7, Some(n))]);
            stage.settle();
        }
        stage.world.trimmed = stage.world.last().0;
        stage.read_all(&mut client);
        let copy = &client.copies["s"];
        assert_eq!((copy.resets, copy.acks), (1, 2));
        assert_eq!(copy.statuses, ["paused", "active"]);
        copy.check_at(&stage.world, stage.world.last());
    }
}

#[test]
fn i4_a_commit_of_several_frames_that_was_begun_is_not_torn_by_a_lag() {
    let mut stage = Stage::new(LiveOptions { outbox_max_bytes: 4_000, frame_max_bytes: 100, ..LiveOptions::default() });
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    stage.read_all(&mut client);
    stage.commit(&rows(10));
    stage.settle();
    assert!(stage.read_one(&mut client), "the first frame of several");
    for n in 0..50 {
        stage.commit(&[(n % 7, Some(n + 100))]);
    }
    stage.settle();
    stage.read_all(&mut client);
    let copy = &client.copies["s"];
    assert_eq!(copy.statuses, ["paused", "active"]);
    copy.check_at(&stage.world, stage.world.last());
}

#[test]
fn one_commit_larger_than_the_outbox_gets_through() {
    let mut stage = Stage::new(LiveOptions { outbox_max_bytes: 1_000, ..LiveOptions::default() });
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    stage.read_all(&mut client);
    stage.commit(&rows(200));
    stage.commit(&rows(100));
    stage.read_all(&mut client);
    client.copies["s"].check_at(&stage.world, stage.world.last());
}
