//! Where values come from: flags, the environment, a file; and which of them counts.
//!
//! Everything given is looked at, also what another place overrides: a name that is no setting stops
//! the start wherever it stands. What the values mean is read later.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::value::Raw;
use super::{ConfigError, settings};

/// What the names of all settings begin with in the environment.
const PREFIX: &str = "KALAMDB_";
/// Other names for settings in the environment; the names with sections win.
const ALIASES: [(&str, &str); 2] = [("KALAMDB_ROOT_PASSWORD", "auth.root_password"), ("RUST_LOG", "server.log")];
/// Read if it is there, where no file is named.
const USUAL_FILE: &str = "server.toml";

/// The KalamDB server: SQL over HTTP, live queries over WebSocket.
///
/// Flags win over the environment (`KALAMDB_<SECTION>__<KEY>`), which wins over the file.
#[derive(Debug, Parser)]
#[command(name = "kalamdb-server", version)]
struct Arguments {
    /// Settings file [default: server.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:2900]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where the data is [default: ./data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// As a flag of this name.
    Flag(&'static str),
    /// In the environment, under this name.
    Environment(String),
    /// In this file.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("the default"),
            Origin::Flag(name) => f.write_str(name),
            Origin::Environment(name) => f.write_str(name),
            Origin::File(path) => path.display().fmt(f),
        }
    }
}

/// The values that were given, by the names of their settings.
pub(crate) struct Given(BTreeMap<String, (Raw, Origin)>);

impl Given {
    /// Collects what the arguments, the environment and the file say.
    ///
    /// # Errors
    /// [`ConfigError`] naming what cannot be read or is no setting.
    pub(crate) fn collect(
        args: impl IntoIterator<Item = String>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Given, ConfigError> {
        let arguments = Arguments::try_parse_from(args)?;
        let mut given = Given(BTreeMap::new());
        match &arguments.config {
            Some(path) => given.read_file(path)?,
            None if Path::new(USUAL_FILE).is_file() => given.read_file(Path::new(USUAL_FILE))?,
            None => {}
        }
        given.read_environment(env)?;
        let flags =
            [("server.listen", "--listen", arguments.listen), ("server.data_dir", "--data-dir", arguments.data_dir)];
        for (name, flag, value) in flags {
            if let Some(value) = value {
                given.put(name.to_owned(), Raw::Text(value), Origin::Flag(flag))?;
            }
        }
        Ok(given)
    }

    /// What was given for a setting.
    pub(crate) fn get(&self, name: &str) -> Option<&(Raw, Origin)> {
        self.0.get(name)
    }

    /// Where a setting was given.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        self.0.get(name).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    fn put(&mut self, name: String, raw: Raw, origin: Origin) -> Result<(), ConfigError> {
        if !settings::names().any(|known| known == name) {
            return Err(ConfigError::Unknown { name, origin });
        }
        self.0.insert(name, (raw, origin));
        Ok(())
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        let file: toml::Table = toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: line_of(&text, error.span()),
            problem: error.message().to_owned(),
        })?;
        let origin = Origin::File(path.to_owned());
        for (section, content) in file {
            let toml::Value::Table(content) = content else {
                return Err(ConfigError::Unknown { name: section, origin });
            };
            if !settings::SECTIONS.iter().any(|known| known.name == section) {
                return Err(ConfigError::UnknownSection { name: section, origin });
            }
            for (key, value) in content {
                self.put(format!("{section}.{key}"), Raw::Toml(value), origin.clone())?;
            }
        }
        Ok(())
    }

    fn read_environment(&mut self, env: impl IntoIterator<Item = (String, String)>) -> Result<(), ConfigError> {
        let mut by_section = Vec::new();
        for (variable, value) in env {
            let origin = Origin::Environment(variable.clone());
            if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| *alias == variable) {
                self.put((*name).to_owned(), Raw::Text(value), origin)?;
            } else if let Some(rest) = variable.strip_prefix(PREFIX) {
                let rest = rest.to_lowercase();
                if let Some((section, key)) = rest.split_once("__") {
                    if !settings::SECTIONS.iter().any(|known| known.name == section) {
                        return Err(ConfigError::UnknownSection { name: section.to_owned(), origin });
                    }
                    by_section.push((format!("{section}.{key}"), value, origin));
                } else if settings::SECTIONS.iter().any(|known| rest.starts_with(&format!("{}_", known.name))) {
                    // One underscore too few. Other names may belong to other programs of ours.
                    return Err(ConfigError::Unknown { name: rest, origin });
                }
            }
        }
        for (name, value, origin) in by_section {
            self.put(name, Raw::Text(value), origin)?;
        }
        Ok(())
    }
}

fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests;
