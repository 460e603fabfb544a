//! The same load on etcd, to compare with: the three calls of its gRPC service that are needed.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;

use crate::{DialError, Dialer, KvError, rpc::Link, service::error::from_wire};

const PUT: &str = "/etcdserverpb.KV/Put";
const RANGE: &str = "/etcdserverpb.KV/Range";
const TXN: &str = "/etcdserverpb.KV/Txn";
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
    /// Of the last write; no key has 0.
    #[prost(int64, tag = "3")]
    mod_revision: i64,
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

/// Equal, as that is number 0 of `result`.
#[derive(Clone, PartialEq, prost::Message)]
struct Compare {
    #[prost(int32, tag = "1")]
    result: i32,
    #[prost(int32, tag = "2")]
    target: i32,
    #[prost(bytes = "bytes", tag = "3")]
    key: Bytes,
    #[prost(int64, tag = "6")]
    mod_revision: i64,
}

/// Of [`Compare::target`].
const MOD_REVISION: i32 = 2;

#[derive(Clone, PartialEq, prost::Message)]
struct Operation {
    #[prost(message, optional, tag = "2")]
    put: Option<PutRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TxnRequest {
    #[prost(message, repeated, tag = "1")]
    compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    success: Vec<Operation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TxnAnswer {
    #[prost(bool, tag = "2")]
    succeeded: bool,
}

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
        Ok(self.range(key, end, limit).await?.len())
    }

    async fn range(
        &self,
        key: Vec<u8>,
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<KeyValue>, KvError> {
        let message = RangeRequest {
            key: key.into(),
            range_end: Bytes::copy_from_slice(end),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        let found = self.link().unary(RANGE, message, CALL_TIMEOUT).await;
        found
            .map(|answer: RangeAnswer| answer.kvs)
            .map_err(|status| from_wire(&status))
    }

    /// Reads a key, and writes it when nobody else has since. Whether it was written.
    pub(super) async fn compare_and_set(
        &self,
        key: Vec<u8>,
        value: Vec<u8>,
    ) -> Result<bool, KvError> {
        let found = self.range(key.clone(), &[], 1).await?;
        let key = Bytes::from(key);
        let message = TxnRequest {
            compare: vec![Compare {
                result: 0,
                target: MOD_REVISION,
                key: key.clone(),
                mod_revision: found.first().map_or(0, |row| row.mod_revision),
            }],
            success: vec![Operation {
                put: Some(PutRequest {
                    key,
                    value: value.into(),
                }),
            }],
        };
        let done = self.link().unary(TXN, message, CALL_TIMEOUT).await;
        done.map(|answer: TxnAnswer| answer.succeeded)
            .map_err(|status| from_wire(&status))
    }
}
