//! Who is asking: logins, tokens, and connections that end with their authority.

use std::time::Duration;

use kalamdb_testkit::{Closed, ROOT_PASSWORD, Session, Socket, TestServer};
use serde_json::{Value as Json, json};

async fn closed_in_time(socket: &mut Socket) -> Closed {
    tokio::time::timeout(Duration::from_secs(5), socket.closed()).await.expect("closed within five seconds")
}

async fn refreshed(session: &Session) -> Json {
    let answer = session.http.post("/v1/api/auth/refresh", Some(&session.refresh_token), &json!({})).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_answers_with_the_user_and_both_tokens() {
    let server = TestServer::start().await;
    let body = server.http().try_login("root", ROOT_PASSWORD).await.body;
    assert_eq!((&body["user"]["id"], &body["user"]["role"]), (&json!("root"), &json!("system")));
    assert_eq!(body["admin_ui_access"], true);
    for field in ["expires_at", "access_token", "refresh_token", "refresh_expires_at"] {
        assert!(body[field].is_string(), "{field}: {body}");
    }
    assert!(body["user"]["created_at"].is_string() && body["user"]["updated_at"].is_string(), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let server = TestServer::start().await;
    let wrong = server.http().try_login("root", "wrong password").await;
    let unknown = server.http().try_login("nobody", "wrong password").await;
    assert_eq!((wrong.status, &wrong.body["error"]), (401, &json!("unauthorized")));
    assert_eq!((unknown.status, &unknown.body), (401, &wrong.body));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s08_logins_are_limited_per_user_and_the_answer_says_for_how_long() {
    let server = TestServer::with(&[("auth.login_attempts_per_minute", "3")]).await;
    let mut statuses = Vec::new();
    let mut last = None;
    for _ in 0..6 {
        let answer = server.http().try_login("root", "wrong password").await;
        statuses.push(answer.status);
        last = Some(answer);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429, 429]);
    let last = last.unwrap();
    assert_eq!(last.body["error"], "rate_limited");
    assert!(last.headers.contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s08_a_forwarded_address_counts_only_from_a_configured_proxy() {
    let server = TestServer::with(&[("auth.login_attempts_per_minute", "3")]).await;
    let mut statuses = Vec::new();
    for n in 0..6 {
        let body = json!({ "user": format!("user{n}"), "password": "wrong password" }).to_string();
        let answer = server
            .http()
            .request(|client, base| {
                let request =
                    client.post(format!("{base}/v1/api/auth/login")).header("content-type", "application/json");
                request
                    .header("x-forwarded-for", format!("10.0.0.{n}"))
                    .header("x-real-ip", format!("10.0.0.{n}"))
                    .body(body)
            })
            .await;
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_a_refresh_token_is_no_access_token_nor_the_reverse() {
    let server = TestServer::start().await;
    let root = server.root().await;
    assert_eq!(root.http.sql(Some(&root.refresh_token), "SELECT 1", &[]).await.status, 401);
    assert_eq!(root.http.post("/v1/api/auth/refresh", Some(&root.access_token), &json!({})).await.status, 401);
    let mut forged = root.access_token.clone();
    forged.push('A');
    assert_eq!(root.http.sql(Some(&forged), "SELECT 1", &[]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_gives_a_new_pair_and_retires_the_old_one() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let body = refreshed(&root).await;
    let new = body["access_token"].as_str().unwrap();
    assert_eq!(root.http.sql(Some(new), "SELECT 1", &[]).await.status, 200);
    assert_eq!(root.http.post("/v1/api/auth/refresh", Some(&root.refresh_token), &json!({})).await.status, 401);
    assert_eq!(root.http.sql(Some(&root.access_token), "SELECT 1", &[]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn me_and_status_say_who_and_whether_set_up_is_needed() {
    let server = TestServer::start().await;
    let anna = server.user("anna", "user").await;
    let me = anna.http.get("/v1/api/auth/me", Some(&anna.access_token)).await;
    assert_eq!((me.status, &me.body["user"]["id"], &me.body["admin_ui_access"]), (200, &json!("anna"), &json!(false)));
    assert_eq!(anna.http.get("/v1/api/auth/me", None).await.status, 401);
    let status = anna.http.get("/v1/api/auth/status", None).await;
    assert_eq!((status.status, &status.body["needs_setup"]), (200, &json!(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr007_a_token_that_expires_closes_its_connection_and_clears_its_rows() {
    let server = TestServer::with(&[("auth.access_token_ttl_secs", "2")]).await;
    let anna = server.user("anna", "user").await;
    let mut socket = anna.connect().await;
    socket.subscribe("s", "SELECT 1 AS one").await;
    assert_eq!(socket.closed().await.code, 4001);
    let root = server.root().await;
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("0"));
    let answer = anna.http.sql(Some(&anna.access_token), "SELECT 1", &[]).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (401, &json!("TOKEN_EXPIRED")));
    let mut late = Socket::open(server.addr()).await;
    assert_eq!(late.authenticate(&anna.access_token).await["type"], "auth_error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr007_a_fresh_token_on_the_open_socket_keeps_its_subscriptions() {
    let server = TestServer::with(&[("auth.access_token_ttl_secs", "5")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let anna = server.user("anna", "user").await;
    let (mut kept, mut witness) = (anna.connect().await, anna.connect().await);
    let mut live = kept.subscribe("s", "SELECT * FROM t").await;
    // A token that ends at least a second later: log in until the second has changed twice.
    let (mut second, mut changed) = (kept.welcome["expires_at"].as_str().unwrap()[..19].to_owned(), 0);
    while changed < 2 {
        let fresh = server.http().login("anna", "password of anna").await;
        let answer = kept.authenticate(&fresh.access_token).await;
        assert_eq!(answer["type"], "auth_success");
        let ends = answer["expires_at"].as_str().unwrap()[..19].to_owned();
        assert!(ends >= second, "{answer}");
        changed += u32::from(ends > second);
        second = ends;
    }
    // The witness lives on the first token; when that is over, the kept one goes on.
    assert_eq!(witness.closed().await.code, 4001);
    let fresh = server.http().login("anna", "password of anna").await;
    let seq = fresh.sql("INSERT INTO t VALUES (1)").await.seq();
    kept.follow(&mut live, seq).await;
    live.assert_equals(&[vec![json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr007_a_fresh_token_of_another_user_is_refused_and_the_connection_stays() {
    let server = TestServer::start().await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let mut socket = anna.connect().await;
    socket.subscribe("s", "SELECT CURRENT_USER() AS me").await;
    assert_ne!(socket.authenticate(&ben.access_token).await["type"], "auth_success");
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await["type"], "pong");
    let root = server.root().await;
    assert_eq!(root.rows("SELECT user_id FROM system.live_queries").await, [[json!("anna")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr007_whatever_revokes_a_users_tokens_closes_its_connections() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for (name, sql) in [
        ("dropped", "DROP USER 'dropped'"),
        ("promoted", "ALTER USER 'promoted' SET ROLE service"),
        ("renewed", "ALTER USER 'renewed' SET PASSWORD 'another password'"),
        ("revoked", "REVOKE TOKENS FOR USER 'revoked'"),
    ] {
        let session = server.user(name, "user").await;
        let mut socket = session.connect().await;
        socket.subscribe("s", "SELECT 1 AS one").await;
        root.sql(sql).await;
        assert_eq!(closed_in_time(&mut socket).await.code, 4002, "{sql}");
        root.until_rows("SELECT COUNT(*) FROM system.live_queries", |rows| rows == [[json!("0")]]).await;
        assert_eq!(session.http.sql(Some(&session.access_token), "SELECT 1", &[]).await.status, 401, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr007_a_logout_closes_the_connections_of_its_token_and_no_others() {
    let server = TestServer::start().await;
    let one = server.user("anna", "user").await;
    let two = server.http().login("anna", "password of anna").await;
    let (mut socket_one, mut socket_two) = (one.connect().await, two.connect().await);
    let answer = one.http.post("/v1/api/auth/logout", Some(&one.access_token), &json!({})).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    assert_eq!(closed_in_time(&mut socket_one).await.code, 4002);
    socket_two.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket_two.next().await["type"], "pong");
    assert_eq!(one.http.post("/v1/api/auth/refresh", Some(&one.refresh_token), &json!({})).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_a_role_counts_as_stored_and_not_as_the_token_was_issued() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let admin = server.user("admin", "dba").await;
    admin.sql("CREATE NAMESPACE n").await;
    root.sql("ALTER USER 'admin' SET ROLE user").await;
    let answer = admin.http.sql(Some(&admin.access_token), "CREATE NAMESPACE m", &[]).await;
    assert!(answer.status == 401 || answer.status == 403, "{answer:?}");
    let admin = server.http().login("admin", "password of admin").await;
    assert_eq!(admin.sql_fails("CREATE NAMESPACE m").await.code, "PERMISSION_DENIED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s22_health_says_only_that_it_lives_and_metrics_need_a_role() {
    let server = TestServer::start().await;
    let anna = server.user("anna", "user").await;
    let root = server.root().await;
    for path in ["/health", "/v1/api/healthcheck"] {
        let health = anna.http.get(path, None).await;
        assert_eq!((health.status, health.body), (200, json!({ "status": "healthy", "api_version": "v1" })), "{path}");
    }
    assert_eq!(anna.http.get("/metrics", None).await.status, 401);
    assert_eq!(anna.http.get("/metrics", Some(&anna.access_token)).await.status, 403);
    let metrics = root.http.get("/metrics", Some(&root.access_token)).await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.as_str().is_some_and(|text| text.contains("kalamdb_")), "{:?}", metrics.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_there_is_no_default_or_empty_password() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for password in ["", "root", "admin", "kalamdb", "password"] {
        assert_eq!(server.http().try_login("root", password).await.status, 401, "{password:?}");
    }
    assert!(root.try_sql("CREATE USER 'x' WITH PASSWORD '' ROLE user").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr007_a_refresh_keeps_open_connections_and_a_logout_after_it_ends_them() {
    let server = TestServer::start().await;
    let anna = server.user("anna", "user").await;
    let (mut renewed, mut idle) = (anna.connect().await, anna.connect().await);
    renewed.subscribe("s", "SELECT 1 AS one").await;
    let pair = refreshed(&anna).await;
    let fresh = pair["access_token"].as_str().unwrap();
    assert_eq!(renewed.authenticate(fresh).await["type"], "auth_success");
    for socket in [&mut renewed, &mut idle] {
        socket.send(&json!({ "type": "ping" })).await;
        assert_eq!(socket.next().await["type"], "pong");
    }
    let answer = anna.http.post("/v1/api/auth/logout", Some(fresh), &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for socket in [&mut renewed, &mut idle] {
        assert_eq!(closed_in_time(socket).await.code, 4002);
    }
}
