//! Processor time of TPC-H plans on one thread: as DataFusion made them, and with fragments in them.
//!
//! `cargo run -p worker-wasm --example tpch_plans -- FOLDER [parquet|memory] [rounds] [query ..]`, where the folder has the
//! eight tables as Parquet files. Per query: milliseconds of DataFusion's own operators (median), and of the same plan with
//! fragments as a share of it: everything that can be compiled; without sorts; without sorts and joins. All four run once
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
    lower::{Assemble, Piece, Reason, lower},
    runtime::{ArtefactCache, ArtefactLimits, Protection, Runtime, RuntimeConfig},
};

const TABLES: [&str; 8] = [
    "customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier",
];

/// Which operators may be compiled.
#[derive(Clone, Copy)]
struct Choice {
    joins: bool,
    sorts: bool,
}

const CHOICES: [(&str, Choice); 3] = [
    (
        "all",
        Choice {
            joins: true,
            sorts: true,
        },
    ),
    (
        "no sorts",
        Choice {
            joins: true,
            sorts: false,
        },
    ),
    (
        "no joins",
        Choice {
            joins: false,
            sorts: false,
        },
    ),
];

struct Compile<'a> {
    choice: Choice,
    cache: &'a ModuleCache,
    fragments: usize,
}

impl Assemble for Compile<'_> {
    fn wants(&mut self, plan: &Arc<dyn ExecutionPlan>) -> std::result::Result<(), Reason> {
        let unwanted = (plan.is::<HashJoinExec>() && !self.choice.joins)
            || (plan.is::<SortExec>() && !self.choice.sorts);
        match unwanted {
            true => Err(Reason::Choice("not wanted".to_owned())),
            false => Ok(()),
        }
    }

    fn node(
        &mut self,
        piece: Piece,
    ) -> Result<std::result::Result<Arc<dyn ExecutionPlan>, Reason>> {
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
    Ok((processor_time() - start, rows))
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
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut fragments = [0; 3];
    // The first round compiles, and warms what is warm in the others.
    for round in 0..=rounds {
        let mut counts = Vec::new();
        for (way, times) in times.iter_mut().enumerate() {
            let mut statements = sql.split(';').filter(|text| !text.trim().is_empty());
            let statement = statements.next().unwrap_or_default();
            let plan = context.sql(statement).await?.create_physical_plan().await?;
            let plan = match way.checked_sub(1) {
                None => plan,
                Some(choice) => {
                    let mut compile = Compile {
                        choice: CHOICES[choice].1,
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
    let [native, all, sorts, joins] = times.each_mut().map(|times| median(times));
    println!(
        "q{query:02} {native:9.1} ms   all {:.2}   no sorts {:.2}   no joins {:.2}   fragments {fragments:?}",
        all / native,
        sorts / native,
        joins / native
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
