//! The same load on etcd, to compare with: the two calls of its gRPC service that are needed.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;

use crate::{DialError, Dialer, KvError, rpc::Link, service::error::from_wire};

const PUT: &str = "/etcdserverpb.KV/Put";
const RANGE: &str = "/etcdserverpb.KV/Range";
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    /// Behind the last key; empty for one key.
    #[prost(bytes = "bytes", tag = "2")]
    range_end: Bytes,
    #[prost(int64, tag = "3")]
    limit: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    value: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeAnswer {
    #[prost(message, repeated, tag = "2")]
    kvs: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutAnswer {}

/// One member, which should be the leader: others would have to ask it.
#[derive(Debug)]
pub(super) struct Etcd {
    links: Vec<Link>,
    calls: AtomicUsize,
}

impl Etcd {
    pub(super) fn new(
        address: &str,
        dialer: &Dialer,
        connections: usize,
    ) -> Result<Self, DialError> {
        let links = (0..connections.max(1)).map(|_| dialer.link(address));
        Ok(Self {
            links: links.collect::<Result<_, _>>()?,
            calls: AtomicUsize::new(0),
        })
    }

    fn link(&self) -> &Link {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        &self.links[call % self.links.len()]
    }

    pub(super) async fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), KvError> {
        let message = PutRequest {
            key: key.into(),
            value: value.into(),
        };
        let done = self.link().unary(PUT, message, CALL_TIMEOUT).await;
        done.map(|_: PutAnswer| ())
            .map_err(|status| from_wire(&status))
    }

    /// Rows from `key` on, at most `limit`; one key's without an `end`. Reads what is committed now, as etcd does by itself.
    pub(super) async fn get(
        &self,
        key: Vec<u8>,
        end: &[u8],
        limit: usize,
    ) -> Result<usize, KvError> {
        let message = RangeRequest {
            key: key.into(),
            range_end: Bytes::copy_from_slice(end),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        let found = self.link().unary(RANGE, message, CALL_TIMEOUT).await;
        found
            .map(|answer: RangeAnswer| answer.kvs.len())
            .map_err(|status| from_wire(&status))
    }
}
