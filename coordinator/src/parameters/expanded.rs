//! How large columns become that say a value once for many rows: dictionaries and runs.
//!
//! A few bytes may name one large value in each row, so what that becomes is charged before it is made.

use arrow::{
    array::{Array, AsArray},
    datatypes::{ArrowNativeType, DataType, Int16Type, Int32Type, Int64Type, RunEndIndexType},
    downcast_dictionary_array,
};

/// What a value takes beside its own bytes, at most: a view.
const BESIDE_BYTES: usize = size_of::<u128>();

/// Bytes of the values of all rows; `None` for columns that say each of them anyway.
pub(super) fn expanded_bytes(column: &dyn Array) -> Option<usize> {
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
        _ => return None,
    };
    Some(bytes.saturating_add(column.len().saturating_mul(BESIDE_BYTES)))
}

/// Of all runs, also where the column is a part of them.
fn bytes_of_runs<R: RunEndIndexType>(column: &dyn Array) -> usize {
    let runs = column.as_run::<R>();
    let values = runs.values().as_ref();
    let ends = runs.run_ends().values().iter().enumerate();
    let (bytes, _) = ends.fold((0usize, 0), |(bytes, start), (run, end)| {
        let end = end.as_usize();
        let rows = end.saturating_sub(start);
        let run_bytes = rows.saturating_mul(value_bytes(values, run));
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

    use arrow::array::{
        ArrayRef, DictionaryArray, Int8Array, Int32Array, Int64Array, RunArray, StringArray,
        StringViewArray,
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
}
