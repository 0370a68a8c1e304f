//! Kinds of values a setting can have: how each is read from text and from TOML, and written again.
//!
//! An error says what a value must be, never what it was: it may be a secret.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;
use toml::Value;

/// What a value must be, as the end of the sentence "setting x must be …".
pub(crate) type MustBe = String;

/// A value as it was given.
#[derive(Clone)]
pub(crate) enum Raw {
    /// By a flag or the environment.
    Text(String),
    /// By a file.
    Toml(Value),
}

/// A value of a setting.
pub(crate) trait SettingValue: Sized {
    /// Reads a value.
    fn read(raw: &Raw) -> Result<Self, MustBe>;

    /// The value as a file has it; `None` where there is none.
    fn written(&self) -> Option<String>;

    /// Is it hidden wherever settings are shown?
    const SECRET: bool = false;
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub(crate) String);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// When a commit is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurabilityMode {
    /// Before its writer is answered.
    Sync,
    /// Soon after.
    Interval,
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// A whole number within bounds.
pub(crate) fn read_number<T: TryFrom<u64>>(raw: &Raw, range: &RangeInclusive<u64>) -> Result<T, MustBe> {
    let number = match raw {
        Raw::Text(text) => text.trim().parse::<u64>().ok(),
        Raw::Toml(Value::Integer(number)) => u64::try_from(*number).ok(),
        Raw::Toml(_) => None,
    };
    let fitting = number.filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok());
    fitting.ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl SettingValue for $number {
            fn read(raw: &Raw) -> Result<Self, MustBe> {
                read_number(raw, &(0..=u64::MAX))
            }

            fn written(&self) -> Option<String> {
                Some(self.to_string())
            }
        })*
    };
}

numbers! { u32 u64 usize }

impl SettingValue for bool {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        let value = match raw {
            Raw::Text(text) => text.trim().parse().ok(),
            Raw::Toml(value) => value.as_bool(),
        };
        value.ok_or_else(|| "true or false".to_owned())
    }

    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl SettingValue for String {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        Ok(text(raw)?.to_owned())
    }

    fn written(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl SettingValue for PathBuf {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        let path = text(raw)?;
        if path.is_empty() { Err("a path".to_owned()) } else { Ok(path.into()) }
    }

    fn written(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

impl SettingValue for Option<PathBuf> {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        let path = text(raw)?;
        Ok((!path.is_empty()).then(|| path.into()))
    }

    fn written(&self) -> Option<String> {
        self.as_ref().and_then(SettingValue::written)
    }
}

impl SettingValue for SocketAddr {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        address(text(raw)?)
    }

    fn written(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl SettingValue for Option<SocketAddr> {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        match text(raw)? {
            "" => Ok(None),
            given => address(given).map(Some),
        }
    }

    fn written(&self) -> Option<String> {
        self.as_ref().and_then(SettingValue::written)
    }
}

impl SettingValue for Option<Hidden> {
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Result<Self, MustBe> {
        Ok(Some(Hidden(text(raw)?.to_owned())))
    }

    fn written(&self) -> Option<String> {
        None
    }
}

impl SettingValue for Vec<String> {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        list(raw)
    }

    fn written(&self) -> Option<String> {
        let items: Vec<String> = self.iter().map(|item| quoted(item)).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

impl SettingValue for Vec<IpNet> {
    fn read(raw: &Raw) -> Result<Self, MustBe> {
        let net = |item: &String| item.parse().ok().or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from));
        let nets: Option<Self> = list(raw)?.iter().map(net).collect();
        nets.ok_or_else(|| "a list of addresses and networks such as 10.0.0.0/8".to_owned())
    }

    fn written(&self) -> Option<String> {
        self.iter().map(ToString::to_string).collect::<Vec<_>>().written()
    }
}

macro_rules! words {
    ($type:ident: $($word:literal => $variant:ident),+) => {
        impl SettingValue for $type {
            fn read(raw: &Raw) -> Result<Self, MustBe> {
                match text(raw)? {
                    $($word => Ok($type::$variant),)+
                    _ => Err([$(concat!("\"", $word, "\"")),+].join(" or ")),
                }
            }

            fn written(&self) -> Option<String> {
                Some(quoted(match self { $($type::$variant => $word),+ }))
            }
        }
    };
}

words!(LogFormat: "text" => Text, "json" => Json);
words!(DurabilityMode: "sync" => Sync, "interval" => Interval);

fn text(raw: &Raw) -> Result<&str, MustBe> {
    match raw {
        Raw::Text(text) | Raw::Toml(Value::String(text)) => Ok(text),
        Raw::Toml(_) => Err("a text in quotes".to_owned()),
    }
}

fn address(text: &str) -> Result<SocketAddr, MustBe> {
    text.parse().map_err(|_| "an IP address and a port such as 127.0.0.1:2900".to_owned())
}

/// A list in a file, or in text: items with commas between them, or a list as JSON and TOML write it.
fn list(raw: &Raw) -> Result<Vec<String>, MustBe> {
    let parsed;
    let items = match raw {
        Raw::Toml(value) => value.as_array(),
        Raw::Text(text) if text.trim_start().starts_with('[') => {
            parsed = parse_value(text.trim());
            parsed.as_ref().and_then(Value::as_array)
        }
        Raw::Text(text) => {
            return Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect());
        }
    };
    let items = items.and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
    items.ok_or_else(|| "a list of texts".to_owned())
}

/// A single value as a file has it.
pub(crate) fn parse_value(text: &str) -> Option<Value> {
    toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?.remove("value")
}

/// The text between quotes, as TOML reads it.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests;
