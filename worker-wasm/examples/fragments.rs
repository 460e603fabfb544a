//! Times of compiled fragments over TPC-H lineitem in memory: one thread, copying into guest memory included.
//!
//! `cargo run -p worker-wasm --example fragments -- [scale factor, default 1]`. Per fragment: bytes of the module,
//! milliseconds to encode and to compile it, processor milliseconds of the best and the median of seven runs, and answers to check by eye.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{
        ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringViewArray,
        UInt8Array,
    },
    util::pretty::pretty_format_batches,
};
use tpchgen::generators::LineItemGenerator;
use worker_wasm::{
    Fragment, RunError, compile,
    runtime::{
        ArtefactCache, ArtefactLimits, Instance, LoadedModule, MemoryAccount, NoHostFunctions,
        Param, Protection, Refused, Runtime, RuntimeConfig,
    },
};

const BATCH_ROWS: usize = 8192;
const RUNS: usize = 7;

/// Days from 1970-01-01.
const DAY_1994: i128 = 8766;
const DAY_1995: i128 = 9131;
const DAY_1998_09_02: i128 = 10_471;

struct Case {
    name: &'static str,
    fragment: &'static str,
    params: Vec<Param>,
    /// Which columns of lineitem the fragment reads.
    columns: &'static [usize],
    /// Whether the rows are few enough to print.
    prints: bool,
}

/// Columns: shipdate, discount, quantity, extendedprice, tax, returnflag, linestatus, orderkey, partkey, and as text
/// returnflag, linestatus, shipinstruct, comment.
fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "Q6, narrow",
            fragment: "(fragment
                (input (column date32) (column (decimal 15 2) i32) (column (decimal 15 2) i32) (column (decimal 15 2) i32))
                (params (param date32) (param date32) (param (decimal 15 2) i32) (param (decimal 15 2) i32) (param (decimal 15 2) i32))
                (pipeline (input 0)
                    (filter (and (ge c0 p0) (lt c0 p1) (ge c1 p2) (le c1 p3) (lt c2 p4)))
                    (aggregate single (keys) (sum (mul c3 c1))))
                (pipeline (groups 0) (emit)))",
            params: [DAY_1994, DAY_1995, 5, 7, 2400].map(Param::Int).to_vec(),
            columns: &[0, 1, 2, 3],
            prints: true,
        },
        Case {
            name: "Q6, general",
            fragment: "(fragment
                (input (column date32) (column (decimal 15 2)) (column (decimal 15 2)) (column (decimal 15 2)))
                (params (param date32) (param date32) (param (decimal 15 2)) (param (decimal 15 2)) (param (decimal 15 2)))
                (pipeline (input 0)
                    (filter (and (ge c0 p0) (lt c0 p1) (ge c1 p2) (le c1 p3) (lt c2 p4)))
                    (aggregate single (keys) (sum (mul c3 c1))))
                (pipeline (groups 0) (emit)))",
            params: [DAY_1994, DAY_1995, 5, 7, 2400].map(Param::Int).to_vec(),
            columns: &[0, 1, 2, 3],
            prints: true,
        },
        Case {
            name: "Q1, narrow",
            fragment: "(fragment
                (input (column date32) (column (decimal 15 2) i32) (column (decimal 15 2) i32) (column (decimal 15 2) i32)
                    (column (decimal 15 2) i32) (column uint8) (column uint8))
                (params (param date32) (param (decimal 20 0) i32))
                (pipeline (input 0)
                    (filter (le c0 p0))
                    (project c5 c6 c2 c3 c1 (mul c3 (sub p1 c1)) (add p1 c4))
                    (aggregate single (keys c0 c1)
                        (sum c2) (sum c3) (sum c5) (sum (mul c5 c6))
                        (avg (decimal 19 6) c2) (avg (decimal 19 6) c3) (avg (decimal 19 6) c4) (count)))
                (pipeline (groups 0) (emit)))",
            params: [DAY_1998_09_02, 1].map(Param::Int).to_vec(),
            columns: &[0, 1, 2, 3, 4, 5, 6],
            prints: true,
        },
        Case {
            name: "Q1, text",
            fragment: "(fragment
                (input (column date32) (column (decimal 15 2) i32) (column (decimal 15 2) i32) (column (decimal 15 2) i32)
                    (column (decimal 15 2) i32) (column utf8) (column utf8))
                (params (param date32) (param (decimal 20 0) i32))
                (pipeline (input 0)
                    (filter (le c0 p0))
                    (project c5 c6 c2 c3 c1 (mul c3 (sub p1 c1)) (add p1 c4))
                    (aggregate single (keys c0 c1)
                        (sum c2) (sum c3) (sum c5) (sum (mul c5 c6))
                        (avg (decimal 19 6) c2) (avg (decimal 19 6) c3) (avg (decimal 19 6) c4) (count)))
                (pipeline (groups 0) (emit)))",
            params: [DAY_1998_09_02, 1].map(Param::Int).to_vec(),
            columns: &[0, 1, 2, 3, 4, 9, 10],
            prints: true,
        },
        Case {
            name: "text = and prefix",
            fragment: "(fragment
                (input (column utf8))
                (params (param utf8) (param utf8))
                (pipeline (input 0)
                    (filter (or (eq c0 p0) (like prefix c0 p1)))
                    (aggregate single (keys) (count)))
                (pipeline (groups 0) (emit)))",
            params: vec![text("COLLECT COD"), text("TAKE BACK")],
            columns: &[11],
            prints: true,
        },
        Case {
            name: "text contains",
            fragment: "(fragment
                (input (column utf8))
                (params (param utf8))
                (pipeline (input 0)
                    (filter (like contains c0 p0))
                    (aggregate single (keys) (count) (min c0)))
                (pipeline (groups 0) (emit)))",
            params: vec![text("special requests")],
            columns: &[12],
            prints: true,
        },
        Case {
            name: "sum by orderkey",
            fragment: "(fragment
                (input (column int64) (column int64))
                (params)
                (pipeline (input 0) (aggregate single (keys c0) (sum c1)))
                (pipeline (groups 0) (emit)))",
            params: Vec::new(),
            columns: &[7, 8],
            prints: false,
        },
        Case {
            name: "sum by partkey",
            fragment: "(fragment
                (input (column int64) (column int64))
                (params)
                (pipeline (input 0) (aggregate single (keys c0) (sum c1)))
                (pipeline (groups 0) (emit)))",
            params: Vec::new(),
            columns: &[8, 7],
            prints: false,
        },
    ]
}

fn text(literal: &str) -> Param {
    Param::Text(literal.into())
}

fn lineitem(scale: f64) -> Vec<RecordBatch> {
    let mut columns: [Vec<i64>; 9] = Default::default();
    let mut texts: [Vec<String>; 4] = Default::default();
    for item in LineItemGenerator::new(scale, 1, 1).iter() {
        let values = [
            i64::from(item.l_shipdate.to_unix_epoch()),
            item.l_discount.into_inner(),
            item.l_quantity * 100,
            item.l_extendedprice.into_inner(),
            item.l_tax.into_inner(),
            i64::from(item.l_returnflag.as_bytes()[0]),
            i64::from(item.l_linestatus.as_bytes()[0]),
            item.l_orderkey,
            item.l_partkey,
        ];
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
        let words = [
            item.l_returnflag.to_string(),
            item.l_linestatus.to_string(),
            item.l_shipinstruct.to_string(),
            item.l_comment.to_string(),
        ];
        for (column, word) in texts.iter_mut().zip(words) {
            column.push(word);
        }
    }
    let mut arrays: Vec<_> = columns.iter().enumerate().map(array).collect();
    for column in &texts {
        let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(column));
        arrays.push(column);
    }
    let names = [
        "shipdate",
        "discount",
        "quantity",
        "price",
        "tax",
        "flag",
        "status",
        "order",
        "part",
        "flag text",
        "status text",
        "instruct",
        "comment",
    ];
    let whole = RecordBatch::try_from_iter(names.into_iter().zip(arrays))
        .expect("columns are equally long");
    let starts = (0..whole.num_rows()).step_by(BATCH_ROWS);
    starts
        .map(|start| whole.slice(start, BATCH_ROWS.min(whole.num_rows() - start)))
        .collect()
}

fn array((index, values): (usize, &Vec<i64>)) -> ArrayRef {
    let values = values.iter().copied();
    match index {
        0 => Arc::new(Date32Array::from_iter_values(values.map(|day| day as i32))),
        1..=4 => {
            let decimals = Decimal128Array::from_iter_values(values.map(i128::from));
            Arc::new(
                decimals
                    .with_precision_and_scale(15, 2)
                    .expect("15 digits, 2 places"),
            )
        }
        5 | 6 => Arc::new(UInt8Array::from_iter_values(
            values.map(|letter| letter as u8),
        )),
        _ => Arc::new(Int64Array::from_iter_values(values)),
    }
}

struct Unlimited;

impl MemoryAccount for Unlimited {
    fn grow(&mut self, _: u64) -> Result<(), Refused> {
        Ok(())
    }

    fn shrink(&mut self, _: u64) {}
}

fn run(
    runtime: &Runtime,
    loaded: &LoadedModule,
    params: &[Param],
    batches: &[RecordBatch],
) -> Result<Vec<RecordBatch>, RunError> {
    let account = Box::new(Unlimited);
    let functions = Box::new(NoHostFunctions);
    let mut instance = Instance::open(runtime, loaded, params, account, functions)?;
    let mut check = || Ok(());
    for batch in batches {
        instance.push(0, batch, &mut check)?;
    }
    instance.finish(0, &mut check)?;
    let mut out = Vec::new();
    while let Some(batch) = instance.pull(BATCH_ROWS as u32, &mut check)? {
        out.push(batch);
    }
    Ok(out)
}

/// Time this thread has spent on a processor: on a busy machine the only one that means something.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scale = std::env::args()
        .nth(1)
        .map_or(Ok(1.0), |text| text.parse())?;
    let batches = lineitem(scale);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    println!("lineitem of scale factor {scale}: {rows} rows in batches of {BATCH_ROWS}\n");
    let limits = ArtefactLimits {
        modules_max: 16,
        disk_bytes_max: 0,
    };
    let runtime = Runtime::new(RuntimeConfig {
        protection: Protection::probe(1),
        idle_memories_max: 1,
        idle_memory_bytes: 256 << 20,
        perf_map: std::env::var_os("MURRE_PERF_MAP").is_some(),
        artefacts: ArtefactCache::new(limits, None),
    })?;
    for case in cases() {
        let fragment: Fragment = case.fragment.parse()?;
        let start = Instant::now();
        let module = compile(&fragment)?;
        let encode = start.elapsed();
        let start = Instant::now();
        let loaded = runtime.load(&module)?;
        let compile = start.elapsed();
        let projected: Result<Vec<_>, _> = batches
            .iter()
            .map(|batch| batch.project(case.columns))
            .collect();
        let projected = projected?;
        let mut times = Vec::new();
        let mut out = Vec::new();
        for _ in 0..RUNS {
            let start = processor_time();
            out = run(&runtime, &loaded, &case.params, &projected)?;
            times.push(processor_time() - start);
        }
        times.sort();
        println!(
            "{:16} {:5} bytes  encode {:.2} ms  compile {:5.1} ms  best {:6.1} ms  median {:6.1} ms",
            case.name,
            module.bytes().len(),
            milliseconds(encode),
            milliseconds(compile),
            milliseconds(times[0]),
            milliseconds(times[RUNS / 2]),
        );
        if case.prints {
            println!("{}", pretty_format_batches(&out)?);
        }
    }
    Ok(())
}
