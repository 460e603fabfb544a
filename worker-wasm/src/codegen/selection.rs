//! The rows of a batch that pass the leading filters, found before the fused loop and without branches.
//!
//! ```text
//! first step     16 rows at a time -> bits -> row numbers | every row -> row numbers
//! further steps  row by row over what is left, with columns that come late, see [`super::late`]
//! ```
//!
//! Each step reads columns that none before it has read. Comparisons that vectors can do come first.
//! Only what cannot raise an error comes here: it runs for all rows, and in any order.

use wasm_encoder::{Instruction, ValType};

use super::{
    builder::{Function, I32, Local, V128, Value, select},
    expr::{self, Datum, Row},
    late::{self, Columns},
    memory::{StateArea, field, set_field},
    pipeline::{Buffers, Context, bind},
    vector::{self, Predicate},
};
use crate::fragment::{Expr, Operator, Source, verifier};

/// Steps of a selection; what would be one more is done in the last one.
const STEPS_MAX: usize = 4;

/// Leading filters, by how they are computed.
#[derive(Debug)]
pub(crate) struct Selection {
    steps: Vec<Step>,
    /// The row numbers, 4 bytes each.
    rows: Buffers,
    /// `u32`: rows that the steps so far have left.
    left: u32,
    /// See [`Moves`].
    moves: Moves,
}

/// Filters that read the same columns.
#[derive(Debug, Default)]
struct Step {
    /// What it is the first to read.
    columns: Columns,
    /// For vectors, in the first step.
    vectors: Vec<Expr>,
    /// For one row at a time.
    scalars: Vec<Expr>,
}

/// The surviving rows, in locals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Survivors {
    /// Address of their numbers.
    pub(crate) vector: Local<I32>,
    pub(crate) count: Local<I32>,
}

/// For each of 16 sets of four rows, how the bytes of their numbers move so that those of the rows in the set come first:
/// 16 bytes each, in the state area.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moves(u32);

impl Moves {
    pub(crate) fn new(state: &mut StateArea) -> Self {
        Self(state.place(16 * 16))
    }

    /// In `open`, whether this module needs them or one that takes over.
    pub(crate) fn write(self, f: &mut Function) {
        for set in 0..16u32 {
            let rows = (0..4).filter(|row| set >> row & 1 == 1);
            let bytes = rows.flat_map(|row| (0..4).map(move |byte| 4 * row + byte));
            // What is behind the last row of the set becomes zero.
            let mut moves = [0xff; 16];
            moves
                .iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = from);
            let moves = Value::vector_constant(i128::from_le_bytes(moves));
            f.store(0, self.0 + 16 * set, moves);
        }
    }

    fn load(self, set: Local<I32>) -> Value<V128> {
        (set.get() << 4).load(self.0)
    }
}

impl Selection {
    /// What of a pipeline's operators can be done before its loop, and the operators that are left.
    pub(crate) fn split(
        context: &Context<'_>,
        source: Source,
        operators: &[Operator],
        moves: Moves,
        state: &mut StateArea,
    ) -> (Option<Self>, Vec<Operator>) {
        // The place is there for every variant of a shape, whatever its facts allow.
        let rows = Buffers::new(state, &[4]);
        let left = state.place(4);
        let (Source::Input(input), [Operator::Filter(first), rest @ ..]) = (source, operators)
        else {
            return (None, operators.to_vec());
        };
        let mut rest = rest.to_vec();
        // Nothing of this function is kept: it only shows what the predicates become.
        let mut scratch = Function::new(&[ValType::I32]);
        let columns = bind(&mut scratch, &context.fragment.inputs[input], input);
        let params = expr::load_params(&mut scratch, &context.fragment.params, context.params);
        let row = Row {
            columns,
            params: &params,
            param_types: &context.fragment.params,
            index: scratch.local(),
        };
        let mut items = conjuncts(first);
        let safe = safe_prefix(context, input, &mut scratch, &row, &items);
        let behind: Vec<_> = items.drain(safe..).cloned().collect();
        if !behind.is_empty() {
            rest.insert(0, Operator::Filter(and(behind)));
        }
        if items.is_empty() {
            return (None, rest);
        }
        let mut is_vector = |item: &&Expr| Predicate::new(&mut scratch, &row, item).is_some();
        let (vectors, scalars): (Vec<&Expr>, Vec<&Expr>) =
            items.into_iter().partition(|item| is_vector(item));
        let can_be_late = Columns::of(&context.fragment.inputs[input]);
        let mut steps: Vec<Step> = Vec::new();
        for item in vectors {
            let step = step_of(&mut steps, item, can_be_late);
            match step {
                0 => steps[step].vectors.push(item.clone()),
                _ => steps[step].scalars.push(item.clone()),
            }
        }
        for item in scalars {
            let step = step_of(&mut steps, item, can_be_late);
            steps[step].scalars.push(item.clone());
        }
        let selection = Self {
            steps,
            rows,
            left,
            moves,
        };
        (Some(selection), rest)
    }

    /// Columns that the steps read, in all and of the first one.
    pub(crate) fn columns(&self) -> (Columns, Columns) {
        let all = self.steps.iter().map(|step| step.columns);
        let all = all.fold(Columns::default(), Columns::with);
        (all, self.steps[0].columns)
    }

    /// Room for the numbers of a batch's rows, or leaves the call with NEED_MEMORY.
    pub(crate) fn ensure(&self, f: &mut Function, rows: Local<I32>) -> Survivors {
        self.rows.ensure(f, rows);
        Survivors {
            vector: self.rows.address(f, 0),
            count: f.let_(0),
        }
    }

    /// Fills in the survivors of a batch, and asks for what is read `behind`. Where a call comes back it goes on with the
    /// step whose values have come; doing a step twice changes nothing.
    #[allow(
        clippy::too_many_arguments,
        reason = "what a batch is, and what is done with it"
    )]
    pub(crate) fn run(
        &self,
        f: &mut Function,
        context: &Context<'_>,
        input: usize,
        rows: Local<I32>,
        params: &[Datum],
        survivors: Survivors,
        behind: Columns,
    ) {
        let row = Row {
            columns: bind(f, &context.fragment.inputs[input], input),
            params,
            param_types: &context.fragment.params,
            index: f.local(),
        };
        let asks = self.steps[1..].iter().map(|step| step.columns);
        let asks: Vec<_> = asks.chain([behind]).collect();
        if asks.iter().all(|columns| columns.is_empty()) {
            return self.first_step(f, &row, rows, survivors);
        }
        let whole: Local<I32> = f.let_(late::is_whole());
        let done: Local<I32> = f.let_(select::<I32>(whole, 0, late::answered()));
        f.set(survivors.count, select::<I32>(done, field(self.left), 0));
        for (number, ask) in (0..).zip(&asks) {
            f.if_(done.get().eq(number), |f| {
                match number {
                    0 => self.first_step(f, &row, rows, survivors),
                    _ => self.refine(f, number as usize, &row, survivors),
                }
                set_field(f, self.left, survivors.count);
                f.set(done, number + 1);
                if !ask.is_empty() {
                    f.if_(survivors.count.get().gt_u(0) & whole.get().eqz(), |f| {
                        let rows = late::Rows {
                            numbers: survivors.vector,
                            step: 4,
                            count: survivors.count,
                        };
                        late::ask(f, *ask, rows);
                    });
                }
            });
        }
    }

    fn first_step(&self, f: &mut Function, row: &Row<'_>, rows: Local<I32>, survivors: Survivors) {
        let step = &self.steps[0];
        let predicates = step.vectors.iter().map(|item| {
            Predicate::new(f, row, item).expect("it was one when the pipeline was planned")
        });
        let predicates: Vec<_> = predicates.collect();
        f.set(row.index, 0);
        f.set(survivors.count, 0);
        if predicates.is_empty() {
            let predicate = and(step.scalars.clone());
            f.count_up(row.index, rows, |f| {
                append_if(f, &predicate, row, survivors);
            });
        } else {
            let predicate = Predicate::All(predicates);
            self.by_vectors(f, &predicate, row.index, rows, survivors);
            self.refine(f, 0, row, survivors);
        }
    }

    fn by_vectors(
        &self,
        f: &mut Function,
        predicate: &Predicate,
        start: Local<I32>,
        rows: Local<I32>,
        survivors: Survivors,
    ) {
        let bits = f.local::<I32>();
        f.block(|f, done| {
            f.repeat(|f, again| {
                f.branch_if(done, rows.get().le_u(start));
                let passed = predicate.bits(f, start);
                f.set(bits, passed);
                let left: Local<I32> = f.let_(rows.get() - start);
                let there = (Value::<I32>::from(1) << left.get()) - 1;
                let is_last = left.get().lt_u(vector::ROWS);
                f.set(bits, bits.get() & select::<I32>(is_last, there, 0xffff));
                f.if_(bits, |f| self.append_bits(f, bits, start, survivors));
                f.set(start, start.get() + vector::ROWS);
                f.branch(again);
            });
        });
    }

    /// Appends the numbers of the rows whose bits are set, four rows at once: all four are written, those that are kept
    /// first, and the next ones go behind these. There is room for it: no more rows are kept than have been passed.
    fn append_bits(
        &self,
        f: &mut Function,
        bits: Local<I32>,
        start: Local<I32>,
        survivors: Survivors,
    ) {
        let Survivors { vector, count } = survivors;
        let end: Local<I32> = f.let_(vector.get() + (count.get() << 2));
        for first in (0..vector::ROWS).step_by(4) {
            let set: Local<I32> = f.let_(bits.get().shr_u(first) & 15);
            let numbers = Value::row_numbers(start, first);
            let kept = numbers.vector(self.moves.load(set), Instruction::I8x16Swizzle);
            f.store(end, 0, kept);
            f.set(end, end.get() + (set.get().popcnt() << 2));
        }
        f.set(count, (end.get() - vector).shr_u(2));
    }

    /// Keeps of the survivors those that pass the scalar filters of a step, in place.
    fn refine(&self, f: &mut Function, step: usize, row: &Row<'_>, survivors: Survivors) {
        let step = &self.steps[step];
        if step.scalars.is_empty() {
            return;
        }
        let predicate = and(step.scalars.clone());
        let Survivors { vector, count } = survivors;
        let (all, next) = (f.let_(count), f.local::<I32>());
        f.set(next, 0);
        f.set(count, 0);
        f.count_up(next, all, |f| {
            f.set(row.index, (vector.get() + (next.get() << 2)).load::<I32>(0));
            append_if(f, &predicate, row, survivors);
        });
    }
}

/// The first step that has read all columns of a predicate, which is a new one where none has.
fn step_of(steps: &mut Vec<Step>, item: &Expr, can_be_late: Columns) -> usize {
    let reads = Columns::read_by([item]).among(can_be_late);
    let mut read = Columns::default();
    for (number, step) in steps.iter().enumerate() {
        read = read.with(step.columns);
        if reads.without(read).is_empty() {
            return number;
        }
    }
    if steps.len() < STEPS_MAX {
        steps.push(Step::default());
    }
    let last = steps.len() - 1;
    steps[last].columns = steps[last].columns.with(reads.without(read));
    last
}

/// The operands of a conjunction.
fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::And(items) => items.iter().collect(),
        single => vec![single],
    }
}

fn and(mut items: Vec<Expr>) -> Expr {
    match items.len() {
        1 => items.remove(0),
        _ => Expr::And(items),
    }
}

/// How many leading operands can be computed for all rows ahead of the others.
///
/// None after one that can raise an error. And where one can, none that can be null: an operand behind a null is computed,
/// behind a row that is gone it is not.
fn safe_prefix(
    context: &Context<'_>,
    input: usize,
    scratch: &mut Function,
    row: &Row<'_>,
    items: &[&Expr],
) -> usize {
    let safe = items.iter().position(|item| {
        row.value(scratch, item);
        scratch.can_raise()
    });
    let Some(safe) = safe else {
        return items.len();
    };
    let columns = verifier::input_columns(context.fragment, input).expect("verified");
    let scope = verifier::Scope {
        columns: &columns,
        params: &context.fragment.params,
    };
    let nullable = |item: &&Expr| scope.value_type(item).expect("verified").nullable;
    items[..safe].iter().position(nullable).unwrap_or(safe)
}

/// Every row is written, and only a survivor moves on: no branch that could be mispredicted.
fn append_if(f: &mut Function, predicate: &Expr, row: &Row<'_>, survivors: Survivors) {
    let Survivors { vector, count } = survivors;
    f.store::<I32>(vector.get() + (count.get() << 2), 0, row.index);
    let keep = row.value(f, predicate);
    f.set(count, count.get() + keep.is_true());
}
