//! Join tables as the host sees them: who pays, what stops a build, what two threads share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt8Array};
use worker_wasm::{
    Fragment, RunError, compile,
    runtime::{Instance, NoHostFunctions, Protection},
};

use crate::{
    host::Limited,
    support::{GUARDED, Unlimited, go, open, runtime},
};

const BUILD: &str = "(fragment (input (column int64)) (params) (pipeline (input 0) (build 0)))";

const COUNT: &str = "(fragment (input (column int64)) (params)
    (pipeline (input 0) (join inner (table (keys 0) (column int64)) (keys c0)) (aggregate single (keys) (count)))
    (pipeline (groups 0) (emit)))";

fn numbers(values: std::ops::Range<i64>) -> RecordBatch {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("c0", values)]).unwrap()
}

fn open_charged(text: &str, account: &Limited) -> Instance {
    let fragment: Fragment = text.parse().unwrap();
    let loaded = GUARDED.load(&compile(&fragment).unwrap()).unwrap();
    let account = Box::new(account.clone());
    Instance::open(&GUARDED, &loaded, &[], account, Box::new(NoHostFunctions)).unwrap()
}

/// An instance with `rows` rows that has not been finished.
fn filled(account: &Limited, rows: i64) -> Instance {
    let mut instance = open_charged(BUILD, account);
    for start in (0..rows).step_by(50_000) {
        let batch = numbers(start..rows.min(start + 50_000));
        instance.push(0, &batch, &mut go).unwrap();
    }
    instance
}

/// Far more than tables keep for the next one, or give back at once.
const MANY_BYTES: u64 = 64 << 20;

#[test]
fn a_large_table_that_is_given_up_is_charged_until_its_memory_is_given_back() {
    let account = Limited(u64::MAX, Arc::new(AtomicU64::new(0)));
    let mut instance = filled(&account, 6_000_000);
    let before = account.1.load(Ordering::Relaxed);
    let stopped = instance.finish(0, &mut || match account.1.load(Ordering::Relaxed)
        > before + MANY_BYTES
    {
        true => Err(RunError::Stopped),
        false => Ok(()),
    });
    assert!(matches!(stopped, Err(RunError::Stopped)), "{stopped:?}");
    assert_eq!(account.1.load(Ordering::Relaxed), instance.memory_bytes());
    drop(instance);
    let start = Instant::now();
    while account.1.load(Ordering::Relaxed) > 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "not given back");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_table_is_charged_until_nobody_has_it() {
    let account = Limited(u64::MAX, Arc::new(AtomicU64::new(0)));
    let mut instance = filled(&account, 200_000);
    let kept = instance.memory_bytes();
    instance.finish(0, &mut go).unwrap();
    let charged = account.1.load(Ordering::Relaxed);
    assert_eq!(charged, instance.memory_bytes());
    let table = instance.take_table().unwrap();
    assert_eq!(charged - kept, table.memory_bytes());
    assert_eq!(account.1.load(Ordering::Relaxed), table.memory_bytes());
    assert_eq!(table.rows(), 200_000);
    drop(table);
    assert_eq!(account.1.load(Ordering::Relaxed), 0);
}

#[test]
fn an_account_that_refuses_a_table_gets_everything_back() {
    let unlimited = Limited(u64::MAX, Arc::new(AtomicU64::new(0)));
    let rows_bytes = filled(&unlimited, 1_000_000).memory_bytes();
    // Room for the rows and for one piece of the table.
    let account = Limited(rows_bytes + (9 << 20), Arc::new(AtomicU64::new(0)));
    let mut instance = filled(&account, 1_000_000);
    let refused = instance.finish(0, &mut go);
    assert!(
        matches!(refused, Err(RunError::Memory { .. })),
        "{refused:?}"
    );
    assert_eq!(account.1.load(Ordering::Relaxed), instance.memory_bytes());
    drop(instance);
    assert_eq!(account.1.load(Ordering::Relaxed), 0);
}

#[test]
fn a_table_larger_than_its_window_is_refused() {
    let checked = runtime(Protection::Checked);
    let text = BUILD.replace("int64", "boolean");
    let mut instance = open(&checked, &text.parse().unwrap(), &[]).unwrap();
    let values: ArrayRef = Arc::new(BooleanArray::from(vec![true; 65_536]));
    let batch = RecordBatch::try_from_iter([("c0", values)]).unwrap();
    // A directory for more than 2^24 rows alone takes the whole window of 256 MiB.
    for _ in 0..257 {
        instance.push(0, &batch, &mut go).unwrap();
    }
    let full = instance.finish(0, &mut go);
    let is_full = matches!(
        full,
        Err(RunError::WindowFull {
            window: "build",
            ..
        })
    );
    assert!(is_full, "{full:?}");
}

#[test]
fn a_table_of_the_shortest_rows_has_all_of_them() {
    let build = BUILD.replace("int64", "uint8");
    let mut instance = open(&GUARDED, &build.parse().unwrap(), &[]).unwrap();
    let bytes = |value: u8, rows: usize| {
        let values: ArrayRef = Arc::new(UInt8Array::from(vec![value; rows]));
        RecordBatch::try_from_iter([("c0", values)]).unwrap()
    };
    let (first, others) = (bytes(7, 65_536), bytes(3, 65_536));
    instance.push(0, &first, &mut go).unwrap();
    // Half of a private window: where the list of rows was too short, it went on in the first of them.
    for _ in 1..1026 {
        instance.push(0, &others, &mut go).unwrap();
    }
    instance.finish(0, &mut go).unwrap();
    let table = instance.take_table().unwrap();
    assert_eq!(table.rows(), 1026 * 65_536);
    let count: Fragment = COUNT.replace("int64", "uint8").parse().unwrap();
    let loaded = GUARDED.load(&compile(&count).unwrap()).unwrap();
    let (account, functions) = (Box::new(Unlimited), Box::new(NoHostFunctions));
    let tables = [Arc::new(table)];
    let mut instance =
        Instance::open_with_tables(&GUARDED, &loaded, &[], &tables, account, functions).unwrap();
    instance.push(0, &bytes(7, 1), &mut go).unwrap();
    instance.finish(0, &mut go).unwrap();
    let out = instance.pull(10, &mut go).unwrap().unwrap();
    let counts = out.column(0).as_any().downcast_ref::<Int64Array>();
    assert_eq!(counts.unwrap().value(0), 65_536);
}

#[test]
fn a_build_can_be_stopped_in_each_of_its_calls() {
    let account = Limited(u64::MAX, Arc::new(AtomicU64::new(0)));
    let mut calls = 0;
    filled(&account, 500_000)
        .finish(0, &mut || {
            calls += 1;
            Ok(())
        })
        .unwrap();
    assert!(calls > 50, "{calls} calls");
    for stop_at in [1, 3, calls / 3, calls / 2, calls] {
        let mut calls = 0;
        let mut instance = filled(&account, 500_000);
        let stopped = instance.finish(0, &mut || {
            calls += 1;
            match calls == stop_at {
                true => Err(RunError::Stopped),
                false => Ok(()),
            }
        });
        assert!(matches!(stopped, Err(RunError::Stopped)), "{stopped:?}");
        assert!(instance.take_table().is_err());
    }
    assert_eq!(account.1.load(Ordering::Relaxed), 0);
}

#[test]
fn threads_probe_one_table_that_exists_once() {
    let account = Limited(u64::MAX, Arc::new(AtomicU64::new(0)));
    let mut instance = filled(&account, 1_000_000);
    instance.finish(0, &mut go).unwrap();
    let table = Arc::new(instance.take_table().unwrap());
    let fragment: Fragment = COUNT.parse().unwrap();
    let loaded = GUARDED.load(&compile(&fragment).unwrap()).unwrap();
    let matches: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let (tables, loaded) = (vec![Arc::clone(&table)], &loaded);
                let account = Box::new(account.clone());
                scope.spawn(move || {
                    let functions = Box::new(NoHostFunctions);
                    let mut instance = Instance::open_with_tables(
                        &GUARDED,
                        loaded,
                        &[],
                        &tables,
                        account,
                        functions,
                    )
                    .unwrap();
                    let start = thread * 900_000;
                    for start in (start..start + 600_000).step_by(60_000) {
                        let batch = numbers(start..start + 60_000);
                        instance.push(0, &batch, &mut go).unwrap();
                    }
                    instance.finish(0, &mut go).unwrap();
                    assert!(instance.memory_bytes() < table_share(&tables[0]));
                    let out = instance.pull(10, &mut go).unwrap().unwrap();
                    let counts = out.column(0).as_any().downcast_ref::<Int64Array>();
                    counts.unwrap().value(0)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(matches, [600_000, 100_000]);
    assert_eq!(account.1.load(Ordering::Relaxed), table.memory_bytes());
}

/// What a thread that probes may need for itself: far less than the table.
fn table_share(table: &worker_wasm::runtime::JoinTable) -> u64 {
    table.memory_bytes() / 8
}

#[test]
fn a_table_built_in_one_kind_of_memory_is_probed_in_the_other() {
    let account = Limited(u64::MAX, Arc::new(AtomicU64::new(0)));
    let mut instance = filled(&account, 100_000);
    instance.finish(0, &mut go).unwrap();
    let table = Arc::new(instance.take_table().unwrap());
    let checked = runtime(Protection::Checked);
    let loaded = checked
        .load(&compile(&COUNT.parse::<Fragment>().unwrap()).unwrap())
        .unwrap();
    let (account, functions) = (Box::new(account), Box::new(NoHostFunctions));
    let mut instance =
        Instance::open_with_tables(&checked, &loaded, &[], &[table], account, functions).unwrap();
    instance
        .push(0, &numbers(90_000..110_000), &mut go)
        .unwrap();
    instance.finish(0, &mut go).unwrap();
    let out = instance.pull(10, &mut go).unwrap().unwrap();
    let counts = out.column(0).as_any().downcast_ref::<Int64Array>();
    assert_eq!(counts.unwrap().value(0), 10_000);
}

#[test]
fn a_batch_that_breaks_a_fact_goes_on_joining_and_sorting_in_the_general_module() {
    let account = Limited(u64::MAX, Arc::new(AtomicU64::new(0)));
    let mut instance = filled(&account, 1000);
    instance.finish(0, &mut go).unwrap();
    let table = Arc::new(instance.take_table().unwrap());
    let fragment: Fragment = "(fragment (input (column int64 nullable no-nulls)) (params)
        (pipeline (input 0)
            (join right (table (keys 0) (column int64)) (keys c0))
            (sort (desc c0 nulls-last) (asc c1 nulls-first)))
        (pipeline (sorted 0) (emit)))"
        .parse()
        .unwrap();
    let load = |fragment: &Fragment| GUARDED.load(&compile(fragment).unwrap()).unwrap();
    let (account, functions) = (Box::new(account), Box::new(NoHostFunctions));
    let mut instance = Instance::open_with_tables(
        &GUARDED,
        &load(&fragment),
        &[],
        &[table],
        account,
        functions,
    )
    .unwrap();
    instance.push(0, &numbers(998..1002), &mut go).unwrap();
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None, Some(2000)]));
    let nulls = RecordBatch::try_from_iter_with_nullable([("c0", nulls, true)]).unwrap();
    let broken = instance.push(0, &nulls, &mut go);
    assert!(matches!(broken, Err(RunError::Fact { .. })), "{broken:?}");
    instance
        .take_over(&GUARDED, &load(&fragment.general()))
        .unwrap();
    instance.push(0, &nulls, &mut go).unwrap();
    instance.finish(0, &mut go).unwrap();
    let out = instance.pull(100, &mut go).unwrap().unwrap();
    let column = |index: usize| -> Vec<Option<i64>> {
        let column = out.column(index).as_any().downcast_ref::<Int64Array>();
        column.unwrap().iter().collect()
    };
    let none = [None; 4];
    assert_eq!(
        column(0),
        [[Some(999), Some(998), Some(7)].as_slice(), &none].concat()
    );
    assert_eq!(
        column(1),
        [
            Some(999),
            Some(998),
            Some(7),
            None,
            Some(1000),
            Some(1001),
            Some(2000)
        ]
    );
}
