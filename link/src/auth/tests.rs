use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::transport::{NetworkError, Socket};

/// Answers logins from a list; its clock stands where it is set.
struct Offline {
    answers: Mutex<Vec<(u16, String)>>,
    asked: AtomicUsize,
    unix: Mutex<Duration>,
}

impl Offline {
    fn new(answers: &[(u16, &str)]) -> Self {
        let answers = answers.iter().rev().map(|(status, body)| (*status, (*body).to_owned())).collect();
        // 2030-01-01T00:00:00Z
        let unix = Mutex::new(Duration::from_secs(1_893_456_000));
        Offline { answers: Mutex::new(answers), asked: AtomicUsize::new(0), unix }
    }
}

impl Transport for Offline {
    fn open(&self, _url: &str) -> BoxFuture<'static, std::result::Result<Box<dyn Socket>, NetworkError>> {
        Box::pin(async { Err(NetworkError("offline".to_owned())) })
    }

    fn post(&self, request: HttpRequest) -> BoxFuture<'static, std::result::Result<HttpResponse, NetworkError>> {
        assert!(request.url.ends_with("/v1/api/auth/login") && request.bearer.is_none());
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.lock().unwrap().pop();
        Box::pin(async move {
            let (status, body) = answer.ok_or_else(|| NetworkError("offline".to_owned()))?;
            Ok(HttpResponse { status, body })
        })
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn spawn(&self, _task: BoxFuture<'static, ()>) {}

    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn unix_now(&self) -> Duration {
        *self.unix.lock().unwrap()
    }

    fn random(&self) -> f64 {
        0.0
    }
}

fn login(token: &str, expires_at: &str) -> String {
    serde_json::json!({
        "user": {"id": "anna", "role": "user", "created_at": "", "updated_at": ""}, "admin_ui_access": false,
        "expires_at": expires_at, "access_token": token, "refresh_token": "r", "refresh_expires_at": "",
    })
    .to_string()
}

fn anna() -> Authenticator {
    let credentials = Credentials::Password { user: "anna".to_owned(), password: "pw".to_owned() };
    Authenticator::new(credentials, "http://localhost", Duration::from_secs(1))
}

async fn held(authenticator: &Authenticator, transport: &Offline) -> Result<String> {
    authenticator.token(transport, Freshness::Held, None).await.map(|token| token.text)
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let transport =
        Offline::new(&[(200, &login("a", "2030-01-01T01:00:00Z")), (200, &login("b", "2030-01-01T02:00:00Z"))]);
    let authenticator = anna();
    for _ in 0..3 {
        assert_eq!(held(&authenticator, &transport).await.unwrap(), "a");
    }
    *transport.unix.lock().unwrap() += Duration::from_secs(3589);
    assert_eq!(held(&authenticator, &transport).await.unwrap(), "a");
    *transport.unix.lock().unwrap() += Duration::from_secs(2);
    assert_eq!(held(&authenticator, &transport).await.unwrap(), "b");
    assert_eq!(transport.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_short_life_or_a_wrong_clock_makes_no_login_of_every_statement() {
    for expires_at in ["2030-01-01T00:00:04Z", "2020-01-01T00:00:00Z", "nonsense"] {
        let transport = Offline::new(&[(200, &login("a", expires_at))]);
        let authenticator = anna();
        for _ in 0..3 {
            assert_eq!(held(&authenticator, &transport).await.unwrap(), "a", "{expires_at}");
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_who_were_refused() {
    let transport =
        Offline::new(&[(200, &login("a", "2030-01-01T01:00:00Z")), (200, &login("b", "2030-01-01T02:00:00Z"))]);
    let authenticator = anna();
    held(&authenticator, &transport).await.unwrap();
    for _ in 0..3 {
        let fresh = authenticator.token(&transport, Freshness::Fresh, Some("a")).await.unwrap();
        assert_eq!(fresh.text, "b");
    }
}

#[tokio::test]
async fn what_a_login_is_answered_decides_if_it_is_tried_again() {
    let wrong = r#"{"error":"unauthorized","message":"wrong user or password"}"#;
    let answers = [(401, wrong), (429, "{}"), (503, "{}"), (500, "oops"), (200, "{}"), (404, "{}")];
    let transport = Offline::new(&answers);
    let authenticator = anna();
    let mut errors = Vec::new();
    for _ in answers.iter().chain([&(0, "")]) {
        errors.push(held(&authenticator, &transport).await.unwrap_err());
    }
    assert_eq!(errors[0], Error::Auth("wrong user or password".to_owned()));
    let codes: Vec<&str> = errors.iter().map(Error::code).collect();
    let wanted =
        ["AUTH_FAILED", "RATE_LIMIT_EXCEEDED", "UNAVAILABLE", "NETWORK", "BAD_ANSWER", "BAD_ANSWER", "NETWORK"];
    assert_eq!(codes, wanted);
}

#[tokio::test]
async fn a_token_of_the_program_cannot_be_replaced_and_a_provider_is_asked_anew() {
    let transport = Offline::new(&[]);
    let fixed = Authenticator::new(Credentials::Token("t".to_owned()), "http://localhost", Duration::from_secs(1));
    assert_eq!(held(&fixed, &transport).await.unwrap(), "t");
    let refused = fixed.token(&transport, Freshness::Fresh, Some("t")).await;
    assert!(matches!(refused, Err(Error::Auth(_))));
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let counting = count.clone();
    let provider = move || {
        let n = counting.fetch_add(1, Ordering::SeqCst);
        async move { Ok(format!("t{n}")) }
    };
    let asked =
        Authenticator::new(Credentials::Provider(Box::new(provider)), "http://localhost", Duration::from_secs(1));
    assert_eq!(held(&asked, &transport).await.unwrap(), "t0");
    assert_eq!(held(&asked, &transport).await.unwrap(), "t0");
    let connects = asked.token(&transport, Freshness::Connect, None).await.unwrap();
    assert_eq!(connects.text, "t1", "before every connection");
    assert_eq!(held(&asked, &transport).await.unwrap(), "t1");
}
