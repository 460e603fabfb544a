//! `kv bench-embedded`: how fast the store is inside of a process, without a network.
//!
//! Opening, reads, and durable transactions that read one key and write another; beside them what the disk's fsync takes,
//! which is what durable transactions wait for.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;

use super::{KEYS, key, value};
use crate::{
    Embedded, KvError,
    cli::{CliError, print},
    transaction::Store,
    txn::Mutation,
};

/// Of a file that grows, before its median is taken.
const FSYNCS: usize = 200;
/// About what one fsync of the log covers under load.
const FSYNC_BYTES: usize = 16 * 1024;
const OPENINGS: usize = 5;

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchEmbedded {
    /// Folder of the store; filled when it is new
    #[arg(long)]
    data_dir: PathBuf,
    /// Callers at once
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// Of each measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl BenchEmbedded {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        let store = Embedded::open(&self.data_dir).await?;
        fill(&store).await?;
        store.close().await;
        let mut openings = Vec::new();
        for _ in 0..OPENINGS {
            let start = Instant::now();
            let store = Embedded::open(&self.data_dir).await?;
            openings.push(start.elapsed().as_secs_f64());
            store.close().await;
        }
        let fsync_s = median(fsyncs(&self.data_dir).map_err(|source| CliError::File {
            path: self.data_dir.clone(),
            source,
        })?);
        let store = Embedded::open(&self.data_dir).await?;
        let at = store.begin().await?;
        let read = move |store: Embedded| async move {
            store.get(&key(fastrand::u64(..KEYS)), at).await.map(drop)
        };
        let one_caller = self.measure(&store, 1, read).await?;
        let reads = self.measure(&store, self.callers, read).await?;
        let reads_now = self.measure(&store, self.callers, read_now).await?;
        let num_syncs = store.status().num_syncs;
        let transactions = self.measure(&store, self.callers, transact).await?;
        let num_syncs = store.status().num_syncs - num_syncs;
        store.close().await;
        let bar = (0.6 * self.callers as f64 / fsync_s).min(20_000.0);
        let open_ms = median(openings) * 1000.0;
        if self.json {
            let result = json!({
                "open_ms": open_ms,
                "fsync_ms": fsync_s * 1000.0,
                "reads_per_s_one_caller": one_caller,
                "reads_per_s": reads,
                "reads_now_per_s": reads_now,
                "transactions_per_s": transactions,
                "transactions_per_s_bar": bar,
                "transactions_per_fsync": transactions * self.seconds as f64 / num_syncs as f64,
                "callers": self.callers,
            });
            return print(&result.to_string());
        }
        print(&format!(
            "opened in {open_ms:.0} ms; an fsync takes {:.2} ms\n\
             reads/s at a version: {one_caller:.0} by one caller, {reads:.0} by {callers}; as of now: {reads_now:.0}\n\
             transactions/s: {transactions:.0}, to be {bar:.0}",
            fsync_s * 1000.0,
            callers = self.callers,
        ))
    }

    /// Operations per second, by this many callers that wait for each of theirs.
    async fn measure<F>(
        &self,
        store: &Embedded,
        callers: usize,
        operate: impl Fn(Embedded) -> F + Copy + Send + 'static,
    ) -> Result<f64, CliError>
    where
        F: Future<Output = Result<(), KvError>> + Send + 'static,
    {
        let start = Instant::now();
        let end = start + Duration::from_secs(self.seconds);
        let num_done = Arc::new(AtomicU64::new(0));
        let callers = (0..callers).map(|_| {
            let (store, num_done) = (store.clone(), Arc::clone(&num_done));
            tokio::spawn(async move {
                while Instant::now() < end {
                    operate(store.clone()).await?;
                    num_done.fetch_add(1, Ordering::Relaxed);
                    // Reads never wait, and other callers want their turn.
                    tokio::task::consume_budget().await;
                }
                Ok::<_, KvError>(())
            })
        });
        for caller in futures::future::join_all(callers).await {
            caller.expect("callers do not panic")?;
        }
        Ok(num_done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
    }
}

async fn read_now(store: Embedded) -> Result<(), KvError> {
    let at = store.begin().await?;
    store.get(&key(fastrand::u64(..KEYS)), at).await.map(drop)
}

async fn transact(store: Embedded) -> Result<(), KvError> {
    store
        .run_transaction(|txn| async move {
            txn.get(&key(fastrand::u64(..KEYS))).await?;
            txn.set(key(fastrand::u64(..KEYS)), value());
            Ok::<_, KvError>(())
        })
        .await
}

/// Writes every key, unless the last is there.
async fn fill(store: &Embedded) -> Result<(), KvError> {
    let at = store.begin().await?;
    if store.get(&key(KEYS - 1), at).await?.is_some() {
        return Ok(());
    }
    let numbers: Vec<u64> = (0..KEYS).collect();
    for part in numbers.chunks(1_000) {
        let written = store.run_transaction(|txn| async move {
            for number in part {
                txn.mutate(Mutation::Set {
                    key: key(*number),
                    value: value(),
                });
            }
            Ok::<_, KvError>(())
        });
        written.await?;
    }
    Ok(())
}

/// Seconds that each of some fsyncs takes, of a file beside the store.
fn fsyncs(folder: &Path) -> std::io::Result<Vec<f64>> {
    let path = folder.join("fsync.probe");
    let mut file = File::create(&path)?;
    let mut seconds = Vec::with_capacity(FSYNCS);
    for _ in 0..FSYNCS {
        file.write_all(&[7; FSYNC_BYTES])?;
        let start = Instant::now();
        file.sync_data()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    std::fs::remove_file(path)?;
    Ok(seconds)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
