//! A join table in memory that several guests see: mapped into those that build it, and then, read-only, into others.
//!
//! Units: bytes, whole pages. Errors: [`RunError`].
//! Invariant: the account carries every page before it is touched, and for as long as the table lives.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    instance::Check,
    ledger::{Charge, MemoryAccount},
    memory::{Arena, HUGE_PAGE_BYTES},
    table_files::{TableFile, TableFiles},
};
use crate::{
    RunError,
    abi::{PAGE_BYTES, table as header},
    fragment::Table,
};

/// Memory is mapped and its pages made in pieces of this at most, so that a caller's check waits a few milliseconds.
const PIECE_BYTES: u64 = 4 << 20;

/// Tables from here on are so many huge pages, which kept files have: half as much again at most.
const HUGE_FROM: u64 = 4 << 20;

/// A table that is built. Whoever probes holds it by an `Arc`.
pub struct JoinTable {
    /// There until the table goes.
    file: Option<TableFile>,
    files: Arc<TableFiles>,
    bytes: u64,
    table: Table,
    /// There until the table goes. Nothing is done with it before, but threads share the table.
    charge: Mutex<Option<Charge>>,
}

impl std::fmt::Debug for JoinTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinTable")
            .field("bytes", &self.bytes)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl Drop for JoinTable {
    fn drop(&mut self) {
        let charge = self.charge.get_mut();
        let charge = charge.unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(file), Some(charge)) = (self.file.take(), charge) {
            self.files.give_back(file, charge);
        }
    }
}

impl JoinTable {
    /// Bytes of memory, once for all who probe it.
    pub fn memory_bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows, as the header says.
    pub fn rows(&self) -> u64 {
        let mut rows = [0; 4];
        let read = self.file().read_exact_at(&mut rows, header::ROWS.into());
        // A builder that has written no header has no rows.
        read.map_or(0, |()| u32::from_le_bytes(rows).into())
    }

    /// What it holds.
    pub fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn file(&self) -> &File {
        let file = self.file.as_ref();
        &file.expect("a table has its file").file
    }

    /// The first address behind tables that are mapped from `start` on, where another one may begin.
    pub(crate) fn behind<'a>(tables: impl IntoIterator<Item = &'a Self>, start: u64) -> u64 {
        let tables = tables.into_iter();
        place(tables.fold(start, |next, table| place(next) + table.bytes))
    }

    /// Maps tables one behind the other into a guest's build window; their addresses.
    pub(crate) fn map<'a>(
        tables: impl IntoIterator<Item = &'a Self>,
        arena: &mut Arena,
    ) -> Result<Vec<u32>, RunError> {
        let mut next = arena.windows().inputs_end;
        let end = arena.windows().build_end;
        let mut addresses = Vec::new();
        for table in tables {
            let address = place(next);
            if table.bytes > end - address {
                return Err(full(arena));
            }
            let mapped = arena.map_build(table.file(), 0, address, table.bytes, false);
            mapped.map_err(|e| refused(table.bytes, e))?;
            addresses.push(address as u32);
            next = address + table.bytes;
        }
        Ok(addresses)
    }
}

/// The memory of a table that is being built.
#[derive(Debug)]
pub(crate) struct GrowingTable {
    file: TableFile,
    files: Arc<TableFiles>,
    /// Where the guest has it.
    address: u64,
    bytes: u64,
    lent: Borrowed,
}

/// Kept while somebody else has the memory of a table that is being built: no other table gets it meanwhile.
pub(crate) type Borrowed = Arc<()>;

impl GrowingTable {
    /// An empty one, to be built from an address on.
    pub(crate) fn new(address: u64, files: &Arc<TableFiles>) -> Result<Self, RunError> {
        Ok(Self {
            file: files.take().map_err(|e| refused(0, e))?,
            files: Arc::clone(files),
            address,
            bytes: 0,
            lent: Borrowed::default(),
        })
    }

    /// Bytes that the guest may use.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the guest's build window reach to `wanted`. What is new in it holds whatever was there.
    pub(crate) fn grow(
        &mut self,
        wanted: u64,
        arena: impl Fn(&mut dyn FnMut(&mut Arena) -> Result<(), RunError>) -> Result<(), RunError>,
        account: &mut dyn MemoryAccount,
        check: Check<'_>,
    ) -> Result<(), RunError> {
        let end = wanted.next_multiple_of(match wanted > HUGE_FROM {
            true => HUGE_PAGE_BYTES,
            false => PAGE_BYTES,
        });
        arena(&mut |arena| match arena.windows() {
            windows if end > windows.build_end - self.address => Err(full(arena)),
            _ => Ok(()),
        })?;
        while self.bytes < end {
            check()?;
            let reach = self.bytes + PIECE_BYTES;
            let piece = end.min(reach - reach % HUGE_PAGE_BYTES) - self.bytes;
            account.grow(piece).map_err(|e| refused(piece, e))?;
            let start = self.bytes;
            self.bytes += piece;
            // What was mapped of a huge page is mapped again with the rest of it.
            let start = self.file.map_from(start);
            let grown = self.file.reach(self.bytes);
            grown.map_err(|e| refused(piece, e))?;
            arena(&mut |arena| {
                let (address, bytes) = (self.address + start, self.bytes - start);
                let mapped = arena.map_build(&self.file.file, start, address, bytes, true);
                mapped.map_err(|e| refused(piece, e))
            })?;
        }
        Ok(())
    }

    /// To be kept by whoever has its memory mapped, and longer.
    pub(crate) fn borrowed(&self) -> Borrowed {
        Arc::clone(&self.lent)
    }

    /// Maps what there is of it from an address of another guest on, to be written.
    pub(crate) fn lend(
        &self,
        address: u64,
        arena: impl Fn(&mut dyn FnMut(&mut Arena) -> Result<(), RunError>) -> Result<(), RunError>,
        check: Check<'_>,
    ) -> Result<(), RunError> {
        arena(&mut |arena| match arena.windows() {
            windows if address + self.bytes > windows.build_end => Err(full(arena)),
            _ => Ok(()),
        })?;
        let mut start = 0;
        while start < self.bytes {
            check()?;
            let piece = PIECE_BYTES.min(self.bytes - start);
            arena(&mut |arena| {
                let mapped = arena.map_build(&self.file.file, start, address + start, piece, true);
                mapped.map_err(|e| refused(piece, e))
            })?;
            start += piece;
        }
        Ok(())
    }

    pub(crate) fn is_lent(&self) -> bool {
        Arc::strong_count(&self.lent) > 1
    }

    /// The table, which nobody has mapped any more.
    pub(crate) fn finish(self, table: Table, account: Box<dyn MemoryAccount>) -> JoinTable {
        JoinTable {
            file: Some(self.file),
            files: self.files,
            bytes: self.bytes,
            table,
            charge: Mutex::new(Some(Charge::new(account, self.bytes))),
        }
    }

    /// Gives back the memory of a table that will not be finished, which its builder has mapped no more.
    pub(crate) fn give_up(self, account: Box<dyn MemoryAccount>) {
        let charge = Charge::new(account, self.bytes);
        match self.is_lent() {
            // Whoever still writes into it is about to end: the system frees it then.
            true => drop(self.file),
            false => self.files.give_back(self.file, charge),
        }
    }
}

/// Where a table begins: huge pages of its file are then huge pages of the guest's memory. Windows end at such places too.
fn place(next: u64) -> u64 {
    next.next_multiple_of(HUGE_PAGE_BYTES)
}

/// For a table that is larger than its window.
pub(super) fn full(arena: &Arena) -> RunError {
    RunError::WindowFull {
        window: "build",
        limit_bytes: arena.windows().build_end - arena.windows().inputs_end,
    }
}

fn refused(bytes: u64, detail: impl ToString) -> RunError {
    RunError::Memory {
        bytes,
        detail: detail.to_string(),
    }
}
