//! Rules between the code and its pages: every error code is explained, every promise is proved.

use std::collections::{BTreeMap, BTreeSet};

use kalamdb_commons::ErrorCode;

use super::rust;
use crate::source::SourceFile;

const ERROR_PAGES: &str = "docs/errors/";
const PROMISES: &str = "docs/INVARIANTS.md";

/// What pages and code break together.
pub fn check(files: &[SourceFile]) -> Vec<String> {
    let mut broken = error_pages(files);
    broken.extend(promises(files));
    broken
}

fn error_pages(files: &[SourceFile]) -> Vec<String> {
    let codes: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let pages: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix(ERROR_PAGES)?.strip_suffix(".md"))
        .filter(|name| *name != "README")
        .collect();
    let missing = codes.difference(&pages).map(|code| format!("{ERROR_PAGES}{code}.md: missing"));
    let surplus = pages.difference(&codes).map(|page| format!("{ERROR_PAGES}{page}.md: there is no such error code"));
    missing.chain(surplus).collect()
}

/// The page lists promises as table rows `| I1 | … |`. A row below the heading
/// `## Not promised yet` needs no test, and may have none.
fn promises(files: &[SourceFile]) -> Vec<String> {
    let Some(page) = files.iter().find(|file| file.path == PROMISES) else {
        return vec![format!("{PROMISES}: missing")];
    };
    let mut tests: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        for (line, name) in tests_named(file) {
            if let Some(id) = promise_id(&name) {
                tests.entry(id.to_owned()).or_insert_with(|| format!("{}:{line}", file.path));
            }
        }
    }
    let (promised, later) = page.text.split_once("## Not promised yet").unwrap_or((&page.text, ""));
    let (promised, later) = (listed_ids(promised), listed_ids(later));
    let unproved = promised.iter().filter(|id| !tests.contains_key(*id));
    let unlisted = tests.iter().filter(|(id, _)| !promised.contains(*id) && !later.contains(*id));
    unproved
        .map(|id| format!("{PROMISES}: {id} has no test named {id}_…"))
        .chain(unlisted.map(|(id, place)| format!("{place}: {PROMISES} does not list {id}")))
        .collect()
}

/// What may cite a promise: functions in Rust, and in TypeScript the titles of tests, which begin alike.
fn tests_named(file: &SourceFile) -> Vec<(usize, String)> {
    if file.is_rust() {
        return rust::functions_named(&file.text);
    }
    if !file.path.ends_with(".spec.ts") {
        return Vec::new();
    }
    let title = |line: &str| {
        let (title, _) = line.trim_start().strip_prefix("test('")?.split_once('\'')?;
        Some(title.to_owned())
    };
    file.text.lines().enumerate().filter_map(|(number, line)| Some((number + 1, title(line)?))).collect()
}

fn listed_ids(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix('|')?.split('|').next())
        .map(|cell| cell.trim().to_ascii_lowercase().replace('-', ""))
        .filter(|id| promise_id(&format!("{id}_")).is_some())
        .collect()
}

/// The id that a test's name begins with: `i1_…`, `s07_…`, `fr008_…`, `us1_…`, `sc001_…`.
pub fn promise_id(name: &str) -> Option<&str> {
    let (id, _) = name.split_once('_')?;
    let digits = id.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let letters = &id[..id.len() - digits.len()];
    let wanted = match letters {
        "i" | "us" => 1,
        "s" => 2,
        "fr" | "sc" => 3,
        _ => return None,
    };
    (digits.len() == wanted && digits.bytes().all(|b| b.is_ascii_digit())).then_some(id)
}
