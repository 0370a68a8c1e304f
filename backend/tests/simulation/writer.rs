//! A writer: one request after the other, and what it was told goes into the book.

use std::sync::Arc;

use serde_json::Value as Json;

use super::door::{Answer, Refusal, seq_of};
use super::history::Done;
use super::ledger::Unknown;
use super::plan::{USERS, Write};
use super::statement::Statement;
use super::storm::Storm;

/// Errors after which nothing was written.
const NOTHING_DONE: [&str; 3] = ["CONFLICT", "TOKEN_REVOKED", "INVALID_CREDENTIALS"];

/// Writes all of it.
pub async fn write_all(storm: Arc<Storm>, name: String, user: usize, writes: Vec<Write>) {
    for (k, write) in writes.into_iter().enumerate() {
        storm.until_up().await;
        let stamp = format!("{name}.{k}");
        let as_user = if let Write::As(other, _) = &write { *other } else { user };
        let sql = sql_of(&write, USERS[as_user], &stamp);
        storm.ledger().begin(&stamp, storm.now());
        let token = storm.token(user);
        let answer = storm.door.sql(&token, &sql, &[]).await;
        storm.say(|| format!("{stamp} {} {sql} -> {}", USERS[user], said(&answer)));
        storm.sees(match &answer {
            Answer::Done(_) => "write done".to_owned(),
            Answer::Refused(refusal) => format!("write {}", refusal.code),
            Answer::Nobody | Answer::Lost => "write without an answer".to_owned(),
        });
        note(&storm, &stamp, USERS[as_user], write, answer);
        storm.count_one();
    }
}

fn sql_of(write: &Write, user: &str, stamp: &str) -> String {
    let all = |statements: &[Statement]| {
        statements.iter().map(|statement| statement.sql(user, stamp)).collect::<Vec<_>>().join("; ")
    };
    match write {
        Write::Alone(statement) => statement.sql(user, stamp),
        Write::Commit(statements) => format!("BEGIN; {}; COMMIT", all(statements)),
        Write::Rollback(statements) => format!("BEGIN; {}; ROLLBACK", all(statements)),
        Write::As(_, statement) => format!("EXECUTE AS USER '{user}' ({})", statement.sql(user, stamp)),
    }
}

fn said(answer: &Answer) -> String {
    match answer {
        Answer::Done(results) => {
            let seq = results.iter().filter_map(|result| seq_of(&result["seq"])).max();
            let counts: Vec<&Json> = results.iter().map(|result| &result["row_count"]).collect();
            format!("seq {seq:?} rows {counts:?}")
        }
        Answer::Refused(refusal) => format!("{} {}", refusal.code, refusal.message),
        Answer::Nobody => "nobody there".to_owned(),
        Answer::Lost => "no answer".to_owned(),
    }
}

/// Puts the answer into the book.
fn note(storm: &Storm, stamp: &str, user: &str, write: Write, answer: Answer) {
    let mut ledger = storm.ledger();
    let lost = Unknown { stamp: stamp.to_owned(), user: user.to_owned(), write: write.clone() };
    match answer {
        Answer::Done(_) if write.must_fail() => {
            ledger.breach("acknowledged_kept", format!("{stamp} must fail and was acknowledged"));
        }
        Answer::Done(results) => {
            if matches!(write, Write::Rollback(_)) {
                ledger.refuse(stamp);
                return;
            }
            let seq = results.iter().filter_map(|result| seq_of(&result["seq"])).max();
            let of_statements = if results.len() > write.statements().len() { &results[1..] } else { &results[..] };
            let done = write.statements().iter().zip(of_statements);
            let done: Vec<Done> =
                done.flat_map(|(statement, result)| done_by(statement, user, stamp, result)).collect();
            // What a transaction does and undoes makes no commit.
            if seq.is_none() && !done.is_empty() && of_statements.len() == 1 {
                ledger.breach("acknowledged_kept", format!("{stamp} says that it changed rows and names no seq"));
            }
            ledger.acknowledge(stamp, seq, done);
        }
        Answer::Refused(refusal) if is_unknown(&refusal) => ledger.lose(lost),
        Answer::Refused(refusal) => {
            if !is_expected(storm, &write, &refusal) {
                ledger.breach("acknowledged_kept", format!("{stamp} was refused: {refusal:?}"));
            }
            ledger.refuse(stamp);
        }
        Answer::Nobody => ledger.refuse(stamp),
        Answer::Lost if write.must_fail() || matches!(write, Write::Rollback(_)) => ledger.refuse(stamp),
        Answer::Lost => ledger.lose(lost),
    }
}

fn done_by(statement: &Statement, user: &str, stamp: &str, result: &Json) -> Vec<Done> {
    match statement {
        Statement::Count => vec![Done::Count(user.to_owned())],
        Statement::Mark(batch, size) => vec![Done::Mark(*batch, *size)],
        Statement::Unmark(batch) if result["row_count"] != 0 => vec![Done::Unmark(*batch)],
        other => other.effects(user, user, stamp, result).into_iter().map(Done::Row).collect(),
    }
}

/// The server itself does not know.
fn is_unknown(refusal: &Refusal) -> bool {
    refusal.status == 503 && refusal.message.contains("not known")
}

fn is_expected(storm: &Storm, write: &Write, refusal: &Refusal) -> bool {
    let code = refusal.code.as_str();
    let unsteady = |statement: &Statement| matches!(statement, Statement::Shape(_) | Statement::Pit(_));
    NOTHING_DONE.contains(&code)
        || (write.must_fail() && matches!(refusal.status, 400 | 403))
        || (write.statements().iter().any(unsteady) && matches!(code, "NOT_FOUND" | "PERMISSION_DENIED"))
        || (storm.is_shaken() && refusal.status == 503)
}
