//! Hashing, checking, and the line in front of it.

use std::cell::RefCell;

use super::*;

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn s03_a_hash_is_argon2id_with_a_salt_of_its_own() {
    let passwords = Passwords::new();
    let (one, two) = (passwords.hash(PASSWORD).await.unwrap(), passwords.hash(PASSWORD).await.unwrap());
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
    assert_ne!(one, two);
}

#[tokio::test]
async fn only_the_password_that_was_hashed_is_right() {
    let passwords = Passwords::new();
    let hash = passwords.hash(PASSWORD).await.unwrap();
    for (password, hash, right) in [
        (PASSWORD, Some(&hash), true),
        ("correct horse battery stapl", Some(&hash), false),
        ("", Some(&hash), false),
        (PASSWORD, None, false),
    ] {
        let turn = passwords.turn().await.unwrap();
        assert_eq!(passwords.verify(turn, password, hash.cloned()).await.unwrap(), right, "{password:?}");
    }
}

/// Argon2, and what it was asked to hash with: each parameter has its part in the cost.
struct Observed(Argon2<'static>, RefCell<Vec<Params>>);

impl PasswordHasher<PasswordHash> for Observed {
    fn hash_password_with_salt(&self, password: &[u8], salt: &[u8]) -> password_hash::Result<PasswordHash> {
        let hash: PasswordHash = self.0.hash_password_with_salt(password, salt)?;
        self.1.borrow_mut().push(Params::try_from(&hash)?);
        Ok(hash)
    }
}

impl PasswordVerifier<str> for Observed {
    fn verify_password(&self, password: &[u8], hash: &str) -> password_hash::Result<()> {
        self.1.borrow_mut().push(Params::try_from(&PasswordHash::new(hash)?)?);
        self.0.verify_password(password, hash)
    }
}

#[test]
fn s03_no_hash_to_compare_with_costs_as_much_as_a_wrong_password() {
    let argon2 = Passwords::new().argon2;
    let hash = argon2.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let work = |hash: Option<&str>| {
        let observed = Observed(argon2.clone(), RefCell::default());
        assert!(!check(&observed, b"wrong password", hash).unwrap());
        let work = observed.1.into_inner();
        work.iter().map(|params| (params.m_cost(), params.t_cost(), params.p_cost())).collect::<Vec<_>>()
    };
    assert_eq!(work(Some(&hash)), [(19_456, 2, 1)]);
    assert_eq!(work(None), work(Some(&hash)));
}

#[tokio::test]
async fn a_password_to_be_is_neither_short_nor_huge() {
    let passwords = Passwords::new();
    for bad in ["", "short", "1234567", &"x".repeat(1025)] {
        let refused = passwords.hash(bad).await.unwrap_err();
        assert_eq!(refused.code(), kalamdb_commons::ErrorCode::ConstraintViolation, "{} bytes", bad.len());
    }
    assert!(check_length("12345678").is_ok() && check_length(&"x".repeat(1024)).is_ok());
}

#[test]
fn s02_made_up_passwords_are_long_and_never_the_same() {
    let made: std::collections::HashSet<String> = (0..100).map(|_| make_up().unwrap()).collect();
    assert_eq!(made.len(), 100);
    assert!(made.iter().all(|password| password.len() == 26 && password.bytes().all(|b| LETTERS.contains(&b))));
}

#[tokio::test]
async fn s15_only_so_many_wait_to_be_hashed() {
    let passwords = Arc::new(Passwords::new());
    let room = passwords.inside.available_permits();
    let waiting: Vec<_> = (0..room)
        .map(|_| {
            let passwords = Arc::clone(&passwords);
            tokio::spawn(async move { passwords.turn().await.map(std::mem::forget) })
        })
        .collect();
    while passwords.inside.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(passwords.turn().await, Err(AuthError::RateLimited { .. })));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
