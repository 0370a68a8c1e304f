//! What no bytes from outside may do to this crate: for the fuzzer, and for the tests alike.
//!
//! Each function takes bytes as a stranger could send them. It fails on a defect only: a panic, or something
//! that was read and does not read back as itself. [`mutated`] makes such bytes where there is no fuzzer.

use std::str::{self, FromStr};

use crate::ids::{ConnectionId, LiveQueryId, SubscriptionId, UserId};
use crate::name::Name;
use crate::protocol::{ClientMessage, ServerMessage};
use crate::value::{Decimal, Value};
use crate::{DataType, protocol::SqlRequest};

/// One change of some bytes: where, how, and with which byte.
pub type Edit = (u16, u8, u8);

/// `seed` with these changes: bytes flipped, replaced, put in, taken out, doubled, or all that follows cut off.
#[must_use]
pub fn mutated(seed: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for &(place, how, byte) in edits {
        let place = usize::from(place) % bytes.len().saturating_add(1);
        match (how % 6, bytes.get_mut(place)) {
            (0, Some(old)) => *old ^= byte,
            (1, Some(old)) => *old = byte,
            (2, Some(_)) => drop(bytes.remove(place)),
            (3, _) => bytes.insert(place, byte),
            (4, _) => {
                let end = place.saturating_add(usize::from(byte)).min(bytes.len());
                let piece = bytes.get(place..end).unwrap_or_default().to_vec();
                bytes.splice(place..place, piece);
            }
            (5, _) => bytes.truncate(place),
            _ => {}
        }
    }
    bytes
}

/// A frame of a client.
pub fn client_message(data: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<ClientMessage>(data) {
        let written = serde_json::to_vec(&message).unwrap_or_default();
        assert_eq!(serde_json::from_slice(&written).ok(), Some(message));
    }
}

/// A frame of a server, as a client gets it.
pub fn server_message(data: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<ServerMessage>(data) {
        let written = serde_json::to_vec(&message).unwrap_or_default();
        assert_eq!(serde_json::from_slice(&written).ok(), Some(message));
    }
}

/// The body of a request.
pub fn sql_request(data: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<SqlRequest>(data) {
        for json in request.params.iter().flatten() {
            let value = Value::from_json_untyped(json);
            for data_type in every_type() {
                drop(value.assign_to(&data_type));
                drop(Value::from_json(json, &data_type));
            }
        }
    }
}

/// Names and ids.
pub fn identities(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(id) = LiveQueryId::from_str(text) {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(user) = UserId::new(text) {
        assert!(user.as_str() == text && text.len() <= UserId::MAX_BYTES && !text.contains(['/', '\\', '\0']));
        let connection_id = ConnectionId(u128::from(data.len() as u64));
        if let Ok(subscription_id) = SubscriptionId::new(text) {
            let id = LiveQueryId { user_id: user, connection_id, subscription_id };
            assert_eq!(id.to_string().parse().ok(), Some(id));
        }
    }
    if let Ok(name) = Name::new(text) {
        assert_eq!(Name::new(name.as_str()).ok().as_ref(), Some(&name));
    }
}

/// Values in the notations that people write.
pub fn values(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Some(decimal) = Decimal::parse(text) {
        assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal));
    }
    for data_type in every_type() {
        if let Ok(value) = Value::from_text(text, &data_type) {
            let again = Value::from_text(&value.to_text(), &data_type);
            assert_eq!(again.ok().map(|value| value.to_text()), Some(value.to_text()), "{data_type}");
        }
    }
}

fn every_type() -> [DataType; 16] {
    [
        DataType::Boolean,
        DataType::SmallInt,
        DataType::Int,
        DataType::BigInt,
        DataType::Float,
        DataType::Double,
        DataType::Text,
        DataType::Timestamp,
        DataType::DateTime,
        DataType::Date,
        DataType::Time,
        DataType::Json,
        DataType::Bytes,
        DataType::Uuid,
        DataType::Decimal { precision: 38, scale: 10 },
        DataType::Decimal { precision: 4, scale: 4 },
    ]
}

#[cfg(test)]
mod tests;
