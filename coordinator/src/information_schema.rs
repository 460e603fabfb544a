//! `information_schema`: DataFusion's, with two faults mended.
//!
//! DataFusion counts columns from 0, where the SQL standard, JDBC and ADBC count from 1, and its `schemata` does not list
//! the schema itself.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use async_trait::async_trait;
use catalog::CATALOG;
use datafusion::{
    catalog::{
        CatalogProviderList, MemTable, SchemaProvider, TableProvider,
        information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider},
    },
    common::{Column, Result},
    datasource::{ViewTable, provider_as_source},
    logical_expr::{Expr, LogicalPlanBuilder, TableType, lit},
};

const COLUMNS: &str = "columns";
const SCHEMATA: &str = "schemata";

#[derive(Debug)]
pub(crate) struct InformationSchema(InformationSchemaProvider);

impl InformationSchema {
    /// About what `names` has.
    pub(crate) fn of(names: Arc<dyn CatalogProviderList>) -> Self {
        Self(InformationSchemaProvider::new(names))
    }
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        self.0.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let table = self.0.table(name).await?;
        let mended = table.map(|table| match name {
            COLUMNS => counted_from_one(table),
            SCHEMATA => with_itself(table),
            _ => Ok(table),
        });
        mended.transpose()
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::View))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.table_exist(name)
    }
}

fn scan(name: &str, table: Arc<dyn TableProvider>) -> Result<LogicalPlanBuilder> {
    LogicalPlanBuilder::scan(name, provider_as_source(table), None)
}

fn view(plan: LogicalPlanBuilder) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(ViewTable::new(plan.build()?, None)))
}

fn counted_from_one(table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    const POSITION: &str = "ordinal_position";
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| {
        let column = Expr::Column(Column::from_name(field.name()));
        match field.name().as_str() {
            POSITION => (column + lit(1_u64)).alias(POSITION),
            _ => column,
        }
    });
    view(scan(COLUMNS, table)?.project(columns)?)
}

fn with_itself(table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let schema = table.schema();
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let columns = schema
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "catalog_name" => text(CATALOG),
            "schema_name" => text(INFORMATION_SCHEMA),
            _ => new_null_array(field.data_type(), 1),
        });
    let row = RecordBatch::try_new(Arc::clone(&schema), columns.collect())?;
    let own = MemTable::try_new(schema, vec![vec![row]])?;
    let others = scan(SCHEMATA, table)?;
    view(others.union(scan(SCHEMATA, Arc::new(own))?.build()?)?)
}
