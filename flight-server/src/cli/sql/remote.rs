//! A server, over Arrow Flight SQL.
//!
//! A server keeps one session per TCP connection: all requests go through one channel.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{DataType, Int64Type, Schema},
};
use arrow_flight::{
    FlightEndpoint, FlightInfo, HandshakeRequest, error::FlightError,
    flight_service_client::FlightServiceClient, sql::client::FlightSqlServiceClient,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use tonic::{
    Request,
    metadata::{MetadataMap, MetadataValue},
    transport::{Channel, Endpoint},
};

use super::{
    connection::{ResultSet, StatementError},
    login::{Credentials, LoginArgs},
    progress::Watcher,
    statements,
};

/// Statements whose answer is the number of rows they wrote. `CREATE` counts with `AS SELECT`.
const WRITES: [&str; 6] = ["INSERT", "COPY", "CREATE", "UPDATE", "DELETE", "MERGE"];

/// A session of a server.
#[derive(Debug)]
pub(crate) struct Remote {
    channel: Channel,
    /// Of the handshake, or the user's own.
    token: Option<String>,
}

impl Remote {
    /// Connects to `grpc://HOST:PORT` or `grpc+tls://HOST:PORT`, and logs in where there is something to log in with.
    pub(crate) async fn connect(url: &str, login: &LoginArgs) -> anyhow::Result<Self> {
        let address = wire_address(url)?;
        let encrypted = address.starts_with("https://");
        let mut endpoint = Endpoint::from_shared(address)
            .with_context(|| format!("\"{url}\" is not an address of a server"))?
            .connect_timeout(Duration::from_secs(10))
            .http2_adaptive_window(true)
            .user_agent(concat!("murre-sql/", env!("CARGO_PKG_VERSION")))?;
        if encrypted {
            endpoint = endpoint.tls_config(login.tls()?)?;
        }
        let channel = endpoint
            .connect()
            .await
            .with_context(|| format!("cannot connect to {url}"))?;
        let mut remote = Self {
            channel,
            token: None,
        };
        remote.log_in(login.credentials()?).await?;
        Ok(remote)
    }

    async fn log_in(&mut self, credentials: Credentials) -> anyhow::Result<()> {
        self.token = match credentials {
            Credentials::Nothing => None,
            Credentials::Token(token) => Some(token),
            Credentials::Password { user, password } => {
                // By hand: the client's own handshake puts its words around what the server says.
                let mut request = Request::new(stream::iter([HandshakeRequest::default()]));
                let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
                let headers = request.metadata_mut();
                headers.insert("authorization", MetadataValue::try_from(basic)?);
                let mut client = self.client().into_inner();
                let answer = client.handshake(request).await;
                let answer = answer.map_err(StatementError::from)?;
                bearer(answer.metadata())
            }
        };
        Ok(())
    }

    fn client(&self) -> FlightSqlServiceClient<Channel> {
        // The server decides how large its batches are.
        let inner =
            FlightServiceClient::new(self.channel.clone()).max_decoding_message_size(usize::MAX);
        let mut client = FlightSqlServiceClient::new_from_inner(inner);
        if let Some(token) = &self.token {
            client.set_token(token.clone());
        }
        client
    }

    /// Runs one statement. The server has run all but queries when it answers.
    pub(crate) async fn execute(&self, sql: &str) -> Result<ResultSet, StatementError> {
        let info = self.client().execute(sql.to_owned(), None).await?;
        let schema = Arc::new(schema_of(&info)?);
        let mut batches = rows(self.client(), info.endpoint);
        let rows_changed = match is_count(sql, &schema) {
            true => {
                let count = batches
                    .try_next()
                    .await?
                    .and_then(|batch| first_count(&batch));
                batches = stream::empty().boxed();
                Some(count.unwrap_or(0))
            }
            false => schema.fields().is_empty().then_some(0),
        };
        Ok(ResultSet {
            schema,
            batches,
            rows_changed,
        })
    }

    pub(crate) fn watcher(&self) -> Watcher {
        Watcher::Remote(Self {
            channel: self.channel.clone(),
            token: self.token.clone(),
        })
    }
}

/// The token in an answer's headers.
fn bearer(headers: &MetadataMap) -> Option<String> {
    let value = headers.get("authorization")?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::to_owned)
}

/// The address to dial for one that a user writes.
fn wire_address(url: &str) -> anyhow::Result<String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("grpc", url));
    match scheme {
        "grpc" | "grpc+tcp" | "http" => Ok(format!("http://{rest}")),
        "grpc+tls" | "grpcs" | "https" => Ok(format!("https://{rest}")),
        other => bail!("unknown scheme \"{other}\" in {url}: write grpc://HOST:PORT"),
    }
}

fn schema_of(info: &FlightInfo) -> Result<Schema, FlightError> {
    if info.schema.is_empty() {
        return Ok(Schema::empty());
    }
    Ok(info.clone().try_decode_schema()?)
}

/// Rows of all endpoints, one after the other.
fn rows(
    client: FlightSqlServiceClient<Channel>,
    endpoints: Vec<FlightEndpoint>,
) -> BoxStream<'static, Result<RecordBatch, StatementError>> {
    stream::iter(endpoints)
        .then(move |endpoint| {
            let mut client = client.clone();
            async move {
                let missing = || FlightError::protocol("an endpoint without a ticket");
                client.do_get(endpoint.ticket.ok_or_else(missing)?).await
            }
        })
        .try_flatten()
        .map_err(StatementError::from)
        .boxed()
}

/// Whether the answer is a count of written rows. `SELECT count(*) AS count` has the same columns.
fn is_count(sql: &str, schema: &Schema) -> bool {
    let count = |field: &arrow::datatypes::FieldRef| {
        field.name() == "count" && *field.data_type() == DataType::Int64
    };
    let writes = || {
        let word = statements::first_word(sql);
        WRITES.iter().any(|write| {
            word.as_deref()
                .is_some_and(|word| word.eq_ignore_ascii_case(write))
        })
    };
    schema.fields().len() == 1 && schema.fields().iter().all(count) && writes()
}

fn first_count(batch: &RecordBatch) -> Option<u64> {
    let counts = batch.column(0).as_primitive_opt::<Int64Type>()?;
    counts
        .values()
        .first()
        .and_then(|count| (*count).try_into().ok())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn addresses_are_dialled_over_http() {
        for url in ["grpc://h:1", "grpc+tcp://h:1", "http://h:1", "h:1"] {
            assert_eq!(wire_address(url).expect("an address"), "http://h:1");
        }
        for url in ["grpc+tls://h:1", "grpcs://h:1", "https://h:1"] {
            assert_eq!(wire_address(url).expect("an address"), "https://h:1");
        }
        assert!(wire_address("ftp://h:1").is_err());
    }

    #[test]
    fn a_query_for_a_count_is_a_query() {
        let schema = Schema::new(vec![Field::new("count", DataType::Int64, false)]);
        assert!(!is_count("SELECT count(*) AS count FROM t", &schema));
        assert!(is_count("-- note\ninsert INTO t VALUES (1)", &schema));
        assert!(!is_count("INSERT INTO t VALUES (1)", &Schema::empty()));
    }
}
