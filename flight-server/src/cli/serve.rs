//! `murre serve`: what a server is made of, from start to drain.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::bail;
use catalog::PrivateFiles;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::ready::Ready;
use crate::{
    auth::Authenticator, config::Settings, connections, flight::Front, http, local_engine, logging,
    metrics, network::NetworkThreads, tls::Tls, workers::Workers,
};

#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// File of settings, murre.toml; the command line and the environment win over it
    #[arg(long, env = "MURRE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let settings = match &args.config {
        Some(path) => args.settings.or_from_file(path)?,
        None => args.settings,
    };
    let config = settings.check()?;
    let spans = logging::start(&config.log_filter, config.log_json)?;
    metrics::declare();

    // Ports before the data folder: a server that cannot be reached should not touch it.
    let flight_listener = connections::bind("flight-sql", config.listen).await?;
    let http_listener = connections::bind("http", config.http).await?;
    let network = tokio::runtime::Handle::current();
    let (engine, folder) =
        local_engine::open_with(&config.data_dir, config.engine.clone(), network)?;

    let (stop_flight, stop_http) = (CancellationToken::new(), CancellationToken::new());
    let files = PrivateFiles::open(&folder.server_secrets())?;
    let users = Arc::clone(engine.users());
    let authenticator = Arc::new(Authenticator::open(config.auth, users, &files)?);
    if authenticator.knows_nobody() && !config.listen.ip().is_loopback() {
        bail!(
            "listen: {} can be reached from other machines, and there are no users yet who could be told apart; \
             make one first: murre sql --data-dir {} -c \"CREATE USER name PASSWORD '..'\"",
            config.listen,
            config.data_dir.display()
        );
    }
    let tls = config
        .tls
        .as_ref()
        .map(|tls| Tls::open(tls, &files, folder.path(), config.listen.ip()));
    let tls = tls.transpose()?;
    let front = Front::new(
        Arc::clone(&engine),
        config.flight,
        Arc::clone(&authenticator),
    );
    let threads = NetworkThreads::start(std::thread::available_parallelism()?.get())?;
    let workers = match config.workers_listen {
        Some(listen) => {
            let (announced, lambda) = (config.workers_announce, config.lambda.as_ref());
            Some(Workers::listen(listen, announced, lambda, &engine, &folder).await?)
        }
        None => None,
    };
    let ready = Ready {
        workers: workers.as_ref(),
        flight: flight_listener.local_addr()?,
        http: http_listener.local_addr()?,
        tls: tls.as_ref(),
        users: !authenticator.knows_nobody(),
    };
    ready.announce()?;
    info!(listen = %flight_listener.local_addr()?, http = %http_listener.local_addr()?, data_dir = %folder.path().display(),
        threads = config.engine.threads, memory_limit_bytes = config.engine.memory_limit_bytes, "serving");
    let http = tokio::spawn(http::serve(
        http_listener,
        tls.clone(),
        Arc::clone(&engine),
        stop_http.clone(),
    ));
    tokio::spawn(connections::expire(front.clone(), stop_flight.clone()));
    let flight = tokio::spawn(connections::serve(
        flight_listener,
        front,
        tls,
        threads,
        stop_flight.clone(),
    ));

    stop_signal().await?;
    info!(running = engine.running(), "draining");
    engine.drain();
    stop_flight.cancel();
    if tokio::time::timeout(config.drain_timeout, flight)
        .await
        .is_err()
    {
        warn!(
            running = engine.running(),
            "statements still running at the end of the drain time are cancelled"
        );
        engine.cancel_all();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(workers);
    stop_http.cancel();
    // Health checks have nothing to lose.
    let _ = tokio::time::timeout(Duration::from_secs(1), http).await;
    if let Some(spans) = spans
        && let Err(error) = spans.shutdown()
    {
        warn!(%error, "the last spans were not sent");
    }
    info!("stopped");
    Ok(())
}

async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
