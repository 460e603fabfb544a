//! How large columns become that say a value once for many rows: dictionaries, runs, and views of text.
//!
//! A few bytes may name one large value in each row. So what that becomes is charged before it is made, or made for few rows
//! at once.

use std::iter;

use arrow::{
    array::{Array, ArrayRef, AsArray, ByteView, GenericByteViewArray, RecordBatch},
    datatypes::{
        ArrowNativeType, ByteViewType, DataType, Int16Type, Int32Type, Int64Type, RunEndIndexType,
    },
    downcast_dictionary_array,
};

/// What a value takes beside its own bytes, at most: a view.
const BESIDE_BYTES: usize = size_of::<u128>();
/// The longest text that lies in its view.
const INLINE_BYTES_MAX: u32 = 12;
/// What a part of a batch becomes, unless a single row is more.
const PART_BYTES_MAX: usize = 16 << 20;

/// Bytes of the values of all rows; `None` for columns that say each of them anyway.
pub(crate) fn expanded_bytes(column: &dyn Array) -> Option<usize> {
    let bytes = downcast_dictionary_array! {
        column => {
            let values = column.values().as_ref();
            let keys = column.keys().iter().flatten();
            keys.fold(0usize, |sum, key| sum.saturating_add(value_bytes(values, key.as_usize())))
        },
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => bytes_of_runs::<Int16Type>(column),
            DataType::Int32 => bytes_of_runs::<Int32Type>(column),
            _ => bytes_of_runs::<Int64Type>(column),
        },
        DataType::Utf8View => bytes_of_views(column.as_string_view())?,
        DataType::BinaryView => bytes_of_views(column.as_binary_view())?,
        DataType::Struct(_) => return bytes_of_all(column.as_struct().columns()),
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            return bytes_of_items(list.values(), list.offsets());
        },
        DataType::LargeList(_) => {
            let list = column.as_list::<i64>();
            return bytes_of_items(list.values(), list.offsets());
        },
        DataType::FixedSizeList(..) => return expanded_bytes(column.as_fixed_size_list().values()),
        DataType::Map(..) => {
            let map = column.as_map();
            return bytes_of_items(map.entries(), map.offsets());
        },
        _ => return None,
    };
    Some(bytes.saturating_add(column.len().saturating_mul(BESIDE_BYTES)))
}

/// Parts of a batch none of which becomes large, in order.
pub(crate) fn parts(batch: RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let mut waiting = vec![batch];
    iter::from_fn(move || {
        loop {
            let batch = waiting.pop()?;
            let rows = batch.num_rows();
            let bytes = bytes_of_all(batch.columns()).unwrap_or(0);
            if rows <= 1 || bytes <= PART_BYTES_MAX {
                return Some(batch);
            }
            let half = rows / 2;
            waiting.push(batch.slice(half, rows - half));
            waiting.push(batch.slice(0, half));
        }
    })
}

fn bytes_of_all(columns: &[ArrayRef]) -> Option<usize> {
    let bytes = columns
        .iter()
        .filter_map(|column| expanded_bytes(column.as_ref()));
    bytes.reduce(usize::saturating_add)
}

/// Of the items of lists, which may be a part of those that are there.
fn bytes_of_items<O: ArrowNativeType>(items: &dyn Array, offsets: &[O]) -> Option<usize> {
    let start = offsets.first()?.as_usize();
    let end = offsets.last()?.as_usize();
    expanded_bytes(&items.slice(start, end - start))
}

/// Of text that is too long for a view, where several say the same.
fn bytes_of_views<T: ByteViewType + ?Sized>(column: &GenericByteViewArray<T>) -> Option<usize> {
    let views = column.views().iter();
    let bytes = views.fold(0usize, |sum, view| {
        let length = ByteView::from(*view).length;
        let outside = if length > INLINE_BYTES_MAX { length } else { 0 };
        sum.saturating_add(outside.as_usize())
    });
    let said: usize = column
        .data_buffers()
        .iter()
        .map(|buffer| buffer.len())
        .sum();
    (bytes > said).then_some(bytes)
}

fn bytes_of_runs<R: RunEndIndexType>(column: &dyn Array) -> usize {
    let runs = column.as_run::<R>();
    let values = runs.values().as_ref();
    let (from, to) = (runs.offset(), runs.offset() + runs.len());
    let ends = runs.run_ends().values().iter().enumerate();
    let (bytes, _) = ends.fold((0usize, from), |(bytes, start), (run, end)| {
        let end = end.as_usize().clamp(start, to);
        let run_bytes = match end - start {
            0 => 0,
            rows => rows.saturating_mul(value_bytes(values, run)),
        };
        (bytes.saturating_add(run_bytes), end)
    });
    bytes
}

fn value_bytes(values: &dyn Array, index: usize) -> usize {
    match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().value_length(index).as_usize(),
        DataType::LargeUtf8 => values.as_string::<i64>().value_length(index).as_usize(),
        DataType::Binary => values.as_binary::<i32>().value_length(index).as_usize(),
        DataType::LargeBinary => values.as_binary::<i64>().value_length(index).as_usize(),
        DataType::Utf8View => values.as_string_view().value(index).len(),
        DataType::BinaryView => values.as_binary_view().value(index).len(),
        // Of values that have others inside, more than they are.
        _ => {
            let value = values.slice(index, 1).to_data();
            let bytes = value.get_slice_memory_size();
            bytes.unwrap_or_else(|_| values.get_array_memory_size())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{
            DictionaryArray, Int8Array, Int32Array, Int64Array, ListArray, RunArray, StringArray,
            StringViewArray, StructArray,
        },
        buffer::OffsetBuffer,
        datatypes::Field,
    };

    use super::*;

    const LONG: usize = 1 << 20;

    fn texts() -> StringArray {
        StringArray::from(vec!["x".repeat(LONG), "y".to_owned()])
    }

    fn check(column: ArrayRef, value_bytes: usize) {
        let bytes = value_bytes + column.len() * BESIDE_BYTES;
        assert_eq!(
            expanded_bytes(&column),
            Some(bytes),
            "{}",
            column.data_type()
        );
    }

    #[test]
    fn a_value_counts_for_each_row_that_has_it() {
        let keys = || Int8Array::from(vec![Some(0), None, Some(1), Some(0)]);
        check(
            Arc::new(DictionaryArray::new(keys(), Arc::new(texts()))),
            2 * LONG + 1,
        );
        let views: StringViewArray = texts().iter().collect();
        check(
            Arc::new(DictionaryArray::new(keys(), Arc::new(views))),
            2 * LONG + 1,
        );
        let numbers = Arc::new(Int64Array::from(vec![1, 2]));
        check(Arc::new(DictionaryArray::new(keys(), numbers)), 3 * 8);
        let ends = Int32Array::from(vec![3, 1000]);
        check(
            Arc::new(RunArray::try_new(&ends, &texts()).unwrap()),
            3 * LONG + 997,
        );
        assert_eq!(expanded_bytes(&texts()), None);
    }

    /// One value of a MiB in each of some rows.
    fn shared_views(rows: usize) -> StringViewArray {
        let text: StringViewArray = texts().iter().take(1).collect();
        let views = vec![text.views()[0]; rows];
        StringViewArray::new(views.into(), text.data_buffers().to_vec(), None)
    }

    #[test]
    fn views_of_one_text_count_for_each_row_and_those_of_their_own_do_not() {
        check(Arc::new(shared_views(3)), 3 * LONG);
        check(Arc::new(shared_views(3).slice(1, 2)), 2 * LONG);
        let own: StringViewArray = texts().iter().collect();
        assert_eq!(expanded_bytes(&own), None);
        let inside = StructArray::from(vec![(
            Arc::new(Field::new("a", DataType::Utf8View, true)),
            Arc::new(shared_views(5)) as ArrayRef,
        )]);
        let bytes = 5 * (LONG + BESIDE_BYTES);
        assert_eq!(expanded_bytes(&inside), Some(bytes));
        let item = Arc::new(Field::new_list_field(DataType::Utf8View, true));
        let offsets = OffsetBuffer::from_lengths([2, 3, 0]);
        let list = ListArray::new(item, offsets, Arc::new(shared_views(5)), None);
        assert_eq!(expanded_bytes(&list), Some(bytes));
        let part = list.slice(1, 2);
        assert_eq!(expanded_bytes(&part), Some(3 * (LONG + BESIDE_BYTES)));
    }

    #[test]
    fn parts_have_all_rows_and_none_becomes_large() {
        const ROWS: usize = 1_000;
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS as i64));
        let ends = Int32Array::from(vec![10, ROWS as i32]);
        let runs = RunArray::try_new(&ends, &texts()).unwrap();
        let keys = Int8Array::from(vec![0; ROWS]);
        let dictionary = DictionaryArray::new(keys, Arc::new(texts()));
        let columns: [(ArrayRef, usize); 4] = [
            (Arc::new(shared_views(ROWS)), ROWS / 16),
            (Arc::new(dictionary), ROWS / 16),
            (Arc::new(runs), 1),
            (Arc::clone(&numbers), 1),
        ];
        for (column, least) in columns {
            let data_type = column.data_type().clone();
            let batch = RecordBatch::try_from_iter([("n", Arc::clone(&numbers)), ("c", column)]);
            let parts: Vec<_> = parts(batch.unwrap()).collect();
            assert!(parts.len() >= least, "{data_type}: {} parts", parts.len());
            for part in &parts {
                let bytes = expanded_bytes(part.column(1)).unwrap_or(0);
                assert!(bytes <= PART_BYTES_MAX || part.num_rows() == 1);
            }
            let numbers = parts.iter().flat_map(|part| {
                let numbers = part.column(0).as_primitive::<Int64Type>();
                numbers.values().to_vec()
            });
            assert!(numbers.eq(0..ROWS as i64), "{data_type}");
        }
    }
}
