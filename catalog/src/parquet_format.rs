//! Parquet as Murre scans it: without believing what a file says about the range of a floating-point column.
//!
//! The bounds of a column chunk or page leave NaN out (parquet-format, `Statistics.min_value`), while in SQL NaN is
//! the greatest value and equals itself. A scan that skips by such bounds loses the NaN rows of `v > 5`, so the bounds
//! of float columns are removed wherever DataFusion looks: file statistics, row groups and pages. Null counts stay.

use std::{collections::HashMap, ops::Range, panic::AssertUnwindSafe, path::Path, sync::Arc};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::{
    catalog::Session,
    common::{DataFusionError, GetExt, Result, Statistics, stats::Precision},
    datasource::{
        file_format::{
            FileFormat, FileFormatFactory, FileMeta,
            file_compression_type::FileCompressionType,
            parquet::{ParquetFormat, ParquetFormatFactory},
        },
        listing::PartitionedFile,
        physical_plan::{
            FileScanConfig, FileScanConfigBuilder, FileSinkConfig, FileSource,
            ParquetFileReaderFactory, ParquetSource,
        },
        source::DataSourceExec,
        table_schema::TableSchema,
    },
    physical_expr::{LexOrdering, LexRequirement},
    physical_plan::{ExecutionPlan, metrics::ExecutionPlanMetricsSet},
};
use futures::{FutureExt, future::BoxFuture};
use object_store::{ObjectMeta, ObjectStore};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    basic::{LogicalType, Type},
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        page_index::column_index::ColumnIndexMetaData,
        statistics::Statistics as ChunkStatistics,
    },
    schema::types::ColumnDescriptor,
};

use crate::CatalogError;

/// Makes [`NanSafeParquet`] of the options of a session and a statement.
#[derive(Debug, Default)]
pub struct NanSafeParquetFactory(ParquetFormatFactory);

impl FileFormatFactory for NanSafeParquetFactory {
    fn create(
        &self,
        state: &dyn Session,
        options: &HashMap<String, String>,
    ) -> Result<Arc<dyn FileFormat>> {
        Ok(Arc::new(NanSafeParquet(self.0.create(state, options)?)))
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        Arc::new(NanSafeParquet(Arc::new(ParquetFormat::new())))
    }
}

impl GetExt for NanSafeParquetFactory {
    fn get_ext(&self) -> String {
        self.0.get_ext()
    }
}

/// DataFusion's Parquet format, with the bounds of float columns taken out.
#[derive(Debug)]
pub struct NanSafeParquet(Arc<dyn FileFormat>);

impl NanSafeParquet {
    pub fn new(format: ParquetFormat) -> Self {
        Self(Arc::new(format))
    }
}

#[async_trait]
impl FileFormat for NanSafeParquet {
    fn get_ext(&self) -> String {
        self.0.get_ext()
    }

    fn get_ext_with_compression(&self, compression: &FileCompressionType) -> Result<String> {
        self.0.get_ext_with_compression(compression)
    }

    fn compression_type(&self) -> Option<FileCompressionType> {
        self.0.compression_type()
    }

    async fn infer_schema(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        objects: &[ObjectMeta],
    ) -> Result<SchemaRef> {
        self.0.infer_schema(state, store, objects).await
    }

    async fn infer_stats(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Statistics> {
        let read = self
            .0
            .infer_stats(state, store, Arc::clone(&schema), object);
        let mut statistics = naming(object, read).await?;
        forget_file_bounds(&mut statistics, &schema);
        Ok(statistics)
    }

    async fn infer_ordering(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Option<LexOrdering>> {
        naming(object, self.0.infer_ordering(state, store, schema, object)).await
    }

    async fn infer_stats_and_ordering(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<FileMeta> {
        let read = self
            .0
            .infer_stats_and_ordering(state, store, Arc::clone(&schema), object);
        let mut meta = naming(object, read).await?;
        forget_file_bounds(&mut meta.statistics, &schema);
        Ok(meta)
    }

    async fn create_physical_plan(
        &self,
        state: &dyn Session,
        config: FileScanConfig,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let any_float = has_floats(config.file_schema());
        let plan = self.0.create_physical_plan(state, config).await?;
        Ok(match any_float.then(|| nan_safe_scan(&plan)).flatten() {
            Some(scan) => scan,
            None => plan,
        })
    }

    async fn create_writer_physical_plan(
        &self,
        input: Arc<dyn ExecutionPlan>,
        state: &dyn Session,
        config: FileSinkConfig,
        order: Option<LexRequirement>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.0
            .create_writer_physical_plan(input, state, config, order)
            .await
    }

    fn file_source(&self, schema: TableSchema) -> Arc<dyn FileSource> {
        self.0.file_source(schema)
    }
}

/// What reading the footer of `object` gives; a damaged one is named, also where the reader of arrow-rs 58 panics.
async fn naming<T>(object: &ObjectMeta, read: impl Future<Output = Result<T>>) -> Result<T> {
    let detail = match AssertUnwindSafe(read).catch_unwind().await {
        Ok(Err(error)) => match error.find_root() {
            DataFusionError::ParquetError(error) => error.to_string(),
            _ => return Err(error),
        },
        Ok(read) => return read,
        Err(_) => "the footer makes no sense".to_owned(),
    };
    let path = Path::new("/").join(object.location.as_ref());
    Err(DataFusionError::External(Box::new(CatalogError::Damaged {
        path,
        detail,
    })))
}

pub(crate) fn has_floats(schema: &Schema) -> bool {
    schema
        .fields()
        .iter()
        .any(|field| field.data_type().is_floating())
}

fn forget_file_bounds(statistics: &mut Statistics, schema: &Schema) {
    for (field, column) in schema
        .fields()
        .iter()
        .zip(&mut statistics.column_statistics)
    {
        if field.data_type().is_floating() {
            column.min_value = Precision::Absent;
            column.max_value = Precision::Absent;
        }
    }
}

/// The same scan with its footers read through [`NanSafeReader`].
pub(crate) fn nan_safe_scan(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let config = plan
        .downcast_ref::<DataSourceExec>()?
        .data_source()
        .downcast_ref::<FileScanConfig>()?;
    let source = config.file_source().downcast_ref::<ParquetSource>()?;
    let readers = Arc::clone(source.parquet_file_reader_factory()?);
    let source = source
        .clone()
        .with_parquet_file_reader_factory(Arc::new(NanSafeReaders(readers)));
    let config = FileScanConfigBuilder::from(config.clone())
        .with_source(Arc::new(source))
        .build();
    Some(DataSourceExec::from_data_source(config))
}

#[derive(Debug)]
struct NanSafeReaders(Arc<dyn ParquetFileReaderFactory>);

impl ParquetFileReaderFactory for NanSafeReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let reader = self
            .0
            .create_reader(partition, file, metadata_size_hint, metrics)?;
        Ok(Box::new(NanSafeReader(reader)))
    }
}

struct NanSafeReader(Box<dyn AsyncFileReader + Send>);

impl AsyncFileReader for NanSafeReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        self.0.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        self.0.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move { forget_chunk_bounds(self.0.get_metadata(options).await?) }.boxed()
    }
}

/// `metadata` without the bounds of its float columns, in chunk statistics and page index.
fn forget_chunk_bounds(
    metadata: Arc<ParquetMetaData>,
) -> Result<Arc<ParquetMetaData>, ParquetError> {
    let floats: Vec<bool> = metadata
        .file_metadata()
        .schema_descr()
        .columns()
        .iter()
        .map(|column| is_float(column))
        .collect();
    if !floats.contains(&true) {
        return Ok(metadata);
    }
    let mut builder = Arc::unwrap_or_clone(metadata).into_builder();
    let mut groups = builder.take_row_groups();
    for group in &mut groups {
        for chunk in group.columns_mut() {
            if is_float(chunk.column_descr()) {
                *chunk = without_bounds(chunk.clone())?;
            }
        }
    }
    // A column index that is not loaded yet is not found later: `without_bounds` removes where it lies.
    let index = builder.take_column_index().map(|mut index| {
        for group in &mut index {
            for (column, float) in group.iter_mut().zip(&floats) {
                if *float {
                    *column = ColumnIndexMetaData::NONE;
                }
            }
        }
        index
    });
    Ok(Arc::new(
        builder
            .set_row_groups(groups)
            .set_column_index(index)
            .build(),
    ))
}

fn is_float(column: &ColumnDescriptor) -> bool {
    matches!(column.physical_type(), Type::FLOAT | Type::DOUBLE)
        || matches!(column.logical_type_ref(), Some(LogicalType::Float16))
}

fn without_bounds(chunk: ColumnChunkMetaData) -> Result<ColumnChunkMetaData, ParquetError> {
    let physical = chunk.column_type();
    let statistics = chunk.statistics().map(|known| {
        let (distinct, nulls) = (known.distinct_count_opt(), known.null_count_opt());
        match physical {
            Type::FLOAT => ChunkStatistics::float(None, None, distinct, nulls, false),
            Type::DOUBLE => ChunkStatistics::double(None, None, distinct, nulls, false),
            _ => ChunkStatistics::fixed_len_byte_array(None, None, distinct, nulls, false),
        }
    });
    let builder = chunk
        .into_builder()
        .clear_statistics()
        .set_column_index_offset(None)
        .set_column_index_length(None);
    match statistics {
        Some(statistics) => builder.set_statistics(statistics).build(),
        None => builder.build(),
    }
}
