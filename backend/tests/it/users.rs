//! Who may make and change users, and what becomes of them.

use kalamdb_testkit::TestServer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_made_changed_and_dropped_by_administrators_alone() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let (anna, robot) = (server.user("anna", "user").await, server.user("robot", "service").await);
    for sql in [
        "CREATE USER 'x' WITH PASSWORD 'long enough' ROLE user",
        "ALTER USER 'anna' SET ROLE dba",
        "ALTER USER 'anna' SET PASSWORD 'another password'",
        "DROP USER 'robot'",
        "DROP USER IF EXISTS 'no one'",
        "REVOKE TOKENS FOR USER 'robot'",
    ] {
        for session in [&anna, &robot] {
            let failure = session.sql_fails(sql).await;
            assert!(matches!(failure.code.as_str(), "PERMISSION_DENIED" | "INVALID_SQL"), "{sql}: {failure}");
        }
    }
    let dba = server.user("dora", "dba").await;
    dba.sql("CREATE USER 'x' WITH PASSWORD 'long enough' ROLE dba EMAIL 'x@example.org'").await;
    dba.sql("ALTER USER 'x' SET ROLE service; ALTER USER 'x' SET EMAIL NULL").await;
    let row = root.rows("SELECT role, email FROM system.users WHERE user_id = 'x'").await;
    assert_eq!(row, [[json!("service"), json!(null)]]);
    dba.sql("DROP USER 'x'").await;
    assert_eq!(dba.sql("DROP USER IF EXISTS 'x'").await.json.get("seq"), None, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_a_dba_makes_nobody_a_system_user_and_touches_none() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE USER 'second' WITH PASSWORD 'long enough' ROLE system").await;
    let dba = server.user("dora", "dba").await;
    for sql in [
        "CREATE USER 'x' WITH PASSWORD 'long enough' ROLE system",
        "CREATE USER IF NOT EXISTS 'second' WITH PASSWORD 'long enough' ROLE user",
        "ALTER USER 'dora' SET ROLE system",
        "ALTER USER 'second' SET ROLE user",
        "ALTER USER 'second' SET PASSWORD 'another password'",
        "ALTER USER 'root' SET PASSWORD 'another password'",
        "ALTER USER 'second' SET EMAIL 'x@example.org'",
        "REVOKE TOKENS FOR USER 'root'",
        "DROP USER 'second'",
    ] {
        assert_eq!(dba.sql_fails(sql).await.code, "PERMISSION_DENIED", "{sql}");
    }
    root.sql("ALTER USER 'second' SET PASSWORD 'another password'; DROP USER 'second'").await;
    for sql in ["DROP USER 'root'", "ALTER USER 'root' SET ROLE user"] {
        assert_eq!(root.sql_fails(sql).await.code, "PERMISSION_DENIED", "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_is_the_only_one_that_lets_in() {
    let server = TestServer::start().await;
    let root = server.root().await;
    server.user("anna", "user").await;
    root.sql("ALTER USER 'anna' SET PASSWORD 'another password'").await;
    assert_eq!(server.http().try_login("anna", "password of anna").await.status, 401);
    assert_eq!(server.http().try_login("anna", "another password").await.status, 200);
    root.sql("DROP USER 'anna'").await;
    assert_eq!(server.http().try_login("anna", "another password").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_a_refused_password_or_address_is_not_repeated() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for sql in [
        "CREATE USER 'x' WITH PASSWORD 'tell' ROLE user",
        "CREATE USER 'x' WITH PASSWORD 'tell-nobody' ROLE user EMAIL 'tell-nobody'",
        "ALTER USER 'root' SET PASSWORD 'tell'",
        "ALTER USER 'root' SET EMAIL 'tell-nobody'",
    ] {
        let failure = root.sql_fails(sql).await;
        assert_eq!(failure.code, "CONSTRAINT_VIOLATION", "{sql}: {failure}");
        assert!(!failure.message.contains("tell"), "{failure}");
    }
    let long = "x".repeat(2_000);
    let failure = root.sql_fails(&format!("CREATE USER 'x' WITH PASSWORD '{long}' ROLE user")).await;
    assert_eq!(failure.code, "CONSTRAINT_VIOLATION");
}
