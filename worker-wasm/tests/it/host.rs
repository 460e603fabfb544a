//! The host: memory, protection, facts, errors, hostile guests, and the artefact cache.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch};
use prost::Message;
use wasm_encoder::{
    CodeSection, CustomSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    ImportSection, Instruction, MemArg, MemoryType, Module, TypeSection, ValType,
};
use worker_wasm::{
    Fragment, FragmentModule, RunError, abi, compile,
    module::Description,
    runtime::{
        ArtefactCache, ArtefactFolder, ArtefactLimits, GuestMemory, HostError, HostFunctions,
        Instance, MemoryAccount, NoHostFunctions, Param, Protection, Refused, Runtime,
        RuntimeConfig,
    },
};

use crate::{
    joins,
    support::{GUARDED, Unlimited, drain, go, open, run, runtime},
};

const SUM: &str = "(fragment (input (column int64)) (params (param int64))
    (pipeline (input 0) (filter (ge c0 p0)) (aggregate single (keys) (sum c0)))
    (pipeline (groups 0) (emit)))";

const GROUPS: &str = "(fragment (input (column int64)) (params)
    (pipeline (input 0) (aggregate single (keys c0) (count)))
    (pipeline (groups 0) (emit)))";

fn numbers(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("c0", values)]).unwrap()
}

fn decimals(values: Vec<Option<i128>>) -> RecordBatch {
    let values = Decimal128Array::from(values)
        .with_precision_and_scale(38, 0)
        .unwrap();
    RecordBatch::try_from_iter_with_nullable([("c0", Arc::new(values) as ArrayRef, true)]).unwrap()
}

#[test]
fn checked_memories_give_the_same_answers() {
    let checked = runtime(Protection::Checked);
    let fragment: Fragment = SUM.parse().unwrap();
    let mut instance = open(&checked, &fragment, &[Param::Int(10)]).unwrap();
    instance.push(0, &numbers(0..1000), &mut go).unwrap();
    instance.finish(0, &mut go).unwrap();
    let mut out = Vec::new();
    drain(&mut instance, &mut out).unwrap();
    let expected: i64 = (10..1000).sum();
    assert_eq!(
        out[0]
            .column(0)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .value(0),
        expected
    );
    assert_eq!(instance.guest_rows(), 1000);
}

#[test]
fn literals_are_parameters_and_need_no_other_module() {
    let module = || compile(&SUM.parse().unwrap()).unwrap();
    assert_eq!(module().hash(), module().hash());
    let runtime = runtime(Protection::Guarded);
    assert!(!runtime.load(&module()).unwrap().cached());
    assert!(runtime.load(&module()).unwrap().cached());
    for (from, expected) in [(0, 6), (2, 5), (3, 3)] {
        let out = run(
            &SUM.parse().unwrap(),
            &[Param::Int(from)],
            &[numbers([1, 2, 3])],
        )
        .unwrap();
        assert_eq!(
            out.column(0)
                .as_primitive::<arrow::datatypes::Int64Type>()
                .value(0),
            expected
        );
    }
}

#[test]
fn parameters_of_the_wrong_kind_are_refused() {
    let fragment: Fragment = SUM.parse().unwrap();
    for params in [&[][..], &[Param::Float64(1.0)], &[Param::Int(1 << 70)]] {
        assert!(matches!(
            open(&GUARDED, &fragment, params),
            Err(RunError::Shape { .. })
        ));
    }
}

/// Each fact is broken by one batch, which the general module then takes in the same memory.
#[test]
fn a_batch_that_breaks_a_fact_goes_to_the_general_module() {
    let check =
        |facts: &str, kept: Vec<Option<i128>>, broken: Option<i128>, expected_fact: &str| {
            let text = format!(
                "(fragment (input (column (decimal 38 0) nullable {facts})) (params)
               (pipeline (input 0) (aggregate single (keys c0) (sum c0) (count)))
               (pipeline (groups 0) (emit)))"
            );
            let special: Fragment = text.parse().unwrap();
            let mut instance = open(&GUARDED, &special, &[]).unwrap();
            let kept = decimals(kept);
            instance.push(0, &kept, &mut go).unwrap();
            let batch = decimals(vec![Some(1), broken, Some(2)]);
            match instance.push(0, &batch, &mut go) {
                Err(RunError::Fact {
                    input: 0,
                    column: 0,
                    fact,
                }) => assert_eq!(fact, expected_fact),
                other => panic!("{facts}: {other:?}"),
            }
            let general = GUARDED.load(&compile(&special.general()).unwrap()).unwrap();
            instance.take_over(&GUARDED, &general).unwrap();
            instance.push(0, &batch, &mut go).unwrap();
            instance.finish(0, &mut go).unwrap();
            let mut out = Vec::new();
            drain(&mut instance, &mut out).unwrap();
            // One general instance over both batches gives the same groups, in the same order.
            let all = run(&special.general(), &[], &[kept, batch]).unwrap();
            assert_eq!(out, [all]);
        };
    let (i32_max, i64_max) = (i128::from(i32::MAX), i128::from(i64::MAX));
    check(
        "i32",
        vec![Some(1), None, Some(-i32_max)],
        Some(i32_max + 1),
        "i32",
    );
    check(
        "i32",
        vec![Some(1), Some(i32_max)],
        Some(-i32_max - 1),
        "i32",
    );
    check(
        "i64",
        vec![Some(2), Some(-i64_max)],
        Some(i64_max + 1),
        "i64",
    );
    check("i64", vec![Some(2), None], Some(-i64_max - 1), "i64");
    check("no-nulls", vec![Some(2)], None, "no-nulls");
}

#[test]
fn a_module_of_another_shape_takes_nothing_over() {
    let mut instance = open(&GUARDED, &SUM.parse().unwrap(), &[Param::Int(1)]).unwrap();
    let other = GUARDED
        .load(&compile(&GROUPS.parse().unwrap()).unwrap())
        .unwrap();
    assert!(matches!(
        instance.take_over(&GUARDED, &other),
        Err(RunError::Shape { .. })
    ));
}

#[test]
fn batches_of_other_types_or_inputs_are_refused() {
    let mut instance = open(&GUARDED, &SUM.parse().unwrap(), &[Param::Int(1)]).unwrap();
    let wrong = decimals(vec![Some(1)]);
    assert!(matches!(
        instance.push(0, &wrong, &mut go),
        Err(RunError::Shape { .. })
    ));
    assert!(matches!(
        instance.push(1, &numbers([1]), &mut go),
        Err(RunError::Shape { .. })
    ));
    let large = numbers(0..abi::BATCH_ROWS_MAX as i64 + 1);
    assert!(matches!(
        instance.push(0, &large, &mut go),
        Err(RunError::Shape { .. })
    ));
    assert!(instance.push(0, &numbers([1]), &mut go).is_ok());
}

/// Gives so many bytes, and counts what is out.
#[derive(Clone)]
pub(crate) struct Limited(pub(crate) u64, pub(crate) Arc<AtomicU64>);

impl MemoryAccount for Limited {
    fn grow(&mut self, bytes: u64) -> Result<(), Refused> {
        let out = self.1.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if out > self.0 {
            self.1.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Refused(format!("{out} of {}", self.0)));
        }
        Ok(())
    }

    fn shrink(&mut self, bytes: u64) {
        self.1.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[test]
fn guest_memory_is_charged_refused_and_given_back() {
    let loaded = GUARDED
        .load(&compile(&GROUPS.parse().unwrap()).unwrap())
        .unwrap();
    let account = Limited(4 << 20, Arc::default());
    let mut instance = Instance::open(
        &GUARDED,
        &loaded,
        &[],
        Box::new(account.clone()),
        Box::new(NoHostFunctions),
    )
    .unwrap();
    let refused = (0..100)
        .map(|batch| numbers(batch * 10_000..(batch + 1) * 10_000))
        .find_map(|batch| {
            let pushed = instance.push(0, &batch, &mut go);
            assert_eq!(instance.memory_bytes(), account.1.load(Ordering::Relaxed));
            pushed.err()
        });
    assert!(
        matches!(refused, Some(RunError::Memory { .. })),
        "{refused:?}"
    );
    drop(instance);
    assert_eq!(account.1.load(Ordering::Relaxed), 0);
}

#[test]
fn a_full_window_is_an_error_of_its_own() {
    let checked = runtime(Protection::Checked);
    let mut instance = open(&checked, &GROUPS.parse().unwrap(), &[]).unwrap();
    let full = (0..200).find_map(|batch| {
        let batch = numbers(batch * 60_000..(batch + 1) * 60_000);
        instance.push(0, &batch, &mut go).err()
    });
    assert!(
        matches!(
            full,
            Some(RunError::WindowFull {
                window: "private",
                ..
            })
        ),
        "{full:?}"
    );
}

#[test]
fn a_check_stops_between_calls() {
    let mut instance = open(&GUARDED, &GROUPS.parse().unwrap(), &[]).unwrap();
    let mut calls = 0;
    let mut check = || {
        calls += 1;
        if calls > 2 {
            Err(RunError::Stopped)
        } else {
            Ok(())
        }
    };
    let pushed = instance.push(0, &numbers(0..60_000), &mut check);
    assert!(matches!(pushed, Err(RunError::Stopped)), "{pushed:?}");
}

/// A module with one input and no code of ours: `push_0` is `body`, and everything else says DONE.
fn hand_made(
    imports: &[(&str, &[ValType])],
    locals: u32,
    body: &[Instruction<'_>],
    pull: &[Instruction<'_>],
) -> FragmentModule {
    let fragment = "(fragment (input (column int64)) (params) (pipeline (input 0) (emit)))";
    let done = [Instruction::I32Const(0)];
    hand_made_for(fragment, imports, locals, body, &done, pull)
}

/// A module of hand-written calls that says it is `fragment`, which has one input.
pub(crate) fn hand_made_for(
    fragment: &str,
    imports: &[(&str, &[ValType])],
    locals: u32,
    body: &[Instruction<'_>],
    finish: &[Instruction<'_>],
    pull: &[Instruction<'_>],
) -> FragmentModule {
    let mut types = TypeSection::new();
    let mut imported = ImportSection::new();
    let memory = MemoryType {
        minimum: 1,
        maximum: Some(65_536),
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    imported.import(abi::IMPORT_MODULE, abi::MEMORY, EntityType::Memory(memory));
    for (index, (name, params)) in imports.iter().enumerate() {
        types.ty().function(params.to_vec(), [ValType::I32]);
        imported.import(abi::IMPORT_MODULE, name, EntityType::Function(index as u32));
    }
    let first = imports.len() as u32;
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([], [ValType::I32]);
    let (mut functions, mut exports, mut code) = (
        FunctionSection::new(),
        ExportSection::new(),
        CodeSection::new(),
    );
    let done = &[Instruction::I32Const(0)][..];
    let parts = [
        ("open", first, done),
        ("push_0", first, body),
        ("finish_0", first + 1, finish),
        ("pull", first, pull),
    ];
    for (index, (name, ty, body)) in parts.into_iter().enumerate() {
        functions.function(ty);
        exports.export(name, ExportKind::Func, first + index as u32);
        let mut function = Function::new([(locals, ValType::I32)]);
        for instruction in body {
            function.instruction(instruction);
        }
        function.instruction(&Instruction::End);
        code.function(&function);
    }
    let description = Description {
        abi_version: abi::ABI_VERSION,
        fragment: fragment.to_owned(),
        ..Description::default()
    };
    let data = description.encode_to_vec();
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imported)
        .section(&functions)
        .section(&exports)
        .section(&code);
    module.section(&CustomSection {
        name: abi::SECTION.into(),
        data: data.as_slice().into(),
    });
    FragmentModule::from_bytes(module.finish()).unwrap()
}

fn start(
    runtime: &Runtime,
    module: &FragmentModule,
    functions: Box<dyn HostFunctions>,
) -> Instance {
    let loaded = runtime.load(module).unwrap();
    Instance::open(runtime, &loaded, &[], Box::new(Unlimited), functions).unwrap()
}

const AT: MemArg = MemArg {
    offset: 0,
    align: 0,
    memory_index: 0,
};

pub(crate) fn poke(address: i32, value: i32) -> [Instruction<'static>; 3] {
    [
        Instruction::I32Const(address),
        Instruction::I32Const(value),
        Instruction::I32Store(AT),
    ]
}

#[test]
fn stray_accesses_trap_in_both_protections() {
    let checked = runtime(Protection::Checked);
    // The end of the private window and the whole build window are not accessible.
    for (runtime, address) in [
        (&*GUARDED, (1 << 30) - 8),
        (&*GUARDED, -64),
        (&checked, 600 << 20),
        (&checked, -64),
    ] {
        let mut body = poke(address, 1).to_vec();
        body.push(Instruction::I32Const(0));
        let module = hand_made(&[], 0, &body, &[Instruction::I32Const(0)]);
        let mut instance = start(runtime, &module, Box::new(NoHostFunctions));
        let pushed = instance.push(0, &numbers([1]), &mut go);
        let Err(RunError::Broken {
            module: name,
            detail,
        }) = pushed
        else {
            panic!("{pushed:?}");
        };
        assert_eq!(name, module.name());
        assert!(detail.contains("out of bounds"), "{detail}");
    }
}

#[test]
fn a_table_is_gone_from_a_memory_that_another_instance_gets() {
    let runtime = &*GUARDED;
    let build: Fragment =
        "(fragment (input (column int64)) (params) (pipeline (input 0) (build 0)))"
            .parse()
            .unwrap();
    let table = Arc::new(joins::build(&build, &[], &[numbers(0..10)]));
    let probe: Fragment = "(fragment (input (column int64)) (params)
        (pipeline (input 0) (join inner (table (keys 0) (column int64)) (keys c0)) (emit)))"
        .parse()
        .unwrap();
    let mut instance = joins::probe(&probe, &[], &[Arc::clone(&table)]).unwrap();
    instance.push(0, &numbers([7]), &mut go).unwrap();
    assert!(instance.pull(10, &mut go).unwrap().is_some());
    drop(instance);
    // All idle memories, the one that had the table among them.
    let read = [
        Instruction::I32Const(i32::MIN),
        Instruction::I32Load(AT),
        Instruction::Drop,
        Instruction::I32Const(0),
    ];
    let module = hand_made(&[], 0, &read, &[Instruction::I32Const(0)]);
    let mut instances: Vec<_> = (0..4)
        .map(|_| start(runtime, &module, Box::new(NoHostFunctions)))
        .collect();
    for instance in &mut instances {
        let pushed = instance.push(0, &numbers([1]), &mut go);
        assert!(matches!(pushed, Err(RunError::Broken { .. })), "{pushed:?}");
    }
}

#[test]
fn hostile_answers_are_refused() {
    let descriptors = 2048;
    let rows = |rows| poke(abi::control::OUT_ROWS as i32, rows).to_vec();
    let more = |mut body: Vec<_>| {
        body.push(Instruction::I32Const(1));
        body
    };
    let far = |field: u32| poke(descriptors + field as i32, -16);
    let near = poke(descriptors + abi::column::VALUES as i32, 4096);
    let columns = poke(abi::control::OUT_COLUMNS as i32, descriptors);
    let hostile = [
        vec![Instruction::I32Const(17)],
        vec![Instruction::I32Const(3)],
        more(rows(-1)),
        more([rows(1), poke(abi::control::OUT_COLUMNS as i32, -4).to_vec()].concat()),
        more([rows(1), columns.to_vec(), far(abi::column::VALUES).to_vec()].concat()),
        // A memory that was used before holds anything where the column's address is read.
        more([rows(60_000), columns.to_vec(), near.to_vec()].concat()),
    ];
    for pull in hostile {
        let module = hand_made(&[], 0, &[Instruction::I32Const(0)], &pull);
        let mut instance = start(&GUARDED, &module, Box::new(NoHostFunctions));
        let pulled = instance.pull(10, &mut go);
        assert!(
            matches!(pulled, Err(RunError::Broken { .. })),
            "{pull:?}: {pulled:?}"
        );
    }
    // The memory of a table that it does not build.
    let needs = [
        poke(abi::control::BUILD_NEEDED as i32, 1 << 20).to_vec(),
        vec![Instruction::I32Const(2)],
    ]
    .concat();
    let module = hand_made(&[], 0, &needs, &[Instruction::I32Const(0)]);
    let mut instance = start(&GUARDED, &module, Box::new(NoHostFunctions));
    let pushed = instance.push(0, &numbers([1]), &mut go);
    assert!(matches!(pushed, Err(RunError::Broken { .. })), "{pushed:?}");
    // More than the private window.
    let needs = [
        poke(abi::control::NEEDED as i32, 1 << 30).to_vec(),
        vec![Instruction::I32Const(2)],
    ]
    .concat();
    let module = hand_made(&[], 0, &needs, &[Instruction::I32Const(0)]);
    let mut instance = start(&GUARDED, &module, Box::new(NoHostFunctions));
    let mut calls = 0;
    let mut check = || {
        calls += 1;
        if calls > 3 {
            Err(RunError::Stopped)
        } else {
            Ok(())
        }
    };
    // The whole window is granted; asking again for what it has is stopped by the check.
    let pushed = instance.push(0, &numbers([1]), &mut check);
    assert!(matches!(pushed, Err(RunError::Stopped)), "{pushed:?}");
}

/// Keeps spills in memory; function 7 is known and adds nothing but a mark.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Vec<u8>>>>);

impl HostFunctions for Recorder {
    fn eval(
        &mut self,
        expression: u32,
        memory: &mut GuestMemory<'_>,
        input: u32,
        output: u32,
    ) -> Result<(), HostError> {
        if expression != 7 {
            return Err(format!("no function {expression}").into());
        }
        let value = memory.bytes(input, 4).ok_or("no input")?.to_vec();
        memory
            .bytes_mut(output, 4)
            .ok_or("no output")?
            .copy_from_slice(&value);
        Ok(())
    }

    fn spill_write(&mut self, bytes: &[u8]) -> Result<u32, HostError> {
        let mut spills = self.0.lock().unwrap();
        spills.push(bytes.to_vec());
        Ok(spills.len() as u32 - 1)
    }

    fn spill_read(&mut self, handle: u32, offset: u64, bytes: &mut [u8]) -> Result<(), HostError> {
        let spills = self.0.lock().unwrap();
        let from = &spills.get(handle as usize).ok_or("no spill")?[offset as usize..];
        bytes.copy_from_slice(&from[..bytes.len()]);
        Ok(())
    }
}

#[test]
fn host_functions_reach_guest_memory_and_their_errors_reach_the_caller() {
    use ValType::{I32, I64};
    let imports: [(&str, &[ValType]); 3] = [
        (abi::EVAL, &[I32, I32, I32]),
        (abi::SPILL_WRITE, &[I32, I32]),
        (abi::SPILL_READ, &[I32, I64, I32, I32]),
    ];
    let eval = |expression, input, output| {
        [
            Instruction::I32Const(expression),
            Instruction::I32Const(input),
            Instruction::I32Const(output),
            Instruction::Call(0),
        ]
    };
    // Copies 4 bytes by eval, spills them, reads them back to OUT_ROWS.
    let body = [
        poke(2048, 0x1234_5678).to_vec(),
        eval(7, 2048, 2052).to_vec(),
        vec![Instruction::Drop],
        vec![
            Instruction::I32Const(2052),
            Instruction::I32Const(4),
            Instruction::Call(1),
            Instruction::LocalSet(1),
        ],
        vec![
            Instruction::LocalGet(1),
            Instruction::I64Const(0),
            Instruction::I32Const(abi::control::OUT_ROWS as i32),
            Instruction::I32Const(4),
            Instruction::Call(2),
        ],
    ]
    .concat();
    let recorder = Recorder::default();
    let module = hand_made(&imports, 1, &body, &[Instruction::I32Const(1)]);
    let mut instance = start(&GUARDED, &module, Box::new(recorder.clone()));
    instance.push(0, &numbers([1]), &mut go).unwrap();
    assert_eq!(
        *recorder.0.lock().unwrap(),
        [0x1234_5678i32.to_le_bytes().to_vec()]
    );
    let pulled = instance.pull(1, &mut go).unwrap_err();
    assert!(
        pulled.to_string().contains(&0x1234_5678.to_string()),
        "{pulled}"
    );

    let unknown = hand_made(
        &imports,
        1,
        &eval(8, 2048, 2052),
        &[Instruction::I32Const(0)],
    );
    let mut instance = start(&GUARDED, &unknown, Box::new(recorder.clone()));
    let pushed = instance.push(0, &numbers([1]), &mut go);
    let Err(RunError::Function { source }) = pushed else {
        panic!("{pushed:?}");
    };
    assert_eq!(source.to_string(), "no function 8");
    let outside = hand_made(&imports, 1, &eval(7, -4, 2052), &[Instruction::I32Const(0)]);
    let mut instance = start(&GUARDED, &outside, Box::new(recorder));
    assert!(matches!(
        instance.push(0, &numbers([1]), &mut go),
        Err(RunError::Function { .. })
    ));
}

fn with_folder(path: &std::path::Path, mac_key: [u8; 32], disk_bytes_max: u64) -> Runtime {
    let folder = ArtefactFolder {
        path: path.to_owned(),
        mac_key,
    };
    let limits = ArtefactLimits {
        modules_max: 1,
        disk_bytes_max,
    };
    Runtime::new(RuntimeConfig {
        protection: Protection::Guarded,
        idle_memories_max: 1,
        idle_memory_bytes: 8 << 20,
        perf_map: false,
        artefacts: ArtefactCache::new(limits, Some(folder)),
    })
    .unwrap()
}

fn only_file(folder: &std::path::Path) -> std::path::PathBuf {
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn artefacts_survive_a_restart_and_forged_ones_are_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let module = compile(&SUM.parse().unwrap()).unwrap();
    let load = |key| {
        with_folder(folder.path(), key, 64 << 20)
            .load(&module)
            .unwrap()
            .cached()
    };
    assert!(!load([1; 32]));
    assert!(load([1; 32]));
    // Another installation's key, a flipped bit anywhere, a torn file.
    assert!(!load([2; 32]));
    assert!(load([2; 32]));
    let path = only_file(folder.path());
    let good = fs::read(&path).unwrap();
    for at in [0, 9, 41, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        assert!(!load([2; 32]), "bit at {at}");
    }
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(!load([2; 32]));
    assert!(load([2; 32]));
}

#[test]
fn the_artefact_cache_keeps_to_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    let sum = compile(&SUM.parse().unwrap()).unwrap();
    let groups = compile(&GROUPS.parse().unwrap()).unwrap();
    let measure = with_folder(folder.path(), [1; 32], 64 << 20);
    measure.load(&sum).unwrap();
    measure.load(&groups).unwrap();
    let bytes: u64 = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    // In memory only the newer is left, on disk both.
    assert!(measure.load(&groups).unwrap().cached());
    assert!(measure.load(&sum).unwrap().cached());

    let small = tempfile::tempdir().unwrap();
    let runtime = with_folder(small.path(), [1; 32], bytes - 1);
    runtime.load(&sum).unwrap();
    runtime.load(&groups).unwrap();
    only_file(small.path());
    assert!(!runtime.load(&sum).unwrap().cached());

    let none = tempfile::tempdir().unwrap();
    with_folder(none.path(), [1; 32], 0).load(&sum).unwrap();
    assert_eq!(fs::read_dir(none.path()).unwrap().count(), 0);
}

#[test]
fn there_is_room_for_a_few_guarded_memories_and_not_for_endless_ones() {
    assert_eq!(Protection::probe(2), Protection::Guarded);
    // 128 TiB are all that x86-64 has.
    assert_eq!(Protection::probe(40_000), Protection::Checked);
}
