//! The code of one fragment: the module for the expected facts now, the general one when a batch first needs it.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use crate::{
    CompileError, Fragment, FragmentModule, RuntimeError, compile,
    runtime::{LoadedModule, Runtime},
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
    general: OnceLock<LoadedModule>,
}

impl Modules {
    pub fn load(runtime: Arc<Runtime>, encoded: Encoded) -> Result<Self, ModuleError> {
        let start = Instant::now();
        let expected = runtime.load(&encoded.module)?;
        Ok(Self {
            expected,
            encoded,
            load_time: start.elapsed(),
            runtime,
            general: OnceLock::new(),
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

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn expected(&self) -> &LoadedModule {
        &self.expected
    }

    /// The module that takes every batch. Two threads that need it first both compile it.
    pub(crate) fn general(&self) -> Result<&LoadedModule, ModuleError> {
        if let Some(general) = self.general.get() {
            return Ok(general);
        }
        let module = compile(&self.module().fragment().general())?;
        let loaded = self.runtime.load(&module)?;
        Ok(self.general.get_or_init(|| loaded))
    }
}
