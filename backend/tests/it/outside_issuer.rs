//! An issuer of tokens that is not ours, with an HTTP server for its keys that can be made to misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kalamdb_store::{Clock as _, SystemClock};
use kalamdb_testkit::{Session, TestServer};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

const P256: &[u8] = include_bytes!("../../crates/kalamdb-auth/tests/keys/p256.pem");
const RSA: &[u8] = include_bytes!("../../crates/kalamdb-auth/tests/keys/rsa.pem");
/// The public half of [`RSA`], as anybody may have it.
pub const RSA_PUBLIC: &[u8] = include_bytes!("../../crates/kalamdb-auth/tests/keys/rsa_public.pem");

/// Name of the issuer in its tokens.
pub const NAME: &str = "https://id.example.com/";

/// What the server of the keys says.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These keys.
    Keys(Vec<Json>),
    /// This status and text.
    Status(&'static str, String),
    /// Go elsewhere.
    Redirect(String),
    /// Bytes without an end.
    Endless,
    /// Nothing, until it is told another answer.
    Silence,
}

/// The issuer. It ends with the test.
#[derive(Debug, Clone)]
pub struct OutsideIssuer {
    addr: SocketAddr,
    answer: Arc<watch::Sender<Answer>>,
    asked: Arc<Mutex<usize>>,
    was_asked: Arc<Notify>,
}

/// The time, in whole seconds since the Unix epoch.
pub fn now_secs() -> i64 {
    SystemClock.now_micros() / 1_000_000
}

/// A public key of the elliptic kind under this name, as it is published.
pub fn p256_key(name: &str) -> Json {
    published(&EncodingKey::from_ec_pem(P256).unwrap(), Algorithm::ES256, name)
}

/// The RSA key under this name, as it is published.
pub fn rsa_key(name: &str) -> Json {
    published(&EncodingKey::from_rsa_pem(RSA).unwrap(), Algorithm::RS256, name)
}

fn published(key: &EncodingKey, algorithm: Algorithm, name: &str) -> Json {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    jwk["kid"] = json!(name);
    jwk["use"] = json!("sig");
    jwk
}

/// A token of this user that lives so many seconds. It is given out a second from now, which is near enough,
/// so that a user made within this second was there before it.
pub fn claims(user: &str, lives_secs: i64) -> Json {
    json!({ "iss": NAME, "aud": "kalamdb", "sub": user, "iat": now_secs() + 1, "exp": now_secs() + lives_secs })
}

/// Signed with the key that is published as [`p256_key`] of this name.
pub fn p256_token(name: &str, claims: &Json) -> String {
    let header = Header { kid: Some(name.to_owned()), ..Header::new(Algorithm::ES256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_pem(P256).unwrap()).unwrap()
}

/// Signed with the key that is published as [`rsa_key`] of this name.
pub fn rsa_token(name: &str, claims: &Json) -> String {
    let header = Header { kid: Some(name.to_owned()), ..Header::new(Algorithm::RS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_rsa_pem(RSA).unwrap()).unwrap()
}

/// A session with a token of the issuer.
pub fn session(server: &TestServer, user: &str, token: String) -> Session {
    Session { http: server.http(), user: user.to_owned(), access_token: token, refresh_token: String::new() }
}

impl OutsideIssuer {
    /// An issuer with one key, named `one`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (answer, answers) = watch::channel(Answer::Keys(vec![p256_key("one")]));
        let issuer = OutsideIssuer {
            addr: listener.local_addr().unwrap(),
            answer: Arc::new(answer),
            asked: Arc::default(),
            was_asked: Arc::default(),
        };
        let served = (Arc::clone(&issuer.asked), Arc::clone(&issuer.was_asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *served.0.lock().unwrap() += 1;
                served.1.notify_one();
                tokio::spawn(serve(stream, answers.clone()));
            }
        });
        issuer
    }

    /// Says something else from now on.
    pub fn says(&self, answer: Answer) {
        self.answer.send_replace(answer);
    }

    /// Where its keys are.
    pub fn url(&self) -> String {
        format!("http://{}/jwks.json", self.addr)
    }

    /// How often it was asked.
    pub fn times_asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    /// Waits until it is asked again.
    pub async fn is_asked(&self) {
        tokio::time::timeout(kalamdb_testkit::PATIENCE, self.was_asked.notified())
            .await
            .expect("the keys are asked for");
    }

    /// The setting that trusts it, with further members.
    pub fn setting(&self, more: &Json) -> String {
        let mut issuer = json!({ "issuer": NAME, "audiences": ["kalamdb"], "jwks_url": self.url() });
        issuer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([issuer]).to_string()
    }

    /// A server that trusts it and looks for unknown keys without a pause.
    pub async fn trusted(&self, more: &Json) -> TestServer {
        let setting = self.setting(more);
        TestServer::with(&[("auth.trusted_issuers", &setting), ("auth.jwks_min_refresh_secs", "0")]).await
    }
}

async fn serve(mut stream: TcpStream, mut answers: watch::Receiver<Answer>) {
    let mut head = [0; 4096];
    let Ok(_) = stream.read(&mut head).await else { return };
    let answer = loop {
        let answer = answers.borrow_and_update().clone();
        if !matches!(answer, Answer::Silence) {
            break answer;
        }
        if answers.changed().await.is_err() {
            return;
        }
    };
    let (status, more, body) = match answer {
        Answer::Keys(keys) => ("200 OK", String::new(), json!({ "keys": keys }).to_string()),
        Answer::Status(status, body) => (status, String::new(), body),
        Answer::Redirect(to) => ("302 Found", format!("location: {to}\r\n"), String::new()),
        Answer::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
            while stream.write_all(&[b' '; 4096]).await.is_ok() {}
            return;
        }
        Answer::Silence => return,
    };
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let _ = stream.write_all(text.as_bytes()).await;
}
