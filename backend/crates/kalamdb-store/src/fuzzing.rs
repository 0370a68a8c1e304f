//! What no bytes on the disk may do to what reads them: for the fuzzer, and for the tests alike.
//!
//! Each function fails on a defect only: a panic, or something that was read and does not read back as itself.
//! Bytes are compared rather than values, because not every number equals itself.

use kalamdb_commons::TableId;

use crate::change_log;
use crate::key::{Scope, decode_values, encode_values, layout};
use crate::row_codec::{decode_stored, decode_stored_seq, encode_stored};

/// A stored row.
pub fn row(data: &[u8]) {
    let Ok((seq, row)) = decode_stored(data) else { return };
    assert_eq!(decode_stored_seq(data).ok(), Some(seq));
    let mut once = Vec::new();
    encode_stored(&mut once, seq, &row);
    let mut twice = Vec::new();
    if let Ok((seq, row)) = decode_stored(&once) {
        encode_stored(&mut twice, seq, &row);
    }
    assert_eq!(once, twice);
}

/// A key of a row or of an index.
pub fn key(data: &[u8]) {
    if let Ok(values) = decode_values(data) {
        let once = encode_values(&values);
        let again = decode_values(&once).map(|values| encode_values(&values));
        assert_eq!(again, Ok(once));
    }
    if let Ok((id, scope, rest)) = layout::split_prefix(data) {
        let mut whole = layout::table_prefix(TableId(id), &scope);
        whole.extend_from_slice(rest);
        assert_eq!(whole, data);
    }
}

/// An entry of the change log: a SeqId, and then what stands under it.
pub fn change(data: &[u8]) {
    let (seq, value) = data.split_at_checked(8).unwrap_or((data, &[]));
    let table = TableId(1);
    let key = [layout::table_prefix(table, &Scope::Shared), seq.to_vec()].concat();
    let Ok(change) = change_log::decode(table, &Scope::Shared, &key, value) else { return };
    let (key, value) = change_log::encode(&change);
    let again = change_log::decode(table, &Scope::Shared, &key, &value);
    assert_eq!(again.ok().map(|change| change_log::encode(&change)), Some((key, value)));
}

#[cfg(test)]
mod tests;
