//! Substrait plans: the same ways as SQL, with a plan in the place of the text.

use arrow::datatypes::SchemaRef;
use arrow_flight::{
    FlightDescriptor, FlightInfo, SchemaResult,
    sql::{
        ActionCreatePreparedSubstraitPlanRequest, CommandStatementSubstraitPlan,
        SubstraitPlan as Message,
    },
};
use coordinator::{Prepared, SubstraitPlan};
use prost::bytes::Bytes;
use tonic::Status;

use super::{
    handles::Handles,
    prepared,
    schema::schema_bytes,
    statement::{self, Caller, SQL_BYTES_MAX},
    tickets::Tickets,
};
use crate::status;

/// Plans a query.
pub(super) async fn info(
    caller: &Caller,
    command: &CommandStatementSubstraitPlan,
    descriptor: FlightDescriptor,
    tickets: &Tickets,
) -> Result<FlightInfo, Status> {
    let (prepared, schema) = planned(caller, command).await?;
    statement::offer(caller, prepared, schema, descriptor, tickets).await
}

/// The query of a plan, and what its rows are announced to be.
pub(super) async fn planned(
    caller: &Caller,
    command: &CommandStatementSubstraitPlan,
) -> Result<(Prepared, SchemaRef), Status> {
    let plan = accept(command.plan.as_ref(), command.transaction_id.as_ref())?;
    let prepared = caller.session.prepare_plan(plan, caller.options()).await;
    let prepared = prepared.map_err(|e| status::from_query(&e))?;
    let schema = statement::schema_for(caller, &prepared);
    Ok((prepared, schema))
}

/// The columns of a plan's rows; runs nothing.
pub(super) async fn schema(
    caller: &Caller,
    command: &CommandStatementSubstraitPlan,
) -> Result<SchemaResult, Status> {
    let (_, schema) = planned(caller, command).await?;
    Ok(SchemaResult {
        schema: schema_bytes(&schema)?,
    })
}

/// Plans are queries, and an update that is one is refused as with SQL.
pub(super) async fn update(
    caller: &Caller,
    command: &CommandStatementSubstraitPlan,
) -> Result<i64, Status> {
    let (prepared, _) = planned(caller, command).await?;
    statement::rows_changed(caller, &prepared).await
}

/// Prepares a plan. Gives the body of the action's result.
pub(super) async fn create(
    caller: &Caller,
    request: &ActionCreatePreparedSubstraitPlanRequest,
    handles: &Handles,
) -> Result<Bytes, Status> {
    let plan = accept(request.plan.as_ref(), request.transaction_id.as_ref())?;
    let statement = caller.session.statement_of_plan(plan, caller.options());
    let statement = statement.await.map_err(|e| status::from_query(&e))?;
    prepared::keep(caller, statement, handles)
}

fn accept(plan: Option<&Message>, transaction: Option<&Bytes>) -> Result<SubstraitPlan, Status> {
    statement::no_transaction(transaction)?;
    let plan = plan.ok_or_else(|| Status::invalid_argument("the request has no Substrait plan"))?;
    if plan.plan.len() > SQL_BYTES_MAX {
        return Err(Status::invalid_argument(format!(
            "the Substrait plan has {} bytes, more than the {SQL_BYTES_MAX} that are read",
            plan.plan.len()
        )));
    }
    Ok(SubstraitPlan {
        bytes: plan.plan.clone(),
        version: plan.version.clone(),
    })
}
