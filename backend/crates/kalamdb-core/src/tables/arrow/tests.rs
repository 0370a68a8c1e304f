//! Every type through Arrow and back, and every Arrow type that an expression can give.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, Decimal256Array, DurationMicrosecondArray, Int8Array, Int64Array, IntervalDayTimeArray, ListArray,
    NullArray, StringArray, StringViewArray, StructArray, TimestampNanosecondArray, UInt64Array,
};
use datafusion::arrow::datatypes::{Field, Int64Type, IntervalDayTime, Schema, i256};
use datafusion::arrow::record_batch::RecordBatch;
use kalamdb_commons::{ErrorCode, Row};
use proptest::prelude::*;

use super::*;

fn data_type() -> impl Strategy<Value = DataType> {
    prop_oneof![
        Just(DataType::Boolean),
        Just(DataType::SmallInt),
        Just(DataType::Int),
        Just(DataType::BigInt),
        Just(DataType::Float),
        Just(DataType::Double),
        Just(DataType::Text),
        Just(DataType::Timestamp),
        Just(DataType::DateTime),
        Just(DataType::Date),
        Just(DataType::Time),
        Just(DataType::Json),
        Just(DataType::Bytes),
        Just(DataType::Uuid),
        (1..=38_u8).prop_flat_map(|precision| {
            (0..=precision).prop_map(move |scale| DataType::Decimal { precision, scale })
        }),
    ]
}

fn value(data_type: DataType) -> BoxedStrategy<Value> {
    let some = match data_type {
        DataType::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
        DataType::SmallInt => any::<i16>().prop_map(Value::SmallInt).boxed(),
        DataType::Int => any::<i32>().prop_map(Value::Int).boxed(),
        DataType::BigInt => any::<i64>().prop_map(Value::BigInt).boxed(),
        DataType::Float => any::<f32>().prop_map(Value::Float).boxed(),
        DataType::Double => any::<f64>().prop_map(Value::Double).boxed(),
        DataType::Text => any::<String>().prop_map(Value::text).boxed(),
        DataType::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
        DataType::DateTime => any::<i64>().prop_map(Value::DateTime).boxed(),
        DataType::Date => any::<i32>().prop_map(Value::Date).boxed(),
        DataType::Time => any::<i64>().prop_map(Value::Time).boxed(),
        DataType::Json => any::<String>().prop_map(|text| Value::Json(text.into())).boxed(),
        DataType::Bytes => any::<Vec<u8>>().prop_map(|bytes| Value::Bytes(bytes.into())).boxed(),
        DataType::Uuid => any::<u128>().prop_map(Value::Uuid).boxed(),
        DataType::Decimal { precision, scale } => {
            let limit = 10_i128.pow(u32::from(precision)) - 1;
            (-limit..=limit).prop_map(move |unscaled| Value::Decimal(Decimal { unscaled, scale })).boxed()
        }
    };
    prop_oneof![1 => Just(Value::Null), 8 => some].boxed()
}

proptest! {
    #[test]
    fn every_value_comes_back_from_an_array_and_from_a_literal(
        (data_type, values) in data_type().prop_flat_map(|t| (Just(t), prop::collection::vec(value(t), 0..20)))
    ) {
        let field = arrow_field("c", &data_type, true);
        prop_assert_eq!(data_type_of(&field), Ok(data_type));
        let array = values_to_array(&data_type, values.iter());
        prop_assert_eq!(array.data_type(), field.data_type());
        for (at, value) in values.iter().enumerate() {
            prop_assert_eq!(&value_at(&array, at, &data_type), value);
            let scalar = typed_scalar(value, &data_type);
            prop_assert_eq!(&scalar.data_type(), field.data_type());
            let back = value_of_scalar(&scalar, &data_type);
            prop_assert_eq!(back.as_ref(), Some(value));
            prop_assert_eq!(scalar_of(value).is_null(), value.is_null());
        }
    }

    #[test]
    fn rows_come_back_from_a_batch(
        (types, rows) in prop::collection::vec(data_type(), 1..6).prop_flat_map(|types| {
            let row = types.iter().map(|t| value(*t)).collect::<Vec<_>>();
            (Just(types), prop::collection::vec(row.prop_map(Row::new), 0..8))
        })
    ) {
        let fields: Vec<Field> = types.iter().map(|t| arrow_field("c", t, true)).collect();
        let batch = batch_of(Arc::new(Schema::new(fields)), &types, &rows).unwrap();
        prop_assert_eq!(rows_of(&batch, &types).unwrap(), rows);
    }
}

fn only(array: ArrayRef) -> Result<(DataType, Value), SqlError> {
    let field = Field::new("c", array.data_type().clone(), true);
    let data_type = data_type_of(&field)?;
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap();
    let rows = rows_of(&batch, &[data_type])?;
    Ok((data_type, rows[0][0].clone()))
}

#[test]
fn types_that_no_column_has_are_read_as_the_nearest_one() {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None, Some(3)])]);
    let object = StructArray::from(vec![
        (Arc::new(Field::new("a", ArrowType::Utf8, true)), Arc::new(StringArray::from(vec!["x"])) as ArrayRef),
        (Arc::new(Field::new("b", ArrowType::Int64, true)), Arc::new(Int64Array::from(vec![5])) as ArrayRef),
    ]);
    let cases: Vec<(ArrayRef, DataType, Value)> = vec![
        (Arc::new(NullArray::new(1)), DataType::Text, Value::Null),
        (Arc::new(Int8Array::from(vec![-3])), DataType::SmallInt, Value::SmallInt(-3)),
        (Arc::new(UInt64Array::from(vec![7])), DataType::BigInt, Value::BigInt(7)),
        (Arc::new(StringViewArray::from(vec!["v"])), DataType::Text, Value::text("v")),
        (Arc::new(TimestampNanosecondArray::from(vec![-1])), DataType::Timestamp, Value::Timestamp(-1)),
        (
            Arc::new(TimestampNanosecondArray::from(vec![1_500]).with_timezone("+00:00")),
            DataType::DateTime,
            Value::DateTime(1),
        ),
        (Arc::new(list), DataType::Json, Value::Json("[1,null,3]".into())),
        (Arc::new(object), DataType::Json, Value::Json(r#"{"a":"x","b":5}"#.into())),
        (
            Arc::new(Decimal256Array::from(vec![i256::from_i128(12_345)]).with_precision_and_scale(50, 2).unwrap()),
            DataType::Decimal { precision: 38, scale: 2 },
            Value::Decimal(Decimal { unscaled: 12_345, scale: 2 }),
        ),
    ];
    for (array, data_type, value) in cases {
        assert_eq!(only(array.clone()), Ok((data_type, value)), "{:?}", array.data_type());
    }
    let spans: [ArrayRef; 2] = [
        Arc::new(IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, 0)])),
        Arc::new(DurationMicrosecondArray::from(vec![5])),
    ];
    for array in spans {
        let (data_type, value) = only(array).unwrap();
        assert_eq!(data_type, DataType::Text);
        assert!(matches!(&value, Value::Text(text) if !text.is_empty()), "{value:?}");
    }
}

#[test]
fn a_number_too_large_for_every_type_is_an_error_and_not_another_number() {
    let wide = Decimal256Array::from(vec![i256::MAX]).with_precision_and_scale(76, 0).unwrap();
    let arrays: [ArrayRef; 2] = [Arc::new(UInt64Array::from(vec![u64::MAX])), Arc::new(wide)];
    for array in arrays {
        assert_eq!(only(array).unwrap_err().code, ErrorCode::ConstraintViolation);
    }
}

#[test]
fn a_uuid_literal_in_another_notation_is_no_value_of_a_column() {
    let stored = "0195f2c0-0000-7000-8000-00000000000a";
    let literal = |text: &str| value_of_scalar(&ScalarValue::Utf8(Some(text.to_owned())), &DataType::Uuid);
    assert!(literal(stored).is_some());
    assert_eq!(literal(&stored.to_uppercase()), None);
    assert_eq!(literal("no uuid"), None);
}
