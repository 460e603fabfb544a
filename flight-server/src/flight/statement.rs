//! The statement path: text in, a ticket or a row count out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::{
    FlightDescriptor, FlightEndpoint, FlightInfo, SchemaResult, Ticket,
    flight_descriptor::DescriptorType,
    sql::{
        Any, Command, CommandStatementQuery, CommandStatementUpdate, ProstMessageExt,
        TicketStatementQuery,
    },
};
use coordinator::{Answer, Outcome, Prepared, QueryError, Session, StatementOptions};
use prost::Message;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{
    schema::{schema_bytes, wire_schema},
    sessions::ConnectionSession,
    stream::ResultBody,
    tickets::{Ticketed, Tickets},
};
use crate::status;

/// Longest statement text, in bytes.
pub(super) const SQL_BYTES_MAX: usize = 4 << 20;

/// Who asks, and until when they wait.
pub(super) struct Caller {
    pub(super) session: Arc<Session>,
    pub(super) client: String,
    pub(super) connection: Arc<ConnectionSession>,
    pub(super) deadline: Option<Instant>,
}

impl Caller {
    pub(super) fn options(&self) -> StatementOptions {
        StatementOptions {
            deadline: self.deadline,
            client: Some(self.client.clone()),
        }
    }
}

/// The command in a descriptor.
pub(super) fn command(descriptor: &FlightDescriptor) -> Result<Command, Status> {
    if descriptor.r#type() != DescriptorType::Cmd {
        return Err(Status::invalid_argument(
            "the descriptor is not a Flight SQL command: its type is not CMD",
        ));
    }
    let any = Any::decode(&*descriptor.cmd).map_err(|e| {
        status::bounded(
            Code::InvalidArgument,
            format!("the descriptor's command is not a protobuf Any: {e}"),
        )
    })?;
    let type_url = any.type_url.clone();
    Command::try_from(any).map_err(|e| {
        status::bounded(
            Code::InvalidArgument,
            format!("the command \"{type_url}\" cannot be decoded: {e}"),
        )
    })
}

/// Plans a query, or runs anything else at once, so that clients that never fetch still get what they asked for.
pub(super) async fn info(
    caller: &Caller,
    query: &CommandStatementQuery,
    descriptor: FlightDescriptor,
    tickets: &Tickets,
) -> Result<FlightInfo, Status> {
    let (prepared, schema) = planned(caller, query).await?;
    offer(caller, prepared, schema, descriptor, tickets).await
}

/// The statement, and what its rows are announced to be.
pub(super) async fn planned(
    caller: &Caller,
    query: &CommandStatementQuery,
) -> Result<(Prepared, SchemaRef), Status> {
    let prepared = prepare(caller, &query.query, query.transaction_id.as_ref()).await?;
    let schema = schema_for(caller, &prepared);
    Ok((prepared, schema))
}

/// A ticket for the rows of a query, or for the answer of anything else, which runs now.
pub(super) async fn offer(
    caller: &Caller,
    prepared: Prepared,
    schema: SchemaRef,
    descriptor: FlightDescriptor,
    tickets: &Tickets,
) -> Result<FlightInfo, Status> {
    let what = if prepared.streams() {
        Ticketed::Query(Arc::new(prepared))
    } else {
        Ticketed::done(run_command(caller.deadline, &prepared).await?, &schema)
    };
    ticket_for(caller, what, &schema, descriptor, tickets)
}

/// A `FlightInfo` with a new ticket.
pub(super) fn ticket_for(
    caller: &Caller,
    what: Ticketed,
    schema: &SchemaRef,
    descriptor: FlightDescriptor,
    tickets: &Tickets,
) -> Result<FlightInfo, Status> {
    let records = what.records();
    let handle = tickets.give(caller.session.identity(), what, Arc::clone(schema));
    let ticket = TicketStatementQuery {
        statement_handle: handle.as_bytes().to_vec().into(),
    };
    let ticket = Ticket::new(ticket.as_any().encode_to_vec());
    info_of(schema, ticket, descriptor, records)
}

/// A `FlightInfo` with one endpoint; `records` is -1 where their number is not known.
pub(super) fn info_of(
    schema: &Schema,
    ticket: Ticket,
    descriptor: FlightDescriptor,
    records: i64,
) -> Result<FlightInfo, Status> {
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(|e| Status::internal(format!("the schema cannot be sent: {e}")))?;
    Ok(info
        .with_descriptor(descriptor)
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
        .with_total_records(records)
        .with_total_bytes(-1))
}

/// The schema of a statement's rows; runs nothing.
pub(super) async fn schema(
    caller: &Caller,
    query: &CommandStatementQuery,
) -> Result<SchemaResult, Status> {
    let prepared = prepare(caller, &query.query, query.transaction_id.as_ref()).await?;
    let schema = schema_for(caller, &prepared);
    Ok(SchemaResult {
        schema: schema_bytes(&schema)?,
    })
}

/// Runs a statement that changes something. Gives the rows it changed.
pub(super) async fn update(
    caller: &Caller,
    update: &CommandStatementUpdate,
) -> Result<i64, Status> {
    let prepared = prepare(caller, &update.query, update.transaction_id.as_ref()).await?;
    if prepared.is_query() {
        return Err(gives_rows());
    }
    rows_changed(caller, &prepared).await
}

pub(super) fn gives_rows() -> Status {
    Status::invalid_argument("the statement gives rows\nhint: send it as a query, not as an update")
}

/// Runs a command. Gives the rows it changed, -1 where that is not known.
pub(super) async fn rows_changed(caller: &Caller, prepared: &Prepared) -> Result<i64, Status> {
    let outcome = run_command(caller.deadline, prepared).await?;
    let rows = outcome.rows_changed.and_then(|rows| rows.try_into().ok());
    Ok(rows.unwrap_or(-1))
}

/// Runs a command to its end.
pub(super) async fn run_command(
    deadline: Option<Instant>,
    prepared: &Prepared,
) -> Result<Outcome, Status> {
    let answer = prepared.run(deadline).await;
    match answer.map_err(|e| status::from_query(&e))? {
        Answer::Done(outcome) => Ok(outcome),
        Answer::Rows(_) => Err(Status::internal("a command gave a stream")),
    }
}

/// The body for a ticket of a statement.
pub(super) async fn fetch(
    caller: &Caller,
    statement: &TicketStatementQuery,
    tickets: &Arc<Tickets>,
) -> Result<ResultBody, Status> {
    let handle = Uuid::from_slice(&statement.statement_handle).map_err(|_| {
        Status::invalid_argument("the ticket's statement handle was not made by this server")
    })?;
    let redeemed = tickets.redeem(handle, caller.session.identity());
    let (what, schema) = redeemed.ok_or_else(|| {
        Status::not_found(
            "the ticket is unknown or has expired\nhint: run the query again with GetFlightInfo",
        )
    })?;
    match what {
        Ticketed::Done(outcome) => Ok(ResultBody::of_outcome(outcome, schema)),
        Ticketed::Query(prepared) => {
            let answer = prepared
                .run(caller.deadline)
                .await
                .map_err(|e| status::from_query(&e))?;
            Ok(ResultBody::new(answer, schema).redeeming(Arc::clone(tickets), handle))
        }
    }
}

async fn prepare(
    caller: &Caller,
    sql: &str,
    transaction: Option<&prost::bytes::Bytes>,
) -> Result<Prepared, Status> {
    check(sql, transaction)?;
    let prepared: Result<Prepared, QueryError> =
        caller.session.prepare(sql, caller.options()).await;
    prepared.map_err(|e| status::from_query(&e))
}

/// Refuses texts that are too long, and transactions.
pub(super) fn check(sql: &str, transaction: Option<&prost::bytes::Bytes>) -> Result<(), Status> {
    no_transaction(transaction)?;
    if sql.len() > SQL_BYTES_MAX {
        let message = format!(
            "the statement has {} bytes, more than the {SQL_BYTES_MAX} that are read",
            sql.len()
        );
        return Err(Status::invalid_argument(message));
    }
    Ok(())
}

pub(super) fn no_transaction(transaction: Option<&prost::bytes::Bytes>) -> Result<(), Status> {
    match transaction {
        Some(id) if !id.is_empty() => Err(Status::unimplemented(
            "transactions are not supported\nhint: every statement commits by itself",
        )),
        _ => Ok(()),
    }
}

pub(super) fn schema_for(caller: &Caller, prepared: &Prepared) -> SchemaRef {
    let schema: &Schema = &prepared.schema();
    wire_schema(schema, &caller.session.settings())
}

/// When the caller stops waiting, from the `grpc-timeout` header: digits and a unit.
pub(super) fn deadline(headers: &http::HeaderMap) -> Option<Instant> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    let timeout = match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    };
    Instant::now().checked_add(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_every_unit_and_nonsense_is_no_timeout() {
        let at = |text: &'static str| {
            let mut headers = http::HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_static(text));
            deadline(&headers)
        };
        for text in ["1H", "2M", "30S", "100m", "5u", "99999999n"] {
            assert!(at(text).is_some(), "{text}");
        }
        for text in ["", "S", "1", "-1S", "1h", "123456789S"] {
            assert!(at(text).is_none(), "{text}");
        }
    }
}
