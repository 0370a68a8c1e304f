//! The key that tokens are signed with.
//!
//! It is configured, or made once from the system's randomness and kept in a file that only its
//! owner may read. There is no built-in one. It is never shown, and never part of an error.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use rand::rngs::{SysError, SysRng};

/// Length of a secret that is made, in bytes.
const MADE_BYTES: usize = 32;
/// Longest secret file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 4096;
/// Nobody but the owner.
const PRIVATE: u32 = 0o600;

/// A key of at least [`Secret::BYTES_MIN`] bytes. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Why there is no secret. Never says what was given.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The secret is too short to sign with.
    #[error("the secret must have at least {} bytes", Secret::BYTES_MIN)]
    TooShort,
    /// The file is not one that was made here.
    #[error("the secret file \"{}\" is damaged; remove it and all tokens end", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("the secret file \"{}\" cannot be used", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[from] SysError),
}

impl Secret {
    /// Fewest bytes of a secret.
    pub const BYTES_MIN: usize = 32;

    /// Takes these bytes as the secret.
    ///
    /// # Errors
    /// [`SecretError::TooShort`] when there are fewer than [`Secret::BYTES_MIN`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, SecretError> {
        let bytes = bytes.into();
        if bytes.len() < Self::BYTES_MIN { Err(SecretError::TooShort) } else { Ok(Secret(bytes)) }
    }

    /// The secret kept in the file at `path`; where there is none, a random one is made and kept.
    ///
    /// # Errors
    /// [`SecretError`] when the file cannot be read or written, or holds something else.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File { path: path.to_owned(), source };
        match fs::metadata(path) {
            Ok(metadata) => {
                if metadata.permissions().mode() & 0o077 != 0 {
                    tracing::warn!("the secret file was open to others than its owner, closing it");
                    fs::set_permissions(path, Permissions::from_mode(PRIVATE)).map_err(failed)?;
                }
                let text = if metadata.len() > FILE_BYTES_MAX { String::new() } else { read(path)? };
                let bytes = URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default();
                Secret::new(bytes).map_err(|_| SecretError::Damaged { path: path.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes: [u8; MADE_BYTES] = random_bytes()?;
                write(path, &URL_SAFE_NO_PAD.encode(bytes)).map_err(failed)?;
                Ok(Secret(bytes.to_vec()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Bytes nobody can guess.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], SysError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

fn read(path: &Path) -> Result<String, SecretError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(SecretError::Damaged { path: path.to_owned() }),
        Err(source) => Err(SecretError::File { path: path.to_owned(), source }),
    }
}

/// Writes the file whole or not at all: a crash leaves no half a secret.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
