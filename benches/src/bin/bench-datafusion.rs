//! DataFusion of the same build as the server, without the server: what Murre is measured against first.
//!
//! Shapes: one JSON line on stdin is one request, one JSON line on stdout its answer; the first line out is `{"ready":true}`.
//! `{"setup": sql}`, `{"query": sql}`, `{"first_column": null}` (of the last result, which is then dropped), `{"settings": null}`.
//! Units: seconds of wall time from `sql()` to the last batch; CPU seconds are read from outside, alike for every engine.
//! Errors: a failing request is answered with `{"error": text}` and the next one is served.
//! Invariant: a plain `SessionContext`; set are only the target partitions, one per thread, and the caches of files,
//! which are off as they are in the server during a benchmark.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "Usage: bench-datafusion --threads N

Answers JSON lines on stdin with JSON lines on stdout; started by benches/peers/run.py.";

/// One line of stdin.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// A statement without a result of interest.
    Setup(String),
    /// A timed query; its batches are kept until `FirstColumn` or the next query.
    Query(String),
    FirstColumn,
    Settings,
}

/// One line of stdout.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Ready {
        ready: bool,
    },
    Done {},
    Measured {
        seconds: f64,
        rows: usize,
    },
    FirstColumn {
        values: Vec<Option<String>>,
    },
    Settings {
        settings: BTreeMap<String, Option<String>>,
    },
    Error {
        error: String,
    },
}

fn main() -> Result<()> {
    let Some(threads) = threads()? else {
        writeln!(std::io::stdout(), "{USAGE}")?;
        return Ok(());
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    let config = SessionConfig::new().with_target_partitions(threads);
    let environment = RuntimeEnvBuilder::new()
        .with_metadata_cache_limit(0)
        .with_file_statistics_cache_limit(0)
        .with_object_list_cache_limit(0)
        .build_arc()?;
    let mut session = Session {
        runtime,
        context: SessionContext::new_with_config_rt(config, environment),
        threads,
        result: Vec::new(),
    };

    let mut stdout = std::io::stdout().lock();
    write_line(&mut stdout, &Answer::Ready { ready: true })?;
    for line in std::io::stdin().lock().lines() {
        let answer = session
            .answer(&line?)
            .unwrap_or_else(|error| Answer::Error {
                error: format!("{error:#}"),
            });
        write_line(&mut stdout, &answer)?;
    }
    Ok(())
}

/// The value of `--threads`, or `None` when help is asked for.
fn threads() -> Result<Option<usize>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--help" | "-h"] => Ok(None),
        ["--threads", count] => match count.parse() {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => bail!("--threads takes a positive number, not {count:?}"),
        },
        _ => bail!("{USAGE}"),
    }
}

fn write_line(out: &mut impl Write, answer: &Answer) -> Result<()> {
    serde_json::to_writer(&mut *out, answer)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// The one session of this process.
struct Session {
    runtime: Runtime,
    context: SessionContext,
    threads: usize,
    /// The batches of the last query.
    result: Vec<RecordBatch>,
}

impl Session {
    fn answer(&mut self, line: &str) -> Result<Answer> {
        match serde_json::from_str(line).context("not a request")? {
            Request::Setup(sql) => {
                self.batches(&sql)?;
                Ok(Answer::Done {})
            }
            Request::Query(sql) => {
                let started = Instant::now();
                self.result = self.batches(&sql)?;
                let seconds = started.elapsed().as_secs_f64();
                let rows = self.result.iter().map(RecordBatch::num_rows).sum();
                Ok(Answer::Measured { seconds, rows })
            }
            Request::FirstColumn => Ok(Answer::FirstColumn {
                values: first_column(std::mem::take(&mut self.result))?,
            }),
            Request::Settings => Ok(Answer::Settings {
                settings: self.settings(),
            }),
        }
    }

    fn batches(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.runtime.block_on(async {
            let stream = self.context.sql(sql).await?.execute_stream().await?;
            Ok(stream.try_collect().await?)
        })
    }

    fn settings(&self) -> BTreeMap<String, Option<String>> {
        let mut settings: BTreeMap<String, Option<String>> = self
            .context
            .copied_config()
            .options()
            .entries()
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .collect();
        settings.insert(
            "version".to_owned(),
            Some(datafusion::DATAFUSION_VERSION.to_owned()),
        );
        settings.insert("caches of files".to_owned(), Some("off".to_owned()));
        settings.insert("allocator".to_owned(), Some("mimalloc".to_owned()));
        settings.insert("runtime threads".to_owned(), Some(self.threads.to_string()));
        settings
    }
}

/// Every value of the first column as text, `None` for NULL.
fn first_column(batches: Vec<RecordBatch>) -> Result<Vec<Option<String>>> {
    let mut values = Vec::new();
    let options = FormatOptions::default();
    for batch in batches {
        let column = batch.column(0);
        let texts = ArrayFormatter::try_new(column, &options)?;
        for row in 0..column.len() {
            values.push(
                (!column.is_null(row))
                    .then(|| texts.value(row).try_to_string())
                    .transpose()?,
            );
        }
    }
    Ok(values)
}
