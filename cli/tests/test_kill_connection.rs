//! SQL ends a live connection that the command line made.

#[path = "support/program.rs"]
mod program;

use program::{Running, World};
use serde_json::Value as Json;

/// Starts `kalam subscribe` and waits until it is live; its connection's id.
async fn subscribed(world: &World, args: &[&str]) -> (Running, String) {
    let mut words = vec!["subscribe", "SELECT * FROM app.notes", "--format", "ndjson"];
    words.extend(args);
    let mut running = Running::start(world.kalam(&words));
    let line: Json = serde_json::from_str(&running.line().await).unwrap();
    assert_eq!(line["change"], "snapshot");
    let listed = world.ok(&["connections", "--format", "ndjson"]).await;
    let connection: Json = serde_json::from_str(listed.lines().last().expect("one connection")).unwrap();
    (running, connection["connection_id"].as_str().expect("its id").to_owned())
}

async fn world() -> World {
    let world = World::new().await;
    let sql = "CREATE NAMESPACE app; CREATE SHARED TABLE app.notes (id INT PRIMARY KEY, body TEXT); \
               INSERT INTO app.notes VALUES (1, 'one')";
    world.ok(&["-c", sql]).await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us3_kill_connection_in_sql_ends_the_subscription_of_the_command_line() {
    let world = world().await;
    let (running, id) = subscribed(&world, &[]).await;
    world.ok(&["-c", &format!("KILL CONNECTION '{id}'")]).await;
    let (code, errors) = running.end().await;
    assert_eq!(code, 5, "{errors}");
    assert!(errors.contains("CONNECTION_KILLED"), "{errors}");
    let left = world.ok(&["-c", "SELECT live_id FROM system.live_queries", "--format", "ndjson"]).await;
    assert_eq!(left, "", "its live query is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr005_the_kill_command_ends_one_connection_and_names_an_unknown_one() {
    let world = world().await;
    let (running, id) = subscribed(&world, &[]).await;
    let (mut other, _) = subscribed(&world, &[]).await;
    world.ok(&["kill", &id]).await;
    assert_eq!(running.end().await.0, 5);
    let again = world.run(&["kill", &id]).await;
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("NOT_FOUND"), "{again:?}");
    world.ok(&["-c", "INSERT INTO app.notes VALUES (2, 'two')"]).await;
    let line: Json = serde_json::from_str(&other.line().await).unwrap();
    assert_eq!((&line["change"], &line["row"]["body"]), (&"insert".into(), &"two".into()), "the other one lives on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us3_a_killed_live_query_ends_its_command_with_the_code_for_it() {
    let world = world().await;
    let (running, _) = subscribed(&world, &[]).await;
    let listed = world.ok(&["-c", "SELECT live_id FROM system.live_queries", "--format", "ndjson"]).await;
    let live: Json = serde_json::from_str(listed.trim()).unwrap();
    world.ok(&["kill", "--live-query", live["live_id"].as_str().unwrap()]).await;
    let (code, errors) = running.end().await;
    assert_eq!(code, 5, "{errors}");
    assert!(errors.contains("KILLED"), "{errors}");
}
