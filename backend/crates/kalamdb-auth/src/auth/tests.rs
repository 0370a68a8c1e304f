//! Logins and tokens against stored users.

use kalamdb_commons::ErrorCode;
use kalamdb_store::{ManualClock, StoreOptions};
use kalamdb_system::{AuditOptions, UserChange};
use tempfile::TempDir;

use super::*;

const NOW: i64 = 1_700_000_000_000_000;
pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

pub(crate) struct Door {
    pub(crate) auth: Arc<Auth>,
    pub(crate) users: Arc<Users>,
    pub(crate) audit: AuditLog,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    issuers: Vec<IssuerOptions>,
    dir: TempDir,
}

impl Door {
    async fn open() -> Self {
        Self::trusting(Vec::new()).await
    }

    /// A door that takes tokens of these issuers, too.
    pub(crate) async fn trusting(issuers: Vec<IssuerOptions>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let door = Self::with(dir, NOW, 10, issuers);
        door.auth.ensure_root(Some(PASSWORD.to_owned())).await.unwrap();
        door
    }

    fn at(dir: TempDir, now: i64, attempts: u32) -> Self {
        Self::with(dir, now, attempts, Vec::new())
    }

    fn with(dir: TempDir, now: i64, attempts: u32, issuers: Vec<IssuerOptions>) -> Self {
        let clock = Arc::new(ManualClock::new(now));
        let options = StoreOptions { clock: clock.clone(), ..StoreOptions::new(dir.path()) };
        let store = Store::open(options).unwrap();
        let users = Arc::new(Users::load(&store).unwrap());
        let options = AuthOptions {
            secret: Secret::new("a secret of thirty-two bytes or more").unwrap(),
            issuer: "kalamdb".to_owned(),
            access_ttl_secs: 60,
            refresh_ttl_secs: 600,
            login_attempts_per_minute: attempts,
            issuers: issuers.clone(),
            issuer_keys: KeyOptions::default(),
        };
        let audit = AuditLog::open(store.clone(), AuditOptions::default()).unwrap();
        let auth = Arc::new(Auth::new(store.clone(), users.clone(), audit.clone(), options).unwrap());
        let followers = (users.clone(), auth.clone(), audit.clone());
        store.listen(Arc::new(move |commit| {
            followers.0.apply(commit);
            followers.1.apply(commit);
            followers.2.apply(commit);
        }));
        Door { auth, users, audit, store, clock, issuers, dir }
    }

    pub(crate) fn reopen(self) -> Self {
        let Door { auth, users, audit, store, clock, issuers, dir } = self;
        store.close();
        let now = kalamdb_store::Clock::now_micros(&*clock);
        drop((auth, users, audit, store));
        Self::with(dir, now, 10, issuers)
    }

    pub(crate) async fn create(&self, name: &str, role: Role) {
        let password_hash = self.auth.hash_password(PASSWORD).await.unwrap();
        let new = NewUser { id: UserId::new(name).unwrap(), role, password_hash, email: None };
        self.store.commit(self.users.create(new, self.auth.now()).unwrap()).await.unwrap();
    }

    pub(crate) async fn login(&self, name: &str) -> Tokens {
        self.auth.login(name, PASSWORD, HOME).await.unwrap()
    }

    fn code(&self, token: &str) -> ErrorCode {
        self.auth.verify(token).unwrap_err().code()
    }
}

#[tokio::test]
async fn a_login_gives_a_pair_that_speaks_for_the_stored_user() {
    let door = Door::open().await;
    let tokens = door.login("root").await;
    assert_eq!((tokens.user.id.as_str(), tokens.user.role), ("root", Role::System));
    assert_eq!((tokens.access_expires_at, tokens.refresh_expires_at), (NOW + 60_000_000, NOW + 600_000_000));
    let identity = door.auth.verify(&tokens.access_token).unwrap();
    assert_eq!((identity.user.as_str(), identity.role), ("root", Role::System));
    assert_eq!(identity.expires_at, tokens.access_expires_at);
    assert_ne!(identity.login, door.auth.verify(&door.login("root").await.access_token).unwrap().login);
}

#[tokio::test]
async fn s03_a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let door = Door::open().await;
    let huge = "x".repeat(2_000);
    let mut answers = Vec::new();
    for (user, password) in [("root", "wrong password"), ("nobody", PASSWORD), ("no user name", ""), ("root", &huge)] {
        let refused = door.auth.login(user, password, HOME).await.unwrap_err();
        answers.push((refused.code(), refused.to_string()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, ErrorCode::InvalidCredentials);
}

#[tokio::test]
async fn s04_the_role_is_the_stored_one_and_a_change_ends_the_token() {
    let door = Door::open().await;
    door.create("anna", Role::Dba).await;
    let anna = UserId::new("anna").unwrap();
    let tokens = door.login("anna").await;
    assert_eq!(door.auth.verify(&tokens.access_token).unwrap().role, Role::Dba);
    let change = UserChange { role: Some(Role::User), ..UserChange::default() };
    door.store.commit(door.users.alter(&anna, change, NOW).unwrap()).await.unwrap();
    assert_eq!(door.code(&tokens.access_token), ErrorCode::TokenRevoked);
    let tokens = door.login("anna").await;
    assert_eq!(door.auth.verify(&tokens.access_token).unwrap().role, Role::User);
}

#[tokio::test]
async fn s05_whatever_ends_a_users_tokens_ends_them_at_once() {
    let door = Door::open().await;
    let anna = UserId::new("anna").unwrap();
    door.create("anna", Role::User).await;
    let tokens = door.login("anna").await;
    door.store.commit(door.users.revoke_tokens(&anna, NOW).unwrap()).await.unwrap();
    assert_eq!(door.code(&tokens.access_token), ErrorCode::TokenRevoked);
    assert_eq!(door.auth.refresh(&tokens.refresh_token).await.unwrap_err().code(), ErrorCode::TokenRevoked);

    let tokens = door.login("anna").await;
    let password_hash = Some(door.auth.hash_password("another password").await.unwrap());
    let change = UserChange { password_hash, ..UserChange::default() };
    door.store.commit(door.users.alter(&anna, change, NOW).unwrap()).await.unwrap();
    assert_eq!(door.code(&tokens.access_token), ErrorCode::TokenRevoked);
    assert!(door.auth.login("anna", PASSWORD, HOME).await.is_err());

    let tokens = door.auth.login("anna", "another password", HOME).await.unwrap();
    door.store.commit(door.users.remove(&anna, false).unwrap().unwrap()).await.unwrap();
    assert_eq!(door.code(&tokens.access_token), ErrorCode::TokenRevoked);
    door.store.commit(door.users.left(&anna)).await.unwrap();
    door.clock.advance_secs(1);
    door.create("anna", Role::User).await;
    assert_eq!(door.code(&tokens.access_token), ErrorCode::TokenRevoked, "another user of that name");
}

#[tokio::test]
async fn s05_a_refresh_retires_the_old_pair_and_works_once() {
    let door = Door::open().await;
    let old = door.login("root").await;
    let new = door.auth.refresh(&old.refresh_token).await.unwrap();
    assert!(door.auth.verify(&new.access_token).is_ok());
    assert_eq!(door.code(&old.access_token), ErrorCode::TokenRevoked);
    assert_eq!(door.auth.refresh(&old.refresh_token).await.unwrap_err().code(), ErrorCode::TokenRevoked);
    let (one, two) = tokio::join!(door.auth.refresh(&new.refresh_token), door.auth.refresh(&new.refresh_token));
    assert!(one.is_ok() != two.is_ok(), "of two at the same time one gets a pair");
}

#[tokio::test]
async fn s05_a_logout_after_a_refresh_ends_the_login_and_so_its_open_connections() {
    let door = Door::open().await;
    let old = door.login("root").await;
    let login = door.auth.verify(&old.access_token).unwrap().login;
    let new = door.auth.refresh(&old.refresh_token).await.unwrap();
    assert_eq!(door.auth.verify(&new.access_token).unwrap().login, login, "a refresh goes on with the login");
    door.auth.logout(&new.access_token, HOME).await.unwrap();
    assert!(door.auth.revoked.contains(login));
    assert_eq!(door.code(&new.access_token), ErrorCode::TokenRevoked);
}

#[tokio::test]
async fn s05_a_logout_ends_its_login_and_no_other_also_after_a_restart() {
    let door = Door::open().await;
    let (one, two) = (door.login("root").await, door.login("root").await);
    door.auth.logout(&one.access_token, HOME).await.unwrap();
    let door = door.reopen();
    assert_eq!(door.code(&one.access_token), ErrorCode::TokenRevoked);
    assert_eq!(door.auth.refresh(&one.refresh_token).await.unwrap_err().code(), ErrorCode::TokenRevoked);
    assert!(door.auth.verify(&two.access_token).is_ok());
    assert_eq!(door.auth.logout(&one.access_token, HOME).await.unwrap_err().code(), ErrorCode::TokenRevoked);
}

#[tokio::test]
async fn s05_a_retired_pair_stays_so_until_its_refresh_token_has_ended() {
    let door = Door::open().await;
    let tokens = door.login("root").await;
    door.auth.logout(&tokens.access_token, HOME).await.unwrap();
    door.clock.advance_secs(599);
    let door = door.reopen();
    assert_eq!(door.code(&tokens.access_token), ErrorCode::TokenExpired);
    assert_eq!(door.auth.refresh(&tokens.refresh_token).await.unwrap_err().code(), ErrorCode::TokenRevoked);
    door.clock.advance_secs(1);
    let door = door.reopen();
    assert_eq!(door.auth.refresh(&tokens.refresh_token).await.unwrap_err().code(), ErrorCode::TokenExpired);
}

#[tokio::test]
async fn s05_a_refresh_that_races_with_a_logout_brings_no_login_back_later() {
    let door = Door::open().await;
    let old = door.login("root").await;
    door.clock.advance_secs(30);
    let (grant, _) = door.auth.granted(&old.access_token, TokenUse::Access).unwrap();
    let new = door.auth.refresh(&old.refresh_token).await.unwrap();
    // As the logout does that had looked at the old token just before it was retired.
    door.auth.end_login(&grant, HOME).await.unwrap();
    assert!(new.refresh_expires_at > old.refresh_expires_at);
    door.clock.advance_secs(571);
    let door = door.reopen();
    assert_eq!(door.auth.refresh(&new.refresh_token).await.unwrap_err().code(), ErrorCode::TokenRevoked);
}

#[tokio::test]
async fn s08_wrong_passwords_are_limited_and_right_ones_are_not() {
    let door = Door::open().await;
    for _ in 0..15 {
        door.login("root").await;
    }
    let mut limited = 0;
    for _ in 0..12 {
        match door.auth.login("root", "wrong password", HOME).await.unwrap_err() {
            AuthError::RateLimited { retry_after_secs } => {
                assert!((1..=60).contains(&retry_after_secs));
                limited += 1;
            }
            error => assert_eq!(error.code(), ErrorCode::InvalidCredentials),
        }
    }
    assert_eq!(limited, 2);
    door.clock.advance_secs(60);
    door.login("root").await;
}

#[tokio::test]
async fn s02_root_gets_a_random_password_that_is_told_once() {
    let door = Door::at(tempfile::tempdir().unwrap(), NOW, 0);
    let RootOutcome::Created { password: Some(made_up) } = door.auth.ensure_root(None).await.unwrap() else {
        panic!("a password is made up")
    };
    assert!(door.auth.login("root", &made_up, HOME).await.is_ok());
    assert_eq!(door.auth.ensure_root(None).await.unwrap(), RootOutcome::Present);
    let again = door.auth.ensure_root(Some(PASSWORD.to_owned())).await.unwrap();
    assert_eq!(again, RootOutcome::Present);
    assert!(door.auth.login("root", PASSWORD, HOME).await.is_err(), "it is set at the first start only");
    let door = door.reopen();
    assert_eq!(door.auth.ensure_root(None).await.unwrap(), RootOutcome::Present);
}

#[tokio::test]
async fn s02_root_gets_no_empty_or_short_password() {
    let door = Door::at(tempfile::tempdir().unwrap(), NOW, 0);
    for password in ["", "root"] {
        let refused = door.auth.ensure_root(Some(password.to_owned())).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::ConstraintViolation);
    }
    let given = door.auth.ensure_root(Some(PASSWORD.to_owned())).await.unwrap();
    assert_eq!(given, RootOutcome::Created { password: None });
}

#[tokio::test]
async fn s09_nothing_that_can_be_printed_holds_a_secret() {
    let door = Door::open().await;
    let tokens = door.login("root").await;
    let outcome = RootOutcome::Created { password: Some(PASSWORD.to_owned()) };
    let shown = format!("{:?} {tokens:?} {outcome:?} {:?}", door.auth, door.users);
    let hash = &tokens.user.password_hash;
    for secret in [PASSWORD, "thirty-two bytes", &tokens.access_token, &tokens.refresh_token, hash] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
