//! The server's end of a stream of short calls, see [`super::calls`].
//!
//! All calls of a stream are answered by whoever reads the answers, in one task, so that one wake-up is enough for many. A
//! handler that would keep its thread hands that work to another.

use std::{
    collections::HashMap,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{
    FutureExt, Stream, StreamExt,
    future::{AbortHandle, Abortable, ready},
    stream::{Fuse, FuturesUnordered},
};
use prost::Message;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::calls::{Answer, Call};

/// Calls of one stream that are being answered, at most; the others wait in the connection.
const UNDER_WAY_MAX: usize = 1024;
/// Between two looks at whether the time of a call is over. A timer for each would cost as much as a short one's answer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Answers calls by `handle`, which gets method and message, until there are no more. A handler is dropped when nobody waits
/// for it any more: at once when the client says so, else when the call's time is over, or a second later. Calls end with the
/// first that cannot be read: who sent it, or whose connection broke, begins another stream.
pub(crate) fn answered<C, H, F>(
    calls: C,
    mut handle: H,
) -> impl Stream<Item = Result<Answer, Status>> + use<C, H, F>
where
    C: Stream<Item = Result<Call, Status>> + Unpin,
    H: FnMut(u32, Bytes) -> F,
    F: Future<Output = Result<Bytes, Status>>,
{
    let begin = move |call: Call| {
        let (number, handled) = (call.number, handle(call.method, call.message));
        async move { (number, handled.await) }
    };
    Answers {
        calls: calls.scan((), |(), call| ready(call.ok())).fuse(),
        begin,
        under_way: FuturesUnordered::new(),
        by_number: HashMap::new(),
        look: None,
    }
}

struct Answers<C, B, F> {
    calls: Fuse<C>,
    begin: B,
    under_way: FuturesUnordered<Abortable<F>>,
    /// Those under way whose answer is still waited for.
    by_number: HashMap<u64, UnderWay>,
    /// While there are any, and a moment longer.
    look: Option<Pin<Box<Sleep>>>,
}

struct UnderWay {
    handle: AbortHandle,
    until: Instant,
}

// Nothing in it is pinned in place.
impl<C, B, F> Unpin for Answers<C, B, F> {}

impl<C, B, F> Stream for Answers<C, B, F>
where
    C: Stream<Item = Call> + Unpin,
    B: FnMut(Call) -> F,
    F: Future<Output = (u64, Result<Bytes, Status>)>,
{
    type Item = Result<Answer, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            while this.under_way.len() < UNDER_WAY_MAX
                && let Poll::Ready(Some(call)) = this.calls.poll_next_unpin(context)
            {
                this.take(call);
            }
            match this.under_way.poll_next_unpin(context) {
                Poll::Ready(Some(Ok((number, answer)))) => {
                    this.by_number.remove(&number);
                    return Poll::Ready(Some(Ok(to_answer(number, answer))));
                }
                // It was given up. In its place another call is asked for: nobody else would tell of those that wait.
                Poll::Ready(Some(Err(_))) => {}
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if this.calls.is_done() && this.under_way.is_empty() {
            return Poll::Ready(None);
        }
        // What it drops wakes this again.
        this.look_after(context);
        Poll::Pending
    }
}

impl<C, B: FnMut(Call) -> F, F: Future> Answers<C, B, F> {
    fn take(&mut self, call: Call) {
        if call.is_given_up {
            // One that is answered already has crossed this on its way.
            if let Some(call) = self.by_number.remove(&call.number) {
                call.handle.abort();
            }
            return;
        }
        let (handle, registration) = AbortHandle::new_pair();
        let until = Instant::now() + Duration::from_millis(call.timeout_millis.into());
        self.by_number
            .insert(call.number, UnderWay { handle, until });
        let answer = (self.begin)(call);
        self.under_way.push(Abortable::new(answer, registration));
    }

    /// Drops calls whose time is over, now and then.
    fn look_after(&mut self, context: &mut Context<'_>) {
        while self.look.is_some() || !self.by_number.is_empty() {
            let look = self.look.get_or_insert_with(|| Box::pin(sleep(LOOK_EVERY)));
            if look.poll_unpin(context).is_pending() {
                return;
            }
            self.look = None;
            let now = Instant::now();
            let overdue = self.by_number.extract_if(|_, call| call.until <= now);
            overdue.for_each(|(_, call)| call.handle.abort());
        }
    }
}

fn to_answer(number: u64, answer: Result<Bytes, Status>) -> Answer {
    let (message, failed) = match answer {
        Ok(message) => (message, None),
        Err(status) => (Bytes::new(), Some(status.into())),
    };
    Answer {
        number,
        message,
        failed,
    }
}

/// Takes a message out of a call, and makes one of its answer.
pub(crate) async fn handled<Q, A, F>(
    message: Bytes,
    handle: impl FnOnce(Q) -> F,
) -> Result<Bytes, Status>
where
    Q: Message + Default,
    A: Message,
    F: Future<Output = Result<A, Status>>,
{
    let message = Q::decode(message).map_err(|e| Status::invalid_argument(e.to_string()))?;
    Ok(handle(message).await?.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, channel::mpsc};
    use tokio::sync::oneshot;

    use super::*;

    fn call(number: u64) -> Result<Call, Status> {
        Ok(Call {
            number,
            timeout_millis: u32::MAX,
            ..Call::default()
        })
    }

    #[tokio::test]
    async fn the_handler_of_a_call_that_is_given_up_is_dropped_and_the_others_go_on() {
        let (calls, receiver) = mpsc::unbounded();
        let (alive, mut handlers) = mpsc::unbounded();
        let handle = move |_, _| {
            let (finish, finished) = oneshot::channel::<()>();
            alive.unbounded_send(finish).unwrap();
            async move {
                finished.await.map_err(|_| Status::aborted("unused"))?;
                Ok(Bytes::from_static(b"done"))
            }
        };
        let mut answers = answered(receiver, handle);
        for number in [7, 8] {
            calls.unbounded_send(call(number)).unwrap();
        }
        assert!(answers.next().now_or_never().is_none(), "both wait");
        let mut next = async || handlers.next().await.unwrap();
        let (seventh, eighth) = (next().await, next().await);
        for number in [7, 99] {
            let given_up = Call {
                number,
                is_given_up: true,
                ..Call::default()
            };
            calls.unbounded_send(Ok(given_up)).unwrap();
        }
        assert!(answers.next().now_or_never().is_none());
        assert!(seventh.is_closed() && !eighth.is_closed());
        eighth.send(()).unwrap();
        let answer = answers.next().await.unwrap().unwrap();
        assert_eq!((answer.number, &answer.message[..]), (8, &b"done"[..]));
        calls
            .unbounded_send(Err(Status::cancelled("gone")))
            .unwrap();
        assert!(answers.next().await.is_none());
    }

    #[tokio::test]
    async fn the_handler_of_a_call_whose_time_is_over_is_dropped() {
        let (calls, receiver) = mpsc::unbounded();
        let (finish, finished) = oneshot::channel::<()>();
        let mut finished = Some(finished);
        let handle = move |_, _| {
            let finished = finished.take().expect("one call");
            async move {
                finished.await.map_err(|_| Status::aborted("unused"))?;
                Ok(Bytes::new())
            }
        };
        let mut finish = finish;
        let mut answers = answered(receiver, handle);
        let mut short = call(1).unwrap();
        short.timeout_millis = 1;
        calls.unbounded_send(Ok(short)).unwrap();
        tokio::select! {
            _ = answers.next() => panic!("nobody waits for an answer"),
            () = finish.closed() => {}
            () = sleep(LOOK_EVERY * 60) => panic!("it goes on and on"),
        }
    }

    #[tokio::test]
    async fn calls_are_read_on_when_the_time_of_all_that_were_under_way_is_over() {
        let (calls, receiver) = mpsc::unbounded();
        let handle = |method, _| async move {
            match method {
                0 => std::future::pending().await,
                _ => Ok(Bytes::new()),
            }
        };
        let mut answers = answered(receiver, handle);
        for number in 0..UNDER_WAY_MAX as u64 {
            let mut endless = call(number).unwrap();
            endless.timeout_millis = 1;
            calls.unbounded_send(Ok(endless)).unwrap();
        }
        let mut last = call(UNDER_WAY_MAX as u64).unwrap();
        last.method = 1;
        calls.unbounded_send(Ok(last)).unwrap();
        let answer = tokio::time::timeout(LOOK_EVERY * 60, answers.next()).await;
        let answer = answer.expect("the last call is read").unwrap().unwrap();
        assert_eq!(answer.number, UNDER_WAY_MAX as u64);
    }
}
