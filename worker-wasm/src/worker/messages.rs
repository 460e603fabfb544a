//! What a coordinator and a worker say to each other beside plans: modules by hash, and how the worker is.

use prost::Message;

use crate::rendezvous::WayCounts;

pub(super) const SERVICE: &str = "murre.worker.v1.Worker";
pub(super) const MISSING: &str = "/murre.worker.v1.Worker/Missing";
pub(super) const PUT: &str = "/murre.worker.v1.Worker/Put";
pub(super) const DESCRIBE: &str = "/murre.worker.v1.Worker/Describe";

/// A message, at most: the modules of one query. Bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Which of these modules the worker does not have. Answered by [`Missing`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct Hashes {
    /// SHA-256 each.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) hashes: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Missing {
    /// SHA-256 each.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) hashes: Vec<Vec<u8>>,
    /// Whose code the worker runs, see [`crate::runtime::Runtime::target`].
    #[prost(string, tag = "2")]
    pub(super) target: String,
}

/// Modules to keep. Answered by [`Done`] when all have code. Only a coordinator may say this.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Put {
    #[prost(message, repeated, tag = "1")]
    pub(super) modules: Vec<PutModule>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PutModule {
    /// As WebAssembly; its name follows from its bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) module: Vec<u8>,
    /// Its code for the worker's target; empty: the worker makes it.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) artefact: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Done {}

/// How the worker is. Answered by [`Description`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct Describe {}

/// A worker, as of now.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Description {
    /// [`super::BUILD`] of its process.
    #[prost(string, tag = "1")]
    pub build: String,
    /// What hosts it: "process", "function".
    #[prost(string, tag = "2")]
    pub kind: String,
    /// Modules that it has code of.
    #[prost(uint64, tag = "3")]
    pub modules: u64,
    /// Modules that were put, since it started.
    #[prost(uint64, tag = "4")]
    pub modules_received_total: u64,
    /// Tasks whose queries have not ended.
    #[prost(uint64, tag = "5")]
    pub tasks_running: u64,
    /// Tasks since it started.
    #[prost(uint64, tag = "6")]
    pub tasks_total: u64,
    /// It ends soon and wants no more tasks.
    #[prost(bool, tag = "7")]
    pub draining: bool,
    /// Modules that it made code of itself, since it started.
    #[prost(uint64, tag = "8")]
    pub modules_compiled_total: u64,
    /// Memory that its tasks have reserved. Bytes.
    #[prost(uint64, tag = "9")]
    pub memory_bytes: u64,
    /// Its streams to and from other workers, in the order of [`crate::rendezvous::Way::ALL`].
    #[prost(message, repeated, tag = "10")]
    pub ways: Vec<WayUse>,
}

/// How much went one way between a worker and its peers.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct WayUse {
    #[prost(uint64, tag = "1")]
    pub streams_total: u64,
    #[prost(uint64, tag = "2")]
    pub streams_open: u64,
    #[prost(uint64, tag = "3")]
    pub sent_bytes_total: u64,
    #[prost(uint64, tag = "4")]
    pub received_bytes_total: u64,
}

impl From<WayCounts> for WayUse {
    fn from(counts: WayCounts) -> Self {
        Self {
            streams_total: counts.streams_total,
            streams_open: counts.streams_open,
            sent_bytes_total: counts.sent_bytes_total,
            received_bytes_total: counts.received_bytes_total,
        }
    }
}
