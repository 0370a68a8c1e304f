//! The program itself: its arguments and settings, its signals, and `kill -9`.

use std::path::Path;
use std::process::Output;

use kalamdb_testkit::ServerProcess;
use serde_json::{Value as Json, json};
use tokio::process::Command;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kalamdb-server"))
}

/// Runs the program with settings that should stop it.
async fn refused(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> (String, Output) {
    let mut command = Command::new(program());
    command.arg("--data-dir").arg(dir).args(args).envs(env.iter().copied()).kill_on_drop(true);
    let output = tokio::time::timeout(kalamdb_testkit::PATIENCE, command.output()).await;
    let output = output.expect("it stops by itself").expect("it runs");
    (format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)), output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_acknowledged_writes_survive_kill_9_and_clients_resume() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = ServerProcess::start(program(), &data, &[("websocket.progress_interval_ms", "20")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    for id in 0..20 {
        root.sql(&format!("INSERT INTO t VALUES ({id}, 0)")).await;
    }
    let seq = root.sql("UPDATE t SET n = 1 WHERE id < 10").await.seq();
    server.kill().await;
    assert_eq!(socket.closed().await.code, 1006);
    server.start_again().await;
    let root = server.root().await;
    assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!("20"));
    assert_eq!(root.cell("SELECT COUNT(*) FROM t WHERE n = 1").await, json!("10"));
    assert_eq!(root.rows("SELECT * FROM system.live_queries").await, Vec::<Vec<Json>>::new());
    let next = root.sql("INSERT INTO t VALUES (100, 0)").await.seq();
    assert!(next > seq, "a SeqId is never used twice");
    let mut socket = root.connect().await;
    socket.resume(&mut live, "SELECT * FROM t").await;
    socket.follow(&mut live, next).await;
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_interval_durability_never_gives_a_seq_out_twice() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("storage.durability", "interval"), ("storage.sync_interval_ms", "60000")];
    let mut server = ServerProcess::start(program(), &dir.path().join("data"), &settings).await;
    let mut last = 0;
    for round in 0..3 {
        let root = server.root().await;
        root.sql("CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY)").await;
        for id in 0..10 {
            let seq =
                root.sql(&format!("INSERT INTO t VALUES ({}) ON CONFLICT (id) DO NOTHING", round * 10 + id)).await;
            let seq = seq.json["seq"].as_u64().expect("a new row makes a commit");
            assert!(seq > last, "{seq} after {last}");
            last = seq;
        }
        server.kill().await;
        server.start_again().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_stops_cleanly_and_tells_the_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = ServerProcess::start(program(), &dir.path().join("data"), &[]).await;
    let root = server.root().await;
    let mut socket = root.connect().await;
    let status = server.terminate().await;
    assert!(status.success(), "{status}");
    assert_eq!(socket.closed().await.code, 1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_or_unknown_setting_stops_the_start_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for (name, value, named) in [
        ("KALAMDB_SERVER__NO_SUCH_THING", "1", "no_such_thing"),
        ("KALAMDB_NO_SUCH_SECTION__X", "1", "no_such_section"),
        ("KALAMDB_WEBSOCKET__IDLE_TIMEOUT_SECS", "soon", "idle_timeout_secs"),
        ("KALAMDB_STORAGE__DURABILITY", "maybe", "durability"),
        ("KALAMDB_SERVER__LISTEN", "nowhere", "listen"),
        ("KALAMDB_AUTH__ACCESS_TOKEN_TTL_SECS", "-1", "access_token_ttl_secs"),
    ] {
        let (said, output) = refused(&data, &[], &[(name, value)]).await;
        assert!(!output.status.success(), "{name}");
        assert!(said.to_lowercase().contains(named), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settings_file_is_read_and_an_unknown_key_in_it_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.toml");
    std::fs::write(&file, "[websocket]\nidle_timeout_sec = 3\n").unwrap();
    let (said, output) = refused(&dir.path().join("data"), &["--config", &file.display().to_string()], &[]).await;
    assert!(!output.status.success() && said.contains("idle_timeout_sec"), "{said}");
    let (said, output) = refused(&dir.path().join("data"), &["--config", "no-such-file.toml"], &[]).await;
    assert!(!output.status.success() && said.contains("no-such-file.toml"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s01_a_short_jwt_secret_stops_the_start_and_a_made_one_is_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (said, output) = refused(&data, &[], &[("KALAMDB_AUTH__JWT_SECRET", "too-short-a-secret")]).await;
    assert!(!output.status.success() && said.contains("32"), "{said}");
    assert!(!said.contains("too-short-a-secret"), "the secret itself is not told: {said}");
    let _server = ServerProcess::start(program(), &data, &[]).await;
    let entries = std::fs::read_dir(&data).unwrap().map(Result::unwrap);
    let secrets: Vec<_> = entries.filter(|entry| entry.file_name().to_string_lossy().contains("secret")).collect();
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s21_an_address_of_the_outside_in_plain_text_needs_to_be_said() {
    let dir = tempfile::tempdir().unwrap();
    let (said, output) = refused(&dir.path().join("data"), &["--listen", "0.0.0.0:0"], &[]).await;
    assert!(!output.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let _first = ServerProcess::start(program(), &data, &[]).await;
    let (said, output) = refused(&data, &["--listen", "127.0.0.1:0"], &[]).await;
    assert!(!output.status.success() && !said.is_empty(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_the_first_start_prints_a_random_root_password_once() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let mut first = Vec::new();
    for start in 0..2 {
        let mut command = Command::new(program());
        command.arg("--data-dir").arg(dir.path().join("data")).args(["--listen", "127.0.0.1:0"]).kill_on_drop(true);
        command.env_remove("KALAMDB_ROOT_PASSWORD");
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let reading = async {
            while !said.iter().any(|line: &String| line.contains("listening")) {
                let line = tokio::select! {
                    Ok(Some(line)) = out.next_line() => line,
                    Ok(Some(line)) = err.next_line() => line,
                    else => break,
                };
                said.push(line);
            }
        };
        tokio::time::timeout(kalamdb_testkit::PATIENCE, reading).await.expect("it says that it is listening");
        child.kill().await.unwrap();
        let told = said.iter().any(|line| line.contains("password"));
        assert_eq!(told, start == 0, "start {start}: {said:?}");
        first = said;
    }
    assert!(!first.is_empty());
}
