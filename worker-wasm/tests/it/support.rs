//! Running a fragment over batches.

use std::sync::{LazyLock, Mutex};

use arrow::{
    array::{Array, RecordBatch},
    compute::concat_batches,
};
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

/// Seeds of a random test: one given by `MURRE_SEED`, or `count` from the test's own start, or from `MURRE_FIRST`.
pub(crate) fn seeds(start: u64, count: u64) -> Vec<u64> {
    let given = |name: &str| {
        let seed = std::env::var(name).ok()?;
        Some(seed.parse().expect("a seed is a number"))
    };
    match given("MURRE_SEED") {
        Some(seed) => vec![seed],
        None => {
            let start = given("MURRE_FIRST").unwrap_or(start);
            (start..start + count).collect()
        }
    }
}

/// Cases of a run in which a share of one in a hundred is no accident.
const ENOUGH: u64 = 10_000;

/// Shapes of batches, as [`Mix::count_batch`] counts them.
pub(crate) const SHAPES: [&str; 8] = [
    "no row",
    "1 or 2 rows",
    "3 to 66 rows",
    "more rows",
    "no null",
    "few nulls",
    "many nulls",
    "nulls only",
];

/// Counts what a random test met, to show that nothing is missing.
#[derive(Default)]
pub(crate) struct Mix(Mutex<std::collections::BTreeMap<String, u64>>);

impl Mix {
    pub(crate) fn count(&self, what: impl ToString) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: impl ToString, count: u64) {
        *self.0.lock().unwrap().entry(what.to_string()).or_default() += count;
    }

    /// Says which of `wanted` are less than one in a hundred of `all`, in a run that is long enough to tell.
    pub(crate) fn check_shares(&self, all: &str, wanted: &[&str]) {
        let counts = self.0.lock().unwrap();
        let of = |what: &str| counts.get(what).copied().unwrap_or_default();
        if of(all) < ENOUGH {
            return;
        }
        let is_rare = |what: &&&str| of(what) * 100 < of(all);
        let rare: Vec<_> = wanted.iter().filter(is_rare).collect();
        assert!(rare.is_empty(), "too few in the mix: {rare:?}");
    }

    /// Says whether a long run met as many as it is there for.
    pub(crate) fn check_least(&self, what: &str, least: u64) {
        if std::env::var_os("MURRE_LONG").is_none() || std::env::var_os("MURRE_SEED").is_some() {
            return;
        }
        let counts = self.0.lock().unwrap();
        let met = counts.get(what).copied().unwrap_or_default();
        assert!(met >= least, "{met} {what} are fewer than {least}");
    }

    /// Counts the shape of a batch: its rows, and the share of nulls in its columns.
    pub(crate) fn count_batch(&self, batch: &RecordBatch) {
        let rows = batch.num_rows();
        self.count(match rows {
            0 => "no row",
            1..=2 => "1 or 2 rows",
            3..=66 => "3 to 66 rows",
            _ => "more rows",
        });
        let nulls: usize = batch
            .columns()
            .iter()
            .map(|column| column.null_count())
            .sum();
        let values = rows * batch.num_columns();
        self.count(match nulls {
            _ if values == 0 => "no value",
            0 => "no null",
            _ if nulls == values => "nulls only",
            _ if nulls * 4 < values => "few nulls",
            _ => "many nulls",
        });
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
