use super::*;

fn catalog() -> Catalog {
    let row = |namespace: &str, table: &str, column: &str, data_type: &str| {
        [namespace, table, column, data_type].map(str::to_owned)
    };
    Catalog::new(
        ["chat", "default", "system"].map(str::to_owned).into(),
        vec![
            row("chat", "messages", "id", "BIGINT"),
            row("chat", "messages", "room", "TEXT"),
            row("chat", "messages", "body", "TEXT"),
            row("chat", "rooms", "room", "TEXT"),
            row("chat", "rooms", "Owner", "TEXT"),
            row("default", "notes", "id", "BIGINT"),
            row("system", "users", "user_id", "TEXT"),
        ],
        "chat".to_owned(),
    )
}

/// What is offered at `|`, and the word that it would replace.
fn offered(line: &str) -> (String, Vec<String>) {
    let pos = line.find('|').unwrap();
    let line = line.replacen('|', "", 1);
    let offers = offers(&catalog(), &line, pos);
    (line[offers.start..pos].to_owned(), offers.words.into_iter().map(|offer| offer.text).collect())
}

#[test]
fn keywords_come_in_the_case_that_is_typed() {
    assert_eq!(offered("SEL|").1, ["SELECT"]);
    assert_eq!(offered("sel|").1, ["select"]);
    assert_eq!(offered("SELECT coun|").1, ["count("]);
}

#[test]
fn tables_are_offered_where_a_table_must_stand() {
    let (_, words) = offered("SELECT * FROM |");
    assert_eq!(words, ["messages", "rooms", "chat.", "default.", "system."]);
    assert_eq!(offered("SELECT * FROM mess|").1, ["messages"], "once, by its shortest name");
    assert_eq!(offered("INSERT INTO no|").1, ["default.notes"], "found by its own name, wherever it lies");
    assert_eq!(offered("SELECT * FROM chat.m|"), ("m".to_owned(), vec!["messages".to_owned()]));
}

#[test]
fn columns_are_those_of_the_tables_that_the_statement_names() {
    assert!(offered("SELECT bo| FROM chat.messages").1.contains(&"body".to_owned()));
    assert!(!offered("SELECT bo| FROM chat.rooms").1.contains(&"body".to_owned()));
    assert_eq!(offered("SELECT m.| FROM messages m JOIN rooms AS r ON true").1, ["id", "room", "body"]);
    assert_eq!(offered("SELECT * FROM messages m JOIN rooms AS r ON m.room = r.|").1, ["room", "\"Owner\""]);
    assert_eq!(offered("SELECT rooms.ro| FROM rooms WHERE true").1, ["room"]);
}

#[test]
fn nothing_is_offered_inside_of_texts_and_comments() {
    for line in ["SELECT 'sel|", "-- sel|", "/* sel|", "SELECT \"sel|", "|"] {
        assert!(offered(line).1.is_empty(), "{line}");
    }
}

#[test]
fn backslash_commands_are_completed_with_what_follows_them() {
    assert_eq!(offered("\\conn|").1, ["\\connections"]);
    assert_eq!(offered("\\use ch|").1, ["chat"]);
    assert_eq!(offered("\\d chat.r|"), ("r".to_owned(), vec!["rooms".to_owned()]));
    assert_eq!(offered("\\live SELECT * FROM chat.m|"), ("m".to_owned(), vec!["messages".to_owned()]));
    assert_eq!(offered("\\format nd|").1, ["ndjson"]);
}

#[test]
fn any_cursor_in_any_text_is_answered() {
    for text in ["größe.x", "\\d größe.", "SELECT 'é' FROM \"ö\".", "a..b", ".", "\\", "\\d\u{a0}x"] {
        for pos in (0..=text.len()).filter(|pos| text.is_char_boundary(*pos)) {
            let _ = offers(&catalog(), text, pos);
        }
    }
}
