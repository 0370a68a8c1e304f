//! What the demo prints: per live query its title and rows, in columns.

use serde_json::Value as Json;

use crate::followed::Followed;

/// At most so many rows of a result are shown.
const ROWS_MAX: usize = 6;

/// Prints one hour.
pub fn show(hour: &str, flights: usize, live: &[Followed]) {
    println!("\n── {hour} · {flights} flights ──────────────────────────────────");
    for followed in live {
        let cells = followed.cells();
        println!("{} ({} rows, changed {} times)", followed.title(), cells.len(), followed.changes());
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
