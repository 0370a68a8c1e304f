//! The audit log: what was done and refused is in it, and nothing that is nobody's business.

use kalamdb_testkit::{ROOT_PASSWORD, Session, TestServer};
use serde_json::{Value as Json, json};

/// Kind, action, who, on what, and the outcome of what is in the log since the test began, oldest first.
async fn told(root: &Session, kinds: &str) -> Vec<Vec<Json>> {
    let sql = format!(
        "SELECT kind, action, user_id, object, outcome FROM system.audit_log WHERE kind IN ({kinds}) AND user_id IS NOT \
         NULL ORDER BY audit_id"
    );
    root.rows(&sql).await
}

fn entry(kind: &str, action: &str, user: &str, object: &str, outcome: &str) -> Vec<Json> {
    [kind, action, user, object, outcome].into_iter().map(|text| json!(text)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_administrators_do_is_in_the_audit_log_with_its_commit() {
    let mut server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE n; CREATE SHARED TABLE n.t (id INT PRIMARY KEY); ALTER TABLE n.t ADD COLUMN a INT")
        .await;
    root.sql("CREATE INDEX i ON n.t (a); DROP INDEX i ON n.t").await;
    root.sql("CREATE USER 'anna' WITH PASSWORD 'long enough' ROLE user; ALTER USER 'anna' SET EMAIL 'a@example.org'")
        .await;
    root.sql("GRANT SELECT ON n.t TO USER 'anna'; REVOKE SELECT ON n.t FROM USER 'anna'").await;
    root.sql("REVOKE TOKENS FOR USER 'anna'; DROP USER 'anna'; DROP NAMESPACE n CASCADE").await;
    root.sql("CREATE NAMESPACE IF NOT EXISTS default; DROP TABLE IF EXISTS nothing").await;
    let wanted = [
        entry("ddl", "CREATE NAMESPACE", "root", "n", "ok"),
        entry("ddl", "CREATE TABLE", "root", "n.t", "ok"),
        entry("ddl", "ALTER TABLE", "root", "n.t", "ok"),
        entry("ddl", "CREATE INDEX", "root", "n.t", "ok"),
        entry("ddl", "DROP INDEX", "root", "n.t", "ok"),
        entry("user", "CREATE USER", "root", "anna", "ok"),
        entry("user", "ALTER USER", "root", "anna", "ok"),
        entry("grant", "GRANT", "root", "SELECT on n.t to user anna", "ok"),
        entry("grant", "REVOKE", "root", "SELECT on n.t from user anna", "ok"),
        entry("token_revoked", "REVOKE TOKENS", "root", "anna", "ok"),
        entry("user", "DROP USER", "root", "anna", "ok"),
        entry("ddl", "DROP NAMESPACE", "root", "n", "ok"),
    ];
    let kinds = "'ddl', 'user', 'grant', 'token_revoked'";
    let rows = told(&root, kinds).await;
    // What a grant is called is the business of its own tests.
    let without_grants = |rows: &[Vec<Json>]| {
        rows.iter().map(|row| if row[0] == "grant" { row[..3].to_vec() } else { row.clone() }).collect::<Vec<_>>()
    };
    assert_eq!(without_grants(&rows), without_grants(&wanted));
    server.restart().await;
    assert_eq!(told(&server.root().await, kinds).await, rows, "it is there after a restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr005_kills_and_acting_for_others_are_in_the_audit_log() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let anna = server.user("anna", "user").await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut socket = anna.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    let (connection, live) = (socket.connection_id(), format!("anna-{}-s", socket.connection_id()));
    root.sql(&format!("KILL LIVE QUERY '{live}'")).await;
    root.sql(&format!("KILL CONNECTION '{connection}'")).await;
    root.sql("EXECUTE AS USER 'anna' (INSERT INTO t VALUES (1))").await;
    root.sql("CREATE TABLE default.other (id INT PRIMARY KEY)").await;
    root.sql(
        "EXECUTE AS USER 'anna' (WITH a AS (SELECT id FROM t) SELECT * FROM a JOIN default.other AS o USING (id))",
    )
    .await;
    root.sql("EXECUTE AS USER 'anna' (SELECT 1)").await;
    let kills = [
        entry("kill", "KILL LIVE QUERY", "root", &live, "ok"),
        entry("kill", "KILL CONNECTION", "root", &connection, "ok"),
    ];
    assert_eq!(told(&root, "'kill'").await, kills);
    let acted = "SELECT action, user_id, acting_as, object, outcome FROM system.audit_log WHERE kind = 'impersonation' ORDER BY audit_id";
    let wanted = |action: &str, on: Json| [json!(action), json!("root"), json!("anna"), on, json!("ok")];
    let all = [
        wanted("INSERT", json!("default.t")),
        wanted("SELECT", json!("default.other, default.t")),
        wanted("SELECT", Json::Null),
    ];
    assert_eq!(root.rows(acted).await, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_what_is_refused_is_in_the_audit_log_and_repeats_are_counted() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let anna = server.user("anna", "user").await;
    for _ in 0..5 {
        for sql in [
            "CREATE NAMESPACE mine",
            "CREATE USER 'x' WITH PASSWORD 'long enough' ROLE system",
            "KILL CONNECTION '0123456789abcdef0123456789abcdef'",
            "EXECUTE AS USER 'root' (SELECT 1)",
        ] {
            assert_eq!(anna.sql_fails(sql).await.code, "PERMISSION_DENIED", "{sql}");
        }
    }
    let rows = root
        .rows(
            "SELECT kind, action, outcome, COUNT(*), SUM(occurrences) FROM system.audit_log WHERE user_id = 'anna' AND \
             outcome <> 'ok' GROUP BY kind, action, outcome ORDER BY kind",
        )
        .await;
    let wanted =
        |kind: &str, action: &str| vec![json!(kind), json!(action), json!("PERMISSION_DENIED"), json!("2"), json!("5")];
    let all = [
        wanted("ddl", "CREATE NAMESPACE"),
        wanted("impersonation", "SELECT"),
        wanted("kill", "KILL CONNECTION"),
        wanted("user", "CREATE USER"),
    ];
    assert_eq!(rows, all, "the first of its kind, and the others together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s08_logins_are_in_the_audit_log_and_failed_ones_fold_per_address() {
    let server = TestServer::with(&[("server.trusted_proxies", "127.0.0.1")]).await;
    let root = server.root().await;
    server.user("anna", "user").await;
    let login = async |address: &str, user: &str, password: &str| {
        let body = json!({ "user": user, "password": password }).to_string();
        let http = server.http();
        let answering = http.request(|client, server| {
            let request = client.post(format!("{server}/v1/api/auth/login")).header("content-type", "application/json");
            request.header("x-forwarded-for", address).body(body)
        });
        answering.await
    };
    for (address, user) in [("10.0.0.1", "anna"), ("10.0.0.1", "a password, mistyped"), ("10.0.0.2", "anna")] {
        for _ in 0..3 {
            assert_eq!(login(address, user, "wrong password").await.status, 401);
        }
    }
    let answer = login("10.0.0.3", "anna", "password of anna").await;
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let logout = server.http().post("/v1/api/auth/logout", Some(&token), &json!({})).await;
    assert_eq!(logout.status, 200);
    let failed = "SELECT client_addr, user_id, outcome, occurrences FROM system.audit_log WHERE kind = 'login_failed' \
                  ORDER BY client_addr";
    let row =
        |address: &str, times: &str| vec![json!(address), json!(null), json!("INVALID_CREDENTIALS"), json!(times)];
    assert_eq!(root.rows(failed).await, [row("10.0.0.1", "6"), row("10.0.0.2", "3")]);
    let objects = "SELECT object FROM system.audit_log WHERE object LIKE '%mistyped%'";
    assert_eq!(root.rows(objects).await, Vec::<Vec<Json>>::new(), "what is no user's name may be a password");
    let went_well =
        "SELECT kind, client_addr FROM system.audit_log WHERE user_id = 'anna' AND client_addr = '10.0.0.3'";
    assert_eq!(root.rows(went_well).await, [[json!("login"), json!("10.0.0.3")]]);
    let out = "SELECT kind, client_addr FROM system.audit_log WHERE user_id = 'anna' AND kind = 'logout'";
    assert_eq!(root.rows(out).await, [[json!("logout"), json!("127.0.0.1")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_the_audit_log_is_for_administrators_and_nobody_writes_it() {
    let server = TestServer::start().await;
    let dba = server.user("dora", "dba").await;
    assert!(dba.rows("SELECT * FROM system.audit_log").await.len() >= 2);
    for (name, role) in [("anna", "user"), ("robot", "service")] {
        let session = server.user(name, role).await;
        let failure = session.sql_fails("SELECT * FROM system.audit_log").await;
        assert_eq!(failure.code, session.sql_fails("SELECT * FROM system.users").await.code);
        let listed = "SELECT COUNT(*) FROM system.tables WHERE table_name = 'audit_log'";
        assert_eq!(session.cell(listed).await, json!("0"));
    }
    for sql in [
        "DELETE FROM system.audit_log",
        "UPDATE system.audit_log SET outcome = 'ok'",
        "INSERT INTO system.audit_log SELECT * FROM system.audit_log",
        "DROP TABLE system.audit_log",
        "ALTER TABLE system.audit_log DROP COLUMN outcome",
    ] {
        let before = dba.rows("SELECT audit_id FROM system.audit_log WHERE outcome = 'ok'").await;
        dba.sql_fails(sql).await;
        assert_eq!(dba.rows("SELECT audit_id FROM system.audit_log WHERE outcome = 'ok'").await, before, "{sql}");
    }
    let mut socket = dba.connect().await;
    socket.send_subscribe("s", "SELECT * FROM system.audit_log", &[], json!({})).await;
    assert_eq!(socket.next_of("s").await["code"], "UNSUPPORTED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_the_audit_log_holds_no_password_value_token_or_statement() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY, a TEXT DEFAULT 'tell-default')").await;
    root.sql("CREATE USER 'anna' WITH PASSWORD 'tell-password' ROLE user EMAIL 'tell@example.org'").await;
    root.sql("ALTER USER 'anna' SET PASSWORD 'tell-another'").await;
    root.sql_with("EXECUTE AS USER 'root' (INSERT INTO t VALUES (1, $1))", &[json!("tell-param")]).await;
    root.sql("EXECUTE AS USER 'root' (SELECT * FROM t WHERE a = 'tell-literal')").await;
    root.sql_fails("ALTER TABLE t ADD COLUMN b INT NOT NULL DEFAULT 'tell-wrong'").await;
    root.sql_fails("CREATE USER 'b' WITH PASSWORD 'tell' ROLE user").await;
    server.http().try_login("anna", "tell-guess").await;
    let rows = root.rows("SELECT * FROM system.audit_log").await;
    let text = json!(rows).to_string();
    assert!(rows.len() > 5 && !text.contains("tell"), "{text}");
    assert!(!text.contains(ROOT_PASSWORD) && !text.contains(&root.access_token), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_can_be_switched_off_and_its_entries_stay_readable() {
    let mut server = TestServer::start().await;
    server.root().await.sql("CREATE NAMESPACE n").await;
    let count = "SELECT COUNT(*) FROM system.audit_log WHERE kind = 'ddl'";
    server.restart_with(&[("audit.enabled", "false")]).await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE m").await;
    assert_eq!(root.cell(count).await, json!("1"));
    server.restart_with(&[("audit.enabled", "true"), ("audit.logins", "false")]).await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE o").await;
    assert_eq!(root.cell(count).await, json!("2"));
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.audit_log WHERE kind = 'login'").await, json!("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_is_read_whole_in_order_and_with_a_limit() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for start in 0..7 {
        let creates = (0..100).map(|n| format!("CREATE NAMESPACE n{}", start * 100 + n)).collect::<Vec<_>>();
        root.try_all(&creates.join("; "), &[]).await.unwrap();
    }
    let rows = root.rows("SELECT audit_id, object FROM system.audit_log WHERE kind = 'ddl' ORDER BY audit_id").await;
    let objects: Vec<Json> = rows.iter().map(|row| row[1].clone()).collect();
    assert_eq!(objects, (0..700).map(|n| json!(format!("n{n}"))).collect::<Vec<_>>());
    assert_eq!(root.rows("SELECT object FROM system.audit_log LIMIT 3").await.len(), 3);
    let by_id = format!("SELECT object FROM system.audit_log WHERE audit_id = {}", rows[650][0].as_str().unwrap());
    assert_eq!(root.rows(&by_id).await, [[json!("n650")]]);
}
