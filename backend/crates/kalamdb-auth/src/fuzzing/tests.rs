use kalamdb_commons::UserId;
use kalamdb_commons::fuzzing::{Edit, mutated};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::token::Grant;

/// Tokens of another key: everything about them is right but the signature.
fn foreign_token() -> Vec<u8> {
    let keys = TokenKeys::new(&Secret::new([8; 32]).unwrap(), "kalamdb");
    let grant = Grant {
        user: UserId::new("anna").unwrap(),
        pair: 1,
        login: 2,
        tokens_valid_after: 0,
        expires_secs: i64::MAX / 2_000_000,
        pair_expires_secs: i64::MAX / 2_000_000,
    };
    keys.issue(&grant, TokenUse::Access, NOW).unwrap().into_bytes()
}

const KEYS: &[u8] = br#"{"keys":[
    {"kty":"EC","crv":"P-256","kid":"a","use":"sig","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
    {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#;

fn hostile(seed: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let tampered = vec(any::<Edit>(), 0..4).prop_map(move |edits| mutated(&seed, &edits));
    prop_oneof![1 => any::<String>().prop_map(String::into_bytes), 4 => tampered]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s23_tokens_that_nobody_signed_are_refused(data in hostile(foreign_token())) {
        token(&data);
    }

    #[test]
    fn s23_key_sets_are_read_or_refused(data in hostile(KEYS.to_vec())) {
        key_set(&data);
    }
}
