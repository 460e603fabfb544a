//! What clients send by mistake or by malice: the right status, a useful message, and a server that lives on.

use anyhow::{Context, Result, ensure};
use arrow_flight::{
    Action, Criteria, FlightDescriptor, Ticket,
    flight_service_client::FlightServiceClient,
    sql::{
        Any, CommandStatementQuery, CommandStatementSubstraitPlan, CommandStatementUpdate,
        ProstMessageExt, TicketStatementQuery,
    },
};
use prost::Message;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

use crate::server::{Server, table};

async fn raw(server: &Server) -> Result<FlightServiceClient<Channel>> {
    let channel = Endpoint::from_shared(format!("http://{}", server.flight()))?
        .connect()
        .await?;
    Ok(FlightServiceClient::new(channel))
}

fn query(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery {
        query: sql.to_owned(),
        transaction_id: None,
    };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

fn refused<T>(answer: std::result::Result<T, Status>, code: Code, text: &str) -> Result<()> {
    let status = answer
        .err()
        .with_context(|| format!("accepted, expected {code:?}: {text}"))?;
    ensure!(
        status.code() == code && status.message().contains(text),
        "{status:?}, expected {code:?}: {text}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_get_the_status_that_says_who_must_act() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = raw(&server).await?;
    let corrupt = dir.path().join("corrupt.parquet");
    std::fs::write(
        &corrupt,
        b"PAR1 this is no Parquet file, whatever it says PAR1",
    )?;
    let corrupt = format!("SELECT * FROM '{}'", corrupt.display());
    for sql in [
        "CREATE TABLE orders_2024 (id INT NOT NULL, note VARCHAR)",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE SCHEMA full_one",
        "CREATE TABLE full_one.t (a INT)",
    ] {
        client
            .get_flight_info(query(sql))
            .await
            .with_context(|| sql.to_owned())?;
    }
    for (sql, code, text) in [
        ("", Code::InvalidArgument, "empty"),
        (" ; ", Code::InvalidArgument, "empty"),
        ("SELEC 1", Code::InvalidArgument, "SELEC"),
        ("SELECT 1; SELECT 2", Code::InvalidArgument, "2 statements"),
        (
            "SELECT nothing FROM orders_2024",
            Code::InvalidArgument,
            "nothing",
        ),
        (
            "SELECT * FROM orders_2025",
            Code::NotFound,
            "did you mean \"orders_2024\"?",
        ),
        (
            "SELECT * FROM '/no/such/file.parquet'",
            Code::InvalidArgument,
            "/no/such/file.parquet",
        ),
        (
            "SELECT * FROM 'ftp://host/file.parquet'",
            Code::InvalidArgument,
            "ftp",
        ),
        (
            "SELECT no_such_function(1)",
            Code::InvalidArgument,
            "no_such_function",
        ),
        (
            "CREATE TABLE orders_2024 (a INT)",
            Code::AlreadyExists,
            "orders_2024",
        ),
        ("CREATE TABLE t (a INT, a INT)", Code::InvalidArgument, "a"),
        (
            "CREATE TABLE t (a INT PRIMARY KEY)",
            Code::Unimplemented,
            "PRIMARY KEY",
        ),
        (
            "INSERT INTO orders_2024 VALUES (NULL, 'x')",
            Code::InvalidArgument,
            "which is NOT NULL",
        ),
        (
            "INSERT INTO orders_2024 SELECT NULL, 'x' FROM generate_series(1, 2)",
            Code::InvalidArgument,
            "\"id\"",
        ),
        ("INSERT INTO v VALUES (1)", Code::InvalidArgument, "a view"),
        ("DROP TABLE nothing", Code::NotFound, "nothing"),
        ("DROP TABLE v", Code::InvalidArgument, "a view"),
        (
            "DROP SCHEMA full_one",
            Code::FailedPrecondition,
            "not empty",
        ),
        ("DROP SCHEMA public", Code::FailedPrecondition, "public"),
        (
            "UPDATE orders_2024 SET id = 1",
            Code::Unimplemented,
            "UPDATE",
        ),
        ("DELETE FROM orders_2024", Code::Unimplemented, "DELETE"),
        ("BEGIN", Code::Unimplemented, "commits by itself"),
        ("KILL 123456", Code::NotFound, "123456"),
        (
            "SET murre.memory_limit = 'lots'",
            Code::InvalidArgument,
            "lots",
        ),
        (
            "SET murre.no_such_setting = 1",
            Code::InvalidArgument,
            "no_such_setting",
        ),
        ("CREATE SECRET s (TYPE gcs)", Code::InvalidArgument, "gcs"),
        ("DROP SECRET s", Code::NotFound, "s"),
        (corrupt.as_str(), Code::InvalidArgument, "corrupt.parquet"),
    ] {
        refused(client.get_flight_info(query(sql)).await, code, text)
            .with_context(|| sql.to_owned())?;
    }
    let mut sql_client = server.client().await?;
    ensure!(
        table(&mut sql_client, "SELECT 1 AS alive")
            .await?
            .contains("alive")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_told_what_is_wrong() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = raw(&server).await?;
    let broken_any = Any {
        type_url: CommandStatementQuery::type_url().into(),
        value: vec![0xff, 0xff].into(),
    };
    let substrait = CommandStatementSubstraitPlan::default();
    for (descriptor, code, text) in [
        (
            FlightDescriptor::new_path(vec!["x".into()]),
            Code::InvalidArgument,
            "not CMD",
        ),
        (
            FlightDescriptor::new_cmd(vec![0xff; 40]),
            Code::InvalidArgument,
            "not a protobuf Any",
        ),
        (
            FlightDescriptor::new_cmd(broken_any.encode_to_vec()),
            Code::InvalidArgument,
            "cannot be decoded",
        ),
        (
            FlightDescriptor::new_cmd(substrait.as_any().encode_to_vec()),
            Code::InvalidArgument,
            "no Substrait plan",
        ),
        (
            query(&format!("SELECT '{}'", "x".repeat(5 << 20))),
            Code::InvalidArgument,
            "bytes",
        ),
        (
            query(&format!(
                "SELECT {}1{}",
                "(".repeat(100_000),
                ")".repeat(100_000)
            )),
            Code::InvalidArgument,
            "deep",
        ),
    ] {
        refused(client.get_flight_info(descriptor).await, code, text)?;
    }
    let unknown = TicketStatementQuery {
        statement_handle: vec![7; 16].into(),
    }
    .as_any()
    .encode_to_vec();
    let short = TicketStatementQuery {
        statement_handle: vec![7; 3].into(),
    }
    .as_any()
    .encode_to_vec();
    let other = substrait.as_any().encode_to_vec();
    for (ticket, code, text) in [
        (vec![], Code::Unimplemented, "not supported"),
        (vec![0xff; 9], Code::InvalidArgument, "not a protobuf Any"),
        (unknown, Code::NotFound, "expired"),
        (short, Code::InvalidArgument, "not made by this server"),
        (other, Code::Unimplemented, "CommandStatementSubstraitPlan"),
        (vec![1; 100 << 10], Code::InvalidArgument, "cannot be read"),
    ] {
        refused(client.do_get(Ticket::new(ticket)).await, code, text)?;
    }
    refused(
        client
            .do_action(Action::new("CreatePreparedSubstraitPlan", vec![]))
            .await,
        Code::InvalidArgument,
        "CreatePreparedSubstraitPlan",
    )?;
    refused(
        client.list_flights(Criteria::default()).await,
        Code::Unimplemented,
        "ListFlights",
    )?;
    let select = CommandStatementUpdate {
        query: "SELECT 1".into(),
        transaction_id: None,
    };
    let put = arrow_flight::FlightData::new()
        .with_descriptor(FlightDescriptor::new_cmd(select.as_any().encode_to_vec()));
    refused(
        client.do_put(futures::stream::iter([put])).await,
        Code::InvalidArgument,
        "gives rows",
    )?;
    refused(
        client
            .do_put(futures::stream::iter([arrow_flight::FlightData::new()]))
            .await,
        Code::InvalidArgument,
        "descriptor",
    )?;
    let mut sql_client = server.client().await?;
    ensure!(
        table(&mut sql_client, "SELECT 1 AS alive")
            .await?
            .contains("alive")
    );
    Ok(())
}

/// Bytes of a Parquet file turned over at random: an answer, or an error that names the file and blames it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_parquet_files_are_named() -> Result<()> {
    const ROUNDS: u64 = 300;
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let whole = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/slt/data/many.parquet"
    ))?;
    let footer = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into()?) as usize;
    let file = dir.path().join("damaged.parquet");
    std::fs::write(&file, &whole)?;
    let create = format!(
        "CREATE EXTERNAL TABLE damaged STORED AS PARQUET LOCATION '{}'",
        file.display()
    );
    client.execute_update(create, None).await?;
    let sql = "SELECT count(s), sum(v), max(s) FROM damaged WHERE v > 100";
    let (mut answers, mut failures) = (0, 0);
    for seed in 1..=ROUNDS {
        let mut random = seed;
        let mut below = |bound: usize| {
            // Knuth's MMIX generator.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % bound
        };
        let mut bytes = whole.clone();
        let region = match seed % 2 {
            0 => 0..whole.len() - footer - 8,
            _ => whole.len() - footer - 8..whole.len(),
        };
        for _ in 0..=below(8) {
            bytes[region.start + below(region.len())] ^= 1 << below(8);
        }
        std::fs::write(&file, &bytes)?;
        match crate::server::rows(&mut client, sql).await {
            Ok(_) => answers += 1,
            Err(error) => {
                failures += 1;
                let text = error.to_string();
                ensure!(
                    text.contains("damaged.parquet") && !text.contains("internal error"),
                    "seed {seed}: {text}"
                );
            }
        }
    }
    eprintln!("{ROUNDS} damaged files: {answers} answers, {failures} errors");
    ensure!(
        answers > 0 && failures > 0,
        "{answers} answers, {failures} errors"
    );
    std::fs::write(&file, &whole)?;
    crate::server::rows(&mut client, sql).await?;
    Ok(())
}
