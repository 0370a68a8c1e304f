//! What can go wrong, one enum per kind of operation.
//!
//! Errors of the database below are wrapped in [`StorageFault`], so that no other crate has to
//! know which database it is. Why a write set did not become a commit is `CommitError`, in `write_set`.

use std::path::PathBuf;

/// What the database below reported.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct StorageFault(pub(crate) rocksdb::Error);

impl From<rocksdb::Error> for StorageFault {
    fn from(error: rocksdb::Error) -> Self {
        StorageFault(error)
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or written.
    #[error("the data directory \"{}\" cannot be used", .dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process, or another part of this one, has it open.
    #[error("the data directory \"{}\" is already open in another process", .dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// It was written by a version that stores things differently.
    #[error("the data directory has format version {found}; this version of KalamDB reads format version {supported}")]
    UnknownFormat {
        /// What the directory says.
        found: u32,
        /// What this version reads.
        supported: u32,
    },
    /// It holds a RocksDB database, but not one of ours.
    #[error("the directory \"{}\" holds a database that is not KalamDB's", .dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
    },
    /// One of the store's own notes cannot be read.
    #[error("the note \"{what}\" in the data directory is damaged")]
    Corrupt {
        /// Which note.
        what: String,
    },
    /// The system gives the store no thread.
    #[error("a thread of the store could not be started")]
    Thread(#[source] std::io::Error),
    /// The database below could not be opened or read.
    #[error("the database could not be opened: {0}")]
    Storage(#[from] StorageFault),
}

/// Why something could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The database below could not read it.
    #[error("the data could not be read: {0}")]
    Storage(#[from] StorageFault),
    /// What is stored does not have the form it should have.
    #[error("a stored {what} is damaged: {reason}")]
    Corrupt {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Why something could not be written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The disk did not take it (full, or failing).
    #[error("the write could not be stored: {0}")]
    Storage(#[from] StorageFault),
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Storage(fault) => OpenError::Storage(fault),
            ReadError::Corrupt { what, .. } => OpenError::Corrupt { what: what.to_owned() },
        }
    }
}

impl From<rocksdb::Error> for ReadError {
    fn from(error: rocksdb::Error) -> Self {
        ReadError::Storage(StorageFault(error))
    }
}

impl From<rocksdb::Error> for WriteError {
    fn from(error: rocksdb::Error) -> Self {
        WriteError::Storage(StorageFault(error))
    }
}

impl From<rocksdb::Error> for OpenError {
    fn from(error: rocksdb::Error) -> Self {
        OpenError::Storage(StorageFault(error))
    }
}
