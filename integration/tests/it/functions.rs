//! Functions as workers: the real `murre-lambda` in environments of [`Lambda`].

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    distributed::{check_all, check_boundary, check_modules},
    lambda::{Lambda, Outcome},
    server::{Client, Server, rows, until, update},
    tpch::{cells, generate, register},
    worker::{WorkerProcess, counts, modules_received, texts},
};

/// Of an invocation, as long as AWS allows.
const LIFETIME: Duration = Duration::from_secs(900);

/// A scan of one small file.
const SMALL: &str = "SELECT count(*), sum(n_nationkey) FROM nation WHERE n_regionkey = 1";

/// A server that calls so many functions, with the TPC-H tables.
async fn start(
    dir: &Path,
    functions: usize,
    lifetime: Duration,
    more: &[&str],
) -> Result<(Server, Lambda)> {
    // A function that drains is replaced before it has ended.
    let lambda = Lambda::start(dir, 2 * functions, lifetime).await?;
    let (url, functions) = (lambda.url(), functions.to_string());
    let mut arguments = vec!["--workers", "lambda", "--workers-listen", "127.0.0.1:0"];
    arguments.extend(["--lambda-url", &url, "--lambda-functions", &functions]);
    arguments.extend(more);
    let server = Server::start_with(&dir.join("data"), &arguments)?;
    let mut client = server.client().await?;
    register(&mut client, &generate("0.1")?).await?;
    Ok((server, lambda))
}

async fn small(client: &mut Client) -> Result<()> {
    let answer = cells(&rows(client, SMALL).await?)?;
    ensure!(answer == [["5", "47"]], "{answer:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_right_over_two_functions() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, lambda) = start(dir.path(), 2, LIFETIME, &[]).await?;
    let mut client = server.client().await?;
    ensure!(lambda.invoked() == 0, "nobody has asked for a worker yet");
    update(&mut client, "SET murre.compile = 'always'").await?;
    check_all(&mut client).await?;
    let kinds = texts(&mut client, "kind").await?;
    ensure!(kinds == ["function", "function"], "{kinds:?}");
    check_modules(&mut client).await?;
    // One invocation serves many tasks.
    ensure!(lambda.invoked() == 2, "{} invocations", lambda.invoked());
    let tasks = counts(&mut client, "tasks").await?;
    ensure!(tasks.iter().all(|tasks| *tasks > 22), "{tasks:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_right_over_a_worker_and_a_function_in_one_plan() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, _lambda) = start(dir.path(), 1, LIFETIME, &[]).await?;
    let mut client = server.client().await?;
    let _worker = WorkerProcess::start(&server, "w1", dir.path(), &[])?;
    until("the worker", async || {
        Ok(modules_received(&mut client).await?.len() == 1)
    })
    .await?;
    update(&mut client, "SET murre.compile = 'always'").await?;
    check_all(&mut client).await?;
    let mut kinds = texts(&mut client, "kind").await?;
    kinds.sort();
    ensure!(kinds == ["function", "process"], "{kinds:?}");
    let tasks = counts(&mut client, "tasks").await?;
    ensure!(tasks.iter().all(|tasks| *tasks > 22), "{tasks:?}");
    check_modules(&mut client).await.map(drop)
}

/// `-- --nocapture` shows how long it took: from the query that calls the function, which starts its process, to the rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_starts_gets_code_and_makes_none() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, lambda) = start(dir.path(), 1, LIFETIME, &[]).await?;
    let mut client = server.client().await?;
    update(&mut client, "SET murre.compile = 'always'").await?;
    update(&mut client, "SET murre.tasks_per_stage = 2").await?;
    update(&mut client, "SET murre.workers = 'embedded'").await?;
    let modules = check_boundary(&mut client, SMALL).await?;
    ensure!(!modules.is_empty(), "nothing is compiled");
    small(&mut client).await?;
    update(&mut client, "SET murre.workers = 'lambda'").await?;
    ensure!(lambda.invoked() == 0, "called too early");
    let start = Instant::now();
    small(&mut client).await?;
    let cold = start.elapsed();
    let start = Instant::now();
    small(&mut client).await?;
    eprintln!("cold {cold:?}, warm {:?}", start.elapsed());
    let received = modules_received(&mut client).await?;
    ensure!(
        received == [modules.len() as i64],
        "{received:?} of {modules:?}"
    );
    let compiled = counts(&mut client, "modules_compiled").await?;
    ensure!(compiled == [0], "{compiled:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_without_work_ends_and_its_environment_is_used_again() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, lambda) = start(dir.path(), 1, LIFETIME, &["--lambda-idle", "500ms"]).await?;
    let mut client = server.client().await?;
    update(&mut client, "SET murre.compile = 'always'").await?;
    for round in 1..=2 {
        small(&mut client).await?;
        until("the end of the invocation", async || {
            Ok(lambda.outcomes().len() == round)
        })
        .await?;
        ensure!(
            lambda
                .outcomes()
                .iter()
                .all(|end| *end == Outcome::Answer("\"idle\"".into())),
            "{:?}",
            lambda.outcomes()
        );
        until("the function's leaving", async || {
            Ok(texts(&mut client, "id").await?.is_empty())
        })
        .await?;
    }
    ensure!(
        lambda.invoked() == 2 && lambda.environments() == 1,
        "not used again"
    );
    // What was sent to the first is there for the second.
    small(&mut client).await?;
    let received = modules_received(&mut client).await?;
    ensure!(received.len() == 1 && received[0] <= 2, "{received:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_go_on_when_functions_reach_their_deadlines() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, lambda) = start(dir.path(), 2, Duration::from_secs(16), &[]).await?;
    let mut client = server.client().await?;
    until("functions that follow others", async || {
        let sql = "SELECT count(*) FROM lineitem WHERE l_linenumber = 1";
        let answer = cells(&rows(&mut client, sql).await?)?;
        ensure!(answer == [["150000"]], "{answer:?}");
        Ok(lambda.invoked() >= 4 && lambda.outcomes().len() >= 2)
    })
    .await?;
    let outcomes = lambda.outcomes();
    let drained = Outcome::Answer("\"drained\"".into());
    ensure!(outcomes.iter().all(|end| *end == drained), "{outcomes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_killed_is_called_again() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, lambda) = start(dir.path(), 2, LIFETIME, &[]).await?;
    let mut client = server.client().await?;
    small(&mut client).await?;
    let running = async {
        let long = "SELECT count(*), sum(a.l_quantity) FROM lineitem a, lineitem b \
                    WHERE a.l_suppkey = b.l_suppkey AND a.l_linenumber < 4";
        rows(&mut client, long).await
    };
    let killing = async {
        let mut beside = server.client().await?;
        until("tasks", async || {
            Ok(counts(&mut beside, "tasks_running")
                .await?
                .iter()
                .sum::<i64>()
                > 0)
        })
        .await?;
        lambda.kill9()
    };
    let (answer, killed) = tokio::join!(running, killing);
    killed?;
    let answer = cells(&answer.context("a query that lost a function")?)?;
    ensure!(answer == [["232140104", "5929374505.00"]], "{answer:?}");
    ensure!(lambda.invoked() == 3, "{} invocations", lambda.invoked());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_cannot_be_called_is_told() -> Result<()> {
    let dir = tempfile::tempdir()?;
    // Nobody listens there.
    let arguments = [
        "--workers",
        "lambda",
        "--workers-listen",
        "127.0.0.1:0",
        "--lambda-url",
        "http://127.0.0.1:1/function",
    ];
    let server = Server::start_with(&dir.path().join("data"), &arguments)?;
    let mut client = server.client().await?;
    register(&mut client, &generate("0.1")?).await?;
    let error = rows(&mut client, SMALL).await.err();
    let error = error.context("there is no worker")?.to_string();
    ensure!(error.contains("no worker is connected"), "{error}");
    let log = server.log()?;
    ensure!(
        log.contains("cannot call http://127.0.0.1:1/function"),
        "{log}"
    );
    Ok(())
}
