//! The client library over HTTP: logging in, statements, typed rows, errors.

use kalam_link::{Client, Error, ErrorCode, params};
use kalamdb_testkit::TestServer;
use serde::Deserialize;
use serde_json::json;

use crate::client_kit::{client_at, client_of, root_at};

#[derive(Debug, Deserialize, PartialEq)]
struct Item {
    id: i64,
    name: String,
    price: String,
    at: Option<i64>,
    tags: Option<Vec<String>>,
    blob: Option<Vec<u8>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr009_statements_take_parameters_and_give_typed_rows() {
    let server = TestServer::start().await;
    let client = root_at(server.addr());
    let create = "CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT NOT NULL, price DECIMAL(10,2), at TIMESTAMP, \
                  tags JSON, blob BYTES)";
    client.execute(create, ()).await.unwrap();
    let insert = "INSERT INTO items VALUES ($1, $2, $3, $4, $5, $6)";
    let big = i64::MAX;
    let written = client
        .execute(insert, params![big, "pen", "2.5", "2013-01-01T00:00:00Z", json!(["a", "b"]), "AAH/"])
        .await
        .unwrap();
    assert_eq!((written.len(), written[0].row_count, written[0].seq.is_some()), (1, 1, true));
    client.execute(insert, params![1, "o'; DROP TABLE items", 3, None::<i64>, None::<i64>, None::<i64>]).await.unwrap();
    let result = client.query("SELECT * FROM items ORDER BY id DESC", ()).await.unwrap();
    let items: Vec<Item> = result.rows_as().unwrap();
    assert_eq!(
        items[0],
        Item {
            id: big,
            name: "pen".to_owned(),
            price: "2.50".to_owned(),
            at: Some(1_356_998_400_000_000),
            tags: Some(vec!["a".to_owned(), "b".to_owned()]),
            blob: Some(vec![0, 1, 255]),
        }
    );
    assert_eq!((items[1].name.as_str(), &items[1].tags), ("o'; DROP TABLE items", &None));
    let count: Vec<u8> = client.query("SELECT COUNT(*) FROM items", ()).await.unwrap().rows_as().unwrap();
    assert_eq!(count, [2]);
    assert_eq!(result.schema.index_of("price"), Some(2));
    assert_eq!(result.first().unwrap().value("id").unwrap(), kalam_link::Value::BigInt(big));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_statement_tells_code_place_and_which_one_it_was() {
    let server = TestServer::start().await;
    let client = root_at(server.addr());
    let error = client.query("SELECT FROM WHERE", ()).await.unwrap_err();
    assert_eq!(error.server_code(), Some(ErrorCode::InvalidSql));
    assert!(error.position().is_some(), "{error:?}");
    client.execute("CREATE TABLE t (id INT PRIMARY KEY)", ()).await.unwrap();
    let script = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)";
    let error = client.execute(script, ()).await.unwrap_err();
    let Error::Server { code, details, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*code, details.as_deref()), (ErrorCode::ConstraintViolation, Some("statement 2 of 3")));
    assert_eq!(error.code(), "CONSTRAINT_VIOLATION");
    let outcomes =
        client.execute("SELECT 1; INSERT INTO t VALUES (5); SELECT id FROM t ORDER BY id", ()).await.unwrap();
    let counts: Vec<u64> = outcomes.iter().map(|outcome| outcome.row_count).collect();
    assert_eq!((counts, outcomes[0].seq, outcomes[1].seq.is_some()), (vec![1, 1, 2], None, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_a_revoked_token_is_replaced_and_the_statement_runs_once() {
    let server = TestServer::start().await;
    let root = server.root().await;
    server.user("anna", "user").await;
    let anna = client_of(server.addr(), "anna");
    anna.execute("CREATE TABLE t (id INT PRIMARY KEY)", ()).await.unwrap_err();
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    anna.execute("INSERT INTO t VALUES (1)", ()).await.unwrap();
    root.sql("REVOKE TOKENS FOR USER 'anna'").await;
    anna.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
    let ids: Vec<i32> = anna.query("SELECT id FROM t ORDER BY id", ()).await.unwrap().rows_as().unwrap();
    assert_eq!(ids, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_a_token_of_its_own_is_used_until_it_counts_no_more() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let anna = server.user("anna", "user").await;
    let client = client_at(server.addr()).token(&anna.access_token).build().unwrap();
    assert_eq!(client.query("SELECT CURRENT_USER()", ()).await.unwrap().rows_as::<String>().unwrap(), ["anna"]);
    root.sql("REVOKE TOKENS FOR USER 'anna'").await;
    let error = client.query("SELECT 1", ()).await.unwrap_err();
    assert_eq!(error.code(), "AUTH_FAILED", "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_asked_when_a_token_is_needed() {
    let server = TestServer::start().await;
    let root = server.root().await;
    server.user("anna", "user").await;
    let http = server.http();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    let provider = move || {
        let (http, count) = (http.clone(), count.clone());
        async move {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(http.login("anna", "password of anna").await.access_token)
        }
    };
    let client = client_at(server.addr()).auth(provider).build().unwrap();
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0, "building asks nothing");
    client.query("SELECT 1", ()).await.unwrap();
    client.query("SELECT 2", ()).await.unwrap();
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
    root.sql("REVOKE TOKENS FOR USER 'anna'").await;
    client.query("SELECT 3", ()).await.unwrap();
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_is_said_clearly() {
    let server = TestServer::start().await;
    let wrong = client_at(server.addr()).password("root", "not the password").build().unwrap();
    let error = wrong.query("SELECT 1", ()).await.unwrap_err();
    assert!(matches!(error, Error::Auth(_)), "{error:?}");
    assert!(!error.to_string().contains("not the password"), "{error}");
    let error = wrong.subscribe("SELECT 1").start().await.unwrap_err();
    assert!(matches!(error, Error::Auth(_)), "{error:?}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = root_at(nobody).query("SELECT 1", ()).await.unwrap_err();
    assert!(matches!(error, Error::Network(_)), "{error:?}");
    for url in ["", "localhost:2900", "ftp://x", "http://", "http://a b", "http://anna:secret@localhost"] {
        let error = Client::builder(url).token("t").build().unwrap_err();
        assert_eq!(error.code(), "INVALID_ARGUMENT", "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert_eq!(Client::builder("http://localhost").build().unwrap_err().code(), "INVALID_ARGUMENT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr010_statements_alone_open_no_socket() {
    let server = TestServer::start().await;
    let client = root_at(server.addr());
    let connections = "SELECT COUNT(*) FROM system.connections";
    assert_eq!(client.query(connections, ()).await.unwrap().rows_as::<i64>().unwrap(), [0]);
    assert_eq!(client.connection_state(), kalam_link::ConnectionState::Idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_is_set_for_a_client_and_for_a_statement() {
    let server = TestServer::start().await;
    let root = root_at(server.addr());
    root.execute("CREATE NAMESPACE one; CREATE NAMESPACE two", ()).await.unwrap();
    root.execute("CREATE TABLE one.t (id INT PRIMARY KEY); CREATE TABLE two.t (id INT PRIMARY KEY)", ()).await.unwrap();
    root.execute("INSERT INTO one.t VALUES (1); INSERT INTO two.t VALUES (2)", ()).await.unwrap();
    let one =
        client_at(server.addr()).password("root", kalamdb_testkit::ROOT_PASSWORD).namespace("one").build().unwrap();
    assert_eq!(one.query("SELECT id FROM t", ()).await.unwrap().rows_as::<i32>().unwrap(), [1]);
    let two = one.execute_in(Some("two"), "SELECT id FROM t", ()).await.unwrap();
    assert_eq!(two[0].result.rows_as::<i32>().unwrap(), [2]);
    let live = one.live("SELECT id FROM t").start().await.unwrap();
    assert_eq!(live.rows().rows_as::<i32>().unwrap(), [1]);
    let live = one.live("SELECT id FROM t").namespace("two").start().await.unwrap();
    assert_eq!(live.rows().rows_as::<i32>().unwrap(), [2]);
}
