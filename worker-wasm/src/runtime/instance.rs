//! A fragment that runs: one memory, one store, one thread at a time.
//!
//! ```text
//! open -> push .. -> finish -> done      after each push and after finish: pull until it gives none
//! ```
//!
//! Between any two calls into the guest the caller's check runs, memory is granted as the account allows, and values that
//! come late are copied (`late`).
//! Values that break a fact are refused before the guest sees them; then [`Instance::take_over`] lets the general module
//! go on in the same memory.

mod late;
mod tables;
mod together;

use std::sync::{Arc, MutexGuard, PoisonError};

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::SchemaRef,
};
use wasmtime::{Memory, Store, TypedFunc, WasmParams};

use super::{
    engine::{LoadedModule, Runtime},
    host::{HostFunctions, HostState},
    input::Pushed,
    ledger::{Ledger, MemoryAccount},
    memory::{Arena, SharedArena},
    output,
    table::{Borrowed, GrowingTable, JoinTable},
    table_files::TableFiles,
};
use crate::{
    FragmentModule, RunError,
    abi::{self, PARAM_BYTES, Reason, Status, control},
    error::EngineError,
    fragment::{self, Fragment, Sink, Storage, Type},
};

/// A literal of the plan. Integers, dates, timestamps and unscaled decimals as `Int`.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    Boolean(bool),
    Int(i128),
    Float32(f32),
    Float64(f64),
    /// Also a pattern, in the form its class wants.
    Text(Arc<str>),
}

/// What runs between two calls into a guest: cancellation and deadlines.
pub type Check<'a> = &'a mut dyn FnMut() -> Result<(), RunError>;

/// Memory is granted in steps of this, so that a growing heap asks seldom.
const GRANT_BYTES: u64 = 1 << 20;

/// A running fragment.
pub struct Instance {
    module: FragmentModule,
    schema: SchemaRef,
    store: Store<HostState>,
    memory: Memory,
    arena: SharedArena,
    ledger: Ledger,
    /// Where the memory of a table that is built here comes from.
    files: Arc<TableFiles>,
    /// Of a fragment that builds a table, once its memory is asked for.
    growing: Option<GrowingTable>,
    /// While a table is mapped that another instance builds, with rows of this one. Behind the store in this list, with
    /// which the mapping goes.
    borrowed: Option<Borrowed>,
    /// The batch in the input window, which the guest may ask more of.
    pushed: Option<Pushed>,
    /// Row numbers that values are asked for, kept for their memory.
    wanted: Vec<u32>,
    /// Whether batches are copied whole, as another module than the one that was opened reads them.
    whole: bool,
    /// Those that are probed, which stay as long as they are mapped here.
    tables: Vec<Arc<JoinTable>>,
    /// Inputs that have not ended.
    unfinished: usize,
    calls: Arc<Calls>,
}

struct Calls {
    push: Vec<TypedFunc<u32, i32>>,
    finish: Vec<TypedFunc<(), i32>>,
    pull: TypedFunc<u32, i32>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("module", &self.module.name())
            .field("charged", &self.ledger.charged())
            .finish_non_exhaustive()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(growing) = self.growing.take() {
            // Where its memory stays mapped it is given back all the same, only more slowly.
            let unmapped = self.with_arena(|arena| Ok(arena.unmap_build()));
            drop(unmapped);
            growing.give_up(self.ledger.hand_over());
        }
    }
}

impl Instance {
    /// A fragment at its start, opened with the plan's literals.
    pub fn open(
        runtime: &Runtime,
        loaded: &LoadedModule,
        params: &[Param],
        account: Box<dyn MemoryAccount>,
        functions: Box<dyn HostFunctions>,
    ) -> Result<Self, RunError> {
        Self::open_with_tables(runtime, loaded, params, &[], account, functions)
    }

    /// A fragment that probes tables, in the order of its joins.
    pub fn open_with_tables(
        runtime: &Runtime,
        loaded: &LoadedModule,
        params: &[Param],
        tables: &[Arc<JoinTable>],
        account: Box<dyn MemoryAccount>,
        functions: Box<dyn HostFunctions>,
    ) -> Result<Self, RunError> {
        let module = loaded.module.clone();
        let failed = |source: wasmtime::Error| RunError::Instantiate {
            module: loaded.module.name(),
            source: EngineError::from(source),
        };
        let (mut store, memory, arena) = runtime.hold(HostState::new(functions)).map_err(failed)?;
        store.data_mut().arena = Some(SharedArena::clone(&arena));
        let (calls, open) = link(runtime, loaded, &mut store, memory).map_err(failed)?;
        let mut instance = Self {
            schema: output::schema(module.output()),
            module,
            store,
            memory,
            arena,
            ledger: Ledger::new(account),
            files: Arc::clone(runtime.table_files()),
            growing: None,
            borrowed: None,
            pushed: None,
            wanted: Vec::new(),
            whole: false,
            tables: tables.to_vec(),
            unfinished: loaded.module.fragment().inputs.len(),
            calls: Arc::new(calls),
        };
        instance.prepare_memory(runtime)?;
        instance.map_tables()?;
        let at = instance.write_params(params)?;
        instance.run(&open, at, &mut || Ok(()))?;
        Ok(instance)
    }

    /// Schema of what [`Self::pull`] gives; columns are called by their positions.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// Rows that went through generated loops so far.
    pub fn guest_rows(&self) -> u64 {
        self.read_long(control::GUEST_ROWS)
    }

    /// Bytes of guest memory that the account carries, a table that is built here included.
    pub fn memory_bytes(&self) -> u64 {
        self.ledger.charged() + self.growing.as_ref().map_or(0, GrowingTable::bytes)
    }

    /// Gives a batch of at most [`abi::BATCH_ROWS_MAX`] rows to an input. `check` runs between calls and may stop them.
    ///
    /// Errors: [`RunError::Fact`], after which another module may [take over](Self::take_over) and is pushed the same batch,
    /// of which it consumes what is left; every other error ends the instance.
    pub fn push(
        &mut self,
        input: usize,
        batch: &RecordBatch,
        check: Check<'_>,
    ) -> Result<(), RunError> {
        self.push_columns(input, batch.columns(), batch.num_rows(), check)
    }

    /// The same of columns that all have `rows` rows.
    pub fn push_columns(
        &mut self,
        input: usize,
        arrays: &[ArrayRef],
        rows: usize,
        check: Check<'_>,
    ) -> Result<(), RunError> {
        let calls = Arc::clone(&self.calls);
        let Some(push) = calls.push.get(input) else {
            return Err(self.shape(format!("it has no input {input}")));
        };
        let module = self.module.clone();
        let columns = &module.fragment().inputs[input].columns;
        let mut pairs = columns.iter().zip(arrays);
        let suit = pairs
            .all(|(column, array)| column.ty.accepts(array.data_type()) && array.len() == rows);
        if arrays.len() != columns.len() || !suit {
            let types: Vec<_> = arrays.iter().map(|array| array.data_type()).collect();
            return Err(self.shape(format!("columns {types:?} of {rows} rows")));
        }
        if rows > abi::BATCH_ROWS_MAX {
            return Err(self.shape(format!("{rows} rows at once")));
        }
        self.copy_in(input, columns, arrays, rows)?;
        self.run(push, rows as u32, check)?;
        Ok(())
    }

    /// Says that an input has no more batches.
    pub fn finish(&mut self, input: usize, check: Check<'_>) -> Result<(), RunError> {
        let calls = Arc::clone(&self.calls);
        let Some(finish) = calls.finish.get(input) else {
            return Err(self.shape(format!("it has no input {input}")));
        };
        self.run(finish, (), check)?;
        self.pushed = None;
        self.unfinished = self.unfinished.saturating_sub(1);
        Ok(())
    }

    /// The next rows, or none until more is pushed. Of groups at most `rows_max`; of a pushed batch all that are left.
    ///
    /// Errors: [`RunError::Fact`], after which another module may [take over](Self::take_over) and go on; every other error
    /// ends the instance.
    pub fn pull(
        &mut self,
        rows_max: u32,
        check: Check<'_>,
    ) -> Result<Option<RecordBatch>, RunError> {
        let calls = Arc::clone(&self.calls);
        let rows_max = rows_max.clamp(1, abi::BATCH_ROWS_MAX as u32);
        while self.run_until(&calls.pull, rows_max, check, Status::More)? == Status::More {
            if self.read(control::OUT_ROWS) > 0 {
                return self.copy_out().map(Some);
            }
        }
        Ok(None)
    }

    fn copy_out(&mut self) -> Result<RecordBatch, RunError> {
        let (module, schema) = (self.module.clone(), self.schema());
        let out = self.with_arena(|arena| {
            Ok(output::copy_out(
                arena,
                module.output(),
                &schema,
                abi::BATCH_ROWS_MAX,
            ))
        })?;
        out.map_err(|detail| self.broken(detail))
    }

    /// Goes on with another module of the same shape, usually the general one, in the same memory.
    pub fn take_over(&mut self, runtime: &Runtime, loaded: &LoadedModule) -> Result<(), RunError> {
        let (own, other) = (self.module.fragment(), loaded.module.fragment());
        if own.general() != other.general() {
            return Err(self.shape(format!("the state of module {}", loaded.module.name())));
        }
        let linked = link(runtime, loaded, &mut self.store, self.memory);
        let (calls, _) = linked.map_err(|source| RunError::Instantiate {
            module: loaded.module.name(),
            source: source.into(),
        })?;
        self.calls = Arc::new(calls);
        self.module = loaded.module.clone();
        self.whole = true;
        self.copy_again()
    }

    /// Accessible private memory behind a cleared control block and state area.
    fn prepare_memory(&mut self, runtime: &Runtime) -> Result<(), RunError> {
        let heap = u64::from(control::BYTES + self.module.description().state_bytes);
        let heap = heap.next_multiple_of(abi::BUFFER_ALIGN as u64);
        self.grant(heap)?;
        let build = runtime.windows().inputs_end as u32;
        self.with_arena(|arena| {
            let state = arena.bytes_mut(0, heap);
            state.expect("granted above").fill(0);
            write(arena, control::HEAP_NEXT, heap as u32);
            write(arena, control::BUILD, build);
            write(arena, control::TABLES_START, build);
            Ok(())
        })?;
        self.write_heap_limit()
    }

    fn write_params(&mut self, params: &[Param]) -> Result<u32, RunError> {
        let module = self.module.clone();
        let expected = &module.fragment().params;
        if expected.len() != params.len() {
            return Err(self.shape(format!("{} parameters", params.len())));
        }
        let mut bytes = Vec::new();
        for (param, expected) in params.iter().zip(expected) {
            let slot = match (param, &expected.ty) {
                (Param::Text(text), Type::Utf8) => Some(self.keep_text(text)?),
                _ => encode(param, expected),
            };
            let Some(slot) = slot else {
                return Err(self.shape(format!("{param:?} as {}", expected.ty)));
            };
            bytes.extend(slot);
        }
        self.write_heap_limit()?;
        self.with_arena(|arena| {
            let address = arena.windows().private_end;
            let target = arena.bytes_mut(address, bytes.len() as u64);
            target
                .expect("the input window is accessible")
                .copy_from_slice(&bytes);
            Ok(address as u32)
        })
    }

    /// Puts a literal's text at the start of the heap, where it stays; its slot.
    fn keep_text(&mut self, text: &str) -> Result<[u8; PARAM_BYTES as usize], RunError> {
        let (address, length) = (self.read(control::HEAP_NEXT), text.len() as u64);
        // Generated code reads whole words, which may end behind the text.
        let padded = (length + 1).next_multiple_of(abi::BUFFER_ALIGN as u64) + 64;
        let end = u64::from(address) + padded;
        self.grant(end)?;
        self.with_arena(|arena| {
            let target = arena.bytes_mut(u64::from(address), length);
            target
                .expect("granted above")
                .copy_from_slice(text.as_bytes());
            write(arena, control::HEAP_NEXT, end as u32);
            Ok(())
        })?;
        // Generated code tells by the limit that a text is in the heap.
        self.write_heap_limit()?;
        let slot = u128::from(address) | u128::from(length) << 32;
        Ok(slot.to_le_bytes())
    }

    /// Calls until DONE.
    fn run<P: WasmParams + Copy>(
        &mut self,
        call: &TypedFunc<P, i32>,
        params: P,
        check: Check<'_>,
    ) -> Result<Status, RunError> {
        self.run_until(call, params, check, Status::Done)
    }

    /// Calls until DONE or `enough`, granting memory and going on as the guest asks.
    fn run_until<P: WasmParams + Copy>(
        &mut self,
        call: &TypedFunc<P, i32>,
        params: P,
        check: Check<'_>,
        enough: Status,
    ) -> Result<Status, RunError> {
        loop {
            check()?;
            let code = call
                .call(&mut self.store, params)
                .map_err(|trap| self.broken(EngineError::from(trap).to_string()))?;
            match Status::from_code(code) {
                Some(Status::Error) => return Err(self.error()),
                Some(Status::NeedMemory)
                    if self.read(control::BUILD_NEEDED) > self.build_bytes() =>
                {
                    self.grow_table(check)?;
                }
                Some(Status::NeedMemory) => {
                    self.grant_heap(self.read(control::NEEDED).into())?;
                }
                Some(Status::NeedValues) => self.copy_late()?,
                Some(status) if status == Status::Done || status == enough => return Ok(status),
                Some(_) => {}
                None => return Err(self.broken(format!("a call returned {code}"))),
            }
        }
    }

    /// Makes private memory reach to `end`.
    fn grant(&mut self, end: u64) -> Result<(), RunError> {
        let window = lock(&self.arena)
            .as_ref()
            .map_or(0, |arena| arena.windows().private_end);
        let end = end.next_multiple_of(abi::PAGE_BYTES);
        if end > window {
            return Err(RunError::WindowFull {
                window: "private",
                limit_bytes: window,
            });
        }
        let Self { arena, ledger, .. } = self;
        let mut arena = lock(arena);
        let arena = arena.as_mut().expect("the store keeps its memory");
        ledger.cover(arena.resident_bytes_with(end, 0))?;
        arena.grow_private(end).map_err(|e| RunError::Memory {
            bytes: end,
            detail: e.to_string(),
        })
    }

    /// Makes the heap reach to `end`, with a bit behind it that can be read.
    fn grant_heap(&mut self, end: u64) -> Result<(), RunError> {
        let window = self.with_arena(|arena| Ok(arena.windows().private_end))?;
        let readable = (end + abi::BUFFER_ALIGN as u64).next_multiple_of(GRANT_BYTES);
        self.grant(readable.min(window).max(end))?;
        self.write_heap_limit()
    }

    fn write_heap_limit(&mut self) -> Result<(), RunError> {
        self.with_arena(|arena| {
            let private = arena.private_bytes();
            // Behind the whole window come the inputs, which can be read.
            let limit = match private == arena.windows().private_end {
                true => private,
                false => private - abi::BUFFER_ALIGN as u64,
            };
            let limit = limit as u32;
            write(arena, control::HEAP_LIMIT, limit);
            Ok(())
        })
    }

    fn with_arena<T>(
        &mut self,
        act: impl FnOnce(&mut Arena) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        act(lock(&self.arena)
            .as_mut()
            .expect("the store keeps its memory"))
    }

    fn read(&self, address: u32) -> u32 {
        u32::from_le_bytes(self.field(address))
    }

    fn read_long(&self, address: u32) -> u64 {
        u64::from_le_bytes(self.field(address))
    }

    fn field<const WIDTH: usize>(&self, address: u32) -> [u8; WIDTH] {
        let arena = lock(&self.arena);
        let arena = arena.as_ref().expect("the store keeps its memory");
        let bytes = arena
            .bytes(u64::from(address), WIDTH as u64)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.expect("the control block is accessible")
    }

    /// What the error cell says.
    fn error(&mut self) -> RunError {
        if let Some(source) = self.store.data_mut().failure.take() {
            return RunError::Function { source };
        }
        let code = self.read(control::ERROR_REASON).cast_signed();
        match Reason::from_code(code) {
            Some(reason) => RunError::Data {
                reason,
                row: self.read(control::ERROR_ROW),
            },
            None => self.broken(format!("it raised reason {code}")),
        }
    }

    fn shape(&self, detail: String) -> RunError {
        RunError::Shape {
            module: self.module.name(),
            detail,
        }
    }

    fn broken(&self, detail: String) -> RunError {
        RunError::Broken {
            module: self.module.name(),
            detail,
        }
    }
}

/// The fragment's calls, linked to a memory.
fn link(
    runtime: &Runtime,
    loaded: &LoadedModule,
    store: &mut Store<HostState>,
    memory: Memory,
) -> wasmtime::Result<(Calls, TypedFunc<u32, i32>)> {
    let mut linker = runtime.linker().clone();
    linker.define(&mut *store, abi::IMPORT_MODULE, abi::MEMORY, memory)?;
    let instance = linker.instantiate(&mut *store, &loaded.code)?;
    let inputs = 0..loaded.module.fragment().inputs.len();
    let push = inputs
        .clone()
        .map(|input| instance.get_typed_func(&mut *store, &abi::push_name(input)));
    let push = push.collect::<wasmtime::Result<_>>()?;
    let finish = inputs.map(|input| instance.get_typed_func(&mut *store, &abi::finish_name(input)));
    let calls = Calls {
        push,
        finish: finish.collect::<wasmtime::Result<_>>()?,
        pull: instance.get_typed_func(&mut *store, abi::PULL)?,
    };
    Ok((calls, instance.get_typed_func(store, abi::OPEN)?))
}

/// Whether a fragment builds a table.
fn builds(fragment: &Fragment) -> bool {
    let last = fragment.pipelines.last();
    last.is_some_and(|pipeline| matches!(pipeline.sink, Sink::Build(_)))
}

/// A parameter's slot, or `None` where the value is not of its type and range class.
fn encode(param: &Param, expected: &fragment::Param) -> Option<[u8; PARAM_BYTES as usize]> {
    let storage = expected.storage();
    let integer = |value: i128, low: i128, high: i128| {
        (low..=high).contains(&value).then(|| value.to_le_bytes())
    };
    match (param, storage) {
        (Param::Boolean(value), Storage::Bit) => Some(i128::from(*value).to_le_bytes()),
        (Param::Float32(value), Storage::F32) => Some(i128::from(value.to_bits()).to_le_bytes()),
        (Param::Float64(value), Storage::F64) => Some(i128::from(value.to_bits()).to_le_bytes()),
        (Param::Int(value), Storage::I128) => Some(value.to_le_bytes()),
        (Param::Int(value), Storage::U8 | Storage::U16 | Storage::U32 | Storage::U64) => {
            integer(*value, 0, (1 << (8 * storage.bytes())) - 1)
        }
        (Param::Int(value), Storage::I8 | Storage::I16 | Storage::I32 | Storage::I64) => {
            let end = 1i128 << (8 * storage.bytes() - 1);
            // Range classes are about magnitudes.
            let low = if expected.ty.is_decimal() {
                1 - end
            } else {
                -end
            };
            integer(*value, low, end - 1)
        }
        _ => None,
    }
}

fn write(arena: &mut Arena, address: u32, value: u32) {
    let field = arena.bytes_mut(u64::from(address), 4);
    field
        .expect("the control block is accessible")
        .copy_from_slice(&value.to_le_bytes());
}

fn write_long(arena: &mut Arena, address: u32, value: u64) {
    write(arena, address, value as u32);
    write(arena, address + 4, (value >> 32) as u32);
}

/// What is done in an arena between two checks.
type InArena<'a> = &'a mut dyn FnMut(&mut Arena) -> Result<(), RunError>;

fn in_arena(arena: &SharedArena) -> impl Fn(InArena<'_>) -> Result<(), RunError> + '_ {
    |act| act(lock(arena).as_mut().expect("the store keeps its memory"))
}

fn lock(arena: &SharedArena) -> MutexGuard<'_, Option<Arena>> {
    arena.lock().unwrap_or_else(PoisonError::into_inner)
}
