//! Plans of DataFusion's that are commands: definitions, INSERT, settings.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use catalog::{CatalogError, TableName};
use datafusion::{
    common::{DataFusionError, SchemaReference, TableReference},
    logical_expr::{
        self as expr, DdlStatement, DmlStatement, LogicalPlan, TableType, WriteOp, dml::InsertOp,
    },
    sql::unparser::expr_to_sql,
};

use super::names::{check_catalog, check_new_name, schema_name, stored_name};
use crate::{
    QueryContext, QueryError,
    command::{Command, CreateTable, Insert, Target},
};

pub(super) fn definition(
    ctx: &QueryContext,
    ddl: DdlStatement,
    temporary: bool,
) -> Result<Command, QueryError> {
    match ddl {
        DdlStatement::CreateMemoryTable(table) => {
            if !table.constraints.is_empty() {
                return Err(unenforced());
            }
            let name = new_name(ctx, &table.name)?;
            let declared = matches!(&*table.input, LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row);
            // Only the analyser settles the types of a UNION's columns.
            let input = ctx
                .state
                .analyzer()
                .execute_and_check(
                    table.input.as_ref().clone(),
                    ctx.state.config_options(),
                    |_, _| {},
                )
                .map_err(|e| QueryError::planning(ctx.id(), e))?;
            let schema = table_schema(input.schema().as_arrow(), declared)?;
            let mut defaults = Vec::new();
            for (column, default) in &table.column_defaults {
                let sql = expr_to_sql(default).map_err(|e| QueryError::planning(ctx.id(), e))?;
                defaults.push((column.clone(), sql.to_string()));
            }
            Ok(Command::CreateTable(CreateTable {
                name,
                schema,
                defaults,
                rows: (!declared).then(|| Box::new(Arc::unwrap_or_clone(table.input))),
                or_replace: table.or_replace,
                if_not_exists: table.if_not_exists,
                temporary,
            }))
        }
        DdlStatement::CreateExternalTable(table) => {
            if !table.constraints.is_empty() {
                return Err(unenforced());
            }
            if table.unbounded {
                return Err(QueryError::Unsupported {
                    what: "an UNBOUNDED external table".into(),
                    hint: None,
                });
            }
            Ok(Command::CreateExternalTable {
                name: new_name(ctx, &table.name)?,
                table: Box::new(table),
            })
        }
        DdlStatement::CreateView(view) => {
            if view.temporary {
                return Err(QueryError::Unsupported {
                    what: "a TEMPORARY VIEW".into(),
                    hint: None,
                });
            }
            Ok(Command::CreateView {
                name: new_name(ctx, &view.name)?,
                or_replace: view.or_replace,
            })
        }
        DdlStatement::CreateCatalogSchema(schema) => Ok(Command::CreateSchema {
            schema: schema_name(&schema.schema_name)?,
            if_not_exists: schema.if_not_exists,
        }),
        DdlStatement::DropCatalogSchema(drop) => {
            let schema = match drop.name {
                SchemaReference::Bare { schema } => schema.to_string(),
                SchemaReference::Full { schema, catalog } => {
                    check_catalog(&catalog)?;
                    schema.to_string()
                }
            };
            Ok(Command::DropSchema {
                schema,
                if_exists: drop.if_exists,
                cascade: drop.cascade,
            })
        }
        DdlStatement::DropTable(drop) => Ok(Command::Drop {
            name: stored_name(ctx, &drop.name)?,
            views: false,
            if_exists: drop.if_exists,
        }),
        DdlStatement::DropView(drop) => Ok(Command::Drop {
            name: stored_name(ctx, &drop.name)?,
            views: true,
            if_exists: drop.if_exists,
        }),
        other => Err(QueryError::Unsupported {
            what: other.name().to_owned(),
            hint: None,
        }),
    }
}

/// The full name of a relation to be made.
fn new_name(ctx: &QueryContext, name: &TableReference) -> Result<TableName, QueryError> {
    let name = stored_name(ctx, name)?;
    check_new_name(&name)?;
    Ok(name)
}

/// DataFusion's optimiser believes declared keys: one that does not hold gives wrong answers.
fn unenforced() -> QueryError {
    QueryError::Unsupported {
        what: "a PRIMARY KEY or UNIQUE constraint".into(),
        hint: Some("constraints other than NOT NULL are not enforced: leave them out"),
    }
}

pub(super) fn insert(ctx: &QueryContext, dml: DmlStatement) -> Result<Command, QueryError> {
    let overwrite = match dml.op {
        WriteOp::Insert(InsertOp::Append) => false,
        WriteOp::Insert(InsertOp::Overwrite) => true,
        other => {
            return Err(QueryError::Unsupported {
                what: other.name().to_owned(),
                hint: None,
            });
        }
    };
    let name = stored_name(ctx, &dml.table_name)?;
    let target = match dml.target.table_type() {
        _ if ctx.has_temporary(&name) => Target::Temporary,
        TableType::Base | TableType::Temporary => Target::Stored,
        TableType::View => {
            return Err(CatalogError::WrongKind {
                name,
                is: "a view",
                wanted: "a table that can be written to",
            }
            .into());
        }
    };
    Ok(Command::Insert(Insert {
        name,
        target,
        rows: Box::new(Arc::unwrap_or_clone(dml.input)),
        overwrite,
    }))
}

pub(super) fn setting(statement: expr::Statement) -> Result<Command, QueryError> {
    match statement {
        expr::Statement::SetVariable(set) => Ok(Command::Set {
            name: set.variable,
            value: Some(set.value),
        }),
        expr::Statement::ResetVariable(reset) => Ok(Command::Set {
            name: reset.variable,
            value: None,
        }),
        other => Err(QueryError::Unsupported {
            what: other.name().to_owned(),
            hint: None,
        }),
    }
}

/// Columns of a new table. Declared columns keep their `NOT NULL`; columns of a query become nullable, as elsewhere,
/// and lose what belongs to the query's plan only: dictionary encoding and metadata.
pub(crate) fn table_schema(schema: &Schema, declared: bool) -> Result<SchemaRef, QueryError> {
    let mut fields: Vec<Field> = Vec::new();
    for field in schema.fields() {
        if fields.iter().any(|known| known.name() == field.name()) {
            let text = format!(
                "duplicate column \"{}\"; give one of them another name with AS",
                field.name()
            );
            return Err(QueryError::Plan {
                source: DataFusionError::Plan(text),
            });
        }
        let data_type = match field.data_type() {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        fields.push(Field::new(
            field.name(),
            data_type,
            field.is_nullable() || !declared,
        ));
    }
    if fields.is_empty() {
        return Err(QueryError::Plan {
            source: DataFusionError::Plan("a table needs at least one column".into()),
        });
    }
    Ok(Arc::new(Schema::new(fields)))
}
