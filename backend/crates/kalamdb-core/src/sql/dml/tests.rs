use std::sync::Arc;

use kalamdb_commons::{DataType, Name, TableId, TableName, Value};
use kalamdb_system::{AccessLevel, ColumnDef, TableKind};

use super::*;
use crate::options::Limits;
use crate::sql::transaction::{WriteState, WriteTable};

/// A table of these columns, the first in slot 0, ready for writing.
pub(super) fn write_table(columns: &[(&str, DataType)], key: &[u16]) -> WriteTable {
    let column = |(slot, (name, data_type)): (usize, &(&str, DataType))| ColumnDef {
        name: Name::new(name).unwrap(),
        data_type: *data_type,
        not_null: false,
        default: None,
        slot: u16::try_from(slot).unwrap(),
        fill: Value::Null,
    };
    let def = TableDef {
        id: TableId(1),
        name: TableName { namespace: Name::new("n").unwrap(), table: Name::new("t").unwrap() },
        kind: TableKind::User,
        access: AccessLevel::Private,
        ttl_secs: None,
        columns: columns.iter().enumerate().map(column).collect(),
        primary_key: key.to_vec(),
        indexes: Vec::new(),
        grants: Vec::new(),
        next_slot: u16::try_from(columns.len()).unwrap(),
        version: 1,
        created_at: 0,
    };
    let table = WriteState::default().table(&Arc::new(def), &Limits::default()).unwrap();
    Arc::into_inner(table).unwrap()
}

#[test]
fn columns_are_listed_as_people_write_them() {
    let table = write_table(&[("a", DataType::Int), ("b", DataType::Int)], &[]);
    assert_eq!(column_list(&table.def, &[1]), "\"b\"");
    assert_eq!(column_list(&table.def, &[1, 0]), "(\"b\", \"a\")");
}
