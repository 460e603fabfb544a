//! A server as its operator and its clients see it: start, stop, limits, cancels, restarts.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::Arc,
};

use anyhow::{Result, ensure};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use futures::StreamExt;

use crate::server::{SOON, Server, binary, http_get, rows, table, until, update};

/// Runs for hours unless it is stopped.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 100000) b WHERE a.value * b.value % 7 = 8";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_metrics_and_drain() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut server = Server::start(&dir.path().join("data"))?;
    ensure!(http_get(server.http(), "/healthz")?.contains("200 OK"));
    ensure!(http_get(server.http(), "/readyz")?.contains("200 OK"));
    table(&mut server.client().await?, "SELECT 1").await?;
    let metrics = http_get(server.http(), "/metrics")?;
    for name in [
        "coordinator_queries_total",
        "flight_server_requests_total{code=\"Ok\",rpc=\"GetFlightInfo\"} 1",
        "flight_server_connections",
    ] {
        ensure!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    ensure!(server.terminate()?.success(), "{}", server.log()?);
    ensure!(server.log()?.contains("stopped"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_a_running_query_end() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    // The client reads one batch and waits, so the query is still running when the signal comes.
    let info = client
        .execute("SELECT * FROM generate_series(1, 20000000)".into(), None)
        .await?;
    let mut stream = client
        .do_get(info.endpoint[0].ticket.clone().unwrap_or_default())
        .await?;
    let mut count = stream
        .next()
        .await
        .map_or(Ok(0), |batch| batch.map(|batch| batch.num_rows()))?;
    let ended = tokio::task::spawn_blocking(move || server.terminate());
    while let Some(batch) = stream.next().await {
        count += batch?.num_rows();
    }
    ensure!(count == 20_000_000, "{count} rows");
    drop((stream, client));
    ensure!(ended.await??.success());
    Ok(())
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_with_the_pid() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start(&data)?;
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--data-dir",
    ];
    let second = Command::new(binary()?)
        .args(arguments)
        .arg(&data)
        .output()?;
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    ensure!(
        !second.status.success()
            && message.contains(&format!("in use by process {}", server.pid())),
        "{message}"
    );
    let shell = Command::new(binary()?)
        .args(["sql", "-c", "SELECT 1", "--data-dir"])
        .arg(&data)
        .output()?;
    let message = String::from_utf8_lossy(&shell.stderr).into_owned();
    ensure!(
        !shell.status.success() && message.contains("--connect"),
        "{message}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tls_hello_is_recognised_and_logged_with_the_remedy() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut stream = TcpStream::connect(server.flight())?;
    stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc])?;
    let mut answer = Vec::new();
    // Closed, with or without a reset.
    let _ = stream.read_to_end(&mut answer);
    until("the log line", async || {
        Ok(server.log()?.contains("useEncryption=false"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_and_rows_survive_a_restart_and_temporary_tables_do_not() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let mut server = Server::start(&data)?;
    let mut client = server.client().await?;
    let csv = dir.path().join("people.csv");
    std::fs::write(&csv, "name,age\nada,36\ngrace,85\n")?;
    for sql in [
        "CREATE SCHEMA s".to_owned(),
        "CREATE TABLE s.t (a INT, b VARCHAR DEFAULT 'none')".into(),
        "INSERT INTO s.t (a) VALUES (1), (2)".into(),
        "CREATE TABLE c AS SELECT value AS n FROM generate_series(1, 1000)".into(),
        format!(
            "CREATE EXTERNAL TABLE people STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true')",
            csv.display()
        ),
        "CREATE VIEW old AS SELECT name FROM people WHERE age > 40".into(),
        "CREATE TEMPORARY TABLE gone AS SELECT 1 AS x".into(),
    ] {
        update(&mut client, &sql).await?;
    }
    const CHECK: &str = "SELECT (SELECT count(*) FROM c) AS c, (SELECT max(a) || min(b) FROM s.t) AS t, (SELECT name FROM old) AS old";
    let before = table(&mut client, CHECK).await?;
    ensure!(
        before.contains("1000") && before.contains("2none") && before.contains("grace"),
        "{before}"
    );
    ensure!(table(&mut client, "SELECT * FROM gone").await.is_ok());
    ensure!(
        table(&mut server.client().await?, "SELECT * FROM gone")
            .await
            .is_err(),
        "another session sees it"
    );
    server.kill9()?;
    let server = Server::start(&data)?;
    let mut client = server.client().await?;
    ensure!(table(&mut client, CHECK).await? == before);
    ensure!(table(&mut client, "SELECT * FROM gone").await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_a_dropped_stream_and_a_timeout_stop_the_work() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut watcher = server.client().await?;
    let mut listed = async || rows(&mut watcher, "SHOW PROCESSLIST").await;
    // Between planning and DoGet a statement is not listed, and cannot be killed.
    let is_running = |list: &[RecordBatch]| {
        let mut states = list
            .iter()
            .flat_map(|batch| batch.column(3).as_string::<i32>());
        states.any(|state| state == Some("running"))
    };
    let is_empty = |list: &[RecordBatch]| list.iter().all(|batch| batch.num_rows() == 0);

    // KILL.
    let mut client = server.client().await?;
    let query = tokio::spawn(async move { rows(&mut client, ENDLESS).await });
    until("the query to run", async || {
        Ok(is_running(&listed().await?))
    })
    .await?;
    let id = arrow::util::display::array_value_to_string(listed().await?[0].column(0), 0)?;
    let mut killer = server.client().await?;
    update(&mut killer, &format!("KILL {id}")).await?;
    let error = query
        .await?
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    ensure!(error.contains("cancelled"), "{error}");
    until("the killed query to go", async || {
        Ok(is_empty(&listed().await?))
    })
    .await?;

    // A client that goes away.
    let mut client = server.client().await?;
    let query = tokio::spawn(async move { rows(&mut client, ENDLESS).await });
    until("the query to run", async || {
        Ok(is_running(&listed().await?))
    })
    .await?;
    query.abort();
    until("the abandoned query to go", async || {
        Ok(is_empty(&listed().await?))
    })
    .await?;

    // The session's timeout.
    let mut client = server.client().await?;
    update(&mut client, "SET murre.statement_timeout = '200ms'").await?;
    let error = rows(&mut client, ENDLESS)
        .await
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    ensure!(error.contains("200ms"), "{error}");
    until("the late query to go", async || {
        Ok(is_empty(&listed().await?))
    })
    .await?;
    ensure!(
        table(&mut client, "SHOW murre.statement_timeout")
            .await?
            .contains("200ms")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_over_its_memory_limit_fails_alone() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let (mut small, mut large) = (server.client().await?, server.client().await?);
    update(&mut small, "SET murre.memory_limit = '1MB'").await?;
    const BIG_JOIN: &str = "SELECT count(*) FROM generate_series(1, 2000000) a JOIN generate_series(1, 2000000) b ON a.value = b.value";
    let (failed, done) = tokio::join!(table(&mut small, BIG_JOIN), table(&mut large, BIG_JOIN));
    let error = failed.err().map(|e| e.to_string()).unwrap_or_default();
    ensure!(error.contains("memory limit"), "{error}");
    ensure!(done?.contains("2000000"));
    ensure!(
        table(&mut small, "SELECT 1 AS alive")
            .await?
            .contains("alive")
    );
    // A temporary table is charged to the server.
    let limited = Server::start_with(&dir.path().join("limited"), &["--memory-limit", "10MB"])?;
    let mut client = limited.client().await?;
    let error = update(
        &mut client,
        "CREATE TEMPORARY TABLE t AS SELECT * FROM generate_series(1, 10000000)",
    )
    .await;
    let error = error.err().map(|e| e.to_string()).unwrap_or_default();
    ensure!(
        error.contains("temporary table \"t\"") && error.contains("server's memory limit"),
        "{error}"
    );
    Ok(())
}

/// Batches that a join gives share the text of its tables, and what keeps them counts it for each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_many_kept_batches_share_is_not_charged_for_each() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    for create in [
        "customer AS SELECT value AS k, arrow_cast('a customer whose name is long: ' || value, 'Utf8View') AS name FROM generate_series(1, 100000)",
        "orders AS SELECT value AS k, value % 100000 + 1 AS c FROM generate_series(1, 400000)",
        "lineitem AS SELECT value % 400000 + 1 AS o, value % 50 AS q FROM generate_series(1, 1600000)",
    ] {
        update(&mut client, &format!("CREATE TEMPORARY TABLE {create}")).await?;
    }
    // More than it takes, half of what it was charged.
    update(&mut client, "SET murre.memory_limit = '500MB'").await?;
    for compile in ["auto", "never", "always"] {
        update(&mut client, &format!("SET murre.compile = '{compile}'")).await?;
        let answer = table(
            &mut client,
            "SELECT count(*), max(name) FROM customer c, orders o, lineitem l WHERE c.k = o.c AND o.k = l.o \
             AND o.k IN (SELECT o FROM lineitem GROUP BY o HAVING sum(q) > 190)",
        )
        .await?;
        ensure!(
            answer.contains("64000") && answer.contains("long: 99951"),
            "{compile}: {answer}"
        );
    }
    Ok(())
}

/// What an earlier statement has been promised stays, also when a later one has read the table before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overwrite_that_waited_does_not_undo_what_it_waited_for() -> Result<()> {
    const ROWS: i64 = 20_000_000;
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let (mut first, mut second) = (server.client().await?, server.client().await?);
    let mut watcher = server.client().await?;
    update(&mut first, "CREATE TABLE t AS SELECT 0 AS id").await?;
    let slow = tokio::spawn(async move {
        let sql = format!("INSERT INTO t SELECT value FROM generate_series(1, {ROWS})");
        update(&mut first, &sql).await
    });
    until("the slow INSERT", async || {
        let list = table(&mut watcher, "SHOW PROCESSLIST").await?;
        Ok(list.contains("INSERT INTO t") && list.contains("running"))
    })
    .await?;
    let overwrite = update(&mut second, "INSERT OVERWRITE t SELECT id + 1 FROM t").await;
    ensure!(slow.await?? == ROWS);
    let error = overwrite.err().map(|e| e.to_string()).unwrap_or_default();
    ensure!(
        error.contains("was changed by another statement"),
        "{error}"
    );
    let count = table(
        &mut watcher,
        "SELECT count(*) AS n, min(id) AS least FROM t",
    )
    .await?;
    ensure!(count.contains("| 20000001 | 0 "), "{count}");
    // Nobody is in its way now.
    let changed = update(&mut second, "INSERT OVERWRITE t SELECT max(id) FROM t").await?;
    ensure!(changed == 1, "{changed}");
    Ok(())
}

/// Rows that were planned for other columns are refused; they never land in columns they were not meant for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_insert_that_waited_for_other_columns_is_refused() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut watcher = server.client().await?;
    update(&mut watcher, "CREATE TABLE t (a BIGINT, b BIGINT)").await?;
    let mut waiting = Vec::new();
    for (place, sql) in [
        format!("INSERT INTO t SELECT n, 0 FROM ({ENDLESS}) AS endless(n)"),
        "CREATE OR REPLACE TABLE t (b BIGINT, a BIGINT)".to_owned(),
        "INSERT INTO t SELECT 1 AS a, 2 AS b".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = server.client().await?;
        waiting.push(tokio::spawn(async move { update(&mut client, &sql).await }));
        until("the statement to run", async || {
            let listed = rows(&mut watcher, "SHOW PROCESSLIST").await?;
            let running = listed
                .iter()
                .flat_map(|batch| batch.column(3).as_string::<i32>());
            Ok(running.filter(|state| *state == Some("running")).count() == place + 1)
        })
        .await?;
    }
    let listed = rows(&mut watcher, "SHOW PROCESSLIST").await?;
    let first = arrow::util::display::array_value_to_string(listed[0].column(0), 0)?;
    update(&mut watcher, &format!("KILL {first}")).await?;
    let mut outcomes = Vec::new();
    for statement in waiting {
        let error = statement.await?.err();
        outcomes.push(error.map(|e| e.to_string()).unwrap_or_default());
    }
    ensure!(outcomes[0].contains("cancelled"), "{outcomes:?}");
    ensure!(outcomes[1].is_empty(), "{outcomes:?}");
    ensure!(
        outcomes[2].contains("was changed by another statement"),
        "{outcomes:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_queries_do_not_keep_others_waiting() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut heavy = Vec::new();
    for _ in 0..3 {
        let mut client = server.client().await?;
        heavy.push(tokio::spawn(
            async move { rows(&mut client, ENDLESS).await },
        ));
    }
    let mut client = server.client().await?;
    for _ in 0..50 {
        let answer = tokio::time::timeout(SOON, table(&mut client, "SELECT 1 AS one")).await??;
        ensure!(answer.contains("one"));
    }
    for query in heavy {
        ensure!(!query.is_finished());
        query.abort();
    }
    Ok(())
}

#[test]
fn the_shell_answers_in_every_format_and_fails_with_a_status() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let shell = |arguments: &[&str]| -> Result<(bool, String, String)> {
        let output = Command::new(binary()?)
            .arg("sql")
            .arg("--data-dir")
            .arg(dir.path())
            .args(arguments)
            .output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            output.status.success(),
            text(&output.stdout),
            text(&output.stderr),
        ))
    };
    let select = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL ORDER BY a";
    for (format, expected) in [
        ("csv", "a,b\n1,x\n2,\n"),
        ("json", "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n"),
    ] {
        let (success, out, error) = shell(&["--format", format, "-c", select])?;
        ensure!(success && out == expected, "{out:?} {error}");
    }
    ensure!(
        shell(&[
            "-c",
            "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2)"
        ])?
        .0
    );
    let (_, out, _) = shell(&["-c", "SELECT sum(a) AS total FROM t"])?;
    ensure!(out.contains("| 3 "), "{out}");
    let (success, _, error) = shell(&["-c", "SELECT * FROM u"])?;
    ensure!(
        !success && error.starts_with("error: table \"u\" does not exist"),
        "{error}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_above_the_limit_are_refused_until_others_end() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start_with(&data, &["--session-limit", "2"])?;
    let (mut first, mut second) = (server.client().await?, server.client().await?);
    table(&mut first, "SELECT 1").await?;
    table(&mut second, "SELECT 1").await?;
    let mut third = server.client().await?;
    let refused = table(&mut third, "SELECT 1").await.err();
    let refused = refused.map(|e| e.to_string()).unwrap_or_default();
    ensure!(refused.contains("2 sessions open"), "{refused}");
    drop(first);
    until("the first session to end", async || {
        Ok(table(&mut third, "SELECT 1").await.is_ok())
    })
    .await?;
    Ok(())
}

/// Values that stay bound are part of the memory that the server may use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bound_values_are_charged_to_the_memory_limit() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start_with(&data, &["--memory-limit", "20MB"])?;
    let mut client = server.client().await?;
    update(&mut client, "CREATE TABLE t (v BIGINT)").await?;
    let values = |rows: i64| -> Result<RecordBatch> {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        Ok(RecordBatch::try_from_iter([("v", column)])?)
    };
    let mut insert = client
        .prepare("INSERT INTO t VALUES (?)".into(), None)
        .await?;
    insert.set_parameters(values(5_000_000)?)?;
    let refused = insert.execute_update().await.err();
    let refused = refused.map(|e| e.to_string()).unwrap_or_default();
    ensure!(refused.contains("bound values wants"), "{refused}");
    // What was charged for it has been given back.
    insert.set_parameters(values(1_000)?)?;
    for _ in 0..30 {
        ensure!(insert.execute_update().await? == 1_000);
    }
    Ok(())
}

/// One batch of a scan becomes millions of the join above it: the query stops between those.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregation_over_a_cross_join_can_be_stopped() -> Result<()> {
    const CROSSED: &str =
        "SELECT sum(a.value) FROM generate_series(1, 2000000) a, generate_series(1, 2000000) b";
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(&mut client, "SET murre.statement_timeout = '2s'").await?;
    let refused = tokio::time::timeout(SOON, table(&mut client, CROSSED)).await?;
    let refused = refused.err().map(|e| e.to_string()).unwrap_or_default();
    ensure!(refused.contains("limit of 2"), "{refused}");
    let create = format!("CREATE TEMPORARY TABLE t AS {CROSSED}");
    let refused = tokio::time::timeout(SOON, update(&mut client, &create)).await?;
    let refused = refused.err().map(|e| e.to_string()).unwrap_or_default();
    ensure!(refused.contains("limit of 2"), "{refused}");
    // What was asked is off the list, and its threads do no more of it.
    let mut watcher = server.client().await?;
    until("the statements to be gone", async || {
        let listed = rows(&mut watcher, "SHOW PROCESSLIST").await?;
        Ok(listed.iter().all(|batch| batch.num_rows() == 0))
    })
    .await?;
    until("the threads to rest", async || {
        let before = server.cpu_ticks()?;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        Ok(server.cpu_ticks()? - before < 10)
    })
    .await
}
