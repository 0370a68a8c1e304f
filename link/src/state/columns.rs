//! From rows as they travel (objects) to rows as programs hold them.
//!
//! Sort expressions that are not selected travel as columns `_order_1` …; a program never sees them.

use kalamdb_commons::protocol::{OrderBy, SchemaField};
use kalamdb_commons::{DataType, SeqId};
use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::row::{Row, Schema};

const HIDDEN: &str = "_order_";
const SEQ: &str = "_seq";

/// What an ack says of the rows to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    /// What programs see.
    pub schema: Schema,
    /// Columns that identify a row; `None` if rows come with opaque keys.
    pub key: Option<Vec<String>>,
    /// The order of the result.
    pub order_by: Vec<Term>,
    hidden: Vec<SchemaField>,
}

/// One term of the order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    /// Where the value is.
    pub source: Source,
    pub data_type: DataType,
    pub desc: bool,
    pub nulls_first: bool,
}

/// Where the value of a sort term is in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Column(usize),
    Hidden(usize),
}

impl Columns {
    /// Reads an ack. Terms of the order that name no column are left out.
    pub fn new(fields: Vec<SchemaField>, key: Option<Vec<String>>, order_by: &[OrderBy]) -> Self {
        let (hidden, shown): (Vec<_>, Vec<_>) = fields.into_iter().partition(|field| field.name.starts_with(HIDDEN));
        let mut columns = Columns { schema: Schema::new(shown), key, order_by: Vec::new(), hidden };
        columns.order_by = order_by.iter().filter_map(|term| columns.term(term)).collect();
        if columns.order_by.is_empty() {
            columns.order_by = columns.key_order();
        }
        columns
    }

    fn term(&self, term: &OrderBy) -> Option<Term> {
        let (source, data_type) = self.find(&term.column)?;
        Some(Term { source, data_type, desc: term.desc, nulls_first: term.nulls_first })
    }

    fn find(&self, column: &str) -> Option<(Source, DataType)> {
        let shown = self.schema.fields().iter().enumerate().find(|(_, field)| field.name == column);
        let hidden = self.hidden.iter().enumerate().find(|(_, field)| field.name == column);
        match (shown, hidden) {
            (Some((at, field)), _) => Some((Source::Column(at), field.data_type)),
            (None, Some((at, field))) => Some((Source::Hidden(at), field.data_type)),
            (None, None) => None,
        }
    }

    /// A result without an order of its own stays in that of its key, which no update changes.
    fn key_order(&self) -> Vec<Term> {
        let columns = self.key.iter().flatten();
        let found = columns.filter_map(|column| self.find(column));
        found.map(|(source, data_type)| Term { source, data_type, desc: false, nulls_first: false }).collect()
    }

    /// The rows of one frame. `keys` are their opaque identities, where the ack named no key.
    ///
    /// # Errors
    /// A row has no identity.
    pub fn rows(&self, objects: Vec<Map<String, Json>>, keys: Option<Vec<String>>) -> Result<Vec<Row>, Error> {
        let mut keys = keys.unwrap_or_default().into_iter();
        objects.into_iter().map(|object| self.row(object, keys.next())).collect()
    }

    fn row(&self, mut object: Map<String, Json>, opaque: Option<String>) -> Result<Row, Error> {
        let key = match &self.key {
            Some(columns) => identity(&object, columns),
            None => opaque,
        };
        let key = key.ok_or_else(|| Error::Protocol("a row came without what identifies it".to_owned()))?;
        let seq = object.get(SEQ).and_then(seq_of);
        let mut cell = |field: &SchemaField| object.swap_remove(&field.name).unwrap_or(Json::Null);
        let cells = self.schema.fields().iter().map(&mut cell).collect();
        let order = self.hidden.iter().map(&mut cell).collect();
        Ok(Row::of_live(self.schema.clone(), cells, seq, key, order))
    }
}

fn identity(object: &Map<String, Json>, columns: &[String]) -> Option<String> {
    let mut key = String::from("[");
    for column in columns {
        if key.len() > 1 {
            key.push(',');
        }
        key.push_str(&object.get(column)?.to_string());
    }
    key.push(']');
    Some(key)
}

fn seq_of(json: &Json) -> Option<SeqId> {
    match json {
        Json::String(digits) => digits.parse().ok().map(SeqId),
        other => other.as_u64().map(SeqId),
    }
}
