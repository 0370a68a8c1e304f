//! What the server is told, from flags, the environment and a file, in this order of weight.
//!
//! A setting that does not exist, or a value that makes no sense, stops the start with a message that
//! names it. Values are not repeated in messages, as they may be secrets.

mod given;
mod issuers;
mod settings;
mod value;

mod options;

use std::path::PathBuf;

use kalamdb_api::AllowedOrigins;
use kalamdb_auth::{PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN, Secret};

pub use given::Origin;
pub use issuers::{Jwks, TrustedIssuer};
pub use options::AuthOptionsError;
pub use settings::Config;
pub use value::LogFormat;

use crate::logging;
use given::Given;
use value::Hidden;

/// Longest `server.node_id` and `auth.issuer`, in bytes.
const LABEL_BYTES_MAX: usize = 64;

/// Why the server does not know what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The arguments are wrong, or ask for nothing but an answer (`--help`, `--version`).
    #[error("{0}")]
    Arguments(#[from] clap::Error),
    /// The settings file cannot be read.
    #[error("the settings file \"{}\" cannot be read", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The settings file is not TOML.
    #[error("the settings file \"{}\" is not TOML: line {line}: {problem}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// There are no settings of this section.
    #[error("there is no section \"{name}\" ({origin})")]
    UnknownSection {
        /// The section.
        name: String,
        /// Where it was given.
        origin: Origin,
    },
    /// There is no such setting.
    #[error("there is no setting \"{name}\" ({origin})")]
    Unknown {
        /// The setting.
        name: String,
        /// Where it was given.
        origin: Origin,
    },
    /// The value of a setting is wrong.
    #[error("setting \"{name}\" {problem} ({origin})")]
    Value {
        /// The setting.
        name: &'static str,
        /// What is wrong, as the end of a sentence.
        problem: String,
        /// Where it was given.
        origin: Origin,
    },
}

impl ConfigError {
    pub(crate) fn value(name: &'static str, origin: Origin, problem: impl Into<String>) -> Self {
        ConfigError::Value { name, problem: problem.into(), origin }
    }
}

impl Config {
    /// Reads the configuration. `args` begins with the name of the program.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting that is wrong.
    pub fn load(
        args: impl IntoIterator<Item = String>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let given = Given::collect(args, env)?;
        let config = Config::read(&given)?;
        config.check().map_err(|(name, problem)| ConfigError::value(name, given.origin(name), problem))?;
        Ok(config)
    }

    /// Do the settings go together? Otherwise the setting to change, and the end of a sentence.
    fn check(&self) -> Result<(), (&'static str, String)> {
        self.check_server()?;
        self.check_auth()?;
        AllowedOrigins::parse(&self.websocket.allowed_origins)
            .map_err(|error| ("websocket.allowed_origins", format!("holds something else: {error}")))?;
        Ok(())
    }

    fn check_server(&self) -> Result<(), (&'static str, String)> {
        let server = &self.server;
        check_label("server.node_id", &server.node_id)?;
        if !logging::is_filter(&server.log) {
            return Err(("server.log", "must be a level or a filter such as info,kalamdb_core=debug".to_owned()));
        }
        match (&server.tls_cert_file, &server.tls_key_file) {
            (Some(_), None) => return Err(("server.tls_key_file", "must be set with server.tls_cert_file".to_owned())),
            (None, Some(_)) => return Err(("server.tls_cert_file", "must be set with server.tls_key_file".to_owned())),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if let Some(name) = self.insecure().first().filter(|_| !server.allow_insecure) {
            let problem = "is an address that other machines can reach, in plain text; set server.tls_cert_file and \
                           server.tls_key_file, or server.allow_insecure = true if a proxy in front does TLS";
            return Err((name, problem.to_owned()));
        }
        Ok(())
    }

    fn check_auth(&self) -> Result<(), (&'static str, String)> {
        check_label("auth.issuer", &self.auth.issuer)?;
        if self.auth.trusted_issuers.iter().any(|trusted| trusted.issuer == self.auth.issuer) {
            return Err(("auth.trusted_issuers", "holds our own auth.issuer, whose tokens only we sign".to_owned()));
        }
        if let Some(Hidden(secret)) = &self.auth.jwt_secret
            && Secret::new(secret.as_bytes()).is_err()
        {
            return Err(("auth.jwt_secret", format!("must have at least {} bytes", Secret::BYTES_MIN)));
        }
        let length = self.auth.root_password.as_ref().map(|Hidden(password)| password.len());
        if length.is_some_and(|length| !(PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&length)) {
            let problem = format!("must have {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} bytes");
            return Err(("auth.root_password", problem));
        }
        Ok(())
    }

    /// The settings whose addresses other machines can reach in plain text.
    pub(crate) fn insecure(&self) -> Vec<&'static str> {
        let server = &self.server;
        let plain = server.tls_cert_file.is_none();
        let listen = (plain && !server.listen.ip().is_loopback()).then_some("server.listen");
        let admin = server.admin_listen.filter(|address| !address.ip().is_loopback());
        listen.into_iter().chain(admin.map(|_| "server.admin_listen")).collect()
    }
}

fn check_label(name: &'static str, label: &str) -> Result<(), (&'static str, String)> {
    let fine = (1..=LABEL_BYTES_MAX).contains(&label.len()) && !label.chars().any(char::is_control);
    if fine { Ok(()) } else { Err((name, format!("must have 1 to {LABEL_BYTES_MAX} printable bytes"))) }
}

#[cfg(test)]
mod tests;
