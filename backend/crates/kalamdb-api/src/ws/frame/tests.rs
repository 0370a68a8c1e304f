use proptest::prelude::*;

use super::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client sends it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    write_frame(&mut plain, Opcode::Text, payload);
    let (head, payload) = plain.split_at(plain.len() - payload.len());
    let mut frame = head.to_vec();
    frame[0] = first;
    frame[1] |= 0x80;
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
    frame
}

fn decode(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Message>, FrameError> {
    decoder.buffer.extend_from_slice(bytes);
    let mut messages = Vec::new();
    while let Some(message) = decoder.next()? {
        messages.push(message);
    }
    Ok(messages)
}

fn decoder() -> Decoder {
    Decoder::new(1_000, 2_000)
}

fn text(content: &[u8]) -> Message {
    Message::Text(content.to_vec())
}

#[test]
fn a_masked_hello_reads_as_the_rfc_shows_it() {
    let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&mut decoder(), &bytes), Ok(vec![text(b"Hello")]));
}

#[test]
fn every_length_reads_back_whether_it_comes_at_once_or_byte_by_byte() {
    for length in [0, 1, 3, 4, 125, 126, 127, 999, 1_000, 65_535, 65_536] {
        let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let frame = masked(0x81, &content);
        let fresh = || Decoder::new(100_000, 200_000);
        assert_eq!(decode(&mut fresh(), &frame), Ok(vec![text(&content)]), "{length}");
        let mut slow = fresh();
        let mut messages = Vec::new();
        for byte in frame {
            messages.extend(decode(&mut slow, &[byte]).unwrap());
        }
        assert_eq!(messages, [text(&content)], "{length}");
    }
}

#[test]
fn a_split_message_reads_as_one_and_a_ping_may_come_between_its_parts() {
    let bytes = [masked(0x01, b"Hel"), masked(0x89, b"?"), masked(0x00, b""), masked(0x80, b"lo")].concat();
    assert_eq!(decode(&mut decoder(), &bytes), Ok(vec![Message::Ping(b"?".to_vec()), text(b"Hello")]));
}

#[test]
fn s15_a_message_over_the_limit_is_told_and_what_follows_it_is_read() {
    let bytes = [masked(0x81, &[b'x'; 1_001]), masked(0x82, &[0; 3]), masked(0x81, b"on")].concat();
    assert_eq!(decode(&mut decoder(), &bytes), Ok(vec![Message::TooLarge, Message::Binary, text(b"on")]));
    let parts = [masked(0x01, &[b'x'; 900]), masked(0x00, &[b'x'; 900]), masked(0x80, b"x")].concat();
    assert_eq!(decode(&mut decoder(), &parts), Ok(vec![Message::TooLarge]));
}

#[test]
fn s15_a_message_beyond_measure_is_told_at_its_head_once_and_never_held() {
    let mut decoder = decoder();
    let frame = masked(0x01, &[b'x'; 5_000]);
    assert_eq!(decode(&mut decoder, &frame[..20]), Ok(vec![Message::BeyondMeasure]));
    assert_eq!(decode(&mut decoder, &frame[20..]), Ok(vec![]));
    assert!(decoder.buffer.is_empty());
    let rest = [masked(0x80, &[b'x'; 5_000]), masked(0x88, b"")].concat();
    assert_eq!(decode(&mut decoder, &rest), Ok(vec![Message::Close]));
    let huge = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    assert_eq!(decode(&mut Decoder::new(10, 20), &huge), Ok(vec![Message::BeyondMeasure]));
}

#[test]
fn what_is_not_the_protocol_is_refused_for_what_it_is() {
    for (bytes, error) in [
        (masked(0xc1, b""), FrameError::ReservedBits),
        (masked(0x83, b""), FrameError::UnknownOpcode),
        (vec![0x81, 0x00], FrameError::NotMasked),
        (masked(0x09, b""), FrameError::BadControlFrame),
        (masked(0x89, &[0; 126]), FrameError::BadControlFrame),
        (masked(0x80, b""), FrameError::BadFragment),
        ([masked(0x01, b"a"), masked(0x81, b"b")].concat(), FrameError::BadFragment),
    ] {
        assert_eq!(decode(&mut decoder(), &bytes), Err(error));
    }
}

#[test]
fn frames_are_written_with_the_shortest_length_that_holds_them() {
    for (length, head) in
        [(5, vec![0x81, 5]), (126, vec![0x81, 126, 0, 126]), (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0])]
    {
        let mut out = Vec::new();
        write_text(&mut out, &vec![b'x'; length]);
        assert_eq!(out.len(), head.len() + length);
        assert_eq!(out[..head.len()], head);
    }
    let mut out = Vec::new();
    write_pong(&mut out, b"?");
    assert_eq!(out, [0x8a, 1, b'?']);
}

#[test]
fn a_close_frame_holds_the_code_and_as_much_of_the_reason_as_fits() {
    let mut out = Vec::new();
    write_close(&mut out, 4003, "bye");
    assert_eq!(out, [0x88, 5, 0x0f, 0xa3, b'b', b'y', b'e']);
    let mut out = Vec::new();
    write_close(&mut out, 1000, &"ä".repeat(100));
    assert_eq!((out.len(), out[1]), (2 + 124, 124));
    assert!(std::str::from_utf8(&out[4..]).is_ok());
}

proptest! {
    #[test]
    fn s17_no_bytes_panic_the_decoder_or_make_it_hold_more_than_it_may(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
    ) {
        let mut decoder = Decoder::new(100, 200);
        for chunk in chunks {
            match decode(&mut decoder, &chunk) {
                Ok(messages) => {
                    for message in messages {
                        if let Message::Text(content) = message {
                            prop_assert!(content.len() <= 100);
                        }
                    }
                }
                Err(_) => break,
            }
            prop_assert!(decoder.buffer.len() <= 14 + CONTROL_BYTES_MAX as usize);
        }
    }

    #[test]
    fn any_messages_in_any_parts_read_back(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..8),
        part in 1_usize..150,
        chunk in 1_usize..90,
    ) {
        let mut bytes = Vec::new();
        for content in &contents {
            let parts: Vec<&[u8]> = if content.is_empty() { vec![&[]] } else { content.chunks(part).collect() };
            for (at, piece) in parts.iter().enumerate() {
                let first = u8::from(at == 0) | if at + 1 == parts.len() { 0x80 } else { 0 };
                bytes.extend(masked(first, piece));
            }
        }
        let mut decoder = decoder();
        let mut read = Vec::new();
        for chunk in bytes.chunks(chunk) {
            read.extend(decode(&mut decoder, chunk).unwrap());
        }
        let expected: Vec<Message> = contents.iter().map(|content| text(content)).collect();
        prop_assert_eq!(read, expected);
    }
}
