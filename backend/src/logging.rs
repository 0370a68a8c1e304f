//! Log lines, on standard error: what they hold is decided where they are written.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts writing log lines as the configuration says. Where the program writes them already, nothing changes.
pub fn start_logging(config: &Config) {
    let filter = EnvFilter::builder().parse_lossy(&config.server.log);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.server.log_format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "log lines are written already");
    }
}

/// Is this a filter that [`start_logging`] reads whole?
pub(crate) fn is_filter(text: &str) -> bool {
    EnvFilter::builder().parse(text).is_ok()
}
