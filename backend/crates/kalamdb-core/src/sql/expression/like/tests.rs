use super::*;

fn like(text: &str, pattern: &str) -> bool {
    LikePattern::compile(pattern, false).unwrap().matches(text)
}

fn ilike(text: &str, pattern: &str) -> bool {
    LikePattern::compile(pattern, true).unwrap().matches(text)
}

#[test]
fn percent_stands_for_any_text_and_underscore_for_one_character() {
    for (text, pattern) in [
        ("", ""),
        ("", "%"),
        ("abc", "abc"),
        ("abc", "a%"),
        ("abc", "%c"),
        ("abc", "%b%"),
        ("abc", "a%c"),
        ("ac", "a%c"),
        ("abc", "_b_"),
        ("ö", "_"),
        ("a\nb", "a_b"),
        ("a\nb", "a%b"),
        ("aXbXc", "a%b%c"),
        ("abab", "%ab"),
        ("xaab", "%a_b"),
        ("abcabd", "ab%b_"),
        ("größe", "gr%_e"),
    ] {
        assert!(like(text, pattern), "{text:?} LIKE {pattern:?}");
    }
    for (text, pattern) in [
        ("a", ""),
        ("", "_"),
        ("abc", "ABC"),
        ("abc", "b%"),
        ("abc", "%b"),
        ("ab", "a%ab"),
        ("aba", "ab%ba"),
        ("ö", "__"),
        ("abc", "%c%b%"),
    ] {
        assert!(!like(text, pattern), "{text:?} NOT LIKE {pattern:?}");
    }
}

#[test]
fn a_backslash_takes_the_next_character_as_it_is() {
    assert!(like("50%", r"50\%"));
    assert!(!like("50x", r"50\%"));
    assert!(like("a_b", r"a\_b"));
    assert!(!like("axb", r"a\_b"));
    assert!(like(r"\", r"\\"));
    assert!(like(r"a\", r"a\"));
    assert!(like("a", r"\a"));
    assert!(like(r"\x", r"\\%"));
}

#[test]
fn ilike_ignores_case_as_unicode_folds_it() {
    assert!(ilike("Hello", "hELLO"));
    assert!(ilike("HELLO world", "%o_W%"));
    assert!(ilike("\u{212a}elvin", "k%"));
    assert!(ilike("\u{17f}", "S"));
    assert!(!ilike("ß", "ss"));
    assert!(LikePattern::compile("größe", true).is_none(), "letters outside ASCII are the planner's business");
}

#[test]
fn s16_a_hostile_pattern_costs_no_more_than_the_text_is_long() {
    let text = "a".repeat(200_000);
    assert!(!like(&text, &format!("{}b", "%a".repeat(500))));
    assert!(!like(&text, "%a_a_a_a_b%"));
    let long = format!("%{}_%", "a".repeat(TRIED_CHARS_MAX));
    assert!(LikePattern::compile(&long, false).is_none());
}
