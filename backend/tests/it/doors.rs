//! Who may come to the doors at all: web pages by origin, passwords by number, operators by role.

use kalamdb_testkit::{Answer, ROOT_PASSWORD, Socket, TestServer};
use serde_json::json;

const APP: &str = "https://app.example.com";

/// What a browser asks before a page may send a request.
async fn preflight(server: &TestServer, path: &str, origin: &str) -> Answer {
    let http = server.http();
    let asking = http.request(|client, base| {
        let request = client.request(reqwest::Method::OPTIONS, format!("{base}{path}")).header("origin", origin);
        request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
    });
    asking.await
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(|value| value.to_str().unwrap())
}

async fn upgrade(server: &TestServer, origin: &str) -> Option<u16> {
    let mut request = Socket::request(server.addr(), "");
    request.headers_mut().insert("origin", origin.parse().unwrap());
    Socket::try_open(request).await.err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s07_browsers_are_told_the_same_of_an_origin_as_the_upgrade_does() {
    let listed = TestServer::with(&[("websocket.allowed_origins", APP)]).await;
    let closed = TestServer::start().await;
    let open = TestServer::with(&[("websocket.allowed_origins", "*")]).await;
    for path in ["/v1/api/sql", "/v1/api/auth/login", "/metrics", "/nowhere"] {
        for (server, origin, told) in [
            (&listed, APP, Some(APP)),
            (&listed, "https://evil.example", None),
            (&listed, "https://app.example.com.evil.example", None),
            (&listed, "http://app.example.com", None),
            (&listed, "null", None),
            (&closed, APP, None),
            (&open, "https://anybody.example", Some("*")),
        ] {
            let answer = preflight(server, path, origin).await;
            assert_eq!(header(&answer, "access-control-allow-origin"), told, "{path} {origin}");
            assert_eq!(header(&answer, "access-control-allow-credentials"), None, "{path} {origin}");
        }
    }
    assert_eq!(upgrade(&listed, APP).await, None);
    assert_eq!(upgrade(&listed, "https://evil.example").await, Some(403));
    assert_eq!(upgrade(&listed, "http://app.example.com").await, Some(403));
    assert_eq!(upgrade(&closed, APP).await, Some(403));
    assert_eq!(upgrade(&open, "https://anybody.example").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s07_a_page_that_may_come_can_read_the_errors_it_gets() {
    let server = TestServer::with(&[("websocket.allowed_origins", APP)]).await;
    for (origin, told) in [(APP, Some(APP)), ("https://evil.example", None)] {
        let http = server.http();
        let asking = http.request(|client, base| {
            let request = client.post(format!("{base}/v1/api/sql")).header("origin", origin);
            request.header("content-type", "application/json").body("{}")
        });
        let answer = asking.await;
        assert_eq!(answer.status, 401);
        assert_eq!(header(&answer, "access-control-allow-origin"), told);
    }
}

async fn login_from(server: &TestServer, address: &str, user: &str, password: &str) -> u16 {
    let body = json!({ "user": user, "password": password }).to_string();
    let http = server.http();
    let asking = http.request(|client, base| {
        let request = client.post(format!("{base}/v1/api/auth/login")).header("content-type", "application/json");
        request.header("x-forwarded-for", address).body(body)
    });
    asking.await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s08_strangers_who_try_a_users_password_do_not_lock_it_out_of_where_it_was_before() {
    let settings = [("auth.login_attempts_per_minute", "3"), ("server.trusted_proxies", "127.0.0.1")];
    let server = TestServer::with(&settings).await;
    assert_eq!(login_from(&server, "10.0.0.1", "root", ROOT_PASSWORD).await, 200);
    let mut statuses = Vec::new();
    for n in 1..=6 {
        statuses.push(login_from(&server, &format!("10.9.0.{n}"), "root", "wrong password").await);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429, 429], "each from an address of its own");
    assert_eq!(login_from(&server, "10.0.0.2", "root", ROOT_PASSWORD).await, 429, "nor from a new address, in between");
    assert_eq!(login_from(&server, "10.0.0.1", "root", ROOT_PASSWORD).await, 200);
    assert_eq!(
        login_from(&server, "10.9.0.1", "another", "wrong password").await,
        401,
        "other users are not concerned"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s08_one_address_tries_few_passwords_whatever_users_it_names() {
    let settings = [("auth.login_attempts_per_minute", "3"), ("server.trusted_proxies", "127.0.0.1")];
    let server = TestServer::with(&settings).await;
    let mut statuses = Vec::new();
    for n in 0..5 {
        statuses.push(login_from(&server, "10.0.0.1", &format!("user{n}"), "wrong password").await);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    assert_eq!(login_from(&server, "10.0.0.2", "user0", "wrong password").await, 401, "another address may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s22_metrics_are_for_services_and_above_and_no_answer_tells_the_version() {
    let server = TestServer::start().await;
    for (name, role, status) in [("anna", "user", 403), ("robot", "service", 200), ("dora", "dba", 200)] {
        let session = server.user(name, role).await;
        let answer = session.http.get("/metrics", Some(&session.access_token)).await;
        assert_eq!(answer.status, status, "{role}");
        assert!(
            role == "user" || answer.body.as_str().is_some_and(|text| text.contains("kalamdb_audit_entries_total"))
        );
        assert!(!answer.body.to_string().contains(name), "no user's name is a label");
    }
    for path in ["/health", "/v1/api/healthcheck", "/v1/api/auth/status", "/nowhere", "/metrics"] {
        let answer = server.http().get(path, None).await;
        let text = format!("{:?} {}", answer.headers, answer.body);
        assert!(!text.contains(env!("CARGO_PKG_VERSION")), "{path}: {text}");
        assert_eq!(header(&answer, "server"), None, "{path}");
    }
}
