use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;

use crate::{
    Session,
    drive::tests::{engine_with_memory, run},
};

/// 3,000 rows of `l`, of which 2,800 have one of the 200 texts of `p`: a few are NULL, some are twice there. `pl` is the two
/// of them joined.
async fn session(dir: &std::path::Path) -> Arc<Session> {
    let session = engine_with_memory(dir, 64 << 20).session();
    for sql in [
        "CREATE TEMPORARY TABLE p AS SELECT value % 190 AS k, value AS n, \
         CASE WHEN value % 17 = 0 THEN NULL ELSE chr(CAST(97 + value % 5 AS BIGINT)) || repeat('-', 20) || value END AS w, \
         chr(CAST(97 + value % 3 AS BIGINT)) AS u FROM generate_series(0, 199) AS s (value)",
        "CREATE TEMPORARY TABLE l AS SELECT value AS i, value % 203 AS k, value % 10 AS v FROM generate_series(1, 3000) AS s (value)",
        "CREATE TEMPORARY TABLE pl AS SELECT i, p.k, v, n, w, u FROM p JOIN l ON p.k = l.k",
    ] {
        run(&session, sql).await.unwrap();
    }
    session
}

async fn text(session: &Arc<Session>, sql: &str) -> String {
    let rows = run(session, sql).await.unwrap();
    pretty_format_batches(&rows).unwrap().to_string()
}

/// The values without the columns' names.
async fn cells(session: &Arc<Session>, sql: &str) -> Vec<Vec<String>> {
    let text = text(session, sql).await;
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(1);
    let cells = |row: &str| row.split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// Whether something below the join is asked of a text.
fn is_asked_before(plan: &str) -> bool {
    let (_, below) = plan.split_once("HashJoinExec").unwrap();
    let mut steps = below.lines();
    let questions = [" LIKE ", " = ", " != ", " > ", " IN "];
    steps.any(|step| {
        let asks = questions.iter().any(|question| step.contains(question));
        step.contains("ProjectionExec") && step.contains("w@") && asks
    })
}

#[tokio::test]
async fn a_question_is_asked_before_the_join_where_nothing_else_is_wanted_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(&dir.path().join("data")).await;
    for (query, is_before) in [
        (
            "SELECT sum(CASE WHEN w LIKE 'b%' THEN v ELSE 0 END), sum(v) FROM {}",
            true,
        ),
        (
            "SELECT sum(CASE WHEN w LIKE 'b%' THEN v + n ELSE n END) FROM {}",
            true,
        ),
        (
            "SELECT u, sum(v) FILTER (WHERE w > 'c') FROM {} GROUP BY u ORDER BY u",
            true,
        ),
        (
            "SELECT count(w IN ('a', 'b--------------------1')), sum(v) FROM {}",
            true,
        ),
        (
            "SELECT bool_or(w = 'b--------------------1' OR NOT w LIKE 'a%'), max(n) FROM {}",
            true,
        ),
        ("SELECT i, n, w <> 'x' AS other FROM {} ORDER BY i, n", true),
        (
            "SELECT 2 * sum(CASE WHEN w LIKE 'b%' THEN v END), min(CASE WHEN w LIKE 'b%' THEN n END) FROM {}",
            true,
        ),
        // Two questions, the text itself, a costly question, one of two columns, one that groups.
        (
            "SELECT sum(CASE WHEN w LIKE 'b%' THEN v WHEN w LIKE 'c%' THEN n END) FROM {}",
            false,
        ),
        ("SELECT max(w), count(w LIKE 'b%') FROM {}", false),
        (
            "SELECT count(CASE WHEN w LIKE '%9' THEN v END) FROM {}",
            false,
        ),
        (
            "SELECT count(CASE WHEN w LIKE 'b_' THEN v END) FROM {}",
            false,
        ),
        ("SELECT count(CASE WHEN w > u THEN v END) FROM {}", false),
        (
            "SELECT w LIKE 'b%' AS b, length(w) AS long, sum(v) FROM {} GROUP BY b, long ORDER BY b, long",
            false,
        ),
        ("SELECT string_agg(u, ',' ORDER BY w, i) FROM {}", false),
    ] {
        let (joined, join) = (
            query.replace("{}", "pl"),
            query.replace("{}", "p JOIN l USING (k)"),
        );
        let rows = cells(&session, &joined).await;
        for partitions in [1, 4] {
            let set = format!("SET datafusion.execution.target_partitions = {partitions}");
            run(&session, &set).await.unwrap();
            for mode in ["never", "auto", "always"] {
                let set = format!("SET murre.compile = '{mode}'");
                run(&session, &set).await.unwrap();
                assert_eq!(
                    cells(&session, &join).await,
                    rows,
                    "{join} {mode} {partitions}"
                );
            }
            // So few rows are spread over partitions behind the join.
            if partitions == 1 {
                let plan = text(&session, &format!("EXPLAIN FORMAT INDENT {join}")).await;
                assert_eq!(is_asked_before(&plan), is_before, "{join}\n{plan}");
            }
        }
    }
}

#[tokio::test]
async fn a_text_by_which_rows_are_joined_or_that_may_be_missing_stays() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(&dir.path().join("data")).await;
    run(
        &session,
        "CREATE TEMPORARY TABLE m AS SELECT w, n AS v FROM p",
    )
    .await
    .unwrap();
    for query in [
        "SELECT count(CASE WHEN p.w LIKE 'b%' THEN 1 END) FROM p JOIN m USING (w)",
        "SELECT count(CASE WHEN p.w LIKE 'b%' THEN 1 END) FROM p JOIN m ON p.n = m.v AND p.w <= m.w",
        "SELECT count(CASE WHEN w LIKE 'b%' THEN 1 END) FROM p RIGHT JOIN l ON p.k = l.k",
    ] {
        let plan = text(&session, &format!("EXPLAIN FORMAT INDENT {query}")).await;
        assert!(!is_asked_before(&plan), "{plan}");
        run(&session, query).await.unwrap();
    }
}
