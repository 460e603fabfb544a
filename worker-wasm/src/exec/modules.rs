//! The code of one fragment: the module for the expected facts now, wider ones when a batch first needs them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    CompileError, Fragment, FragmentModule, RuntimeError, compile,
    runtime::{LoadedModule, Runtime, compile_for},
};

/// Why a fragment has no code.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    #[error("a fragment cannot be turned into a module")]
    Encode(#[from] CompileError),
    #[error("a module cannot be turned into code")]
    Load(#[from] RuntimeError),
}

/// A fragment, encoded: what is known about it without compiling.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub module: FragmentModule,
    pub encode_time: Duration,
}

impl Encoded {
    pub fn new(fragment: &Fragment) -> Result<Self, CompileError> {
        let start = Instant::now();
        Ok(Self {
            module: compile(fragment)?,
            encode_time: start.elapsed(),
        })
    }
}

/// A fragment ready to run.
#[derive(Debug)]
pub struct Modules {
    runtime: Arc<Runtime>,
    expected: LoadedModule,
    encoded: Encoded,
    load_time: Duration,
    /// For the facts that types give, and for none.
    wider: [OnceLock<LoadedModule>; 2],
    /// Code for processes of other targets that have wanted it.
    elsewhere: Mutex<HashMap<String, Vec<u8>>>,
}

impl Modules {
    /// `artefact`: see [`Runtime::load_with`].
    pub(crate) fn load(
        runtime: Arc<Runtime>,
        encoded: Encoded,
        artefact: Option<Vec<u8>>,
    ) -> Result<Self, ModuleError> {
        let start = Instant::now();
        let expected = runtime.load_with(&encoded.module, artefact)?;
        Ok(Self {
            expected,
            encoded,
            load_time: start.elapsed(),
            runtime,
            wider: Default::default(),
            elsewhere: Mutex::default(),
        })
    }

    pub fn module(&self) -> &FragmentModule {
        &self.encoded.module
    }

    /// Encoding it, and compiling or loading its code.
    pub fn compile_time(&self) -> Duration {
        self.encoded.encode_time + self.load_time
    }

    /// Whether the code was there already, in memory or on disk.
    pub fn cached(&self) -> bool {
        self.expected.cached()
    }

    /// The code of the module for the expected facts, for a process that runs code of `target`; `None` where this build
    /// makes none for it. Making some takes about 1 ms per KB of the module, once.
    pub(crate) fn artefact_for(&self, target: &str) -> Option<Vec<u8>> {
        if self.runtime.target() == target {
            return self.expected.artefact();
        }
        let mut elsewhere = self
            .elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = elsewhere.get(target) {
            return Some(code.clone());
        }
        let code = compile_for(target, self.module())?;
        let code = code.inspect_err(
            |error| tracing::warn!(%error, target, "code cannot be made for a worker"),
        );
        let code = code.ok()?;
        elsewhere.insert(target.to_owned(), code.clone());
        Some(code)
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn expected(&self) -> &LoadedModule {
        &self.expected
    }

    /// The next module for batches that have broken the facts of the one before, by its number; `None` behind the last one,
    /// which takes every batch that is what its column says. Two threads that need it first both compile it.
    pub(crate) fn wider(&self, number: &mut usize) -> Result<Option<&LoadedModule>, ModuleError> {
        let fragment = self.module().fragment();
        let Some(place) = self.wider.get(*number) else {
            return Ok(None);
        };
        let wider = match number {
            0 => fragment.by_types(),
            _ => fragment.general(),
        };
        *number += 1;
        if wider == *fragment && *number < self.wider.len() {
            return self.wider(number);
        }
        if let Some(known) = place.get() {
            return Ok(Some(known));
        }
        let loaded = self.runtime.load(&compile(&wider)?)?;
        Ok(Some(place.get_or_init(|| loaded)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{ArtefactCache, ArtefactLimits, Protection, RuntimeConfig};

    /// Modules that a fragment whose input is `columns` goes through until none is left.
    fn wider_modules(columns: &str) -> usize {
        let limits = ArtefactLimits {
            modules_max: 4,
            disk_bytes_max: 0,
        };
        let runtime = Runtime::new(RuntimeConfig {
            protection: Protection::Guarded,
            idle_memories_max: 0,
            idle_memory_bytes: 0,
            perf_map: false,
            artefacts: ArtefactCache::new(limits, None),
        });
        let text = format!("(fragment (input {columns}) (params) (pipeline (input 0) (emit)))");
        let encoded = Encoded::new(&text.parse().unwrap()).unwrap();
        let modules = Modules::load(Arc::new(runtime.unwrap()), encoded, None).unwrap();
        let mut number = 0;
        std::iter::from_fn(|| modules.wider(&mut number).unwrap()).count()
    }

    #[test]
    fn a_batch_that_breaks_more_than_facts_finds_no_module_in_the_end() {
        assert_eq!(wider_modules("(column (decimal 15 2) i32)"), 2);
        assert_eq!(wider_modules("(column int64 nullable no-nulls)"), 2);
        assert_eq!(wider_modules("(column int64)"), 1);
    }
}
