//! Values of an Arrow array -> a buffer of the input window, all of a range or those of some rows, each at its row's place.
//!
//! Numbers go into the lane that the module expects, whatever width the array has; whether decimals fit is checked on the way.
//! Errors: the fact that a value breaks.

use std::ops::Range;

use arrow::{
    array::{Array, ArrayRef, AsArray},
    buffer::{BooleanBuffer, NullBuffer},
    datatypes::{DataType, Decimal32Type, Decimal64Type, Decimal128Type, Int32Type},
};

use crate::fragment::Storage;

/// Rows of an array whose values are wanted.
#[derive(Debug, Clone)]
pub(super) enum Rows<'a> {
    Range(Range<usize>),
    /// Ascending, all of the array.
    Each(&'a [u32]),
}

/// Of a range at most so many times the rows in it are copied: that is faster than picking them out.
const RANGE_PER_ROW: usize = 3;

/// The range from a first to a last row, where that is mostly the `count` rows wanted of it.
pub(super) fn range_of(first: usize, last: usize, count: usize) -> Option<Range<usize>> {
    (last - first < count * RANGE_PER_ROW).then_some(first..last + 1)
}

/// Writes fixed-width values to `target`, which has room for the whole array. A range of booleans is the whole array.
pub(super) fn write(
    target: &mut [u8],
    storage: Storage,
    array: &ArrayRef,
    rows: &Rows<'_>,
) -> Result<(), &'static str> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let fits = match (array.data_type(), storage) {
        (DataType::Boolean, _) => {
            copy_bits(target, array.as_boolean().values());
            true
        }
        (DataType::Decimal128(..), Storage::I32) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            let narrow = |values: &[i128], nulls: Option<&NullBuffer>, lanes: &mut [[u8; 4]]| {
                narrow_wide(values, nulls, lanes, |low| (low as u32).to_le_bytes())
            };
            lanes(target, values, nulls, rows, narrow, |value| {
                let value = i32::try_from(value).ok().filter(|v| *v != i32::MIN);
                value.map(i32::to_le_bytes)
            })
        }
        (DataType::Decimal128(..), Storage::I64) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            let narrow = |values: &[i128], nulls: Option<&NullBuffer>, lanes: &mut [[u8; 8]]| {
                narrow_wide(values, nulls, lanes, u64::to_le_bytes)
            };
            lanes(target, values, nulls, rows, narrow, |value| {
                let value = i64::try_from(value).ok().filter(|v| *v != i64::MIN);
                value.map(i64::to_le_bytes)
            })
        }
        (DataType::Decimal64(..), Storage::I32) => {
            let values = array.as_primitive::<Decimal64Type>().values();
            lanes(target, values, nulls, rows, narrow_long, |value| {
                let value = i32::try_from(value).ok().filter(|v| *v != i32::MIN);
                value.map(i32::to_le_bytes)
            })
        }
        (DataType::Decimal64(..), Storage::I64) => {
            let values = array.as_primitive::<Decimal64Type>().values();
            lanes(target, values, nulls, rows, keep_long, |value| {
                (value != i64::MIN).then(|| value.to_le_bytes())
            })
        }
        (DataType::Decimal32(..), Storage::I32) => {
            let values = array.as_primitive::<Decimal32Type>().values();
            lanes(target, values, nulls, rows, keep_int, |value| {
                (value != i32::MIN).then(|| value.to_le_bytes())
            })
        }
        (DataType::Decimal32(..), Storage::I64) => {
            let values = array.as_primitive::<Decimal32Type>().values();
            lanes(target, values, nulls, rows, widen_int, |value| {
                Some(i64::from(value).to_le_bytes())
            })
        }
        (DataType::Int32, Storage::I64) => {
            let values = array.as_primitive::<Int32Type>().values();
            lanes(target, values, nulls, rows, widen_int, |value| {
                Some(i64::from(value).to_le_bytes())
            })
        }
        _ => {
            let data = array.to_data();
            let width = storage.bytes() as usize;
            let values = &data.buffers()[0].as_slice()[data.offset() * width..];
            copy(target, &values[..array.len() * width], width, rows);
            true
        }
    };
    fits.then_some(()).ok_or(match storage {
        Storage::I32 => "i32",
        _ => "i64",
    })
}

/// Bits from their first one on; those behind the last row are arbitrary.
pub(super) fn copy_bits(target: &mut [u8], bits: &BooleanBuffer) {
    let aligned = bits.sliced();
    target.copy_from_slice(&aligned.as_slice()[..target.len()]);
}

fn copy(target: &mut [u8], values: &[u8], width: usize, rows: &Rows<'_>) {
    fn pick<const WIDTH: usize>(target: &mut [u8], values: &[u8], rows: &[u32]) {
        let (target, _) = target.as_chunks_mut::<WIDTH>();
        let (values, _) = values.as_chunks::<WIDTH>();
        for row in rows {
            target[*row as usize] = values[*row as usize];
        }
    }
    match (rows, width) {
        (Rows::Range(range), _) => {
            let bytes = range.start * width..range.end * width;
            target[bytes.clone()].copy_from_slice(&values[bytes]);
        }
        (Rows::Each(rows), 1) => pick::<1>(target, values, rows),
        (Rows::Each(rows), 2) => pick::<2>(target, values, rows),
        (Rows::Each(rows), 4) => pick::<4>(target, values, rows),
        (Rows::Each(rows), 8) => pick::<8>(target, values, rows),
        (Rows::Each(rows), _) => pick::<16>(target, values, rows),
    }
}

/// Values as lanes, nulls as 0: a range by `all`, single rows by `one`. Whether all fit.
fn lanes<T: Copy, const WIDTH: usize>(
    target: &mut [u8],
    values: &[T],
    nulls: Option<&NullBuffer>,
    rows: &Rows<'_>,
    all: impl Fn(&[T], Option<&NullBuffer>, &mut [[u8; WIDTH]]) -> bool,
    one: impl Fn(T) -> Option<[u8; WIDTH]>,
) -> bool {
    let (target, _) = target.as_chunks_mut::<WIDTH>();
    match rows {
        Rows::Range(range) => {
            let nulls = nulls.map(|nulls| nulls.slice(range.start, range.len()));
            all(
                &values[range.clone()],
                nulls.as_ref(),
                &mut target[range.clone()],
            )
        }
        Rows::Each(rows) => rows.iter().all(|row| {
            let row = *row as usize;
            let lane = match nulls.is_some_and(|nulls| nulls.is_null(row)) {
                true => Some([0; WIDTH]),
                false => one(values[row]),
            };
            // An assignment: copying slices checks them for overlap each time.
            lane.map(|lane| target[row] = lane).is_some()
        }),
    }
}

/// Values of 128 bits as their lowest `WIDTH` bytes. Whether all magnitudes are below half of what that many bytes hold.
///
/// Written without branches, and with the sum in two words, because that is what compiles to an add with carry: moved up
/// by the largest number, those that fit are not negative, have no bit above their lane, and are not all ones.
fn narrow_wide<const WIDTH: usize>(
    values: &[i128],
    nulls: Option<&NullBuffer>,
    lanes: &mut [[u8; WIDTH]],
    lane_of: impl Fn(u64) -> [u8; WIDTH],
) -> bool {
    let all_ones = u64::MAX >> (64 - 8 * WIDTH);
    let (mut above, mut within, mut edge) = (0u64, 0u64, 0u64);
    let mut put = |lane: &mut [u8; WIDTH], value: i128| {
        let (low, high) = (value as u64, (value >> 64) as u64);
        let moved = low.wrapping_add(all_ones >> 1);
        above |= high.wrapping_add(u64::from(moved < low));
        within |= moved;
        edge |= u64::from(moved == all_ones);
        *lane = lane_of(low);
    };
    let pairs = lanes.iter_mut().zip(values);
    match nulls {
        Some(nulls) => pairs.zip(nulls.iter()).for_each(|((lane, value), valid)| {
            put(lane, if valid { *value } else { 0 });
        }),
        None => pairs.for_each(|(lane, value)| put(lane, *value)),
    }
    above == 0 && edge == 0 && within & !all_ones == 0
}

fn narrow_long(values: &[i64], nulls: Option<&NullBuffer>, lanes: &mut [[u8; 4]]) -> bool {
    each(values, nulls, lanes, |value| {
        let low = value as i32;
        (
            low.to_le_bytes(),
            i64::from(low) == value && low != i32::MIN,
        )
    })
}

fn keep_long(values: &[i64], nulls: Option<&NullBuffer>, lanes: &mut [[u8; 8]]) -> bool {
    each(values, nulls, lanes, |value| {
        (value.to_le_bytes(), value != i64::MIN)
    })
}

fn keep_int(values: &[i32], nulls: Option<&NullBuffer>, lanes: &mut [[u8; 4]]) -> bool {
    each(values, nulls, lanes, |value| {
        (value.to_le_bytes(), value != i32::MIN)
    })
}

fn widen_int(values: &[i32], nulls: Option<&NullBuffer>, lanes: &mut [[u8; 8]]) -> bool {
    each(values, nulls, lanes, |value| {
        (i64::from(value).to_le_bytes(), true)
    })
}

/// The lanes of values and whether all fit, without branches.
fn each<T: Copy + Default, const WIDTH: usize>(
    values: &[T],
    nulls: Option<&NullBuffer>,
    lanes: &mut [[u8; WIDTH]],
    lane_of: impl Fn(T) -> ([u8; WIDTH], bool),
) -> bool {
    let mut all = true;
    let mut put = |lane: &mut [u8; WIDTH], value: T| {
        let (bytes, fits) = lane_of(value);
        *lane = bytes;
        all &= fits;
    };
    let pairs = lanes.iter_mut().zip(values);
    match nulls {
        Some(nulls) => pairs.zip(nulls.iter()).for_each(|((lane, value), valid)| {
            put(lane, if valid { *value } else { T::default() });
        }),
        None => pairs.for_each(|(lane, value)| put(lane, *value)),
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal32Array, Decimal64Array, Decimal128Array};

    use super::*;

    fn wide(values: &[i128]) -> ArrayRef {
        Arc::new(Decimal128Array::from(values.to_vec()))
    }

    /// Whether the values fit lanes, read as a range and one by one, with what is in their lanes then.
    fn fits(array: &ArrayRef, storage: Storage) -> bool {
        let each: Vec<u32> = (0..array.len() as u32).collect();
        let bytes = storage.bytes() as usize * array.len();
        let (mut range, mut single) = (vec![0; bytes], vec![0; bytes]);
        let by_range = write(&mut range, storage, array, &Rows::Range(0..array.len()));
        let by_row = write(&mut single, storage, array, &Rows::Each(&each));
        assert_eq!(by_range, by_row);
        if by_range.is_ok() {
            assert_eq!(range, single);
        }
        by_range.is_ok()
    }

    #[test]
    fn decimals_fit_a_lane_up_to_its_largest_magnitude_and_not_beyond() {
        let check = |value: i128, fits_32: bool, fits_64: bool| {
            // Others around it must neither help nor hurt.
            let array = wide(&[0, 1, value, -1]);
            assert_eq!(fits(&array, Storage::I32), fits_32, "{value}");
            assert_eq!(fits(&array, Storage::I64), fits_64, "{value}");
            if let Ok(value) = i64::try_from(value) {
                let array: ArrayRef = Arc::new(Decimal64Array::from(vec![0, 1, value, -1]));
                assert_eq!(fits(&array, Storage::I32), fits_32, "{value}");
                assert_eq!(fits(&array, Storage::I64), fits_64, "{value}");
            }
            if let Ok(value) = i32::try_from(value) {
                let array: ArrayRef = Arc::new(Decimal32Array::from(vec![0, 1, value, -1]));
                assert_eq!(fits(&array, Storage::I32), fits_32, "{value}");
                assert!(fits(&array, Storage::I64), "{value}");
            }
        };
        let (largest_32, largest_64) = (i128::from(i32::MAX), i128::from(i64::MAX));
        for sign in [1, -1] {
            check(sign * 2_400, true, true);
            check(sign * largest_32, true, true);
            check(sign * (largest_32 + 1), false, true);
            check(sign * largest_64, false, true);
            check(sign * (largest_64 + 1), false, false);
            check(sign << 64, false, false);
            check(sign * i128::MAX, false, false);
        }
        check(i128::MIN, false, false);
    }

    #[test]
    fn what_a_null_row_holds_breaks_no_fact() {
        let nulls = NullBuffer::from(vec![true, false, true]);
        let values = vec![1, i128::MAX, 3].into();
        let array: ArrayRef = Arc::new(Decimal128Array::new(values, Some(nulls.clone())));
        assert!(fits(&array, Storage::I32));
        let values = vec![1, i64::MIN, 3].into();
        let array: ArrayRef = Arc::new(Decimal64Array::new(values, Some(nulls)));
        assert!(fits(&array, Storage::I64));
    }

    #[test]
    fn a_range_is_copied_where_most_of_it_is_wanted() {
        assert_eq!(range_of(1, 5, 2), Some(1..6));
        assert_eq!(range_of(7, 7, 1), Some(7..8));
        assert_eq!(range_of(0, 8000, 100), None);
    }

    #[test]
    fn rows_that_are_not_wanted_stay_as_they_are() {
        let array = wide(&[10, 20, 30, 40, 50, 60]);
        let lanes = |rows: &Rows<'_>| {
            let mut target = [0xff; 6];
            let mut bytes: Vec<u8> = target.iter().flat_map(|_| [0xff; 8]).collect();
            write(&mut bytes, Storage::I64, &array, rows).unwrap();
            for (byte, lane) in target.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *byte = lane[0];
            }
            target
        };
        assert_eq!(lanes(&Rows::Range(1..6)), [0xff, 20, 30, 40, 50, 60]);
        assert_eq!(lanes(&Rows::Each(&[5])), [0xff, 0xff, 0xff, 0xff, 0xff, 60]);
        assert_eq!(lanes(&Rows::Each(&[])), [0xff; 6]);
        assert_eq!(
            lanes(&Rows::Each(&[0, 5])),
            [10, 0xff, 0xff, 0xff, 0xff, 60]
        );
        // A value that does not fit breaks nothing where no one wants it.
        let array = wide(&[i128::MAX, 1, 2]);
        let mut target = [0; 24];
        assert!(write(&mut target, Storage::I64, &array, &Rows::Range(1..3)).is_ok());
        assert!(write(&mut target, Storage::I64, &array, &Rows::Each(&[0])).is_err());
    }
}
