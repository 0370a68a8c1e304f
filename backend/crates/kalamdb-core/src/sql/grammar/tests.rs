use std::collections::BTreeSet;

use kalamdb_commons::{DataType, ErrorCode, Name, Role, UserId};
use kalamdb_system::{AccessLevel, Grantee, Right, Rights, TableKind};

use super::*;
use crate::sql::statement::{
    ColumnSpec, CreateIndex, CreateTable, GrantStatement, GrantsOf, TableChange, TableRef, UserChange, UserStatement,
    WithOptions,
};

fn parse_all(sql: &str) -> Result<Vec<Statement>, SqlError> {
    let limits = Limits::default();
    script::split(sql, &limits)?.into_iter().map(|tokens| super::parse(tokens, &limits)).collect()
}

fn parsed(sql: &str) -> Statement {
    let mut statements = parse_all(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0)
}

fn refused(sql: &str) -> SqlError {
    match parse_all(sql) {
        Ok(statements) => panic!("{sql} parses as {statements:?}"),
        Err(error) => error,
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn table(text: &str) -> TableRef {
    match text.split_once('.') {
        Some((namespace, table)) => TableRef { namespace: Some(name(namespace)), table: name(table) },
        None => TableRef { namespace: None, table: name(text) },
    }
}

fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

fn ddl(sql: &str) -> Ddl {
    match parsed(sql) {
        Statement::Ddl(ddl) => ddl,
        other => panic!("{sql} is {other:?}"),
    }
}

fn create_table(sql: &str) -> CreateTable {
    match ddl(sql) {
        Ddl::CreateTable(create) => *create,
        other => panic!("{sql} is {other:?}"),
    }
}

#[test]
fn every_example_of_the_documentation_parses() {
    let page = include_str!("../../../../../../docs/SQL.md");
    let mut examples = 0;
    for block in page.split("```sql\n").skip(1) {
        let sql = block.split("```").next().unwrap();
        examples += parse_all(sql).unwrap_or_else(|error| panic!("{error} in\n{sql}")).len();
    }
    assert!(examples > 30, "{examples}");
}

#[test]
fn the_first_word_decides_what_a_statement_is() {
    let kinds = [
        ("SELECT 1", "select"),
        ("(SELECT 1)", "select"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "select"),
        ("VALUES (1), (2)", "select"),
        ("INSERT INTO t VALUES (1) RETURNING *", "insert"),
        ("UPDATE t SET a = 1", "update"),
        ("DELETE FROM t", "delete"),
        ("BEGIN", "transaction"),
        ("BEGIN TRANSACTION", "transaction"),
        ("START TRANSACTION", "transaction"),
        ("COMMIT WORK", "transaction"),
        ("END", "transaction"),
        ("ROLLBACK", "transaction"),
        ("EXPLAIN SELECT 1", "explain"),
        ("EXPLAIN LIVE SELECT 1", "explain"),
        ("USE shop", "show"),
        ("SHOW NAMESPACES", "show"),
        ("DESCRIBE t", "show"),
        ("CREATE NAMESPACE n", "ddl"),
        ("DROP USER 'u'", "user"),
        ("KILL CONNECTION 'x'", "kill"),
        ("EXECUTE AS USER 'anna' (INSERT INTO t VALUES (1))", "insert"),
    ];
    for (sql, kind) in kinds {
        assert_eq!(parsed(sql).kind(), kind, "{sql}");
    }
}

#[test]
fn names_fold_to_lower_case_unless_they_are_quoted() {
    let wanted = table("shop.items");
    assert_eq!(parsed("DESCRIBE TABLE Shop.ITEMS"), Statement::DescribeTable(wanted.clone()));
    assert_eq!(parsed("DESC shop.items"), Statement::DescribeTable(wanted));
    assert_eq!(parsed("DESCRIBE \"Shop\".\"ITEMS\""), Statement::DescribeTable(table("Shop.ITEMS")));
    assert_eq!(parsed("DESCRIBE TABLE \"table\""), Statement::DescribeTable(table("table")));
    assert_eq!(parsed("DESCRIBE table"), Statement::DescribeTable(table("table")));
    assert_eq!(parsed("USE NAMESPACE Größe"), Statement::Use(name("größe")));
    let create = create_table("CREATE TABLE T (Id INT PRIMARY KEY, \"Id\" INT)");
    let columns: Vec<&str> = create.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["id", "Id"]);
}

#[test]
fn s18_names_that_break_the_rules_are_refused_where_they_stand() {
    for (sql, position) in [
        ("CREATE NAMESPACE \"a/b\"", 18),
        ("CREATE NAMESPACE \"\"", 18),
        ("CREATE TABLE \"../x\" (id INT)", 14),
        ("CREATE TABLE t (\"a b\" INT)", 17),
        ("CREATE TABLE n.\"a.b\" (id INT)", 16),
        ("DROP TABLE \"a\u{0}\"", 12),
    ] {
        let error = refused(sql);
        assert_eq!((error.code, error.position), (ErrorCode::InvalidSql, Some(position)), "{sql}: {error}");
    }
    let long = "x".repeat(65);
    for sql in [
        format!("CREATE NAMESPACE {long}"),
        format!("CREATE INDEX {long} ON t (a)"),
        format!("ALTER TABLE t DROP COLUMN {long}"),
        "CREATE USER 'a/b' WITH PASSWORD 'long enough' ROLE user".to_owned(),
        "DROP USER ''".to_owned(),
        "DROP TABLE a.b.c".to_owned(),
        "CREATE INDEX n.i ON t (a)".to_owned(),
    ] {
        assert_eq!(refused(&sql).code, ErrorCode::InvalidSql, "{sql}");
    }
}

#[test]
fn namespaces_come_and_go() {
    let create = |name: &str, if_not_exists| Ddl::CreateNamespace { name: self::name(name), if_not_exists };
    assert_eq!(ddl("CREATE NAMESPACE shop"), create("shop", false));
    assert_eq!(ddl("create schema if not exists shop"), create("shop", true));
    let drop = |if_exists, cascade| Ddl::DropNamespace { name: name("shop"), if_exists, cascade };
    assert_eq!(ddl("DROP NAMESPACE shop"), drop(false, false));
    assert_eq!(ddl("DROP NAMESPACE IF EXISTS shop CASCADE"), drop(true, true));
    assert_eq!(ddl("DROP SCHEMA shop RESTRICT"), drop(false, false));
}

#[test]
fn a_table_is_read_with_everything_that_was_said_of_it() {
    let create = create_table(
        "CREATE SHARED TABLE IF NOT EXISTS shop.items (
            sku TEXT, store INT NULL, price DECIMAL(10,2) NOT NULL DEFAULT 1 + 2, note TEXT UNIQUE,
            PRIMARY KEY (sku, store), UNIQUE (price, note)
         ) WITH (ACCESS_LEVEL = 'public', TYPE = SHARED)",
    );
    assert_eq!((create.table, create.if_not_exists), (table("shop.items"), true));
    assert_eq!(create.kind, Some(TableKind::Shared));
    let options = WithOptions { kind: Some(TableKind::Shared), access: Some(AccessLevel::Public), ttl_secs: None };
    assert_eq!(create.options, options);
    assert_eq!(create.primary_key, [name("sku"), name("store")]);
    assert_eq!(create.unique, [vec![name("note")], vec![name("price"), name("note")]]);
    let price = &create.columns[2];
    assert_eq!((price.data_type, price.not_null), (DataType::Decimal { precision: 10, scale: 2 }, true));
    assert_eq!(price.default.as_ref().map(ToString::to_string).as_deref(), Some("1 + 2"));
    assert_eq!(create.columns.iter().filter(|column| column.not_null).count(), 1);

    let stream = create_table("CREATE TABLE t (a INT PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 60)");
    assert_eq!(stream.kind, None);
    assert_eq!((stream.options.kind, stream.options.ttl_secs), (Some(TableKind::Stream), Some(60)));
    assert_eq!((stream.primary_key.as_slice(), stream.columns[0].not_null), ([name("a")].as_slice(), true));
    assert_eq!(create_table("CREATE USER TABLE t (a INT)").kind, Some(TableKind::User));
}

#[test]
fn types_are_known_by_all_their_names() {
    let decimal = |precision, scale| DataType::Decimal { precision, scale };
    let cases = [
        ("BOOLEAN BOOL", DataType::Boolean),
        ("SMALLINT INT2 TINYINT", DataType::SmallInt),
        ("INT INTEGER INT4", DataType::Int),
        ("BIGINT INT8", DataType::BigInt),
        ("FLOAT REAL FLOAT(24)", DataType::Float),
        ("DOUBLE FLOAT8 FLOAT(53)", DataType::Double),
        ("TEXT VARCHAR VARCHAR(80) STRING CHAR(3)", DataType::Text),
        ("TIMESTAMP", DataType::Timestamp),
        ("DATETIME TIMESTAMPTZ", DataType::DateTime),
        ("DATE", DataType::Date),
        ("TIME", DataType::Time),
        ("JSON JSONB", DataType::Json),
        ("BYTES BYTEA BLOB VARBINARY", DataType::Bytes),
        ("UUID", DataType::Uuid),
        ("DECIMAL NUMERIC", decimal(38, 10)),
        ("DECIMAL(5)", decimal(5, 0)),
        ("DECIMAL(38,38)", decimal(38, 38)),
    ];
    for (names, wanted) in cases {
        for sql_type in names.split(' ') {
            let create = create_table(&format!("CREATE TABLE t (a {sql_type})"));
            assert_eq!(create.columns[0].data_type, wanted, "{sql_type}");
        }
    }
    let create = create_table("CREATE TABLE t (a DOUBLE PRECISION, b TIMESTAMP WITH TIME ZONE)");
    assert_eq!((create.columns[0].data_type, create.columns[1].data_type), (DataType::Double, DataType::DateTime));
    for (sql_type, wanted) in [
        ("SERIAL", ErrorCode::Unsupported),
        ("INT[]", ErrorCode::Unsupported),
        ("MONEY", ErrorCode::Unsupported),
        ("INTERVAL", ErrorCode::Unsupported),
        ("DECIMAL(39,2)", ErrorCode::InvalidSql),
        ("DECIMAL(5,6)", ErrorCode::InvalidSql),
        ("DECIMAL(0)", ErrorCode::InvalidSql),
    ] {
        let error = refused(&format!("CREATE TABLE t (a {sql_type})"));
        assert_eq!((error.code, error.position), (wanted, Some(17)), "{sql_type}: {error}");
    }
}

#[test]
fn tables_that_make_no_sense_are_refused() {
    for sql in [
        "CREATE TABLE",
        "CREATE TABLE t",
        "CREATE TABLE t (a)",
        "CREATE TABLE t (a INT, a INT)",
        "CREATE TABLE t (a INT, A INT)",
        "CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)",
        "CREATE TABLE t (a INT PRIMARY KEY, PRIMARY KEY (a))",
        "CREATE TABLE t (a INT, PRIMARY KEY (a, a))",
        "CREATE TABLE t (a INT NULL NOT NULL)",
        "CREATE TABLE t (a INT) WITH (TYPE = 'OTHER')",
        "CREATE TABLE t (a INT) WITH (TTL_SECONDS = 0)",
        "CREATE TABLE t (a INT) WITH (TTL_SECONDS = -1)",
        "CREATE TABLE t (a INT) WITH (TTL_SECONDS = 99999999999)",
        "CREATE TABLE t (a INT) WITH (TTL_SECONDS = 5, TTL_SECONDS = 6)",
        "CREATE TABLE t (a INT) WITH (ACCESS_LEVEL = 'SECRET')",
        "CREATE TABLE t (a INT) t",
    ] {
        assert_eq!(refused(sql).code, ErrorCode::InvalidSql, "{sql}");
    }
}

#[test]
fn tables_change_column_by_column() {
    let Ddl::AlterTable { table: altered, changes } =
        ddl("ALTER TABLE n.t ADD COLUMN a INT DEFAULT 5, ADD IF NOT EXISTS b TEXT UNIQUE, DROP COLUMN IF EXISTS c, \
             SET (TTL_SECONDS = 9)")
    else {
        panic!("not an ALTER TABLE");
    };
    assert_eq!(altered, table("n.t"));
    let [
        TableChange::AddColumn { column: a, if_not_exists: false, unique: false },
        TableChange::AddColumn { column: b, if_not_exists: true, unique: true },
        TableChange::DropColumn { name: c, if_exists: true },
        TableChange::Set(WithOptions { kind: None, access: None, ttl_secs: Some(9) }),
    ] = changes.as_slice()
    else {
        panic!("{changes:?}");
    };
    assert!(matches!(**a, ColumnSpec { data_type: DataType::Int, not_null: false, default: Some(_), .. }), "{a:?}");
    assert_eq!((b.name.as_str(), c.as_str()), ("b", "c"));
}

#[test]
fn indexes_come_and_go() {
    let wanted = CreateIndex {
        name: name("i"),
        table: table("n.t"),
        columns: vec![name("a"), name("b")],
        unique: true,
        if_not_exists: true,
    };
    assert_eq!(ddl("CREATE UNIQUE INDEX IF NOT EXISTS i ON n.t (a, B)"), Ddl::CreateIndex(wanted));
    let drop = Ddl::DropIndex { name: name("i"), table: table("t"), if_exists: true };
    assert_eq!(ddl("DROP INDEX IF EXISTS i ON t"), drop);
    for (sql, wanted) in [
        ("CREATE INDEX ON t (a)", ErrorCode::InvalidSql),
        ("CREATE INDEX i ON t (a, a)", ErrorCode::InvalidSql),
        ("CREATE INDEX i ON t ()", ErrorCode::InvalidSql),
        ("CREATE INDEX i ON t (lower(a))", ErrorCode::Unsupported),
        ("CREATE INDEX i ON t (a DESC)", ErrorCode::Unsupported),
        ("CREATE INDEX i ON t (a) WHERE a > 1", ErrorCode::Unsupported),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", ErrorCode::Unsupported),
        ("CREATE INDEX i ON t USING hash (a)", ErrorCode::Unsupported),
        ("DROP INDEX i", ErrorCode::InvalidSql),
    ] {
        assert_eq!(refused(sql).code, wanted, "{sql}");
    }
}

#[test]
fn users_are_read_with_their_clauses_in_any_order() {
    let create = |email: Option<&str>, if_not_exists| {
        Statement::User(UserStatement::Create {
            user: user("Anna.B"),
            password: "it's long".to_owned(),
            role: Role::Service,
            email: email.map(str::to_owned),
            if_not_exists,
        })
    };
    assert_eq!(parsed("CREATE USER 'Anna.B' WITH PASSWORD 'it''s long' ROLE service"), create(None, false));
    assert_eq!(
        parsed("CREATE USER IF NOT EXISTS \"Anna.B\" ROLE 'SERVICE' EMAIL 'a@b' PASSWORD 'it''s long'"),
        create(Some("a@b"), true)
    );
    let alter = |change| Statement::User(UserStatement::Alter { user: user("anna"), change });
    assert_eq!(parsed("ALTER USER anna SET PASSWORD 'x'"), alter(UserChange::Password("x".to_owned())));
    assert_eq!(parsed("ALTER USER 'anna' SET ROLE dba"), alter(UserChange::Role(Role::Dba)));
    assert_eq!(parsed("ALTER USER 'anna' SET EMAIL NULL"), alter(UserChange::Email(None)));
    assert_eq!(parsed("ALTER USER 'anna' SET EMAIL 'a@b'"), alter(UserChange::Email(Some("a@b".to_owned()))));
    let drop = Statement::User(UserStatement::Drop { user: user("anna"), if_exists: true });
    assert_eq!(parsed("DROP USER IF EXISTS 'anna'"), drop);
    let revoke = Statement::User(UserStatement::RevokeTokens { user: user("anna") });
    assert_eq!(parsed("REVOKE TOKENS FOR USER 'anna'"), revoke);
    for sql in [
        "CREATE USER 'u'",
        "CREATE USER 'u' WITH PASSWORD 'x'",
        "CREATE USER 'u' WITH ROLE user",
        "CREATE USER 'u' WITH PASSWORD 'x' ROLE user ROLE user",
        "CREATE USER 'u' WITH PASSWORD x ROLE user",
        "CREATE USER 'u' WITH PASSWORD 'x' ROLE admin",
        "ALTER USER 'u'",
        "ALTER USER 'u' SET NAME 'x'",
        "REVOKE TOKENS FROM USER 'u'",
        "REVOKE TOKENS FOR USER",
    ] {
        assert_eq!(refused(sql).code, ErrorCode::InvalidSql, "{sql}");
    }
}

#[test]
fn grants_name_their_rights_table_and_grantee() {
    let grant = |rights, namespace: Option<&str>, grantee: Grantee, revoke| {
        let namespace = namespace.map(|text| Name::new(text).unwrap());
        let table = TableRef { namespace, table: Name::new("t").unwrap() };
        Statement::Ddl(Ddl::Grant(GrantStatement { table, rights, grantee, revoke }))
    };
    let (anna, service) = (Grantee::User(user("Anna")), Grantee::Role(Role::Service));
    let read = Rights::from(Right::Select);
    for (sql, wanted) in [
        ("GRANT SELECT ON n.t TO USER 'Anna'", grant(read, Some("n"), anna.clone(), false)),
        (
            "grant select, Delete on table T to role 'SERVICE'",
            grant(read.with(Right::Delete), None, service.clone(), false),
        ),
        ("GRANT ALL ON t TO ROLE service", grant(Rights::ALL, None, service.clone(), false)),
        ("REVOKE ALL PRIVILEGES ON n.t FROM ROLE service", grant(Rights::ALL, Some("n"), service, true)),
        ("REVOKE INSERT, UPDATE ON t FROM USER \"Anna\"", {
            grant([Right::Insert, Right::Update].into_iter().collect(), None, anna.clone(), true)
        }),
    ] {
        assert_eq!(parsed(sql), wanted, "{sql}");
    }
    assert_eq!(parsed("SHOW GRANTS"), Statement::ShowGrants(GrantsOf::All));
    assert_eq!(parsed("SHOW GRANTS FOR USER 'Anna'"), Statement::ShowGrants(GrantsOf::Grantee(anna)));
    assert!(matches!(parsed("SHOW GRANTS ON TABLE n.t"), Statement::ShowGrants(GrantsOf::Table(_))));
    for sql in [
        "GRANT SELECT",
        "GRANT ON t TO USER 'u'",
        "GRANT DROP ON t TO USER 'u'",
        "GRANT SELECT, ON t TO USER 'u'",
        "GRANT SELECT ON t TO 'u'",
        "GRANT SELECT ON t FROM USER 'u'",
        "GRANT SELECT ON a.b.c TO USER 'u'",
        "GRANT SELECT (a) ON t TO USER 'u'",
        "GRANT SELECT ON t TO ROLE admin",
        "GRANT SELECT ON t TO USER 'a/b'",
        "GRANT SELECT ON t TO USER 'u' WITH GRANT OPTION",
        "REVOKE SELECT ON t TO USER 'u'",
        "SHOW GRANTS FOR 'u'",
    ] {
        assert_eq!(refused(sql).code, ErrorCode::InvalidSql, "{sql}");
    }
}

#[test]
fn s09_a_statement_about_users_shows_no_password() {
    for sql in [
        "CREATE USER 'u' WITH PASSWORD 'tell-nobody' ROLE user EMAIL 'tell-nobody@x'",
        "ALTER USER 'u' SET PASSWORD 'tell-nobody'",
        "ALTER USER 'u' SET EMAIL 'tell-nobody@x'",
    ] {
        let shown = format!("{:?}", parsed(sql));
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
}

#[test]
fn s09_errors_show_no_literal() {
    for sql in [
        "CREATE USER 'u' WITH PASSWORD 'tell-nobody' 'tell-nobody'",
        "CREATE USER 'u' WITH 'tell-nobody'",
        "CREATE USER 'u' WITH PASSWORD 'x' ROLE 'tell-nobody'",
        "CREATE USER 'tell/nobody' WITH PASSWORD 'x' ROLE user",
        "ALTER USER 'u' SET 'tell-nobody'",
        "KILL 'tell-nobody'",
        "USE 'tell-nobody'",
        "SHOW 'tell-nobody'",
        "DROP 'tell-nobody'",
        "CREATE TABLE t (a INT) WITH (TYPE = 'tell-nobody')",
        "CREATE TABLE t (a INT) WITH (TTL_SECONDS = 'tell-nobody')",
        "CREATE TABLE t (a INT DEFAULT 'tell-nobody' 'tell-nobody')",
        "'tell-nobody'",
        "SELECT 1; 'tell-nobody'",
    ] {
        let error = refused(sql);
        assert!(!error.message.contains("tell"), "{sql}: {error}");
    }
}

#[test]
fn connections_and_live_queries_are_killed_by_their_id() {
    assert_eq!(parsed("KILL CONNECTION 'abc'"), Statement::KillConnection("abc".to_owned()));
    assert_eq!(parsed("kill live query 'a-b-c'"), Statement::KillLiveQuery("a-b-c".to_owned()));
    for sql in ["KILL", "KILL 5", "KILL CONNECTION abc", "KILL LIVE 'x'", "KILL QUERY 'x'"] {
        assert_eq!(refused(sql).code, ErrorCode::InvalidSql, "{sql}");
    }
}

#[test]
fn tables_are_shown_of_all_namespaces_or_of_one() {
    assert_eq!(parsed("SHOW TABLES"), Statement::ShowTables(None));
    assert_eq!(parsed("SHOW TABLES IN shop"), Statement::ShowTables(Some(name("shop"))));
    assert_eq!(parsed("SHOW TABLES FROM shop"), Statement::ShowTables(Some(name("shop"))));
    assert_eq!(parsed("SHOW SCHEMAS"), Statement::ShowNamespaces);
}

#[test]
fn acting_for_another_user_takes_a_query_or_a_write() {
    let Statement::ExecuteAs { user: whose, statement } = parsed("EXECUTE AS USER 'anna' (SELECT 1)") else {
        panic!("not an EXECUTE AS");
    };
    assert_eq!((whose, statement.kind()), (user("anna"), "select"));
    for sql in [
        "EXECUTE AS USER 'anna' SELECT 1",
        "EXECUTE AS USER 'anna' (SELECT 1",
        "EXECUTE AS USER 'anna' (SELECT 1) SELECT 2",
        "EXECUTE AS USER 'anna' (CREATE NAMESPACE n)",
        "EXECUTE AS USER 'anna' (EXECUTE AS USER 'ben' (SELECT 1))",
        "EXECUTE AS 'anna' (SELECT 1)",
    ] {
        assert!(matches!(refused(sql).code, ErrorCode::InvalidSql | ErrorCode::Unsupported), "{sql}");
    }
}

#[test]
fn what_other_databases_have_is_refused_by_name() {
    let mut messages = BTreeSet::new();
    for (sql, named) in [
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE OR REPLACE TABLE t (a INT)", "CREATE OR"),
        ("CREATE TEMPORARY TABLE t (a INT)", "CREATE TEMPORARY"),
        ("CREATE TABLE t AS SELECT 1", "CREATE TABLE AS"),
        ("CREATE TABLE t (a INT) PARTITION BY a", "PARTITION"),
        ("CREATE TABLE t (a INT REFERENCES u (a))", "REFERENCES"),
        ("CREATE TABLE t (a INT CHECK (a > 1))", "CHECK"),
        ("CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES u (a))", "FOREIGN KEY"),
        ("CREATE TABLE t (a INT, CHECK (a > 1))", "CHECK"),
        ("CREATE TABLE t (a INT) WITH (COMPRESSION = 'x')", "COMPRESSION"),
        ("ALTER TABLE t RENAME TO u", "RENAME"),
        ("ALTER TABLE t ALTER COLUMN a TYPE INT", "ALTER"),
        ("ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)", "CREATE UNIQUE INDEX"),
        ("ALTER TABLE t ADD COLUMN a INT PRIMARY KEY", "primary key"),
        ("ALTER VIEW v RENAME TO w", "ALTER VIEW"),
        ("DROP VIEW v", "DROP VIEW"),
        ("DROP TABLE t, u", "one table"),
        ("TRUNCATE TABLE t", "TRUNCATE"),
        ("COPY t TO 'x'", "COPY"),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "MERGE"),
        ("SET a = 1", "SET"),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("VACUUM", "VACUUM"),
        ("SAVEPOINT s", "SAVEPOINT"),
        ("ROLLBACK TO s", "savepoints"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "transaction modes"),
        ("SHOW DATABASES", "SHOW DATABASES"),
        ("EXPLAIN DELETE FROM t", "EXPLAIN"),
        ("WITH a AS (SELECT 1) DELETE FROM t", "WITH before"),
    ] {
        let error = refused(sql);
        assert_eq!(error.code, ErrorCode::Unsupported, "{sql}: {error}");
        assert!(error.message.contains(named), "{sql}: {error}");
        messages.insert(error.message);
    }
    assert!(messages.len() > 20, "{messages:?}");
}

#[test]
fn a_mistake_is_invalid_sql_at_its_place() {
    for (sql, position) in [
        ("SELEC 1", 1),
        ("SELECT 1 FRM t", 14),
        ("SELECT 1;\n  SELEC 2", 13),
        ("SELECT 'größe' größe )", 22),
        ("SHOW TABLES IN 'x'", 16),
        ("DROP INDEX i t", 14),
        ("CREATE TABLE t a INT", 16),
        ("SELECT * FROM", 14),
        ("CREATE USER 'u' WITH PASSWORD 5 ROLE user", 31),
        ("KILL CONNECTION 'x' 'y'", 21),
        ("5", 1),
    ] {
        let error = refused(sql);
        assert_eq!((error.code, error.position), (ErrorCode::InvalidSql, Some(position)), "{sql}: {error}");
    }
}

#[test]
fn s16_a_query_is_weighed_wherever_it_stands() {
    let mut heavy = "WITH t0 AS (SELECT 1 AS a)".to_owned();
    for n in 1..12 {
        heavy.push_str(&format!(", t{n} AS (SELECT x.a FROM t{0} x, t{0} y)", n - 1));
    }
    heavy.push_str(" SELECT a FROM t11");
    for sql in [
        heavy.clone(),
        format!("EXPLAIN {heavy}"),
        format!("EXPLAIN LIVE {heavy}"),
        format!("INSERT INTO t {heavy}"),
        format!("DELETE FROM t WHERE a IN ({heavy})"),
        format!("EXECUTE AS USER 'anna' ({heavy})"),
    ] {
        let shown: String = sql.chars().take(40).collect();
        assert_eq!(refused(&sql).code, ErrorCode::TooLarge, "{shown}");
    }
}

#[test]
fn a_live_query_is_exactly_one_select() {
    let limits = Limits::default();
    assert!(parse_live_query("SELECT * FROM t;", &limits).is_ok());
    assert!(parse_live_query("WITH a AS (SELECT 1) SELECT * FROM a", &limits).is_ok());
    for sql in ["SELECT 1; SELECT 2", "DELETE FROM t", "SHOW TABLES", "SELECT", "EXPLAIN SELECT 1"] {
        assert_eq!(parse_live_query(sql, &limits).unwrap_err().code, ErrorCode::InvalidSql, "{sql}");
    }
    assert_eq!(parse_live_query(" ", &limits).unwrap_err().code, ErrorCode::EmptySql);
}
