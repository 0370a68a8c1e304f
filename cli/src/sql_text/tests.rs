use super::*;

fn cut(script: &str) -> Vec<&str> {
    units(script).iter().map(|unit| unit.sql).collect()
}

#[test]
fn a_script_is_cut_at_semicolons_outside_of_quotes_and_comments() {
    assert_eq!(cut("SELECT 1; SELECT 2;"), ["SELECT 1", "SELECT 2"]);
    assert_eq!(cut("SELECT ';' ; -- a; b\nSELECT \"a;b\""), ["SELECT ';'", "SELECT \"a;b\""]);
    assert_eq!(cut("SELECT 'it''s; fine'; SELECT E'a\\';b'"), ["SELECT 'it''s; fine'", "SELECT E'a\\';b'"]);
    assert_eq!(cut("SELECT $$a;b$$; SELECT $t$ $$;$t$"), ["SELECT $$a;b$$", "SELECT $t$ $$;$t$"]);
    assert_eq!(cut("/* a; /* b; */ c; */ SELECT 1;;;  ; "), ["SELECT 1"]);
    assert_eq!(cut("  -- nothing\n"), [""; 0]);
}

#[test]
fn a_transaction_stays_in_one_piece() {
    assert_eq!(
        cut("SELECT 0; BEGIN; INSERT INTO t VALUES (1); COMMIT; SELECT 1"),
        ["SELECT 0", "BEGIN; INSERT INTO t VALUES (1); COMMIT", "SELECT 1"]
    );
    assert_eq!(cut("start transaction; DELETE FROM t; rollback;"), ["start transaction; DELETE FROM t; rollback"]);
    assert_eq!(cut("BEGIN; SELECT 'COMMIT'"), ["BEGIN; SELECT 'COMMIT'"]);
}

#[test]
fn a_unit_knows_its_line() {
    let lines: Vec<usize> = units("SELECT 1;\n\n  SELECT\n2; SELECT 3").iter().map(|unit| unit.line).collect();
    assert_eq!(lines, [1, 3, 4]);
}

#[test]
fn a_statement_is_finished_by_its_semicolon_alone() {
    for finished in ["", "  ", "SELECT 1;", "SELECT 1; -- done", "BEGIN; SELECT 1; COMMIT;", "SELECT ';';"] {
        assert!(is_complete(finished), "{finished:?}");
    }
    for open in
        ["SELECT 1", "SELECT ';", "SELECT \"a;", "SELECT $$ ;", "/* ;", "BEGIN; SELECT 1;", "SELECT 1; SELECT 2"]
    {
        assert!(!is_complete(open), "{open:?}");
    }
}

#[test]
fn placeholders_are_counted_outside_of_texts() {
    assert_eq!(placeholders("SELECT $1, $3, '$9', $$ $8 $$"), 3);
    assert_eq!(placeholders("SELECT 1"), 0);
}

#[test]
fn tokens_cover_any_text_without_gaps() {
    for text in ["SELECT 'größe', \"ñ", "$", "$$", "$x", "é$1", "1.5e3;", "a\u{a0}b", "/*", "/* /* */", "*/", "'\\"]
    {
        let mut at = 0;
        for token in tokens(text) {
            assert_eq!(token.at.start, at, "{text:?}");
            assert!(token.at.end > at && text.is_char_boundary(token.at.end), "{text:?}");
            at = token.at.end;
        }
        assert_eq!(at, text.len(), "{text:?}");
    }
}

#[test]
fn use_names_the_next_namespace() {
    assert_eq!(chosen_namespace("USE Chat").as_deref(), Some("chat"));
    assert_eq!(chosen_namespace("use \"Chat\" -- here").as_deref(), Some("Chat"));
    assert_eq!(chosen_namespace("SELECT use"), None);
}

#[test]
fn names_and_texts_are_quoted_where_they_must_be() {
    assert_eq!(quoted_name("room_1"), "room_1");
    assert_eq!(quoted_name("Room"), "\"Room\"");
    assert_eq!(quoted_name("a\"b"), "\"a\"\"b\"");
    assert_eq!(quoted_text("it's"), "'it''s'");
}

#[test]
fn a_line_with_a_password_is_known() {
    assert!(names_password("create user 'a' with Password 'secret1'"));
    assert!(!names_password("SELECT 1"));
}

#[test]
fn every_short_text_is_cut_without_losing_anything() {
    let alphabet = ['\'', '"', '$', 'a', '1', '-', '/', '*', ';', '\\', '\n', 'é'];
    let mut texts = vec![String::new()];
    for _ in 0..4 {
        let longer = texts.iter().flat_map(|text| alphabet.iter().map(move |c| format!("{text}{c}")));
        texts = longer.collect();
        for text in &texts {
            let covered: usize = tokens(text).iter().map(|token| token.at.len()).sum();
            assert_eq!(covered, text.len(), "{text:?}");
            let _ = is_complete(text);
            for unit in units(text) {
                assert!(!unit.sql.is_empty() && text.contains(unit.sql), "{text:?}");
            }
        }
    }
}
