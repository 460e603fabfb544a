//! Metadata commands: what tools ask to show a tree of tables, and drivers to know what the server can do.
//!
//! The ticket of such a command is the command itself, so nothing is kept between GetFlightInfo and DoGet.
//! Schemas are those of the specification, nullability included: clients compare them. There are no keys, as
//! constraints are not kept; keys commands answer without rows.

mod keys;
mod pattern;
mod sql_info;
mod tables;
mod type_info;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::{
    FlightDescriptor, FlightInfo, SchemaResult, Ticket,
    error::FlightError,
    sql::{Command, CommandGetCatalogs, CommandGetTableTypes},
};
use catalog::CATALOG;
use coordinator::Outcome;
use prost::Message;
use tonic::Status;

use super::{
    limits::FlightLimits,
    schema::schema_bytes,
    statement::{self, Caller},
    stream::ResultBody,
};

/// The columns of the answer; `None` for commands that are not of this kind.
pub(super) fn columns(command: &Command) -> Option<SchemaRef> {
    Some(match command {
        Command::CommandGetCatalogs(_) => CommandGetCatalogs {}.into_builder().schema(),
        Command::CommandGetDbSchemas(wanted) => wanted.clone().into_builder().schema(),
        Command::CommandGetTables(wanted) => wanted.clone().into_builder().schema(),
        Command::CommandGetTableTypes(_) => CommandGetTableTypes {}.into_builder().schema(),
        Command::CommandGetPrimaryKeys(_) => keys::primary(),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => keys::foreign(),
        Command::CommandGetSqlInfo(_) => sql_info::columns(),
        Command::CommandGetXdbcTypeInfo(_) => type_info::all().schema(),
        _ => return None,
    })
}

/// A `FlightInfo` whose ticket is the command.
pub(super) fn info(
    command: &Command,
    columns: &SchemaRef,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    let ticket = Ticket::new(command.clone().into_any().encode_to_vec());
    statement::info_of(columns, ticket, descriptor, -1)
}

pub(super) fn schema(columns: &SchemaRef) -> Result<SchemaResult, Status> {
    Ok(SchemaResult {
        schema: schema_bytes(columns)?,
    })
}

/// The body of the answer.
pub(super) async fn fetch(
    caller: &Caller,
    command: Command,
    columns: SchemaRef,
    limits: &FlightLimits,
) -> Result<ResultBody, Status> {
    let rows = rows(caller, command, &columns, limits).await?;
    let outcome = Outcome {
        schema: SchemaRef::clone(&columns),
        batches: vec![rows],
        rows_changed: None,
    };
    Ok(ResultBody::of_outcome(outcome.into(), columns))
}

async fn rows(
    caller: &Caller,
    command: Command,
    columns: &SchemaRef,
    limits: &FlightLimits,
) -> Result<RecordBatch, Status> {
    let built = match command {
        Command::CommandGetCatalogs(wanted) => {
            let mut builder = wanted.into_builder();
            builder.append(CATALOG);
            builder.build()
        }
        Command::CommandGetDbSchemas(wanted) => tables::schemas(caller, &wanted),
        Command::CommandGetTables(wanted) => return tables::tables(caller, wanted).await,
        Command::CommandGetTableTypes(wanted) => {
            let mut builder = wanted.into_builder();
            tables::KINDS.iter().for_each(|kind| builder.append(kind));
            builder.build()
        }
        Command::CommandGetSqlInfo(wanted) => sql_info::rows(caller, wanted, limits),
        Command::CommandGetXdbcTypeInfo(wanted) => type_info::all().record_batch(wanted.data_type),
        _ => Ok(RecordBatch::new_empty(SchemaRef::clone(columns))),
    };
    built.map_err(|e| failed(&e))
}

fn failed(error: &FlightError) -> Status {
    Status::internal(format!("the metadata cannot be built: {error}"))
}
