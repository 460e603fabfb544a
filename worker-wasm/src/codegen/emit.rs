//! The sink that hands rows out, in Arrow's layout.
//!
//! Values are written packed; booleans and validity as one byte per row, which are packed into bits when the batch is
//! through, 16 at a time. `pull` publishes what is there and forgets it; rows that are held back wait for the next call.

use super::{
    builder::{Function, I32, Local, Value},
    expr::{self, Row},
    memory::{StateArea, field, set_field},
    pipeline::Buffers,
    wide::Helper,
};
use crate::{
    abi::{Status, column, control},
    fragment::{Expr, Storage, ValueType},
};

/// Output buffers and their places.
#[derive(Debug)]
pub(crate) struct Emission {
    columns: Vec<Output>,
    buffers: Buffers,
    /// Column descriptors.
    descriptors: u32,
    /// `u32`: rows in the buffers.
    rows: u32,
}

#[derive(Debug)]
struct Output {
    storage: Storage,
    /// Buffer of values; for booleans, of bytes.
    values: usize,
    /// Buffer of bits, for booleans.
    bits: Option<usize>,
    /// Buffers of bytes and of bits that say which rows are valid.
    validity: Option<(usize, usize)>,
}

/// Addresses of the buffers while a batch is written.
pub(crate) struct Out {
    addresses: Vec<Local<I32>>,
    rows: Local<I32>,
}

impl Out {
    pub(crate) fn rows(&self) -> Value<I32> {
        self.rows.get()
    }
}

impl Emission {
    pub(crate) fn new(types: Vec<ValueType>, state: &mut StateArea) -> Self {
        let mut row_bytes = Vec::new();
        let mut buffer = |bytes: u32| {
            row_bytes.push(bytes);
            row_bytes.len() - 1
        };
        let columns = types.iter().map(|of| {
            let storage = of.ty.storage();
            Output {
                storage,
                values: buffer(storage.bytes().max(1)),
                bits: (storage == Storage::Bit).then(|| buffer(1)),
                validity: of.nullable.then(|| (buffer(1), buffer(1))),
            }
        });
        let columns: Vec<_> = columns.collect();
        let descriptors = state.place(columns.len() as u32 * column::BYTES);
        Self {
            columns,
            buffers: Buffers::new(state, &row_bytes),
            descriptors,
            rows: state.place(4),
        }
    }

    /// Makes room for `rows`. Rows that are held back are lost where that is more than the calls before have asked for:
    /// calls that go on after one ask for as many.
    pub(crate) fn ensure(&self, f: &mut Function, rows: Local<I32>) {
        self.buffers.ensure(f, rows);
    }

    pub(crate) fn begin(&self, f: &mut Function) -> Out {
        let buffers = self.columns.iter().map(|output| {
            1 + usize::from(output.bits.is_some()) + 2 * usize::from(output.validity.is_some())
        });
        let buffers: usize = buffers.sum();
        Out {
            addresses: (0..buffers)
                .map(|index| self.buffers.address(f, index))
                .collect(),
            rows: f.let_(0),
        }
    }

    /// The same, behind the rows that the last call has held back.
    pub(crate) fn begin_again(&self, f: &mut Function) -> Out {
        let out = self.begin(f);
        f.set(out.rows, field(self.rows));
        out
    }

    /// Whether rows can be held back: values are copied, but text lies where its batch or its table is.
    pub(crate) fn can_hold(&self) -> bool {
        let mut columns = self.columns.iter();
        columns.all(|column| column.storage != Storage::View)
    }

    /// Holds the rows back at the end of a call, for the next one to go on with.
    pub(crate) fn hold(&self, f: &mut Function, out: &Out) {
        set_field(f, self.rows, out.rows);
    }

    /// Appends a row.
    pub(crate) fn put(&self, f: &mut Function, out: &Out, row: &Row<'_>) {
        for (index, output) in self.columns.iter().enumerate() {
            let datum = row.value(f, &Expr::Column(index));
            let offset = out.rows.get() * output.storage.bytes().max(1);
            let address = f.let_(out.addresses[output.values].get() + offset);
            expr::store(f, address, 0, datum.value, output.storage);
            if let Some((bytes, _)) = output.validity {
                let address = out.addresses[bytes].get() + out.rows;
                match datum.null {
                    Some(null) => f.store8(address, 0, null.get().eqz()),
                    None => f.store8(address, 0, 1),
                }
            }
        }
        f.set(out.rows, out.rows.get() + 1);
    }

    /// Packs bits and writes descriptors.
    pub(crate) fn end(&self, f: &mut Function, out: &Out) {
        for (output, descriptor) in self
            .columns
            .iter()
            .zip((self.descriptors..).step_by(column::BYTES as usize))
        {
            let mut values = out.addresses[output.values];
            if let Some(bits) = output.bits {
                pack(f, values, out.rows, out.addresses[bits]);
                values = out.addresses[bits];
            }
            set_field(f, descriptor + column::VALUES, values);
            if let Some((bytes, bits)) = output.validity {
                pack(f, out.addresses[bytes], out.rows, out.addresses[bits]);
                set_field(f, descriptor + column::VALIDITY, out.addresses[bits]);
            }
            set_field(f, descriptor + column::ROWS, out.rows);
        }
        set_field(f, self.rows, out.rows);
    }

    /// The end of `pull`: MORE with rows, or where some may be `left`; else DONE.
    pub(crate) fn publish(&self, f: &mut Function, left: Option<Value<I32>>) {
        let rows: Local<I32> = f.let_(field(self.rows));
        set_field(f, self.rows, 0);
        set_field(f, control::OUT_ROWS, rows);
        set_field(f, control::OUT_COLUMNS, self.descriptors);
        let more = match left {
            Some(left) => rows.get() | left,
            None => rows.get(),
        };
        f.if_(more, |f| f.return_(Status::More as i32));
        f.return_(Status::Done as i32);
    }
}

fn pack(f: &mut Function, bytes: Local<I32>, rows: Local<I32>, bits: Local<I32>) {
    for argument in [bytes, rows, bits] {
        f.argument(argument);
    }
    f.call_helper(Helper::PackBits);
}
