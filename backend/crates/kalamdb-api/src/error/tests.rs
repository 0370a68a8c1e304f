use super::*;

async fn body(response: Response) -> serde_json::Value {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn auth_routes_answer_with_lower_case_codes_of_their_own() {
    let response = RequestError::new(ErrorCode::InvalidCredentials, "no").into_auth_response();
    assert_eq!(response.status(), 401);
    assert_eq!(body(response).await, serde_json::json!({"error": "unauthorized", "message": "no"}));
    let response = RequestError::new(ErrorCode::TokenExpired, "old").into_auth_response();
    assert_eq!(body(response).await["error"], "token_expired");
}

#[tokio::test]
async fn a_rate_limit_says_when_to_try_again() {
    let response = RequestError::new(ErrorCode::RateLimitExceeded, "slow").retry_after(17).into_auth_response();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &HeaderValue::from(17)));
    assert_eq!(body(response).await["error"], "rate_limited");
    let response = RequestError::new(ErrorCode::Unavailable, "bye").into_sql_response();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &HeaderValue::from(1)));
}

#[tokio::test]
async fn the_sql_route_fails_in_the_shape_of_its_results() {
    let response = RequestError::new(ErrorCode::TooLarge, "big").into_sql_response();
    assert_eq!(response.status(), 413);
    let expected = serde_json::json!({
        "status": "error", "results": [], "took": 0.0, "error": {"code": "TOO_LARGE", "message": "big"}
    });
    assert_eq!(body(response).await, expected);
}

#[tokio::test]
async fn s20_an_internal_error_tells_a_reference_and_nothing_else() {
    let error = RequestError::internal(&"secret path /var/lib");
    assert_eq!(error.code, ErrorCode::Internal);
    assert!(!error.message.contains("secret"));
}

#[test]
fn every_code_has_its_status() {
    for code in ErrorCode::ALL {
        assert_eq!(status(*code).as_u16(), code.http_status());
    }
}
