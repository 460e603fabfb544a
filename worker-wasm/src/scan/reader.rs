//! Footers of Parquet files as if some of their decimals had been written from columns of 64 bits.
//!
//! The reader of arrow-rs takes the type of a column from the Arrow schema in the footer where that suits what the file
//! has, and decimals in 64 bits suit every decimal of so few digits.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use datafusion::{
    common::Result,
    datasource::{listing::PartitionedFile, physical_plan::ParquetFileReaderFactory},
    parquet::{
        arrow::{
            ARROW_SCHEMA_META_KEY, arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader,
            encode_arrow_schema, parquet_to_arrow_schema,
        },
        errors::ParquetError,
        file::metadata::{FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder},
    },
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use futures::{FutureExt, future::BoxFuture};

use super::narrow_decimal;

/// Readers of files some of whose columns are narrow, by name.
#[derive(Debug)]
pub(super) struct NarrowReaders {
    readers: Arc<dyn ParquetFileReaderFactory>,
    columns: Arc<BTreeSet<String>>,
}

impl NarrowReaders {
    pub(super) fn new(
        readers: Arc<dyn ParquetFileReaderFactory>,
        columns: BTreeSet<String>,
    ) -> Self {
        Self {
            readers,
            columns: Arc::new(columns),
        }
    }
}

impl ParquetFileReaderFactory for NarrowReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let readers = &self.readers;
        let reader = readers.create_reader(partition, file, metadata_size_hint, metrics)?;
        Ok(Box::new(NarrowReader {
            reader,
            columns: Arc::clone(&self.columns),
        }))
    }
}

struct NarrowReader {
    reader: Box<dyn AsyncFileReader + Send>,
    columns: Arc<BTreeSet<String>>,
}

impl AsyncFileReader for NarrowReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        self.reader.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        self.reader.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let metadata = self.reader.get_metadata(options).await?;
            Ok(narrowed(metadata, &self.columns))
        }
        .boxed()
    }
}

/// The metadata with another Arrow schema in it. Of a schema that cannot be read, whoever reads it next will complain.
fn narrowed(metadata: Arc<ParquetMetaData>, columns: &BTreeSet<String>) -> Arc<ParquetMetaData> {
    let file = metadata.file_metadata();
    let known = file.key_value_metadata();
    let Ok(schema) = parquet_to_arrow_schema(file.schema_descr(), known) else {
        return metadata;
    };
    let fields = schema.fields().iter().map(|field| {
        let narrow = narrow_decimal(field.data_type()).filter(|_| columns.contains(field.name()));
        match narrow {
            Some(narrow) => field.as_ref().clone().with_data_type(narrow),
            None => field.as_ref().clone(),
        }
    });
    let fields: Vec<Field> = fields.collect();
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let others = known.into_iter().flatten();
    let mut pairs: Vec<_> = others
        .filter(|pair| pair.key != ARROW_SCHEMA_META_KEY)
        .cloned()
        .collect();
    pairs.push(KeyValue::new(
        ARROW_SCHEMA_META_KEY.to_owned(),
        encode_arrow_schema(&schema),
    ));
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(pairs),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let mut old = Arc::unwrap_or_clone(metadata).into_builder();
    let new = ParquetMetaDataBuilder::new(file)
        .set_row_groups(old.take_row_groups())
        .set_column_index(old.take_column_index())
        .set_offset_index(old.take_offset_index());
    Arc::new(new.build())
}
