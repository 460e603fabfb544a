//! Groups that go out: their keys, and what their calls come to.

use super::{Aggregation, Cells, Groups, Place};
use crate::{
    abi::Reason,
    codegen::{
        builder::{Function, I32, I64, Local, Value, select},
        expr::{self, Datum, Row, Scalar},
        memory::{field, set_field},
    },
    fragment::{AggregateFunction, Call, Lane, Mode, Type},
};

impl Aggregation<'_> {
    /// Groups behind the cursor, once the input has ended.
    pub(crate) fn left(&self) -> Value<I32> {
        let groups = match &self.groups {
            Groups::One(_) => Value::from(1),
            Groups::Keyed(table, _) => table.groups(),
        };
        select(field(self.finished), groups - field(self.cursor), 0)
    }

    /// Runs the body for up to `rows_max` groups behind the cursor, once the input has ended.
    pub(crate) fn for_each_group(
        &self,
        f: &mut Function,
        rows_max: Local<I32>,
        body: impl FnOnce(&mut Function, Vec<Datum>, Local<I32>),
    ) {
        let groups: Local<I32> = match &self.groups {
            Groups::One(_) => f.let_(1),
            Groups::Keyed(table, _) => f.let_(table.groups()),
        };
        f.if_(field(self.finished), |f| {
            let cursor: Local<I32> = f.let_(field(self.cursor));
            let left: Local<I32> = f.let_(groups.get() - cursor);
            let length = select::<I32>(left.get().lt_u(rows_max), left, rows_max);
            let end: Local<I32> = f.let_(cursor.get() + length);
            f.count_up(cursor, end, |f| {
                let (mut columns, base) = match &self.groups {
                    Groups::One(address) => (Vec::new(), f.let_(*address)),
                    Groups::Keyed(table, offset) => {
                        let entry = table.entry(f, cursor);
                        (table.keys(f, entry), f.let_(entry.get() + *offset))
                    }
                };
                for (cells, call) in self.calls.iter().zip(&self.aggregate.calls) {
                    columns.extend(self.result(f, Place::Memory(base), cells, call, cursor));
                }
                body(f, columns, cursor);
            });
            set_field(f, self.cursor, end);
        });
    }

    /// What a call gives for a group: its states in `Partial` mode, else its result.
    fn result(
        &self,
        f: &mut Function,
        place: Place<'_>,
        cells: &Cells<'_>,
        call: &Call,
        group: Local<I32>,
    ) -> Vec<Datum> {
        let count = cells.count.map(|_| self.get(f, place, cells.count));
        let value = cells.value.map(|_| self.get(f, place, cells.value));
        let seen = cells.seen.map(|_| self.get(f, place, cells.seen));
        let none: Local<I32> = match (count, seen) {
            (Some(Scalar::I64(count)), _) => f.let_(count.get().eqz()),
            (_, Some(Scalar::I32(seen))) => f.let_(seen.get().eqz()),
            _ => f.let_(0),
        };
        match (&call.function, count, value) {
            (AggregateFunction::Count | AggregateFunction::CountDistinct, Some(count), _) => {
                vec![Datum::new(Type::Int64, count, None)]
            }
            (AggregateFunction::Avg(_), Some(count), Some(sum))
                if self.aggregate.mode == Mode::Partial =>
            {
                vec![
                    Datum::new(Type::UInt64, count, Some(none)),
                    Datum::new(cells.ty.clone(), sum, Some(none)),
                ]
            }
            (AggregateFunction::Avg(ty), Some(Scalar::I64(count)), Some(sum)) => {
                vec![average(f, &cells.ty, ty, sum, count, none, group)]
            }
            (_, _, Some(value)) => vec![Datum::new(cells.ty.clone(), value, Some(none))],
            (function, ..) => unreachable!("{function:?} lacks a cell"),
        }
    }
}

/// The sum by the count. Decimals get more places and are truncated; more digits than the type has are an overflow.
fn average(
    f: &mut Function,
    sum_type: &Type,
    ty: &Type,
    sum: Scalar,
    count: Local<I64>,
    none: Local<I32>,
    group: Local<I32>,
) -> Datum {
    if let Scalar::F64(sum) = sum {
        // Averages count in unsigned 64 bits, and none of nothing is null.
        let mean = Scalar::F64(f.let_(sum.get().div(count.get().to_f64_u())));
        return Datum::new(ty.clone(), mean, Some(none));
    }
    debug_assert_eq!(sum_type.storage().lane(), Lane::I128);
    let divisor = f.wide();
    f.set_wide(divisor, select(none, 1i64, count), 0i64);
    let sum = Datum::new(sum_type.clone(), sum, Some(none));
    // Errors name the group; no column is needed.
    let row = Row {
        columns: Vec::new(),
        params: &[],
        param_types: &[],
        index: group,
    };
    let places = expr::scale_of(ty).abs_diff(expr::scale_of(sum_type));
    let scaled = row.scale_up(f, &sum, u32::from(places), Some(none), Reason::Overflow);
    let scaled = expr::widen(f, scaled.value);
    let (mean, _) = expr::divide(f, scaled, divisor);
    let mean = Datum::new(ty.clone(), Scalar::I128(mean), Some(none));
    row.check_precision(f, &mean, ty, Reason::Overflow);
    mean
}
