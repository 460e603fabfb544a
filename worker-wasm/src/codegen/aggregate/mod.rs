//! The sink that aggregates, with and without keys: where calls keep what they know, [`update`] with a row and [`result`].
//!
//! Each call has up to three cells: a count, a value, and whether a value was seen; calls share what is equal. They lie in a
//! group's entry, or, without keys, in the state area, from where a batch takes them into locals.
//! Sums of integers and decimals wrap, as DataFusion's do; minima and maxima of floats are in total order.

mod result;
mod update;

use super::{
    builder::{Function, I32, I64, Local, Value},
    distinct::Distinct,
    expr::{self, Row, Scalar},
    hash_table::{Directory, HashTable},
    memory::{StateArea, set_field},
    pipeline::Context,
    small_keys::SmallKeys,
    text_heap::{Origin, TextHeap},
};
use crate::fragment::{
    Aggregate, AggregateFunction, Call, Expr, Mode, Storage, Type, ValueType, rules,
    verifier::{self, Scope},
};

/// An aggregation with its places.
#[derive(Debug, Clone)]
pub(crate) struct Aggregation<'a> {
    aggregate: &'a Aggregate,
    calls: Vec<Cells<'a>>,
    cells: Vec<Cell>,
    groups: Groups,
    small_keys: Option<SmallKeys>,
    columns: Vec<ValueType>,
    texts: TextHeap,
    /// `u32`: 1 when the input has ended and groups may go out.
    finished: u32,
    /// `u32`: groups already out.
    cursor: u32,
}

#[derive(Debug, Clone)]
enum Groups {
    /// One group, with its cells at this address.
    One(u32),
    /// Groups by keys, with their cells at this offset in an entry.
    Keyed(HashTable, u32),
}

/// A call and the numbers of its cells.
#[derive(Debug, Clone)]
struct Cells<'a> {
    call: &'a Call,
    /// Of calls that count: the expression whose nulls do not, or in `Final` mode the state; `None` inside counts rows.
    counts: Option<Option<&'a Expr>>,
    /// Whether the value cell is a sum.
    adds: bool,
    /// False where an earlier call with the same argument and filter does it: `sum(x)` and `avg(x)` share their sum.
    updates_count: bool,
    updates_value: bool,
    /// Type of the value cell.
    ty: Type,
    count: Option<usize>,
    value: Option<usize>,
    seen: Option<usize>,
    /// Of a call that counts each value once.
    distinct: Option<Distinct>,
}

#[derive(Debug, Clone)]
struct Cell {
    ty: Type,
    storage: Storage,
    offset: u32,
}

/// Where a row's cells are.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Locals(&'a [Scalar]),
    /// Address of the first cell's offset 0.
    Memory(Local<I32>),
}

/// The cells of the one group while a batch goes through; empty with keys.
pub(crate) struct Accumulators(Vec<Scalar>);

impl Accumulators {
    /// Of a sink that keeps nothing in locals.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }
}

/// Where a block's rows find their group, and what its calls have met.
pub(crate) struct Block {
    /// None without keys.
    directory: Option<Directory>,
    /// Index of small keys, if they can be small.
    index: Option<Local<I32>>,
    /// Per call that counts each value once.
    distinct: Vec<Option<Directory>>,
}

impl<'a> Aggregation<'a> {
    pub(crate) fn new(
        context: &Context<'a>,
        aggregate: &'a Aggregate,
        input: Vec<ValueType>,
        origin: Origin,
        state: &mut StateArea,
    ) -> Self {
        let scope = Scope {
            columns: &input,
            params: &context.fragment.params,
        };
        let mut cells = Vec::new();
        let mut end = 0;
        let mut cell = |ty: &Type, storage: Storage| {
            cells.push(Cell {
                ty: ty.clone(),
                storage,
                offset: end,
            });
            end += storage.bytes().next_multiple_of(8);
            Some(cells.len() - 1)
        };
        let mut calls: Vec<Cells<'a>> = Vec::new();
        for call in &aggregate.calls {
            let argument = call.arguments.last();
            let argument = argument.map(|expr| scope.value_type(expr).expect("verified"));
            let nullable = argument.as_ref().is_some_and(|of| of.nullable);
            let ty = match (&call.function, argument.map(|of| of.ty)) {
                (AggregateFunction::Sum, Some(ty)) if aggregate.mode != Mode::Final => {
                    rules::sum(&ty).expect("verified")
                }
                (_, ty) => ty.unwrap_or(Type::Int64),
            };
            let distinct = call.function == AggregateFunction::CountDistinct;
            let counts = matches!(
                call.function,
                AggregateFunction::Count | AggregateFunction::Avg(_)
            );
            let adds = matches!(
                call.function,
                AggregateFunction::Sum | AggregateFunction::Avg(_)
            );
            // A group made by a row that always has a value needs no flag for it.
            let always_adds =
                adds && !nullable && call.filter.is_none() && !aggregate.keys.is_empty();
            let counted = match aggregate.mode {
                Mode::Final => call.arguments.first(),
                Mode::Single | Mode::Partial => call.arguments.last().filter(|_| nullable),
            };
            let same_count = calls.iter().find(|other| {
                counts && other.counts == Some(counted) && other.call.filter == call.filter
            });
            let same_sum = calls.iter().find(|other| {
                let arguments = other.call.arguments.last() == call.arguments.last();
                let lanes = other.ty.storage() == ty.storage();
                adds && other.adds && lanes && arguments && other.call.filter == call.filter
            });
            let (shared_count, shared_sum) = (
                same_count.and_then(|other| other.count),
                same_sum.and_then(|other| other.value),
            );
            let mut own = |wanted: bool, ty: &Type, storage| match wanted {
                true => cell(ty, storage),
                false => None,
            };
            calls.push(Cells {
                call,
                counts: counts.then_some(counted),
                adds,
                updates_count: counts && shared_count.is_none(),
                updates_value: shared_sum.is_none(),
                count: shared_count.or_else(|| own(counts || distinct, &Type::Int64, Storage::I64)),
                value: shared_sum.or_else(|| {
                    let has_value = !distinct && call.function != AggregateFunction::Count;
                    own(has_value, &ty, ty.storage())
                }),
                seen: own(
                    !distinct && !counts && !always_adds,
                    &Type::UInt8,
                    Storage::U8,
                ),
                distinct: distinct.then(|| Distinct::new(&ty, state)),
                ty,
            });
        }
        let columns = verifier::aggregate_columns(&scope, aggregate).expect("verified");
        let groups = match aggregate.keys.len() {
            0 => Groups::One(state.place(end)),
            keys => {
                let (table, offset) = HashTable::new(&columns[..keys], end, state);
                Groups::Keyed(table, offset)
            }
        };
        let keys = &columns[..aggregate.keys.len()];
        let small_keys = match keys.is_empty() {
            true => None,
            false => SmallKeys::new(keys, state),
        };
        let text_keys = keys.iter().filter(|key| key.ty == Type::Utf8);
        let text_cells = cells.iter().filter(|cell| cell.ty == Type::Utf8);
        let text_sets = calls
            .iter()
            .filter(|call| call.distinct.is_some() && call.ty == Type::Utf8);
        let users = text_keys.count() + text_cells.count() + text_sets.count();
        let texts = TextHeap::new(users, origin, state);
        let finished = state.place(8);
        Self {
            aggregate,
            calls,
            cells,
            groups,
            small_keys,
            columns,
            texts,
            finished,
            cursor: finished + 4,
        }
    }

    /// Columns of the groups.
    pub(crate) fn columns(&self) -> &[ValueType] {
        &self.columns
    }

    pub(crate) fn finish(&self, f: &mut Function) {
        set_field(f, self.finished, 1);
    }

    pub(crate) fn go_on_growing(&self, f: &mut Function) {
        if let Groups::Keyed(table, _) = &self.groups {
            table.go_on_growing(f);
        }
        for distinct in self.calls.iter().filter_map(|call| call.distinct.as_ref()) {
            distinct.go_on_growing(f);
        }
    }

    pub(crate) fn texts(&self) -> &TextHeap {
        &self.texts
    }

    /// At the start of a block: leaves the call where room has to be made first.
    pub(crate) fn begin_block(&self, f: &mut Function, accumulators: &Accumulators) -> Block {
        let sets = self.calls.iter().map(|call| call.distinct.as_ref());
        if sets.clone().any(|set| set.is_some()) {
            // Making room may leave the call, and what is in locals with it.
            self.end(f, accumulators);
        }
        let distinct = sets.map(|set| set.map(|set| set.begin_block(f))).collect();
        let Groups::Keyed(table, _) = &self.groups else {
            return Block {
                directory: None,
                index: None,
                distinct,
            };
        };
        table.make_room(f);
        Block {
            index: self.small_keys.as_ref().map(|small| small.begin(f)),
            directory: Some(table.directory(f)),
            distinct,
        }
    }

    /// At the start of a batch.
    pub(crate) fn begin(&self, f: &mut Function) -> Accumulators {
        let Groups::One(address) = &self.groups else {
            return Accumulators(Vec::new());
        };
        let base = f.let_(*address);
        let cells = self.cells.iter();
        Accumulators(
            cells
                .map(|cell| load(f, Place::Memory(base), cell, 0))
                .collect(),
        )
    }

    /// At the end of a batch.
    pub(crate) fn end(&self, f: &mut Function, accumulators: &Accumulators) {
        if let Groups::One(address) = &self.groups {
            let base = f.let_(*address);
            for (cell, value) in self.cells.iter().zip(&accumulators.0) {
                expr::store(f, base, cell.offset, *value, cell.storage);
            }
        }
    }

    /// Whether rows of a block are better looked for before any of them is added, and 1 where that is so now.
    pub(crate) fn is_touched(&self) -> Option<Value<I32>> {
        match (&self.groups, &self.small_keys) {
            (Groups::Keyed(table, _), None) => Some(table.is_large()),
            _ => None,
        }
    }

    /// Reads where a row's group is, so that many cache misses overlap; something that depends on it.
    pub(crate) fn touch(&self, f: &mut Function, block: &Block, row: &Row<'_>) -> Value<I32> {
        let (Groups::Keyed(table, _), Some(directory)) = (&self.groups, block.directory) else {
            return Value::from(0);
        };
        let keys = self.aggregate.keys.iter();
        let keys: Vec<_> = keys.map(|key| row.value(f, key)).collect();
        table.touch(f, directory, &keys)
    }

    /// Adds a row to its group.
    pub(crate) fn put(
        &self,
        f: &mut Function,
        accumulators: &Accumulators,
        block: &Block,
        row: &Row<'_>,
    ) {
        let place = match &self.groups {
            Groups::One(_) => Place::Locals(&accumulators.0),
            Groups::Keyed(table, offset) => {
                let keys = self.aggregate.keys.iter();
                let keys: Vec<_> = keys.map(|key| row.value(f, key)).collect();
                let directory = block.directory.expect("keyed rows have a directory");
                let find = |f: &mut Function| {
                    table.find(f, directory, &keys, &self.texts, |f, entry| {
                        self.clear(f, entry, *offset)
                    })
                };
                let entry = match (&self.small_keys, block.index) {
                    (Some(small), Some(index)) => small.find(f, index, &keys, find),
                    _ => find(f),
                };
                Place::Memory(f.let_(entry.get() + *offset))
            }
        };
        for (call, directory) in self.calls.iter().zip(&block.distinct) {
            self.update(f, place, call, *directory, row);
        }
    }

    fn clear(&self, f: &mut Function, entry: Local<I32>, offset: u32) {
        for cell in &self.cells {
            for word in (0..cell.storage.bytes()).step_by(8) {
                f.store::<I64>(entry, offset + cell.offset + word, 0i64);
            }
        }
    }

    fn get(&self, f: &mut Function, place: Place<'_>, number: Option<usize>) -> Scalar {
        let number = number.expect("the function has this cell");
        load(f, place, &self.cells[number], number)
    }

    fn set(&self, f: &mut Function, place: Place<'_>, number: Option<usize>, value: Scalar) {
        let number = number.expect("the function has this cell");
        match place {
            Place::Locals(cells) => expr::copy(f, cells[number], value),
            Place::Memory(base) => {
                let cell = &self.cells[number];
                expr::store(f, base, cell.offset, value, cell.storage);
            }
        }
    }
}

fn load(f: &mut Function, place: Place<'_>, cell: &Cell, number: usize) -> Scalar {
    match place {
        Place::Locals(cells) => cells[number],
        Place::Memory(base) => expr::load(f, cell.storage, &cell.ty, &base.get(), cell.offset),
    }
}
