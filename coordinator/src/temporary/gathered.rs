//! The batches that a temporary table keeps, of the batches of a query.
//!
//! A scan hands out what is kept, and each batch costs it, and every operator above, some microseconds. So several are kept
//! as one, which is more rows than DataFusion's own batches have and still fits a processor's cache.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::{DataType, Schema},
};
use datafusion::{common::Result, execution::memory_pool::MemoryReservation};

use crate::expanded::expanded_bytes;

/// Batches are put together until they have as many rows.
const ROWS: usize = 32_768;
/// Batches that would have more bytes together stay apart: offsets of text have 32 bits, and putting together takes as much
/// memory again.
const BYTES_MAX: usize = 16 << 20;

#[derive(Debug)]
pub(crate) struct Gathered {
    /// What is kept is charged to it.
    memory: MemoryReservation,
    /// Whether the batches can be put together at all.
    together: bool,
    kept: Vec<RecordBatch>,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
}

impl Gathered {
    /// For batches of that schema.
    pub(crate) fn new(memory: MemoryReservation, schema: &Schema) -> Self {
        let mut fields = schema.fields().iter();
        Self {
            memory,
            together: fields.all(|field| adds_up(field.data_type())),
            kept: Vec::new(),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
        }
    }

    /// Fails when the memory is not to be had.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let batch = compact(batch)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let bytes = batch.get_array_memory_size();
        self.memory.try_grow(bytes)?;
        if !self.together {
            self.kept.push(batch);
            return Ok(());
        }
        if self.waiting_bytes.saturating_add(bytes) > BYTES_MAX {
            self.put_together()?;
        }
        self.waiting_rows += batch.num_rows();
        self.waiting_bytes += bytes;
        self.waiting.push(batch);
        if self.waiting_rows >= ROWS {
            self.put_together()?;
        }
        Ok(())
    }

    /// What is kept, in the order it came, and what that is charged to.
    pub(crate) fn finish(mut self) -> Result<(Vec<RecordBatch>, MemoryReservation)> {
        self.put_together()?;
        Ok((self.kept, self.memory))
    }

    fn put_together(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_rows = 0;
        let parts_bytes = std::mem::take(&mut self.waiting_bytes);
        let together = match waiting.as_slice() {
            [] | [_] => None,
            [first, ..] => concat_batches(&first.schema(), &waiting).ok(),
        };
        let Some(together) = together else {
            self.kept.extend(waiting);
            return Ok(());
        };
        drop(waiting);
        let bytes = together.get_array_memory_size();
        match bytes > parts_bytes {
            true => self.memory.try_grow(bytes - parts_bytes)?,
            false => self.memory.shrink(parts_bytes - bytes),
        }
        self.kept.push(together);
        Ok(())
    }
}

/// Whether arrays of the type can always be put together. Those with a dictionary anywhere inside cannot: arrow panics where
/// its keys have too few numbers for the values of all of them.
fn adds_up(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => adds_up(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| adds_up(field.data_type())),
        DataType::Dictionary(..)
        | DataType::RunEndEncoded(..)
        | DataType::Union(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => false,
        _ => true,
    }
}

/// A batch that keeps nothing alive but itself: string views often point into much larger pages of a file.
fn compact(batch: RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact_column).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

fn compact_column(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        // Of views that say one value for many rows, the rows together are larger than what they keep alive.
        DataType::Utf8View | DataType::BinaryView if expanded_bytes(column).is_some() => {
            Arc::clone(column)
        }
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        // A slice holds on to the whole of what it was cut from.
        _ if column.get_array_memory_size()
            > 2 * column.to_data().get_slice_memory_size().unwrap_or(0) + 1024 =>
        {
            let all = arrow::array::UInt64Array::from_iter_values(0..column.len() as u64);
            arrow::compute::take(column, &all, None).unwrap_or_else(|_| Arc::clone(column))
        }
        _ => Arc::clone(column),
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{
            DictionaryArray, FixedSizeListArray, Int8Array, Int64Array, StringArray,
            StringViewArray, StructArray,
        },
        datatypes::{Field, Int8Type},
    };
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};

    use super::*;

    fn numbers(rows: std::ops::Range<i64>) -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(
            rows.clone()
                .map(|n| format!("a text that is too long for a view: {n}")),
        ));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
        RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap()
    }

    fn gather(batches: Vec<RecordBatch>) -> (Vec<RecordBatch>, MemoryReservation) {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 30));
        let memory = MemoryConsumer::new("t").register(&pool);
        let mut gathered = Gathered::new(memory, &batches[0].schema());
        for batch in batches {
            gathered.push(batch).unwrap();
        }
        gathered.finish().unwrap()
    }

    fn rows(batches: &[RecordBatch]) -> Vec<usize> {
        batches.iter().map(RecordBatch::num_rows).collect()
    }

    #[test]
    fn small_batches_become_few_and_what_is_charged_is_what_they_have() {
        let parts: Vec<_> = (0..100)
            .map(|n| numbers(n * 1000..(n + 1) * 1000))
            .collect();
        let (kept, memory) = gather(parts);
        assert_eq!(rows(&kept), [33_000, 33_000, 33_000, 1_000]);
        let bytes: usize = kept.iter().map(RecordBatch::get_array_memory_size).sum();
        assert_eq!(memory.size(), bytes);
        let together = concat_batches(&kept[0].schema(), &kept).unwrap();
        assert_eq!(together, numbers(0..100_000));
    }

    #[test]
    fn large_batches_stay_as_they_are() {
        let text = "x".repeat(1 << 20);
        let wide = |rows| {
            let texts: ArrayRef = Arc::new(StringArray::from_iter_values(vec![&text; rows]));
            RecordBatch::try_from_iter([("t", texts)]).unwrap()
        };
        let (kept, _) = gather(vec![wide(1), wide(30), wide(3), wide(5), wide(9)]);
        assert_eq!(rows(&kept), [1, 30, 8, 9]);
    }

    /// With more values in three parts than keys of 8 bits can name.
    fn dictionary(from: i64) -> ArrayRef {
        let values = (from..from + 100).map(|n| format!("value {n}"));
        let values: ArrayRef = Arc::new(StringArray::from_iter_values(values));
        let keys = Int8Array::from_iter_values(0..100);
        Arc::new(DictionaryArray::<Int8Type>::new(keys, values))
    }

    #[test]
    fn batches_with_dictionaries_inside_stay_apart() {
        let field = |of: &ArrayRef| Arc::new(Field::new("item", of.data_type().clone(), true));
        let list = |from| -> ArrayRef {
            let items = dictionary(from);
            Arc::new(FixedSizeListArray::new(field(&items), 2, items, None))
        };
        let in_struct = |from| -> ArrayRef {
            let lists = list(from);
            Arc::new(StructArray::from(vec![(field(&lists), lists)]))
        };
        for column in [&list as &dyn Fn(i64) -> ArrayRef, &in_struct] {
            let part = |from| RecordBatch::try_from_iter([("c", column(from))]).unwrap();
            let parts = vec![part(0), part(100), part(200)];
            let (kept, _) = gather(parts.clone());
            assert_eq!(kept, parts);
        }
    }

    #[test]
    fn batches_with_lists_and_structs_become_one() {
        let part = |from: i64| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 100));
            let item = Arc::new(Field::new("item", DataType::Int64, true));
            let lists: ArrayRef = Arc::new(FixedSizeListArray::new(item, 2, numbers, None));
            let field = Arc::new(Field::new("l", lists.data_type().clone(), true));
            let structs: ArrayRef = Arc::new(StructArray::from(vec![(field, lists)]));
            RecordBatch::try_from_iter([("s", structs)]).unwrap()
        };
        assert_eq!(rows(&gather(vec![part(0), part(100)]).0), [100]);
    }

    #[test]
    fn too_little_memory_is_an_error() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 10));
        let memory = MemoryConsumer::new("t").register(&pool);
        let batch = numbers(0..1000);
        let mut gathered = Gathered::new(memory, &batch.schema());
        assert!(gathered.push(batch).is_err());
    }
}
