//! Where the keys of an issuer come from: a file, or whatever the server brings along.

use std::fmt::Debug;
use std::fs::File;
use std::future::Future;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use super::key_set::KeySet;

/// Most bytes of a key set that are read.
pub const KEY_SET_BYTES_MAX: usize = 256 << 10;
/// How often a file is looked at.
const FILE_INTERVAL: Duration = Duration::from_secs(5);

/// A key set on its way: the JSON text of a JWKS, at most [`KEY_SET_BYTES_MAX`] of it.
pub type KeyFetch<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, KeySourceError>> + Send + 'a>>;

/// Gives the keys of an issuer as they are now.
pub trait KeySource: Send + Sync + Debug {
    /// Gets the key set. Must end by itself within a bounded time and read a bounded number of bytes.
    fn fetch(&self) -> KeyFetch<'_>;

    /// After which time the keys are to be fetched again.
    fn refresh_interval(&self) -> Duration;
}

/// Why there are no keys. For the log of the server.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// The file cannot be read.
    #[error("the key file \"{}\" cannot be read: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Nothing came from where the keys are, or not what was asked for.
    #[error("the keys could not be fetched: {0}")]
    Unreachable(String),
    /// There is more than is read.
    #[error("the key set has more than {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not a key set.
    #[error("it is not a key set: {0}")]
    NotKeys(&'static str),
}

/// A key set in a file, which is looked at every few seconds.
#[derive(Debug, Clone)]
pub struct FileKeys(PathBuf);

impl FileKeys {
    /// The key set at `path`.
    ///
    /// # Errors
    /// [`KeySourceError`] when it cannot be read now, or is not a key set.
    pub fn open(path: &Path) -> Result<FileKeys, KeySourceError> {
        KeySet::parse(&read(path)?)?;
        Ok(FileKeys(path.to_owned()))
    }
}

impl KeySource for FileKeys {
    fn fetch(&self) -> KeyFetch<'_> {
        let path = self.0.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || read(&path)).await;
            read.unwrap_or_else(|error| Err(KeySourceError::Unreachable(error.to_string())))
        })
    }

    fn refresh_interval(&self) -> Duration {
        FILE_INTERVAL
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeySourceError> {
    let failed = |source| KeySourceError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let most = KEY_SET_BYTES_MAX as u64;
    File::open(path).map_err(failed)?.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > KEY_SET_BYTES_MAX { Err(KeySourceError::TooLarge) } else { Ok(bytes) }
}
