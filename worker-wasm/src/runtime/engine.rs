//! The process's engine: how modules are compiled, for which processors, and what memory they run in.
//!
//! Errors: [`RuntimeError`]. Compiling takes about 1 ms per KB of wasm and thread; a [`super::artefact`] saves it.

use std::sync::Arc;

use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, ProfilingStrategy, Store};

use crate::{
    RuntimeError,
    abi::{self, Windows},
    module::FragmentModule,
    runtime::{
        artefact::{self, ArtefactCache, ArtefactKey},
        baseline::Baseline,
        host::{self, HostState},
        memory::{Arenas, Creator},
        protection::Protection,
        table_files::TableFiles,
    },
};

/// What the process chooses.
#[derive(Debug)]
pub struct RuntimeConfig {
    pub protection: Protection,
    /// Guest memories kept warm for the next fragment.
    pub idle_memories_max: usize,
    /// Bytes that each of them keeps of its private and of its input window; the rest goes back to the system.
    /// Faulting pages in again costs several times what copying into them does. As many bytes are kept for join tables.
    pub idle_memory_bytes: u64,
    /// Lets `perf` name generated code by a map file in /tmp.
    pub perf_map: bool,
    pub artefacts: ArtefactCache,
}

/// Compiles and runs fragment modules. One per process.
#[derive(Debug)]
pub struct Runtime {
    pub(crate) engine: Engine,
    target: String,
    protection: Protection,
    baseline: Baseline,
    arenas: Arc<Arenas>,
    table_files: Arc<TableFiles>,
    holder: Module,
    linker: Linker<HostState>,
    artefacts: ArtefactCache,
}

impl Runtime {
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let baseline = Baseline::native();
        let failed = |source: wasmtime::Error| RuntimeError::Engine {
            baseline: baseline.name(),
            source: source.into(),
        };
        let arenas = Arc::new(Arenas::new(
            config.protection.windows(),
            config.protection.guard_bytes(),
            config.idle_memories_max,
            config.idle_memory_bytes,
        ));
        let mut engine = engine_config(baseline, config.protection).map_err(failed)?;
        engine.with_host_memory(Arc::new(Creator(Arc::clone(&arenas))));
        if config.perf_map {
            engine.profiler(ProfilingStrategy::PerfMap);
        }
        let engine = Engine::new(&engine).map_err(failed)?;
        let holder = Module::new(&engine, holder_module(arenas.windows())).map_err(failed)?;
        let linker = host::linker(&engine).map_err(failed)?;
        Ok(Self {
            target: artefact::target(&engine, baseline, config.protection),
            engine,
            protection: config.protection,
            baseline,
            arenas,
            table_files: Arc::new(TableFiles::new(
                config.idle_memories_max as u64 * config.idle_memory_bytes,
            )),
            holder,
            linker,
            artefacts: config.artefacts,
        })
    }

    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// Names what code must be made for to run here: the same name, the same code. It says the processor's features, the
    /// protection of memories, wasmtime and its settings.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Modules that code was made of here, because neither memory nor disk had it and none came along.
    pub fn compiled(&self) -> u64 {
        self.artefacts.compiled()
    }

    /// Code for a module, from the cache where it has it.
    pub fn load(&self, module: &FragmentModule) -> Result<LoadedModule, RuntimeError> {
        self.load_with(module, None)
    }

    /// The same, with code that came along and is for [`Self::target`]. Loading code is running it: it must come from a
    /// process that is trusted as this one is. Code that does not load is made anew.
    pub(crate) fn load_with(
        &self,
        module: &FragmentModule,
        artefact: Option<Vec<u8>>,
    ) -> Result<LoadedModule, RuntimeError> {
        let key = ArtefactKey {
            module: module.hash(),
            baseline: self.baseline,
            protection: self.protection,
        };
        let compile = || compile(&self.engine, module);
        let (code, cached) = self.artefacts.load(&self.engine, key, artefact, compile)?;
        Ok(LoadedModule {
            module: module.clone(),
            code,
            cached,
        })
    }

    /// A memory of its own and its store: what a fragment instance starts from.
    pub(crate) fn hold(
        &self,
        state: HostState,
    ) -> wasmtime::Result<(
        Store<HostState>,
        wasmtime::Memory,
        super::memory::SharedArena,
    )> {
        let mut store = Store::new(&self.engine, state);
        let holder = Instance::new(&mut store, &self.holder, &[])?;
        let arena = Creator::newest()
            .ok_or_else(|| wasmtime::Error::msg("the holder's memory is not one of ours"))?;
        let memory = holder
            .get_memory(&mut store, abi::MEMORY)
            .ok_or_else(|| wasmtime::Error::msg("the holder exports no memory"))?;
        Ok((store, memory, arena))
    }

    pub(crate) fn linker(&self) -> &Linker<HostState> {
        &self.linker
    }

    pub(crate) fn windows(&self) -> Windows {
        self.arenas.windows()
    }

    pub(crate) fn table_files(&self) -> &Arc<TableFiles> {
        &self.table_files
    }
}

/// A module with its code.
#[derive(Debug, Clone)]
pub struct LoadedModule {
    pub(crate) module: FragmentModule,
    pub(crate) code: Module,
    cached: bool,
}

impl LoadedModule {
    /// Whether the code was there already.
    pub fn cached(&self) -> bool {
        self.cached
    }

    /// The code as bytes, for processes of the same [`Runtime::target`].
    pub(crate) fn artefact(&self) -> Option<Vec<u8>> {
        let bytes = self.code.serialize();
        bytes
            .inspect_err(
                |error| tracing::warn!(%error, module = self.module.name(), "code cannot be sent"),
            )
            .ok()
    }
}

pub(super) fn compile(engine: &Engine, module: &FragmentModule) -> Result<Vec<u8>, RuntimeError> {
    engine
        .precompile_module(module.bytes())
        .map_err(|source| RuntimeError::Compile {
            module: module.name(),
            source: source.into(),
        })
}

pub(super) fn engine_config(
    baseline: Baseline,
    protection: Protection,
) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config.target(baseline.triple())?;
    for feature in baseline.features() {
        // SAFETY: the flags are Cranelift's names of processor features; loading checks that this host has them.
        unsafe { config.cranelift_flag_enable(feature) };
    }
    config
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_wide_arithmetic(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .memory_may_move(false)
        .memory_guard_size(protection.guard_bytes() as u64)
        .memory_reservation(match protection {
            Protection::Guarded => Windows::FULL.build_end,
            Protection::Checked => 0,
        });
    Ok(config)
}

/// A module that is nothing but a memory of the windows' size. Its memory is made by our `MemoryCreator`.
fn holder_module(windows: Windows) -> Vec<u8> {
    use wasm_encoder::{ExportKind, ExportSection, MemorySection, MemoryType, Module};
    let pages = windows.build_end / abi::PAGE_BYTES;
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export(abi::MEMORY, ExportKind::Memory, 0);
    let mut module = Module::new();
    module.section(&memories).section(&exports);
    module.finish()
}
