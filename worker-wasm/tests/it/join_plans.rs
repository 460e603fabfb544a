//! Joins of DataFusion's plans as fragments, beside the same plans as DataFusion made them.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
        UInt64Array,
    },
    datatypes::SchemaRef,
};
use datafusion::{
    common::DataFusionError,
    datasource::MemTable,
    execution::{
        memory_pool::{GreedyMemoryPool, MemoryPool},
        runtime_env::RuntimeEnvBuilder,
    },
    physical_expr::expressions::DynamicFilterPhysicalExpr,
    physical_plan::{ExecutionPlan, collect, joins::HashJoinExec},
    prelude::{ParquetReadOptions, SessionConfig, SessionContext},
};

use worker_wasm::exec::FragmentExec;

use crate::plans::{always, how, metric, plan, sorted};

/// One table for all partitions, or one for each.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tables {
    One,
    Each,
}

fn config(partitions: usize, tables: Tables) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(100);
    if tables == Tables::Each {
        let optimizer = &mut config.options_mut().optimizer;
        optimizer.hash_join_single_partition_threshold = 0;
        optimizer.hash_join_single_partition_threshold_rows = 0;
    }
    config
}

/// Rows with a key that is sometimes null and repeats, a number of their own, and a text, short or long.
fn side(start: i64, count: i64, keys: i64) -> RecordBatch {
    let numbers: Vec<i64> = (start..start + count).collect();
    let some = |every: i64| numbers.iter().map(move |n| (n % every != 0).then_some(*n));
    let columns: [(&str, ArrayRef); 4] = [
        (
            "k",
            Arc::new(Int64Array::from_iter(some(7).map(|n| n.map(|n| n % keys)))),
        ),
        ("n", Arc::new(Int64Array::from(numbers.clone()))),
        (
            "i",
            Arc::new(Int32Array::from_iter(
                some(5).map(|n| n.map(|n| (n * 37 % 101) as i32)),
            )),
        ),
        (
            "z",
            Arc::new(StringArray::from_iter(some(6).map(|n| {
                n.map(|n| format!("{} {}", "long".repeat((n % 4) as usize * 2), n % 9))
            }))),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, array)| (name, array, name != "n")),
    )
    .unwrap()
}

fn register(context: &SessionContext, name: &str, partitions: Vec<Vec<RecordBatch>>) {
    let schema: SchemaRef = partitions[0][0].schema();
    let table = MemTable::try_new(schema, partitions).unwrap();
    context.register_table(name, Arc::new(table)).unwrap();
}

/// `l` has fewer rows than `r`, so that it is the left side; `e` has none.
fn with_sides(config: SessionConfig) -> SessionContext {
    let context = SessionContext::new_with_config(config);
    let sliced = side(0, 60, 40).slice(13, 40);
    register(&context, "l", vec![vec![sliced], vec![side(60, 30, 40)]]);
    let first = vec![side(0, 150, 50), side(150, 0, 50), side(150, 220, 50)];
    register(&context, "r", vec![first, vec![side(400, 120, 50)]]);
    register(&context, "e", vec![vec![side(0, 0, 1)]]);
    context
}

/// Runs a query both ways with one table and with several, on one partition and on three; how its operators ran.
async fn check(sql: &str) -> Vec<Vec<String>> {
    let mut ways = Vec::new();
    for (partitions, tables) in [(1, Tables::One), (3, Tables::One), (3, Tables::Each)] {
        let context = with_sides(config(partitions, tables));
        let native = plan(&context, sql).await;
        let lowered = always(&plan(&context, sql).await);
        let said = format!("{partitions} partitions, {tables:?}: {sql}");
        assert_eq!(lowered.plan.schema(), native.schema(), "{said}");
        let expected = collect(native, context.task_ctx()).await.unwrap();
        let actual = collect(Arc::clone(&lowered.plan), context.task_ctx()).await;
        let actual = actual.unwrap_or_else(|error| panic!("{said}: {error}"));
        assert_eq!(sorted(&actual), sorted(&expected), "{said}");
        ways.push(how(&lowered));
    }
    ways
}

async fn all_compiled(sql: &str) {
    for how in check(sql).await {
        assert!(
            how.iter().any(|line| line.starts_with("HashJoinExec")),
            "{sql}: {how:?}"
        );
        assert!(
            how.iter().all(|line| line.contains(" wasm ")),
            "{sql}: {how:?}"
        );
    }
}

#[tokio::test]
async fn every_kind_of_join_gives_what_datafusion_gives() {
    for sides in [["l", "r"], ["r", "l"]] {
        let [a, b] = sides;
        for join in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"] {
            for on in [
                "a.k = b.k",
                "a.k = b.k AND a.z = b.z",
                "a.k = b.k AND a.i < b.i",
                "a.k + 1 = b.k * 2 AND a.i IS DISTINCT FROM b.i",
                "a.k IS NOT DISTINCT FROM b.k",
            ] {
                let sql = format!("SELECT a.n, a.z, b.i, b.n, b.z FROM {a} a {join} {b} b ON {on}");
                all_compiled(&sql).await;
            }
        }
        for join in [
            "LEFT SEMI JOIN",
            "LEFT ANTI JOIN",
            "RIGHT SEMI JOIN",
            "RIGHT ANTI JOIN",
        ] {
            let of = if join.starts_with("LEFT") { "a" } else { "b" };
            for on in ["a.k = b.k", "a.k = b.k AND a.i <> b.i"] {
                let sql = format!("SELECT {of}.n, {of}.z FROM {a} a {join} {b} b ON {on}");
                all_compiled(&sql).await;
            }
        }
    }
}

#[tokio::test]
async fn sides_without_rows_give_what_datafusion_gives() {
    for join in [
        "JOIN",
        "LEFT JOIN",
        "RIGHT JOIN",
        "FULL JOIN",
        "LEFT SEMI JOIN",
        "LEFT ANTI JOIN",
    ] {
        for (a, b) in [("e", "r"), ("r", "e"), ("e", "e")] {
            let sql = format!("SELECT a.n, a.z FROM {a} a {join} {b} b ON a.k = b.k");
            check(&sql).await;
            let sql = format!("SELECT count(*) FROM {a} a {join} {b} b ON a.k = b.k");
            check(&sql).await;
        }
    }
}

#[tokio::test]
async fn joins_run_in_one_piece_with_what_is_around_them() {
    let sql = "SELECT a.k + 1, sum(b.i * c.i), count(a.i), min(c.z)
         FROM l a JOIN r b ON a.k = b.k AND a.i > 3 JOIN r c ON b.n = c.n + 1
         WHERE b.i > 10 AND c.z LIKE 'long%' GROUP BY a.k HAVING count(*) > 1";
    all_compiled(sql).await;
    let one = &check(sql).await[0];
    // Two tables, and what probes them up to the groups.
    let parts = one.iter().map(|line| line.rsplit(' ').next().unwrap());
    let parts: std::collections::BTreeSet<_> = parts.collect();
    assert!(parts.len() <= 4, "{one:?}");
    for sql in [
        "SELECT a.n, b.n FROM l a LEFT JOIN r b ON a.k = b.k LEFT JOIN r c ON b.n = c.n",
        "SELECT count(b.n), count(c.i), count(*) FROM l a LEFT JOIN r b ON a.k = b.k LEFT JOIN r c ON b.n = c.n",
        "SELECT k, count(n) FROM (SELECT a.k, b.n FROM r b RIGHT JOIN l a ON a.k = b.k) GROUP BY k",
        "SELECT a.n FROM l a WHERE EXISTS (SELECT 1 FROM r b WHERE a.k = b.k AND b.i > a.i)",
        "SELECT a.n FROM l a WHERE NOT EXISTS (SELECT 1 FROM r b WHERE a.k = b.k AND b.i > a.i)",
        "SELECT a.n, coalesce(upper(b.z), 'none') FROM l a LEFT JOIN r b ON a.k = b.k AND b.i = 3",
        "SELECT a.n, b.s FROM l a JOIN (SELECT k, sum(i) AS s FROM r GROUP BY k) b ON a.k = b.k",
        "SELECT a.n, b.s FROM l a LEFT JOIN (SELECT k, sum(i) AS s FROM r GROUP BY k) b ON a.k = b.k",
        "SELECT a.n, b.n FROM l a JOIN r b ON a.k = b.k WHERE upper(a.z) = upper(b.z)",
        "SELECT a.n, b.n FROM l a JOIN r b ON a.k = b.k ORDER BY b.n, a.n LIMIT 7",
    ] {
        check(sql).await;
    }
}

#[tokio::test]
async fn nulls_that_a_plan_denies_come_out_all_the_same() {
    for sql in [
        "SELECT k, z FROM l INTERSECT SELECT k, z FROM r",
        "SELECT k FROM l EXCEPT SELECT k FROM r WHERE k IS NOT NULL",
        "SELECT * FROM (SELECT k FROM l INTERSECT SELECT k FROM r) WHERE k IS NULL OR k > 3",
        "SELECT count(*) FROM (SELECT k FROM l INTERSECT SELECT k FROM r)",
    ] {
        check(sql).await;
    }
}

#[tokio::test]
async fn joins_that_stay_native_say_why() {
    let context = with_sides(config(1, Tables::One));
    for (sql, reason) in [
        (
            "SELECT n FROM l WHERE k NOT IN (SELECT k FROM r)",
            "NOT IN with nulls is not compiled yet",
        ),
        (
            "SELECT n FROM l WHERE k > 3 OR EXISTS (SELECT 1 FROM r WHERE r.k = l.k)",
            "mark joins are not compiled yet",
        ),
    ] {
        let lowered = always(&plan(&context, sql).await);
        let how = how(&lowered);
        let native = format!("HashJoinExec native: {reason}");
        assert!(how.contains(&native), "{sql}: {how:?}");
        let expected = collect(plan(&context, sql).await, context.task_ctx());
        let actual = collect(lowered.plan, context.task_ctx()).await.unwrap();
        assert_eq!(sorted(&actual), sorted(&expected.await.unwrap()), "{sql}");
    }
}

#[tokio::test]
async fn a_table_is_built_once_for_all_partitions() {
    let context = with_sides(config(3, Tables::One));
    let sql = "SELECT a.n, b.n FROM l a JOIN r b ON a.k = b.k";
    let lowered = always(&plan(&context, sql).await).plan;
    let rows = collect(Arc::clone(&lowered), context.task_ctx()).await;
    let rows = rows.unwrap();
    assert!(!sorted(&rows).is_empty());
    // 70 rows on the left and 490 on the right.
    assert_eq!(metric(&lowered, "guest_rows"), 70 + 490);
    let children = lowered.children().into_iter().map(Arc::clone).collect();
    let again = Arc::clone(&lowered).with_new_children(children);
    if let Ok(again) = again {
        // Sources without exchanges can be read again, and the node begins with new tables.
        let text = datafusion::physical_plan::displayable(again.as_ref()).indent(true);
        if !text.to_string().contains("RepartitionExec") {
            let repeated = collect(Arc::clone(&again), context.task_ctx())
                .await
                .unwrap();
            assert_eq!(sorted(&repeated), sorted(&rows));
        }
    }
}

fn text(plan: &Arc<dyn ExecutionPlan>) -> String {
    let displayed = datafusion::physical_plan::displayable(plan.as_ref());
    displayed.indent(true).to_string()
}

#[tokio::test]
async fn all_partitions_build_a_table_without_meeting_before() {
    let context = with_sides(config(3, Tables::One));
    for sql in [
        "SELECT a.n, a.z, b.z FROM l a JOIN r b ON a.k = b.k",
        "SELECT a.n, b.n FROM l a FULL JOIN r b ON a.k = b.k AND a.z = b.z",
        // A join that keeps rows of its table is read for another table.
        "SELECT a.n, b.n, c.n, b.z FROM l a FULL JOIN r b ON a.k = b.k JOIN r c ON a.n = c.k",
        // Groups are read for a table.
        "SELECT a.z, a.s, b.n FROM (SELECT z, sum(n) AS s FROM l GROUP BY z) a JOIN r b ON a.z = b.z",
    ] {
        let native = plan(&context, sql).await;
        assert!(text(&native).contains("CoalescePartitionsExec"), "{sql}");
        let lowered = always(&plan(&context, sql).await).plan;
        let said = text(&lowered);
        assert!(!said.contains("CoalescePartitionsExec"), "{sql}: {said}");
        // Groups have a memory of their own, and their own reasons to be compiled or not.
        let mut nodes = said.lines();
        let both = |node: &str| ["HashJoinExec", "AggregateExec"].map(|name| node.contains(name));
        assert!(!nodes.any(|node| both(node) == [true; 2]), "{sql}: {said}");
        let expected = collect(native, context.task_ctx()).await.unwrap();
        let rows = collect(lowered, context.task_ctx()).await.unwrap();
        assert!(!rows.is_empty());
        assert_eq!(sorted(&rows), sorted(&expected), "{sql}");
    }
    assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
}

/// Numbers that their type does not promise come in one partition only, whose instance goes on with another module.
#[tokio::test]
async fn partitions_that_break_facts_build_a_table_with_those_that_do_not() {
    let rows = |numbers: std::ops::Range<i128>, factor: i128| {
        let decimals = numbers.map(|number| Some(number * factor));
        let array = Decimal128Array::from_iter(decimals);
        let array: ArrayRef = Arc::new(array.with_precision_and_scale(15, 0).unwrap());
        RecordBatch::try_from_iter_with_nullable([("d", array, true)]).unwrap()
    };
    for breaking in [0, 1, 2] {
        let context = SessionContext::new_with_config(config(3, Tables::One));
        let large = |partition: usize| {
            if partition == breaking {
                10i128.pow(20)
            } else {
                1
            }
        };
        let partitions = [0..50, 50..100, 100..150].into_iter().enumerate();
        let partitions = partitions.map(|(index, of)| vec![rows(of, large(index))]);
        register(&context, "a", partitions.collect());
        let both = [rows(1..200, 1), rows(1..200, 10i128.pow(20))];
        register(&context, "b", both.map(|rows| vec![rows]).to_vec());
        let sql = "SELECT a.d, b.d FROM a JOIN b ON a.d = b.d";
        let native = plan(&context, sql).await;
        let lowered = always(&plan(&context, sql).await).plan;
        let expected = collect(native, context.task_ctx()).await.unwrap();
        let rows = collect(Arc::clone(&lowered), context.task_ctx()).await;
        assert_eq!(sorted(&rows.unwrap()), sorted(&expected));
        assert!(metric(&lowered, "broken_facts") > 0);
    }
}

/// What reads for a table goes away with who waits for it.
#[tokio::test]
async fn a_query_that_goes_while_partitions_build_leaves_nothing() {
    let context = with_sides(config(3, Tables::One));
    let endless = "SELECT a.v FROM (SELECT v FROM generate_series(1, 1000000000) AS a(v)
        UNION ALL SELECT v FROM generate_series(1, 1000000000) AS b(v)) a
        RIGHT JOIN r b ON a.v = b.k";
    let lowered = always(&plan(&context, endless).await).plan;
    assert!(
        !text(&lowered).contains("CoalescePartitionsExec"),
        "{}",
        text(&lowered)
    );
    let pool = Arc::clone(&context.runtime_env().memory_pool);
    let running = tokio::spawn(collect(Arc::clone(&lowered), context.task_ctx()));
    let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let soon = || async {
        assert!(tokio::time::Instant::now() < limit);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    };
    while metric(&lowered, "guest_bytes_in") == 0 {
        soon().await;
    }
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    // Nobody waits any more: what a partition had in hand is the last that is read.
    let read = || metric(&lowered, "guest_bytes_in");
    let mut before = 0;
    while before < read() {
        before = read();
        for _ in 0..100 {
            soon().await;
        }
    }
    drop(lowered);
    until_free(pool.as_ref()).await;
}

/// Tasks of a query that is gone end a little later, and give back what they have.
async fn until_free(pool: &dyn MemoryPool) {
    let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while pool.reserved() > 0 {
        assert!(tokio::time::Instant::now() < limit, "{}", pool.reserved());
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// So many rows that partitions copy theirs into the table on several threads: at once where each key is there once, one
/// after the other where some repeat.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn partitions_copy_many_rows_into_one_table() {
    let mut refused = 0;
    for bytes in [3 << 20, 9 << 20, 12 << 20, 1 << 30] {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(&pool));
        let runtime = runtime.build_arc().unwrap();
        let mut config = config(3, Tables::One).with_batch_size(8192);
        let optimizer = &mut config.options_mut().optimizer;
        optimizer.hash_join_single_partition_threshold = usize::MAX;
        optimizer.hash_join_single_partition_threshold_rows = usize::MAX;
        let context = SessionContext::new_with_config_rt(config, runtime);
        let partitions = |rows: i64| {
            let starts = [0, rows, 2 * rows].into_iter();
            let sides = starts.map(|start| vec![side(start, rows, 30_000)]);
            sides.collect::<Vec<_>>()
        };
        register(&context, "a", partitions(20_000));
        register(&context, "b", partitions(30_000));
        for sql in [
            "SELECT a.n, a.k, a.z, b.z FROM a JOIN b ON a.n = b.n",
            "SELECT a.n, a.z, b.z FROM a JOIN b ON a.k = b.n",
            "SELECT a.n, a.z, b.n FROM a LEFT JOIN b ON a.z = b.z AND a.n = b.n",
        ] {
            let lowered = always(&plan(&context, sql).await);
            let how = how(&lowered);
            assert!(how.iter().all(|line| line.contains(" wasm ")), "{how:?}");
            match collect(Arc::clone(&lowered.plan), context.task_ctx()).await {
                Ok(rows) => {
                    let native = plan(&context, sql).await;
                    // What DataFusion needs is no matter here.
                    let free = SessionContext::new().task_ctx();
                    let native = collect(native, free).await.unwrap();
                    assert!(sorted(&rows) == sorted(&native), "{bytes} bytes: {sql}");
                }
                Err(error) => {
                    let root = error.find_root();
                    let memory = matches!(root, DataFusionError::ResourcesExhausted(_));
                    assert!(memory && bytes < 1 << 30, "{bytes} bytes: {sql}: {error}");
                    refused += 1;
                }
            }
            drop(lowered);
            until_free(pool.as_ref()).await;
        }
    }
    assert!((1..9).contains(&refused), "{refused}");
}

#[tokio::test]
async fn errors_of_both_sides_come_out() {
    for tables in [Tables::One, Tables::Each] {
        let context = with_sides(config(3, tables));
        for sql in [
            "SELECT b.n FROM (SELECT k, 100 / (n - n) AS q FROM l) a JOIN r b ON a.k = b.k AND a.q > 0",
            "SELECT b.n FROM l a JOIN (SELECT k, n, 100 / (n - n) AS q FROM r) b ON a.k = b.k AND b.q > 0",
        ] {
            let lowered = always(&plan(&context, sql).await).plan;
            let error = collect(lowered, context.task_ctx()).await.unwrap_err();
            assert!(
                error.to_string().contains("Divide by zero"),
                "{tables:?}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn errors_behind_joins_have_the_text_of_datafusion() {
    let context = with_sides(config(1, Tables::One));
    // The operators run once more where the left side can be read again as a whole.
    context.deregister_table("l").unwrap();
    register(&context, "l", vec![vec![side(0, 90, 40)]]);
    for sql in [
        "SELECT CAST(a.n + b.n AS TINYINT) FROM l a JOIN r b ON a.k = b.k",
        "SELECT sum(b.i / (b.n - a.n)) FROM l a JOIN r b ON a.k = b.k",
        "SELECT CAST(a.n * b.n * 100000 AS SMALLINT) FROM l a JOIN r b ON a.k = b.k AND a.n > 3",
    ] {
        let native = collect(plan(&context, sql).await, context.task_ctx()).await;
        let native = native.unwrap_err().strip_backtrace();
        let lowered = always(&plan(&context, sql).await).plan;
        let error = collect(lowered, context.task_ctx()).await.unwrap_err();
        assert_eq!(error.strip_backtrace(), native, "{sql}");
    }
}

#[tokio::test]
async fn a_table_that_memory_does_not_hold_is_a_typed_error() {
    for (bytes, fits) in [(4 << 20, false), (1 << 30, true)] {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)))
            .build_arc()
            .unwrap();
        let context = SessionContext::new_with_config_rt(config(1, Tables::One), runtime);
        let sql = "SELECT count(*) FROM generate_series(1, 300000) AS a(v)
             JOIN generate_series(1, 300001) AS b(w) ON a.v = b.w";
        let lowered = always(&plan(&context, sql).await);
        let how = how(&lowered);
        assert!(how.iter().all(|line| line.contains(" wasm ")), "{how:?}");
        let run = collect(Arc::clone(&lowered.plan), context.task_ctx()).await;
        match run {
            Ok(rows) => assert_eq!((fits, sorted(&rows)), (true, vec!["300000".to_owned()])),
            Err(error) => {
                let memory = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
                assert!(memory && !fits, "{error}");
            }
        }
        drop(lowered);
        assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
    }
}

fn filters(plan: &Arc<dyn ExecutionPlan>) -> Vec<Arc<DynamicFilterPhysicalExpr>> {
    let own = plan.downcast_ref::<HashJoinExec>();
    let own = own.and_then(|join| join.dynamic_filter_expr().map(Arc::clone));
    let children = plan.children().into_iter();
    own.into_iter().chain(children.flat_map(filters)).collect()
}

#[tokio::test]
async fn a_scan_learns_the_keys_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    for (tables, left, expected) in [
        (
            Tables::One,
            "n >= 200 AND n < 203",
            vec!["n@0 >= 200", "n@0 <= 202", "IN (SET)"],
        ),
        (
            Tables::Each,
            "n >= 200 AND n < 203",
            vec!["n@0 >= 200", "n@0 <= 202", "IN (SET)"],
        ),
        (Tables::One, "n >= 0", vec!["n@0 >= 0", "n@0 <= 489"]),
        (Tables::Each, "n > 1000", vec!["empty"]),
    ] {
        let context = SessionContext::new_with_config(config(2, tables));
        for (name, count) in [("a", 490), ("b", 2000)] {
            let path = folder.path().join(format!("{name}.parquet"));
            let frame = context.read_batch(side(0, count, 10)).unwrap();
            let path = path.to_str().unwrap();
            frame
                .write_parquet(path, Default::default(), None)
                .await
                .unwrap();
            let options = ParquetReadOptions::default();
            context.register_parquet(name, path, options).await.unwrap();
        }
        let sql = format!(
            "SELECT a.n, b.z FROM (SELECT n FROM a WHERE {left}) a JOIN b ON a.n = b.n WHERE b.i > 2"
        );
        let native = plan(&context, &sql).await;
        let original = plan(&context, &sql).await;
        let filters = filters(&original);
        let [filter] = filters.as_slice() else {
            panic!("one join has one filter");
        };
        let lowered = always(&original);
        let how = how(&lowered);
        assert!(how.iter().all(|line| line.contains(" wasm ")), "{how:?}");
        let expected_rows = collect(native, context.task_ctx()).await.unwrap();
        let rows = collect(lowered.plan, context.task_ctx()).await.unwrap();
        assert_eq!(sorted(&rows), sorted(&expected_rows));
        let text = filter.to_string();
        for part in expected {
            assert!(text.contains(part), "{tables:?}, {left}: {text}");
        }
        filter.wait_complete().await;
    }
}

/// Tables of a single integer key are in the order of numbers with a sign. More keys than a scan is told lie on either side
/// of where those begin.
#[tokio::test]
async fn a_scan_learns_the_ends_of_many_keys() {
    let folder = tempfile::tempdir().unwrap();
    let large = |count: u64| (0..count).chain(u64::MAX - 199..=u64::MAX);
    let middle = |count: u32| (0..count).chain(u32::MAX - 199..=u32::MAX);
    let signed = |count: i64| -200..count;
    let longs = |count| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(large(count))) };
    let ints = |count| -> ArrayRef { Arc::new(UInt32Array::from_iter_values(middle(count))) };
    let negative = |count| -> ArrayRef { Arc::new(Int64Array::from_iter_values(signed(count))) };
    for (few, many, ends) in [
        (longs(300), longs(4000), [0, u64::MAX.into()]),
        (ints(300), ints(4000), [0, u32::MAX.into()]),
        (negative(300), negative(4000), [-200i128, 299]),
    ] {
        let context = SessionContext::new_with_config(config(2, Tables::One));
        for (name, keys) in [("a", few), ("b", many)] {
            let path = folder.path().join(format!("{name}.parquet"));
            let path = path.to_str().unwrap();
            let rows = RecordBatch::try_from_iter([("k", keys)]).unwrap();
            let frame = context.read_batch(rows).unwrap();
            let written = frame.write_parquet(path, Default::default(), None);
            written.await.unwrap();
            let options = ParquetReadOptions::default();
            context.register_parquet(name, path, options).await.unwrap();
        }
        let original = plan(&context, "SELECT count(*) FROM a JOIN b ON a.k = b.k").await;
        let filters = filters(&original);
        let lowered = always(&original);
        let rows = collect(lowered.plan, context.task_ctx()).await.unwrap();
        assert_eq!(sorted(&rows), ["500"]);
        let (text, [low, high]) = (filters[0].to_string(), ends);
        let expected = format!("k@0 >= {low} AND k@0 <= {high}");
        assert!(text.contains(&expected), "{expected}: {text}");
    }
}

/// The fragments of a plan's pieces as text, those that build tables first.
fn fragments(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let below = plan.children().into_iter().flat_map(fragments);
    let own = plan.downcast_ref::<FragmentExec>().into_iter();
    let own = own.flat_map(|node| node.modules().iter());
    let own = own.map(|modules| modules.module().fragment().to_string());
    below.chain(own).collect()
}

#[tokio::test]
async fn conditions_on_text_of_a_table_are_decided_when_it_is_built() {
    for (sql, early) in [
        (
            "SELECT sum(CASE WHEN a.z LIKE 'long%' THEN b.i ELSE 0 END), sum(b.i) FROM l a JOIN r b ON a.k = b.k",
            true,
        ),
        (
            "SELECT b.i, count(*) FILTER (WHERE a.z = ' 3') FROM l a RIGHT JOIN r b ON a.k = b.k GROUP BY b.i",
            true,
        ),
        (
            "SELECT count(CASE WHEN a.z LIKE '% 4' THEN 1 END) FROM l a JOIN r b ON a.k = b.k JOIN r c ON b.n = c.n + 1",
            true,
        ),
        // The text itself goes out, or two things are asked of it, or what is asked takes long.
        (
            "SELECT a.z, sum(CASE WHEN a.z LIKE 'long%' THEN b.i END) FROM l a JOIN r b ON a.k = b.k GROUP BY a.z",
            false,
        ),
        (
            "SELECT count(CASE WHEN a.z LIKE 'long%' THEN 1 WHEN a.z > ' 4' THEN b.i END) FROM l a JOIN r b ON a.k = b.k",
            false,
        ),
        (
            "SELECT count(CASE WHEN a.z LIKE '%g%l%' THEN 1 END) FROM l a JOIN r b ON a.k = b.k",
            false,
        ),
    ] {
        check(sql).await;
        let context = with_sides(config(1, Tables::One));
        let lowered = always(&plan(&context, sql).await).plan;
        let all = fragments(&lowered);
        let asks = |text: &String| text.contains("(like") || text.contains("(eq c1 p");
        let building = all.iter().filter(|text| text.contains("(build"));
        assert_eq!(building.clone().any(asks), early, "{sql}: {all:?}");
        if early {
            let probing = all.iter().filter(|text| !text.contains("(build"));
            assert!(!probing.clone().any(asks), "{sql}: {all:?}");
        }
    }
}
