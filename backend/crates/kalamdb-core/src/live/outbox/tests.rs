use kalamdb_commons::ConnectionId;
use kalamdb_commons::protocol::{BatchStatus, UnsubscribeStatus};
use serde_json::Value as Json;

use super::*;
use crate::live::delta::RowChange;
use crate::live::fixtures::{facts, filter_plan, identity, row};
use crate::live::options::LiveOptions;

fn subscription(id: &str) -> Arc<Facts> {
    facts(ConnectionId(1), id)
}

fn delta(seq: u64, rows: u64, frame_max_bytes: usize) -> Arc<Delta> {
    let changed = |n| RowChange { seq: SeqId(n), identity: "".into(), old: None, new: Some(row(n as i32, 1)) };
    let changes: Vec<RowChange> = (0..rows).map(|n| changed(seq + 1 - rows + n)).collect();
    Arc::new(Delta::encode(&filter_plan(0), SeqId(seq), &changes, frame_max_bytes).unwrap())
}

fn taken(outbox: &Outbox) -> Option<Json> {
    match outbox.take().item? {
        OutgoingItem::Frame(text) => Some(serde_json::from_slice(&text).unwrap()),
        OutgoingItem::Close(reason) => panic!("closed: {reason:?}"),
    }
}

fn page(id: &str) -> Page {
    let control = BatchControl { batch_num: 0, has_more: false, status: BatchStatus::Ready, last_seq_id: None };
    let cells = row(1, 2);
    let rows = vec![ResultRow { identity: "".into(), cells, seq: Some(SeqId(3)) }];
    Page { facts: subscription(id), plan: Arc::new(filter_plan(0)), rows, control }
}

#[test]
fn i4_frames_come_out_in_the_order_in_which_they_went_in() {
    let outbox = Outbox::new(1 << 20);
    let one = subscription("one");
    outbox.send(&ServerMessage::Pong);
    outbox.push_page(Token(1), page("one"));
    assert_eq!(outbox.push_change(Token(1), &one, &delta(7, 1, 1_000), SeqId(6)), Pushed::Queued);
    assert_eq!(outbox.push_change(Token(1), &one, &delta(9, 2, 1), SeqId(7)), Pushed::Queued);
    outbox.send(&ServerMessage::Pong);
    let frames: Vec<Json> = std::iter::from_fn(|| taken(&outbox)).collect();
    let types: Vec<&str> = frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["pong", "initial_data_batch", "change", "change", "change", "pong"]);
    assert_eq!(frames[1]["rows"][0]["_seq"], "3");
    let seqs: Vec<&Json> = frames.iter().map(|frame| &frame["seq"]).collect();
    assert_eq!(seqs[2..5], [7, 9, 9]);
    assert_eq!((frames[3]["more"] == true, frames[4]["more"] == true), (true, false));
    assert_eq!(outbox.bytes(), 0);
    assert_eq!(one.row(SeqId(0)).changes, 3);
}

#[test]
fn i7_changes_that_do_not_fit_make_their_subscription_lag_and_no_other() {
    let (one, two) = (subscription("one"), subscription("two"));
    let size = delta(15, 1, 1_000).bytes;
    let outbox = Outbox::new(size * 4);
    outbox.push_change(Token(2), &two, &delta(3, 1, 1_000), SeqId(2));
    outbox.push_change(Token(1), &one, &delta(5, 1, 1_000), SeqId(4));
    outbox.push_change(Token(2), &two, &delta(6, 1, 1_000), SeqId(5));
    outbox.push_change(Token(1), &one, &delta(8, 1, 1_000), SeqId(7));
    assert_eq!(outbox.push_change(Token(1), &one, &delta(9, 1, 1_000), SeqId(8)), Pushed::Lags(SeqId(4)));
    let left: Vec<Json> = std::iter::from_fn(|| taken(&outbox)).map(|frame| frame["subscription_id"].clone()).collect();
    assert_eq!(left, ["two", "two"]);
    // With nothing of its own queued it stands where the refused change found it.
    for seq in 10..14 {
        outbox.push_change(Token(2), &two, &delta(seq, 1, 1_000), SeqId(seq - 1));
    }
    assert_eq!(outbox.push_change(Token(1), &one, &delta(15, 1, 1_000), SeqId(12)), Pushed::Lags(SeqId(12)));
}

#[test]
fn an_offer_that_does_not_fit_leaves_what_is_queued() {
    let one = subscription("one");
    let size = delta(5, 1, 1_000).bytes;
    let outbox = Outbox::new(size * 2);
    assert!(outbox.offer_change(Token(1), &one, &delta(5, 1, 1_000), SeqId(4)));
    assert!(outbox.offer_change(Token(1), &one, &delta(6, 1, 1_000), SeqId(5)));
    assert!(!outbox.offer_change(Token(1), &one, &delta(7, 1, 1_000), SeqId(6)));
    assert_eq!(std::iter::from_fn(|| taken(&outbox)).count(), 2);
}

#[test]
fn i4_of_a_commit_that_was_begun_no_frame_is_dropped() {
    let one = subscription("one");
    let outbox = Outbox::new(delta(5, 3, 1).bytes);
    outbox.push_change(Token(1), &one, &delta(5, 3, 1), SeqId(2));
    assert_eq!(taken(&outbox).unwrap()["more"], true);
    assert_eq!(outbox.push_change(Token(1), &one, &delta(9, 3, 1), SeqId(6)), Pushed::Lags(SeqId(6)));
    let rest: Vec<bool> = std::iter::from_fn(|| taken(&outbox)).map(|frame| frame["more"] == true).collect();
    assert_eq!(rest, [true, false]);
}

#[test]
fn what_is_larger_than_the_bound_gets_through_when_there_is_room() {
    let one = subscription("one");
    let outbox = Outbox::new(500);
    assert_eq!(outbox.push_change(Token(1), &one, &delta(100, 90, 10_000), SeqId(2)), Pushed::Queued);
    assert_eq!(outbox.push_change(Token(1), &one, &delta(101, 1, 10_000), SeqId(100)), Pushed::Lags(SeqId(2)));
}

#[test]
fn the_loop_hears_of_room_once_and_only_if_it_wanted_to() {
    let one = subscription("one");
    let size = delta(5, 1, 1_000).bytes;
    let outbox = Outbox::new(size * 4);
    for seq in 5..9 {
        outbox.push_change(Token(1), &one, &delta(seq, 1, 1_000), SeqId(seq - 1));
    }
    assert!(!outbox.take().drained, "nobody asked");
    assert!(!outbox.has_room());
    // What was taken counts until it was written, which the next call says.
    let drained: Vec<bool> = (0..4).map(|_| outbox.take().drained).collect();
    assert_eq!(drained, [false, true, false, false]);
    assert!(outbox.has_room());
}

#[test]
fn i8_a_closed_outbox_gives_its_first_reason_and_nothing_else() {
    let one = subscription("one");
    let outbox = Outbox::new(1 << 20);
    outbox.push_change(Token(1), &one, &delta(5, 1, 1_000), SeqId(4));
    assert!(outbox.close(CloseReason::Killed));
    assert!(!outbox.close(CloseReason::ClientAsked));
    outbox.send(&ServerMessage::Pong);
    outbox.push_page(Token(1), page("one"));
    assert_eq!(outbox.push_change(Token(1), &one, &delta(6, 1, 1_000), SeqId(5)), Pushed::Queued);
    for _ in 0..2 {
        assert_eq!(outbox.take().item, Some(OutgoingItem::Close(CloseReason::Killed)));
    }
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn i8_rows_of_a_discarded_subscription_are_not_sent_and_its_last_word_is() {
    let (one, two) = (subscription("one"), subscription("two"));
    let outbox = Outbox::new(1 << 20);
    outbox.push_page(Token(1), page("one"));
    outbox.push_change(Token(1), &one, &delta(6, 3, 1), SeqId(2));
    outbox.push_change(Token(2), &two, &delta(6, 1, 1), SeqId(2));
    outbox.discard(Token(1));
    let subscription_id = "one".to_owned();
    outbox.send(&ServerMessage::UnsubscribeAck { subscription_id, status: UnsubscribeStatus::Unsubscribed });
    let types: Vec<Json> = std::iter::from_fn(|| taken(&outbox)).map(|frame| frame["type"].clone()).collect();
    assert_eq!(types, ["change", "unsubscribe_ack"]);
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn progress_is_asked_for_once_and_said_only_if_it_is_new() {
    let outbox = Outbox::new(1 << 20);
    assert!(!outbox.ask_progress(SeqId(0)));
    assert!(outbox.ask_progress(SeqId(5)));
    assert!(!outbox.ask_progress(SeqId(6)), "an answer is on its way");
    outbox.answer_progress(None);
    assert_eq!(taken(&outbox), None);
    assert!(outbox.ask_progress(SeqId(6)));
    outbox.answer_progress(Some(SeqId(6)));
    assert_eq!(taken(&outbox).unwrap()["seq"], 6);
    assert!(!outbox.ask_progress(SeqId(6)));
    outbox.answer_progress(Some(SeqId(6)));
    assert_eq!(taken(&outbox), None);
}

#[test]
fn i2_progress_does_not_speak_of_changes_that_were_dropped() {
    let one = subscription("one");
    let outbox = Outbox::new(delta(15, 1, 1_000).bytes * 2 + 2 * PROGRESS_BYTES);
    outbox.answer_progress(Some(SeqId(3)));
    outbox.push_change(Token(1), &one, &delta(5, 1, 1_000), SeqId(4));
    outbox.answer_progress(Some(SeqId(5)));
    outbox.push_change(Token(1), &one, &delta(6, 1, 1_000), SeqId(5));
    assert_eq!(outbox.push_change(Token(1), &one, &delta(7, 1, 1_000), SeqId(6)), Pushed::Lags(SeqId(4)));
    assert_eq!(taken(&outbox).unwrap()["seq"], 3);
    assert_eq!(taken(&outbox), None);
    assert!(outbox.ask_progress(SeqId(5)), "it was not said after all");
}

#[tokio::test]
async fn requests_wait_while_answers_are_not_read() {
    let outbox = Outbox::new(10);
    outbox.room().await;
    outbox.send(&ServerMessage::Pong);
    let mut waiting = Box::pin(outbox.room());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    outbox.take();
    assert!(futures_util::poll!(&mut waiting).is_pending(), "taken is not written");
    outbox.take();
    waiting.await;
    outbox.send(&ServerMessage::Pong);
    let waiting = outbox.room();
    outbox.close(CloseReason::Idle);
    waiting.await;
}

#[tokio::test]
async fn a_writer_wakes_for_frames_and_for_the_end() {
    let options = LiveOptions::default();
    let peer = Peer::new(ConnectionId(1), &identity(), String::new(), 0, &options);
    let queue = Arc::new(LoopQueue::new(1 << 20));
    let mut outgoing = Outgoing::new(peer.clone(), queue, Arc::default());
    {
        let mut next = Box::pin(outgoing.next());
        assert!(futures_util::poll!(&mut next).is_pending());
        peer.outbox.send(&ServerMessage::Pong);
    }
    assert_eq!(outgoing.next().await, OutgoingItem::Frame(br#"{"type":"pong"}"#.to_vec()));
    let closed = outgoing.closed();
    peer.outbox.close(CloseReason::Idle);
    assert_eq!(closed.await, CloseReason::Idle);
    assert_eq!(outgoing.next().await, OutgoingItem::Close(CloseReason::Idle));
}
