//! The program as its users meet it: statements, scripts, live queries, imports and the prompt,
//! each against a whole server.

#[path = "support/program.rs"]
mod program;
#[path = "support/terminal.rs"]
mod terminal;

use expect_test::expect;
use program::{Door, Running, World, ended, ended_with_input, program};
use serde_json::{Value as Json, json};
use terminal::Terminal;

const SCHEMA: &str = "
CREATE NAMESPACE app;
CREATE SHARED TABLE app.notes (
    id BIGINT PRIMARY KEY, room TEXT NOT NULL, body TEXT, price DECIMAL(8,2), at DATETIME, doc JSON
);
";

async fn world() -> World {
    let world = World::new().await;
    world.ok(&["-c", SCHEMA]).await;
    world
}

/// The rows of a query, as objects.
async fn rows(world: &World, sql: &str) -> Vec<Json> {
    let out = world.ok(&["-c", sql, "--format", "json"]).await;
    serde_json::from_str::<Json>(&out).unwrap().as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_statement_is_written_in_every_format() {
    let world = world().await;
    let insert = "INSERT INTO app.notes VALUES \
                  (1, 'lobby', 'hello', 1.5, '2013-01-31T12:00:00Z', '{\"a\": 1}'), (9007199254740993, 'lobby', NULL, NULL, NULL, NULL)";
    expect![[r#"
        2 rows inserted
    "#]]
    .assert_eq(&world.ok(&["-c", insert]).await);
    let select = "SELECT * FROM app.notes ORDER BY id";
    expect![[r#"
                       id | room  | body  | price | at                   | doc
        ------------------+-------+-------+-------+----------------------+----------
                        1 | lobby | hello |  1.50 | 2013-01-31 12:00:00Z | {"a": 1}
         9007199254740993 | lobby | NULL  |  NULL | NULL                 | NULL
        (2 rows)
    "#]]
    .assert_eq(&world.ok(&["-c", select]).await);
    expect![[r#"
        id,room,body,price,at,doc
        1,lobby,hello,1.50,2013-01-31T12:00:00Z,"{""a"": 1}"
        9007199254740993,lobby,,,,
    "#]]
    .assert_eq(&world.ok(&["-c", select, "--format", "csv"]).await);
    expect![[r#"
        [
          {"id":"1","room":"lobby","body":"hello","price":"1.50","at":1359633600000000,"doc":"{\"a\": 1}"},
          {"id":"9007199254740993","room":"lobby","body":null,"price":null,"at":null,"doc":null}
        ]
    "#]]
    .assert_eq(&world.ok(&["-c", select, "--format", "json"]).await);
    expect![[r#"
        {"id":"1","room":"lobby","body":"hello","price":"1.50","at":1359633600000000,"doc":"{\"a\": 1}"}
        {"id":"9007199254740993","room":"lobby","body":null,"price":null,"at":null,"doc":null}
    "#]]
    .assert_eq(&world.ok(&["-c", select, "-o", "ndjson"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_stand_beside_the_sql() {
    let world = world().await;
    let quote = "it's; DROP TABLE app.notes; --";
    world.ok(&["-c", "INSERT INTO app.notes (id, room) VALUES ($1, $2)", "-p", "-7", "-p", quote]).await;
    assert_eq!(rows(&world, "SELECT id, room FROM app.notes").await, [json!({ "id": "-7", "room": quote })]);
    let surplus = world.run(&["-c", "SELECT $1", "-p", "1", "-p", "2"]).await;
    assert_eq!(surplus.code, 2, "{surplus:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_stops_at_its_first_failure_unless_told_to_go_on() {
    let world = world().await;
    let script = world.file(
        "script.sql",
        "USE app;\nINSERT INTO notes (id, room) VALUES (1, 'a;b');\n\nSELECT nothing\nFROM notes;\nINSERT INTO notes (id, room) VALUES (2, 'c');\n",
    );
    let stopped = world.run(&["-f", &script]).await;
    assert_eq!(stopped.code, 1);
    assert!(stopped.err.contains("statement on line 4: NOT_FOUND"), "{}", stopped.err);
    assert_eq!(rows(&world, "SELECT id FROM app.notes").await.len(), 1);
    world.ok(&["-c", "DELETE FROM app.notes"]).await;
    let kept_going = world.run(&["-f", &script, "--keep-going"]).await;
    assert_eq!(kept_going.code, 1, "it still says so");
    assert_eq!(rows(&world, "SELECT id FROM app.notes").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_comes_through_a_pipe_and_a_transaction_is_one_request() {
    let world = world().await;
    let script = "BEGIN; INSERT INTO app.notes (id, room) VALUES (1, 'x'); INSERT INTO app.notes (id, room) VALUES (1, 'y'); COMMIT;";
    let failed = ended_with_input(world.kalam(&[]), script).await;
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("CONSTRAINT_VIOLATION"), "{}", failed.err);
    assert!(rows(&world, "SELECT id FROM app.notes").await.is_empty(), "nothing of it is kept");
    let done = ended_with_input(world.kalam(&["-f", "-"]), "SELECT 1 AS one").await;
    assert_eq!((done.code, done.out.as_str()), (0, " one\n-----\n   1\n(1 row)\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_show_code_message_and_place() {
    let world = world().await;
    let failed = world.run(&["-c", "SELECT * FORM app.notes"]).await;
    assert_eq!(failed.code, 1);
    let lines: Vec<&str> = failed.err.lines().collect();
    assert!(lines[0].starts_with("kalam: INVALID_SQL: "), "{lines:?}");
    assert!(lines[1].contains("SELECT * FORM app.notes") && lines[2].trim() == "^", "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_tell_scripts_what_happened() {
    let world = world().await;
    let code = async |mut command: tokio::process::Command, set: &[(&str, &str)]| {
        command.envs(set.iter().copied());
        ended(command).await.code
    };
    assert_eq!(code(world.kalam(&["-c", "SELECT 1"]), &[]).await, 0);
    assert_eq!(code(world.kalam(&["-c", "SELECT nothing"]), &[]).await, 1);
    assert_eq!(code(world.kalam(&["--no-such-flag"]), &[]).await, 2);
    assert_eq!(code(world.kalam(&["-f", "no such file"]), &[]).await, 2);
    assert_eq!(code(world.kalam(&["status"]), &[("KALAM_URL", "http://127.0.0.1:9")]).await, 3);
    assert_eq!(code(world.kalam(&["status"]), &[("KALAM_PASSWORD", "not the one")]).await, 4);
    world.ok(&["-c", "CREATE USER 'anna' WITH PASSWORD 'a long sentence' ROLE user"]).await;
    let anna = [("KALAM_USER", "anna"), ("KALAM_PASSWORD", "a long sentence")];
    assert_eq!(code(world.kalam(&["-c", "CREATE NAMESPACE mine"]), &anna).await, 4);
    let goes_on = world.kalam(&["-c", "CREATE NAMESPACE mine", "-c", "SELECT 1", "--keep-going"]);
    assert_eq!(code(goes_on, &anna).await, 1, "the other statement ran");
    assert_eq!(code(program(world.home.path(), &["status"]), &[]).await, 2, "nobody to ask for a user");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_come_from_a_file_that_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world().await;
    let folder = world.home.path().join(".config/kalam");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("config.toml");
    let url = world.server.addr();
    let password = kalamdb_testkit::ROOT_PASSWORD;
    let text = format!(
        "[profiles.default]\nurl = 'http://{url}'\nuser = 'root'\npassword = '{password}'\nnamespace = 'app'\n"
    );
    std::fs::write(&path, text).unwrap();
    let run = || ended(program(world.home.path(), &["-c", "SELECT COUNT(*) AS n FROM notes", "-o", "ndjson"]));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = run().await;
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("chmod 600") && !refused.err.contains(password), "{}", refused.err);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let used = run().await;
    assert_eq!((used.code, used.out.as_str()), (0, "{\"n\":\"0\"}\n"), "{used:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_streams_each_change_and_ends_with_ctrl_c() {
    let world = world().await;
    world.ok(&["-c", "INSERT INTO app.notes (id, room, body) VALUES (1, 'lobby', 'one'), (2, 'attic', 'two')"]).await;
    let sql = "SELECT id, body FROM app.notes WHERE room = $1";
    let mut running = Running::start(world.kalam(&["subscribe", sql, "-p", "lobby"]));
    assert_eq!(running.line().await, "  id=1 body=one");
    world.ok(&["-c", "INSERT INTO app.notes (id, room, body) VALUES (3, 'lobby', 'three')"]).await;
    assert_eq!(running.line().await, "+ id=3 body=three");
    world.ok(&["-c", "UPDATE app.notes SET body = 'four words are here' WHERE id = 3"]).await;
    assert_eq!(running.line().await, "~ id=3 body=three → \"four words are here\"");
    world.ok(&["-c", "UPDATE app.notes SET room = 'attic' WHERE id = 1"]).await;
    assert_eq!(running.line().await, "- id=1 body=one");
    running.interrupt().await;
    let (code, errors) = running.end().await;
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("-- connected as root"), "{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_a_subscription_goes_on_where_it_was_when_the_server_comes_back() {
    let mut world = world().await;
    let door = Door::open(world.server.addr()).await;
    let mut command = world.kalam(&["subscribe", "SELECT id FROM app.notes", "-o", "ndjson", "--limit", "3"]);
    command.env("KALAM_URL", door.url());
    world.ok(&["-c", "INSERT INTO app.notes (id, room) VALUES (1, 'a')"]).await;
    let mut running = Running::start(command);
    let change = |line: &str| {
        let line: Json = serde_json::from_str(line).unwrap();
        (line["change"].as_str().unwrap().to_owned(), line["row"]["id"].as_str().unwrap().to_owned())
    };
    assert_eq!(change(&running.line().await), ("snapshot".to_owned(), "1".to_owned()));
    world.server.kill().await;
    world.server.start_again().await;
    world.ok(&["-c", "INSERT INTO app.notes (id, room) VALUES (2, 'b')"]).await;
    door.lead_to(world.server.addr());
    assert_eq!(change(&running.line().await), ("insert".to_owned(), "2".to_owned()), "nothing missed, nothing twice");
    world.ok(&["-c", "INSERT INTO app.notes (id, room) VALUES (3, 'c')"]).await;
    assert_eq!(change(&running.line().await), ("insert".to_owned(), "3".to_owned()));
    assert_eq!(running.end().await.0, 0, "--limit ends it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_begins_where_it_is_told_to() {
    let world = world().await;
    for id in 1..=3 {
        world.ok(&["-c", "INSERT INTO app.notes (id, room) VALUES ($1, 'a')", "-p", &id.to_string()]).await;
    }
    let first = async |args: &[&str]| -> Json {
        let mut words = vec!["subscribe", "SELECT id FROM app.notes", "-o", "ndjson", "--limit", "1"];
        words.extend(args);
        serde_json::from_str(world.ok(&words).await.trim()).unwrap()
    };
    assert_eq!(first(&["--last-rows", "1"]).await["row"]["id"], "3");
    let seqs = rows(&world, "SELECT _seq FROM app.notes ORDER BY id").await;
    let from = seqs[1]["_seq"].as_str().unwrap();
    let resumed = first(&["--from", from]).await;
    assert_eq!((&resumed["change"], &resumed["row"]["id"]), (&json!("insert"), &json!("3")));
    let failed = world.run(&["subscribe", "SELECT * FROM app.nowhere"]).await;
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("NOT_FOUND"), "{failed:?}");
    let timed = world.run(&["subscribe", "SELECT id FROM app.notes", "--no-snapshot", "--timeout", "1"]).await;
    assert_eq!((timed.code, timed.out.as_str()), (0, ""), "{timed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_csv_file_is_imported_as_the_types_of_the_columns_and_comes_out_the_same() {
    let world = world().await;
    let mut csv = String::from("ID,room,body,price,at,doc\n");
    for id in 1..=1_000 {
        csv.push_str(&format!(
            "{id},room {},\"says \"\"{id}\"\", twice\nor more\",{id}.50,2013-01-31T12:00:00Z,\"{{\"\"n\"\":{id}}}\"\n",
            id % 7
        ));
    }
    let file = world.file("notes.csv", &csv);
    let imported = world.run(&["import", &file, "INTO", "app.notes"]).await;
    assert_eq!((imported.code, imported.err.as_str()), (0, "1000 rows imported\n"), "{imported:?}");
    let out = world.ok(&["-c", "SELECT * FROM app.notes ORDER BY id", "--format", "csv"]).await;
    assert_eq!(out.replacen("id,", "ID,", 1), csv, "an export is what was imported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_stops_at_a_bad_row_and_goes_on_from_its_line() {
    let world = world().await;
    let mut lines: Vec<String> = (1..=300).map(|id| format!("{id};room;NA")).collect();
    lines[149] = "150;NA;NA".to_owned();
    let file = world.file("notes.csv", &lines.join("\n"));
    let columns = ["--columns", "id,room,body", "--no-header", "--delimiter", ";", "--null", "NA"];
    let import = async |more: &[&str]| {
        let mut words = vec!["import", file.as_str(), "--into", "app.notes"];
        words.extend(columns);
        words.extend(more);
        world.run(&words).await
    };
    let stopped = import(&[]).await;
    assert_eq!(stopped.code, 1, "{stopped:?}");
    assert!(stopped.err.contains("line 150: CONSTRAINT_VIOLATION"), "{}", stopped.err);
    assert!(stopped.err.contains("149 rows imported") && stopped.err.contains("--from-line 150"), "{}", stopped.err);
    assert_eq!(rows(&world, "SELECT COUNT(*) AS n FROM app.notes").await, [json!({ "n": "149" })]);
    let rest = import(&["--from-line", "150", "--skip-bad-rows"]).await;
    assert_eq!(rest.code, 1, "{rest:?}");
    assert!(rest.err.contains("line 150: ") && rest.err.contains("150 rows imported, 1 row refused"), "{}", rest.err);
    let again = import(&["--from-line", "151", "--on-conflict", "skip"]).await;
    assert!(again.err.contains("0 rows imported, 150 rows there already"), "{}", again.err);
    let unread = world.file("bad.csv", "id,room\n1,a\ns3cret,b\n");
    let wrong = world.run(&["import", &unread, "INTO", "app.notes", "--on-conflict", "update"]).await;
    assert!(wrong.err.contains("line 3: column \"id\"") && !wrong.err.contains("s3cret"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr015_the_open_connections_are_listed() {
    let world = world().await;
    let mut running = Running::start(world.kalam(&["subscribe", "SELECT 1 AS one"]));
    running.line().await;
    let listed = world.ok(&["connections", "-o", "ndjson"]).await;
    let connection: Json = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!((&connection["user_id"], &connection["subscriptions"]), (&json!("root"), &json!("1")));
    assert_eq!(world.ok(&["connections", "--of", "anna", "-o", "ndjson"]).await, "");
    let status = world.ok(&["ping"]).await;
    assert!(status.contains("you are root (system)"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_help_names_every_subcommand_and_shells_get_completions() {
    let home = tempfile::tempdir().unwrap();
    let help = ended(program(home.path(), &["--help"])).await.out;
    for word in ["subscribe", "import", "connections", "kill", "status", "completions", "Examples:", "Exit codes:"] {
        assert!(help.contains(word), "{word}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = ended(program(home.path(), &["completions", shell])).await;
        assert!(script.code == 0 && script.out.contains("subscribe"), "{shell}");
    }
    assert!(ended(program(home.path(), &["help", "import"])).await.out.contains("--from-line"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_takes_statements_of_several_lines_and_keeps_live_queries() {
    let world = world().await;
    let mut terminal = Terminal::start(&world, &[]).await;
    terminal.wait("root@default>").await;
    terminal.type_line("\\use app").await;
    terminal.wait("root@app>").await;
    terminal.type_line("SELECT 41 +").await;
    terminal.type_line("1 AS answer;").await;
    terminal.wait("42").await;
    terminal.wait("(1 row)").await;
    terminal.type_line("\\subscribe SELECT id, room FROM notes").await;
    terminal.wait("live1 is live").await;
    terminal.type_line("\\subscribe SELECT COUNT(*) AS n FROM notes").await;
    terminal.wait("live2 is live").await;
    world.ok(&["-c", "INSERT INTO app.notes (id, room) VALUES (1, 'lobby')"]).await;
    terminal.wait("[live1] + id=1 room=lobby").await;
    terminal.type_line("\\unsubscribe live1").await;
    terminal.wait("live1 has ended").await;
    assert_eq!(
        rows(&world, "SELECT subscription_id FROM system.live_queries").await,
        [json!({ "subscription_id": "live2" })]
    );
    terminal.type_line("\\live SELECT id, room FROM notes").await;
    terminal.wait("  id=1 room=lobby").await;
    terminal.type_text("\x03").await;
    terminal.wait("root@app>").await;
    terminal.type_line("SELECT nowhere;").await;
    terminal.wait("NOT_FOUND").await;
    terminal.type_line("\\q").await;
    assert_eq!(terminal.end().await, 0);
    let history = std::fs::read_to_string(world.home.path().join(".local/state/kalam/history")).unwrap();
    assert!(history.contains("SELECT 41 +<\\n>1 AS answer;"), "{history}");
}

/// The lines of the page's blocks of one language, between two headings.
fn lines_of(page: &str, from: &str, to: &str, language: &str) -> Vec<String> {
    let section = page.split(from).nth(1).expect("the section is there").split(to).next().expect("and its end");
    let mut found = Vec::new();
    let mut inside = None;
    for line in section.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(name), None) => inside = Some(name),
            (None, Some(name)) if name == language => found.push(line.to_owned()),
            (None, _) => {}
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sc003_the_quick_start_of_the_readme_works_as_it_stands_there() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let typed = lines_of(&page, "## Quick start", "## Read on", "sql");
    let told = lines_of(&page, "## Quick start", "## Read on", "text");
    assert!(typed.len() >= 8 && told.len() == 2, "{typed:?} {told:?}");
    let world = World::new().await;
    let mut terminal = Terminal::start(&world, &[]).await;
    terminal.wait("root@default>").await;
    terminal.type_line("\\timing on").await;
    terminal.wait(" ms").await;
    terminal.wait("root@default>").await;
    for line in &typed {
        terminal.type_line(line).await;
        let mut texts = vec![" ms".to_owned()];
        if line.contains("'hello'") {
            texts.extend_from_slice(&told);
        }
        if line.contains("'still here'") {
            texts.push("[live1] + room=lobby body=\"still here\"".to_owned());
        }
        terminal.wait_all(&texts).await;
        // A line that comes in the moment in which the editor takes the terminal over can be lost.
        terminal.wait("> ").await;
    }
    let live = rows(&world, "SELECT subscription_id FROM system.live_queries").await;
    assert_eq!(live, [json!({ "subscription_id": "live1" })], "one was ended, the other goes on");
    let connections = rows(&world, "SELECT connection_id FROM system.connections").await;
    assert_eq!(connections.len(), 1, "all live queries of a prompt share one connection");
    terminal.type_line(&format!("\\kill {}", connections[0]["connection_id"].as_str().unwrap())).await;
    terminal.wait("[live1] -- ended: CONNECTION_KILLED").await;
    terminal.type_line("\\q").await;
    assert_eq!(terminal.end().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_query_is_drawn_in_place_with_changed_rows_marked() {
    let world = world().await;
    world.ok(&["-c", "INSERT INTO app.notes (id, room) VALUES (1, 'lobby')"]).await;
    let mut terminal =
        Terminal::start(&world, &["subscribe", "SELECT room, COUNT(*) AS n FROM app.notes GROUP BY room", "--watch"])
            .await;
    terminal.wait("(1 row)").await;
    world.ok(&["-c", "INSERT INTO app.notes (id, room) VALUES (2, 'lobby')"]).await;
    terminal.wait("~  lobby").await;
    terminal.type_text("q").await;
    assert_eq!(terminal.end().await, 0);
}
