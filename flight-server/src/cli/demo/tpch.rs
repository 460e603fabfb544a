//! `murre demo tpch`: generate, serve, query.

use std::{
    env,
    future::Future,
    io::{self, IsTerminal, Write},
    net::TcpListener,
    path::{Path, PathBuf, absolute},
    time::{Duration, Instant},
};

use anyhow::Context;
use arrow::array::{AsArray, RecordBatch};
use futures::TryStreamExt;
use tokio::signal;

use super::{
    generate::{file, generate},
    queries::QUERIES,
    server::Server,
    tables::TABLES,
};
use crate::cli::sql::{LoginArgs, Remote, StatementError, split};

#[derive(Debug, clap::Args)]
pub struct TpchArgs {
    /// Scale factor: 1 is about a gigabyte of text
    #[arg(long, value_name = "N", default_value_t = 0.1, value_parser = scale_factor)]
    pub sf: f64,

    /// Folder of the Parquet files [default: sfN in $MURRE_TPCH_DIR or ~/.cache/murre/tpch]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,

    /// Generate the files and say where they are
    #[arg(long)]
    pub generate_only: bool,

    /// Where the server listens; any free port if this one is taken
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:31337")]
    pub listen: String,
}

fn scale_factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.001..=1000.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.001 to 1000 is wanted".to_owned()),
    }
}

pub(super) async fn run(args: TpchArgs) -> anyhow::Result<()> {
    let home = home()?;
    let folder = args
        .data
        .unwrap_or_else(|| home.join(format!("sf{}", args.sf)));
    let folder = absolute(&folder).with_context(|| format!("cannot use {}", folder.display()))?;
    let (into, scale) = (folder.clone(), args.sf);
    tokio::task::spawn_blocking(move || generate(&into, scale))
        .await
        .context("the generator stopped")??;
    if args.generate_only {
        say(&folder.display().to_string())?;
        return Ok(());
    }
    let data_dir = home.join(format!("demo-data-sf{}", args.sf));
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("cannot create {}", data_dir.display()))?;

    let signal = stop_signal()?;
    tokio::pin!(signal);
    let mut server = tokio::select! {
        server = Server::start(free_address(&args.listen), &data_dir) => server?,
        () = &mut signal => return Ok(()),
    };
    let outcome = tokio::select! {
        outcome = show(&mut server, &folder) => outcome,
        () = &mut signal => Ok(()),
    };
    let stopped = server.stop().await;
    outcome.and(stopped)
}

/// Everything with the server, up to the moment it is to stop.
async fn show(server: &mut Server, folder: &Path) -> anyhow::Result<()> {
    let connection = Remote::connect(&server.url, &LoginArgs::default()).await?;
    tokio::select! {
        outcome = query(&connection, folder) => outcome?,
        error = server.stopped() => return Err(error),
    }
    say("")?;
    for line in &server.lines {
        say(line)?;
    }
    if io::stdout().is_terminal() {
        say("\nserving until Ctrl-C")?;
        return Err(server.stopped().await);
    }
    Ok(())
}

/// Defines the tables, runs the queries and prints a line for each.
async fn query(connection: &Remote, folder: &Path) -> anyhow::Result<()> {
    for table in &TABLES {
        let location = file(folder, table.name)
            .display()
            .to_string()
            .replace('\'', "''");
        let sql = format!(
            "CREATE OR REPLACE EXTERNAL TABLE {} STORED AS PARQUET LOCATION '{location}'",
            table.name
        );
        rows_of(connection, &sql)
            .await
            .with_context(|| format!("cannot define {}", table.name))?;
    }
    say(&format!(
        "{:<6} {:>8} {:>11}  {}",
        "query", "rows", "time (ms)", "runs"
    ))?;
    let mut total = Duration::ZERO;
    for (name, text) in QUERIES {
        let sql = split(text).first().copied().unwrap_or(text);
        let started = Instant::now();
        let batches = rows_of(connection, sql)
            .await
            .with_context(|| name.to_owned())?;
        let time = started.elapsed();
        total += time;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let operators = rows_of(connection, &format!("EXPLAIN FRAGMENTS {sql}"))
            .await
            .with_context(|| name.to_owned())?;
        say(&format!(
            "{name:<6} {rows:>8} {:>11.1}  {}",
            millis(time),
            how_it_runs(&operators)
        ))?;
    }
    say(&format!("{:<6} {:>8} {:>11.1}", "total", "", millis(total)))
}

async fn rows_of(connection: &Remote, sql: &str) -> Result<Vec<RecordBatch>, StatementError> {
    connection.execute(sql).await?.batches.try_collect().await
}

/// `compiled 8/10` when 8 of the 10 operators that could be compiled are; scans and exchanges never are.
fn how_it_runs(operators: &[RecordBatch]) -> String {
    let runs: Vec<_> = operators
        .iter()
        .filter_map(|batch| batch.column_by_name("runs")?.as_string_opt::<i32>())
        .flat_map(|column| column.iter().flatten())
        .collect();
    let count = |wanted: &str| runs.iter().filter(|found| **found == wanted).count();
    match count("wasm") {
        0 => "native".to_owned(),
        compiled => format!("compiled {compiled}/{}", compiled + count("native")),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The address, or any free port of this machine if it is taken.
fn free_address(wanted: &str) -> &str {
    match TcpListener::bind(wanted) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            eprintln!("{wanted} is in use: listening on a free port");
            "127.0.0.1:0"
        }
        // What else is wrong with it, the server says.
        _ => wanted,
    }
}

/// Where data sets are kept.
fn home() -> anyhow::Result<PathBuf> {
    if let Some(folder) = env::var_os("MURRE_TPCH_DIR").filter(|folder| !folder.is_empty()) {
        return absolute(PathBuf::from(folder)).context("cannot use MURRE_TPCH_DIR");
    }
    let home = env::home_dir().context("there is no home folder; set MURRE_TPCH_DIR")?;
    Ok(home.join(".cache/murre/tpch"))
}

/// Resolves when this process is asked to stop. Signals are caught from the call on.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    #[test]
    fn folders_are_named_as_the_scale_factor_is_written() {
        assert_eq!(
            format!("sf{}", scale_factor("0.1").expect("a number")),
            "sf0.1"
        );
        assert_eq!(format!("sf{}", scale_factor("1").expect("a number")), "sf1");
        for text in ["0", "-1", "nan", "inf", "x", "100000"] {
            assert!(scale_factor(text).is_err(), "{text}");
        }
    }

    #[test]
    fn compiled_operators_are_counted() {
        let check = |runs: &[&str], expected: &str| {
            let column: ArrayRef = Arc::new(StringArray::from(runs.to_vec()));
            let batch = RecordBatch::try_from_iter([("runs", column)]).expect("a batch");
            assert_eq!(how_it_runs(&[batch]), expected);
        };
        check(&["native", "exchange", "scan"], "native");
        check(
            &["wasm", "native", "wasm", "exchange", "scan"],
            "compiled 2/3",
        );
    }
}
