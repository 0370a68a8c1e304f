//! Where the server is and who asks: flags, environment, profiles of a file, or asked for.
//!
//! Flags win over the environment, the environment wins over the profile. The file may hold
//! passwords and so must be its owner's alone: one that others can read is refused, not used with
//! a warning. Asking on the terminal is left to `connect.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// Where a server listens unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:2900";

/// What one source says about the connection; what it leaves open the next one may say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `http://host:port` or `https://…`.
    pub url: Option<String>,
    /// Name of the user.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// An access token, instead of user and password.
    pub token: Option<String>,
    /// Namespace of table names that are written without one.
    pub namespace: Option<String>,
}

/// A password or token is never printed, not even by a debugging line.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("url", &self.url).field("user", &self.user).finish_non_exhaustive()
    }
}

impl Settings {
    /// These settings, with `other` where they say nothing. Whoever names the user or a credential
    /// leaves nothing of `other`'s credentials in use, so that no password is sent for another's name.
    #[must_use]
    pub fn or(self, other: Settings) -> Settings {
        let names_credential = self.password.is_some() || self.password_file.is_some() || self.token.is_some();
        let other_user = self.user.is_some() && self.user != other.user && other.user.is_some();
        let keeps = !names_credential && !other_user;
        Settings {
            url: self.url.or(other.url),
            password: self.password.or(other.password.filter(|_| keeps)),
            password_file: self.password_file.or(other.password_file.filter(|_| keeps)),
            // A token names its user by itself.
            token: self.token.or(other.token.filter(|_| keeps && self.user.is_none())),
            user: self.user.or(other.user),
            namespace: self.namespace.or(other.namespace),
        }
    }
}

/// What `KALAM_URL`, `KALAM_USER`, `KALAM_PASSWORD` and `KALAM_TOKEN` say; an empty one says nothing.
#[must_use]
pub fn environment(variable: impl Fn(&str) -> Option<String>) -> Settings {
    let read = |name: &str| variable(name).filter(|value| !value.is_empty());
    Settings {
        url: read("KALAM_URL"),
        user: read("KALAM_USER"),
        password: read("KALAM_PASSWORD"),
        token: read("KALAM_TOKEN"),
        ..Settings::default()
    }
}

/// The file of profiles, as read.
#[derive(Debug, Default)]
pub struct ConfigFile {
    default_profile: Option<String>,
    profiles: BTreeMap<String, Settings>,
}

impl ConfigFile {
    /// Reads the file at `path`; a file that is not there is an empty one.
    ///
    /// # Errors
    /// Others may read the file, or it is not what it should be; the message says what to do.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let Some(text) = read_private(path)? else { return Ok(ConfigFile::default()) };
        ConfigFile::parse(&text).map_err(|text| Failure::usage(format!("{}: {text}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let mut file = ConfigFile::default();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("default_profile", toml::Value::String(name)) => file.default_profile = Some(name),
                ("profiles", toml::Value::Table(profiles)) => {
                    for (name, profile) in profiles {
                        let toml::Value::Table(profile) = profile else {
                            return Err(format!("profiles.{name} is not a table"));
                        };
                        let settings = settings(profile).map_err(|text| format!("profiles.{name}: {text}"))?;
                        file.profiles.insert(name, settings);
                    }
                }
                ("default_profile" | "profiles", _) => return Err(format!("{key} is not of the right kind")),
                _ => return Err(format!("there is no setting \"{key}\"; known are default_profile and profiles")),
            }
        }
        Ok(file)
    }

    /// The settings of the profile `wanted`, or of the default one.
    ///
    /// # Errors
    /// There is no such profile.
    pub fn profile(&self, wanted: Option<&str>) -> Result<Settings, Failure> {
        let name = wanted.or(self.default_profile.as_deref());
        let Some(name) = name else {
            return Ok(self.profiles.get("default").cloned().unwrap_or_default());
        };
        self.profiles.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Failure::usage(format!("there is no profile \"{name}\"; known are: {known}"))
        })
    }
}

fn settings(profile: toml::Table) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for (key, value) in profile {
        let toml::Value::String(text) = value else { return Err(format!("{key} is not a text")) };
        match key.as_str() {
            "url" => settings.url = Some(text),
            "user" => settings.user = Some(text),
            "password" => settings.password = Some(text),
            "password_file" => settings.password_file = Some(text.into()),
            "token" => settings.token = Some(text),
            "namespace" => settings.namespace = Some(text),
            _ => {
                return Err(format!(
                    "there is no setting \"{key}\"; known are url, user, password, password_file, token, namespace"
                ));
            }
        }
    }
    Ok(settings)
}

/// Reads a file that only its owner may read; `None` if it is not there.
///
/// # Errors
/// Others may read it, it is too large, or it cannot be read.
pub fn read_private(path: &Path) -> Result<Option<String>, Failure> {
    const BYTES_MAX: u64 = 1 << 20;
    let broken = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(broken(error)),
    };
    check_private(path, &file.metadata().map_err(broken)?)?;
    let mut text = String::new();
    let read = file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(broken)?;
    if read as u64 > BYTES_MAX {
        return Err(Failure::usage(format!("{}: the file is over 1 MiB", path.display())));
    }
    Ok(Some(text))
}

#[cfg(unix)]
fn check_private(path: &Path, metadata: &fs::Metadata) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    // A pipe, as of `--password-file <(pass show kalam)`, is not a file that others could open.
    if metadata.is_file() && mode & 0o077 != 0 {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path}: others may read this file (mode {mode:04o}), and it can hold a password. Run: chmod 600 {path}"
        )));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_path: &Path, _metadata: &fs::Metadata) -> Result<(), Failure> {
    Ok(())
}

/// The first line of a password file.
///
/// # Errors
/// As [`read_private`], or there is no such file, or nothing in it.
pub fn read_password(path: &Path) -> Result<String, Failure> {
    let text =
        read_private(path)?.ok_or_else(|| Failure::usage(format!("{}: there is no such file", path.display())))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::usage(format!("{}: the first line, the password, is empty", path.display()))),
    }
}

/// The configuration file's place: `$XDG_CONFIG_HOME/kalam/config.toml`, usually below `~/.config`.
#[must_use]
pub fn default_path(environment: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    below(environment, "XDG_CONFIG_HOME", ".config", "config.toml")
}

/// The history's place: `$XDG_STATE_HOME/kalam/history`, usually below `~/.local/state`.
#[must_use]
pub fn history_path(environment: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    below(environment, "XDG_STATE_HOME", ".local/state", "history")
}

fn below(environment: impl Fn(&str) -> Option<PathBuf>, variable: &str, in_home: &str, file: &str) -> Option<PathBuf> {
    let folder = environment(variable).filter(|path| path.is_absolute());
    let folder = folder.or_else(|| Some(environment("HOME")?.join(in_home)))?;
    Some(folder.join("kalam").join(file))
}

#[cfg(test)]
mod tests;
