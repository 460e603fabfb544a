//! Parts of dates and timestamps, truncating them, and moving them by intervals.
//!
//! A point in time is split into its day and what is left of that day, in the unit of its type; dates have nothing left.
//! Rules: DataFusion's `date_part` and `date_trunc` and arrow's interval arithmetic, without a time zone or in UTC. What
//! chrono cannot say is null in parts, and an overflow elsewhere.

use arrow::datatypes::TimeUnit;

use super::{Datum, Row, Scalar, either_null, unless};
use crate::{
    abi::Reason,
    codegen::{
        builder::{Function, I32, I64, Local, Value},
        calendar::{Civil, day_number, floor_div, is_beyond},
    },
    fragment::{Expr, TimePart, Type, rules},
};

const DAY_SECONDS: i64 = 86_400;
const SECOND_NANOS: i64 = 1_000_000_000;
/// The first day that begins within 64 bits of nanoseconds.
const FIRST_NANO_DAY: i64 = i64::MIN / (DAY_SECONDS * SECOND_NANOS);

/// A day, and how much of it has passed.
struct Moment {
    day: Local<I64>,
    rest: Local<I64>,
}

/// Units of a type in a second. Dates count as seconds.
fn per_second(ty: &Type) -> i64 {
    match ty {
        Type::Timestamp(TimeUnit::Millisecond, _) => 1_000,
        Type::Timestamp(TimeUnit::Microsecond, _) => 1_000_000,
        Type::Timestamp(TimeUnit::Nanosecond, _) => SECOND_NANOS,
        _ => 1,
    }
}

fn split(f: &mut Function, datum: &Datum) -> Moment {
    match datum.value {
        Scalar::I32(days) => Moment {
            day: f.let_(days.get().to_i64_s()),
            rest: f.let_(0i64),
        },
        Scalar::I64(value) => {
            let (day, rest) = floor_div(f, value, DAY_SECONDS * per_second(&datum.ty));
            Moment { day, rest }
        }
        other => unreachable!("verified: a point in time, not {other:?}"),
    }
}

/// 0 on Mondays: 1970-01-01 was a Thursday.
fn days_since_monday(f: &mut Function, day: Local<I64>) -> Local<I64> {
    let shifted: Local<I64> = f.let_(day.get() + 3i64);
    floor_div(f, shifted, 7).1
}

/// Year and number of the ISO week: those of its Thursday.
fn iso_week(f: &mut Function, day: Local<I64>) -> (Local<I64>, Local<I64>) {
    let since_monday = days_since_monday(f, day);
    let thursday: Local<I64> = f.let_(day.get() - since_monday + 3i64);
    let year = Civil::of(f, thursday).year;
    let first = day_number(f, year, Value::from(1i64), Value::from(1i64));
    let week = (thursday.get() - first).div_s(7i64) + 1i64;
    (year, f.let_(week))
}

fn quarter(month: Local<I64>) -> Value<I64> {
    (month.get() + 2i64).div_u(3i64)
}

impl Row<'_> {
    pub(super) fn date_part(&self, f: &mut Function, part: TimePart, value: &Expr) -> Datum {
        let value = self.value(f, value);
        let (ty, nullable) = rules::date_part(part, &value.ty).expect("verified");
        if part == TimePart::Epoch {
            return Datum::new(ty, epoch(f, &value), value.null);
        }
        let moment = split(f, &value);
        let number = part_of(f, part, &moment, per_second(&value.ty));
        let mut null = value.null;
        if nullable {
            let beyond = Datum::new(
                Type::Boolean,
                value.value,
                Some(f.let_(is_beyond(moment.day))),
            );
            null = either_null(f, &value, &beyond);
        }
        let number = match ty {
            Type::Int64 => Scalar::I64(f.let_(number)),
            _ => Scalar::I32(f.let_(number.to_i32())),
        };
        Datum::new(ty, number, null)
    }

    pub(super) fn date_trunc(&self, f: &mut Function, part: TimePart, value: &Expr) -> Datum {
        let value = self.value(f, value);
        let Scalar::I64(time) = value.value else {
            unreachable!("verified: a timestamp");
        };
        let unit = per_second(&value.ty);
        let zoned = matches!(value.ty, Type::Timestamp(_, Some(_)));
        let step = match part {
            TimePart::Microsecond => unit / 1_000_000,
            TimePart::Millisecond => unit / 1_000,
            TimePart::Second => unit,
            TimePart::Minute => 60 * unit,
            TimePart::Hour if !zoned => 3_600 * unit,
            TimePart::Day if !zoned => DAY_SECONDS * unit,
            _ => return self.date_trunc_by_calendar(f, part, &value, time),
        };
        if step <= 1 {
            return value;
        }
        let (_, rest) = floor_div(f, time, step);
        let start = Scalar::I64(f.let_(time.get() - rest));
        Datum {
            value: start,
            ..value
        }
    }

    /// Like DataFusion by way of nanoseconds, which must fit 64 bits.
    fn date_trunc_by_calendar(
        &self,
        f: &mut Function,
        part: TimePart,
        value: &Datum,
        time: Local<I64>,
    ) -> Datum {
        let unit = per_second(&value.ty);
        let nanos = SECOND_NANOS / unit;
        let too_far = time.get().lt_s(i64::MIN / nanos) | time.get().gt_s(i64::MAX / nanos);
        f.raise_if(value.unless_null(too_far), Reason::Overflow, self.index);
        let moment = split(f, value);
        let day = match part {
            TimePart::Hour | TimePart::Day => moment.day.get(),
            TimePart::Week => moment.day.get() - days_since_monday(f, moment.day),
            _ => {
                let civil = Civil::of(f, moment.day);
                let month = match part {
                    TimePart::Month => civil.month.get(),
                    TimePart::Quarter => quarter(civil.month) * 3i64 - 2i64,
                    _ => Value::from(1i64),
                };
                day_number(f, civil.year, month, Value::from(1i64)).get()
            }
        };
        let day: Local<I64> = f.let_(day);
        let too_early = value.unless_null(day.get().lt_s(FIRST_NANO_DAY));
        f.raise_if(too_early, Reason::Overflow, self.index);
        let start: Local<I64> = f.let_(day.get() * (DAY_SECONDS * unit));
        if part == TimePart::Hour {
            let (hour, _) = floor_div(f, moment.rest, 3_600 * unit);
            f.set(start, start.get() + hour.get() * (3_600 * unit));
        }
        Datum {
            value: Scalar::I64(start),
            ..value.clone()
        }
    }

    /// Adds months, then days, then nanoseconds, each of which must lead to a day there is.
    pub(super) fn add_interval(&self, f: &mut Function, value: &Expr, parts: [&Expr; 3]) -> Datum {
        let value = self.value(f, value);
        let [months, days, nanos] = parts.map(|part| self.value(f, part));
        let mut null = value.null;
        for part in [&months, &days, &nanos] {
            let so_far = Datum {
                null,
                ..value.clone()
            };
            null = either_null(f, &so_far, part);
        }
        let Scalar::I64(nanos) = nanos.value else {
            unreachable!("verified: nanoseconds are int64");
        };
        let check = |f: &mut Function, day: Local<I64>| {
            f.raise_if(unless(null, is_beyond(day)), Reason::Overflow, self.index);
        };
        let Moment { day, rest } = split(f, &value);
        check(f, day);
        let civil = Civil::of(f, day);
        let moved = civil.plus_months(f, months.i32().get().to_i64_s());
        f.set(day, moved);
        check(f, day);
        f.set(day, day.get() + days.i32().get().to_i64_s());
        check(f, day);
        let unit = per_second(&value.ty);
        if value.ty == Type::Date32 {
            f.set(
                day,
                day.get() + nanos.get().div_s(DAY_SECONDS * SECOND_NANOS),
            );
            check(f, day);
            let day = Scalar::I32(f.let_(day.get().to_i32()));
            return Datum::new(value.ty, day, null);
        }
        let (units, _) = floor_div(f, nanos, SECOND_NANOS / unit);
        let day_units = DAY_SECONDS * unit;
        let (more_days, more) = floor_div(f, units, day_units);
        f.set(rest, rest.get() + more);
        let carry: Local<I64> = f.let_(rest.get().gt_s(day_units - 1).to_i64_u());
        f.set(rest, rest.get() - carry.get() * day_units);
        f.set(day, day.get() + more_days + carry);
        check(f, day);
        let time = self.join(f, day, rest, day_units, null, Reason::Overflow);
        Datum::new(value.ty, Scalar::I64(time), null)
    }

    /// A timestamp out of a day and the rest of it, or an error where that does not fit.
    pub(super) fn join(
        &self,
        f: &mut Function,
        day: Local<I64>,
        rest: Local<I64>,
        day_units: i64,
        null: Option<Local<I32>>,
        reason: Reason,
    ) -> Local<I64> {
        let (time, addend) = (f.wide(), f.wide());
        f.mul_wide_s(time, day, day_units);
        f.set_wide(addend, rest, 0i64);
        f.add_wide(time, time, addend);
        let too_large = time.lo.get().shr_s(63i64).ne(time.hi);
        f.raise_if(unless(null, too_large), reason, self.index);
        time.lo
    }

    /// Between dates, timestamps and units of timestamps.
    pub(super) fn cast_time(&self, f: &mut Function, item: &Datum, to: &Type) -> Scalar {
        let (from_unit, to_unit) = (per_second(&item.ty), per_second(to));
        match (item.value, to) {
            (Scalar::I32(_), _) => {
                let Moment { day, rest } = split(f, item);
                let day_units = DAY_SECONDS * to_unit;
                let reason = Reason::CastOutOfRange;
                Scalar::I64(self.join(f, day, rest, day_units, item.null, reason))
            }
            (_, Type::Date32) => {
                let day = self.day_in_range(f, item);
                Scalar::I32(f.let_(day.get().to_i32()))
            }
            (Scalar::I64(time), _) if from_unit >= to_unit => {
                Scalar::I64(f.let_(time.get().div_s(from_unit / to_unit)))
            }
            (Scalar::I64(time), _) => {
                let zero = f.let_(0i64);
                let factor = to_unit / from_unit;
                let reason = Reason::CastOutOfRange;
                Scalar::I64(self.join(f, time, zero, factor, item.null, reason))
            }
            (other, _) => unreachable!("{other:?} is no point in time"),
        }
    }

    /// The day of a timestamp, an error where chrono does not have it.
    pub(super) fn day_in_range(&self, f: &mut Function, item: &Datum) -> Local<I64> {
        let day = split(f, item).day;
        let beyond = item.unless_null(is_beyond(day));
        f.raise_if(beyond, Reason::CastOutOfRange, self.index);
        day
    }
}

fn epoch(f: &mut Function, value: &Datum) -> Scalar {
    let seconds = match value.value {
        Scalar::I32(days) => days.get().to_f64_s() * DAY_SECONDS as f64,
        Scalar::I64(time) => time.get().to_f64_s().div(per_second(&value.ty) as f64),
        other => unreachable!("verified: a point in time, not {other:?}"),
    };
    Scalar::F64(f.let_(seconds))
}

fn part_of(f: &mut Function, part: TimePart, moment: &Moment, unit: i64) -> Value<I64> {
    let Moment { day, rest } = *moment;
    let within_minute = |per_second: i64| {
        let rest = rest.get().rem_u(60 * unit);
        match unit >= per_second {
            true => rest.div_u(unit / per_second),
            false => rest * (per_second / unit),
        }
    };
    match part {
        TimePart::Year => Civil::of(f, day).year.get(),
        TimePart::Month => Civil::of(f, day).month.get(),
        TimePart::Day => Civil::of(f, day).day.get(),
        TimePart::Quarter => quarter(Civil::of(f, day).month),
        TimePart::IsoYear => iso_week(f, day).0.get(),
        TimePart::Week => iso_week(f, day).1.get(),
        TimePart::DayOfYear => {
            let year = Civil::of(f, day).year;
            let first = day_number(f, year, Value::from(1i64), Value::from(1i64));
            day.get() - first + 1i64
        }
        TimePart::DayOfWeek => {
            let shifted: Local<I64> = f.let_(day.get() + 4i64);
            floor_div(f, shifted, 7).1.get()
        }
        TimePart::IsoDayOfWeek => days_since_monday(f, day).get() + 1i64,
        TimePart::Hour => rest.get().div_u(3_600 * unit),
        TimePart::Minute => rest.get().div_u(60 * unit).rem_u(60i64),
        TimePart::Second => within_minute(1),
        TimePart::Millisecond => within_minute(1_000),
        TimePart::Microsecond => within_minute(1_000_000),
        TimePart::Nanosecond => within_minute(SECOND_NANOS),
        TimePart::Epoch => unreachable!("the epoch is a float"),
    }
}
