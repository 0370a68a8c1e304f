use std::time::{Duration, Instant};

use super::*;

fn split_default(sql: &str) -> Result<Vec<StatementTokens>, SqlError> {
    split(sql, &Limits::default())
}

/// The statements as text, tokens with spaces between.
fn texts(sql: &str) -> Vec<String> {
    let text = |statement: &StatementTokens| {
        let tokens = statement.tokens.iter().filter(|token| token.token != Token::EOF);
        tokens.map(|token| token.token.to_string()).collect::<Vec<_>>().join(" ")
    };
    split_default(sql).unwrap().iter().map(text).collect()
}

fn code(sql: &str) -> ErrorCode {
    split_default(sql).map(|statements| statements.len()).unwrap_err().code
}

#[test]
fn a_request_is_cut_at_its_semicolons_and_nowhere_else() {
    assert_eq!(texts("SELECT 1; SELECT 2"), ["SELECT 1", "SELECT 2"]);
    assert_eq!(texts(" ;; SELECT 1 ;;\n; "), ["SELECT 1"]);
    assert_eq!(texts("SELECT ';' -- ; \n , \";\" /* ; /* ; */ */"), ["SELECT ';' , \";\""]);
    assert_eq!(texts("SELECT $$a;b$$; SELECT E'\\';'"), ["SELECT $$a;b$$", "SELECT E'';'"]);
}

#[test]
fn sql_without_a_statement_is_empty_sql() {
    for sql in ["", " \n\t", ";", ";;;", "-- only a comment", "/* one */ ; -- and another"] {
        assert_eq!(code(sql), ErrorCode::EmptySql, "{sql:?}");
    }
}

#[test]
fn a_token_stands_at_its_character_offset_in_the_whole_request() {
    let sql = "SELECT 'größe',\n\t1;\n\n  SELECT\r\n 'ß' , x";
    let statements = split_default(sql).unwrap();
    let at = |statement: usize, token: usize| position_of(&statements[statement].tokens[token]);
    let offset = |needle: &str| {
        let bytes = sql.find(needle).unwrap();
        u32::try_from(sql[..bytes].chars().count() + 1).ok()
    };
    assert_eq!(statements[0].position(), Some(1));
    assert_eq!(at(0, 1), offset("'größe'"));
    assert_eq!(at(0, 3), offset("1;"));
    assert_eq!(statements[1].position(), offset("SELECT\r"));
    assert_eq!(at(1, 1), offset("'ß'"));
    assert_eq!(at(1, 3), offset("x"));
}

#[test]
fn a_malformed_token_is_invalid_sql_at_its_place() {
    for (sql, position) in [("SELECT 'open", 8), ("SELECT 1;\n SELECT \"open", 19), ("/* open", 8)] {
        let error = split_default(sql).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidSql, "{sql}");
        assert_eq!(error.position, Some(position), "{sql}: {error}");
    }
}

#[test]
fn a_statement_that_ends_too_early_points_at_its_end() {
    for (sql, position) in [("SELECT (", 9), ("SELECT ( ; SELECT 1", 10)] {
        let tokens = split_default(sql).unwrap().remove(0);
        let error = parser_error(&tokens.into_parser().parse_statement().unwrap_err());
        assert_eq!((error.code, error.position), (ErrorCode::InvalidSql, Some(position)), "{sql}: {error}");
        assert!(error.message.contains("the end of the statement"), "{error}");
    }
}

#[test]
fn s15_each_bound_of_a_request_has_its_own_error() {
    let small = Limits { sql_bytes_max: 40, statements_max: 2, ..Limits::default() };
    let error = split(&"x".repeat(41), &small).unwrap_err();
    assert_eq!(error.code, ErrorCode::TooLarge);
    assert!(error.message.contains("40 bytes"), "{error}");
    let error = split("SELECT 1; SELECT 2; SELECT 3", &small).unwrap_err();
    assert_eq!(error.code, ErrorCode::TooLarge);
    assert!(error.message.contains("2 statements"), "{error}");
    assert_eq!(split("SELECT 1; SELECT 2;", &small).unwrap().len(), 2);
}

#[test]
fn s16_nesting_chains_and_relations_are_bounded_whatever_they_are_made_of() {
    let nested = |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(200), close.repeat(200));
    let chained = |link: &str| format!("SELECT 1{}", link.repeat(5_000));
    let too_large = [
        nested("(", ")"),
        nested("[", "]"),
        nested("CASE WHEN ", " THEN 1 END"),
        nested("f(", ")"),
        nested("(SELECT ", ")"),
        nested("CAST(", " AS INT)"),
        format!("SELECT CAST(1 AS {}INT{})", "ARRAY<".repeat(200), ">".repeat(200)),
        chained(" + 1"),
        chained(" AND 1"),
        chained(" OR NOT 1"),
        chained(" || 'x'"),
        chained(" IS NULL"),
        chained("::INT"),
        chained(" COLLATE x"),
        format!("SELECT {}1", "- ".repeat(5_000)),
        format!("SELECT {}1", "NOT ".repeat(5_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(200)),
        format!("SELECT 1 FROM t{}", ", t".repeat(200)),
        format!("SELECT 1 FROM t{}", " JOIN t ON true".repeat(200)),
        format!("SELECT {}1{}", "position(".repeat(8), " IN 1)".repeat(8)),
        // Each part doubles the work where something behind the name is wrong.
        format!("SELECT 1 WHERE {}x.{{", "x.".repeat(30)),
        format!("SELECT 1 WHERE {}", "a.b.c[".repeat(30)),
        format!("SELECT 1 WHERE {}x..", "a.b.:c.".repeat(30)),
        format!("SELECT 1 WHERE {}x..", "a.b.- ~c.@d.".repeat(30)),
        format!("SELECT 1 WHERE {}", "a.b(".repeat(30)),
        format!("UPDATE t SET a = {}'x'..x", "a[1].b(2).".repeat(30)),
        // Many small chains within each other are one long chain, whichever side they grow on.
        format!("SELECT {}1{}", format!("{}(", "1 + ".repeat(200)).repeat(40), ")".repeat(40)),
        format!("SELECT {}1{}", "(".repeat(40), format!("){}", " + 1".repeat(200)).repeat(40)),
        format!("SELECT {}1{}", "f(1, ".repeat(40), format!("){}", " + 1".repeat(200)).repeat(40)),
        format!("SELECT {}1{}", "f(".repeat(40), format!("{}, 1)", " + 1".repeat(200)).repeat(40)),
    ];
    for sql in too_large {
        let shown: String = sql.chars().take(60).collect();
        assert_eq!(code(&sql), ErrorCode::TooLarge, "{shown}");
        assert!(split_default(&sql).unwrap_err().position.is_some(), "{shown}");
    }
    for sql in ["SELECT INTERVAL (INTERVAL '1 day')", "SELECT INTERVAL INTERVAL INTERVAL '1 day'"] {
        assert_eq!(code(sql), ErrorCode::InvalidSql, "{sql}");
    }
}

#[test]
fn names_of_some_parts_are_no_long_ones_however_many_there_are() {
    let many = "n.t.c + f(n.t.c, n.t.c[1].d, (n.t.c)), ".repeat(200);
    split_default(&format!("SELECT {many} n.t.* FROM n.t JOIN m.u USING (a)")).unwrap();
    split_default(&format!("{}SELECT n.t.* FROM n.t{}", "SELECT s.* FROM (".repeat(15), ") AS s".repeat(15))).unwrap();
    split_default("SELECT a.b.c.d.e.f.g.h.i FROM t WHERE x IN (a.b.c.d.e.f.g.h.i, a.b.c.d.e.f.g.h.i)").unwrap();
    let error = split_default("SELECT a.b.c.d.e.f.g.h.i.j").unwrap_err();
    assert_eq!((error.code, error.position), (ErrorCode::TooLarge, Some(25)), "{error}");
    assert!(error.message.contains("too many parts; the limit is 9"), "{error}");
}

#[test]
fn long_lists_are_bounded_by_their_bytes_alone() {
    let values = vec!["(1, -2.5 + 1, 'x')"; 20_000].join(", ");
    split_default(&format!("INSERT INTO t VALUES {values}")).unwrap();
    let list = vec!["1 + 1"; 50_000].join(", ");
    split_default(&format!("SELECT * FROM t WHERE a IN ({list})")).unwrap();
    split_default(&format!("SELECT {}", vec!["a AND b"; 50_000].join(", "))).unwrap();
    let groups = vec!["(a = 1 AND b = 2 AND c = 3)"; 1_500].join(" OR ");
    split_default(&format!("SELECT * FROM t WHERE {groups}")).unwrap();
}

#[test]
fn s16_what_is_within_the_bounds_parses_in_no_time() {
    let limits = Limits::default();
    let depth = limits.nesting_max - 4;
    let statements = [
        format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth)),
        format!("SELECT {}1{}", "CAST(".repeat(depth), " AS INT)".repeat(depth)),
        format!("SELECT {}1", "CAST(".repeat(depth)),
        format!("SELECT {}", "(1, ".repeat(depth)),
        format!("SELECT {}", "x IN (VALUES (".repeat(4)),
        format!("SELECT 1{}", " + 1".repeat(limits.expression_ops_max)),
        format!("SELECT {}1", "CASE ".repeat(depth)),
        format!("SELECT {}1", "EXISTS (SELECT ".repeat(depth / 2)),
        format!("SELECT {}1", "TRIM(BOTH ".repeat(depth)),
        format!("SELECT {}1", "ARRAY[".repeat(depth)),
        format!("SELECT 1 WHERE {}x.{{", "x.".repeat(7)),
    ];
    for sql in statements {
        let shown: String = sql.chars().take(60).collect();
        let began = Instant::now();
        // Long chains are deep trees: the engine's own threads have the stack for them.
        let parse = move || {
            let tokens = split_default(&sql).map(|mut statements| statements.remove(0));
            drop(tokens.map(|tokens| tokens.into_parser().parse_statement()));
        };
        std::thread::Builder::new().stack_size(32 << 20).spawn(parse).unwrap().join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(20), "{shown} took {:?}", began.elapsed());
    }
}

#[test]
fn s16_common_tables_weigh_as_often_as_they_are_named() {
    let parse = |sql: &str| split_default(sql).unwrap().remove(0).into_parser().parse_query().unwrap();
    let mut doubling = "WITH t0 AS (SELECT 1 AS a)".to_owned();
    for n in 1..12 {
        doubling.push_str(&format!(", t{n} AS (SELECT x.a FROM t{0} x, t{0} y)", n - 1));
    }
    let heavy = parse(&format!("{doubling} SELECT * FROM t11"));
    let error = check_query(heavy.as_ref(), &Limits::default()).unwrap_err();
    assert_eq!(error.code, ErrorCode::TooLarge);
    let light = parse("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM a, b WHERE EXISTS (SELECT 1 FROM b)");
    check_query(light.as_ref(), &Limits::default()).unwrap();
}

#[test]
fn current_user_and_role_are_functions_with_or_without_parentheses() {
    for (sql, wanted) in [
        ("SELECT CURRENT_USER()", "SELECT CURRENT_USER"),
        ("SELECT current_user", "SELECT current_user"),
        ("SELECT CURRENT_ROLE", "SELECT CURRENT_ROLE ( )"),
        ("SELECT CURRENT_ROLE ( ) , 1", "SELECT CURRENT_ROLE ( ) , 1"),
        ("SELECT t.current_role, \"current_role\"", "SELECT t . current_role , \"current_role\""),
    ] {
        assert_eq!(texts(sql), [wanted]);
    }
}

#[test]
fn an_expression_is_read_alone() {
    let limits = Limits::default();
    for sql in ["1", "NOW()", "CURRENT_USER()", "'a;b' || 'c'", "-1.5 * (2 + 3)"] {
        let read = parse_expression(sql, &limits).unwrap();
        assert_eq!(parse_expression(&read.to_string(), &limits).unwrap(), read, "{sql}");
    }
    for sql in ["1; 2", "1 2", "SELECT 1", "1 +", "a, b"] {
        assert_eq!(parse_expression(sql, &limits).unwrap_err().code, ErrorCode::InvalidSql, "{sql}");
    }
    assert_eq!(parse_expression("", &limits).unwrap_err().code, ErrorCode::EmptySql);
    assert_eq!(parse_expression(&"(".repeat(99), &limits).unwrap_err().code, ErrorCode::TooLarge);
}

#[test]
fn s09_no_literal_is_repeated_in_a_syntax_error() {
    for sql in [
        "SELECT 'tell-nobody' 'tell-nobody'",
        "SELECT 1 'tell-nobody' 'tell-nobody' FROM",
        "SELECT * FROM 'tell-nobody'.'tell-nobody'",
        "INSERT 'tell-nobody'",
        "SELECT 1 E'tell-nobody'",
        "SELECT $$tell-nobody$$ $$tell-nobody$$",
        "SELECT N'tell-nobody' X'7e' 'tell-nobody'",
        "UPDATE t SET 'tell-nobody' = 1",
        "SELECT 4711004711 4711004711",
        "SELECT CAST('tell-nobody' 'tell-nobody' AS INT)",
    ] {
        let tokens = split_default(sql).unwrap().remove(0);
        let mut parser = tokens.into_parser();
        let outcome = parser.parse_statement().map_err(|error| parser_error(&error));
        let outcome = outcome.map_err(Some).and_then(|_| expect_end(&mut parser).map_err(Some));
        if let Err(Some(error)) = outcome {
            assert!(!error.message.contains("tell-nobody") && !error.message.contains("4711"), "{sql}: {error}");
        }
    }
}
