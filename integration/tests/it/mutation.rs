//! Traffic of real clients, spoilt at random: every answer must come, and with a status that blames the sender.
//!
//! The messages are what clients send in a session of every kind of call; each round spoils one of them in one to four
//! places and sends it. `MURRE_SEED` repeats a run, `MURRE_LONG=1` makes it ten minutes long instead of twenty seconds.
//! Allowed is every status that says what is wrong with the request, and success, as some bytes carry no meaning.
//! Calls with a spoilt token or password are never let in. Afterwards nothing is left of what the calls made.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use arrow::{
    array::{ArrayRef, Int64Array, NullArray, RecordBatch, StringArray},
    ipc::{CompressionType, writer::IpcWriteOptions},
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, FlightData, FlightDescriptor, RenewFlightEndpointRequest,
    Ticket,
    encode::FlightDataEncoderBuilder,
    sql::{
        ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
        ActionCreatePreparedSubstraitPlanRequest, CommandGetDbSchemas, CommandGetSqlInfo,
        CommandGetTables, CommandPreparedStatementQuery, CommandPreparedStatementUpdate,
        CommandStatementIngest, CommandStatementQuery, CommandStatementUpdate, ProstMessageExt,
        TableDefinitionOptions,
    },
};
use futures::TryStreamExt;
use prost::Message;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
};

use crate::{
    server::{Client, SOON, Server, http_get, table, until_within, update},
    substrait,
};

/// An answer that takes longer has been lost.
const ANSWER_MAX: Duration = Duration::from_secs(60);

#[derive(Clone)]
enum Call {
    Info(Vec<u8>),
    Schema(Vec<u8>),
    Poll(Vec<u8>),
    Get(Vec<u8>),
    Act(&'static str, Vec<u8>),
    Put(Vec<FlightData>),
}

impl Call {
    fn name(&self) -> &'static str {
        match self {
            Self::Info(_) => "GetFlightInfo",
            Self::Schema(_) => "GetSchema",
            Self::Poll(_) => "PollFlightInfo",
            Self::Get(_) => "DoGet",
            Self::Act(name, _) => name,
            Self::Put(_) => "DoPut",
        }
    }

    /// The bytes to spoil.
    fn bytes<'a>(&'a mut self, random: &mut fastrand::Rng) -> Option<Spoilt<'a>> {
        match self {
            Self::Info(bytes) | Self::Schema(bytes) | Self::Poll(bytes) | Self::Get(bytes) => {
                Some(Spoilt::Own(bytes))
            }
            Self::Act(_, bytes) => Some(Spoilt::Own(bytes)),
            Self::Put(messages) => {
                let which = random.usize(..messages.len());
                let message = &mut messages[which];
                Some(match (random.u8(..3), &mut message.flight_descriptor) {
                    (0, Some(descriptor)) => Spoilt::Shared(&mut descriptor.cmd),
                    (1, _) => Spoilt::Shared(&mut message.data_body),
                    _ => Spoilt::Shared(&mut message.data_header),
                })
            }
        }
    }
}

enum Spoilt<'a> {
    Own(&'a mut Vec<u8>),
    Shared(&'a mut prost::bytes::Bytes),
}

fn spoil(call: &mut Call, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..=4) {
        match call.bytes(random) {
            Some(Spoilt::Own(bytes)) => spoil_bytes(bytes, random),
            Some(Spoilt::Shared(bytes)) => {
                let mut own = bytes.to_vec();
                spoil_bytes(&mut own, random);
                *bytes = own.into();
            }
            None => {}
        }
    }
}

fn spoil_bytes(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    if bytes.is_empty() {
        bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(8));
        return;
    }
    let at = random.usize(..bytes.len());
    match random.u8(..7) {
        // Lengths and offsets of Arrow's messages are such words.
        6 if at + 16 <= bytes.len() => {
            let word = [i64::MAX, i64::MIN, 1 << 50, 1 << 47, 1 << 33, -1, -2, 0];
            let at = at.next_multiple_of(8);
            bytes[at..at + 8].copy_from_slice(&word[random.usize(..word.len())].to_le_bytes());
        }
        0 => bytes[at] ^= 1 << random.u8(..8),
        1 => bytes[at] = [0, 0xff, 0x7f, 0x80][random.usize(..4)],
        2 => bytes.truncate(at),
        3 => bytes.insert(at, random.u8(..)),
        4 => {
            let piece = bytes[at..(at + 16).min(bytes.len())].to_vec();
            bytes.extend(piece);
        }
        _ => {
            let end = (at + random.usize(1..=8)).min(bytes.len());
            bytes.drain(at..end);
        }
    }
}

/// What the calls are about.
async fn make_tables(client: &mut Client) -> Result<()> {
    table(client, "CREATE TEMPORARY TABLE t (a BIGINT, b VARCHAR)").await?;
    let goods = "CREATE TEMPORARY TABLE goods (id BIGINT, name VARCHAR, price DOUBLE)";
    table(client, goods).await?;
    Ok(())
}

/// A call of every kind, with handles and tickets that are good.
async fn traffic(client: &mut Client) -> Result<Vec<Call>> {
    let sql = "SELECT a, b FROM t WHERE a < ? ORDER BY a LIMIT 3";
    let prepare = ActionCreatePreparedStatementRequest {
        query: sql.into(),
        transaction_id: None,
    };
    let prepare = prepare.as_any().encode_to_vec();
    let handle = handle(client, prepare.clone()).await?;
    let insert = ActionCreatePreparedStatementRequest {
        query: "INSERT INTO t VALUES (?, 'x')".into(),
        transaction_id: None,
    };
    let insert_handle = self::handle(client, insert.as_any().encode_to_vec()).await?;
    let query = CommandStatementQuery {
        query: "SELECT * FROM t".into(),
        transaction_id: None,
    };
    let query = query.as_any().encode_to_vec();
    let tables = CommandGetTables {
        db_schema_filter_pattern: Some("pub%".into()),
        include_schema: true,
        table_types: vec!["TABLE".into()],
        ..CommandGetTables::default()
    };
    let tables = tables.as_any().encode_to_vec();
    let run = CommandPreparedStatementQuery {
        prepared_statement_handle: handle.clone(),
    };
    let run = run.as_any().encode_to_vec();
    let info = client
        .inner_mut()
        .get_flight_info(FlightDescriptor::new_cmd(query.clone()))
        .await?
        .into_inner();
    let endpoint = info.endpoint.first().cloned();
    let ticket = endpoint.as_ref().and_then(|e| e.ticket.clone());
    let close = ActionClosePreparedStatementRequest {
        prepared_statement_handle: handle.clone(),
    };
    let update = CommandStatementUpdate {
        query: "INSERT INTO t VALUES (1, 'y')".into(),
        transaction_id: None,
    };
    let ingest = CommandStatementIngest {
        table: "ingested".into(),
        temporary: true,
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: 1,
            if_exists: 2,
        }),
        ..CommandStatementIngest::default()
    };
    let insert_run = CommandPreparedStatementUpdate {
        prepared_statement_handle: insert_handle,
    };
    let plan = substrait::plan_of(
        "SELECT name, sum(price) AS s FROM goods WHERE id < 3 GROUP BY name ORDER BY s LIMIT 2",
    )
    .await?;
    let plan = substrait::command(&plan);
    // A map of one setting: {"murre.threads": "1"}.
    let options = b"\x0a\x14\x0a\x0dmurre.threads\x12\x03\x0a\x011".to_vec();
    Ok(vec![
        Call::Info(query.clone()),
        Call::Schema(query.clone()),
        Call::Poll(query),
        Call::Info(run.clone()),
        Call::Get(run.clone()),
        Call::Get(ticket.context("no ticket")?.ticket.to_vec()),
        Call::Info(tables.clone()),
        Call::Get(tables),
        Call::Get(CommandGetDbSchemas::default().as_any().encode_to_vec()),
        Call::Get(
            CommandGetSqlInfo { info: vec![0, 8] }
                .as_any()
                .encode_to_vec(),
        ),
        Call::Act("CreatePreparedStatement", prepare),
        Call::Act("ClosePreparedStatement", close.as_any().encode_to_vec()),
        Call::Act(
            "CancelFlightInfo",
            CancelFlightInfoRequest { info: Some(info) }.encode_to_vec(),
        ),
        Call::Act(
            "RenewFlightEndpoint",
            RenewFlightEndpointRequest { endpoint }.encode_to_vec(),
        ),
        Call::Act("SetSessionOptions", options),
        Call::Act("GetSessionOptions", Vec::new()),
        Call::Info(plan.as_any().encode_to_vec()),
        Call::Schema(plan.as_any().encode_to_vec()),
        Call::Act(
            "CreatePreparedSubstraitPlan",
            ActionCreatePreparedSubstraitPlanRequest {
                plan: plan.plan.clone(),
                transaction_id: None,
            }
            .as_any()
            .encode_to_vec(),
        ),
        Call::Put(put(run.clone(), Some(numbers()?), None).await?),
        Call::Put(put(run, Some(nulls()?), None).await?),
        Call::Put(put(update.as_any().encode_to_vec(), None, None).await?),
        Call::Put(put(insert_run.as_any().encode_to_vec(), Some(numbers()?), None).await?),
        Call::Put(put(ingest.as_any().encode_to_vec(), Some(words()?), None).await?),
        Call::Put(put(ingest.as_any().encode_to_vec(), Some(words()?), LZ4).await?),
        Call::Put(put(ingest.as_any().encode_to_vec(), Some(words()?), ZSTD).await?),
    ])
}

async fn handle(client: &mut Client, body: Vec<u8>) -> Result<prost::bytes::Bytes> {
    let action = Action {
        r#type: "CreatePreparedStatement".into(),
        body: body.into(),
    };
    let mut results = client.inner_mut().do_action(action).await?.into_inner();
    let result = results.message().await?.context("no result")?;
    let any = arrow_flight::sql::Any::decode(&*result.body)?;
    let created: arrow_flight::sql::ActionCreatePreparedStatementResult =
        any.unpack()?.context("another result")?;
    Ok(created.prepared_statement_handle)
}

fn numbers() -> Result<RecordBatch> {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(2), None, Some(1)]));
    Ok(RecordBatch::try_from_iter([("n", column)])?)
}

fn words() -> Result<RecordBatch> {
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("longer")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    Ok(RecordBatch::try_from_iter([("w", words), ("n", numbers)])?)
}

/// A column of no type, as of values of which each is null.
fn nulls() -> Result<RecordBatch> {
    let column: ArrayRef = Arc::new(NullArray::new(3));
    Ok(RecordBatch::try_from_iter_with_nullable([(
        "n", column, true,
    )])?)
}

const LZ4: Option<CompressionType> = Some(CompressionType::LZ4_FRAME);
const ZSTD: Option<CompressionType> = Some(CompressionType::ZSTD);

/// The messages of a DoPut.
async fn put(
    command: Vec<u8>,
    rows: Option<RecordBatch>,
    compression: Option<CompressionType>,
) -> Result<Vec<FlightData>> {
    let descriptor = FlightDescriptor::new_cmd(command);
    let Some(rows) = rows else {
        return Ok(vec![FlightData::new().with_descriptor(descriptor)]);
    };
    let messages = FlightDataEncoderBuilder::new()
        .with_options(IpcWriteOptions::default().try_with_compression(compression)?)
        .with_flight_descriptor(Some(descriptor))
        .build(futures::stream::iter([Ok(rows)]));
    Ok(messages.try_collect().await?)
}

/// Sends a call and reads all of its answer. `authorization` is the header's value, if there is to be one.
async fn send(
    client: &mut Client,
    call: Call,
    authorization: Option<&MetadataValue<Ascii>>,
) -> Result<(), Status> {
    let client = client.inner_mut();
    match call {
        Call::Info(cmd) => {
            let descriptor = FlightDescriptor::new_cmd(cmd);
            client
                .get_flight_info(request(descriptor, authorization))
                .await?;
        }
        Call::Schema(cmd) => {
            let descriptor = FlightDescriptor::new_cmd(cmd);
            client
                .get_schema(request(descriptor, authorization))
                .await?;
        }
        Call::Poll(cmd) => {
            let descriptor = FlightDescriptor::new_cmd(cmd);
            client
                .poll_flight_info(request(descriptor, authorization))
                .await?;
        }
        Call::Get(ticket) => {
            let answer = client.do_get(request(Ticket::new(ticket), authorization));
            let mut rows = answer.await?.into_inner();
            while rows.message().await?.is_some() {}
        }
        Call::Act(name, body) => {
            let action = Action {
                r#type: name.into(),
                body: body.into(),
            };
            let answer = client.do_action(request(action, authorization));
            let mut results = answer.await?.into_inner();
            while results.message().await?.is_some() {}
        }
        Call::Put(messages) => {
            let messages = futures::stream::iter(messages);
            let answer = client.do_put(request(messages, authorization));
            let mut results = answer.await?.into_inner();
            while results.message().await?.is_some() {}
        }
    }
    Ok(())
}

fn request<T>(message: T, authorization: Option<&MetadataValue<Ascii>>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(value) = authorization {
        request
            .metadata_mut()
            .insert("authorization", value.clone());
    }
    request
}

/// Whether a status says what is wrong with a request.
fn blames_the_request(code: Code) -> bool {
    match code {
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Unimplemented
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::ResourceExhausted
        | Code::Cancelled => true,
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spoilt_traffic_is_refused_and_does_no_harm() -> Result<()> {
    let dir = tempfile::tempdir()?;
    // What clients leave behind is to go while the test can still look.
    let forget = ["--session-timeout", "10s", "--result-timeout", "10s"];
    let server = Server::start_with(&dir.path().join("data"), &forget)?;
    let (length, seed) = (length(20), seed()?);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut mix: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let began = Instant::now();
    let mut rounds = 0u64;
    while began.elapsed() < length {
        // A new session now and then, as spoilt options may have changed the old one.
        let mut client = server.client().await?;
        make_tables(&mut client).await?;
        let calls = traffic(&mut client).await?;
        for _ in 0..200 {
            let mut call = calls[random.usize(..calls.len())].clone();
            spoil(&mut call, &mut random);
            let name = call.name();
            let answer = tokio::time::timeout(ANSWER_MAX, send(&mut client, call, None)).await;
            let answer =
                answer.with_context(|| format!("seed {seed}, round {rounds}: {name} hangs"))?;
            let (code, said) = match answer {
                Ok(()) => (Code::Ok, String::new()),
                Err(status) => (status.code(), status.message().to_owned()),
            };
            ensure!(
                blames_the_request(code),
                "seed {seed}, round {rounds}: {name} answers {code:?}: {said}"
            );
            *mix.entry((name, format!("{code:?}"))).or_default() += 1;
            rounds += 1;
        }
    }
    eprintln!("seed {seed}, {rounds} calls: {mix:?}");
    for (name, code) in [
        ("DoPut", "InvalidArgument"),
        ("DoGet", "NotFound"),
        ("DoPut", "Ok"),
        ("CreatePreparedSubstraitPlan", "InvalidArgument"),
    ] {
        ensure!(
            mix.contains_key(&(name, code.to_owned())),
            "no {name} was {code}: {mix:?}"
        );
    }
    // Sessions, handles and results are gone, and with them all the memory that statements and tables were charged.
    // The server looks for what is idle once a minute.
    until_within(10 * SOON, "nothing to be left", async || {
        let metrics = http_get(server.http(), "/metrics")?;
        let is_zero = |name: &str| metrics.contains(&format!("\n{name} 0\n"));
        Ok(is_zero("flight_server_sessions") && is_zero("coordinator_memory_reserved_bytes"))
    })
    .await?;
    let alive = table(&mut server.client().await?, "SELECT 1 AS alive").await?;
    ensure!(alive.contains("alive"));
    Ok(())
}

/// Of the run; ten minutes where `MURRE_LONG` is set.
fn length(seconds: u64) -> Duration {
    let long = std::env::var_os("MURRE_LONG").is_some();
    Duration::from_secs(if long { 600 } else { seconds })
}

fn seed() -> Result<u64> {
    match std::env::var("MURRE_SEED") {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(1),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_with_a_spoilt_identity_gets_data() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    make_tables(&mut client).await?;
    let mut calls = traffic(&mut client).await?;
    // What was prepared before there were users may be closed by anybody.
    calls.retain(|call| call.name() != "ClosePreparedStatement");
    update(&mut client, "CREATE USER ada PASSWORD 'correct horse'").await?;
    let mut ada = server.client().await?;
    ada.handshake("ada", "correct horse").await?;
    let token = ada.token().context("no token")?.clone();
    let (length, seed) = (length(5), seed()?);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stranger = server.client().await?;
    let began = Instant::now();
    let (mut refused, mut rounds) = (0u64, 0u64);
    while began.elapsed() < length {
        let mut header = format!("Bearer {token}").into_bytes();
        for _ in 0..random.usize(1..=3) {
            spoil_bytes(&mut header, &mut random);
        }
        rounds += 1;
        // Some changes are none: the scheme's case, and spaces. What cannot be a header never leaves a client.
        let Ok(text) = String::from_utf8(header) else {
            continue;
        };
        let is_same = text.split_once(' ').is_some_and(|(scheme, rest)| {
            scheme.eq_ignore_ascii_case("bearer") && rest.trim() == token
        });
        let Ok(header) = MetadataValue::<Ascii>::try_from(&text) else {
            continue;
        };
        if is_same {
            continue;
        }
        let call = calls[random.usize(..calls.len())].clone();
        let name = call.name();
        let answer =
            tokio::time::timeout(ANSWER_MAX, send(&mut stranger, call, Some(&header))).await;
        let answer =
            answer.with_context(|| format!("seed {seed}, round {rounds}: {name} hangs"))?;
        let code = answer.err().map(|status| status.code());
        ensure!(
            code == Some(Code::Unauthenticated),
            "seed {seed}, round {rounds}: {name} with \"{text}\" is {code:?}"
        );
        refused += 1;
    }
    eprintln!("seed {seed}, {refused} calls refused of {rounds}");
    ensure!(refused > 100, "only {refused} of {rounds} calls went out");
    // And the good one still is.
    table(&mut ada, "SELECT 1 AS alive").await?;
    Ok(())
}
