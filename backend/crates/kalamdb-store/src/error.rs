//! What can go wrong, one enum per kind of operation.
//!
//! Errors of the database below are wrapped in [`StorageFault`], so that no other crate has to
//! know which database it is. Why a write set did not become a commit is `CommitError`, in `write_set`.

use std::path::PathBuf;

/// What the system says when there is no more room: on the disk, within the user's quota, or within
/// the largest size of a file.
const NO_ROOM: [&str; 3] = ["No space left on device", "Disk quota exceeded", "File too large"];

/// What RocksDB says when it could not add to its log. Such a record is never whole: its end is missing.
const NOT_ADDED: &str = "While appending to file";

/// What we say while there is no database.
const NOT_OPEN: &str = "the database is not open; it is tried again";

/// What the database below reported. Its text may name paths and is for the log, not for clients.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct StorageFault {
    text: String,
}

impl StorageFault {
    /// What was reported, as it was.
    #[must_use]
    pub fn new(text: impl Into<String>) -> StorageFault {
        StorageFault { text: text.into() }
    }

    /// Opening it again after a failure has not succeeded yet.
    pub(crate) fn not_open() -> StorageFault {
        StorageFault::new(NOT_OPEN)
    }

    /// Is the database closed, because it could not be opened again after a failure?
    #[must_use]
    pub fn is_not_open(&self) -> bool {
        self.text == NOT_OPEN
    }

    /// Is there no more room where the data is?
    #[must_use]
    pub fn is_full(&self) -> bool {
        NO_ROOM.iter().any(|words| self.text.contains(words))
    }

    /// Is it sure that nothing of what was to be written can be found later?
    pub(crate) fn left_nothing(&self) -> bool {
        self.text.contains(NOT_ADDED)
    }
}

impl From<ReadError> for StorageFault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Storage(fault) => fault,
            corrupt @ ReadError::Corrupt { .. } => StorageFault::new(corrupt.to_string()),
        }
    }
}

impl From<rocksdb::Error> for StorageFault {
    fn from(error: rocksdb::Error) -> Self {
        StorageFault { text: error.into_string() }
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
        ReadError::Storage(error.into())
    }
}

impl From<rocksdb::Error> for WriteError {
    fn from(error: rocksdb::Error) -> Self {
        WriteError::Storage(error.into())
    }
}

impl From<rocksdb::Error> for OpenError {
    fn from(error: rocksdb::Error) -> Self {
        OpenError::Storage(error.into())
    }
}
