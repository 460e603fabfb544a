//! A server that starts again, and a worker that stands still.

use std::net::TcpListener;

use anyhow::{Result, ensure};

use crate::{
    server::{Server, rows, until, update},
    tpch::cells,
    worker::{Cluster, WorkerProcess, modules_received},
};

/// An address that nobody else takes meanwhile: other tests are on 127.0.0.1.
fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.9:0")?;
    Ok(listener.local_addr()?.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_can_be_dialled_comes_again_when_the_server_starts_again() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (joined, dialled) = (free_address()?, free_address()?);
    let start = || {
        let arguments = ["--workers", "remote", "--workers-listen", &joined];
        Server::start_with(&dir.path().join("data"), &arguments)
    };
    let mut server = start()?;
    let _worker = WorkerProcess::start(&server, "w1", dir.path(), &["--listen", &dialled])?;
    for _ in 0..3 {
        server.kill9()?;
        server = start()?;
        let mut client = server.client().await?;
        until("the worker", async || {
            Ok(modules_received(&mut client).await?.len() == 1)
        })
        .await?;
    }
    Ok(())
}

/// Fifteen seconds: a connection that says nothing counts as lost after so long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_goes_on_without_a_worker_that_stands_still() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path()).await?;
    let mut client = cluster.client().await?;
    // A query with a module, which is what the worker is asked about.
    update(&mut client, "SET murre.compile = 'always'").await?;
    cluster.workers[1].signal("STOP")?;
    let sql = "SELECT count(*) FROM lineitem WHERE l_linenumber = 1";
    let answer = cells(&rows(&mut client, sql).await?)?;
    ensure!(answer == [["150000"]], "{answer:?}");
    let log = cluster.server.log()?;
    ensure!(log.contains("the query begins again"), "{log}");
    Ok(())
}
