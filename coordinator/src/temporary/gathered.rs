//! The batches that a temporary table keeps, of the batches of a query.
//!
//! A scan hands out what is kept, and each batch costs it, and every operator above, some microseconds. So several are kept
//! as one, which is more rows than DataFusion's own batches have and still fits a processor's cache.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::DataType,
};
use datafusion::{common::Result, execution::memory_pool::MemoryReservation};

/// Batches are put together until they have as many rows.
const ROWS: usize = 32_768;
/// Batches that would have more bytes together stay apart: offsets of text have 32 bits, and putting together takes as much
/// memory again.
const BYTES_MAX: usize = 16 << 20;

#[derive(Debug)]
pub(crate) struct Gathered {
    /// What is kept is charged to it.
    memory: MemoryReservation,
    kept: Vec<RecordBatch>,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
}

impl Gathered {
    pub(crate) fn new(memory: MemoryReservation) -> Self {
        Self {
            memory,
            kept: Vec::new(),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
        }
    }

    /// Fails when the memory is not to be had. All batches have one schema.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let batch = compact(batch)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let bytes = batch.get_array_memory_size();
        self.memory.try_grow(bytes)?;
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
            // Dictionaries may have more values together than their keys have numbers: those stay apart.
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

/// A batch that keeps nothing alive but itself: string views often point into much larger pages of a file.
fn compact(batch: RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact_column).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

fn compact_column(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
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
        array::{DictionaryArray, Int8Array, Int64Array, StringArray, StringViewArray},
        datatypes::Int8Type,
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
        let mut gathered = Gathered::new(MemoryConsumer::new("t").register(&pool));
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

    #[test]
    fn dictionaries_with_too_many_values_stay_apart() {
        let part = |from: i64| {
            let values = (from..from + 100).map(|n| format!("value {n}"));
            let values: ArrayRef = Arc::new(StringArray::from_iter_values(values));
            let keys = Int8Array::from_iter_values(0..100);
            let column: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, values));
            RecordBatch::try_from_iter([("d", column)]).unwrap()
        };
        let parts = vec![part(0), part(100), part(200)];
        let (kept, _) = gather(parts.clone());
        assert_eq!(kept, parts);
    }

    #[test]
    fn too_little_memory_is_an_error() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 10));
        let mut gathered = Gathered::new(MemoryConsumer::new("t").register(&pool));
        assert!(gathered.push(numbers(0..1000)).is_err());
    }
}
