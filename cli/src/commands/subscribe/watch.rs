//! `--watch`: the result drawn in place, rows that just changed marked.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event as Key, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use kalam_link::{ConnectionState, LiveRows, Row};
use serde_json::Value as Json;

use super::{Wanted, elapsed};
use crate::exit::Failure;
use crate::render::cell::harmless;
use crate::render::{self, Column, Expanded, Format, Grid, Style, counted};
use crate::session::{Session, columns, terminal_width};

/// How often the terminal is asked for keys while nothing changes.
const KEYS_EVERY: Duration = Duration::from_millis(50);

/// Draws the result of a live query until `q`, Escape or Ctrl-C, or until it ends.
///
/// # Errors
/// The query is refused, or the live query or its connection is ended for good.
pub async fn run(session: &Session, wanted: &Wanted, timeout: Option<Duration>) -> Result<(), Failure> {
    let mut asked = session.client.live(&wanted.sql).params(wanted.params.clone());
    if let Some(namespace) = &session.namespace {
        asked = asked.namespace(namespace.as_str());
    }
    let mut live = asked.start().await.map_err(|error| Failure::of_sql(&error, &wanted.sql))?;
    let screen = Screen::open()?;
    let done = tokio::select! {
        done = draw(session, wanted, &mut live) => done,
        () = elapsed(timeout) => Ok(()),
    };
    drop(screen);
    session.client.disconnect().await;
    done
}

/// The terminal while it is ours; given back when dropped, whatever happened.
struct Screen;

impl Screen {
    fn open() -> io::Result<Self> {
        enable_raw_mode()?;
        let screen = Screen;
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// What the user did.
enum Done {
    Quit,
    Resized,
}

/// Is ready once a key that ends the drawing was pressed, or the terminal has another size.
async fn done() -> io::Result<Done> {
    let mut tick = tokio::time::interval(KEYS_EVERY);
    loop {
        tick.tick().await;
        while crossterm::event::poll(Duration::ZERO)? {
            match crossterm::event::read()? {
                Key::Resize(..) => return Ok(Done::Resized),
                Key::Key(key) if key.kind != KeyEventKind::Release => {
                    let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                    if interrupts || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                        return Ok(Done::Quit);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A row on the screen.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    key: String,
    cells: Vec<Json>,
}

async fn draw(session: &Session, wanted: &Wanted, live: &mut LiveRows) -> Result<(), Failure> {
    let title = harmless(&wanted.sql);
    let mut states = session.client.connection_events();
    let mut before: Option<HashMap<String, Vec<Json>>> = None;
    let mut rows: Vec<Shown> = live.rows().iter().map(shown).collect();
    loop {
        let lines = frame(columns(&live.schema()), &rows, before.as_ref(), &session.style, terminal_width());
        paint(&title, &state_line(&session.client.connection_state()), &lines)?;
        tokio::select! {
            changed = live.changed() => {
                let changed = changed.map_err(|error| Failure::of_sql(&error, &wanted.sql))?;
                before = Some(rows.into_iter().map(|row| (row.key, row.cells)).collect());
                rows = changed.iter().map(shown).collect();
            }
            done = done() => match done? {
                Done::Quit => return Ok(()),
                Done::Resized => {}
            },
            _ = states.next() => {}
        }
    }
}

fn shown(row: &Row) -> Shown {
    Shown { key: row.key().unwrap_or_default().to_owned(), cells: row.cells().to_vec() }
}

/// The table's lines, rows that are new or changed since `before` marked, and what is said below it.
fn frame(
    columns: Vec<Column>,
    rows: &[Shown],
    before: Option<&HashMap<String, Vec<Json>>>,
    style: &Style,
    width: Option<usize>,
) -> Vec<String> {
    let grid = Grid { columns, rows: rows.iter().map(|row| row.cells.clone()).collect() };
    let mark = |row: &Shown| match before.map(|before| before.get(&row.key)) {
        None => ' ',
        Some(None) => '+',
        Some(Some(cells)) if *cells == row.cells => ' ',
        Some(Some(_)) => '~',
    };
    let marks: Vec<char> = rows.iter().map(mark).collect();
    let keys: HashSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let gone = before.map_or(0, |before| before.keys().filter(|key| !keys.contains(key.as_str())).count());
    let style = Style { format: Format::Table, expanded: Expanded::Off, width, ..style.clone() };
    let mut out = Vec::new();
    // Writing into memory does not fail.
    let _ = render::write_marked(&mut out, &grid, &style, &marks);
    let mut lines: Vec<String> = String::from_utf8_lossy(&out).lines().map(str::to_owned).collect();
    let mut below = format!("({})", counted(rows.len(), "row"));
    if gone > 0 {
        below.push_str(&format!(", {gone} gone"));
    }
    lines.push(below);
    lines
}

fn state_line(state: &ConnectionState) -> String {
    match state {
        ConnectionState::Live { .. } => "live · q ends".to_owned(),
        ConnectionState::Waiting { attempt, reason, .. } => {
            format!("not connected: {} (attempt {attempt} comes)", harmless(reason))
        }
        ConnectionState::Closed { .. } => "closed".to_owned(),
        _ => "connecting …".to_owned(),
    }
}

/// Puts a frame on the screen in one go, line over line, so that it does not flicker. What is below the screen's
/// end is left out and counted.
fn paint(title: &str, state: &str, lines: &[String]) -> io::Result<()> {
    let (width, height) = crossterm::terminal::size().unwrap_or((80, 24));
    let room = usize::from(height).saturating_sub(3);
    let left_out = lines.len().saturating_sub(room);
    let below = if left_out > 0 { format!("… {} below", counted(left_out, "line")) } else { String::new() };
    let shown = lines.iter().take(room).map(String::as_str);
    let mut screen = Vec::new();
    queue!(screen, MoveTo(0, 0))?;
    for line in [title, state].into_iter().chain(shown).chain([below.as_str()]) {
        screen.extend_from_slice(fitted(line, usize::from(width)).as_bytes());
        queue!(screen, Clear(ClearType::UntilNewLine))?;
        screen.extend_from_slice(b"\r\n");
    }
    // The end of the last line is not a new one, which would scroll a full screen.
    screen.truncate(screen.len().saturating_sub(2));
    queue!(screen, Clear(ClearType::FromCursorDown))?;
    let mut out = io::stdout().lock();
    out.write_all(&screen)?;
    out.flush()
}

/// The line without what is behind the screen's edge, which would go on in the next line. The colours that
/// `render` chose take no room and stay.
fn fitted(line: &str, room: usize) -> String {
    let mut kept = String::new();
    let mut taken = 0;
    let mut in_colour = false;
    for c in line.chars() {
        if c == '\x1b' || in_colour {
            in_colour = c != 'm';
            kept.push(c);
            continue;
        }
        taken += render::width(c.encode_utf8(&mut [0; 4]));
        if taken <= room {
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
