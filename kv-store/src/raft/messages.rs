//! What members of a group send each other, as protobuf messages. Field numbers never change their meaning.

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Voters {
    #[prost(uint64, repeated, tag = "1")]
    pub(crate) ids: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Member {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(string, tag = "2")]
    pub(crate) address: String,
}

/// Two configs while the group goes from the first to the second.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Membership {
    #[prost(message, repeated, tag = "1")]
    pub(crate) configs: Vec<Voters>,
    /// Voters and learners.
    #[prost(message, repeated, tag = "2")]
    pub(crate) members: Vec<Member>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Id {
    #[prost(uint64, tag = "1")]
    pub(crate) term: u64,
    /// Counted from 1.
    #[prost(uint64, tag = "2")]
    pub(crate) index: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Vote {
    #[prost(uint64, tag = "1")]
    pub(crate) term: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) node: u64,
    #[prost(bool, tag = "3")]
    pub(crate) committed: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LogEntry {
    #[prost(message, required, tag = "1")]
    pub(crate) id: Id,
    /// As it stands in the log.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) payload: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AppendRequest {
    #[prost(message, required, tag = "1")]
    pub(crate) vote: Vote,
    #[prost(message, optional, tag = "2")]
    pub(crate) previous: Option<Id>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) entries: Vec<LogEntry>,
    #[prost(message, optional, tag = "4")]
    pub(crate) committed: Option<Id>,
}

/// 1 was a part of an answer to a call for one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, prost::Enumeration)]
pub(crate) enum AppendResult {
    /// All that was sent up to `upto` is in the log, on disk.
    Success = 0,
    /// The entry before, which is `upto`, is another one there.
    Conflict = 2,
    HigherVote = 3,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct AppendAnswer {
    #[prost(enumeration = "AppendResult", tag = "1")]
    pub(crate) result: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) upto: Option<Id>,
    #[prost(message, optional, tag = "3")]
    pub(crate) vote: Option<Vote>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct VoteRequest {
    #[prost(message, required, tag = "1")]
    pub(crate) vote: Vote,
    #[prost(message, optional, tag = "2")]
    pub(crate) last: Option<Id>,
    #[prost(bool, tag = "3")]
    pub(crate) is_transfer: bool,
    /// Only asks whether a vote would be granted.
    #[prost(bool, tag = "4")]
    pub(crate) is_trial: bool,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct VoteAnswer {
    #[prost(message, required, tag = "1")]
    pub(crate) vote: Vote,
    #[prost(bool, tag = "2")]
    pub(crate) granted: bool,
    #[prost(message, optional, tag = "3")]
    pub(crate) last: Option<Id>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct TransferRequest {
    #[prost(message, required, tag = "1")]
    pub(crate) from: Vote,
    #[prost(uint64, tag = "2")]
    pub(crate) to: u64,
    #[prost(message, optional, tag = "3")]
    pub(crate) last: Option<Id>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct TransferAnswer {
    #[prost(bool, tag = "1")]
    pub(crate) accepted: bool,
}

/// What a snapshot is of, and who sends it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SnapshotHead {
    #[prost(message, required, tag = "1")]
    pub(crate) vote: Vote,
    /// The last entry in it.
    #[prost(message, required, tag = "2")]
    pub(crate) last: Id,
    /// The last entry about members, as it stands in the log.
    #[prost(message, optional, tag = "3")]
    pub(crate) membership: Option<LogEntry>,
}

/// A piece of a snapshot, in order; the first one has the head and no bytes.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SnapshotChunk {
    #[prost(message, optional, tag = "1")]
    pub(crate) head: Option<SnapshotHead>,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) bytes: Bytes,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct SnapshotAnswer {
    #[prost(message, required, tag = "1")]
    pub(crate) vote: Vote,
}
