//! What writers say, and what it does to the rows.
//!
//! Every statement knows its SQL and how its effects are learned: from the statement itself where it names
//! everything, else from what it returns. So the run's history is known without asking the tables.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// A table whose whole history is kept by the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// SHARED: everybody's.
    Board,
    /// USER: each user's own.
    Own,
    /// STREAM: each user's own, for a while.
    Feed,
}

impl Table {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Table::Board => "sim.board",
            Table::Own => "sim.own",
            Table::Feed => "sim.feed",
        }
    }

    /// The column that says whose a row is: who wrote it in `board`, and elsewhere the only one who may see it.
    pub fn owner(self) -> &'static str {
        match self {
            Table::Board => "who",
            Table::Own | Table::Feed => "mine",
        }
    }
}

/// A row of one of these tables, without its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `who` or `mine`.
    pub owner: String,
    /// `n`.
    pub n: Option<i64>,
    /// `tag`.
    pub tag: Option<String>,
    /// The write that touched it last.
    pub stamp: String,
    /// Bytes of `pad`.
    pub pad: usize,
}

/// Which row, and what it is after a write; `None`: gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Where.
    pub key: Key,
    /// The row.
    pub row: Option<Row>,
}

/// Names a row: table, scope (empty in `board`), id.
pub type Key = (Table, String, i64);

/// A WHERE over `n`, `tag`, `id` and the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// No WHERE.
    All,
    /// `id = …`
    Id(i64),
    /// `n > …`
    Above(i64),
    /// `tag = $1 AND n <= $2`, or the same with literals.
    Pair(&'static str, i64),
    /// `NOT (n = 2)`
    NotTwo,
    /// `tag IS NOT NULL OR n IS NULL`
    Known,
    /// owner = CURRENT_USER()
    Mine,
    /// `id < 10`: not the rows with ids of their own.
    Contested,
}

impl Filter {
    /// After FROM; parameters are written as literals.
    pub fn sql(self, table: Table) -> String {
        match self {
            Filter::All => String::new(),
            Filter::Id(id) => format!(" WHERE id = {id}"),
            Filter::Above(n) => format!(" WHERE n > {n}"),
            Filter::Pair(tag, n) => format!(" WHERE tag = '{tag}' AND n <= {n}"),
            Filter::NotTwo => " WHERE NOT (n = 2)".to_owned(),
            Filter::Known => " WHERE tag IS NOT NULL OR n IS NULL".to_owned(),
            Filter::Mine => format!(" WHERE {} = CURRENT_USER()", table.owner()),
            Filter::Contested => " WHERE id < 10".to_owned(),
        }
    }

    /// Is the row in? NULL counts as no.
    pub fn holds(self, id: i64, row: &Row, user: &str) -> bool {
        match self {
            Filter::All => true,
            Filter::Id(wanted) => id == wanted,
            Filter::Above(n) => row.n.is_some_and(|held| held > n),
            Filter::Pair(tag, n) => row.tag.as_deref() == Some(tag) && row.n.is_some_and(|held| held <= n),
            Filter::NotTwo => row.n.is_some_and(|held| held != 2),
            Filter::Known => row.tag.is_some() || row.n.is_none(),
            Filter::Mine => row.owner == user,
            Filter::Contested => id < 10,
        }
    }
}

/// The values of a row that is put.
#[derive(Debug, Clone, Copy)]
pub struct Values {
    /// `n`.
    pub n: Option<i64>,
    /// `tag`.
    pub tag: Option<&'static str>,
    /// Bytes of `pad`.
    pub pad: usize,
}

/// One statement of a writer.
#[derive(Debug, Clone)]
pub enum Statement {
    /// INSERT … ON CONFLICT DO UPDATE of one contested row.
    Put(Table, i64, Values),
    /// The same, DO NOTHING.
    PutIfAbsent(Table, i64, Values),
    /// INSERT of rows whose ids nobody else uses: from the first, so many.
    Insert(Table, i64, i64, Values),
    /// UPDATE SET n = …
    Set(Table, Filter, Option<i64>),
    /// UPDATE SET n = n + 1
    Bump(Table, Filter),
    /// DELETE
    Delete(Table, Filter),
    /// The counter of all and the one of this writer, each n = n + 1.
    Count,
    /// A batch of marker rows: its number, and how many rows.
    Mark(i64, i64),
    /// DELETE of such a batch.
    Unmark(i64),
    /// A row of the table that DDL changes all the time.
    Shape(i64),
    /// A row of the namespace that is dropped all the time.
    Pit(i64),
    /// Something that must fail.
    Fail(Failing),
}

/// Statements that must fail, and leave nothing.
#[derive(Debug, Clone, Copy)]
pub enum Failing {
    /// The second of two rows has the key of the first; both ids are nobody else's.
    TwiceTheKey(i64),
    /// NULL where none may be, in the second row.
    NullOwner(i64),
    /// A number that fits no INT, in the second row.
    TooLarge(i64),
    /// A column that is not there.
    NoColumn,
}

impl Statement {
    /// The SQL, as this user says it; `stamp` marks the rows that it touches.
    pub fn sql(&self, user: &str, stamp: &str) -> String {
        match self {
            Statement::Put(table, id, values) => format!(
                "{} ON CONFLICT (id) DO UPDATE SET {owner} = EXCLUDED.{owner}, n = EXCLUDED.n, tag = EXCLUDED.tag, \
                 stamp = EXCLUDED.stamp, pad = EXCLUDED.pad",
                insert(*table, *id, 1, user, values, stamp),
                owner = table.owner(),
            ),
            Statement::PutIfAbsent(table, id, values) => {
                format!("{} ON CONFLICT (id) DO NOTHING", insert(*table, *id, 1, user, values, stamp))
            }
            Statement::Insert(table, first, count, values) => insert(*table, *first, *count, user, values, stamp),
            Statement::Set(table, filter, n) => format!(
                "UPDATE {} SET n = {}, stamp = '{stamp}'{} RETURNING *",
                table.name(),
                number(*n),
                filter.sql(*table)
            ),
            Statement::Bump(table, filter) => {
                format!("UPDATE {} SET n = n + 1, stamp = '{stamp}'{} RETURNING *", table.name(), filter.sql(*table))
            }
            Statement::Delete(table, Filter::Id(id)) => format!("DELETE FROM {} WHERE id = {id}", table.name()),
            Statement::Delete(table, filter) => {
                format!("DELETE FROM {}{} RETURNING id", table.name(), filter.sql(*table))
            }
            Statement::Count => format!("UPDATE sim.tally SET n = n + 1 WHERE id = 'all' OR id = '{user}'"),
            Statement::Mark(batch, size) => {
                let rows = (0..*size).map(|k| format!("({}, {batch}, {size}, '{stamp}')", batch * 100 + k));
                format!("INSERT INTO sim.marks VALUES {}", rows.collect::<Vec<_>>().join(", "))
            }
            Statement::Unmark(batch) => format!("DELETE FROM sim.marks WHERE batch = {batch}"),
            Statement::Shape(id) => {
                format!(
                    "INSERT INTO sim.shape (id, a) VALUES ({id}, {id}) ON CONFLICT (id) DO UPDATE SET a = EXCLUDED.a + 5"
                )
            }
            Statement::Pit(id) => format!("INSERT INTO pit.t VALUES ({id}) ON CONFLICT (id) DO NOTHING"),
            Statement::Fail(failing) => failing.sql(user, stamp),
        }
    }

    /// Does it touch rows whose history is kept?
    pub fn table(&self) -> Option<Table> {
        match self {
            Statement::Put(table, ..)
            | Statement::PutIfAbsent(table, ..)
            | Statement::Insert(table, ..)
            | Statement::Set(table, ..)
            | Statement::Bump(table, ..)
            | Statement::Delete(table, ..) => Some(*table),
            Statement::Count
            | Statement::Mark(..)
            | Statement::Unmark(_)
            | Statement::Shape(_)
            | Statement::Pit(_)
            | Statement::Fail(_) => None,
        }
    }

    /// What it did, by its result; `scope` is the user whose rows it sees.
    pub fn effects(&self, user: &str, scope: &str, stamp: &str, result: &Json) -> Vec<Effect> {
        let key =
            |table: Table, id: i64| (table, if table == Table::Board { String::new() } else { scope.to_owned() }, id);
        let count = result["row_count"].as_i64().unwrap_or_default();
        let row = |values: &Values| Row {
            owner: user.to_owned(),
            n: values.n,
            tag: values.tag.map(str::to_owned),
            stamp: stamp.to_owned(),
            pad: values.pad,
        };
        match self {
            Statement::Put(table, id, values) => vec![Effect { key: key(*table, *id), row: Some(row(values)) }],
            Statement::PutIfAbsent(table, id, values) if count == 1 => {
                vec![Effect { key: key(*table, *id), row: Some(row(values)) }]
            }
            Statement::Insert(table, first, count, values) => {
                (*first..first + count).map(|id| Effect { key: key(*table, id), row: Some(row(values)) }).collect()
            }
            Statement::Set(table, ..) | Statement::Bump(table, ..) => returned(result)
                .into_iter()
                .map(|cells| Effect { key: key(*table, cells[0].as_i64().unwrap()), row: Some(row_of(&cells[1..])) })
                .collect(),
            Statement::Delete(table, Filter::Id(id)) if count == 1 => vec![Effect { key: key(*table, *id), row: None }],
            Statement::Delete(table, filter) if !matches!(filter, Filter::Id(_)) => returned(result)
                .into_iter()
                .map(|cells| Effect { key: key(*table, cells[0].as_i64().unwrap()), row: None })
                .collect(),
            _ => Vec::new(),
        }
    }
}

impl Failing {
    fn sql(self, user: &str, stamp: &str) -> String {
        let into = "INSERT INTO sim.board (id, who, n, stamp) VALUES";
        match self {
            Failing::TwiceTheKey(id) => {
                format!("{into} ({id}, '{user}', 1, '{stamp}'), ({id}, '{user}', 2, '{stamp}')")
            }
            Failing::NullOwner(id) => {
                format!("{into} ({id}, '{user}', 1, '{stamp}'), ({}, NULL, 2, '{stamp}')", id + 1)
            }
            Failing::TooLarge(id) => {
                format!("{into} ({id}, '{user}', 1, '{stamp}'), ({}, '{user}', 3000000000, '{stamp}')", id + 1)
            }
            Failing::NoColumn => format!("UPDATE sim.board SET nothing = 1, stamp = '{stamp}'"),
        }
    }
}

/// `id, owner, n, tag, stamp, pad` without the id.
pub fn row_of(cells: &[Json]) -> Row {
    let text = |json: &Json| json.as_str().map(str::to_owned);
    Row {
        owner: text(&cells[0]).unwrap_or_default(),
        n: cells[1].as_i64(),
        tag: text(&cells[2]),
        stamp: text(&cells[3]).unwrap_or_default(),
        pad: cells[4].as_str().map_or(0, str::len),
    }
}

fn returned(result: &Json) -> Vec<Vec<Json>> {
    let rows = result["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().map(|row| row.as_array().cloned().unwrap_or_default()).collect()
}

fn insert(table: Table, first: i64, count: i64, user: &str, values: &Values, stamp: &str) -> String {
    let mut sql = format!("INSERT INTO {} VALUES ", table.name());
    for id in first..first + count {
        let comma = if id == first { "" } else { ", " };
        let tag = values.tag.map_or("NULL".to_owned(), |tag| format!("'{tag}'"));
        let pad = "x".repeat(values.pad);
        write!(sql, "{comma}({id}, '{user}', {}, {tag}, '{stamp}', '{pad}')", number(values.n)).unwrap();
    }
    sql
}

fn number(n: Option<i64>) -> String {
    n.map_or("NULL".to_owned(), |n| n.to_string())
}
