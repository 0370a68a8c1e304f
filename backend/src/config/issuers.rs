//! The setting `auth.trusted_issuers`: a list of tables, in a file as TOML has them, in the environment as
//! JSON or as TOML on one line.

use std::path::PathBuf;

use kalamdb_commons::UserId;
use toml::{Table, Value};

use super::value::{MustBe, Raw, SettingValue, parse_value};
use crate::jwks;

/// Most issuers.
const ISSUERS_MAX: usize = 32;
/// Most entries of a list of one issuer.
const ENTRIES_MAX: usize = 256;
/// Longest text of one issuer, in bytes.
const TEXT_BYTES_MAX: usize = 2_048;
/// The claim that names the user where nothing is said.
const USER_CLAIM: &str = "sub";

/// An issuer whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// Its name, exactly as its tokens have it in `iss`.
    pub issuer: String,
    /// A token must be for one of these (`aud`).
    pub audiences: Vec<String>,
    /// Where its keys are.
    pub jwks: Jwks,
    /// The claim that names the user.
    pub user_claim: String,
    /// What is put in front of it.
    pub user_prefix: String,
    /// Is a user that does not exist made?
    pub create_users: bool,
    /// Users above the role `user` that it may speak for.
    pub elevated_users: Vec<UserId>,
}

/// Where the keys of an issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// In this file.
    File(PathBuf),
    /// At this URL.
    Url(String),
}

impl SettingValue for Vec<TrustedIssuer> {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        let parsed;
        let list = match raw {
            Raw::Toml(value) => value.as_array(),
            Raw::Text(text) if text.trim().is_empty() => return Ok(Vec::new()),
            Raw::Text(text) => {
                parsed = serde_json::from_str(text).ok().or_else(|| parse_value(text.trim()));
                parsed.as_ref().and_then(Value::as_array)
            }
        };
        let list = list.ok_or("a list of issuers, each with issuer, audiences and jwks_url or jwks_file")?;
        if list.len() > ISSUERS_MAX {
            return Err(format!("a list of at most {ISSUERS_MAX} issuers"));
        }
        let read = |(at, value): (usize, &Value)| {
            let table = value.as_table().ok_or_else(|| "is no table".to_owned());
            let issuer = table.and_then(TrustedIssuer::read);
            issuer.map_err(|problem| format!("a list of issuers; number {} {problem}", at.saturating_add(1)))
        };
        let issuers: Vec<TrustedIssuer> = list.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        let is_twice = |at: usize, issuer: &TrustedIssuer| issuers.iter().take(at).any(|i| i.issuer == issuer.issuer);
        match issuers.iter().enumerate().find(|(at, issuer)| is_twice(*at, issuer)) {
            Some((at, _)) => Err(format!("a list of issuers; number {} is there twice", at.saturating_add(1))),
            None => Ok(issuers),
        }
    }

    fn written(&self) -> Option<String> {
        Some(Value::Array(self.iter().map(TrustedIssuer::written).collect()).to_string())
    }
}

impl TrustedIssuer {
    fn read(table: &Table) -> Result<Self, String> {
        const KEYS: [&str; 8] = [
            "issuer",
            "audiences",
            "jwks_file",
            "jwks_url",
            "user_claim",
            "user_prefix",
            "create_users",
            "elevated_users",
        ];
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("has \"{unknown}\", which there is not"));
        }
        let audiences = texts(table, "audiences")?;
        if audiences.is_empty() {
            return Err("needs \"audiences\", for which its tokens must be".to_owned());
        }
        let jwks = match (text(table, "jwks_file")?, text(table, "jwks_url")?) {
            (Some(file), None) => Jwks::File(file.into()),
            (None, Some(url)) if jwks::parse(&url).is_some() => Jwks::Url(url),
            (None, Some(_)) => return Err("needs a \"jwks_url\" that is https, or http on this machine".to_owned()),
            (Some(_), Some(_)) | (None, None) => return Err("needs either \"jwks_url\" or \"jwks_file\"".to_owned()),
        };
        let elevated = texts(table, "elevated_users")?;
        let elevated: Result<Vec<_>, _> = elevated.iter().map(|name| UserId::new(name)).collect();
        let elevated_users =
            elevated.map_err(|error| format!("has \"elevated_users\" in which one is none: {error}"))?;
        if elevated_users.contains(&UserId::root()) {
            return Err("may not speak for \"root\", who logs in with a password".to_owned());
        }
        let user_prefix = text(table, "user_prefix")?.unwrap_or_default();
        if UserId::new(&format!("{user_prefix}x")).is_err() {
            return Err("has a \"user_prefix\" with which no user name can begin".to_owned());
        }
        Ok(TrustedIssuer {
            issuer: text(table, "issuer")?.ok_or("needs \"issuer\", its name in its tokens")?,
            audiences,
            jwks,
            user_claim: text(table, "user_claim")?.unwrap_or_else(|| USER_CLAIM.to_owned()),
            user_prefix,
            create_users: match table.get("create_users") {
                None => false,
                Some(value) => value.as_bool().ok_or("has a \"create_users\" that is neither true nor false")?,
            },
            elevated_users,
        })
    }

    fn written(&self) -> Value {
        let list = |texts: &mut dyn Iterator<Item = String>| Value::Array(texts.map(Value::String).collect());
        let (key, place) = match &self.jwks {
            Jwks::File(path) => ("jwks_file", path.to_string_lossy().into_owned()),
            Jwks::Url(url) => ("jwks_url", url.clone()),
        };
        let mut table = Table::new();
        let mut put = |name: &str, value: Value| table.insert(name.to_owned(), value);
        put("issuer", Value::String(self.issuer.clone()));
        put("audiences", list(&mut self.audiences.iter().cloned()));
        put(key, Value::String(place));
        put("user_claim", Value::String(self.user_claim.clone()));
        put("user_prefix", Value::String(self.user_prefix.clone()));
        put("create_users", Value::Boolean(self.create_users));
        put("elevated_users", list(&mut self.elevated_users.iter().map(ToString::to_string)));
        Value::Table(table)
    }
}

/// A text of an issuer; an empty one is none.
fn text(table: &Table, key: &str) -> Result<Option<String>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text.clone()).filter(|t| !t.is_empty())),
        Some(_) => Err(format!("has a \"{key}\" that is no text, or too long a one")),
    }
}

/// A list of texts of an issuer; where nothing is said, an empty one.
fn texts(table: &Table, key: &str) -> Result<Vec<String>, String> {
    let no_list = || format!("has \"{key}\" that is no list of texts, or too long a one");
    let Some(value) = table.get(key) else { return Ok(Vec::new()) };
    let list = value.as_array().filter(|list| list.len() <= ENTRIES_MAX).ok_or_else(no_list)?;
    let fits = |text: &&str| (1..=TEXT_BYTES_MAX).contains(&text.len());
    list.iter().map(|item| item.as_str().filter(fits).map(str::to_owned).ok_or_else(no_list)).collect()
}

#[cfg(test)]
mod tests;
