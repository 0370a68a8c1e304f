//! What was acknowledged is there, what was refused is not, and what had no answer is there wholly or not at all.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, breach};
use crate::history::{Done, History, Image};
use crate::ledger::Unknown;
use crate::statement::{Filter, Key, Statement, Table};

/// Compares what is there with what must be, given the commits of this storm and the writes whose fate is not known.
///
/// # Errors
/// They do not go together.
pub fn check(
    expected: &Image,
    commits: &BTreeMap<u64, Vec<Done>>,
    unknown: &[Unknown],
    actual: &Image,
) -> Result<(), Breach> {
    let keys: BTreeSet<&Key> = expected.rows.keys().chain(actual.rows.keys()).collect();
    for key in keys {
        let (wanted, found) = (expected.rows.get(key), actual.rows.get(key));
        let explains = |one: &Unknown| {
            let statements = one.write.statements().iter().filter(|statement| touches(statement, &one.user, key));
            let mut statements = statements.map(|statement| matches!(statement, Statement::Delete(..)));
            match found {
                Some(row) => row.stamp == one.stamp && statements.any(|deletes| !deletes),
                None => statements.any(|deletes| deletes),
            }
        };
        if wanted != found && !unknown.iter().any(explains) {
            return breach("acknowledged_kept", format!("row {key:?} is {found:?} and must be {wanted:?}"));
        }
    }
    marks(expected, unknown, actual)?;
    counts(expected, unknown, actual)?;
    let touched: BTreeSet<&Key> = commits.values().flatten().filter_map(row_key).collect();
    unknown.iter().try_for_each(|one| whole(one, unknown, &touched, actual))
}

/// Without syncs a power loss takes the last commits: what is there must be some state since `from`, but for what
/// `forget` leaves out because it cannot be read. Gives its SeqId.
///
/// # Errors
/// There never was such a state.
pub fn prefix(history: &History, from: u64, actual: &Image, forget: impl Fn(&mut Image)) -> Result<u64, Breach> {
    let is_left = |image: &Image| {
        let mut image = image.clone();
        forget(&mut image);
        image == *actual
    };
    let mut since = history.states().iter().rev().filter(|state| state.seq >= from);
    if let Some(state) = since.find(|state| is_left(&state.image)) {
        return Ok(state.seq);
    }
    if history.is_foggy_since(from) {
        // What is left may be a state that nobody knows.
        return Ok(history.last().seq);
    }
    let last = &history.last().image;
    let keys: BTreeSet<&Key> = last.rows.keys().chain(actual.rows.keys()).collect();
    let other: Vec<_> = keys.into_iter().filter(|key| last.rows.get(*key) != actual.rows.get(*key)).collect();
    breach(
        "acknowledged_kept",
        format!(
            "what is left after the power loss never was; other than at last: rows {other:?}, {:?} {:?} for {:?} {:?}",
            actual.marks, actual.counts, last.marks, last.counts
        ),
    )
}

fn row_key(done: &Done) -> Option<&Key> {
    match done {
        Done::Row(effect) => Some(&effect.key),
        Done::Mark(..) | Done::Unmark(_) | Done::Count(_) => None,
    }
}

fn marks(expected: &Image, unknown: &[Unknown], actual: &Image) -> Result<(), Breach> {
    let statements = || unknown.iter().flat_map(|one| one.write.statements());
    let batches: BTreeSet<&i64> = expected.marks.keys().chain(actual.marks.keys()).collect();
    for batch in batches {
        let (wanted, found) = (expected.marks.get(batch), actual.marks.get(batch));
        let explained = match found {
            Some(size) => statements().any(|one| matches!(one, Statement::Mark(b, s) if b == batch && s == size)),
            None => statements().any(|one| matches!(one, Statement::Unmark(b) if b == batch)),
        };
        if wanted != found && !explained {
            return breach(
                "acknowledged_kept",
                format!("batch {batch} has {found:?} markers and must have {wanted:?}"),
            );
        }
    }
    Ok(())
}

fn counts(expected: &Image, unknown: &[Unknown], actual: &Image) -> Result<(), Breach> {
    for (counter, found) in &actual.counts {
        let wanted = expected.counts.get(counter).copied().unwrap_or_default();
        let of = |one: &&Unknown| counter == "all" || *counter == one.user;
        let statements = unknown.iter().filter(of).flat_map(|one| one.write.statements());
        let may = statements.filter(|statement| matches!(statement, Statement::Count)).count();
        if *found < wanted || *found > wanted + i64::try_from(may).unwrap_or(i64::MAX) {
            let text =
                format!("counter {counter} is {found}, {wanted} counts were acknowledged and {may} are not known");
            return breach("acknowledged_kept", text);
        }
    }
    Ok(())
}

/// Could this statement have touched the row?
fn touches(statement: &Statement, user: &str, (table, scope, id): &Key) -> bool {
    let hit = match statement {
        Statement::Put(_, one, _) | Statement::PutIfAbsent(_, one, _) => one == id,
        Statement::Insert(_, first, count, _) => (*first..first + count).contains(id),
        Statement::Set(_, filter, _) | Statement::Bump(_, filter) | Statement::Delete(_, filter) => match filter {
            Filter::Id(one) => one == id,
            Filter::Contested => *id < 10,
            _ => true,
        },
        _ => false,
    };
    hit && statement.table() == Some(*table) && (*table == Table::Board || scope == user)
}

/// A write whose fate is not known left all of what only it can have made, or nothing of it.
fn whole(one: &Unknown, all: &[Unknown], touched: &BTreeSet<&Key>, actual: &Image) -> Result<(), Breach> {
    let others = || all.iter().filter(|other| other.stamp != one.stamp);
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for statement in one.write.statements() {
        if let Statement::Mark(batch, _) = statement {
            let gone = |one: &Statement| matches!(one, Statement::Unmark(b) if b == batch);
            match actual.marks.contains_key(batch) {
                true => there.push(format!("batch {batch}")),
                false if all.iter().flat_map(|one| one.write.statements()).any(gone) => {}
                false => missing.push(format!("batch {batch}")),
            }
        }
        let (Statement::Insert(table, first, count, _), Some(_)) = (statement, statement.table()) else { continue };
        for id in *first..first + count {
            let scope = if *table == Table::Board { String::new() } else { one.user.clone() };
            let key = (*table, scope, id);
            let by_others =
                others().flat_map(|other| other.write.statements().iter().map(|s| (s, other.user.as_str())));
            let by_itself = one.write.statements().iter().filter(|s| !matches!(s, Statement::Insert(..)));
            let disturbed = touched.contains(&key)
                || by_others.into_iter().any(|(statement, user)| touches(statement, user, &key))
                || by_itself.into_iter().any(|statement| touches(statement, &one.user, &key));
            match actual.rows.get(&key) {
                Some(_) => there.push(format!("row {id}")),
                None if disturbed => {}
                None => missing.push(format!("row {id}")),
            }
        }
    }
    if there.is_empty() || missing.is_empty() {
        return Ok(());
    }
    breach("acknowledged_kept", format!("{} is half there: {there:?}, not {missing:?}", one.stamp))
}
