//! Statements of `-c`, of files and of standard input, one after the other.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

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
/// The first failure; with `--keep-going` that of the last statement that failed.
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
    let mut failed = None;
    for (source, script) in &scripts {
        for unit in units(script) {
            if let Err(failure) = run_unit(session, unit, &params, &mut io::stdout().lock()).await {
                let failure = placed(failure, source, unit);
                if !args.keep_going || failure.exit != Exit::Failed {
                    return Err(failure);
                }
                eprintln!("{}", failure.text);
                failed = Some(Exit::Failed);
            }
        }
    }
    failed.map_or(Ok(()), |exit| Err(Failure::told(exit)))
}

/// Runs a script from the prompt, and stops at its first failure.
///
/// # Errors
/// The file cannot be read, or a statement failed.
pub async fn include(session: &mut Session, file: &Path) -> Result<(), Failure> {
    let script = read(file)?;
    for unit in units(&script) {
        let done = run_unit(session, unit, &[], &mut io::stdout().lock()).await;
        done.map_err(|failure| placed(failure, &Source::File(file), unit))?;
    }
    Ok(())
}

async fn run_unit(session: &mut Session, unit: Unit<'_>, params: &[Json], out: &mut dyn Write) -> Result<(), Failure> {
    for outcome in session.execute(unit.sql, parameters_of(unit.sql, params)).await? {
        session.write(out, &outcome)?;
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
