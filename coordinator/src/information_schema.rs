//! `information_schema`: DataFusion's, with three faults mended.
//!
//! DataFusion counts columns from 0, where the SQL standard, JDBC and ADBC count from 1, and its `schemata` does not list
//! the schema itself. It opens all relations, and one that cannot be opened would hide the columns of all others: that one
//! has the columns that are known without opening it ([`Names::for_lists`]).

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use async_trait::async_trait;
use catalog::CATALOG;
use datafusion::{
    catalog::{
        MemTable, SchemaProvider, TableProvider,
        information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider},
    },
    common::{Column, Result},
    datasource::{ViewTable, provider_as_source},
    logical_expr::{Expr, LogicalPlanBuilder, TableType, lit},
};

use crate::names::Names;

const COLUMNS: &str = "columns";
const SCHEMATA: &str = "schemata";

#[derive(Debug)]
pub(crate) struct InformationSchema(InformationSchemaProvider);

impl InformationSchema {
    /// About what `names` has.
    pub(crate) fn of(names: &Names) -> Self {
        Self(InformationSchemaProvider::new(Arc::new(names.for_lists())))
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

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use crate::{
        Identity,
        drive::tests::{engine, run},
    };

    #[tokio::test]
    async fn a_relation_that_cannot_be_opened_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = engine.session();
        let path = |name: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, "a,b\n1,2\n").unwrap();
            path.display().to_string()
        };
        let (seen, listed) = (path("seen.csv"), path("listed.csv"));
        for sql in [
            format!("CREATE VIEW broken AS SELECT * FROM '{seen}'"),
            format!("CREATE EXTERNAL TABLE gone STORED AS CSV LOCATION '{listed}'"),
            "CREATE TABLE whole (x INT)".into(),
            "CREATE VIEW above AS SELECT a FROM broken".into(),
        ] {
            run(&session, &sql).await.unwrap();
        }
        std::fs::remove_file(seen).unwrap();
        std::fs::remove_file(listed).unwrap();
        assert!(run(&session, "SELECT * FROM broken").await.is_err());
        let bob = engine.session_of(Identity {
            name: Some("bob".into()),
            user: None,
            admin: false,
        });
        for session in [session, bob] {
            let shown = async |sql: &str| {
                let rows = run(&session, sql).await.unwrap();
                pretty_format_batches(&rows).unwrap().to_string()
            };
            let columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'";
            let columns = shown(columns).await;
            for column in ["whole      | x", "gone       | a", "gone       | b"] {
                assert!(columns.contains(column), "{columns}");
            }
            assert!(!columns.contains("broken"), "{columns}");
            let tables = shown("SELECT table_name FROM information_schema.tables").await;
            let views = shown("SELECT table_name, definition FROM information_schema.views").await;
            for name in ["above", "broken"] {
                assert!(
                    tables.contains(name) && views.contains(name),
                    "{tables}\n{views}"
                );
            }
            assert!(views.contains("CREATE VIEW broken"), "{views}");
        }
    }
}
