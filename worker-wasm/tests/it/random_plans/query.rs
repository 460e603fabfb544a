//! Queries that are made up over the columns of the table.

use fastrand::Rng;

use super::CODES;
use crate::support::Mix;

pub(super) const JOINS: [&str; 8] = [
    "JOIN",
    "LEFT JOIN",
    "RIGHT JOIN",
    "FULL JOIN",
    "LEFT SEMI JOIN",
    "LEFT ANTI JOIN",
    "RIGHT SEMI JOIN",
    "RIGHT ANTI JOIN",
];

/// What else than arithmetic and comparisons there is, as it is written.
pub(super) const FUNCTIONS: [&str; 5] = ["LIKE", "substr", "date_part", "date_trunc", "INTERVAL"];

const PATTERNS: [&str; 8] = [
    "%b%",
    "ab%",
    "%x",
    "ab",
    "a_%",
    "%b%b%",
    "%x__x%",
    "%xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx%",
];

pub(super) struct Query<'a> {
    pub(super) rng: &'a mut Rng,
    pub(super) mix: &'a Mix,
}

impl Query<'_> {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(0..of.len())]
    }

    fn several(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> String) -> String {
        let items: Vec<_> = (0..self.rng.usize(1..=most)).map(|_| make(self)).collect();
        items.join(", ")
    }

    pub(super) fn query(&mut self) -> String {
        let filter = match self.rng.bool() {
            true => format!(" WHERE {}", self.condition(2)),
            false => String::new(),
        };
        let kind = self.one(&[
            "rows",
            "grouped",
            "grouped",
            "ungrouped",
            "distinct",
            "nested",
            "joined",
            "joined",
            "joined and grouped",
            "set operation",
            "ordered",
            "ordered",
        ]);
        self.mix.count(kind);
        match kind {
            "joined" => {
                let (from, columns) = self.joined();
                let columns = self.several(4, |query| query.one(&columns).to_owned());
                format!("SELECT {columns} FROM {from}")
            }
            "joined and grouped" => {
                let (from, columns) = self.joined();
                let key = self.one(&columns);
                let counted = self.one(&columns);
                let order = match self.rng.bool() {
                    true => " ORDER BY 1, 2, 3",
                    false => "",
                };
                format!(
                    "SELECT {key}, count(*), count({counted}) FROM {from} GROUP BY {key}{order}"
                )
            }
            "set operation" => {
                let columns = self.several(2, |query| {
                    let columns = ["k", "z", "i8", "t", "b", "d15", "y", "w"];
                    query.one(&columns).to_owned()
                });
                let operation = self.one(&["INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]);
                let other = self.condition(1);
                format!(
                    "SELECT {columns} FROM t{filter} {operation} SELECT {columns} FROM t WHERE {other}"
                )
            }
            "ordered" => {
                let mut columns = vec![
                    "k", "i8", "d15", "z", "t", "e", "b", "u64", "d30", "s", "y", "v", "f32",
                ];
                self.rng.shuffle(&mut columns);
                columns.truncate(self.rng.usize(1..5));
                let order: Vec<_> = columns
                    .iter()
                    .map(|column| {
                        let direction = self.one(&["", " DESC"]);
                        let nulls = self.one(&["", " NULLS FIRST", " NULLS LAST"]);
                        format!("{column}{direction}{nulls}")
                    })
                    .collect();
                let limit = match self.rng.bool() {
                    true => format!(" LIMIT {}", self.one(&[1, 5, 40, 1000])),
                    false => String::new(),
                };
                let (columns, order) = (columns.join(", "), order.join(", "));
                format!("SELECT {columns} FROM t{filter} ORDER BY {order}{limit}")
            }
            "rows" => format!("SELECT {} FROM t{filter}", self.several(4, Self::value)),
            "ungrouped" => format!("SELECT {} FROM t{filter}", self.several(4, Self::aggregate)),
            "distinct" => format!(
                "SELECT DISTINCT {} FROM t{filter}",
                self.several(2, Self::key)
            ),
            "grouped" => {
                let keys = self.several(2, Self::key);
                let calls = self.several(4, Self::aggregate);
                let having = match self.rng.u32(0..3) {
                    0 => " HAVING count(*) > 2",
                    _ => "",
                };
                format!("SELECT {keys}, {calls} FROM t{filter} GROUP BY {keys}{having}")
            }
            _ => {
                let (number, decimal) = (self.integer(2), self.decimal(2));
                let inner = format!("SELECT k, {number} AS x, {decimal} AS y FROM t{filter}");
                let total = total(&number);
                format!("SELECT k, {total}(x), count(y), min(y) FROM ({inner}) GROUP BY k")
            }
        }
    }

    /// A join of the table with itself, and columns that go out of it.
    fn joined(&mut self) -> (String, Vec<&'static str>) {
        let left = ["k", "i8", "d15", "z", "t", "e", "b"];
        let right = ["k2", "j8", "q", "z2", "t2", "e2", "b2"];
        let side = |query: &mut Self, names: &[&str]| {
            let columns = left.iter().zip(names);
            let columns = columns.map(|(column, name)| format!("{column} AS {name}"));
            let columns: Vec<_> = columns.collect();
            let filter = match query.rng.u32(0..3) {
                0 => String::new(),
                _ => format!(" WHERE {}", query.condition(1)),
            };
            format!("(SELECT {} FROM t{filter})", columns.join(", "))
        };
        let (a, b) = (side(self, &left), side(self, &right));
        let mut on = vec![
            self.one(&[
                "k = k2",
                "k = k2",
                "z = z2",
                "k IS NOT DISTINCT FROM k2",
                "k + 1 = k2 * 2",
                "e = e2",
                "d15 = q",
            ])
            .to_owned(),
        ];
        if self.rng.bool() {
            let more = ["i8 = j8", "t = t2", "b = b2", "z = z2"];
            on.push(self.one(&more).to_owned());
        }
        if self.rng.u32(0..3) == 0 {
            let rest = ["i8 < j8", "e <> e2", "q > d15 OR b", "t2 IS NULL"];
            on.push(format!("({})", self.one(&rest)));
        }
        let join = self.one(&JOINS);
        self.mix.count(join);
        let columns = match join {
            "LEFT SEMI JOIN" | "LEFT ANTI JOIN" => left.to_vec(),
            "RIGHT SEMI JOIN" | "RIGHT ANTI JOIN" => right.to_vec(),
            _ => [left, right].concat(),
        };
        (format!("{a} {join} {b} ON {}", on.join(" AND ")), columns)
    }

    fn key(&mut self) -> String {
        match self.rng.u32(0..10) {
            0 => self.condition(1),
            1 => self.integer(1),
            2 => self.text(),
            3 => self.time(),
            _ => self
                .one(&["k", "i8", "b", "z", "t", "f64", "d15", "u16", "f32", "y"])
                .to_owned(),
        }
    }

    fn value(&mut self) -> String {
        match self.rng.u32(0..9) {
            6 => self.text(),
            7 => self.time(),
            8 => self.part(),
            0 => self.condition(2),
            1 => self.integer(3),
            2 => self.decimal(3),
            3 => self.float(2),
            4 => self.one(&["t", "s", "b", "f32", "z"]).to_owned(),
            _ => self.integer(1),
        }
    }

    fn aggregate(&mut self) -> String {
        let call = match self.rng.u32(0..9) {
            0 => "count(*)".to_owned(),
            1 => format!("count({})", self.value()),
            2 => {
                let number = self.integer(2);
                format!("{}({number})", total(&number))
            }
            3 => format!("sum({})", self.decimal(2)),
            4 => "sum(e)".to_owned(),
            5 => format!("avg({})", self.one(&["d15", "d30", "e", "k"])),
            6 => format!("avg({})", self.decimal(1)),
            _ => {
                let function = self.one(&["min", "max"]);
                let column = self.one(&["i8", "i64", "u64", "d30", "t", "s", "e", "z", "w"]);
                format!("{function}({column})")
            }
        };
        match self.rng.u32(0..5) {
            0 => format!("{call} FILTER (WHERE {})", self.condition(1)),
            _ => call,
        }
    }

    fn integer(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self
                .one(&["i8", "i32", "i64", "u16", "k", "3", "-1", "100000"])
                .to_owned();
        }
        let (left, right) = (self.integer(depth - 1), self.integer(depth - 1));
        match self.rng.u32(0..9) {
            0 => format!("({left} + {right})"),
            1 => format!("({left} - {right})"),
            2 => format!("({left} * {right})"),
            3 => format!("({left} / nullif({right}, 0))"),
            4 => format!("({left} % {right})"),
            5 => format!("coalesce({left}, {right})"),
            6 => format!(
                "CASE WHEN {} THEN {left} ELSE {right} END",
                self.condition(1)
            ),
            7 => format!(
                "CAST({left} AS {})",
                self.one(&["BIGINT", "INT", "SMALLINT", "DOUBLE", "DECIMAL(12, 1)"])
            ),
            _ => left,
        }
    }

    fn decimal(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self
                .one(&[
                    "d15",
                    "d15",
                    "d30",
                    "CAST(1.5 AS DECIMAL(5, 2))",
                    "CAST(0.07 AS DECIMAL(3, 3))",
                    "CAST(12345678.901 AS DECIMAL(20, 3))",
                ])
                .to_owned();
        }
        let (left, right) = (self.decimal(depth - 1), self.decimal(depth - 1));
        match self.rng.u32(0..7) {
            0 => format!("({left} + {right})"),
            1 => format!("({left} - {right})"),
            2 => format!("({left} * {right})"),
            3 => format!("({left} / {right})"),
            4 => format!(
                "CASE WHEN {} THEN {left} ELSE {right} END",
                self.condition(1)
            ),
            5 => format!(
                "CAST({left} AS DECIMAL({}))",
                self.one(&["20, 2", "38, 6", "9, 0"])
            ),
            _ => left,
        }
    }

    fn text(&mut self) -> String {
        let text = self.one(&["z", "y"]);
        let start = self.one(&["1", "3", "-2", "20", "k"]);
        match self.rng.u32(0..4) {
            0 => format!("substr({text}, {start})"),
            1 => format!(
                "substr({text}, {start}, {})",
                self.one(&["0", "2", "9", "k"])
            ),
            _ => text.to_owned(),
        }
    }

    fn time(&mut self) -> String {
        let time = self.one(&["v", "w"]);
        let interval = self.one(&[
            "1 month",
            "-2 months 3 days",
            "1 year",
            "5 hours 30 minutes",
            "1 day",
        ]);
        match self.rng.u32(0..4) {
            0 => format!(
                "date_trunc('{}', w)",
                self.one(&["year", "quarter", "week", "minute"])
            ),
            1 => format!("({time} + INTERVAL '{interval}')"),
            2 => format!("({time} - INTERVAL '{interval}')"),
            _ => time.to_owned(),
        }
    }

    /// A part of a time, as a number.
    fn part(&mut self) -> String {
        let part = self.one(&["year", "month", "day", "week", "doy", "dow", "quarter"]);
        let time = self.one(&["v", "w", "t", "s"]);
        format!("date_part('{part}', {time})")
    }

    fn float(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self
                .one(&["e", "f64", "f32", "0.5e0", "CAST(k AS DOUBLE)"])
                .to_owned();
        }
        let (left, right) = (self.float(depth - 1), self.float(depth - 1));
        let op = self.one(&["+", "-", "*", "/"]);
        format!("({left} {op} {right})")
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.comparison();
        }
        let (left, right) = (self.condition(depth - 1), self.condition(depth - 1));
        match self.rng.u32(0..6) {
            0 => format!("({left} AND {right})"),
            1 => format!("({left} OR {right})"),
            2 => format!("(NOT {left})"),
            _ => left,
        }
    }

    fn comparison(&mut self) -> String {
        let op = self.one(&["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"]);
        match self.rng.u32(0..14) {
            10 | 11 => {
                let like = self.one(&["LIKE", "NOT LIKE"]);
                format!("({} {like} '{}')", self.text(), self.one(&PATTERNS))
            }
            12 => format!("({} {op} '{}')", self.text(), self.one(&CODES)),
            13 => match self.rng.bool() {
                true => format!("({} {op} {})", self.part(), self.rng.i32(0..13)),
                false => format!("({} {op} TIMESTAMP '1985-06-07 08:09:10')", self.time()),
            },
            0 => format!("({} {op} {})", self.integer(1), self.integer(1)),
            1 => format!("({} {op} {})", self.decimal(1), self.decimal(0)),
            // A NaN that arithmetic makes is negative on this processor, and DataFusion orders by its sign.
            2 => format!("({} {op} {})", self.float(0), self.float(0)),
            3 => format!("(t {op} DATE '1990-05-17')"),
            4 => format!("(s {op} TIMESTAMP '1970-01-01 00:00:00.05')"),
            5 => "b".to_owned(),
            6 => format!(
                "({} IS NULL)",
                self.one(&["i8", "d30", "f64", "b", "z", "t"])
            ),
            7 => format!(
                "(k {} (1, 2, {}))",
                self.one(&["IN", "NOT IN"]),
                self.one(&["5", "NULL", "i8"])
            ),
            8 => format!("(i32 BETWEEN {} AND 100)", self.integer(0)),
            _ => format!("(k {op} {})", self.rng.i32(0..6)),
        }
    }
}

/// What to make of many numbers: sums of floats depend on their order, so those are counted.
fn total(number: &str) -> &'static str {
    match number.contains("DOUBLE") {
        true => "count",
        false => "sum",
    }
}
