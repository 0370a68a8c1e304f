//! What many have in common is made once, and what many wait for is read once.

use super::*;

#[test]
fn a_commit_is_encoded_once_for_all_subscribers_of_a_query() {
    let mut stage = stage();
    let mut clients: Vec<Client> = (0..3).map(|_| stage.client()).collect();
    for client in &mut clients {
        stage.subscribe(client, "s", filter_plan(0), all());
        stage.read_all(client);
    }
    assert_eq!(stage.state.views.len(), 1);
    stage.commit(&[(1, Some(1))]);
    stage.settle();
    for client in &mut clients {
        stage.read_all(client);
        assert_eq!(client.copies["s"].changes, 1);
    }
}

/// Clients that have seen everything, each at its own point, and are away while more happens.
fn away(stage: &mut Stage, plans: &[LivePlan], clients: usize) -> Vec<Client> {
    stage.commit(&rows(3));
    let mut away = Vec::new();
    for at in 0..clients {
        let mut client = stage.client();
        stage.subscribe(&mut client, "s", plans[at % plans.len()].clone(), all());
        stage.read_all(&mut client);
        stage.commit(&[(at as i32 % 5, Some(at as i32))]);
        away.push(client);
    }
    for client in &mut away {
        client.peer.outbox.close(CloseReason::ClientAsked);
        stage.queue.push_back(Input::Close { peer: client.peer.clone(), done: None });
    }
    for n in 0..10 {
        stage.commit(&[(n % 7, Some(n)), (n % 3 + 10, None), (5, Some(n / 2))]);
    }
    stage.settle();
    away
}

fn all_come_back(stage: &mut Stage, away: Vec<Client>) -> Vec<Client> {
    let mut clients = Vec::new();
    for mut gone in away {
        let mut client = stage.client();
        client.copies = std::mem::take(&mut gone.copies);
        let copy = client.copies.get_mut("s").unwrap();
        copy.lost();
        let (plan, options) = (LivePlan::clone(&copy.plan), from(copy.seq));
        stage.subscribe(&mut client, "s", plan, options);
        clients.push(client);
    }
    stage.settle();
    for client in &mut clients {
        stage.read_all(client);
        let copy = &client.copies["s"];
        assert_eq!((copy.acks, copy.resets), (1, 0));
        copy.check_at(&stage.world, stage.world.last());
    }
    clients
}

#[test]
fn i2_clients_of_one_table_that_come_back_at_once_share_a_pass_over_the_log() {
    let mut stage = stage();
    let plans = [filter_plan(0), filter_plan(2), keyless_plan(1)];
    let gone = away(&mut stage, &plans, 60);
    all_come_back(&mut stage, gone);
    assert_eq!(stage.world.passes, 2, "one for the first of them, one for all who came while that was under way");
}

#[test]
fn i2_clients_of_a_rerun_query_that_come_back_at_once_share_the_results_of_the_past() {
    let mut stage = stage();
    let gone = away(&mut stage, &[rerun_plan(Again::AboveAverage)], 3);
    stage.world.results_as_of = 0;
    let mut crowd = Vec::new();
    for client in &gone {
        for _ in 0..20 {
            let mut twin = stage.client();
            twin.copies.insert("s".to_owned(), client.copies["s"].clone());
            crowd.push(twin);
        }
    }
    all_come_back(&mut stage, crowd);
    assert!(stage.world.results_as_of <= 4, "one per point, and one for whoever came first");
}

#[test]
fn i7_a_pass_that_is_full_leaves_the_rest_to_the_next_and_nobody_waits_forever() {
    for options in [
        LiveOptions { catch_up_max_bytes: 300, ..LiveOptions::default() },
        LiveOptions { log_pass_max_bytes: 1, ..LiveOptions::default() },
    ] {
        let mut stage = Stage::new(options);
        let gone = away(&mut stage, &[filter_plan(0), filter_plan(3)], 12);
        all_come_back(&mut stage, gone);
        assert!(stage.world.passes > 3, "{}", stage.world.passes);
    }
}

#[test]
fn many_who_begin_with_the_same_rows_share_them() {
    let mut stage = stage();
    stage.commit(&rows(5));
    let mut clients: Vec<Client> = (0..20).map(|_| stage.client()).collect();
    for client in &mut clients {
        stage.subscribe(client, "s", filter_plan(0), pages_of(2));
    }
    while stage.step() {}
    assert_eq!(stage.results.len(), 1, "the first reads, the others wait for what it reads");
    finish_one(&mut stage);
    assert_eq!(stage.results.len(), 1, "and are served together");
    for client in &mut clients {
        stage.read_all(client);
        client.copies["s"].check_at(&stage.world, stage.world.last());
    }
}

#[test]
fn what_was_read_for_many_is_told_by_and_by() {
    let mut stage = stage();
    let mut clients: Vec<Client> = (0..5).map(|_| stage.client()).collect();
    stage.commit(&rows(2));
    for client in &mut clients {
        stage.subscribe(client, "s", filter_plan(0), all());
        stage.read_all(client);
        client.peer.outbox.close(CloseReason::ClientAsked);
        stage.queue.push_back(Input::Close { peer: client.peer.clone(), done: None });
    }
    for n in 0..1_500 {
        stage.commit(&[(n % 7, Some(n))]);
    }
    stage.settle();
    for client in &mut clients {
        client.copies.get_mut("s").unwrap().lost();
        let mut again = stage.client();
        again.copies = std::mem::take(&mut client.copies);
        *client = again;
        let options = from(client.copies["s"].seq);
        stage.subscribe(client, "s", filter_plan(0), options);
    }
    while stage.step() {}
    finish_one(&mut stage);
    assert!(stage.queue.is_empty(), "one client is told at once");
    finish_one(&mut stage);
    assert!(!stage.queue.is_empty(), "four are not: what comes meanwhile has its turn");
    stage.commit(&[(1, Some(-5))]);
    for client in &mut clients {
        stage.read_all(client);
        client.copies["s"].check_at(&stage.world, stage.world.last());
    }
}
