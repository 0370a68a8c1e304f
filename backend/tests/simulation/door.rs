//! The server's HTTP door, for clients that do not break when it is shut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use kalamdb_testkit::PATIENCE;
use serde_json::{Value as Json, json};

/// An HTTP client that follows the server from port to port.
#[derive(Debug, Clone)]
pub struct Door {
    client: reqwest::Client,
    port: Arc<AtomicU16>,
}

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    /// Results, one per statement.
    Done(Vec<Json>),
    /// An error.
    Refused(Refusal),
    /// Nobody was there to take the request.
    Nobody,
    /// The request was sent and there was no answer.
    Lost,
}

/// An error as the server tells it.
#[derive(Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// Text for people.
    pub message: String,
}

impl Door {
    /// A door that is nowhere yet.
    pub fn new() -> Self {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        Door { client, port: Arc::default() }
    }

    /// The server is here now.
    pub fn moved(&self, addr: SocketAddr) {
        self.port.store(addr.port(), Ordering::SeqCst);
    }

    /// Where the server is, or was last.
    pub fn addr(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port.load(Ordering::SeqCst)).into()
    }

    async fn post(&self, path: &str, bearer: Option<&str>, body: &Json) -> Result<(u16, Json), Answer> {
        let url = format!("http://{}{path}", self.addr());
        let mut request = self.client.post(url).header("content-type", "application/json").body(body.to_string());
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| {
            assert!(!error.is_timeout(), "the server does not answer {body}");
            if error.is_connect() { Answer::Nobody } else { Answer::Lost }
        })?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|_| Answer::Lost)?;
        Ok((status, serde_json::from_str(&text).map_err(|_| Answer::Lost)?))
    }

    /// Runs SQL.
    pub async fn sql(&self, token: &str, sql: &str, params: &[Json]) -> Answer {
        let body = json!({ "sql": sql, "params": params });
        let (status, body) = match self.post("/v1/api/sql", Some(token), &body).await {
            Ok(answer) => answer,
            Err(nothing) => return nothing,
        };
        if status == 200 && body["status"] == "success" {
            return Answer::Done(body["results"].as_array().cloned().unwrap_or_default());
        }
        let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
        let error = &body["error"];
        Answer::Refused(Refusal { status, code: text(&error["code"]), message: text(&error["message"]) })
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// What was answered instead.
    pub async fn rows(&self, token: &str, sql: &str, params: &[Json]) -> Result<Vec<Vec<Json>>, Answer> {
        match self.sql(token, sql, params).await {
            Answer::Done(results) => {
                let rows = results.last().and_then(|result| result["rows"].as_array().cloned()).unwrap_or_default();
                Ok(rows.into_iter().map(|row| row.as_array().cloned().unwrap_or_default()).collect())
            }
            other => Err(other),
        }
    }

    /// Logs in and gives the access token; `None` if the server does not know this user or password.
    pub async fn login(&self, user: &str, password: &str) -> Option<String> {
        let body = json!({ "user": user, "password": password });
        let (status, body) = self.post("/v1/api/auth/login", None, &body).await.ok()?;
        (status == 200).then(|| body["access_token"].as_str().unwrap_or_default().to_owned())
    }
}

/// A seq on the wire: a number or digits.
pub fn seq_of(json: &Json) -> Option<u64> {
    json.as_u64().or_else(|| json.as_str()?.parse().ok())
}
