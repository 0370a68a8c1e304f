//! One user's talk with the server: the client, the namespace chosen, and how answers are written.

use std::io::{self, IsTerminal as _, Write};

use kalam_link::{Client, Error, QueryResult, Schema, StatementOutcome};
use serde_json::Value as Json;

use crate::args::{Colour, OutputArgs};
use crate::exit::Failure;
use crate::render::{self, Column, Expanded, Format, Grid, Style, counted};
use crate::sql_text::{chosen_namespace, placeholders};

/// The client and what the user chose.
pub struct Session {
    /// The connection.
    pub client: Client,
    /// Where table names without a namespace look, if not in `default`.
    pub namespace: Option<String>,
    /// How results are written.
    pub style: Style,
    /// Are only failures told?
    pub quiet: bool,
}

impl Session {
    /// A session of `client`.
    #[must_use]
    pub fn new(client: Client, namespace: Option<String>, output: &OutputArgs) -> Self {
        Session { client, namespace, style: style(output), quiet: output.quiet }
    }

    /// Runs one request and gives the outcome of each of its statements.
    ///
    /// # Errors
    /// The failure, with the place in `sql` where the server said one.
    pub async fn execute(&mut self, sql: &str, params: Vec<Json>) -> Result<Vec<StatementOutcome>, Failure> {
        self.execute_raw(sql, params).await.map_err(|error| Failure::of_sql(&error, sql))
    }

    /// As [`Session::execute`], for whoever looks at the error itself.
    ///
    /// # Errors
    /// What the client library says.
    pub async fn execute_raw(&mut self, sql: &str, params: Vec<Json>) -> Result<Vec<StatementOutcome>, Error> {
        let outcomes = self.client.execute_in(self.namespace.as_deref(), sql, params).await?;
        if let Some(namespace) = chosen_namespace(sql) {
            self.namespace = Some(namespace);
        }
        Ok(outcomes)
    }

    /// Writes the outcome of a statement: rows to `out`, what a write did to standard error.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write, outcome: &StatementOutcome) -> io::Result<()> {
        let grid = grid(&outcome.result);
        if !grid.columns.is_empty() {
            return render::write(out, &grid, &self.style);
        }
        if self.quiet {
            return Ok(());
        }
        let message = outcome.message.as_deref().map_or_else(
            || counted(usize::try_from(outcome.row_count).unwrap_or(usize::MAX), "row"),
            render::cell::harmless,
        );
        // In a table's company it is read by people; beside data it would be taken for data.
        if self.style.format == Format::Table {
            writeln!(out, "{message}")
        } else {
            writeln!(io::stderr(), "{message}")
        }
    }
}

/// How results are written, from the flags and from where they go.
#[must_use]
pub fn style(output: &OutputArgs) -> Style {
    let terminal = io::stdout().is_terminal();
    let colour = match output.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    Style {
        format: output.format.unwrap_or(Format::Table),
        expanded: Expanded::Auto,
        csv_null: output.csv_null.clone(),
        width: if terminal { terminal_width() } else { None },
        colour,
        terminal,
    }
}

/// Columns of the terminal, if there is one.
#[must_use]
pub fn terminal_width() -> Option<usize> {
    crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0)
}

/// The columns of a result, ready to be written.
#[must_use]
pub fn columns(schema: &Schema) -> Vec<Column> {
    let fields = schema.fields().iter();
    fields.map(|field| Column { name: field.name.clone(), data_type: field.data_type }).collect()
}

/// The rows of a result, ready to be written.
#[must_use]
pub fn grid(result: &QueryResult) -> Grid {
    Grid { columns: columns(&result.schema), rows: result.rows.iter().map(|row| row.cells().to_vec()).collect() }
}

/// The values of `$1`, `$2` … from the command line: JSON where they read as such, else texts.
#[must_use]
pub fn parameters(texts: &[String]) -> Vec<Json> {
    texts.iter().map(|text| serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone()))).collect()
}

/// Those of `params` that `sql` takes.
#[must_use]
pub fn parameters_of(sql: &str, params: &[Json]) -> Vec<Json> {
    params.iter().take(placeholders(sql)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_is_json_or_else_a_text() {
        let texts = ["7", "-1.5", "true", "null", "lobby", "\"7\"", "[1,2]", ""].map(str::to_owned);
        let wanted =
            [json!(7), json!(-1.5), json!(true), json!(null), json!("lobby"), json!("7"), json!([1, 2]), json!("")];
        assert_eq!(parameters(&texts), wanted);
    }

    #[test]
    fn a_statement_gets_the_parameters_it_takes() {
        let params = [json!(1), json!(2)];
        assert_eq!(parameters_of("SELECT $1", &params), [json!(1)]);
        assert!(parameters_of("SELECT 1", &params).is_empty());
    }
}
