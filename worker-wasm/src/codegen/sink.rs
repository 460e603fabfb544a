//! Sinks that store rows until the input has ended, and the sources that read what they have stored.
//!
//! A call brings rows in blocks of at most [`BLOCK_ROWS`]; before each block the sink makes room, which may end the call
//! with NEED_MEMORY or MORE, and the caller comes back to the same block:
//!
//! ```text
//! go_on -> begin_batch -> begin -> (begin_block -> put ..) .. -> end       then once: finish
//! ```

use super::{
    aggregate::{self, Accumulators, Aggregation},
    build::Building,
    builder::{Function, I32, Local, Value},
    expr::{Binding, Datum, Row},
    hash_table,
    memory::StateArea,
    pipeline::Context,
    rows,
    sort::{self, Sorting},
    text_heap::{Origin, TextHeap},
};
use crate::fragment::{Input, Sink, ValueType};

/// Rows for which a sink makes room at once.
pub(crate) const BLOCK_ROWS: i32 = 1024;
const _: () = assert!(BLOCK_ROWS <= hash_table::BLOCK_ROWS && BLOCK_ROWS <= rows::CHUNK_ROWS);

/// A sink that stores.
#[derive(Debug, Clone)]
pub(crate) enum Store<'a> {
    Aggregate(Aggregation<'a>),
    Sort(Sorting<'a>),
    Build(Building<'a>),
}

/// What a sink needs for the rows of one block.
pub(crate) enum Block {
    Aggregate(aggregate::Block),
    Sort(sort::Bar),
    Build,
}

impl<'a> Store<'a> {
    /// `None` for the sink that emits.
    pub(crate) fn new(
        context: &Context<'a>,
        sink: &'a Sink,
        columns: Vec<ValueType>,
        origin: Origin,
        state: &mut StateArea,
    ) -> Option<Self> {
        match sink {
            Sink::Emit => None,
            Sink::Aggregate(aggregate) => Some(Self::Aggregate(Aggregation::new(
                context, aggregate, columns, origin, state,
            ))),
            Sink::Sort(sort) => Some(Self::Sort(Sorting::new(
                context, sort, columns, origin, state,
            ))),
            Sink::Build(build) => Some(Self::Build(Building::new(build, columns, origin, state))),
        }
    }

    /// Columns of what it stores.
    pub(crate) fn columns(&self) -> &[ValueType] {
        match self {
            Self::Aggregate(aggregation) => aggregation.columns(),
            Self::Sort(sorting) => sorting.columns(),
            Self::Build(building) => building.columns(),
        }
    }

    /// At the start of a call: a piece of work that the last one has left; ends this one while more is left.
    pub(crate) fn go_on(&self, f: &mut Function) {
        match self {
            Self::Aggregate(aggregation) => aggregation.go_on_growing(f),
            Self::Sort(sorting) => sorting.go_on(f),
            Self::Build(_) => {}
        }
    }

    /// At the start of a batch of an input: room for the text it can leave behind, or the end of this call.
    pub(crate) fn begin_batch(
        &self,
        f: &mut Function,
        batch: &Input,
        input: usize,
        rows: Local<I32>,
        params: &[Datum],
    ) {
        self.texts().make_room(f, batch, input, rows, params);
    }

    fn texts(&self) -> &TextHeap {
        match self {
            Self::Aggregate(aggregation) => aggregation.texts(),
            Self::Sort(sorting) => sorting.texts(),
            Self::Build(building) => building.texts(),
        }
    }

    /// Bytes of text that one joined row of a batch can leave behind; `None` where none leaves any.
    pub(crate) fn row_text(
        &self,
        f: &mut Function,
        batch: &Input,
        input: usize,
    ) -> Option<Local<I32>> {
        self.texts().row_bytes(f, batch, input)
    }

    /// Room for the text of a block of joined rows, or the end of this call; how many rows the block may have.
    pub(crate) fn make_text_room(
        &self,
        f: &mut Function,
        accumulators: &Accumulators,
        row_text: Local<I32>,
    ) -> Local<I32> {
        self.end(f, accumulators);
        self.texts().make_block_room(f, row_text)
    }

    pub(crate) fn begin(&self, f: &mut Function) -> Accumulators {
        match self {
            Self::Aggregate(aggregation) => aggregation.begin(f),
            Self::Sort(_) | Self::Build(_) => Accumulators::none(),
        }
    }

    /// Room for the rows of a block, or the end of this call.
    pub(crate) fn begin_block(&self, f: &mut Function, accumulators: &Accumulators) -> Block {
        match self {
            Self::Aggregate(aggregation) => {
                Block::Aggregate(aggregation.begin_block(f, accumulators))
            }
            Self::Sort(sorting) => Block::Sort(sorting.begin_block(f)),
            Self::Build(building) => {
                building.begin_block(f);
                Block::Build
            }
        }
    }

    /// See [`Aggregation::is_touched`].
    pub(crate) fn is_touched(&self) -> Option<Value<I32>> {
        match self {
            Self::Aggregate(aggregation) => aggregation.is_touched(),
            Self::Sort(_) | Self::Build(_) => None,
        }
    }

    /// See [`Aggregation::touch`].
    pub(crate) fn touch(&self, f: &mut Function, block: &Block, row: &Row<'_>) -> Value<I32> {
        match (self, block) {
            (Self::Aggregate(aggregation), Block::Aggregate(block)) => {
                aggregation.touch(f, block, row)
            }
            _ => Value::from(0),
        }
    }

    pub(crate) fn put(
        &self,
        f: &mut Function,
        accumulators: &Accumulators,
        block: &Block,
        row: &Row<'_>,
    ) {
        match (self, block) {
            (Self::Aggregate(aggregation), Block::Aggregate(block)) => {
                aggregation.put(f, accumulators, block, row);
            }
            (Self::Sort(sorting), Block::Sort(bar)) => sorting.put(f, *bar, row),
            (Self::Build(building), Block::Build) => building.put(f, row),
            _ => unreachable!("a block is its sink's own"),
        }
    }

    /// At the end of a call that has begun.
    pub(crate) fn end(&self, f: &mut Function, accumulators: &Accumulators) {
        match self {
            Self::Aggregate(aggregation) => aggregation.end(f, accumulators),
            Self::Sort(_) | Self::Build(_) => {}
        }
    }

    /// When all rows are in: what is left to do; ends the call with MORE while more is left.
    pub(crate) fn finish(&self, f: &mut Function) {
        match self {
            Self::Aggregate(aggregation) => aggregation.finish(f),
            Self::Sort(sorting) => sorting.finish(f),
            Self::Build(building) => building.finish(f),
        }
    }

    /// Stored rows that have not been read.
    pub(crate) fn left(&self) -> Value<I32> {
        match self {
            Self::Aggregate(aggregation) => aggregation.left(),
            Self::Sort(sorting) => sorting.left(),
            Self::Build(_) => unreachable!("verified: a table is no source"),
        }
    }

    /// Runs the body for up to `rows_max` stored rows that have not been read, once all are in.
    pub(crate) fn for_each(
        &self,
        f: &mut Function,
        rows_max: Local<I32>,
        body: impl FnOnce(&mut Function, Vec<Binding>, Local<I32>),
    ) {
        match self {
            Self::Aggregate(aggregation) => {
                aggregation.for_each_group(f, rows_max, |f, columns, index| {
                    let columns = columns.into_iter().map(Binding::Computed).collect();
                    body(f, columns, index);
                });
            }
            Self::Sort(sorting) => sorting.for_each(f, rows_max, body),
            Self::Build(_) => unreachable!("verified: a table is no source"),
        }
    }
}
