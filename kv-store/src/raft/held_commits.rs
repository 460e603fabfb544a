//! What a follower is told of commits waits for the next entries.
//!
//! openraft sends a request without entries whenever something was committed, and sends nothing else to that follower until
//! it is answered. With entries in quick succession that doubles the requests and lets each entry wait for one. Entries
//! carry the same news, so a request without any is held back a moment, and dropped when entries come.
//!
//! Invariant: an answer is given only to what was sent. A request that is dropped has no answer of its own: the next one's,
//! which begins at the same place, stands for it. A heartbeat, which confirms the lead for reads, is alone in its stream, and
//! so it is not held back.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, Stream, StreamExt};
use openraft::raft::AppendEntriesRequest;
use tokio::time::Sleep;

use super::types::TypeConfig;

/// What a follower is behind in knowing of commits, at most, when no entries follow. A client that writes one thing after
/// another is back by then.
const HELD_FOR: Duration = Duration::from_millis(2);

type Request = AppendEntriesRequest<TypeConfig>;

/// A follower's requests, in order.
pub(super) struct HeldCommits<S> {
    requests: S,
    /// Without entries, and until when it waits for others.
    held: Option<(Request, Pin<Box<Sleep>>)>,
    /// `requests` may not be asked again.
    is_over: bool,
}

impl<S> HeldCommits<S> {
    pub(super) fn new(requests: S) -> Self {
        Self {
            requests,
            held: None,
            is_over: false,
        }
    }
}

impl<S: Stream<Item = Request> + Unpin> Stream for HeldCommits<S> {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Request>> {
        while !self.is_over {
            match self.requests.poll_next_unpin(context) {
                Poll::Ready(Some(request)) if request.entries.is_empty() => {
                    let wait = match self.held.take() {
                        Some((_, wait)) => wait,
                        None => Box::pin(tokio::time::sleep(HELD_FOR)),
                    };
                    self.held = Some((request, wait));
                }
                Poll::Ready(Some(request)) => {
                    self.held = None;
                    return Poll::Ready(Some(request));
                }
                Poll::Ready(None) => self.is_over = true,
                Poll::Pending => {
                    let Some((_, wait)) = &mut self.held else {
                        return Poll::Pending;
                    };
                    if wait.poll_unpin(context).is_pending() {
                        return Poll::Pending;
                    }
                    break;
                }
            }
        }
        Poll::Ready(self.held.take().map(|(request, _)| request))
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;
    use openraft::EntryPayload;

    use super::*;
    use crate::{
        raft::types::{RaftEntry, Vote, log_id},
        wal::EntryId,
    };

    fn request(committed: u64, num_entries: u64) -> Request {
        let at = |index| log_id(EntryId { term: 1, index });
        let entry = |index| RaftEntry {
            log_id: at(index),
            payload: EntryPayload::Blank,
        };
        Request {
            vote: Vote::new_committed(1, 1),
            prev_log_id: Some(at(5)),
            leader_commit: Some(at(committed)),
            entries: (6..6 + num_entries).map(entry).collect(),
        }
    }

    /// Commits, and how many entries came with them.
    fn seen(request: &Request) -> (u64, usize) {
        let committed = request.leader_commit.expect("every request here has one");
        (committed.index + 1, request.entries.len())
    }

    #[tokio::test]
    async fn entries_bring_the_news_of_commits_with_them() {
        let requests = futures::stream::iter([(3, 1), (4, 0), (5, 0), (5, 2), (6, 0)]);
        let requests = requests.map(|(committed, entries)| request(committed, entries));
        let sent: Vec<_> = HeldCommits::new(requests).collect().await;
        // The last one has nothing to wait for.
        let sent: Vec<_> = sent.iter().map(seen).collect();
        assert_eq!(sent, [(3, 1), (5, 2), (6, 0)]);
    }

    #[tokio::test]
    async fn a_commit_that_no_entries_follow_is_sent_alone() {
        let (sender, receiver) = mpsc::unbounded();
        let mut held = HeldCommits::new(receiver);
        sender.unbounded_send(request(4, 0)).unwrap();
        assert!(held.next().now_or_never().is_none(), "it waits");
        sender.unbounded_send(request(5, 0)).unwrap();
        assert_eq!(held.next().await.as_ref().map(seen), Some((5, 0)));
        sender.unbounded_send(request(5, 1)).unwrap();
        assert_eq!(held.next().await.as_ref().map(seen), Some((5, 1)));
        drop(sender);
        assert!(held.next().await.is_none());
    }
}
