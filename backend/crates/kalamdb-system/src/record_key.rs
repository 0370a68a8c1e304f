//! First bytes of record keys: which kind of record it is within its space.
//!
//! A number is never reused, even once its kind of record is retired. Names stand last in a key and
//! are stored whole, so no two things ever share a key.

use kalamdb_commons::{Name, SeqId, TableId, UserId};

/// Kinds of records in the space of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CatalogKey {
    /// The counters of the catalog; there is one such record.
    Header = 1,
    /// A namespace, by name.
    Namespace = 2,
    /// A table, by id.
    Table = 3,
    /// When the rows of a STREAM table up to some SeqId were written, by table and SeqId.
    StreamAge = 4,
}

/// Kinds of records in the space of users and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AuthKey {
    /// A user, by name.
    User = 1,
    /// A pair of tokens that a refresh retired, or a login that was ended, by its id.
    RevokedPair = 2,
    /// An entry of the audit log about what an administrator did, by its number.
    AuditAct = 3,
    /// An entry of the audit log about what anybody may try, by its number.
    AuditAttempt = 4,
    /// A user who was dropped and whose rows are still being deleted, by name.
    Leaving = 5,
}

impl CatalogKey {
    /// Key of the one header.
    #[must_use]
    pub fn header() -> Vec<u8> {
        vec![CatalogKey::Header as u8]
    }

    /// Key of a namespace.
    #[must_use]
    pub fn namespace(name: &Name) -> Vec<u8> {
        tagged(CatalogKey::Namespace as u8, name.as_str().as_bytes())
    }

    /// Key of a table.
    #[must_use]
    pub fn table(id: TableId) -> Vec<u8> {
        tagged(CatalogKey::Table as u8, &id.0.to_be_bytes())
    }

    /// Key of the age of a STREAM table's rows up to `seq`.
    #[must_use]
    pub fn stream_age(table: TableId, seq: SeqId) -> Vec<u8> {
        let mut key = tagged(CatalogKey::StreamAge as u8, &table.0.to_be_bytes());
        key.extend_from_slice(&seq.0.to_be_bytes());
        key
    }

    /// What the keys of all records of this kind begin with.
    #[must_use]
    pub fn prefix(self) -> Vec<u8> {
        vec![self as u8]
    }

    /// The kind of record at a key, and the rest of the key.
    #[must_use]
    pub fn split(key: &[u8]) -> Option<(CatalogKey, &[u8])> {
        let (tag, rest) = key.split_first()?;
        let kind = [CatalogKey::Header, CatalogKey::Namespace, CatalogKey::Table, CatalogKey::StreamAge]
            .into_iter()
            .find(|kind| *kind as u8 == *tag)?;
        Some((kind, rest))
    }
}

impl AuthKey {
    /// Key of a user.
    #[must_use]
    pub fn user(id: &UserId) -> Vec<u8> {
        tagged(AuthKey::User as u8, id.as_str().as_bytes())
    }

    /// Key of a retired pair of tokens or an ended login.
    #[must_use]
    pub fn revoked_pair(id: u128) -> Vec<u8> {
        tagged(AuthKey::RevokedPair as u8, &id.to_be_bytes())
    }

    /// Key of a user who was dropped and whose rows are still being deleted.
    #[must_use]
    pub fn leaving(id: &UserId) -> Vec<u8> {
        tagged(AuthKey::Leaving as u8, id.as_str().as_bytes())
    }

    /// Key of an entry of the audit log; `self` says of which kind.
    #[must_use]
    pub fn audit(self, id: u64) -> Vec<u8> {
        tagged(self as u8, &id.to_be_bytes())
    }

    /// What the keys of all records of this kind begin with.
    #[must_use]
    pub fn prefix(self) -> Vec<u8> {
        vec![self as u8]
    }

    /// The kind of record at a key, and the rest of the key.
    #[must_use]
    pub fn split(key: &[u8]) -> Option<(AuthKey, &[u8])> {
        let (tag, rest) = key.split_first()?;
        let kind = [AuthKey::User, AuthKey::RevokedPair, AuthKey::AuditAct, AuthKey::AuditAttempt, AuthKey::Leaving]
            .into_iter()
            .find(|kind| *kind as u8 == *tag)?;
        Some((kind, rest))
    }
}

fn tagged(tag: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(rest.len().saturating_add(1));
    key.push(tag);
    key.extend_from_slice(rest);
    key
}
