//! Ids that are made up: `SNOWFLAKE_ID()`, `UUID_V7()`, `ULID()`.
//!
//! Each kind only grows within one engine, also when many are made in one millisecond or the clock
//! goes back. Random bits keep ids of different processes apart.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType as ArrowType, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use kalamdb_commons::{DataType, Value};
use kalamdb_store::Clock;
use parking_lot::Mutex;
use rand::RngExt as _;
use ulid::Ulid;

use crate::tables::arrow::{arrow_field, arrow_type, values_to_array};

/// 2020-01-01, where the time of a SNOWFLAKE_ID begins, in milliseconds since the Unix epoch.
const SNOWFLAKE_EPOCH_MS: i64 = 1_577_836_800_000;

/// Bits of a SNOWFLAKE_ID that number the ids of one millisecond, and that tell processes apart.
const SNOWFLAKE_COUNT_BITS: u32 = 12;
const SNOWFLAKE_PROCESS_BITS: u32 = 10;

/// A kind of made-up id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// `SNOWFLAKE_ID()`, a BIGINT.
    Snowflake,
    /// `UUID_V7()`.
    UuidV7,
    /// `ULID()`, a text of 26 characters.
    Ulid,
}

impl IdKind {
    /// All of them.
    pub const ALL: [IdKind; 3] = [IdKind::Snowflake, IdKind::UuidV7, IdKind::Ulid];

    /// Its name in SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            IdKind::Snowflake => "snowflake_id",
            IdKind::UuidV7 => "uuid_v7",
            IdKind::Ulid => "ulid",
        }
    }

    /// Its type.
    #[must_use]
    pub const fn data_type(self) -> DataType {
        match self {
            IdKind::Snowflake => DataType::BigInt,
            IdKind::UuidV7 => DataType::Uuid,
            IdKind::Ulid => DataType::Text,
        }
    }
}

/// Where made-up ids come from; one per engine.
pub struct IdSource {
    clock: Arc<dyn Clock>,
    process: i64,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    snowflake: i64,
    uuid: u128,
    ulid: u128,
}

impl fmt::Debug for IdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdSource").field("process", &self.process).finish_non_exhaustive()
    }
}

impl IdSource {
    /// Ids whose times are the clock's.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let process = rand::rng().random_range(0..1_i64 << SNOWFLAKE_PROCESS_BITS);
        IdSource { clock, process, last: Mutex::default() }
    }

    /// A new id.
    #[must_use]
    pub fn next(&self, kind: IdKind) -> Value {
        let millis = self.clock.now_micros().div_euclid(1_000);
        let unix_millis = u64::try_from(millis).unwrap_or(0);
        let mut last = self.last.lock();
        match kind {
            IdKind::Snowflake => {
                let since = millis.saturating_sub(SNOWFLAKE_EPOCH_MS).clamp(0, i64::MAX >> 22);
                let counted = (since << SNOWFLAKE_COUNT_BITS).max(last.snowflake.saturating_add(1));
                last.snowflake = counted;
                Value::BigInt((counted << SNOWFLAKE_PROCESS_BITS) | self.process)
            }
            IdKind::UuidV7 => {
                let random: [u8; 10] = rand::rng().random();
                let id = uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid().as_u128();
                last.uuid = id.max(last.uuid.saturating_add(1));
                Value::Uuid(last.uuid)
            }
            IdKind::Ulid => {
                let id = u128::from(Ulid::from_parts(unix_millis, rand::rng().random()));
                last.ulid = id.max(last.ulid.saturating_add(1));
                Value::text(Ulid::from(last.ulid).to_string())
            }
        }
    }
}

/// A function that makes up an id for every row.
#[derive(Debug)]
pub struct IdFunction {
    kind: IdKind,
    source: Arc<IdSource>,
    signature: Signature,
}

impl PartialEq for IdFunction {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for IdFunction {}

impl Hash for IdFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl IdFunction {
    /// The function of a kind.
    #[must_use]
    pub fn new(kind: IdKind, source: Arc<IdSource>) -> Self {
        IdFunction { kind, source, signature: Signature::nullary(Volatility::Volatile) }
    }
}

impl ScalarUDFImpl for IdFunction {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> Result<ArrowType> {
        Ok(arrow_type(&self.kind.data_type()))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(arrow_field(self.kind.name(), &self.kind.data_type(), false).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ids: Vec<Value> = (0..args.number_rows).map(|_| self.source.next(self.kind)).collect();
        Ok(ColumnarValue::Array(values_to_array(&self.kind.data_type(), ids.iter())))
    }
}

#[cfg(test)]
mod tests;
