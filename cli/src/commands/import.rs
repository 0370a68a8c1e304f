//! `kalam import`: a CSV file into a table, batch by batch.
//!
//! A batch is one INSERT and so one commit. When the server refuses one for what is in it, it is cut
//! in halves until the row is found; every row before it is in the table by then, so that the
//! import can go on from its line.

mod plan;

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kalam_link::Error;
use kalamdb_commons::ErrorCode;
use serde_json::Value as Json;

use self::plan::{BadRow, Plan};
use crate::args::{ImportArgs, is_stdin};
use crate::exit::{Exit, Failure};
use crate::render::cell::harmless;
use crate::render::counted;
use crate::session::Session;
use crate::sql_text::{Kind, tokens};

/// A batch is sent when its values take this much, whatever its rows.
const BATCH_BYTES: usize = 256 << 10;
/// Bad rows beyond this are counted and not told one by one.
const BAD_ROWS_TOLD: u64 = 20;

/// Said when the answer to a batch was not waited for.
const IN_DOUBT: &str = ". Rows from there on may be in the table already: add --on-conflict skip";

/// A row on its way.
struct Pending {
    line: u64,
    cells: Vec<Json>,
}

/// Runs the import.
///
/// # Errors
/// The file or the columns do not fit the table, or rows were refused.
pub async fn run(session: &mut Session, args: &ImportArgs) -> Result<(), Failure> {
    let table = table_of(args)?;
    let mut reader = reader(args)?;
    let names = match &args.columns {
        Some(names) => names.clone(),
        None => header(&mut reader)?,
    };
    let columns = session.execute(&format!("SELECT * FROM {table} LIMIT 0"), Vec::new()).await?;
    let columns = columns.last().map(|outcome| outcome.result.schema.clone()).unwrap_or_default();
    let plan = Plan::new(&table, columns.fields(), &names, args.null.clone(), args.on_conflict)
        .map_err(|text| Failure::usage(harmless(&text)))?;
    let bar = progress(args, session.quiet);
    let mut import =
        Import { session, plan, bar, rows: 0, skipped: 0, bad: 0, reached: 1, goes_on: args.skip_bad_rows };
    let done = tokio::select! {
        done = import.all(&mut reader, args) => done,
        _ = tokio::signal::ctrl_c() => Err(Stop::Interrupted),
    };
    import.bar.finish_and_clear();
    import.report(args, done)
}

fn table_of(args: &ImportArgs) -> Result<String, Failure> {
    let words: Vec<&str> = args.destination.iter().map(String::as_str).collect();
    let table = match (words.as_slice(), args.into.as_deref()) {
        ([into, table], None) if into.eq_ignore_ascii_case("into") => table,
        ([], Some(table)) => table,
        _ => {
            return Err(Failure::usage(
                "the table is named by INTO and its name, as in: kalam import FILE.csv INTO app.people",
            ));
        }
    };
    // The name stands in SQL as it is written; nothing but a name may.
    let parts = tokens(table);
    let is_name = |at: usize| match (at % 2, parts[at].kind) {
        (0, Kind::Word | Kind::QuotedName) => parts[at].closed,
        (1, Kind::Symbol) => &table[parts[at].at.clone()] == ".",
        _ => false,
    };
    if matches!(parts.len(), 1 | 3) && (0..parts.len()).all(is_name) {
        return Ok((*table).to_owned());
    }
    Err(Failure::usage(format!("\"{}\" is not the name of a table", harmless(table))))
}

type Reader = csv::Reader<Box<dyn Read>>;

fn reader(args: &ImportArgs) -> Result<Reader, Failure> {
    let delimiter = match args.delimiter.as_bytes() {
        b"\\t" => b'\t',
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => *one,
        _ => return Err(Failure::usage("--delimiter takes one ASCII character, or \\t")),
    };
    let input: Box<dyn Read> = if is_stdin(&args.file) {
        Box::new(io::stdin())
    } else {
        let file =
            File::open(&args.file).map_err(|error| Failure::usage(format!("{}: {error}", args.file.display())))?;
        Box::new(file)
    };
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).flexible(true).has_headers(!args.no_header);
    Ok(builder.from_reader(input))
}

fn header(reader: &mut Reader) -> Result<Vec<String>, Failure> {
    let header = reader.headers().map_err(|error| broken_file(&error))?;
    let mut names: Vec<String> = header.iter().map(str::to_owned).collect();
    if let Some(first) = names.first_mut() {
        *first = first.trim_start_matches('\u{feff}').to_owned();
    }
    Ok(names)
}

/// An error of the CSV reader. Its text may hold bytes of the file, so only its kind and place are told.
fn broken_file(error: &csv::Error) -> Failure {
    let line = error.position().map_or_else(String::new, |position| format!("line {}: ", position.line()));
    let what = match error.kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        _ => "this is not CSV".to_owned(),
    };
    Failure::usage(format!("{line}{what}"))
}

fn progress(args: &ImportArgs, quiet: bool) -> ProgressBar {
    let size = if is_stdin(&args.file) { None } else { std::fs::metadata(&args.file).ok().map(|file| file.len()) };
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match size {
        Some(_) => "{bar:40} {bytes}/{total_bytes}  {msg}  {eta} left",
        None => "{spinner} {bytes}  {msg}",
    };
    let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Why the import stopped before the end of the file.
enum Stop {
    /// This row was refused.
    Row(BadRow),
    /// Something that is not the row's fault, in the batch that begins at this line.
    Elsewhere { line: u64, failure: Failure, may_be_in: bool },
    /// By Ctrl-C.
    Interrupted,
}

struct Import<'a> {
    session: &'a mut Session,
    plan: Plan,
    bar: ProgressBar,
    /// Rows that the table took.
    rows: u64,
    /// Rows that were there already.
    skipped: u64,
    bad: u64,
    /// Everything before this line was dealt with.
    reached: u64,
    goes_on: bool,
}

impl Import<'_> {
    async fn all(&mut self, reader: &mut Reader, args: &ImportArgs) -> Result<(), Stop> {
        let rows_max = self.plan.rows_max(args.batch_rows);
        let mut batch: Vec<Pending> = Vec::new();
        let mut bytes = 0;
        let mut record = csv::StringRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    let line = error.position().map_or(line, csv::Position::line);
                    self.flush(&mut batch).await?;
                    self.bad_row(BadRow { line, text: "the text is not UTF-8".to_owned() })?;
                    continue;
                }
                Err(error) => {
                    self.flush(&mut batch).await?;
                    return Err(Stop::Elsewhere { line, failure: broken_file(&error), may_be_in: false });
                }
            }
            let line = record.position().map_or(line, csv::Position::line);
            if args.from_line.is_some_and(|from| line < from) {
                continue;
            }
            match self.plan.cells(&record, line) {
                Ok(cells) => {
                    bytes += record.as_slice().len();
                    batch.push(Pending { line, cells });
                }
                Err(bad) => {
                    // What stands before the bad row goes in first, so that its line is where to go on.
                    self.flush(&mut batch).await?;
                    bytes = 0;
                    self.bad_row(bad)?;
                }
            }
            if batch.len() >= rows_max || bytes >= BATCH_BYTES {
                self.flush(&mut batch).await?;
                bytes = 0;
                self.bar.set_position(reader.position().byte());
                self.bar.set_message(counted(usize::try_from(self.rows).unwrap_or(usize::MAX), "row"));
            }
        }
        self.flush(&mut batch).await
    }

    /// Sends the batch, and its halves when it is refused for what is in it.
    async fn flush(&mut self, batch: &mut Vec<Pending>) -> Result<(), Stop> {
        let rows = std::mem::take(batch);
        let mut parts: Vec<&[Pending]> = vec![&rows];
        while let Some(part) = parts.pop() {
            let Some(first) = part.first() else { continue };
            self.reached = first.line;
            let params = part.iter().flat_map(|row| row.cells.iter().cloned()).collect();
            let sql = self.plan.insert(part.len());
            match self.session.execute_raw(&sql, params).await {
                Ok(outcomes) => {
                    let written = outcomes.last().map_or(0, |outcome| outcome.row_count);
                    self.rows += written;
                    self.skipped += (part.len() as u64).saturating_sub(written);
                }
                Err(error) if blames_rows(&error) && part.len() > 1 => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
                Err(error) if blames_rows(&error) => {
                    let text = Failure::from(error).text;
                    self.bad_row(BadRow { line: first.line, text })?;
                }
                Err(error) => {
                    let may_be_in = matches!(error, Error::Network(_) | Error::Timeout(_));
                    return Err(Stop::Elsewhere { line: first.line, failure: error.into(), may_be_in });
                }
            }
        }
        Ok(())
    }

    fn bad_row(&mut self, bad: BadRow) -> Result<(), Stop> {
        if !self.goes_on {
            return Err(Stop::Row(bad));
        }
        self.bad += 1;
        if self.bad <= BAD_ROWS_TOLD {
            self.bar.suspend(|| eprintln!("line {}: {}", bad.line, harmless(&bad.text)));
        }
        Ok(())
    }

    /// Says what was done, and how to go on where it was not all.
    fn report(&self, args: &ImportArgs, done: Result<(), Stop>) -> Result<(), Failure> {
        let count = |count: u64, what: &str| counted(usize::try_from(count).unwrap_or(usize::MAX), what);
        let mut said = format!("{} imported", count(self.rows, "row"));
        if self.skipped > 0 {
            said.push_str(&format!(", {} there already", count(self.skipped, "row")));
        }
        if self.bad > 0 {
            said.push_str(&format!(", {} refused", count(self.bad, "row")));
        }
        let file = args.file.display();
        match done {
            Ok(()) => {
                if !self.session.quiet {
                    eprintln!("{said}");
                }
                if self.bad > 0 { Err(Failure::told(Exit::Failed)) } else { Ok(()) }
            }
            Err(Stop::Row(bad)) => Err(Failure {
                exit: Exit::Failed,
                text: format!(
                    "{file}, line {}: {}\n{said}. Once the row is mended, go on with --from-line {}; --skip-bad-rows leaves such rows out",
                    bad.line, bad.text, bad.line
                ),
            }),
            Err(Stop::Elsewhere { line, failure, may_be_in }) => {
                let doubt = if may_be_in { IN_DOUBT } else { "" };
                let text = format!("{}\n{said}. Go on with --from-line {line}{doubt}", failure.text);
                Err(Failure { exit: failure.exit, text })
            }
            Err(Stop::Interrupted) => {
                let text = format!("interrupted\n{said}. Go on with --from-line {}{IN_DOUBT}", self.reached);
                Err(Failure { exit: Exit::Interrupted, text })
            }
        }
    }
}

/// Is it what stands in the rows that the server does not take?
fn blames_rows(error: &Error) -> bool {
    matches!(
        error.server_code(),
        Some(
            ErrorCode::ConstraintViolation
                | ErrorCode::InvalidParameter
                | ErrorCode::InvalidInput
                | ErrorCode::TooLarge
                | ErrorCode::AlreadyExists
        )
    )
}
