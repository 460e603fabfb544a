//! A follower's entries and heartbeats: one call for all of them, as long as the connection lasts.
//!
//! ```text
//! openraft ──requests──> held commits ──> messages ~~~HTTP/2~~~> follower: log, fsync
//!          <──results─── answers, in order <~~~~~~~~~~~~~~~~~~~~─┘
//! ```
//!
//! Requests do not wait for the answers to those before them. A call of its own for each would cost a member about as much
//! as all else it does for an entry.
//!
//! Invariants:
//! - Whoever drops the results drops the requests with them. So they are not the call's body themselves: HTTP/2 would keep
//!   that until it next has something to send.
//! - A call is kept for the next requests only when everything in it was answered.
//! - A request that is not answered in [`APPEND_TIMEOUT`], or a second more, ends the call with an error, however alive the
//!   connection is; openraft then goes on behind what was answered.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use openraft::{
    errors::{NetworkError, RPCError},
    raft::{AppendEntriesRequest, StreamAppendResult},
};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{
    convert,
    held_commits::HeldCommits,
    messages as wire,
    network::{RpcError, senseless, to_error},
    types::TypeConfig,
};
use crate::{
    metrics::{Step, Steps},
    rpc::{self, Link},
};

/// openraft would allow as long as a heartbeat, and a follower whose disk is slower would be sent the same entries again and
/// again.
const APPEND_TIMEOUT: Duration = Duration::from_secs(4);
/// After a member was dialled in vain. Each round of reads sends heartbeats, thousands a second under load, and without a pause
/// each of them would dial. Shorter than between two heartbeats that are sent for nothing but to be heard.
const AWAY_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at whether an answer is overdue.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Requests that the connection has not taken, at most.
const UNSENT_MAX: usize = 16;

type Request = AppendEntriesRequest<TypeConfig>;
type Answer = Result<StreamAppendResult<TypeConfig>, RpcError>;

/// Sends requests and gives their results, in order. Ends behind the first error or refusal, and when the requests end;
/// `kept` then holds the call for the next time, if it can be used again.
pub(super) fn append_stream<'k, S>(
    kept: &'k mut Option<Call>,
    link: Link,
    steps: Steps,
    requests: S,
) -> impl Stream<Item = Answer> + Send + use<'k, S>
where
    S: Stream<Item = Request> + Send + Unpin + 'static,
{
    let begin = async move {
        let mut requests = HeldCommits::new(requests);
        let standing = kept.take().and_then(Call::still_stands);
        // openraft lets requests wait when the member was not reached the last time, so none is dialled without one.
        // A heartbeat, in turn, need not wait for the call to be accepted: it goes out with it.
        let call = match standing {
            Some(call) => Some(call),
            None => match requests.next().await {
                Some(first) => match Call::open(&link, &first).await {
                    Err(RPCError::Unreachable(away)) => {
                        tokio::time::sleep(AWAY_PAUSE).await;
                        return Err(away.into());
                    }
                    opened => Some(opened?),
                },
                None => None,
            },
        };
        let sending = call.map(|call| Sending {
            requests,
            is_over: false,
            call,
            kept,
            steps,
        });
        Ok::<_, RpcError>(stream::unfold(sending, |sending| async {
            let mut sending = sending?;
            let Some(answer) = sending.next().await else {
                *sending.kept = Some(sending.call);
                return None;
            };
            let goes_on = matches!(answer, Ok(Ok(_)));
            Some((answer, goes_on.then_some(sending)))
        }))
    };
    stream::once(begin).try_flatten()
}

struct Sending<'k, S> {
    requests: HeldCommits<S>,
    /// There are no more of them.
    is_over: bool,
    call: Call,
    kept: &'k mut Option<Call>,
    steps: Steps,
}

impl<S: Stream<Item = Request> + Unpin> Sending<'_, S> {
    /// `None` when all requests are answered.
    async fn next(&mut self) -> Option<Answer> {
        loop {
            if self.is_over && self.call.under_way.is_empty() {
                return None;
            }
            // While there is no room an answer is on its way.
            let may_send = !self.is_over && self.call.sender.capacity() > 0;
            tokio::select! {
                biased;
                message = self.call.answers.next() => {
                    return Some(self.take(message));
                }
                request = self.requests.next(), if may_send => match request {
                    Some(request) => self.call.send(&request),
                    None => self.is_over = true,
                },
                _ = self.call.look.tick() => {
                    if self.call.is_overdue() {
                        let late = format!("no answer within {APPEND_TIMEOUT:?}");
                        return Some(Err(NetworkError::from_string(late).into()));
                    }
                }
            }
        }
    }

    fn take(&mut self, message: Option<Result<wire::AppendAnswer, Status>>) -> Answer {
        let ended = || NetworkError::from_string("the member ended the call");
        let message = message
            .ok_or_else(ended)?
            .map_err(|status| to_error(&status))?;
        let sent = self.call.under_way.pop_front().ok_or_else(senseless)?;
        if sent.has_entries {
            self.steps.observe(Step::Follower, sent.at.elapsed());
        }
        convert::from_append_answer(message).ok_or_else(senseless)
    }
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    has_entries: bool,
}

impl Sent {
    fn now(request: &Request) -> Self {
        Self {
            at: Instant::now(),
            has_entries: !request.entries.is_empty(),
        }
    }
}

/// To one member.
#[derive(Debug)]
pub(super) struct Call {
    sender: mpsc::Sender<wire::AppendRequest>,
    answers: Streaming<wire::AppendAnswer>,
    /// What waits for an answer, oldest first.
    under_way: VecDeque<Sent>,
    look: Interval,
}

impl Call {
    async fn open(link: &Link, first: &Request) -> Result<Self, RpcError> {
        let (sender, messages) = mpsc::channel(UNSENT_MAX);
        let under_way = VecDeque::from([Sent::now(first)]);
        drop(sender.try_send(convert::append(first)));
        let called = link.exchanged(rpc::raft::APPEND, ReceiverStream::new(messages));
        let answers = timeout(APPEND_TIMEOUT, called)
            .await
            .map_err(|late| RpcError::from(NetworkError::new(&late)))?
            .map_err(|status| to_error(&status))?;
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            sender,
            answers,
            under_way,
            look,
        })
    }

    /// Nothing is to be heard of a call in which everything was answered, unless it ended.
    fn still_stands(mut self) -> Option<Self> {
        let is_silent = self.answers.next().now_or_never().is_none();
        is_silent.then_some(self)
    }

    fn send(&mut self, request: &Request) {
        self.under_way.push_back(Sent::now(request));
        // What the connection does not take any more has no answer, but the call then has an end.
        drop(self.sender.try_send(convert::append(request)));
    }

    fn is_overdue(&self) -> bool {
        let oldest = self.under_way.front();
        oldest.is_some_and(|sent| sent.at.elapsed() >= APPEND_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use openraft::raft::AppendEntriesRequest;
    use tokio::{net::TcpListener, sync::oneshot};

    use super::*;
    use crate::{metrics::Metrics, raft::types::Vote, rpc::link::Dialer};

    fn heartbeat() -> Request {
        AppendEntriesRequest {
            vote: Vote::new_committed(1, 1),
            prev_log_id: None,
            leader_commit: None,
            entries: Vec::new(),
        }
    }

    #[tokio::test]
    async fn nobody_is_dialled_before_there_is_something_to_send() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // As in a pause of openraft's, behind an error.
        let (go_on, pause) = oneshot::channel::<()>();
        let requests = stream::once(async move {
            pause.await.unwrap();
            heartbeat()
        });
        let link = Dialer::default().link(&address).unwrap();
        let mut kept = None;
        let steps = Metrics::new().steps();
        let mut results = Box::pin(append_stream(&mut kept, link, steps, requests.boxed()));
        // The pause is over when nobody came in all that time; that somebody comes takes microseconds.
        let came = tokio::select! {
            _ = results.next() => true,
            _ = listener.accept() => true,
            () = tokio::time::sleep(Duration::from_millis(300)) => false,
        };
        assert!(!came, "dialled without a request");
        go_on.send(()).unwrap();
        tokio::select! {
            _ = results.next() => panic!("nobody answers here"),
            dialled = listener.accept() => drop(dialled.unwrap()),
        }
    }

    #[tokio::test]
    async fn a_member_that_is_away_is_dialled_now_and_then_only() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let link = Dialer::default().link(&address).unwrap();
        let requests = stream::once(async { heartbeat() }).boxed();
        let (mut kept, steps) = (None, Metrics::new().steps());
        let begun = Instant::now();
        let results = append_stream(&mut kept, link, steps, requests);
        let results: Vec<_> = results.collect().await;
        let is_away = matches!(&results[..], [Err(RPCError::Unreachable(_))]);
        assert!(is_away, "{results:?}");
        assert!(begun.elapsed() >= AWAY_PAUSE);
    }
}
