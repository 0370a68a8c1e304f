use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Anything, or something valid that was tampered with.
fn hostile(seeds: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let tampered = (prop::sample::select(seeds), vec(any::<Edit>(), 0..6));
    prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        1 => any::<String>().prop_map(String::into_bytes),
        4 => tampered.prop_map(|(seed, edits)| mutated(seed.as_bytes(), &edits)),
    ]
}

const CLIENT: &[&str] = &[
    r#"{"type":"authenticate","method":"jwt","token":"a.b.c","protocol":{"serialization":"json","compression":"none"}}"#,
    r#"{"type":"subscribe","subscription":{"id":"s","sql":"SELECT 1","params":[null,true,-1.5e300,"x",[1],{"a":2}],"options":{"batch_size":10,"last_rows":3,"from":"18446744073709551615","without_initial":true}}}"#,
    r#"{"type":"subscribe","subscription":{"id":"s","sql":"SELECT 1","options":null,"namespace_id":"n"}}"#,
    r#"{"type":"next_batch","subscription_id":"s","last_seq_id":9007199254740993}"#,
    r#"{"type":"unsubscribe","subscription_id":"s"}"#,
    r#"{"type":"ping"}"#,
];

const SERVER: &[&str] = &[
    r#"{"type":"auth_success","user":"anna","role":"user","protocol":{"serialization":"json","compression":"none"},"connection_id":"c","expires_at":"t"}"#,
    r#"{"type":"subscription_ack","subscription_id":"s","total_rows":2,"batch_control":{"batch_num":0,"has_more":true,"status":"loading","last_seq_id":"9007199254740993"},"schema":[{"name":"id","data_type":{"Decimal":{"precision":4,"scale":2}},"index":0,"flags":["pk"]}],"seq":7,"key":["id"],"order_by":[{"column":"id","desc":true,"nulls_first":false}],"strategy":"filter","resumed":false,"reset":false}"#,
    r#"{"type":"change","subscription_id":"s","change_type":"update","rows":[{"id":1.25}],"old_values":[{"id":null}],"seq":8,"more":true,"keys":["k"],"old_keys":["k"]}"#,
    r#"{"type":"error","subscription_id":"s","code":"NOT_FOUND","message":"m","position":3}"#,
];

const REQUESTS: &[&str] = &[
    r#"{"sql":"SELECT $1","params":[1,"2",null,true,1e99,"2026-01-02T03:04:05.678901Z","\\xff",[],{}],"namespace_id":"n"}"#,
];

const IDENTITIES: &[&str] =
    &["anna-b-0123456789abcdef0123456789abcdef-open-orders", "anna@example.com", "T\u{e4}glich", "order_items", "s-1"];

const VALUES: &[&str] = &[
    "-12345678901234567890.1234567890",
    "1e-7",
    "2026-02-29T23:59:60.999999+14:00",
    "0000-01-01",
    "23:59:59.9",
    "\\x00ff",
    "AAEC",
    "{\"a\":[1,2]}",
    "00000000-0000-0000-0000-000000000000",
    "NaN",
    "-inf",
    "true",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s23_frames_of_clients_are_refused_or_read_back(data in hostile(CLIENT)) {
        client_message(&data);
    }

    #[test]
    fn s23_frames_of_servers_are_refused_or_read_back(data in hostile(SERVER)) {
        server_message(&data);
    }

    #[test]
    fn s23_bodies_and_their_parameters_break_nothing(data in hostile(REQUESTS)) {
        sql_request(&data);
    }

    #[test]
    fn s23_names_and_ids_are_refused_or_read_back(data in hostile(IDENTITIES)) {
        identities(&data);
    }

    #[test]
    fn s23_notations_of_values_are_refused_or_read_back(data in hostile(VALUES)) {
        values(&data);
    }
}
