use super::*;
use kalamdb_commons::protocol::SqlRequest;

fn fails(body: &str) -> RequestError {
    decode::<SqlRequest>(body.as_bytes()).unwrap_err()
}

#[test]
fn what_is_not_the_routes_json_is_invalid_input() {
    for bad in ["", "{", "nonsense", "[]", "{\"sql\":1}", "{\"sql\":\"x\",\"params\":\"secret\"}"] {
        assert_eq!(fails(bad).code, ErrorCode::InvalidInput, "{bad}");
    }
}

#[test]
fn s09_an_error_about_a_body_does_not_repeat_its_values() {
    assert!(!fails("{\"sql\":\"x\",\"params\":\"secret\"}").message.contains("secret"));
}

#[test]
fn s15_json_that_is_too_deep_is_refused() {
    let deep = format!("{{\"sql\":\"x\",\"params\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(fails(&deep).code, ErrorCode::InvalidInput);
}

#[test]
fn unknown_fields_are_ignored() {
    assert_eq!(decode::<SqlRequest>(b"{\"sql\":\"SELECT 1\",\"later\":true}").unwrap().sql, "SELECT 1");
}

#[tokio::test]
async fn s15_a_body_over_its_limit_is_too_large() {
    assert_eq!(collect(Body::from("12345"), 5).await.unwrap().as_ref(), b"12345");
    assert_eq!(collect(Body::from("123456"), 5).await.unwrap_err().code, ErrorCode::TooLarge);
}
