use datafusion::logical_expr::{case, col, lit};
use datafusion::prelude::coalesce;

use super::*;

#[test]
fn what_is_repeated_counts_as_often_as_it_will_stand_there() {
    assert_eq!(weight(&col("a")).unwrap(), 1);
    assert_eq!(weight(&col("a").eq(lit(1))).unwrap(), 3);
    assert_eq!(weight(&col("a").between(lit(1), lit(2))).unwrap(), 5);
    assert_eq!(weight(&coalesce(vec![col("a"), lit(1)])).unwrap(), 5);
    let numbers = case(col("a")).when(lit(1), lit(2)).otherwise(lit(3)).unwrap();
    assert_eq!(weight(&numbers).unwrap(), 5);
}

#[test]
fn s16_nesting_that_doubles_is_seen_and_a_long_chain_is_not_mistaken_for_it() {
    let nested = (0..40).fold(col("a"), |inner, _| coalesce(vec![inner, lit(1)]));
    assert!(weight(&nested).unwrap() > WRITTEN_OUT_MAX);
    let chain = (0..1_000).fold(lit(true), |chain, n| chain.and(col("a").between(lit(n), lit(n))));
    assert!(weight(&chain).unwrap() < WRITTEN_OUT_MAX);
    let branches = (0..40)
        .fold(lit(0), |other, n| datafusion::logical_expr::when(col("a").eq(lit(n)), lit(n)).otherwise(other).unwrap());
    assert!(weight(&branches).unwrap() < WRITTEN_OUT_MAX);
}
