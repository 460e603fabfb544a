//! Files of users: read where they are, and written by `COPY`.

use std::{fs, path::Path};

use anyhow::{Result, ensure};

use crate::server::{Server, table, until, update};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hive_folders_have_their_partition_columns() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let folder = dir.path().join("sales");
    let write = |path: &Path, text: &str| -> Result<()> {
        std::fs::create_dir_all(path)?;
        Ok(std::fs::write(path.join("part.csv"), text)?)
    };
    write(&folder.join("year=2023/region=eu"), "amount\n10\n")?;
    write(&folder.join("year=2024/region=us"), "amount\n20\n30\n")?;
    let location = folder.display();
    update(&mut client, &format!("CREATE EXTERNAL TABLE sales STORED AS CSV LOCATION '{location}/' OPTIONS ('format.has_header' 'true')")).await?;
    const TOTALS: &str =
        "SELECT year, region, sum(amount) AS total FROM sales GROUP BY year, region ORDER BY year";
    let answer = table(&mut client, TOTALS).await?;
    ensure!(answer.contains("| 2024 | us     | 50    |"), "{answer}");
    // A file that others add is seen by the next query.
    write(&folder.join("year=2025/region=eu"), "amount\n7\n")?;
    let answer = table(&mut client, TOTALS).await?;
    ensure!(answer.contains("| 2025 | eu     | 7     |"), "{answer}");
    Ok(())
}

/// Writers put other files beside their data: markers, checksums, notes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_read_by_the_names_of_its_files() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let folder = dir.path().join("export");
    fs::create_dir_all(folder.join("_log"))?;
    for (name, text) in [
        ("_log/0.json", "{\"other\": 1}"),
        ("_SUCCESS", ""),
        ("README.txt", "nothing to read here"),
        (".part-0.csv.crc", "crc"),
        ("part-0.csv", "n,name\n1,one\n"),
        ("part-1.csv", "n,name\n2,two\n"),
    ] {
        fs::write(folder.join(name), text)?;
    }
    let shown = folder.display();
    for from in [
        format!("{shown}"),
        format!("{shown}/"),
        format!("{shown}/part-*"),
    ] {
        let answer = table(
            &mut client,
            &format!("SELECT sum(n) AS total FROM '{from}'"),
        )
        .await?;
        ensure!(answer.contains("| 3     |"), "{from}: {answer}");
    }
    update(
        &mut client,
        &format!("CREATE EXTERNAL TABLE export STORED AS CSV LOCATION '{shown}'"),
    )
    .await?;
    let answer = table(&mut client, "SELECT sum(n) AS total FROM export").await?;
    ensure!(answer.contains("| 3     |"), "{answer}");
    let only_notes = dir.path().join("notes");
    fs::create_dir(&only_notes)?;
    fs::write(only_notes.join("README.txt"), "text")?;
    let error = table(
        &mut client,
        &format!("SELECT * FROM '{}/'", only_notes.display()),
    )
    .await;
    let error = error.err().map(|e| e.to_string()).unwrap_or_default();
    ensure!(
        error.contains("no file there whose name ends in"),
        "{error}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_fails_leaves_no_file_and_keeps_an_older_one() -> Result<()> {
    // More than an upload holds back, so that the failing ones have written before they fail.
    const FAILS: &str = "SELECT 1000 / (value - 900000) AS n, repeat('x', 50) || value AS t FROM generate_series(1, 1000000)";
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    for format in ["csv", "json", "parquet", "arrow"] {
        let folder = dir.path().join(format);
        fs::create_dir(&folder)?;
        let old = folder.join(format!("old.{format}"));
        let copied = update(
            &mut client,
            &format!("COPY (SELECT 7 AS n) TO '{}'", old.display()),
        )
        .await?;
        ensure!(copied == 1);
        let before = fs::read(&old)?;
        for target in ["old", "new"] {
            let target = folder.join(format!("{target}.{format}"));
            let copy = format!("COPY ({FAILS}) TO '{}'", target.display());
            let error = update(&mut client, &copy).await.err();
            let error = error.map(|e| e.to_string()).unwrap_or_default();
            ensure!(
                error.to_lowercase().contains("divide by zero"),
                "{format}: {error}"
            );
        }
        ensure!(
            fs::read(&old)? == before,
            "{format}: the older file has changed"
        );
        let names = || -> Result<Vec<_>> {
            let names = fs::read_dir(&folder)?.map(|entry| Ok(entry?.file_name()));
            names.collect()
        };
        until("the files given up to go", async || {
            Ok(names()? == [old.file_name().unwrap_or_default()])
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_data_page_names_its_file() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let folder = dir.path().join("files");
    std::fs::create_dir(&folder)?;
    for name in ["a", "b", "c"] {
        let path = folder.join(format!("{name}.parquet"));
        update(&mut client, &format!("COPY (SELECT value, 'text ' || value AS t FROM generate_series(1, 100000)) TO '{}'", path.display())).await?;
    }
    let victim = folder.join("b.parquet");
    let mut bytes = std::fs::read(&victim)?;
    // Behind the first page header, before the footer.
    for byte in &mut bytes[2000..60_000] {
        *byte ^= 0x5a;
    }
    std::fs::write(&victim, bytes)?;
    let error = table(
        &mut client,
        &format!(
            "SELECT count(DISTINCT value), min(t) FROM '{}/'",
            folder.display()
        ),
    )
    .await;
    let error = error.err().map(|e| e.to_string()).unwrap_or_default();
    ensure!(error.contains("b.parquet"), "{error}");
    ensure!(!error.contains("a.parquet"), "{error}");
    Ok(())
}
