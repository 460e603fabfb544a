//! The Gregorian calendar in generated code, extended backwards.
//!
//! Units: days since 1970-01-01. Years are shifted to start in March, so that the leap day is the last of its year, and
//! counted in eras of 400, which all have the same number of days.
//! Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days` and `days_from_civil`.

use wasm_encoder::ValType;

use super::{
    builder::{Finished, Function, I32, I64, Local, Value, select},
    wide::Helper,
};

const ERA_DAYS: i64 = 146_097;
const ERA_YEARS: i64 = 400;
/// From 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// First and last day that chrono has, and DataFusion with it: -262143-01-01 and 262142-12-31.
const FIRST_DAY: i64 = -96_465_292;
const LAST_DAY: i64 = 95_026_236;

/// A date, in locals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Civil {
    pub(crate) year: Local<I64>,
    /// 1 to 12.
    pub(crate) month: Local<I64>,
    /// 1 to 31.
    pub(crate) day: Local<I64>,
}

impl Civil {
    pub(crate) fn of(f: &mut Function, day: Local<I64>) -> Self {
        f.argument(day);
        f.call_helper(Helper::Civil);
        let civil = Self {
            year: f.local(),
            month: f.local(),
            day: f.local(),
        };
        f.take(civil.day);
        f.take(civil.month);
        f.take(civil.year);
        civil
    }

    /// The day that many months later, or the last one of its month where that is shorter.
    pub(crate) fn plus_months(self, f: &mut Function, months: Value<I64>) -> Local<I64> {
        let sum: Local<I64> = f.let_(self.year.get() * 12i64 + self.month + months - 1i64);
        let (year, month) = floor_div(f, sum, 12);
        let first = day_number(f, year, month.get() + 1i64, Value::from(1i64));
        let next = day_number(f, year, month.get() + 2i64, Value::from(1i64));
        let there: Local<I64> = f.let_(first.get() + self.day - 1i64);
        let last = next.get() - 1i64;
        f.let_(select::<I64>(there.get().lt_s(next), there, last))
    }
}

/// The day of a date.
pub(crate) fn day_number(
    f: &mut Function,
    year: Local<I64>,
    month: Value<I64>,
    day: Value<I64>,
) -> Local<I64> {
    f.argument(year);
    f.argument::<I64>(month);
    f.argument::<I64>(day);
    f.call_helper(Helper::DayOf);
    let number = f.local();
    f.take(number);
    number
}

/// 1 where chrono does not have the day.
pub(crate) fn is_beyond(day: Local<I64>) -> Value<I32> {
    (day.get() - FIRST_DAY).gt_u(LAST_DAY - FIRST_DAY)
}

/// Quotient rounded down, and what is left, which is not negative.
pub(crate) fn floor_div(
    f: &mut Function,
    value: Local<I64>,
    divisor: i64,
) -> (Local<I64>, Local<I64>) {
    let rest: Local<I64> = f.let_(value.get().rem_s(divisor));
    let negative: Local<I64> = f.let_(rest.get().shr_u(63i64));
    let quotient: Local<I64> = f.let_(value.get().div_s(divisor) - negative);
    f.set(rest, rest.get() + negative.get() * divisor);
    (quotient, rest)
}

/// `(day) -> year, month, day of the month`.
pub(super) fn civil() -> Finished {
    let mut f = Function::new(&[ValType::I64; 3]);
    let number: Local<I64> = f.param();
    let since: Local<I64> = f.let_(number.get() + EPOCH_DAYS);
    let (era, day_of_era) = floor_div(&mut f, since, ERA_DAYS);
    let leaps =
        |f: &mut Function, days: i64| -> Local<I64> { f.let_(day_of_era.get().div_u(days)) };
    let (fours, hundreds, eras) = (
        leaps(&mut f, 1460),
        leaps(&mut f, 36_524),
        leaps(&mut f, ERA_DAYS - 1),
    );
    let year_of_era: Local<I64> =
        f.let_((day_of_era.get() - fours + hundreds - eras).div_u(365i64));
    let before = year_days(year_of_era);
    let day_of_year: Local<I64> = f.let_(day_of_era.get() - before);
    // Five months from March on have 153 days, and so do the next five.
    let march_month: Local<I64> = f.let_((day_of_year.get() * 5i64 + 2i64).div_u(153i64));
    let day: Local<I64> =
        f.let_(day_of_year.get() - (march_month.get() * 153i64 + 2i64).div_u(5i64) + 1i64);
    let is_next_year: Local<I64> = f.let_(march_month.get().gt_u(9i64).to_i64_u());
    let month = march_month.get() + 3i64 - is_next_year.get() * 12i64;
    let month: Local<I64> = f.let_(month);
    let year = era.get() * ERA_YEARS + year_of_era + is_next_year;
    let year: Local<I64> = f.let_(year);
    f.return_values(|f| {
        for part in [year, month, day] {
            f.argument(part);
        }
    });
    f.finish()
}

/// Days of the years of an era before a year.
fn year_days(year_of_era: Local<I64>) -> Value<I64> {
    year_of_era.get() * 365i64 + year_of_era.get().shr_u(2i64) - year_of_era.get().div_u(100i64)
}

/// `(year, month, day of the month) -> day`.
pub(super) fn day_of() -> Finished {
    let mut f = Function::new(&[ValType::I64]);
    let (year, month, day): (Local<I64>, Local<I64>, Local<I64>) =
        (f.param(), f.param(), f.param());
    // March is month 0; January and February belong to the year before, month 13 to the one that starts in March.
    let march_month: Local<I64> = f.let_(month.get() + 9i64);
    let is_this_year = march_month.get().gt_u(11i64).to_i64_u();
    let shifted: Local<I64> = f.let_(year.get() - 1i64 + is_this_year.clone());
    f.set(march_month, march_month.get() - is_this_year * 12i64);
    let (era, year_of_era) = floor_div(&mut f, shifted, ERA_YEARS);
    let day_of_year = (march_month.get() * 153i64 + 2i64).div_u(5i64) + day - 1i64;
    let day_of_era = year_days(year_of_era) + day_of_year;
    let number: Local<I64> = f.let_(era.get() * ERA_DAYS + day_of_era - EPOCH_DAYS);
    f.return_values(|f| f.argument(number));
    f.finish()
}
