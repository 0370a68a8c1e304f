use kalamdb_commons::fuzzing::{Edit, mutated};
use kalamdb_commons::value::Decimal;
use kalamdb_commons::{Row, SeqId, UserId, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::key::RowKey;
use crate::write_set::Change;

/// One value of each type.
fn values() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Bool(true),
        Value::SmallInt(-1),
        Value::Int(7),
        Value::BigInt(i64::MIN),
        Value::Float(1.5),
        Value::Double(f64::NAN),
        Value::Decimal(Decimal::parse("-1.25").unwrap()),
        Value::text("a\0b"),
        Value::Timestamp(-1),
        Value::DateTime(1),
        Value::Date(2),
        Value::Time(3),
        Value::Json("{}".into()),
        Value::Bytes(vec![0, 0xff].into()),
        Value::Uuid(9),
    ]
}

fn stored_row() -> Vec<u8> {
    let mut out = Vec::new();
    encode_stored(&mut out, SeqId(12), &Row::new(values()));
    out
}

fn stored_key() -> Vec<u8> {
    encode_values(&values())
}

fn prefixed_key() -> Vec<u8> {
    let mut key = layout::table_prefix(TableId(3), &Scope::User(UserId::new("anna").unwrap()));
    key.extend_from_slice(&stored_key());
    key
}

fn entry() -> Vec<u8> {
    let change = Change {
        table: TableId(1),
        scope: Scope::Shared,
        key: RowKey::new(&values()),
        seq: SeqId(8),
        commit: SeqId(9),
        old: Some((SeqId(4), Row::new(values()))),
        new: Some(Row::new(values())),
    };
    let (key, value) = change_log::encode(&change);
    [key.last_chunk::<8>().unwrap().as_slice(), &value].concat()
}

/// Anything, or something valid that was tampered with.
fn hostile(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let tampered = (prop::sample::select(seeds), vec(any::<Edit>(), 0..4));
    prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        4 => tampered.prop_map(|(seed, edits)| mutated(&seed, &edits)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s23_stored_rows_are_refused_or_read_back(data in hostile(vec![stored_row()])) {
        row(&data);
    }

    #[test]
    fn s23_stored_keys_are_refused_or_read_back(data in hostile(vec![stored_key(), prefixed_key()])) {
        key(&data);
    }

    #[test]
    fn s23_entries_of_the_change_log_are_refused_or_read_back(data in hostile(vec![entry()])) {
        change(&data);
    }
}
