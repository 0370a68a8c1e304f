//! What the demo prints: per live query its title and rows, in columns.

use kalamdb_testkit::LiveRows;
use serde_json::Value as Json;

/// At most so many rows of a result are shown.
const ROWS_MAX: usize = 6;

/// Prints one hour.
pub fn show(hour: &str, flights: usize, live: &[(&str, &LiveRows)]) {
    println!("\n── {hour} · {flights} flights ──────────────────────────────────");
    for (title, rows) in live {
        let cells = rows.cells();
        println!("{title} ({} rows, {} changes)", cells.len(), rows.changes());
        for row in cells.iter().rev().take(ROWS_MAX).rev() {
            let texts: Vec<String> = row.iter().map(text).collect();
            println!("   {}", texts.join(" · "));
        }
    }
}

fn text(cell: &Json) -> String {
    match cell {
        Json::Null => "-".to_owned(),
        Json::String(text) => text.clone(),
        Json::Number(number) if number.is_f64() => format!("{:.1}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
