//! The wire contract, frozen: sample frames of every message, per published version.
//!
//! A line of `wire/v<N>.jsonl` says who sends the frame, what it shows, the frame itself, and as
//! `reads_as` what it is written as again, where that differs. Clients in other languages decode
//! the same files. Files of older versions stay, and must still decode.

use expect_test::expect_file;
use kalamdb_commons::protocol::{ClientMessage, PROTOCOL_VERSION, ServerMessage};
use serde_json::{Value as Json, json};

/// Fingerprint of each published version's file.
const PUBLISHED: [(u32, u64); 1] = [(1, 0x8955_230e_bfa0_23bd)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Server,
}

use Sender::{Client, Server};

const AUTH: &[(Sender, &str, &str)] = &[
    (Client, "authenticate", r#"{"type":"authenticate","method":"jwt","token":"t.o.k"}"#),
    (
        Client,
        "authenticate, asking for a protocol",
        r#"{"type":"authenticate","method":"jwt","token":"t.o.k","protocol":{"serialization":"msgpack","compression":"gzip"}}"#,
    ),
    (
        Client,
        "authenticate, protocol half said",
        r#"{"type":"authenticate","method":"jwt","token":"t.o.k","protocol":{"serialization":"json"}}"#,
    ),
    (
        Server,
        "auth_success",
        r#"{"type":"auth_success","user":"anna","role":"user","protocol":{"serialization":"json","compression":"none"},"connection_id":"0123456789abcdef0123456789abcdef","expires_at":"2030-01-01T00:00:00Z"}"#,
    ),
    (Server, "auth_error", r#"{"type":"auth_error","message":"the token has expired"}"#),
    (Client, "ping", r#"{"type":"ping"}"#),
    (Client, "ping with a field of tomorrow", r#"{"type":"ping","sent_at":1}"#),
    (Server, "pong", r#"{"type":"pong"}"#),
];

const SUBSCRIBE: &[(Sender, &str, &str)] = &[
    (Client, "subscribe, options absent", r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT * FROM t"}}"#),
    (
        Client,
        "subscribe, options empty",
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT * FROM t","options":{}}}"#,
    ),
    (
        Client,
        "subscribe, options null: live changes only",
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT * FROM t","options":null}}"#,
    ),
    (
        Client,
        "subscribe with everything",
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT * FROM t WHERE a = $1","params":[1,"x",true,null,[1],{"k":2}],"namespace_id":"app","options":{"batch_size":100,"last_rows":10,"from":42,"without_initial":true}}}"#,
    ),
    (
        Client,
        "subscribe, resuming from digits",
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT * FROM t","options":{"from":"42"}}}"#,
    ),
    (
        Client,
        "subscribe, resuming from beyond 2^53",
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT * FROM t","options":{"from":"9007199254740993"}}}"#,
    ),
    (
        Client,
        "subscribe, from under its other name",
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT * FROM t","options":{"from_seq_id":42}}}"#,
    ),
    (Client, "next_batch", r#"{"type":"next_batch","subscription_id":"s1"}"#),
    (Client, "next_batch with its place", r#"{"type":"next_batch","subscription_id":"s1","last_seq_id":42}"#),
    (Client, "next_batch, place null", r#"{"type":"next_batch","subscription_id":"s1","last_seq_id":null}"#),
    (Client, "unsubscribe", r#"{"type":"unsubscribe","subscription_id":"s1"}"#),
    (Server, "unsubscribe_ack", r#"{"type":"unsubscribe_ack","subscription_id":"s1","status":"unsubscribed"}"#),
    (
        Server,
        "unsubscribe_ack, there was none",
        r#"{"type":"unsubscribe_ack","subscription_id":"s1","status":"not_found"}"#,
    ),
];

const SNAPSHOT: &[(Sender, &str, &str)] = &[
    (
        Server,
        "subscription_ack, a snapshot follows",
        r#"{"type":"subscription_ack","subscription_id":"s1","total_rows":3,"batch_control":{"batch_num":0,"has_more":true,"status":"loading"},"schema":[{"name":"id","data_type":"BigInt","index":0,"flags":["pk","nn"]},{"name":"price","data_type":{"Decimal":{"precision":10,"scale":2}},"index":1}],"seq":42,"key":["id"],"strategy":"filter","resumed":false,"reset":false}"#,
    ),
    (
        Server,
        "subscription_ack, ordered, without a key",
        r#"{"type":"subscription_ack","subscription_id":"s1","total_rows":0,"batch_control":{"batch_num":0,"has_more":false,"status":"ready","last_seq_id":42},"schema":[{"name":"n","data_type":"BigInt","index":0},{"name":"_order_1","data_type":"Double","index":1}],"seq":42,"key":null,"order_by":[{"column":"_order_1","desc":true,"nulls_first":false}],"strategy":"re-run","resumed":false,"reset":false}"#,
    ),
    (
        Server,
        "subscription_ack, resumed",
        r#"{"type":"subscription_ack","subscription_id":"s1","total_rows":0,"batch_control":{"batch_num":0,"has_more":false,"status":"ready","last_seq_id":null},"schema":[],"seq":"9007199254740993","key":null,"strategy":"filter","resumed":true,"reset":false}"#,
    ),
    (
        Server,
        "subscription_ack, reset",
        r#"{"type":"subscription_ack","subscription_id":"s1","total_rows":1,"batch_control":{"batch_num":0,"has_more":true,"status":"loading"},"schema":[],"seq":7,"key":["id"],"strategy":"filter","resumed":false,"reset":true}"#,
    ),
    (
        Server,
        "initial_data_batch, more to come",
        r#"{"type":"initial_data_batch","subscription_id":"s1","rows":[{"id":"1","b":true,"i":-5,"x":1.5,"d":"10.00","t":"text","j":"{\"a\":1}","at":1700000000000000,"n":null,"_seq":"41"}],"batch_control":{"batch_num":0,"has_more":true,"status":"loading_batch","last_seq_id":41}}"#,
    ),
    (
        Server,
        "initial_data_batch, the last, with keys",
        r#"{"type":"initial_data_batch","subscription_id":"s1","rows":[{"n":"1"},{"n":"2"}],"batch_control":{"batch_num":1,"has_more":false,"status":"ready","last_seq_id":42},"keys":["a","b"]}"#,
    ),
    (
        Server,
        "initial_data_batch, empty",
        r#"{"type":"initial_data_batch","subscription_id":"s1","rows":[],"batch_control":{"batch_num":0,"has_more":false,"status":"ready"}}"#,
    ),
];

const CHANGES: &[(Sender, &str, &str)] = &[
    (
        Server,
        "change, insert",
        r#"{"type":"change","subscription_id":"s1","change_type":"insert","rows":[{"id":"1","_seq":"43"}],"seq":43}"#,
    ),
    (
        Server,
        "change, update",
        r#"{"type":"change","subscription_id":"s1","change_type":"update","rows":[{"id":"1","a":2,"_seq":"44"}],"old_values":[{"id":"1","a":1}],"seq":44}"#,
    ),
    (
        Server,
        "change, delete",
        r#"{"type":"change","subscription_id":"s1","change_type":"delete","old_values":[{"id":"1","a":2,"_seq":"45"}],"seq":45}"#,
    ),
    (
        Server,
        "change, of a result without a key",
        r#"{"type":"change","subscription_id":"s1","change_type":"update","rows":[{"n":"2"}],"old_values":[{"n":"1"}],"seq":46,"keys":["a"],"old_keys":["a"]}"#,
    ),
    (
        Server,
        "change, one of several of a commit",
        r#"{"type":"change","subscription_id":"s1","change_type":"insert","rows":[{"id":"2"}],"seq":"9007199254740992","more":true}"#,
    ),
    (
        Server,
        "status paused",
        r#"{"type":"status","subscription_id":"s1","status":"paused","reason":"the reader is slow"}"#,
    ),
    (Server, "status active", r#"{"type":"status","subscription_id":"s1","status":"active"}"#),
    (Server, "progress", r#"{"type":"progress","seq":46}"#),
    (
        Server,
        "error of a subscription, with its place",
        r#"{"type":"error","subscription_id":"s1","code":"INVALID_SQL","message":"expected an expression","position":8}"#,
    ),
    (
        Server,
        "error of a frame",
        r#"{"type":"error","subscription_id":"protocol","code":"PROTOCOL","message":"the frame is not JSON"}"#,
    ),
];

/// Frames as written again, or why they do not decode.
fn read_and_write(from: Sender, frame: &str) -> Result<Json, serde_json::Error> {
    match from {
        Client => serde_json::to_value(serde_json::from_str::<ClientMessage>(frame)?),
        Server => serde_json::to_value(serde_json::from_str::<ServerMessage>(frame)?),
    }
}

fn render() -> String {
    let mut lines = String::new();
    for (from, shows, frame) in [AUTH, SUBSCRIBE, SNAPSHOT, CHANGES].concat() {
        let again = read_and_write(from, frame).unwrap_or_else(|error| panic!("{shows}: {error}"));
        let frame: Json = serde_json::from_str(frame).unwrap();
        let from = if from == Client { "client" } else { "server" };
        let mut line = json!({ "from": from, "shows": shows, "frame": frame });
        if again != frame {
            line["reads_as"] = again;
        }
        lines.push_str(&format!("{line}\n"));
    }
    lines
}

/// FNV-1a: enough to notice an edit.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn published_file(version: u32) -> String {
    let path = format!("{}/tests/wire/v{version}.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_frames_of_this_version_read_and_write_as_its_file_says() {
    let path = format!("{}/tests/wire/v{PROTOCOL_VERSION}.jsonl", env!("CARGO_MANIFEST_DIR"));
    expect_file![path].assert_eq(&render());
}

#[test]
fn frames_of_a_published_version_never_change() {
    assert_eq!(PUBLISHED.last().unwrap().0, PROTOCOL_VERSION, "add the new version's fingerprint");
    for (version, published) in PUBLISHED {
        let now = fingerprint(&published_file(version));
        assert_eq!(now, published, "v{version}.jsonl is published: a new shape needs a new PROTOCOL_VERSION and file");
    }
}

#[test]
fn frames_of_every_published_version_still_decode() {
    for (version, _) in PUBLISHED {
        for line in published_file(version).lines() {
            let line: Json = serde_json::from_str(line).unwrap();
            let from = if line["from"] == "client" { Client } else { Server };
            let frame = line["frame"].to_string();
            assert!(read_and_write(from, &frame).is_ok(), "version {version}: {frame}");
        }
    }
}

#[test]
fn every_message_there_is_has_a_sample() {
    let file = published_file(PROTOCOL_VERSION);
    let kinds = [
        "authenticate",
        "subscribe",
        "next_batch",
        "unsubscribe",
        "ping",
        "auth_success",
        "auth_error",
        "subscription_ack",
        "initial_data_batch",
        "change",
        "unsubscribe_ack",
        "status",
        "progress",
        "pong",
        "error",
    ];
    for kind in kinds {
        assert!(file.contains(&format!("\"frame\":{{\"type\":\"{kind}\"")), "no sample of {kind}");
    }
}

#[test]
fn frames_that_are_not_of_the_contract_are_refused() {
    let refused = [
        "",
        "{}",
        "[]",
        "null",
        r#"{"type":"subscribe"}"#,
        r#"{"type":"subscribe","subscription":{"id":"s1"}}"#,
        r#"{"type":"subscribe","subscription":{"id":1,"sql":"SELECT 1"}}"#,
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT 1","options":{"from":-1}}}"#,
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT 1","options":{"from":1.5}}}"#,
        r#"{"type":"subscribe","subscription":{"id":"s1","sql":"SELECT 1","options":{"batch_size":"many"}}}"#,
        r#"{"type":"unsubscribe"}"#,
        r#"{"type":"unknown"}"#,
    ];
    for frame in refused {
        assert!(serde_json::from_str::<ClientMessage>(frame).is_err(), "{frame}");
    }
}
