//! A pipeline with joins: rows of a batch, and rows kept of a table, through joins into the sink.
//!
//! ```text
//! per 1,024 rows: operators before the first join -> hash all, read all slots -> vector of (row, start, end)
//! per block:      the sink makes room for 1,024 rows; walk over the vector and its candidates until the budget is spent
//! ```
//!
//! Columns that are only read behind the look-up come late, for the rows in the vector (see [`super::late`]).
//! A walk stops where its budget is spent (see [`super::join`]) and goes on in the next block, which may be in a later call.
//! Where the sink stores, `push` drives all this; where it emits, `push` only notes how many rows there are and `pull`
//! drives, so that a row with millions of matches fills one batch after the other.

mod kept;
mod look_up;

use super::{
    aggregate::Accumulators,
    builder::{Function, I32, Label, Local, Value, select},
    emit::{Emission, Out},
    expr::Row,
    join::{Lookup, Walk},
    late::Columns,
    memory::{StateArea, field, set_field},
    pipeline::{Buffers, Context, apply},
    sink::{BLOCK_ROWS, Block, Store},
};
use crate::{
    abi::Status,
    fragment::{JoinKind, Operator, Pipeline, ValueType, verifier},
};

/// Blocks of one call. A candidate may cost several cache misses, and its row some more in the sink.
const CALL_BLOCKS: i32 = 8;
/// Bytes of a row in the vector: its number in the batch, and start and end of its candidates.
const ENTRY_BYTES: u32 = 12;

/// The joins of a pipeline with their places.
#[derive(Debug)]
pub(crate) struct Probing<'a> {
    lookups: Vec<Lookup<'a>>,
    /// Operators before the first join, and among them those that change columns.
    before: Vec<Operator>,
    projects: Vec<Operator>,
    /// Operators from the first join on.
    from: &'a [Operator],
    vector: Buffers,
    /// `u32` fields: rows in the vector, and how many of them are through.
    vector_rows: u32,
    vector_next: u32,
    /// 1 when the late columns of the rows in the vector are there.
    vector_filled: u32,
    /// Columns that are read behind the look-up only.
    late: Columns,
    /// See [`Walk::resume`].
    resume: u32,
    /// Rows of the batch that `pull` has to drive.
    pending: u32,
    /// 1 when the input has ended.
    finished: u32,
    /// Rows of the table that have been looked at for keeping.
    kept: u32,
}

/// Where rows go, and what is in locals for it.
pub(crate) enum Target<'t, 'a> {
    /// With the bytes of text that a row can leave behind, if any.
    Store(&'t Store<'a>, &'t Accumulators, Option<Local<I32>>),
    /// With the rows wanted and the label to leave to when enough are out.
    Emit(&'t Emission, &'t Out, Local<I32>, Label),
}

/// The rows of a batch that go through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    /// How many, and how many of them have gone into the vector, with its field.
    pub(crate) selected: Local<I32>,
    pub(crate) position: Local<I32>,
    pub(crate) position_field: u32,
    pub(crate) selected_field: u32,
    /// The row numbers; `None` for all rows.
    pub(crate) selection: Option<Local<I32>>,
}

impl<'a> Probing<'a> {
    /// `None` for a pipeline without joins. `operators` are those behind the selection, which takes nothing behind a join;
    /// `joins_before` is the number of joins in earlier pipelines.
    pub(crate) fn new(
        context: &Context<'a>,
        pipeline: &'a Pipeline,
        operators: &[Operator],
        mut columns: Vec<ValueType>,
        joins_before: u32,
        state: &mut StateArea,
    ) -> Option<Self> {
        let is_join = |operator: &Operator| matches!(operator, Operator::Join(_));
        let before = operators.iter().position(is_join)?;
        let before = operators[..before].to_vec();
        let first = pipeline.operators.iter().position(is_join)?;
        let mut lookups = Vec::new();
        for operator in &pipeline.operators {
            let scope = verifier::Scope {
                columns: &columns,
                params: &context.fragment.params,
            };
            let behind = verifier::columns_behind(&scope, operator).expect("verified");
            if let Operator::Join(join) = operator {
                let level = lookups.len() as i32;
                let number = joins_before + lookups.len() as u32;
                lookups.push(Lookup::new(join, columns, number, level, state));
            }
            columns = behind;
        }
        let is_project = |operator: &&Operator| matches!(operator, Operator::Project(_));
        let vector_rows = state.place(28);
        Some(Self {
            lookups,
            projects: before.iter().filter(is_project).cloned().collect(),
            before,
            from: &pipeline.operators[first..],
            vector: Buffers::new(state, &[ENTRY_BYTES]),
            vector_rows,
            vector_next: vector_rows + 4,
            resume: vector_rows + 8,
            pending: vector_rows + 12,
            finished: vector_rows + 16,
            kept: vector_rows + 20,
            vector_filled: vector_rows + 24,
            late: Columns::default(),
        })
    }

    /// Columns of the input that are read before a row is looked up.
    pub(crate) fn lookup_columns(&self) -> Columns {
        Columns::read_by_lookup(&self.before, self.lookups[0].join)
    }

    /// Takes it on to ask for columns that come behind the look-up.
    pub(crate) fn read_late(&mut self, columns: Columns) {
        self.late = columns;
    }

    /// In `open`.
    pub(crate) fn open(&self, f: &mut Function) {
        for lookup in &self.lookups {
            lookup.open(f);
        }
    }

    pub(crate) fn ensure(&self, f: &mut Function) {
        let rows: Local<I32> = f.let_(BLOCK_ROWS);
        self.vector.ensure(f, rows);
    }

    /// Notes a batch for `pull` to drive.
    pub(crate) fn note_batch(&self, f: &mut Function, rows: Local<I32>) {
        set_field(f, self.pending, rows);
    }

    pub(crate) fn pending(&self) -> Value<I32> {
        field(self.pending)
    }

    /// Notes that the input has ended.
    pub(crate) fn finish(&self, f: &mut Function) {
        set_field(f, self.finished, 1);
    }

    /// The walk that the last call has left.
    pub(crate) fn begin(&self, f: &mut Function) -> Walk {
        let lookups = self.lookups.iter();
        let positions = lookups.map(|lookup| lookup.load(f)).collect();
        Walk {
            budget: f.let_(0),
            resume: f.let_(field(self.resume)),
            blocks: f.let_(CALL_BLOCKS),
            positions,
        }
    }

    fn save(&self, f: &mut Function, walk: &Walk) {
        set_field(f, self.resume, walk.resume);
        for (lookup, position) in self.lookups.iter().zip(&walk.positions) {
            lookup.save(f, *position);
        }
    }

    /// Room for a block of rows in the target: sets the budget, or ends the call.
    fn begin_block(&self, f: &mut Function, walk: &Walk, target: &Target<'_, 'a>) -> Option<Block> {
        self.save(f, walk);
        let block = match target {
            Target::Store(store, accumulators, row_text) => {
                f.if_(walk.blocks.get().eqz(), |f| {
                    store.end(f, accumulators);
                    f.return_(Status::More as i32);
                });
                let rows = row_text.map(|bytes| store.make_text_room(f, accumulators, bytes));
                let block = store.begin_block(f, accumulators);
                match rows {
                    Some(rows) => f.set(walk.budget, rows),
                    None => f.set(walk.budget, BLOCK_ROWS),
                }
                Some(block)
            }
            Target::Emit(_, out, rows_max, enough) => {
                let half_full = rows_max.get().le_u(out.rows() << 1);
                f.branch_if(*enough, half_full | walk.blocks.get().eqz());
                let left: Local<I32> = f.let_(rows_max.get() - out.rows());
                f.set(
                    walk.budget,
                    select::<I32>(left.get().lt_u(BLOCK_ROWS), left, BLOCK_ROWS),
                );
                None
            }
        };
        f.set(walk.blocks, walk.blocks.get() - 1);
        block
    }

    /// The rows of a batch into the target.
    pub(crate) fn drive(
        &self,
        f: &mut Function,
        walk: &Walk,
        batch: Batch,
        row: Row<'_>,
        target: &Target<'_, 'a>,
    ) {
        let vector = self.vector.address(f, 0);
        let vector_rows: Local<I32> = f.let_(field(self.vector_rows));
        let vector_next: Local<I32> = f.let_(field(self.vector_next));
        f.block(|f, done| {
            f.repeat(|f, next_block| {
                f.if_(vector_rows.get().le_u(vector_next), |f| {
                    f.branch_if(done, batch.selected.get().le_u(batch.position));
                    self.look_up(f, walk, batch, &row, vector, vector_rows);
                    f.set(vector_next, 0);
                    set_field(f, self.vector_filled, 0);
                });
                for (address, local) in [
                    (batch.position_field, batch.position),
                    (batch.selected_field, batch.selected),
                    (self.vector_rows, vector_rows),
                    (self.vector_next, vector_next),
                ] {
                    set_field(f, address, local);
                }
                self.fill_vector(f, walk, vector, vector_rows, target);
                let block = self.begin_block(f, walk, target);
                f.block(|f, leave| {
                    f.repeat(|f, again| {
                        f.branch_if(leave, vector_rows.get().le_u(vector_next));
                        let entry: Local<I32> =
                            f.let_(vector.get() + vector_next.get() * ENTRY_BYTES);
                        self.begin_row(f, walk, entry, leave);
                        f.set(row.index, entry.get().load::<I32>(0));
                        apply(f, row.again(), &self.projects, &mut |f, row| {
                            self.flow(f, walk, row, self.from, 0, leave, &mut |f, row| {
                                put(f, target, block.as_ref(), row);
                            });
                        });
                        f.set(vector_next, vector_next.get() + 1);
                        f.branch(again);
                    });
                });
                f.branch(next_block);
            });
        });
        for address in [
            batch.position_field,
            self.vector_rows,
            self.vector_next,
            self.resume,
            self.pending,
        ] {
            set_field(f, address, 0);
        }
    }

    /// The first join's position for a row of the vector, unless the walk has stopped in the middle of it.
    fn begin_row(&self, f: &mut Function, walk: &Walk, entry: Local<I32>, leave: Label) {
        let position = walk.positions[0];
        f.if_(walk.resume.get().eqz(), |f| {
            f.branch_if(leave, walk.budget.get().le_s(0));
            // Such a join may let a row through without any candidate.
            if let JoinKind::RightSemi | JoinKind::RightAnti = self.lookups[0].join.kind {
                f.set(walk.budget, walk.budget.get() - 1);
            }
            f.set(position.cursor, entry.get().load::<I32>(4));
            f.set(position.end, entry.get().load::<I32>(8));
            f.set(position.matched, 0);
        });
    }

    /// A row through `operators`, which start with or behind the join of `level`.
    #[allow(
        clippy::too_many_arguments,
        reason = "a step of a recursion: what it walks through, and what stays the same"
    )]
    fn flow(
        &self,
        f: &mut Function,
        walk: &Walk,
        row: &Row<'_>,
        operators: &[Operator],
        level: usize,
        leave: Label,
        sink: &mut dyn FnMut(&mut Function, &Row<'_>),
    ) {
        let is_join = |operator: &Operator| matches!(operator, Operator::Join(_));
        let Some(at) = operators.iter().position(is_join) else {
            return apply(f, row.again(), operators, sink);
        };
        apply(f, row.again(), &operators[..at], &mut |f, row| {
            self.lookups[level].probe(f, walk, row, leave, &mut |f, row| {
                self.flow(f, walk, row, &operators[at + 1..], level + 1, leave, sink);
            });
        });
    }

    /// Operators behind the join of a level.
    fn behind(&self, level: usize) -> &'a [Operator] {
        let joins = self.from.iter().enumerate();
        let mut joins = joins.filter(|(_, operator)| matches!(operator, Operator::Join(_)));
        let (at, _) = joins.nth(level).expect("there is a join for each level");
        &self.from[at + 1..]
    }
}

fn put(f: &mut Function, target: &Target<'_, '_>, block: Option<&Block>, row: &Row<'_>) {
    match (target, block) {
        (Target::Store(store, accumulators, _), Some(block)) => {
            store.put(f, accumulators, block, row);
        }
        (Target::Emit(emission, out, ..), _) => emission.put(f, out, row),
        (Target::Store(..), None) => unreachable!("a sink that stores has blocks"),
    }
}
