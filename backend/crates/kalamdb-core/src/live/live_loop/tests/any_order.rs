//! Whatever happens in whatever order: runs made up from seeds, with every frame checked by its client.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

fn any_plan(rng: &mut SmallRng) -> LivePlan {
    match rng.random_range(0..7) {
        0 => filter_plan(0),
        1 => filter_plan(4),
        2 => keyless_plan(3),
        3 => rerun_plan(Again::Count),
        4 => rerun_plan(Again::Top),
        _ => rerun_plan(Again::AboveAverage),
    }
}

fn any_of<T: Copy>(rng: &mut SmallRng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

fn any_options(rng: &mut SmallRng) -> LiveOptions {
    const HUGE: usize = 1 << 20;
    LiveOptions {
        outbox_max_bytes: any_of(rng, &[0, 400, 1_500, 5_000, HUGE]),
        batch_rows: any_of(rng, &[1, 2, 1_000]),
        frame_max_bytes: any_of(rng, &[60, HUGE]),
        waiting_max_bytes: any_of(rng, &[0, 600, HUGE]),
        catch_up_max_bytes: any_of(rng, &[0, 700, HUGE]),
        log_pass_max_bytes: any_of(rng, &[0, 300, HUGE]),
        snapshots_max_bytes: any_of(rng, &[0, HUGE]),
        reruns_max: any_of(rng, &[1, 4]),
        reads_max: any_of(rng, &[1, 4]),
        reads_per_connection_max: any_of(rng, &[1, 2]),
        ..LiveOptions::default()
    }
}

/// The client's connection is lost, and it comes back wherever it remembers to have been.
fn come_back(stage: &mut Stage, client: &mut Client) {
    client.peer.outbox.close(CloseReason::ClientAsked);
    stage.queue.push_back(Input::Close { peer: client.peer.clone(), done: None });
    let mut again = stage.client();
    again.copies = std::mem::take(&mut client.copies);
    let points: BTreeMap<String, Option<u64>> = client.asks.drain(..).collect();
    *client = again;
    let ids: Vec<String> = client.copies.keys().cloned().collect();
    for id in ids {
        let copy = client.copies.get_mut(&id).unwrap();
        let plan = LivePlan::clone(&copy.plan);
        let options = match (copy.ready, points.get(&id)) {
            (true, _) => from(copy.seq),
            (false, Some(Some(point))) => {
                copy.seq = *point;
                copy.exact = false;
                from(*point)
            }
            (false, _) => all(),
        };
        copy.lost();
        stage.subscribe(client, &id, plan, options);
    }
}

fn random_step(stage: &mut Stage, clients: &mut [Client], rng: &mut SmallRng) {
    let at = rng.random_range(0..clients.len());
    let client = &mut clients[at];
    match rng.random_range(0..100) {
        0..22 => {
            let writes: Vec<(i32, Option<i32>)> = (0..any_of(rng, &[0, 1, 1, 1, 2, 5]))
                .map(|_| (rng.random_range(0..8), rng.random_bool(0.7).then(|| rng.random_range(0..8))))
                .collect();
            stage.commit(&writes);
        }
        22..50 => {
            stage.step();
        }
        50..65 if !stage.results.is_empty() => {
            let result = stage.results.swap_remove(rng.random_range(0..stage.results.len()));
            stage.queue.push_back(result);
        }
        65..68 if stage.state.wants_tick() => stage.queue.push_back(Input::Tick),
        68..86 => {
            stage.read_one(client);
        }
        86..91 => {
            stage.ask(client);
        }
        91..94 => stage.ask_progress(client),
        94..97 => {
            let id = format!("s{}", rng.random_range(0..5));
            if !client.copies.contains_key(&id) {
                stage.subscribe(client, &id, any_plan(rng), all());
            }
        }
        97 => come_back(stage, client),
        98 if rng.random_bool(0.2) => stage.world.trimmed = stage.world.last().0,
        _ => {}
    }
}

fn random_run(seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut stage = Stage::new(any_options(&mut rng));
    let mut clients: Vec<Client> = (0..3).map(|_| stage.client()).collect();
    for client in &mut clients {
        stage.subscribe(client, "first", any_plan(&mut rng), all());
    }
    for _ in 0..250 {
        random_step(&mut stage, &mut clients, &mut rng);
    }
    for client in &mut clients {
        stage.read_all(client);
        stage.ask_progress(client);
    }
    let last = stage.world.last();
    for client in &mut clients {
        stage.read_all(client);
        assert_eq!(client.progress, last.0, "everything has been told, and the loop knows");
        for (id, copy) in &client.copies {
            assert!(copy.ready && copy.error.is_none(), "{id}: {copy:?}");
            copy.check_at(&stage.world, last);
            let in_turn = copy.statuses.chunks(2).all(|told| told == ["paused", "active"]);
            assert!(in_turn, "{id}: {:?}", copy.statuses);
        }
    }
}

/// Any interleaving of commits, jobs, readers and lost connections; a failure names its seed.
#[test]
fn i1_i2_whatever_happens_in_whatever_order_every_client_has_the_querys_result() {
    for seed in 0..300 {
        let run = std::panic::catch_unwind(|| random_run(seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}
