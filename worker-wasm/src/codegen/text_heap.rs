//! Text that outlives its batch: keys of groups, minima and maxima, columns of kept rows, copied into the private heap.
//!
//! Units: bytes.
//! Invariant: there is room for all text that the rows of a batch can leave behind when it starts, and of joined rows, which
//! can be any number, for that of a block, so that no row has to stop half-way. A row leaves at most one text per user, and
//! no expression makes text longer than a column or literal has it.
//! Pieces of heap are larger than one batch asks for, because what is left of a piece is given up for the next one.

use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::{Datum, Scalar},
    memory::{self, StateArea, field, set_field},
    sink::BLOCK_ROWS,
    text::Text,
};
use crate::{
    abi::{BUFFER_ALIGN, column, control, view},
    fragment::{Input, Type},
};

/// Least size of a piece.
const PIECE_BYTES: i32 = 64 << 10;
/// No window has a piece for so much; asked for where a batch could leave even more.
const ROOM_BYTES_MAX: i64 = 512 << 20;

/// Text of a block of joined rows, unless one row alone can have more.
const BLOCK_BYTES: i32 = 128 << 10;

/// Where the rows come from, which decides what of their text has to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A batch, each of its rows once at most. Everything is copied.
    Batch,
    /// Rows of a batch any number of times, with rows of tables. Tables and literals stay as long as the instance.
    Joined,
    /// What another sink has stored. All of it stays.
    Stored,
}

#[derive(Debug, Clone)]
pub(crate) struct TextHeap {
    /// Keys, accumulators and columns that are text.
    users: u32,
    origin: Origin,
    /// `u32`: first free byte of the piece.
    next: u32,
    /// `u32`: its end.
    end: u32,
}

impl TextHeap {
    pub(crate) fn new(users: usize, origin: Origin, state: &mut StateArea) -> Self {
        let next = state.place(8);
        Self {
            users: users as u32,
            origin,
            next,
            end: next + 4,
        }
    }

    /// At the start of a batch: room for what it can leave, or leaves the call with NEED_MEMORY.
    pub(crate) fn make_room(
        &self,
        f: &mut Function,
        input: &Input,
        index: usize,
        rows: Local<I32>,
        params: &[Datum],
    ) {
        if self.users == 0 {
            return;
        }
        let descriptors: Local<I32> = f.let_(field(control::INPUT_COLUMNS + 4 * index as u32));
        let wanted: Local<I64> = f.let_(0i64);
        let offsets = (0..).step_by(column::BYTES as usize);
        for (column, offset) in input.columns.iter().zip(offsets) {
            if column.ty == Type::Utf8 {
                let bytes = descriptors.get().load::<I32>(offset + column::TEXT_BYTES);
                f.set(wanted, wanted.get() + bytes.to_i64_u());
            }
        }
        for param in params {
            if let Scalar::Text(text) = param.value {
                let bytes = text.length.get().to_i64_u() * rows.get().to_i64_u();
                f.set(wanted, wanted.get() + bytes);
            }
        }
        f.set(wanted, wanted.get() * i64::from(self.users));
        let too_much = wanted.get().gt_u(ROOM_BYTES_MAX);
        let wanted: Local<I32> = f.let_(select::<I64>(too_much, ROOM_BYTES_MAX, wanted).to_i32());
        self.make_room_for(f, wanted);
    }

    /// Bytes that one joined row can leave behind; `None` where rows leave nothing.
    pub(crate) fn row_bytes(
        &self,
        f: &mut Function,
        input: &Input,
        index: usize,
    ) -> Option<Local<I32>> {
        if self.users == 0 || self.origin != Origin::Joined {
            return None;
        }
        let descriptors: Local<I32> = f.let_(field(control::INPUT_COLUMNS + 4 * index as u32));
        let bytes: Local<I64> = f.let_(0i64);
        let offsets = (0..).step_by(column::BYTES as usize);
        for (column, offset) in input.columns.iter().zip(offsets) {
            if column.ty == Type::Utf8 {
                let longest = descriptors.get().load::<I32>(offset + column::TEXT_LONGEST);
                f.set(bytes, bytes.get() + longest.to_i64_u());
            }
        }
        f.set(bytes, bytes.get() * i64::from(self.users));
        let too_much = bytes.get().gt_u(ROOM_BYTES_MAX);
        Some(f.let_(select::<I64>(too_much, ROOM_BYTES_MAX, bytes).to_i32()))
    }

    /// Room for a block of joined rows, or leaves the call with NEED_MEMORY; how many rows the block may have.
    pub(crate) fn make_block_room(&self, f: &mut Function, row_bytes: Local<I32>) -> Local<I32> {
        let rows: Local<I32> = f.let_(BLOCK_ROWS);
        f.if_(row_bytes.get().gt_u(BLOCK_BYTES / BLOCK_ROWS), |f| {
            f.set(rows, Value::from(BLOCK_BYTES).div_u(row_bytes));
            f.set(rows, select::<I32>(rows, rows, 1));
        });
        let wanted: Local<I32> = f.let_(rows.get() * row_bytes);
        self.make_room_for(f, wanted);
        rows
    }

    fn make_room_for(&self, f: &mut Function, wanted: Local<I32>) {
        let left = field(self.end) - field(self.next);
        f.if_(left.lt_u(wanted), |f| {
            let piece: Local<I32> = f.let_((wanted.get() << 1) + PIECE_BYTES);
            // Whole words are read, also of the last text.
            let padded = piece.get() + BUFFER_ALIGN as u32;
            let start = memory::reserve_or_return(f, padded);
            set_field(f, self.next, start);
            set_field(f, self.end, start.get() + piece);
        });
    }

    /// The same text where it stays. Text that fits a view needs no place here; where `replaced` has enough, its place is used.
    pub(crate) fn keep(&self, f: &mut Function, text: Text, replaced: Option<Text>) -> Text {
        let is_long = text.length.get().gt_u(view::INLINE_BYTES_MAX);
        let (goes, replaced) = match self.origin {
            Origin::Batch => (is_long, replaced),
            // Whatever is replaced may be the text of a table or a literal, whose place is not ours.
            Origin::Joined => (is_long & is_in_batch(text), None),
            Origin::Stored => return text,
        };
        let kept = Text {
            address: f.let_(text.address),
            length: text.length,
        };
        f.if_(goes, |f| {
            let fresh = |f: &mut Function| {
                f.set(kept.address, field(self.next));
                set_field(f, self.next, kept.address.get() + text.length);
                text.copy_to(f, kept.address);
            };
            match replaced {
                // A text that fits its view has no place of its own, and what follows another one's is not ours.
                Some(old) => f.if_else(
                    text.length.get().le_u(old.length),
                    |f| {
                        f.set(kept.address, old.address);
                        f.copy(kept.address, text.address, text.length);
                    },
                    fresh,
                ),
                None => fresh(f),
            }
        });
        kept
    }

    /// As [`Self::keep`], of a value of any type.
    pub(crate) fn keep_datum(&self, f: &mut Function, datum: &Datum) -> Datum {
        match datum.value {
            Scalar::Text(text) => Datum {
                value: Scalar::Text(self.keep(f, text, None)),
                ..datum.clone()
            },
            _ => datum.clone(),
        }
    }
}

/// 1 where a text is in the input window, between private memory and the tables.
fn is_in_batch(text: Text) -> Value<I32> {
    let private = text.address.get().lt_u(field(control::HEAP_LIMIT));
    let in_table = field(control::TABLES_START).le_u(text.address);
    (private | in_table).eqz()
}
