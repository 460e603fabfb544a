//! A pipeline's loop: rows of a batch, or groups, through its operators into its sink.
//!
//! A batch first goes through what can be of the leading filter, see [`super::selection`]; one fused loop over the rows that
//! survive does the rest. Later filters are branches in that loop.
//!
//! ```text
//! push(rows): bind columns -> selection -> per block of rows: make room, then row by row: operators -> sink
//! ```

use super::{
    aggregate::Aggregation,
    builder::{Finished, Function, I32, I64, Local, Value, select},
    emit::Emission,
    expr::{self, Binding, Row},
    hash_table,
    memory::{self, StateArea, field, set_field},
    module::STATUS,
    selection::{Selection, Survivors},
};
use crate::{
    abi::{Status, column, control},
    fragment::{Fragment, Input, Operator, Pipeline, Sink, Source, ValueType, verifier},
};

/// What every part of a module knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) fragment: &'a Fragment,
    /// Where `open` puts the parameters.
    pub(crate) params: u32,
}

/// A pipeline with its places in the state area.
#[derive(Debug)]
pub(crate) struct Compiled<'a> {
    /// What is left to do for each row.
    operators: Vec<Operator>,
    sink: CompiledSink<'a>,
    /// The aggregation whose groups are the source.
    groups: Option<Aggregation<'a>>,
    /// `u32`: rows of the selection already consumed when `push` was left early.
    position: u32,
    /// `u32`: rows in the selection, while position is not 0.
    selected: u32,
    /// What is done before the loop.
    selection: Option<Selection>,
}

#[derive(Debug)]
enum CompiledSink<'a> {
    Emit(Emission),
    Aggregate(Aggregation<'a>),
}

/// Buffers for a batch of rows, all in one piece of heap that grows with the largest batch seen.
#[derive(Debug, Clone)]
pub(crate) struct Buffers {
    /// `u32`: rows there is room for, a multiple of 64.
    capacity: u32,
    /// `u32`: address.
    base: u32,
    /// Bytes per row of all buffers before each one, and of all together.
    before: Vec<u32>,
}

impl Buffers {
    pub(crate) fn new(state: &mut StateArea, row_bytes: &[u32]) -> Self {
        let mut before = vec![0];
        for bytes in row_bytes {
            before.push(before[before.len() - 1] + bytes);
        }
        let capacity = state.place(8);
        Self {
            capacity,
            base: capacity + 4,
            before,
        }
    }

    /// Makes room for `rows`, or leaves with NEED_MEMORY. What was in the buffers is lost when they grow.
    pub(crate) fn ensure(&self, f: &mut Function, rows: Local<I32>) {
        let row_bytes = self.before[self.before.len() - 1];
        f.if_(rows.get().gt_u(field(self.capacity)), |f| {
            let wanted: Local<I32> = f.let_((rows.get() + 63) & -64);
            let base = memory::reserve_or_return(f, wanted.get() * row_bytes);
            set_field(f, self.base, base);
            set_field(f, self.capacity, wanted);
        });
    }

    /// Address of one of the buffers.
    pub(crate) fn address(&self, f: &mut Function, index: usize) -> Local<I32> {
        f.let_(field(self.base) + field(self.capacity) * self.before[index])
    }
}

impl<'a> Compiled<'a> {
    pub(crate) fn new(
        context: &Context<'a>,
        pipeline: &'a Pipeline,
        earlier: &[Self],
        state: &mut StateArea,
    ) -> Self {
        let groups = match pipeline.source {
            Source::Input(_) => None,
            Source::Groups(of) => match &earlier[of].sink {
                CompiledSink::Aggregate(aggregation) => Some(aggregation.clone()),
                CompiledSink::Emit(_) => unreachable!("verified: groups come from an aggregation"),
            },
        };
        let columns = match (&groups, pipeline.source) {
            (Some(groups), _) => groups.columns().to_vec(),
            (None, Source::Input(input)) => {
                verifier::input_columns(context.fragment, input).expect("verified")
            }
            (None, Source::Groups(_)) => unreachable!("groups are found above"),
        };
        let columns = columns_before_sink(context, pipeline, columns);
        let sink = match &pipeline.sink {
            Sink::Emit => CompiledSink::Emit(Emission::new(columns, state)),
            Sink::Aggregate(aggregate) => {
                CompiledSink::Aggregate(Aggregation::new(context, aggregate, columns, state))
            }
        };
        let position = state.place(8);
        let (selection, operators) =
            Selection::split(context, pipeline.source, &pipeline.operators, state);
        Self {
            operators,
            sink,
            groups,
            position,
            selected: position + 4,
            selection,
        }
    }

    /// `push_<input>(rows)`.
    pub(crate) fn push(&self, context: &Context<'a>, input: usize) -> Finished {
        let mut f = Function::new(STATUS);
        let rows: Local<I32> = f.param();
        if let CompiledSink::Aggregate(aggregation) = &self.sink {
            aggregation.go_on_growing(&mut f);
        }
        let params = expr::load_params(&mut f, &context.fragment.params, context.params);
        if let CompiledSink::Aggregate(aggregation) = &self.sink {
            // What is left of a batch that was begun has its room already.
            f.if_(field(self.position).eqz(), |f| {
                let batch = &context.fragment.inputs[input];
                aggregation.make_text_room(f, batch, input, rows, &params);
            });
        }
        let survivors = self.selection.as_ref().map(|selection| {
            let survivors = selection.ensure(&mut f, rows);
            f.if_(field(self.position).eqz(), |f| {
                selection.run(f, context, input, rows, &params, survivors);
            });
            survivors
        });
        if let CompiledSink::Emit(emission) = &self.sink {
            emission.ensure(&mut f, rows);
        }
        let selected = self.selected_rows(&mut f, rows, survivors);
        let position: Local<I32> = f.let_(field(self.position));
        let index = f.local::<I32>();
        let row = Row {
            columns: bind(&mut f, &context.fragment.inputs[input], input),
            params: &params,
            param_types: &context.fragment.params,
            index,
        };
        let survivor = |f: &mut Function| {
            let survivor = match survivors {
                Some(survivors) => (survivors.vector.get() + (position.get() << 2)).load(0),
                None => position.get(),
            };
            f.set(index, survivor);
        };
        match &self.sink {
            CompiledSink::Emit(emission) => {
                let out = emission.begin(&mut f);
                f.count_up(position, selected, |f| {
                    survivor(f);
                    apply(f, row, &self.operators, &mut |f, row| {
                        emission.put(f, &out, row)
                    });
                });
                emission.end(&mut f, &out);
            }
            CompiledSink::Aggregate(aggregation) => {
                let accumulators = aggregation.begin(&mut f);
                let mut row = Some(row);
                f.block(|f, done| {
                    f.repeat(|f, next_block| {
                        f.branch_if(done, selected.get().le_u(position));
                        // Leaving here, the call comes back to this block.
                        set_field(f, self.selected, selected);
                        set_field(f, self.position, position);
                        let block = aggregation.begin_block(f, &accumulators);
                        let left = selected.get() - position;
                        let left: Local<I32> = f.let_(left);
                        let most = hash_table::BLOCK_ROWS;
                        let length = select::<I32>(left.get().lt_u(most), left, most);
                        let end: Local<I32> = f.let_(position.get() + length);
                        f.count_up(position, end, |f| {
                            survivor(f);
                            let row = row.take().expect("the body is written once");
                            apply(f, row, &self.operators, &mut |f, row| {
                                aggregation.put(f, &accumulators, &block, row);
                            });
                        });
                        f.branch(next_block);
                    });
                });
                aggregation.end(&mut f, &accumulators);
                set_field(&mut f, self.position, 0);
            }
        }
        count_rows(&mut f, rows);
        f.return_(Status::Done as i32);
        f.finish()
    }

    /// Rows to go through, also when `push` comes back to a batch.
    fn selected_rows(
        &self,
        f: &mut Function,
        rows: Local<I32>,
        survivors: Option<Survivors>,
    ) -> Local<I32> {
        match survivors {
            None => rows,
            Some(survivors) => f.let_(select::<I32>(
                field(self.position),
                field(self.selected),
                survivors.count,
            )),
        }
    }

    /// `finish_<input>()`: sinks are complete after each batch, so only groups have waited for it.
    pub(crate) fn finish(&self) -> Finished {
        let mut f = Function::new(STATUS);
        if let CompiledSink::Aggregate(aggregation) = &self.sink {
            aggregation.finish(&mut f);
        }
        f.return_(Status::Done as i32);
        f.finish()
    }

    /// `pull(rows_max)` of the pipeline that emits.
    pub(crate) fn pull(&self, context: &Context<'a>) -> Finished {
        let mut f = Function::new(STATUS);
        let rows_max: Local<I32> = f.param();
        let CompiledSink::Emit(emission) = &self.sink else {
            unreachable!("verified: the last pipeline emits");
        };
        if let Some(groups) = &self.groups {
            emission.ensure(&mut f, rows_max);
            let params = expr::load_params(&mut f, &context.fragment.params, context.params);
            let out = emission.begin(&mut f);
            groups.for_each_group(&mut f, rows_max, |f, columns, index| {
                let row = Row {
                    columns: columns.into_iter().map(Binding::Computed).collect(),
                    params: &params,
                    param_types: &context.fragment.params,
                    index,
                };
                apply(f, row, &self.operators, &mut |f, row| {
                    emission.put(f, &out, row);
                });
            });
            emission.end(&mut f, &out);
        }
        emission.publish(&mut f);
        f.finish()
    }
}

fn columns_before_sink(
    context: &Context<'_>,
    pipeline: &Pipeline,
    mut columns: Vec<ValueType>,
) -> Vec<ValueType> {
    for operator in &pipeline.operators {
        if let Operator::Project(exprs) = operator {
            let scope = verifier::Scope {
                columns: &columns,
                params: &context.fragment.params,
            };
            let types = exprs.iter().map(|expr| scope.value_type(expr));
            columns = types.collect::<Result<_, _>>().expect("verified");
        }
    }
    columns
}

/// Addresses of an input's columns.
pub(crate) fn bind(f: &mut Function, input: &Input, index: usize) -> Vec<Binding> {
    let descriptors: Local<I32> = f.let_(field(control::INPUT_COLUMNS + 4 * index as u32));
    let offsets = (0..).step_by(column::BYTES as usize);
    let columns = input.columns.iter().zip(offsets);
    columns
        .map(|(column, offset)| Binding::Input {
            ty: column.ty.clone(),
            storage: column.storage(),
            range: column.facts.range,
            values: f.let_(descriptors.get().load::<I32>(offset + column::VALUES)),
            validity: column
                .has_nulls()
                .then(|| f.let_(descriptors.get().load::<I32>(offset + column::VALIDITY))),
        })
        .collect()
}

/// One row through `operators` into `sink`.
fn apply(
    f: &mut Function,
    row: Row<'_>,
    operators: &[Operator],
    sink: &mut dyn FnMut(&mut Function, &Row<'_>),
) {
    let Some((first, rest)) = operators.split_first() else {
        return sink(f, &row);
    };
    match first {
        Operator::Filter(predicate) => {
            let keep = row.value(f, predicate);
            f.if_(keep.is_true(), |f| apply(f, row, rest, sink));
        }
        Operator::Project(exprs) => {
            let values = exprs
                .iter()
                .map(|expr| Binding::Computed(row.value(f, expr)));
            let columns = values.collect();
            apply(f, Row { columns, ..row }, rest, sink);
        }
    }
}

fn count_rows(f: &mut Function, rows: Local<I32>) {
    let so_far: Value<I64> = Value::from(0).load(control::GUEST_ROWS);
    f.store::<I64>(0, control::GUEST_ROWS, so_far + rows.get().to_i64_u());
}
