use kalamdb_commons::{Row, SeqId, Value};
use proptest::prelude::*;

use super::{Reader, decode_stored, decode_stored_seq, encode_length, encode_stored};
use crate::tests::any_row;

/// Equal in every bit, where [`Value`]'s own equality takes `1.5` and `1.50` for one decimal.
fn same(a: &Row, b: &Row) -> bool {
    let scales = |row: &Row| {
        row.iter().map(|value| if let Value::Decimal(d) = value { Some(d.scale) } else { None }).collect::<Vec<_>>()
    };
    a == b && scales(a) == scales(b)
}

proptest! {
    #[test]
    fn a_stored_row_reads_back_as_it_was(seq in any::<u64>(), row in any_row()) {
        let mut bytes = Vec::new();
        encode_stored(&mut bytes, SeqId(seq), &row);
        prop_assert_eq!(decode_stored_seq(&bytes).unwrap(), SeqId(seq));
        let (read_seq, read) = decode_stored(&bytes).unwrap();
        prop_assert_eq!(read_seq, SeqId(seq));
        prop_assert!(same(&read, &row), "{:?} {:?}", read, row);
    }

    #[test]
    fn a_row_that_is_cut_short_or_too_long_is_an_error(row in any_row(), cut in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        encode_stored(&mut bytes, SeqId(1), &row);
        prop_assert!(decode_stored(&bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(decode_stored(&bytes).is_err());
    }

    #[test]
    fn no_bytes_make_reading_a_row_panic(bytes in proptest::collection::vec(any::<u8>(), 0..96)) {
        let _any = decode_stored(&bytes);
        let _any = decode_stored_seq(&bytes);
    }

    #[test]
    fn lengths_read_back(length in 0..1_usize << 34) {
        let mut bytes = Vec::new();
        encode_length(&mut bytes, length);
        prop_assert_eq!(Reader::new(&bytes, "row").length().unwrap(), length);
    }
}

#[test]
fn a_torn_count_or_length_asks_for_no_memory() {
    let mut count = 0_u64.to_be_bytes().to_vec();
    encode_length(&mut count, 1 << 34);
    assert!(decode_stored(&count).is_err());
    let mut text = 0_u64.to_be_bytes().to_vec();
    text.extend([1, super::TEXT]);
    encode_length(&mut text, 1 << 34);
    assert!(decode_stored(&text).is_err());
    assert!(decode_stored(&[0xff; 24]).is_err());
}
