//! Random tables, and values for their columns, in our words and in SQLite's.
//!
//! SQLite has fewer types, so ours are kept there as what they compare like: booleans and times as whole
//! numbers, decimals in hundredths, bytes and UUIDs as the text that our wire shows. (`INTEGER` would make a key of SQLite's own.)

use super::dice::Dice;

/// The same text for both databases.
#[derive(Debug, Clone)]
pub struct Both {
    pub ours: String,
    pub lite: String,
}

impl Both {
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Both { ours: text.clone(), lite: text }
    }

    /// Puts the parts where the template says `{}`.
    pub fn of(template: &str, parts: &[&Both]) -> Self {
        let fill = |of: fn(&Both) -> &str| {
            let mut pieces = template.split("{}");
            let mut text = pieces.next().unwrap_or_default().to_owned();
            for (at, piece) in pieces.enumerate() {
                text.push_str(of(parts[at]));
                text.push_str(piece);
            }
            text
        };
        Both { ours: fill(|both| &both.ours), lite: fill(|both| &both.lite) }
    }

    pub fn join(parts: &[Both], between: &str) -> Self {
        let join = |of: fn(&Both) -> &str| parts.iter().map(of).collect::<Vec<_>>().join(between);
        Both { ours: join(|both| &both.ours), lite: join(|both| &both.lite) }
    }
}

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Small,
    Int,
    Big,
    Float,
    Double,
    Decimal,
    Text,
    Timestamp,
    DateTime,
    Date,
    Time,
    Json,
    Bytes,
    Uuid,
}

const KINDS: [Kind; 15] = [
    Kind::Bool,
    Kind::Small,
    Kind::Int,
    Kind::Big,
    Kind::Float,
    Kind::Double,
    Kind::Decimal,
    Kind::Text,
    Kind::Timestamp,
    Kind::DateTime,
    Kind::Date,
    Kind::Time,
    Kind::Json,
    Kind::Bytes,
    Kind::Uuid,
];

const KEY_KINDS: [Kind; 6] = [Kind::Int, Kind::Int, Kind::Big, Kind::Text, Kind::Uuid, Kind::Date];

impl Kind {
    fn type_name(self) -> Both {
        let (ours, lite) = match self {
            Kind::Bool => ("BOOLEAN", "INT"),
            Kind::Small => ("SMALLINT", "INT"),
            Kind::Int => ("INT", "INT"),
            Kind::Big => ("BIGINT", "INT"),
            Kind::Float => ("FLOAT", "REAL"),
            Kind::Double => ("DOUBLE", "REAL"),
            Kind::Decimal => ("DECIMAL(10,2)", "INT"),
            Kind::Text => ("TEXT", "TEXT"),
            Kind::Timestamp => ("TIMESTAMP", "INT"),
            Kind::DateTime => ("DATETIME", "INT"),
            Kind::Date => ("DATE", "INT"),
            Kind::Time => ("TIME", "INT"),
            Kind::Json => ("JSON", "TEXT"),
            Kind::Bytes => ("BYTES", "TEXT"),
            Kind::Uuid => ("UUID", "TEXT"),
        };
        Both { ours: ours.to_owned(), lite: lite.to_owned() }
    }

    /// A literal with its type, where nothing around it tells.
    pub fn typed(self, literal: Both) -> Both {
        let ours = format!("CAST({} AS {})", literal.ours, self.type_name().ours);
        Both { ours, lite: literal.lite }
    }

    pub fn is_whole(self) -> bool {
        matches!(self, Kind::Small | Kind::Int | Kind::Big)
    }

    pub fn is_number(self) -> bool {
        self.is_whole() || matches!(self, Kind::Float | Kind::Double | Kind::Decimal)
    }

    /// Do both databases put its values in the same order?
    pub fn is_ordered(self) -> bool {
        !matches!(self, Kind::Bool | Kind::Json | Kind::Bytes)
    }

    /// A value out of few, so that values meet.
    pub fn literal(self, dice: &mut Dice) -> Both {
        let n = dice.below(6);
        let pair = |ours: String, lite: String| Both { ours, lite };
        match self {
            Kind::Bool => Both::same(*dice.pick(&["true", "false"])),
            Kind::Small | Kind::Int | Kind::Big => Both::same((n as i64 - 1).to_string()),
            Kind::Float | Kind::Double => Both::same(format!("{:.1}", n as f64 * 0.5 - 0.5)),
            Kind::Decimal => pair(format!("{n}.25"), format!("{n}25")),
            Kind::Text => Both::same(*dice.pick(&["''", "'a'", "'A'", "'ab'", "'b'", "'ö'", "'a_b%'", "'it''s'"])),
            Kind::Timestamp | Kind::DateTime => {
                pair(format!("'2020-01-01T00:00:0{n}'"), (1_577_836_800_000_000 + n * 1_000_000).to_string())
            }
            Kind::Date => pair(format!("'2020-01-0{}'", n + 1), (18_262 + n).to_string()),
            Kind::Time => pair(format!("'00:00:0{n}'"), (n * 1_000_000).to_string()),
            Kind::Json => Both::same(*dice.pick(&[r#"'{"a":1}'"#, "'[1,2]'", "'null'"])),
            Kind::Bytes => {
                let (ours, lite) = *dice.pick(&[("X'00'", "'AA=='"), ("X'01ff'", "'Af8='"), ("X''", "''")]);
                pair(ours.to_owned(), lite.to_owned())
            }
            Kind::Uuid => Both::same(format!("'00000000-0000-7000-8000-00000000000{n}'")),
        }
    }
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub not_null: bool,
    pub default: Option<Both>,
}

/// A table; its first columns are its key.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub key: usize,
    /// The column that a unique index is on.
    pub unique: Option<usize>,
    /// Statements that make it.
    pub ddl: Vec<Both>,
}

impl Table {
    /// A random table.
    pub fn random(name: &str, dice: &mut Dice) -> Self {
        let key = 1 + usize::from(dice.chance(40));
        let mut columns = Vec::new();
        for at in 0..key {
            let kind = *dice.pick(&KEY_KINDS);
            columns.push(Column { name: format!("k{at}"), kind, not_null: true, default: None });
        }
        let mut kinds = vec![Kind::Int, Kind::Text];
        for _ in 0..2 + dice.below(3) {
            kinds.push(*dice.pick(&KINDS));
        }
        for (at, kind) in kinds.into_iter().enumerate() {
            let not_null = at > 1 && dice.chance(20);
            let default = (not_null || dice.chance(20)).then(|| kind.literal(dice));
            columns.push(Column { name: format!("c{at}"), kind, not_null, default });
        }
        let unique = dice.chance(25).then_some(key);
        let mut table = Table { name: name.to_owned(), columns, key, unique, ddl: Vec::new() };
        table.ddl = table.statements(dice);
        table
    }

    fn statements(&self, dice: &mut Dice) -> Vec<Both> {
        let columns = self.columns.iter().map(|column| {
            let mut text = Both::of(&format!("{} {{}}", column.name), &[&column.kind.type_name()]);
            if column.not_null {
                text = Both::of("{} NOT NULL", &[&text]);
            }
            match &column.default {
                Some(default) => Both::of("{} DEFAULT {}", &[&text, default]),
                None => text,
            }
        });
        let columns = Both::join(&columns.collect::<Vec<_>>(), ", ");
        let (kind, with) =
            *dice.pick(&[("", ""), ("", ""), ("SHARED ", ""), ("STREAM ", " WITH (TTL_SECONDS = 86400)")]);
        let (name, key) = (&self.name, self.key_names().join(", "));
        let mut create = Both::of(&format!("TABLE {name} ({{}}, PRIMARY KEY ({key}))"), &[&columns]);
        create = Both { ours: format!("CREATE {kind}{}{with}", create.ours), lite: format!("CREATE {}", create.lite) };
        let mut ddl = vec![create];
        if let Some(at) = self.unique {
            ddl.push(Both::same(format!("CREATE UNIQUE INDEX {name}_u ON {name} ({})", self.columns[at].name)));
        }
        if dice.chance(60) {
            let column = dice.pick(&self.columns[self.key..]);
            if column.kind != Kind::Json {
                ddl.push(Both::same(format!("CREATE INDEX {name}_i ON {name} ({})", column.name)));
            }
        }
        ddl
    }

    pub fn key_names(&self) -> Vec<&str> {
        self.columns[..self.key].iter().map(|column| column.name.as_str()).collect()
    }

    /// A whole row of values.
    pub fn row(&self, dice: &mut Dice) -> Both {
        let values: Vec<Both> = self.columns.iter().map(|column| column.value(dice)).collect();
        Both::of("({})", &[&Both::join(&values, ", ")])
    }
}

impl Column {
    /// A value that it may hold, or rarely one that it may not.
    pub fn value(&self, dice: &mut Dice) -> Both {
        if dice.chance(if self.not_null { 1 } else { 20 }) { Both::same("NULL") } else { self.kind.literal(dice) }
    }
}
