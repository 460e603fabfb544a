//! Scalar functions and intervals -> expressions of fragments.
//!
//! What a function does with a part of a time or with an interval is part of the shape, so both must be literals.

use std::sync::Arc;

use arrow::datatypes::{IntervalDayTime, IntervalMonthDayNano};
use datafusion::{
    common::ScalarValue,
    functions::{
        datetime::{date_part::DatePartFunc, date_trunc::DateTruncFunc},
        unicode::substr::SubstrFunc,
    },
    physical_expr::{PhysicalExpr, ScalarFunctionExpr, expressions::Literal},
};

use super::{Reason, expr::Result, pipeline::Rows};
use crate::{
    fragment::{Expr, Param, Range, TimePart, Type},
    functions, runtime,
};

const NANOS_PER_MILLI: i64 = 1_000_000;

impl Rows {
    pub(super) fn call(&mut self, call: &ScalarFunctionExpr) -> Result<Expr> {
        let inner = functions::original(call.fun()).inner();
        match call.args() {
            [text, start, count @ ..] if inner.is::<SubstrFunc>() && count.len() <= 1 => {
                let count = count.first().map(|count| self.expr(count));
                Ok(Expr::Substring {
                    count: count.transpose()?.map(Box::new),
                    text: Box::new(self.expr(text)?),
                    start: Box::new(self.expr(start)?),
                })
            }
            [part, time] if inner.is::<DatePartFunc>() => {
                let part = time_part(part).ok_or_else(|| unsupported(call))?;
                Ok(Expr::DatePart(part, Box::new(self.expr(time)?)))
            }
            [part, time] if inner.is::<DateTruncFunc>() => {
                let part = time_part(part).ok_or_else(|| unsupported(call))?;
                Ok(Expr::DateTrunc(part, Box::new(self.expr(time)?)))
            }
            _ => Err(unsupported(call)),
        }
    }

    /// A time moved by a literal interval, forwards or back; `None` where the interval is no such literal.
    pub(super) fn moved(
        &mut self,
        time: &Arc<dyn PhysicalExpr>,
        interval: &Arc<dyn PhysicalExpr>,
        back: bool,
    ) -> Option<Result<Expr>> {
        let (months, days, nanos) = parts(interval.downcast_ref::<Literal>()?.value())?;
        // The negative of the smallest number is none: such an interval stays DataFusion's.
        let (months, days, nanos) = match back {
            true => (
                months.checked_neg()?,
                days.checked_neg()?,
                nanos.checked_neg()?,
            ),
            false => (months, days, nanos),
        };
        Some(self.expr(time).map(|value| Expr::AddInterval {
            value: Box::new(value),
            months: Box::new(self.integer(Type::Int32, months.into())),
            days: Box::new(self.integer(Type::Int32, days.into())),
            nanos: Box::new(self.integer(Type::Int64, nanos.into())),
        }))
    }

    fn integer(&mut self, ty: Type, value: i128) -> Expr {
        let range = Range::Full;
        self.param(Param { ty, range }, runtime::Param::Int(value))
    }
}

fn unsupported(call: &ScalarFunctionExpr) -> Reason {
    Reason::Expression(call.to_string())
}

/// Months, days and nanoseconds of an interval.
fn parts(interval: &ScalarValue) -> Option<(i32, i32, i64)> {
    match interval {
        ScalarValue::IntervalYearMonth(Some(months)) => Some((*months, 0, 0)),
        ScalarValue::IntervalDayTime(Some(IntervalDayTime { days, milliseconds })) => {
            Some((0, *days, i64::from(*milliseconds) * NANOS_PER_MILLI))
        }
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano {
            months,
            days,
            nanoseconds,
        })) => Some((*months, *days, *nanoseconds)),
        _ => None,
    }
}

/// The usual names of parts; abbreviations are left to DataFusion.
fn time_part(part: &Arc<dyn PhysicalExpr>) -> Option<TimePart> {
    let name = part.downcast_ref::<Literal>()?.value();
    let name = name.try_as_str().flatten()?.to_ascii_lowercase();
    Some(match name.as_str() {
        "year" => TimePart::Year,
        "isoyear" => TimePart::IsoYear,
        "quarter" => TimePart::Quarter,
        "month" => TimePart::Month,
        "week" => TimePart::Week,
        "day" => TimePart::Day,
        "doy" => TimePart::DayOfYear,
        "dow" => TimePart::DayOfWeek,
        "isodow" => TimePart::IsoDayOfWeek,
        "hour" => TimePart::Hour,
        "minute" => TimePart::Minute,
        "second" => TimePart::Second,
        "millisecond" => TimePart::Millisecond,
        "microsecond" => TimePart::Microsecond,
        "nanosecond" => TimePart::Nanosecond,
        "epoch" => TimePart::Epoch,
        _ => return None,
    })
}
