//! Random small queries over random tables: each plan runs as DataFusion made it and with fragments in it.
//!
//! Which pieces are compiled is random too, so that native and compiled operators meet in every combination.
//! `MURRE_PLANS=100000` runs that many; a failure prints its seed, and `MURRE_SEED=n` replays it.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema, TimeUnit},
};
use datafusion::{
    datasource::MemTable,
    error::Result,
    physical_plan::{ExecutionPlan, collect, displayable},
    prelude::{SessionConfig, SessionContext},
};
use fastrand::Rng;
use worker_wasm::{
    fragment::{Column, Facts, Type},
    lower::{Runs, lower},
};

use crate::{
    codec::{There, sent},
    plans::{Compile, in_order, sorted},
    random,
    support::{Mix, seeds},
};

const JOINS: [&str; 8] = [
    "JOIN",
    "LEFT JOIN",
    "RIGHT JOIN",
    "FULL JOIN",
    "LEFT SEMI JOIN",
    "LEFT ANTI JOIN",
    "RIGHT SEMI JOIN",
    "RIGHT ANTI JOIN",
];

/// Plans in a run that nobody asked to be longer.
const PLANS: u64 = 400;

#[tokio::test]
async fn random_plans_give_what_datafusion_gives() {
    let plans = std::env::var("MURRE_PLANS").map_or(PLANS, |count| count.parse().unwrap());
    let mix = Mix::default();
    for seed in seeds(1, plans) {
        check(seed, &mix).await;
    }
    let kinds = [
        "rows",
        "grouped",
        "ungrouped",
        "distinct",
        "nested",
        "joined",
        "joined and grouped",
        "set operation",
        "ordered",
    ];
    let outcomes = [
        "same rows",
        "AggregateExec wasm",
        "FilterExec wasm",
        "ProjectionExec wasm",
        "HashJoinExec wasm",
        "SortExec wasm",
        "SortExec(TopK) wasm",
    ];
    let others = [
        "mixed",
        "no rows",
        "native operator left",
        "one table",
        "tables",
        "sent",
        "sliced",
    ];
    mix.check(&[&kinds[..], &outcomes[..], &others[..], &JOINS[..]].concat());
}

fn reads_no_column(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let children = plan.children();
    let is_leaf = children.is_empty();
    is_leaf && plan.schema().fields().is_empty() || children.into_iter().any(reads_no_column)
}

async fn check(seed: u64, mix: &Mix) {
    let mut rng = Rng::with_seed(seed);
    let context = context(&mut rng, mix);
    let table = table(&mut rng, mix);
    context.register_table("t", Arc::new(table)).unwrap();
    let sql = Query { rng: &mut rng, mix }.query();
    let said = |what: &str| format!("{what}: MURRE_SEED={seed}: {sql}");
    // Some of what is made up is no query: types that do not go together.
    let Ok(native) = plan(&context, &sql).await else {
        return mix.count("refused by the planner");
    };
    let all = rng.bool();
    let host_eval = rng.bool();
    let mut compile = Compile::new(|_| all || rng.bool());
    // A repartitioning runs once, and the plans would share it.
    let again = plan(&context, &sql).await.expect("it was planned before");
    let lowered = lower(&again, host_eval, &mut compile);
    let lowered = lowered.unwrap_or_else(|error| panic!("{}: {error}", said("lowering")));
    if compile.compiled < compile.asked {
        mix.count("mixed");
    }
    for operator in &lowered.operators {
        match &operator.runs {
            Runs::Wasm(_) => mix.count(format!("{} wasm", operator.name)),
            Runs::Native(_) => mix.count("native operator left"),
            Runs::Scan | Runs::Exchange => {}
        }
    }
    let mut compiled = lowered.plan;
    // DataFusion reads a source in memory that was asked for no column back as one that was asked for all. Such sources
    // are not sent to workers.
    if seed.is_multiple_of(2) && !reads_no_column(&compiled) {
        // As a worker gets it.
        let there = There(compile.fragments);
        let sent = sent(&compiled, there, &context.task_ctx());
        compiled = sent.unwrap_or_else(|error| {
            let plan = displayable(compiled.as_ref()).indent(true);
            panic!("{}: {error}\n{plan}", said("sending"))
        });
        mix.count("sent");
    }
    let expected = collect(native, context.task_ctx()).await;
    let actual = collect(compiled, context.task_ctx()).await;
    match (expected, actual) {
        (Ok(expected), Ok(actual)) => {
            // An order is by all that goes out, so it leaves nothing open.
            let rows = match sql.contains(" ORDER BY ") {
                true => in_order,
                false => sorted,
            };
            let (expected, actual) = (rows(&expected), rows(&actual));
            mix.count(if expected.is_empty() {
                "no rows"
            } else {
                "same rows"
            });
            assert_eq!(actual, expected, "{}", said("rows differ"));
        }
        (Err(_), Err(_)) => mix.count("same error"),
        // AND looks at its right side for all rows of a batch in DataFusion, and row by row in a fragment.
        (Err(_), Ok(_)) => mix.count("error only in DataFusion"),
        (Ok(_), Err(error)) => panic!("{}: {error}", said("error only in the fragment")),
    }
}

async fn plan(context: &SessionContext, sql: &str) -> Result<Arc<dyn ExecutionPlan>> {
    context.sql(sql).await?.create_physical_plan().await
}

fn types() -> Vec<(&'static str, Type)> {
    let decimal = |precision, scale| Type::Decimal { precision, scale };
    vec![
        ("i8", Type::Int8),
        ("i32", Type::Int32),
        ("i64", Type::Int64),
        ("u16", Type::UInt16),
        ("u64", Type::UInt64),
        ("d15", decimal(15, 2)),
        ("d30", decimal(30, 4)),
        ("t", Type::Date32),
        ("s", Type::Timestamp(TimeUnit::Microsecond, None)),
        ("b", Type::Boolean),
        // Sums of floats depend on their order: these are compared, grouped and counted, and eighths are summed.
        ("f64", Type::Float64),
        ("f32", Type::Float32),
    ]
}

/// One to three partitions, and joins with one table for all of them or one for each.
fn context(rng: &mut Rng, mix: &Mix) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(rng.usize(1..4))
        .with_batch_size(100);
    let shared = rng.bool();
    mix.count(if shared { "one table" } else { "tables" });
    if !shared {
        let optimizer = &mut config.options_mut().optimizer;
        optimizer.hash_join_single_partition_threshold = 0;
        optimizer.hash_join_single_partition_threshold_rows = 0;
    }
    SessionContext::new_with_config(config)
}

/// Up to three partitions of up to three batches of up to 150 rows. Keys `k` repeat, `e` are eighths.
fn table(rng: &mut Rng, mix: &Mix) -> MemTable {
    let columns: Vec<_> = types()
        .into_iter()
        .map(|(name, ty)| {
            let nullable = rng.bool();
            (
                name,
                Column {
                    ty,
                    nullable,
                    facts: Facts::NONE,
                },
            )
        })
        .collect();
    let mut fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.ty.to_arrow(), column.nullable))
        .collect();
    fields.push(Field::new("k", arrow::datatypes::DataType::Int32, true));
    fields.push(Field::new("e", arrow::datatypes::DataType::Float64, true));
    fields.push(Field::new("z", arrow::datatypes::DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields));
    let batch = |rng: &mut Rng| {
        let rows = [0, 1, 7, 64, 150][rng.usize(0..5)];
        let cut = if rng.bool() { rng.usize(0..=rows) } else { 0 };
        let mut arrays: Vec<_> = columns
            .iter()
            .map(|(_, column)| random::array(rng, column, rows))
            .collect();
        let some = |rng: &mut Rng, value: i32| (rng.u32(0..9) > 0).then_some(value);
        let keys: Vec<_> = (0..rows)
            .map(|_| {
                let key = rng.i32(0..6);
                some(rng, key)
            })
            .collect();
        let eighths: Vec<_> = (0..rows)
            .map(|_| {
                let n = rng.i32(-800..800);
                some(rng, n).map(|n| f64::from(n) / 8.0)
            })
            .collect();
        let texts: Vec<_> = (0..rows)
            .map(|_| {
                let n = rng.i32(0..4);
                some(rng, n).map(|n| "x".repeat(n as usize * 7))
            })
            .collect();
        arrays.push(Arc::new(arrow::array::Int32Array::from(keys)));
        arrays.push(Arc::new(arrow::array::Float64Array::from(eighths)));
        arrays.push(Arc::new(arrow::array::StringArray::from(texts)));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
        if cut > 0 {
            mix.count("sliced");
        }
        batch.slice(cut, rows - cut)
    };
    let partitions =
        (0..rng.usize(1..4)).map(|_| (0..rng.usize(1..4)).map(|_| batch(rng)).collect());
    let partitions: Vec<Vec<_>> = partitions.collect();
    MemTable::try_new(Arc::clone(&schema), partitions).unwrap()
}

struct Query<'a> {
    rng: &'a mut Rng,
    mix: &'a Mix,
}

impl Query<'_> {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(0..of.len())]
    }

    fn several(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> String) -> String {
        let items: Vec<_> = (0..self.rng.usize(1..=most)).map(|_| make(self)).collect();
        items.join(", ")
    }

    fn query(&mut self) -> String {
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
                    query.one(&["k", "z", "i8", "t", "b", "d15"]).to_owned()
                });
                let operation = self.one(&["INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]);
                let other = self.condition(1);
                format!(
                    "SELECT {columns} FROM t{filter} {operation} SELECT {columns} FROM t WHERE {other}"
                )
            }
            "ordered" => {
                let mut columns = vec!["k", "i8", "d15", "z", "t", "e", "b", "u64", "d30", "s"];
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
                let inner = format!(
                    "SELECT k, {} AS x, {} AS y FROM t{filter}",
                    self.integer(2),
                    self.decimal(2)
                );
                format!("SELECT k, sum(x), count(y), min(y) FROM ({inner}) GROUP BY k")
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
        match self.rng.u32(0..8) {
            0 => self.condition(1),
            1 => self.integer(1),
            _ => self
                .one(&["k", "i8", "b", "z", "t", "f64", "d15", "u16"])
                .to_owned(),
        }
    }

    fn value(&mut self) -> String {
        match self.rng.u32(0..6) {
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
            2 => format!("sum({})", self.integer(2)),
            3 => format!("sum({})", self.decimal(2)),
            4 => "sum(e)".to_owned(),
            5 => format!("avg({})", self.one(&["d15", "d30", "e", "k"])),
            6 => format!("avg({})", self.decimal(1)),
            _ => {
                let function = self.one(&["min", "max"]);
                let column = self.one(&["i8", "i64", "u64", "d30", "t", "s", "e"]);
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
        match self.rng.u32(0..10) {
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
