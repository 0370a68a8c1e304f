//! What a client holds is the query's result: at quiet points as the server answers it afresh to the same user,
//! and at every SeqId at which the client ever stood as the run's own history has it. Between two such points of
//! a filter query nothing may have happened.

use super::{Breach, breach};
use crate::client::{Client, Subscription};
use crate::history::History;
use crate::plan::USERS;
use crate::query::QUERIES;

/// Compares with the fresh result; `None` if the server refuses the query.
///
/// # Errors
/// They differ.
pub fn fresh(
    client: &Client,
    id: &str,
    subscription: &Subscription,
    fresh: Option<&Vec<String>>,
) -> Result<(), Breach> {
    let (sql, user) = (QUERIES[subscription.query].sql, USERS[client.user]);
    let held = subscription.rows();
    if held.as_ref() == fresh {
        return Ok(());
    }
    let missing: Vec<_> = fresh
        .iter()
        .flat_map(|rows| rows.iter())
        .filter(|row| !held.iter().flatten().any(|held| held == *row))
        .collect();
    let surplus: Vec<_> = held
        .iter()
        .flatten()
        .filter(|row| !fresh.iter().flat_map(|rows| rows.iter()).any(|fresh| fresh == *row))
        .collect();
    breach(
        "no_change_lost",
        format!(
            "client {} ({user}) {id} {sql}: refused afresh: {}; it lacks {missing:.300?} and has too much {surplus:.300?} \
             (of {} rows held, {} fresh)",
            client.at,
            fresh.is_none(),
            held.as_ref().map_or(0, Vec::len),
            fresh.map_or(0, Vec::len),
        ),
    )
}

/// Compares every point of every stretch with the history, and forgets all but the last. Gives how many points
/// were compared.
///
/// # Errors
/// A point that never was, or something that happened between two points.
pub fn in_history(history: &History, client: &mut Client, skip_feed: bool) -> Result<usize, Breach> {
    let user = USERS[client.user];
    let mut compared = 0;
    for (id, subscription) in &mut client.subscriptions {
        let query = &QUERIES[subscription.query];
        let Some(table) = query.modelled().filter(|table| !(skip_feed && *table == crate::statement::Table::Feed))
        else {
            continue;
        };
        let wrong = |seq: u64, what: &str| {
            let text = format!("client {} ({user}) {id} {}: at {seq} {what}", client.at, query.sql);
            breach::<()>("no_change_lost", text)
        };
        for stretch in &subscription.stretches {
            for point in stretch {
                let Some(state) = history.at(point.seq) else { continue };
                compared += 1;
                if query.work_out(&state.image, user).as_ref() != Some(&*point.rows) {
                    let truth = query.work_out(&state.image, user);
                    wrong(point.seq, &format!("it held {:?}, and the truth was {truth:?}", point.rows))?;
                }
                if point.changed && query.commit_by_commit() && state.seq != point.seq {
                    wrong(point.seq, "it was told of a commit that nobody made")?;
                }
            }
            for pair in stretch.windows(2).filter(|_| query.commit_by_commit()) {
                let missed = history.between(pair[0].seq, pair[1].seq).iter().find(|state| {
                    state.touched.contains(&table)
                        && query.work_out(&state.image, user).as_ref() != Some(&*pair[0].rows)
                });
                if let Some(state) = missed {
                    wrong(state.seq, "it was not told of a commit, or only together with a later one")?;
                }
            }
        }
        let last = subscription.stretches.pop().map(|stretch| stretch.into_iter().last().into_iter().collect());
        subscription.stretches = vec![last.unwrap_or_default()];
    }
    Ok(compared)
}
