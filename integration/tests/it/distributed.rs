//! Queries in stages, over workers: right answers, from the modules that a single process runs, each sent once.
//!
//! Two tasks for each stage everywhere, so that every plan has exchanges between tasks.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use crate::{
    server::{Client, Server, rows, table, until, update},
    tpch::{cells, check, generate, query_text, register},
    worker::{Cluster, WorkerProcess, idle, modules_received, remote_server, tasks_running},
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
    let told = table(&mut client, sql).await?;
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
async fn tpch_is_right_over_two_worker_processes() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path()).await?;
    let mut client = cluster.client().await?;
    update(&mut client, "SET murre.compile = 'always'").await?;
    // Two tasks each: one for each worker.
    check_all(&mut client).await?;
    let received = modules_received(&mut client).await?;
    let mut sent = BTreeSet::new();
    for query in 1..=22 {
        sent.extend(check_boundary(&mut client, &query_text(query)?).await?);
    }
    // Each has all of them, and those that a fragment falls back to beyond what EXPLAIN lists.
    ensure!(
        received[0] == received[1] && received[0] >= sent.len() as i64,
        "{received:?} of {} modules",
        sent.len()
    );
    check_all(&mut client).await?;
    ensure!(
        modules_received(&mut client).await? == received,
        "modules were sent again"
    );
    // The same modules that this process runs by itself.
    update(&mut client, "SET murre.workers = 'embedded'").await?;
    update(&mut client, "SET murre.tasks_per_stage = 2").await?;
    for query in COMPILED {
        let modules = check_boundary(&mut client, &query_text(query)?).await?;
        ensure!(
            !modules.is_empty() && modules.is_subset(&sent),
            "q{query:02}: {modules:?}"
        );
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_begins_again_when_a_worker_is_killed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut cluster = Cluster::start(dir.path()).await?;
    let mut client = cluster.client().await?;
    let mut beside = cluster.client().await?;
    let (mut restarted, rounds) = (0, 6);
    for round in 0..rounds {
        let running = async {
            // About a second.
            let long = "SELECT count(*), sum(a.l_quantity) FROM lineitem a, lineitem b \
                        WHERE a.l_suppkey = b.l_suppkey AND a.l_linenumber < 4";
            rows(&mut client, long).await
        };
        let killing = async {
            // Somewhere in the life of the query, later each time.
            tokio::time::sleep(std::time::Duration::from_millis(150 * (round + 1))).await;
            cluster.workers[1].kill9()
        };
        let (answer, killed) = tokio::join!(running, killing);
        killed?;
        let answer = cells(&answer.with_context(|| format!("round {round}"))?)?;
        let expected = [["232140104", "5929374505.00"]];
        ensure!(answer == expected, "round {round}: {answer:?}");
        let log = cluster.server.log()?;
        restarted = log.matches("the query begins again").count();
        until("the worker's end", async || {
            Ok(modules_received(&mut beside).await?.len() == 1)
        })
        .await?;
        idle(&mut beside).await?;
        cluster.workers[1] = WorkerProcess::start(&cluster.server, "w2", dir.path(), &[])?;
        until("the worker", async || {
            Ok(modules_received(&mut beside).await?.len() == 2)
        })
        .await?;
    }
    ensure!(restarted > 0, "no query was caught in {rounds} rounds");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_statement_leaves_no_task_behind() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path()).await?;
    let (mut client, mut beside) = (cluster.client().await?, cluster.client().await?);
    let running = async {
        // 360 million pairs.
        let long = "SELECT count(*), sum(a.l_quantity * b.l_tax) FROM lineitem a, lineitem b \
                    WHERE a.l_suppkey = b.l_suppkey";
        rows(&mut client, long).await
    };
    let killing = async {
        let mut id = None;
        until("tasks", async || {
            id = cells(&rows(&mut beside, "SHOW PROCESSLIST").await?)?
                .first()
                .map(|row| row[0].clone());
            let tasks = tasks_running(&mut beside).await?;
            Ok(id.is_some() && tasks > 0)
        })
        .await?;
        update(&mut beside, &format!("KILL {}", id.context("an id")?)).await?;
        idle(&mut beside).await
    };
    let (answer, killed) = tokio::join!(running, killing);
    killed?;
    let error = answer
        .err()
        .context("the statement was killed")?
        .to_string();
    ensure!(error.contains("was cancelled"), "{error}");
    Ok(())
}

/// All 22, each in stages; those that are compiled whole, from the modules that the undistributed stages have too.
async fn check_all(client: &mut Client) -> Result<()> {
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
async fn check_boundary(client: &mut Client, sql: &str) -> Result<BTreeSet<String>> {
    let operators = cells(&rows(client, &format!("EXPLAIN FRAGMENTS {sql}")).await?)?;
    let boundary = operators
        .iter()
        .any(|row| BOUNDARIES.contains(&row[2].as_str()) && row[3] == "exchange");
    ensure!(boundary, "no boundary in {operators:#?}");
    let tasks = operators.iter().filter(|row| row[0] != "0");
    let modules = tasks.map(|row| row[1].clone());
    Ok(modules.filter(|module| !module.is_empty()).collect())
}
