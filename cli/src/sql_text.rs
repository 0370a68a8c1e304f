//! SQL as text: its tokens, and where one statement ends and the next begins.
//!
//! The server parses SQL; this only finds the quotes, comments and semicolons, so that a script
//! can be sent statement by statement, the prompt knows when a statement is finished, and colours
//! and completion know what they stand in. Never fails: what is left open reaches to the end.

use std::ops::Range;

/// What a piece of SQL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// `"name"`.
    QuotedName,
    /// `'text'`, `E'text'` or `$$text$$`.
    Text,
    /// A number.
    Number,
    /// `$1`.
    Placeholder,
    /// `-- …` or `/* … */`.
    Comment,
    /// Blanks and line ends.
    Space,
    /// The end of a statement.
    Semicolon,
    /// One other character.
    Symbol,
}

/// One piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its bytes in the text.
    pub at: Range<usize>,
    /// Is it finished? A text, quoted name or comment may lack its end.
    pub closed: bool,
}

/// The tokens of `text`, without gaps.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let (kind, length, closed) = first_token(rest);
        let end = start + length;
        found.push(Token { kind, at: start..end, closed });
        start = end;
    }
    found
}

/// Kind and bytes of the token that `rest` begins with, and whether it is finished.
fn first_token(rest: &str) -> (Kind, usize, bool) {
    let first = rest.chars().next().unwrap_or(' ');
    let second = rest.chars().nth(1);
    match (first, second) {
        (' ' | '\t' | '\n' | '\r', _) => run(rest, Kind::Space, |c| c.is_ascii_whitespace()),
        (';', _) => (Kind::Semicolon, 1, true),
        ('-', Some('-')) => {
            let length = rest.find('\n').unwrap_or(rest.len());
            (Kind::Comment, length, true)
        }
        ('/', Some('*')) => block_comment(rest),
        ('\'', _) => quoted(rest, '\'', false, Kind::Text),
        ('"', _) => quoted(rest, '"', false, Kind::QuotedName),
        ('e' | 'E', Some('\'')) => {
            let (kind, length, closed) = quoted(&rest[1..], '\'', true, Kind::Text);
            (kind, length + 1, closed)
        }
        ('$', Some(c)) if c.is_ascii_digit() => {
            let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1);
            (Kind::Placeholder, digits + 1, true)
        }
        ('$', _) => dollar_quoted(rest).unwrap_or((Kind::Symbol, 1, true)),
        (c, _) if c.is_ascii_digit() => run(rest, Kind::Number, |c| c.is_ascii_alphanumeric() || c == '.'),
        (c, _) if c.is_alphabetic() || c == '_' => {
            run(rest, Kind::Word, |c| c.is_alphanumeric() || c == '_' || c == '$')
        }
        (c, _) if c.is_whitespace() => (Kind::Space, c.len_utf8(), true),
        (c, _) => (Kind::Symbol, c.len_utf8(), true),
    }
}

fn run(rest: &str, kind: Kind, belongs: impl Fn(char) -> bool) -> (Kind, usize, bool) {
    (kind, rest.find(|c| !belongs(c)).unwrap_or(rest.len()), true)
}

fn quoted(rest: &str, quote: char, backslash: bool, kind: Kind) -> (Kind, usize, bool) {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if backslash && c == '\\' {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return (kind, at + 1, true);
        }
    }
    (kind, rest.len(), false)
}

fn block_comment(rest: &str) -> (Kind, usize, bool) {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = bytes.get(at..at + 2) {
        at += match pair {
            b"/*" => {
                depth += 1;
                2
            }
            b"*/" => {
                depth -= 1;
                if depth == 0 {
                    return (Kind::Comment, at + 2, true);
                }
                2
            }
            _ => 1,
        };
    }
    (Kind::Comment, rest.len(), false)
}

/// `$tag$ … $tag$`, if `rest` begins with such a tag.
fn dollar_quoted(rest: &str) -> Option<(Kind, usize, bool)> {
    let tag_end = rest.get(1..)?.find('$')? + 2;
    let tag = rest.get(..tag_end)?;
    let name = tag.trim_matches('$');
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_name {
        return None;
    }
    Some(match rest[tag_end..].find(tag) {
        Some(length) => (Kind::Text, tag_end + length + tag.len(), true),
        None => (Kind::Text, rest.len(), false),
    })
}

/// What is sent as one request: a statement, or a transaction from `BEGIN` to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit<'a> {
    /// The SQL, without its last semicolon.
    pub sql: &'a str,
    /// The line of the script on which it begins, from 1.
    pub line: usize,
}

/// Cuts a script into its units. Empty statements are left out.
#[must_use]
pub fn units<'a>(script: &'a str) -> Vec<Unit<'a>> {
    let mut found = Vec::new();
    let (mut begin, mut end) = (None, 0);
    let mut words: Vec<String> = Vec::new();
    let mut in_transaction = false;
    // Lines are counted onward from the last unit, so that a long script is walked once.
    let (mut line, mut counted) = (1, 0);
    let mut push = |found: &mut Vec<Unit<'a>>, range: Range<usize>| {
        line += script[counted..range.start].matches('\n').count();
        counted = range.start;
        found.push(Unit { sql: &script[range], line });
    };
    for token in tokens(script) {
        match token.kind {
            Kind::Space | Kind::Comment => continue,
            Kind::Semicolon => {
                in_transaction = in_transaction_after(&words, in_transaction);
                words.clear();
                if !in_transaction && let Some(begin) = begin.take() {
                    push(&mut found, begin..end);
                }
                continue;
            }
            Kind::Word if words.len() < 2 => words.push(script[token.at.clone()].to_ascii_uppercase()),
            _ if words.len() < 2 => words.push(String::new()),
            _ => {}
        }
        begin.get_or_insert(token.at.start);
        end = token.at.end;
    }
    if let Some(begin) = begin {
        push(&mut found, begin..end);
    }
    found
}

/// Is there nothing more to type? True of blank text, and of text whose last statement has its
/// semicolon and whose quotes, comments and transactions are closed.
#[must_use]
pub fn is_complete(text: &str) -> bool {
    let tokens = tokens(text);
    let last = tokens.iter().rev().find(|token| !matches!(token.kind, Kind::Space | Kind::Comment));
    let closed = tokens.last().is_none_or(|token| token.closed);
    closed && last.is_none_or(|token| token.kind == Kind::Semicolon) && !ends_inside_transaction(text)
}

/// Does the last statement that was begun stand in a transaction without an end?
fn ends_inside_transaction(text: &str) -> bool {
    let mut inside = false;
    let mut at_start = true;
    for token in tokens(text) {
        match token.kind {
            Kind::Space | Kind::Comment => {}
            Kind::Semicolon => at_start = true,
            _ if at_start => {
                at_start = false;
                inside = in_transaction_after(&first_words(&text[token.at.start..], 2), inside);
            }
            _ => {}
        }
    }
    inside
}

/// Is the script in a transaction behind a statement that begins with `words`?
fn in_transaction_after(words: &[String], before: bool) -> bool {
    match (words.first().map(String::as_str), words.get(1).map(String::as_str)) {
        (Some("BEGIN"), _) | (Some("START"), Some("TRANSACTION")) => true,
        (Some("COMMIT" | "ROLLBACK" | "END"), _) => false,
        _ => before,
    }
}

/// The first words of a statement, in upper case; fewer when something else stands between them.
#[must_use]
pub fn first_words(sql: &str, count: usize) -> Vec<String> {
    tokens(sql)
        .into_iter()
        .filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment))
        .take(count)
        .take_while(|token| token.kind == Kind::Word)
        .map(|token| sql[token.at].to_ascii_uppercase())
        .collect()
}

/// The highest `$n` of `sql`; 0 when it takes no parameters.
#[must_use]
pub fn placeholders(sql: &str) -> usize {
    let numbers = tokens(sql)
        .into_iter()
        .filter(|token| token.kind == Kind::Placeholder)
        .filter_map(|token| sql.get(token.at.start + 1..token.at.end)?.parse().ok());
    numbers.max().unwrap_or(0)
}

/// Does `sql` name a password? Such a line is not kept in the history.
#[must_use]
pub fn names_password(sql: &str) -> bool {
    sql.to_ascii_uppercase().contains("PASSWORD")
}

/// The namespace that a `USE` statement chooses.
#[must_use]
pub fn chosen_namespace(sql: &str) -> Option<String> {
    let found: Vec<Token> =
        tokens(sql).into_iter().filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment)).collect();
    match found.as_slice() {
        [word, name] if sql[word.at.clone()].eq_ignore_ascii_case("use") => match name.kind {
            Kind::Word => Some(sql[name.at.clone()].to_lowercase()),
            Kind::QuotedName => Some(sql[name.at.clone()].trim_matches('"').to_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// `name` as SQL writes it: quoted unless it is a plain lower-case name.
#[must_use]
pub fn quoted_name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.chars().next().is_some_and(|c| !c.is_ascii_digit());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// `text` as a literal of SQL.
#[must_use]
pub fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests;
