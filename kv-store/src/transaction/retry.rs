//! Runs a transaction until it commits, fails for good, or patience ends.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use super::{Store, Transaction, new_id};
use crate::{
    KvError,
    txn::{CommitRequest, Outcome},
};

/// How long to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// No new attempt begins after this long.
    pub patience: Duration,
    /// Before the second attempt, at most; doubles each time.
    pub first_wait: Duration,
    pub wait_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(30),
            first_wait: Duration::from_millis(2),
            wait_max: Duration::from_secs(1),
        }
    }
}

/// Waits between attempts, each a random part of a limit that doubles: who failed together does not come back together.
#[derive(Debug)]
pub(crate) struct Waits {
    retry: Retry,
    deadline: Instant,
    limit: Duration,
    is_first: bool,
}

impl Waits {
    pub(crate) fn new(retry: Retry) -> Self {
        Self {
            retry,
            deadline: Instant::now() + retry.patience,
            limit: retry.first_wait,
            is_first: true,
        }
    }

    /// True once: the first try again need not wait.
    pub(crate) fn is_first(&mut self) -> bool {
        std::mem::take(&mut self.is_first)
    }

    /// False when patience has ended.
    pub(crate) async fn wait(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        tokio::time::sleep(self.limit.mul_f64(fastrand::f64())).await;
        self.limit = (self.limit * 2).min(self.retry.wait_max);
        true
    }
}

/// An error of a transaction's body, which may come from the store.
pub trait TransactionError: From<KvError> {
    /// The store's error in it, if that is what it is.
    fn as_kv(&self) -> Option<&KvError>;
}

impl TransactionError for KvError {
    fn as_kv(&self) -> Option<&KvError> {
        Some(self)
    }
}

/// Runs `body` in a transaction and commits it. It may run several times, each time in a new transaction, and at most one of
/// them commits. When the store cannot say in time whether the last one did, the error is [`KvError::UnknownOutcome`].
pub async fn run_transaction<S, T, E, F, Fut>(store: &S, retry: Retry, mut body: F) -> Result<T, E>
where
    S: Store,
    E: TransactionError,
    F: FnMut(Transaction<S>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut waits = Waits::new(retry);
    loop {
        let failed = match attempt(store, &mut waits, &mut body).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        // A read that reached nobody has changed nothing; a commit that reached nobody is asked for before it gets here.
        let may_retry =
            |error: &KvError| error.is_retryable() || matches!(error, KvError::Unreachable { .. });
        if !failed.as_kv().is_some_and(may_retry) || !waits.wait().await {
            return Err(failed);
        }
    }
}

async fn attempt<S, T, E, F, Fut>(store: &S, waits: &mut Waits, body: &mut F) -> Result<T, E>
where
    S: Store,
    E: TransactionError,
    F: FnMut(Transaction<S>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let transaction = Transaction::begin(store).await?;
    let value = body(transaction.clone()).await?;
    if let Some(request) = transaction.request(new_id()) {
        commit(store, waits, request).await?;
    }
    Ok(value)
}

async fn commit<S: Store>(
    store: &S,
    waits: &mut Waits,
    request: CommitRequest,
) -> Result<(), KvError> {
    let id = request.id;
    match store.commit(request).await {
        Ok(_) => return Ok(()),
        Err(error) if !error.is_unknown() => return Err(error),
        Err(_) => {}
    }
    loop {
        match store.outcome(id).await {
            Ok(Outcome::Committed(_)) => return Ok(()),
            Ok(Outcome::Aborted(at)) => return Err(KvError::Aborted { at }),
            Err(_) if waits.wait().await => {}
            Err(_) => return Err(KvError::UnknownOutcome { id }),
        }
    }
}
