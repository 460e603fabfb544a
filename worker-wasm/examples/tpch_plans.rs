//! Processor time of TPC-H plans on one thread: as DataFusion made them, and with fragments in them.
//!
//! `cargo run -p worker-wasm --example tpch_plans -- FOLDER [parquet|memory] [rounds] [query ..]`, where the folder has the
//! eight tables as Parquet files. Per query: milliseconds of DataFusion's own operators (median), and of the same plan with
//! fragments as a share of it: everything that can be compiled; without sorts and joins; what `auto` takes. All four run once
//! in each round, one after the other.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::{path::Path, sync::Arc, time::Duration};

use datafusion::{
    datasource::MemTable,
    error::{DataFusionError, Result},
    physical_plan::{ExecutionPlan, collect, joins::HashJoinExec, sorts::sort::SortExec},
    prelude::{ParquetReadOptions, SessionConfig, SessionContext},
};
use worker_wasm::{
    exec::{Encoded, FragmentExec, ModuleCache},
    lower::{Assemble, Piece, Reason, gain, lower},
    runtime::{ArtefactCache, ArtefactLimits, Protection, Runtime, RuntimeConfig},
};

const TABLES: [&str; 8] = [
    "customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier",
];

/// What is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Everything,
    /// All but joins and sorts.
    NoJoins,
    /// What `murre.compile = auto` compiles once it has code for it.
    Auto,
}

const CHOICES: [Choice; 3] = [Choice::Everything, Choice::NoJoins, Choice::Auto];

struct Compile<'a> {
    choice: Choice,
    cache: &'a ModuleCache,
    fragments: usize,
}

impl Assemble for Compile<'_> {
    fn wants(&mut self, plan: &Arc<dyn ExecutionPlan>) -> std::result::Result<(), Reason> {
        match self.choice {
            Choice::Everything => Ok(()),
            Choice::NoJoins if plan.is::<HashJoinExec>() || plan.is::<SortExec>() => {
                Err(Reason::Choice("not wanted".to_owned()))
            }
            Choice::NoJoins => Ok(()),
            Choice::Auto => gain::wants(plan),
        }
    }

    fn node(
        &mut self,
        piece: Piece,
    ) -> Result<std::result::Result<Arc<dyn ExecutionPlan>, Reason>> {
        if self.choice == Choice::Auto && !gain::gains(&piece) {
            return Ok(Err(Reason::Choice("no gain".to_owned())));
        }
        let mut modules = Vec::new();
        for part in piece.parts() {
            let fragment = &part.bound.fragment;
            modules.push(match self.cache.get(fragment) {
                Some(modules) => modules,
                None => {
                    let encoded = Encoded::new(fragment);
                    let encoded =
                        encoded.map_err(|error| DataFusionError::External(error.into()))?;
                    let loaded = self.cache.load(encoded);
                    loaded.map_err(|error| DataFusionError::External(error.into()))?
                }
            });
        }
        self.fragments += modules.len();
        Ok(Ok(Arc::new(FragmentExec::new(piece, modules)?)))
    }
}

async fn register(context: &SessionContext, folder: &Path, in_memory: bool) -> Result<()> {
    for table in TABLES {
        let path = folder.join(format!("{table}.parquet"));
        let path = path.to_string_lossy();
        let options = ParquetReadOptions::default();
        context
            .register_parquet(table, path.as_ref(), options)
            .await?;
        if in_memory {
            let batches = context.table(table).await?.collect().await?;
            let schema = batches[0].schema();
            context.deregister_table(table)?;
            let rows = MemTable::try_new(schema, vec![batches])?;
            context.register_table(table, Arc::new(rows))?;
        }
    }
    Ok(())
}

/// Of all threads of the process.
fn processor_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanoseconds = threads.flatten().map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat"));
        let text = text.unwrap_or_default();
        let field = text.split(' ').next().and_then(|field| field.parse().ok());
        field.unwrap_or(0)
    });
    Duration::from_nanos(nanoseconds.sum())
}

async fn timed(
    context: &SessionContext,
    plan: Arc<dyn ExecutionPlan>,
) -> Result<(Duration, usize)> {
    let start = processor_time();
    let batches = collect(plan, context.task_ctx()).await?;
    let rows = batches.iter().map(|batch| batch.num_rows()).sum();
    // A thread that ends takes its time along.
    Ok((processor_time().saturating_sub(start), rows))
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

async fn run(
    context: &SessionContext,
    cache: &ModuleCache,
    query: u32,
    rounds: usize,
) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../integration/tpch/queries/q{query:02}.sql"));
    let sql = std::fs::read_to_string(file)?;
    let lines = sql.lines().filter(|line| !line.starts_with("--"));
    let sql: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut fragments = [0; 3];
    // The first round compiles, and warms what is warm in the others.
    for round in 0..=rounds {
        let mut counts = Vec::new();
        for (way, times) in times.iter_mut().enumerate() {
            let plan = context.sql(&sql).await?.create_physical_plan().await?;
            let plan = match way.checked_sub(1) {
                None => plan,
                Some(choice) => {
                    let mut compile = Compile {
                        choice: CHOICES[choice],
                        cache,
                        fragments: 0,
                    };
                    let lowered = lower(&plan, true, &mut compile)?;
                    fragments[choice] = compile.fragments;
                    lowered.plan
                }
            };
            let (time, rows) = timed(context, plan).await?;
            counts.push(rows);
            if round > 0 {
                times.push(time);
            }
        }
        if counts.iter().any(|count| *count != counts[0]) {
            println!("q{query:02}: rows differ: {counts:?}");
        }
    }
    let [native, all, joins, auto] = times.each_mut().map(|times| median(times));
    println!(
        "q{query:02} {native:9.1} ms   all {:.2}   no joins {:.2}   auto {:.2}   fragments {fragments:?}",
        all / native,
        joins / native,
        auto / native
    );
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("a folder with Parquet files")?;
    let in_memory = args.next().is_some_and(|source| source == "memory");
    let rounds = args.next().map_or(Ok(3), |rounds| rounds.parse())?;
    let queries: Vec<u32> = args
        .map(|query| query.parse())
        .collect::<std::result::Result<_, _>>()?;
    let queries = match queries.is_empty() {
        true => (1..=22).collect(),
        false => queries,
    };
    let limits = ArtefactLimits {
        modules_max: 1_000,
        disk_bytes_max: 0,
    };
    let runtime = Runtime::new(RuntimeConfig {
        protection: Protection::probe(16),
        idle_memories_max: 2,
        idle_memory_bytes: 8 << 20,
        perf_map: std::env::var_os("MURRE_PERF_MAP").is_some(),
        artefacts: ArtefactCache::new(limits, None),
    })?;
    let cache = ModuleCache::new(Arc::new(runtime), 1_000);
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio.block_on(async {
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config(config);
        register(&context, Path::new(&folder), in_memory).await?;
        for query in queries {
            if let Err(error) = run(&context, &cache, query, rounds).await {
                println!("q{query:02}: {error}");
            }
        }
        Ok(())
    })
}
