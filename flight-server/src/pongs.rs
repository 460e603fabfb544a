//! Answers to PING that leave when they matter, instead of in segments of their own.
//!
//! Clients built on gRPC measure the way to the server: what comes makes them send a PING, and how much has come by the
//! time its answer does is what they size their windows by. For a short answer there is nothing to size, and yet it costs
//! both sides a segment and a wake-up: three of each for a point query. So an answer to PING that is written alone waits,
//! and as long as it waits the client sends no other PING. It leaves after [`PATIENCE`], or once [`TELLING_BYTES`] have
//! been written since, before which no client learns anything by it.
//! Frames of HTTP/2 are otherwise passed on as they come; an answer to PING may follow frames that were written after it
//! (RFC 9113, section 6.7, wants it early, not first).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// As long as TCP delays acknowledgements.
const PATIENCE: Duration = Duration::from_millis(40);
/// Clients make their windows larger when two thirds of the first 64 KiB have come between PING and answer.
const TELLING_BYTES: usize = 32 << 10;
const HEAD_BYTES: usize = 9;
const PONG_BYTES: usize = HEAD_BYTES + 8;
/// Length 8, type PING, flag ACK, the connection's stream.
const PONG_HEAD: [u8; HEAD_BYTES] = [0, 0, 8, 6, 1, 0, 0, 0, 0];

/// Frames that carry a list of headers, and the flag of the last of them.
const HEADERS: u8 = 1;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// A connection whose server writes HTTP/2 to it.
#[derive(Debug)]
pub(crate) struct Pongs<S> {
    stream: S,
    frames: Frames,
    held: Option<Held>,
    /// Whether something else was written since the last answer to PING. Where nothing was, the client asks whether the
    /// server is still there, and may not wait long.
    has_written: bool,
    /// How long an answer waits at most.
    patience: Duration,
}

/// An answer to PING that waits.
#[derive(Debug)]
struct Held {
    frame: [u8; PONG_BYTES],
    /// Of them, once it leaves.
    sent: usize,
    /// Bytes written since it came.
    behind: usize,
    due: Pin<Box<Sleep>>,
}

impl<S> Pongs<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            frames: Frames::default(),
            held: None,
            has_written: false,
            patience: PATIENCE,
        }
    }
}

impl<S: AsyncWrite + Unpin> Pongs<S> {
    /// Sends what is held, if it is time. Between two frames only.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(held) = &mut self.held else {
            return Poll::Ready(Ok(()));
        };
        if !self.frames.is_between() {
            return Poll::Ready(Ok(()));
        }
        let is_due =
            held.sent > 0 || held.behind >= TELLING_BYTES || held.due.as_mut().poll(cx).is_ready();
        match is_due {
            true => self.poll_send(cx),
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(held) = &mut self.held {
            let rest = &held.frame[held.sent..];
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            held.sent += sent;
            if held.sent == PONG_BYTES {
                self.held = None;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The pieces are to be written: holds them back where they are an answer to PING and nothing else. `None` where they
    /// are to go on.
    fn poll_hold(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<Option<usize>>> {
        ready!(self.poll_due(cx))?;
        let Some(frame) = pong(pieces).filter(|_| self.frames.is_between()) else {
            return Poll::Ready(Ok(None));
        };
        // The client asks again: it waits for the one before.
        ready!(self.poll_send(cx))?;
        if !std::mem::take(&mut self.has_written) {
            return Poll::Ready(Ok(None));
        }
        self.held = Some(Held {
            frame,
            sent: 0,
            behind: 0,
            due: Box::pin(sleep(self.patience)),
        });
        Poll::Ready(Ok(Some(PONG_BYTES)))
    }

    fn wrote(&mut self, pieces: &[IoSlice<'_>], count: usize) {
        self.has_written |= pong(pieces).is_none();
        self.frames.pass(pieces, count);
        if let Some(held) = &mut self.held {
            held.behind += count;
        }
    }
}

fn pong(pieces: &[IoSlice<'_>]) -> Option<[u8; PONG_BYTES]> {
    let mut frame = [0; PONG_BYTES];
    let mut filled = 0;
    for piece in pieces {
        frame
            .get_mut(filled..filled + piece.len())?
            .copy_from_slice(piece);
        filled += piece.len();
    }
    (filled == PONG_BYTES && frame.starts_with(&PONG_HEAD)).then_some(frame)
}

/// How far the frame is that is being written.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; HEAD_BYTES],
    /// Of the head; less than all of it.
    known: usize,
    /// Bytes of the payload that are left.
    left: usize,
    /// Whether the rest of a list of headers follows, which nothing may come between (RFC 9113, section 6.10).
    goes_on: bool,
}

impl Frames {
    fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0 && !self.goes_on
    }

    /// `count` bytes of the pieces have been written.
    fn pass(&mut self, pieces: &[IoSlice<'_>], mut count: usize) {
        for piece in pieces {
            let written = count.min(piece.len());
            self.pass_one(&piece[..written]);
            count -= written;
        }
    }

    fn pass_one(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEAD_BYTES - self.known).min(bytes.len());
            self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            bytes = &bytes[taken..];
            if self.known == HEAD_BYTES {
                let [a, b, c, kind, flags, ..] = self.head;
                if matches!(kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
                    self.goes_on = flags & END_HEADERS == 0;
                }
                self.left = u32::from_be_bytes([0, a, b, c]) as usize;
                self.known = 0;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Pongs<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pongs<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(held) = ready!(self.poll_hold(cx, pieces))? {
            return Poll::Ready(Ok(held));
        }
        let written = match pieces {
            [piece] => ready!(Pin::new(&mut self.stream).poll_write(cx, piece))?,
            pieces => ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, pieces))?,
        };
        self.wrote(pieces, written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// HTTP/2 flushes whenever it has been woken and has written what it had, and so when a held answer is due.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_due(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.frames.is_between() {
            ready!(self.poll_send(cx))?;
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let [_, a, b, c] = u32::to_be_bytes(payload as u32);
        let mut frame = vec![a, b, c, kind, END_HEADERS, 0, 0, 0, 1];
        frame.resize(HEAD_BYTES + payload, 7);
        frame
    }

    fn pong_of(number: u8) -> [u8; PONG_BYTES] {
        let mut frame = [number; PONG_BYTES];
        frame[..HEAD_BYTES].copy_from_slice(&PONG_HEAD);
        frame
    }

    const EVER: Duration = Duration::from_secs(3600);

    fn pair(patience: Duration) -> (Pongs<DuplexStream>, DuplexStream) {
        let (server, client) = duplex(1 << 20);
        let server = Pongs {
            patience,
            has_written: true,
            ..Pongs::new(server)
        };
        (server, client)
    }

    async fn arrived(client: &mut DuplexStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn an_answer_to_ping_follows_what_is_written_while_it_waits() {
        let (mut server, mut client) = pair(EVER);
        let (first, second) = (frame(0, 20), frame(1, 3));
        server.write_all(&first).await.unwrap();
        server.write_all(&pong_of(1)).await.unwrap();
        server.flush().await.unwrap();
        // In two steps, so that a frame is cut.
        server.write_all(&second[..5]).await.unwrap();
        server.flush().await.unwrap();
        server.write_all(&second[5..]).await.unwrap();
        server.shutdown().await.unwrap();
        let sent = [first, second, pong_of(1).to_vec()].concat();
        assert_eq!(arrived(&mut client, sent.len()).await, sent);
    }

    #[tokio::test]
    async fn a_held_answer_wakes_the_connection_when_it_is_due() {
        let (mut server, mut client) = pair(Duration::from_millis(1));
        server.write_all(&pong_of(1)).await.unwrap();
        let server = tokio::spawn(std::future::poll_fn(move |cx| {
            let flushed = Pin::new(&mut server).poll_flush(cx);
            assert!(flushed.is_ready());
            match server.held {
                Some(_) => Poll::Pending,
                None => Poll::Ready(()),
            }
        }));
        assert_eq!(arrived(&mut client, PONG_BYTES).await, pong_of(1));
        server.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_leaves_when_many_bytes_have_passed_it() {
        let (mut server, mut client) = pair(EVER);
        server.write_all(&pong_of(1)).await.unwrap();
        let large = frame(0, TELLING_BYTES);
        server.write_all(&large).await.unwrap();
        server.flush().await.unwrap();
        let sent = [large, pong_of(1).to_vec()].concat();
        assert_eq!(arrived(&mut client, sent.len()).await, sent);
    }

    #[tokio::test]
    async fn answers_keep_their_order_and_none_is_lost() {
        let (mut server, mut client) = pair(EVER);
        for number in 1..4 {
            server.write_all(&pong_of(number)).await.unwrap();
        }
        server.shutdown().await.unwrap();
        let sent = [pong_of(1), pong_of(2), pong_of(3)].concat();
        assert_eq!(arrived(&mut client, sent.len()).await, sent);
    }

    #[tokio::test]
    async fn an_answer_leaves_at_once_where_nothing_else_was_written() {
        let (mut server, mut client) = pair(EVER);
        server.write_all(&pong_of(1)).await.unwrap();
        server.write_all(&pong_of(2)).await.unwrap();
        let sent = [pong_of(1), pong_of(2)].concat();
        assert_eq!(arrived(&mut client, sent.len()).await, sent);
        assert!(server.held.is_none());
        server.write_all(&frame(0, 20)).await.unwrap();
        server.write_all(&pong_of(3)).await.unwrap();
        assert!(server.held.is_some());
    }

    #[tokio::test]
    async fn nothing_comes_between_headers_and_the_rest_of_them() {
        let (mut server, mut client) = pair(EVER);
        server.write_all(&pong_of(1)).await.unwrap();
        let mut headers = frame(HEADERS, TELLING_BYTES);
        headers[4] = 0;
        let rest = frame(CONTINUATION, 20);
        server.write_all(&headers).await.unwrap();
        server.flush().await.unwrap();
        server.write_all(&rest).await.unwrap();
        server.flush().await.unwrap();
        let sent = [headers, rest, pong_of(1).to_vec()].concat();
        assert_eq!(arrived(&mut client, sent.len()).await, sent);
    }

    #[tokio::test]
    async fn values_that_look_like_an_answer_are_passed_on() {
        let (mut server, mut client) = pair(EVER);
        let mut data = frame(0, PONG_BYTES);
        data[HEAD_BYTES..].copy_from_slice(&pong_of(9));
        server.write_all(&data[..HEAD_BYTES]).await.unwrap();
        server.write_all(&data[HEAD_BYTES..]).await.unwrap();
        assert_eq!(arrived(&mut client, data.len()).await, data);
        assert!(server.held.is_none());
    }
}
