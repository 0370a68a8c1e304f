//! The program: reads the configuration, starts the server, waits for a signal, stops it.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use kalamdb_server::{Config, ConfigError, Server};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let env = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    match Config::load(args, env) {
        Ok(config) => match run(config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Err(ConfigError::Arguments(answer)) => answer.exit(),
        Err(error) => failed(&anyhow::Error::from(error)),
    }
}

/// Says why on one line, with all causes.
fn failed(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "kalamdb-server: {error:#}");
    ExitCode::FAILURE
}

#[tokio::main]
async fn run(config: Config) -> anyhow::Result<()> {
    kalamdb_server::start_logging(&config);
    kalamdb_server::raise_file_limit();
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    let mut server = Server::start(config).await?;
    // Nobody may be reading, and the server runs all the same.
    let _ = io::stdout().write_all(server.greeting().as_bytes());
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        error = server.failed() => Err(error),
    };
    server.stop().await;
    ended.context("the server can no longer accept connections")
}
