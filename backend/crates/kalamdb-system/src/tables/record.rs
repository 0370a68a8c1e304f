//! Stored bytes of a table: its id is the key, a JSON document the value.
//!
//! Fields may be added with `#[serde(default)]`; none is renamed or given a new meaning.

use kalamdb_commons::{DataType, IndexId, Name, Role, TableId, TableName, UserId};
use serde::{Deserialize, Serialize};

use super::cell_record::CellRecord;
use crate::rights::{Grant, Grantee, Right};
use crate::table_def::{AccessLevel, ColumnDef, IndexDef, TableDef, TableKind};

#[derive(Serialize, Deserialize)]
struct Stored {
    id: TableId,
    name: TableName,
    kind: TableKind,
    access: AccessLevel,
    ttl_secs: Option<u64>,
    columns: Vec<StoredColumn>,
    primary_key: Vec<u16>,
    indexes: Vec<StoredIndex>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grants: Vec<StoredGrant>,
    next_slot: u16,
    version: u32,
    created_at: i64,
}

#[derive(Serialize, Deserialize)]
struct StoredColumn {
    name: Name,
    data_type: DataType,
    not_null: bool,
    default: Option<String>,
    slot: u16,
    fill: CellRecord,
}

#[derive(Serialize, Deserialize)]
struct StoredIndex {
    id: IndexId,
    name: Name,
    slots: Vec<u16>,
    unique: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredGrant {
    to: StoredGrantee,
    rights: Vec<Right>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredGrantee {
    Role(Role),
    User(String),
}

pub(crate) fn encode(table: &TableDef) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Stored {
        id: table.id,
        name: table.name.clone(),
        kind: table.kind,
        access: table.access,
        ttl_secs: table.ttl_secs,
        columns: table.columns.iter().map(StoredColumn::of).collect(),
        primary_key: table.primary_key.clone(),
        indexes: table.indexes.iter().map(StoredIndex::of).collect(),
        grants: table.grants.iter().map(StoredGrant::of).collect(),
        next_slot: table.next_slot,
        version: table.version,
        created_at: table.created_at,
    })
}

/// The table in `value`; `None` if it is not one.
pub(crate) fn decode(value: &[u8]) -> Option<TableDef> {
    let stored: Stored = serde_json::from_slice(value).ok()?;
    Some(TableDef {
        id: stored.id,
        name: stored.name,
        kind: stored.kind,
        access: stored.access,
        ttl_secs: stored.ttl_secs,
        columns: stored.columns.into_iter().map(StoredColumn::into_column).collect::<Option<_>>()?,
        primary_key: stored.primary_key,
        indexes: stored.indexes.into_iter().map(StoredIndex::into_index).collect(),
        grants: stored.grants.into_iter().map(StoredGrant::into_grant).collect::<Option<_>>()?,
        next_slot: stored.next_slot,
        version: stored.version,
        created_at: stored.created_at,
    })
}

impl StoredColumn {
    fn of(column: &ColumnDef) -> Self {
        StoredColumn {
            name: column.name.clone(),
            data_type: column.data_type,
            not_null: column.not_null,
            default: column.default.clone(),
            slot: column.slot,
            fill: CellRecord::of(&column.fill),
        }
    }

    fn into_column(self) -> Option<ColumnDef> {
        Some(ColumnDef {
            name: self.name,
            data_type: self.data_type,
            not_null: self.not_null,
            default: self.default,
            slot: self.slot,
            fill: self.fill.into_value()?,
        })
    }
}

impl StoredGrant {
    fn of(grant: &Grant) -> Self {
        let to = match &grant.grantee {
            Grantee::Role(role) => StoredGrantee::Role(*role),
            Grantee::User(user) => StoredGrantee::User(user.as_str().to_owned()),
        };
        StoredGrant { to, rights: grant.rights.iter().collect() }
    }

    fn into_grant(self) -> Option<Grant> {
        let grantee = match self.to {
            StoredGrantee::Role(role) => Grantee::Role(role),
            StoredGrantee::User(user) => Grantee::User(UserId::new(&user).ok()?),
        };
        Some(Grant { grantee, rights: self.rights.into_iter().collect() })
    }
}

impl StoredIndex {
    fn of(index: &IndexDef) -> Self {
        StoredIndex { id: index.id, name: index.name.clone(), slots: index.slots.clone(), unique: index.unique }
    }

    fn into_index(self) -> IndexDef {
        IndexDef { id: self.id, name: self.name, slots: self.slots, unique: self.unique }
    }
}

#[cfg(test)]
mod tests;
