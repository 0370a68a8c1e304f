//! Ids grow, whatever the clock does.

use kalamdb_store::ManualClock;

use super::*;

#[test]
fn ids_of_each_kind_grow_also_when_the_clock_stands_still_or_goes_back() {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000_000));
    let ids = IdSource::new(clock.clone());
    for kind in IdKind::ALL {
        clock.set_micros(1_700_000_000_000_000);
        let mut made: Vec<Value> = (0..6_000).map(|_| ids.next(kind)).collect();
        clock.advance_secs(10);
        made.push(ids.next(kind));
        clock.advance_secs(-20);
        made.push(ids.next(kind));
        assert!(made.is_sorted_by(|a, b| a < b), "{kind:?}");
        assert!(made.iter().all(|id| id.data_type() == Some(kind.data_type())));
    }
}

#[test]
fn ids_tell_their_time() {
    let ids = IdSource::new(Arc::new(ManualClock::new(1_700_000_000_123_000)));
    let Value::BigInt(snowflake) = ids.next(IdKind::Snowflake) else { panic!("a BIGINT") };
    assert_eq!((snowflake >> 22) + SNOWFLAKE_EPOCH_MS, 1_700_000_000_123);
    let Value::Uuid(id) = ids.next(IdKind::UuidV7) else { panic!("a UUID") };
    let id = uuid::Uuid::from_u128(id);
    assert_eq!((id.get_version_num(), id.as_u128() >> 80), (7, 1_700_000_000_123));
    let Value::Text(id) = ids.next(IdKind::Ulid) else { panic!("a text") };
    assert_eq!((id.len(), Ulid::from_string(&id).unwrap().timestamp_ms()), (26, 1_700_000_000_123));
}
