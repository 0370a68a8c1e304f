//! Tokens of other issuers, through every door.

use kalamdb_testkit::{PATIENCE, Session, Socket, TestServer};
use serde_json::{Value as Json, json};

use crate::outside_issuer::*;

async fn status_and_code(session: &Session) -> (u16, String) {
    let answer = session.http.sql(Some(&session.access_token), "SELECT 1", &[]).await;
    let code = answer.body["error"]["code"].as_str().unwrap_or_default();
    (answer.status, code.to_owned())
}

fn refused(code: &str) -> (u16, String) {
    (401, code.to_owned())
}

fn fine() -> (u16, String) {
    (200, String::new())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_a_token_of_a_trusted_issuer_opens_every_door_as_the_stored_user() {
    let issuer = OutsideIssuer::start().await;
    let server = issuer.trusted(&json!({})).await;
    server.user("anna", "user").await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut with_role = claims("anna", 60);
    with_role["role"] = json!("system");
    let anna = session(&server, "anna", p256_token("one", &with_role));
    assert_eq!(anna.rows("SELECT CURRENT_USER(), CURRENT_ROLE()").await, [[json!("anna"), json!("user")]]);
    let me = anna.http.get("/v1/api/auth/me", Some(&anna.access_token)).await;
    assert_eq!((me.status, &me.body["user"]["id"], &me.body["user"]["role"]), (200, &json!("anna"), &json!("user")));
    assert_eq!(anna.http.get("/metrics", Some(&anna.access_token)).await.status, 403);

    let mut upgraded = anna.connect().await;
    assert_eq!((&upgraded.welcome["user"], &upgraded.welcome["role"]), (&json!("anna"), &json!("user")));
    let mut framed = Socket::open(server.addr()).await;
    assert_eq!(framed.authenticate(&anna.access_token).await["type"], "auth_success");
    let mut live = upgraded.subscribe("s", "SELECT * FROM t").await;
    let seq = anna.sql("INSERT INTO t VALUES (1)").await.seq();
    upgraded.follow(&mut live, seq).await;
    live.assert_equals(&[vec![json!(1)]]);
    let ours = server.http().login("anna", "password of anna").await;
    assert_eq!(ours.cell("SELECT COUNT(*) FROM t").await, json!("1"), "it is the same user");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_forged_tokens_are_refused_at_every_door() {
    let issuer = OutsideIssuer::start().await;
    issuer.says(Answer::Keys(vec![p256_key("one"), rsa_key("rsa")]));
    let server = issuer.trusted(&json!({})).await;
    server.user("anna", "user").await;
    let right = claims("anna", 60);
    assert_eq!(status_and_code(&session(&server, "anna", rsa_token("rsa", &right))).await, fine());

    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let good = parts(&p256_token("one", &right));
    let encoded = |json: Json| {
        let header = jsonwebtoken::Header { kid: None, typ: None, ..jsonwebtoken::Header::default() };
        let key = jsonwebtoken::EncodingKey::from_secret(b"any");
        parts(&jsonwebtoken::encode(&header, &json, &key).unwrap())[1].clone()
    };
    let none = encoded(json!({ "alg": "none", "kid": "one" }));
    let confused = {
        let header = jsonwebtoken::Header { kid: Some("rsa".to_owned()), ..jsonwebtoken::Header::default() };
        jsonwebtoken::encode(&header, &right, &jsonwebtoken::EncodingKey::from_secret(RSA_PUBLIC)).unwrap()
    };
    let change = |name: &str, value: Json| {
        let mut claims = right.clone();
        claims[name] = value;
        claims
    };
    for (token, why) in [
        (format!("{none}.{}.", good[1]), "alg none"),
        (format!("{none}.{}.{}", good[1], good[2]), "alg none with a signature"),
        (confused, "the public key as a secret"),
        (format!("{}.{}.{}", good[0], encoded(change("sub", json!("root"))), good[2]), "other claims"),
        (rsa_token("one", &right), "a key of another kind"),
        (p256_token("two", &right), "an unknown key"),
        (p256_token("one", &change("aud", json!("elsewhere"))), "another audience"),
        (p256_token("one", &change("iss", json!("https://elsewhere.example.com/"))), "another issuer"),
        (p256_token("one", &change("iss", json!("kalamdb"))), "our name with their key"),
        (p256_token("one", &change("nbf", json!(now_secs() + 3_600))), "before its time"),
        (p256_token("one", &change("sub", json!("nobody"))), "no such user"),
        (p256_token("one", &change("sub", json!("../anna"))), "no user name"),
    ] {
        let forger = session(&server, "anna", token);
        assert_eq!(status_and_code(&forger).await, refused("INVALID_CREDENTIALS"), "{why}");
        let mut request = Socket::request(server.addr(), "");
        let bearer = format!("Bearer {}", forger.access_token).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        assert_eq!(Socket::try_open(request).await.err(), Some(401), "{why}");
        let mut socket = Socket::open(server.addr()).await;
        assert_eq!(socket.authenticate(&forger.access_token).await["type"], "auth_error", "{why}");
        assert_eq!(socket.closed().await.code, 1008, "{why}");
    }
    let over = session(&server, "anna", p256_token("one", &change("exp", json!(now_secs() - 1))));
    assert_eq!(status_and_code(&over).await, refused("TOKEN_EXPIRED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_without_configured_issuers_nobody_elses_token_is_taken() {
    let server = TestServer::start().await;
    server.user("anna", "user").await;
    let outsider = session(&server, "anna", p256_token("one", &claims("anna", 60)));
    assert_eq!(status_and_code(&outsider).await, refused("INVALID_CREDENTIALS"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_keys_from_a_file_are_read_again_when_a_token_names_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    std::fs::write(&path, json!({ "keys": [p256_key("one")] }).to_string()).unwrap();
    let setting = json!([{ "issuer": NAME, "audiences": ["kalamdb"], "jwks_file": path }]).to_string();
    let settings = [("auth.trusted_issuers", setting.as_str()), ("auth.jwks_min_refresh_secs", "0")];
    let server = TestServer::with(&settings).await;
    server.user("anna", "user").await;
    assert_eq!(status_and_code(&session(&server, "anna", p256_token("one", &claims("anna", 60)))).await, fine());
    let new = session(&server, "anna", rsa_token("two", &claims("anna", 60)));
    assert_eq!(status_and_code(&new).await, refused("INVALID_CREDENTIALS"));
    std::fs::write(&path, "half a file").unwrap();
    assert_eq!(status_and_code(&new).await, refused("INVALID_CREDENTIALS"));
    assert_eq!(status_and_code(&session(&server, "anna", p256_token("one", &claims("anna", 60)))).await, fine());
    std::fs::write(&path, json!({ "keys": [rsa_key("two")] }).to_string()).unwrap();
    assert_eq!(status_and_code(&new).await, fine());
    let old = session(&server, "anna", p256_token("one", &claims("anna", 60)));
    assert_eq!(status_and_code(&old).await, refused("INVALID_CREDENTIALS"), "the old key is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_keys_rotate_at_their_url() {
    let issuer = OutsideIssuer::start().await;
    let server = issuer.trusted(&json!({})).await;
    server.user("anna", "user").await;
    let old = session(&server, "anna", p256_token("one", &claims("anna", 60)));
    let new = session(&server, "anna", rsa_token("two", &claims("anna", 60)));
    assert_eq!(status_and_code(&old).await, fine());
    issuer.says(Answer::Keys(vec![p256_key("one"), rsa_key("two")]));
    assert_eq!(status_and_code(&new).await, fine());
    assert_eq!(status_and_code(&old).await, fine(), "both for a while");
    issuer.says(Answer::Keys(vec![rsa_key("two")]));
    let mut socket = Socket::open(server.addr()).await;
    assert_eq!(socket.authenticate(&p256_token("three", &claims("anna", 60))).await["type"], "auth_error");
    assert_eq!(status_and_code(&old).await, refused("INVALID_CREDENTIALS"));
    assert_eq!(status_and_code(&new).await, fine());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_the_known_keys_stay_while_the_issuer_says_nothing_of_use() {
    let issuer = OutsideIssuer::start().await;
    let elsewhere = OutsideIssuer::start().await;
    elsewhere.says(Answer::Keys(vec![rsa_key("two")]));
    let server = issuer.trusted(&json!({})).await;
    server.user("anna", "user").await;
    let known = session(&server, "anna", p256_token("one", &claims("anna", 60)));
    let unknown = session(&server, "anna", rsa_token("two", &claims("anna", 60)));
    assert_eq!(status_and_code(&known).await, fine());
    let keys = json!({ "keys": [rsa_key("two")] }).to_string();
    for answer in [
        Answer::Status("500 Internal Server Error", keys.clone()),
        Answer::Status("404 Not Found", keys.clone()),
        Answer::Status("200 OK", "<html>".to_owned()),
        Answer::Status("200 OK", String::new()),
        Answer::Status("200 OK", format!("{keys}{}", " ".repeat(300_000))),
        Answer::Redirect(elsewhere.url()),
        Answer::Endless,
    ] {
        let before = issuer.times_asked();
        issuer.says(answer.clone());
        assert_eq!(status_and_code(&unknown).await, refused("INVALID_CREDENTIALS"), "{answer:?}");
        assert_eq!(issuer.times_asked(), before + 1, "{answer:?}");
        assert_eq!(status_and_code(&known).await, fine(), "{answer:?}");
    }
    assert_eq!(elsewhere.times_asked(), 0, "no redirect is followed");

    issuer.is_asked().await;
    issuer.says(Answer::Silence);
    let waiting = tokio::spawn(async move { status_and_code(&unknown).await });
    issuer.is_asked().await;
    assert_eq!(status_and_code(&known).await, fine(), "nobody else waits for a slow issuer");
    issuer.says(Answer::Keys(vec![p256_key("one"), rsa_key("two")]));
    let answered = tokio::time::timeout(PATIENCE, waiting).await.expect("it is answered").unwrap();
    assert_eq!(answered, fine());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_made_up_keys_do_not_make_the_server_ask_again_and_again() {
    let issuer = OutsideIssuer::start().await;
    let setting = issuer.setting(&json!({}));
    let server = TestServer::with(&[("auth.trusted_issuers", setting.as_str())]).await;
    server.user("anna", "user").await;
    assert_eq!(status_and_code(&session(&server, "anna", p256_token("one", &claims("anna", 60)))).await, fine());
    for n in 0..30 {
        let made_up = session(&server, "anna", p256_token(&format!("key{n}"), &claims("anna", 60)));
        assert_eq!(status_and_code(&made_up).await, refused("INVALID_CREDENTIALS"));
    }
    assert_eq!(issuer.times_asked(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_a_user_is_made_at_first_sight_only_where_that_is_configured() {
    let issuer = OutsideIssuer::start().await;
    let server = issuer.trusted(&json!({ "create_users": true, "user_prefix": "corp-" })).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let ben = session(&server, "corp-ben", p256_token("one", &claims("ben", 60)));
    ben.sql("INSERT INTO t VALUES (1)").await;
    let row = root.rows("SELECT role, email FROM system.users WHERE user_id = 'corp-ben'").await;
    assert_eq!(row, [[json!("user"), json!(null)]]);
    assert_eq!(server.http().try_login("corp-ben", "").await.status, 401, "it has no password");
    let made = "SELECT user_id, action, outcome FROM system.audit_log WHERE object = 'corp-ben' AND kind = 'user'";
    assert_eq!(root.rows(made).await, [[json!("corp-ben"), json!("CREATE USER"), json!("ok")]]);
    let posing_as_root = session(&server, "root", p256_token("one", &claims("root", 60)));
    assert_eq!(posing_as_root.cell("SELECT CURRENT_USER()").await, json!("corp-root"), "the prefix keeps names apart");

    let server = issuer.trusted(&json!({})).await;
    let ben = session(&server, "ben", p256_token("one", &claims("ben", 60)));
    assert_eq!(status_and_code(&ben).await, refused("INVALID_CREDENTIALS"));
    assert_eq!(server.root().await.cell("SELECT COUNT(*) FROM system.users").await, json!("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_an_issuer_speaks_for_administrators_only_where_it_was_named_for_them() {
    let issuer = OutsideIssuer::start().await;
    let server = issuer.trusted(&json!({ "create_users": true, "elevated_users": ["ops"] })).await;
    server.user("ops", "dba").await;
    server.user("dora", "dba").await;
    let ops = session(&server, "ops", p256_token("one", &claims("ops", 60)));
    ops.sql("CREATE NAMESPACE n").await;
    for name in ["dora", "root"] {
        let posing = session(&server, name, p256_token("one", &claims(name, 60)));
        assert_eq!(status_and_code(&posing).await, (403, "PERMISSION_DENIED".to_owned()), "{name}");
        let mut socket = Socket::open(server.addr()).await;
        assert_eq!(socket.authenticate(&posing.access_token).await["type"], "auth_error");
    }
    // Who rises above `user` is no longer the issuer's to speak for.
    server.user("anna", "user").await;
    let anna = session(&server, "anna", p256_token("one", &claims("anna", 60)));
    let mut socket = anna.connect().await;
    server.root().await.sql("ALTER USER 'anna' SET ROLE service").await;
    assert_eq!(socket.closed().await.code, 4002);
    let fresh = session(&server, "anna", p256_token("one", &claims("anna", 61)));
    assert_eq!(status_and_code(&fresh).await, (403, "PERMISSION_DENIED".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr007_a_token_of_another_issuer_ends_its_connections_when_it_ends() {
    let issuer = OutsideIssuer::start().await;
    let server = issuer.trusted(&json!({})).await;
    let root = server.root().await;
    server.user("anna", "user").await;
    let short = session(&server, "anna", p256_token("one", &claims("anna", 6)));
    let long = p256_token("one", &claims("anna", 600));
    let (mut ends, mut stays) = (short.connect().await, short.connect().await);
    ends.subscribe("s", "SELECT 1 AS one").await;
    stays.subscribe("s", "SELECT 1 AS one").await;
    let ends_at = stays.welcome["expires_at"].clone();
    let extended = stays.authenticate(&long).await;
    assert_eq!(extended["type"], "auth_success");
    assert!(extended["expires_at"].as_str() > ends_at.as_str(), "{extended}");
    assert_eq!(ends.closed().await.code, 4001);
    stays.send(&json!({ "type": "ping" })).await;
    assert_eq!(stays.next().await["type"], "pong");
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("1"));
    assert_eq!(status_and_code(&short).await, refused("TOKEN_EXPIRED"));

    let anna = session(&server, "anna", long);
    root.sql("REVOKE TOKENS FOR USER 'anna'").await;
    assert_eq!(stays.closed().await.code, 4002);
    assert_eq!(status_and_code(&anna).await, refused("TOKEN_REVOKED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_a_logout_ends_a_token_of_another_issuer_and_a_refresh_says_where_to_go() {
    let issuer = OutsideIssuer::start().await;
    let mut server = issuer.trusted(&json!({})).await;
    server.user("anna", "user").await;
    let token = |id: &str| {
        let mut claims = claims("anna", 600);
        claims["jti"] = json!(id);
        p256_token("one", &claims)
    };
    let (one, two) = (session(&server, "anna", token("1")), session(&server, "anna", token("2")));
    let (mut socket_one, mut socket_two) = (one.connect().await, two.connect().await);
    let refresh = one.http.post("/v1/api/auth/refresh", Some(&one.access_token), &json!({})).await;
    assert_eq!((refresh.status, &refresh.body["error"]), (400, &json!("unsupported")), "{refresh:?}");
    let logout = one.http.post("/v1/api/auth/logout", Some(&one.access_token), &json!({})).await;
    assert_eq!(logout.status, 200, "{logout:?}");
    assert_eq!(socket_one.closed().await.code, 4002);
    assert_eq!(status_and_code(&one).await, refused("TOKEN_REVOKED"));
    socket_two.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket_two.next().await["type"], "pong");
    server.restart().await;
    let one = Session { http: server.http(), ..one };
    assert_eq!(status_and_code(&one).await, refused("TOKEN_REVOKED"), "also after a restart");
}
