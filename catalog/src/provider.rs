//! A managed table as DataFusion reads it: one version's files, scanned as Parquet.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{DataFusionError, Result, Statistics},
    datasource::{
        empty::EmptyTable,
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
    execution::context::SessionState,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::ExecutionPlan,
};
use url::Url;

use crate::{ManagedTable, NanSafeParquet, TableFolder};

/// One version of a managed table. Holding it keeps that version's files on disk.
#[derive(Debug)]
pub struct ManagedTableProvider {
    /// The scan over the files, or an empty table where there are none.
    files: Arc<dyn TableProvider>,
    defaults: HashMap<String, Expr>,
    _folder: Arc<TableFolder>,
}

impl ManagedTableProvider {
    /// `defaults` are the parsed `DEFAULT` expressions of `table`.
    pub fn new(
        state: &SessionState,
        table: &ManagedTable,
        folder: &Arc<TableFolder>,
        defaults: HashMap<String, Expr>,
    ) -> Result<Self> {
        let files: Arc<dyn TableProvider> = if table.files.is_empty() {
            Arc::new(EmptyTable::new(Arc::clone(&table.schema)))
        } else {
            let paths = table
                .files
                .iter()
                .map(|file| file_url(folder, &file.file))
                .collect::<Result<_>>()?;
            let format = ParquetFormat::new().with_options(state.default_table_options().parquet);
            let options = ListingOptions::new(Arc::new(NanSafeParquet::new(format)))
                .with_session_config_options(state.config())
                .with_file_extension(".parquet");
            let config = ListingTableConfig::new_with_multi_paths(paths)
                .with_listing_options(options)
                .with_schema(Arc::clone(&table.schema));
            let cache = state.runtime_env().cache_manager.get_file_statistic_cache();
            Arc::new(ListingTable::try_new(config)?.with_cache(cache))
        };
        Ok(Self {
            files,
            defaults,
            _folder: Arc::clone(folder),
        })
    }
}

fn file_url(folder: &TableFolder, file: &str) -> Result<ListingTableUrl> {
    let path = folder.path().join(file);
    let url = Url::from_file_path(&path).map_err(|()| {
        DataFusionError::Internal(format!("{} is not an absolute path", path.display()))
    })?;
    ListingTableUrl::try_new(url, None)
}

#[async_trait]
impl TableProvider for ManagedTableProvider {
    fn schema(&self) -> SchemaRef {
        self.files.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.defaults.get(column)
    }

    fn statistics(&self) -> Option<Statistics> {
        self.files.statistics()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        self.files.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.files.scan(state, projection, filters, limit).await
    }
}
