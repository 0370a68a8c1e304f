//! The queries that clients keep live: every strategy, over every kind of table.
//!
//! Where it is cheap a query can be worked out by the run itself from its history, so that a client is held
//! against the truth at every SeqId at which it stands, and not only when all is quiet.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::history::Image;
use super::statement::{Filter, Row, Table};

/// A query.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// Its SQL.
    pub sql: &'static str,
    /// Its parameters.
    pub params: fn() -> Vec<Json>,
    /// How the run works it out.
    pub model: Model,
    /// What a client checks in every state of it.
    pub whole: Whole,
    /// Does DDL end it now and then?
    pub shaky: bool,
}

/// How the run works a query out by itself.
#[derive(Debug, Clone, Copy)]
pub enum Model {
    /// A filter over one table: columns by position in `id, owner, n, tag, stamp, pad`. Each commit that changes
    /// it comes by itself.
    Rows(Table, Filter, &'static [usize]),
    /// Any function of the rows. Several commits may come as one.
    Result(Table, fn(&Image, &str) -> Vec<Vec<Json>>),
    /// It does not; the server's own answer is all there is.
    None,
}

/// A commit of marker rows is seen whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// This query shows no markers.
    None,
    /// `batch` and `size` of each marker.
    Rows,
    /// `batch`, `c` and `size` of each batch.
    Counts,
}

const ALL: &[usize] = &[0, 1, 2, 3, 4, 5];

fn no_params() -> Vec<Json> {
    Vec::new()
}

const fn plain(sql: &'static str) -> Query {
    Query { sql, params: no_params, model: Model::None, whole: Whole::None, shaky: false }
}

const fn rows(sql: &'static str, table: Table, filter: Filter, columns: &'static [usize]) -> Query {
    Query { model: Model::Rows(table, filter, columns), ..plain(sql) }
}

const fn result(sql: &'static str, of: Table, model: fn(&Image, &str) -> Vec<Vec<Json>>) -> Query {
    Query { model: Model::Result(of, model), ..plain(sql) }
}

const fn shaky(sql: &'static str) -> Query {
    Query { shaky: true, ..plain(sql) }
}

/// All of them; plans name them by number.
pub const QUERIES: &[Query] = &[
    rows("SELECT * FROM sim.board", Table::Board, Filter::All, ALL),
    rows("SELECT * FROM sim.board WHERE n > 3", Table::Board, Filter::Above(3), ALL),
    Query {
        params: || vec![json!("x"), json!(5)],
        ..rows(
            "SELECT id, who, tag, stamp FROM sim.board WHERE tag = $1 AND n <= $2",
            Table::Board,
            Filter::Pair("x", 5),
            &[0, 1, 3, 4],
        )
    },
    rows("SELECT id, n, stamp FROM sim.board WHERE who = CURRENT_USER()", Table::Board, Filter::Mine, &[0, 2, 4]),
    rows("SELECT n, stamp FROM sim.board WHERE NOT (n = 2)", Table::Board, Filter::NotTwo, &[2, 4]),
    rows("SELECT id, stamp FROM sim.board WHERE id = 3", Table::Board, Filter::Id(3), &[0, 4]),
    rows("SELECT * FROM sim.own", Table::Own, Filter::All, ALL),
    rows("SELECT id, mine, n, stamp FROM sim.own WHERE n > 2", Table::Own, Filter::Above(2), &[0, 1, 2, 4]),
    rows("SELECT mine, n FROM sim.own WHERE tag IS NOT NULL OR n IS NULL", Table::Own, Filter::Known, &[1, 2]),
    rows("SELECT * FROM sim.feed", Table::Feed, Filter::All, ALL),
    result("SELECT COUNT(*) AS c, SUM(n) AS t, MIN(n) AS lo FROM sim.board", Table::Board, totals),
    result("SELECT tag, COUNT(*) AS c FROM sim.board GROUP BY tag HAVING COUNT(*) > 1", Table::Board, groups),
    result("SELECT id, n, stamp FROM sim.board ORDER BY n DESC NULLS LAST, id LIMIT 3", Table::Board, top),
    result("SELECT MIN(mine) AS mine, MAX(mine) AS mine_too, COUNT(*) AS c FROM sim.own", Table::Own, owners),
    plain(
        "SELECT o.id AS id, o.mine AS mine, b.who AS who, b.stamp AS stamp FROM sim.own o JOIN sim.board b ON o.n = b.id",
    ),
    plain("SELECT b.id, o.mine, o.n FROM sim.board b LEFT JOIN sim.own o ON o.id = b.id AND o.n <> 3"),
    plain("SELECT id, mine, n, ROW_NUMBER() OVER (PARTITION BY tag ORDER BY id) AS r FROM sim.own"),
    plain("SELECT id, who FROM sim.board WHERE n IN (SELECT id FROM sim.own)"),
    Query { whole: Whole::Rows, ..plain("SELECT * FROM sim.marks") },
    Query {
        whole: Whole::Counts,
        ..plain("SELECT batch, COUNT(*) AS c, MAX(size) AS size FROM sim.marks GROUP BY batch")
    },
    plain("SELECT * FROM sim.tally"),
    shaky("SELECT id, a FROM sim.shape WHERE a > 1"),
    shaky("SELECT id, b FROM sim.shape"),
    shaky("SELECT COUNT(*) AS c, SUM(a) AS t FROM sim.shape"),
    shaky("SELECT s.id, b.stamp FROM sim.shape s JOIN sim.board b ON s.id = b.id"),
    shaky("SELECT id FROM pit.t"),
    shaky("SELECT COUNT(*) AS c FROM pit.t"),
];

impl Query {
    /// The result for `user` with these rows, each row as JSON text; sorted unless the query orders them.
    pub fn work_out(&self, image: &Image, user: &str) -> Option<Vec<String>> {
        let rows = match self.model {
            Model::Rows(table, filter, columns) => rows_of(image, table, user)
                .filter(|(id, row)| filter.holds(*id, row, user))
                .map(|(id, row)| {
                    let cells = cells_of(id, row);
                    columns.iter().map(|&column| cells[column].clone()).collect()
                })
                .collect(),
            Model::Result(_, model) => model(image, user),
            Model::None => return None,
        };
        Some(texts(rows, self.sql.contains("ORDER BY n")))
    }

    /// The table whose history it is held against.
    pub fn modelled(&self) -> Option<Table> {
        match self.model {
            Model::Rows(table, ..) | Model::Result(table, _) => Some(table),
            Model::None => None,
        }
    }

    /// Does each commit that changes it come by itself?
    pub fn commit_by_commit(&self) -> bool {
        matches!(self.model, Model::Rows(..))
    }

    /// Are its rows ordered?
    pub fn ordered(&self) -> bool {
        self.sql.contains("ORDER BY n")
    }
}

/// Rows as JSON text, so that they compare quickly; sorted unless `ordered`. Of padding only the length is kept.
pub fn texts(rows: Vec<Vec<Json>>, ordered: bool) -> Vec<String> {
    let short = |cell: Json| match cell {
        Json::String(text) if text.len() >= PADDING => json!(padding(text.len())),
        other => other,
    };
    let text = |row: Vec<Json>| Json::Array(row.into_iter().map(short).collect()).to_string();
    let mut texts: Vec<String> = rows.into_iter().map(text).collect();
    if !ordered {
        texts.sort();
    }
    texts
}

/// From here on a text is padding.
const PADDING: usize = 100;

/// What stands for so much padding.
fn padding(bytes: usize) -> String {
    format!("{bytes} bytes")
}

/// The cells of a row as the wire has them, by position.
fn cells_of(id: i64, row: &Row) -> Vec<Json> {
    let pad = if row.pad >= PADDING { padding(row.pad) } else { "x".repeat(row.pad) };
    vec![json!(id), json!(row.owner), json!(row.n), json!(row.tag), json!(row.stamp), json!(pad)]
}

fn rows_of<'a>(image: &'a Image, table: Table, user: &str) -> impl Iterator<Item = (i64, &'a Row)> {
    let scope = if table == Table::Board { String::new() } else { user.to_owned() };
    image.rows.range((table, scope.clone(), i64::MIN)..=(table, scope, i64::MAX)).map(|((_, _, id), row)| (*id, row))
}

fn totals(image: &Image, _: &str) -> Vec<Vec<Json>> {
    let numbers: Vec<i64> = rows_of(image, Table::Board, "").filter_map(|(_, row)| row.n).collect();
    let sum = (!numbers.is_empty()).then(|| numbers.iter().sum::<i64>().to_string());
    let count = rows_of(image, Table::Board, "").count().to_string();
    vec![vec![json!(count), json!(sum), json!(numbers.iter().min())]]
}

fn groups(image: &Image, _: &str) -> Vec<Vec<Json>> {
    let mut counts: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    for (_, row) in rows_of(image, Table::Board, "") {
        *counts.entry(row.tag.as_deref()).or_default() += 1;
    }
    counts.into_iter().filter(|(_, c)| *c > 1).map(|(tag, c)| vec![json!(tag), json!(c.to_string())]).collect()
}

fn top(image: &Image, _: &str) -> Vec<Vec<Json>> {
    let mut rows: Vec<(i64, &Row)> = rows_of(image, Table::Board, "").collect();
    rows.sort_by_key(|(id, row)| (Reverse(row.n), *id));
    rows.into_iter().take(3).map(|(id, row)| vec![json!(id), json!(row.n), json!(row.stamp)]).collect()
}

fn owners(image: &Image, user: &str) -> Vec<Vec<Json>> {
    let count = rows_of(image, Table::Own, user).count();
    let owner = (count > 0).then_some(user);
    vec![vec![json!(owner), json!(owner), json!(count.to_string())]]
}
