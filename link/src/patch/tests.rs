use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::row::Schema;

fn rows(numbers: std::ops::Range<usize>) -> Vec<Row> {
    numbers.map(|n| Row::of_live(Schema::default(), vec![json!(n)], None, n.to_string(), Vec::new())).collect()
}

fn pick(from: &[Row], places: &[usize]) -> Vec<Row> {
    places.iter().map(|place| from[*place].clone()).collect()
}

/// What the other side does with a patch: `Ok` is a row that was there before.
fn apply<'a>(patch: &'a Patch<'a>, before: &'a [Row]) -> Vec<Result<&'a Row, &'a [Json]>> {
    let put = patch.put.iter().map(|put| match put {
        Put::Kept(place) => Ok(&before[*place]),
        Put::New(cells) => Err(*cells),
    });
    let stay = before[..patch.at].iter().map(Ok);
    stay.chain(put).chain(before[patch.at + patch.drop..].iter().map(Ok)).collect()
}

#[test]
fn a_row_that_moves_is_told_by_its_place_and_those_around_it_not_at_all() {
    let all = rows(0..6);
    let after = pick(&all, &[0, 3, 1, 2, 4, 5]);
    let patch = Patch::between(&all, &after);
    let told = json!({"at": 1, "drop": 3, "put": [3, 1, 2]});
    assert_eq!(serde_json::to_value(&patch).unwrap(), told);
}

#[test]
fn a_row_that_changes_is_told_alone() {
    let before = rows(0..1000);
    let mut after = before.clone();
    after[500] = rows(2000..2001).remove(0);
    let patch = Patch::between(&before, &after);
    assert_eq!(serde_json::to_value(&patch).unwrap(), json!({"at": 500, "drop": 1, "put": [[2000]]}));
}

#[test]
fn nothing_is_told_of_rows_that_are_the_same() {
    let before = rows(0..3);
    let patch = Patch::between(&before, &before);
    assert_eq!((patch.drop, patch.put.len()), (0, 0));
}

proptest! {
    #[test]
    fn the_patch_makes_the_one_list_the_other_and_keeps_every_row_that_stays(
        from in proptest::sample::subsequence((0..12).collect::<Vec<usize>>(), 0..=12).prop_shuffle(),
        to in proptest::sample::subsequence((0..12).collect::<Vec<usize>>(), 0..=12).prop_shuffle(),
    ) {
        let all = rows(0..12);
        let (before, after) = (pick(&all, &from), pick(&all, &to));
        let patch = Patch::between(&before, &after);
        let made = apply(&patch, &before);
        prop_assert_eq!(made.len(), after.len());
        for (made, wanted) in made.iter().zip(&after) {
            let stayed = before.iter().any(|row| row.identity() == wanted.identity());
            match made {
                Ok(row) => prop_assert_eq!(row.identity(), wanted.identity()),
                Err(cells) => prop_assert!(!stayed && *cells == wanted.cells()),
            }
        }
    }
}
