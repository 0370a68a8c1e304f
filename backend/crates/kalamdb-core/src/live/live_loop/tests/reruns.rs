//! Queries that are run again: how often, how many at one time, and whom a failing one ends.

use super::*;

#[test]
fn a_rerun_query_runs_once_for_the_commits_of_a_tick() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut client);
    stage.commit(&[(1, Some(1))]);
    while stage.step() {}
    assert_eq!(stage.results.len(), 1, "the first after a quiet time runs at once");
    finish_one(&mut stage);
    for n in 2..10 {
        stage.commit(&[(n, Some(n))]);
    }
    while stage.step() {}
    assert!(stage.results.is_empty() && stage.state.wants_tick());
    stage.input(Input::Tick);
    assert_eq!(stage.results.len(), 1);
    stage.read_all(&mut client);
    assert_eq!(client.copies["s"].changes, 2);
    client.copies["s"].check_at(&stage.world, stage.world.last());
}

#[test]
fn a_second_subscriber_of_a_quiet_rerun_query_needs_no_run() {
    let mut stage = stage();
    let (mut one, mut two) = (stage.client(), stage.client());
    stage.commit(&rows(3));
    stage.subscribe(&mut one, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut one);
    stage.subscribe(&mut two, "s", rerun_plan(Again::Count), all());
    while stage.step() {}
    assert!(stage.results.is_empty());
    stage.read_all(&mut two);
    two.copies["s"].check_at(&stage.world, stage.world.last());
}

#[test]
fn a_subscriber_begins_with_a_result_no_older_than_its_place_in_the_queue() {
    let mut stage = stage();
    let (mut one, mut two) = (stage.client(), stage.client());
    stage.subscribe(&mut one, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut one);
    // A run is under way whose snapshot is older than the second commit.
    stage.commit(&[(1, Some(1))]);
    while stage.step() {}
    let written = stage.commit(&[(2, Some(2))]);
    stage.subscribe(&mut two, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut two);
    let copy = &two.copies["s"];
    assert_eq!((copy.acks, copy.changes), (1, 0));
    assert!(copy.seq >= written.0);
}

#[test]
fn i7_only_so_many_queries_run_and_so_many_reads_are_under_way_at_one_time() {
    let options = LiveOptions { reruns_max: 1, reads_max: 2, reads_per_connection_max: 1, ..LiveOptions::default() };
    let mut stage = Stage::new(options);
    let mut clients: Vec<Client> = (0..4).map(|_| stage.client()).collect();
    stage.commit(&rows(3));
    for client in &mut clients {
        for (id, plan) in [
            ("a", filter_plan(0)),
            ("b", keyless_plan(0)),
            ("c", rerun_plan(Again::Count)),
            ("d", rerun_plan(Again::Top)),
        ] {
            stage.subscribe(client, id, plan, all());
        }
    }
    while stage.step() {}
    let mut most = 0;
    while !stage.results.is_empty() {
        most = most.max(stage.results.len());
        let reads: Vec<ConnectionId> = stage
            .results
            .iter()
            .filter_map(
                |result| if let Input::Found { slot: Some(slot), .. } = result { Some(slot.connection) } else { None },
            )
            .collect();
        let connections: BTreeSet<_> = reads.iter().collect();
        assert!(reads.len() <= 2 && connections.len() == reads.len());
        assert!(stage.results.len() - reads.len() <= 1);
        finish_one(&mut stage);
    }
    assert_eq!(most, 3);
    for client in &mut clients {
        stage.read_all(client);
        assert!(client.copies.values().all(|copy| copy.ready));
    }
}

#[test]
fn a_query_that_fails_ends_its_subscriptions_and_no_others() {
    let mut stage = stage();
    let mut client = stage.client();
    for (id, plan) in [("a", rerun_plan(Again::Count)), ("b", rerun_plan(Again::Count)), ("c", filter_plan(0))] {
        stage.subscribe(&mut client, id, plan, all());
    }
    stage.read_all(&mut client);
    stage.commit(&[(1, Some(1))]);
    while stage.step() {}
    let Some(Input::Ran { view, .. }) = stage.results.pop() else { panic!("a run") };
    let error = SqlError::new(ErrorCode::TooLarge, "the result is too large");
    stage.input(Input::Ran { view, at_micros: 1, ran: Err(error) });
    stage.read_all(&mut client);
    let errors: Vec<_> = client.copies.values().map(|copy| copy.error.as_deref()).collect();
    assert_eq!(errors, [Some("TOO_LARGE"), Some("TOO_LARGE"), None]);
    assert_eq!(stage.state.views.len(), 1);
}
