use std::sync::Arc;

use kalamdb_commons::Value;
use kalamdb_commons::value::Decimal;
use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn column(slot: u16, data_type: DataType, fill: Value) -> ColumnDef {
    ColumnDef { name: name(&format!("c{slot}")), data_type, not_null: slot == 0, default: None, slot, fill }
}

fn table(columns: Vec<ColumnDef>) -> TableDef {
    TableDef {
        id: TableId(7),
        name: TableName { namespace: name("shop"), table: name("items") },
        kind: TableKind::Stream,
        access: AccessLevel::Restricted,
        ttl_secs: Some(60),
        next_slot: u16::try_from(columns.len()).unwrap() + 3,
        columns,
        primary_key: vec![1, 0],
        indexes: vec![IndexDef { id: IndexId(3), name: name("by_c1"), slots: vec![1], unique: true }],
        grants: Vec::new(),
        version: 4,
        created_at: -5,
    }
}

#[test]
fn a_table_reads_back_as_it_was_written() {
    let decimal = DataType::Decimal { precision: 38, scale: 2 };
    let columns = vec![
        column(0, DataType::Boolean, Value::Bool(true)),
        column(1, DataType::SmallInt, Value::SmallInt(i16::MIN)),
        column(2, DataType::Int, Value::Int(i32::MAX)),
        column(3, DataType::BigInt, Value::BigInt(i64::MIN)),
        column(4, DataType::Float, Value::Float(f32::NAN)),
        column(5, DataType::Double, Value::Double(-0.0)),
        column(6, decimal, Value::Decimal(Decimal { unscaled: i128::MIN, scale: 2 })),
        column(7, DataType::Text, Value::text("a \"text\" \u{0} \u{1f600}")),
        column(8, DataType::Timestamp, Value::Timestamp(i64::MAX)),
        column(9, DataType::DateTime, Value::DateTime(-1)),
        column(10, DataType::Date, Value::Date(-719_528)),
        column(11, DataType::Time, Value::Time(86_399_999_999)),
        column(12, DataType::Json, Value::Json("{\"a\": [1, null]}".into())),
        column(13, DataType::Bytes, Value::Bytes(Arc::from([0_u8, 255].as_slice()))),
        column(14, DataType::Uuid, Value::Uuid(u128::MAX)),
        ColumnDef { default: Some("NOW()".to_owned()), ..column(15, DataType::DateTime, Value::Null) },
    ];
    let table = table(columns);
    assert_eq!(decode(&encode(&table).unwrap()), Some(table));
}

/// Bytes of a table as the first version writes them; they must read for as long as there are such databases.
const FIRST: &str = r#"{"id":7,"name":{"namespace":"shop","table":"items"},"kind":"Stream","access":"Restricted","ttl_secs":60,"columns":[{"name":"c0","data_type":"BigInt","not_null":true,"default":null,"slot":0,"fill":"null"},{"name":"c1","data_type":{"Decimal":{"precision":10,"scale":2}},"not_null":false,"default":"1.5","slot":1,"fill":{"decimal":{"digits":"150","scale":2}}}],"primary_key":[1,0],"indexes":[{"id":3,"name":"by_c1","slots":[1],"unique":true}],"next_slot":5,"version":4,"created_at":-5}"#;

#[test]
fn the_stored_form_does_not_change() {
    let decimal = DataType::Decimal { precision: 10, scale: 2 };
    let fill = Value::Decimal(Decimal { unscaled: 150, scale: 2 });
    let columns = vec![
        column(0, DataType::BigInt, Value::Null),
        ColumnDef { default: Some("1.5".to_owned()), ..column(1, decimal, fill) },
    ];
    let table = table(columns);
    assert_eq!(String::from_utf8(encode(&table).unwrap()).unwrap(), FIRST);
    assert_eq!(decode(FIRST.as_bytes()), Some(table));
}

/// Grants came later; a table that has them is stored with them.
#[test]
fn grants_are_stored_with_their_table() {
    let grant = |grantee, rights: &[Right]| Grant { grantee, rights: rights.iter().copied().collect() };
    let anna = Grantee::User(UserId::new("anna").unwrap());
    let grants = vec![
        grant(Grantee::Role(Role::Service), &[Right::Select, Right::Insert]),
        grant(anna, &[Right::Update, Right::Delete]),
    ];
    let table = TableDef { kind: TableKind::Shared, grants, ..table(vec![column(0, DataType::Int, Value::Null)]) };
    let text = String::from_utf8(encode(&table).unwrap()).unwrap();
    let stored = r#""grants":[{"to":{"role":"service"},"rights":["SELECT","INSERT"]},{"to":{"user":"anna"},"rights":["UPDATE","DELETE"]}],"#;
    assert!(text.contains(stored), "{text}");
    assert_eq!(decode(text.as_bytes()), Some(table));
    assert_eq!(decode(text.replace("anna", "a/b").as_bytes()), None);
}

#[test]
fn bytes_of_something_else_are_no_table() {
    let wrong_fill = FIRST.replace("\"digits\":\"150\"", "\"digits\":\"1x\"");
    let wrong_name = FIRST.replace("\"items\"", "\"../items\"");
    for bytes in ["", "{}", "null", "[1]", &FIRST[1..], wrong_fill.as_str(), wrong_name.as_str()] {
        assert_eq!(decode(bytes.as_bytes()), None, "{bytes}");
    }
}

proptest! {
    #[test]
    fn s17_no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..480_usize, byte: u8) {
        let _ = decode(&bytes);
        let mut damaged = FIRST.as_bytes().to_vec();
        damaged[at] = byte;
        let _ = decode(&damaged);
    }

    #[test]
    fn floats_are_kept_to_the_bit(bits: u64) {
        let value = Value::Double(f64::from_bits(bits));
        let table = table(vec![column(0, DataType::Double, value)]);
        let read = decode(&encode(&table).unwrap()).unwrap();
        prop_assert!(matches!(read.columns[0].fill, Value::Double(x) if x.to_bits() == bits));
    }
}
