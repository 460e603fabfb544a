//! The store from afar: any member is asked, and says who leads.
//!
//! Reads and questions are asked again, of other members too, while patience lasts. A commit is sent again only when the
//! member said that nothing happened; whether one without an answer happened is for [`Store::outcome`] to say.

mod links;
mod manage;
mod watch;

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use prost::Message;

use self::links::Links;
use crate::{
    DialError, Dialer, KvError, Version,
    engine::Direction,
    mvcc::{
        read::Row,
        selector::{KeySelector, RangeQuery, RangeRows},
    },
    service::{
        error::from_wire,
        messages as wire, method,
        wire::{
            commit_to_wire, id_to_wire, outcome_from_wire, query_to_wire, range_from_wire,
            row_from_wire, version,
        },
    },
    transaction::{Retry, Store, Transaction, TransactionError, Waits, new_id, run_transaction},
    txn::{CommitRequest, Mutation, Outcome, TxnId},
};

/// How a client calls.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Some of the members, as `host:port`; the others are learned from them.
    pub endpoints: Vec<String>,
    pub dialer: Dialer,
    /// To each member; calls share them.
    pub connections: usize,
    /// Of one call to one member.
    pub call_timeout: Duration,
    pub retry: Retry,
}

impl ClientOptions {
    pub fn new(endpoints: impl IntoIterator<Item = String>) -> Self {
        Self {
            endpoints: endpoints.into_iter().collect(),
            dialer: Dialer::default(),
            connections: 1,
            call_timeout: Duration::from_secs(2),
            retry: Retry::default(),
        }
    }
}

/// Clones share connections and what is known of the leader.
#[derive(Debug, Clone)]
pub struct Client {
    links: Arc<Links>,
    call_timeout: Duration,
    retry: Retry,
}

impl Client {
    /// Connects when something is asked.
    pub fn new(options: ClientOptions) -> Result<Self, DialError> {
        Ok(Self {
            links: Arc::new(Links::new(
                options.endpoints,
                options.dialer,
                options.connections,
            )?),
            call_timeout: options.call_timeout,
            retry: options.retry,
        })
    }

    /// Asks the leader, as far as it is known, once.
    async fn once<Q, A>(&self, method: &'static str, message: Q) -> Result<A, KvError>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let connection = self.links.leader();
        let address = &connection.address;
        let answer = connection.call(method, message, self.call_timeout).await;
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(status) => at(address, from_wire(&status)),
        };
        match &error {
            KvError::NotLeader {
                leader: Some(leader),
            } if !leader.address.is_empty() && leader.address != *address => {
                self.links.follow(&leader.address);
            }
            KvError::NotLeader { .. }
            | KvError::Unreachable { .. }
            | KvError::Storage { .. }
            // After a change of leaders: whoever gave the version out is gone, and this one has yet to hear of it.
            | KvError::Future { .. } => self.links.pass(address),
            _ => {}
        }
        Err(error)
    }

    /// Asks until somebody answers. Only for what does no harm when it is asked twice.
    async fn ask<Q, A>(&self, method: &'static str, message: Q) -> Result<A, KvError>
    where
        Q: Message + Clone + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        self.ask_while(KvError::is_of_the_member, method, message)
            .await
    }

    async fn ask_while<Q, A>(
        &self,
        again: impl Fn(&KvError) -> bool,
        method: &'static str,
        message: Q,
    ) -> Result<A, KvError>
    where
        Q: Message + Clone + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut waits = Waits::new(self.retry);
        loop {
            match self.once(method, message.clone()).await {
                // A member that names the leader has answered; there is nothing to wait for.
                Err(KvError::NotLeader { leader: Some(_) }) if waits.is_first() => {}
                Err(error) if again(&error) => {
                    if !waits.wait().await {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }

    /// The value of a key now.
    pub async fn get_now(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        Ok(self.get_with_version(key).await?.0)
    }

    /// The value of a key now, and the version that is now: a commit that read at it can depend on the key.
    pub async fn get_with_version(
        &self,
        key: &[u8],
    ) -> Result<(Option<Vec<u8>>, Version), KvError> {
        let key = Bytes::copy_from_slice(key);
        let message = wire::Key { key, at: None };
        let answer: wire::Value = self.ask(method::GET, message).await?;
        let at = version::from_wire(&answer.at)?;
        Ok((answer.value.map(Vec::from), at))
    }

    /// Rows of a range now; the first page decides what now is.
    pub async fn get_range_now(&self, query: &RangeQuery) -> Result<Vec<Row>, KvError> {
        let first: wire::Rows = self
            .ask(method::GET_RANGE, query_to_wire(query, None))
            .await?;
        let at = version::from_wire(&first.at)?;
        Ok(self.pages(query.clone(), first, at).await?.rows)
    }

    /// All of a query's answer, from its first page on.
    async fn pages(
        &self,
        mut query: RangeQuery,
        first: wire::Rows,
        at: Version,
    ) -> Result<RangeRows, KvError> {
        let mut found = RangeRows {
            rows: Vec::new(),
            read: Vec::new(),
        };
        let mut page = first;
        loop {
            query.limit = query.limit.saturating_sub(page.rows.len());
            found.rows.extend(page.rows.into_iter().map(row_from_wire));
            found
                .read
                .extend(page.read.into_iter().map(range_from_wire));
            match found.rows.last() {
                Some(last) if page.more => match query.direction {
                    Direction::Forward => query.begin = KeySelector::first_after(&*last.key),
                    Direction::Reverse => query.end = KeySelector::first_at_or_after(&*last.key),
                },
                _ => return Ok(found),
            }
            let message = query_to_wire(&query, Some(version::to_wire(at)));
            page = self.ask(method::GET_RANGE, message).await?;
        }
    }

    /// Writes without having read, in one call.
    pub async fn write(&self, mutations: Vec<Mutation>) -> Result<Version, KvError> {
        self.commit(CommitRequest {
            id: new_id(),
            // Nothing was read, so there is nothing that could have been written since.
            read_version: Version::MAX,
            reads: Vec::new(),
            mutations,
        })
        .await
    }

    /// Runs `body` in a transaction until it commits. See [`run_transaction`].
    pub async fn run_transaction<T, E, F, Fut>(&self, body: F) -> Result<T, E>
    where
        E: TransactionError,
        F: FnMut(Transaction<Self>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        run_transaction(self, self.retry, body).await
    }

    async fn stream<Q, A>(
        &self,
        method: &'static str,
        message: Q,
    ) -> Result<impl Stream<Item = Result<A, KvError>> + use<Q, A>, KvError>
    where
        Q: Message + Clone + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut waits = Waits::new(self.retry);
        loop {
            // Whoever leads, or learns so: a call that is answered once finds the leader.
            let _: wire::AtVersion = self.ask(method::BEGIN, wire::Empty {}).await?;
            let connection = self.links.leader();
            let address = &connection.address;
            let failed = match connection.link.streamed(method, message.clone()).await {
                Ok(answers) => {
                    return Ok(answers.map(|answer| answer.map_err(|status| from_wire(&status))));
                }
                Err(status) => at(address, from_wire(&status)),
            };
            let is_lost = matches!(
                failed,
                KvError::NotLeader { .. } | KvError::Unreachable { .. }
            );
            self.links.pass(address);
            if !is_lost || !waits.wait().await {
                return Err(failed);
            }
        }
    }
}

/// Says which member could not be reached.
fn at(address: &str, error: KvError) -> KvError {
    match error {
        KvError::Unreachable { detail } => KvError::Unreachable {
            detail: format!("{address}: {detail}"),
        },
        error => error,
    }
}

impl Store for Client {
    async fn begin(&self) -> Result<Version, KvError> {
        let answer: wire::AtVersion = self.ask(method::BEGIN, wire::Empty {}).await?;
        version::from_wire(&answer.version)
    }

    async fn get(&self, key: &[u8], at: Version) -> Result<Option<Vec<u8>>, KvError> {
        let key = Bytes::copy_from_slice(key);
        let at = Some(version::to_wire(at));
        let answer: wire::Value = self.ask(method::GET, wire::Key { key, at }).await?;
        Ok(answer.value.map(Vec::from))
    }

    async fn get_range(&self, query: &RangeQuery, at: Version) -> Result<RangeRows, KvError> {
        let message = query_to_wire(query, Some(version::to_wire(at)));
        let first = self.ask(method::GET_RANGE, message).await?;
        self.pages(query.clone(), first, at).await
    }

    async fn commit(&self, request: CommitRequest) -> Result<Version, KvError> {
        let id = request.id;
        // A member whose log failed with a commit under way says that it does not know.
        let nothing_happened = |error: &KvError| {
            matches!(
                error,
                KvError::NotLeader { .. } | KvError::Overloaded | KvError::Storage { .. }
            )
        };
        let sent = self.ask_while(nothing_happened, method::COMMIT, commit_to_wire(&request));
        let answer: Result<wire::AtVersion, _> = sent.await;
        match answer {
            Ok(answer) => version::from_wire(&answer.version),
            Err(KvError::Unreachable { .. }) => Err(KvError::UnknownOutcome { id }),
            Err(error) => Err(error),
        }
    }

    async fn outcome(&self, id: TxnId) -> Result<Outcome, KvError> {
        let id = id_to_wire(id);
        let answer: wire::Outcome = self
            .ask(method::OUTCOME, wire::TransactionId { id })
            .await?;
        outcome_from_wire(&answer)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures::FutureExt;
    use tonic::Status;

    use super::*;
    use crate::{
        rpc::{
            server::{HttpRequest, unary},
            stub,
        },
        service::error::to_wire,
    };

    #[tokio::test]
    async fn a_member_that_has_not_got_as_far_as_the_version_is_asked_again() {
        let num_gets = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&num_gets);
        let address = stub::serve(move |request: HttpRequest| {
            if request.uri().path() != method::GET {
                return ready(Status::unimplemented("not known").into_http()).boxed();
            }
            let behind = KvError::Future {
                version: Version::MAX,
                applied: Version::MIN,
            };
            let answer = match counter.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(to_wire(&behind)),
                _ => Ok(wire::Value::default()),
            };
            async move { unary(request, move |_: wire::Key| ready(answer.clone())).await }.boxed()
        })
        .await;
        let client = Client::new(ClientOptions::new([address])).unwrap();
        assert_eq!(client.get(b"k", Version::MAX).await, Ok(None));
        assert_eq!(num_gets.load(Ordering::Relaxed), 3);
    }
}
