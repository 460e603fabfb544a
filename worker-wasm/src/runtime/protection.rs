//! How a guest is kept to its memory, and whether this host has the address space for it.

use std::fs;

use super::memory::Arena;
use crate::abi::Windows;

/// Guard pages behind a memory; code generation's static offsets stay far below. wasmtime's default.
const GUARD_BYTES: usize = 32 << 20;

/// How guest memory is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protection {
    /// 4 GiB of address space and guard pages per memory; loads and stores need no checks.
    Guarded,
    /// Small windows, every access checked: for hosts that limit address space.
    Checked,
}

impl Protection {
    pub fn name(self) -> &'static str {
        match self {
            Self::Guarded => "guarded",
            Self::Checked => "checked",
        }
    }

    pub(super) fn windows(self) -> Windows {
        match self {
            Self::Guarded => Windows::FULL,
            Self::Checked => Windows::SMALL,
        }
    }

    pub(super) fn guard_bytes(self) -> usize {
        match self {
            Self::Guarded => GUARD_BYTES,
            Self::Checked => 0,
        }
    }

    /// Guarded where `memories` of them fit into the address space that the system allows, else checked, with a warning.
    pub fn probe(memories: usize) -> Self {
        match reserve_all(memories) {
            Ok(()) => Self::Guarded,
            Err(reason) => {
                tracing::warn!(memories, %reason, "too little address space for guarded memories, accesses are checked");
                Self::Checked
            }
        }
    }
}

/// Mappings that one memory splits into: accessible and inaccessible parts of its windows, and a mapped build table.
const MAPPINGS_PER_MEMORY: usize = 6;

/// The mappings are counted first: whoever takes the last of them makes other threads' `mmap` and `mprotect` fail meanwhile.
fn reserve_all(memories: usize) -> Result<(), String> {
    if let Ok(limit) = fs::read_to_string("/proc/sys/vm/max_map_count") {
        let limit: usize = limit.trim().parse().unwrap_or(usize::MAX);
        let used = fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
        if used + memories * MAPPINGS_PER_MEMORY > limit {
            return Err(format!("vm.max_map_count is {limit}, {used} are used"));
        }
    }
    let arenas: Result<Vec<_>, _> = (0..memories)
        .map(|_| Arena::reserve(Windows::FULL, GUARD_BYTES))
        .collect();
    arenas.map(drop).map_err(|e| e.to_string())
}
