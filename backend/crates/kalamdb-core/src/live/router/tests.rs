use std::collections::BTreeSet;

use kalamdb_commons::{SeqId, UserId};
use kalamdb_store::{RowKey, Scope};

use super::*;
use crate::live::fixtures::{Again, TABLE, change, equality_plan, filter_plan, rerun_plan};

fn found(router: &Router, change: &Change) -> Vec<u64> {
    let mut found = BTreeSet::new();
    router.probe(change, |view| {
        found.insert(view.0);
    });
    found.into_iter().collect()
}

fn of_anna() -> Scope {
    Scope::User(UserId::new("anna").unwrap())
}

#[test]
fn i9_a_row_finds_only_the_views_whose_constant_it_has() {
    let mut router = Router::default();
    for n in 0..100 {
        router.add(ViewId(n), &equality_plan(Value::Int(n as i32), None));
    }
    assert_eq!(found(&router, &change(1, 5, None, Some(42))), [42]);
    assert_eq!(found(&router, &change(1, 5, None, Some(1_000))), [0_u64; 0]);
}

#[test]
fn a_row_that_moves_from_one_constant_to_another_finds_both_views() {
    let mut router = Router::default();
    router.add(ViewId(1), &equality_plan(Value::Int(1), None));
    router.add(ViewId(2), &equality_plan(Value::Int(2), None));
    assert_eq!(found(&router, &change(1, 5, Some((4, 1)), Some(2))), [1, 2]);
    assert_eq!(found(&router, &change(1, 5, Some((4, 2)), None)), [2]);
}

#[test]
fn a_view_without_a_constant_is_found_by_every_row_of_its_table_and_scope() {
    let mut router = Router::default();
    router.add(ViewId(1), &filter_plan(50));
    router.add(ViewId(2), &rerun_plan(Again::Count));
    assert_eq!(found(&router, &change(1, 5, None, Some(3))), [1, 2]);
    let elsewhere = Change { table: TableId(TABLE.0 + 1), ..change(1, 5, None, Some(3)) };
    assert_eq!(found(&router, &elsewhere), [0_u64; 0]);
}

#[test]
fn i5_a_row_of_one_scope_finds_no_view_of_another() {
    let mut router = Router::default();
    router.add(ViewId(1), &filter_plan(0));
    let mut plan = filter_plan(0);
    plan.sources[0].scope = of_anna();
    router.add(ViewId(2), &plan);
    let shared = change(1, 5, None, Some(3));
    assert_eq!(found(&router, &shared), [1]);
    assert_eq!(found(&router, &Change { scope: of_anna(), ..shared.clone() }), [2]);
    let of_ben = Scope::User(UserId::new("anna-b").unwrap());
    assert_eq!(found(&router, &Change { scope: of_ben, ..shared }), [0_u64; 0]);
}

#[test]
fn a_row_older_than_the_column_finds_the_views_whose_constant_it_may_read_as() {
    let mut router = Router::default();
    router.add(ViewId(1), &equality_plan(Value::Int(5), Some(Value::Int(5))));
    router.add(ViewId(2), &equality_plan(Value::Int(6), Some(Value::Int(5))));
    router.add(ViewId(3), &equality_plan(Value::Int(7), None));
    let old = Change {
        table: TABLE,
        scope: Scope::Shared,
        key: RowKey::new(&[Value::Int(1)]),
        seq: SeqId(9),
        commit: SeqId(9),
        old: Some((SeqId(2), Row::new(vec![Value::Int(1)]))),
        new: None,
    };
    assert_eq!(found(&router, &old), [1, 3]);
}

#[test]
fn a_constant_that_can_be_equal_without_being_the_same_bits_is_not_looked_up() {
    let mut router = Router::default();
    router.add(ViewId(1), &equality_plan(Value::Double(0.0), None));
    router.add(ViewId(2), &equality_plan(Value::Null, None));
    assert_eq!(found(&router, &change(1, 5, None, Some(3))), [1, 2]);
}

#[test]
fn a_router_whose_views_have_left_holds_nothing() {
    let mut router = Router::default();
    let plans = [
        filter_plan(1),
        equality_plan(Value::Int(1), None),
        equality_plan(Value::Int(2), None),
        rerun_plan(Again::Top),
    ];
    for (n, plan) in plans.iter().enumerate() {
        router.add(ViewId(n as u64), plan);
    }
    assert!(!router.is_empty());
    for (n, plan) in plans.iter().enumerate() {
        router.remove(ViewId(n as u64), plan);
    }
    assert!(router.is_empty());
}
