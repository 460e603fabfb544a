//! Tickets: what redeeming one gives, and what one keeps alive.

use anyhow::{Context, Result, ensure};
use arrow_flight::{FlightInfo, Ticket};
use futures::{StreamExt, TryStreamExt};

use crate::server::{Client, Server, rows, table, until, update};

fn ticket(info: &FlightInfo) -> Result<Ticket> {
    let endpoint = info.endpoint.first().context("no endpoint")?;
    endpoint.ticket.clone().context("no ticket")
}

async fn running(watcher: &mut Client) -> Result<usize> {
    let listed = rows(watcher, "SHOW PROCESSLIST").await?;
    Ok(listed.iter().map(|batch| batch.num_rows()).sum())
}

/// Each new table takes most of the server's memory: it must have come back before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_temporary_table_gives_its_memory_back_once_its_rows_were_fetched() -> Result<()>
{
    let dir = tempfile::tempdir()?;
    let server = Server::start_with(&dir.path().join("data"), &["--memory-limit", "100MB"])?;
    let mut client = server.client().await?;
    for round in 0..4 {
        update(
            &mut client,
            "CREATE TEMPORARY TABLE t AS SELECT * FROM generate_series(1, 8000000)",
        )
        .await
        .with_context(|| format!("round {round}"))?;
        let answer = table(&mut client, "SELECT count(*) AS n FROM t WHERE value > 0").await?;
        ensure!(answer.contains("8000000"), "{answer}");
        update(&mut client, "DROP TABLE t").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_gives_all_rows_once_and_can_be_tried_again_until_then() -> Result<()> {
    const MANY: &str = "SELECT * FROM generate_series(1, 20000000)";
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let (mut client, mut watcher) = (server.client().await?, server.client().await?);
    let info = client.execute(MANY.to_owned(), None).await?;
    // Two fetches at a time; the list shows the query until the last one ends.
    let mut broken = client.do_get(ticket(&info)?).await?;
    ensure!(broken.next().await.is_some());
    let mut second = client.do_get(ticket(&info)?).await?;
    ensure!(second.next().await.is_some());
    drop(second);
    ensure!(
        running(&mut watcher).await? == 1,
        "one fetch is still running"
    );
    drop(broken);
    until("both fetches to end", async || {
        Ok(running(&mut watcher).await? == 0)
    })
    .await?;
    let whole = client.do_get(ticket(&info)?).await?;
    let counted = whole.try_fold(0, |sum, batch| async move { Ok(sum + batch.num_rows()) });
    ensure!(counted.await? == 20_000_000);
    let again = client.do_get(ticket(&info)?).await.err();
    let again = again.map(|e| e.to_string()).unwrap_or_default();
    ensure!(again.contains("unknown or has expired"), "{again}");
    Ok(())
}
