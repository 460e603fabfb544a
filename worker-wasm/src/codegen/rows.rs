//! Rows that are kept: one after the other in memory, every column at the same place in each.
//!
//! ```text
//! row    caller's header | 4-byte values | 8 and 16-byte values | 2-byte values | bytes | one byte per nullable column
//! store  list of chunks of 1,024 rows each, in the order they came
//! ```
//!
//! Units: bytes; a row's length is a multiple of 8. The layout follows from the columns' types alone: fragments that build
//! and fragments that probe a table compute the same one. Text is a view of 16 bytes, whose
//! long texts lie elsewhere: see `text_heap`, and `build` for those of a table.

use super::{
    builder::{Function, I32, Local, Value},
    expr::{self, Binding, Datum},
    memory::{self, StateArea, field, set_field},
};
use crate::{
    abi::{self, Windows, kept},
    fragment::{Storage, ValueType},
};

/// Rows of a chunk; as many are added between two looks at the room left.
pub(crate) const CHUNK_ROWS: i32 = abi::CHUNK_ROWS as i32;
const CHUNK_BITS: i32 = CHUNK_ROWS.trailing_zeros().cast_signed();

/// As many chunks as fit a private window, of the shortest rows.
const CHUNKS_MAX: i32 = 131_072;
const ROW_BYTES_MIN: u32 = 8;

// The list of chunks has no other end.
const _: () = assert!(
    CHUNKS_MAX as u64 * CHUNK_ROWS as u64 * ROW_BYTES_MIN as u64 >= Windows::FULL.private_end
);

/// Where the columns of a row are.
#[derive(Debug, Clone)]
pub(crate) struct RowLayout {
    fields: Vec<Field>,
    pub(crate) row_bytes: u32,
}

#[derive(Debug, Clone)]
struct Field {
    of: ValueType,
    storage: Storage,
    offset: u32,
    null_offset: Option<u32>,
}

/// Where a column is in a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) storage: Storage,
    pub(crate) offset: usize,
    /// Of a byte that is 1 where the column is null; `None` where it never is.
    pub(crate) null_offset: Option<usize>,
}

/// Widths in the order they lie in a row.
const WIDTHS: [u32; 5] = [4, 8, 16, 2, 1];

impl RowLayout {
    /// Rows with `header_bytes` in front.
    pub(crate) fn new(columns: &[ValueType], header_bytes: u32) -> Self {
        let mut next = header_bytes;
        let mut place = |bytes: u32| {
            let offset = next.next_multiple_of(bytes.min(8));
            next = offset + bytes;
            offset
        };
        let mut fields: Vec<_> = columns
            .iter()
            .map(|of| Field {
                of: of.clone(),
                storage: of.ty.storage(),
                offset: 0,
                null_offset: None,
            })
            .collect();
        for width in WIDTHS {
            let of_width = |field: &&mut Field| field.storage.bytes().max(1) == width;
            for field in fields.iter_mut().filter(of_width) {
                field.offset = place(width);
            }
        }
        for field in fields.iter_mut().filter(|field| field.of.nullable) {
            field.null_offset = Some(place(1));
        }
        Self {
            fields,
            row_bytes: next.next_multiple_of(8).max(ROW_BYTES_MIN),
        }
    }

    pub(crate) fn store(&self, f: &mut Function, row: Local<I32>, values: &[Datum]) {
        for (field, datum) in self.fields.iter().zip(values) {
            expr::store(f, row, field.offset, datum.value, field.storage);
            if let Some(offset) = field.null_offset {
                match datum.null {
                    Some(null) => f.store8(row, offset, null),
                    None => f.store8(row, offset, 0),
                }
            }
        }
    }

    /// Where each column is in a row, for the host.
    pub(crate) fn places(&self) -> Vec<Place> {
        let fields = self.fields.iter();
        fields
            .map(|field| Place {
                storage: field.storage,
                offset: field.offset as usize,
                null_offset: field.null_offset.map(|offset| offset as usize),
            })
            .collect()
    }

    /// Where views of text are in a row.
    pub(crate) fn texts(&self) -> impl Iterator<Item = u32> {
        let fields = self.fields.iter();
        fields
            .filter(|field| field.storage == Storage::View)
            .map(|field| field.offset)
    }

    /// The columns of the row at an address, loaded where they are used. All are null where `absent` is 1. Of a row in a
    /// table, long text is named by its distance from `table`.
    pub(crate) fn bind(
        &self,
        row: Local<I32>,
        absent: Option<Local<I32>>,
        table: Option<Local<I32>>,
    ) -> Vec<Binding> {
        let fields = self.fields.iter();
        fields
            .map(|field| Binding::Stored {
                ty: field.of.ty.clone(),
                storage: field.storage,
                row,
                offset: field.offset,
                null_offset: field.null_offset,
                absent,
                table,
            })
            .collect()
    }
}

/// Rows in private memory, which never move.
#[derive(Debug, Clone)]
pub(crate) struct RowStore {
    row_bytes: u32,
    /// `u32` fields of the state area: address of the list of chunks, 0 at first.
    chunks: u32,
    /// Rows there is memory for.
    allocated: u32,
    /// Rows in use.
    rows: u32,
}

impl RowStore {
    pub(crate) fn new(row_bytes: u32, state: &mut StateArea) -> Self {
        Self::at(state.place(12), row_bytes)
    }

    /// With its fields at an address.
    pub(crate) fn at(fields: u32, row_bytes: u32) -> Self {
        Self {
            row_bytes,
            chunks: fields + kept::CHUNKS,
            allocated: fields + kept::ALLOCATED,
            rows: fields + kept::ROWS,
        }
    }

    pub(crate) fn rows(&self) -> Value<I32> {
        field(self.rows)
    }

    pub(crate) fn set_rows(&self, f: &mut Function, rows: impl Into<Value<I32>>) {
        set_field(f, self.rows, rows);
    }

    pub(crate) fn allocated(&self) -> Value<I32> {
        field(self.allocated)
    }

    /// Room for one chunk more, or leaves the call with NEED_MEMORY.
    pub(crate) fn make_room(&self, f: &mut Function) {
        f.if_(field(self.chunks).eqz(), |f| {
            let chunks = memory::reserve_or_return(f, CHUNKS_MAX * 4);
            set_field(f, self.chunks, chunks);
        });
        let wanted = field(self.rows) + CHUNK_ROWS;
        f.if_(field(self.allocated).lt_u(wanted), |f| {
            let chunk = memory::reserve_or_return(f, self.row_bytes * CHUNK_ROWS as u32);
            let number = field(self.allocated).shr_u(CHUNK_BITS);
            f.store::<I32>(field(self.chunks) + (number << 2), 0, chunk);
            set_field(f, self.allocated, field(self.allocated) + CHUNK_ROWS);
        });
    }

    /// Address of a row by its number.
    pub(crate) fn row(&self, number: Local<I32>) -> Value<I32> {
        let chunk = number.get().shr_u(CHUNK_BITS) << 2;
        let start = (field(self.chunks) + chunk).load::<I32>(0);
        start + (number.get() & (CHUNK_ROWS - 1)) * self.row_bytes
    }
}
