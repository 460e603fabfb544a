//! What the rendezvous carries, and how much of it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use worker_wasm::rendezvous::{ConnectError, Limits, Pair, Refusal, WayError};

use super::support::{LONG, Place, check_closed, invited, pair, relaying, until, within};

const MIB: usize = 1 << 20;
/// The kernel's buffers on the way hold far less.
const HELD_BYTES_MAX: usize = 256 * MIB;
/// A writer that makes no progress for this long is held.
const HELD: Duration = Duration::from_secs(2);

async fn relayed(place: &Place) -> (Pair, Pair) {
    let a = place.worker_with("a", relaying()).await;
    let b = place.worker_with("b", relaying()).await;
    pair(&a, &b).await
}

#[tokio::test]
async fn a_slow_reader_holds_its_writer_and_loses_nothing() {
    let place = Place::open().await;
    let (mut a, mut b) = relayed(&place).await;
    let block: Vec<u8> = (0..MIB).map(|index| (index % 251) as u8).collect();
    // A byte's place is known by its number, so that torn and repeated blocks are seen.
    let mut written = 0;
    while let Ok(bytes) = timeout(HELD, a.outgoing.write(&block[written % MIB..])).await {
        written += bytes.unwrap();
        assert!(written < HELD_BYTES_MAX, "nothing holds the writer");
    }
    assert!(written > 64 * 1024, "the writer was held at once");
    let carried = place.rendezvous.counters().relayed_bytes_total();
    assert!(carried > 0 && carried < HELD_BYTES_MAX as u64);
    // The reader wakes up, and the rest goes through.
    let writer = async {
        a.outgoing.flush().await.unwrap();
        a.outgoing.shutdown().await.unwrap();
    };
    let reader = async {
        let mut read = 0;
        let mut buffer = vec![0; MIB];
        loop {
            let most = MIB - read % MIB;
            let bytes = b.incoming.read(&mut buffer[..most]).await.unwrap();
            if bytes == 0 {
                break read;
            }
            let from = read % MIB;
            assert!(
                buffer[..bytes] == block[from..from + bytes],
                "wrong bytes at {read}"
            );
            read += bytes;
        }
    };
    let ((), read) = within("the rest", async { tokio::join!(writer, reader) }).await;
    assert_eq!(read, written);
}

#[tokio::test]
async fn a_reader_that_leaves_ends_the_relay_and_the_writer() {
    let place = Place::open().await;
    let (mut a, b) = relayed(&place).await;
    assert_eq!(place.rendezvous.counters().relays(), 2);
    drop(b);
    check_closed(&mut a.outgoing).await;
    check_closed(&mut a.incoming).await;
    drop(a);
    let counters = place.rendezvous.counters();
    until("the end of both relays", || counters.relays() == 0).await;
}

#[tokio::test]
async fn an_idle_relay_is_closed() {
    let place = Place::with(Limits {
        meeting_max: LONG,
        relay_idle_max: Duration::from_millis(500),
        ..Limits::default()
    })
    .await;
    let (mut a, mut b) = relayed(&place).await;
    check_closed(&mut a.outgoing).await;
    check_closed(&mut b.incoming).await;
    let counters = place.rendezvous.counters();
    until("the end of both relays", || counters.relays() == 0).await;
}

#[tokio::test]
async fn a_relay_too_many_is_refused_to_both() {
    let place = Place::with(Limits {
        meeting_max: LONG,
        relays_max: 1,
        ..Limits::default()
    })
    .await;
    let a = place.worker_with("a", relaying()).await;
    let b = place.worker_with("b", relaying()).await;
    let both = async {
        tokio::join!(a.connect(b.id()), async {
            invited(&b).await.accept().await
        })
    };
    let (at_a, at_b) = within("an answer", both).await;
    // The second connection is refused; whoever hears of that closes the first, which the other may see before.
    for refused in [at_a, at_b] {
        let Err(ConnectError::NoWay { source, .. }) = refused else {
            panic!("connected: {refused:?}");
        };
        let full = Refusal::Full;
        assert!(
            matches!(&source, WayError::Refused { refusal } if *refusal == full)
                || matches!(source, WayError::Prove { .. } | WayError::Wire { .. }),
            "{source:?}"
        );
    }
    let counters = place.rendezvous.counters();
    until("the end of the relay", || counters.relays() == 0).await;
}
