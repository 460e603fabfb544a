//! The 22 TPC-H queries over Flight SQL, from Parquet, against the answers in `integration/tpch/answers`, with each
//! setting of `murre.compile`.
//!
//! Scale factor 0.1 in `make test`, 1 in `make long` (`MURRE_LONG=1`).

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use arrow::{
    array::{Array, RecordBatch},
    util::display::{ArrayFormatter, FormatOptions},
};

use crate::server::{Client, Server, binary, rows};

pub(crate) const TABLES: [&str; 8] = [
    "customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_answers_are_right() -> Result<()> {
    check_all("0.1").await?;
    if std::env::var_os("MURRE_LONG").is_some() {
        check_all("1").await?;
    }
    Ok(())
}

async fn check_all(scale_factor: &str) -> Result<()> {
    let data = generate(scale_factor)?;
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    register(&mut client, &data).await?;
    let mut wrong = Vec::new();
    for mode in ["always", "auto", "never"] {
        let set = format!("SET murre.compile = '{mode}'");
        client.execute_update(set, None).await?;
        for query in 1..=22 {
            if let Err(error) = check(&mut client, query, scale_factor).await {
                wrong.push(format!("q{query:02}, {mode}: {error:#}"));
            }
        }
    }
    for query in [1, 3, 6, 14] {
        if let Err(error) = check_compiled(&mut client, &query_text(query)?).await {
            wrong.push(format!("q{query:02}, how it runs: {error:#}"));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of 70 wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// Makes tables of the files in `data`.
pub(crate) async fn register(client: &mut Client, data: &Path) -> Result<()> {
    for table in TABLES {
        let location = data.join(format!("{table}.parquet"));
        let sql = format!(
            "CREATE EXTERNAL TABLE {table} STORED AS PARQUET LOCATION '{}'",
            location.display()
        );
        client.execute_update(sql, None).await?;
    }
    Ok(())
}

/// The text of a TPC-H query.
pub(crate) fn query_text(query: u32) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tpch");
    Ok(std::fs::read_to_string(
        folder.join(format!("queries/q{query:02}.sql")),
    )?)
}

/// Without the host's help, no operator of the query is DataFusion's own, and each has its row. Leaves the session so.
pub(crate) async fn check_compiled(client: &mut Client, sql: &str) -> Result<()> {
    for set in ["SET murre.compile = 'never'", "SET murre.host_eval = true"] {
        client.execute_update(set.to_owned(), None).await?;
    }
    let plan = cells(&rows(client, &format!("EXPLAIN {sql}")).await?)?;
    let physical = plan.iter().find(|row| row[0] == "physical_plan");
    let physical = physical.context("there is a physical plan")?;
    let operators = physical[1].lines().count();
    for set in [
        "SET murre.compile = 'always'",
        "SET murre.host_eval = false",
    ] {
        client.execute_update(set.to_owned(), None).await?;
    }
    let fragments = rows(client, &format!("EXPLAIN FRAGMENTS {sql}")).await?;
    let fragments = cells(&fragments)?;
    for row in &fragments {
        ensure!(
            ["wasm", "scan", "exchange"].contains(&row[3].as_str()),
            "{row:?}"
        );
    }
    ensure!(
        fragments.len() == operators,
        "{} rows for {operators} operators",
        fragments.len()
    );
    Ok(())
}

/// Runs a query and compares its rows with the published ones.
pub(crate) async fn check(client: &mut Client, query: u32, scale_factor: &str) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tpch");
    let sql = query_text(query)?;
    let answer = folder.join(format!("answers/sf{scale_factor}/q{query:02}.csv"));
    let answer = std::fs::read_to_string(&answer).with_context(|| answer.display().to_string())?;
    let mut expected: Vec<Vec<String>> = answer
        .lines()
        .skip(1)
        .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    let mut actual = cells(&rows(client, &sql).await?)?;
    ensure!(
        actual.len() == expected.len(),
        "{} rows, expected {}",
        actual.len(),
        expected.len()
    );
    // Ties in ORDER BY leave the order of some rows open.
    actual.sort();
    expected.sort();
    for (actual, expected) in actual.iter().zip(&expected) {
        let same = actual.len() == expected.len()
            && actual.iter().zip(expected).all(|(a, e)| same_value(a, e));
        ensure!(same, "row {actual:?}, expected {expected:?}");
    }
    Ok(())
}

/// Numbers differ in type and scale between engines: they are compared as numbers, everything else as text.
/// An average of decimals has 6 digits after the point here and is a float in the answers.
pub(crate) fn same_value(actual: &str, expected: &str) -> bool {
    let (Ok(a), Ok(e)) = (actual.parse::<f64>(), expected.parse::<f64>()) else {
        return actual == expected;
    };
    let digits = actual
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len() as i32);
    let last_digit = if digits >= 6 {
        10f64.powi(-digits)
    } else {
        0.0
    };
    (a - e).abs() <= last_digit + 1e-9 * e.abs()
}

pub(crate) fn cells(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default();
    let mut table = Vec::new();
    for batch in batches {
        let columns = batch.columns();
        let formatters: Vec<_> = columns
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let cell = |(column, formatter): (&std::sync::Arc<dyn Array>, &ArrayFormatter<'_>)| {
                if column.is_null(row) {
                    String::new()
                } else {
                    formatter.value(row).to_string().trim().to_owned()
                }
            };
            table.push(columns.iter().zip(&formatters).map(cell).collect());
        }
    }
    Ok(table)
}

/// The folder of the Parquet files, made where it is missing.
pub(crate) fn generate(scale_factor: &str) -> Result<PathBuf> {
    let made = Command::new(binary()?)
        .args(["demo", "tpch", "--sf", scale_factor, "--generate-only"])
        .output()?;
    ensure!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(PathBuf::from(String::from_utf8(made.stdout)?.trim()))
}
