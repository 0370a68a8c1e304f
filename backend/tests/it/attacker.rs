//! Somebody with a user of its own who wants what is not its own, through every door there is.
//!
//! Most of this is told by comparison: the same questions are asked of two servers that differ only in
//! the rows of others, and the answers must be the same to the letter. What a question could reveal need
//! not be thought of then, only the question.

use kalamdb_testkit::{Session, Socket, TestServer};
use serde_json::{Value as Json, json};

/// Stands in every row of the victim's.
const SECRET: &str = "tell-nobody";

/// A server on which ben and root have rows that are secret: in the tables that anna asks for, or (so that
/// the SeqIds are the same) in others that she has never heard of.
struct World {
    server: TestServer,
    anna: Session,
    robot: Session,
}

async fn world(holds_secrets: bool) -> World {
    let server = TestServer::start().await;
    let root = server.root().await;
    let mut setup = String::new();
    for end in ["", "_elsewhere"] {
        setup.push_str(&format!(
            "CREATE TABLE notes{end} (id INT PRIMARY KEY, text TEXT, n INT);
             CREATE UNIQUE INDEX by_text ON notes{end} (text); CREATE INDEX by_n ON notes{end} (n);
             CREATE STREAM TABLE feed{end} (id INT PRIMARY KEY, text TEXT) WITH (TTL_SECONDS = 3600);
             CREATE SHARED TABLE secrets{end} (id INT PRIMARY KEY, text TEXT UNIQUE);
             CREATE SHARED TABLE drop_box{end} (id INT PRIMARY KEY, text TEXT, n INT);"
        ));
    }
    root.sql(&setup).await;
    root.sql("CREATE SHARED TABLE news (id INT PRIMARY KEY, text TEXT) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    root.sql("GRANT INSERT ON drop_box TO ROLE user").await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let robot = server.user("robot", "service").await;
    let end = if holds_secrets { "" } else { "_elsewhere" };
    ben.sql(&format!(
        "INSERT INTO notes{end} VALUES (1, '{SECRET} 1', 0), (7, '{SECRET} 7', 7), (8, 'of anna', 8);
         INSERT INTO feed{end} VALUES (1, '{SECRET}')"
    ))
    .await;
    root.sql(&format!(
        "INSERT INTO secrets{end} VALUES (1, '{SECRET}');
         INSERT INTO drop_box{end} VALUES (-1, '{SECRET}', 0); INSERT INTO news VALUES (1, 'open to all')"
    ))
    .await;
    for who in [&anna, &robot] {
        who.sql("INSERT INTO notes VALUES (1, 'of anna', 1), (2, 'too', 2)").await;
    }
    World { server, anna, robot }
}

/// Questions, each of which could reveal something if rows, names or numbers of others got into the answer.
const QUESTIONS: &[&str] = &[
    // One's own table, seen in every way.
    "SELECT * FROM notes ORDER BY id",
    "SELECT n.*, n._seq FROM notes AS n ORDER BY 1",
    "SELECT * FROM default.notes ORDER BY id",
    "SELECT * FROM \"default\".\"notes\" ORDER BY id",
    "SELECT * FROM \"NOTES\"",
    "SELECT * FROM notes WHERE id = 7",
    "SELECT * FROM notes WHERE id = 1",
    "SELECT * FROM notes WHERE text = 'tell-nobody 7'",
    "SELECT * FROM notes WHERE text >= 'tell' ORDER BY text",
    "SELECT * FROM notes WHERE n IN (0, 1, 7)",
    "SELECT count(*), max(id), min(_seq), max(_seq) FROM notes",
    "SELECT * FROM notes ORDER BY n DESC LIMIT 1 OFFSET 1",
    "SELECT * FROM notes ORDER BY n LIMIT 10 OFFSET 2",
    "SELECT a.text, b.text FROM notes a FULL JOIN notes b ON a.id = b.n ORDER BY 1, 2",
    "SELECT id FROM notes UNION ALL SELECT id FROM feed ORDER BY 1",
    "SELECT id FROM notes EXCEPT SELECT 1",
    "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 9) SELECT text FROM r JOIN notes ON id = i",
    "SELECT text, row_number() OVER (ORDER BY n), lag(text) OVER (ORDER BY n) FROM notes",
    "SELECT string_agg(text, ',' ORDER BY text) FROM notes",
    "SELECT * FROM notes WHERE text LIKE '%nobody%' OR text SIMILAR TO '%body%'",
    "SELECT DISTINCT ON (n) text FROM notes ORDER BY n",
    "SELECT * FROM notes AS OF SYSTEM TIME 1",
    "SELECT * FROM feed",
    "EXPLAIN SELECT * FROM notes WHERE text = 'x'",
    "EXPLAIN ANALYZE VERBOSE SELECT * FROM nothing",
    "EXPLAIN LIVE SELECT * FROM notes WHERE n = 7",
    // Errors that depend on values.
    "SELECT 1 / n FROM notes",
    "SELECT 1 / (n - 7) FROM notes",
    "SELECT CAST(text AS INT) FROM notes",
    "SELECT CAST(text AS DATE) FROM feed",
    "SELECT (SELECT text FROM notes)",
    "SELECT n * 2147483647 FROM notes",
    "SELECT 1 / n FROM drop_box",
    // Tables that are closed to her.
    "SELECT * FROM secrets",
    "SELECT count(*) FROM secrets",
    "TABLE secrets",
    "SELECT no_such_column FROM secrets",
    "SELECT s.text FROM secrets s",
    "SELECT * FROM news LEFT JOIN secrets ON news.id = secrets.id",
    "SELECT (SELECT max(text) FROM secrets)",
    "SELECT * FROM news WHERE EXISTS (SELECT 1 FROM secrets WHERE text LIKE 't%')",
    "SELECT * FROM news, LATERAL (SELECT * FROM secrets) AS s",
    "WITH secrets AS (SELECT 1 AS id) SELECT * FROM secrets",
    "WITH secrets AS (SELECT 1 AS id) SELECT * FROM default.secrets",
    "WITH s AS (SELECT * FROM secrets) SELECT 1",
    "SELECT 1 FROM news WHERE false AND id IN (SELECT id FROM secrets)",
    "SELECT * FROM kalam.default.secrets",
    "SELECT * FROM datafusion.public.secrets",
    "SELECT arrow_typeof(text) FROM secrets",
    "SELECT * FROM drop_box",
    "SELECT count(*) FROM drop_box",
    "SELECT * FROM secrets_elsewhere",
    "DESCRIBE TABLE secrets",
    "DESCRIBE TABLE drop_box",
    "SHOW GRANTS ON secrets",
    "EXPLAIN SELECT * FROM secrets",
    "EXPLAIN ANALYZE SELECT * FROM secrets",
    "EXPLAIN LIVE SELECT * FROM secrets",
    // Writing, and what it answers.
    "INSERT INTO notes VALUES (7, 'tell-nobody 7', 0) RETURNING *",
    "INSERT INTO notes VALUES (8, 'mine', 0) ON CONFLICT (id) DO UPDATE SET text = notes.text || '!' RETURNING *",
    "INSERT INTO notes VALUES (9, 'tell-nobody 1', 0) ON CONFLICT (text) DO UPDATE SET n = notes.n + 1 RETURNING n",
    "INSERT INTO notes VALUES (1, 'again', 0)",
    "INSERT INTO notes VALUES (20, 'of anna', 0)",
    "INSERT INTO notes VALUES (1, 'again', 0) ON CONFLICT DO NOTHING RETURNING *",
    "INSERT INTO notes SELECT id + 50, text, n FROM secrets",
    "INSERT INTO notes (id, text) VALUES (60, (SELECT max(text) FROM secrets))",
    "UPDATE notes SET n = n + 1 RETURNING id, n",
    "UPDATE notes SET text = text || 'x' WHERE text LIKE 'tell%' RETURNING id",
    "UPDATE notes SET n = (SELECT count(*) FROM secrets)",
    "UPDATE notes SET n = 5 WHERE n = 12345",
    "DELETE FROM notes WHERE n >= 7 RETURNING id",
    "DELETE FROM notes WHERE id IN (SELECT id FROM secrets)",
    "DELETE FROM feed",
    "INSERT INTO secrets VALUES (1, 'x')",
    "INSERT INTO secrets VALUES (2, 'tell-nobody')",
    "INSERT INTO secrets VALUES (1, 'x') ON CONFLICT DO NOTHING",
    "UPDATE secrets SET text = 'x'",
    "DELETE FROM secrets RETURNING *",
    "INSERT INTO drop_box VALUES (100, 'from anna', 1)",
    "INSERT INTO drop_box VALUES (101, 'from anna', 1) RETURNING id",
    "INSERT INTO drop_box VALUES (-1, 'x', 1) ON CONFLICT (id) DO NOTHING",
    "UPDATE drop_box SET n = 0",
    "DELETE FROM drop_box",
    "BEGIN; INSERT INTO notes VALUES (70, 'now', 0); SELECT count(*) FROM notes; ROLLBACK",
    "INSERT INTO news VALUES (2, 'x')",
    // What the database tells of itself.
    "SELECT user_id, query FROM system.live_queries",
    "SELECT user_id, role FROM system.connections",
    "SELECT * FROM system.users",
    "SELECT user_id FROM system.users WHERE user_id = 'ben'",
    "SELECT * FROM system.settings",
    "SELECT * FROM system.audit_log",
    "SELECT namespace_id, table_name, access_level, indexes FROM system.tables",
    "SELECT * FROM system.columns WHERE table_name LIKE 'secret%'",
    "SELECT namespace_id, table_count FROM system.namespaces",
    "SELECT * FROM system.grants",
    "SHOW GRANTS FOR USER 'ben'",
    "SHOW TABLES",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM pg_class",
    "UPDATE system.users SET role = 'dba'",
    "DELETE FROM system.live_queries",
    "SHOW ALL",
    "SHOW search_path",
    "SET ROLE dba",
    // Files, settings, the planner.
    "SELECT version()",
    "SELECT current_setting('auth.jwt_secret')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "COPY notes TO '/tmp/x'",
    "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    "SELECT @@version",
    "SELECT CURRENT_USER(), CURRENT_ROLE()",
    "SELECT CURRENT_ROLE() AS \"CURRENT_USER()\"",
    // Being somebody else.
    "EXECUTE AS USER 'ben' (SELECT * FROM notes)",
    "EXECUTE AS USER 'root' (SELECT * FROM secrets)",
    "EXECUTE AS USER 'nobody' (SELECT 1)",
    "EXECUTE AS USER 'anna' (SELECT * FROM notes)",
    "KILL CONNECTION '00000000000000000000000000000001'",
    "KILL LIVE QUERY 'ben-00000000000000000000000000000001-s'",
    "GRANT SELECT ON secrets TO USER 'anna'",
    "REVOKE TOKENS FOR USER 'ben'",
    "ALTER USER 'anna' SET ROLE dba",
    "ALTER TABLE secrets SET (ACCESS_LEVEL = 'PUBLIC')",
    "CREATE INDEX i ON secrets (text)",
    "DROP TABLE secrets",
];

/// The complete answer, but for how long it took.
async fn answer(who: &Session, sql: &str) -> Json {
    let mut body = who.http.sql(Some(&who.access_token), sql, &[]).await.body;
    body["took"] = Json::Null;
    body
}

async fn answers(who: &Session) -> Vec<Json> {
    let mut answers = Vec::with_capacity(QUESTIONS.len());
    for sql in QUESTIONS {
        answers.push(answer(who, sql).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_what_others_have_changes_no_answer_to_any_question() {
    let (with, without) = tokio::join!(world(true), world(false));
    for (here, there) in [(&with.anna, &without.anna), (&with.robot, &without.robot)] {
        let (found, wanted) = tokio::join!(answers(here), answers(there));
        for ((sql, found), wanted) in QUESTIONS.iter().zip(found).zip(wanted) {
            assert_eq!(found, wanted, "{sql}");
            let told = found.to_string();
            // What the question said itself may be in the answer.
            assert!(!told.contains(SECRET) || sql.contains(SECRET), "{sql}: {told}");
            assert!(!told.contains("/work") && !told.contains("/etc/p") || sql.contains("/etc"), "{sql}: {told}");
            assert_ne!(found["error"]["code"], "INTERNAL", "{sql}: {told}");
        }
    }
    let root = with.server.root().await;
    let theirs = root.rows("EXECUTE AS USER 'ben' (SELECT id, text, n FROM notes ORDER BY id)").await;
    let [one, seven] = [1, 7].map(|id| format!("{SECRET} {id}"));
    assert_eq!(
        theirs,
        [[json!(1), json!(one), json!(0)], [json!(7), json!(seven), json!(7)], [json!(8), json!("of anna"), json!(8)]]
    );
    assert_eq!(root.rows("SELECT id, text FROM secrets").await, [[json!(1), json!(SECRET)]]);
    assert_eq!(root.rows("SELECT text FROM drop_box WHERE id < 0").await, [[json!(SECRET)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s20_a_role_that_may_not_see_a_table_is_told_the_same_as_if_it_were_not_there() {
    let World { server, anna, robot } = world(true).await;
    let _ = server;
    for who in [&anna, &robot] {
        for sql in QUESTIONS.iter().filter(|sql| sql.contains("secrets") && !sql.contains("secrets_")) {
            let (of_secret, of_nothing) =
                (answer(who, sql).await, answer(who, &sql.replace("secrets", "nothing")).await);
            let told = |answer: &Json| answer["error"].to_string().replace("secrets", "nothing");
            assert_eq!(told(&of_secret), told(&of_nothing), "{sql}");
        }
    }
}

/// Everything that has come to a socket up to `seq`, as text.
async fn heard(socket: &mut Socket, ids: &[&str], seq: u64) -> String {
    socket.until(seq).await;
    ids.iter().flat_map(|id| socket.take_of(id)).map(|frame| frame.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_no_frame_brings_a_row_of_another() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE notes (id INT PRIMARY KEY, text TEXT); CREATE SHARED TABLE secrets (id INT PRIMARY KEY, text TEXT)")
        .await;
    root.sql("CREATE NAMESPACE ben; CREATE TABLE ben.notes (id INT PRIMARY KEY, text TEXT)").await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let first = ben.sql(&format!("INSERT INTO notes VALUES (1, '{SECRET}')")).await.seq();
    ben.sql(&format!("INSERT INTO ben.notes VALUES (1, '{SECRET}')")).await;
    let (mut theirs, mut socket) = (ben.connect().await, anna.connect().await);
    let mut victim = theirs.subscribe_with("s", "SELECT * FROM notes", &[], json!({})).await;
    let ids: Vec<String> = (0..14).map(|n| format!("s{n}")).collect();
    for (n, (sql, params, options, namespace)) in [
        ("SELECT * FROM notes", json!([]), json!({}), "default"),
        ("SELECT * FROM notes", json!([]), json!({ "from": first - 1 }), "default"),
        ("SELECT * FROM notes", json!([]), json!({ "from": first }), "default"),
        ("SELECT * FROM notes", json!([]), json!({ "from": 0 }), "default"),
        ("SELECT * FROM notes", json!([]), json!({ "last_rows": 10 }), "default"),
        ("SELECT * FROM notes", json!([]), Json::Null, "ben"),
        ("SELECT * FROM notes", json!([]), json!({}), "ben"),
        ("SELECT count(*) AS c FROM notes", json!([]), json!({ "from": first - 1 }), "default"),
        ("SELECT text, CURRENT_USER() AS u FROM notes ORDER BY text", json!([]), json!({}), "default"),
        ("SELECT * FROM notes WHERE id = $1", json!([1]), json!({}), "default"),
        ("SELECT * FROM notes WHERE text = $1", json!([SECRET]), json!({}), "default"),
        ("SELECT * FROM secrets", json!([]), json!({}), "default"),
        ("SELECT * FROM system.live_queries", json!([]), json!({}), "default"),
        ("SELECT * FROM notes", json!([]), json!({ "user_id": "ben", "scope": "ben" }), "../ben"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut subscription =
            json!({ "id": ids[n], "sql": sql, "options": options, "namespace_id": namespace, "user_id": "ben" });
        if params != json!([]) {
            subscription["params"] = params;
        }
        socket.send(&json!({ "type": "subscribe", "subscription": subscription })).await;
    }
    // Names of what is another's mean one's own, or nothing.
    let live_id = format!("ben-{}-s", theirs.connection_id());
    for id in ["s", live_id.as_str()] {
        for frame in ["next_batch", "unsubscribe"] {
            socket.send(&json!({ "type": frame, "subscription_id": id, "last_seq_id": 0 })).await;
        }
        assert_eq!(socket.next_of(id).await["code"], "NOT_FOUND");
        assert_eq!(socket.next_of(id).await["status"], "not_found");
    }
    for sql in [format!("KILL LIVE QUERY '{live_id}'"), format!("KILL CONNECTION '{}'", theirs.connection_id())] {
        assert_eq!(anna.sql_fails(&sql).await.code, "PERMISSION_DENIED", "{sql}");
    }
    let answer = socket.authenticate(&ben.access_token).await;
    assert_ne!(answer["type"], "auth_success", "{answer}");
    ben.sql(&format!("UPDATE notes SET text = '{SECRET} still'; INSERT INTO ben.notes VALUES (2, '{SECRET}')")).await;
    root.sql(&format!("INSERT INTO secrets VALUES (1, '{SECRET}')")).await;
    anna.sql("INSERT INTO notes VALUES (1, 'of anna')").await;
    let seq = anna.sql("DELETE FROM notes").await.seq();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let told = heard(&mut socket, &ids, seq).await;
    assert!(told.contains("of anna"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
    theirs.follow(&mut victim, seq).await;
    victim.assert_equals(&[vec![json!(1), json!(format!("{SECRET} still"))]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_names_that_look_alike_are_users_apart() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE notes (id INT PRIMARY KEY, owner TEXT)").await;
    let (long, longer) = ("x".repeat(127), "x".repeat(128));
    let names = [
        "alice", "Alice", "ALICE", "alic", "alice0", "a", "ab", "a-b", "a.b", "a@b", "a+b", "a_b", "a--b", "0", "00",
        "ß", "ss", "İ", "i", "а", "ﬀ", "ff", "É", &long, &longer,
    ];
    for name in names {
        root.sql(&format!("CREATE USER '{name}' WITH PASSWORD 'password of {name}' ROLE user")).await;
    }
    let mut sockets = Vec::new();
    for name in names {
        let session = server.http().login(name, &format!("password of {name}")).await;
        let mut socket = session.connect().await;
        let live = socket.subscribe("s", "SELECT owner FROM notes WHERE id = 1").await;
        sockets.push((name, session, socket, live));
    }
    let mut seq = 0;
    for (name, session, ..) in &sockets {
        seq = session.sql_with("INSERT INTO notes VALUES (1, $1)", &[json!(name)]).await.seq();
    }
    for (name, session, socket, live) in &mut sockets {
        socket.follow(live, seq).await;
        live.assert_equals(&[vec![json!(name)]]);
        assert_eq!(session.rows("SELECT owner, CURRENT_USER() FROM notes").await, [[json!(name), json!(name)]]);
        let rows = root.rows(&format!("EXECUTE AS USER '{name}' (SELECT owner FROM notes)")).await;
        assert_eq!(rows, [[json!(name)]]);
    }
    assert_eq!(server.http().try_login("aLICE", "password of alice").await.status, 401);
    assert_eq!(server.http().try_login("alice ", "password of alice").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s18_a_name_that_could_be_taken_for_something_else_is_no_user() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let long = "x".repeat(129);
    for name in [
        "",
        " ",
        "a b",
        "a/b",
        "..",
        "../root",
        "a\\b",
        "a\0",
        "a\nb",
        "root\n",
        "-a",
        ".a",
        "e\u{301}",
        "a\u{200b}",
        "a\u{202e}b",
        "a%00",
        "a:b",
        "a;b",
        "a\"b",
        "ben-00000000000000000000000000000001",
        &long,
    ] {
        let literal = name.replace('\'', "''");
        for sql in [
            format!("CREATE USER '{literal}' WITH PASSWORD 'long enough' ROLE user"),
            format!("EXECUTE AS USER '{literal}' (SELECT 1)"),
            format!("GRANT SELECT ON t TO USER '{literal}'"),
            format!("DROP USER '{literal}'"),
        ] {
            let failure = root.sql_fails(&sql).await;
            assert!(matches!(failure.code.as_str(), "INVALID_SQL" | "INVALID_INPUT"), "{name:?}: {failure}");
        }
        assert_eq!(server.http().try_login(name, "long enough").await.status, 401, "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_a_user_made_anew_owns_nothing_of_the_one_who_had_its_name() {
    let mut server = TestServer::start().await;
    let root = server.root().await;
    root.sql(
        "CREATE TABLE notes (id INT PRIMARY KEY, text TEXT); CREATE INDEX by_text ON notes (text);
         CREATE STREAM TABLE feed (id INT PRIMARY KEY, text TEXT) WITH (TTL_SECONDS = 3600);
         CREATE SHARED TABLE wall (id INT PRIMARY KEY, text TEXT); GRANT ALL ON wall TO USER 'root'",
    )
    .await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    root.sql("GRANT ALL ON wall TO USER 'anna'").await;
    let rows: Vec<String> = (0..3_000).map(|id| format!("({id}, '{SECRET}')")).collect();
    let from = anna.sql(&format!("INSERT INTO notes VALUES {}", rows.join(","))).await.seq();
    anna.sql(&format!("INSERT INTO feed VALUES (1, '{SECRET}'); INSERT INTO wall VALUES (1, 'for all')")).await;
    ben.sql("INSERT INTO notes VALUES (1, 'of ben')").await;
    let mut old = anna.connect().await;
    old.subscribe("s", "SELECT count(*) AS c FROM notes").await;

    root.sql("DROP USER 'anna'").await;
    assert_eq!(old.closed().await.code, 4002);
    assert_eq!(anna.sql_fails("SELECT 1").await.code, "TOKEN_REVOKED");
    assert_eq!(ben.rows("SELECT text FROM notes").await, [[json!("of ben")]]);
    let failure = root.sql_fails("EXECUTE AS USER 'anna' (SELECT * FROM notes)").await;
    assert_eq!(failure.code, "NOT_FOUND");

    for _ in 0..2 {
        let root = server.root().await;
        let anna = server.user("anna", "user").await;
        for sql in [
            "SELECT * FROM notes",
            "SELECT * FROM notes WHERE id = 7",
            "SELECT * FROM notes WHERE text = 'tell-nobody'",
            "SELECT * FROM feed",
        ] {
            assert_eq!(anna.rows(sql).await, Vec::<Vec<Json>>::new(), "{sql}");
        }
        assert_eq!(anna.sql_fails("SELECT * FROM wall").await.code, "NOT_FOUND", "grants go too");
        let mut socket = anna.connect().await;
        let queries =
            [("f", "SELECT * FROM notes"), ("r", "SELECT max(text) AS m FROM notes"), ("s", "SELECT * FROM feed")];
        for (id, sql) in queries {
            for from in [from - 1, from, from + 2] {
                let id = &format!("{id}{from}");
                socket.send_subscribe(id, sql, &[], json!({ "from": from })).await;
                let ack = socket.next_of(id).await;
                assert_eq!((&ack["resumed"], &ack["reset"]), (&json!(false), &json!(true)), "{sql} {from}: {ack}");
            }
        }
        let seq = anna.sql("INSERT INTO notes VALUES (7, 'of the second anna')").await.seq();
        let ids: Vec<String> =
            queries.iter().flat_map(|(id, _)| [from - 1, from, from + 2].map(|from| format!("{id}{from}"))).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let told = heard(&mut socket, &ids, seq).await;
        assert!(told.contains("second anna") && !told.contains(SECRET), "{told}");
        root.sql("DROP USER 'anna'").await;
        server.restart().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_who_acts_for_another_can_do_what_that_one_can_and_no_more() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE notes (id INT PRIMARY KEY, owner TEXT); CREATE SHARED TABLE secrets (id INT PRIMARY KEY)")
        .await;
    root.sql("CREATE SHARED TABLE news (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    root.sql("CREATE USER 'second' WITH PASSWORD 'long enough' ROLE system").await;
    let (anna, dora) = (server.user("anna", "user").await, server.user("dora", "dba").await);
    let robot = server.user("robot", "service").await;
    dora.sql("EXECUTE AS USER 'anna' (INSERT INTO notes VALUES (1, CURRENT_USER()))").await;
    assert_eq!(anna.rows("SELECT owner FROM notes").await, [[json!("anna")]]);
    assert_eq!(dora.rows("SELECT * FROM notes").await, Vec::<Vec<Json>>::new());
    let rows = dora.rows("EXECUTE AS USER 'anna' (SELECT CURRENT_USER(), CURRENT_ROLE(), owner FROM notes)").await;
    assert_eq!(rows, [[json!("anna"), json!("user"), json!("anna")]]);
    for (sql, code) in [
        ("EXECUTE AS USER 'anna' (SELECT * FROM secrets)", "NOT_FOUND"),
        ("EXECUTE AS USER 'anna' (INSERT INTO news VALUES (1))", "PERMISSION_DENIED"),
        ("EXECUTE AS USER 'anna' (SELECT * FROM system.users)", "PERMISSION_DENIED"),
        ("EXECUTE AS USER 'root' (SELECT 1)", "PERMISSION_DENIED"),
        ("EXECUTE AS USER 'second' (SELECT 1)", "PERMISSION_DENIED"),
        ("EXECUTE AS USER 'nobody' (SELECT 1)", "NOT_FOUND"),
        ("EXECUTE AS USER 'ANNA' (SELECT 1)", "NOT_FOUND"),
        ("EXECUTE AS USER 'anna' (DROP TABLE notes)", "INVALID_SQL"),
        ("EXECUTE AS USER 'anna' (EXECUTE AS USER 'root' (SELECT 1))", "INVALID_SQL"),
        ("EXECUTE AS USER 'anna' (SELECT 1); DROP TABLE nothing", "NOT_FOUND"),
        ("BEGIN; EXECUTE AS USER 'anna' (SELECT 1); COMMIT", "UNSUPPORTED"),
    ] {
        assert_eq!(dora.sql_fails(sql).await.code, code, "{sql}");
    }
    for who in [&anna, &robot] {
        for user in ["anna", "robot", "dora", "nobody"] {
            let failure = who.sql_fails(&format!("EXECUTE AS USER '{user}' (SELECT 1)")).await;
            assert_eq!(failure.code, "PERMISSION_DENIED", "whoever it is: {failure}");
        }
    }
    let mut socket = dora.connect().await;
    socket.send_subscribe("s", "EXECUTE AS USER 'anna' (SELECT * FROM notes)", &[], json!({})).await;
    assert_eq!(socket.next_of("s").await["code"], "INVALID_SQL", "a live query is its own user's");
    let log =
        "SELECT action, acting_as, outcome FROM system.audit_log WHERE kind = 'impersonation' AND user_id = 'dora'";
    let lines = root.rows(log).await;
    assert!(lines.contains(&vec![json!("INSERT"), json!("anna"), json!("ok")]), "{lines:?}");
    assert!(lines.contains(&vec![json!("SELECT"), json!("root"), json!("PERMISSION_DENIED")]), "{lines:?}");
}
