//! Which tokens of other issuers are taken, and all the ways in which one is not.

use std::sync::Arc;

use jsonwebtoken::Header as JwtHeader;
use kalamdb_store::ManualClock;
use serde_json::json;

use super::*;
use crate::outside::fixtures::*;
use crate::outside::{IssuerOptions, KeyOptions};

async fn issuers_with(keys: &[Json], change: impl FnOnce(&mut IssuerOptions)) -> Issuers {
    let mut options = options(&Arc::new(GivenKeys::of(keys)));
    change(&mut options);
    let issuers = Issuers::new(vec![options], KeyOptions::default());
    for issuer in issuers.iter() {
        let clock: Arc<dyn kalamdb_store::Clock> = Arc::new(ManualClock::new(NOW));
        issuer.keys.upkeep(&clock).await;
    }
    issuers
}

async fn issuers() -> Issuers {
    let keys = [Pair::Rsa.published("rsa"), Pair::P256.published("p256"), Pair::Ed25519.published("ed")];
    issuers_with(&keys, |_| ()).await
}

fn read(issuers: &Issuers, token: &str) -> Result<OutsideGrant, OutsideRefusal> {
    issuers.read(token, NOW).map(|(_, grant)| grant)
}

#[track_caller]
fn invalid(issuers: &Issuers, token: &str, why: &str) {
    match read(issuers, token) {
        Err(OutsideRefusal::Auth(AuthError::InvalidToken)) => {}
        other => panic!("{why}: {other:?}"),
    }
}

fn changed(name: &str, value: Json) -> Json {
    let mut claims = claims("anna");
    claims[name] = value;
    claims
}

fn raw(header: &Json, claims: &Json, sign: impl FnOnce(&str) -> String) -> String {
    let encode = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(&signed);
    format!("{signed}.{signature}")
}

fn with_header(pair: Pair, header: &Json) -> String {
    raw(header, &claims("anna"), |signed| {
        jsonwebtoken::crypto::sign(signed.as_bytes(), &pair.signing(), pair.algorithm()).unwrap()
    })
}

#[tokio::test]
async fn s06_tokens_signed_by_a_published_key_are_taken() {
    let issuers = issuers().await;
    for (pair, name) in [(Pair::Rsa, "rsa"), (Pair::P256, "p256"), (Pair::Ed25519, "ed")] {
        let grant = read(&issuers, &signed(pair, name, &claims("anna"))).unwrap();
        assert_eq!((grant.user.as_str(), grant.issued_at, grant.expires_at), ("anna", NOW, NOW + 60_000_000));
    }
    let header = JwtHeader { kid: Some("rsa".to_owned()), ..JwtHeader::new(Algorithm::PS256) };
    assert!(read(&issuers, &jsonwebtoken::encode(&header, &claims("anna"), &Pair::Rsa.signing()).unwrap()).is_ok());
    let unnamed = jsonwebtoken::encode(&JwtHeader::new(Algorithm::ES256), &claims("anna"), &Pair::P256.signing());
    assert!(read(&issuers, &unnamed.unwrap()).is_ok(), "the only key that fits");
}

#[tokio::test]
async fn s06_a_signature_of_another_key_is_refused() {
    let issuers = issuers().await;
    invalid(&issuers, &signed(Pair::OtherRsa, "rsa", &claims("anna")), "another key under the name");
    let token = signed(Pair::P256, "p256", &claims("anna"));
    let parts: Vec<&str> = token.split('.').collect();
    let root = URL_SAFE_NO_PAD.encode(claims("root").to_string());
    invalid(&issuers, &format!("{}.{root}.{}", parts[0], parts[2]), "other claims");
    invalid(&issuers, &format!("{}.{}.", parts[0], parts[1]), "no signature");
    invalid(&issuers, &format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode([0; 64])), "zeros");
    let other = read(&issuers, &signed(Pair::OtherRsa, "other", &claims("anna")));
    assert!(matches!(other, Err(OutsideRefusal::UnknownKey)), "{other:?}");
}

#[tokio::test]
async fn s06_the_algorithm_is_pinned_to_the_kind_of_the_key() {
    let issuers = issuers().await;
    for algorithm in ["none", "None", "nOnE", "NONE", "", "RS512", "PS384", "ES384", "HS384", "HS512", "rs256"] {
        for signature in [String::new(), "AAAA".to_owned()] {
            let token = raw(&json!({ "alg": algorithm, "kid": "rsa" }), &claims("root"), |_| signature);
            invalid(&issuers, &token, algorithm);
        }
    }
    // A key is found by name and algorithm together, so another kind of signature meets no key.
    for (pair, name, algorithm) in [
        (Pair::Rsa, "p256", "RS256"),
        (Pair::P256, "rsa", "ES256"),
        (Pair::Rsa, "rsa", "ES256"),
        (Pair::P256, "ed", "ES256"),
    ] {
        let token = with_header(pair, &json!({ "alg": algorithm, "kid": name }));
        assert!(matches!(read(&issuers, &token), Err(OutsideRefusal::UnknownKey)), "{name} {algorithm}");
    }
}

#[tokio::test]
async fn s06_a_public_key_is_never_taken_for_a_shared_secret() {
    let issuers = issuers().await;
    let modulus = URL_SAFE_NO_PAD.decode(Pair::Rsa.published("rsa")["n"].as_str().unwrap()).unwrap();
    let pem = include_bytes!("../../../tests/keys/rsa_public.pem").to_vec();
    for secret in [pem, modulus, Pair::Rsa.published("rsa").to_string().into_bytes()] {
        let sign = |signed: &str, algorithm| {
            jsonwebtoken::crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(&secret), algorithm).unwrap()
        };
        let token =
            raw(&json!({ "alg": "HS256", "kid": "rsa" }), &claims("root"), |signed| sign(signed, Algorithm::HS256));
        assert!(is_ours(&token), "only our own secret is tried on it");
        invalid(&issuers, &token, "HS256");
        let token =
            raw(&json!({ "alg": "HS512", "kid": "rsa" }), &claims("root"), |signed| sign(signed, Algorithm::HS512));
        assert!(!is_ours(&token));
        invalid(&issuers, &token, "HS512");
    }
}

#[tokio::test]
async fn s06_a_header_that_asks_for_more_than_is_understood_is_refused() {
    let issuers = issuers().await;
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("typ", json!("logout+jwt")),
        ("typ", json!("dpop+jwt")),
        ("typ", json!("JOSE")),
    ] {
        let mut header = json!({ "alg": "ES256", "kid": "p256" });
        header[name] = value.clone();
        invalid(&issuers, &with_header(Pair::P256, &header), &format!("{name} {value}"));
    }
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        let token = with_header(Pair::P256, &json!({ "alg": "ES256", "kid": "p256", "typ": typ }));
        assert!(read(&issuers, &token).is_ok(), "{typ}");
    }
    let long = json!({ "alg": "ES256", "kid": "k".repeat(KID_BYTES_MAX + 1) });
    invalid(&issuers, &with_header(Pair::P256, &long), "a long name");
}

#[tokio::test]
async fn s06_keys_that_a_token_brings_along_are_not_looked_at() {
    let issuers = issuers().await;
    let own = Pair::OtherRsa.published("rsa");
    for (name, value) in [("jwk", own), ("jku", json!("http://127.0.0.1:1/")), ("x5u", json!("http://127.0.0.1:1/"))] {
        let mut header = json!({ "alg": "RS256", "kid": "rsa" });
        header[name] = value;
        invalid(&issuers, &with_header(Pair::OtherRsa, &header), name);
        header["kid"] = json!("mine");
        let unknown = read(&issuers, &with_header(Pair::OtherRsa, &header));
        assert!(matches!(unknown, Err(OutsideRefusal::UnknownKey)), "{name}: {unknown:?}");
    }
}

#[tokio::test]
async fn s06_issuer_and_audience_must_be_those_that_are_configured() {
    let issuers = issuers().await;
    for issuer in [json!("https://id.example.com"), json!("kalamdb"), json!(""), json!([ISSUER]), json!(null), json!(1)]
    {
        let refused = read(&issuers, &signed(Pair::P256, "p256", &changed("iss", issuer.clone())));
        assert!(matches!(refused, Err(OutsideRefusal::Unknown)), "{issuer}: {refused:?}");
    }
    for audience in [json!("kalamdb2"), json!(""), json!([]), json!(["x", "y"]), json!(null), json!(1), json!({})] {
        invalid(&issuers, &signed(Pair::P256, "p256", &changed("aud", audience.clone())), &audience.to_string());
    }
    for audience in [json!("another"), json!(["x", AUDIENCE])] {
        assert!(read(&issuers, &signed(Pair::P256, "p256", &changed("aud", audience))).is_ok());
    }
    let none = issuers_with(&[Pair::P256.published("p256")], |options| options.audiences.clear()).await;
    invalid(&none, &signed(Pair::P256, "p256", &claims("anna")), "no audience is configured");
}

#[tokio::test]
async fn s06_a_token_is_taken_within_its_time_alone() {
    let issuers = issuers().await;
    let end = NOW + 60_000_000;
    let token = signed(Pair::P256, "p256", &claims("anna"));
    assert!(issuers.read(&token, end - 1).is_ok());
    assert!(matches!(issuers.read(&token, end), Err(OutsideRefusal::Auth(AuthError::TokenExpired))));
    for (name, value) in [("nbf", json!(NOW_SECS + 31)), ("iat", json!(NOW_SECS + 31)), ("nbf", json!(i64::MAX))] {
        invalid(&issuers, &signed(Pair::P256, "p256", &changed(name, value)), name);
    }
    for (name, value) in [("nbf", json!(NOW_SECS + 30)), ("iat", json!(NOW_SECS + 30)), ("exp", json!(1.7e9 + 60.5))] {
        assert!(read(&issuers, &signed(Pair::P256, "p256", &changed(name, value))).is_ok(), "{name}");
    }
    for name in ["exp", "iat", "nbf"] {
        for value in [json!("1700000060"), json!(1e300), json!(-1.5), json!([]), json!(true)] {
            invalid(&issuers, &signed(Pair::P256, "p256", &changed(name, value.clone())), &format!("{name} {value}"));
        }
    }
    for exp in [0, 1, NOW_SECS] {
        let over = read(&issuers, &signed(Pair::P256, "p256", &changed("exp", json!(exp))));
        assert!(matches!(over, Err(OutsideRefusal::Auth(AuthError::TokenExpired))), "{exp}: {over:?}");
    }
}

#[tokio::test]
async fn s06_a_token_that_lacks_a_claim_is_refused() {
    let issuers = issuers().await;
    for name in ["aud", "exp", "iat", "sub"] {
        let mut claims = claims("anna");
        claims.as_object_mut().unwrap().shift_remove(name);
        invalid(&issuers, &signed(Pair::P256, "p256", &claims), name);
    }
    let mut claims = claims("anna");
    claims.as_object_mut().unwrap().shift_remove("nbf");
    assert!(read(&issuers, &signed(Pair::P256, "p256", &claims)).is_ok(), "it begins when it was given out");
}

#[tokio::test]
async fn s06_the_user_is_named_by_the_configured_claim_and_must_be_a_user_name() {
    let issuers = issuers().await;
    for name in ["", "a b", "a/b", "../root", "anna\0", "auth0|1", &"x".repeat(129), "0123456789abcdef0123456789abcdef"]
    {
        let refused = read(&issuers, &signed(Pair::P256, "p256", &claims(name)));
        assert!(matches!(refused, Err(OutsideRefusal::Auth(AuthError::UnusableUserName))), "{name}: {refused:?}");
    }
    for sub in [json!(1), json!(null), json!(["anna"]), json!({})] {
        invalid(&issuers, &signed(Pair::P256, "p256", &changed("sub", sub)), "no text");
    }
    let keys = [Pair::P256.published("p256")];
    let by_mail = issuers_with(&keys, |options| {
        options.user_claim = "email".to_owned();
        options.user_prefix = "corp-".to_owned();
    });
    let claims = changed("email", json!("anna@example.com"));
    let grant = read(&by_mail.await, &signed(Pair::P256, "p256", &claims)).unwrap();
    assert_eq!(grant.user.as_str(), "corp-anna@example.com");
}

#[tokio::test]
async fn s06_an_id_belongs_to_one_token_whatever_its_signature_looks_like() {
    let issuers = issuers().await;
    let id = |token: &str| read(&issuers, token).unwrap().id;
    let salted = || {
        let header = JwtHeader { kid: Some("rsa".to_owned()), ..JwtHeader::new(Algorithm::PS256) };
        jsonwebtoken::encode(&header, &claims("anna"), &Pair::Rsa.signing()).unwrap()
    };
    let (one, two) = (salted(), salted());
    assert_ne!(one, two, "a signature of this kind is another each time");
    assert_eq!(id(&one), id(&two));
    let token = |claims: &Json| id(&signed(Pair::P256, "p256", claims));
    assert_eq!(token(&claims("anna")), token(&claims("anna")));
    assert_ne!(token(&claims("anna")), token(&claims("ben")));
    assert_ne!(token(&claims("anna")), token(&changed("jti", json!("2"))));
}

#[tokio::test]
async fn s15_what_is_too_long_or_no_token_is_not_looked_at() {
    let issuers = issuers().await;
    let long = signed(Pair::P256, "p256", &changed("padding", json!("x".repeat(TOKEN_BYTES_MAX))));
    assert!(matches!(read(&issuers, &long), Err(OutsideRefusal::Unknown)));
    let token = signed(Pair::P256, "p256", &claims("anna"));
    for text in ["", ".", "..", "...", "a.b.c", "\0.\0.\0", "ä.ö.ü", &format!("{token}.x"), &token.replace('.', "..")]
    {
        assert!(matches!(read(&issuers, text), Err(OutsideRefusal::Unknown)), "{text}");
        assert!(is_ours(text), "{text}: only our own secret is tried on it");
    }
}
