//! The end of a worker, or of a statement, in mid-query: the right answer or a clean error, and nothing that stays behind.
//!
//! Three rounds in `make test`, 50 in `make long` (`MURRE_LONG=1`). `-- --nocapture` shows how soon everything was gone.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;

use crate::{
    server::{Client, Server, http_get, rows, said, until, update},
    tpch::cells,
    worker::{Cluster, WorkerProcess, counts, idle, modules_received, tasks_running},
};

/// Twenty times the second after which nothing of a query that ended may be left: no test judges speed.
const GONE_MAX: Duration = Duration::from_secs(20);

/// About a second.
const LONG: &str = "SELECT count(*), sum(a.l_quantity) FROM lineitem a, lineitem b \
                    WHERE a.l_suppkey = b.l_suppkey AND a.l_linenumber < 4";

/// More rows than anybody reads.
const MANY: &str = "SELECT a.l_orderkey, a.l_comment, b.l_comment AS other FROM lineitem a, lineitem b \
                    WHERE a.l_suppkey = b.l_suppkey";

fn rounds() -> u32 {
    match std::env::var_os("MURRE_LONG") {
        Some(_) => 50,
        None => 3,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_begins_again_when_a_worker_is_killed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut cluster = Cluster::start(dir.path()).await?;
    let mut client = cluster.client().await?;
    let mut beside = cluster.client().await?;
    let one_worker = sockets_with_one_worker(&mut cluster, &mut beside, dir.path()).await?;
    let (mut restarted, mut longest) = (0, Longest::default());
    for round in 0..rounds() {
        let running = async { rows(&mut client, LONG).await };
        let killing = async {
            // Somewhere in the life of the query.
            tokio::time::sleep(Duration::from_millis(150 * u64::from(round % 6 + 1))).await;
            cluster.workers[1].kill9()
        };
        let (answer, killed) = tokio::join!(running, killing);
        killed?;
        let answer = cells(&answer.with_context(|| format!("round {round}"))?)?;
        let expected = [["232140104", "5929374505.00"]];
        ensure!(answer == expected, "round {round}: {answer:?}");
        restarted = cluster
            .server
            .log()?
            .matches("the query begins again")
            .count();
        nothing_left(&cluster.server, &mut beside, one_worker, &mut longest).await?;
        second_worker(&mut cluster, &mut beside, dir.path()).await?;
    }
    ensure!(restarted > 0, "no query was caught in {} rounds", rounds());
    longest.tell("after a query's end", rounds());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_whose_rows_have_left_ends_with_an_error_when_a_worker_is_killed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut cluster = Cluster::start(dir.path()).await?;
    let mut client = cluster.client().await?;
    let mut beside = cluster.client().await?;
    let one_worker = sockets_with_one_worker(&mut cluster, &mut beside, dir.path()).await?;
    let mut longest = Longest::default();
    for round in 0..rounds() {
        let info = client.execute(MANY.to_owned(), None).await?;
        let ticket = info.endpoint[0].ticket.clone().context("a ticket")?;
        let mut stream = client.do_get(ticket).await?;
        let first = stream.try_next().await?;
        ensure!(first.is_some_and(|batch| batch.num_rows() > 0), "no rows");
        cluster.workers[1].kill9()?;
        let error = loop {
            match stream.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => anyhow::bail!("round {round}: all rows came from one worker"),
                Err(error) => break said(error.into()).to_string(),
            }
        };
        ensure!(error.contains("w2 is lost"), "round {round}: {error}");
        drop(stream);
        nothing_left(&cluster.server, &mut beside, one_worker, &mut longest).await?;
        second_worker(&mut cluster, &mut beside, dir.path()).await?;
    }
    longest.tell("after a query's error", rounds());
    Ok(())
}

/// The longest that each thing was still there, over all rounds.
#[derive(Default)]
struct Longest(BTreeMap<&'static str, Duration>);

impl Longest {
    fn took(&mut self, what: &'static str, since: Instant, max: Duration) -> Result<()> {
        let took = since.elapsed();
        let longest = self.0.entry(what).or_default();
        *longest = took.max(*longest);
        ensure!(took <= max, "{what}: gone after {took:.1?}, not {max:?}");
        Ok(())
    }

    fn tell(&self, since: &str, rounds: u32) {
        eprintln!(
            "gone at the latest, {since}, in {rounds} rounds: {:.0?}",
            self.0
        );
    }
}

/// Kills the second worker between queries; gives the server's sockets without it, and starts it again.
async fn sockets_with_one_worker(
    cluster: &mut Cluster,
    client: &mut Client,
    dir: &Path,
) -> Result<usize> {
    // A query first, so that whatever is opened once is open.
    rows(
        client,
        "SELECT count(*) FROM lineitem GROUP BY l_returnflag",
    )
    .await?;
    cluster.workers[1].kill9()?;
    until("the worker's end", async || {
        Ok(modules_received(client).await?.len() == 1)
    })
    .await?;
    // Its connections end one after the other.
    let mut sockets = cluster.server.sockets()?;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = cluster.server.sockets()?;
        if now >= sockets {
            break;
        }
        sockets = now;
    }
    second_worker(cluster, client, dir).await?;
    Ok(sockets)
}

async fn second_worker(cluster: &mut Cluster, client: &mut Client, dir: &Path) -> Result<()> {
    cluster.workers[1] = WorkerProcess::start(&cluster.server, "w2", dir, &[])?;
    until("the worker", async || {
        Ok(modules_received(client).await?.len() == 2)
    })
    .await
}

/// No worker has memory of a task.
async fn no_memory_left(client: &mut Client) -> Result<()> {
    until("the end of the workers' memory", async || {
        let memory = counts(client, "memory_bytes").await?;
        Ok(memory.iter().all(|bytes| *bytes == 0))
    })
    .await
}

/// Nor has the server.
pub(crate) async fn no_memory_reserved(server: &Server) -> Result<()> {
    until("the end of the server's memory", async || {
        let metrics = http_get(server.http(), "/metrics")?;
        // The question itself holds none.
        Ok(metrics
            .lines()
            .any(|line| line == "coordinator_memory_reserved_bytes 0"))
    })
    .await
}

/// The worker that is left has no task, no memory and no stream to another one; the server has no memory, and no socket
/// more than before.
async fn nothing_left(
    server: &Server,
    client: &mut Client,
    sockets_max: usize,
    longest: &mut Longest,
) -> Result<()> {
    // They are looked at one after the other, so none is told to be gone sooner than it is.
    let since = Instant::now();
    until("the worker's end", async || {
        Ok(modules_received(client).await?.len() == 1)
    })
    .await?;
    longest.took("worker", since, GONE_MAX)?;
    idle(client).await?;
    longest.took("tasks", since, GONE_MAX)?;
    no_memory_left(client).await?;
    longest.took("worker's memory", since, GONE_MAX)?;
    until("the end of streams between workers", async || {
        Ok(counts(client, "streams_open").await? == [0])
    })
    .await?;
    longest.took("streams", since, GONE_MAX)?;
    no_memory_reserved(server).await?;
    longest.took("server's memory", since, GONE_MAX)?;
    until("the server's sockets", async || {
        Ok(server.sockets()? <= sockets_max)
    })
    .await?;
    longest.took("sockets", since, GONE_MAX)
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
        let since = Instant::now();
        let mut longest = Longest::default();
        update(&mut beside, &format!("KILL {}", id.context("an id")?)).await?;
        idle(&mut beside).await?;
        longest.took("tasks", since, GONE_MAX)?;
        no_memory_left(&mut beside).await?;
        longest.took("workers' memory", since, GONE_MAX)?;
        longest.tell("after KILL", 1);
        anyhow::Ok(())
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
