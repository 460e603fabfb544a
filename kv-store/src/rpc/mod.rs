//! Messages over gRPC, without generated code: a method is a path, a request and an answer.
//!
//! [`Link`] calls methods, [`server`] answers them; [`calls`] is many short calls in one, and [`answers`] their other end.

pub(crate) mod answers;
pub(crate) mod calls;
mod codec;
pub(crate) mod link;
pub(crate) mod server;
#[cfg(test)]
pub(crate) mod stub;

pub(crate) use link::Link;

/// A message, at most, in bytes: a transaction and its frame, or a batch of entries for a follower.
pub(crate) const MESSAGE_BYTES_MAX: usize = 24 * 1024 * 1024;

/// The service that members of a group offer each other.
pub(crate) mod raft {
    pub(crate) const SERVICE: &str = "/murre.kv.v1.Raft/";
    pub(crate) const APPEND: &str = "/murre.kv.v1.Raft/AppendStream";
    pub(crate) const VOTE: &str = "/murre.kv.v1.Raft/Vote";
    pub(crate) const SNAPSHOT: &str = "/murre.kv.v1.Raft/Snapshot";
    pub(crate) const TRANSFER: &str = "/murre.kv.v1.Raft/Transfer";
}
