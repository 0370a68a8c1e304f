//! Which column of the file goes where, and the statement that takes the rows.
//!
//! Values travel as parameters and are read as the types of the table's columns before anything
//! is sent. What is wrong with a row is told by line and column and never by its value.

use kalamdb_commons::protocol::{SchemaField, flags};
use kalamdb_commons::{DataType, Value};
use serde_json::Value as Json;

use crate::args::OnConflict;
use crate::sql_text::quoted_name;

/// A statement takes no more parameters than this; the server's own bound.
const PARAMS_MAX: usize = 1_000;

/// A column of the file that goes into the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// Place in the file's records.
    place: usize,
    name: String,
    data_type: DataType,
    /// An empty value is an empty text, not NULL.
    empty_is_text: bool,
}

/// How rows of the file become rows of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    table: String,
    width: usize,
    targets: Vec<Target>,
    null: Option<String>,
    conflict: String,
}

/// What is wrong with one row of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Why, for people.
    pub text: String,
}

impl Plan {
    /// Finds the table's column for each of the file's. `names` are the file's, in its order; `-` leaves one out.
    ///
    /// # Errors
    /// For people: a column that the table does not have, one named twice, or none at all; or an
    /// `--on-conflict` that the table has no key for.
    pub fn new(
        table: &str,
        columns: &[SchemaField],
        names: &[String],
        null: Option<String>,
        on_conflict: OnConflict,
    ) -> Result<Self, String> {
        let mut targets: Vec<Target> = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let name = name.trim();
            if name == "-" {
                continue;
            }
            let field = field_of(columns, name).ok_or_else(|| unknown(name, columns))?;
            if targets.iter().any(|target| target.name == field.name) {
                return Err(format!("two columns of the file go into the column \"{}\"", field.name));
            }
            let needs_text =
                field.data_type == DataType::Text && field.flags.iter().any(|flag| flag == flags::NOT_NULL);
            targets.push(Target {
                place,
                name: field.name.clone(),
                data_type: field.data_type,
                empty_is_text: needs_text || (null.is_some() && field.data_type == DataType::Text),
            });
        }
        if targets.is_empty() {
            return Err("no column of the file goes into the table".to_owned());
        }
        let conflict = conflict_clause(columns, &targets, on_conflict)?;
        Ok(Plan { table: table.to_owned(), width: names.len(), targets, null, conflict })
    }

    /// At most so many rows go into one statement.
    #[must_use]
    pub fn rows_max(&self, wanted: u16) -> usize {
        usize::from(wanted).min(PARAMS_MAX / self.targets.len()).max(1)
    }

    /// The statement that takes so many rows.
    #[must_use]
    pub fn insert(&self, rows: usize) -> String {
        let names: Vec<String> = self.targets.iter().map(|target| quoted_name(&target.name)).collect();
        let columns = self.targets.len();
        let row = |row: usize| {
            let cells: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
            format!("({})", cells.join(", "))
        };
        let values: Vec<String> = (0..rows).map(row).collect();
        format!("INSERT INTO {} ({}) VALUES {}{}", self.table, names.join(", "), values.join(", "), self.conflict)
    }

    /// The cells of one record, as parameters.
    ///
    /// # Errors
    /// It has another number of values than the header, or one that is not of its column's type.
    pub fn cells(&self, record: &csv::StringRecord, line: u64) -> Result<Vec<Json>, BadRow> {
        if record.len() != self.width {
            let text = format!("{} values where there should be {}", record.len(), self.width);
            return Err(BadRow { line, text });
        }
        self.targets.iter().map(|target| self.cell(target, record.get(target.place).unwrap_or(""), line)).collect()
    }

    fn cell(&self, target: &Target, text: &str, line: u64) -> Result<Json, BadRow> {
        let is_null = self.null.as_deref() == Some(text) || (text.is_empty() && !target.empty_is_text);
        if is_null {
            return Ok(Json::Null);
        }
        let bad = |why: String| BadRow { line, text: format!("column \"{}\": {why}", target.name) };
        let value = Value::from_text(text, &target.data_type).map_err(|error| bad(error.to_string()))?;
        serde_json::to_value(&value).map_err(|error| bad(error.to_string()))
    }
}

/// The column called `name`: exactly so, or in another case.
fn field_of<'a>(columns: &'a [SchemaField], name: &str) -> Option<&'a SchemaField> {
    let same = |field: &&SchemaField| field.name == name;
    let alike = |field: &&SchemaField| field.name.to_lowercase() == name.to_lowercase();
    columns.iter().find(same).or_else(|| columns.iter().find(alike))
}

fn unknown(name: &str, columns: &[SchemaField]) -> String {
    let known: Vec<&str> = columns.iter().map(|field| field.name.as_str()).collect();
    format!(
        "the table has no column \"{name}\"; it has {}. --columns says which column each of the file's is, - leaves one out",
        known.join(", ")
    )
}

fn conflict_clause(columns: &[SchemaField], targets: &[Target], wanted: OnConflict) -> Result<String, String> {
    if wanted == OnConflict::Fail {
        return Ok(String::new());
    }
    let is_key = |field: &&SchemaField| field.flags.iter().any(|flag| flag == flags::PRIMARY_KEY);
    let key: Vec<&str> = columns.iter().filter(is_key).map(|field| field.name.as_str()).collect();
    if key.is_empty() {
        return Err("--on-conflict needs a table with a primary key".to_owned());
    }
    let quoted: Vec<String> = key.iter().map(|name| quoted_name(name)).collect();
    let head = format!(" ON CONFLICT ({})", quoted.join(", "));
    let rest = targets.iter().filter(|target| !key.contains(&target.name.as_str()));
    let sets: Vec<String> =
        rest.map(|target| quoted_name(&target.name)).map(|name| format!("{name} = EXCLUDED.{name}")).collect();
    if wanted == OnConflict::Skip || sets.is_empty() {
        return Ok(format!("{head} DO NOTHING"));
    }
    Ok(format!("{head} DO UPDATE SET {}", sets.join(", ")))
}

#[cfg(test)]
mod tests;
