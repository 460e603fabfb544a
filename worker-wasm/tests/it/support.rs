//! Running a fragment over batches.

use std::sync::{LazyLock, Mutex};

use arrow::{array::RecordBatch, compute::concat_batches};
use worker_wasm::{
    Fragment, RunError, compile,
    runtime::{
        ArtefactCache, ArtefactLimits, Instance, MemoryAccount, NoHostFunctions, Param, Protection,
        Refused, Runtime, RuntimeConfig,
    },
};

pub(crate) fn runtime(protection: Protection) -> Runtime {
    Runtime::new(RuntimeConfig {
        protection,
        idle_memories_max: 2,
        idle_memory_bytes: 8 << 20,
        perf_map: false,
        artefacts: ArtefactCache::new(
            ArtefactLimits {
                modules_max: 16,
                disk_bytes_max: 0,
            },
            None,
        ),
    })
    .unwrap()
}

pub(crate) static GUARDED: LazyLock<Runtime> = LazyLock::new(|| runtime(Protection::Guarded));

/// Gives what is asked for.
pub(crate) struct Unlimited;

impl MemoryAccount for Unlimited {
    fn grow(&mut self, _: u64) -> Result<(), Refused> {
        Ok(())
    }

    fn shrink(&mut self, _: u64) {}
}

pub(crate) fn open(
    runtime: &Runtime,
    fragment: &Fragment,
    params: &[Param],
) -> Result<Instance, RunError> {
    let module = compile(fragment).unwrap();
    let loaded = runtime.load(&module).unwrap();
    Instance::open(
        runtime,
        &loaded,
        params,
        Box::new(Unlimited),
        Box::new(NoHostFunctions),
    )
}

pub(crate) fn go() -> Result<(), RunError> {
    Ok(())
}

/// All rows that a fragment with one input puts out.
pub(crate) fn run(
    fragment: &Fragment,
    params: &[Param],
    batches: &[RecordBatch],
) -> Result<RecordBatch, RunError> {
    let mut instance = open(&GUARDED, fragment, params)?;
    let mut out = Vec::new();
    for batch in batches {
        instance.push(0, batch, &mut go)?;
        drain(&mut instance, &mut out)?;
    }
    instance.finish(0, &mut go)?;
    drain(&mut instance, &mut out)?;
    Ok(concat_batches(&instance.schema(), &out).unwrap())
}

pub(crate) fn drain(instance: &mut Instance, out: &mut Vec<RecordBatch>) -> Result<(), RunError> {
    while let Some(batch) = instance.pull(1000, &mut go)? {
        out.push(batch);
    }
    Ok(())
}

/// Seeds of a random test: one given by `MURRE_SEED`, or `count` from the test's own start.
pub(crate) fn seeds(start: u64, count: u64) -> Vec<u64> {
    match std::env::var("MURRE_SEED") {
        Ok(seed) => vec![seed.parse().expect("MURRE_SEED is a number")],
        Err(_) => (start..start + count).collect(),
    }
}

/// Counts what a random test met, to show that nothing is missing.
#[derive(Default)]
pub(crate) struct Mix(Mutex<std::collections::BTreeMap<String, u64>>);

impl Mix {
    pub(crate) fn count(&self, what: impl ToString) {
        *self.0.lock().unwrap().entry(what.to_string()).or_default() += 1;
    }

    /// Prints all counts and says which of `wanted` are missing.
    pub(crate) fn check(&self, wanted: &[&str]) {
        let counts = self.0.lock().unwrap();
        eprintln!("{counts:?}");
        if std::env::var("MURRE_SEED").is_err() {
            let missing: Vec<_> = wanted
                .iter()
                .filter(|what| !counts.contains_key(**what))
                .collect();
            assert!(missing.is_empty(), "the mix lacks {missing:?}");
        }
    }
}
