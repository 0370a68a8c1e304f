//! What the engine can be told: who this node is, and how much one request may cost.

use std::time::Duration;

use kalamdb_system::SettingRow;

use crate::live::LiveOptions;

/// Everything the engine is opened with.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Name of this node, shown in system tables.
    pub node_id: String,
    /// Bounds of one request.
    pub limits: Limits,
    /// Bounds and pace of live queries.
    pub live: LiveOptions,
    /// Rows of `system.settings`.
    pub settings: Vec<SettingRow>,
}

/// How much one request may cost. Every bound has its own error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of SQL in one request.
    pub sql_bytes_max: usize,
    /// Statements in one request.
    pub statements_max: usize,
    /// Parameters of one request.
    pub params_max: usize,
    /// Operators in one chain (`a AND b AND …`), together with the chains around and within it.
    pub expression_ops_max: usize,
    /// Levels of parentheses, brackets and CASE.
    pub nesting_max: usize,
    /// SELECTs, joins and FROM items in one statement.
    pub relations_max: usize,
    /// Columns of one table, and of one result.
    pub columns_max: usize,
    /// Roles and users to whom rights on one table are granted.
    pub grantees_max: usize,
    /// Rows of one result.
    pub result_rows_max: usize,
    /// Bytes of all results of one request, roughly.
    pub result_bytes_max: usize,
    /// Memory that one query may use for sorting, joining and grouping, in bytes.
    pub query_memory_bytes_max: usize,
    /// How long one query may run.
    pub query_timeout: Duration,
    /// Rows that one transaction may change.
    pub transaction_rows_max: usize,
    /// Bytes of rows that one transaction may write, roughly.
    pub transaction_bytes_max: usize,
    /// Bytes of one row, roughly.
    pub row_bytes_max: usize,
    /// How often a transaction is tried that meets concurrent writes to its rows.
    pub transaction_attempts_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            sql_bytes_max: 1 << 20,
            statements_max: 1_000,
            params_max: 1_000,
            expression_ops_max: 4_000,
            nesting_max: 48,
            relations_max: 128,
            columns_max: 500,
            grantees_max: 1_000,
            result_rows_max: 100_000,
            result_bytes_max: 64 << 20,
            query_memory_bytes_max: 256 << 20,
            query_timeout: Duration::from_secs(60),
            transaction_rows_max: 100_000,
            transaction_bytes_max: 64 << 20,
            row_bytes_max: 1 << 20,
            transaction_attempts_max: 16,
        }
    }
}
