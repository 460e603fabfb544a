//! What the queries of one process share for compiled fragments: a WebAssembly runtime, and the modules that have code.

use std::sync::Arc;

use worker_wasm::{
    exec::ModuleCache,
    runtime::{ArtefactCache, ArtefactFolder, ArtefactLimits, Protection, Runtime, RuntimeConfig},
};

/// Shapes of fragments that are kept encoded and loaded.
const FRAGMENTS_MAX: usize = 1_000;

/// Memories that are tried for at the start, to see whether the system has address space for guarded ones: as many as
/// busy queries hold at once.
const MEMORIES_PER_THREAD: usize = 16;

/// What an idle memory keeps. Bytes.
const IDLE_MEMORY_BYTES: u64 = 8 << 20;

/// Compiled modules for a process whose queries run on this many threads. `folder` and `disk_bytes_max` are for code that
/// outlives the process.
///
/// `None`, with a warning, where this machine cannot run modules; then every operator is DataFusion's own.
pub fn open_fragments(
    threads: usize,
    folder: Option<ArtefactFolder>,
    disk_bytes_max: u64,
) -> Option<Arc<ModuleCache>> {
    let artefacts = ArtefactCache::new(
        ArtefactLimits {
            modules_max: FRAGMENTS_MAX,
            disk_bytes_max,
        },
        folder,
    );
    let runtime = Runtime::new(RuntimeConfig {
        protection: Protection::probe(threads * MEMORIES_PER_THREAD),
        idle_memories_max: threads * 2,
        idle_memory_bytes: IDLE_MEMORY_BYTES,
        perf_map: std::env::var_os("MURRE_PERF_MAP").is_some(),
        artefacts,
    });
    match runtime {
        Ok(runtime) => Some(Arc::new(ModuleCache::new(Arc::new(runtime), FRAGMENTS_MAX))),
        Err(error) => {
            let error = crate::error_chain(&error);
            tracing::warn!(%error, "fragments cannot be compiled on this machine");
            None
        }
    }
}
