//! The disk takes no writes: writers are told clearly, everybody else goes on, and so do writers afterwards.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kalamdb_store::faults::WriteFault;
use kalamdb_testkit::{ServerProcess, Session, SqlFailure, SqlResult, TestServer};
use serde_json::json;

/// Runs a statement until the disk takes it.
async fn at_last(session: &Session, sql: &str) -> SqlResult {
    let trying = async {
        loop {
            match session.try_sql(sql).await {
                Ok(result) => return result,
                Err(failure) => assert_unavailable(&failure),
            }
        }
    };
    tokio::time::timeout(kalamdb_testkit::PATIENCE, trying).await.expect("the disk takes writes again in time")
}

fn assert_unavailable(failure: &SqlFailure) {
    assert_eq!((failure.status, failure.code.as_str()), (503, "UNAVAILABLE"), "{failure}");
    assert!(!failure.message.contains('/'), "no path: {failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_write_that_fails_is_told_clearly_and_is_never_seen() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    for (fault, told) in [
        (WriteFault::NoSpace, "disk is full; nothing was changed"),
        (WriteFault::NotWritten, "takes no writes; nothing was changed"),
    ] {
        server.faults().fail_writes(fault, 1);
        let failure = root.sql_fails("INSERT INTO t VALUES (1, 1)").await;
        assert_unavailable(&failure);
        assert!(failure.message.contains(told), "{failure}");
        assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!("0"));
    }
    let seq = root.sql("INSERT INTO t VALUES (2, 2)").await.seq();
    socket.follow(&mut live, seq).await;
    assert_eq!(live.changes(), 1);
    live.assert_equals(&root.rows("SELECT * FROM t").await);
    server.faults().fail_writes(WriteFault::SyncFailed, 1);
    let failure = root.sql_fails("INSERT INTO t VALUES (3, 3)").await;
    assert_unavailable(&failure);
    assert!(failure.message.contains("it is not known whether it was"), "{failure}");
    let seq = at_last(&root, "INSERT INTO t VALUES (4, 4)").await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&[2, 3, 4].map(|n| vec![json!(n), json!(n)]));
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_statements_of_every_kind_that_fail_leave_nothing_behind() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 1), (2, 1)").await;
    let user = server.user("anna", "user").await;
    for sql in [
        "CREATE NAMESPACE shop",
        "CREATE TABLE other (id INT PRIMARY KEY)",
        "ALTER TABLE t ADD COLUMN extra TEXT",
        "CREATE INDEX by_n ON t (n)",
        "CREATE USER 'ben' WITH PASSWORD 'password of ben' ROLE user",
        "BEGIN; INSERT INTO t VALUES (3, 3); UPDATE t SET n = 9; COMMIT",
        "DELETE FROM t WHERE id = 1",
        "DROP TABLE t",
    ] {
        let before = root.rows("SELECT * FROM t").await;
        server.faults().fail_writes(WriteFault::NoSpace, 1);
        assert_unavailable(&root.sql_fails(sql).await);
        assert_eq!(root.rows("SELECT * FROM t").await, before, "{sql}");
        assert_eq!(server.http().try_login("anna", "password of anna").await.status, 200, "reading goes on");
        root.try_all(sql, &[]).await.unwrap_or_else(|failure| panic!("{sql}: {failure}"));
    }
    root.sql("DROP USER 'ben'").await;
    server.faults().fail_writes(WriteFault::NoSpace, 1);
    assert_unavailable(&root.sql_fails("DROP USER 'anna'").await);
    user.sql("SELECT 1").await;
    server.faults().fail_writes(WriteFault::NoSpace, 1);
    let answer = server.http().post("/v1/api/auth/logout", Some(&user.access_token), &json!({})).await;
    assert_eq!(answer.status, 503, "{:?}", answer.body);
    user.sql("SELECT 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_process_that_gets_io_errors_serves_readers_and_writes_again_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kalamdb-server"));
    for durability in ["sync", "interval"] {
        let settings = [("storage.durability", durability), ("websocket.progress_interval_ms", "20")];
        let mut server = ServerProcess::start(program, &dir.path().join(durability), &settings).await;
        let root = server.root().await;
        root.sql("CREATE TABLE t (id INT PRIMARY KEY, body TEXT)").await;
        let body = "x".repeat(2_000);
        for id in 0..20 {
            root.sql_with("INSERT INTO t VALUES ($1, $2)", &[json!(id), json!(body)]).await;
        }
        let mut socket = root.connect().await;
        let mut live = socket.subscribe("s", "SELECT * FROM t").await;

        server.limit_files(Some(4_096)).await;
        for _ in 0..3 {
            let failure = root.sql_fails("INSERT INTO t VALUES (1000, 'refused')").await;
            assert_unavailable(&failure);
            assert!(failure.message.contains("disk is full; nothing was changed"), "{failure}");
        }
        assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!("20"));
        let _also = server.root().await;
        let mut other = root.connect().await;
        let mut begun_meanwhile = other.subscribe("o", "SELECT id FROM t WHERE id >= 1000").await;
        assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("2"));

        server.limit_files(None).await;
        let seq = at_last(&root, "INSERT INTO t VALUES (1001, 'taken')").await.seq();
        socket.follow(&mut live, seq).await;
        live.assert_equals(&root.rows("SELECT * FROM t").await);
        other.follow(&mut begun_meanwhile, seq).await;
        begun_meanwhile.assert_equals(&[vec![json!(1001)]]);
        assert_eq!(live.changes(), 1, "nothing that failed was told");

        server.kill().await;
        server.start_again().await;
        let root = server.root().await;
        let mut socket = root.connect().await;
        assert_eq!(socket.resume(&mut live, "SELECT * FROM t").await["resumed"], true);
        live.assert_equals(&root.rows("SELECT * FROM t").await);
        assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!("21"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_busy_process_gets_over_io_errors_while_everybody_goes_on_asking() {
    let dir = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kalamdb-server"));
    let mut server = ServerProcess::start(program, &dir.path().join("data"), &[]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO t VALUES (-1, 0)").await;
    let over = Arc::new(AtomicBool::new(false));
    let readers = (0..3).map(|_| {
        let (root, over) = (root.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                root.sql("SELECT COUNT(*), SUM(n) FROM t").await;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    let writers = (0..3_i64).map(|writer| {
        let (root, over) = (root.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            let (mut stored, mut refused) = (BTreeSet::new(), 0);
            for id in (0..).map(|n| n * 3 + writer) {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                match root.try_sql(&format!("INSERT INTO t VALUES ({id}, 1)")).await {
                    Ok(_) => drop(stored.insert(id)),
                    Err(failure) => {
                        assert_unavailable(&failure);
                        assert!(failure.message.contains("nothing was changed"), "{failure}");
                        refused += 1;
                    }
                }
            }
            (stored, refused)
        })
    });
    let writers: Vec<_> = writers.collect();
    for round in 0..2 {
        at_last(&root, &format!("INSERT INTO t VALUES ({}, 1)", -10 - round)).await;
        server.limit_files(Some(0)).await;
        root.sql_fails(&format!("INSERT INTO t VALUES ({}, 1)", -20 - round)).await;
        server.limit_files(None).await;
    }
    at_last(&root, "INSERT INTO t VALUES (-30, 1)").await;
    over.store(true, Ordering::Relaxed);
    let (mut stored, mut refused) = (BTreeSet::from([-1, -10, -11, -30]), 0);
    for writer in writers {
        let (by_writer, refused_to_writer) = writer.await.unwrap();
        stored.extend(by_writer);
        refused += refused_to_writer;
    }
    for reader in readers {
        reader.await.expect("readers go on");
    }
    assert!(refused > 0);
    server.kill().await;
    server.start_again().await;
    let rows = server.root().await.rows("SELECT id FROM t").await;
    let there: BTreeSet<i64> = rows.iter().map(|row| row[0].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(there, stored, "exactly what was acknowledged is there");
}
