//! Bodies of the HTTP routes.

use serde::{Deserialize, Serialize};

use super::SchemaField;
use crate::error_code::ErrorCode;
use crate::ids::SeqId;
use crate::role::Role;
use crate::row::Row;

/// Body of `POST /v1/api/sql`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SqlRequest {
    /// One or several statements.
    pub sql: String,
    /// Values of `$1`, `$2` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Vec<serde_json::Value>>,
    /// Namespace of table names written without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_id: Option<String>,
}

/// Answer of `POST /v1/api/sql`.
#[derive(Debug, Clone, Serialize)]
pub struct SqlResponse {
    /// Did every statement succeed?
    pub status: ResponseStatus,
    /// One result per statement that was run.
    pub results: Vec<StatementResult>,
    /// Time the server took, in milliseconds.
    pub took: f64,
    /// Why the first failing statement failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
}

/// [`SqlResponse`] as a client reads it: cells as they travel, to be read by the types in the schema.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SqlAnswer {
    /// Did every statement succeed?
    pub status: ResponseStatus,
    /// One result per statement that was run.
    #[serde(default)]
    pub results: Vec<StatementAnswer>,
    /// Why the first failing statement failed.
    #[serde(default)]
    pub error: Option<ErrorBody>,
}

/// [`StatementResult`] as a client reads it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct StatementAnswer {
    /// Columns of `rows`; empty for a statement without a result.
    #[serde(default)]
    pub schema: Vec<SchemaField>,
    /// The rows, cells in schema order.
    #[serde(default)]
    pub rows: Vec<Vec<serde_json::Value>>,
    /// Rows returned, or affected by a write.
    pub row_count: u64,
    /// For people.
    #[serde(default)]
    pub message: Option<String>,
    /// SeqId of the commit that a write made.
    #[serde(default)]
    pub seq: Option<SeqId>,
}

/// Did every statement succeed?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseStatus {
    /// All did.
    Success,
    /// One did not; those after it were not run.
    Error,
}

/// What one statement did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StatementResult {
    /// Columns of `rows`; empty for a statement without a result.
    pub schema: Vec<SchemaField>,
    /// The rows, cells in schema order.
    #[serde(serialize_with = "rows_as_arrays")]
    pub rows: Vec<Row>,
    /// Rows returned, or affected by a write.
    pub row_count: u64,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// SeqId of the commit that a write made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<SeqId>,
}

fn rows_as_arrays<S: serde::Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| &**row))
}

/// An error, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable code.
    pub code: ErrorCode,
    /// What went wrong.
    pub message: String,
    /// Which statement of several failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// Where in the SQL, as a 1-based character offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

/// Body of `POST /v1/api/auth/login`.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginRequest {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

/// Answer of the login and refresh routes.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginResponse {
    /// Who logged in.
    pub user: UserInfo,
    /// May the user open the administrator's console?
    pub admin_ui_access: bool,
    /// When the access token ends, RFC 3339.
    pub expires_at: String,
    /// Bearer token of all other routes.
    pub access_token: String,
    /// Bearer token of the refresh route.
    pub refresh_token: String,
    /// When the refresh token ends, RFC 3339.
    pub refresh_expires_at: String,
}

/// A user as its own client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserInfo {
    /// User name.
    pub id: String,
    /// Role.
    pub role: Role,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// Answer of `GET /v1/api/auth/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeResponse {
    /// Who asks.
    pub user: UserInfo,
    /// May the user open the administrator's console?
    pub admin_ui_access: bool,
}

/// Error of the auth routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthErrorBody {
    /// Stable code, lower case.
    pub error: String,
    /// For people.
    pub message: String,
}
