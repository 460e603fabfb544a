//! A typed way to write WebAssembly, so that code generation reads like the loop it emits.
//!
//! A [`Value`] is an expression of a known type, used once; a [`Local`] is a variable, used at will. Statements are
//! methods of [`Function`], and blocks are closures, so what is open is always closed:
//!
//! ```text
//! f.set(sum, 0);
//! f.count_up(row, rows, |f| f.set(sum, sum.get() + (values.get() + (row.get() << 2)).load::<I32>(0)));
//! ```

use std::{
    collections::BTreeSet,
    marker::PhantomData,
    ops::{Add, BitAnd, BitOr, BitXor, Mul, Shl, Sub},
};

use wasm_encoder::{BlockType, Encode, Instruction, MemArg, ValType};

/// A WebAssembly value type.
pub(crate) trait Kind: Copy {
    const TYPE: ValType;
    /// Load of a whole value.
    fn load(at: MemArg) -> Instruction<'static>;
    fn store(at: MemArg) -> Instruction<'static>;
}

macro_rules! kinds {
    ($($kind:ident $load:ident $store:ident;)*) => {$(
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $kind;
        impl Kind for $kind {
            const TYPE: ValType = ValType::$kind;
            fn load(at: MemArg) -> Instruction<'static> {
                Instruction::$load(at)
            }
            fn store(at: MemArg) -> Instruction<'static> {
                Instruction::$store(at)
            }
        }
    )*};
}

kinds! {
    I32 I32Load I32Store;
    I64 I64Load I64Store;
    F32 F32Load F32Store;
    F64 F64Load F64Store;
    V128 V128Load V128Store;
}

/// An expression: the code that leaves one `T` on the stack.
#[derive(Debug, Clone)]
pub(crate) struct Value<T> {
    code: Vec<u8>,
    kind: PhantomData<T>,
}

/// A variable of a function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local<T> {
    index: u32,
    kind: PhantomData<T>,
}

impl<T> Local<T> {
    pub(crate) fn get(self) -> Value<T> {
        Value::new(&[], Instruction::LocalGet(self.index))
    }
}

impl<T> Value<T> {
    fn new(operands: &[&[u8]], last: Instruction<'_>) -> Self {
        let mut code = operands.concat();
        last.encode(&mut code);
        Self {
            code,
            kind: PhantomData,
        }
    }

    fn unary<R>(self, instruction: Instruction<'_>) -> Value<R> {
        Value::new(&[&self.code], instruction)
    }

    fn binary<R>(self, other: impl Into<Value<T>>, instruction: Instruction<'_>) -> Value<R> {
        Value::new(&[&self.code, &other.into().code], instruction)
    }
}

impl<T> From<Local<T>> for Value<T> {
    fn from(local: Local<T>) -> Self {
        local.get()
    }
}

macro_rules! constants {
    ($($from:ty => $kind:ident, $value:ident => $instruction:expr;)*) => {$(
        impl From<$from> for Value<$kind> {
            fn from($value: $from) -> Self {
                Value::new(&[], $instruction)
            }
        }
    )*};
}

constants! {
    i32 => I32, value => Instruction::I32Const(value);
    u32 => I32, value => Instruction::I32Const(value.cast_signed());
    i64 => I64, value => Instruction::I64Const(value);
    f32 => F32, value => Instruction::F32Const(value.into());
    f64 => F64, value => Instruction::F64Const(value.into());
}

macro_rules! operators {
    ($($kind:ident: $($operator:ident $method:ident $instruction:ident),*;)*) => {$($(
        impl<R: Into<Value<$kind>>> $operator<R> for Value<$kind> {
            type Output = Value<$kind>;
            fn $method(self, other: R) -> Value<$kind> {
                self.binary(other, Instruction::$instruction)
            }
        }
    )*)*};
}

operators! {
    I32: Add add I32Add, Sub sub I32Sub, Mul mul I32Mul, BitAnd bitand I32And, BitOr bitor I32Or, BitXor bitxor I32Xor, Shl shl I32Shl;
    I64: Add add I64Add, Sub sub I64Sub, Mul mul I64Mul, BitAnd bitand I64And, BitOr bitor I64Or, BitXor bitxor I64Xor, Shl shl I64Shl;
    F32: Add add F32Add, Sub sub F32Sub, Mul mul F32Mul;
    F64: Add add F64Add, Sub sub F64Sub, Mul mul F64Mul;
}

macro_rules! methods {
    ($($kind:ident: $($method:ident($($other:ident)?) -> $result:ident $instruction:ident),*;)*) => {$(
        #[allow(
            clippy::wrong_self_convention,
            reason = "a value is code that is used once, so every method takes it"
        )]
        impl Value<$kind> {$(
            methods!(@ $kind $method ($($other)?) $result $instruction);
        )*}
    )*};
    (@ $kind:ident $method:ident () $result:ident $instruction:ident) => {
        pub(crate) fn $method(self) -> Value<$result> {
            self.unary(Instruction::$instruction)
        }
    };
    (@ $kind:ident $method:ident ($other:ident) $result:ident $instruction:ident) => {
        pub(crate) fn $method(self, $other: impl Into<Value<$kind>>) -> Value<$result> {
            self.binary($other, Instruction::$instruction)
        }
    };
}

methods! {
    I32: eqz() -> I32 I32Eqz, eq(other) -> I32 I32Eq, ne(other) -> I32 I32Ne,
        lt_s(other) -> I32 I32LtS, le_s(other) -> I32 I32LeS,
        lt_u(other) -> I32 I32LtU, le_u(other) -> I32 I32LeU, gt_u(other) -> I32 I32GtU,
        div_s(other) -> I32 I32DivS, div_u(other) -> I32 I32DivU, rem_s(other) -> I32 I32RemS, rem_u(other) -> I32 I32RemU,
        shr_s(other) -> I32 I32ShrS, shr_u(other) -> I32 I32ShrU, clz() -> I32 I32Clz, ctz() -> I32 I32Ctz, popcnt() -> I32 I32Popcnt,
        extend8_s() -> I32 I32Extend8S, extend16_s() -> I32 I32Extend16S,
        to_i64_s() -> I64 I64ExtendI32S, to_i64_u() -> I64 I64ExtendI32U,
        to_f32_s() -> F32 F32ConvertI32S, to_f32_u() -> F32 F32ConvertI32U,
        to_f64_s() -> F64 F64ConvertI32S, to_f64_u() -> F64 F64ConvertI32U;
    I64: eqz() -> I32 I64Eqz, eq(other) -> I32 I64Eq, ne(other) -> I32 I64Ne,
        lt_s(other) -> I32 I64LtS, le_s(other) -> I32 I64LeS, gt_s(other) -> I32 I64GtS,
        lt_u(other) -> I32 I64LtU, le_u(other) -> I32 I64LeU, gt_u(other) -> I32 I64GtU,
        div_s(other) -> I64 I64DivS, div_u(other) -> I64 I64DivU, rem_s(other) -> I64 I64RemS, rem_u(other) -> I64 I64RemU,
        shr_s(other) -> I64 I64ShrS, shr_u(other) -> I64 I64ShrU, clz() -> I64 I64Clz, ctz() -> I64 I64Ctz, popcnt() -> I64 I64Popcnt,
        to_i32() -> I32 I32WrapI64,
        to_f32_s() -> F32 F32ConvertI64S, to_f32_u() -> F32 F32ConvertI64U,
        to_f64_s() -> F64 F64ConvertI64S, to_f64_u() -> F64 F64ConvertI64U,
        as_f64() -> F64 F64ReinterpretI64;
    F32: ne(other) -> I32 F32Ne,
        div(other) -> F32 F32Div, neg() -> F32 F32Neg, to_f64() -> F64 F64PromoteF32,
        as_i32() -> I32 I32ReinterpretF32;
    F64: ne(other) -> I32 F64Ne, lt(other) -> I32 F64Lt, le(other) -> I32 F64Le,
        div(other) -> F64 F64Div, neg() -> F64 F64Neg, trunc() -> F64 F64Trunc, floor() -> F64 F64Floor, abs() -> F64 F64Abs,
        copysign(other) -> F64 F64Copysign, to_f32() -> F32 F32DemoteF64,
        to_i64_s() -> I64 I64TruncSatF64S, to_i64_u() -> I64 I64TruncSatF64U,
        as_i64() -> I64 I64ReinterpretF64;
}

impl Value<V128> {
    /// Each byte shifted left.
    pub(crate) fn shl8_by(self, bits: impl Into<Value<I32>>) -> Self {
        Value::new(&[&self.code, &bits.into().code], Instruction::I8x16Shl)
    }

    /// 1 bits in the bytes that are equal.
    pub(crate) fn eq8(self, other: impl Into<Value<V128>>) -> Self {
        self.binary(other, Instruction::I8x16Eq)
    }

    pub(crate) fn and(self, other: impl Into<Value<V128>>) -> Self {
        self.binary(other, Instruction::V128And)
    }

    /// Highest bits of the 16 bytes.
    pub(crate) fn bitmask8(self) -> Value<I32> {
        self.unary(Instruction::I8x16Bitmask)
    }
}

impl Value<V128> {
    /// An instruction of two vectors.
    pub(crate) fn vector(
        self,
        other: impl Into<Value<V128>>,
        instruction: Instruction<'static>,
    ) -> Self {
        self.binary(other, instruction)
    }

    /// Every lane shifted.
    pub(crate) fn vector_shift(
        self,
        bits: impl Into<Value<I32>>,
        instruction: Instruction<'static>,
    ) -> Self {
        Value::new(&[&self.code, &bits.into().code], instruction)
    }

    pub(crate) fn vector_constant(bits: i128) -> Self {
        Value::new(&[], Instruction::V128Const(bits))
    }

    /// Of each bit `yes` where `mask` is 1, else `no`.
    pub(crate) fn bit_select(
        yes: impl Into<Value<V128>>,
        no: impl Into<Value<V128>>,
        mask: impl Into<Value<V128>>,
    ) -> Self {
        let operands = [yes.into(), no.into(), mask.into()];
        let operands = operands.each_ref().map(|operand| operand.code.as_slice());
        Value::new(&operands, Instruction::V128Bitselect)
    }

    /// Highest bits of its lanes.
    pub(crate) fn bitmask(self, instruction: Instruction<'static>) -> Value<I32> {
        self.unary(instruction)
    }

    /// `start + first` and the three numbers behind it.
    pub(crate) fn row_numbers(start: Local<I32>, first: i32) -> Self {
        let lanes = [first, first + 1, first + 2, first + 3].map(i32::to_le_bytes);
        let lanes =
            i128::from_le_bytes(lanes.concat().try_into().expect("four lanes of four bytes"));
        let numbers = Self::vector_constant(lanes);
        start
            .get()
            .splat(Instruction::I32x4Splat)
            .vector(numbers, Instruction::I32x4Add)
    }
}

impl<T> Value<T> {
    /// The value in every lane of a vector.
    pub(crate) fn splat(self, instruction: Instruction<'static>) -> Value<V128> {
        self.unary(instruction)
    }
}

impl Value<I32> {
    /// Its lowest byte, 16 times.
    pub(crate) fn splat8(self) -> Value<V128> {
        self.unary(Instruction::I8x16Splat)
    }
}

/// Unaligned access `offset` bytes behind an address. Alignment is a hint that current processors do not need.
fn at(offset: u32) -> MemArg {
    MemArg {
        offset: u64::from(offset),
        align: 0,
        memory_index: 0,
    }
}

/// Loads from an address.
impl Value<I32> {
    pub(crate) fn load<T: Kind>(self, offset: u32) -> Value<T> {
        self.unary(T::load(at(offset)))
    }

    pub(crate) fn load8_u(self, offset: u32) -> Value<I32> {
        self.unary(Instruction::I32Load8U(at(offset)))
    }

    pub(crate) fn load8_s(self, offset: u32) -> Value<I32> {
        self.unary(Instruction::I32Load8S(at(offset)))
    }

    pub(crate) fn load16_u(self, offset: u32) -> Value<I32> {
        self.unary(Instruction::I32Load16U(at(offset)))
    }

    pub(crate) fn load16_s(self, offset: u32) -> Value<I32> {
        self.unary(Instruction::I32Load16S(at(offset)))
    }

    pub(crate) fn load32_s(self, offset: u32) -> Value<I64> {
        self.unary(Instruction::I64Load32S(at(offset)))
    }
}

/// `condition != 0 ? yes : no`, both evaluated.
pub(crate) fn select<T: Kind>(
    condition: impl Into<Value<I32>>,
    yes: impl Into<Value<T>>,
    no: impl Into<Value<T>>,
) -> Value<T> {
    Value::new(
        &[&yes.into().code, &no.into().code, &condition.into().code],
        Instruction::Select,
    )
}

/// An integer of 128 bits, as two locals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wide {
    pub(crate) lo: Local<I64>,
    pub(crate) hi: Local<I64>,
}

/// A place to branch to: behind a block, or the start of a loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label(u32);

/// A function being written.
#[derive(Debug)]
pub(crate) struct Function {
    params: Vec<ValType>,
    results: Vec<ValType>,
    locals: Vec<ValType>,
    code: Vec<u8>,
    depth: u32,
    /// Functions it calls.
    calls: BTreeSet<u32>,
    /// Places where it may end with an error of the user's data.
    raises: u32,
}

impl Function {
    pub(crate) fn new(results: &[ValType]) -> Self {
        Self {
            params: Vec::new(),
            results: results.to_vec(),
            locals: Vec::new(),
            code: Vec::new(),
            depth: 0,
            calls: BTreeSet::new(),
            raises: 0,
        }
    }

    /// The next parameter. All come before the first local.
    pub(crate) fn param<T: Kind>(&mut self) -> Local<T> {
        assert!(self.locals.is_empty(), "parameters come first");
        self.params.push(T::TYPE);
        Local {
            index: self.params.len() as u32 - 1,
            kind: PhantomData,
        }
    }

    /// A new variable, zero at first.
    pub(crate) fn local<T: Kind>(&mut self) -> Local<T> {
        self.locals.push(T::TYPE);
        Local {
            index: (self.params.len() + self.locals.len()) as u32 - 1,
            kind: PhantomData,
        }
    }

    pub(crate) fn wide(&mut self) -> Wide {
        Wide {
            lo: self.local(),
            hi: self.local(),
        }
    }

    /// A new variable that holds `value`.
    pub(crate) fn let_<T: Kind>(&mut self, value: impl Into<Value<T>>) -> Local<T> {
        let local = self.local();
        self.set(local, value);
        local
    }

    fn emit(&mut self, instruction: Instruction<'_>) {
        instruction.encode(&mut self.code);
    }

    fn push<T>(&mut self, value: impl Into<Value<T>>) {
        self.code.extend(value.into().code);
    }

    pub(crate) fn set<T: Kind>(&mut self, local: Local<T>, value: impl Into<Value<T>>) {
        self.push(value);
        self.emit(Instruction::LocalSet(local.index));
    }

    pub(crate) fn set_wide(
        &mut self,
        local: Wide,
        lo: impl Into<Value<I64>>,
        hi: impl Into<Value<I64>>,
    ) {
        self.push(lo);
        self.push(hi);
        self.pop_wide(local);
    }

    /// Takes both halves off the stack.
    fn pop_wide(&mut self, local: Wide) {
        self.emit(Instruction::LocalSet(local.hi.index));
        self.emit(Instruction::LocalSet(local.lo.index));
    }

    fn push_wide(&mut self, wide: Wide) {
        self.push(wide.lo);
        self.push(wide.hi);
    }

    /// Wrapping sum.
    pub(crate) fn add_wide(&mut self, to: Wide, left: Wide, right: Wide) {
        self.push_wide(left);
        self.push_wide(right);
        self.emit(Instruction::I64Add128);
        self.pop_wide(to);
    }

    /// Wrapping difference.
    pub(crate) fn sub_wide(&mut self, to: Wide, left: Wide, right: Wide) {
        self.push_wide(left);
        self.push_wide(right);
        self.emit(Instruction::I64Sub128);
        self.pop_wide(to);
    }

    /// Full product of two signed halves.
    pub(crate) fn mul_wide_s(
        &mut self,
        to: Wide,
        left: impl Into<Value<I64>>,
        right: impl Into<Value<I64>>,
    ) {
        self.push(left);
        self.push(right);
        self.emit(Instruction::I64MulWideS);
        self.pop_wide(to);
    }

    /// Full product of two unsigned halves.
    pub(crate) fn mul_wide_u(
        &mut self,
        to: Wide,
        left: impl Into<Value<I64>>,
        right: impl Into<Value<I64>>,
    ) {
        self.push(left);
        self.push(right);
        self.emit(Instruction::I64MulWideU);
        self.pop_wide(to);
    }

    pub(crate) fn store<T: Kind>(
        &mut self,
        address: impl Into<Value<I32>>,
        offset: u32,
        value: impl Into<Value<T>>,
    ) {
        self.push(address);
        self.push(value);
        self.emit(T::store(at(offset)));
    }

    pub(crate) fn store8(
        &mut self,
        address: impl Into<Value<I32>>,
        offset: u32,
        value: impl Into<Value<I32>>,
    ) {
        self.push(address);
        self.push(value);
        self.emit(Instruction::I32Store8(at(offset)));
    }

    pub(crate) fn store16(
        &mut self,
        address: impl Into<Value<I32>>,
        offset: u32,
        value: impl Into<Value<I32>>,
    ) {
        self.push(address);
        self.push(value);
        self.emit(Instruction::I32Store16(at(offset)));
    }

    /// Sets `bytes` bytes from `address` on to `byte`.
    pub(crate) fn fill(
        &mut self,
        address: impl Into<Value<I32>>,
        byte: impl Into<Value<I32>>,
        bytes: impl Into<Value<I32>>,
    ) {
        self.push(address);
        self.push(byte);
        self.push(bytes);
        self.emit(Instruction::MemoryFill(0));
    }

    /// Copies `bytes` bytes; the two may overlap.
    pub(crate) fn copy(
        &mut self,
        to: impl Into<Value<I32>>,
        from: impl Into<Value<I32>>,
        bytes: impl Into<Value<I32>>,
    ) {
        self.push(to);
        self.push(from);
        self.push(bytes);
        self.emit(Instruction::MemoryCopy {
            src_mem: 0,
            dst_mem: 0,
        });
    }

    pub(crate) fn if_(&mut self, condition: impl Into<Value<I32>>, then: impl FnOnce(&mut Self)) {
        self.push(condition);
        self.emit(Instruction::If(BlockType::Empty));
        self.nested(then);
        self.emit(Instruction::End);
    }

    /// Runs the body, but where it may raise an error only if the condition holds. No branch may lead out of the body.
    pub(crate) fn guard_raises(
        &mut self,
        condition: impl Into<Value<I32>>,
        body: impl FnOnce(&mut Self),
    ) {
        let (start, raises) = (self.code.len(), self.raises);
        body(self);
        if self.raises > raises {
            let guarded = self.code.split_off(start);
            self.push(condition);
            self.emit(Instruction::If(BlockType::Empty));
            self.code.extend(guarded);
            self.emit(Instruction::End);
        }
    }

    /// Counts a place that may raise an error.
    pub(crate) fn note_raise(&mut self) {
        self.raises += 1;
    }

    /// Whether what is written so far may raise an error.
    pub(crate) fn can_raise(&self) -> bool {
        self.raises > 0
    }

    pub(crate) fn if_else(
        &mut self,
        condition: impl Into<Value<I32>>,
        then: impl FnOnce(&mut Self),
        otherwise: impl FnOnce(&mut Self),
    ) {
        self.push(condition);
        self.emit(Instruction::If(BlockType::Empty));
        self.nested(then);
        self.emit(Instruction::Else);
        self.nested(otherwise);
        self.emit(Instruction::End);
    }

    fn nested(&mut self, body: impl FnOnce(&mut Self)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
    }

    /// A block whose label leads behind its end.
    pub(crate) fn block(&mut self, body: impl FnOnce(&mut Self, Label)) {
        self.emit(Instruction::Block(BlockType::Empty));
        self.nested(|f| body(f, Label(f.depth)));
        self.emit(Instruction::End);
    }

    /// A loop whose label leads to its start; without a branch there it runs once.
    pub(crate) fn repeat(&mut self, body: impl FnOnce(&mut Self, Label)) {
        self.emit(Instruction::Loop(BlockType::Empty));
        self.nested(|f| body(f, Label(f.depth)));
        self.emit(Instruction::End);
    }

    /// Runs the body while `counter < end` (unsigned), adding 1 to the counter after each run.
    pub(crate) fn count_up(
        &mut self,
        counter: Local<I32>,
        end: Local<I32>,
        body: impl FnOnce(&mut Self),
    ) {
        self.count_up_by(1, counter, end, body);
    }

    /// As [`Self::count_up`], adding `step`.
    pub(crate) fn count_up_by(
        &mut self,
        step: u32,
        counter: Local<I32>,
        end: Local<I32>,
        body: impl FnOnce(&mut Self),
    ) {
        self.if_(counter.get().lt_u(end), |f| {
            f.repeat(|f, again| {
                body(f);
                f.set(counter, counter.get() + step);
                f.branch_if(again, counter.get().lt_u(end));
            });
        });
    }

    pub(crate) fn branch(&mut self, label: Label) {
        self.emit(Instruction::Br(self.depth - label.0));
    }

    pub(crate) fn branch_if(&mut self, label: Label, condition: impl Into<Value<I32>>) {
        self.push(condition);
        self.emit(Instruction::BrIf(self.depth - label.0));
    }

    pub(crate) fn return_(&mut self, value: impl Into<Value<I32>>) {
        self.push(value);
        self.emit(Instruction::Return);
    }

    /// Puts an argument of the next call on the stack.
    pub(crate) fn argument<T: Kind>(&mut self, value: impl Into<Value<T>>) {
        self.push(value);
    }

    /// Calls a function with the arguments put before; its results are taken by [`Self::take`], the last one first.
    pub(crate) fn call(&mut self, function: u32) {
        self.calls.insert(function);
        self.emit(Instruction::Call(function));
    }

    /// Takes a result of the call off the stack.
    pub(crate) fn take<T: Kind>(&mut self, local: Local<T>) {
        self.emit(Instruction::LocalSet(local.index));
    }

    /// Returns several values.
    pub(crate) fn return_values(&mut self, push: impl FnOnce(&mut Self)) {
        push(self);
        self.emit(Instruction::Return);
    }

    /// Returns what the call before left on the stack.
    pub(crate) fn return_result(&mut self) {
        self.emit(Instruction::Return);
    }

    /// Types of parameters and results, and the body. Its end is unreachable where it has results: such a function returns.
    pub(crate) fn finish(mut self) -> Finished {
        if !self.results.is_empty() {
            self.emit(Instruction::Unreachable);
        }
        self.emit(Instruction::End);
        let mut body = wasm_encoder::Function::new_with_locals_types(self.locals);
        body.raw(self.code);
        Finished {
            params: self.params,
            results: self.results,
            body,
            calls: self.calls,
        }
    }
}

/// A function that is written.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) params: Vec<ValType>,
    pub(crate) results: Vec<ValType>,
    pub(crate) body: wasm_encoder::Function,
    pub(crate) calls: BTreeSet<u32>,
}

impl Finished {
    /// The same signature with nothing behind it.
    pub(crate) fn emptied(self) -> Self {
        let mut body = wasm_encoder::Function::new([]);
        body.instruction(&Instruction::Unreachable);
        body.instruction(&Instruction::End);
        Self { body, ..self }
    }
}
