//! What no stored record may do to what reads it: for the fuzzer, and for the tests alike.
//!
//! It fails on a defect only: a panic, or a record that was read and does not read back as itself.

use crate::audit::record::Stored as AuditRecord;
use crate::live_queries::LiveQueryRecord;
use crate::record_key::{AuthKey, CatalogKey};
use crate::users::UserRecord;
use crate::{namespaces, tables};

/// Name under which records are read that have theirs in the key.
const NAME: &[u8] = b"anna";

/// A record of any kind, or its key.
pub fn record(data: &[u8]) {
    let _catalog = CatalogKey::split(data);
    let _auth = AuthKey::split(data);
    if let Some(table) = tables::decode(data) {
        let once = tables::encode(&table).unwrap_or_default();
        assert_eq!(tables::decode(&once), Some(table));
    }
    if let Some(namespace) = namespaces::decode(NAME, data) {
        let once = namespaces::encode(&namespace).unwrap_or_default();
        assert_eq!(namespaces::decode(NAME, &once), Some(namespace));
    }
    if let Some(user) = UserRecord::decode(NAME, data) {
        let once = user.encode().unwrap_or_default();
        assert_eq!(UserRecord::decode(NAME, &once), Some(user));
    }
    if let Some(query) = LiveQueryRecord::decode(data) {
        let once = query.encode().unwrap_or_default();
        assert_eq!(LiveQueryRecord::decode(&once), Some(query));
    }
    if let Some(entry) = AuditRecord::decode(data) {
        let once = entry.encode().unwrap_or_default();
        assert_eq!(AuditRecord::decode(&once).and_then(|entry| entry.encode().ok()), Some(once));
    }
}

#[cfg(test)]
mod tests;
