//! The functions that a fragment may call: `murre.{raise, eval, spill_write, spill_read}`.

use std::sync::PoisonError;

use wasmtime::{Caller, Engine, Linker};

use super::memory::SharedArena;
use crate::abi::{self, Reason, Status, control};

/// Why the host could not do what a guest asked for.
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// What the host does for a fragment. `memory` reads and writes guest memory, within its windows only.
pub trait HostFunctions: Send {
    /// Runs scalar function `expression` over columns whose descriptors start at `input`, into the descriptor at `output`.
    fn eval(
        &mut self,
        expression: u32,
        memory: &mut GuestMemory<'_>,
        input: u32,
        output: u32,
    ) -> Result<(), HostError>;

    /// Stores bytes and names them.
    fn spill_write(&mut self, bytes: &[u8]) -> Result<u32, HostError>;

    /// Fills `bytes` from a spill, starting `offset` bytes behind its start.
    fn spill_read(&mut self, handle: u32, offset: u64, bytes: &mut [u8]) -> Result<(), HostError>;
}

/// For modules that call none.
#[derive(Debug, Clone, Copy)]
pub struct NoHostFunctions;

#[derive(Debug, thiserror::Error)]
#[error("this host has no \"{0}\"")]
struct NotThere(&'static str);

impl HostFunctions for NoHostFunctions {
    fn eval(&mut self, _: u32, _: &mut GuestMemory<'_>, _: u32, _: u32) -> Result<(), HostError> {
        Err(NotThere(abi::EVAL).into())
    }

    fn spill_write(&mut self, _: &[u8]) -> Result<u32, HostError> {
        Err(NotThere(abi::SPILL_WRITE).into())
    }

    fn spill_read(&mut self, _: u32, _: u64, _: &mut [u8]) -> Result<(), HostError> {
        Err(NotThere(abi::SPILL_READ).into())
    }
}

/// A guest's memory while it waits for the host.
#[derive(Debug)]
pub struct GuestMemory<'a>(&'a mut super::memory::Arena);

impl GuestMemory<'_> {
    /// `None` where the range is not all in one window.
    pub fn bytes(&self, address: u32, length: u32) -> Option<&[u8]> {
        self.0.bytes(u64::from(address), u64::from(length))
    }

    /// As [`Self::bytes`], to write.
    pub fn bytes_mut(&mut self, address: u32, length: u32) -> Option<&mut [u8]> {
        self.0.bytes_mut(u64::from(address), u64::from(length))
    }
}

/// What a store carries.
pub(crate) struct HostState {
    functions: Box<dyn HostFunctions>,
    /// Set when the holder is made, before any guest code runs.
    pub(crate) arena: Option<SharedArena>,
    /// What a host function failed with; the error cell says `HostFunction`.
    pub(crate) failure: Option<HostError>,
}

impl HostState {
    pub(crate) fn new(functions: Box<dyn HostFunctions>) -> Self {
        Self {
            functions,
            arena: None,
            failure: None,
        }
    }

    /// Runs `act` on the guest's memory; a failure goes into the error cell.
    fn with_memory<T>(
        &mut self,
        act: impl FnOnce(&mut dyn HostFunctions, &mut GuestMemory<'_>) -> Result<T, HostError>,
    ) -> wasmtime::Result<Option<T>> {
        let arena = self
            .arena
            .clone()
            .ok_or_else(|| wasmtime::Error::msg("the guest has no memory"))?;
        let mut arena = arena.lock().unwrap_or_else(PoisonError::into_inner);
        let arena = arena
            .as_mut()
            .ok_or_else(|| wasmtime::Error::msg("the guest's memory is gone"))?;
        let mut memory = GuestMemory(arena);
        match act(self.functions.as_mut(), &mut memory) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.failure = Some(error);
                fill_error_cell(&mut memory, Reason::HostFunction as i32, 0)?;
                Ok(None)
            }
        }
    }
}

fn fill_error_cell(memory: &mut GuestMemory<'_>, reason: i32, row: i32) -> wasmtime::Result<()> {
    for (field, value) in [(control::ERROR_REASON, reason), (control::ERROR_ROW, row)] {
        let cell = memory.bytes_mut(field, 4);
        let cell =
            cell.ok_or_else(|| wasmtime::Error::msg("the control block is not accessible"))?;
        cell.copy_from_slice(&value.to_le_bytes());
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("address {address} with {length} bytes is outside the windows")]
struct Outside {
    address: u32,
    length: u32,
}

pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    let status = |done: Option<()>| match done {
        Some(()) => Status::Done as i32,
        None => Status::Error as i32,
    };
    linker.func_wrap(
        abi::IMPORT_MODULE,
        abi::RAISE,
        |mut caller: Caller<'_, HostState>, reason: i32, row: i32| {
            let filled = caller.data_mut().with_memory(|_, memory| {
                fill_error_cell(memory, reason, row).map_err(|e| e.to_string().into())
            });
            filled.map(|_| Status::Error as i32)
        },
    )?;
    linker.func_wrap(
        abi::IMPORT_MODULE,
        abi::EVAL,
        move |mut caller: Caller<'_, HostState>, expression: u32, input: u32, output: u32| {
            let done = caller
                .data_mut()
                .with_memory(|functions, memory| functions.eval(expression, memory, input, output));
            done.map(status)
        },
    )?;
    linker.func_wrap(
        abi::IMPORT_MODULE,
        abi::SPILL_WRITE,
        |mut caller: Caller<'_, HostState>, address: u32, length: u32| {
            let handle = caller.data_mut().with_memory(|functions, memory| {
                let bytes = memory.bytes(address, length);
                functions.spill_write(bytes.ok_or(Outside { address, length })?)
            });
            handle.map(|handle| handle.map_or(-1, u32::cast_signed))
        },
    )?;
    linker.func_wrap(
        abi::IMPORT_MODULE,
        abi::SPILL_READ,
        move |mut caller: Caller<'_, HostState>,
              handle: u32,
              offset: u64,
              address: u32,
              length: u32| {
            let done = caller.data_mut().with_memory(|functions, memory| {
                let bytes = memory.bytes_mut(address, length);
                functions.spill_read(handle, offset, bytes.ok_or(Outside { address, length })?)
            });
            done.map(status)
        },
    )?;
    Ok(linker)
}
