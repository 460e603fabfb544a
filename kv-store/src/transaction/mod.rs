//! Transactions of a client: reads at one version, writes kept back until the commit.
//!
//! A transaction sees its own writes. What it read from the store, absent keys included, is what its commit depends on.
//! [`run_transaction`] runs one again until it commits; an attempt whose answer was lost is asked for before the next begins,
//! so nothing happens twice.

mod own_writes;
mod retry;

use std::{
    future::Future,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
pub(crate) use retry::Waits;
pub use retry::{Retry, TransactionError, run_transaction};

use crate::{
    KvError, Version,
    mvcc::{
        read::Row,
        selector::{RangeQuery, RangeRows},
    },
    txn::{AtomicOp, CommitRequest, KeyRange, Mutation, Outcome, TxnId},
};

/// What a transaction needs of a store, near or far.
pub trait Store: Clone + Send + Sync + 'static {
    /// A version to read at: what was acknowledged before the call is in it.
    fn begin(&self) -> impl Future<Output = Result<Version, KvError>> + Send;
    fn get(
        &self,
        key: &[u8],
        at: Version,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, KvError>> + Send;
    fn get_range(
        &self,
        query: &RangeQuery,
        at: Version,
    ) -> impl Future<Output = Result<RangeRows, KvError>> + Send;
    fn commit(
        &self,
        request: CommitRequest,
    ) -> impl Future<Output = Result<Version, KvError>> + Send;
    /// What became of a transaction. One that has not committed by now never will.
    fn outcome(&self, id: TxnId) -> impl Future<Output = Result<Outcome, KvError>> + Send;
}

/// Handle on one attempt. Clones share it.
#[derive(Debug, Clone)]
pub struct Transaction<S> {
    store: S,
    at: Version,
    work: Arc<Mutex<Work>>,
}

#[derive(Debug, Default)]
struct Work {
    reads: Vec<KeyRange>,
    mutations: Vec<Mutation>,
}

impl<S: Store> Transaction<S> {
    pub async fn begin(store: &S) -> Result<Self, KvError> {
        Ok(Self {
            store: store.clone(),
            at: store.begin().await?,
            work: Arc::default(),
        })
    }

    /// Everything is read as of this version.
    pub fn read_version(&self) -> Version {
        self.at
    }

    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        self.get_with(key, true).await
    }

    /// Like [`Transaction::get`], and the commit does not depend on it.
    pub async fn snapshot_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        self.get_with(key, false).await
    }

    async fn get_with(&self, key: &[u8], conflicts: bool) -> Result<Option<Vec<u8>>, KvError> {
        let own = own_writes::of_key(&self.work.lock().mutations, key)?;
        let before = match own.base {
            own_writes::Base::Known(value) => value,
            own_writes::Base::Store => {
                let value = self.store.get(key, self.at).await?;
                if conflicts {
                    self.work.lock().reads.push(KeyRange::point(key));
                }
                value
            }
        };
        Ok(own.ops.into_iter().fold(before, own_writes::evaluate))
    }

    /// Rows of a range. After writes of this transaction, only ranges whose ends are given keys can be read.
    pub async fn get_range(&self, query: &RangeQuery) -> Result<Vec<Row>, KvError> {
        self.get_range_with(query, true).await
    }

    /// Like [`Transaction::get_range`], and the commit does not depend on it.
    pub async fn snapshot_get_range(&self, query: &RangeQuery) -> Result<Vec<Row>, KvError> {
        self.get_range_with(query, false).await
    }

    async fn get_range_with(
        &self,
        query: &RangeQuery,
        conflicts: bool,
    ) -> Result<Vec<Row>, KvError> {
        let mutations = self.work.lock().mutations.clone();
        let range = own_writes::touched(&mutations, query)?;
        let found = match &range {
            None => self.store.get_range(query, self.at).await?,
            Some(_) => {
                let mut whole = query.clone();
                whole.limit = usize::MAX;
                self.store.get_range(&whole, self.at).await?
            }
        };
        if conflicts {
            self.work.lock().reads.extend(found.read);
        }
        match range {
            None => Ok(found.rows),
            Some(range) => own_writes::overlay(found.rows, &mutations, &range, query),
        }
    }

    pub fn set(&self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.mutate(Mutation::Set {
            key: key.into(),
            value: value.into(),
        });
    }

    pub fn clear(&self, key: impl Into<Vec<u8>>) {
        self.mutate(Mutation::Clear { key: key.into() });
    }

    pub fn clear_range(&self, range: KeyRange) {
        self.mutate(Mutation::ClearRange { range });
    }

    pub fn atomic(&self, op: AtomicOp, key: impl Into<Vec<u8>>, operand: impl Into<Vec<u8>>) {
        self.mutate(Mutation::Atomic {
            op,
            key: key.into(),
            operand: operand.into(),
        });
    }

    /// Any mutation, versionstamps included.
    pub fn mutate(&self, mutation: Mutation) {
        self.work.lock().mutations.push(mutation);
    }

    /// Makes the commit depend on a range that was not read.
    pub fn add_read_conflict(&self, range: KeyRange) {
        self.work.lock().reads.push(range);
    }

    /// What is to be committed under this id; `None` when nothing was written: then there is nothing to commit.
    pub fn request(&self, id: TxnId) -> Option<CommitRequest> {
        let work = self.work.lock();
        (!work.mutations.is_empty()).then(|| CommitRequest {
            id,
            read_version: self.at,
            reads: work.reads.clone(),
            mutations: work.mutations.clone(),
        })
    }

    /// Commits once, without another try. The version, or `None` when nothing was written.
    pub async fn commit(&self) -> Result<Option<Version>, KvError> {
        match self.request(new_id()) {
            Some(request) => self.store.commit(request).await.map(Some),
            None => Ok(None),
        }
    }
}

/// An id that nobody else has: milliseconds since 1970 in six bytes, and ten random ones. Only speed depends on the clock:
/// outcomes of one time then stand together, where the next ones are looked for and added.
pub fn new_id() -> TxnId {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    TxnId(((millis << 80) | (fastrand::u128(..) >> 48)).to_be_bytes())
}
