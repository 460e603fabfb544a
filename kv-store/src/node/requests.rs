//! What is asked of the committer, and who waits for what becomes of it.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::{
    KvError, Version,
    txn::{CommitRequest, Outcome, TxnId},
};

pub(super) type CommitWaiter = oneshot::Sender<Result<Version, KvError>>;
pub(super) type AskWaiter = oneshot::Sender<Result<Outcome, KvError>>;

pub(super) enum Request {
    Commit {
        request: CommitRequest,
        answer: CommitWaiter,
    },
    Ask {
        id: TxnId,
        answer: AskWaiter,
    },
    Gc {
        watermark: Version,
        outcomes_below: Version,
    },
}

impl Request {
    pub(super) fn refuse(self, error: KvError) {
        match self {
            Self::Commit { answer, .. } => drop(answer.send(Err(error))),
            Self::Ask { answer, .. } => drop(answer.send(Err(error))),
            Self::Gc { .. } => {}
        }
    }
}

/// By the transaction, which is in the open entry or under way. Whoever does not wait any more can ask for the outcome.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    commits: HashMap<TxnId, Vec<CommitWaiter>>,
    asks: HashMap<TxnId, Vec<AskWaiter>>,
}

impl Waiters {
    pub(super) fn commit(&mut self, id: TxnId, waiter: CommitWaiter) {
        self.commits.entry(id).or_default().push(waiter);
    }

    pub(super) fn ask(&mut self, id: TxnId, waiter: AskWaiter) {
        self.asks.entry(id).or_default().push(waiter);
    }

    pub(super) fn answer_commit(&mut self, id: TxnId, answer: &Result<Version, KvError>) {
        for waiter in self.commits.remove(&id).unwrap_or_default() {
            drop(waiter.send(answer.clone()));
        }
    }

    pub(super) fn answer_ask(&mut self, id: TxnId, answer: &Result<Outcome, KvError>) {
        for waiter in self.asks.remove(&id).unwrap_or_default() {
            drop(waiter.send(answer.clone()));
        }
    }
}
