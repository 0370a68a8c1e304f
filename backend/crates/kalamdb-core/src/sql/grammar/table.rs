//! `CREATE`, `ALTER` and `DROP` of tables and indexes.

use datafusion::sql::sqlparser::ast::{
    ColumnDef as SqlColumn, ColumnOption, Expr, IndexColumn, ObjectName, TableConstraint,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use kalamdb_commons::Name;
use kalamdb_system::TableKind;

use super::names::{self, name_of};
use super::{options, parse_error, take_word, types, unsupported_object};
use crate::error::SqlError;
use crate::sql::script::{describe, position_of};
use crate::sql::statement::{ColumnSpec, CreateIndex, CreateTable, Ddl, Statement, TableChange, TableRef, WithOptions};

/// After `CREATE`: `[USER|SHARED|STREAM] TABLE [IF NOT EXISTS] n.t (…) [WITH (…)]`.
pub(super) fn create_table(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let kind = if take_word(parser, "USER") {
        Some(TableKind::User)
    } else if take_word(parser, "SHARED") {
        Some(TableKind::Shared)
    } else if take_word(parser, "STREAM") {
        Some(TableKind::Stream)
    } else {
        None
    };
    if !parser.parse_keyword(Keyword::TABLE) {
        return Err(unsupported_object(parser, "CREATE"));
    }
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let table = names::table(parser)?;
    if parser.peek_keyword(Keyword::AS) || parser.peek_keyword(Keyword::LIKE) {
        return Err(SqlError::unsupported("CREATE TABLE AS and LIKE are not supported; give the columns"));
    }
    if parser.peek_token().token != Token::LParen {
        return Err(names::expected("the columns in parentheses", &parser.peek_token()));
    }
    let (columns, constraints) = parser.parse_columns().map_err(parse_error)?;
    let options = if parser.parse_keyword(Keyword::WITH) { options::options(parser)? } else { WithOptions::default() };
    refuse_clause(parser)?;
    let mut create = CreateTable {
        table,
        if_not_exists,
        kind,
        options,
        columns: Vec::new(),
        primary_key: Vec::new(),
        unique: Vec::new(),
    };
    for column in &columns {
        add_column(&mut create, column)?;
    }
    for constraint in &constraints {
        add_constraint(&mut create, constraint)?;
    }
    Ok(Statement::Ddl(Ddl::CreateTable(Box::new(create))))
}

/// Clauses that follow the columns in other databases.
fn refuse_clause(parser: &Parser<'_>) -> Result<(), SqlError> {
    let next = parser.peek_token();
    match &next.token {
        Token::Word(word) if word.keyword != Keyword::NoKeyword => {
            let clause = word.value.to_ascii_uppercase();
            let error = SqlError::unsupported(format!("CREATE TABLE … {clause} is not supported"));
            Err(error.at(position_of(&next)))
        }
        _ => Ok(()),
    }
}

fn add_column(create: &mut CreateTable, column: &SqlColumn) -> Result<(), SqlError> {
    let read = read_column(column)?;
    let name = read.spec.name.clone();
    if create.columns.iter().any(|other| other.name == name) {
        let error = SqlError::invalid(format!("column \"{name}\" is given twice"));
        return Err(error.at(position(column)));
    }
    if read.primary_key {
        set_primary_key(create, vec![name.clone()])?;
    }
    if read.unique {
        create.unique.push(vec![name]);
    }
    create.columns.push(read.spec);
    Ok(())
}

fn set_primary_key(create: &mut CreateTable, columns: Vec<Name>) -> Result<(), SqlError> {
    if !create.primary_key.is_empty() {
        return Err(SqlError::invalid("the table has more than one PRIMARY KEY; name several columns in one"));
    }
    create.primary_key = columns;
    Ok(())
}

fn add_constraint(create: &mut CreateTable, constraint: &TableConstraint) -> Result<(), SqlError> {
    match constraint {
        TableConstraint::PrimaryKey(key) => set_primary_key(create, plain_columns(&key.columns, "PRIMARY KEY")?),
        TableConstraint::Unique(key) => {
            create.unique.push(plain_columns(&key.columns, "UNIQUE")?);
            Ok(())
        }
        TableConstraint::ForeignKey(_) => Err(SqlError::unsupported("FOREIGN KEY is not supported")),
        TableConstraint::Check(_) => Err(SqlError::unsupported("CHECK is not supported")),
        other => {
            let text = other.to_string();
            let word = text.split([' ', '(']).next().unwrap_or_default().to_owned();
            Err(SqlError::unsupported(format!("{word} inside CREATE TABLE is not supported")))
        }
    }
}

/// A column as it was read, with the constraints that are the table's.
struct ReadColumn {
    spec: ColumnSpec,
    primary_key: bool,
    unique: bool,
}

fn read_column(column: &SqlColumn) -> Result<ReadColumn, SqlError> {
    let here = |error: SqlError| error.at(position(column));
    let name = name_of(&column.name, "column")?;
    let data_type = types::data_type(&column.data_type).map_err(here)?;
    let spec = ColumnSpec { name, data_type, not_null: false, default: None };
    let mut read = ReadColumn { spec, primary_key: false, unique: false };
    let mut nullable = false;
    for option in &column.options {
        match &option.option {
            ColumnOption::Null => nullable = true,
            ColumnOption::NotNull => read.spec.not_null = true,
            ColumnOption::Default(expression) => read.spec.default = Some(expression.clone()),
            ColumnOption::PrimaryKey(_) => {
                read.primary_key = true;
                read.spec.not_null = true;
            }
            ColumnOption::Unique(_) => read.unique = true,
            other => return Err(here(unsupported_option(other))),
        }
    }
    if nullable && read.spec.not_null {
        return Err(here(SqlError::invalid(format!("column \"{}\" is both NULL and NOT NULL", read.spec.name))));
    }
    Ok(read)
}

fn unsupported_option(option: &ColumnOption) -> SqlError {
    let name = match option {
        ColumnOption::ForeignKey(_) => "REFERENCES",
        ColumnOption::Check(_) => "CHECK",
        ColumnOption::Generated { .. } => "GENERATED",
        ColumnOption::Identity(_) => "IDENTITY",
        ColumnOption::Collation(_) => "COLLATE",
        ColumnOption::CharacterSet(_) => "CHARACTER SET",
        ColumnOption::Comment(_) => "COMMENT",
        ColumnOption::OnUpdate(_) => "ON UPDATE",
        _ => "this column option",
    };
    SqlError::unsupported(format!("{name} is not supported in a column definition"))
}

fn position(column: &SqlColumn) -> Option<u32> {
    u32::try_from(column.name.span.start.column).ok().filter(|&column| column > 0)
}

/// Columns of a constraint, which must be plain names.
fn plain_columns(columns: &[IndexColumn], what: &str) -> Result<Vec<Name>, SqlError> {
    let mut names: Vec<Name> = Vec::with_capacity(columns.len());
    for column in columns {
        let Expr::Identifier(ident) = &column.column.expr else {
            return Err(SqlError::unsupported(format!("{what} over expressions is not supported")));
        };
        let options = &column.column.options;
        if options.asc == Some(false) || options.nulls_first.is_some() || column.operator_class.is_some() {
            return Err(SqlError::unsupported(format!("{what} takes plain columns only")));
        }
        let name = name_of(ident, "column")?;
        if names.contains(&name) {
            return Err(SqlError::invalid(format!("column \"{name}\" is named twice in {what}")));
        }
        names.push(name);
    }
    Ok(names)
}

/// After `CREATE [UNIQUE] INDEX`: `[IF NOT EXISTS] i ON n.t (a, b)`.
pub(super) fn create_index(parser: &mut Parser<'_>, unique: bool) -> Result<Statement, SqlError> {
    let create = parser.parse_create_index(unique).map_err(parse_error)?;
    let refused = [
        (create.predicate.is_some(), "WHERE"),
        (!create.include.is_empty(), "INCLUDE"),
        (create.using.is_some(), "USING"),
        (create.nulls_distinct.is_some(), "NULLS DISTINCT"),
        (!create.with.is_empty(), "WITH"),
        (create.concurrently, "CONCURRENTLY"),
        (!create.index_options.is_empty() || !create.alter_options.is_empty(), "with options"),
    ];
    if let Some((_, clause)) = refused.iter().find(|(found, _)| *found) {
        return Err(SqlError::unsupported(format!("CREATE INDEX … {clause} is not supported")));
    }
    let Some(name) = &create.name else {
        return Err(SqlError::invalid("the index needs a name"));
    };
    let index = table_ref(name)?;
    if index.namespace.is_some() {
        return Err(SqlError::invalid("an index is named without a namespace; it belongs to its table"));
    }
    Ok(Statement::Ddl(Ddl::CreateIndex(CreateIndex {
        name: index.table,
        table: table_ref(&create.table_name)?,
        columns: plain_columns(&create.columns, "CREATE INDEX")?,
        unique,
        if_not_exists: create.if_not_exists,
    })))
}

fn table_ref(name: &ObjectName) -> Result<TableRef, SqlError> {
    let parts: Vec<_> = name.0.iter().map(|part| part.as_ident()).collect();
    match parts.as_slice() {
        [Some(table)] => Ok(TableRef { namespace: None, table: name_of(table, "table")? }),
        [Some(namespace), Some(table)] => {
            Ok(TableRef { namespace: Some(name_of(namespace, "namespace")?), table: name_of(table, "table")? })
        }
        _ => Err(SqlError::invalid("a table is named as namespace.table")),
    }
}

/// After `DROP INDEX`: `[IF EXISTS] i ON n.t`.
pub(super) fn drop_index(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let name = names::name(parser, "index")?;
    parser.expect_keyword_is(Keyword::ON).map_err(parse_error)?;
    let table = names::table(parser)?;
    Ok(Statement::Ddl(Ddl::DropIndex { name, table, if_exists }))
}

/// After `DROP TABLE`: `[IF EXISTS] n.t`.
pub(super) fn drop_table(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let table = names::table(parser)?;
    if parser.peek_token().token == Token::Comma {
        return Err(SqlError::unsupported("DROP TABLE takes one table"));
    }
    let _ = parser.parse_one_of_keywords(&[Keyword::RESTRICT, Keyword::CASCADE]);
    Ok(Statement::Ddl(Ddl::DropTable { table, if_exists }))
}

/// After `ALTER TABLE`: `n.t ADD COLUMN … | DROP COLUMN … | SET (…)`, several separated by commas.
pub(super) fn alter_table(parser: &mut Parser<'_>) -> Result<Statement, SqlError> {
    let table = names::table(parser)?;
    let mut changes = Vec::new();
    loop {
        changes.push(table_change(parser)?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    Ok(Statement::Ddl(Ddl::AlterTable { table, changes }))
}

fn table_change(parser: &mut Parser<'_>) -> Result<TableChange, SqlError> {
    if parser.parse_keyword(Keyword::ADD) {
        let _ = parser.parse_keyword(Keyword::COLUMN);
        let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
        if parser.peek_one_of_keywords(&[Keyword::CONSTRAINT, Keyword::PRIMARY, Keyword::FOREIGN]).is_some() {
            return Err(SqlError::unsupported("ALTER TABLE adds columns only; use CREATE UNIQUE INDEX for uniqueness"));
        }
        let column = parser.parse_column_def().map_err(parse_error)?;
        let read = read_column(&column)?;
        if read.primary_key {
            let error = SqlError::unsupported("the primary key of a table cannot be changed");
            return Err(error.at(position(&column)));
        }
        return Ok(TableChange::AddColumn { column: Box::new(read.spec), if_not_exists, unique: read.unique });
    }
    if parser.parse_keyword(Keyword::DROP) {
        let _ = parser.parse_keyword(Keyword::COLUMN);
        let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
        let name = names::name(parser, "column")?;
        let _ = parser.parse_one_of_keywords(&[Keyword::RESTRICT, Keyword::CASCADE]);
        return Ok(TableChange::DropColumn { name, if_exists });
    }
    if parser.parse_keyword(Keyword::SET) {
        return options::options(parser).map(TableChange::Set);
    }
    let next = parser.peek_token();
    let error = match &next.token {
        Token::Word(word) if matches!(word.keyword, Keyword::RENAME | Keyword::ALTER | Keyword::OWNER) => {
            SqlError::unsupported(format!("ALTER TABLE … {} is not supported", word.value.to_ascii_uppercase()))
        }
        token => SqlError::invalid(format!("expected ADD COLUMN, DROP COLUMN or SET, found {}", describe(token))),
    };
    Err(error.at(position_of(&next)))
}
