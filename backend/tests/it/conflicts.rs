//! Writers that meet on the same rows, keys and sums.
//!
//! A statement that loses to another commit is tried again on what is there now, so counters lose nothing; what
//! must be unique is unique whoever is first. Nothing here depends on who wins.

use kalamdb_testkit::{Session, SqlFailure, SqlResult, TestServer};
use serde_json::{Value as Json, json};

/// Runs `rounds` statements from each of `writers` at once; what became of each.
async fn storm(
    session: &Session,
    (writers, rounds): (usize, usize),
    sql: impl Fn(usize, usize) -> String,
) -> Vec<Result<SqlResult, SqlFailure>> {
    let mut running = Vec::new();
    for writer in 0..writers {
        let statements: Vec<String> = (0..rounds).map(|round| sql(writer, round)).collect();
        let session = session.clone();
        running.push(tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for sql in statements {
                outcomes.push(session.try_all(&sql, &[]).await.map(|mut results| results.pop().expect("a result")));
            }
            outcomes
        }));
    }
    let mut outcomes = Vec::new();
    for writer in running {
        outcomes.extend(writer.await.expect("a writer runs to its end"));
    }
    outcomes
}

fn succeeded(outcomes: &[Result<SqlResult, SqlFailure>]) -> u64 {
    outcomes.iter().flatten().map(SqlResult::row_count).sum()
}

/// All failures have one of these codes.
fn assert_only(outcomes: &[Result<SqlResult, SqlFailure>], codes: &[&str]) {
    for failure in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(codes.contains(&failure.code.as_str()), "{failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_many_increment_loses_nothing_and_refuses_nobody() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0), (2, 0)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    let outcomes = storm(&root, (32, 10), |_, _| "UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n".to_owned()).await;
    assert_only(&outcomes, &[]);
    let mut told: Vec<i64> = outcomes.iter().flatten().map(|result| result.rows()[0][0].as_i64().unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, (1..=320).collect::<Vec<_>>(), "each has its own number");
    let seq = root.sql("UPDATE t SET n = 7 WHERE id = 2").await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&[vec![json!(1), json!(320)], vec![json!(2), json!(7)]]);
    assert_eq!(live.changes(), 321, "and every step was told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_many_insert_and_delete_is_there_as_often_as_was_said() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, who INT)").await;
    let insert = |writer| format!("INSERT INTO t VALUES (1, {writer})");
    let outcomes = storm(&root, (12, 1), |writer, _| insert(writer)).await;
    assert_eq!(succeeded(&outcomes), 1);
    assert_only(&outcomes, &["CONSTRAINT_VIOLATION"]);
    let outcomes = storm(&root, (8, 12), |writer, round| match (writer + round) % 2 {
        0 => insert(writer),
        _ => "DELETE FROM t WHERE id = 1".to_owned(),
    })
    .await;
    assert_only(&outcomes, &["CONSTRAINT_VIOLATION", "CONFLICT"]);
    let mut present = 1_i64;
    for (at, outcome) in outcomes.iter().enumerate() {
        let rows = outcome.as_ref().map_or(0, SqlResult::row_count) as i64;
        present += if (at / 12 + at % 12) % 2 == 0 { rows } else { -rows };
    }
    assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!(present.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unique_index_holds_when_many_want_the_same_value() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, u TEXT UNIQUE); INSERT INTO t VALUES (-1, 'x')").await;
    let wants = |writer: usize, round: usize| format!("INSERT INTO t VALUES ({}, 'v{round}')", writer * 100 + round);
    let outcomes = storm(&root, (10, 8), wants).await;
    assert_only(&outcomes, &["CONSTRAINT_VIOLATION"]);
    assert_eq!(succeeded(&outcomes), 8, "each value once");
    // Values are given up and taken again, by updates and by deletes.
    let moves = |writer: usize, round: usize| match (writer + round) % 3 {
        0 => format!("UPDATE t SET u = 'v{}' WHERE id = -1", round % 8),
        1 => format!("DELETE FROM t WHERE u = 'v{}'", round % 8),
        _ => format!("INSERT INTO t VALUES ({}, 'v{}')", 10_000 + writer * 100 + round, round % 8),
    };
    let outcomes = storm(&root, (8, 12), moves).await;
    assert_only(&outcomes, &["CONSTRAINT_VIOLATION", "CONFLICT"]);
    let twice = "SELECT u FROM t WHERE u IS NOT NULL GROUP BY u HAVING COUNT(*) > 1";
    assert_eq!(root.rows(twice).await, Vec::<Vec<Json>>::new());
    for row in root.rows("SELECT id, u FROM t").await {
        let found = root.sql_with("SELECT id FROM t WHERE u = $1", &[row[1].clone()]).await.rows();
        assert_eq!(found, [[row[0].clone()]], "the index knows the row that has the value");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unique_values_and_keys_change_places_while_others_do_the_same() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE, name TEXT)").await;
    root.sql("INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')").await;
    let outcomes = storm(&root, (6, 6), |writer, _| match writer % 2 {
        0 => "UPDATE t SET u = 3 - u WHERE u IN (1, 2)".to_owned(),
        _ => "UPDATE t SET id = 5 - id WHERE id IN (2, 3)".to_owned(),
    })
    .await;
    assert_only(&outcomes, &["CONFLICT"]);
    let column = async |sql: &str| root.rows(sql).await.concat();
    assert_eq!(column("SELECT id FROM t ORDER BY id").await, [json!(1), json!(2), json!(3)]);
    assert_eq!(column("SELECT u FROM t ORDER BY u").await, [json!(1), json!(2), json!(3)]);
    assert_eq!(column("SELECT name FROM t ORDER BY name").await, [json!("a"), json!("b"), json!("c")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_conflict_counts_every_row_that_many_insert_at_once() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT); CREATE TABLE once (id INT PRIMARY KEY, who INT)").await;
    let upsert = "INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = t.n + EXCLUDED.n";
    let outcomes = storm(&root, (16, 10), |_, _| upsert.to_owned()).await;
    assert_only(&outcomes, &[]);
    assert_eq!(root.rows("SELECT * FROM t").await, [[json!(1), json!(160)]]);
    let nothing = |writer: usize, _| format!("INSERT INTO once VALUES (1, {writer}) ON CONFLICT (id) DO NOTHING");
    let outcomes = storm(&root, (16, 4), nothing).await;
    assert_only(&outcomes, &[]);
    assert_eq!(succeeded(&outcomes), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn insert_select_sees_its_source_as_of_one_moment_while_others_change_it() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE accounts (id INT PRIMARY KEY, n INT); CREATE TABLE sums (id INT PRIMARY KEY, total INT)")
        .await;
    root.sql("INSERT INTO accounts SELECT value, 100 FROM generate_series(1, 10)").await;
    let outcomes = storm(&root, (6, 12), |writer, round| match writer {
        0 => format!("INSERT INTO sums SELECT {round}, SUM(n) FROM accounts"),
        _ => {
            let (from, to) = ((writer * 7 + round) % 10 + 1, (writer + round * 3) % 10 + 1);
            format!("UPDATE accounts SET n = CASE id WHEN {from} THEN n - 5 ELSE n + 5 END WHERE id IN ({from}, {to}) AND {from} <> {to}")
        }
    })
    .await;
    assert_only(&outcomes, &["CONFLICT"]);
    assert!(outcomes[..12].iter().all(Result::is_ok), "what is only read is in nobody's way");
    assert_eq!(root.rows("SELECT DISTINCT total FROM sums").await, [[json!(1000)]]);
    assert_eq!(root.cell("SELECT SUM(n) FROM accounts").await, json!("1000"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_several_tables_happens_wholly_or_not_at_all_under_contention() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE a (id INT PRIMARY KEY, n INT); CREATE TABLE b (id INT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO a VALUES (1, 0); INSERT INTO b VALUES (1, 0)").await;
    let mut socket = root.connect().await;
    let mut live =
        socket.subscribe("s", "SELECT a.n AS x, b.n AS y FROM a JOIN b ON a.id = b.id WHERE a.n <> b.n").await;
    let both = "BEGIN; UPDATE a SET n = n + 1 WHERE id = 1; UPDATE b SET n = n + 1 WHERE id = 1; SELECT a.n - b.n FROM a, b; COMMIT";
    let outcomes = storm(&root, (12, 5), |_, _| both.to_owned()).await;
    assert_only(&outcomes, &["CONFLICT"]);
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(done > 0);
    assert_eq!(root.rows("SELECT a.n, b.n FROM a, b").await, [[json!(done), json!(done)]]);
    let seq = root.sql("INSERT INTO a VALUES (2, 5)").await.seq();
    socket.follow(&mut live, seq).await;
    assert_eq!(live.changes(), 0, "nobody has ever seen half of one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_transaction_and_short_writes_of_its_table_all_get_through() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let long = root.clone();
    let long = tokio::spawn(async move {
        let insert = "INSERT INTO t SELECT value, 0 FROM generate_series(1, 20000)";
        long.try_all(&format!("BEGIN; {insert}; UPDATE t SET n = 1 WHERE id > 0; COMMIT"), &[]).await
    });
    let outcomes = storm(&root, (3, 20), |writer, round| {
        format!("INSERT INTO t VALUES ({}, 0)", -1 - (writer * 100 + round) as i64)
    })
    .await;
    assert_only(&outcomes, &[]);
    long.await.unwrap().expect("the long one commits: nobody wrote a row that it wrote");
    assert_eq!(
        root.rows("SELECT n, COUNT(*) FROM t GROUP BY n ORDER BY n").await,
        [[json!(0), json!("60")], [json!(1), json!("20000")]]
    );
}

/// Two statements that read what the other writes can both succeed under snapshot isolation. The remedy of the
/// documentation: what must hold over several rows is kept in one row that both write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_hold_over_several_rows_holds_when_it_is_kept_in_a_row_that_all_write() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE doctors (id INT PRIMARY KEY, on_call BOOLEAN); CREATE TABLE ward (id INT PRIMARY KEY, on_call INT)").await;
    root.sql("INSERT INTO doctors SELECT value, true FROM generate_series(0, 7); INSERT INTO ward VALUES (1, 8)").await;
    let leave = |writer: usize, _| {
        format!(
            "BEGIN; UPDATE ward SET on_call = on_call - 1 WHERE id = 1 AND on_call > 1; \
             UPDATE doctors SET on_call = false WHERE id = {writer} AND (SELECT on_call FROM ward WHERE id = 1) \
             = (SELECT COUNT(*) - 1 FROM doctors WHERE on_call); COMMIT"
        )
    };
    let outcomes = storm(&root, (8, 1), leave).await;
    assert_only(&outcomes, &["CONFLICT"]);
    let on_call = root.cell("SELECT COUNT(*) FROM doctors WHERE on_call").await;
    let on_call: i64 = on_call.as_str().unwrap().parse().unwrap();
    assert!(on_call >= 1, "somebody is always on call");
    assert_eq!(root.cell("SELECT on_call FROM ward").await, json!(on_call));
}
