//! Which keys are taken, and for what.

use serde_json::json;

use super::*;
use crate::outside::fixtures::Pair;

fn set(keys: &[Json]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn with(mut key: Json, name: &str, value: Json) -> Json {
    key[name] = value;
    key
}

const ALL: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

fn found(set: &KeySet, name: Option<&str>) -> Vec<Algorithm> {
    ALL.into_iter().filter(|algorithm| set.find(name, *algorithm).is_some()).collect()
}

#[test]
fn s06_a_key_is_found_by_its_name_and_only_for_the_algorithms_of_its_kind() {
    let set = set(&[Pair::Rsa.published("r"), Pair::P256.published("p"), Pair::Ed25519.published("e")]);
    assert_eq!(found(&set, Some("r")), [Algorithm::RS256, Algorithm::PS256]);
    assert_eq!(found(&set, Some("p")), [Algorithm::ES256]);
    assert_eq!(found(&set, Some("e")), [Algorithm::EdDSA]);
    assert_eq!(found(&set, Some("x")), []);
    assert!(set.find(Some("r"), Algorithm::HS256).is_none());
}

#[test]
fn s06_a_key_that_names_its_algorithm_is_for_no_other() {
    for (pair, name, wanted) in [
        (Pair::Rsa, "RS256", vec![Algorithm::RS256]),
        (Pair::Rsa, "PS256", vec![Algorithm::PS256]),
        (Pair::Rsa, "ES256", vec![]),
        (Pair::Rsa, "RS512", vec![]),
        (Pair::Rsa, "RSA-OAEP", vec![]),
        (Pair::P256, "ES256", vec![Algorithm::ES256]),
        (Pair::P256, "HS256", vec![]),
    ] {
        let set = set(&[with(pair.published("k"), "alg", json!(name))]);
        assert_eq!(found(&set, Some("k")), wanted, "{name}");
    }
}

#[test]
fn s06_keys_that_are_not_for_checking_signatures_are_left_out() {
    let key = || Pair::Rsa.published("k");
    let taken = [with(key(), "use", json!("sig")), with(key(), "key_ops", json!(["verify"])), key()];
    for key in taken {
        assert_eq!(set(std::slice::from_ref(&key)).len(), 1, "{key}");
    }
    for key in [
        with(key(), "use", json!("enc")),
        with(key(), "use", json!("")),
        with(key(), "use", json!(1)),
        with(key(), "key_ops", json!(["sign"])),
        with(key(), "key_ops", json!([])),
        with(key(), "kty", json!("oct")),
        with(key(), "kty", json!("EC")),
        with(key(), "crv", json!("P-256")),
        with(key(), "d", json!("AQAB")),
        with(key(), "n", json!("AQAB")),
        with(key(), "n", json!("not base64!")),
        with(key(), "e", json!("")),
        with(key(), "kid", json!("x".repeat(KID_BYTES_MAX + 1))),
        with(Pair::P256.published("k"), "crv", json!("P-384")),
        with(Pair::P256.published("k"), "crv", json!("secp256k1")),
        with(Pair::P256.published("k"), "x", json!("AQAB")),
        with(Pair::Ed25519.published("k"), "crv", json!("X25519")),
        Pair::WeakRsa.published("k"),
        json!({ "kty": "oct", "kid": "k", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ" }),
        json!("k"),
        json!(null),
        json!({}),
    ] {
        assert_eq!(set(std::slice::from_ref(&key)).len(), 0, "{key}");
        assert_eq!(set(&[key, Pair::P256.published("other")]).len(), 1, "the others stay");
    }
}

#[test]
fn s06_a_weak_key_does_not_become_a_strong_one_by_zeros_in_front() {
    let mut weak = Pair::WeakRsa.published("k");
    let modulus = URL_SAFE_NO_PAD.decode(weak["n"].as_str().unwrap()).unwrap();
    weak["n"] = json!(URL_SAFE_NO_PAD.encode([vec![0; 256], modulus].concat()));
    assert_eq!(set(&[weak]).len(), 0);
}

#[test]
fn s06_a_token_without_a_key_name_is_checked_only_where_one_key_fits() {
    let one = set(&[Pair::Rsa.published("r"), Pair::P256.published("p")]);
    assert_eq!(found(&one, None), [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256]);
    let two = set(&[Pair::Rsa.published("r"), Pair::OtherRsa.published("s")]);
    assert_eq!(found(&two, None), []);
}

#[test]
fn s15_what_is_no_key_set_or_too_large_a_one_is_refused() {
    for text in ["", "[]", "{}", "null", "<html>", "{\"keys\":{}}", "{\"keys\":[", "{\"keys\":null}"] {
        assert!(matches!(KeySet::parse(text.as_bytes()), Err(KeySourceError::NotKeys(_))), "{text}");
    }
    let many = vec![json!({}); KEYS_MAX + 1];
    assert!(KeySet::parse(json!({ "keys": many }).to_string().as_bytes()).is_err());
    assert_eq!(set(&[]).len(), 0, "an empty set is one");
    let deep = format!("{{\"keys\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(KeySet::parse(deep.as_bytes()).is_err());
}
