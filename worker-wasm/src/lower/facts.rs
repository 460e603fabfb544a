//! Statistics of a source -> the facts its fragment is specialised for.
//!
//! A fact is a guess here: the host checks each batch, and one that breaks it goes to the general module.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{ColumnStatistics, ScalarValue, stats::Precision};

use super::literal::range_of;
use crate::fragment::{Facts, Range, Type};

/// What to expect of a column. `statistics` is `None` where the source has none.
pub(crate) fn expected(field: &Field, statistics: Option<&ColumnStatistics>) -> Facts {
    Facts {
        range: range(field.data_type(), statistics),
        no_nulls: !field.is_nullable()
            || statistics.is_some_and(|of| of.null_count.get_value() == Some(&0)),
    }
}

/// Where nothing is known of a column's bounds, small numbers are expected: amounts are, whatever their type has room for.
fn range(data_type: &DataType, statistics: Option<&ColumnStatistics>) -> Range {
    let by_type = Type::from_arrow(data_type).map_or(Range::Full, |ty| ty.range());
    let bound = |of: &Precision<ScalarValue>| match of.get_value() {
        Some(ScalarValue::Decimal128(Some(value), ..)) => Some(range_of(*value)),
        _ => None,
    };
    let by_bounds =
        statistics.and_then(|of| Some(bound(&of.min_value)?.max(bound(&of.max_value)?)));
    match by_type {
        Range::Full => by_bounds.unwrap_or(Range::Full),
        by_type => by_bounds.unwrap_or(Range::I32).min(by_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_decide_the_lane_and_small_numbers_are_expected_without_them() {
        let decimal = |value| ScalarValue::Decimal128(Some(value), 15, 2);
        let field = Field::new("price", DataType::Decimal128(15, 2), true);
        let mut statistics = ColumnStatistics::new_unknown();
        assert_eq!(expected(&field, None).range, Range::I32);
        assert_eq!(
            expected(&field, Some(&statistics)),
            Facts {
                range: Range::I32,
                no_nulls: false
            }
        );
        statistics.max_value = Precision::Exact(decimal(i128::from(i32::MAX) + 1));
        statistics.min_value = Precision::Exact(decimal(0));
        assert_eq!(expected(&field, Some(&statistics)).range, Range::I64);
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
