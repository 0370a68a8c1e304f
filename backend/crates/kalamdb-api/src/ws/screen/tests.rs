use std::time::Duration;

use super::*;

fn screen(messages_per_sec_max: u32) -> Screen {
    let options = SocketOptions {
        auth_timeout: Duration::from_secs(3),
        idle_timeout: Duration::from_secs(30),
        slow_reader_timeout: Duration::from_secs(30),
        progress_interval: Duration::from_secs(5),
        message_bytes_max: 1_000,
        messages_per_sec_max,
        sockets_per_address_max: 0,
        unauthenticated_max: 0,
        unauthenticated_per_address_max: 0,
    };
    Screen::new(&options, Instant::now())
}

fn text(json: &str) -> Message {
    Message::Text(json.as_bytes().to_vec())
}

fn look(screen: &mut Screen, message: Message) -> Screened {
    screen.look(message, Instant::now())
}

fn refused(screened: Screened) -> (String, ErrorCode) {
    match screened {
        Screened::Refuse(refusal) => (refusal.subscription_id, refusal.code),
        other => panic!("refused, not {other:?}"),
    }
}

#[test]
fn what_parses_is_taken_and_signs_of_life_are_no_messages() {
    let mut screen = screen(0);
    assert_eq!(look(&mut screen, text(r#"{"type":"ping"}"#)), Screened::Take(ClientMessage::Ping));
    assert_eq!(look(&mut screen, Message::Ping(b"x".to_vec())), Screened::Pong(b"x".to_vec()));
    assert_eq!(look(&mut screen, Message::Pong), Screened::Heard);
    assert_eq!(look(&mut screen, Message::Close), Screened::Close(None, CloseReason::ClientAsked));
}

#[test]
fn s17_what_does_not_parse_is_refused_and_ten_in_a_row_are_enough() {
    let mut screen = screen(0);
    let deep = "[".repeat(10_000);
    for bad in ["", "{", "[]", "null", "\u{0}", r#"{"type":"x"}"#, r#"{"type":"subscribe"}"#, &deep, "9"] {
        assert_eq!(refused(look(&mut screen, text(bad))), ("protocol".to_owned(), ErrorCode::Protocol), "{bad:.20}");
    }
    assert!(matches!(
        look(&mut screen, Message::Text(vec![0xff])),
        Screened::Close(Some(_), CloseReason::ProtocolAbuse)
    ));
}

#[test]
fn a_good_message_ends_the_row_of_bad_ones() {
    let mut screen = screen(0);
    for _ in 0..5 {
        for _ in 0..9 {
            assert_eq!(refused(look(&mut screen, text("{"))).1, ErrorCode::Protocol);
        }
        look(&mut screen, text(r#"{"type":"ping"}"#));
    }
}

#[test]
fn binary_frames_are_unsupported_and_count_as_unparsable() {
    let mut screen = screen(0);
    for _ in 0..9 {
        assert_eq!(refused(look(&mut screen, Message::Binary)).1, ErrorCode::UnsupportedData);
    }
    assert!(matches!(look(&mut screen, Message::Binary), Screened::Close(_, CloseReason::ProtocolAbuse)));
}

#[test]
fn s15_messages_over_the_limit_are_refused_and_five_in_a_row_close() {
    let mut screen = screen(0);
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(refused(look(&mut screen, Message::TooLarge)).1, ErrorCode::MessageTooLarge);
        }
        look(&mut screen, text(r#"{"type":"ping"}"#));
    }
    for _ in 0..4 {
        refused(look(&mut screen, Message::TooLarge));
    }
    assert!(matches!(look(&mut screen, Message::TooLarge), Screened::Close(_, CloseReason::MessageTooBig)));
    let mut fresh = self::screen(0);
    assert!(matches!(look(&mut fresh, Message::BeyondMeasure), Screened::Close(_, CloseReason::MessageTooBig)));
}

#[test]
fn s15_a_message_too_many_is_refused_to_the_subscription_it_is_about() {
    let mut screen = screen(1);
    let unsubscribe = || text(r#"{"type":"unsubscribe","subscription_id":"s"}"#);
    for _ in 0..10 {
        assert!(matches!(look(&mut screen, unsubscribe()), Screened::Take(_)));
    }
    assert_eq!(refused(look(&mut screen, unsubscribe())), ("s".to_owned(), ErrorCode::RateLimitExceeded));
    assert_eq!(refused(look(&mut screen, text("{"))), ("protocol".to_owned(), ErrorCode::RateLimitExceeded));
    let ends = (0..20).map(|_| look(&mut screen, Message::Pong)).find(|s| matches!(s, Screened::Close(..)));
    assert!(matches!(ends, Some(Screened::Close(Some(_), CloseReason::TooManyMessages))));
}

#[test]
fn s09_an_error_repeats_nothing_of_what_was_sent() {
    let mut screen = screen(0);
    let secret = r#"{"type":"authenticate","method":"jwt","token":["s3cr3t"]}"#;
    let Screened::Refuse(refusal) = look(&mut screen, text(secret)) else { panic!("refused") };
    assert!(!refusal.text.contains("s3cr3t"));
}
