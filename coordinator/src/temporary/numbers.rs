//! Numbers in as few bits as all values of a batch fit: decimals in 32 or 64, integers in 32.
//!
//! Plans have decimals in 128 bits. A fragment copies them into its memory in fewer, so a narrow copy of a column is a quarter
//! of the bytes to read; operators of DataFusion want the column as the plan has it.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, PrimitiveArray},
    datatypes::{
        DataType, Decimal32Type, Decimal64Type, Decimal128Type, DecimalType, Field, Int32Type,
        Int64Type, Schema, SchemaRef,
    },
};
use worker_wasm::scan::narrow_type;

/// The same values in as few bits as they fit, if that is fewer. Which types become narrow at all is [`narrow_type`]'s.
pub(super) fn narrowed(column: &ArrayRef) -> Option<ArrayRef> {
    let data_type = column.data_type();
    match (data_type, narrow_type(data_type)) {
        (DataType::Decimal128(precision, scale), Some(_)) => {
            narrowed_decimal(column.as_primitive(), *precision, *scale)
        }
        (DataType::Int64, Some(_)) => narrowed_integer(column.as_primitive()),
        _ => None,
    }
}

// Values of null rows, and of arrays that nobody has checked, may be anything.
fn narrowed_integer(values: &PrimitiveArray<Int64Type>) -> Option<ArrayRef> {
    let mut valid = values.iter().flatten();
    let fits = valid.all(|value| i32::try_from(value).is_ok());
    fits.then(|| Arc::new(values.unary::<_, Int32Type>(|value| value as i32)) as _)
}

fn narrowed_decimal(
    values: &PrimitiveArray<Decimal128Type>,
    precision: u8,
    scale: i8,
) -> Option<ArrayRef> {
    let largest = values.iter().flatten().map(i128::unsigned_abs).max();
    let fits = |digits: u8| largest.is_none_or(|largest| largest < 10_u128.pow(digits.into()));
    let ints = Decimal32Type::MAX_PRECISION;
    if fits(ints) && scale <= ints.cast_signed() {
        let narrow = values.unary::<_, Decimal32Type>(|value| value as i32);
        typed(narrow, ints.min(precision), scale)
    } else if fits(Decimal64Type::MAX_PRECISION) {
        let narrow = values.unary::<_, Decimal64Type>(|value| value as i64);
        typed(narrow, precision, scale)
    } else {
        None
    }
}

/// `None` where there is no such type.
fn typed<T: DecimalType>(array: PrimitiveArray<T>, precision: u8, scale: i8) -> Option<ArrayRef> {
    let typed = array.with_precision_and_scale(precision, scale).ok()?;
    Some(Arc::new(typed))
}

/// A schema with the types of columns, which is the same where they are what it says.
pub(super) fn schema_of(schema: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    let mut pairs = schema.fields().iter().zip(columns);
    if pairs.all(|(field, column)| field.data_type() == column.data_type()) {
        return Arc::clone(schema);
    }
    let pairs = schema.fields().iter().zip(columns);
    let fields = pairs.map(|(field, column)| {
        let field = Field::clone(field);
        field.with_data_type(column.data_type().clone())
    });
    let fields: Vec<_> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Decimal128Array, Int32Array, Int64Array},
        buffer::NullBuffer,
        compute::cast,
    };

    use super::*;

    /// In which type the values are narrow, which are the same there.
    fn narrow_type_of(wide: &ArrayRef) -> Option<DataType> {
        let narrow = narrowed(wide)?;
        assert_eq!(&cast(&narrow, wide.data_type()).unwrap(), wide);
        Some(narrow.data_type().clone())
    }

    #[test]
    fn decimals_become_as_narrow_as_all_values_of_a_batch_allow() {
        let check = |values: Vec<Option<i128>>, (precision, scale): (u8, i8), narrow| {
            let wide = Decimal128Array::from(values);
            let wide: ArrayRef = Arc::new(wide.with_precision_and_scale(precision, scale).unwrap());
            assert_eq!(narrow_type_of(&wide), narrow);
        };
        let ints = |precision, scale| Some(DataType::Decimal32(precision, scale));
        let longs = |precision, scale| Some(DataType::Decimal64(precision, scale));
        let nines = 999_999_999;
        check(vec![Some(-nines), None, Some(7)], (15, 2), ints(9, 2));
        check(vec![Some(nines + 1), None], (15, 2), longs(15, 2));
        check(vec![Some(-nines - 1)], (15, 2), longs(15, 2));
        check(vec![Some(1)], (15, 10), longs(15, 10));
        check(vec![Some(1)], (4, -2), ints(4, -2));
        check(vec![None, None], (18, 0), ints(9, 0));
        check(vec![Some(1)], (19, 0), None);
        check(vec![Some(10_i128.pow(18) - 1)], (18, 0), longs(18, 0));
        // More digits than the type has, which arrays may hold unchecked.
        check(vec![Some(10_i128.pow(18))], (18, 0), None);
        check(vec![Some(i128::MIN)], (18, 0), None);
    }

    #[test]
    fn integers_become_narrow_where_all_of_a_batch_fit() {
        let check = |values: Vec<Option<i64>>, narrow| {
            let wide: ArrayRef = Arc::new(Int64Array::from(values));
            assert_eq!(narrow_type_of(&wide), narrow);
        };
        let (low, high) = (i64::from(i32::MIN), i64::from(i32::MAX));
        check(vec![Some(low), None, Some(high)], Some(DataType::Int32));
        check(vec![Some(0), Some(low - 1)], None);
        check(vec![Some(high + 1)], None);
        check(vec![None], Some(DataType::Int32));
        // What lies under a null does not count.
        let nulls = NullBuffer::from(vec![true, false]);
        let hidden: ArrayRef = Arc::new(Int64Array::new(vec![1, i64::MAX].into(), Some(nulls)));
        assert_eq!(narrow_type_of(&hidden), Some(DataType::Int32));
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        assert_eq!(narrow_type_of(&ints), None);
    }
}
