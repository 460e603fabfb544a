//! Fragments that have code already, by their form, so that a shape that comes again is neither encoded nor compiled.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Encoded, ModuleError, Modules};
use crate::{Fragment, runtime::Runtime};

/// The fragments of one process, the least recently used ones forgotten first.
#[derive(Debug)]
pub struct ModuleCache {
    runtime: Arc<Runtime>,
    /// Fragments kept; 0 keeps none.
    fragments_max: usize,
    /// Each with the time it was last asked for.
    fragments: Mutex<HashMap<Fragment, (Arc<Modules>, u64)>>,
    clock: AtomicU64,
}

impl ModuleCache {
    pub fn new(runtime: Arc<Runtime>, fragments_max: usize) -> Self {
        Self {
            runtime,
            fragments_max,
            fragments: Mutex::default(),
            clock: AtomicU64::new(0),
        }
    }

    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// The code of a fragment that was loaded before.
    pub fn get(&self, fragment: &Fragment) -> Option<Arc<Modules>> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut fragments = self.lock();
        let (modules, used) = fragments.get_mut(fragment)?;
        *used = now;
        Some(Arc::clone(modules))
    }

    /// The code of a fragment that was just encoded. Two threads that load the same one both compile it.
    pub fn load(&self, encoded: Encoded) -> Result<Arc<Modules>, ModuleError> {
        self.load_with(encoded, None)
    }

    /// The same, with code that a trusted process of the same [`Runtime::target`] has made, if any came.
    pub(crate) fn load_with(
        &self,
        encoded: Encoded,
        artefact: Option<Vec<u8>>,
    ) -> Result<Arc<Modules>, ModuleError> {
        let fragment = encoded.module.fragment().clone();
        let modules = Modules::load(Arc::clone(&self.runtime), encoded, artefact)?;
        let modules = Arc::new(modules);
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut fragments = self.lock();
        fragments.insert(fragment, (Arc::clone(&modules), now));
        while fragments.len() > self.fragments_max {
            let oldest = fragments.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(fragment, _)| fragment.clone()) else {
                break;
            };
            fragments.remove(&oldest);
        }
        Ok(modules)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fragment, (Arc<Modules>, u64)>> {
        self.fragments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
