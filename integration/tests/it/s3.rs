//! Tables on an S3-compatible store: `s3s-fs` serves a folder over real HTTP with signed requests.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::server::{Client, Server, said, table};

const KEY_ID: &str = "murre-test";
const SECRET: &str = "murre-test-secret";
const BUCKET: &str = "lake";

/// A store with the files of `integration/slt/data` in its one bucket.
struct Store {
    endpoint: String,
    accepting: JoinHandle<()>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn store(root: &Path) -> Result<Store> {
    copy_folder(&data(), &root.join(BUCKET))?;
    let files = s3s_fs::FileSystem::new(root).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                // A connection that breaks shows as the client's error.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(Store {
        endpoint,
        accepting,
    })
}

fn data() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("slt/data")
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &to.join(entry.file_name()))?,
            false => {
                fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
    }
    Ok(())
}

async fn update(client: &mut Client, sql: &str) -> Result<i64> {
    client
        .execute_update(sql.to_owned(), None)
        .await
        .map_err(|e| said(e.into()))
        .with_context(|| sql.to_owned())
}

async fn refused(client: &mut Client, sql: &str) -> Result<String> {
    match table(client, sql).await {
        Ok(rows) => anyhow::bail!("{sql} answered\n{rows}"),
        Err(error) => Ok(error.to_string()),
    }
}

/// The same query with the local file, then the one in the bucket, in place of `{}`.
async fn agree(client: &mut Client, sql: &str, file: &str) -> Result<()> {
    let local = format!("'{}'", data().join(file).display());
    let local = table(client, &sql.replace("{}", &local)).await?;
    let stored = table(
        client,
        &sql.replace("{}", &format!("'s3://{BUCKET}/{file}'")),
    )
    .await?;
    ensure!(local == stored, "{file}\n{local}\n{stored}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_on_s3_answer_as_local_ones_do() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = store(&dir.path().join("s3")).await?;
    let mut server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    update(
        &mut client,
        &format!(
            "CREATE SECRET here (TYPE s3, KEY_ID '{KEY_ID}', SECRET '{SECRET}', REGION 'eu-central-1', ENDPOINT '{}', URL_STYLE 'path')",
            store.endpoint
        ),
    )
    .await?;
    for file in [
        "people.parquet",
        "people.csv",
        "people.json",
        "people.arrow",
    ] {
        agree(
            &mut client,
            "SELECT id, name, height FROM {} ORDER BY id",
            file,
        )
        .await?;
    }
    for pattern in ["sales/", "sales/part-*.parquet"] {
        agree(&mut client, "SELECT * FROM {} ORDER BY id", pattern).await?;
    }
    agree(
        &mut client,
        "SELECT s, count(*) AS n, min(v) AS least FROM {} WHERE v BETWEEN 300 AND 1500 GROUP BY s ORDER BY s",
        "many.parquet",
    )
    .await?;

    let definitions = [
        ("parquet", "people.parquet", ""),
        ("csv", "people.csv", "OPTIONS ('format.has_header' 'true')"),
        ("json", "people.json", ""),
        ("arrow", "people.arrow", ""),
    ];
    for (format, file, options) in definitions {
        update(
            &mut client,
            &format!(
                "CREATE EXTERNAL TABLE people_{format} STORED AS {format} LOCATION 's3://{BUCKET}/{file}' {options}"
            ),
        )
        .await?;
    }
    update(
        &mut client,
        &format!("CREATE EXTERNAL TABLE sales (id BIGINT, amount DOUBLE, year INT) STORED AS PARQUET PARTITIONED BY (year) LOCATION 's3://{BUCKET}/sales/'"),
    )
    .await?;
    // The definitions and the secret survive a restart.
    ensure!(server.terminate()?.success(), "{}", server.log()?);
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    for (format, _, _) in definitions {
        let sql = format!("SELECT count(*), sum(id) FROM people_{format}");
        let rows = table(&mut client, &sql).await?;
        ensure!(rows.contains("| 5        | 15"), "{format}\n{rows}");
    }
    let sql = "SELECT count(*), sum(amount) FROM sales WHERE year = 2024";
    let rows = table(&mut client, sql).await?;
    ensure!(rows.contains("| 3        | 30.0"), "{rows}");

    // Workers do not read it, and the plan says so.
    update(&mut client, "SET murre.tasks_per_stage = 2").await?;
    let stays = table(&mut client, &format!("EXPLAIN FRAGMENTS {sql}")).await?;
    let why = "the plan stays here: workers read shared folders only, no object stores";
    ensure!(stays.contains(why), "{stays}");

    // A new file is seen by the next statement.
    let folder = dir.path().join("s3").join(BUCKET).join("sales/year=2024");
    fs::copy(folder.join("part-0.parquet"), folder.join("part-1.parquet"))?;
    let rows = table(&mut client, sql).await?;
    ensure!(rows.contains("| 6        | 60.0"), "{rows}");

    // Copied out, and joined with a local file.
    let copy = format!("s3://{BUCKET}/out/copy.parquet");
    update(
        &mut client,
        &format!("COPY (SELECT id, name FROM people_parquet) TO '{copy}'"),
    )
    .await?;
    let sql = format!(
        "SELECT count(*) FROM '{copy}' a JOIN '{}' b ON a.id = b.id",
        data().join("people.csv").display()
    );
    let rows = table(&mut client, &sql).await?;
    ensure!(rows.contains("| 5 "), "{rows}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_and_missing_objects_say_so() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = store(&dir.path().join("s3")).await?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut client = server.client().await?;
    let secret = |key: &str| {
        format!(
            "CREATE OR REPLACE SECRET lake (TYPE s3, SCOPE 's3://{BUCKET}', KEY_ID '{KEY_ID}', SECRET '{key}', REGION 'eu-central-1', ENDPOINT '{}', URL_STYLE 'path')",
            store.endpoint
        )
    };
    let sql = format!("SELECT count(*) FROM 's3://{BUCKET}/people.parquet'");
    update(&mut client, &secret("not the secret")).await?;
    let message = refused(&mut client, &sql).await?;
    ensure!(
        message.contains(BUCKET) && !message.contains("not the secret"),
        "{message}"
    );
    // The right secret takes effect at once.
    update(&mut client, &secret(SECRET)).await?;
    let rows = table(&mut client, &sql).await?;
    ensure!(rows.contains("| 5 "), "{rows}");

    let missing = format!("s3://{BUCKET}/nothing.parquet");
    let message = refused(&mut client, &format!("SELECT * FROM '{missing}'")).await?;
    ensure!(message.contains(&missing), "{message}");
    let broken = format!("s3://{BUCKET}/broken.parquet");
    let message = refused(&mut client, &format!("SELECT * FROM '{broken}'")).await?;
    ensure!(message.contains(&broken), "{message}");
    let message = refused(
        &mut client,
        &format!("CREATE EXTERNAL TABLE p STORED AS PARQUET LOCATION 's3://{BUCKET}/p*.parquet'"),
    )
    .await?;
    ensure!(message.contains("name the folder"), "{message}");
    let message = refused(&mut client, "SELECT * FROM 's3:///people.parquet'").await?;
    ensure!(message.contains("bucket"), "{message}");
    let message = refused(&mut client, "SELECT * FROM 'gs://b/people.parquet'").await?;
    ensure!(message.contains("s3://"), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_may_come_from_the_environment() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = store(&dir.path().join("s3")).await?;
    let environment = [
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT", store.endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let server = Server::start_in(&dir.path().join("data"), &[], &environment)?;
    agree(
        &mut server.client().await?,
        "SELECT * FROM {} ORDER BY id",
        "people.parquet",
    )
    .await
}
