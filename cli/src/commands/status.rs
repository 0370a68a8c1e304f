//! `kalam status`: is the server there, who are we to it, and how long does a question take?

use std::io::{self, Write as _};
use std::time::Instant;

use serde_json::json;

use crate::exit::Failure;
use crate::render::Format;
use crate::render::cell::harmless;
use crate::session::Session;

/// Asks the server who we are, twice: the second time without the login.
///
/// # Errors
/// The server is not there, or does not know us.
pub async fn run(session: &mut Session, url: &str) -> Result<(), Failure> {
    const WHO: &str = "SELECT CURRENT_USER() AS who, CURRENT_ROLE() AS what";
    let _ = session.client.execute(WHO, ()).await?;
    let begun = Instant::now();
    let outcomes = session.client.execute(WHO, ()).await?;
    let took = begun.elapsed().as_secs_f64() * 1_000.0;
    let row = outcomes.last().and_then(|outcome| outcome.result.first());
    let cell =
        |name: &str| row.and_then(|row| row.get(name)).and_then(|cell| cell.as_str()).unwrap_or_default().to_owned();
    let (user, role) = (cell("who"), cell("what"));
    let mut out = io::stdout().lock();
    if session.style.format == Format::Table {
        writeln!(out, "{}: answers in {took:.1} ms; you are {} ({})", harmless(url), harmless(&user), harmless(&role))?;
    } else {
        let took = (took * 10.0).round() / 10.0;
        writeln!(out, "{}", json!({ "url": url, "user": user, "role": role, "milliseconds": took }))?;
    }
    Ok(())
}
