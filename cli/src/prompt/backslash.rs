//! The prompt's own commands, those that begin with a backslash: what there is, and what a line asks for.

use std::path::PathBuf;

use clap::ValueEnum as _;

use crate::render::{Expanded, Format};

/// What a line that begins with a backslash asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backslash {
    /// `\d`: the tables, or the columns of one.
    Describe(Option<String>),
    /// `\l`
    Namespaces,
    /// `\dt`
    Tables,
    /// `\du`
    Users,
    /// `\live`: follow a query, or the last one, until Ctrl-C.
    Live(Option<String>),
    /// `\subscribe`: follow a query while the prompt goes on.
    Subscribe(String),
    /// `\subscriptions`
    Subscriptions,
    /// `\unsubscribe`
    Unsubscribe(String),
    /// `\connections`
    Connections,
    /// `\kill`
    Kill(String),
    /// `\use`
    Use(String),
    /// `\timing`: on, off, or the other of the two.
    Timing(Option<bool>),
    /// `\format`: choose one, or tell which it is.
    Format(Option<Format>),
    /// `\x`: choose, or the other of on and off.
    Expanded(Option<Expanded>),
    /// `\i`
    Include(PathBuf),
    /// `\?`
    Help,
    /// `\h`: SQL in short, or what a word begins.
    SqlHelp(Option<String>),
    /// `\q`
    Quit,
}

/// Each command's name, what may follow it, and what it does.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    ("\\d", "[TABLE]", "list tables, or describe one"),
    ("\\dt", "", "list tables"),
    ("\\l", "", "list namespaces"),
    ("\\du", "", "list users"),
    ("\\use", "NAMESPACE", "where table names without a namespace look"),
    ("\\live", "[SQL]", "follow a query (or the last one) until Ctrl-C"),
    ("\\subscribe", "SQL", "follow a query while the prompt goes on"),
    ("\\subscriptions", "", "list what \\subscribe began"),
    ("\\unsubscribe", "ID", "end one of them"),
    ("\\connections", "", "list open connections"),
    ("\\kill", "CONNECTION_ID", "end a connection"),
    ("\\format", "[table|csv|json|ndjson]", "how rows are written"),
    ("\\x", "[on|off|auto]", "rows one value a line"),
    ("\\timing", "[on|off]", "tell how long statements take"),
    ("\\i", "FILE", "run a script"),
    ("\\h", "[WORD]", "SQL in short"),
    ("\\?", "", "this list"),
    ("\\q", "", "leave (also Ctrl-D)"),
];

/// Reads a line that begins with a backslash.
///
/// # Errors
/// For people: there is no such command, or it takes something else.
pub fn parse(line: &str) -> Result<Backslash, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim().trim_end_matches(';').trim_end();
    let optional = || (!rest.is_empty()).then(|| rest.to_owned());
    let needed = |what: &str| optional().ok_or_else(|| format!("{name} wants {what}"));
    let command = match name {
        "\\d" => Backslash::Describe(optional()),
        "\\live" => Backslash::Live(optional()),
        "\\subscribe" => Backslash::Subscribe(needed("a query")?),
        "\\unsubscribe" => Backslash::Unsubscribe(needed("an id of \\subscriptions")?),
        "\\kill" => Backslash::Kill(needed("a connection_id of \\connections")?),
        "\\use" => Backslash::Use(needed("a namespace")?),
        "\\i" => Backslash::Include(needed("a file")?.into()),
        "\\h" => Backslash::SqlHelp(optional()),
        "\\timing" => Backslash::Timing(on_or_off(name, rest)?),
        "\\x" => Backslash::Expanded(match rest {
            "auto" => Some(Expanded::Auto),
            _ => on_or_off(name, rest)?.map(|on| if on { Expanded::On } else { Expanded::Off }),
        }),
        "\\format" if rest.is_empty() => Backslash::Format(None),
        "\\format" => Backslash::Format(Some(
            Format::from_str(rest, true).map_err(|_| "\\format takes table, csv, json or ndjson".to_owned())?,
        )),
        _ => bare(name, rest)?,
    };
    Ok(command)
}

/// The commands that take nothing.
fn bare(name: &str, rest: &str) -> Result<Backslash, String> {
    let command = match name {
        "\\dt" => Backslash::Tables,
        "\\l" => Backslash::Namespaces,
        "\\du" => Backslash::Users,
        "\\subscriptions" => Backslash::Subscriptions,
        "\\connections" => Backslash::Connections,
        "\\?" | "\\help" => Backslash::Help,
        "\\q" | "\\quit" | "quit" | "exit" => Backslash::Quit,
        _ => return Err(format!("there is no command {name}; \\? lists them")),
    };
    if rest.is_empty() { Ok(command) } else { Err(format!("{name} takes nothing behind it")) }
}

fn on_or_off(name: &str, rest: &str) -> Result<Option<bool>, String> {
    match rest {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        _ => Err(format!("{name} takes on or off")),
    }
}

/// The list of commands, for `\?`.
#[must_use]
pub fn help() -> String {
    let mut text = String::new();
    for (name, rest, what) in COMMANDS {
        text.push_str(&format!("  {:<34} {what}\n", format!("{name} {rest}")));
    }
    text.push_str("A statement ends with a semicolon and may take several lines. Ctrl-C empties the line.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_command_is_read() {
        for (name, rest, _) in COMMANDS {
            let wanted = rest.trim_start_matches('[').trim_end_matches(']');
            let wanted = wanted.split('|').next().unwrap_or_default();
            let parsed = parse(&format!("{name} {wanted}"));
            assert!(parsed.is_ok(), "{name}: {parsed:?}");
        }
    }

    #[test]
    fn what_follows_a_command_belongs_to_it() {
        assert_eq!(parse("\\live SELECT 1;"), Ok(Backslash::Live(Some("SELECT 1".to_owned()))));
        assert_eq!(parse("\\live"), Ok(Backslash::Live(None)));
        assert_eq!(parse(" \\x auto "), Ok(Backslash::Expanded(Some(Expanded::Auto))));
        assert_eq!(parse("\\format JSON"), Ok(Backslash::Format(Some(Format::Json))));
        assert_eq!(parse("\\i my file.sql"), Ok(Backslash::Include("my file.sql".into())));
    }

    #[test]
    fn a_wrong_command_says_what_is_wrong() {
        for (line, named) in [
            ("\\nothing", "\\nothing"),
            ("\\kill", "connection_id"),
            ("\\timing maybe", "on or off"),
            ("\\q now", "\\q"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
