//! What is taken for a token, and everything that is not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

use super::*;

const NOW: i64 = 1_700_000_000_500_000;
const NOW_SECS: i64 = 1_700_000_000;
const SECRET: &str = "a secret of thirty-two bytes or more";

fn keys() -> TokenKeys {
    TokenKeys::new(&Secret::new(SECRET).unwrap(), "kalamdb")
}

fn grant() -> Grant {
    Grant {
        user: UserId::new("anna").unwrap(),
        pair: 0xfeed,
        login: 0xcafe,
        tokens_valid_after: NOW - 7,
        expires_secs: NOW_SECS + 60,
        pair_expires_secs: NOW_SECS + 600,
    }
}

fn claims() -> Json {
    json!({
        "iss": "kalamdb", "sub": "anna", "iat": NOW_SECS, "nbf": NOW_SECS, "exp": NOW_SECS + 60,
        "jti": format!("{:032x}", 0xfeed_u128), "sid": format!("{:032x}", 0xcafe_u128), "typ": "access", "tva": NOW - 7, "pair_exp": NOW_SECS + 600,
    })
}

fn signed(claims: &Json, algorithm: Algorithm, secret: &str) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn part(json: &Json) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn refused(token: &str) -> AuthError {
    keys().read(token, TokenUse::Access, NOW).unwrap_err()
}

#[track_caller]
fn invalid(token: &str) {
    assert!(matches!(refused(token), AuthError::InvalidToken), "{token}");
}

#[test]
fn a_token_reads_back_as_it_was_given_out() {
    for usage in [TokenUse::Access, TokenUse::Refresh] {
        let token = keys().issue(&grant(), usage, NOW).unwrap();
        assert_eq!(keys().read(&token, usage, NOW).unwrap(), grant());
    }
    assert_eq!(keys().read(&signed(&claims(), Algorithm::HS256, SECRET), TokenUse::Access, NOW).unwrap(), grant());
}

#[test]
fn s04_a_token_holds_no_role() {
    let token = keys().issue(&grant(), TokenUse::Access, NOW).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: Json = serde_json::from_slice(&payload).unwrap();
    let names: Vec<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["iss", "sub", "iat", "nbf", "exp", "jti", "sid", "typ", "tva", "pair_exp"]);
}

#[test]
fn s05_a_token_of_the_other_use_is_refused() {
    let (access, refresh) = (TokenUse::Access, TokenUse::Refresh);
    for (given, wanted) in [(access, refresh), (refresh, access)] {
        let token = keys().issue(&grant(), given, NOW).unwrap();
        assert!(matches!(keys().read(&token, wanted, NOW), Err(AuthError::InvalidToken)));
    }
}

#[test]
fn s05_a_signature_of_another_secret_is_refused() {
    invalid(&signed(&claims(), Algorithm::HS256, "another secret of thirty-two bytes or so"));
}

#[test]
fn s05_a_token_that_was_changed_is_refused() {
    let token = keys().issue(&grant(), TokenUse::Access, NOW).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let mut other = claims();
    other["sub"] = json!("root");
    invalid(&format!("{}.{}.{}", parts[0], part(&other), parts[2]));
    invalid(&format!("{}.{}.", parts[0], parts[1]));
    invalid(&format!("{}.{}", parts[0], parts[1]));
    invalid(&format!("{token}A"));
    invalid(&format!("{token}."));
    invalid(&token.to_uppercase());
}

#[test]
fn s05_no_other_algorithm_is_taken_even_with_our_secret() {
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        invalid(&signed(&claims(), algorithm, SECRET));
    }
    let ours = signed(&claims(), Algorithm::HS256, SECRET);
    let signature = ours.rsplit('.').next().unwrap();
    for algorithm in ["none", "None", "NONE", "RS256", "ES256", "EdDSA", "HS384", "hs256", ""] {
        let header = part(&json!({ "typ": "JWT", "alg": algorithm }));
        for signature in ["", signature] {
            invalid(&format!("{header}.{}.{signature}", part(&claims())));
        }
    }
    let signing_input = format!("{}.{}", part(&json!({ "alg": "RS256" })), part(&claims()));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signing_input.as_bytes(), &key, Algorithm::HS256).unwrap();
    invalid(&format!("{signing_input}.{signature}"));
}

#[test]
fn s05_another_issuer_is_refused() {
    for issuer in [json!("someone"), json!(""), json!(["kalamdb"]), json!(null)] {
        let mut claims = claims();
        claims["iss"] = issuer;
        invalid(&signed(&claims, Algorithm::HS256, SECRET));
    }
}

#[test]
fn s05_a_token_is_refused_from_the_moment_it_expires() {
    let token = keys().issue(&grant(), TokenUse::Access, NOW).unwrap();
    let end = (NOW_SECS + 60) * 1_000_000;
    assert!(keys().read(&token, TokenUse::Access, end - 1).is_ok());
    assert!(matches!(keys().read(&token, TokenUse::Access, end), Err(AuthError::TokenExpired)));
    let mut claims = claims();
    for exp in [0, -1, i64::MIN, NOW_SECS] {
        claims["exp"] = json!(exp);
        let refused = refused(&signed(&claims, Algorithm::HS256, SECRET));
        assert!(matches!(refused, AuthError::TokenExpired | AuthError::InvalidToken), "{exp}");
    }
}

#[test]
fn s05_a_token_is_refused_before_its_time() {
    let mut claims = claims();
    for nbf in [NOW_SECS + 60, i64::MAX] {
        claims["nbf"] = json!(nbf);
        invalid(&signed(&claims, Algorithm::HS256, SECRET));
    }
}

#[test]
fn s05_a_token_that_lacks_a_claim_is_refused() {
    for name in ["iss", "sub", "nbf", "exp", "jti", "sid", "typ", "tva"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().shift_remove(name);
        invalid(&signed(&claims, Algorithm::HS256, SECRET));
    }
}

#[test]
fn s05_claims_of_the_wrong_form_are_refused() {
    for (name, value) in [
        ("sub", json!("no user name")),
        ("sub", json!("")),
        ("sub", json!(1)),
        ("exp", json!("soon")),
        ("exp", json!(1e300)),
        ("jti", json!("xyz")),
        ("jti", json!("")),
        ("typ", json!("admin")),
        ("tva", json!("x")),
        ("aud", json!("somebody else")),
    ] {
        let mut claims = claims();
        claims[name] = value;
        invalid(&signed(&claims, Algorithm::HS256, SECRET));
    }
}

#[test]
fn s15_a_huge_token_is_not_even_looked_at() {
    let mut claims = claims();
    claims["padding"] = json!("x".repeat(TOKEN_BYTES_MAX));
    invalid(&signed(&claims, Algorithm::HS256, SECRET));
    for text in ["", ".", "..", "...", "a.b.c", "\0", "ä.ö.ü"] {
        invalid(text);
    }
}

#[test]
fn the_longest_user_name_fits_into_a_token() {
    let user = UserId::new(&"x".repeat(UserId::MAX_BYTES)).unwrap();
    let token = keys().issue(&Grant { user, ..grant() }, TokenUse::Access, NOW).unwrap();
    assert!(keys().read(&token, TokenUse::Access, NOW).is_ok());
}

#[test]
fn a_token_never_lives_shorter_than_it_should() {
    assert_eq!(end_secs(10_000_000, 2), 12);
    assert_eq!(end_secs(10_000_001, 2), 13);
    assert_eq!(end_secs(10_999_999, 2), 13);
    assert_eq!(end_secs(i64::MAX, u64::MAX), i64::MAX);
}
