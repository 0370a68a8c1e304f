//! The client library's live queries, while nothing goes wrong: one socket, many subscriptions, every event.

use kalam_link::{ConnectionState, Error, ErrorCode, Event, SeqId, SubscriptionState, params};
use kalamdb_testkit::TestServer;
use serde_json::json;

use crate::client_kit::{Held, client_at, client_of, root_at, soon};

const QUERIES: [&str; 6] = [
    "SELECT * FROM t",
    "SELECT id, n FROM t WHERE n > 10",
    "SELECT n FROM t",
    "SELECT kind, COUNT(*) AS c FROM t GROUP BY kind",
    "SELECT id, n FROM t ORDER BY n DESC, id LIMIT 2",
    "SELECT id, kind FROM t ORDER BY n + id DESC, id",
];

async fn table(server: &TestServer) -> kalamdb_testkit::Session {
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, kind TEXT, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'a', 30)").await;
    root
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sc004_many_subscriptions_of_one_client_use_one_connection() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let client = root_at(server.addr());
    let mut live = Vec::new();
    for n in 0..40 {
        let clone = client.clone();
        live.push(clone.subscribe("SELECT * FROM t WHERE n > $1").params(params![n]).start().await.unwrap());
    }
    assert_eq!(root.rows("SELECT subscriptions FROM system.connections").await.len(), 1);
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("40"));
    assert_eq!(client.subscriptions().len(), 40);
    live.truncate(10);
    root.until_rows("SELECT subscription_id FROM system.live_queries", |rows| rows.len() == 10).await;
    assert_eq!(client.subscriptions().len(), 10);
    drop((client, live));
    root.until_rows("SELECT connection_id FROM system.connections", <[_]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_a_client_subscribes_lists_and_unsubscribes_on_one_socket_that_opens_with_the_first() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    server.user("anna", "user").await;
    let anna = client_of(server.addr(), "anna");
    anna.execute("INSERT INTO t VALUES (7, 'z', 70)", ()).await.unwrap();
    assert_eq!(anna.connection_state(), ConnectionState::Idle);
    let mut first = anna.subscribe("SELECT id, n FROM t").id("first").start().await.unwrap();
    let ConnectionState::Live { user, .. } = anna.connection_state() else { panic!("not live") };
    assert_eq!(user, "anna");
    let second = anna.subscribe("SELECT id FROM t WHERE n > 100").id("second").start().await.unwrap();
    let listed = anna.subscriptions();
    assert_eq!(listed.iter().map(|info| info.id.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(
        (listed[1].sql.as_str(), listed[1].state),
        ("SELECT id FROM t WHERE n > 100", SubscriptionState::Active)
    );
    assert_eq!(root.rows("SELECT connection_id FROM system.connections").await.len(), 1);
    assert_eq!(first.schema().fields().len(), 2);
    assert_eq!(first.key(), Some(vec!["id".to_owned()]));
    let mut held = Held::default();
    let seq = anna.execute("INSERT INTO t VALUES (8, 'z', 80)", ()).await.unwrap()[0].seq.unwrap();
    held.follow(&mut first, seq.0).await;
    assert_eq!((held.snapshots, held.changes, first.last_seq() >= Some(seq)), (1, 1, true));

    let error = anna.subscribe("SELECT id FROM t").id("first").start().await.unwrap_err();
    assert_eq!(error.code(), "INVALID_ARGUMENT");
    for (sql, code) in [("SELECT FROM", ErrorCode::InvalidSql), ("SELECT * FROM nowhere", ErrorCode::NotFound)] {
        let error = anna.subscribe(sql).start().await.unwrap_err();
        assert_eq!(error.server_code(), Some(code));
    }
    second.unsubscribe().await;
    second.unsubscribe().await;
    anna.unsubscribe("second").await;
    anna.unsubscribe("nobody").await;
    assert_eq!(root.rows("SELECT subscription_id FROM system.live_queries").await, [[json!("first")]]);
    let again = anna.subscribe("SELECT id FROM t").id("second").start().await.unwrap();
    assert_eq!(again.id(), "second");

    anna.unsubscribe("first").await;
    assert_eq!(
        soon("the stream ends", async {
            while let Some(event) = first.next().await {
                held.apply(event);
            }
            anna.subscriptions().len()
        })
        .await,
        1
    );
    anna.disconnect().await;
    root.until_rows("SELECT connection_id FROM system.connections", <[_]>::is_empty).await;
    assert!(matches!(anna.connection_state(), ConnectionState::Closed { .. }));
    let back = anna.subscribe("SELECT id FROM t").start().await.unwrap();
    assert_eq!(anna.subscriptions().len(), 1);
    drop(back);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_events_and_live_rows_are_the_result_after_every_write() {
    let server = TestServer::with(&[("live.batch_rows", "2")]).await;
    let root = table(&server).await;
    let client = root_at(server.addr());
    let mut events = Vec::new();
    let mut views = Vec::new();
    for sql in QUERIES {
        events.push((client.subscribe(sql).start().await.unwrap(), Held::default()));
        views.push(client.live(sql).start().await.unwrap());
    }
    let writes = [
        "INSERT INTO t VALUES (4, 'c', 40), (5, 'a', 5), (6, NULL, NULL)",
        "UPDATE t SET n = 5 WHERE id = 3",
        "DELETE FROM t WHERE id = 1",
        "UPDATE t SET n = n + 7, kind = 'b'",
        "BEGIN; INSERT INTO t VALUES (9, 'd', 90); UPDATE t SET n = 91 WHERE id = 9; DELETE FROM t WHERE id = 2; COMMIT",
    ];
    for write in writes {
        let outcomes = client.execute(write, ()).await.unwrap();
        let seq = outcomes.iter().filter_map(|outcome| outcome.seq).max().unwrap();
        client.wait_for(seq).await.unwrap();
        for ((sql, (live, held)), view) in QUERIES.iter().zip(&mut events).zip(&views) {
            held.follow(live, seq.0).await;
            held.assert_is(&root, sql).await;
            let rows: Vec<_> = view.rows().iter().map(|row| row.cells().to_vec()).collect();
            let mut fresh = root.rows(sql).await;
            if sql.contains("ORDER BY") {
                assert_eq!(rows, fresh, "{sql}, in its order");
            } else {
                let text = |row: &Vec<serde_json::Value>| json!(row).to_string();
                let mut rows = rows;
                rows.sort_by_key(text);
                fresh.sort_by_key(text);
                assert_eq!(rows, fresh, "{sql}");
            }
            assert!(view.last_seq() >= Some(seq));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_live_rows_tell_when_they_change_and_hide_what_only_sorts() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let client = root_at(server.addr());
    let mut view = client.live("SELECT id FROM t ORDER BY n * -1").start().await.unwrap();
    let before = view.rows();
    assert_eq!(before.rows_as::<i32>().unwrap(), [3, 2, 1]);
    assert!(before.is_same(&view.rows()));
    assert_eq!(view.schema().fields().len(), 1);
    root.sql("UPDATE t SET n = 99 WHERE id = 1").await;
    let after = soon("the rows change", view.changed()).await.unwrap();
    assert_eq!(after.rows_as::<i32>().unwrap(), [1, 3, 2]);
    assert_eq!(before.rows_as::<i32>().unwrap(), [3, 2, 1], "what is held does not change");
    root.sql("DROP TABLE t").await;
    let error = soon("the view ends", async {
        loop {
            if let Err(error) = view.changed().await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(error.server_code(), Some(ErrorCode::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_a_live_query_begins_where_it_is_told_to() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let client = root_at(server.addr());
    let seq = root.sql("INSERT INTO t VALUES (4, 'd', 40)").await.seq();
    let mut last = client.subscribe("SELECT id FROM t").last_rows(1).start().await.unwrap();
    let Some(Event::Snapshot(page)) = last.next().await else { panic!("no snapshot") };
    assert_eq!((page.rows[0].to::<i32>().unwrap(), page.rows.len(), page.first, page.last), (4, 1, true, true));
    assert_eq!(page.rows[0].seq(), Some(SeqId(seq)));
    let mut changes = client.subscribe("SELECT id FROM t").without_snapshot().start().await.unwrap();
    let mut resumed = client.subscribe("SELECT id FROM t").from(SeqId(seq - 1)).start().await.unwrap();
    let mut paged = client.subscribe("SELECT id FROM t").batch_rows(1).start().await.unwrap();
    let next = root.sql("INSERT INTO t VALUES (5, 'e', 50)").await.seq();
    let Some(Event::Change(change)) = changes.next().await else { panic!("no change") };
    assert_eq!((change.seq, change.rows.len(), change.old_rows.len()), (SeqId(next), 1, 0));
    for wanted in [seq, next] {
        let Some(Event::Change(change)) = resumed.next().await else { panic!("no change") };
        assert_eq!(change.seq, SeqId(wanted));
    }
    let mut held = Held::default();
    held.follow(&mut paged, next).await;
    held.assert_is(&root, "SELECT id FROM t").await;
    client.resume(resumed.id(), SeqId(seq)).unwrap();
    let Some(Event::Change(change)) = resumed.next().await else { panic!("no change") };
    assert_eq!(change.seq, SeqId(next), "told again");
    assert_eq!(client.resume("nobody", SeqId(1)).unwrap_err().code(), "INVALID_ARGUMENT");
    let error = client.subscribe("SELECT id FROM t").id("a\nb").start().await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr013_a_program_that_does_not_take_its_events_misses_none() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT, text TEXT)").await;
    let client =
        client_at(server.addr()).password("root", kalamdb_testkit::ROOT_PASSWORD).event_buffer(10_000).build().unwrap();
    let mut slow = client.subscribe("SELECT * FROM t").start().await.unwrap();
    let view = client.live("SELECT * FROM t").start().await.unwrap();
    let mut seq = 0;
    for n in 0..300 {
        let text = "x".repeat(100 + n % 50);
        let upsert = "INSERT INTO t VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET n = $2, text = $3";
        seq = root.sql_with(upsert, &[json!(n % 20), json!(n), json!(text)]).await.seq();
    }
    view.wait_for(SeqId(seq)).await.unwrap();
    assert_eq!(client.subscriptions()[0].state, SubscriptionState::Paused, "the slow one waits on the server");
    let mut held = Held::default();
    held.follow(&mut slow, seq).await;
    held.assert_is(&root, "SELECT * FROM t").await;
    assert_eq!((held.changes, held.resets), (300, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr013_a_large_commit_comes_as_one_event() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, text TEXT)").await;
    let client = root_at(server.addr());
    let mut live = client.subscribe("SELECT * FROM t").start().await.unwrap();
    assert!(matches!(live.next().await, Some(Event::Snapshot(page)) if page.rows.is_empty() && page.last));
    let rows: Vec<String> = (0..3000).map(|id| format!("({id}, '{}')", "y".repeat(300))).collect();
    root.sql(&format!("INSERT INTO t VALUES {}", rows.join(","))).await;
    let Some(Event::Change(change)) = soon("the commit", live.next()).await else { panic!("no change") };
    assert_eq!((change.rows.len(), change.kind), (3000, kalam_link::ChangeType::Insert));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsubscribing_in_the_midst_of_anything_leaves_nothing_behind() {
    let server = TestServer::with(&[("live.batch_rows", "1")]).await;
    let root = table(&server).await;
    let client = root_at(server.addr());
    let keeper = client.subscribe("SELECT id FROM t").start().await.unwrap();
    for round in 0..30 {
        let mut tasks = Vec::new();
        for n in 0..5 {
            let client = client.clone();
            tasks.push(tokio::spawn(async move {
                let start = client.subscribe("SELECT * FROM t").id(format!("same {n}")).start();
                // Given up at any point of its beginning.
                let _ = tokio::time::timeout(std::time::Duration::from_micros(round * 200), start).await;
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
    root.until_rows("SELECT subscription_id FROM system.live_queries", |rows| rows.len() == 1).await;
    assert_eq!(client.subscriptions()[0].id, keeper.id());
    let mut again = client.subscribe("SELECT * FROM t").id("same 1").start().await.unwrap();
    let mut held = Held::default();
    let seq = root.sql("UPDATE t SET n = n + 1").await.seq();
    held.follow(&mut again, seq).await;
    held.assert_is(&root, "SELECT * FROM t").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_by_name_is_answered_though_the_handle_is_dropped_meanwhile() {
    let server = TestServer::start().await;
    table(&server).await;
    let client = root_at(server.addr());
    for _ in 0..20 {
        let mut live = client.subscribe("SELECT * FROM t").id("short").start().await.unwrap();
        let reader = tokio::spawn(async move { while live.next().await.is_some() {} });
        soon("the answer", client.unsubscribe("short")).await;
        reader.await.unwrap();
    }
}
