//! The flights as they lie in the CSV file, in the order in which they were to leave.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;
use serde_json::{Value as Json, json};

/// The flights of one hour.
pub struct Hour {
    /// Date and hour, for people.
    pub title: String,
    /// Rows of the table `departures`.
    pub rows: Vec<Vec<Json>>,
}

/// Reads the week and sorts it into hours.
pub fn hours(folder: &Path) -> Result<Vec<Hour>> {
    let file = "flights_2013_01_week1.csv.gz";
    let packed = std::fs::File::open(folder.join(file)).with_context(|| format!("opening {file}"))?;
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).with_context(|| format!("unpacking {file}"))?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().context("the file is empty")?.split(',').collect();
    let mut hours: BTreeMap<String, Vec<Vec<Json>>> = BTreeMap::new();
    for (id, line) in lines.enumerate() {
        let fields: BTreeMap<&str, &str> = header.iter().copied().zip(line.split(',')).collect();
        let field = |name: &str| cell(fields.get(name).copied().unwrap_or_default());
        let columns =
            ["time_hour", "carrier", "flight", "tailnum", "origin", "dest", "dep_delay", "arr_delay", "distance"];
        let mut row = vec![json!(id)];
        row.extend(columns.iter().map(|name| field(name)));
        let local = |name: &str| fields.get(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or_default();
        let title = format!("2013-{:02}-{:02} {:02}:00", local("month"), local("day"), local("hour"));
        hours.entry(title).or_default().push(row);
    }
    Ok(hours.into_iter().map(|(title, rows)| Hour { title, rows }).collect())
}

/// The first fields of a CSV line.
pub fn cells(line: &str, count: usize) -> Vec<Json> {
    let mut fields = Vec::new();
    let (mut field, mut quoted) = (String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    fields.push(field);
    fields.iter().take(count).map(|text| cell(text)).collect()
}

/// A field: nothing, a number, or a text. A column takes numbers and texts alike.
fn cell(text: &str) -> Json {
    match text {
        "" | "NA" => Json::Null,
        _ => text.parse::<i64>().map(Json::from).unwrap_or_else(|_| json!(text)),
    }
}
