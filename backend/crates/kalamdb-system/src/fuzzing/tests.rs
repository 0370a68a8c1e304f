use kalamdb_commons::fuzzing::{Edit, mutated};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SEEDS: &[&str] = &[
    r#"{"created_at":5}"#,
    r#"{"role":"dba","password_hash":"$argon2id$","email":null,"created_at":1,"updated_at":2,"tokens_valid_after":3,"since":4}"#,
    r#"{"live_id":"anna-0123456789abcdef0123456789abcdef-s","namespace_id":"n","table_name":"n.t","query":"SELECT 1","options":"{}","strategy":"filter","created_at":1,"node_id":"n1"}"#,
    r#"{"at":1,"kind":"kill","action":"KILL CONNECTION","user":"root","outcome":"ok","times":1}"#,
];

fn table() -> Vec<u8> {
    use kalamdb_commons::{DataType, Name, TableId, TableName, Value};

    use crate::table_def::{AccessLevel, ColumnDef, TableDef, TableKind};
    let name = |text| Name::new(text).unwrap();
    let column = |slot, data_type, fill| ColumnDef {
        name: name("c"),
        data_type,
        not_null: false,
        default: Some("NOW()".to_owned()),
        slot,
        fill,
    };
    let table = TableDef {
        id: TableId(7),
        name: TableName { namespace: name("shop"), table: name("items") },
        kind: TableKind::Shared,
        access: AccessLevel::Public,
        ttl_secs: None,
        columns: vec![
            column(0, DataType::Decimal { precision: 9, scale: 2 }, Value::Null),
            column(1, DataType::Text, Value::text("x")),
        ],
        primary_key: vec![0],
        indexes: Vec::new(),
        grants: Vec::new(),
        next_slot: 2,
        version: 1,
        created_at: 1,
    };
    tables::encode(&table).unwrap()
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    seeds.push(table());
    let tampered = (prop::sample::select(seeds), vec(any::<Edit>(), 0..4));
    prop_oneof![
        1 => vec(any::<u8>(), 0..100),
        4 => tampered.prop_map(|(seed, edits)| mutated(&seed, &edits)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s23_stored_records_are_refused_or_read_back(data in hostile()) {
        record(&data);
    }
}

#[test]
fn every_seed_is_a_record() {
    assert!(tables::decode(&table()).is_some());
    assert!(namespaces::decode(NAME, SEEDS[0].as_bytes()).is_some());
    assert!(UserRecord::decode(NAME, SEEDS[1].as_bytes()).is_some());
    assert!(LiveQueryRecord::decode(SEEDS[2].as_bytes()).is_some());
    assert!(AuditRecord::decode(SEEDS[3].as_bytes()).is_some());
}
