//! Methods that read and write keys.

use std::{future::ready, iter, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tonic::Status;

use super::{
    Caller,
    access::Action,
    error::to_wire,
    messages as wire, method, unknown_method,
    wire::{
        change_to_wire, commit_from_wire, id_from_wire, outcome_to_wire, query_from_wire,
        range_from_wire, range_to_wire, row_to_wire, version,
    },
};
use crate::{
    KvError, Version,
    mvcc::changes::Change,
    rpc::{
        answers,
        server::{HttpRequest, HttpResponse, exchanged, streamed, unary},
    },
    txn::KeyRange,
};

/// Rows of a page, at most.
const PAGE_ROWS_MAX: usize = 4096;
/// Keys and values of a page, at most, in bytes; one row may be more.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Of changes in a message, about, in bytes: most versions fit into one.
const MESSAGE_CHANGES_BYTES: usize = 16 * 1024 * 1024;
/// A watcher hears at least this often how far it has got.
const WATCH_PROGRESS: Duration = Duration::from_secs(5);

impl Caller {
    pub(super) async fn answer(self, request: HttpRequest) -> HttpResponse {
        macro_rules! call {
            ($kind:ident, $handler:ident) => {
                $kind(request, move |message| {
                    let caller = self.clone();
                    async move { caller.$handler(message).await.map_err(|e| to_wire(&e)) }
                })
                .await
            };
        }
        match request.uri().path() {
            method::BEGIN => call!(unary, begin),
            method::GET => call!(unary, get),
            method::GET_RANGE => call!(unary, get_range),
            method::COMMIT => call!(unary, commit),
            method::OUTCOME => call!(unary, outcome),
            method::WATCH => call!(streamed, watch),
            method::STATUS => call!(unary, status),
            method::INIT => call!(unary, init),
            method::ADD_MEMBER => call!(unary, add_member),
            method::PROMOTE => call!(unary, promote),
            method::REMOVE => call!(unary, remove),
            method::TRANSFER => call!(unary, transfer),
            method::BACKUP => call!(streamed, backup),
            method::CALLS => {
                let answers = move |calls| {
                    let caller = self.clone();
                    let handle =
                        move |method, message| caller.clone().answer_shared(method, message);
                    ready(Ok(answers::answered(calls, handle)))
                };
                exchanged(request, answers).await
            }
            _ => unknown_method(),
        }
    }

    /// A call among others in a stream.
    async fn answer_shared(self, method: u32, message: Bytes) -> Result<Bytes, Status> {
        macro_rules! call {
            ($handler:ident) => {
                answers::handled(message, |message| async move {
                    self.$handler(message).await.map_err(|e| to_wire(&e))
                })
                .await
            };
        }
        let method = usize::try_from(method).ok();
        match method.and_then(|method| method::SHARED.get(method)) {
            Some(&method::BEGIN) => call!(begin),
            Some(&method::GET) => call!(get),
            Some(&method::COMMIT) => call!(commit),
            Some(&method::OUTCOME) => call!(outcome),
            _ => Err(Status::unimplemented("there is no such method")),
        }
    }

    async fn begin(self, _: wire::Empty) -> Result<wire::AtVersion, KvError> {
        let version = version::to_wire(self.node.begin().await?);
        Ok(wire::AtVersion { version })
    }

    async fn version(&self, at: Option<&Bytes>) -> Result<Version, KvError> {
        match at {
            Some(at) => version::from_wire(at),
            None => self.node.begin().await,
        }
    }

    async fn get(self, message: wire::Key) -> Result<wire::Value, KvError> {
        let key = Vec::from(message.key);
        if !self.role.may_everywhere(Action::Read) {
            self.role
                .check_range(Action::Read, &KeyRange::point(key.clone()))?;
        }
        let at = self.version(message.at.as_ref()).await?;
        let value = self.node.get_aside(key, at).await?;
        Ok(wire::Value {
            value: value.map(Bytes::from),
            at: version::to_wire(at),
        })
    }

    async fn get_range(self, message: wire::Query) -> Result<wire::Rows, KvError> {
        let at = self.version(message.at.as_ref()).await?;
        let mut query = query_from_wire(message);
        // Whatever a selector names lies somewhere; who may not read everywhere may use given keys only.
        let is_given = query.begin.offset == 1 && query.end.offset == 1;
        if is_given {
            let range = KeyRange {
                begin: query.begin.key.clone(),
                end: KeyRange::point(query.end.key.clone()).end,
            };
            self.role.check_range(Action::Read, &range)?;
        } else {
            self.role.check_all(Action::Read)?;
        }
        let wanted = query.limit;
        query.limit = wanted.min(PAGE_ROWS_MAX);
        let node = self.node;
        let page =
            tokio::task::spawn_blocking(move || node.get_page(&query, at, PAGE_BYTES_MAX)).await;
        let (found, is_cut) = page.map_err(|e| KvError::Storage {
            detail: e.to_string(),
        })??;
        let more = is_cut && found.rows.len() < wanted;
        Ok(wire::Rows {
            rows: found.rows.into_iter().map(row_to_wire).collect(),
            read: found.read.iter().map(range_to_wire).collect(),
            more,
            at: version::to_wire(at),
        })
    }

    async fn commit(self, message: wire::Commit) -> Result<wire::AtVersion, KvError> {
        let request = commit_from_wire(message)?;
        crate::txn::check(&request)?;
        for range in &request.reads {
            self.role.check_range(Action::Read, range)?;
        }
        if !self.role.may_everywhere(Action::Write) {
            for mutation in &request.mutations {
                self.role
                    .check_range(Action::Write, &mutation.write_range())?;
            }
        }
        let version = version::to_wire(self.node.commit(request).await?);
        Ok(wire::AtVersion { version })
    }

    async fn outcome(self, message: wire::TransactionId) -> Result<wire::Outcome, KvError> {
        let id = id_from_wire(&message.id)?;
        Ok(outcome_to_wire(self.node.outcome(id).await?))
    }

    async fn watch(
        self,
        message: wire::Watch,
    ) -> Result<impl Stream<Item = Result<wire::Changes, Status>> + use<>, KvError> {
        let range = range_from_wire(message.range);
        self.role.check_range(Action::Read, &range)?;
        let after = self.version(message.after.as_ref()).await?;
        // The first answer says where it begins.
        let first = wire::Changes {
            changes: Vec::new(),
            upto: version::to_wire(after),
        };
        let node = self.node;
        let batches = stream::try_unfold(after, move |after| {
            let (node, range) = (Arc::clone(&node), range.clone());
            async move {
                let (changes, upto) = node
                    .changes(&range, after, WATCH_PROGRESS)
                    .await
                    .map_err(|e| to_wire(&e))?;
                let answers = stream::iter(in_messages(changes, after, upto).map(Ok::<_, Status>));
                Ok::<_, Status>(Some((answers, upto)))
            }
        });
        Ok(stream::iter([Ok(first)]).chain(batches.try_flatten()))
    }
}

/// Changes after `after` and up to `upto`, in as many messages as they need. Only the last one says `upto`: who has not got it
/// does not go on from there.
fn in_messages(
    changes: Vec<Change>,
    after: Version,
    upto: Version,
) -> impl Iterator<Item = wire::Changes> {
    let mut changes = changes.into_iter().peekable();
    let mut is_done = false;
    iter::from_fn(move || {
        if is_done {
            return None;
        }
        let (mut some, mut bytes) = (Vec::new(), 0);
        while let Some(change) = changes.next_if(|_| bytes < MESSAGE_CHANGES_BYTES) {
            bytes += change.num_bytes();
            some.push(change_to_wire(change));
        }
        is_done = changes.peek().is_none();
        Some(wire::Changes {
            changes: some,
            upto: version::to_wire(if is_done { upto } else { after }),
        })
    })
}
