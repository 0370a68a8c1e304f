//! Asking the disk whether there is room to open the database.
//!
//! Opening replays RocksDB's logs and writes what they hold into new files. Whoever closes a database
//! that can still be read wants to know before that the disk takes as much.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Written and deleted again; RocksDB takes no notice of it.
const PROBE: &str = "room.probe";

/// Room for what opening writes besides the contents of the logs.
const MARGIN_BYTES: u64 = 4 << 20;

const PIECE: &[u8] = &[0; 1 << 16];

/// Writes a file as large as what opening the database in `dir` may write, syncs it, and deletes it.
///
/// # Errors
/// What the system said, when there is no such room.
pub(crate) fn probe(dir: &Path) -> io::Result<()> {
    let mut bytes = MARGIN_BYTES;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            bytes = bytes.saturating_add(entry.metadata()?.len());
        }
    }
    let path = dir.join(PROBE);
    let written = write(&path, bytes);
    let removed = fs::remove_file(&path);
    written.and(removed)
}

/// Deletes what a process left that was killed while it asked.
pub(super) fn clear(dir: &Path) {
    let _not_there = fs::remove_file(dir.join(PROBE));
}

fn write(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut written = 0_u64;
    while written < bytes {
        file.write_all(PIECE)?;
        written = written.saturating_add(PIECE.len() as u64);
    }
    file.sync_data()
}
