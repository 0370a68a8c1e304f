use super::*;

#[test]
fn types_are_called_as_in_sql_and_literals_are_not_repeated() {
    for (message, wanted) in [
        (
            "Cannot coerce arithmetic expression Int32 + Utf8 to valid types",
            "Cannot coerce arithmetic expression INT + TEXT to valid types",
        ),
        (
            "Cannot create filter with non-boolean predicate 'Utf8(\"x)y\")' returning Utf8",
            "Cannot create filter with non-boolean predicate 'a literal' returning TEXT",
        ),
        ("got Literal(Int64(5), None)", "got a literal"),
        ("from Decimal128(10, 2) to Timestamp(Microsecond, Some(\"UTC\"))", "from DECIMAL(10, 2) to DATETIME"),
        ("to Time64(Microsecond)", "to TIME"),
        ("Order by column out of bounds, specified: 5, max: 1", "Order by column out of bounds, specified: 5, max: 1"),
        ("function upper(t.a) of Int64s", "function upper(t.a) of Int64s"),
    ] {
        assert_eq!(plain(message), wanted);
    }
}

#[test]
fn the_planners_own_form_of_a_statement_is_cut_off() {
    for (message, wanted) in [
        (
            "Unsupported ast node in sqltorel: Collate { expr: Identifier(Ident { value: \"a\" }) }",
            "Unsupported ast node in sqltorel: Collate",
        ),
        ("No field named x. Valid fields are t.a.", "No field named x"),
        ("first line\nbacktrace", "first line"),
    ] {
        assert_eq!(plain(message), wanted);
    }
    assert_eq!(plain(&"ä".repeat(1_000)).chars().count(), MESSAGE_CHARS_MAX);
}
