//! How long a guest runs at a stretch while it sorts, builds, probes and rehashes: what a cancelled query waits for at most.
//!
//! `cargo run -p worker-wasm --example long_calls -- [rows, default 20000000]`. Per fragment: calls, processor milliseconds of
//! all, of the longest and of the one that 99.9 % stay below, memory. Copying batches in counts as part of a call.
//! Then how long it takes from the wish to stop in the middle of each to the end, the memory given back; and one and two
//! threads that probe the same table, and how much shared memory the process has for it.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use worker_wasm::{
    Fragment, RunError, compile,
    runtime::{
        ArtefactCache, ArtefactLimits, Instance, JoinTable, MemoryAccount, NoHostFunctions, Param,
        Protection, Refused, Runtime, RuntimeConfig,
    },
};

const BATCH_ROWS: usize = 8192;

const SORT: &str = "(fragment (input (column int64) (column int64)) (params)
    (pipeline (input 0) (sort (asc c0 nulls-last)))
    (pipeline (sorted 0) (emit)))";

const FIRST: &str = "(fragment (input (column int64) (column int64)) (params (param uint64))
    (pipeline (input 0) (sort (asc c0 nulls-last) (fetch p0)))
    (pipeline (sorted 0) (emit)))";

const BUILD: &str = "(fragment (input (column int64) (column int64)) (params)
    (pipeline (input 0) (build 0)))";

const PROBE: &str = "(fragment (input (column int64) (column int64)) (params)
    (pipeline (input 0)
        (join inner (table (keys 0) (column int64) (column int64)) (keys c0))
        (aggregate single (keys) (count) (sum c1)))
    (pipeline (groups 0) (emit)))";

/// Groups are added throughout, so their table is made larger, and filled again, a dozen times.
const GROUPS: &str = "(fragment (input (column int64) (column int64)) (params)
    (pipeline (input 0) (aggregate single (keys c0) (sum c1)))
    (pipeline (groups 0) (emit)))";

struct Unlimited;

impl MemoryAccount for Unlimited {
    fn grow(&mut self, _: u64) -> Result<(), Refused> {
        Ok(())
    }

    fn shrink(&mut self, _: u64) {}
}

/// Times between two checks.
#[derive(Default)]
struct Calls {
    started: Option<Duration>,
    times: Vec<Duration>,
}

impl Calls {
    fn check(&mut self) {
        let now = processor_time();
        if let Some(started) = self.started.replace(now) {
            self.times.push(now - started);
        }
    }

    /// The caller has the guest's answer.
    fn end(&mut self) {
        self.check();
        self.started = None;
    }

    fn print(mut self, name: &str, start: Instant, memory_bytes: u64) {
        self.times.sort();
        let all: Duration = self.times.iter().sum();
        let below = self.times.len() * 999 / 1000;
        println!(
            "{name:24} {:7} calls  {:8.1} ms  longest {:6.2} ms  p99.9 {:6.2} ms  {:5} MiB  wall {:8.1} ms",
            self.times.len(),
            milliseconds(all),
            self.times.last().copied().map_or(0.0, milliseconds),
            self.times.get(below).copied().map_or(0.0, milliseconds),
            memory_bytes >> 20,
            milliseconds(start.elapsed()),
        );
    }
}

/// Time this thread has spent on a processor, to the microsecond: on a busy machine the only one that means something.
fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on every Linux, and the call writes to nothing but `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Keys that lie anywhere, each number below `rows` once in a while.
fn batches(rows: usize) -> impl Iterator<Item = RecordBatch> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..rows).step_by(BATCH_ROWS).map(move |start| {
        let numbers = start as i64..(start + BATCH_ROWS).min(rows) as i64;
        let keys = numbers.clone().map(|_| {
            // xorshift64, as in Marsaglia, "Xorshift RNGs" (2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % rows as u64) as i64
        });
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(keys));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
        RecordBatch::try_from_iter([("key", keys), ("number", numbers)])
            .expect("columns are equally long")
    })
}

fn open(
    runtime: &Runtime,
    text: &str,
    params: &[Param],
    tables: &[Arc<JoinTable>],
) -> Result<Instance, Box<dyn std::error::Error>> {
    let fragment: Fragment = text.parse()?;
    let loaded = runtime.load(&compile(&fragment)?)?;
    let (account, functions) = (Box::new(Unlimited), Box::new(NoHostFunctions));
    Ok(Instance::open_with_tables(
        runtime, &loaded, params, tables, account, functions,
    )?)
}

/// Pushes all rows and pulls what comes out.
fn run(name: &str, instance: &mut Instance, rows: usize) -> Result<(), RunError> {
    let (mut pushes, mut finish, mut pulls) =
        (Calls::default(), Calls::default(), Calls::default());
    let start = Instant::now();
    for batch in batches(rows) {
        instance.push(0, &batch, &mut || {
            pushes.check();
            Ok(())
        })?;
        pushes.end();
    }
    pushes.print(&format!("{name}: push"), start, instance.memory_bytes());
    let start = Instant::now();
    instance.finish(0, &mut || {
        finish.check();
        Ok(())
    })?;
    finish.end();
    finish.print(&format!("{name}: finish"), start, instance.memory_bytes());
    let start = Instant::now();
    loop {
        let out = instance.pull(BATCH_ROWS as u32, &mut || {
            pulls.check();
            Ok(())
        })?;
        pulls.end();
        if out.is_none() {
            break;
        }
    }
    pulls.print(&format!("{name}: pull"), start, instance.memory_bytes());
    Ok(())
}

/// Points in a run at which it is stopped, in tenths of its calls.
const STOPS: [u64; 5] = [1, 3, 5, 7, 9];

/// Stops runs in the middle, and prints how long each took to end after that.
fn stop(
    name: &str,
    rows: usize,
    open: impl Fn() -> Result<Instance, Box<dyn std::error::Error>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let batches: Vec<_> = batches(rows).collect();
    // When to stop is known by the number of calls that there are in all.
    let all = AtomicU64::new(0);
    let through = |instance: &mut Instance, check: &mut dyn FnMut() -> Result<(), RunError>| {
        for batch in &batches {
            instance.push(0, batch, check)?;
        }
        instance.finish(0, check)
    };
    through(&mut open()?, &mut || {
        all.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })?;
    let all = all.into_inner();
    let mut waits = Vec::new();
    for tenths in STOPS {
        let mut instance = open()?;
        let calls = AtomicU64::new(0);
        let wait = std::thread::scope(|scope| {
            let (wish, wished) = std::sync::mpsc::channel();
            let calls = &calls;
            scope.spawn(move || {
                while calls.load(Ordering::Relaxed) * 10 < all * tenths {
                    std::thread::sleep(Duration::from_micros(200));
                }
                // Nobody listens only where the run has failed.
                let _ = wish.send(Instant::now());
            });
            let mut wished_at = None;
            let ended = through(&mut instance, &mut || {
                calls.fetch_add(1, Ordering::Relaxed);
                wished_at = wished.try_recv().ok();
                wished_at.map_or(Ok(()), |_| Err(RunError::Stopped))
            });
            drop(instance);
            // Lets the other thread go, should the run have failed.
            calls.store(all, Ordering::Relaxed);
            match (ended, wished_at) {
                (Err(RunError::Stopped), Some(at)) => Ok(Some(at.elapsed())),
                (Err(error), _) => Err(error),
                (Ok(()), _) => Ok(None),
            }
        })?;
        waits.push(wait.ok_or("the run ended before it was stopped")?);
    }
    let waits: Vec<_> = waits.into_iter().map(milliseconds).collect();
    println!("{name}: stopped after {waits:.1?} ms");
    Ok(())
}

/// Shared memory of this process, each page counted once however often it is mapped. Bytes.
fn shared_memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss_Shmem:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() << 10
}

/// Probes with the same batches in each of several threads at once.
fn probe_in_threads(
    runtime: &Runtime,
    table: &Arc<JoinTable>,
    batches: &[RecordBatch],
    threads: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let tables = [Arc::clone(table)];
    let instances: Result<Vec<_>, _> = (0..threads)
        .map(|_| open(runtime, PROBE, &[], &tables))
        .collect();
    let mut instances = instances?;
    let start = Instant::now();
    let times: Result<Vec<_>, RunError> = std::thread::scope(|scope| {
        let threads: Vec<_> = instances
            .iter_mut()
            .map(|instance| {
                scope.spawn(move || {
                    let start = processor_time();
                    for batch in batches {
                        instance.push(0, batch, &mut || Ok(()))?;
                    }
                    Ok(processor_time() - start)
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|time| time.expect("a thread that probes does not panic"))
            .collect()
    });
    let own: u64 = instances.iter().map(Instance::memory_bytes).sum();
    println!(
        "{threads} threads: {:?} ms each, wall {:.1} ms, own memory {own} bytes, shared {} MiB",
        times?.into_iter().map(milliseconds).collect::<Vec<_>>(),
        milliseconds(start.elapsed()),
        shared_memory_bytes() >> 20,
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows = std::env::args()
        .nth(1)
        .map_or(Ok(20_000_000), |text| text.parse())?;
    println!("{rows} rows in batches of {BATCH_ROWS}\n");
    let limits = ArtefactLimits {
        modules_max: 16,
        disk_bytes_max: 0,
    };
    let runtime = Runtime::new(RuntimeConfig {
        protection: Protection::probe(1),
        idle_memories_max: 1,
        idle_memory_bytes: 16 << 20,
        perf_map: std::env::var_os("MURRE_PERF_MAP").is_some(),
        artefacts: ArtefactCache::new(limits, None),
    })?;
    run("sort", &mut open(&runtime, SORT, &[], &[])?, rows)?;
    let first = &mut open(&runtime, FIRST, &[Param::Int(100)], &[])?;
    run("first 100", first, rows)?;
    let mut build = open(&runtime, BUILD, &[], &[])?;
    run("build", &mut build, rows)?;
    let table = Arc::new(build.take_table()?);
    println!("table: {} MiB", table.memory_bytes() >> 20);
    let probing = &mut open(&runtime, PROBE, &[], &[Arc::clone(&table)])?;
    run("probe", probing, rows)?;
    run("rehash", &mut open(&runtime, GROUPS, &[], &[])?, rows)?;
    for (name, text) in [("sort", SORT), ("build", BUILD), ("rehash", GROUPS)] {
        stop(name, rows, || open(&runtime, text, &[], &[]))?;
    }
    let some: Vec<_> = batches(rows / 4).collect();
    for threads in [1, 2] {
        probe_in_threads(&runtime, &table, &some, threads)?;
    }
    Ok(())
}
