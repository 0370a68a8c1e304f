use kalamdb_commons::{SeqId, TableId};
use proptest::prelude::*;

use super::{decode, encode};
use crate::tests::{any_row, any_value, user};
use crate::{Change, RowKey, Scope};

fn any_change() -> impl Strategy<Value = Change> {
    let key = proptest::collection::vec(any_value(), 1..3).prop_map(|values| RowKey::new(&values));
    let scope = prop_oneof![Just(Scope::Shared), "[a-z]{1,4}".prop_map(|name| user(&name))];
    let old = proptest::option::of((any::<u64>().prop_map(SeqId), any_row()));
    let parts = (any::<u32>(), scope, key, any::<[u64; 2]>(), old, proptest::option::of(any_row()));
    parts.prop_map(|(table, scope, key, [seq, commit], old, new)| Change {
        table: TableId(table),
        scope,
        key,
        seq: SeqId(seq),
        commit: SeqId(commit),
        old,
        new,
    })
}

proptest! {
    #[test]
    fn a_change_reads_back_as_it_was(change in any_change()) {
        let (key, value) = encode(&change);
        prop_assert_eq!(decode(change.table, &change.scope, &key, &value).unwrap(), change);
    }

    #[test]
    fn no_bytes_make_reading_a_change_panic(
        key in proptest::collection::vec(any::<u8>(), 0..16), value in proptest::collection::vec(any::<u8>(), 0..96)
    ) {
        let _any = decode(TableId(1), &Scope::Shared, &key, &value);
    }

    #[test]
    fn a_change_that_is_cut_short_is_an_error(change in any_change(), cut in any::<prop::sample::Index>()) {
        let (key, value) = encode(&change);
        let cut = &value[..cut.index(value.len())];
        prop_assert!(decode(change.table, &change.scope, &key, cut).is_err());
    }
}
