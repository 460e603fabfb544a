//! Who is let in, and to what: users, passwords, tokens, certificates, over the real binary.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use arrow_flight::{
    Action, BasicAuth, CancelFlightInfoRequest, Criteria, Empty, FlightData, FlightDescriptor,
    HandshakeRequest, Ticket,
    flight_service_client::FlightServiceClient,
    sql::{
        ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
        ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
        CommandStatementQuery, ProstMessageExt,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures::TryStreamExt;
use prost::Message;
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

use crate::server::{Client, Server, said, table};

const ADA: &str = "correct horse";
const BOB: &str = "battery staple";

/// A server with the administrator ada and the user bob.
async fn with_users(data: &Path, arguments: &[&str]) -> Result<Server> {
    let server = Server::start_with(data, arguments)?;
    let mut first = server.client().await?;
    update(&mut first, &format!("CREATE USER ada PASSWORD '{ADA}'")).await?;
    let mut ada = login(&server, "ada", ADA).await?;
    update(&mut ada, &format!("CREATE USER bob PASSWORD '{BOB}'")).await?;
    Ok(server)
}

async fn login(server: &Server, user: &str, password: &str) -> Result<Client> {
    let mut client = server.client().await?;
    client
        .handshake(user, password)
        .await
        .map_err(|e| said(e.into()))?;
    Ok(client)
}

async fn with_token(server: &Server, token: &str) -> Result<Client> {
    let mut client = server.client().await?;
    client.set_token(token.to_owned());
    Ok(client)
}

async fn token(server: &Server, user: &str, password: &str) -> Result<String> {
    let client = login(server, user, password).await?;
    Ok(client
        .token()
        .context("a handshake without a token")?
        .clone())
}

async fn update(client: &mut Client, sql: &str) -> Result<i64> {
    let done = client.execute_update(sql.to_owned(), None).await;
    done.map_err(|e| said(e.into()))
}

/// Who the server says it is talking to, or why it does not.
async fn whoami(client: &mut Client) -> Result<String> {
    // The answer differs by user: only administrators see all.
    match table(client, "SHOW USERS").await {
        Ok(_) => Ok("an administrator".into()),
        Err(error) if error.to_string().contains("only an administrator") => Ok("a user".into()),
        Err(error) => Err(error),
    }
}

async fn raw(server: &Server) -> Result<FlightServiceClient<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.flight()))?;
    Ok(FlightServiceClient::new(endpoint.connect().await?))
}

fn query(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery {
        query: sql.to_owned(),
        transaction_id: None,
    };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

/// A request for the rows of `sql` with an `authorization` header.
fn authorized(sql: &str, authorization: &str) -> Result<Request<FlightDescriptor>> {
    let mut request = Request::new(query(sql));
    let value = MetadataValue::try_from(authorization)?;
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

fn refusal<T>(answer: std::result::Result<T, Status>, what: &str) -> Result<String> {
    let status = answer.err().with_context(|| format!("{what} was let in"))?;
    ensure!(status.code() == Code::Unauthenticated, "{what}: {status:?}");
    Ok(status.message().to_owned())
}

fn message<T>(answer: Result<T>, what: &str) -> Result<String> {
    let error = answer.err().with_context(|| format!("{what} was let in"))?;
    Ok(error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_users_this_machine_administers_and_credentials_are_refused() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut nobody = server.client().await?;
    ensure!(whoami(&mut nobody).await? == "an administrator");
    let error = message(login(&server, "ada", ADA).await, "a login without users")?;
    ensure!(error.contains("there are no users yet"), "{error}");
    let mut client = raw(&server).await?;
    for header in ["Basic YWRhOmFkYQ==", "Bearer abc"] {
        let answer = client
            .get_flight_info(authorized("SELECT 1", header)?)
            .await;
        let error = refusal(answer, header)?;
        ensure!(error.contains("there are no users yet"), "{error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_user_administers_and_from_then_on_everybody_says_who_they_are() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut early = server.client().await?;
    let mut prepared = early.prepare("SELECT 1".into(), None).await?;
    update(&mut early, &format!("CREATE USER ada PASSWORD '{ADA}'")).await?;
    // Also on a connection that was let in before.
    let error = message(
        table(&mut early, "SELECT 1").await,
        "a call without credentials",
    )?;
    ensure!(error.contains("no credentials"), "{error}");
    // What it had prepared it may close, and no more.
    let error = message(prepared.execute().await.map_err(Into::into), "a statement")?;
    ensure!(error.contains("no credentials"), "{error}");
    prepared.close().await?;
    let request = ActionClosePreparedStatementRequest {
        prepared_statement_handle: vec![7; 16].into(),
    };
    let action = Action {
        r#type: "ClosePreparedStatement".into(),
        body: request.as_any().encode_to_vec().into(),
    };
    let answer = raw(&server).await?.do_action(action).await;
    refusal(answer, "the close of a handle that there is not")?;
    let mut ada = login(&server, "ada", ADA).await?;
    update(&mut ada, &format!("CREATE USER bob PASSWORD '{BOB}'")).await?;
    update(&mut ada, &format!("CREATE USER eve PASSWORD '{BOB}' ADMIN")).await?;
    let users = table(&mut ada, "SHOW USERS").await?;
    for line in ["| ada  | true  |", "| bob  | false |", "| eve  | true  |"] {
        ensure!(users.contains(line), "{users}");
    }
    for (sql, text) in [
        ("CREATE USER ada PASSWORD 'long enough'", "already exists"),
        ("ALTER USER zoe PASSWORD 'long enough'", "does not exist"),
        ("DROP USER zoe", "does not exist"),
        ("CREATE USER zoe PASSWORD 'short'", "at least 8"),
        ("CREATE USER \"a:b\" PASSWORD 'long enough'", "no colon"),
        ("CREATE USER zoe", "CREATE USER name PASSWORD"),
    ] {
        let error = message(update(&mut ada, sql).await, sql)?;
        ensure!(error.contains(text), "{sql}: {error}");
    }
    update(&mut ada, "DROP USER eve").await?;
    let error = message(
        update(&mut ada, "DROP USER ada").await,
        "the end of the last administrator",
    )?;
    ensure!(error.contains("last administrator"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_administrator_keeps_to_tables() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = with_users(&data, &[]).await?;
    let (mut ada, mut bob) = (
        login(&server, "ada", ADA).await?,
        login(&server, "bob", BOB).await?,
    );
    let csv = dir.path().join("people.csv");
    std::fs::write(&csv, "name\nada\n")?;
    let csv = csv.display();
    update(
        &mut ada,
        &format!("CREATE VIEW people AS SELECT * FROM '{csv}'"),
    )
    .await?;
    update(&mut bob, "CREATE TABLE t AS SELECT 1 AS a").await?;
    ensure!(table(&mut bob, "SELECT * FROM t").await?.contains('1'));
    // What an administrator made of a file, everybody may read.
    ensure!(
        table(&mut bob, "SELECT count(*) AS c FROM people")
            .await?
            .contains('1')
    );
    let users = data.join("users");
    for sql in [
        "CREATE USER zoe PASSWORD 'long enough'".to_owned(),
        "ALTER USER ada PASSWORD 'long enough'".into(),
        "DROP USER ada".into(),
        "SHOW USERS".into(),
        "SHOW SECRETS".into(),
        "DROP SECRET s".into(),
        "CREATE SECRET s (TYPE s3)".into(),
        format!("SELECT * FROM '{csv}'"),
        format!("CREATE VIEW v AS SELECT * FROM '{csv}'"),
        format!("EXPLAIN FRAGMENTS SELECT * FROM '{csv}'"),
        format!("SELECT * FROM '{}'", users.display()),
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{csv}'"),
        format!("COPY t TO '{}'", users.join("x.json").display()),
        format!(
            "EXPLAIN ANALYZE COPY t TO '{}'",
            users.join("y.json").display()
        ),
    ] {
        let error = message(update_or_query(&mut bob, &sql).await, &sql)?;
        ensure!(
            error.contains("only an administrator is allowed"),
            "{sql}: {error}"
        );
    }
    update(&mut bob, "ALTER USER bob PASSWORD 'a new password'").await?;
    ensure!(login(&server, "bob", "a new password").await.is_ok());
    Ok(())
}

async fn update_or_query(client: &mut Client, sql: &str) -> Result<String> {
    table(client, sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_outlive_a_restart_and_end_with_their_password_and_their_user() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let mut server = with_users(&data, &[]).await?;
    let (of_ada, of_bob) = (
        token(&server, "ada", ADA).await?,
        token(&server, "bob", BOB).await?,
    );
    server.kill9()?;
    let mut server = Server::start(&data)?;
    let mut ada = with_token(&server, &of_ada).await?;
    ensure!(whoami(&mut ada).await? == "an administrator");
    ensure!(whoami(&mut with_token(&server, &of_bob).await?).await? == "a user");
    let second = token(&server, "bob", BOB).await?;
    update(&mut ada, "ALTER USER bob PASSWORD 'a new password'").await?;
    for old in [&of_bob, &second] {
        let mut bob = with_token(&server, old).await?;
        let error = message(whoami(&mut bob).await, "a token for an old password")?;
        ensure!(error.contains("no longer in use"), "{error}");
    }
    let error = message(login(&server, "bob", BOB).await, "an old password")?;
    ensure!(error.contains("wrong"), "{error}");
    let third = token(&server, "bob", "a new password").await?;
    update(&mut ada, "DROP USER bob").await?;
    update(&mut ada, "CREATE USER bob PASSWORD 'a new password'").await?;
    let error = message(
        whoami(&mut with_token(&server, &third).await?).await,
        "another bob's token",
    )?;
    ensure!(error.contains("no longer in use"), "{error}");
    // Signed by another server for a user of the same name.
    let other = with_users(&dir.path().join("other"), &[]).await?;
    let forged = token(&other, "ada", ADA).await?;
    let error = message(
        whoami(&mut with_token(&server, &forged).await?).await,
        "a foreign token",
    )?;
    ensure!(error.contains("not valid here"), "{error}");
    server.kill9()?;
    let server = Server::start_with(&data, &["--token-lifetime", "1ms"])?;
    let short = token(&server, "ada", ADA).await?;
    let error = message(
        whoami(&mut with_token(&server, &short).await?).await,
        "an expired token",
    )?;
    ensure!(error.contains("expired"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_takes_every_form_that_clients_use() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = with_users(&dir.path().join("data"), &[]).await?;
    let mut client = raw(&server).await?;
    let basic = "Basic YWRhOmNvcnJlY3QgaG9yc2U=";
    // Basic on every call, as ADBC's header option does.
    client
        .get_flight_info(authorized("SELECT 1", basic)?)
        .await?;
    let shake = |authorization: Option<&str>, payload: Vec<u8>| {
        let message = HandshakeRequest {
            protocol_version: 0,
            payload: payload.into(),
        };
        let mut request = Request::new(futures::stream::iter([message]));
        if let Some(value) = authorization.and_then(|text| MetadataValue::try_from(text).ok()) {
            request.metadata_mut().insert("authorization", value);
        }
        request
    };
    let answer = client.handshake(shake(Some(basic), Vec::new())).await?;
    let header = answer
        .metadata()
        .get("authorization")
        .context("no token in the headers")?;
    let bearer = header.to_str()?.to_owned();
    let payload = answer
        .into_inner()
        .message()
        .await?
        .context("no message")?
        .payload;
    ensure!(bearer == format!("Bearer {}", String::from_utf8(payload.to_vec())?));
    client
        .get_flight_info(authorized("SELECT 1", &bearer)?)
        .await?;
    // With a token already.
    let again = client.handshake(shake(Some(&bearer), Vec::new())).await?;
    ensure!(again.metadata().get("authorization").is_some());
    // In the payload, and back in auth-token-bin.
    let in_payload = BasicAuth {
        username: "ada".into(),
        password: ADA.into(),
    };
    let answer = client
        .handshake(shake(None, in_payload.encode_to_vec()))
        .await?;
    let payload = answer
        .into_inner()
        .message()
        .await?
        .context("no message")?
        .payload;
    let mut request = Request::new(query("SELECT 1"));
    let value = MetadataValue::from_bytes(&payload);
    request.metadata_mut().insert_bin("auth-token-bin", value);
    client.get_flight_info(request).await?;
    for (what, authorization, payload) in [
        ("nothing", None, Vec::new()),
        ("no BasicAuth", None, vec![0xff; 10]),
        ("a wrong password", Some("Basic YWRhOndyb25n"), Vec::new()),
        ("an unknown user", Some("Basic em9lOndyb25n"), Vec::new()),
        ("another scheme", Some("Digest abc"), Vec::new()),
        ("a made-up token", Some("Bearer murre.e30.AAAA"), Vec::new()),
    ] {
        refusal(client.handshake(shake(authorization, payload)).await, what)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_answered_without_an_identity() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = with_users(&dir.path().join("data"), &[]).await?;
    let mut client = raw(&server).await?;
    let data = || futures::stream::iter([FlightData::new().with_descriptor(query("SELECT 1"))]);
    let shake = futures::stream::iter([HandshakeRequest::default()]);
    refusal(client.handshake(shake).await, "Handshake")?;
    refusal(
        client.get_flight_info(query("SELECT 1")).await,
        "GetFlightInfo",
    )?;
    refusal(
        client.poll_flight_info(query("SELECT 1")).await,
        "PollFlightInfo",
    )?;
    refusal(client.get_schema(query("SELECT 1")).await, "GetSchema")?;
    refusal(client.do_get(Ticket::new("x")).await, "DoGet")?;
    refusal(client.do_put(data()).await, "DoPut")?;
    refusal(client.do_exchange(data()).await, "DoExchange")?;
    refusal(client.do_action(Action::new("x", "")).await, "DoAction")?;
    refusal(client.list_actions(Empty {}).await, "ListActions")?;
    refusal(
        client.list_flights(Criteria::default()).await,
        "ListFlights",
    )?;
    // What somebody else asked for stays theirs also when the ticket is known.
    let mut ada = login(&server, "ada", ADA).await?;
    let info = ada.execute("SELECT 1".into(), None).await?;
    let ticket = info.endpoint[0].ticket.clone().context("no ticket")?;
    refusal(client.do_get(ticket).await, "DoGet with ada's ticket")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_are_slowed_down_for_one_user_and_address() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = with_users(&dir.path().join("data"), &[]).await?;
    let mut wrong = 0;
    loop {
        let answer = login(&server, "bob", &format!("guess number {wrong}")).await;
        let error = message(answer, "a guess")?;
        if error.contains("too many failed attempts") {
            break;
        }
        wrong += 1;
        ensure!(error.contains("is wrong") && wrong < 10, "{wrong}: {error}");
    }
    ensure!(wrong >= 5, "only {wrong} guesses were free");
    // The right password has to wait as well, or else it would tell itself from the others.
    let error = message(login(&server, "bob", BOB).await, "a login during the wait")?;
    ensure!(error.contains("too many failed attempts"), "{error}");
    ensure!(login(&server, "ada", ADA).await.is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_its_user_s_alone() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = with_users(&dir.path().join("data"), &[]).await?;
    let mut client = server.client().await?;
    client.handshake("ada", ADA).await?;
    update(&mut client, "CREATE TEMPORARY TABLE hot AS SELECT 1 AS a").await?;
    ensure!(table(&mut client, "SELECT * FROM hot").await.is_ok());
    // Another user on the same connection, as behind a proxy.
    client.clear_token();
    client.handshake("bob", BOB).await?;
    let error = message(
        table(&mut client, "SELECT * FROM hot").await,
        "bob in ada's session",
    )?;
    ensure!(error.contains("does not exist"), "{error}");
    client.clear_token();
    client.handshake("ada", ADA).await?;
    ensure!(table(&mut client, "SELECT * FROM hot").await.is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_kept_nowhere_and_shown_nowhere() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let slow = ["--slow-query", "1us", "--log", "trace"];
    let server = with_users(&data, &slow).await?;
    let mut ada = login(&server, "ada", ADA).await?;
    for sql in [
        "CREATE USER zoe PASSWORD 'geheimes wort'",
        "ALTER USER zoe PASSWORD 'geheimes wort 2'",
        "CREATE USER zoe PASSWORD 'geheimes wort'",
        "CREATE USER max PASSWORD 'geheimes wort' AND MORE",
        "CREATE SECRET s (TYPE s3, KEY_ID 'k', SECRET 'geheimes wort')",
        "CREATE SECRET s (TYPE s3 'geheimes wort'",
    ] {
        if let Err(error) = update(&mut ada, sql).await {
            ensure!(!error.to_string().contains("geheim"), "{error}");
        }
    }
    ensure!(login(&server, "zoe", "geheimes wort 2").await.is_ok());
    let log = server.log()?;
    ensure!(
        log.contains("slow query") && log.contains("CREATE USER …"),
        "{log}"
    );
    let token = ada.token().context("no token")?.clone();
    let basic = BASE64.encode(format!("ada:{ADA}"));
    for line in log.lines() {
        for secret in ["geheim", ADA, &basic, &token] {
            ensure!(!line.contains(secret), "{secret} in {line}");
        }
    }
    for item in std::fs::read_dir(data.join("users"))? {
        let text = std::fs::read_to_string(item?.path())?;
        ensure!(
            text.contains("$argon2id$") && !text.contains("geheim"),
            "{text}"
        );
    }
    Ok(())
}

/// Knowing somebody's ticket or handle is not being them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_user_was_given_is_unknown_to_another() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = with_users(&dir.path().join("data"), &[]).await?;
    let mut ada = login(&server, "ada", ADA).await?;
    let mut bob = login(&server, "bob", BOB).await?;
    let info = ada.execute("SELECT 42".into(), None).await?;
    let ticket = info.endpoint.first().and_then(|end| end.ticket.clone());
    let ticket = ticket.context("no ticket")?;
    let refused = bob.do_get(ticket.clone()).await.err();
    let refused = refused.map(|e| e.to_string()).unwrap_or_default();
    ensure!(refused.contains("unknown or has expired"), "{refused}");
    let cancelled = bob
        .do_action(Request::new(Action {
            r#type: "CancelFlightInfo".into(),
            body: CancelFlightInfoRequest::new(info).encode_to_vec().into(),
        }))
        .await;
    ensure!(cancelled.is_err(), "bob stopped ada's query");
    let rows: Vec<_> = ada.do_get(ticket).await?.try_collect().await?;
    ensure!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>() == 1);

    let mut raw = raw(&server).await?;
    let mut create = Request::new(Action {
        r#type: "CreatePreparedStatement".into(),
        body: ActionCreatePreparedStatementRequest {
            query: "SELECT 42".into(),
            transaction_id: None,
        }
        .as_any()
        .encode_to_vec()
        .into(),
    });
    let by = |client: &Client| -> Result<MetadataValue<_>> {
        let token = client.token().context("a login without a token")?;
        Ok(MetadataValue::try_from(format!("Bearer {token}"))?)
    };
    create.metadata_mut().insert("authorization", by(&ada)?);
    let mut results = raw.do_action(create).await?.into_inner();
    let created = results.message().await?.context("no handle")?;
    let created: ActionCreatePreparedStatementResult = Any::decode(&*created.body)?
        .unpack()?
        .context("another message")?;
    let command = CommandPreparedStatementQuery {
        prepared_statement_handle: created.prepared_statement_handle,
    };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    for (client, code) in [(&bob, Code::NotFound), (&ada, Code::Ok)] {
        let mut run = Request::new(descriptor.clone());
        run.metadata_mut().insert("authorization", by(client)?);
        let answer = raw.get_flight_info(run).await;
        let answer = answer.map_or_else(|status| status.code(), |_| Code::Ok);
        ensure!(answer == code, "{answer:?} instead of {code:?}");
    }
    Ok(())
}
