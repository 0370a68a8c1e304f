//! Which place wins, and what is no setting anywhere.

use super::*;

const PROGRAM: &str = "kalamdb-server";

fn collect(args: &[&str], env: &[(&str, &str)]) -> Result<Given, ConfigError> {
    let args = [PROGRAM].iter().chain(args).map(|arg| (*arg).to_owned());
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Given::collect(args, env.collect::<Vec<_>>())
}

fn text(given: &Given, name: &str) -> Option<String> {
    match given.get(name)? {
        (Raw::Text(text) | Raw::Toml(toml::Value::String(text)), _) => Some(text.clone()),
        (Raw::Toml(value), _) => Some(value.to_string()),
    }
}

fn refused(args: &[&str], env: &[(&str, &str)]) -> String {
    match collect(args, env) {
        Ok(_) => panic!("it is taken: {args:?} {env:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.toml");
    std::fs::write(&path, "[server]\nlisten = \"file\"\ndata_dir = \"file\"\nnode_id = \"file\"\n").unwrap();
    let file = path.display().to_string();
    let env = [("KALAMDB_SERVER__LISTEN", "env"), ("KALAMDB_SERVER__DATA_DIR", "env"), ("PATH", "/bin")];
    let given = collect(&["--config", &file, "--listen", "flag"], &env).unwrap();
    let wanted = [
        ("server.listen", "flag", Origin::Flag("--listen")),
        ("server.data_dir", "env", Origin::Environment("KALAMDB_SERVER__DATA_DIR".to_owned())),
        ("server.node_id", "file", Origin::File(path)),
    ];
    for (name, value, origin) in wanted {
        assert_eq!((text(&given, name).as_deref(), given.origin(name)), (Some(value), origin));
    }
    assert_eq!(given.origin("live.batch_rows"), Origin::Default);
}

#[test]
fn a_setting_that_does_not_exist_is_named_wherever_it_stands() {
    for (env, named) in [
        ("KALAMDB_SERVER__NO_SUCH_THING", "\"server.no_such_thing\""),
        ("KALAMDB_NO_SUCH_SECTION__X", "\"no_such_section\""),
        ("KALAMDB_SERVER__LISTEN__X", "\"server.listen__x\""),
        ("KALAMDB_SERVER_LISTEN", "KALAMDB_SERVER_LISTEN"),
        ("KALAMDB___X", "KALAMDB___X"),
    ] {
        let said = refused(&[], &[(env, "1")]);
        assert!(said.contains(named) && said.contains(env), "{env}: {said}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.toml");
    let file = path.display().to_string();
    for (text, named) in [
        ("[server]\nno_such_thing = 1\n", "\"server.no_such_thing\""),
        ("[no_such_section]\nx = 1\n", "\"no_such_section\""),
        ("listen = \"127.0.0.1:1\"\n", "\"listen\""),
        ("[server]\nlisten = \n", "line 2"),
        ("[server]\n[server]\n", "line 2"),
    ] {
        std::fs::write(&path, text).unwrap();
        let said = refused(&["--config", &file], &[]);
        assert!(said.contains(named) && said.contains("other.toml"), "{text}: {said}");
    }
    let said = refused(&["--config", "no-such-file.toml"], &[]);
    assert!(said.contains("no-such-file.toml"), "{said}");
}

#[test]
fn names_of_other_programs_in_the_environment_are_left_alone() {
    assert!(collect(&[], &[("KALAMDB_URL", "x"), ("SERVER__LISTEN", "x"), ("KALAMDB", "x")]).is_ok());
}

#[test]
fn the_short_names_count_unless_the_whole_ones_are_there() {
    let short = ("KALAMDB_ROOT_PASSWORD", "short");
    let whole = ("KALAMDB_AUTH__ROOT_PASSWORD", "whole");
    assert_eq!(text(&collect(&[], &[short]).unwrap(), "auth.root_password").unwrap(), "short");
    for env in [[short, whole], [whole, short]] {
        assert_eq!(text(&collect(&[], &env).unwrap(), "auth.root_password").unwrap(), "whole");
    }
    assert_eq!(text(&collect(&[], &[("RUST_LOG", "debug")]).unwrap(), "server.log").unwrap(), "debug");
}

#[test]
fn arguments_that_do_not_exist_are_refused_and_help_is_an_answer() {
    assert!(refused(&["--no-such-flag"], &[]).contains("--no-such-flag"));
    assert!(refused(&["--help"], &[]).contains("--data-dir"));
    assert!(refused(&["--version"], &[]).contains(env!("CARGO_PKG_VERSION")));
}
