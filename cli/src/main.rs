//! `kalam`, the command line of KalamDB.
//!
//! Reads the command line, makes a client and runs what was asked for. Speaks to the server only
//! through `kalam-link`. Says in its exit code how it went; the codes are in `exit.rs` and never change.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod args;
mod commands;
mod config;
mod connect;
mod exit;
mod prompt;
mod render;
mod session;
mod sql_text;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use self::args::{Cli, Command};
use self::exit::{Exit, Failure};
use self::session::Session;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("kalam: {error}");
            return ExitCode::from(Exit::Usage as u8);
        }
    };
    let done = runtime.block_on(run(&cli));
    // A thread that still waits for the terminal does not hold up the end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                eprintln!("kalam: {}", failure.text);
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

async fn run(cli: &Cli) -> Result<(), Failure> {
    let has_statements = !cli.run.commands.is_empty() || !cli.run.files.is_empty();
    if cli.command.is_some() && has_statements {
        return Err(Failure::usage("-c and -f stand alone; a subcommand has its own arguments"));
    }
    if let Some(Command::Completions { shell }) = &cli.command {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut Cli::command(), "kalam", &mut script);
        return Ok(io::stdout().write_all(&script)?);
    }
    let connection = connect::connect(&cli.connect)?;
    let mut session = Session::new(connection.client, connection.namespace, &cli.output);
    match &cli.command {
        Some(Command::Subscribe(args)) => commands::subscribe::run(&session, args).await,
        Some(Command::Import(args)) => commands::import::run(&mut session, args).await,
        Some(Command::Connections(args)) => interruptible(commands::connections::list(&mut session, args)).await,
        Some(Command::Kill(args)) => interruptible(commands::connections::kill(&mut session, args)).await,
        Some(Command::Status) => interruptible(commands::status::run(&mut session, &connection.url)).await,
        Some(Command::Completions { .. }) => Ok(()),
        None if !has_statements && io::stdin().is_terminal() => prompt::run_prompt(&mut session).await,
        None => interruptible(commands::run::run(&mut session, &cli.run)).await,
    }
}

/// Gives up waiting at Ctrl-C; what was sent may still be carried out.
async fn interruptible(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // The work first: while it reads standard input, before anything is sent, the signal simply ends the program.
    tokio::select! {
        biased;
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Failure { exit: Exit::Interrupted, text: "interrupted".to_owned() }),
    }
}
