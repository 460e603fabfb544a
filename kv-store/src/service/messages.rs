//! What clients and servers say to each other, as protobuf messages. Field numbers never change their meaning.
//!
//! A version is its twelve bytes, a transaction id its sixteen.

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Empty {}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Key {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    /// Now, when it is missing.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) at: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Value {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) value: Option<Bytes>,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) at: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AtVersion {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) version: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Range {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) begin: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) end: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Selector {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bool, tag = "2")]
    pub(crate) or_equal: bool,
    #[prost(sint32, tag = "3")]
    pub(crate) offset: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Query {
    #[prost(message, required, tag = "1")]
    pub(crate) begin: Selector,
    #[prost(message, required, tag = "2")]
    pub(crate) end: Selector,
    #[prost(uint64, tag = "3")]
    pub(crate) limit: u64,
    #[prost(bool, tag = "4")]
    pub(crate) reverse: bool,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(crate) at: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Row {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

/// A page: with fewer rows than asked for when `more` is set.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Rows {
    #[prost(message, repeated, tag = "1")]
    pub(crate) rows: Vec<Row>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) read: Vec<Range>,
    #[prost(bool, tag = "3")]
    pub(crate) more: bool,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) at: Bytes,
}

/// `kind` says which of the others mean something; see the conversion.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Mutation {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) value: Bytes,
    #[prost(uint32, tag = "4")]
    pub(crate) op: u32,
    #[prost(uint64, tag = "5")]
    pub(crate) offset: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Commit {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) read_version: Bytes,
    #[prost(message, repeated, tag = "3")]
    pub(crate) reads: Vec<Range>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) mutations: Vec<Mutation>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TransactionId {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) id: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Outcome {
    #[prost(bool, tag = "1")]
    pub(crate) committed: bool,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) version: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Watch {
    #[prost(message, required, tag = "1")]
    pub(crate) range: Range,
    /// Now, when it is missing.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) after: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Change {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) version: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) value: Option<Bytes>,
}

/// All changes up to `upto`, which is where the next ones begin. Of those that take several messages, all but the last have
/// the `upto` of before, and changes behind it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Changes {
    #[prost(message, repeated, tag = "1")]
    pub(crate) changes: Vec<Change>,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) upto: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Leader {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(string, tag = "2")]
    pub(crate) address: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Member {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(string, tag = "2")]
    pub(crate) address: String,
    #[prost(bool, tag = "3")]
    pub(crate) is_voter: bool,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) matched: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) term: u64,
    #[prost(bool, tag = "3")]
    pub(crate) is_leader: bool,
    #[prost(message, optional, tag = "4")]
    pub(crate) leader: Option<Leader>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) members: Vec<Member>,
    #[prost(uint64, tag = "6")]
    pub(crate) last_index: u64,
    #[prost(bytes = "bytes", tag = "7")]
    pub(crate) applied: Bytes,
    #[prost(bytes = "bytes", tag = "8")]
    pub(crate) watermark: Bytes,
    #[prost(uint64, tag = "9")]
    pub(crate) num_syncs: u64,
    #[prost(bool, tag = "10")]
    pub(crate) is_stopped: bool,
    #[prost(uint64, tag = "11")]
    pub(crate) first_index: u64,
    #[prost(message, optional, tag = "12")]
    pub(crate) archived: Option<Archived>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Archived {
    #[prost(uint64, tag = "1")]
    pub(crate) index: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) behind_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MemberId {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NewMember {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(string, tag = "2")]
    pub(crate) address: String,
    /// Make it vote as soon as it has caught up.
    #[prost(bool, tag = "3")]
    pub(crate) promote: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Chunk {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) bytes: Bytes,
}

/// `kind` says which of the others mean something; see the conversion.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Error {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(string, tag = "2")]
    pub(crate) detail: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) id: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) version: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) bound: Bytes,
    #[prost(message, optional, tag = "6")]
    pub(crate) leader: Option<Leader>,
    #[prost(uint32, tag = "7")]
    pub(crate) limit: u32,
    #[prost(uint64, tag = "8")]
    pub(crate) bytes: u64,
    #[prost(uint64, tag = "9")]
    pub(crate) offset: u64,
    #[prost(string, tag = "10")]
    pub(crate) role: String,
    #[prost(string, tag = "11")]
    pub(crate) action: String,
    #[prost(string, tag = "12")]
    pub(crate) namespace: String,
}
