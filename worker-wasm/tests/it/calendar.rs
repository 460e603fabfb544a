//! What dates and timestamps should give, from arrow's kernels, for a row at a time.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, IntervalMonthDayNanoArray,
        new_null_array,
    },
    compute::{DatePart, cast, date_part, kernels::numeric},
    datatypes::{DataType, Int32Type, Int64Type, IntervalMonthDayNanoType, TimeUnit},
};
use worker_wasm::{
    abi::Reason,
    fragment::{TimePart, Type},
};

const DAY_SECONDS: i128 = 86_400;

/// Units of a timestamp or date in a second, if its unit is no longer than that.
fn per_second(data_type: &DataType) -> i128 {
    match data_type {
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1_000_000_000,
        _ => 1,
    }
}

fn kernel(value: &ArrayRef, part: DatePart) -> Option<i32> {
    let parts = date_part(value, part).unwrap();
    let parts = parts.as_primitive::<Int32Type>();
    parts.is_valid(0).then(|| parts.value(0))
}

/// As DataFusion puts `date_part` together from arrow's parts.
pub(crate) fn part(part: TimePart, value: &ArrayRef) -> ArrayRef {
    let simple = |part| -> ArrayRef { Arc::new(Int32Array::from(vec![kernel(value, part)])) };
    let within_minute = |per_second: i64| {
        let second = kernel(value, DatePart::Second)?;
        let nanos = kernel(value, DatePart::Nanosecond).unwrap_or(0);
        let part = i64::from(nanos) % 1_000_000_000 / (1_000_000_000 / per_second);
        Some(i64::from(second) * per_second + part)
    };
    let small = |per_second| -> ArrayRef {
        let part = within_minute(per_second).map(|part| part as i32);
        Arc::new(Int32Array::from(vec![part]))
    };
    match part {
        TimePart::Year => simple(DatePart::Year),
        TimePart::IsoYear => simple(DatePart::YearISO),
        TimePart::Quarter => simple(DatePart::Quarter),
        TimePart::Month => simple(DatePart::Month),
        TimePart::Week => simple(DatePart::Week),
        TimePart::Day => simple(DatePart::Day),
        TimePart::DayOfYear => simple(DatePart::DayOfYear),
        TimePart::DayOfWeek => simple(DatePart::DayOfWeekSunday0),
        TimePart::IsoDayOfWeek => {
            let day = kernel(value, DatePart::DayOfWeekMonday0);
            Arc::new(Int32Array::from(vec![day.map(|day| day + 1)]))
        }
        TimePart::Hour => simple(DatePart::Hour),
        TimePart::Minute => simple(DatePart::Minute),
        TimePart::Second => small(1),
        TimePart::Millisecond => small(1_000),
        TimePart::Microsecond => small(1_000_000),
        TimePart::Nanosecond => Arc::new(Int64Array::from(vec![within_minute(1_000_000_000)])),
        TimePart::Epoch => {
            let seconds = number(value).map(|number| match value.data_type() {
                DataType::Date32 => number as f64 * DAY_SECONDS as f64,
                other => number as f64 / per_second(other) as f64,
            });
            Arc::new(Float64Array::from(vec![seconds]))
        }
    }
}

fn number(value: &ArrayRef) -> Option<i64> {
    let numbers = match value.data_type() {
        DataType::Date32 => cast(&cast(value, &DataType::Int32).unwrap(), &DataType::Int64),
        _ => cast(value, &DataType::Int64),
    };
    let numbers = numbers.unwrap();
    let numbers = numbers.as_primitive::<Int64Type>();
    numbers.is_valid(0).then(|| numbers.value(0))
}

/// The start of what a timestamp is in, counted back from it by arrow's parts.
pub(crate) fn trunc(part: TimePart, value: &ArrayRef) -> Result<ArrayRef, Reason> {
    let Some(time) = number(value) else {
        return Ok(ArrayRef::clone(value));
    };
    let (time, unit) = (i128::from(time), per_second(value.data_type()));
    let zoned = matches!(value.data_type(), DataType::Timestamp(_, Some(_)));
    let step = match part {
        TimePart::Microsecond => (unit / 1_000_000).max(1),
        TimePart::Millisecond => (unit / 1_000).max(1),
        TimePart::Second => unit,
        TimePart::Minute => 60 * unit,
        TimePart::Hour => 3_600 * unit,
        _ => DAY_SECONDS * unit,
    };
    let fine = match part {
        TimePart::Hour | TimePart::Day => !zoned,
        _ => step < 3_600 * unit,
    };
    let nanos = 1_000_000_000 / unit;
    let fits = |time: i128| i64::try_from(time * nanos).is_ok();
    if !fine && !fits(time) {
        return Err(Reason::Overflow);
    }
    let mut start = time - time.rem_euclid(step);
    if !fine {
        let of = |part| i128::from(kernel(value, part).unwrap());
        let back = match part {
            TimePart::Week => of(DatePart::DayOfWeekMonday0),
            TimePart::Month => of(DatePart::Day) - 1,
            TimePart::Year => of(DatePart::DayOfYear) - 1,
            TimePart::Quarter => {
                let months = -((of(DatePart::Month) - 1) % 3) as i32;
                let day = start / (DAY_SECONDS * unit) - (of(DatePart::Day) - 1);
                let day = Int32Array::from(vec![day as i32]);
                let day = cast(&day, &DataType::Date32).unwrap();
                let moved = moved(&day, months, 0, 0).unwrap();
                let there = i128::from(number(&moved).unwrap());
                start / (DAY_SECONDS * unit) - there
            }
            _ => 0,
        };
        start -= back * DAY_SECONDS * unit;
        if !fits(start) {
            return Err(Reason::Overflow);
        }
    }
    // Fine steps wrap at the very start of time.
    let start = Int64Array::from(vec![start as i64]);
    Ok(cast(&start, value.data_type()).unwrap())
}

fn moved(value: &ArrayRef, months: i32, days: i32, nanos: i64) -> Result<ArrayRef, Reason> {
    let interval = IntervalMonthDayNanoType::make_value(months, days, nanos);
    let interval = IntervalMonthDayNanoArray::from(vec![interval]);
    numeric::add(value, &interval).map_err(|_| Reason::Overflow)
}

/// A value and the three parts of an interval added to it.
pub(crate) fn add_interval(value: &ArrayRef, parts: [&ArrayRef; 3]) -> Result<ArrayRef, Reason> {
    if value.is_null(0) || parts.iter().any(|part| part.is_null(0)) {
        return Ok(new_null_array(value.data_type(), 1));
    }
    let [months, days, nanos] = parts;
    let int = |array: &ArrayRef| array.as_primitive::<Int32Type>().value(0);
    let nanos = nanos.as_primitive::<Int64Type>().value(0);
    moved(value, int(months), int(days), nanos)
}

/// Whether arrow, unlike DataFusion, casts a date to a timestamp without looking whether it fits.
pub(crate) fn is_unchecked_cast(value: &ArrayRef, to: &Type) -> bool {
    let to = to.to_arrow();
    let from_date = *value.data_type() == DataType::Date32;
    let units = DAY_SECONDS * per_second(&to);
    let fits = |day: i64| i64::try_from(i128::from(day) * units).is_ok();
    from_date
        && matches!(to, DataType::Timestamp(..))
        && number(value).is_some_and(|day| !fits(day))
}
