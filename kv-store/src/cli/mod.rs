//! The commands of the store, for a binary to mount: `kv serve` and everything about a store that runs.
//!
//! Output: one line per row, the value alone for `get`; with `--json` one JSON document per line.
//! Errors: every failure is an error of [`run`], so the exit status is not 0.

mod bench;
mod keys;
mod manage;
mod serve;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    DialError, DialOptions, Dialer, KvError,
    client::{Client, ClientOptions},
    node::OpenError,
    service::ServeError,
    snapshot::SnapshotError,
    transaction::Retry,
};

/// The replicated key-value store.
#[derive(Debug, Parser)]
pub struct Kv {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a member.
    Serve(serve::Serve),
    /// Make a group of the one member that listens at the endpoint; others join it.
    Init(Remote),
    /// What the members say of themselves.
    Status(Remote),
    /// Print the value of a key.
    Get(keys::Get),
    /// Write a key.
    Set(keys::Set),
    /// Print the keys of a range and their values.
    Range(keys::Range),
    /// Print changes as they happen.
    Watch(keys::Watch),
    /// Add, promote and remove members.
    Member(manage::Member),
    /// Let another member lead.
    TransferLeader(manage::TransferLeader),
    /// Write the whole store into a file.
    Backup(manage::Backup),
    /// Make the folder of a new member from a backup, or from what was uploaded to an object store.
    Restore(manage::Restore),
    /// Put load on the store, and measure.
    Bench(bench::Bench),
    /// Measure the store inside of this process, without a network.
    BenchEmbedded(bench::embedded::BenchEmbedded),
}

/// How to reach a store.
#[derive(Debug, Clone, Args)]
struct Remote {
    /// Members, as host:port; the others are learned from them
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:31339")]
    endpoints: Vec<String>,
    /// Certificate to show, in PEM
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate, in PEM
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authority that vouches for the members, in PEM; without it the connection is not encrypted
    #[arg(long, visible_alias = "client-ca")]
    ca: Option<PathBuf>,
    /// File with the token to show, as its first word
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Seconds to go on trying
    #[arg(long, default_value_t = 10)]
    patience: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Kv(#[from] KvError),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("cannot open the store")]
    Open(#[from] OpenError),
    #[error("cannot use \"{}\"", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Not written over: it may be another one's.
    #[error(
        "\"{}\" exists already: another backup writes it, or one that was killed has left it; then remove it",
        path.display()
    )]
    Unfinished { path: PathBuf },
    #[error("cannot use the backup \"{}\"", path.display())]
    Backup {
        path: PathBuf,
        #[source]
        source: SnapshotError,
    },
    #[error("cannot restore")]
    Restore(#[from] crate::node::RestoreError),
    #[error("cannot use the archive")]
    Archive(#[from] crate::archive::ArchiveError),
    #[error("the member failed: {detail}")]
    Failed { detail: String },
    #[error("no member answers")]
    NobodyAnswers,
    #[error("there is no key \"{key}\"")]
    NoKey { key: String },
    #[error("cannot write to the terminal")]
    Output(#[source] std::io::Error),
    #[error("{0}")]
    Usage(&'static str),
}

impl Remote {
    fn dialer(&self) -> Result<Dialer, DialError> {
        Dialer::new(&DialOptions {
            token_file: self.token_file.clone(),
            server_ca: self.ca.clone(),
            identity: self.tls_cert.clone().zip(self.tls_key.clone()),
        })
    }

    fn options(&self) -> Result<ClientOptions, DialError> {
        Ok(ClientOptions {
            dialer: self.dialer()?,
            retry: self.retry(),
            ..ClientOptions::new(self.endpoints.iter().cloned())
        })
    }

    fn retry(&self) -> Retry {
        Retry {
            patience: Duration::from_secs(self.patience),
            ..Retry::default()
        }
    }

    fn client(&self) -> Result<Client, DialError> {
        Client::new(self.options()?)
    }
}

/// A line for the terminal; who reads it may have gone.
fn print(line: &str) -> Result<(), CliError> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").map_err(CliError::Output)
}

/// Bytes as text; those that are none as `\xNN`.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

/// Inside of a tokio runtime with several threads.
pub async fn run(kv: Kv) -> Result<(), CliError> {
    match kv.command {
        Command::Serve(serve) => serve.run().await,
        Command::Init(remote) => manage::init(&remote).await,
        Command::Status(remote) => manage::status(&remote).await,
        Command::Get(get) => get.run().await,
        Command::Set(set) => set.run().await,
        Command::Range(range) => range.run().await,
        Command::Watch(watch) => watch.run().await,
        Command::Member(member) => member.run().await,
        Command::TransferLeader(transfer) => transfer.run().await,
        Command::Backup(backup) => backup.run().await,
        Command::Restore(restore) => restore.run().await,
        Command::Bench(bench) => bench.run().await,
        Command::BenchEmbedded(bench) => bench.run().await,
    }
}
