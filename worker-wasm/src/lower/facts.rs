//! Statistics of a source -> the facts its fragment is specialised for.
//!
//! A fact is a guess here: the host checks each batch, and one that breaks it goes to the general module.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{ColumnStatistics, ScalarValue, stats::Precision};

use super::literal::range_of;
use crate::fragment::{Facts, Range};

/// Digits that always fit the lane, whatever they are.
const DIGITS_I32: u8 = 9;
const DIGITS_I64: u8 = 18;

/// What to expect of a column. `statistics` is `None` where the source has none.
pub(crate) fn expected(field: &Field, statistics: Option<&ColumnStatistics>) -> Facts {
    Facts {
        range: range(field.data_type(), statistics),
        no_nulls: !field.is_nullable()
            || statistics.is_some_and(|of| of.null_count.get_value() == Some(&0)),
    }
}

fn range(data_type: &DataType, statistics: Option<&ColumnStatistics>) -> Range {
    let DataType::Decimal128(precision, _) = data_type else {
        return Range::Full;
    };
    let by_type = if *precision <= DIGITS_I32 {
        Range::I32
    } else if *precision <= DIGITS_I64 {
        Range::I64
    } else {
        Range::Full
    };
    let bound = |of: &Precision<ScalarValue>| match of.get_value() {
        Some(ScalarValue::Decimal128(Some(value), ..)) => Some(range_of(*value)),
        _ => None,
    };
    let by_bounds =
        statistics.and_then(|of| Some(bound(&of.min_value)?.max(bound(&of.max_value)?)));
    by_bounds.map_or(by_type, |by_bounds| by_bounds.min(by_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_narrow_what_the_type_allows() {
        let decimal = |value| ScalarValue::Decimal128(Some(value), 15, 2);
        let field = Field::new("price", DataType::Decimal128(15, 2), true);
        let mut statistics = ColumnStatistics::new_unknown();
        assert_eq!(expected(&field, None).range, Range::I64);
        assert_eq!(
            expected(&field, Some(&statistics)),
            Facts {
                range: Range::I64,
                no_nulls: false
            }
        );
        statistics.min_value = Precision::Inexact(decimal(-5));
        statistics.max_value = Precision::Inexact(decimal(10_494_950));
        statistics.null_count = Precision::Exact(0);
        assert_eq!(
            expected(&field, Some(&statistics)),
            Facts {
                range: Range::I32,
                no_nulls: true
            }
        );
    }
}
