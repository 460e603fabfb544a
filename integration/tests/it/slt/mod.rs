//! The sqllogictest files of `integration/slt/`, each run on every engine from an empty database.
//!
//! Shapes: an engine takes one SQL text and gives one result, or `None` for a statement without columns.
//! In a record, `$DATA` stands for `integration/slt/data` and `$SCRATCH` for a folder of this run of the file;
//! both are put back into what the engine answers, so no expected result names a folder of this machine.
//! Errors: every failing record of every file is printed before the test fails.
//! Invariant: all engines give the same answers to the same file, except in records marked `skipif` or `onlyif`.
//!
//! `MURRE_SLT_BLESS=1` writes the oracle's answers into the files, `MURRE_SLT_ONLY=joins` runs the files whose
//! name contains `joins`.

mod flight;
mod format;
mod inprocess;
mod oracle;

use std::fmt::Write as _;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use anyhow::{Context, Result, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, Record, RecordOutput, Runner, strict_column_validator};

use format::ColumnType;

/// Partitions of a plan in every engine, so that plans in `.slt` files are the same on any machine.
const TARGET_PARTITIONS: usize = 4;

/// Fewer statements than this on any engine means that files were lost or skipped.
const MIN_STATEMENTS: usize = 1_000;

/// A database to compare with the others. One instance lives for one file.
#[async_trait]
trait Engine: Send {
    /// Runs one statement to its end.
    async fn run(&mut self, sql: &str) -> Result<Option<(SchemaRef, Vec<RecordBatch>)>>;
}

type Started = Pin<Box<dyn Future<Output = Result<Box<dyn Engine>>>>>;

/// The label of an engine in `skipif` and `onlyif`, and how to get an empty one.
type EngineEntry = (&'static str, fn() -> Started);

/// The engines, the oracle first, then Murre in process with each setting of `murre.compile`. A new one is a `mod` line above and an entry here.
const ENGINES: &[EngineEntry] = &[
    ("datafusion", || boxed(async { Ok(oracle::Oracle::new()) })),
    ("always", || boxed(inprocess::InProcess::start("always"))),
    ("auto", || boxed(inprocess::InProcess::start("auto"))),
    ("never", || boxed(inprocess::InProcess::start("never"))),
    ("flight", || boxed(flight::Flight::start())),
];

fn boxed<E: Engine + 'static>(start: impl Future<Output = Result<E>> + 'static) -> Started {
    Box::pin(async { Ok(Box::new(start.await?) as Box<dyn Engine>) })
}

/// What one file did on one engine.
#[derive(Default)]
struct FileRun {
    num_statements: usize,
    failures: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slt() -> Result<()> {
    let files = files()?;
    if std::env::var_os("MURRE_SLT_BLESS").is_some() {
        for file in &files {
            bless(file)
                .await
                .with_context(|| format!("could not bless {}", file.display()))?;
        }
    }

    let mut report = String::new();
    let mut num_failures = 0;
    for engine in ENGINES {
        let mut num_statements = 0;
        for file in &files {
            let run = run_file(file, engine).await;
            num_statements += run.num_statements;
            num_failures += run.failures.len();
            for failure in run.failures {
                writeln!(report, "[{}] {failure}", engine.0)?;
            }
        }
        println_always(&format!(
            "slt: {}: {num_statements} statements in {} files",
            engine.0,
            files.len()
        ));
        if num_statements < MIN_STATEMENTS && std::env::var_os("MURRE_SLT_ONLY").is_none() {
            num_failures += 1;
            writeln!(
                report,
                "[{}] only {num_statements} statements ran, expected {MIN_STATEMENTS}",
                engine.0
            )?;
        }
    }
    if num_failures > 0 {
        println_always(&report);
        bail!("{num_failures} failures, listed above");
    }
    Ok(())
}

/// The counts belong into the log of a green run as well, and the test harness captures what macros print.
fn println_always(line: &str) {
    use std::io::Write as _;
    // A closed stderr is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")
}

/// The `.slt` files, in the order of their names.
fn files() -> Result<Vec<PathBuf>> {
    let only = std::env::var("MURRE_SLT_ONLY").unwrap_or_default();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let path = entry?.path();
        let is_slt = path.extension().is_some_and(|extension| extension == "slt");
        if is_slt
            && path
                .file_stem()
                .is_some_and(|stem| stem.to_string_lossy().contains(&only))
        {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!(
            "no .slt file whose name contains \"{only}\" in {}",
            folder().display()
        );
    }
    Ok(files)
}

async fn run_file(file: &Path, engine: &EngineEntry) -> FileRun {
    let mut run = FileRun::default();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let records = match sqllogictest::parse_file::<ColumnType>(file) {
        Ok(records) => records,
        Err(error) => {
            run.failures.push(format!("{name}: {error}"));
            return run;
        }
    };
    // Dropped after the runner, whose engine may have files open there.
    let scratch = match tempfile::tempdir() {
        Ok(scratch) => scratch,
        Err(error) => {
            run.failures
                .push(format!("{name}: no scratch folder: {error}"));
            return run;
        }
    };
    let mut runner = runner(engine, scratch.path());
    for record in records {
        if matches!(record, Record::Halt { .. }) {
            break;
        }
        match runner.run_async(record).await {
            Ok(RecordOutput::Query { .. } | RecordOutput::Statement { .. }) => {
                run.num_statements += 1
            }
            Ok(_) => {}
            Err(error) => {
                run.num_statements += 1;
                run.failures
                    .push(format!("{name}: {}", error.display(false)));
            }
        }
    }
    runner.shutdown_async().await;
    run
}

/// Rewrites a file with the answers of the oracle.
async fn bless(file: &Path) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let mut runner = runner(&ENGINES[0], scratch.path());
    let blessed = runner
        .update_test_file(
            file,
            " ",
            validate,
            trim_end,
            strict_column_validator::<ColumnType>,
        )
        .await;
    runner.shutdown_async().await;
    // The error type of sqllogictest is not Send.
    blessed.map_err(|error| anyhow::anyhow!("{error}"))
}

type Connect = Pin<Box<dyn Future<Output = Result<Connection, RunError>>>>;

fn runner(
    engine: &EngineEntry,
    scratch: &Path,
) -> Runner<Connection, impl FnMut() -> Connect + use<>> {
    let (label, start) = *engine;
    let scratch = scratch.to_string_lossy().into_owned();
    let data = folder().join("data").to_string_lossy().into_owned();
    let mut runner = Runner::new(move || {
        let folders = Folders {
            data: data.clone(),
            scratch: scratch.clone(),
        };
        let started = start();
        Box::pin(async move {
            let engine = started.await.map_err(RunError)?;
            Ok(Connection {
                label,
                engine,
                folders,
            })
        }) as Connect
    });
    runner.with_normalizer(trim_end);
    runner.with_validator(validate);
    runner.with_column_validator(strict_column_validator);
    runner
}

/// White space inside a line counts; at its end it would be lost in an editor.
#[expect(clippy::ptr_arg, reason = "the signature is sqllogictest's")]
fn trim_end(line: &String) -> String {
    line.trim_end().to_owned()
}

/// A result line is the row's cells, one blank between them. A line `<slt:ignore>` stands for any lines.
fn validate(
    normalize: sqllogictest::Normalizer,
    actual: &[Vec<String>],
    expected: &[String],
) -> bool {
    if expected.iter().any(|line| line.contains("<slt:ignore>")) {
        return sqllogictest::default_validator(normalize, actual, expected);
    }
    let actual: Vec<String> = actual.iter().map(|row| normalize(&row.join(" "))).collect();
    let expected: Vec<String> = expected.iter().map(normalize).collect();
    actual == expected
}

/// The folders a record can name.
struct Folders {
    data: String,
    scratch: String,
}

impl Folders {
    fn fill_in(&self, sql: &str) -> String {
        sql.replace("$DATA", &self.data)
            .replace("$SCRATCH", &self.scratch)
    }

    /// Paths are shown without the leading slash in plans, so both spellings are replaced.
    fn take_out(&self, text: &str) -> String {
        let bare = |folder: &str| folder.trim_start_matches('/').to_owned();
        text.replace(&self.data, "$DATA")
            .replace(&self.scratch, "$SCRATCH")
            .replace(&bare(&self.data), "$DATA")
            .replace(&bare(&self.scratch), "$SCRATCH")
    }
}

/// An engine as sqllogictest sees it.
struct Connection {
    label: &'static str,
    engine: Box<dyn Engine>,
    folders: Folders,
}

/// Prints the whole chain: which layer says the interesting part differs between the engines.
#[derive(Debug)]
struct RunError(anyhow::Error);

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for RunError {}

#[async_trait]
impl AsyncDB for Connection {
    type Error = RunError;
    type ColumnType = ColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<ColumnType>, RunError> {
        let sql = self.folders.fill_in(sql);
        let Some((schema, batches)) = self.engine.run(&sql).await.map_err(RunError)? else {
            return Ok(DBOutput::StatementComplete(0));
        };
        let mut rows = format::rows(&schema, &batches);
        for cell in rows.iter_mut().flatten() {
            *cell = self.folders.take_out(cell);
        }
        Ok(DBOutput::Rows {
            types: format::column_types(&schema),
            rows,
        })
    }

    fn engine_name(&self) -> &str {
        self.label
    }

    async fn sleep(duration: std::time::Duration) {
        tokio::time::sleep(duration).await;
    }

    async fn shutdown(&mut self) {}
}
