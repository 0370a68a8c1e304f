//! Why the catalog cannot be read, and why a wish cannot be granted.

use kalamdb_commons::{DataType, ErrorCode, Name, TableName};
use kalamdb_store::{CommitError, ReadError};

/// Why the catalog or the users could not be read from the store.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store could not be read.
    #[error("the store could not be read")]
    Read(#[from] ReadError),
    /// The store did not take what the first start writes.
    #[error("the store could not be written")]
    Write(#[from] CommitError),
    /// A record is not what its key says.
    #[error("a stored {what} is damaged")]
    Malformed {
        /// What the key says it is.
        what: &'static str,
    },
    /// A record could not be put into bytes.
    #[error("a record could not be encoded")]
    Encode(#[from] serde_json::Error),
}

/// Why the catalog cannot be changed as wished.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such namespace.
    #[error("namespace \"{0}\" does not exist")]
    UnknownNamespace(Name),
    /// There is one already.
    #[error("namespace \"{0}\" exists already")]
    NamespaceExists(Name),
    /// It holds tables, and nobody said that they may go.
    #[error("namespace \"{name}\" holds {}; drop them first, or drop the namespace with CASCADE", tables_text(*.tables))]
    NamespaceNotEmpty {
        /// The namespace.
        name: Name,
        /// How many tables it holds.
        tables: usize,
    },
    /// Names without a namespace are looked up in it.
    #[error("namespace \"default\" cannot be dropped")]
    DefaultStays,
    /// It belongs to the database.
    #[error("nothing can be created, changed or dropped in namespace \"system\"")]
    SystemIsReadOnly,
    /// There is no such table.
    #[error("table \"{0}\" does not exist")]
    UnknownTable(TableName),
    /// There is one already.
    #[error("table \"{0}\" exists already")]
    TableExists(TableName),
    /// It would hold nothing.
    #[error("{0} needs at least one column")]
    NoColumns(&'static str),
    /// There is no such column.
    #[error("column \"{0}\" does not exist")]
    UnknownColumn(Name),
    /// The table has one already.
    #[error("column \"{0}\" exists already")]
    ColumnExists(Name),
    /// Rows carry something else under that name.
    #[error("column name \"{0}\" is reserved; _seq, _key and names that begin with _order_ cannot be used")]
    ReservedColumn(Name),
    /// Rows are found by it.
    #[error("column \"{0}\" is part of the primary key and cannot be dropped")]
    KeyColumnStays(Name),
    /// An index is built from it.
    #[error("column \"{column}\" is in index \"{index}\"; drop the index first")]
    ColumnIsIndexed {
        /// The column.
        column: Name,
        /// An index over it.
        index: Name,
    },
    /// Rows that are there already would hold nothing in it.
    #[error("column \"{0}\" is NOT NULL and needs a DEFAULT for the rows that are there already")]
    NeedsDefault(Name),
    /// What old rows should hold is not of the column's type.
    #[error("the DEFAULT of column \"{column}\" is no {data_type}")]
    FillMismatch {
        /// The column.
        column: Name,
        /// Its type.
        data_type: DataType,
    },
    /// There is no such index.
    #[error("index \"{index}\" does not exist on table \"{table}\"")]
    UnknownIndex {
        /// The index.
        index: Name,
        /// The table.
        table: TableName,
    },
    /// The table has one already.
    #[error("index \"{index}\" exists already on table \"{table}\"")]
    IndexExists {
        /// The index.
        index: Name,
        /// The table.
        table: TableName,
    },
    /// The words before TABLE and the option TYPE say different things.
    #[error("the table is said to be of two types")]
    TwoTypes,
    /// Rows would have to move to other owners.
    #[error("the TYPE of a table cannot be changed")]
    TypeStays,
    /// Only SHARED tables ask who may use them.
    #[error("ACCESS_LEVEL is for SHARED tables; the rows of other tables are each user's own")]
    AccessWithoutShared,
    /// Only in SHARED tables there is something to grant.
    #[error(
        "rights are granted on SHARED tables; in table \"{0}\" each user has its own rows and every right over them"
    )]
    GrantsWithoutShared(TableName),
    /// Only STREAM tables forget.
    #[error("TTL_SECONDS is for STREAM tables")]
    TtlWithoutStream,
    /// A STREAM table says when it forgets.
    #[error("a STREAM table needs WITH (TTL_SECONDS = n), with n above 0")]
    StreamWithoutTtl,
    /// A bound was met.
    #[error("{what}: at most {max}")]
    TooMany {
        /// Of what there would be too many.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// A record could not be put into bytes.
    #[error("a record could not be encoded")]
    Encode(#[from] serde_json::Error),
}

impl CatalogError {
    /// The stable code a client is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            CatalogError::UnknownNamespace(_)
            | CatalogError::UnknownTable(_)
            | CatalogError::UnknownColumn(_)
            | CatalogError::UnknownIndex { .. } => ErrorCode::NotFound,
            CatalogError::NamespaceExists(_)
            | CatalogError::TableExists(_)
            | CatalogError::ColumnExists(_)
            | CatalogError::IndexExists { .. } => ErrorCode::AlreadyExists,
            CatalogError::DefaultStays | CatalogError::SystemIsReadOnly => ErrorCode::PermissionDenied,
            CatalogError::NamespaceNotEmpty { .. }
            | CatalogError::KeyColumnStays(_)
            | CatalogError::ColumnIsIndexed { .. }
            | CatalogError::NeedsDefault(_)
            | CatalogError::FillMismatch { .. } => ErrorCode::ConstraintViolation,
            CatalogError::NoColumns(_)
            | CatalogError::ReservedColumn(_)
            | CatalogError::TwoTypes
            | CatalogError::AccessWithoutShared
            | CatalogError::TtlWithoutStream
            | CatalogError::StreamWithoutTtl => ErrorCode::InvalidSql,
            CatalogError::TypeStays | CatalogError::GrantsWithoutShared(_) => ErrorCode::Unsupported,
            CatalogError::TooMany { .. } => ErrorCode::TooLarge,
            CatalogError::Encode(_) => ErrorCode::Internal,
        }
    }
}

fn tables_text(tables: usize) -> String {
    if tables == 1 { "a table".to_owned() } else { format!("{tables} tables") }
}
