//! `murre worker`: a process that runs tasks of a server's queries.

use std::{io::Write, net::IpAddr, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context;
use catalog::nan_safe;
use coordinator::open_fragments;
use datafusion::execution::{
    disk_manager::{DiskManagerBuilder, DiskManagerMode},
    runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
};
use tokio::signal::unix::{SignalKind, signal};
use worker_wasm::{
    rendezvous::WorkerId,
    worker::{Core, CoreConfig, HostConfig, Join, Peers, serve_coordinator},
};

use crate::{
    config::{machine_memory_bytes, size},
    logging,
};

#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    /// Where the server lets workers join: its --workers-listen
    #[arg(long, env = "MURRE_COORDINATOR", value_name = "HOST:PORT")]
    coordinator: String,
    /// The file that the server names when it starts, or a copy of it
    #[arg(long, env = "MURRE_TOKEN_FILE", value_name = "FILE")]
    token_file: PathBuf,
    /// Its name among workers: letters, digits, -, _ and . [default: made up]
    #[arg(long, env = "MURRE_WORKER_NAME", value_name = "NAME")]
    name: Option<String>,
    /// Where other workers may dial this one; without it they meet at the server
    #[arg(long, env = "MURRE_WORKER_LISTEN", value_name = "HOST:PORT")]
    listen: Option<SocketAddr>,
    /// That address as others see it [default: as it listens]
    #[arg(long, env = "MURRE_WORKER_ANNOUNCE", value_name = "HOST:PORT")]
    announce: Option<SocketAddr>,
    /// Addresses of this machine that workers behind the same router may use
    #[arg(
        long,
        env = "MURRE_WORKER_PRIVATE",
        value_name = "IP",
        value_delimiter = ','
    )]
    private_address: Vec<IpAddr>,
    /// Memory of all tasks together [default: 3/4 of the machine's]
    #[arg(long, env = "MURRE_MEMORY_LIMIT", value_name = "SIZE")]
    memory_limit: Option<String>,
    /// Folder for rows that do not fit memory [default: the system's folder for temporary files]
    #[arg(long, env = "MURRE_SPILL_FOLDER", value_name = "DIR")]
    spill_folder: Option<PathBuf>,
    /// Disk space of all spill files together [default: 100GB]
    #[arg(long, env = "MURRE_SPILL_LIMIT", value_name = "SIZE")]
    spill_limit: Option<String>,
    /// Cache of Parquet footers; 0 switches it off [default: 256MB]
    #[arg(long, env = "MURRE_METADATA_CACHE", value_name = "SIZE")]
    metadata_cache: Option<String>,
    /// Log lines as json
    #[arg(long, env = "MURRE_LOG_JSON")]
    log_json: bool,
    /// What to log, for example info or worker_wasm=debug
    #[arg(long, env = "MURRE_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(args: WorkerArgs) -> anyhow::Result<()> {
    let spans = logging::start(&args.log, args.log_json)?;
    let token_file = args.token_file.display();
    let join = std::fs::read_to_string(&args.token_file)
        .with_context(|| format!("cannot read {token_file}"))?;
    let join = Join::parse(&join).with_context(|| {
        format!("{token_file} does not hold a token and a fingerprint, as the server writes them")
    })?;
    let name = args.name.clone().unwrap_or_else(made_up);
    let id = WorkerId::new(name.as_str()).with_context(|| format!("name: \"{name}\" is none"))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let modules = open_fragments(threads, None, 0).context("this machine cannot run fragments")?;
    let config = CoreConfig {
        kind: "process",
        threads,
        environment: environment(&args)?,
        modules,
        rewrite: nan_safe,
    };
    let peers = Arc::new(Peers::default());
    let core =
        Core::new(config, Arc::clone(&peers)).context("cannot start the threads of tasks")?;
    let host = HostConfig {
        rendezvous: args.coordinator.clone(),
        join,
        id,
        listen: args.listen,
        announce: args.announce,
        private_addresses: args.private_address,
    };
    let connected = || {
        // Whoever started the worker may have left.
        let _ = writeln!(
            std::io::stdout(),
            "ready: worker {name} of {}",
            args.coordinator
        );
    };
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = serve_coordinator(core, peers, host, connected) => match served {
            Ok(never) => match never {},
            Err(error) => return Err(error.into()),
        },
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    if let Some(spans) = spans
        && let Err(error) = spans.shutdown()
    {
        tracing::warn!(%error, "the last spans were not sent");
    }
    Ok(())
}

fn made_up() -> String {
    format!("worker-{}", uuid::Uuid::new_v4().simple())
}

/// Memory, spill files and stores that all tasks share.
fn environment(args: &WorkerArgs) -> anyhow::Result<Arc<RuntimeEnv>> {
    let memory_bytes = match &args.memory_limit {
        Some(text) => size("memory_limit", Some(text), 0)?,
        None => machine_memory_bytes() / 4 * 3,
    };
    let spill_bytes = size("spill_limit", args.spill_limit.as_deref(), 100_000_000_000)?;
    let metadata_bytes = size(
        "metadata_cache",
        args.metadata_cache.as_deref(),
        256_000_000,
    )?;
    let spill_mode = match &args.spill_folder {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let spill = DiskManagerBuilder::default()
        .with_mode(spill_mode)
        .with_max_temp_directory_size(spill_bytes);
    let usize_of = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let environment = RuntimeEnvBuilder::new()
        .with_memory_limit(usize_of(memory_bytes), 1.0)
        .with_disk_manager_builder(spill)
        .with_metadata_cache_limit(usize_of(metadata_bytes))
        .build_arc();
    environment.context("cannot use the spill folder")
}
