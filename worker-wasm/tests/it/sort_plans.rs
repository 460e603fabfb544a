//! Sorts of DataFusion's plans as fragments: the same rows in the same order.

use std::sync::Arc;

use datafusion::physical_plan::collect;

use crate::plans::{always, how, in_order, plan, with_table};

/// Runs a query whose order leaves nothing open, both ways; how its operators ran.
async fn check(sql: &str) -> Vec<String> {
    let context = with_table();
    let native = plan(&context, sql).await;
    let lowered = always(&plan(&context, sql).await);
    assert_eq!(
        lowered.plan.properties().output_ordering(),
        native.properties().output_ordering()
    );
    let expected = collect(native, context.task_ctx()).await.unwrap();
    let actual = collect(Arc::clone(&lowered.plan), context.task_ctx()).await;
    assert_eq!(in_order(&actual.unwrap()), in_order(&expected), "{sql}");
    how(&lowered)
}

#[tokio::test]
async fn rows_come_in_the_order_that_was_asked_for() {
    for order in [
        "k, i, u, f, d, t, b, z",
        "z, k DESC, i, u, f, d, t, b",
        "z DESC NULLS LAST, i DESC, k, u, f, d, t, b",
        "b, z NULLS FIRST, d DESC, i NULLS FIRST, k, u, f, t",
        "f DESC, t, u, i, k, d, b, z",
    ] {
        for limit in ["", " LIMIT 1", " LIMIT 77", " LIMIT 100000"] {
            let sql = format!("SELECT k, i, u, f, d, t, b, z FROM t ORDER BY {order}{limit}");
            let how = check(&sql).await;
            assert!(
                how.iter().all(|line| line.contains(" wasm ")),
                "{sql}: {how:?}"
            );
        }
    }
}

#[tokio::test]
async fn groups_are_sorted_in_the_fragment_that_makes_them() {
    for sql in [
        "SELECT z, k, sum(d), count(*) FROM t GROUP BY z, k ORDER BY z DESC, k",
        "SELECT k, sum(d) AS s FROM t WHERE i > 0 GROUP BY k ORDER BY s DESC, k LIMIT 4",
        "SELECT z, b, avg(f) FROM t GROUP BY z, b ORDER BY 1, 2",
    ] {
        let how = check(sql).await;
        assert!(
            how.iter().all(|line| line.contains(" wasm ")),
            "{sql}: {how:?}"
        );
        let parts = how.iter().map(|line| line.rsplit(' ').next().unwrap());
        let parts: std::collections::BTreeSet<_> = parts.collect();
        assert!(parts.len() <= 2, "{sql}: {how:?}");
    }
}

#[tokio::test]
async fn sorts_that_stay_native_say_why() {
    let how = check("SELECT k, z FROM t ORDER BY upper(z), k, i, u, f, d, t, b, x").await;
    assert!(
        how.iter()
            .any(|line| line.starts_with("SortExec native: column \"x\"")),
        "{how:?}"
    );
}
