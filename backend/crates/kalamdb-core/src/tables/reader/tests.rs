//! Ranges as they are cut into portions.

use kalamdb_commons::Value;
use kalamdb_store::encode_values;
use proptest::prelude::*;

use super::*;

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    let key = prop_oneof![
        (0..5_i32).prop_map(|a| encode_values(&[Value::Int(a)])),
        (0..5_i32, 0..5_i32).prop_map(|(a, b)| encode_values(&[Value::Int(a), Value::Int(b)])),
    ];
    prop_oneof![Just(Bound::Unbounded), key.clone().prop_map(Bound::Included), key.prop_map(Bound::Excluded),]
}

proptest! {
    #[test]
    fn the_parts_of_a_range_are_the_range(start in bound(), end in bound(), last in (0..5_i32, 0..5_i32)) {
        let whole = KeyRange { start: start.clone(), end: end.clone() };
        let last = RowKey::new(&[Value::Int(last.0), Value::Int(last.1)]);
        prop_assume!(contains(&whole, &last));
        let part = KeyRange { start, end: Bound::Included(last.as_bytes().to_vec()) };
        let rest = KeyRange { start: Bound::Excluded(last.as_bytes().to_vec()), end };
        for a in 0..5 {
            for b in 0..5 {
                let key = RowKey::new(&[Value::Int(a), Value::Int(b)]);
                let (within, first, second) = (contains(&whole, &key), contains(&part, &key), contains(&rest, &key));
                prop_assert_eq!(within, first || second);
                prop_assert!(!(first && second));
            }
        }
    }
}
