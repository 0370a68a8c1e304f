//! Statements over HTTP: what is sent, and what comes back.

use kalamdb_commons::SeqId;
use kalamdb_commons::protocol::{ResponseStatus, SqlAnswer, StatementAnswer};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::row::{Row, Schema};

/// What one SELECT gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueryResult {
    /// The columns.
    pub schema: Schema,
    /// The rows.
    pub rows: Vec<Row>,
}

impl QueryResult {
    /// Reads all rows into a type, see [`Row::to`].
    ///
    /// ```no_run
    /// # async fn example(client: kalam_link::Client) -> kalam_link::Result<()> {
    /// #[derive(serde::Deserialize)]
    /// struct Message { id: i64, text: String }
    ///
    /// let result = client.query("SELECT id, text FROM chat.messages WHERE room = $1", kalam_link::params![7]).await?;
    /// for message in result.rows_as::<Message>()? {
    ///     println!("{}: {}", message.id, message.text);
    /// }
    /// let count: Vec<i64> = client.query("SELECT COUNT(*) FROM chat.messages", ()).await?.rows_as()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A row does not fit the type.
    pub fn rows_as<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        self.rows.iter().map(Row::to).collect()
    }

    /// The first row; `None` if there is none.
    #[must_use]
    pub fn first(&self) -> Option<&Row> {
        self.rows.first()
    }
}

/// What one statement did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatementOutcome {
    /// Rows returned, or affected by a write.
    pub row_count: u64,
    /// SeqId of the commit that a write made; see [`Client::wait_for`](crate::Client::wait_for).
    pub seq: Option<SeqId>,
    /// For people.
    pub message: Option<String>,
    /// The rows of a SELECT or a RETURNING; empty otherwise.
    pub result: QueryResult,
}

impl From<StatementAnswer> for StatementOutcome {
    fn from(answer: StatementAnswer) -> Self {
        let schema = Schema::new(answer.schema);
        let rows = answer.rows.into_iter().map(|cells| Row::of_query(schema.clone(), cells)).collect();
        StatementOutcome {
            row_count: answer.row_count,
            seq: answer.seq,
            message: answer.message,
            result: QueryResult { schema, rows },
        }
    }
}

/// Outcomes out of the body of `POST /v1/api/sql`, whatever its status was.
pub(crate) fn outcomes(status: u16, body: &str) -> Result<Vec<StatementOutcome>> {
    let answer: SqlAnswer = serde_json::from_str(body)
        .map_err(|_| Error::Protocol(format!("the answer of status {status} is not one of KalamDB")))?;
    match (answer.status, answer.error) {
        (ResponseStatus::Success, None) => Ok(answer.results.into_iter().map(StatementOutcome::from).collect()),
        (_, Some(error)) => Err(error.into()),
        (ResponseStatus::Error, None) => Err(Error::Protocol("the server said that it failed, but not why".to_owned())),
    }
}
