//! Processor time of TPC-H plans on one thread: as DataFusion made them, and with fragments in them.
//!
//! `cargo run -p worker-wasm --example tpch_plans -- FOLDER [parquet|memory] [rounds] [query ..]`, where the folder has the
//! eight tables as Parquet files. Per query: milliseconds of DataFusion's own operators (median), and of the same plan with
//! fragments as a share of it: everything that can be compiled; without sorts and joins; what `auto` takes. All four run once
//! in each round, one after the other; planning is on top of that, and has its own milliseconds. With `MURRE_ONLY` as native, all, nojoins or auto only that one runs, which is for
//! profiles; its milliseconds stand for DataFusion's.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod tpch;

use std::{path::Path, sync::Arc, time::Duration};

use datafusion::{
    error::{DataFusionError, Result},
    physical_plan::{ExecutionPlan, collect, joins::HashJoinExec, sorts::sort::SortExec},
    prelude::SessionContext,
};
use worker_wasm::{
    exec::{Encoded, FragmentExec, ModuleCache},
    lower::{Assemble, Piece, Reason, gain, lower},
};

/// What is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Everything,
    /// All but joins and sorts.
    NoJoins,
    /// What `murre.compile = auto` compiles once it has code for it.
    Auto,
}

/// How a plan can run, by name.
const WAYS: [(&str, Option<Choice>); 4] = [
    ("native", None),
    ("all", Some(Choice::Everything)),
    ("nojoins", Some(Choice::NoJoins)),
    ("auto", Some(Choice::Auto)),
];

struct Compile<'a> {
    choice: Choice,
    wanted: gain::Wanted,
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
            Choice::Auto => self.wanted.wants(plan),
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

/// Of all threads of the process.
fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on every Linux, and the call writes to nothing but `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

async fn timed(
    context: &SessionContext,
    plan: Arc<dyn ExecutionPlan>,
) -> Result<(Duration, usize)> {
    let start = processor_time();
    let batches = collect(plan, context.task_ctx()).await?;
    let rows = batches.iter().map(|batch| batch.num_rows()).sum();
    Ok((processor_time().saturating_sub(start), rows))
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// Runs a query in each of some ways, `rounds` times behind a first one, and prints what it took.
async fn run(
    context: &SessionContext,
    cache: &ModuleCache,
    query: u32,
    rounds: usize,
    ways: &[(&str, Option<Choice>)],
) -> Result<()> {
    let sql = tpch::query(query)?;
    let mut times = vec![Vec::new(); ways.len()];
    let mut planning = vec![Vec::new(); ways.len()];
    let mut fragments = vec![0; ways.len()];
    // The first round compiles, and warms what is warm in the others.
    for round in 0..=rounds {
        let mut counts = Vec::new();
        for (way, (_, choice)) in ways.iter().enumerate() {
            let start = processor_time();
            let plan = context.sql(&sql).await?.create_physical_plan().await?;
            let plan = match *choice {
                None => plan,
                Some(choice) => {
                    let mut compile = Compile {
                        choice,
                        wanted: gain::Wanted::of(&plan),
                        cache,
                        fragments: 0,
                    };
                    let lowered = lower(&plan, true, &mut compile)?;
                    fragments[way] = compile.fragments;
                    lowered.plan
                }
            };
            let planned = processor_time().saturating_sub(start);
            let (time, rows) = timed(context, plan).await?;
            counts.push(rows);
            if round > 0 {
                times[way].push(time);
                planning[way].push(planned);
            }
        }
        if counts.iter().any(|count| *count != counts[0]) {
            println!("q{query:02}: rows differ: {counts:?}");
        }
    }
    let medians: Vec<_> = times.iter_mut().map(|times| median(times)).collect();
    print!("q{query:02} {:9.1} ms", medians[0]);
    for ((name, _), median) in ways.iter().zip(&medians).skip(1) {
        print!("   {name} {:.2}", median / medians[0]);
    }
    let planning = planning
        .iter_mut()
        .map(|times| format!("{:.1}", median(times)));
    let planning = planning.collect::<Vec<_>>().join(" ");
    println!("   fragments {fragments:?}   planned in {planning} ms");
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
    let only = std::env::var("MURRE_ONLY").ok();
    let ways = WAYS.iter().copied();
    let ways: Vec<_> = ways
        .filter(|(name, _)| only.as_ref().is_none_or(|only| only == name))
        .collect();
    if ways.is_empty() {
        return Err("MURRE_ONLY is none of native, all, nojoins, auto".into());
    }
    let cache = tpch::modules()?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio.block_on(async {
        let context = tpch::session(Path::new(&folder), in_memory).await?;
        for query in queries {
            if let Err(error) = run(&context, &cache, query, rounds, &ways).await {
                println!("q{query:02}: {error}");
            }
        }
        Ok(())
    })
}
