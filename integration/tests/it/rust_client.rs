//! `FlightSqlServiceClient` and bare Flight calls against a real server: prepared statements, metadata, actions.
//!
//! Tests are named after the pitfalls in `integration/clients/README.md` where there is one.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, UnionArray,
    },
    datatypes::{DataType, Int32Type, Int64Type, UInt32Type},
    util::pretty::pretty_format_batches,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor,
    FlightEndpoint, FlightInfo, RenewFlightEndpointRequest, Ticket,
    sql::{
        Any, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
        CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTables,
        CommandGetXdbcTypeInfo, CommandPreparedStatementQuery, CommandStatementQuery,
        ProstMessageExt, SqlInfo, TicketStatementQuery, client::PreparedStatement,
    },
};
use futures::TryStreamExt;
use prost::Message;
use tonic::{Code, transport::Channel};

use crate::server::{Client, Server, said, table};

async fn fetch(client: &mut Client, info: FlightInfo) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for endpoint in info.endpoint {
        let ticket = endpoint.ticket.context("an endpoint without a ticket")?;
        let rows = client.do_get(ticket).await?;
        batches.extend(rows.try_collect::<Vec<_>>().await?);
    }
    Ok(batches)
}

async fn run(
    client: &mut Client,
    statement: &mut PreparedStatement<Channel>,
) -> Result<Vec<RecordBatch>> {
    let info = statement.execute().await.map_err(|e| said(e.into()))?;
    fetch(client, info).await
}

async fn update(client: &mut Client, sql: &str) -> Result<i64> {
    let changed = client.execute_update(sql.to_owned(), None).await;
    changed.map_err(|e| said(e.into()))
}

fn integers(name: &str, values: Vec<i64>) -> Result<RecordBatch> {
    let column: ArrayRef = Arc::new(Int64Array::from(values));
    Ok(RecordBatch::try_from_iter([(name, column)])?)
}

fn code(error: &anyhow::Error) -> Option<Code> {
    error.chain().find_map(|cause| {
        if let Some(status) = cause.downcast_ref::<tonic::Status>() {
            return Some(status.code());
        }
        match cause.downcast_ref::<arrow_flight::error::FlightError>() {
            Some(arrow_flight::error::FlightError::Tonic(status)) => Some(status.code()),
            _ => None,
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_query_runs_again_with_other_values() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(
        &mut client,
        "CREATE TABLE t AS SELECT value AS a, 'row ' || value AS b FROM generate_series(1, 1000)",
    )
    .await?;
    let sql = "SELECT b FROM t WHERE a = ?".to_owned();
    let mut statement = client.prepare(sql, None).await?;
    ensure!(statement.parameter_schema()?.field(0).data_type() == &DataType::Int64);
    ensure!(statement.dataset_schema()?.field(0).data_type() == &DataType::Utf8);
    for wanted in [7, 999, 1000] {
        statement.set_parameters(integers("anything", vec![wanted])?)?;
        let rows = run(&mut client, &mut statement).await?;
        ensure!(rows[0].column(0).as_string::<i32>().value(0) == format!("row {wanted}"));
    }
    // The values stay bound; rows that are written since are seen.
    update(&mut client, "INSERT INTO t VALUES (1000, 'again')").await?;
    let rows = run(&mut client, &mut statement).await?;
    ensure!(rows.iter().map(RecordBatch::num_rows).sum::<usize>() == 2);
    statement.close().await?;
    Ok(())
}

/// A plan may be kept and run with other values: it gives what the same text with the values written into it gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bound_values_give_what_written_ones_give() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let rows = "SELECT value AS a, 'row ' || value AS b, value / 8.0 AS c, CASE WHEN value % 7 > 0 THEN value END AS n \
                FROM generate_series(1, 1000)";
    for make in ["CREATE TABLE stored AS", "CREATE TEMPORARY TABLE held AS"] {
        update(&mut client, &format!("{make} {rows}")).await?;
    }
    let (int, text) = (
        |value: Option<i64>| Arc::new(Int64Array::from(vec![value])) as ArrayRef,
        |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef,
    );
    let fraction = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
    let mut compared = 0;
    for table_name in ["stored", "held"] {
        for (sql, runs) in [
            (
                "SELECT * FROM t WHERE a = ?",
                [Some(7), Some(1000), Some(0), None, Some(i64::MIN)]
                    .map(|value| vec![int(value)])
                    .to_vec(),
            ),
            (
                "SELECT a FROM t WHERE a = ?",
                vec![
                    vec![int(Some(3))],
                    vec![fraction(3.5)],
                    vec![fraction(3.0)],
                    vec![int(Some(4))],
                ],
            ),
            (
                "SELECT count(*) AS rows, max(a) AS most FROM t WHERE b LIKE ?",
                [Some("%7%"), Some("row 1_"), Some(""), None]
                    .map(|value| vec![text(value)])
                    .to_vec(),
            ),
            (
                "SELECT a, c FROM t WHERE a BETWEEN ? AND ? AND n IS NOT NULL ORDER BY a DESC LIMIT 3",
                vec![
                    vec![int(Some(5)), int(Some(9))],
                    vec![int(Some(9)), int(Some(5))],
                    vec![int(Some(500)), int(None)],
                ],
            ),
            (
                "SELECT a + ? AS sum, coalesce(n, ?) AS n FROM t WHERE a % ? = 0 ORDER BY a LIMIT 20",
                vec![
                    vec![int(Some(1)), int(Some(2)), int(Some(7))],
                    vec![int(None), int(None), int(Some(3))],
                ],
            ),
            (
                "SELECT a FROM t WHERE a IN (?, ?) OR n = ? ORDER BY a",
                vec![
                    vec![int(Some(1)), int(Some(2)), int(Some(8))],
                    vec![int(None), int(Some(7)), int(None)],
                ],
            ),
            // One parameter in places of several types.
            (
                "SELECT a, $1 + 1 AS y, abs($1) AS x FROM t WHERE a = $1 OR c = $1 OR n < $1 - 5 ORDER BY a LIMIT 9",
                vec![vec![int(Some(8))], vec![int(Some(9_007_199_254_740_993))]],
            ),
            (
                "SELECT a FROM t ORDER BY a DESC LIMIT ?",
                vec![vec![int(Some(2))], vec![int(Some(0))], vec![int(Some(5))]],
            ),
            (
                "SELECT x.a, y.a AS other FROM t x LEFT JOIN t y ON x.a = y.a + 990 WHERE y.b = ? OR x.a < ? ORDER BY x.a",
                vec![
                    vec![text(Some("row 4")), int(Some(3))],
                    vec![text(None), int(Some(2))],
                ],
            ),
            (
                "SELECT a FROM t WHERE a < (SELECT min(a) + ? FROM t) ORDER BY a",
                vec![vec![int(Some(2))], vec![int(Some(4))], vec![int(None)]],
            ),
            (
                "SELECT n % 3 AS g, sum(a) AS s FROM t WHERE a > ? GROUP BY n % 3 HAVING sum(a) > ? ORDER BY g",
                vec![
                    vec![int(Some(0)), int(Some(0))],
                    vec![int(Some(990)), int(Some(2000))],
                ],
            ),
        ] {
            let sql = sql
                .replace("FROM t", &format!("FROM {table_name}"))
                .replace("JOIN t", &format!("JOIN {table_name}"));
            compared += compare(&mut client, &sql, &runs).await?;
        }
    }
    ensure!(compared == 2 * 2 * 32, "{compared} runs");
    Ok(())
}

/// Runs the statement with each of the values twice, so that kept plans are met in either order, beside the same text
/// with the values written into it. Gives the number of runs.
async fn compare(client: &mut Client, sql: &str, runs: &[Vec<ArrayRef>]) -> Result<usize> {
    let mut statement = client.prepare(sql.to_owned(), None).await?;
    for values in runs.iter().chain(runs.iter().rev()) {
        let named = values
            .iter()
            .enumerate()
            .map(|(at, column)| (format!("p{at}"), Arc::clone(column)));
        statement.set_parameters(RecordBatch::try_from_iter(named)?)?;
        let bound = run(client, &mut statement).await?;
        let bound = pretty_format_batches(&bound)?.to_string();
        let written = table(client, &written(sql, values)?).await?;
        let in_order = |rows: &str| {
            let mut rows = rows_of(rows);
            // Batches come in any order but where one is asked for.
            if !sql.contains("ORDER BY") {
                rows.sort();
            }
            rows
        };
        ensure!(
            in_order(&bound) == in_order(&written),
            "{sql} with {values:?}:\n{bound}\n{written}"
        );
    }
    statement.close().await?;
    Ok(2 * runs.len())
}

/// Look-ups in a temporary table keep their physical plan while they find one of its batches, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_look_up_gives_what_its_table_holds_now() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let make = "CREATE TEMPORARY TABLE many AS SELECT value AS a, 'row ' || value AS b, \
                CASE WHEN value % 7 > 0 THEN value END AS n FROM generate_series(1, 100000)";
    update(&mut client, make).await?;
    let int = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let null = || Arc::new(Int64Array::from(vec![None])) as ArrayRef;
    let text = |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let fraction = Arc::new(Float64Array::from(vec![7.5])) as ArrayRef;
    let queries = [
        (
            "SELECT b FROM many WHERE a = ?",
            [1, 100_000, 32_768, 32_769, 0, i64::MAX]
                .map(|value| vec![int(value)])
                .into_iter()
                .chain([vec![null()], vec![fraction]])
                .collect(),
        ),
        (
            "SELECT a, b AS other FROM many WHERE a BETWEEN ? AND ? AND n IS NOT NULL ORDER BY a",
            vec![vec![int(5), int(9)]],
        ),
        (
            "SELECT b, n FROM many WHERE a BETWEEN ? AND ? AND n IS NOT NULL",
            vec![
                vec![int(5), int(9)],
                vec![int(32_769), int(32_768)],
                vec![null(), int(4)],
                // Of these two bounds one or two batches are found.
                vec![int(32_766), int(32_772)],
                vec![int(70_000), int(70_003)],
            ],
        ),
        (
            "SELECT a FROM many WHERE a IN (?, ?)",
            vec![
                vec![int(1), int(2)],
                vec![int(50_000), int(50_001)],
                vec![null(), int(7)],
            ],
        ),
        (
            "SELECT a + 1 AS next FROM many WHERE a = ? AND b <> ?",
            vec![
                vec![int(7), text(Some("row 7"))],
                vec![int(7), text(Some("x"))],
                vec![int(7), text(None)],
            ],
        ),
        (
            "SELECT k FROM (SELECT a AS k, n FROM many WHERE a > 10) AS some WHERE k = ? AND n + 1 > ?",
            vec![
                vec![int(9), int(0)],
                vec![int(12), int(0)],
                vec![int(14), int(0)],
            ],
        ),
        (
            "SELECT b FROM many WHERE a = ? LIMIT 1",
            vec![vec![int(3)], vec![int(0)]],
        ),
    ];
    for mode in ["auto", "always", "never"] {
        update(&mut client, &format!("SET murre.compile = '{mode}'")).await?;
        for (sql, runs) in &queries {
            ensure!(compare(&mut client, sql, runs).await? == 2 * runs.len());
        }
    }
    // What has changed between two runs is seen by the next.
    let mut statement = client
        .prepare("SELECT b FROM many WHERE a = ?".into(), None)
        .await?;
    let mut other = server.client().await?;
    let mut found = async |client: &mut Client| {
        statement.set_parameters(integers("p", vec![7])?)?;
        let rows = run(client, &mut statement).await?;
        anyhow::Ok(rows.iter().map(RecordBatch::num_rows).sum::<usize>())
    };
    for _ in 0..3 {
        ensure!(found(&mut client).await? == 1);
    }
    update(&mut client, "INSERT INTO many VALUES (7, 'again', NULL)").await?;
    for _ in 0..3 {
        ensure!(found(&mut client).await? == 2);
    }
    update(&mut other, "CREATE TABLE elsewhere (a INT)").await?;
    update(&mut client, "SET murre.threads = 1").await?;
    ensure!(found(&mut client).await? == 2);
    update(&mut client, "DROP TABLE many").await?;
    ensure!(found(&mut client).await.is_err(), "its table is gone");
    update(
        &mut client,
        "CREATE TEMPORARY TABLE many AS SELECT 7 AS a, 'new' AS b",
    )
    .await?;
    ensure!(found(&mut client).await? == 1);
    Ok(())
}

/// A run that was short is begun before its rows are asked for; what is wrong with the next one is said with its rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_fails_is_named_and_the_statement_goes_on() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let sql = "SELECT 100 / CAST(? AS BIGINT) AS q".to_owned();
    let mut statement = client.prepare(sql, None).await?;
    for value in [5, 4, 0, 2, 0, 1] {
        statement.set_parameters(integers("p", vec![value])?)?;
        match (value, run(&mut client, &mut statement).await) {
            (0, Ok(rows)) => anyhow::bail!("100 / 0 gave {rows:?}"),
            (0, Err(error)) => {
                let said = format!("{:#}", said(error)).to_lowercase();
                ensure!(said.contains("divide by zero"), "{said}");
            }
            (_, rows) => {
                let quotient = rows?[0].column(0).as_primitive::<Int64Type>().value(0);
                ensure!(quotient == 100 / value, "{quotient}");
            }
        }
    }
    // Rows that nobody asks for do not stand in the way of anything.
    statement.set_parameters(integers("p", vec![10])?)?;
    for _ in 0..50 {
        statement.execute().await?;
    }
    let rows = run(&mut client, &mut statement).await?;
    ensure!(rows[0].column(0).as_primitive::<Int64Type>().value(0) == 10);
    Ok(())
}

/// The text with the values in place of its marks.
fn written(sql: &str, values: &[ArrayRef]) -> Result<String> {
    let mut text = sql.to_owned();
    for (index, value) in values.iter().enumerate() {
        let value = match (value.is_null(0), value.data_type()) {
            (true, _) => "NULL".to_owned(),
            (false, DataType::Utf8) => format!("'{}'", value.as_string::<i32>().value(0)),
            (false, _) => arrow::util::display::array_value_to_string(value, 0)?,
        };
        text = match text.contains('?') {
            true => text.replacen('?', &value, 1),
            false => text.replace(&format!("${}", index + 1), &value),
        };
    }
    Ok(text)
}

/// Lines with rows; an empty result may be printed with its columns or without.
fn rows_of(table: &str) -> Vec<String> {
    let cells = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join("|");
    let lines = table.lines().filter(|line| line.starts_with('|'));
    lines.skip(1).map(cells).collect()
}

/// This client binds with DoPut(Query), and then sends DoPut(Update) with nothing but a descriptor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pitfall_1c_an_update_without_a_schema_uses_the_values_bound_before() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(
        &mut client,
        "CREATE TABLE t (a BIGINT, b VARCHAR DEFAULT 'none')",
    )
    .await?;
    let sql = "INSERT INTO t (a) VALUES (?), (? + 100)".to_owned();
    let mut statement = client.prepare(sql, None).await?;
    ensure!(statement.dataset_schema()?.fields().is_empty());
    let columns: [(&str, ArrayRef); 2] = [
        ("x", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("y", Arc::new(Int64Array::from(vec![10, 20, 30]))),
    ];
    statement.set_parameters(RecordBatch::try_from_iter(columns)?)?;
    ensure!(statement.execute_update().await? == 6);
    let sums = table(&mut client, "SELECT sum(a) AS s, min(b) AS b FROM t").await?;
    ensure!(sums.contains("| 366 | none"), "{sums}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_get_the_status_that_says_whose_fault_it_is() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let query = |handle: &[u8]| {
        let command = CommandPreparedStatementQuery {
            prepared_statement_handle: handle.to_vec().into(),
        };
        command.as_any().encode_to_vec()
    };
    for (handle, expected) in [
        (&b""[..], Code::InvalidArgument),
        (b"not a handle", Code::InvalidArgument),
        (b"sixteen bytes it", Code::NotFound),
    ] {
        let info = client
            .inner_mut()
            .get_flight_info(FlightDescriptor::new_cmd(query(handle)))
            .await;
        ensure!(info.is_err_and(|status| status.code() == expected));
        let rows = client.do_get(Ticket::new(query(handle))).await;
        let error = rows.err().context("rows for a handle of nothing")?;
        ensure!(code(&anyhow::Error::new(error)) == Some(expected));
    }
    let statement = TicketStatementQuery {
        statement_handle: b"short".to_vec().into(),
    };
    for (ticket, expected) in [
        (b"no protobuf \xff".to_vec(), Code::InvalidArgument),
        (statement.as_any().encode_to_vec(), Code::InvalidArgument),
    ] {
        let rows = client.do_get(Ticket::new(ticket)).await;
        ensure!(rows.is_err_and(|e| code(&anyhow::Error::new(e)) == Some(expected)));
    }
    for (name, body, expected) in [
        (
            "CreatePreparedStatement",
            &b"\xff"[..],
            Code::InvalidArgument,
        ),
        ("ClosePreparedStatement", b"", Code::InvalidArgument),
        ("CancelFlightInfo", b"\xff", Code::InvalidArgument),
        ("CancelFlightInfo", b"", Code::InvalidArgument),
        ("SetSessionOptions", b"\xff", Code::InvalidArgument),
        ("BeginTransaction", b"", Code::Unimplemented),
        ("NoSuchAction", b"", Code::Unimplemented),
    ] {
        let action = Action {
            r#type: name.into(),
            body: body.into(),
        };
        let result = client.inner_mut().do_action(action).await;
        ensure!(
            result.is_err_and(|status| status.code() == expected),
            "{name}"
        );
    }
    let answer = table(&mut client, "SELECT 1 AS alive").await?;
    ensure!(answer.contains("alive"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pitfall_2a_13_metadata_has_the_schemas_of_the_specification() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(
        &mut client,
        "CREATE TABLE t (id BIGINT NOT NULL, price DECIMAL(9, 2))",
    )
    .await?;
    let tables = CommandGetTables {
        db_schema_filter_pattern: Some("public".into()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(tables).await?;
    let announced = info.clone().try_decode_schema()?;
    let rows = fetch(&mut client, info).await?;
    ensure!(*rows[0].schema() == announced);
    let nullable: Vec<bool> = announced.fields().iter().map(|f| f.is_nullable()).collect();
    ensure!(nullable == [true, true, false, false, false], "{announced}");
    let encoded = rows[0].column(4).as_binary::<i32>().value(0).to_vec();
    let columns = arrow::datatypes::Schema::try_from(arrow_flight::IpcMessage(encoded.into()))?;
    let price = columns.field(1);
    ensure!(columns.field(0).data_type() == &DataType::Int64 && !columns.field(0).is_nullable());
    for (key, value) in [
        ("TYPE_NAME", "DECIMAL"),
        ("PRECISION", "9"),
        ("SCALE", "2"),
        ("TABLE_NAME", "t"),
    ] {
        let found = price.metadata().get(&format!("ARROW:FLIGHT:SQL:{key}"));
        ensure!(found.is_some_and(|text| text == value), "{key}: {found:?}");
    }
    // No rows, and yet the schema.
    let keys = client
        .get_primary_keys(CommandGetPrimaryKeys {
            table: "t".into(),
            ..CommandGetPrimaryKeys::default()
        })
        .await?;
    ensure!(keys.clone().try_decode_schema()?.fields().len() == 6);
    ensure!(
        fetch(&mut client, keys)
            .await?
            .iter()
            .all(|b| b.num_rows() == 0)
    );
    for info in [
        client
            .get_exported_keys(CommandGetExportedKeys::default())
            .await?,
        client
            .get_imported_keys(CommandGetImportedKeys::default())
            .await?,
        client
            .get_cross_reference(CommandGetCrossReference::default())
            .await?,
    ] {
        let schema = info.try_decode_schema()?;
        ensure!(schema.fields().len() == 13 && schema.field(12).data_type() == &DataType::UInt8);
    }
    let schemas = client
        .get_db_schemas(CommandGetDbSchemas {
            db_schema_filter_pattern: Some("publ__".into()),
            ..CommandGetDbSchemas::default()
        })
        .await?;
    let schemas = fetch(&mut client, schemas).await?;
    ensure!(
        schemas[0].num_rows() == 1 && schemas[0].column(1).as_string::<i32>().value(0) == "public"
    );
    let types = client
        .get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None })
        .await?;
    ensure!(types.clone().try_decode_schema()?.fields().len() == 19);
    ensure!(fetch(&mut client, types).await?[0].num_rows() > 10);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pitfall_2a_14_every_sql_info_is_there_with_its_type() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let command = CommandGetSqlInfo { info: Vec::new() };
    let info = client
        .inner_mut()
        .get_flight_info(FlightDescriptor::new_cmd(command.as_any().encode_to_vec()))
        .await?
        .into_inner();
    let rows = fetch(&mut client, info).await?;
    let names = rows[0].column(0).as_primitive::<UInt32Type>();
    let values = rows[0].column(1).as_any().downcast_ref::<UnionArray>();
    let values = values.context("the values are no union")?;
    let child = |name: SqlInfo| -> Option<(i8, ArrayRef)> {
        let row = names.values().iter().position(|n| *n == name as u32)?;
        Some((values.type_id(row), values.value(row)))
    };
    // What drivers cast without asking: limits to 64 bits, ordinals and masks to 32.
    for known in (0..=11).chain(100..=101).chain(500..=576) {
        ensure!(names.values().contains(&known), "{known} is missing");
    }
    for name in (541..=555).chain(557..=562) {
        let row = names.values().iter().position(|n| *n == name);
        ensure!(row.is_some_and(|row| values.type_id(row) == 2), "{name}");
    }
    let (kind, transactions) =
        child(SqlInfo::FlightSqlServerTransaction).context("no transaction")?;
    ensure!(kind == 3 && transactions.as_primitive::<Int32Type>().value(0) == 0);
    let (kind, escape) = child(SqlInfo::SqlSearchStringEscape).context("no escape")?;
    let escape: &StringArray = escape.as_string();
    ensure!(kind == 0 && escape.value(0) == "\\");
    // One by number.
    let info = client
        .get_sql_info(vec![SqlInfo::FlightSqlServerName])
        .await?;
    let rows = fetch(&mut client, info).await?;
    ensure!(rows[0].num_rows() == 1);
    Ok(())
}

async fn act<M: Message + Default>(client: &mut Client, name: &str, body: Vec<u8>) -> Result<M> {
    let action = Action {
        r#type: name.into(),
        body: body.into(),
    };
    let mut results = client.inner_mut().do_action(action).await?.into_inner();
    let result = results.message().await?.context("no result")?;
    Ok(M::decode(&*result.body)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_cancelled_by_its_flight_info() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let endless = "SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 100000) b WHERE a.value * b.value % 7 = 8";
    let info = client.execute(endless.into(), None).await?;
    let mut reader = server.client().await?;
    let of_reader = info.clone();
    let reading = tokio::spawn(async move { fetch(&mut reader, of_reader).await });
    while !table(&mut client, "SHOW PROCESSLIST")
        .await?
        .contains("running")
    {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let request = || {
        let info = Some(info.clone());
        CancelFlightInfoRequest { info }.encode_to_vec()
    };
    let result: CancelFlightInfoResult = act(&mut client, "CancelFlightInfo", request()).await?;
    ensure!(result.status() == CancelStatus::Cancelling, "{result:?}");
    let error = reading.await?.err().context("the query ended")?;
    ensure!(error.to_string().contains("cancelled"), "{error}");
    let again = act::<CancelFlightInfoResult>(&mut client, "CancelFlightInfo", request()).await;
    ensure!(again.is_err_and(|e| code(&e) == Some(Code::NotFound)));
    // One that nobody has asked for its rows yet, by the older action.
    let info = client.execute(endless.into(), None).await?;
    #[derive(Clone, PartialEq, prost::Message)]
    struct CancelQuery {
        #[prost(bytes = "vec", tag = "1")]
        info: Vec<u8>,
    }
    let any = |message: &str, body: Vec<u8>| Any {
        type_url: format!("type.googleapis.com/arrow.flight.protocol.sql.{message}"),
        value: body.into(),
    };
    let request = CancelQuery {
        info: info.encode_to_vec(),
    };
    let request = any("ActionCancelQueryRequest", request.encode_to_vec());
    let result: Any = act(&mut client, "CancelQuery", request.encode_to_vec()).await?;
    ensure!(result.type_url.ends_with("ActionCancelQueryResult") && *result.value == [8, 1]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_renewed_while_it_is_there() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let info = client.execute("SELECT 1 AS a".into(), None).await?;
    let endpoint = Some(info.endpoint[0].clone());
    let request = RenewFlightEndpointRequest { endpoint }.encode_to_vec();
    let renewed: FlightEndpoint = act(&mut client, "RenewFlightEndpoint", request).await?;
    ensure!(renewed.expiration_time.is_some() && renewed.ticket == info.endpoint[0].ticket);
    let rows = fetch(&mut client, FlightInfo::new().with_endpoint(renewed)).await?;
    ensure!(rows[0].column(0).as_primitive::<Int64Type>().value(0) == 1);
    let endpoint = Some(FlightEndpoint::new().with_ticket(Ticket::new(&b"\xff"[..])));
    let request = RenewFlightEndpointRequest { endpoint }.encode_to_vec();
    let refused = act::<FlightEndpoint>(&mut client, "RenewFlightEndpoint", request).await;
    ensure!(refused.is_err_and(|e| code(&e) == Some(Code::InvalidArgument)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_session_takes_its_temporary_tables_along() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(&mut client, "CREATE TEMPORARY TABLE mine (a INT)").await?;
    #[derive(Clone, PartialEq, prost::Message)]
    struct Closed {
        #[prost(int32, tag = "1")]
        status: i32,
    }
    let closed: Closed = act(&mut client, "CloseSession", Vec::new()).await?;
    ensure!(closed.status == 1);
    let error = table(&mut client, "SELECT * FROM mine").await.err();
    ensure!(error.is_some_and(|e| e.to_string().contains("\"mine\" does not exist")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_ends_with_a_ticket_and_says_how_far_it_is_before() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let poll = async |client: &mut Client, descriptor: FlightDescriptor| {
        let answer = client.inner_mut().poll_flight_info(descriptor).await?;
        anyhow::Ok(answer.into_inner())
    };
    let statement = |sql: &str| {
        let query = CommandStatementQuery {
            query: sql.into(),
            transaction_id: None,
        };
        FlightDescriptor::new_cmd(query.as_any().encode_to_vec())
    };
    // A query can be fetched at once.
    let answer = poll(&mut client, statement("SELECT 7 AS a")).await?;
    ensure!(answer.flight_descriptor.is_none() && answer.progress == Some(1.0));
    let rows = fetch(&mut client, answer.info.context("no info")?).await?;
    ensure!(rows[0].column(0).as_primitive::<Int64Type>().value(0) == 7);
    // A statement that takes its time.
    let sql = "CREATE TABLE t AS SELECT value FROM generate_series(1, 30000000)";
    let mut answer = poll(&mut client, statement(sql)).await?;
    let mut polls = 1;
    while let Some(again) = answer.flight_descriptor.clone() {
        ensure!(
            answer
                .info
                .as_ref()
                .is_some_and(|info| info.endpoint.is_empty())
        );
        ensure!(answer.expiration_time.is_some());
        answer = poll(&mut client, again).await?;
        polls += 1;
    }
    ensure!(polls > 1, "30 million rows were written in half a second");
    let rows = fetch(&mut client, answer.info.context("no info")?).await?;
    ensure!(rows[0].column(0).as_primitive::<Int64Type>().value(0) == 30_000_000);
    // One that is cancelled leaves nothing.
    let sql = "CREATE TABLE u AS SELECT a.value FROM generate_series(1, 1000000000) a, generate_series(1, 1000) b WHERE a.value % 7 = 8";
    let answer = poll(&mut client, statement(sql)).await?;
    let again = answer.flight_descriptor.context("it has ended")?;
    let info = answer.info;
    let request = CancelFlightInfoRequest { info }.encode_to_vec();
    let result: CancelFlightInfoResult = act(&mut client, "CancelFlightInfo", request).await?;
    ensure!(result.status() == CancelStatus::Cancelling);
    let gone = poll(&mut client, again).await;
    ensure!(gone.is_err_and(|e| code(&e) == Some(Code::NotFound)));
    let failed = poll(&mut client, statement("SELECT nothing")).await;
    ensure!(failed.is_err_and(|e| code(&e) == Some(Code::InvalidArgument)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_leaks_statements_is_stopped_alone() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start_with(&dir.path().join("data"), &["--prepared-limit", "3"])?;
    let (mut leaking, mut other) = (server.client().await?, server.client().await?);
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(leaking.prepare("SELECT 1".into(), None).await?);
    }
    let refused = leaking.prepare("SELECT 1".into(), None).await;
    let error = anyhow::Error::new(refused.err().context("a fourth statement")?);
    ensure!(code(&error) == Some(Code::ResourceExhausted), "{error}");
    other.prepare("SELECT 1".into(), None).await?;
    kept.pop().context("three were kept")?.close().await?;
    leaking.prepare("SELECT 1".into(), None).await?;
    Ok(())
}
