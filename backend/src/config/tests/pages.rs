//! `server.example.toml` and `docs/reference/config.md`, written from the list of settings.
//!
//! `UPDATE_EXPECT=1 cargo test -p kalamdb-server --lib pages` writes them anew.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::*;
use crate::config::options::one_line;
use crate::config::settings::{Entry, SECTIONS};

/// Longest line of a comment in the example.
const WIDTH: usize = 110;

#[test]
fn the_example_file_shows_every_setting_with_its_default() {
    expect_file!["../../../../server.example.toml"].assert_eq(&example());
}

#[test]
fn the_reference_page_lists_every_setting() {
    expect_file!["../../../../docs/reference/config.md"].assert_eq(&reference());
}

#[test]
fn the_example_file_is_the_default_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.toml");
    let file = path.display().to_string();
    std::fs::write(&path, example()).unwrap();
    assert_eq!(format!("{:?}", load(&["--config", &file], &[]).unwrap()), format!("{:?}", Config::default()));
    // With every line that sets something switched on it is the same.
    let switched_on: Vec<String> = example()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && !setting.ends_with("...\"") => setting.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(&path, switched_on.join("\n")).unwrap();
    assert_eq!(format!("{:?}", load(&["--config", &file], &[]).unwrap()), format!("{:?}", Config::default()));
}

fn example() -> String {
    let mut text = "# Every setting of kalamdb-server, switched off, with its default.\n\
                    # The server reads server.toml in the directory it is started in, or what --config names. A setting\n\
                    # can also come from the environment, as KALAMDB_<SECTION>__<KEY>, which wins over the file.\n"
        .to_owned();
    let entries = Config::default().entries();
    for section in SECTIONS {
        let _ = write!(text, "\n{}\n[{}]\n", comment(section.doc), section.name);
        for entry in of(&entries, section.name) {
            let value = entry.value.as_deref().unwrap_or("\"...\"");
            let _ = write!(text, "\n{}\n#{} = {value}\n", comment(entry.doc), entry.key);
        }
    }
    text
}

fn reference() -> String {
    let mut text = "# Settings\n\n\
        Flags (`--config FILE`, `--listen ADDR`, `--data-dir DIR`) win over the environment, which wins over the file\n\
        (`server.toml` in the directory the server is started in, or what `--config` names), which wins over the default.\n\
        In the environment `websocket.idle_timeout_secs` is `KALAMDB_WEBSOCKET__IDLE_TIMEOUT_SECS`; a list is written with\n\
        commas or as JSON. A wrong value or a setting that does not exist stops the start with a message that names it.\n\
        [server.example.toml](../../server.example.toml) is a file to begin with.\n"
        .to_owned();
    let entries = Config::default().entries();
    for section in SECTIONS {
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n| setting | default | meaning |\n| --- | --- | --- |\n",
            section.name,
            one_line(section.doc)
        );
        for entry in of(&entries, section.name) {
            let default = entry.value.as_ref().map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"));
            let secret = if entry.secret { " Never shown." } else { "" };
            let _ =
                writeln!(text, "| `{}.{}` | {default} | {}{secret} |", entry.section, entry.key, one_line(entry.doc));
        }
    }
    text
}

fn of<'a>(entries: &'a [Entry], section: &'a str) -> impl Iterator<Item = &'a Entry> {
    entries.iter().filter(move |entry| entry.section == section)
}

fn comment(doc: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in doc.split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].len() + 1 + word.len() > WIDTH {
            lines.push(format!("# {word}"));
        } else {
            lines[last] = format!("{} {word}", lines[last]);
        }
    }
    lines.join("\n")
}
