//! Columns that come late: what nobody needs is not read, and a fact may break in the middle of a batch. Scans that hand
//! out narrow decimals.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, Decimal32Array, Decimal64Array, Decimal128Array, Int32Array, Int64Array,
        RecordBatch, StringViewArray, UInt64Array,
    },
    compute::{concat_batches, take},
};
use datafusion::physical_plan::{collect, displayable};
use worker_wasm::{
    Fragment, RunError, compile,
    runtime::{Instance, Param},
};

use crate::{
    joins::{build, probe},
    plans::{always, context, sorted},
    support::{GUARDED, drain, go, open},
};

const ROWS: i64 = 1000;

/// Keys from 0 on, and beside them amounts of which some are too large for a lane.
fn batch(large: &[i64]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let amounts = (0..ROWS).map(|row| match large.contains(&row) {
        true => i128::MAX / 4,
        false => i128::from(row),
    });
    let amounts = Decimal128Array::from_iter_values(amounts).with_precision_and_scale(38, 0);
    RecordBatch::try_from_iter([("k", keys), ("a", Arc::new(amounts.unwrap()) as ArrayRef)])
        .unwrap()
}

fn fragment(text: &str) -> Fragment {
    text.parse().unwrap()
}

fn widen(instance: &mut Instance, fragment: &Fragment) {
    let general = GUARDED
        .load(&compile(&fragment.general()).unwrap())
        .unwrap();
    instance.take_over(&GUARDED, &general).unwrap();
}

#[test]
fn a_value_behind_a_filter_breaks_its_fact_only_where_the_filter_lets_it_through() {
    let sum = fragment(
        "(fragment (input (column int64) (column (decimal 38 0) i32)) (params (param int64) (param int64))
           (pipeline (input 0) (filter (and (ge c0 p0) (lt c0 p1))) (aggregate single (keys) (sum c1) (count)))
           (pipeline (groups 0) (emit)))",
    );
    let run = |instance: &mut Instance| {
        instance.finish(0, &mut go).unwrap();
        let mut out = Vec::new();
        drain(instance, &mut out).unwrap();
        out
    };
    for (low, high, breaks) in [
        (500, 1000, false),
        (0, 1000, true),
        (8, 9, true),
        (11, 14, false),
    ] {
        let params = [Param::Int(low), Param::Int(high)];
        let rows = batch(&[8, 400]);
        let mut general = open(&GUARDED, &sum.general(), &params).unwrap();
        general.push(0, &rows, &mut go).unwrap();
        let mut special = open(&GUARDED, &sum, &params).unwrap();
        match special.push(0, &rows, &mut go) {
            Err(RunError::Fact { column: 1, .. }) if breaks => {
                widen(&mut special, &sum);
                special.push(0, &rows, &mut go).unwrap();
            }
            Ok(()) if !breaks => {}
            other => panic!("{low}..{high}: {other:?}"),
        }
        assert_eq!(run(&mut special), run(&mut general), "{low}..{high}");
    }
}

#[test]
fn a_fact_that_breaks_behind_a_join_lets_the_general_module_go_on_where_it_was() {
    let built =
        fragment("(fragment (input (column int64)) (params) (pipeline (input 0) (build 0)))");
    let keys = (0..ROWS).filter(|key| key % 7 == 0);
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(keys));
    let keys = RecordBatch::try_from_iter([("k", keys)]).unwrap();
    let table = Arc::new(build(&built, &[], &[keys]));
    let joined = fragment(
        "(fragment (input (column int64) (column (decimal 38 0) i64)) (params)
           (pipeline (input 0) (join inner (table (keys 0) (column int64)) (keys c0)) (emit)))",
    );
    // Several batches of rows go out before the one that breaks the fact is reached, or rows are held back where many are
    // wanted at once, or none; or it has no match.
    let cases = [
        (994, 3, true),
        (994, 0, true),
        (0, 0, true),
        (995, 3, false),
    ];
    let cases = cases.map(|case| [(case, 100), (case, 5000)]);
    for ((large, copy, breaks), wanted) in cases.into_iter().flatten() {
        let copies = (0..5).map(|number| match number == copy {
            true => batch(&[large]),
            false => batch(&[]),
        });
        let copies: Vec<_> = copies.collect();
        let rows = concat_batches(&batch(&[]).schema(), &copies).unwrap();
        let tables = [Arc::clone(&table)];
        let mut instance = probe(&joined, &[], &tables).unwrap();
        let (mut out, mut broken) = (Vec::new(), false);
        let mut note =
            |result: Result<Option<RecordBatch>, RunError>, instance: &mut Instance| match result {
                Err(RunError::Fact { column: 1, .. }) => {
                    broken = true;
                    widen(instance, &joined);
                    true
                }
                Ok(Some(rows)) => {
                    out.push(rows);
                    true
                }
                Ok(None) => false,
                Err(other) => panic!("{other}"),
            };
        instance.push(0, &rows, &mut go).unwrap();
        loop {
            let pulled = instance.pull(wanted, &mut go);
            if !note(pulled, &mut instance) {
                break;
            }
        }
        assert_eq!(broken, breaks, "{large}");
        let out = concat_batches(&out[0].schema(), &out).unwrap();
        let matched: Vec<u64> = (0..5)
            .flat_map(|copy| {
                (0..ROWS)
                    .filter(|key| key % 7 == 0)
                    .map(move |key| copy * ROWS + key)
            })
            .map(|row| row as u64)
            .collect();
        let matched = UInt64Array::from(matched);
        for (column, given) in rows.columns().iter().zip(&out.columns()[1..]) {
            let expected = take(column, &matched, None).unwrap();
            assert_eq!(given, &expected, "{large} of {copy}, {wanted}");
        }
    }
}

/// A thousand rows are looked up at once, and one in fifty has a match.
#[test]
fn few_matches_of_many_look_ups_go_out_together() {
    const ROWS: i64 = 30_000;
    let built =
        fragment("(fragment (input (column int64)) (params) (pipeline (input 0) (build 0)))");
    let matches = || (0..ROWS).filter(|key| key % 50 == 0);
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(matches()));
    let table = build(
        &built,
        &[],
        &[RecordBatch::try_from_iter([("k", keys)]).unwrap()],
    );
    let table = Arc::new(table);
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let text = |key: i64| format!("key {key}, told at some length");
    let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..ROWS).map(text)));
    let numbers: ArrayRef = Arc::new(
        (0..ROWS)
            .map(|key| (key % 3 > 0).then_some(-key))
            .collect::<Int64Array>(),
    );
    for (ty, column) in [("int64 nullable", numbers), ("utf8", texts)] {
        let joined = "(fragment (input (column int64) (column TYPE)) (params)
            (pipeline (input 0) (join inner (table (keys 0) (column int64)) (keys c0)) (emit)))";
        let joined = fragment(&joined.replace("TYPE", ty));
        let rows = [("k", Arc::clone(&keys)), ("v", Arc::clone(&column))];
        let rows = RecordBatch::try_from_iter(rows).unwrap();
        let mut instance = probe(&joined, &[], &[Arc::clone(&table)]).unwrap();
        instance.push(0, &rows, &mut go).unwrap();
        let mut out = Vec::new();
        while let Some(rows) = instance.pull(8192, &mut go).unwrap() {
            out.push(rows);
        }
        // Text would lie where the next rows' is written.
        let batches = if ty == "utf8" {
            ROWS as usize / 1024 + 1
        } else {
            1
        };
        assert_eq!(out.len(), batches, "{ty}");
        let out = concat_batches(&out[0].schema(), &out).unwrap();
        let found = UInt64Array::from_iter_values(matches().map(|key| key as u64));
        let expected = take(&column, &found, None).unwrap();
        assert_eq!(out.column(2), &expected, "{ty}");
    }
}

#[test]
fn numbers_are_taken_in_fewer_bits_than_a_plan_has() {
    let sum = "(fragment (input (column int64 nullable) (column (decimal 15 2) nullable FACTS)) (params (param int64))
           (pipeline (input 0) (filter (ge c0 p0)) (aggregate single (keys) (count c0) (sum c0) (sum c1)))
           (pipeline (groups 0) (emit)))";
    for null in [None, Some(7)] {
        let some = |row: i64| null.is_none_or(|null| row % null != 0).then_some(row);
        let keys = (0..ROWS).map(some);
        let keys: [ArrayRef; 2] = [
            Arc::new(keys.clone().collect::<Int64Array>()),
            Arc::new(keys.map(|key| Some(key? as i32)).collect::<Int32Array>()),
        ];
        let amounts = (0..ROWS).map(|row| Some(some(row + 1)? - 500));
        let wide = amounts.clone().map(|amount| amount.map(i128::from));
        let wide: Decimal128Array = wide.collect();
        let long: Decimal64Array = amounts.clone().collect();
        let int: Decimal32Array = amounts.map(|amount| Some(amount? as i32)).collect();
        let amounts: [ArrayRef; 3] = [
            Arc::new(wide.with_precision_and_scale(15, 2).unwrap()),
            Arc::new(long.with_precision_and_scale(15, 2).unwrap()),
            Arc::new(int.with_precision_and_scale(9, 2).unwrap()),
        ];
        for facts in ["", "i64", "i32"] {
            let sum = fragment(&sum.replace("FACTS", facts));
            // Of many rows a range is copied, of few ones each.
            for from in [0, 990] {
                let given = keys.iter().flat_map(|keys| {
                    let columns = amounts.iter().map(|amounts| {
                        let columns = [("k", Arc::clone(keys)), ("a", Arc::clone(amounts))];
                        let rows = RecordBatch::try_from_iter(columns).unwrap();
                        crate::support::run(&sum, &[Param::Int(from)], &[rows]).unwrap()
                    });
                    columns.collect::<Vec<_>>()
                });
                let given: Vec<_> = given.collect();
                assert_eq!(given.len(), 6);
                assert!(
                    given.iter().all(|rows| *rows == given[0]),
                    "{facts}: {given:?}"
                );
            }
        }
    }
}

/// Files with decimals of many widths, read by fragments and by DataFusion's operators.
#[tokio::test]
async fn a_scan_hands_narrow_decimals_to_fragments_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let path = path.to_str().unwrap();
    let context = context(1);
    let rows = "SELECT CAST(v AS BIGINT) AS k, CAST(v % 5 AS DECIMAL(7, 2)) AS d7,
                CAST(v * 3 - 1000 AS DECIMAL(15, 2)) AS d15, CAST(v * 100000000000 AS DECIMAL(18, 3)) AS d18,
                CASE WHEN v % 3 = 0 THEN NULL ELSE CAST(v AS DECIMAL(12, 4)) END AS n,
                CAST(v AS DECIMAL(30, 2)) AS d30 FROM generate_series(1, 3000) AS s(v)";
    let rows = context.sql(rows).await.unwrap();
    rows.write_parquet(path, Default::default(), None)
        .await
        .unwrap();
    let options = Default::default();
    context.register_parquet("t", path, options).await.unwrap();
    for sql in [
        "SELECT sum(d15), min(d18), max(d7), count(n), sum(d30) FROM t WHERE d15 > 500 AND k < 2500",
        "SELECT d7, sum(d15 * (1 - d7)), avg(n), avg(d18) FROM t GROUP BY d7",
        "SELECT k, d15, n, d18 FROM t WHERE n > 2990 OR d7 IS NULL",
        // The host computes the root of a column that is fed as it is, too.
        "SELECT max(sqrt(d15 + 2000)), sum(d15) FROM t WHERE d15 < 100",
        "SELECT a.k, a.d15, b.d18 FROM t a JOIN t b ON a.d15 = b.d15 WHERE b.k < 20",
    ] {
        let native = context
            .sql(sql)
            .await
            .unwrap()
            .create_physical_plan()
            .await
            .unwrap();
        let lowered = always(&native).plan;
        let shown = displayable(lowered.as_ref()).indent(false).to_string();
        assert!(shown.contains("FragmentExec"), "{shown}");
        let expected = collect(native, context.task_ctx()).await.unwrap();
        let given = collect(lowered, context.task_ctx()).await.unwrap();
        assert_eq!(sorted(&given), sorted(&expected), "{sql}");
    }
}

/// Small numbers are expected where nothing is known, and then what the type allows.
#[tokio::test]
async fn amounts_larger_than_expected_are_taken_by_a_wider_module() {
    let context = context(1);
    for (large, broken) in [("3", 0), ("3000000000", 1)] {
        let rows = format!(
            "CREATE OR REPLACE TABLE t AS SELECT CAST(v AS BIGINT) AS k,
             CAST(CASE WHEN v % 700 = 650 THEN {large} ELSE v END AS DECIMAL(17, 0)) AS d
             FROM generate_series(1, 2000) AS s(v)"
        );
        context.sql(&rows).await.unwrap().collect().await.unwrap();
        let sql = "SELECT sum(d), min(d), count(*) FROM t WHERE k > 600";
        let native = context.sql(sql).await.unwrap();
        let native = native.create_physical_plan().await.unwrap();
        let lowered = always(&native).plan;
        let expected = collect(native, context.task_ctx()).await.unwrap();
        let given = collect(Arc::clone(&lowered), context.task_ctx())
            .await
            .unwrap();
        assert_eq!(sorted(&given), sorted(&expected), "{large}");
        let metrics = lowered.metrics().unwrap();
        let count = metrics.sum_by_name("broken_facts").map(|of| of.as_usize());
        assert_eq!(count, Some(broken), "{large}");
    }
}
