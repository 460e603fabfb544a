//! A row that is added to its group's cells. Sums take no branch for nulls: they add zero.

use super::{Aggregation, Cells, Place};
use crate::{
    codegen::{
        builder::{F64, Function, I32, I64, Local, Value, select},
        expr::{self, Datum, Row, Scalar},
        hash_table::Directory,
    },
    fragment::{AggregateFunction, Mode},
};

impl Aggregation<'_> {
    pub(super) fn update(
        &self,
        f: &mut Function,
        place: Place<'_>,
        cells: &Cells<'_>,
        directory: Option<Directory>,
        row: &Row<'_>,
    ) {
        let call = cells.call;
        if let Some(filter) = &call.filter {
            // Rows that do not count do not compute the argument either: it may fail for them.
            let keep = row.value(f, filter);
            f.if_(keep.is_true(), |f| {
                self.update_counted(f, place, cells, directory, row)
            });
        } else {
            self.update_counted(f, place, cells, directory, row);
        }
    }

    fn update_counted(
        &self,
        f: &mut Function,
        place: Place<'_>,
        cells: &Cells<'_>,
        directory: Option<Directory>,
        row: &Row<'_>,
    ) {
        let arguments = cells.call.arguments.iter();
        let arguments: Vec<_> = arguments.map(|argument| row.value(f, argument)).collect();
        let valid = arguments.last().and_then(|argument| argument.null);
        let valid = valid.map(|null| f.let_(null.get().eqz()));
        if let Some(count) = cells.count.filter(|_| cells.updates_count) {
            let more = match (self.aggregate.mode, arguments.as_slice(), valid) {
                (Mode::Final, [states, ..], _) => match states.value {
                    Scalar::I64(count) => count.get(),
                    other => unreachable!("counts have 64 bits, not {other:?}"),
                },
                (_, _, Some(valid)) => valid.get().to_i64_u(),
                (_, _, None) => Value::from(1i64),
            };
            let Scalar::I64(so_far) = self.get(f, place, Some(count)) else {
                unreachable!("counts have 64 bits");
            };
            let sum = Scalar::I64(f.let_(so_far.get() + more));
            self.set(f, place, Some(count), sum);
        }
        let Some(argument) = arguments.last() else {
            return;
        };
        match &cells.call.function {
            AggregateFunction::Count => {}
            AggregateFunction::CountDistinct => {
                let directory = directory.expect("a set has a directory");
                match valid {
                    Some(valid) => f.if_(valid, |f| {
                        self.count_once(f, place, cells, directory, argument);
                    }),
                    None => self.count_once(f, place, cells, directory, argument),
                }
            }
            AggregateFunction::Sum | AggregateFunction::Avg(_) => {
                self.add(f, place, cells, argument, valid);
            }
            AggregateFunction::Min => self.keep_better(f, place, cells, argument, valid, true),
            AggregateFunction::Max => self.keep_better(f, place, cells, argument, valid, false),
        }
    }

    /// Counts the argument where its group has not had it yet.
    fn count_once(
        &self,
        f: &mut Function,
        place: Place<'_>,
        cells: &Cells<'_>,
        directory: Directory,
        argument: &Datum,
    ) {
        let group = match place {
            Place::Memory(entry) => entry,
            Place::Locals(_) => f.let_(0),
        };
        let set = cells.distinct.as_ref().expect("it counts once");
        set.note(f, directory, group, argument, &self.texts, |f| {
            let Scalar::I64(count) = self.get(f, place, cells.count) else {
                unreachable!("counts have 64 bits");
            };
            let count = Scalar::I64(f.let_(count.get() + 1i64));
            self.set(f, place, cells.count, count);
        });
    }

    /// Adds the argument, or zero where it is null: no branch.
    fn add(
        &self,
        f: &mut Function,
        place: Place<'_>,
        cells: &Cells<'_>,
        argument: &Datum,
        valid: Option<Local<I32>>,
    ) {
        self.note_seen(f, place, cells, valid);
        if !cells.updates_value {
            return;
        }
        let sum = match self.get(f, place, cells.value) {
            Scalar::I64(sum) => {
                let addend = match argument.value {
                    Scalar::I32(v) if argument.ty.is_unsigned() => v.get().to_i64_u(),
                    Scalar::I32(v) => v.get().to_i64_s(),
                    Scalar::I64(v) => v.get(),
                    other => unreachable!("{other:?} is no integer"),
                };
                let addend = match valid {
                    Some(valid) => select::<I64>(valid, addend, 0i64),
                    None => addend,
                };
                Scalar::I64(f.let_(sum.get() + addend))
            }
            Scalar::I128(sum) => {
                let addend = expr::widen(f, argument.value);
                let total = f.wide();
                if let Some(valid) = valid {
                    let masked = f.wide();
                    f.set_wide(
                        masked,
                        select(valid, addend.lo, 0i64),
                        select(valid, addend.hi, 0i64),
                    );
                    f.add_wide(total, sum, masked);
                } else {
                    f.add_wide(total, sum, addend);
                }
                Scalar::I128(total)
            }
            Scalar::F64(sum) => {
                let addend = match argument.value {
                    Scalar::F32(v) => v.get().to_f64(),
                    Scalar::F64(v) => v.get(),
                    other => unreachable!("{other:?} is no float"),
                };
                let addend = match valid {
                    Some(valid) => select::<F64>(valid, addend, 0f64),
                    None => addend,
                };
                Scalar::F64(f.let_(sum.get() + addend))
            }
            other => unreachable!("there is no sum in {other:?}"),
        };
        self.set(f, place, cells.value, sum);
    }

    fn note_seen(
        &self,
        f: &mut Function,
        place: Place<'_>,
        cells: &Cells<'_>,
        valid: Option<Local<I32>>,
    ) {
        if cells.seen.is_some() {
            let Scalar::I32(seen) = self.get(f, place, cells.seen) else {
                unreachable!("a flag has 32 bits");
            };
            let seen = match valid {
                Some(valid) => seen.get() | valid,
                None => Value::from(1),
            };
            let seen = Scalar::I32(f.let_(seen));
            self.set(f, place, cells.seen, seen);
        }
    }

    fn keep_better(
        &self,
        f: &mut Function,
        place: Place<'_>,
        cells: &Cells<'_>,
        argument: &Datum,
        valid: Option<Local<I32>>,
        lower: bool,
    ) {
        let best = Datum::new(cells.ty.clone(), self.get(f, place, cells.value), None);
        let Scalar::I32(seen) = self.get(f, place, cells.seen) else {
            unreachable!("a flag has 32 bits");
        };
        let better = match lower {
            true => expr::less(f, argument, &best),
            false => expr::less(f, &best, argument),
        };
        let better = better | seen.get().eqz();
        let better = match valid {
            Some(valid) => better & valid,
            None => better,
        };
        f.if_(better, |f| {
            let value = match (best.value, argument.value) {
                (Scalar::I128(_), value) => Scalar::I128(expr::widen(f, value)),
                (Scalar::Text(old), Scalar::Text(new)) => {
                    Scalar::Text(self.texts.keep(f, new, Some(old)))
                }
                (_, value) => value,
            };
            self.set(f, place, cells.value, value);
        });
        self.note_seen(f, place, cells, valid);
    }
}
