//! A statement, parsed: what it asks for, with every name checked.
//!
//! Names are already valid and folded; which namespace an unqualified one means is decided when
//! the statement runs, because `USE` can change it between statements.

use datafusion::sql::sqlparser::ast;
use kalamdb_commons::{DataType, Name, Role, TableName, UserId};
use kalamdb_system::{AccessLevel, Grantee, Rights, TableKind};

/// One statement of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// A SELECT, VALUES or TABLE query.
    Query(Box<ast::Query>),
    /// INSERT, UPDATE or DELETE.
    Dml(Box<ast::Statement>),
    /// `BEGIN`.
    Begin,
    /// `COMMIT`.
    Commit,
    /// `ROLLBACK`.
    Rollback,
    /// `EXPLAIN [ANALYZE] [VERBOSE] SELECT …`.
    Explain(Explain),
    /// `EXPLAIN LIVE SELECT …`.
    ExplainLive(Box<ast::Query>),
    /// `USE n`.
    Use(Name),
    /// `SHOW NAMESPACES`.
    ShowNamespaces,
    /// `SHOW TABLES [IN n]`.
    ShowTables(Option<Name>),
    /// `SHOW GRANTS`.
    ShowGrants(GrantsOf),
    /// `DESCRIBE TABLE n.t`.
    DescribeTable(TableRef),
    /// A change to the catalog.
    Ddl(Ddl),
    /// A change to the users.
    User(UserStatement),
    /// `EXECUTE AS USER 'u' (…)`.
    ExecuteAs {
        /// In whose name.
        user: UserId,
        /// A query, or an INSERT, UPDATE or DELETE.
        statement: Box<Statement>,
    },
    /// `KILL CONNECTION 'id'`.
    KillConnection(String),
    /// `KILL LIVE QUERY 'id'`.
    KillLiveQuery(String),
}

impl Statement {
    /// What kind of statement this is, for metrics and messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Statement::Query(_) => "select",
            Statement::Dml(statement) => match statement.as_ref() {
                ast::Statement::Insert(_) => "insert",
                ast::Statement::Update(_) => "update",
                _ => "delete",
            },
            Statement::Begin | Statement::Commit | Statement::Rollback => "transaction",
            Statement::Explain(_) | Statement::ExplainLive(_) => "explain",
            Statement::Use(_)
            | Statement::ShowNamespaces
            | Statement::ShowTables(_)
            | Statement::ShowGrants(_)
            | Statement::DescribeTable(_) => "show",
            Statement::Ddl(_) => "ddl",
            Statement::User(_) => "user",
            Statement::ExecuteAs { statement, .. } => statement.kind(),
            Statement::KillConnection(_) | Statement::KillLiveQuery(_) => "kill",
        }
    }
}

/// A table by the name a statement gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRef {
    /// The namespace, if it was written.
    pub namespace: Option<Name>,
    /// The table.
    pub table: Name,
}

impl TableRef {
    /// The table's full name, in `namespace` unless another was written.
    #[must_use]
    pub fn within(&self, namespace: &Name) -> TableName {
        TableName { namespace: self.namespace.clone().unwrap_or_else(|| namespace.clone()), table: self.table.clone() }
    }
}

/// Which grants `SHOW GRANTS` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantsOf {
    /// All that the caller may see.
    All,
    /// Those on a table.
    Table(TableRef),
    /// Those to this very grantee.
    Grantee(Grantee),
}

/// A query to explain.
#[derive(Debug, Clone, PartialEq)]
pub struct Explain {
    /// The query.
    pub query: Box<ast::Query>,
    /// Show every step of planning.
    pub verbose: bool,
    /// Run it and show what it cost.
    pub analyze: bool,
}

/// A change to the catalog.
#[derive(Debug, Clone, PartialEq)]
pub enum Ddl {
    /// `CREATE NAMESPACE`.
    CreateNamespace {
        /// Its name.
        name: Name,
        /// Not an error if it is there.
        if_not_exists: bool,
    },
    /// `DROP NAMESPACE`.
    DropNamespace {
        /// Its name.
        name: Name,
        /// Not an error if it is not there.
        if_exists: bool,
        /// Its tables go with it.
        cascade: bool,
    },
    /// `CREATE TABLE`.
    CreateTable(Box<CreateTable>),
    /// `DROP TABLE`.
    DropTable {
        /// Which.
        table: TableRef,
        /// Not an error if it is not there.
        if_exists: bool,
    },
    /// `ALTER TABLE`.
    AlterTable {
        /// Which.
        table: TableRef,
        /// What changes, in order.
        changes: Vec<TableChange>,
    },
    /// `CREATE INDEX`.
    CreateIndex(CreateIndex),
    /// `DROP INDEX`.
    DropIndex {
        /// The index.
        name: Name,
        /// Its table.
        table: TableRef,
        /// Not an error if it is not there.
        if_exists: bool,
    },
    /// `GRANT` and `REVOKE`.
    Grant(GrantStatement),
}

/// `GRANT` and `REVOKE` of rights on a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantStatement {
    /// The table.
    pub table: TableRef,
    /// Which rights.
    pub rights: Rights,
    /// To whom they are granted, or from whom they are taken.
    pub grantee: Grantee,
    /// Are they taken?
    pub revoke: bool,
}

/// `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// Its name.
    pub table: TableRef,
    /// Not an error if it is there.
    pub if_not_exists: bool,
    /// The kind, from the words before TABLE.
    pub kind: Option<TableKind>,
    /// From WITH (…).
    pub options: WithOptions,
    /// Its columns, in order.
    pub columns: Vec<ColumnSpec>,
    /// Columns of the primary key, in key order.
    pub primary_key: Vec<Name>,
    /// Columns that make rows unique, from UNIQUE constraints.
    pub unique: Vec<Vec<Name>>,
}

/// Options of a table, as `WITH (…)` and `SET (…)` give them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WithOptions {
    /// `TYPE`.
    pub kind: Option<TableKind>,
    /// `ACCESS_LEVEL`.
    pub access: Option<AccessLevel>,
    /// `TTL_SECONDS`.
    pub ttl_secs: Option<u64>,
}

/// A column, as CREATE and ALTER TABLE give it.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub data_type: DataType,
    /// May it not be NULL?
    pub not_null: bool,
    /// Its DEFAULT.
    pub default: Option<ast::Expr>,
}

/// One change of `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub enum TableChange {
    /// `ADD COLUMN`.
    AddColumn {
        /// The column.
        column: Box<ColumnSpec>,
        /// Not an error if it is there.
        if_not_exists: bool,
        /// Its values are unique.
        unique: bool,
    },
    /// `DROP COLUMN`.
    DropColumn {
        /// The column.
        name: Name,
        /// Not an error if it is not there.
        if_exists: bool,
    },
    /// `SET (…)`.
    Set(WithOptions),
}

/// `CREATE INDEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateIndex {
    /// Its name.
    pub name: Name,
    /// Its table.
    pub table: TableRef,
    /// Its columns, in order.
    pub columns: Vec<Name>,
    /// No two rows of one scope may have equal columns.
    pub unique: bool,
    /// Not an error if it is there.
    pub if_not_exists: bool,
}

/// A change to the users.
#[derive(Clone, PartialEq, Eq)]
pub enum UserStatement {
    /// `CREATE USER`.
    Create {
        /// Its name.
        user: UserId,
        /// Its password.
        password: String,
        /// Its role.
        role: Role,
        /// Its e-mail address.
        email: Option<String>,
        /// Not an error if it is there.
        if_not_exists: bool,
    },
    /// `ALTER USER`.
    Alter {
        /// Who.
        user: UserId,
        /// What changes.
        change: UserChange,
    },
    /// `DROP USER`.
    Drop {
        /// Who.
        user: UserId,
        /// Not an error if it is not there.
        if_exists: bool,
    },
    /// `REVOKE TOKENS FOR USER`.
    RevokeTokens {
        /// Whose.
        user: UserId,
    },
}

/// One change of `ALTER USER`.
#[derive(Clone, PartialEq, Eq)]
pub enum UserChange {
    /// `SET PASSWORD`.
    Password(String),
    /// `SET ROLE`.
    Role(Role),
    /// `SET EMAIL`; NULL takes it away.
    Email(Option<String>),
}

// By hand, so that a password never reaches a log line.
impl std::fmt::Debug for UserStatement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UserStatement::Create { user, role, .. } => write!(f, "CreateUser({user}, {role})"),
            UserStatement::Alter { user, change } => write!(f, "AlterUser({user}, {change:?})"),
            UserStatement::Drop { user, .. } => write!(f, "DropUser({user})"),
            UserStatement::RevokeTokens { user } => write!(f, "RevokeTokens({user})"),
        }
    }
}

impl std::fmt::Debug for UserChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UserChange::Password(_) => f.write_str("Password(…)"),
            UserChange::Role(role) => write!(f, "Role({role})"),
            UserChange::Email(_) => f.write_str("Email(…)"),
        }
    }
}
