//! What compiling the TPC-H queries costs, and whether other literals cost anything.
//!
//! `cargo run -p worker-wasm --example tpch_modules -- FOLDER`, where the folder has the eight tables as Parquet files.
//! Per query, everything compiled that can be: fragments, bytes of their modules, milliseconds to encode them and to turn
//! them into machine code on one thread, and how many of the same query with other literals have no code yet.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod tpch;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use datafusion::{
    error::{DataFusionError, Result},
    physical_plan::ExecutionPlan,
    prelude::SessionContext,
};
use worker_wasm::{
    exec::{Encoded, FragmentExec, ModuleCache},
    lower::{Assemble, Piece, Reason, lower},
};

/// Literals of the queries, and others as TPC-H could have drawn them.
const LITERALS: [(&str, &str); 35] = [
    ("'90' day", "'62' day"),
    ("%BRASS", "%TIN"),
    ("p_size = 15", "p_size = 31"),
    ("EUROPE", "AFRICA"),
    ("BUILDING", "MACHINERY"),
    ("1995-03-15", "1995-03-07"),
    ("1993-07-01", "1996-05-01"),
    ("'ASIA'", "'AMERICA'"),
    ("1994-01-01", "1995-01-01"),
    ("0.05", "0.02"),
    ("0.07", "0.04"),
    ("l_quantity < 24", "l_quantity < 25"),
    ("FRANCE", "KENYA"),
    ("GERMANY", "PERU"),
    ("BRAZIL", "CHINA"),
    ("ECONOMY ANODIZED STEEL", "SMALL PLATED COPPER"),
    ("%green%", "%azure%"),
    ("1993-10-01", "1994-03-01"),
    ("0.0001", "0.0002"),
    ("'MAIL', 'SHIP'", "'RAIL', 'FOB'"),
    ("%special%requests%", "%pending%packages%"),
    ("1995-09-01", "1997-02-01"),
    ("1996-01-01", "1993-05-01"),
    ("<> 'Brand#45'", "<> 'Brand#12'"),
    ("MEDIUM POLISHED%", "SMALL BRUSHED%"),
    ("(49, 14, 23, 45, 19, 3, 36, 9)", "(1, 2, 3, 4, 5, 6, 7, 8)"),
    ("'MED BOX'", "'LG CAN'"),
    ("> 300", "> 313"),
    ("'Brand#34'", "'Brand#51'"),
    ("l_quantity >= 10", "l_quantity >= 12"),
    ("forest%", "lime%"),
    ("CANADA", "JORDAN"),
    ("SAUDI ARABIA", "VIETNAM"),
    ("'13', '31', '23', '29'", "'10', '11', '12', '14'"),
    ("p_size between 1 and 5", "p_size between 2 and 6"),
];

/// What the fragments of one plan have cost.
struct Compile<'a> {
    cache: &'a ModuleCache,
    fragments: usize,
    new: usize,
    module_bytes: usize,
    encode_time: Duration,
    load_time: Duration,
}

impl<'a> Compile<'a> {
    fn new(cache: &'a ModuleCache) -> Self {
        Self {
            cache,
            fragments: 0,
            new: 0,
            module_bytes: 0,
            encode_time: Duration::ZERO,
            load_time: Duration::ZERO,
        }
    }
}

impl Assemble for Compile<'_> {
    fn node(
        &mut self,
        piece: Piece,
    ) -> Result<std::result::Result<Arc<dyn ExecutionPlan>, Reason>> {
        let mut modules = Vec::new();
        for part in piece.parts() {
            let fragment = &part.bound.fragment;
            self.fragments += 1;
            if let Some(known) = self.cache.get(fragment) {
                modules.push(known);
                continue;
            }
            let encoded = Encoded::new(fragment);
            let encoded = encoded.map_err(|error| DataFusionError::External(error.into()))?;
            self.new += 1;
            self.module_bytes += encoded.module.bytes().len();
            self.encode_time += encoded.encode_time;
            let start = Instant::now();
            let loaded = self.cache.load(encoded);
            modules.push(loaded.map_err(|error| DataFusionError::External(error.into()))?);
            self.load_time += start.elapsed();
        }
        Ok(Ok(Arc::new(FragmentExec::new(piece, modules)?)))
    }
}

fn with_other_literals(sql: &str) -> String {
    let known = LITERALS.iter().filter(|(from, _)| sql.contains(from));
    known.fold(sql.to_owned(), |sql, (from, to)| sql.replace(from, to))
}

async fn plan(context: &SessionContext, sql: &str) -> Result<Arc<dyn ExecutionPlan>> {
    context.sql(sql).await?.create_physical_plan().await
}

async fn run(context: &SessionContext, query: u32, modules: &ModuleCache) -> Result<()> {
    let sql = tpch::query(query)?;
    let (mut first, mut second) = (Compile::new(modules), Compile::new(modules));
    lower(&plan(context, &sql).await?, false, &mut first)?;
    let other = with_other_literals(&sql);
    let changed = if other == sql { "unchanged" } else { "" };
    lower(&plan(context, &other).await?, false, &mut second)?;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "| q{query:02} | {} | {} | {:.2} | {:.1} | {} {changed}|",
        first.fragments,
        first.module_bytes,
        milliseconds(first.encode_time),
        milliseconds(first.load_time),
        second.new,
    );
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1);
    let folder = folder.ok_or("a folder with Parquet files")?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio.block_on(async {
        let context = tpch::session(Path::new(&folder), false).await?;
        println!(
            "| query | fragments | module bytes | encode ms | Cranelift ms | compiled again |"
        );
        println!("| --- | ---: | ---: | ---: | ---: | ---: |");
        for query in 1..=22 {
            run(&context, query, &tpch::modules()?).await?;
        }
        Ok(())
    })
}
