use std::ops::Bound;

use kalamdb_commons::value::Decimal;
use kalamdb_commons::{SeqId, TableId, UserId, Value};
use proptest::prelude::*;

use super::layout::{self, ByteRange};
use super::{KeyRange, RowKey, Scope, decode_values, encode_values};
use crate::tests::{any_value, user};

fn any_values() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(any_value(), 0..4)
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let name = "[a-c][a-c._@+-]{0,3}";
    prop_oneof![Just(Scope::Shared), name.prop_map(|name| Scope::User(UserId::new(&name).unwrap()))]
}

fn holds(range: &ByteRange, key: &[u8]) -> bool {
    *range.lower <= *key && (range.upper.is_empty() || *key < *range.upper)
}

proptest! {
    #[test]
    fn the_order_of_keys_is_the_order_of_values(a in any_values(), b in any_values()) {
        prop_assert_eq!(encode_values(&a).cmp(&encode_values(&b)), a.cmp(&b));
    }

    #[test]
    fn the_order_of_keys_is_the_order_of_values_that_share_a_beginning(
        common in any_values(), a in any_value(), b in any_value(), rest in any_values()
    ) {
        let list = |last: &Value| common.iter().chain([last]).chain(&rest).cloned().collect::<Vec<_>>();
        let (a, b) = (list(&a), list(&b));
        prop_assert_eq!(encode_values(&a).cmp(&encode_values(&b)), a.cmp(&b));
    }

    #[test]
    fn a_key_reads_back_as_its_values(values in any_values()) {
        prop_assert_eq!(decode_values(&encode_values(&values)), Ok(values));
    }

    #[test]
    fn no_bytes_make_reading_a_key_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _any = decode_values(&bytes);
        let _any = layout::split_prefix(&bytes);
    }

    #[test]
    fn bytes_that_begin_like_a_key_never_make_reading_panic(
        values in any_values(), cut in any::<prop::sample::Index>(), tail in any::<[u8; 3]>()
    ) {
        let mut bytes = encode_values(&values);
        bytes.truncate(cut.index(bytes.len() + 1));
        let _any = decode_values(&bytes);
        bytes.extend(tail);
        let _any = decode_values(&bytes);
    }

    #[test]
    fn the_key_of_a_list_begins_with_the_key_of_its_beginning_and_no_other(
        a in any_values(), b in any_values()
    ) {
        let begins = b.len() >= a.len() && a.iter().zip(&b).all(|(a, b)| a == b);
        prop_assert_eq!(encode_values(&b).starts_with(&encode_values(&a)), begins);
    }

    #[test]
    fn s10_no_key_of_one_scope_lies_in_the_range_of_another(
        a in any_scope(), b in any_scope(), values in any_values()
    ) {
        let range = layout::within(&layout::table_prefix(TableId(1), &a), &KeyRange::all());
        let key = layout::row_key(TableId(1), &b, &RowKey::new(&values));
        prop_assert_eq!(holds(&range, &key), a == b);
        let elsewhere = layout::row_key(TableId(2), &a, &RowKey::new(&values));
        prop_assert!(!holds(&range, &elsewhere));
    }

    #[test]
    fn a_key_says_whose_it_is(id in any::<u32>(), scope in any_scope(), values in any_values()) {
        let row_key = RowKey::new(&values);
        let key = layout::row_key(TableId(id), &scope, &row_key);
        prop_assert_eq!(layout::split_prefix(&key), Ok((id, scope, row_key.as_bytes())));
        prop_assert!(holds(&layout::whole(id), &key));
        prop_assert!(!holds(&layout::whole(id.wrapping_add(1)), &key));
    }

    #[test]
    fn changes_of_a_scope_sort_by_seq(a in any::<u64>(), b in any::<u64>()) {
        let key = |seq| layout::change_key(TableId(1), &Scope::Shared, SeqId(seq));
        prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        prop_assert_eq!(layout::change_seq(&key(a)), Some(SeqId(a)));
        prop_assert_eq!(layout::change_prefix(&key(a)).to_vec(), layout::table_prefix(TableId(1), &Scope::Shared));
    }

    #[test]
    fn a_range_holds_the_keys_whose_first_value_it_says(n in -3..3_i64, second in any_value(), bound in -3..3_i64) {
        let prefix = layout::table_prefix(TableId(1), &user("anna"));
        let key = layout::row_key(TableId(1), &user("anna"), &RowKey::new(&[Value::BigInt(n), second]));
        let bytes = encode_values(&[Value::BigInt(bound)]);
        let within = |start, end| holds(&layout::within(&prefix, &KeyRange { start, end }), &key);
        let (included, excluded) = (Bound::Included(bytes.clone()), Bound::Excluded(bytes.clone()));
        prop_assert_eq!(within(included.clone(), Bound::Unbounded), n >= bound);
        prop_assert_eq!(within(excluded.clone(), Bound::Unbounded), n > bound);
        prop_assert_eq!(within(Bound::Unbounded, included), n <= bound);
        prop_assert_eq!(within(Bound::Unbounded, excluded), n < bound);
        prop_assert_eq!(holds(&layout::within(&prefix, &KeyRange::prefix(&bytes)), &key), n == bound);
    }
}

#[test]
fn equal_decimals_have_one_key_whatever_their_scale() {
    let key = |unscaled, scale| encode_values(&[Value::Decimal(Decimal { unscaled, scale })]);
    assert_eq!(key(1_500, 3), key(15, 1));
    assert_eq!(key(0, 7), key(0, 0));
    assert_ne!(key(15, 1), key(15, 2));
}

#[test]
fn the_last_table_and_every_prefix_have_an_end() {
    let last = layout::row_key(TableId(u32::MAX), &user("z"), &RowKey::new(&[Value::Uuid(u128::MAX)]));
    assert!(holds(&layout::whole(u32::MAX), &last));
    assert!(holds(&layout::beginning_with(&[0xff, 0xff]), &[0xff, 0xff, 0xff]));
    assert!(holds(&layout::beginning_with(&[]), &last));
    assert!(!holds(&layout::beginning_with(b"a"), b"b"));
}
