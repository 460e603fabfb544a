//! Prepared statements: a handle for a statement, values bound to it, and its runs.
//!
//! ```text
//! DoAction(CreatePreparedStatement)               -> handle, schema of the rows, types of the parameters
//! DoPut(CommandPreparedStatementQuery, values)    -> the same handle; the values stay bound until others are
//! GetFlightInfo(CommandPreparedStatementQuery)    -> a ticket, as for a plain statement
//! DoPut(CommandPreparedStatementUpdate, [values]) -> rows changed
//! DoAction(ClosePreparedStatement)
//! ```
//! A handle is 128 random bits. It stays good for its user until it is closed or idle for long, on any connection: a run
//! belongs to the session that asks for it, and plans the statement again where that session sees other tables.
//! Values stay bound between calls, and are charged to the memory of the process meanwhile.
//! A statement that changes something runs in GetFlightInfo, once, and has no rows there: many clients send everything
//! that way and do not fetch what is announced to have no columns.
//! Errors: `INVALID_ARGUMENT` for handles that are none of ours, `NOT_FOUND` for those that are gone,
//! `RESOURCE_EXHAUSTED` where a session holds too many.

use std::{sync::Arc, time::Instant};

use arrow::datatypes::SchemaRef;
use arrow_flight::{
    FlightDescriptor, FlightInfo, SchemaResult,
    sql::{
        ActionCreatePreparedStatementRequest, Any, CommandPreparedStatementQuery,
        DoPutPreparedStatementResult,
    },
};
use coordinator::{Prepared, Statement};
use parking_lot::Mutex;
use prost::{Message, bytes::Bytes};
use tonic::Status;

use super::{
    handles::{Handle, Handles},
    put::{PutRows, Values},
    schema::{agreed, parameter_schema, schema_bytes, wire_schema},
    statement::{self, Caller},
    stream::ResultBody,
    tickets::Tickets,
};
use crate::status;

const RESULT_TYPE_URL: &str =
    "type.googleapis.com/arrow.flight.protocol.sql.ActionCreatePreparedStatementResult";

/// The message as of 2026; the crate's has no `is_update` yet.
#[derive(Clone, PartialEq, prost::Message)]
struct CreateResult {
    #[prost(bytes = "bytes", tag = "1")]
    handle: Bytes,
    /// Empty for statements that change something: older drivers tell them apart by it.
    #[prost(bytes = "bytes", tag = "2")]
    dataset_schema: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    parameter_schema: Bytes,
    #[prost(bool, optional, tag = "4")]
    is_update: Option<bool>,
}

/// Prepares a statement. Gives the body of the action's result.
pub(super) async fn create(
    caller: &Caller,
    request: &ActionCreatePreparedStatementRequest,
    handles: &Handles,
) -> Result<Bytes, Status> {
    statement::check(&request.query, request.transaction_id.as_ref())?;
    let statement = caller
        .session
        .statement(&request.query, caller.options())
        .await
        .map_err(|e| status::from_query(&e))?;
    keep(caller, statement, handles)
}

/// Gives a statement a handle, and the body of the result that says so.
pub(super) fn keep(
    caller: &Caller,
    statement: Statement,
    handles: &Handles,
) -> Result<Bytes, Status> {
    let settings = caller.session.settings();
    let description = statement.description();
    let (schema, dataset_schema) = match description.is_query {
        true => {
            let schema = wire_schema(&description.schema, &settings);
            let bytes = schema_bytes(&schema)?;
            (schema, bytes)
        }
        false => (Arc::new(arrow::datatypes::Schema::empty()), Bytes::new()),
    };
    let result = CreateResult {
        handle: Bytes::new(),
        dataset_schema,
        parameter_schema: schema_bytes(&parameter_schema(&description.parameters, &settings))?,
        is_update: Some(!description.is_query),
    };
    let id = handles.insert(Handle {
        session: caller.session.id().to_owned(),
        owner: caller.session.identity().clone(),
        statement: Arc::new(statement),
        schema,
        values: Mutex::new(None),
        used: Mutex::new(Instant::now()),
    })?;
    let result = CreateResult {
        handle: Bytes::copy_from_slice(id.as_bytes()),
        ..result
    };
    let any = Any {
        type_url: RESULT_TYPE_URL.into(),
        value: result.encode_to_vec().into(),
    };
    Ok(any.encode_to_vec().into())
}

/// Binds values. The answer always names the handle: some drivers use what it says unchecked.
pub(super) async fn bind(
    caller: &Caller,
    handle: &Bytes,
    rows: PutRows,
    handles: &Handles,
) -> Result<Bytes, Status> {
    let known = handles.get(caller, handle)?;
    let values = rows.values(&caller.session).await?;
    *known.values.lock() = values;
    let result = DoPutPreparedStatementResult {
        prepared_statement_handle: Some(handle.clone()),
    };
    Ok(result.encode_to_vec().into())
}

/// The statement with the values bound to it, and what its rows are announced to be.
pub(super) async fn planned(
    caller: &Caller,
    handle: &[u8],
    handles: &Handles,
) -> Result<(Prepared, SchemaRef), Status> {
    let handle = handles.get(caller, handle)?;
    let prepared = handle.prepare(caller, None).await?;
    let schema = handle.schema_of(caller, &prepared);
    Ok((prepared, schema))
}

/// Plans a query with the values bound to it, and begins one that was quick the last time; runs anything else.
pub(super) async fn info(
    caller: &Caller,
    query: &CommandPreparedStatementQuery,
    descriptor: FlightDescriptor,
    handles: &Handles,
    tickets: &Tickets,
) -> Result<FlightInfo, Status> {
    let (prepared, schema) = planned(caller, &query.prepared_statement_handle, handles).await?;
    statement::offer(caller, prepared, schema, descriptor, tickets).await
}

/// The columns of a statement's rows; runs nothing.
pub(super) fn schema(
    caller: &Caller,
    handle: &[u8],
    handles: &Handles,
) -> Result<SchemaResult, Status> {
    let handle = handles.get(caller, handle)?;
    Ok(SchemaResult {
        schema: schema_bytes(&handle.schema)?,
    })
}

/// The rows of a query, for clients that ask with the handle instead of a ticket.
pub(super) async fn fetch(
    caller: &Caller,
    handle: &[u8],
    handles: &Handles,
) -> Result<ResultBody, Status> {
    if !handles
        .get(caller, handle)?
        .statement
        .description()
        .is_query
    {
        return Err(Status::failed_precondition(
            "the prepared statement changes something and has no rows\nhint: run it with DoPut or GetFlightInfo",
        ));
    }
    let (prepared, schema) = planned(caller, handle, handles).await?;
    let answer = prepared
        .run(caller.deadline)
        .await
        .map_err(|e| status::from_query(&e))?;
    Ok(ResultBody::new(answer, schema))
}

/// Runs a statement that changes something, with the values of this call or else those bound before. Gives the rows it
/// changed.
pub(super) async fn update(
    caller: &Caller,
    handle: &[u8],
    rows: PutRows,
    handles: &Handles,
) -> Result<i64, Status> {
    let handle = handles.get(caller, handle)?;
    let description = handle.statement.description();
    if description.is_query {
        return Err(statement::gives_rows());
    }
    let values = rows.values(&caller.session).await?;
    let nothing_to_do = values
        .as_ref()
        .is_some_and(|values| values.rows.num_rows() == 0);
    if nothing_to_do && !description.parameters.is_empty() {
        return Ok(0);
    }
    let prepared = handle.prepare(caller, values).await?;
    statement::rows_changed(caller, &prepared).await
}

impl Handle {
    async fn prepare(&self, caller: &Caller, values: Option<Values>) -> Result<Prepared, Status> {
        let bound = || {
            self.values
                .lock()
                .as_ref()
                .map(|values| values.rows.clone())
        };
        let values = values.map(|values| values.rows).or_else(bound);
        let prepared = caller
            .session
            .prepare_with(&self.statement, values, caller.options());
        prepared.await.map_err(|e| status::from_query(&e))
    }

    /// What this run is announced to give: what was announced before, unless values have changed a type.
    fn schema_of(&self, caller: &Caller, prepared: &Prepared) -> SchemaRef {
        match prepared.is_query() {
            true => agreed(
                &self.schema,
                &wire_schema(&prepared.schema(), &caller.session.settings()),
            ),
            false => Arc::clone(&self.schema),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_has_the_new_field_where_new_clients_look() {
        let result = CreateResult {
            is_update: Some(true),
            ..CreateResult::default()
        };
        assert_eq!(result.encode_to_vec(), [4 << 3, 1]);
    }
}
