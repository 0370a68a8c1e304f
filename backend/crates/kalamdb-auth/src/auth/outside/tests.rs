//! Tokens of other issuers, and the users they speak for.

use std::sync::Arc;

use kalamdb_system::UserChange;

use super::*;
use crate::auth::tests::{Door, HOME, PASSWORD};
use crate::outside::fixtures::*;
use crate::outside::{IssuerOptions, KeyOptions};

async fn door(change: impl FnOnce(&mut IssuerOptions)) -> Door {
    let mut options = options(&Arc::new(GivenKeys::of(&[Pair::P256.published("k")])));
    change(&mut options);
    let door = Door::trusting(vec![options]).await;
    door.auth.upkeep().await;
    door.create("anna", Role::User).await;
    door
}

/// A token that was given out just after the users were made.
fn token(user: &str) -> String {
    signed(Pair::P256, "k", &claims(user))
}

async fn code(door: &Door, token: &str) -> ErrorCode {
    door.auth.admit(token, HOME).await.unwrap_err().code()
}

#[tokio::test]
async fn s06_a_token_speaks_for_the_stored_user_of_its_name() {
    let door = door(|_| ()).await;
    let identity = door.auth.admit(&token("anna"), HOME).await.unwrap();
    assert_eq!((identity.user.as_str(), identity.role, identity.expires_at), ("anna", Role::User, NOW + 60_000_000));
    assert_eq!(door.auth.verify(&token("anna")).unwrap(), identity);
    assert_eq!(code(&door, &token("nobody")).await, ErrorCode::InvalidCredentials);
    assert!(door.users.get(&UserId::new("nobody").unwrap()).is_none());
    let ours = door.login("anna").await;
    assert!(door.auth.admit(&ours.access_token, HOME).await.is_ok(), "our own go on");
}

#[tokio::test]
async fn s06_without_configured_issuers_only_our_own_tokens_are_taken() {
    let door = Door::trusting(Vec::new()).await;
    door.create("anna", Role::User).await;
    assert_eq!(code(&door, &token("anna")).await, ErrorCode::InvalidCredentials);
    assert_eq!(door.auth.refresh(&token("anna")).await.unwrap_err().code(), ErrorCode::InvalidCredentials);
}

#[tokio::test]
async fn s04_an_issuer_speaks_for_those_above_user_only_where_it_was_named_for_them() {
    let door = door(|options| options.elevated_users = vec![UserId::new("ops").unwrap(), UserId::root()]).await;
    for (name, role) in [("ops", Role::Dba), ("robot", Role::Service), ("boss", Role::System)] {
        door.create(name, role).await;
    }
    assert_eq!(door.auth.admit(&token("ops"), HOME).await.unwrap().role, Role::Dba);
    for name in ["robot", "boss", "root"] {
        assert_eq!(code(&door, &token(name)).await, ErrorCode::PermissionDenied, "{name}");
    }
    let claims = serde_json::json!({ "role": "system", "roles": ["dba"], "scope": "admin" });
    let mut with_role = crate::outside::fixtures::claims("anna");
    with_role.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let identity = door.auth.admit(&signed(Pair::P256, "k", &with_role), HOME).await.unwrap();
    assert_eq!(identity.role, Role::User, "claims give no role");
}

#[tokio::test]
async fn s06_a_user_is_made_at_first_sight_where_that_is_configured_and_only_as_user() {
    let door = door(|options| options.create_users = true).await;
    let ben = UserId::new("ben").unwrap();
    assert_eq!(door.auth.verify(&token("ben")).unwrap_err().code(), ErrorCode::InvalidCredentials, "a look makes none");
    let all = futures(&door, &token("ben")).await;
    assert!(all.iter().all(|identity| identity.role == Role::User && identity.user == ben));
    assert_eq!(door.users.get(&ben).unwrap().email, None);
    for password in ["", "x", PASSWORD] {
        assert!(door.auth.login("ben", password, HOME).await.is_err(), "it has no password");
    }
    assert_eq!(code(&door, &token("root")).await, ErrorCode::PermissionDenied);
    let mut log = door.audit.read();
    let rows = log.next_rows().unwrap();
    let made: Vec<_> = rows.iter().filter(|row| row[6] == kalamdb_commons::Value::text("ben")).collect();
    assert_eq!(made.len(), 1, "{rows:?}");
}

async fn futures(door: &Door, token: &str) -> [Identity; 3] {
    let admit = || door.auth.admit(token, HOME);
    let (one, two, three) = tokio::join!(admit(), admit(), admit());
    [one.unwrap(), two.unwrap(), three.unwrap()]
}

#[tokio::test]
async fn s05_whatever_ends_a_users_tokens_ends_those_of_other_issuers_that_were_given_out_before() {
    let door = door(|_| ()).await;
    let anna = UserId::new("anna").unwrap();
    door.clock.advance_secs(10);
    door.store.commit(door.users.revoke_tokens(&anna, NOW + 10_000_000).unwrap()).await.unwrap();
    assert_eq!(code(&door, &token("anna")).await, ErrorCode::TokenRevoked);
    let mut later = claims("anna");
    later["iat"] = serde_json::json!(NOW_SECS + 10);
    let later = signed(Pair::P256, "k", &later);
    assert!(door.auth.admit(&later, HOME).await.is_ok());
    let change = UserChange { role: Some(Role::Dba), ..UserChange::default() };
    door.store.commit(door.users.alter(&anna, change, NOW + 20_000_000).unwrap()).await.unwrap();
    assert_eq!(code(&door, &later).await, ErrorCode::PermissionDenied, "nor was the issuer named for a dba");
    door.store.commit(door.users.remove(&anna, false).unwrap().unwrap()).await.unwrap();
    assert_eq!(code(&door, &later).await, ErrorCode::InvalidCredentials);
}

#[tokio::test]
async fn s05_a_logout_ends_the_token_until_its_time_is_up_also_after_a_restart() {
    let door = door(|_| ()).await;
    let mut other = claims("anna");
    other["jti"] = serde_json::json!("another");
    let other = signed(Pair::P256, "k", &other);
    door.auth.logout(&token("anna"), HOME).await.unwrap();
    assert_eq!(code(&door, &token("anna")).await, ErrorCode::TokenRevoked, "signed anew it is the same token");
    assert_eq!(door.auth.logout(&token("anna"), HOME).await.unwrap_err().code(), ErrorCode::TokenRevoked);
    assert!(door.auth.admit(&other, HOME).await.is_ok());
    let door = door.reopen();
    door.auth.upkeep().await;
    assert_eq!(code(&door, &token("anna")).await, ErrorCode::TokenRevoked);
    door.clock.advance_secs(60);
    assert_eq!(code(&door, &token("anna")).await, ErrorCode::TokenExpired);
    let door = door.reopen();
    assert_eq!(door.auth.revoked.len(), 0, "an ended token need not be remembered");
}

#[tokio::test]
async fn s06_a_token_of_another_issuer_cannot_be_refreshed_here() {
    let door = door(|_| ()).await;
    let refused = door.auth.refresh(&token("anna")).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unsupported);
    assert!(refused.to_string().contains("where it was given out"));
}

#[tokio::test]
async fn s06_a_new_key_is_found_when_a_token_names_it() {
    let keys = Arc::new(GivenKeys::of(&[Pair::P256.published("k")]));
    let door = Door::trusting(vec![options(&keys)]).await;
    door.create("anna", Role::User).await;
    assert!(door.auth.admit(&token("anna"), HOME).await.is_ok(), "the first token fetches the keys");
    keys.give(&[Pair::Rsa.published("new")]);
    let new = signed(Pair::Rsa, "new", &claims("anna"));
    assert_eq!(code(&door, &new).await, ErrorCode::InvalidCredentials, "the issuer was asked just now");
    door.clock.advance_secs(KeyOptions::default().min_refresh_secs as i64);
    assert!(door.auth.admit(&new, HOME).await.is_ok());
    assert_eq!(code(&door, &token("anna")).await, ErrorCode::InvalidCredentials, "the old key is gone");
    assert_eq!(keys.times_asked(), 2);
}

#[tokio::test]
async fn s08_tokens_that_are_made_up_are_counted_in_the_audit_log() {
    let door = door(|_| ()).await;
    for _ in 0..20 {
        let forged = signed(Pair::Rsa, "k", &claims("anna"));
        assert_eq!(code(&door, &forged).await, ErrorCode::InvalidCredentials);
    }
    door.auth.admit("a.b.c", HOME).await.unwrap_err();
    door.audit.flush().await;
    let mut log = door.audit.read();
    let mut failed = Vec::new();
    loop {
        let rows = log.next_rows().unwrap();
        if rows.is_empty() {
            break;
        }
        failed.extend(rows.into_iter().filter(|row| row[5] == kalamdb_commons::Value::text("TOKEN")));
    }
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0][9], kalamdb_commons::Value::BigInt(20));
}
