//! What a coordinator and a worker say to each other beside plans: modules by hash, and how the worker is.

use prost::Message;

pub(super) const SERVICE: &str = "murre.worker.v1.Worker";
pub(super) const MISSING: &str = "/murre.worker.v1.Worker/Missing";
pub(super) const PUT: &str = "/murre.worker.v1.Worker/Put";
pub(super) const DESCRIBE: &str = "/murre.worker.v1.Worker/Describe";

/// A message, at most: the modules of one query. Bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Which of these modules the worker does not have. Answered by [`Hashes`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct Hashes {
    /// SHA-256 each.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) hashes: Vec<Vec<u8>>,
}

/// Modules to keep. Answered by [`Done`] when all have code.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Put {
    /// As WebAssembly; their names follow from their bytes.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) modules: Vec<Vec<u8>>,
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
}
