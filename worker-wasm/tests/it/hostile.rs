//! What arrives in a form that nobody meant: modules, fragments, answers of guests, and batches, changed at random.
//!
//! Whatever comes in gives rows or a typed error; nothing panics, runs on, or touches memory outside its windows.
//! `MURRE_LONG=1` makes the five tests ten minutes long together, `MURRE_SEED=n` replays one round.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use arrow::array::{Array, ArrayRef};
use fastrand::Rng;
use wasm_encoder::{BlockType, Instruction, MemArg};
use worker_wasm::{
    Fragment, FragmentModule, RunError, abi, compile,
    fragment::{Column, Expr, Facts, Input, Join, Operator, Pipeline, Range, Sink, Source, Type},
    runtime::{Instance, JoinTable, MemoryAccount, NoHostFunctions, Param, Protection, Refused},
    worker::ModuleStore,
};

use crate::{
    golden,
    host::{hand_made_for, poke},
    joins, random,
    support::{GUARDED, Mix, runtime},
};

/// Rounds of each test in a run that nobody asked to be longer.
const ROUNDS: u64 = 300;
/// And what each of the five takes in one that somebody did.
const LONG: Duration = Duration::from_secs(120);
/// A round takes milliseconds. One that takes this long hangs.
const ROUND_MAX: Duration = Duration::from_secs(60);
/// Calls into a guest after which it is stopped. Batches are small: none that we make needs a tenth of them.
const CALLS_MAX: u32 = 1_000;

/// Runs rounds with their seeds. One that hangs ends the process, with its seed.
fn rounds(start: u64, mut round: impl FnMut(&mut Rng)) {
    if let Ok(seed) = std::env::var("MURRE_SEED") {
        return round(&mut Rng::with_seed(
            seed.parse().expect("MURRE_SEED is a number"),
        ));
    }
    let (seed, ended) = (AtomicU64::new(start), AtomicBool::new(false));
    let until = std::env::var_os("MURRE_LONG").map(|_| Instant::now() + LONG);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = (start, Instant::now());
            while !ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
                let now = seed.load(Ordering::Relaxed);
                if now != last.0 {
                    last = (now, Instant::now());
                } else if last.1.elapsed() > ROUND_MAX {
                    eprintln!("MURRE_SEED={now} hangs");
                    std::process::abort();
                }
            }
        });
        // However a round ends, the watch does too.
        let _ended = Ended(&ended);
        loop {
            let now = seed.load(Ordering::Relaxed);
            let _named = Named(now);
            round(&mut Rng::with_seed(now));
            seed.store(now + 1, Ordering::Relaxed);
            let enough = match until {
                Some(until) => Instant::now() >= until,
                None => now + 1 >= start + ROUNDS,
            };
            if enough {
                break;
            }
        }
    });
}

struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Says which round it was that panicked.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("MURRE_SEED={}", self.0);
        }
    }
}

/// The fragments of the golden files.
static GOLDEN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|is| is == "frag"))
        .collect();
    files.sort();
    let texts = files.iter().map(|path| fs::read_to_string(path).unwrap());
    let texts = texts.map(|text| {
        let fragment = text.split(golden::RULE).next().unwrap_or_default();
        let lines = fragment.lines().filter(|line| !line.starts_with(';'));
        lines.collect::<Vec<_>>().join("\n")
    });
    texts.collect()
});

/// Memory enough for what is meant, and an end to what is not.
struct Limited {
    bytes: u64,
}

impl MemoryAccount for Limited {
    fn grow(&mut self, bytes: u64) -> Result<(), Refused> {
        if self.bytes + bytes > 256 << 20 {
            return Err(Refused("256 MiB are enough".to_owned()));
        }
        self.bytes += bytes;
        Ok(())
    }

    fn shrink(&mut self, bytes: u64) {
        self.bytes -= bytes;
    }
}

fn limited() -> Box<Limited> {
    Box::new(Limited { bytes: 0 })
}

/// A check that ends a guest which is called too often.
fn budget() -> impl FnMut() -> Result<(), RunError> {
    let mut left = CALLS_MAX;
    move || {
        left = left.checked_sub(1).ok_or(RunError::Stopped)?;
        Ok(())
    }
}

fn change_bytes(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8], mix: &Mix) {
    for _ in 0..rng.usize(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.usize(0..bytes.len());
        let end = (at + rng.usize(1..16)).min(bytes.len());
        let how = match rng.u32(0..6) {
            0 => {
                bytes[at] ^= 1 << rng.u32(0..8);
                "a bit"
            }
            1 => {
                bytes[at] = rng.u8(..);
                "a byte"
            }
            2 => {
                bytes.drain(at..end);
                "bytes gone"
            }
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
                "bytes twice"
            }
            4 => {
                let from = rng.usize(0..other.len());
                let to = (from + rng.usize(1..64)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
                "another's bytes"
            }
            _ => {
                bytes.truncate(at);
                "cut short"
            }
        };
        mix.count(how);
    }
}

/// A worker runs no code but what it would have made of the fragment itself, so a module can do nothing that generated code
/// does not, such as loop for ever.
#[test]
fn a_worker_takes_no_module_but_what_it_would_make_itself() {
    let mix = Mix::default();
    let modules: Vec<_> = GOLDEN
        .iter()
        .map(|text| compile(&text.parse().unwrap()).unwrap().bytes().to_vec())
        .collect();
    let cache = crate::workers::cache();
    rounds(1, |rng| {
        let store = ModuleStore::new(Arc::clone(&cache), 4);
        let module = &modules[rng.usize(0..modules.len())];
        let mut bytes = module.clone();
        let other = &modules[rng.usize(0..modules.len())];
        change_bytes(rng, &mut bytes, other, &mix);
        match store.put(bytes.clone(), None) {
            Ok(_) => {
                // A change can make of it what is made of another fragment.
                let taken = FragmentModule::from_bytes(bytes.clone()).unwrap();
                let own = compile(taken.fragment()).unwrap();
                assert!(own.bytes() == bytes, "{} was taken", taken.name());
                mix.count(if bytes == *module {
                    "as it was"
                } else {
                    "another's"
                });
            }
            Err(_) => mix.count("refused"),
        }
        assert!(store.put(module.clone(), None).is_ok(), "the module itself");
    });
    let how = [
        "a bit",
        "a byte",
        "bytes gone",
        "bytes twice",
        "another's bytes",
        "cut short",
    ];
    mix.check(&[&how[..], &["refused"]].concat());
}

/// Words and parentheses of a fragment's text.
fn tokens(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut words: Vec<_> = GOLDEN.iter().flat_map(|text| tokens(text)).collect();
    words.extend(["-1", "0", "1", "7", "31", "4294967296", "c9", "p9", "\"\""].map(str::to_owned));
    words.sort();
    words.dedup();
    words
});

fn change_text(rng: &mut Rng, tokens: &mut Vec<String>) {
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(0..tokens.len());
        match rng.u32(0..12) {
            0 if tokens.len() > 1 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at].clone()),
            2 => {
                let other = rng.usize(0..tokens.len());
                tokens.swap(at, other);
            }
            3 => tokens[at] = WORDS[rng.usize(0..WORDS.len())].clone(),
            // A word for one like it: what most often leaves a fragment.
            _ => {
                let like = |word: &String| {
                    LIKE_WORDS
                        .iter()
                        .find(|words| words.contains(&word.as_str()))
                };
                let words: Vec<_> = (0..tokens.len())
                    .filter(|at| like(&tokens[*at]).is_some())
                    .collect();
                if let Some(at) = rng.choice(words) {
                    let words = like(&tokens[at]).unwrap();
                    tokens[at] = words[rng.usize(0..words.len())].to_owned();
                }
            }
        }
    }
}

/// Words that can stand for each other, as far as types allow.
const LIKE_WORDS: [&[&str]; 11] = [
    &["c0", "c1", "c2", "c3", "c4", "c5", "p0", "p1", "p2"],
    &["add", "sub", "mul", "div", "rem"],
    &["eq", "ne", "lt", "le", "gt", "ge"],
    &["and", "or"],
    &["sum", "min", "max", "count", "count-distinct"],
    &["single", "partial", "final"],
    &[
        "inner",
        "left",
        "right",
        "full",
        "left-semi",
        "left-anti",
        "right-semi",
        "right-anti",
    ],
    &[
        "int8", "int16", "int32", "int64", "uint8", "uint64", "float64", "date32", "utf8",
        "boolean",
    ],
    &["i32", "i64", "nullable", "no-nulls"],
    &["asc", "desc"],
    &["nulls-first", "nulls-last"],
];

/// A literal for a parameter, of its type.
fn literal(rng: &mut Rng, ty: &Type, range: Range) -> Param {
    let facts = Facts {
        range,
        ..Facts::NONE
    };
    let column = Column {
        ty: ty.clone(),
        nullable: false,
        facts,
    };
    let columns = [column];
    loop {
        // Now and then it is of a wider range.
        let literal = random::literal(rng, &columns);
        if literal.param.range == range {
            return literal.value;
        }
    }
}

/// Joins of a fragment, in the order of its tables.
fn joins_of(fragment: &Fragment) -> Vec<Join> {
    let operators = fragment
        .pipelines
        .iter()
        .flat_map(|pipeline| &pipeline.operators);
    let joins = operators.filter_map(|operator| match operator {
        Operator::Join(join) => Some(join.clone()),
        _ => None,
    });
    joins.collect()
}

fn table_for(rng: &mut Rng, join: &Join) -> Option<Arc<JoinTable>> {
    let column = |of: &worker_wasm::fragment::ValueType| Column {
        ty: of.ty.clone(),
        nullable: of.nullable,
        facts: Facts::NONE,
    };
    let columns: Vec<_> = join.table.columns.iter().map(column).collect();
    let build = joins::build_fragment(columns.clone(), join.table.keys.clone());
    // What no build makes, no probe meets.
    compile(&build).ok()?;
    let rows = rng.usize(0..100);
    let rows = random::batch(rng, &columns, rows);
    Some(Arc::new(joins::build(&build, &[], &[rows])))
}

/// Runs a verified fragment over random batches. Any error of the user's data is fine, one of ours is not.
fn run_any(rng: &mut Rng, fragment: &Fragment, module: &FragmentModule, mix: &Mix) {
    let params: Vec<_> = fragment
        .params
        .iter()
        .map(|param| literal(rng, &param.ty, param.range))
        .collect();
    let tables: Option<Vec<_>> = joins_of(fragment)
        .iter()
        .map(|join| table_for(rng, join))
        .collect();
    let Some(tables) = tables else {
        return mix.count("tables that cannot be built");
    };
    let ran = (|| {
        let loaded = GUARDED.load(module).expect("generated code validates");
        let (account, functions) = (limited(), Box::new(NoHostFunctions));
        let mut instance =
            Instance::open_with_tables(&GUARDED, &loaded, &params, &tables, account, functions)?;
        let mut check = budget();
        for (input, Input { columns }) in fragment.inputs.iter().enumerate() {
            for _ in 0..2 {
                let rows = random::rows(rng);
                let batch = random::batch(rng, columns, rows);
                instance.push(input, &batch, &mut check)?;
                while instance.pull(1_000, &mut check)?.is_some() {}
            }
            instance.finish(input, &mut check)?;
            while instance.pull(1_000, &mut check)?.is_some() {}
        }
        Ok(())
    })();
    match ran {
        Ok(()) => mix.count("ran"),
        Err(RunError::Data { reason, .. }) => mix.count(format!("{reason:?}")),
        Err(RunError::Memory { .. } | RunError::WindowFull { .. }) => mix.count("out of memory"),
        Err(RunError::Function { .. }) => mix.count("no such function"),
        Err(error) => panic!("{error:?}\n{fragment}"),
    }
}

#[test]
fn a_changed_fragment_is_refused_or_runs() {
    let mix = Mix::default();
    rounds(1_000_000_000, |rng| {
        let mut text = tokens(&GOLDEN[rng.usize(0..GOLDEN.len())]);
        change_text(rng, &mut text);
        let text = text.join(" ");
        let Ok(fragment) = text.parse::<Fragment>() else {
            return mix.count("no fragment");
        };
        mix.count("a fragment");
        match compile(&fragment) {
            Err(worker_wasm::CompileError::Verify(_)) => mix.count("fails verification"),
            Err(error) => panic!("{error:?}\n{fragment}"),
            Ok(module) => run_any(rng, &fragment, &module, &mix),
        }
    });
    mix.check(&["no fragment", "a fragment", "fails verification", "ran"]);
}

/// Values that are near some end.
const EDGES: [i32; 16] = [
    0,
    1,
    2,
    4,
    8,
    -1,
    -4,
    -16,
    1_024,
    2_048,
    65_535,
    65_536,
    1 << 20,
    1 << 30,
    i32::MIN,
    i32::MAX,
];

/// Writes something to places that the host reads, and returns something.
fn lies(rng: &mut Rng) -> Vec<Instruction<'static>> {
    const DESCRIPTORS: i32 = 2_048;
    let mut body = Vec::new();
    let value = |rng: &mut Rng| match rng.u32(0..4) {
        0 => rng.i32(..),
        1 => rng.i32(0..70_000),
        _ => EDGES[rng.usize(0..EDGES.len())],
    };
    if rng.bool() {
        // So far it is what a guest should say.
        body.extend(poke(abi::control::OUT_COLUMNS as i32, DESCRIPTORS));
        body.extend(poke(abi::control::OUT_ROWS as i32, rng.i32(1..100)));
        for field in 0..4 * abi::column::BYTES as i32 / 4 {
            let value = match rng.u32(0..8) {
                0 => value(rng),
                _ => 4_096 + 1_024 * rng.i32(0..8),
            };
            body.extend(poke(DESCRIPTORS + 4 * field, value));
        }
        // Text, by views of any length and place.
        for word in 0..64 {
            body.extend(poke(4_096 + 4 * word, value(rng)));
        }
    }
    for _ in 0..rng.usize(0..4) {
        let field = 4 * rng.i32(0..abi::control::BYTES as i32 / 4);
        body.extend(poke(field, value(rng)));
    }
    let code = match rng.u32(0..8) {
        0 => rng.i32(..),
        1 => {
            body.extend(poke(abi::control::ERROR_REASON as i32, rng.i32(0..8)));
            3
        }
        2 => {
            body.extend(poke(abi::control::NEEDED as i32, value(rng)));
            2
        }
        _ => rng.i32(0..5),
    };
    body.push(Instruction::I32Const(code));
    body
}

#[test]
fn whatever_a_guest_says_the_host_believes_nothing() {
    let mix = Mix::default();
    let checked = runtime(Protection::Checked);
    let text =
        "(fragment (input (column int64) (column utf8 nullable) (column (decimal 38 0) nullable)
        (column boolean nullable)) (params) (pipeline (input 0) (emit)))";
    let columns = text.parse::<Fragment>().unwrap().inputs.remove(0).columns;
    rounds(2_000_000_000, |rng| {
        let (push, pull) = (lies(rng), lies(rng));
        let done = [Instruction::I32Const(0)];
        let module = hand_made_for(text, &[], 0, &push, &done, &pull);
        let runtime = if rng.bool() { &*GUARDED } else { &checked };
        let ran = (|| {
            let loaded = runtime.load(&module).expect("it is WebAssembly");
            let functions = Box::new(NoHostFunctions);
            let mut instance = Instance::open(runtime, &loaded, &[], limited(), functions)?;
            let mut check = budget();
            for _ in 0..2 {
                let rows = random::rows(rng);
                instance.push(0, &random::batch(rng, &columns, rows), &mut check)?;
                while let Some(rows) = instance.pull(1_000, &mut check)? {
                    check()?;
                    // What came out can be read.
                    for column in rows.columns() {
                        column
                            .to_data()
                            .validate_full()
                            .expect("the host checked it");
                    }
                    mix.count("rows");
                }
            }
            let _ = instance.guest_rows();
            instance.finish(0, &mut check)
        })();
        mix.count(match ran {
            Ok(()) => "ran",
            Err(RunError::Broken { .. }) => "broken",
            Err(RunError::Stopped) => "stopped",
            Err(RunError::Data { .. }) => "an error of data",
            Err(RunError::Memory { .. } | RunError::WindowFull { .. }) => "out of memory",
            Err(error) => panic!("{error:?}"),
        });
    });
    mix.check(&[
        "ran",
        "rows",
        "broken",
        "stopped",
        "an error of data",
        "out of memory",
    ]);
}

const STEPS: i32 = abi::step::ALL.cast_signed();

/// Ends the call where there is no step to take.
fn holds() -> Vec<Instruction<'static>> {
    vec![
        Instruction::I32Const(0),
        Instruction::I32Load(field(abi::control::STEPS_DONE)),
        Instruction::I32Const(STEPS),
        Instruction::I32Eq,
        Instruction::If(BlockType::Empty),
        Instruction::I32Const(0),
        Instruction::Return,
        Instruction::End,
    ]
}

fn field(offset: u32) -> MemArg {
    MemArg {
        offset: offset.into(),
        align: 2,
        memory_index: 0,
    }
}

/// Asks for a table's memory, and writes its header once that is there.
fn lays_out(bytes: i32, slots: i32) -> Vec<Instruction<'static>> {
    let mut body = vec![
        Instruction::I32Const(0),
        Instruction::I32Load(field(abi::control::BUILD_BYTES)),
        Instruction::I32Const(bytes),
        Instruction::I32LtU,
        Instruction::If(BlockType::Empty),
    ];
    body.extend(poke(abi::control::BUILD_NEEDED as i32, bytes));
    body.extend([
        Instruction::I32Const(2),
        Instruction::Return,
        Instruction::End,
        Instruction::I32Const(0),
        Instruction::I32Load(field(abi::control::BUILD)),
        Instruction::I32Const(slots),
        Instruction::I32Store(field(abi::table::SLOTS)),
    ]);
    body
}

#[test]
fn guests_that_build_one_table_are_not_believed_either() {
    let mix = Mix::default();
    let text = "(fragment (input (column int64) (column utf8 nullable)) (params)
        (pipeline (input 0) (build 0)))";
    let columns = text.parse::<Fragment>().unwrap().inputs.remove(0).columns;
    rounds(4_000_000_000, |rng| {
        let value = |rng: &mut Rng| match rng.u32(0..6) {
            0 => rng.i32(..),
            1 => EDGES[rng.usize(0..EDGES.len())],
            _ => rng.i32(0..4),
        };
        let mut keeps = Vec::new();
        for field in 0..14 {
            keeps.extend(poke(abi::control::KEPT as i32 + 4 * field, value(rng)));
        }
        keeps.push(Instruction::I32Const(0));
        // Each is another module, as those of two nodes could be.
        let mut module = || {
            let mut finish = match rng.u32(0..16) {
                0 => Vec::new(),
                _ => holds(),
            };
            finish.extend(match rng.u32(0..8) {
                0 => Vec::new(),
                1 => lays_out(EDGES[rng.usize(0..EDGES.len())], value(rng)),
                _ => lays_out(rng.i32(1..200_000), rng.i32(0..2)),
            });
            finish.extend(poke(abi::control::STEPS_DONE as i32, STEPS));
            match rng.u32(0..4) {
                0 => finish.extend(lies(rng)),
                _ => finish.push(Instruction::I32Const(0)),
            }
            let done = [Instruction::I32Const(0)];
            let module = hand_made_for(text, &[], 0, &keeps, &finish, &done);
            GUARDED.load(&module).expect("it is WebAssembly")
        };
        let loaded = [module(), module()];
        let mut check = budget();
        let built = (|| {
            let opened = loaded.iter().map(|loaded| {
                let functions = Box::new(NoHostFunctions);
                let mut opened = Instance::open(&GUARDED, loaded, &[], limited(), functions)?;
                opened.hold_rows()?;
                opened.push(0, &random::batch(rng, &columns, 1), &mut check)?;
                opened.finish(0, &mut check)?;
                Ok(opened)
            });
            let mut opened = opened.collect::<Result<Vec<_>, RunError>>()?;
            let [first, other] = opened.as_mut_slice() else {
                unreachable!("there are two modules");
            };
            let at_once = first.lay_out(&mut [other], &mut check)?;
            for instance in &mut opened {
                instance.copy_rows(&mut check)?;
            }
            // Each may have a table of its own: nobody said that only one asks for memory.
            drop(opened.pop());
            let table = opened[0].take_table()?;
            table.rows();
            Ok(at_once)
        })();
        mix.count(match built {
            Ok(true) => "copied at once",
            Ok(false) => "copied one after the other",
            Err(RunError::Broken { .. }) => "broken",
            Err(RunError::Stopped) => "stopped",
            Err(RunError::Data { .. }) => "an error of data",
            Err(RunError::Shape { .. }) => "no table",
            Err(RunError::Memory { .. } | RunError::WindowFull { .. }) => "out of memory",
            Err(error) => panic!("{error:?}"),
        });
    });
    mix.check(&[
        "copied at once",
        "copied one after the other",
        "broken",
        "out of memory",
    ]);
}

#[test]
fn columns_that_do_not_suit_are_refused() {
    let mix = Mix::default();
    rounds(3_000_000_000, |rng| {
        let columns: Vec<_> = (0..rng.usize(1..5)).map(|_| random::column(rng)).collect();
        let literals = [];
        let exprs = random::Exprs {
            columns: &columns,
            literals: &literals,
        };
        let (expr, _) = exprs.any(rng, 2);
        let fragment = Fragment {
            inputs: vec![Input {
                columns: columns.clone(),
            }],
            params: Vec::new(),
            pipelines: vec![Pipeline {
                source: Source::Input(0),
                operators: vec![Operator::Project(vec![expr, Expr::Column(0)])],
                sink: Sink::Emit,
            }],
        };
        let module = compile(&fragment).unwrap();
        let loaded = GUARDED.load(&module).unwrap();
        let functions = Box::new(NoHostFunctions);
        let mut instance = Instance::open(&GUARDED, &loaded, &[], limited(), functions).unwrap();
        let rows = random::rows(rng);
        let mut arrays: Vec<ArrayRef> = random::batch(rng, &columns, rows).columns().to_vec();
        let at = rng.usize(0..arrays.len());
        let (mut said, how) = (rows, rng.u32(0..7));
        mix.count(match how {
            0 => {
                let other = random::column(rng);
                arrays[at] = random::array(rng, &other, rows);
                "another type"
            }
            1 => {
                arrays.remove(at);
                "a column less"
            }
            2 => {
                arrays.push(ArrayRef::clone(&arrays[at]));
                "a column more"
            }
            3 => {
                arrays[at] = arrays[at].slice(0, rows / 2);
                "a short column"
            }
            4 => {
                said = rng.usize(0..2 * rows + 2);
                "another number of rows"
            }
            5 => {
                let nullable = Column {
                    nullable: true,
                    facts: Facts::NONE,
                    ..columns[at].clone()
                };
                arrays[at] = random::array(rng, &nullable, rows);
                "nulls and large numbers"
            }
            _ => {
                said = abi::BATCH_ROWS_MAX + rng.usize(1..100);
                arrays = columns
                    .iter()
                    .map(|column| random::array(rng, column, said))
                    .collect();
                "too many rows"
            }
        });
        let pushed = instance.push_columns(0, &arrays, said, &mut budget());
        let pulled = pushed.and_then(|()| instance.pull(1_000, &mut budget()));
        mix.count(match pulled {
            Ok(_) => "ran",
            Err(RunError::Shape { .. }) => "no such shape",
            Err(RunError::Fact { .. }) => "a fact broken",
            Err(RunError::Data { .. }) => "an error of data",
            Err(error) => panic!("{error:?}\n{fragment}"),
        });
    });
    let how = [
        "another type",
        "a column less",
        "a column more",
        "a short column",
        "another number of rows",
        "nulls and large numbers",
        "too many rows",
    ];
    let ends = ["ran", "no such shape", "a fact broken", "an error of data"];
    mix.check(&[&how[..], &ends[..]].concat());
}
