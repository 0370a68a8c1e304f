//! The HTTP side of the wire, spoken by hand.

use std::net::SocketAddr;

use reqwest::header::HeaderMap;
use serde_json::{Value as Json, json};

use crate::PATIENCE;
use crate::socket::Socket;

/// An HTTP client of one server.
#[derive(Debug, Clone)]
pub struct Http {
    addr: SocketAddr,
    client: reqwest::Client,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body; a string if it is not JSON.
    pub body: Json,
}

impl Http {
    /// A client of the server at `addr`.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        // The client of the workspace leaves open who does its TLS, and asks even where there is none.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("an HTTP client");
        Http { addr, client }
    }

    /// Where the server is.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    async fn send(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the answer has a body");
        let body = serde_json::from_str(&text).unwrap_or(Json::String(text));
        Answer { status, headers, body }
    }

    /// `GET path`, with a bearer token if there is one.
    pub async fn get(&self, path: &str, bearer: Option<&str>) -> Answer {
        let mut request = self.client.get(self.url(path));
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        Self::send(request).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, bearer: Option<&str>, body: &Json) -> Answer {
        self.post_text(path, bearer, body.to_string()).await
    }

    /// `POST path` with any body, said to be JSON.
    pub async fn post_text(&self, path: &str, bearer: Option<&str>, body: impl Into<reqwest::Body>) -> Answer {
        let mut request = self.client.post(self.url(path)).header("content-type", "application/json").body(body);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        Self::send(request).await
    }

    /// A request of one's own making.
    pub async fn request(&self, build: impl FnOnce(&reqwest::Client, &str) -> reqwest::RequestBuilder) -> Answer {
        Self::send(build(&self.client, &format!("http://{}", self.addr))).await
    }

    /// `POST /v1/api/sql`, whatever comes back.
    pub async fn sql(&self, bearer: Option<&str>, sql: &str, params: &[Json]) -> Answer {
        self.post("/v1/api/sql", bearer, &json!({ "sql": sql, "params": params })).await
    }

    /// Tries to log in.
    pub async fn try_login(&self, user: &str, password: &str) -> Answer {
        self.post("/v1/api/auth/login", None, &json!({ "user": user, "password": password })).await
    }

    /// Logs in.
    pub async fn login(&self, user: &str, password: &str) -> Session {
        let answer = self.try_login(user, password).await;
        assert_eq!(answer.status, 200, "{user} logs in: {:?}", answer.body);
        Session::from_login(self.clone(), &answer.body)
    }
}

/// One user over HTTP.
#[derive(Debug, Clone)]
pub struct Session {
    /// The server.
    pub http: Http,
    /// The user's name.
    pub user: String,
    /// Bearer of all routes but refresh.
    pub access_token: String,
    /// Bearer of the refresh route.
    pub refresh_token: String,
}

/// What one statement did.
#[derive(Debug, Clone)]
pub struct SqlResult {
    /// The result as it came.
    pub json: Json,
}

impl SqlResult {
    /// The rows, cells by position.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<Json>> {
        let rows = self.json["rows"].as_array().expect("rows is an array");
        rows.iter().map(|row| row.as_array().expect("a row is an array").clone()).collect()
    }

    /// Rows returned or affected.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.json["row_count"].as_u64().expect("row_count is a number")
    }

    /// SeqId of the commit.
    #[must_use]
    pub fn seq(&self) -> u64 {
        seq_of(&self.json["seq"]).expect("a write has a seq")
    }

    /// Column names.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let schema = self.json["schema"].as_array().expect("schema is an array");
        schema.iter().map(|field| field["name"].as_str().expect("a column has a name").to_owned()).collect()
    }

    /// Column types, as JSON.
    #[must_use]
    pub fn types(&self) -> Vec<Json> {
        let schema = self.json["schema"].as_array().expect("schema is an array");
        schema.iter().map(|field| field["data_type"].clone()).collect()
    }

    /// Rows as objects.
    #[must_use]
    pub fn objects(&self) -> Vec<Json> {
        let columns = self.columns();
        let object = |row: Vec<Json>| Json::Object(columns.iter().cloned().zip(row).collect());
        self.rows().into_iter().map(object).collect()
    }
}

/// A seq on the wire: a number or digits.
pub(crate) fn seq_of(json: &Json) -> Option<u64> {
    json.as_u64().or_else(|| json.as_str()?.parse().ok())
}

/// Why SQL failed.
#[derive(Debug, Clone)]
pub struct SqlFailure {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// Which statement.
    pub details: Option<String>,
    /// Where in the SQL.
    pub position: Option<u64>,
    /// Results of the statements before the failing one.
    pub results: Vec<Json>,
}

impl std::fmt::Display for SqlFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for SqlFailure {}

impl Session {
    pub(crate) fn from_login(http: Http, body: &Json) -> Self {
        let text = |json: &Json| json.as_str().unwrap_or_else(|| panic!("a login answer: {body}")).to_owned();
        Session {
            http,
            user: text(&body["user"]["id"]),
            access_token: text(&body["access_token"]),
            refresh_token: text(&body["refresh_token"]),
        }
    }

    /// Runs several statements.
    ///
    /// # Errors
    /// [`SqlFailure`] as the server tells it.
    pub async fn try_all(&self, sql: &str, params: &[Json]) -> Result<Vec<SqlResult>, SqlFailure> {
        let answer = self.http.sql(Some(&self.access_token), sql, params).await;
        read_sql_answer(&answer)
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// [`SqlFailure`] as the server tells it.
    pub async fn try_sql(&self, sql: &str) -> Result<SqlResult, SqlFailure> {
        Ok(last(self.try_all(sql, &[]).await?))
    }

    /// Runs SQL that succeeds; the result of its last statement.
    pub async fn sql(&self, sql: &str) -> SqlResult {
        self.sql_with(sql, &[]).await
    }

    /// Runs SQL with parameters that succeeds; the result of its last statement.
    pub async fn sql_with(&self, sql: &str, params: &[Json]) -> SqlResult {
        match self.try_all(sql, params).await {
            Ok(results) => last(results),
            Err(failure) => panic!("{sql}: {failure:?}"),
        }
    }

    /// Runs SQL that fails.
    pub async fn sql_fails(&self, sql: &str) -> SqlFailure {
        match self.try_all(sql, &[]).await {
            Err(failure) => failure,
            Ok(results) => panic!("{sql}: succeeded with {results:?}"),
        }
    }

    /// Rows of a query.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<Json>> {
        self.sql(sql).await.rows()
    }

    /// The only cell of a query's only row.
    pub async fn cell(&self, sql: &str) -> Json {
        let rows = self.rows(sql).await;
        assert!(rows.len() == 1 && rows[0].len() == 1, "{sql}: one cell, got {rows:?}");
        rows[0][0].clone()
    }

    /// Runs a query again and again until its rows are as wanted.
    pub async fn until_rows(&self, sql: &str, wanted: impl Fn(&[Vec<Json>]) -> bool) {
        let mut rows = Vec::new();
        let asking = async {
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
            loop {
                rows = self.rows(sql).await;
                if wanted(&rows) {
                    return;
                }
                tick.tick().await;
            }
        };
        if tokio::time::timeout(PATIENCE, asking).await.is_err() {
            panic!("{sql}: still {rows:?}");
        }
    }

    /// Opens a WebSocket as this user.
    pub async fn connect(&self) -> Socket {
        Socket::connect(self.http.addr(), &self.access_token).await
    }

    /// The same with little room for what is not read, so that a client which does not read is felt soon.
    pub async fn connect_narrow(&self) -> Socket {
        let addr = self.http.addr();
        let mut socket =
            Socket::try_open_narrow(addr, Socket::request(addr, "")).await.expect("the upgrade is granted");
        assert_eq!(socket.authenticate(&self.access_token).await["type"], "auth_success");
        socket
    }
}

fn last(mut results: Vec<SqlResult>) -> SqlResult {
    results.pop().expect("a result per statement")
}

fn read_sql_answer(answer: &Answer) -> Result<Vec<SqlResult>, SqlFailure> {
    let body = &answer.body;
    let results = body["results"].as_array().cloned().unwrap_or_default();
    if answer.status == 200 && body["status"] == "success" {
        return Ok(results.into_iter().map(|json| SqlResult { json }).collect());
    }
    let error = &body["error"];
    let text = |json: &Json| json.as_str().map(str::to_owned);
    Err(SqlFailure {
        status: answer.status,
        code: text(&error["code"]).unwrap_or_else(|| panic!("an error with a code: {answer:?}")),
        message: text(&error["message"]).unwrap_or_default(),
        details: text(&error["details"]),
        position: error["position"].as_u64(),
        results,
    })
}
