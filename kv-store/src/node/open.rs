//! From a folder to a running member.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{mpsc, oneshot, watch},
};

use super::{Node, OwnRuntime, pace::Pace, proposals, reads, requests, upkeep};
use crate::{
    KvError,
    archive::{self, Archive, Progress},
    disk::RealDisk,
    files,
    metrics::Metrics,
    raft::{Group, GroupError},
    rpc::link::Dialer,
    state::{State, StateError},
    wal::{GroupId, LogOptions, Wal, WalError},
};

/// Of a file of the log, in bytes: what is kept of the log is kept in whole files.
pub(super) const SEGMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The one group there is.
pub(super) const GROUP: GroupId = GroupId(0);
/// Of Raft, and of the service when there is one. One for each processor, but: with a single one a slow disk would keep
/// heartbeats waiting, and more than a few would only wait for each other.
const THREADS_MIN: usize = 2;
const THREADS_MAX: usize = 8;
/// Requests that wait for the committer, at most.
const REQUESTS_MAX: usize = 16 * 1024;

/// How a member is to run.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    pub folder: PathBuf,
    /// Names the member in its group, for good.
    pub id: u64,
    /// `host:port` where other members reach it; empty for one that will be alone.
    pub address: String,
    /// Makes a group of this member alone when it is in none yet.
    pub alone: bool,
    pub dialer: Dialer,
    /// Old versions are kept this long.
    pub retention: Duration,
    /// Outcomes of transactions are kept this long.
    pub outcome_retention: Duration,
    /// Of the log's youngest entries, kept though the engine has them on disk: a member that was away for no more than them
    /// needs no snapshot. Opening reads them all.
    pub log_bytes_kept: u64,
    /// Where the member uploads the log and snapshots while it leads.
    pub archive: Option<Archive>,
}

impl NodeOptions {
    pub fn new(folder: impl Into<PathBuf>, id: u64) -> Self {
        Self {
            folder: folder.into(),
            id,
            address: String::new(),
            alone: false,
            dialer: Dialer::default(),
            retention: Duration::from_secs(60),
            outcome_retention: Duration::from_secs(24 * 3600),
            log_bytes_kept: 32 * 1024 * 1024,
            archive: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot use \"{}\"", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another process has opened \"{}\"", folder.display())]
    Locked { folder: PathBuf },
    #[error("\"{}\" belongs to member {found}, and this is member {id}", folder.display())]
    OtherNode {
        folder: PathBuf,
        found: u64,
        id: u64,
    },
    /// Its group has other members, or its disk does not answer.
    #[error("this member does not lead by itself")]
    NotAlone,
    #[error("cannot open the log")]
    Wal(#[from] WalError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Group(#[from] GroupError),
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, OpenError> {
    result.map_err(|source| OpenError::Io {
        path: path.into(),
        source,
    })
}

/// What is open before Raft starts.
struct Files {
    lock: File,
    wal: Arc<Wal>,
    state: Arc<State>,
    incoming: PathBuf,
}

impl Node {
    /// Starts a member in its folder, making that where there is none.
    pub async fn open(options: NodeOptions) -> Result<Self, OpenError> {
        let processors = std::thread::available_parallelism().map_or(THREADS_MIN, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors.clamp(THREADS_MIN, THREADS_MAX))
            .thread_name("raft")
            .enable_all()
            .build();
        let runtime = at(&options.folder, runtime)?;
        let handle = runtime.handle().clone();
        let opening = handle.spawn(open(options, runtime));
        match opening.await {
            Ok(node) => node,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

async fn open(options: NodeOptions, runtime: Runtime) -> Result<Node, OpenError> {
    let runtime = OwnRuntime(Some(runtime));
    let files = tokio::task::block_in_place(|| open_files(&options))?;
    let metrics = Metrics::new();
    let group = Group::open(
        options.id,
        Arc::clone(&files.wal),
        GROUP,
        Arc::clone(&files.state),
        files.incoming,
        options.dialer.clone(),
        metrics.steps(),
    )
    .await?;
    let (proposals, requests) = mpsc::channel(REQUESTS_MAX);
    let (reads, waiters) = mpsc::channel(REQUESTS_MAX);
    let (serve, serving) = watch::channel(false);
    tokio::spawn(proposals::run(
        group.clone(),
        Arc::clone(&files.state),
        requests,
        serve,
        metrics.steps(),
    ));
    tokio::spawn(reads::run(
        group.clone(),
        Arc::clone(&files.state),
        waiters,
        serving.clone(),
    ));
    tokio::spawn(upkeep::write_back(Arc::clone(&files.state)));
    tokio::spawn(upkeep::run(
        group.clone(),
        Arc::clone(&files.state),
        Arc::clone(&files.wal),
        proposals.clone(),
        upkeep::Own {
            id: options.id,
            address: options.address.clone(),
            retention: options.retention,
            outcome_retention: options.outcome_retention,
            log_bytes_kept: options.log_bytes_kept,
        },
    ));
    let progress = Progress::default();
    if let Some(archive) = options.archive.clone() {
        let source = archive::Source {
            group: group.clone(),
            serving: serving.clone(),
            id: GROUP,
            state: Arc::clone(&files.state),
            wal: Arc::clone(&files.wal),
            commit: commit_by(proposals.clone()),
        };
        tokio::spawn(archive::run(archive, source, progress.clone()));
    }
    start(&group, &options).await?;
    Ok(Node {
        id: options.id,
        address: options.address,
        group,
        state: files.state,
        wal: files.wal,
        metrics,
        archive: progress,
        proposals,
        reads,
        serving,
        pace: Pace::default(),
        handle: Handle::current(),
        runtime: Mutex::new(runtime),
        _lock: files.lock,
    })
}

fn commit_by(proposals: mpsc::Sender<requests::Request>) -> archive::Commit {
    Box::new(move |request| {
        let (id, proposals) = (request.id, proposals.clone());
        async move {
            let (answer, receiver) = oneshot::channel();
            let commit = requests::Request::Commit { request, answer };
            let is_taken = proposals.try_send(commit).is_ok();
            is_taken.then_some(()).ok_or(KvError::Overloaded)?;
            receiver.await.map_err(|_| KvError::UnknownOutcome { id })?
        }
        .boxed()
    })
}

fn open_files(options: &NodeOptions) -> Result<Files, OpenError> {
    let folder = &options.folder;
    at(folder, files::create_dir_all(folder))?;
    let lock_path = folder.join("LOCK");
    let lock = at(&lock_path, File::create(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            return Err(OpenError::Locked {
                folder: folder.clone(),
            });
        }
        Err(fs::TryLockError::Error(source)) => return at(&lock_path, Err(source)),
    }
    check_id(folder, options.id)?;
    let incoming = folder.join("incoming");
    if incoming.exists() {
        at(&incoming, fs::remove_dir_all(&incoming))?;
    }
    at(&incoming, fs::create_dir(&incoming))?;
    let wal = Wal::open(
        Arc::new(RealDisk),
        &folder.join("wal"),
        LogOptions {
            segment_bytes_max: SEGMENT_BYTES_MAX,
            salt: fastrand::u64(..),
        },
    )?;
    let purged = wal.state(GROUP).purged;
    let (state, repair) = State::open(folder.join("state"), purged)?;
    if let Some(repair) = repair {
        tracing::warn!(
            ?repair,
            "the engine's journal was torn, the log has the rest"
        );
    }
    // The names of all that.
    at(
        folder,
        File::open(folder).and_then(|names| names.sync_all()),
    )?;
    Ok(Files {
        lock,
        wal: Arc::new(wal),
        state: Arc::new(state),
        incoming,
    })
}

/// Written once: a member that forgot its id could vote twice.
pub(super) fn check_id(folder: &Path, id: u64) -> Result<(), OpenError> {
    let path = folder.join("NODE");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let malformed = || io::Error::other("the file holds no id");
            let found: u64 = at(&path, text.trim().parse().map_err(|_| malformed()))?;
            if found != id {
                return Err(OpenError::OtherNode {
                    folder: folder.into(),
                    found,
                    id,
                });
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let new = folder.join("NODE.new");
            let write = || {
                fs::write(&new, format!("{id}\n"))?;
                File::open(&new)?.sync_all()?;
                fs::rename(&new, &path)?;
                File::open(folder)?.sync_all()
            };
            at(&path, write())
        }
        Err(error) => at(&path, Err(error)),
    }
}

/// A member that is alone leads at once; others find out who leads by themselves.
async fn start(group: &Group, options: &NodeOptions) -> Result<(), GroupError> {
    if !group.is_initialized().await? {
        if options.alone {
            let members = BTreeMap::from([(options.id, options.address.clone())]);
            group.initialize(members).await?;
        }
        return Ok(());
    }
    let members = group.members();
    let mut voters = members.iter().filter(|member| member.is_voter);
    if voters.next().map(|member| member.id) == Some(options.id) && voters.next().is_none() {
        group.campaign().await?;
    }
    Ok(())
}
