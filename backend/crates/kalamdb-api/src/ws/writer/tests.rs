use futures_util::FutureExt as _;
use tokio::io::AsyncReadExt as _;

use super::*;

async fn all(mut client: tokio::io::DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn frames_leave_in_the_order_they_were_added() {
    let (client, server) = tokio::io::duplex(64);
    let mut writer = Writer::new(server);
    writer.push_text(b"{}");
    writer.push_pong(b"?");
    writer.push_text(b"[]");
    writer.flush().await.unwrap();
    assert_eq!(writer.pending_bytes(), 0);
    writer.shut_down().await;
    assert_eq!(all(client).await, [0x81, 2, b'{', b'}', 0x8a, 1, b'?', 0x81, 2, b'[', b']']);
}

#[tokio::test]
async fn i8_what_was_not_written_is_taken_back_but_for_the_frame_that_is_half_written() {
    let (client, server) = tokio::io::duplex(6);
    let mut writer = Writer::new(server);
    for text in ["one", "two", "three"] {
        writer.push_text(text.as_bytes());
    }
    // The stream takes the first frame and one byte of the second.
    assert!(writer.flush().now_or_never().is_none());
    writer.take_back();
    let reading = tokio::spawn(all(client));
    writer.close(CloseReason::Killed).await.unwrap();
    writer.shut_down().await;
    let bytes = reading.await.unwrap();
    assert_eq!(bytes[..10], [0x81, 3, b'o', b'n', b'e', 0x81, 3, b't', b'w', b'o']);
    assert_eq!(bytes[10..14], [0x88, bytes.len() as u8 - 12, 0x0f, 0xa3]);
}

#[tokio::test]
async fn what_was_added_and_never_begun_is_taken_back_whole() {
    let (client, server) = tokio::io::duplex(64);
    let mut writer = Writer::new(server);
    writer.push_text(b"row");
    writer.take_back();
    assert_eq!(writer.pending_bytes(), 0);
    writer.close(CloseReason::Idle).await.unwrap();
    drop(writer);
    assert_eq!(all(client).await[0], 0x88);
}

#[tokio::test]
async fn a_frame_that_has_just_ended_is_not_begun_again() {
    let (client, server) = tokio::io::duplex(5);
    let mut writer = Writer::new(server);
    writer.push_text(b"one");
    writer.push_text(b"two");
    assert!(writer.flush().now_or_never().is_none());
    writer.take_back();
    assert_eq!(writer.pending_bytes(), 0);
    drop(writer);
    assert_eq!(all(client).await, [0x81, 3, b'o', b'n', b'e']);
}

#[tokio::test]
async fn a_client_that_is_gone_is_noticed() {
    let (client, server) = tokio::io::duplex(64);
    drop(client);
    let mut writer = Writer::new(server);
    writer.push_text(b"{}");
    assert_eq!(writer.flush().await, Err(WriteFailure::Vanished));
}
