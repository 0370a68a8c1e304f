//! SeqIds on the wire: a number while a double can hold it, else a string of digits.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use crate::ids::SeqId;

const FIRST_INEXACT: u64 = 1 << 53;

impl Serialize for SeqId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 < FIRST_INEXACT { serializer.serialize_u64(self.0) } else { serializer.collect_str(&self.0) }
    }
}

impl<'de> Deserialize<'de> for SeqId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Number(u64),
            Digits(String),
        }
        match Wire::deserialize(deserializer) {
            Ok(Wire::Number(n)) => Ok(SeqId(n)),
            Ok(Wire::Digits(s)) => s.parse().map(SeqId).map_err(|_| D::Error::custom("a seq is a string of digits")),
            Err(_) => Err(D::Error::custom("a seq is a whole number or a string of digits")),
        }
    }
}
