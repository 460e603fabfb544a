//! Values as the type that their parameter has.
//!
//! A value that would not be the same in that type keeps its own: it is compared as the literal would be, `day < ?` with
//! a timestamp at noon as timestamps. Text is read as finely as it can be written.
//! Errors: [`QueryError::Data`] where a value can be nothing of the sort.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef},
    compute::{CastOptions, can_cast_types, cast_with_options},
    datatypes::{DataType, TimeUnit},
};
use datafusion::common::DataFusionError;

use crate::QueryError;

const EXACT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: arrow::util::display::FormatOptions::new(),
};

/// The column as `wanted`, or, where that would change a value, in a type that it fits.
pub(super) fn fit(
    name: &str,
    column: &ArrayRef,
    wanted: &DataType,
) -> Result<ArrayRef, QueryError> {
    let given = column.data_type();
    if given == wanted {
        return Ok(Arc::clone(column));
    }
    let refused = |detail: String| QueryError::Data {
        source: DataFusionError::Plan(detail),
    };
    if !can_cast_types(given, wanted) {
        return Err(refused(format!(
            "parameter {name} is of type {wanted}, and cannot be given a value of type {given}"
        )));
    }
    let mut finely = finer(given, wanted).into_iter();
    if let Some(read) = finely.find_map(|finer| cast_with_options(column, &finer, &EXACT).ok()) {
        return fit(name, &read, wanted);
    }
    let cast = cast_with_options(column, wanted, &EXACT);
    if !(is_measure(given) && is_measure(wanted)) {
        return cast.map_err(|e| refused(format!("parameter {name} is of type {wanted}: {e}")));
    }
    let same =
        |cast: &ArrayRef| cast_with_options(cast, given, &EXACT).is_ok_and(|back| &back == column);
    match cast.ok().filter(same) {
        Some(cast) => Ok(cast),
        // A number is no truth value, but for 0 and 1.
        None if *wanted == DataType::Boolean => Err(refused(format!(
            "parameter {name} is of type {wanted}, and can be given no number but 0 and 1"
        ))),
        None => Ok(Arc::clone(column)),
    }
}

fn is_measure(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_temporal() || *data_type == DataType::Boolean
}

/// What text is read as first where `wanted` may not hold all it says: a time of the day, a fraction.
fn finer(given: &DataType, wanted: &DataType) -> Vec<DataType> {
    if !matches!(
        given,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    ) {
        return Vec::new();
    }
    // Years beyond 2262 have no nanoseconds.
    let instants = |zone: Option<Arc<str>>| {
        [TimeUnit::Nanosecond, TimeUnit::Microsecond]
            .map(|unit| DataType::Timestamp(unit, zone.clone()))
            .to_vec()
    };
    let finest_first = match wanted {
        DataType::Date32 | DataType::Date64 => instants(None),
        DataType::Timestamp(_, zone) => instants(zone.clone()),
        DataType::Time32(_) | DataType::Time64(_) => vec![DataType::Time64(TimeUnit::Nanosecond)],
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => {
            vec![DataType::Decimal256(76, 38)]
        }
        _ => Vec::new(),
    };
    let finer = finest_first.into_iter();
    finer.take_while(|finer| finer != wanted).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Date32Array, Float64Array, Int64Array, NullArray, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn fitted(column: ArrayRef, wanted: DataType) -> Result<DataType, String> {
        let fitted = fit("$1", &column, &wanted);
        fitted
            .map(|column| column.data_type().clone())
            .map_err(|e| e.to_string())
    }

    fn text(value: &str) -> ArrayRef {
        Arc::new(StringArray::from(vec![value]))
    }

    fn instant(micros: i64) -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![Some(micros), None]))
    }

    #[test]
    fn a_value_is_cast_unless_that_changes_it() {
        let int: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        assert_eq!(fitted(int, DataType::Int32), Ok(DataType::Int32));
        let large: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
        assert_eq!(fitted(large, DataType::Int32), Ok(DataType::Int64));
        let fraction: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
        assert_eq!(fitted(fraction, DataType::Int64), Ok(DataType::Float64));
        let nothing: ArrayRef = Arc::new(NullArray::new(1));
        assert_eq!(fitted(nothing, DataType::Date32), Ok(DataType::Date32));
        assert_eq!(fitted(text("7"), DataType::Int64), Ok(DataType::Int64));
        let error = fitted(text("seven"), DataType::Int64).unwrap_err();
        assert!(error.contains("parameter $1"), "{error}");
    }

    #[test]
    fn a_time_that_its_parameter_cannot_hold_keeps_its_own_type() {
        let (micros, millis) = (
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Timestamp(TimeUnit::Millisecond, None),
        );
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        assert_eq!(
            fitted(instant(3 * DAY), DataType::Date32),
            Ok(DataType::Date32)
        );
        assert_eq!(
            fitted(instant(3 * DAY + 1), DataType::Date32),
            Ok(micros.clone())
        );
        assert_eq!(
            fitted(instant(-DAY / 2), DataType::Date32),
            Ok(micros.clone())
        );
        assert_eq!(fitted(instant(5_000), millis.clone()), Ok(millis.clone()));
        assert_eq!(fitted(instant(5_001), millis.clone()), Ok(micros.clone()));
        assert_eq!(fitted(instant(5_001), nanos.clone()), Ok(nanos.clone()));
        let day: ArrayRef = Arc::new(Date32Array::from(vec![3]));
        assert_eq!(
            fitted(day, micros.clone()),
            Ok(DataType::Timestamp(TimeUnit::Microsecond, None))
        );
        for (value, wanted, fits) in [
            ("2026-01-01", DataType::Date32, DataType::Date32),
            ("2026-01-01T12:00:00", DataType::Date32, nanos.clone()),
            ("2026-01-01T12:00:00.001", millis.clone(), millis.clone()),
            ("2026-01-01T12:00:00.0001", millis.clone(), nanos.clone()),
            ("2026-01-01T12:00:00.000001", micros.clone(), micros.clone()),
            ("2026-01-01T12:00:00.0000001", micros.clone(), nanos.clone()),
            ("3026-01-01T00:00:00.000001", micros.clone(), micros.clone()),
            ("3026-01-01T00:00:00", DataType::Date32, DataType::Date32),
            (
                "1.50",
                DataType::Decimal128(9, 2),
                DataType::Decimal128(9, 2),
            ),
            (
                "1.505",
                DataType::Decimal128(9, 2),
                DataType::Decimal256(76, 38),
            ),
        ] {
            assert_eq!(fitted(text(value), wanted), Ok(fits), "{value}");
        }
    }

    #[test]
    fn a_number_is_a_truth_value_if_it_is_0_or_1() {
        let number = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
        for value in [0, 1] {
            assert_eq!(
                fitted(number(value), DataType::Boolean),
                Ok(DataType::Boolean)
            );
        }
        let error = fitted(number(5), DataType::Boolean).unwrap_err();
        assert!(
            error.contains("parameter $1") && error.contains("0 and 1"),
            "{error}"
        );
    }
}
