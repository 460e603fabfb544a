//! Schemas and tables, with the columns as a SELECT would send them.

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema},
};
use arrow_flight::{
    error::Result,
    sql::{
        CommandGetDbSchemas, CommandGetTables,
        metadata::{GetDbSchemasBuilder, GetTablesBuilder},
    },
};
use catalog::CATALOG;
use coordinator::{MurreSettings, RelationEntry};
use datafusion::logical_expr::TableType;
use tonic::Status;

use super::{failed, pattern::matches, type_info};
use crate::{
    flight::{schema::wire_schema, statement::Caller},
    status,
};

/// What a relation can be, in order. The names are those of JDBC, which tools ask for by name; `information_schema`
/// says BASE TABLE for TABLE.
pub(super) const KINDS: [&str; 3] = ["LOCAL TEMPORARY", "TABLE", "VIEW"];

fn kind_name(kind: TableType) -> &'static str {
    match kind {
        TableType::Base => "TABLE",
        TableType::View => "VIEW",
        TableType::Temporary => "LOCAL TEMPORARY",
    }
}

/// Whether the catalog asked for is ours. An empty text asks for what has no catalog, of which there is none.
fn has_catalog(wanted: Option<&str>) -> bool {
    wanted.is_none_or(|name| name == CATALOG)
}

pub(super) fn schemas(caller: &Caller, wanted: &CommandGetDbSchemas) -> Result<RecordBatch> {
    let mut builder = GetDbSchemasBuilder::new(None::<String>, None::<String>);
    if has_catalog(wanted.catalog.as_deref()) {
        let pattern = wanted.db_schema_filter_pattern.as_deref();
        for schema in caller.session.schemas() {
            if matches(pattern, &schema) {
                builder.append(CATALOG, schema);
            }
        }
    }
    builder.build()
}

pub(super) async fn tables(
    caller: &Caller,
    wanted: CommandGetTables,
) -> std::result::Result<RecordBatch, Status> {
    let include_schema = wanted.include_schema;
    let none = Vec::<String>::new();
    let mut builder = GetTablesBuilder::new(
        None::<String>,
        None::<String>,
        None::<String>,
        none,
        include_schema,
    );
    if has_catalog(wanted.catalog.as_deref()) {
        let accepts = move |schema: &str, name: &str, kind: TableType| {
            let asked = |text: &String| {
                text == kind_name(kind) || (text == "BASE TABLE" && kind == TableType::Base)
            };
            matches(wanted.db_schema_filter_pattern.as_deref(), schema)
                && matches(wanted.table_name_filter_pattern.as_deref(), name)
                && (wanted.table_types.is_empty() || wanted.table_types.iter().any(asked))
        };
        let relations = caller
            .session
            .relations(accepts, include_schema, caller.options());
        let settings = caller.session.settings();
        for relation in relations.await.map_err(|e| status::from_query(&e))? {
            let columns = described(&relation, &settings);
            let kind = kind_name(relation.kind);
            builder
                .append(CATALOG, relation.schema, relation.name, kind, &columns)
                .map_err(|e| failed(&e))?;
        }
    }
    builder.build().map_err(|e| failed(&e))
}

/// The columns as the client sees them, with what Flight SQL says about columns in their metadata.
fn described(relation: &RelationEntry, settings: &MurreSettings) -> Schema {
    let wire = wire_schema(&relation.columns, settings);
    let fields = wire.fields().iter().map(|field| {
        let about = |key: &str, value: String| (format!("ARROW:FLIGHT:SQL:{key}"), value);
        let flag = |is: bool| String::from(if is { "1" } else { "0" });
        let mut metadata = vec![
            about("CATALOG_NAME", CATALOG.into()),
            about("SCHEMA_NAME", relation.schema.clone()),
            about("TABLE_NAME", relation.name.clone()),
            about("TYPE_NAME", type_info::name(field.data_type())),
            about("IS_AUTO_INCREMENT", flag(false)),
            about("IS_CASE_SENSITIVE", flag(is_text(field.data_type()))),
            about("IS_READ_ONLY", flag(relation.kind == TableType::View)),
            about("IS_SEARCHABLE", flag(true)),
        ];
        let (precision, scale) = type_info::precision_and_scale(field.data_type());
        metadata.extend(precision.map(|digits| about("PRECISION", digits.to_string())));
        metadata.extend(scale.map(|digits| about("SCALE", digits.to_string())));
        Field::clone(field).with_metadata(metadata.into_iter().collect())
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}
