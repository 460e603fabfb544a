//! What of a batch goes into a fragment at once: so many rows, and so much text, that a call is over soon.
//!
//! Units: bytes of text as rows have it, as often as they have it. Columns of other types have values of some bytes each.

use std::{collections::BTreeSet, ops::Range};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    buffer::Buffer,
    datatypes::{DataType, Schema},
};
use datafusion::physical_expr::utils::collect_columns;

use crate::{abi, fragment::Type, lower::Feed};

/// Text of one part; a row with more is a part of its own. Looking for something in so much of it takes some milliseconds.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// Text of so many rows is counted at once.
const BLOCK_ROWS: usize = 1024;

/// Views of text that have it in them have at most so much.
const INLINE_BYTES_MAX: usize = abi::view::INLINE_BYTES_MAX as usize;

/// Rows of a batch that have not been pushed.
#[derive(Debug)]
pub(super) struct Parts {
    waiting: Option<RecordBatch>,
    /// Columns of text that the fragment reads, or that the host computes something of for it.
    texts: Vec<usize>,
}

impl Parts {
    /// Of batches of a source.
    pub(super) fn new(source: &Schema, feeds: &[Feed]) -> Self {
        let mut read = BTreeSet::new();
        for feed in feeds {
            match feed {
                Feed::Column(index) => {
                    read.insert(*index);
                }
                Feed::Computed(expr) => {
                    let columns = collect_columns(expr);
                    read.extend(columns.iter().map(|column| column.index()));
                }
            }
        }
        let is_text =
            |index: &usize| Type::from_arrow(source.field(*index).data_type()) == Some(Type::Utf8);
        Self {
            waiting: None,
            texts: read.into_iter().filter(is_text).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    pub(super) fn put(&mut self, batch: RecordBatch) {
        self.waiting = Some(batch);
    }

    /// Takes as many rows of what waits as a module takes at once.
    pub(super) fn next(&mut self) -> Option<RecordBatch> {
        let batch = self.waiting.take()?;
        let rows = batch.num_rows();
        let texts = self.texts.iter();
        let texts = texts.filter_map(|index| Text::of(batch.column(*index)));
        let texts: Vec<_> = texts.collect();
        let first = rows_within(&texts, rows.min(abi::BATCH_ROWS_MAX), TEXT_BYTES_MAX);
        if rows > first {
            self.waiting = Some(batch.slice(first, rows - first));
            return Some(batch.slice(0, first));
        }
        (rows > 0).then_some(batch)
    }
}

/// How many of the first `rows` have no more text than `bytes_max`; the first one is always among them.
fn rows_within(texts: &[Text<'_>], rows: usize, bytes_max: usize) -> usize {
    let bytes = |rows: Range<usize>| -> usize {
        let bytes = texts.iter().map(|text| text.bytes(rows.clone()));
        bytes.sum()
    };
    // Counting reads each view, which costs more than much of what a fragment does with it.
    if at_most(texts, rows) <= bytes_max {
        return rows;
    }
    let mut left = bytes_max;
    let mut within = 0;
    for step in [BLOCK_ROWS, 1] {
        while within < rows {
            let block = within..rows.min(within + step);
            let Some(rest) = left.checked_sub(bytes(block.clone())) else {
                break;
            };
            (left, within) = (rest, block.end);
        }
    }
    within.max(1).min(rows)
}

/// What the first `rows` have at most, by what is known without reading them.
fn at_most(texts: &[Text<'_>], rows: usize) -> usize {
    let most = texts.iter().map(|text| match text {
        Text::Views { longest, .. } | Text::Each(longest) => rows.saturating_mul(*longest),
        Text::Offsets(_) | Text::LargeOffsets(_) => text.bytes(0..rows),
    });
    most.fold(0, usize::saturating_add)
}

/// Where the lengths of a column's texts are.
enum Text<'a> {
    Offsets(&'a [i32]),
    LargeOffsets(&'a [i64]),
    /// No text is longer than the longest buffer.
    Views {
        views: &'a [u128],
        longest: usize,
    },
    /// Each row has at most so many bytes.
    Each(usize),
}

impl<'a> Text<'a> {
    /// `None` where no row has more than its view has room for.
    fn of(array: &'a ArrayRef) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => Some(Self::Offsets(array.as_string::<i32>().value_offsets())),
            DataType::LargeUtf8 => {
                Some(Self::LargeOffsets(array.as_string::<i64>().value_offsets()))
            }
            DataType::Utf8View => {
                let texts = array.as_string_view();
                let lengths = texts.data_buffers().iter().map(Buffer::len);
                let longest = lengths.max().unwrap_or(0);
                (longest > INLINE_BYTES_MAX).then(|| Self::Views {
                    views: texts.views(),
                    longest,
                })
            }
            DataType::Dictionary(..) => {
                let values = array.as_any_dictionary().values();
                let texts = Text::of(values)?;
                let lengths = (0..values.len()).map(|value| texts.bytes(value..value + 1));
                let longest = lengths.max().unwrap_or(0);
                (longest > INLINE_BYTES_MAX).then_some(Self::Each(longest))
            }
            _ => None,
        }
    }

    fn bytes(&self, rows: Range<usize>) -> usize {
        match self {
            Self::Offsets(offsets) => (offsets[rows.end] - offsets[rows.start]) as usize,
            Self::LargeOffsets(offsets) => (offsets[rows.end] - offsets[rows.start]) as usize,
            // A view begins with the length of its text.
            Self::Views { views, .. } => views[rows].iter().map(|view| *view as u32 as usize).sum(),
            Self::Each(bytes) => rows.len() * bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{DictionaryArray, Int32Array, StringArray, StringViewArray},
        compute::cast,
        datatypes::{Field, Int32Type},
    };

    use super::*;

    const MEBIBYTE: usize = 1 << 20;

    /// Rows of the parts of a batch with one column.
    fn parts(column: ArrayRef) -> Vec<usize> {
        let field = Field::new("c", column.data_type().clone(), true);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap();
        parts_of(batch, &[Feed::Column(0)])
    }

    fn parts_of(batch: RecordBatch, feeds: &[Feed]) -> Vec<usize> {
        let mut parts = Parts::new(&batch.schema(), feeds);
        parts.put(batch.clone());
        let mut rows = Vec::new();
        let mut seen = 0;
        while let Some(part) = parts.next() {
            assert_eq!(part, batch.slice(seen, part.num_rows()));
            seen += part.num_rows();
            rows.push(part.num_rows());
        }
        assert_eq!(seen, batch.num_rows());
        assert!(parts.is_empty());
        rows
    }

    #[test]
    fn a_part_ends_before_its_text_is_too_long_whatever_form_it_has() {
        let long = "x".repeat(16 << 10);
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
            &long, 600,
        )));
        for data_type in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
            let texts = cast(&texts, &data_type).unwrap();
            assert_eq!(parts(Arc::clone(&texts)), [256, 256, 88], "{data_type}");
            // Where a slice begins does not matter.
            assert_eq!(parts(texts.slice(44, 500)), [256, 244], "{data_type}");
        }
        let keys = Int32Array::from_iter_values((0..600).map(|row| row % 2));
        let values = StringViewArray::from(vec![long.as_str(), "y"]);
        let texts = DictionaryArray::<Int32Type>::new(keys, Arc::new(values));
        assert_eq!(parts(Arc::new(texts)), [256, 256, 88]);
    }

    #[test]
    fn a_longer_row_is_a_part_of_its_own_and_short_text_does_not_count() {
        let long = "x".repeat(5 * MEBIBYTE);
        let texts = ["a", &long, &long, "b", "c"];
        assert_eq!(
            parts(Arc::new(StringArray::from(texts.to_vec()))),
            [1, 1, 1, 2]
        );
        let short = std::iter::repeat_n("abcdefghijkl", 1_000_000);
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(short));
        let most = abi::BATCH_ROWS_MAX;
        let rows = parts(texts);
        assert_eq!(rows[..2], [most, most]);
        assert_eq!(rows.len(), 1_000_000usize.div_ceil(most));
    }

    #[test]
    fn only_text_that_is_read_counts() {
        let long = "x".repeat(3 * MEBIBYTE);
        let texts = || -> ArrayRef { Arc::new(StringViewArray::from(vec![long.as_str(); 4])) };
        let numbers = || -> ArrayRef { Arc::new(Int32Array::from(vec![1, 2, 3, 4])) };
        let columns = [("a", numbers()), ("b", texts()), ("c", texts())];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let column = Feed::Column;
        assert_eq!(parts_of(batch.clone(), &[column(0)]), [4]);
        assert_eq!(
            parts_of(batch.clone(), &[column(0), column(2)]),
            [1, 1, 1, 1]
        );
        let expr = datafusion::physical_expr::expressions::col("b", &batch.schema()).unwrap();
        assert_eq!(parts_of(batch, &[Feed::Computed(expr)]), [1, 1, 1, 1]);
        let none = RecordBatch::try_from_iter([("a", numbers().slice(0, 0))]).unwrap();
        assert_eq!(parts_of(none, &[column(0)]), [0; 0]);
    }
}
