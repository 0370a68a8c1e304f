//! GRANT and REVOKE: what each right allows, who grants it, and what becomes of live queries without it.

use std::collections::BTreeSet;

use kalamdb_testkit::{Session, Socket, TestServer};
use serde_json::{Value as Json, json};

/// A SHARED table with rows, a USER table of each, and anna and ben, who have no right on the former.
async fn world() -> (TestServer, Session, Session, Session) {
    world_with(&[]).await
}

async fn world_with(settings: &[(&str, &str)]) -> (TestServer, Session, Session, Session) {
    let server = TestServer::with(settings).await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY, n INT); CREATE TABLE mine (id INT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)").await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    (server, root, anna, ben)
}

/// Statements, and the rights on `t` that each needs.
const STATEMENTS: [(&str, &str); 35] = [
    ("S", "SELECT * FROM t"),
    ("S", "SELECT n FROM t WHERE id = 1"),
    ("S", "SELECT count(*) FROM t"),
    ("S", "SELECT 1 WHERE EXISTS (SELECT 1 FROM t)"),
    ("S", "SELECT * FROM mine LEFT JOIN default.t AS x ON mine.id = x.id"),
    ("S", "SELECT * FROM mine UNION ALL SELECT * FROM t"),
    ("S", "WITH c AS (SELECT * FROM t) SELECT count(*) FROM c"),
    ("S", "TABLE t"),
    ("S", "INSERT INTO mine SELECT id, n FROM t"),
    ("S", "INSERT INTO mine VALUES (1, (SELECT max(n) FROM t))"),
    ("S", "UPDATE mine SET n = (SELECT max(n) FROM t)"),
    ("S", "DELETE FROM mine WHERE id IN (SELECT id FROM t)"),
    ("I", "INSERT INTO t VALUES (100, 1)"),
    ("I", "INSERT INTO t (id) VALUES (100)"),
    ("I", "INSERT INTO t SELECT 100, 1"),
    ("I", "INSERT INTO t VALUES (100, 1) RETURNING 1 + 1 AS two"),
    ("I", "INSERT INTO t VALUES (100, 1) ON CONFLICT DO NOTHING"),
    ("SI", "INSERT INTO t VALUES (100, 1) RETURNING id"),
    ("SI", "INSERT INTO t VALUES (100, 1) RETURNING *"),
    ("SI", "INSERT INTO t VALUES (100, 1) ON CONFLICT (id) DO NOTHING"),
    ("SI", "INSERT INTO t SELECT id + 100, n FROM t"),
    ("SI", "INSERT INTO t VALUES (100, (SELECT max(n) FROM t))"),
    ("SIU", "INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = 0"),
    ("U", "UPDATE t SET n = 5"),
    ("U", "UPDATE t SET n = 2 + 3 WHERE 1 < 2"),
    ("U", "UPDATE t SET n = DEFAULT RETURNING 1 AS one"),
    ("SU", "UPDATE t SET n = n + 1"),
    ("SU", "UPDATE t SET n = 5 WHERE id = 1"),
    ("SU", "UPDATE t SET n = (SELECT count(*) FROM t)"),
    ("SU", "UPDATE t SET n = (SELECT 7 FROM t LIMIT 1)"),
    ("SU", "UPDATE t SET n = 5 RETURNING _seq"),
    ("D", "DELETE FROM t"),
    ("SD", "DELETE FROM t WHERE id = 1"),
    ("SD", "DELETE FROM t WHERE EXISTS (SELECT 1 FROM t AS other)"),
    ("SD", "DELETE FROM t RETURNING n"),
];

fn names(rights: &str) -> Vec<&'static str> {
    let all = [('S', "SELECT"), ('I', "INSERT"), ('U', "UPDATE"), ('D', "DELETE")];
    all.iter().filter(|(letter, _)| rights.contains(*letter)).map(|(_, name)| *name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_needs_exactly_the_rights_that_the_documentation_says() {
    let (_server, root, anna, _) = world().await;
    let sets: BTreeSet<String> = STATEMENTS
        .iter()
        .flat_map(|(needed, _)| {
            let without = |gone: char| needed.chars().filter(|right| *right != gone).collect::<String>();
            needed.chars().map(without).chain([(*needed).to_owned()]).collect::<Vec<_>>()
        })
        .collect();
    for granted in sets {
        if !granted.is_empty() {
            root.sql(&format!("GRANT {} ON t TO USER 'anna'", names(&granted).join(", "))).await;
        }
        for (needed, sql) in STATEMENTS {
            let missing: String = needed.chars().filter(|right| !granted.contains(*right)).collect();
            // What it does is taken back, so each meets the same rows.
            let answer = anna.try_all(&format!("BEGIN; {sql}; ROLLBACK"), &[]).await;
            match answer {
                Ok(_) => assert_eq!(missing, "", "{sql} went through with {granted}"),
                Err(failure) if granted.is_empty() => assert_eq!(failure.code, "NOT_FOUND", "{sql}: {failure}"),
                Err(failure) => {
                    assert_eq!(failure.code, "PERMISSION_DENIED", "{sql} with {granted}: {failure}");
                    assert_ne!(missing, "", "{sql} with {granted}: {failure}");
                    assert!(names(&missing).iter().any(|name| failure.message.contains(name)), "{sql}: {failure}");
                }
            }
        }
        root.sql("REVOKE ALL ON t FROM USER 'anna'").await;
    }
    assert_eq!(root.rows("SELECT * FROM t ORDER BY id").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_widen_the_access_level_for_users_and_for_roles_and_those_above() {
    let (server, root, anna, ben) = world().await;
    let robot = server.user("robot", "service").await;
    let code = async |who: &Session, sql: &str| match who.try_sql(sql).await {
        Ok(_) => "ok".to_owned(),
        Err(failure) => failure.code,
    };
    let read = "SELECT * FROM t";
    root.sql("GRANT SELECT ON TABLE default.t TO USER 'anna'").await;
    assert_eq!((code(&anna, read).await, code(&ben, read).await), ("ok".to_owned(), "NOT_FOUND".to_owned()));
    root.sql("GRANT SELECT ON t TO ROLE service").await;
    assert_eq!((code(&robot, read).await, code(&ben, read).await), ("ok".to_owned(), "NOT_FOUND".to_owned()));
    root.sql("REVOKE SELECT ON t FROM ROLE service; GRANT SELECT, INSERT ON t TO ROLE user").await;
    for who in [&anna, &ben, &robot] {
        assert_eq!(code(who, read).await, "ok");
        assert_eq!(code(who, "DELETE FROM t").await, "PERMISSION_DENIED");
    }
    ben.sql("INSERT INTO t VALUES (4, 40)").await;
    root.sql("REVOKE ALL ON t FROM ROLE user; ALTER TABLE t SET (ACCESS_LEVEL = 'RESTRICTED')").await;
    assert_eq!(
        (code(&robot, "DELETE FROM t WHERE id = 4").await, code(&ben, read).await),
        ("ok".into(), "NOT_FOUND".into())
    );
    // A user who rises and falls keeps what was granted to it by name.
    root.sql("ALTER USER 'anna' SET ROLE service; ALTER USER 'anna' SET ROLE user").await;
    let anna = server.http().login("anna", "password of anna").await;
    assert_eq!(code(&anna, read).await, "ok");
    assert_eq!(code(&anna, "INSERT INTO t VALUES (5, 50)").await, "PERMISSION_DENIED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn granting_again_and_revoking_what_was_not_granted_change_nothing_and_say_so() {
    let (_server, root, _, _) = world().await;
    let said = async |sql: &str| {
        let result = root.sql(sql).await;
        (result.json["message"].as_str().unwrap().to_owned(), !result.json["seq"].is_null())
    };
    for (sql, changes, words) in [
        ("GRANT SELECT ON t TO USER 'anna'", true, "granted"),
        ("GRANT SELECT ON t TO USER 'anna'", false, "before; nothing changed"),
        ("GRANT SELECT, UPDATE ON t TO USER 'anna'", true, "granted"),
        ("REVOKE DELETE ON t FROM USER 'anna'", false, "was not granted"),
        ("REVOKE ALL PRIVILEGES ON t FROM USER 'anna'", true, "revoked"),
        ("REVOKE ALL PRIVILEGES ON t FROM USER 'anna'", false, "was not granted"),
        ("GRANT ALL ON t TO ROLE dba", false, "may do everything"),
        ("REVOKE SELECT ON t FROM ROLE system", false, "still has SELECT"),
        ("GRANT SELECT ON t TO ROLE user", true, "granted"),
        ("GRANT SELECT ON t TO USER 'anna'", true, "granted"),
        ("REVOKE SELECT ON t FROM USER 'anna'", true, "still has SELECT"),
        ("ALTER TABLE t SET (ACCESS_LEVEL = 'PUBLIC')", true, "altered"),
        ("REVOKE SELECT ON t FROM ROLE user", true, "still has SELECT"),
        ("REVOKE SELECT ON t FROM USER 'ben'", false, "still has SELECT"),
        ("REVOKE INSERT ON t FROM ROLE service", false, "still has INSERT"),
    ] {
        let (message, changed) = said(sql).await;
        assert!(message.contains(words) && changed == changes, "{sql}: {message}");
    }
    for (sql, code) in [
        ("GRANT SELECT ON mine TO USER 'anna'", "UNSUPPORTED"),
        ("REVOKE SELECT ON mine FROM USER 'anna'", "UNSUPPORTED"),
        ("GRANT SELECT ON nothing TO USER 'anna'", "NOT_FOUND"),
        ("GRANT SELECT ON t TO USER 'nobody'", "NOT_FOUND"),
        ("REVOKE SELECT ON t FROM USER 'nobody'", "NOT_FOUND"),
        ("GRANT SELECT ON system.users TO USER 'anna'", "PERMISSION_DENIED"),
        ("BEGIN; GRANT SELECT ON t TO USER 'anna'; COMMIT", "UNSUPPORTED"),
    ] {
        assert_eq!(root.sql_fails(sql).await.code, code, "{sql}");
    }
    assert!(root.sql_fails("GRANT SELECT ON mine TO USER 'anna'").await.message.contains("own rows"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_administrators_grant_and_none_to_those_above() {
    let (server, root, anna, _) = world().await;
    root.sql("CREATE USER 'second' WITH PASSWORD 'long enough' ROLE system; GRANT ALL ON t TO USER 'anna'").await;
    let (robot, dora) = (server.user("robot", "service").await, server.user("dora", "dba").await);
    for sql in ["GRANT SELECT ON t TO USER 'ben'", "REVOKE SELECT ON t FROM USER 'anna'", "GRANT ALL ON t TO ROLE user"]
    {
        for who in [&anna, &robot] {
            assert_eq!(who.sql_fails(sql).await.code, "PERMISSION_DENIED", "{sql}");
        }
    }
    for sql in ["GRANT SELECT ON t TO USER 'second'", "REVOKE SELECT ON t FROM USER 'root'"] {
        assert_eq!(dora.sql_fails(sql).await.code, "PERMISSION_DENIED", "{sql}");
    }
    dora.sql("GRANT SELECT ON t TO USER 'ben'; GRANT SELECT ON t TO USER 'dora'; REVOKE ALL ON t FROM USER 'anna'")
        .await;
    root.sql("GRANT SELECT ON t TO USER 'second'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_grants_are_shown_to_administrators_and_to_those_whom_they_reach() {
    let (mut server, root, anna, _) = world().await;
    root.sql("CREATE SHARED TABLE u (id INT PRIMARY KEY)").await;
    root.sql(
        "GRANT SELECT, DELETE ON t TO USER 'anna'; GRANT INSERT ON t TO USER 'ben'; GRANT SELECT ON u TO ROLE user",
    )
    .await;
    root.sql("GRANT SELECT ON u TO ROLE service").await;
    let grant = |table: &str, kind: &str, grantee: &str, right: &str| -> Vec<Json> {
        vec![json!("default"), json!(table), json!(kind), json!(grantee), json!(right)]
    };
    let of_anna = vec![grant("t", "user", "anna", "SELECT"), grant("t", "user", "anna", "DELETE")];
    let reach_anna = [of_anna.clone(), vec![grant("u", "role", "user", "SELECT")]].concat();
    let of_ben = grant("t", "user", "ben", "INSERT");
    assert_eq!(anna.rows("SHOW GRANTS").await, reach_anna);
    assert_eq!(anna.rows("SELECT * FROM system.grants").await, reach_anna);
    assert_eq!(anna.rows("SHOW GRANTS ON t").await, of_anna);
    assert_eq!(anna.rows("SHOW GRANTS FOR USER 'ben'").await, Vec::<Vec<Json>>::new());
    assert_eq!(anna.rows("SHOW GRANTS FOR ROLE service").await, Vec::<Vec<Json>>::new());
    assert!(root.rows("SHOW GRANTS").await.contains(&of_ben));
    assert_eq!(root.rows("SHOW GRANTS FOR USER 'ben'").await, [of_ben]);
    assert_eq!(root.cell("SELECT count(*) FROM system.grants").await, json!("5"));
    for sql in
        ["DELETE FROM system.grants", "INSERT INTO system.grants VALUES ('default', 't', 'user', 'ben', 'DELETE')"]
    {
        assert_eq!(root.sql_fails(sql).await.code, "PERMISSION_DENIED", "{sql}");
    }
    server.restart().await;
    let anna = server.http().login("anna", "password of anna").await;
    assert_eq!(anna.rows("SHOW GRANTS").await, reach_anna);
    assert_eq!(anna.rows("SELECT id FROM t WHERE id = 1").await, [[json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_go_with_their_table_and_with_their_user() {
    let (server, root, anna, _) = world().await;
    root.sql("GRANT ALL ON t TO USER 'anna'").await;
    root.sql("DROP TABLE t; CREATE SHARED TABLE t (id INT PRIMARY KEY, n INT)").await;
    assert_eq!(anna.sql_fails("SELECT * FROM t").await.code, "NOT_FOUND");
    root.sql("GRANT ALL ON t TO USER 'anna'").await;
    root.sql("DROP USER 'anna'").await;
    assert_eq!(root.cell("SELECT count(*) FROM system.grants").await, json!("0"));
    let anna = server.user("anna", "user").await;
    assert_eq!(anna.sql_fails("SELECT * FROM t").await.code, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_the_grantees_of_a_table_are_bounded() {
    let (_server, root, _, _) = world_with(&[("limits.max_grantees", "1")]).await;
    root.sql("GRANT SELECT ON t TO USER 'anna'; GRANT INSERT ON t TO USER 'anna'").await;
    let failure = root.sql_fails("GRANT SELECT ON t TO USER 'ben'").await;
    assert_eq!((failure.status, failure.code.as_str()), (413, "TOO_LARGE"), "{failure}");
    root.sql("REVOKE ALL ON t FROM USER 'anna'; GRANT SELECT ON t TO USER 'ben'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_listed_for_whoever_has_a_right_on_it() {
    let (_server, root, anna, ben) = world().await;
    root.sql("GRANT INSERT ON t TO USER 'anna'").await;
    for sql in [
        "SELECT table_name FROM system.tables WHERE table_name = 't'",
        "SELECT column_name FROM system.columns WHERE table_name = 't'",
        "SHOW TABLES IN default",
    ] {
        assert!(anna.rows(sql).await.len() > ben.rows(sql).await.len(), "{sql}");
    }
    assert_eq!(anna.rows("DESCRIBE TABLE t").await.len(), 2);
    assert_eq!(ben.sql_fails("DESCRIBE TABLE t").await.code, "NOT_FOUND");
}

/// The error that ended a subscription.
async fn end_of(socket: &mut Socket, id: &str) -> Json {
    socket.next_where(|frame| frame["subscription_id"] == id && frame["type"] == "error").await
}

const LIVE: [(&str, &str); 3] = [
    ("filter", "SELECT * FROM t"),
    ("rerun", "SELECT count(*) AS c, max(n) AS m FROM t"),
    ("join", "SELECT mine.id, t.n FROM mine JOIN t ON mine.id = t.id"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_lost_right_ends_the_live_queries_of_those_who_lost_it_and_no_others() {
    let (_server, root, anna, ben) = world().await;
    for (take, give) in [
        ("REVOKE SELECT ON t FROM USER 'anna'", "GRANT SELECT, INSERT ON t TO USER 'anna'"),
        ("REVOKE ALL ON t FROM ROLE user", "GRANT SELECT ON t TO ROLE user"),
        ("ALTER TABLE t SET (ACCESS_LEVEL = 'PRIVATE')", "ALTER TABLE t SET (ACCESS_LEVEL = 'PUBLIC')"),
    ] {
        root.sql("GRANT SELECT ON t TO USER 'ben'").await;
        root.sql(give).await;
        let (mut of_anna, mut of_ben) = (anna.connect().await, ben.connect().await);
        let mut copies = Vec::new();
        for (id, sql) in LIVE {
            let before = of_anna.subscribe(id, sql).await.seq();
            copies.push((id, sql, of_ben.subscribe(id, sql).await, before));
        }
        of_anna.subscribe("own", "SELECT * FROM mine").await;
        root.sql(take).await;
        let seq = root.sql("UPDATE t SET n = n + 777000").await.seq();
        for (id, sql, live, before) in &mut copies {
            let end = end_of(&mut of_anna, id).await;
            assert_eq!(end["code"], "PERMISSION_DENIED", "{take}: {end}");
            of_ben.follow(live, seq).await;
            live.assert_equals(&ben.rows(sql).await);
            // Coming back is refused as beginning is.
            for options in [json!({ "from": *before }), json!({}), Json::Null] {
                of_anna.send_subscribe("again", sql, &[], options).await;
                let refused = of_anna.next_of("again").await;
                assert!(matches!(refused["code"].as_str(), Some("PERMISSION_DENIED" | "NOT_FOUND")), "{refused}");
            }
        }
        let own = anna.sql("DELETE FROM mine; INSERT INTO mine VALUES (1, 1)").await.seq();
        of_anna.until(own).await;
        for (id, _) in LIVE {
            assert_eq!(of_anna.take_of(id), Vec::<Json>::new(), "{take}");
        }
        assert!(!of_anna.take_of("own").is_empty(), "what it may read goes on");
        let rows = root.rows("SELECT subscription_id FROM system.live_queries WHERE user_id = 'anna'").await;
        assert_eq!(rows, [[json!("own")]]);
        // What is given again is there for those who ask again.
        root.sql(give).await;
        of_anna.subscribe("filter", "SELECT * FROM t").await.assert_equals(&root.rows("SELECT * FROM t").await);
        root.sql("REVOKE ALL ON t FROM USER 'anna'; REVOKE ALL ON t FROM ROLE user").await;
        root.sql("ALTER TABLE t SET (ACCESS_LEVEL = 'PRIVATE')").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_snapshot_that_is_half_sent_ends_where_the_right_is_lost() {
    let (_server, root, anna, _) = world().await;
    root.sql("GRANT SELECT ON t TO USER 'anna'").await;
    let mut socket = anna.connect().await;
    for (id, sql) in [("filter", "SELECT * FROM t"), ("rerun", "SELECT n FROM t ORDER BY n")] {
        socket.send_subscribe(id, sql, &[], json!({ "batch_size": 1 })).await;
        assert_eq!(socket.next_of(id).await["type"], "subscription_ack");
        assert_eq!(socket.next_of(id).await["type"], "initial_data_batch");
    }
    root.sql("REVOKE SELECT ON t FROM USER 'anna'").await;
    for id in ["filter", "rerun"] {
        let end = socket.next_of(id).await;
        assert_eq!((&end["type"], &end["code"]), (&json!("error"), &json!("PERMISSION_DENIED")), "{end}");
        // A page is asked for of a subscription that is no more.
        socket.send(&json!({ "type": "next_batch", "subscription_id": id })).await;
        assert_eq!(socket.next_of(id).await["code"], "NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_reader_that_lags_gets_none_of_what_came_after_its_right_was_lost() {
    let (_server, root, anna, _) = world_with(&[("websocket.outbox_max_bytes", "65536")]).await;
    root.sql("CREATE SHARED TABLE big (id INT PRIMARY KEY, text TEXT); GRANT SELECT ON big TO USER 'anna'").await;
    let mut socket = anna.connect().await;
    socket.subscribe("filter", "SELECT * FROM big").await;
    let text = "x".repeat(60_000);
    let lags = "SELECT count(*) FROM system.live_queries WHERE status = 'paused'";
    let mut id = 0;
    while root.cell(lags).await == json!("0") {
        for _ in 0..20 {
            id += 1;
            root.sql_with("INSERT INTO big VALUES ($1, $2)", &[json!(id), json!(text)]).await;
        }
    }
    root.sql("REVOKE SELECT ON big FROM USER 'anna'").await;
    root.sql("UPDATE big SET text = 'secret' WHERE id = 1; INSERT INTO big VALUES (0, 'secret')").await;
    loop {
        let frame = socket.next_of("filter").await;
        assert!(!frame.to_string().contains("secret"), "{frame}");
        if frame["type"] == "error" {
            assert_eq!(frame["code"], "PERMISSION_DENIED");
            break;
        }
    }
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await["type"], "pong", "nothing comes behind the error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_whatever_stage_a_live_query_is_in_no_row_of_after_the_revoke_reaches_it() {
    let (_server, root, anna, ben) = world_with(&[("live.rerun_interval_ms", "50")]).await;
    let mut of_ben = ben.connect().await;
    root.sql("GRANT SELECT ON t TO USER 'ben'").await;
    of_ben.subscribe("rerun", LIVE[1].1).await;
    for round in 0..12 {
        root.sql("GRANT SELECT ON t TO USER 'anna'").await;
        let mut socket = anna.connect().await;
        if round % 2 == 0 {
            for (id, sql) in LIVE {
                socket.subscribe(id, sql).await;
            }
        }
        let writes = root.sql("UPDATE t SET n = n + 1");
        let late = async {
            // Some begin while the right goes.
            for (id, sql) in LIVE {
                socket.send_subscribe(&format!("{id}-late"), sql, &[], json!({})).await;
            }
        };
        let revoke = root.sql("REVOKE SELECT ON t FROM USER 'anna'");
        let _ = tokio::join!(writes, late, revoke);
        let after = root.sql(&format!("UPDATE t SET n = {}", 777_000 + round)).await.seq();
        let own = anna.sql(&format!("INSERT INTO mine VALUES ({round}, 1)")).await.seq();
        assert!(own > after);
        socket.until(own).await;
        for id in LIVE.iter().flat_map(|(id, _)| [(*id).to_owned(), format!("{id}-late")]) {
            let frames = socket.take_of(&id);
            assert!(frames.iter().all(|frame| !frame.to_string().contains("777")), "{round} {id}: {frames:?}");
            let last = frames.last().map(|frame| frame["type"].clone());
            assert!(last.is_none_or(|last| last == "error") || round % 2 == 0, "{round} {id}: {frames:?}");
        }
        assert_eq!(root.cell("SELECT count(*) FROM system.live_queries WHERE user_id = 'anna'").await, json!("0"));
        root.sql("UPDATE t SET n = id").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_request_under_way_does_nothing_more_once_its_user_is_dropped_or_has_another_role() {
    let (server, root, _, _) = world().await;
    let dora = server.user("dora", "dba").await;
    let failure = dora.sql_fails("ALTER USER 'dora' SET ROLE user; CREATE NAMESPACE n").await;
    assert_eq!((failure.code.as_str(), failure.details.as_deref()), ("TOKEN_REVOKED", Some("statement 2 of 2")));
    let dora = server.http().login("dora", "password of dora").await;
    assert_eq!(dora.sql_fails("CREATE NAMESPACE n").await.code, "PERMISSION_DENIED");
    root.sql("ALTER USER 'dora' SET ROLE dba").await;
    for last in ["INSERT INTO mine VALUES (1, 1)", "SELECT 1", "CREATE NAMESPACE n", "BEGIN; SELECT 1; COMMIT"] {
        let dora = server.http().login("dora", "password of dora").await;
        let failure = dora.sql_fails(&format!("DROP USER 'dora'; {last}")).await;
        assert_eq!(failure.code, "TOKEN_REVOKED", "{last}");
        root.sql("CREATE USER 'dora' WITH PASSWORD 'password of dora' ROLE dba").await;
    }
    let dora = server.http().login("dora", "password of dora").await;
    assert_eq!(dora.rows("SELECT * FROM mine").await, Vec::<Vec<Json>>::new());
    assert_eq!(root.rows("SELECT namespace_id FROM system.namespaces WHERE namespace_id = 'n'").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_what_administrators_do_and_what_is_refused_leaves_a_line_without_values() {
    let (server, root, anna, _) = world().await;
    let dora = server.user("dora", "dba").await;
    let mut socket = anna.connect().await;
    socket.subscribe("s", "SELECT 1 AS one").await;
    let live_id = format!("anna-{}-s", socket.connection_id());
    let done = [
        ("ddl", "CREATE NAMESPACE", "n", "CREATE NAMESPACE n".to_owned()),
        (
            "ddl",
            "CREATE TABLE",
            "n.x",
            "CREATE TABLE n.x (id INT PRIMARY KEY, text TEXT DEFAULT 'tell-nobody')".to_owned(),
        ),
        ("ddl", "ALTER TABLE", "default.t", "ALTER TABLE t SET (ACCESS_LEVEL = 'PUBLIC')".to_owned()),
        ("ddl", "CREATE INDEX", "default.t", "CREATE INDEX by_n ON t (n)".to_owned()),
        ("ddl", "DROP INDEX", "default.t", "DROP INDEX by_n ON t".to_owned()),
        (
            "grant",
            "GRANT",
            "SELECT, INSERT on default.t to user \"anna\"",
            "GRANT SELECT, INSERT ON t TO USER 'anna'".to_owned(),
        ),
        ("grant", "REVOKE", "INSERT on default.t from user \"anna\"", "REVOKE INSERT ON t FROM USER 'anna'".to_owned()),
        ("user", "CREATE USER", "x", "CREATE USER 'x' WITH PASSWORD 'tell-nobody' ROLE user".to_owned()),
        ("user", "ALTER USER", "x", "ALTER USER 'x' SET EMAIL 'tell-nobody@example.org'".to_owned()),
        ("token_revoked", "REVOKE TOKENS", "x", "REVOKE TOKENS FOR USER 'x'".to_owned()),
        ("user", "DROP USER", "x", "DROP USER 'x'".to_owned()),
        ("ddl", "DROP TABLE", "n.x", "DROP TABLE n.x".to_owned()),
        ("ddl", "DROP NAMESPACE", "n", "DROP NAMESPACE n".to_owned()),
        ("kill", "KILL LIVE QUERY", live_id.as_str(), format!("KILL LIVE QUERY '{live_id}'")),
    ];
    for (.., sql) in &done {
        dora.sql(sql).await;
        anna.sql_fails(sql).await;
    }
    let log = "SELECT kind, action, object, outcome FROM system.audit_log WHERE user_id";
    let of_dora = root.rows(&format!("{log} = 'dora' AND kind NOT IN ('login', 'logout') ORDER BY audit_id")).await;
    let of_anna = root.rows(&format!("{log} = 'anna' AND kind NOT IN ('login', 'logout')")).await;
    let lines = |outcome: &str| -> Vec<Vec<Json>> {
        done.iter()
            .map(|(kind, action, object, _)| vec![json!(kind), json!(action), json!(object), json!(outcome)])
            .collect()
    };
    assert_eq!(of_dora, lines("ok"));
    for line in lines("PERMISSION_DENIED") {
        assert!(of_anna.contains(&line), "{line:?} is not in {of_anna:?}");
    }
    let all = json!(root.rows("SELECT * FROM system.audit_log").await).to_string();
    assert!(!all.contains("tell-nobody"), "{all}");
    assert_eq!(dora.cell("SELECT count(*) > 0 FROM system.audit_log").await, json!(true));
}
