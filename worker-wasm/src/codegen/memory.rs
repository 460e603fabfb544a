//! Private memory: where state lies, how the heap grows, how bitmaps are packed.

use wasm_encoder::ValType;

use super::builder::{Finished, Function, I32, Local, V128, Value};
use crate::abi::{Status, control};

/// Places in the state area, given out at compile time. They depend on the plan's shape alone.
#[derive(Debug)]
pub(crate) struct StateArea {
    next: u32,
}

impl StateArea {
    pub(crate) fn new() -> Self {
        Self {
            next: control::BYTES,
        }
    }

    /// Address of `bytes` bytes, a multiple of 16. They are zero before `open`.
    pub(crate) fn place(&mut self, bytes: u32) -> u32 {
        let address = self.next;
        self.next += bytes.next_multiple_of(16);
        address
    }

    /// Bytes given out.
    pub(crate) fn bytes(&self) -> u32 {
        self.next - control::BYTES
    }
}

/// A field in the control block or the state area.
pub(crate) fn field(address: u32) -> Value<I32> {
    Value::from(0).load(address)
}

pub(crate) fn set_field(f: &mut Function, address: u32, value: impl Into<Value<I32>>) {
    f.store::<I32>(0, address, value);
}

/// New private memory, or the end of this call with NEED_MEMORY; the host grants it and calls again.
pub(crate) fn reserve_or_return(f: &mut Function, bytes: impl Into<Value<I32>>) -> Local<I32> {
    let address = f.local::<I32>();
    f.argument(bytes);
    f.call_helper(super::wide::Helper::Reserve);
    f.take(address);
    f.if_(address.get().eqz(), |f| {
        f.return_(Status::NeedMemory as i32)
    });
    address
}

/// Heap blocks start at multiples of this, for whole vectors and cache lines.
const HEAP_ALIGN: i32 = 64;

pub(super) fn reserve() -> Finished {
    let mut f = Function::new(&[ValType::I32]);
    let bytes: Local<I32> = f.param();
    let address: Local<I32> = f.let_(field(control::HEAP_NEXT));
    let aligned = (bytes.get() + (HEAP_ALIGN - 1)) & -HEAP_ALIGN;
    let end: Local<I32> = f.let_(address.get() + aligned);
    f.if_(end.get().gt_u(field(control::HEAP_LIMIT)), |f| {
        set_field(f, control::NEEDED, end);
        f.return_(0);
    });
    set_field(&mut f, control::HEAP_NEXT, end);
    f.return_(address);
    f.finish()
}

pub(super) fn pack_bits() -> Finished {
    let mut f = Function::new(&[]);
    let (bytes, count, bits): (Local<I32>, Local<I32>, Local<I32>) =
        (f.param(), f.param(), f.param());
    let end: Local<I32> = f.let_(bytes.get() + count);
    f.if_(bytes.get().lt_u(end), |f| {
        f.repeat(|f, again| {
            // The lowest bit of each byte becomes its highest, which is what the mask takes.
            let mask = bytes.get().load::<V128>(0).shl8_by(7).bitmask8();
            f.store16(bits, 0, mask);
            f.set(bits, bits.get() + 2);
            f.set(bytes, bytes.get() + 16);
            f.branch_if(again, bytes.get().lt_u(end));
        });
    });
    f.finish()
}
