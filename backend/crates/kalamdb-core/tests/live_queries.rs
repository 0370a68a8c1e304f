//! The engine without a network: SQL in, frames out, by its public parts alone.
//!
//! A [`TestEngine`] is put together as a server does it, over a real store in a folder of its own; a
//! [`Client`] holds the two ends of a connection that a socket's tasks would hold. Nothing waits for time
//! to pass: the clock is the test's, and [`Client::told`] knows when there is nothing more to come.

#[path = "live_queries/test_engine.rs"]
mod test_engine;

#[path = "live_queries/client.rs"]
mod client;

use kalamdb_commons::protocol::SubscribeOptions;
use kalamdb_commons::{ErrorCode, Role, SeqId};
use kalamdb_core::live::CloseReason;
use kalamdb_system::live_queries;
use serde_json::json;

use client::{Client, brief, seq_of};
use test_engine::{ACCESS_TTL_SECS, ADDRESS, TestEngine};

fn all() -> SubscribeOptions {
    SubscribeOptions::default()
}

/// An engine with a table of everybody's that holds three rows, two of them of kind `a`.
async fn with_table() -> TestEngine {
    let test = TestEngine::start().await;
    test.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY, kind TEXT, n INT) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    test.sql("INSERT INTO t VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 30)").await;
    test
}

/// What a client has been told, briefly, in an order that does not depend on its subscriptions'.
async fn told(client: &mut Client<'_>) -> Vec<String> {
    let mut told: Vec<String> = client.told().await.iter().map(brief).collect();
    told.sort();
    told
}

#[tokio::test]
async fn us1_subscriptions_of_one_connection_are_told_what_concerns_them_and_end_alone() {
    let test = with_table().await;
    let mut anna = test.connect("anna").await;
    for (id, sql) in
        [("a", "SELECT * FROM t WHERE kind = 'a'"), ("b", "SELECT * FROM t WHERE n >= 30"), ("all", "SELECT * FROM t")]
    {
        anna.subscribe(id, sql, all()).await;
    }
    test.sql("INSERT INTO t VALUES (4, 'a', 1)").await;
    assert_eq!(told(&mut anna).await, ["a: Insert +4", "all: Insert +4"]);
    test.sql("UPDATE t SET kind = 'c', n = 40 WHERE id = 4").await;
    assert_eq!(told(&mut anna).await, ["a: Delete -4", "all: Update -4 +4", "b: Insert +4"]);
    test.sql("CREATE SHARED TABLE other (id INT PRIMARY KEY); INSERT INTO other VALUES (1)").await;
    assert_eq!(told(&mut anna).await, [""; 0], "another table concerns none of them");

    anna.connection.unsubscribe("all").await;
    assert_eq!(told(&mut anna).await, ["all: Unsubscribed"]);
    test.sql("DELETE FROM t WHERE id IN (1, 3)").await;
    assert_eq!(told(&mut anna).await, ["a: Delete -1", "b: Delete -3"]);
    anna.connection.unsubscribe("all").await;
    assert_eq!(told(&mut anna).await, ["all: NotFound"]);
}

#[tokio::test]
async fn us2_system_live_queries_has_a_row_per_subscription_until_it_or_its_connection_ends() {
    let test = with_table().await;
    let (mut anna, mut ben) = (test.connect("anna").await, test.connect("ben").await);
    let top = "SELECT id, n FROM t ORDER BY n DESC LIMIT 2";
    anna.subscribe("rows", "SELECT * FROM t", all()).await;
    anna.subscribe("top", top, all()).await;
    ben.subscribe("rows", "SELECT id FROM t", all()).await;

    let row = |client: &Client<'_>, id: &str, sql: &str, strategy: &str| {
        let connection = client.connection.id().to_string();
        json!([client.connection.user().as_str(), connection, id, "default.t", sql, strategy, "active"])
    };
    let (annas_rows, annas_top) = (row(&anna, "rows", "SELECT * FROM t", "filter"), row(&anna, "top", top, "re-run"));
    let bens = row(&ben, "rows", "SELECT id FROM t", "filter");
    let listed = "SELECT user_id, connection_id, subscription_id, table_name, query, strategy, status \
                  FROM system.live_queries ORDER BY user_id, subscription_id";
    assert_eq!(test.rows(listed).await, json!([annas_rows, annas_top, bens]));
    assert_eq!(test.rows_of("ben", Role::User, listed).await, json!([bens]), "others' are not shown to a user");

    anna.connection.unsubscribe("top").await;
    assert_eq!(test.rows(listed).await, json!([annas_rows, bens]));
    assert_eq!(anna.close(CloseReason::ClientAsked).await, CloseReason::ClientAsked);
    assert_eq!(test.rows(listed).await, json!([bens]));
    assert_eq!(live_queries::all(&test.store).unwrap().len(), 1, "what is stored of them is gone too");
}

#[tokio::test]
async fn i5_subscribers_of_a_user_table_are_told_of_their_own_rows_only() {
    let test = TestEngine::start().await;
    test.sql("CREATE TABLE notes (id INT PRIMARY KEY, body TEXT)").await;
    let (mut anna, mut ben) = (test.connect("anna").await, test.connect("ben").await);
    test.sql_of("anna", Role::User, "INSERT INTO notes VALUES (1, 'hers')").await;
    assert_eq!(anna.subscribe("notes", "SELECT * FROM notes", all()).await.cells(), json!([[1, "hers"]]));
    assert_eq!(ben.subscribe("notes", "SELECT * FROM notes", all()).await.cells(), json!([]));
    test.sql_of("ben", Role::User, "INSERT INTO notes VALUES (1, 'his')").await;
    assert_eq!((told(&mut anna).await, told(&mut ben).await), (vec![], vec!["notes: Insert +1".to_owned()]));
    test.sql_of("anna", Role::User, "DELETE FROM notes WHERE id = 1").await;
    assert_eq!((told(&mut anna).await, told(&mut ben).await), (vec!["notes: Delete -1".to_owned()], vec![]));
}

#[tokio::test]
async fn i8_what_ends_a_user_or_its_tokens_closes_its_connections_with_the_reason_and_nobody_elses() {
    let test = with_table().await;
    let mut zoe = test.connect("zoe").await;
    zoe.subscribe("s", "SELECT * FROM t", all()).await;
    for (user, sql, reason) in [
        ("anna", "DROP USER 'anna'", CloseReason::UserDropped),
        ("ben", "ALTER USER 'ben' SET ROLE service", CloseReason::RoleChanged),
        ("cleo", "REVOKE TOKENS FOR USER 'cleo'", CloseReason::TokenRevoked),
    ] {
        let tokens = test.login(user).await;
        let identity = test.auth.verify(&tokens.access_token).unwrap();
        let (mut one, mut two) = (test.open(&identity).unwrap(), test.open(&identity).unwrap());
        for client in [&mut one, &mut two] {
            client.subscribe("s", "SELECT * FROM t", all()).await;
        }
        test.sql("UPDATE t SET n = n + 1 WHERE id = 1").await;
        test.engine.live().settled().await;
        test.sql(sql).await;
        assert_eq!((one.closed().await, two.closed().await), (reason, reason), "and not the row that was queued");
        assert_eq!(test.open(&identity).err(), Some(reason));
        assert_eq!(test.rows("SELECT user_id FROM system.live_queries").await, json!([["zoe"]]), "{sql}");
    }
    // A logout ends its own login; zoe's other one is not asked.
    let tokens = test.login("zoe").await;
    let mut leaving = test.open(&test.auth.verify(&tokens.access_token).unwrap()).unwrap();
    test.auth.logout(&tokens.access_token, ADDRESS).await.unwrap();
    assert_eq!(leaving.closed().await, CloseReason::TokenRevoked);
    assert_eq!(told(&mut zoe).await, ["s: Update -1 +1"; 3]);
}

#[tokio::test]
async fn fr007_a_connection_knows_the_end_of_its_token_and_goes_on_with_a_fresh_one_of_its_user() {
    let test = with_table().await;
    let tokens = test.login("anna").await;
    let mut anna = test.open(&test.auth.verify(&tokens.access_token).unwrap()).unwrap();
    anna.subscribe("s", "SELECT * FROM t", all()).await;
    assert_eq!(anna.connection.expires_at(), tokens.access_expires_at);

    test.clock.advance_secs(ACCESS_TTL_SECS - 1);
    let bens = test.login("ben").await;
    assert!(!anna.connection.extend(&test.auth.verify(&bens.access_token).unwrap()), "it is not hers");
    assert_eq!(anna.connection.expires_at(), tokens.access_expires_at);
    let fresh = test.auth.refresh(&tokens.refresh_token).await.unwrap();
    assert!(anna.connection.extend(&test.auth.verify(&fresh.access_token).unwrap()));
    assert_eq!(anna.connection.expires_at(), fresh.access_expires_at);
    assert!(fresh.access_expires_at > tokens.access_expires_at);

    // When that one's time is up it opens no door, and whoever watches the time closes the connection.
    test.sql("DELETE FROM t WHERE id = 1").await;
    test.engine.live().settled().await;
    test.clock.advance_secs(ACCESS_TTL_SECS);
    assert_eq!(test.auth.verify(&fresh.access_token).unwrap_err().code(), ErrorCode::TokenExpired);
    assert_eq!(anna.close(CloseReason::TokenExpired).await, CloseReason::TokenExpired, "and not the row before it");
    assert_eq!(test.rows("SELECT live_id FROM system.live_queries").await, json!([]));
}

#[tokio::test]
async fn i2_who_comes_back_on_another_connection_is_told_exactly_what_it_missed() {
    let test = with_table().await;
    let (sql, now) = ("SELECT * FROM t WHERE kind = 'a'", "SELECT * FROM t WHERE kind = 'a' ORDER BY id");
    let mut first = test.connect("anna").await;
    let mut copy = first.subscribe("s", sql, SubscribeOptions { batch_size: Some(1), ..all() }).await;
    assert_eq!(copy.cells(), test.rows(now).await);

    let mut written: Vec<SeqId> = Vec::new();
    for sql in ["INSERT INTO t VALUES (4, 'a', 40)", "UPDATE t SET n = 11 WHERE id = 1", "DELETE FROM t WHERE id = 2"] {
        written.push(test.sql(sql).await.seq.unwrap());
    }
    let changes = first.told().await;
    assert_eq!(changes.iter().map(seq_of).collect::<Vec<_>>(), written);
    assert_eq!(changes.iter().map(brief).collect::<Vec<_>>(), ["s: Insert +4", "s: Update -1 +1", "s: Delete -2"]);
    changes.iter().for_each(|change| copy.apply(change));
    assert_eq!(copy.cells(), test.rows(now).await);
    first.connection.unsubscribe("s").await;

    let mut missed: Vec<SeqId> = Vec::new();
    for sql in
        ["INSERT INTO t VALUES (5, 'a', 50)", "UPDATE t SET kind = 'b' WHERE id = 4", "DELETE FROM t WHERE id = 5"]
    {
        missed.push(test.sql(sql).await.seq.unwrap());
        test.sql("UPDATE t SET n = n + 1 WHERE id = 3").await;
    }
    assert_eq!(told(&mut first).await, ["s: Unsubscribed"]);

    let mut second = test.connect("anna").await;
    let resumed = second.subscribe("s", sql, SubscribeOptions { from: Some(copy.seq), ..all() }).await;
    assert_eq!((resumed.resumed, resumed.seq, resumed.cells()), (true, copy.seq, json!([])));
    let mut changes = second.told_through(*missed.last().unwrap()).await;
    missed.push(test.sql("UPDATE t SET n = 12 WHERE id = 1").await.seq.unwrap());
    changes.extend(second.told().await);
    assert_eq!(changes.iter().map(seq_of).collect::<Vec<_>>(), missed, "what it missed, and then what comes");
    changes.iter().for_each(|change| copy.apply(change));
    assert_eq!(copy.cells(), test.rows(now).await);
}
