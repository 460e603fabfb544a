//! `kv bench`: load on a store, one call per operation; two for a comparison and a write. Calls on this store share a stream
//! of HTTP/2 for each connection, see [`crate::rpc::calls`]; etcd answers a call in a stream of its own.
//!
//! Closed loop: each client waits for its answer and goes on. With a rate, open loop: operations begin when their time has
//! come, and their latency counts from then on, also while all clients are busy.
//! Before the clock starts each client has done one operation.
//! The load can be put on etcd as well, by the same clients. Keys have 16 bytes, values 256. CPU seconds are those of this process; fsyncs those of all members.

pub(super) mod embedded;
mod etcd;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use self::etcd::Etcd;
use super::{CliError, Remote, print};
use crate::{
    KvError,
    client::Client,
    engine::Direction,
    mvcc::selector::{KeySelector, RangeQuery},
    transaction::{Store, new_id},
    txn::{CommitRequest, KeyRange, Mutation},
};

/// Different keys.
const KEYS: u64 = 100_000;
const VALUE_BYTES: usize = 256;
/// Rows of a range.
const RANGE_ROWS: usize = 100;
/// After an operation that failed: members that look for a leader need the processor themselves.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// Writes a key
    Put,
    /// Reads a key, as of now
    Get,
    /// Reads 100 rows, as of now
    Range,
    /// Reads a key and writes it when nobody else has
    Cas,
}

#[derive(Debug, Args)]
pub(super) struct Bench {
    #[arg(long, value_enum)]
    workload: Workload,
    /// Operations at once
    #[arg(long, default_value_t = 16)]
    clients: usize,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Operations per second; without it, as many as there are answers
    #[arg(long)]
    rate: Option<u64>,
    /// Connections to each member
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Write all keys first
    #[arg(long)]
    fill: bool,
    /// The first endpoint is a member of an etcd cluster, best its leader
    #[arg(long)]
    etcd: bool,
    #[command(flatten)]
    remote: Remote,
}

/// What bears the load.
#[derive(Debug)]
enum Target {
    Murre(Client),
    Etcd(Etcd),
}

/// Shared by all clients of a run.
#[derive(Debug)]
struct Run {
    target: Target,
    workload: Workload,
    start: Instant,
    end: Instant,
    /// Between two operations; zero in a closed loop.
    interval: Duration,
    /// Operations begun.
    begun: AtomicU64,
    errors: AtomicU64,
    /// When an operation last succeeded, in microseconds since the start.
    last_success: AtomicU64,
    /// Longest time without a success, in microseconds.
    longest_gap: AtomicU64,
}

fn key(number: u64) -> Vec<u8> {
    format!("/user/{number:010}").into_bytes()
}

fn value() -> Vec<u8> {
    (0..VALUE_BYTES).map(|_| fastrand::u8(..)).collect()
}

/// Of the keys; the next byte behind the slash.
const KEYS_OF_USERS_END: &str = "/user0";

impl Target {
    async fn operate(&self, workload: Workload) -> Result<(), KvError> {
        let number = fastrand::u64(..KEYS);
        match self {
            Self::Murre(client) => on_murre(client, workload, number).await,
            Self::Etcd(etcd) => on_etcd(etcd, workload, number).await,
        }
    }

    /// Writes every key.
    async fn fill(&self) -> Result<(), KvError> {
        match self {
            Self::Murre(client) => fill(client).await,
            Self::Etcd(etcd) => {
                let puts = (0..KEYS).map(|number| etcd.put(key(number), value()));
                futures::stream::iter(puts)
                    .buffer_unordered(256)
                    .try_collect::<()>()
                    .await
            }
        }
    }

    /// One operation of each client: then connections stand, and who leads is known. What fails will fail again.
    async fn warm_up(&self, workload: Workload, clients: usize) {
        let first = (0..clients).map(|_| self.operate(workload));
        futures::future::join_all(first).await;
    }

    /// Of all members that answer; nobody knows etcd's.
    async fn num_syncs(&self) -> Option<u64> {
        match self {
            Self::Murre(client) => Some(num_syncs(client).await),
            Self::Etcd(_) => None,
        }
    }
}

async fn on_murre(client: &Client, workload: Workload, number: u64) -> Result<(), KvError> {
    let set = || Mutation::Set {
        key: key(number),
        value: value(),
    };
    match workload {
        Workload::Put => client.write(vec![set()]).await.map(drop),
        Workload::Get => client.get_now(&key(number)).await.map(drop),
        Workload::Range => {
            let query = RangeQuery {
                begin: KeySelector::first_at_or_after(key(number)),
                end: KeySelector::first_at_or_after(KEYS_OF_USERS_END),
                limit: RANGE_ROWS,
                direction: Direction::Forward,
            };
            client.get_range_now(&query).await.map(drop)
        }
        Workload::Cas => {
            let key = key(number);
            let (_, read_version) = client.get_with_version(&key).await?;
            let request = CommitRequest {
                id: new_id(),
                read_version,
                reads: vec![KeyRange::point(key)],
                mutations: vec![set()],
            };
            match client.commit(request).await {
                // A lost race is an answer.
                Err(KvError::Conflict) => Ok(()),
                committed => committed.map(drop),
            }
        }
    }
}

async fn on_etcd(etcd: &Etcd, workload: Workload, number: u64) -> Result<(), KvError> {
    let end = KEYS_OF_USERS_END.as_bytes();
    match workload {
        Workload::Put => etcd.put(key(number), value()).await,
        Workload::Get => etcd.get(key(number), &[], 1).await.map(drop),
        Workload::Range => etcd.get(key(number), end, RANGE_ROWS).await.map(drop),
        Workload::Cas => etcd.compare_and_set(key(number), value()).await.map(drop),
    }
}

impl Run {
    /// One client, until the end. Latencies in microseconds.
    async fn client(self: Arc<Self>) -> Vec<u32> {
        let mut latencies = Vec::new();
        loop {
            let turn = self.begun.fetch_add(1, Ordering::Relaxed);
            let planned = self.start + self.interval.mul_f64(turn as f64);
            let now = Instant::now();
            if now.max(planned) >= self.end {
                return latencies;
            }
            tokio::time::sleep_until(planned.into()).await;
            let from = if self.interval.is_zero() {
                now
            } else {
                planned
            };
            match self.target.operate(self.workload).await {
                Ok(()) => {
                    let micros = from.elapsed().as_micros();
                    latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
                    self.succeeded();
                }
                Err(_) => {
                    self.errors.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    fn succeeded(&self) {
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let before = self.last_success.fetch_max(now, Ordering::Relaxed);
        self.longest_gap
            .fetch_max(now.saturating_sub(before), Ordering::Relaxed);
    }
}

/// Of this process so far, user and system.
fn cpu_seconds() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else {
        return 0.0;
    };
    // Behind the name in brackets: the twelfth and thirteenth field, in hundredths of a second.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let mut times = fields.split_whitespace().skip(11);
    let mut ticks = || times.next().and_then(|ticks| ticks.parse::<f64>().ok());
    (ticks().unwrap_or(0.0) + ticks().unwrap_or(0.0)) / 100.0
}

/// At `per_mille` of sorted latencies, in milliseconds.
fn quantile(sorted: &[u32], per_mille: usize) -> f64 {
    let at = (sorted.len() * per_mille / 1000).min(sorted.len().saturating_sub(1));
    f64::from(sorted.get(at).copied().unwrap_or(0)) / 1000.0
}

impl Bench {
    fn target(&self) -> Result<Target, CliError> {
        let mut options = self.remote.options()?;
        if self.etcd {
            let address = options.endpoints.first();
            let address = address.ok_or(CliError::Usage("etcd needs an endpoint"))?;
            let etcd = Etcd::new(address, &options.dialer, self.connections)?;
            return Ok(Target::Etcd(etcd));
        }
        options.connections = self.connections;
        Ok(Target::Murre(Client::new(options)?))
    }

    pub(super) async fn run(self) -> Result<(), CliError> {
        let target = self.target()?;
        if self.fill {
            target.fill().await?;
        }
        target.warm_up(self.workload, self.clients).await;
        let num_syncs = target.num_syncs().await;
        let interval = self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs(1) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX)
        });
        let (cpu, start) = (cpu_seconds(), Instant::now());
        let run = Arc::new(Run {
            target,
            workload: self.workload,
            start,
            end: start + Duration::from_secs(self.seconds),
            interval,
            begun: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            last_success: AtomicU64::new(0),
            longest_gap: AtomicU64::new(0),
        });
        let clients = (0..self.clients).map(|_| tokio::spawn(Arc::clone(&run).client()));
        let mut latencies: Vec<u32> = futures::future::join_all(clients)
            .await
            .into_iter()
            .flat_map(Result::unwrap_or_default)
            .collect();
        let seconds = start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let fsyncs = run.target.num_syncs().await.zip(num_syncs);
        let fsyncs = fsyncs.map(|(after, before)| after.saturating_sub(before));
        let ops_per_s = latencies.len() as f64 / seconds;
        let (p50_ms, p99_ms) = (quantile(&latencies, 500), quantile(&latencies, 990));
        let errors = run.errors.load(Ordering::Relaxed);
        let longest_gap_ms = run.longest_gap.load(Ordering::Relaxed) as f64 / 1000.0;
        let cpu_s = cpu_seconds() - cpu;
        if self.remote.json {
            let result = json!({
                "ops_per_s": ops_per_s,
                "p50_ms": p50_ms,
                "p99_ms": p99_ms,
                "longest_gap_ms": longest_gap_ms,
                "errors": errors,
                "cpu_s": cpu_s,
                "fsyncs": fsyncs,
                "ops": latencies.len(),
            });
            return print(&result.to_string());
        }
        print(&format!(
            "{ops_per_s:.0} operations/s, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, {errors} errors, \
             {cpu_s:.2} s of CPU here, {} fsyncs",
            fsyncs.map_or("unknown".into(), |num| num.to_string()),
        ))
    }
}

async fn fill(client: &Client) -> Result<(), KvError> {
    let numbers: Vec<u64> = (0..KEYS).collect();
    for part in numbers.chunks(1_000) {
        let set = |number: &u64| Mutation::Set {
            key: key(*number),
            value: value(),
        };
        client.write(part.iter().map(set).collect()).await?;
    }
    // So that the next reads see all of it from the start.
    client.begin().await.map(drop)
}

/// Of all members that answer.
async fn num_syncs(client: &Client) -> u64 {
    let mut sum = 0;
    for address in client.addresses() {
        sum += client
            .status(&address)
            .await
            .map_or(0, |status| status.num_syncs);
    }
    sum
}
