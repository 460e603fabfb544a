//! Connections that are kept ready, as those see them who are on the way: an observer who repeats them, and translators that
//! forget them.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, sink},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use worker_wasm::rendezvous::{Limits, Registration, Timings, Way, WorkerConfig};

use super::support::{
    LONG, Place, check_closed, check_pair, loopback, pair, ready, relaying, until,
};

/// What becomes of a connection that waits for its knock.
#[derive(Debug, Clone, Copy)]
enum Then {
    Carried,
    /// It stays open, and nothing that is said on it arrives.
    Forgotten,
    /// Closed when it is used.
    Closed,
}

#[derive(Default)]
struct Seen {
    /// What the worker has said to have connections kept that were.
    waits: Mutex<Vec<Vec<u8>>>,
    /// Of those, the ones that it has used.
    knocks: AtomicUsize,
}

/// Between a worker and the rendezvous.
struct Between {
    address: SocketAddr,
    seen: Arc<Seen>,
    _tasks: JoinSet<()>,
}

impl Between {
    async fn on_the_way_to(place: &Place, then: Then) -> Self {
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (to, kept) = (place.rendezvous.address(), Arc::clone(&seen));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut carried = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                let seen = Arc::clone(&kept);
                // A connection that breaks is none of the test's.
                carried.spawn(async move { drop(carry(from, to, then, &seen).await) });
            }
        });
        Self {
            address,
            seen,
            _tasks: tasks,
        }
    }

    fn waits(&self) -> Vec<Vec<u8>> {
        self.seen.waits.lock().unwrap().clone()
    }

    async fn worker(&self, place: &Place, id: &str, timings: Timings) -> Registration {
        let config = WorkerConfig {
            rendezvous: self.address.to_string(),
            timings,
            ..place.config(id)
        };
        Registration::open(config).await.unwrap()
    }
}

async fn carry(mut from: TcpStream, to: SocketAddr, then: Then, seen: &Seen) -> io::Result<()> {
    let mut on = TcpStream::connect(to).await?;
    let mut first = [0];
    from.peek(&mut first).await?;
    if first == *b"W" {
        // The byte, a length, so many bytes, and a MAC.
        let mut wait = vec![0; 5];
        from.read_exact(&mut wait).await?;
        let length = u32::from_be_bytes(wait[1..5].try_into().unwrap());
        wait.resize(5 + length as usize + 32, 0);
        from.read_exact(&mut wait[5..]).await?;
        on.write_all(&wait).await?;
        from.write_u8(on.read_u8().await?).await?;
        seen.waits.lock().unwrap().push(wait);
        if from.peek(&mut first).await? > 0 {
            seen.knocks.fetch_add(1, Relaxed);
        }
        match then {
            Then::Carried => {}
            Then::Forgotten => {
                copy(&mut from, &mut sink()).await?;
                return Ok(());
            }
            Then::Closed => return Ok(()),
        }
    }
    copy_bidirectional(&mut from, &mut on).await?;
    Ok(())
}

/// Two of them, and no way but the relay.
fn ready_to_relay() -> Timings {
    Timings {
        punch_tries: 0,
        ..ready()
    }
}

#[tokio::test]
async fn an_observer_who_repeats_what_a_worker_said_gets_no_connection_kept() {
    let place = Place::open().await;
    let there = place.rendezvous.counters();
    let between = Between::on_the_way_to(&place, Then::Carried).await;
    let _a = between.worker(&place, "a", ready()).await;
    until("two spares", || between.waits().len() == 2).await;
    for wait in between.waits() {
        let mut repeated = TcpStream::connect(place.rendezvous.address())
            .await
            .unwrap();
        repeated.write_all(&wait).await.unwrap();
        check_closed(&mut repeated).await;
    }
    assert_eq!(there.spares(), 2);
    assert_eq!(there.refused_total(), 2);
}

#[tokio::test]
async fn a_connection_that_died_unseen_does_not_keep_workers_apart() {
    for then in [Then::Forgotten, Then::Closed] {
        let place = Place::open().await;
        let there = place.rendezvous.counters();
        let between = Between::on_the_way_to(&place, then).await;
        let a = between.worker(&place, "a", ready_to_relay()).await;
        let b = place.worker_with("b", relaying()).await;
        until("two spares", || there.spares() == 2).await;
        // The worker may not know yet that they are kept, and dial.
        while between.seen.knocks.load(Relaxed) == 0 {
            let (mut at_a, mut at_b) = pair(&a, &b).await;
            check_pair(&mut at_a, &mut at_b, Way::Relayed).await;
        }
    }
}

#[tokio::test]
async fn a_worker_that_gets_no_connection_kept_dials() {
    let place = Place::with(Limits {
        spares_max: 1,
        meeting_max: 10 * LONG,
        ..Limits::default()
    })
    .await;
    let there = place.rendezvous.counters();
    let (a, b) = (
        place.worker_with("a", ready()).await,
        place.worker_with("b", ready()).await,
    );
    // Of the four that they want.
    until("one is kept", || {
        there.spares() == 1 && there.refused_total() >= 3
    })
    .await;
    let (mut at_a, mut at_b) = pair(&a, &b).await;
    check_pair(&mut at_a, &mut at_b, Way::Punched).await;
    assert!(there.spares() <= 1);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let place = Place::with(Limits {
        spare_age_max: Duration::ZERO,
        meeting_max: 10 * LONG,
        ..Limits::default()
    })
    .await;
    let there = place.rendezvous.counters();
    let between = Between::on_the_way_to(&place, Then::Carried).await;
    let a = between.worker(&place, "a", ready_to_relay()).await;
    let b = place.worker_with("b", relaying()).await;
    until("two were kept", || {
        between.waits().len() >= 2 && there.spares() == 0
    })
    .await;
    let (mut at_a, mut at_b) = pair(&a, &b).await;
    check_pair(&mut at_a, &mut at_b, Way::Relayed).await;
}
