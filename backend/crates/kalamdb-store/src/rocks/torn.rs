//! Logs that RocksDB could not get to the end of.
//!
//! What a power loss leaves behind the last sync may be anything. RocksDB checks its records and stops
//! where one is not right, with one exception: a header that says it is of a recycled log, in a log that
//! did not begin as one (ours never do), is looked at again and again without end. Such a header is
//! given another type here, so that its checksum is found to be wrong like that of any other torn record.
//! What is whole is not touched.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Logs are written in blocks; no record's part reaches from one into the next.
const BLOCK_BYTES: usize = 32_768;

/// Checksum, length of what follows, type.
const HEADER_BYTES: usize = 7;

const ZERO: u8 = 0;
const FULL: u8 = 1;
const LAST: u8 = 4;

/// Types of recycled logs.
const RECYCLED: [u8; 6] = [5, 6, 7, 8, 11, 131];

/// Goes through the logs in `dir` as RocksDB will, and mends what would hold it up for ever.
///
/// # Errors
/// When a log cannot be read or written.
pub(super) fn mend(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") && mend_log(&path)? {
            tracing::warn!("the end of a log is torn; what is behind its last whole record is not read");
        }
    }
    Ok(())
}

fn mend_log(path: &Path) -> io::Result<bool> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut walk = Walk::default();
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    let mut before = 0_u64;
    let mut mended = false;
    loop {
        block.clear();
        file.seek(SeekFrom::Start(before))?;
        io::Read::by_ref(&mut file).take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
        if let Some(at) = walk.through(&block) {
            let type_at = at.saturating_add(HEADER_BYTES).saturating_sub(1);
            file.seek(SeekFrom::Start(before.saturating_add(type_at as u64)))?;
            file.write_all(&[FULL])?;
            mended = true;
        }
        if walk.is_over || block.len() < BLOCK_BYTES {
            break;
        }
        before = before.saturating_add(BLOCK_BYTES as u64);
    }
    if mended {
        file.sync_data()?;
    }
    Ok(mended)
}

/// The way through a log.
#[derive(Default)]
struct Walk {
    /// A whole record was read.
    has_read: bool,
    /// RocksDB takes the log for a recycled one, and reads it without being held up.
    is_over: bool,
}

impl Walk {
    /// Where in the block the header is that would hold RocksDB up.
    fn through(&mut self, block: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        while let Some(rest) = block.get(at..)
            && let Some(([c0, c1, c2, c3, l0, l1, kind], body)) = rest.split_first_chunk::<HEADER_BYTES>()
        {
            let length = usize::from(u16::from_le_bytes([*l0, *l1]));
            if RECYCLED.contains(kind) {
                if self.has_read {
                    return Some(at);
                }
                self.is_over = true;
                return None;
            }
            // Where something is not right RocksDB drops the rest of the block.
            let body = body.get(..length)?;
            if *kind == ZERO && length == 0 {
                return None;
            }
            if u32::from_le_bytes([*c0, *c1, *c2, *c3]) != masked_checksum(*kind, body) {
                return None;
            }
            self.has_read |= [FULL, LAST].contains(kind);
            at = at.saturating_add(HEADER_BYTES).saturating_add(length);
        }
        None
    }
}

/// CRC-32C of type and contents, in the form in which logs store it.
fn masked_checksum(kind: u8, body: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize];
    let crc = !body.iter().fold(step(u32::MAX, &kind), step);
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// What each byte does to a CRC-32C.
static TABLE: [u32; 256] = {
    let mut table = [0_u32; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};
