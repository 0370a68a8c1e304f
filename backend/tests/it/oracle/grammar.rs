//! Random conditions, values, queries and writes over random tables, in our words and in SQLite's.
//!
//! Only what both databases mean alike is in the grammar; `oracle.rs` says what is left out, and why.

use super::dice::Dice;
use super::schema::{Both, Column, Kind, Table};

/// A query; is the order of its rows all its own?
#[derive(Debug, Clone)]
pub struct Query {
    pub sql: Both,
    pub is_ordered: bool,
}

/// Columns that a condition or value may name, as it may name them.
#[derive(Debug, Clone)]
pub struct Scope(Vec<(String, Kind)>);

impl Scope {
    fn of(table: &Table, alias: &str) -> Self {
        let name =
            |column: &Column| if alias.is_empty() { column.name.clone() } else { format!("{alias}.{}", column.name) };
        Scope(table.columns.iter().map(|column| (name(column), column.kind)).collect())
    }

    fn and(mut self, other: Scope) -> Self {
        self.0.extend(other.0);
        self
    }

    fn any(&self, dice: &mut Dice, fits: impl Fn(Kind) -> bool) -> (String, Kind) {
        let fitting: Vec<&(String, Kind)> = self.0.iter().filter(|(_, kind)| fits(*kind)).collect();
        (*dice.pick(&fitting)).clone()
    }

    fn whole(&self, dice: &mut Dice) -> String {
        self.any(dice, Kind::is_whole).0
    }

    /// A condition.
    pub fn condition(&self, dice: &mut Dice, depth: usize) -> Both {
        if depth == 0 || dice.chance(45) {
            return self.comparison(dice);
        }
        let mut part = |scope: &Scope| scope.condition(dice, depth - 1);
        let (one, mut two) = (part(self), part(self));
        while one.ours.contains(" IN (") && two.ours.contains(" IN (") {
            two = part(self);
        }
        match dice.below(4) {
            0 => Both::of("({} AND {})", &[&one, &two]),
            1 => Both::of("({} OR {})", &[&one, &two]),
            2 => Both::of("(NOT {})", &[&one]),
            _ => Both::of("(NOT ({} OR {}))", &[&one, &two]),
        }
    }

    fn comparison(&self, dice: &mut Dice) -> Both {
        let (name, kind) = self.any(dice, |_| true);
        let column = Both::same(name);
        let (low, high) = (kind.literal(dice), kind.literal(dice));
        let is_null = *dice.pick(&["{} IS NULL", "{} IS NOT NULL"]);
        match dice.below(12) {
            _ if kind == Kind::Json => Both::of(is_null, &[&column]),
            0 => Both::of(is_null, &[&column]),
            1 if kind == Kind::Bool => Both::of("(NOT {})", &[&column]),
            2 if kind == Kind::Bool => column,
            1 | 2 => {
                let template = *dice.pick(&["({} IN ({}, {}))", "({} NOT IN ({}, {}))"]);
                Both::of(template, &[&column, &low, &high])
            }
            3 => {
                // Short lists are taken apart by the planner, long ones are not.
                let members: Vec<Both> = (0..1 + dice.below(2) * 4).map(|_| kind.literal(dice)).collect();
                let template = *dice.pick(&["({} IN ({}, NULL))", "({} NOT IN ({}, {}, NULL))"]);
                Both::of(template, &[&column, &Both::join(&members, ", "), &high])
            }
            4 => {
                let template = *dice.pick(&["({} IS DISTINCT FROM {})", "({} IS NOT DISTINCT FROM {})"]);
                Both::of(template, &[&column, &low])
            }
            5 if kind.is_ordered() => Both::of("({} BETWEEN {} AND {})", &[&column, &low, &high]),
            6 if kind.is_ordered() => Both::of("({} NOT BETWEEN {} AND {})", &[&column, &low, &high]),
            7 | 8 if kind == Kind::Text => {
                let pattern = *dice.pick(&["'a%'", "'%b%'", "'_'", "'%'", "'A%'", "'%_b'", "''"]);
                let template = *dice.pick(&["({} LIKE {})", "({} NOT LIKE {})"]);
                Both::of(template, &[&column, &Both::same(pattern)])
            }
            7 => self.arithmetic_comparison(dice),
            8 => {
                let (one, two) = (self.whole(dice), self.whole(dice));
                let (when, limit) = (self.comparison(dice), Kind::Int.literal(dice));
                Both::of(&format!("(CASE WHEN {{}} THEN {one} ELSE {two} END > {{}})"), &[&when, &limit])
            }
            9 => Both::of("(COALESCE({}, {}) = {})", &[&column, &kind.typed(low), &kind.typed(high)]),
            _ if kind.is_ordered() => {
                let operator = *dice.pick(&["=", "<>", "<", "<=", ">", ">="]);
                Both::of(&format!("({{}} {operator} {{}})"), &[&column, &low])
            }
            _ => {
                let template = *dice.pick(&["({} = {})", "({} <> {})"]);
                Both::of(template, &[&column, &low])
            }
        }
    }

    fn arithmetic_comparison(&self, dice: &mut Dice) -> Both {
        let (one, two) = (self.whole(dice), self.whole(dice));
        let n = dice.below(5);
        Both::same(match dice.below(4) {
            0 => format!("({one} + {two} > {n})"),
            1 => format!("({one} * 2 - 1 <= {two})"),
            2 => format!("(ABS({one}) = {n})"),
            _ => format!("({one} - {n} <> {two})"),
        })
    }

    /// A value, called `name`.
    fn value(&self, dice: &mut Dice, name: &str) -> Both {
        let (column, kind) = self.any(dice, |_| true);
        let named = |text: String| Both::same(format!("{text} AS {name}"));
        match dice.below(8) {
            0 if kind.is_whole() => named(format!("{column} * 3 + 1")),
            1 if kind.is_whole() => named(format!("COALESCE({column}, 0) - 2")),
            0 if kind == Kind::Text => named(format!("{column} || '-x'")),
            1 if kind == Kind::Text => named(format!("LENGTH({column})")),
            2 if kind.is_whole() => {
                let when = self.condition(dice, 1);
                Both::of(&format!("CASE WHEN {{}} THEN {column} ELSE -1 END AS {name}"), &[&when])
            }
            2 if kind != Kind::Json => {
                let literal = kind.literal(dice);
                Both::of(&format!("NULLIF({column}, {{}}) AS {name}"), &[&kind.typed(literal)])
            }
            3 => Both::of(&format!("{{}} AS {name}"), &[&self.comparison(dice)]),
            _ => named(column),
        }
    }

    fn values(&self, dice: &mut Dice, count: usize) -> Both {
        let values: Vec<Both> = (0..count).map(|at| self.value(dice, &format!("o{at}"))).collect();
        Both::join(&values, ", ")
    }

    /// An aggregate, called `name`.
    fn aggregate(&self, dice: &mut Dice, name: &str) -> Both {
        let (column, _) = self.any(dice, |kind| kind.is_number());
        let (ordered, _) = self.any(dice, |kind| kind.is_ordered() && kind != Kind::Uuid);
        let whole = self.whole(dice);
        Both::same(match dice.below(8) {
            0 => format!("COUNT(*) AS {name}"),
            1 => format!("COUNT({ordered}) AS {name}"),
            2 => format!("COUNT(DISTINCT {whole}) AS {name}"),
            3 => format!("MIN({ordered}) AS {name}"),
            4 => format!("MAX({ordered}) AS {name}"),
            5 => format!("AVG({whole}) AS {name}"),
            _ => format!("SUM({column}) AS {name}"),
        })
    }

    fn aggregates(&self, dice: &mut Dice) -> Both {
        let count = 1 + dice.below(3);
        let aggregates: Vec<Both> = (0..count).map(|at| self.aggregate(dice, &format!("g{at}"))).collect();
        Both::join(&aggregates, ", ")
    }
}

fn plain(sql: Both) -> Query {
    Query { sql, is_ordered: false }
}

/// A random query over two tables.
pub fn query(a: &Table, b: &Table, dice: &mut Dice) -> Query {
    let (table, other) = if dice.chance(70) { (a, b) } else { (b, a) };
    let scope = Scope::of(table, "");
    let name = &table.name;
    let condition = scope.condition(dice, 2);
    match dice.below(14) {
        0 => plain(Both::of(&format!("SELECT * FROM {name} WHERE {{}}"), &[&condition])),
        1 | 2 => {
            let count = 1 + dice.below(3);
            let keys = if dice.chance(60) { format!(", {}", table.key_names().join(", ")) } else { String::new() };
            let values = scope.values(dice, count);
            plain(Both::of(&format!("SELECT {{}}{keys} FROM {name} WHERE {{}}"), &[&values, &condition]))
        }
        3 => plain(Both::of(&format!("SELECT {{}} FROM {name} WHERE {{}}"), &[&scope.aggregates(dice), &condition])),
        4 | 5 => grouped(table, &scope, &condition, dice),
        6 => {
            let columns = dice.some(&table.columns, 40).iter().map(|column| column.name.clone()).collect::<Vec<_>>();
            plain(Both::of(&format!("SELECT DISTINCT {} FROM {name} WHERE {{}}", columns.join(", ")), &[&condition]))
        }
        7 | 8 => ordered(table, &condition, dice),
        9 => joined(table, other, dice),
        10 => set_operation(table, other, dice),
        11 => with_subquery(table, other, dice),
        12 => with_cte(table, dice),
        _ => windowed(table, &condition, dice),
    }
}

fn grouped(table: &Table, scope: &Scope, condition: &Both, dice: &mut Dice) -> Query {
    let (group, _) = scope.any(dice, |kind| kind != Kind::Json);
    let having = *dice.pick(&["", "", " HAVING COUNT(*) > 1", " HAVING COUNT(*) < 3"]);
    let name = &table.name;
    let template = format!("SELECT {group} AS o, {{}} FROM {name} WHERE {{}} GROUP BY {group}{having}");
    plain(Both::of(&template, &[&scope.aggregates(dice), condition]))
}

fn ordered(table: &Table, condition: &Both, dice: &mut Dice) -> Query {
    let (by, _) = Scope::of(table, "").any(dice, Kind::is_ordered);
    let direction = *dice.pick(&["ASC NULLS FIRST", "ASC NULLS LAST", "DESC NULLS FIRST", "DESC NULLS LAST"]);
    let (limit, offset) = (1 + dice.below(4), dice.below(3));
    let limit = match dice.below(3) {
        0 => String::new(),
        1 => format!(" LIMIT {limit}"),
        _ => format!(" LIMIT {limit} OFFSET {offset}"),
    };
    let (name, keys) = (&table.name, table.key_names().join(", "));
    let shown = if dice.chance(50) { by.clone() } else { table.columns[table.key].name.clone() };
    let template =
        format!("SELECT {keys}, {shown} AS o FROM {name} WHERE {{}} ORDER BY {name}.{by} {direction}, {keys}{limit}");
    Query { sql: Both::of(&template, &[condition]), is_ordered: true }
}

fn joined(table: &Table, other: &Table, dice: &mut Dice) -> Query {
    let (x, y) = (Scope::of(table, "x"), Scope::of(other, "y"));
    let kind = if dice.chance(50) { Kind::Int } else { Kind::Text };
    let on = format!("{} = {}", x.any(dice, |of| of == kind).0, y.any(dice, |of| of == kind).0);
    let and = if dice.chance(50) { Both::of(" AND {}", &[&y.condition(dice, 1)]) } else { Both::same("") };
    let join = *dice.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
    // A full join on more than the equality would be another algorithm; the plain one says enough.
    let and = if join == "FULL JOIN" { Both::same("") } else { and };
    let both = x.clone().and(y);
    let (table, other) = (&table.name, &other.name);
    let from =
        Both::of(&format!("FROM {table} x {join} {other} y ON {on}{{}} WHERE {{}}"), &[&and, &x.condition(dice, 1)]);
    let shown = if dice.chance(30) { both.aggregates(dice) } else { both.values(dice, 3) };
    plain(Both::of("SELECT {} {}", &[&shown, &from]))
}

fn set_operation(table: &Table, other: &Table, dice: &mut Dice) -> Query {
    let kind = if dice.chance(50) { Kind::Int } else { Kind::Text };
    let mut side = |table: &Table| {
        let scope = Scope::of(table, "");
        let (column, condition) = (scope.any(dice, |of| of == kind).0, scope.condition(dice, 1));
        Both::of(&format!("SELECT {column} AS o FROM {} WHERE {{}}", table.name), &[&condition])
    };
    let (one, two) = (side(table), side(other));
    let operator = *dice.pick(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
    plain(Both::of(&format!("{{}} {operator} {{}}"), &[&one, &two]))
}

fn with_subquery(table: &Table, other: &Table, dice: &mut Dice) -> Query {
    let (x, y) = (Scope::of(table, "x"), Scope::of(other, "y"));
    let kind = if dice.chance(50) { Kind::Int } else { Kind::Text };
    let (outer, inner) = (x.any(dice, |of| of == kind).0, y.any(dice, |of| of == kind).0);
    let condition = y.condition(dice, 1);
    let (keys, table, other) = (format!("x.{}", table.key_names().join(", x.")), &table.name, &other.name);
    let template = match dice.below(5) {
        0 => format!("SELECT {keys} FROM {table} x WHERE {outer} IN (SELECT {inner} FROM {other} y WHERE {{}})"),
        1 => format!("SELECT {keys} FROM {table} x WHERE {outer} NOT IN (SELECT {inner} FROM {other} y WHERE {{}})"),
        2 => format!(
            "SELECT {keys} FROM {table} x WHERE EXISTS (SELECT 1 FROM {other} y WHERE {inner} = {outer} AND {{}})"
        ),
        3 => format!(
            "SELECT {keys} FROM {table} x WHERE NOT EXISTS (SELECT 1 FROM {other} y WHERE {inner} = {outer} AND {{}})"
        ),
        _ => format!(
            "SELECT {keys}, (SELECT COUNT(*) FROM {other} y WHERE {{}}) AS n FROM {table} x \
             WHERE {outer} >= (SELECT MIN({inner}) FROM {other} y)"
        ),
    };
    plain(Both::of(&template, &[&condition]))
}

fn with_cte(table: &Table, dice: &mut Dice) -> Query {
    let scope = Scope::of(table, "");
    let (group, _) = scope.any(dice, |kind| kind != Kind::Json);
    let whole = scope.whole(dice);
    let (condition, name) = (scope.condition(dice, 1), &table.name);
    let template = format!(
        "WITH w AS (SELECT {group} AS o, SUM({whole}) AS total FROM {name} WHERE {{}} GROUP BY {group}) \
         SELECT o, total FROM w WHERE total >= (SELECT AVG(total) FROM w)"
    );
    plain(Both::of(&template, &[&condition]))
}

fn windowed(table: &Table, condition: &Both, dice: &mut Dice) -> Query {
    let scope = Scope::of(table, "");
    let (part, _) = scope.any(dice, |kind| kind != Kind::Json);
    let (whole, keys, name) = (scope.whole(dice), table.key_names().join(", "), &table.name);
    let window = match dice.below(5) {
        0 => format!("ROW_NUMBER() OVER (PARTITION BY {part} ORDER BY {keys})"),
        1 => format!("SUM({whole}) OVER (PARTITION BY {part} ORDER BY {keys})"),
        2 => format!("COUNT(*) OVER (PARTITION BY {part})"),
        3 => format!("RANK() OVER (ORDER BY {whole} NULLS FIRST)"),
        _ => format!("LAG({whole}) OVER (ORDER BY {keys})"),
    };
    plain(Both::of(&format!("SELECT {keys}, {window} AS o FROM {name} WHERE {{}}"), &[condition]))
}

/// A random write; `step` makes numbers that no step before has made.
pub fn write(a: &Table, b: &Table, step: usize, dice: &mut Dice) -> Both {
    let (table, other) = if dice.chance(70) { (a, b) } else { (b, a) };
    let name = &table.name;
    let scope = Scope::of(table, "");
    let condition = scope.condition(dice, 1);
    let returning = if dice.chance(30) { format!(" RETURNING {}", scope.any(dice, |_| true).0) } else { String::new() };
    match dice.below(12) {
        0 | 1 => Both::of(&format!("INSERT INTO {name} VALUES {{}}{returning}"), &[&table.row(dice)]),
        2 => {
            let rows: Vec<Both> = (0..2 + dice.below(3)).map(|_| table.row(dice)).collect();
            Both::of(&format!("INSERT INTO {name} VALUES {{}}{returning}"), &[&Both::join(&rows, ", ")])
        }
        3 => {
            let keys: Vec<Both> = table.columns[..table.key].iter().map(|column| column.kind.literal(dice)).collect();
            let columns = table.key_names().join(", ");
            Both::of(&format!("INSERT INTO {name} ({columns}) VALUES ({{}}){returning}"), &[&Both::join(&keys, ", ")])
        }
        4 | 5 => upsert(table, &returning, dice),
        6 => insert_select(table, other, step, dice),
        7 => Both::of(&format!("DELETE FROM {name} WHERE {{}}{returning}"), &[&condition]),
        8 if table.columns[0].kind == Kind::Int || table.columns[0].kind == Kind::Big => {
            let moved = format!("UPDATE {name} SET k0 = k0 + {} WHERE {{}}{returning}", 1_000 * (step + 1));
            Both::of(&moved, &[&condition])
        }
        _ => {
            let columns = dice.some(&table.columns[table.key..], 25);
            let sets: Vec<Both> = columns.iter().map(|column| assignment(table, column, dice)).collect();
            Both::of(&format!("UPDATE {name} SET {{}} WHERE {{}}{returning}"), &[&Both::join(&sets, ", "), &condition])
        }
    }
}

fn assignment(table: &Table, column: &Column, dice: &mut Dice) -> Both {
    let name = &column.name;
    let is_unique = table.unique.is_some_and(|at| table.columns[at].name == *name);
    match dice.below(5) {
        0 if matches!(column.kind, Kind::Int | Kind::Big) && !is_unique => Both::same(format!("{name} = {name} + 1")),
        1 if matches!(column.kind, Kind::Int | Kind::Big) && !is_unique => {
            let when = Scope::of(table, "").comparison(dice);
            Both::of(&format!("{name} = CASE WHEN {{}} THEN {name} - 2 ELSE 0 END"), &[&when])
        }
        0 if column.kind == Kind::Text => Both::same(format!("{name} = COALESCE({name}, '') || 'a'")),
        _ => Both::of(&format!("{name} = {{}}"), &[&column.value(dice)]),
    }
}

fn upsert(table: &Table, returning: &str, dice: &mut Dice) -> Both {
    let (name, keys) = (&table.name, table.key_names().join(", "));
    let does = if dice.chance(35) {
        "NOTHING".to_owned()
    } else {
        let columns = dice.some(&table.columns[table.key..], 50);
        let set = |column: &Column| match column.kind {
            Kind::Int if table.unique.is_none() => {
                let (name, table) = (&column.name, &table.name);
                format!("{name} = COALESCE({table}.{name}, 0) + COALESCE(EXCLUDED.{name}, 1)")
            }
            _ => format!("{0} = EXCLUDED.{0}", column.name),
        };
        format!("UPDATE SET {}", columns.iter().map(set).collect::<Vec<_>>().join(", "))
    };
    Both::of(&format!("INSERT INTO {name} VALUES {{}} ON CONFLICT ({keys}) DO {does}{returning}"), &[&table.row(dice)])
}

/// Rows of a table, once more under other keys; or of the other table, as far as its columns are alike.
fn insert_select(table: &Table, other: &Table, step: usize, dice: &mut Dice) -> Both {
    let name = &table.name;
    let moves = matches!(table.columns[0].kind, Kind::Int | Kind::Big);
    let key = if moves { format!("k0 + {}", 1_000_000 * (step + 1)) } else { "k0".to_owned() };
    let on_conflict = format!(" ON CONFLICT ({}) DO NOTHING", table.key_names().join(", "));
    let on_conflict = if moves && dice.chance(50) { "" } else { on_conflict.as_str() };
    if dice.chance(50) {
        let columns: Vec<&str> = table.columns.iter().skip(1).map(|column| column.name.as_str()).collect();
        let condition = Scope::of(table, "").condition(dice, 1);
        let template =
            format!("INSERT INTO {name} SELECT {key}, {} FROM {name} WHERE {{}}{on_conflict}", columns.join(", "));
        return Both::of(&template, &[&condition]);
    }
    // Both tables have an INT `c0` or `c1` and a TEXT beside it; keys are made of constants.
    let keys: Vec<Both> = table.columns[..table.key].iter().map(|column| column.kind.literal(dice)).collect();
    let keys_names = table.key_names().join(", ");
    let on_conflict = format!(" ON CONFLICT ({keys_names}) DO NOTHING");
    let template = format!(
        "INSERT INTO {name} ({keys_names}, c0, c1) SELECT {{}}, MAX(c0), MIN(c1) FROM {} WHERE true{on_conflict}",
        other.name
    );
    let typed = table.columns[..table.key].iter().zip(keys).map(|(column, key)| column.kind.typed(key));
    Both::of(&template, &[&Both::join(&typed.collect::<Vec<_>>(), ", ")])
}
