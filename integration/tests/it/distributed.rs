//! Queries in stages, over workers: right answers, from the modules that a single process runs, each sent once.
//!
//! Two tasks for each stage everywhere, so that every plan has exchanges between tasks.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use crate::{
    loss::no_memory_reserved,
    server::{Client, Server, rows, table, update},
    tpch::{cells, check, generate, query_text, register},
    worker::{Cluster, modules_received, remote_server},
};

const SCALE_FACTOR: &str = "0.1";

/// Those of which every operator is compiled.
const COMPILED: [u32; 4] = [1, 3, 6, 14];

const BOUNDARIES: [&str; 3] = [
    "NetworkBroadcastExec",
    "NetworkCoalesceExec",
    "NetworkShuffleExec",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_right_in_two_tasks_of_the_embedded_worker() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    register(&mut client, &generate(SCALE_FACTOR)?).await?;
    for mode in ["always", "auto"] {
        update(&mut client, &format!("SET murre.compile = '{mode}'")).await?;
        update(&mut client, "SET murre.tasks_per_stage = 2").await?;
        check_all(&mut client).await?;
        no_memory_reserved(&server).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_workers_cannot_read_stays_here_and_says_why() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(&mut client, "SET murre.tasks_per_stage = 2").await?;
    let made = "CREATE TEMPORARY TABLE t AS SELECT 1 AS k, 2.5 AS v UNION ALL SELECT 2, 3.5";
    update(&mut client, made).await?;
    let sql = "SELECT k, sum(v) FROM t GROUP BY k ORDER BY k";
    let stays = cells(&rows(&mut client, &format!("EXPLAIN FRAGMENTS {sql}")).await?)?;
    let scan = stays.iter().find(|row| row[3] == "scan");
    let scan = scan.context("there is a scan")?;
    ensure!(
        scan[4] == "the plan stays here: these rows are in this server's memory",
        "{scan:?}"
    );
    let answer = cells(&rows(&mut client, sql).await?)?;
    ensure!(answer == [["1", "2.5"], ["2", "3.5"]], "{answer:?}");
    let copy = dir.path().join("copy.parquet");
    let copy = format!(
        "EXPLAIN FRAGMENTS COPY (SELECT * FROM t) TO '{}'",
        copy.display()
    );
    let stays = cells(&rows(&mut client, &copy).await?)?;
    let sink = "the plan stays here: files are written by this server";
    ensure!(stays[0][4].contains(sink), "{stays:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_with_nan_are_found_by_tasks_too() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let made = "CREATE TABLE m AS SELECT value AS k, CASE WHEN value = 7 THEN 'NaN'::double \
                ELSE value::double / 10000 END AS v FROM generate_series(1, 100) AS t(value)";
    update(&mut client, made).await?;
    let sql = "SELECT k, count(*) FROM m WHERE v > 5 GROUP BY k";
    for tasks in [0, 2] {
        update(&mut client, &format!("SET murre.tasks_per_stage = {tasks}")).await?;
        let answer = cells(&rows(&mut client, sql).await?)?;
        ensure!(answer == [["7", "1"]], "{tasks} tasks: {answer:?}");
    }
    check_boundary(&mut client, sql).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_analyze_counts_what_tasks_did() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    register(&mut client, &generate(SCALE_FACTOR)?).await?;
    update(&mut client, "SET murre.compile = 'always'").await?;
    update(&mut client, "SET murre.tasks_per_stage = 2").await?;
    let sql = "EXPLAIN ANALYZE SELECT l_returnflag, count(*) FROM lineitem GROUP BY 1";
    check_analyzed(&table(&mut client, sql).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_analyze_counts_what_other_processes_did() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path()).await?;
    let mut client = cluster.client().await?;
    update(&mut client, "SET murre.compile = 'always'").await?;
    let sql = "EXPLAIN ANALYZE SELECT l_returnflag, count(*) FROM lineitem GROUP BY 1";
    check_analyzed(&table(&mut client, sql).await?)
}

fn check_analyzed(told: &str) -> Result<()> {
    for part in [
        "DistributedExec",
        "NetworkShuffleExec",
        "tasks=2",
        "FragmentExec",
        "guest_rows=600.6 K",
    ] {
        ensure!(told.contains(part), "{part} is not in\n{told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_join_learns_reaches_the_scan_of_its_task() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    for made in [
        "CREATE TABLE long AS SELECT value AS k, value * 3 AS v FROM generate_series(1, 600000) AS t(value) ORDER BY 1",
        "CREATE TABLE picks AS SELECT value AS p, value AS q FROM generate_series(1, 1000) AS t(value) ORDER BY 1",
    ] {
        update(&mut client, made).await?;
    }
    let sql = "SELECT count(*), sum(v) FROM long JOIN picks ON k = p WHERE q = 700";
    update(&mut client, "SET murre.tasks_per_stage = 2").await?;
    for mode in ["never", "always"] {
        update(&mut client, &format!("SET murre.compile = '{mode}'")).await?;
        check_boundary(&mut client, sql).await?;
        let told = table(&mut client, &format!("EXPLAIN ANALYZE {sql}")).await?;
        // One page of 30: the table of the join has one key, and the scan has heard it.
        let pruned = "page_index_rows_pruned=600.0 K total → 20.48 K matched";
        ensure!(told.contains(pruned), "{mode}: {pruned} is not in\n{told}");
        let answer = cells(&rows(&mut client, sql).await?)?;
        ensure!(answer == [["1", "2100"]], "{mode}: {answer:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_have_the_zone_of_the_session_in_tasks_too() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path()).await?;
    let mut client = cluster.client().await?;
    let made = "CREATE TABLE said AS SELECT '2024-01-0' || (1 + value % 9) || ' 12:00:00' AS t \
                FROM generate_series(1, 90) AS t(value)";
    update(&mut client, made).await?;
    update(
        &mut client,
        "SET datafusion.execution.time_zone = 'Asia/Tokyo'",
    )
    .await?;
    let sql = "SELECT to_timestamp(t) AS d, count(*) FROM said GROUP BY 1 ORDER BY 1 LIMIT 1";
    let plain = "SELECT to_timestamp(t) AS d FROM said ORDER BY 1 LIMIT 1";
    for workers in ["embedded", "remote"] {
        for mode in ["never", "always"] {
            update(&mut client, &format!("SET murre.workers = '{workers}'")).await?;
            update(&mut client, &format!("SET murre.compile = '{mode}'")).await?;
            let grouped = cells(&rows(&mut client, sql).await?)?;
            ensure!(
                grouped == [["2024-01-01T12:00:00+09:00", "10"]],
                "{workers}, {mode}: {grouped:?}"
            );
            let plain = cells(&rows(&mut client, plain).await?)?;
            ensure!(
                plain == [["2024-01-01T12:00:00+09:00"]],
                "{workers}, {mode}: {plain:?}"
            );
        }
    }
    check_boundary(&mut client, sql).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_right_over_two_worker_processes() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let says_modules = ["--log", "info,worker_wasm=debug"];
    let cluster = Cluster::start_with(dir.path(), &says_modules).await?;
    let mut client = cluster.client().await?;
    update(&mut client, "SET murre.compile = 'always'").await?;
    // Two tasks each: one for each worker.
    check_all(&mut client).await?;
    let explained = check_modules(&mut client).await?;
    // What ran is what was explained: both workers say so by the hash.
    let mut run = BTreeSet::new();
    for worker in &cluster.workers {
        run.append(&mut worker.modules_run()?);
    }
    let not_run: Vec<_> = explained.difference(&run).collect();
    ensure!(not_run.is_empty(), "{not_run:?} of {explained:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_the_data_is_the_same_from_a_worker() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path()).await?;
    let mut client = cluster.client().await?;
    let sql = "SELECT o_orderpriority, sum(o_orderkey / (o_orderkey - 1)) FROM orders GROUP BY 1";
    let mut errors = Vec::new();
    for workers in ["embedded", "remote"] {
        update(&mut client, &format!("SET murre.workers = '{workers}'")).await?;
        let error = rows(&mut client, sql).await.err();
        errors.push(error.context("a division by zero")?.to_string());
    }
    ensure!(
        errors[0] == errors[1] && errors[0].contains("Divide by zero"),
        "{errors:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_workers_says_what_to_do() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = remote_server(dir.path())?;
    let mut client = server.client().await?;
    register(&mut client, &generate(SCALE_FACTOR)?).await?;
    let sql = "SELECT count(*) FROM nation WHERE n_regionkey = 1";
    let error = rows(&mut client, sql).await.err();
    let error = error.context("there is no worker")?.to_string();
    ensure!(
        error.contains("no worker is connected") && error.contains("murre worker"),
        "{error}"
    );
    // Nothing to read is nothing for a worker.
    ensure!(cells(&rows(&mut client, "SELECT 1").await?)? == [["1"]]);
    update(&mut client, "SET murre.workers = 'embedded'").await?;
    let here = cells(&rows(&mut client, sql).await?)?;
    ensure!(here == [["5"]], "{here:?}");
    Ok(())
}

/// After all 22: each worker has each module once, and they are those of the embedded worker. Gives those that EXPLAIN tells
/// of the stages that tasks run.
pub(crate) async fn check_modules(client: &mut Client) -> Result<BTreeSet<String>> {
    let received = modules_received(client).await?;
    let mut sent = BTreeSet::new();
    for query in 1..=22 {
        sent.extend(check_boundary(client, &query_text(query)?).await?);
    }
    // Each has all of them, and those that a fragment falls back to beyond what EXPLAIN lists.
    let all = received
        .iter()
        .all(|of| *of == received[0] && *of >= sent.len() as i64);
    ensure!(all, "{received:?} of {} modules", sent.len());
    check_all(client).await?;
    let again = modules_received(client).await?;
    ensure!(again == received, "modules were sent again: {again:?}");
    // The same modules that the server runs by itself.
    update(client, "SET murre.workers = 'embedded'").await?;
    update(client, "SET murre.tasks_per_stage = 2").await?;
    for query in COMPILED {
        let modules = check_boundary(client, &query_text(query)?).await?;
        let own = !modules.is_empty() && modules.is_subset(&sent);
        ensure!(own, "q{query:02}: {modules:?}");
    }
    Ok(sent)
}

/// All 22, each in stages; those that are compiled whole, from the modules that the undistributed stages have too.
pub(crate) async fn check_all(client: &mut Client) -> Result<()> {
    let mut wrong = Vec::new();
    for query in 1..=22 {
        let checked = async {
            check_boundary(client, &query_text(query)?).await?;
            check(client, query, SCALE_FACTOR).await
        };
        if let Err(error) = checked.await {
            wrong.push(format!("q{query:02}: {error:#}"));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of 22 wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// Fails where the plan has no boundary between stages. Gives the modules of the stages that tasks run.
pub(crate) async fn check_boundary(client: &mut Client, sql: &str) -> Result<BTreeSet<String>> {
    let operators = cells(&rows(client, &format!("EXPLAIN FRAGMENTS {sql}")).await?)?;
    let boundary = operators
        .iter()
        .any(|row| BOUNDARIES.contains(&row[2].as_str()) && row[3] == "exchange");
    ensure!(boundary, "no boundary in {operators:#?}");
    let tasks = operators.iter().filter(|row| row[0] != "0");
    let modules = tasks.map(|row| row[1].clone());
    Ok(modules.filter(|module| !module.is_empty()).collect())
}
