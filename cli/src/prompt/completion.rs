//! What could stand at the cursor: commands, keywords, functions, tables and columns.
//!
//! Looks at the tokens before the cursor and at the tables that the statement names; asks nobody.

use std::sync::{Arc, RwLock};

use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::backslash::COMMANDS;
use super::catalog::{Catalog, Table};
use super::words::{FUNCTIONS, KEYWORDS, TYPES};
use crate::sql_text::{Kind, Token, quoted_name, tokens};

/// More are never offered.
const OFFERED_MAX: usize = 200;

/// Completion over a catalog that others renew.
pub struct SqlCompleter {
    catalog: Arc<RwLock<Catalog>>,
}

impl SqlCompleter {
    /// Completes what `catalog` holds at the time of asking.
    #[must_use]
    pub fn new(catalog: Arc<RwLock<Catalog>>) -> Self {
        SqlCompleter { catalog }
    }
}

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let Ok(catalog) = self.catalog.read() else { return CompletionResult::fresh(Vec::new()) };
        let offers = offers(&catalog, line, pos);
        let suggestions: Vec<Suggestion> = offers
            .words
            .into_iter()
            .map(|offer| Suggestion {
                value: offer.text,
                description: offer.about,
                span: Span::new(offers.start, pos),
                append_whitespace: offer.ends_word,
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

/// One thing that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    text: String,
    about: Option<String>,
    ends_word: bool,
}

/// All of them, and where the word begins that they would replace.
#[derive(Debug, Default)]
struct Offers {
    start: usize,
    words: Vec<Offer>,
}

impl Offers {
    fn add(&mut self, prefix: &str, text: &str, about: Option<&str>, ends_word: bool) {
        let fits = text.to_lowercase().starts_with(&prefix.to_lowercase());
        if fits && self.words.len() < OFFERED_MAX && !self.words.iter().any(|offer| offer.text == text) {
            self.words.push(Offer { text: text.to_owned(), about: about.map(str::to_owned), ends_word });
        }
    }

    /// Words of SQL, in the case of what is typed.
    fn add_words(&mut self, prefix: &str, words: &[&str], ending: &str) {
        let lower = prefix.chars().any(char::is_lowercase);
        for word in words {
            let word = if lower { word.to_lowercase() } else { (*word).to_owned() };
            self.add(prefix, &format!("{word}{ending}"), None, ending.is_empty());
        }
    }
}

/// What could stand at `pos` of `line`.
fn offers(catalog: &Catalog, line: &str, pos: usize) -> Offers {
    let before = line.get(..pos).unwrap_or(line);
    if before.starts_with('\\') {
        return after_backslash(catalog, before);
    }
    let parts = tokens(before);
    let last = parts.last();
    if last.is_some_and(|token| !token.closed || token.kind == Kind::Comment) {
        return Offers::default();
    }
    let (start, behind) = match last {
        Some(token) if matches!(token.kind, Kind::Word) => (token.at.start, parts.len() - 1),
        _ => (before.len(), parts.len()),
    };
    let prefix = &before[start..];
    let mut offers = Offers { start, words: Vec::new() };
    let heads = &parts[..behind];
    if let Some(qualifier) = qualifier(before, heads) {
        qualified(&mut offers, catalog, line, &qualifier, prefix);
        return offers;
    }
    if wants_table(before, heads) {
        add_tables(&mut offers, catalog, prefix);
        return offers;
    }
    if prefix.is_empty() {
        return offers;
    }
    for (_, table) in named_tables(catalog, line) {
        add_columns(&mut offers, table, prefix);
    }
    offers.add_words(prefix, KEYWORDS, "");
    offers.add_words(prefix, TYPES, "");
    offers.add_words(prefix, FUNCTIONS, "(");
    add_tables(&mut offers, catalog, prefix);
    offers
}

fn after_backslash(catalog: &Catalog, before: &str) -> Offers {
    let Some(blank) = before.find(char::is_whitespace) else {
        let mut offers = Offers::default();
        for (name, _, what) in COMMANDS {
            offers.add(before, name, Some(what), true);
        }
        return offers;
    };
    let (name, rest) = before.split_at(blank);
    let start = before.len() - rest.trim_start().len();
    let prefix = &before[start..];
    let mut found = Offers { start, words: Vec::new() };
    match name {
        "\\d" => match prefix.split_once('.') {
            None => add_tables(&mut found, catalog, prefix),
            Some((namespace, typed)) => {
                found.start += namespace.len() + 1;
                add_tables_of(&mut found, catalog, namespace, typed);
            }
        },
        "\\use" => catalog.namespaces.iter().for_each(|name| found.add(prefix, name, None, true)),
        "\\format" => ["table", "csv", "json", "ndjson"].iter().for_each(|name| found.add(prefix, name, None, true)),
        "\\x" => ["on", "off", "auto"].iter().for_each(|name| found.add(prefix, name, None, true)),
        "\\timing" => ["on", "off"].iter().for_each(|name| found.add(prefix, name, None, true)),
        "\\live" | "\\subscribe" => {
            let sql = offers(catalog, &before[start..], before.len() - start);
            found = Offers { start: start + sql.start, words: sql.words };
        }
        _ => {}
    }
    found
}

/// The name before a dot that ends `heads`.
fn qualifier(text: &str, heads: &[Token]) -> Option<String> {
    let [.., name, dot] = heads else { return None };
    let is_dot = dot.kind == Kind::Symbol && &text[dot.at.clone()] == ".";
    is_dot.then(|| name_of(text, name)).flatten()
}

fn name_of(text: &str, token: &Token) -> Option<String> {
    match token.kind {
        Kind::Word => Some(text[token.at.clone()].to_lowercase()),
        Kind::QuotedName => Some(text[token.at.clone()].trim_matches('"').replace("\"\"", "\"")),
        _ => None,
    }
}

/// Behind `x.`: the tables of a namespace, the columns of a table or of what stands for one.
fn qualified(offers: &mut Offers, catalog: &Catalog, line: &str, qualifier: &str, prefix: &str) {
    add_tables_of(offers, catalog, qualifier, prefix);
    for (name, table) in named_tables(catalog, line) {
        if name == qualifier || table.name == qualifier {
            add_columns(offers, table, prefix);
        }
    }
}

/// Does the word before the cursor ask for a table?
fn wants_table(text: &str, heads: &[Token]) -> bool {
    let word = heads.iter().rev().find(|token| !matches!(token.kind, Kind::Space | Kind::Comment));
    word.is_some_and(|token| {
        let word = text[token.at.clone()].to_ascii_uppercase();
        matches!(word.as_str(), "FROM" | "JOIN" | "INTO" | "UPDATE" | "TABLE")
    })
}

fn add_tables(offers: &mut Offers, catalog: &Catalog, prefix: &str) {
    for table in catalog.tables.iter().filter(|table| table.namespace == catalog.current) {
        offers.add(prefix, &quoted_name(&table.name), Some("table"), true);
    }
    for namespace in &catalog.namespaces {
        offers.add(prefix, &format!("{}.", quoted_name(namespace)), Some("namespace"), false);
    }
    if !prefix.is_empty() {
        for table in &catalog.tables {
            let whole = format!("{}.{}", quoted_name(&table.namespace), quoted_name(&table.name));
            // A table is found by its own name too, wherever it lies.
            let by_name = table.name.to_lowercase().starts_with(&prefix.to_lowercase());
            if by_name && table.namespace == catalog.current {
                continue;
            }
            offers.add(if by_name { "" } else { prefix }, &whole, Some("table"), true);
        }
    }
}

fn add_tables_of(offers: &mut Offers, catalog: &Catalog, namespace: &str, prefix: &str) {
    for table in catalog.tables.iter().filter(|table| table.namespace == namespace) {
        offers.add(prefix, &quoted_name(&table.name), Some("table"), true);
    }
}

fn add_columns(offers: &mut Offers, table: &Table, prefix: &str) {
    for (name, data_type) in &table.columns {
        offers.add(prefix, &quoted_name(name), Some(data_type), true);
    }
}

/// The tables that `line` names, each with the name by which its columns are called.
fn named_tables<'a>(catalog: &'a Catalog, line: &str) -> Vec<(String, &'a Table)> {
    let parts: Vec<Token> =
        tokens(line).into_iter().filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment)).collect();
    let mut found = Vec::new();
    for (at, token) in parts.iter().enumerate() {
        let Some(name) = name_of(line, token) else { continue };
        let symbol = |at: Option<usize>| at.and_then(|at| parts.get(at)).map(|token| &line[token.at.clone()]);
        if symbol(at.checked_sub(1)) == Some(".") {
            continue;
        }
        let (table, next) = if symbol(Some(at + 1)) == Some(".") {
            let Some(second) = parts.get(at + 2).and_then(|token| name_of(line, token)) else { continue };
            (catalog.table(Some(&name), &second), at + 3)
        } else {
            (catalog.table(None, &name), at + 1)
        };
        let Some(table) = table else { continue };
        let next = if symbol(Some(next)).is_some_and(|word| word.eq_ignore_ascii_case("as")) { next + 1 } else { next };
        let alias = parts.get(next).filter(|token| token.kind == Kind::Word).and_then(|token| name_of(line, token));
        let alias = alias.filter(|word| !super::words::is_known(word)).unwrap_or_else(|| table.name.clone());
        found.push((alias, table));
    }
    found
}

#[cfg(test)]
mod tests;
