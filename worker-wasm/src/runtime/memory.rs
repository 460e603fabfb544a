//! Guest memory: reserved address space, the windows in it, and its reuse.
//!
//! Units: bytes. Errors: a `String` for wasmtime's `MemoryCreator`, `io::Error` elsewhere.
//! Invariant: an arena belongs to one holder instance at a time; the host touches it only while no guest runs in it.
//!
//! The holder's memory always has the size of all windows, but only what was asked for is accessible: the rest of the
//! private window and an unmapped build window stay `PROT_NONE`, so a stray access there is an ordinary trap.
//! Arenas are recycled warm, because faulting pages in costs several times what copying into them does.

use std::{
    fs::File,
    io,
    ops::Range,
    os::fd::AsRawFd,
    sync::{Arc, Mutex, PoisonError},
};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use crate::abi::{PAGE_BYTES, Windows};

/// Private memory from here on is made of huge pages where the system has them: a heap that grows so large is written once
/// and read at random, and a fault for each small page of it costs more than writing it.
const HUGE_FROM: u64 = 8 << 20;
pub(super) const HUGE_PAGE_BYTES: u64 = 2 << 20;

/// A reserved piece of address space with the windows of one guest memory.
#[derive(Debug)]
pub(crate) struct Arena {
    /// Where a huge page may begin, which the reservation itself need not.
    base: usize,
    _reservation: Reservation,
    windows: Windows,
    /// Accessible from the start of the private window, to whoever has the arena.
    accessible_bytes: u64,
    /// Granted to the present owner, from the start of the private window.
    private_bytes: u64,
    /// Used by the present owner, from the start of the input window.
    inputs_bytes: u64,
    /// Mapped for the present owner in the build window, in the order of their addresses.
    mapped: Vec<Range<u64>>,
}

impl Arena {
    /// Reserves the windows and `guard_bytes` behind them.
    pub(crate) fn reserve(windows: Windows, guard_bytes: usize) -> io::Result<Self> {
        let reserved = usize::try_from(windows.build_end)
            .ok()
            .and_then(|bytes| bytes.checked_add(guard_bytes))
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let reservation = Reservation::new(reserved)?;
        let arena = Self {
            base: reservation.base(),
            _reservation: reservation,
            windows,
            accessible_bytes: 0,
            private_bytes: 0,
            inputs_bytes: 0,
            mapped: Vec::new(),
        };
        arena.make_accessible(windows.private_end, windows.inputs_end)?;
        arena.advise(HUGE_FROM, windows.private_end, libc::MADV_HUGEPAGE);
        Ok(arena)
    }

    pub(crate) fn windows(&self) -> Windows {
        self.windows
    }

    /// Grants private memory up to `end`, which the caller keeps within the window. It holds whatever was there.
    pub(crate) fn grow_private(&mut self, end: u64) -> io::Result<()> {
        assert!(end <= self.windows.private_end);
        if end > self.accessible_bytes {
            // A huge page is accessible as a whole, or it is none.
            let reach = match end > HUGE_FROM {
                true => end.next_multiple_of(HUGE_PAGE_BYTES),
                false => end,
            };
            let reach = reach.min(self.windows.private_end);
            self.make_accessible(self.accessible_bytes, reach)?;
            self.accessible_bytes = reach;
        }
        self.private_bytes = self.private_bytes.max(end);
        Ok(())
    }

    /// Maps part of a file to an address in the build window, its pages faulted in; whoever writes to a writable one writes to
    /// the file. Whole pages, behind those that are mapped already or in the place of the last ones.
    pub(crate) fn map_build(
        &mut self,
        file: &File,
        offset: u64,
        address: u64,
        bytes: u64,
        writable: bool,
    ) -> io::Result<()> {
        assert!(address >= self.windows.inputs_end && address + bytes <= self.windows.build_end);
        let write = if writable { libc::PROT_WRITE } else { 0 };
        // SAFETY: the range lies in our own reservation, where nothing but the guest's own accesses refer to it.
        let mapped = unsafe {
            libc::mmap(
                (self.base + address as usize) as *mut libc::c_void,
                bytes as usize,
                libc::PROT_READ | write,
                libc::MAP_SHARED | libc::MAP_FIXED | libc::MAP_POPULATE,
                file.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let end = address + bytes;
        match self.mapped.last_mut() {
            Some(last) if last.contains(&address) || last.end == address => {
                last.end = last.end.max(end);
            }
            _ => self.mapped.push(address..end),
        }
        Ok(())
    }

    /// Takes away what is mapped in the build window.
    pub(crate) fn unmap_build(&mut self) -> io::Result<()> {
        let Some(end) = self.mapped.iter().map(|part| part.end).max() else {
            return Ok(());
        };
        let bytes = end - self.windows.inputs_end;
        // SAFETY: the range lies in our own reservation and no guest runs in it; it becomes what it was when reserved.
        let mapped = unsafe {
            libc::mmap(
                (self.base + self.windows.inputs_end as usize) as *mut libc::c_void,
                bytes as usize,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        self.mapped.clear();
        Ok(())
    }

    /// Notes that `bytes` of the input window are used.
    pub(crate) fn touch_inputs(&mut self, bytes: u64) {
        self.inputs_bytes = self.inputs_bytes.max(bytes);
    }

    pub(crate) fn private_bytes(&self) -> u64 {
        self.private_bytes
    }

    /// Bytes that the guest and its inputs may occupy when private memory reaches to `private` and so much input is used.
    pub(crate) fn resident_bytes_with(&self, private: u64, inputs: u64) -> u64 {
        self.private_bytes.max(private) + self.inputs_bytes.max(inputs)
    }

    /// Tells the system about a range that nobody is using. It may do nothing.
    fn advise(&self, start: u64, end: u64, advice: libc::c_int) {
        // SAFETY: the range lies in our own reservation and no guest runs in it: the arena has no owner now.
        unsafe {
            libc::madvise(
                (self.base + start as usize) as *mut libc::c_void,
                end.saturating_sub(start) as usize,
                advice,
            )
        };
    }

    fn make_accessible(&self, start: u64, end: u64) -> io::Result<()> {
        self.protect(start, end, libc::PROT_READ | libc::PROT_WRITE)
    }

    fn protect(&self, start: u64, end: u64, protection: libc::c_int) -> io::Result<()> {
        // SAFETY: the range lies in our own reservation (windows and `grow_private` see to it), and the host has no
        // slice of it: those borrow `self` and end within one statement of their users.
        let failed = unsafe {
            libc::mprotect(
                (self.base + start as usize) as *mut libc::c_void,
                (end - start) as usize,
                protection,
            )
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Takes the arena from its owner. Of each window, what is above `warm_bytes` goes back to the system and reads as zero
    /// when used again.
    fn vacate(&mut self, warm_bytes: u64) {
        if self.accessible_bytes > warm_bytes {
            self.advise(warm_bytes, self.accessible_bytes, libc::MADV_DONTNEED);
            // Where the system refuses, the next owner's stray accesses there read zeros instead of trapping.
            if self
                .protect(warm_bytes, self.accessible_bytes, libc::PROT_NONE)
                .is_ok()
            {
                self.accessible_bytes = warm_bytes;
            }
        }
        let inputs = self.windows.private_end;
        if self.inputs_bytes > warm_bytes {
            let (start, end) = (inputs + warm_bytes, inputs + self.inputs_bytes);
            self.advise(start, end, libc::MADV_DONTNEED);
        }
        self.private_bytes = 0;
        self.inputs_bytes = 0;
    }

    /// Host's view of `length` accessible bytes at `address`, or `None` where they are not all in one accessible window.
    ///
    /// This is the one place that checks addresses coming out of a guest.
    pub(crate) fn bytes(&self, address: u64, length: u64) -> Option<&[u8]> {
        let end = address.checked_add(length)?;
        let mut mapped = self.mapped.iter();
        let start = match mapped.any(|part| part.start <= address && end <= part.end) {
            true => self.base + address as usize,
            false => self.check(address, length)?,
        };
        // SAFETY: the range is mapped and readable; no guest runs while `self` is borrowed, and whoever else has a table
        // mapped, to build it with this one, does not run while the host reads here.
        Some(unsafe { std::slice::from_raw_parts(start as *const u8, length as usize) })
    }

    /// As [`Self::bytes`], to write.
    pub(crate) fn bytes_mut(&mut self, address: u64, length: u64) -> Option<&mut [u8]> {
        let start = self.check(address, length)?;
        // SAFETY: as in `bytes`; the range is writable and `self` is borrowed mutably.
        Some(unsafe { std::slice::from_raw_parts_mut(start as *mut u8, length as usize) })
    }

    fn check(&self, address: u64, length: u64) -> Option<usize> {
        let end = address.checked_add(length)?;
        let private = end <= self.private_bytes;
        let inputs = address >= self.windows.private_end && end <= self.windows.inputs_end;
        (private || inputs).then_some(self.base + address as usize)
    }
}

/// Address space that is ours and that nothing is in, given back with whatever has been mapped into it.
#[derive(Debug)]
struct Reservation {
    start: usize,
    bytes: usize,
}

impl Reservation {
    /// `bytes` from where a huge page may begin.
    fn new(bytes: usize) -> io::Result<Self> {
        let bytes = bytes.checked_add(HUGE_PAGE_BYTES as usize);
        let bytes = bytes.ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a new private anonymous mapping at an address of the kernel's choice touches no memory in use.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            start: start as usize,
            bytes,
        })
    }

    fn base(&self) -> usize {
        self.start.next_multiple_of(HUGE_PAGE_BYTES as usize)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the reservation is ours alone, and whoever ran in it is gone: instances give their arena back on drop.
        unsafe { libc::munmap(self.start as *mut libc::c_void, self.bytes) };
    }
}

/// Has the system put the first bytes of a memory file into huge pages, as far as they fill such, whatever it does for files
/// otherwise. A huge page is mapped and unmapped at once, where a small one costs a tenth of a microsecond each time, and it
/// is found faster at random. What is in the file stays, and others may use it meanwhile. Takes a millisecond or two for each.
pub(super) fn make_huge(file: &File, bytes: u64) -> io::Result<()> {
    let bytes = (bytes - bytes % HUGE_PAGE_BYTES) as usize;
    let reservation = Reservation::new(bytes)?;
    let base = reservation.base() as *mut libc::c_void;
    // SAFETY: the range lies in the reservation, which nothing refers to; reading alone is allowed, and nobody reads.
    let mapped = unsafe {
        libc::mmap(
            base,
            bytes,
            libc::PROT_READ,
            libc::MAP_SHARED | libc::MAP_FIXED,
            file.as_raw_fd(),
            0,
        )
    };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above; the advice changes where the system has the file's pages, and nothing that is in them.
    match unsafe { libc::madvise(base, bytes, libc::MADV_COLLAPSE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Arenas of one engine, used ones first.
#[derive(Debug)]
pub(crate) struct Arenas {
    windows: Windows,
    guard_bytes: usize,
    idle_max: usize,
    /// What a recycled arena keeps of its private and of its input window. A multiple of the page size.
    warm_bytes: u64,
    idle: Mutex<Vec<Arena>>,
}

impl Arenas {
    pub(crate) fn new(
        windows: Windows,
        guard_bytes: usize,
        idle_max: usize,
        warm_bytes: u64,
    ) -> Self {
        Self {
            windows,
            guard_bytes,
            idle_max,
            warm_bytes: warm_bytes.next_multiple_of(PAGE_BYTES),
            idle: Mutex::default(),
        }
    }

    pub(crate) fn windows(&self) -> Windows {
        self.windows
    }

    fn take(&self) -> io::Result<Arena> {
        let idle = self.lock().pop();
        idle.map_or_else(|| Arena::reserve(self.windows, self.guard_bytes), Ok)
    }

    fn give_back(&self, mut arena: Arena) {
        if arena.unmap_build().is_err() {
            // The next owner must not see this one's tables; unmapped as a whole, it never comes back.
            return;
        }
        arena.vacate(self.warm_bytes);
        let mut idle = self.lock();
        if idle.len() < self.idle_max {
            idle.push(arena);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arena>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An arena while a holder instance has it; the instance's owner reaches it through the same `Arc`.
pub(crate) type SharedArena = Arc<Mutex<Option<Arena>>>;

thread_local! {
    /// How a new holder's arena reaches the one that instantiates it: `new_memory` has no argument to pass it by.
    static NEWEST: std::cell::RefCell<Option<SharedArena>> = const { std::cell::RefCell::new(None) };
}

/// Hands arenas to holder instances.
#[derive(Debug)]
pub(crate) struct Creator(pub(crate) Arc<Arenas>);

impl Creator {
    /// The arena of the holder this thread made last.
    pub(crate) fn newest() -> Option<SharedArena> {
        NEWEST.with(|newest| newest.borrow_mut().take())
    }
}

// SAFETY: the memory has the size of all windows, at least the wanted minimum and reservation, followed by at least the
// wanted guard (all checked below); it never moves; what is not accessible in it faults.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let size = self.0.windows.build_end as usize;
        if minimum > size
            || reserved_size_in_bytes.is_some_and(|reserved| reserved > size)
            || guard_size_in_bytes > self.0.guard_bytes
        {
            return Err(format!(
                "memory of {minimum} bytes ({reserved_size_in_bytes:?} reserved, {guard_size_in_bytes} guard) \
                 is larger than an arena of {size}"
            ));
        }
        let arena = self
            .0
            .take()
            .map_err(|e| format!("cannot reserve address space: {e}"))?;
        let memory = HeldMemory {
            base: arena.base,
            size,
            arena: Arc::new(Mutex::new(Some(arena))),
            arenas: Arc::clone(&self.0),
        };
        NEWEST.with(|newest| *newest.borrow_mut() = Some(Arc::clone(&memory.arena)));
        Ok(Box::new(memory))
    }
}

struct HeldMemory {
    base: usize,
    size: usize,
    arena: SharedArena,
    arenas: Arc<Arenas>,
}

// SAFETY: base and size stay the same for the life of the value, which owns the arena behind them.
unsafe impl LinearMemory for HeldMemory {
    fn byte_size(&self) -> usize {
        self.size
    }

    fn byte_capacity(&self) -> usize {
        self.size
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(format!(
            "guest memory has a fixed size, not {new_size} bytes"
        )))
    }

    fn as_ptr(&self) -> *mut u8 {
        self.base as *mut u8
    }
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        let arena = self
            .arena
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(arena) = arena {
            self.arenas.give_back(arena);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_accessible_memory_can_be_viewed() {
        let windows = Windows::SMALL;
        let mut arena = Arena::reserve(windows, 0).unwrap();
        arena.grow_private(65_536).unwrap();
        assert!(arena.bytes(0, 65_536).is_some());
        assert!(arena.bytes(0, 65_537).is_none());
        assert!(arena.bytes(windows.private_end, 16).is_some());
        assert!(arena.bytes(windows.private_end - 1, 2).is_none());
        assert!(arena.bytes(windows.inputs_end - 1, 1).is_some());
        assert!(arena.bytes(windows.inputs_end - 1, 2).is_none());
        assert!(arena.bytes(u64::MAX, 2).is_none());
    }

    #[test]
    fn tables_can_be_viewed_and_what_is_between_them_cannot() {
        let windows = Windows::SMALL;
        let mut arena = Arena::reserve(windows, 0).unwrap();
        let file = memfd::MemfdOptions::default().create("test").unwrap();
        let file = file.into_file();
        file.set_len(3 * PAGE_BYTES).unwrap();
        let (first, second) = (windows.inputs_end, windows.inputs_end + HUGE_PAGE_BYTES);
        for (offset, address) in [(0, first), (PAGE_BYTES, first + PAGE_BYTES), (0, second)] {
            let mapped = arena.map_build(&file, offset, address, PAGE_BYTES, false);
            mapped.unwrap();
        }
        assert!(arena.bytes(first, 2 * PAGE_BYTES).is_some());
        assert!(arena.bytes(first, 2 * PAGE_BYTES + 1).is_none());
        assert!(arena.bytes(second - 1, 1).is_none());
        assert!(arena.bytes(second, PAGE_BYTES).is_some());
        assert!(arena.bytes_mut(second, 1).is_none());
        arena.unmap_build().unwrap();
        assert!(arena.bytes(first, 1).is_none());
        assert!(arena.bytes(second, 1).is_none());
    }

    #[test]
    fn a_recycled_arena_is_the_same_and_large_ones_are_trimmed() {
        const WARM_BYTES: u64 = 1 << 20;
        let arenas = Arenas::new(Windows::SMALL, 0, 1, WARM_BYTES);
        let mut arena = arenas.take().unwrap();
        arena.grow_private(WARM_BYTES + 65_536).unwrap();
        arena.bytes_mut(0, 1).unwrap()[0] = 7;
        arena.bytes_mut(WARM_BYTES, 1).unwrap()[0] = 7;
        let base = arena.base;
        arenas.give_back(arena);
        let mut arena = arenas.take().unwrap();
        assert_eq!(arena.base, base);
        assert_eq!(arena.resident_bytes_with(0, 0), 0);
        arena.grow_private(WARM_BYTES + 65_536).unwrap();
        assert_eq!(arena.bytes(0, 1).unwrap(), [7]);
        assert_eq!(arena.bytes(WARM_BYTES, 1).unwrap(), [0]);
    }
}
