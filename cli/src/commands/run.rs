//! Statements of `-c`, of files and of standard input, one after the other.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use kalamdb_commons::ErrorCode;
use serde_json::Value as Json;

use crate::args::{RunArgs, is_stdin};
use crate::exit::{Exit, Failure};
use crate::session::{Session, parameters, parameters_of};
use crate::sql_text::{Unit, placeholders, units};

/// A longer script is refused.
const SCRIPT_BYTES_MAX: u64 = 256 << 20;

/// Where statements come from, for messages.
enum Source<'a> {
    Command,
    File(&'a Path),
}

/// Runs everything the flags name, `-c` before `-f`; without either, standard input.
///
/// # Errors
/// The first failure; with `--keep-going` only one that concerns all that would follow, and at the end that some
/// statements failed.
pub async fn run(session: &mut Session, args: &RunArgs) -> Result<(), Failure> {
    let params = parameters(&args.params);
    let mut scripts: Vec<(Source<'_>, String)> = Vec::new();
    for command in &args.commands {
        scripts.push((Source::Command, command.clone()));
    }
    for file in &args.files {
        scripts.push((Source::File(file), read(file)?));
    }
    if scripts.is_empty() {
        let stdin = Path::new("-");
        scripts.push((Source::File(stdin), read(stdin)?));
    }
    let taken = scripts.iter().map(|(_, script)| placeholders(script)).max().unwrap_or(0);
    if params.len() > taken {
        return Err(Failure::usage(format!(
            "{} parameters are given, and the highest taken is ${taken}",
            params.len()
        )));
    }
    let mut failed = false;
    for (source, script) in &scripts {
        for unit in units(script) {
            match run_unit(session, unit, &params).await {
                Ok(()) => {}
                Err(Broken::Statement(failure)) if args.keep_going => {
                    eprintln!("{}", placed(failure, source, unit).text);
                    failed = true;
                }
                Err(Broken::Statement(failure) | Broken::Everything(failure)) => {
                    return Err(placed(failure, source, unit));
                }
            }
        }
    }
    if failed { Err(Failure::told(Exit::Failed)) } else { Ok(()) }
}

/// Runs a script from the prompt, and stops at its first failure.
///
/// # Errors
/// The file cannot be read, or a statement failed.
pub async fn include(session: &mut Session, file: &Path) -> Result<(), Failure> {
    let script = read(file)?;
    for unit in units(&script) {
        run_unit(session, unit, &[]).await.map_err(|broken| match broken {
            Broken::Statement(failure) | Broken::Everything(failure) => placed(failure, &Source::File(file), unit),
        })?;
    }
    Ok(())
}

/// How much of a script a failure concerns.
enum Broken {
    /// The statement alone; the next one may work.
    Statement(Failure),
    /// All that would follow.
    Everything(Failure),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Broken::Everything(error.into())
    }
}

async fn run_unit(session: &mut Session, unit: Unit<'_>, params: &[Json]) -> Result<(), Broken> {
    let done = session.execute_raw(unit.sql, parameters_of(unit.sql, params)).await;
    let outcomes = done.map_err(|error| {
        let failure = Failure::of_sql(&error, unit.sql);
        let alone = failure.exit == Exit::Failed || error.server_code() == Some(ErrorCode::PermissionDenied);
        if alone { Broken::Statement(failure) } else { Broken::Everything(failure) }
    })?;
    let mut out = io::stdout().lock();
    for outcome in outcomes {
        session.write(&mut out, &outcome)?;
    }
    out.flush()?;
    Ok(())
}

/// Says where in a file the statement stands.
fn placed(mut failure: Failure, source: &Source<'_>, unit: Unit<'_>) -> Failure {
    if let (Source::File(file), false) = (source, failure.is_closed_output()) {
        let file = if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() };
        failure.text = format!("{file}, statement on line {}: {}", unit.line, failure.text);
    }
    failure
}

fn read(path: &Path) -> Result<String, Failure> {
    let broken = |error: io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let input: Box<dyn Read> =
        if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(broken)?) };
    let mut script = String::new();
    let read = input.take(SCRIPT_BYTES_MAX + 1).read_to_string(&mut script).map_err(broken)?;
    if read as u64 > SCRIPT_BYTES_MAX {
        return Err(Failure::usage(format!("{}: the script is over 256 MiB", path.display())));
    }
    Ok(script)
}
