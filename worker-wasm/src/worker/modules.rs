//! The modules of a worker, by hash.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    FragmentModule, RuntimeError, compile,
    exec::{Encoded, ModuleCache, ModuleError, ModuleSource, Modules},
    module::ModuleHash,
};

/// What was put, the least recently used forgotten first.
#[derive(Debug)]
pub struct ModuleStore {
    cache: Arc<ModuleCache>,
    /// Modules kept.
    modules_max: usize,
    /// Each with the time it was last asked for.
    modules: Mutex<HashMap<ModuleHash, (Arc<Modules>, u64)>>,
    clock: AtomicU64,
    received_total: AtomicU64,
}

impl ModuleStore {
    pub fn new(cache: Arc<ModuleCache>, modules_max: usize) -> Self {
        Self {
            cache,
            modules_max,
            modules: Mutex::default(),
            clock: AtomicU64::new(0),
            received_total: AtomicU64::new(0),
        }
    }

    /// Whether it has the module; if so it is used from now on.
    pub fn has(&self, hash: &ModuleHash) -> bool {
        self.modules(hash).is_some()
    }

    /// Keeps a module under its hash with the code that came with it, or that is made of it.
    ///
    /// It must be what this build makes of its fragment, which the verifier has passed: then it does nothing that generated
    /// code does not, and returns from every call.
    ///
    /// Errors: [`ModuleError::Load`] for bytes that are no fragment, or another module.
    pub fn put(
        &self,
        bytes: Vec<u8>,
        artefact: Option<Vec<u8>>,
    ) -> Result<ModuleHash, ModuleError> {
        let module = FragmentModule::from_bytes(bytes).map_err(load)?;
        let hash = module.hash();
        let own = compile(module.fragment())?;
        if own.hash() != hash {
            return Err(load(RuntimeError::NotAFragment {
                module: module.name(),
                detail: format!("this build makes module {} of its fragment", own.name()),
            }));
        }
        self.received_total.fetch_add(1, Ordering::Relaxed);
        let encoded = Encoded {
            module,
            encode_time: Duration::ZERO,
        };
        let modules = self.cache.load_with(encoded, artefact)?;
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut all = self.lock();
        all.insert(hash, (modules, now));
        while all.len() > self.modules_max {
            let oldest = all.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(hash, _)| *hash) else {
                break;
            };
            all.remove(&oldest);
        }
        Ok(hash)
    }

    /// Whose code it takes.
    pub(super) fn target(&self) -> &str {
        self.cache.runtime().target()
    }

    /// Modules that code was made of here.
    pub(super) fn compiled_total(&self) -> u64 {
        self.cache.runtime().compiled()
    }

    /// Modules there are.
    pub fn count(&self) -> u64 {
        self.lock().len() as u64
    }

    /// Modules that were put so far, whether they were there already or not.
    pub fn received_total(&self) -> u64 {
        self.received_total.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ModuleHash, (Arc<Modules>, u64)>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ModuleSource for ModuleStore {
    fn modules(&self, hash: &ModuleHash) -> Option<Arc<Modules>> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut all = self.lock();
        let (modules, used) = all.get_mut(hash)?;
        *used = now;
        Some(Arc::clone(modules))
    }
}

fn load(source: RuntimeError) -> ModuleError {
    ModuleError::Load(source)
}
