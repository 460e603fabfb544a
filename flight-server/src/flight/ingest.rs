//! CommandStatementIngest: rows of a DoPut into a table.
//!
//! Errors: `ALREADY_EXISTS` and `NOT_FOUND` where the client wants the table not to be there, or to be;
//! `INVALID_ARGUMENT` where it does not say what it wants; `UNIMPLEMENTED` for a transaction.

use arrow_flight::sql::{CommandStatementIngest, TableExistsOption, TableNotExistOption};
use catalog::CATALOG;
use coordinator::{IfExists, IngestTarget};
use datafusion::common::DataFusionError;
use futures::StreamExt;
use tonic::{Code, Status};

use super::{
    put::PutRows,
    statement::{self, Caller},
};
use crate::status;

/// Writes the rows. Gives their number.
pub(super) async fn run(
    caller: &Caller,
    command: CommandStatementIngest,
    mut rows: PutRows,
) -> Result<i64, Status> {
    statement::check("", command.transaction_id.as_ref())?;
    let target = target(command)?;
    let first = rows.next().await.transpose()?;
    let columns = rows
        .schema()
        .filter(|columns| !columns.fields().is_empty())
        .ok_or_else(|| Status::invalid_argument("the rows to ingest have no columns"))?;
    let rest = futures::stream::unfold(rows, |mut rows| async move {
        let batch = rows.next().await?;
        Some((batch, rows))
    });
    let rows = futures::stream::iter(first.map(Ok))
        .chain(rest)
        .map(|batch| batch.map_err(|e| DataFusionError::Execution(e.message().to_owned())));
    let prepared = caller
        .session
        .prepare_ingest(target, columns, rows.boxed(), caller.options());
    let prepared = prepared.await.map_err(|e| status::from_query(&e))?;
    statement::rows_changed(caller, &prepared).await
}

fn target(command: CommandStatementIngest) -> Result<IngestTarget, Status> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    if command.table.is_empty() {
        return Err(Status::invalid_argument("the ingest names no table"));
    }
    if let Some(other) = given(command.catalog).filter(|name| name != CATALOG) {
        return Err(status::bounded(
            Code::NotFound,
            format!("catalog \"{other}\" does not exist\nhint: the only catalog is \"{CATALOG}\""),
        ));
    }
    let unclear = |what: &str| Status::invalid_argument(format!("the ingest does not say {what}"));
    let options = command
        .table_definition_options
        .ok_or_else(|| unclear("what to do where the table exists, and where it does not"))?;
    let create = match options.if_not_exist() {
        TableNotExistOption::Create => true,
        TableNotExistOption::Fail => false,
        TableNotExistOption::Unspecified => {
            return Err(unclear("what to do where the table does not exist"));
        }
    };
    let if_exists = match options.if_exists() {
        TableExistsOption::Fail => IfExists::Fail,
        TableExistsOption::Append => IfExists::Append,
        TableExistsOption::Replace => IfExists::Replace,
        TableExistsOption::Unspecified => {
            return Err(unclear("what to do where the table exists"));
        }
    };
    Ok(IngestTarget {
        schema: given(command.schema),
        table: command.table,
        temporary: command.temporary,
        create,
        if_exists,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_flight::sql::TableDefinitionOptions;

    #[test]
    fn an_ingest_that_does_not_say_what_it_wants_is_refused() {
        let command = |if_not_exist: TableNotExistOption, if_exists: TableExistsOption| {
            CommandStatementIngest {
                table: "t".into(),
                table_definition_options: Some(TableDefinitionOptions {
                    if_not_exist: if_not_exist as i32,
                    if_exists: if_exists as i32,
                }),
                ..CommandStatementIngest::default()
            }
        };
        let (create, append) = (TableNotExistOption::Create, TableExistsOption::Append);
        assert!(target(command(create, append)).unwrap().create);
        for refused in [
            command(TableNotExistOption::Unspecified, append),
            command(create, TableExistsOption::Unspecified),
            CommandStatementIngest::default(),
            CommandStatementIngest {
                table: "t".into(),
                ..CommandStatementIngest::default()
            },
        ] {
            let error = target(refused).unwrap_err();
            assert_eq!(error.code(), tonic::Code::InvalidArgument, "{error}");
        }
    }
}
