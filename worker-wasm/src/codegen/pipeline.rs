//! A pipeline's loop: rows of a batch, or groups, through its operators into its sink.
//!
//! A batch first goes through what can be of the leading filter, see [`super::selection`]; one fused loop over the rows that
//! survive does the rest, or, where the pipeline has joins, [`super::probe`]. Later filters are branches there.
//!
//! ```text
//! push(rows): bind columns -> selection -> per block of rows: make room, then row by row: operators -> sink
//! ```
//!
//! What one pipeline has stored the next one reads while the input is being finished, unless the next one emits.

mod joined;
mod late;

use self::late::Late;
use super::{
    builder::{Finished, Function, I32, I64, Local, Value, select},
    emit::Emission,
    expr::{self, Binding, Datum, Row},
    late::announce,
    memory::{self, StateArea, field, set_field},
    module::STATUS,
    probe::Probing,
    selection::{Moves, Selection, Survivors},
    sink::{BLOCK_ROWS, Store},
    text_heap::Origin,
};
use crate::{
    abi::{Status, column, control},
    fragment::{Expr, Fragment, Input, Operator, Pipeline, Source, ValueType, verifier},
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
    pipeline: &'a Pipeline,
    /// What is left to do for each row behind the selection.
    operators: Vec<Operator>,
    sink: CompiledSink<'a>,
    /// The sink whose rows are the source.
    stored: Option<Store<'a>>,
    /// `u32`: rows of the selection already consumed when `push` was left early.
    position: u32,
    /// `u32`: rows in the selection, while position is not 0.
    selected: u32,
    /// `u32`: nobody reads it.
    touched: u32,
    /// What is done before the loop.
    selection: Option<Selection>,
    moves: Moves,
    /// The joins, if there are any.
    probing: Option<Probing<'a>>,
    late: Late,
}

#[derive(Debug)]
enum CompiledSink<'a> {
    Emit(Emission),
    Store(Store<'a>),
}

/// Blocks of stored rows that one call reads while finishing: well below 5 ms.
const READ_BLOCKS: i32 = 32;

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
        let (stored, columns) = match pipeline.source {
            Source::Input(input) => {
                let columns = verifier::input_columns(context.fragment, input);
                (None, columns.expect("verified"))
            }
            Source::Groups(of) | Source::Sorted(of) => match &earlier[of].sink {
                CompiledSink::Store(store) => (Some(store.clone()), store.columns().to_vec()),
                CompiledSink::Emit(_) => unreachable!("verified: a source has been stored"),
            },
        };
        let source_columns = columns.clone();
        let columns = columns_before_sink(context, pipeline, columns);
        let origin = match (verifier::joins(pipeline).next(), pipeline.source) {
            (Some(_), _) => Origin::Joined,
            (None, Source::Input(_)) => Origin::Batch,
            (None, Source::Groups(_) | Source::Sorted(_)) => Origin::Stored,
        };
        let sink = match Store::new(context, &pipeline.sink, columns.clone(), origin, state) {
            Some(store) => CompiledSink::Store(store),
            None => CompiledSink::Emit(Emission::new(columns, state)),
        };
        let position = state.place(12);
        let moves = Moves::new(state);
        let (source, all) = (pipeline.source, &pipeline.operators);
        let (selection, operators) = Selection::split(context, source, all, moves, state);
        let joins_before = earlier
            .iter()
            .map(|of| verifier::joins(of.pipeline).count());
        let joins_before = joins_before.sum::<usize>() as u32;
        let mut probing = Probing::new(
            context,
            pipeline,
            &operators,
            source_columns,
            joins_before,
            state,
        );
        let late = Late::new(context, pipeline, selection.as_ref(), probing.as_mut());
        Self {
            pipeline,
            operators,
            sink,
            stored,
            position,
            selected: position + 4,
            touched: position + 8,
            selection,
            moves,
            probing,
            late,
        }
    }

    pub(crate) fn joins(&self) -> bool {
        self.probing.is_some()
    }

    /// Its part of `open(params)`.
    pub(crate) fn open(&self, f: &mut Function) {
        if let Source::Input(input) = self.pipeline.source {
            announce(f, input, self.late.all);
        }
        let first = (self.pipeline.source, self.pipeline.operators.first());
        if let (Source::Input(_), Some(Operator::Filter(_))) = first {
            self.moves.write(f);
        }
        if let Some(probing) = &self.probing {
            probing.open(f);
        }
    }

    /// `push_<input>(rows)`.
    pub(crate) fn push(&self, context: &Context<'a>, input: usize) -> Finished {
        let mut f = Function::new(STATUS);
        let rows: Local<I32> = f.param();
        match (&self.probing, &self.sink) {
            (Some(probing), CompiledSink::Emit(_)) => {
                probing.note_batch(&mut f, rows);
                count_rows(&mut f, rows);
                f.return_(Status::Done as i32);
                return f.finish();
            }
            (_, CompiledSink::Store(store)) => store.go_on(&mut f),
            (None, CompiledSink::Emit(_)) => {}
        }
        let params = expr::load_params(&mut f, &context.fragment.params, context.params);
        if let (Some(probing), CompiledSink::Store(store)) = (&self.probing, &self.sink) {
            self.push_joined(&mut f, context, input, rows, &params, probing, store);
            return f.finish();
        }
        let survivors = self.select(&mut f, context, input, rows, &params);
        if let CompiledSink::Store(store) = &self.sink {
            // What is left of a batch that was begun has its room already.
            f.if_(field(self.position).eqz(), |f| {
                let batch = &context.fragment.inputs[input];
                store.begin_batch(f, batch, input, rows, &params);
            });
        }
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
        let survivor = |f: &mut Function, position: Local<I32>| {
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
                    survivor(f, position);
                    apply(f, row, &self.operators, &mut |f, row| {
                        emission.put(f, &out, row);
                    });
                });
                emission.end(&mut f, &out);
            }
            CompiledSink::Store(store) => {
                let accumulators = store.begin(&mut f);
                let mut row = Some(row);
                f.block(|f, done| {
                    f.repeat(|f, next_block| {
                        f.branch_if(done, selected.get().le_u(position));
                        // Leaving here, the call comes back to this block.
                        set_field(f, self.selected, selected);
                        set_field(f, self.position, position);
                        let block = store.begin_block(f, &accumulators);
                        let left = selected.get() - position;
                        let left: Local<I32> = f.let_(left);
                        let most = BLOCK_ROWS;
                        let length = select::<I32>(left.get().lt_u(most), left, most);
                        let end: Local<I32> = f.let_(position.get() + length);
                        let row = row.take().expect("the body is written once");
                        // Rows behind further operators may be few, or computed dearly.
                        if let Some(large) =
                            store.is_touched().filter(|_| self.operators.is_empty())
                        {
                            f.if_(large, |f| {
                                let ahead: Local<I32> = f.let_(position);
                                let touched: Local<I32> = f.let_(0);
                                f.count_up(ahead, end, |f| {
                                    survivor(f, ahead);
                                    let found = store.touch(f, &block, &row);
                                    f.set(touched, touched.get() ^ found);
                                });
                                // Kept, or the reading would be left out as useless.
                                set_field(f, self.touched, touched);
                            });
                        }
                        f.count_up(position, end, |f| {
                            survivor(f, position);
                            apply(f, row, &self.operators, &mut |f, row| {
                                store.put(f, &accumulators, &block, row);
                            });
                        });
                        f.branch(next_block);
                    });
                });
                store.end(&mut f, &accumulators);
                set_field(&mut f, self.position, 0);
            }
        }
        count_rows(&mut f, rows);
        f.return_(Status::Done as i32);
        f.finish()
    }

    /// Finds the rows that go through, unless an earlier call has: what is left of a batch is in the vector still.
    fn select(
        &self,
        f: &mut Function,
        context: &Context<'a>,
        input: usize,
        rows: Local<I32>,
        params: &[Datum],
    ) -> Option<Survivors> {
        let selection = self.selection.as_ref()?;
        let survivors = selection.ensure(f, rows);
        f.if_(field(self.position).eqz(), |f| {
            let behind = self.late.behind_selection;
            selection.run(f, context, input, rows, params, survivors, behind);
        });
        Some(survivors)
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

    /// A stage of `finish_<input>()`: all rows are in the sink.
    pub(crate) fn finish(&self, f: &mut Function) {
        if let CompiledSink::Store(store) = &self.sink {
            store.finish(f);
        }
    }

    /// The stage of `finish_<input>()` before that, of a pipeline that reads what another one has stored: reads all rows.
    pub(crate) fn read_stored(&self, f: &mut Function, context: &Context<'a>) {
        let (Some(stored), CompiledSink::Store(store)) = (&self.stored, &self.sink) else {
            return;
        };
        store.go_on(f);
        let params = expr::load_params(f, &context.fragment.params, context.params);
        let accumulators = store.begin(f);
        let blocks: Local<I32> = f.let_(READ_BLOCKS);
        let block_rows: Local<I32> = f.let_(BLOCK_ROWS);
        f.block(|f, done| {
            f.repeat(|f, next_block| {
                f.branch_if(done, stored.left().eqz());
                f.if_(blocks.get().eqz(), |f| {
                    store.end(f, &accumulators);
                    f.return_(Status::More as i32);
                });
                let block = store.begin_block(f, &accumulators);
                stored.for_each(f, block_rows, |f, columns, index| {
                    let row = Row {
                        columns,
                        params: &params,
                        param_types: &context.fragment.params,
                        index,
                    };
                    apply(f, row, &self.operators, &mut |f, row| {
                        store.put(f, &accumulators, &block, row);
                    });
                });
                f.set(blocks, blocks.get() - 1);
                f.branch(next_block);
            });
        });
        store.end(f, &accumulators);
    }

    /// `pull(rows_max)` of the pipeline that emits.
    pub(crate) fn pull(&self, context: &Context<'a>) -> Finished {
        let mut f = Function::new(STATUS);
        let rows_max: Local<I32> = f.param();
        let CompiledSink::Emit(emission) = &self.sink else {
            // A fragment that builds a table puts no rows out.
            f.return_(Status::Done as i32);
            return f.finish();
        };
        if let Some(probing) = &self.probing {
            self.pull_joined(&mut f, context, rows_max, emission, probing);
        } else if let Some(stored) = &self.stored {
            emission.ensure(&mut f, rows_max);
            let params = expr::load_params(&mut f, &context.fragment.params, context.params);
            let out = emission.begin(&mut f);
            stored.for_each(&mut f, rows_max, |f, columns, index| {
                let row = Row {
                    columns,
                    params: &params,
                    param_types: &context.fragment.params,
                    index,
                };
                apply(f, row, &self.operators, &mut |f, row| {
                    emission.put(f, &out, row);
                });
            });
            emission.end(&mut f, &out);
            // A filter may have left none of the rows.
            emission.publish(&mut f, Some(stored.left()));
        } else {
            emission.publish(&mut f, None);
        }
        f.finish()
    }
}

fn columns_before_sink(
    context: &Context<'_>,
    pipeline: &Pipeline,
    mut columns: Vec<ValueType>,
) -> Vec<ValueType> {
    for operator in &pipeline.operators {
        let scope = verifier::Scope {
            columns: &columns,
            params: &context.fragment.params,
        };
        columns = verifier::columns_behind(&scope, operator).expect("verified");
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

/// One row through `operators`, none of them a join, into `sink`.
pub(crate) fn apply(
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
            let values = exprs.iter().map(|expr| match expr {
                // A column of a kept row is a cache miss that not every row needs: it is loaded where it is used.
                Expr::Column(index) if row.columns[*index].is_stored() => {
                    row.columns[*index].clone()
                }
                computed => Binding::Computed(row.value(f, computed)),
            });
            let columns = values.collect();
            apply(f, Row { columns, ..row }, rest, sink);
        }
        Operator::Join(_) => unreachable!("a pipeline with joins is driven by them"),
    }
}

fn count_rows(f: &mut Function, rows: Local<I32>) {
    let so_far: Value<I64> = Value::from(0).load(control::GUEST_ROWS);
    f.store::<I64>(0, control::GUEST_ROWS, so_far + rows.get().to_i64_u());
}
