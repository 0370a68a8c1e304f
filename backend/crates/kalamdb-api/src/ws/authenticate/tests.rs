use std::time::Duration;

use super::*;
use crate::state::SocketOptions;

fn step(json: &str) -> Step {
    let options = SocketOptions {
        auth_timeout: Duration::from_secs(3),
        idle_timeout: Duration::from_secs(30),
        slow_reader_timeout: Duration::from_secs(30),
        progress_interval: Duration::from_secs(5),
        message_bytes_max: 1_000,
        messages_per_sec_max: 0,
        sockets_per_address_max: 0,
        unauthenticated_max: 0,
        unauthenticated_per_address_max: 0,
    };
    let now = Instant::now();
    look(&mut Screen::new(&options, now), Message::Text(json.as_bytes().to_vec()), now)
}

fn error(step: Step) -> (String, ErrorCode) {
    match step {
        Step::Say(ServerMessage::Error { subscription_id, code, .. }) => (subscription_id, code),
        other => panic!("an error, not {other:?}"),
    }
}

#[test]
fn a_ping_is_answered_and_a_token_is_taken_whatever_protocol_is_asked_for() {
    assert_eq!(step(r#"{"type":"ping"}"#), Step::Say(ServerMessage::Pong));
    for protocol in ["", r#","protocol":{"serialization":"msgpack","compression":"gzip"}"#, r#","protocol":{}"#] {
        let frame = format!(r#"{{"type":"authenticate","method":"jwt","token":"t"{protocol}}}"#);
        assert_eq!(step(&frame), Step::Token { method: "jwt".to_owned(), token: "t".to_owned() });
    }
}

#[test]
fn anything_else_needs_authentication_and_is_told_so_by_its_own_name() {
    let subscribe = r#"{"type":"subscribe","subscription":{"id":"s","sql":"SELECT 1"}}"#;
    assert_eq!(error(step(subscribe)), ("s".to_owned(), ErrorCode::AuthRequired));
    let next = r#"{"type":"next_batch","subscription_id":"s"}"#;
    assert_eq!(error(step(next)), ("s".to_owned(), ErrorCode::AuthRequired));
    assert_eq!(error(step("{")), ("protocol".to_owned(), ErrorCode::Protocol));
}
