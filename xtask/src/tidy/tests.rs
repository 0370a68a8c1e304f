//! Each rule refuses what it is there to refuse.

use super::*;

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

/// Objections to one file, without those about pages that are not there.
fn objections(path: &str, text: &str) -> Vec<String> {
    let broken = check_files(&[file(path, text)]);
    broken.into_iter().filter(|line| line.starts_with(&format!("{path}:"))).collect()
}

#[track_caller]
fn refuses(path: &str, text: &str, wanted: &str) {
    let broken = objections(path, text);
    assert!(broken.iter().any(|line| line.contains(wanted)), "{broken:?}");
}

#[test]
fn the_project_keeps_the_house_rules() {
    let broken = check(&source::project_root()).unwrap();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_clean_file_is_let_through() {
    let text = "//! Rows.\n\npub struct Row;\n\nfn f() {}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn rows_are() {}\n}\n";
    assert_eq!(objections("a/src/row.rs", text), [""; 0]);
}

#[test]
fn a_module_without_docs_is_refused() {
    refuses("a/src/row.rs", "pub struct Row;\n", "opens with //!");
}

#[test]
fn a_name_that_says_nothing_is_refused() {
    refuses("a/src/row_utils.rs", "//! Rows.\n", "utils");
    refuses("a/src/row.rs", "//! Rows.\nstruct RowManager;\n", "RowManager");
    refuses("a/src/row/mod.rs", "//! Rows.\n", "beside the module's folder");
}

#[test]
fn a_long_function_is_refused_and_a_long_test_is_not() {
    let body = "    let _ = 0;\n".repeat(70);
    refuses("a/src/row.rs", &format!("//! Rows.\nfn f() {{\n{body}}}\n"), "function \"f\"");
    let tests = format!("//! Rows.\n#[cfg(test)]\nmod tests {{\nfn f() {{\n{body}}}\n}}\n");
    assert_eq!(objections("a/src/row.rs", &tests), [""; 0]);
}

#[test]
fn a_long_file_is_refused_without_counting_its_tests() {
    let long = "const _: u8 = 0;\n".repeat(600);
    refuses("a/src/row.rs", &format!("//! Rows.\n{long}"), "at most 600");
    refuses("a/src/lib.rs", &format!("//! Rows.\n{}", "const _: u8 = 0;\n".repeat(100)), "at most 100");
    let tests = format!("//! Rows.\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert_eq!(objections("a/src/row.rs", &tests), [""; 0]);
}

#[test]
fn a_test_that_sleeps_or_is_ignored_is_refused() {
    let sleeping = "//! Rows.\n#[test]\nfn f() { std::thread::sleep(d); }\n";
    refuses("a/tests/row.rs", sleeping, "never for time to pass");
    refuses("a/tests/row.rs", "//! Rows.\n#[test]\n#[ignore]\nfn f() {}\n", "not ignored");
    assert_eq!(objections("a/src/row.rs", "//! Rows.\nfn f() { sleep(1); }\n"), [""; 0]);
}

#[test]
fn a_path_of_one_machine_is_refused() {
    refuses("a/README.md", concat!("See /", "root/notes\n"), "a path of one machine");
    assert_eq!(objections("a/README.md", concat!("See docs/", "root/notes\n")), [""; 0]);
}

#[test]
fn every_error_code_needs_a_page_and_every_page_a_code() {
    let broken = check_files(&[file("docs/errors/NO_SUCH.md", "")]);
    assert!(broken.iter().any(|line| line.contains("NO_SUCH.md: there is no such")), "{broken:?}");
    assert!(broken.iter().any(|line| line.contains("NOT_FOUND.md: missing")), "{broken:?}");
}

#[test]
fn a_promise_may_be_proved_in_typescript() {
    let page = file("docs/INVARIANTS.md", "| I1 | a |\n| FR-001 | b |\n");
    let tests = file("a/tests/x.spec.ts", "test('i1_holds', () => {});\n  test('s07_origin', () => {});\n");
    let elsewhere = file("a/src/x.ts", "test('fr001_holds', () => {});\n");
    let broken = check_files(&[page, tests, elsewhere]);
    assert!(broken.iter().any(|line| line.contains("fr001 has no test")), "{broken:?}");
    assert!(broken.iter().any(|line| line.starts_with("a/tests/x.spec.ts:2:")), "{broken:?}");
    assert!(!broken.iter().any(|line| line.contains(" i1 ")), "{broken:?}");
}

#[test]
fn every_promise_needs_a_test_and_every_cited_id_a_promise() {
    let page = file("docs/INVARIANTS.md", "| I1 | a |\n| FR-001 | b |\n## Not promised yet\n| I2 | c |\n");
    let tests = file("a/tests/x.rs", "//! X.\n#[test]\nfn i1_holds() {}\nproptest! { fn s07_origin() {} }\n");
    let broken = check_files(&[page, tests]);
    assert!(broken.iter().any(|line| line.contains("fr001 has no test")), "{broken:?}");
    assert!(broken.iter().any(|line| line.contains("does not list s07")), "{broken:?}");
    assert!(!broken.iter().any(|line| line.contains(" i1 ") || line.contains(" i2 ")), "{broken:?}");
}
