//! The three ways, on one machine.

use std::time::Duration;

use tokio::net::TcpListener;
use worker_wasm::rendezvous::{
    DirectListener, Registration, Timings, Way, WayCounts, WorkerConfig,
};

use super::support::{Place, check_pair, loopback, pair, patient, ready, relaying, until, within};

fn counts(worker: &Registration, way: Way) -> WayCounts {
    worker.counters().of(way)
}

#[tokio::test]
async fn a_worker_that_listens_is_dialled() {
    let place = Place::open().await;
    for (a, b) in [("a", "b"), ("d", "c")] {
        let (a, b) = (place.listening(a).await, place.worker(b).await);
        let (mut at_a, mut at_b) = pair(&a, &b).await;
        check_pair(&mut at_a, &mut at_b, Way::Direct).await;
        let (mut at_b, mut at_a) = pair(&b, &a).await;
        check_pair(&mut at_b, &mut at_a, Way::Direct).await;
        assert_eq!(counts(&a, Way::Direct).streams_open, 4);
    }
}

#[tokio::test]
async fn two_workers_that_listen_agree_on_the_same_connections() {
    let place = Place::open().await;
    let (a, b) = (place.listening("a").await, place.listening("b").await);
    for _ in 0..20 {
        let (mut at_a, mut at_b) = pair(&a, &b).await;
        check_pair(&mut at_a, &mut at_b, Way::Direct).await;
    }
}

#[tokio::test]
async fn workers_that_do_not_listen_punch() {
    let place = Place::open().await;
    let (a, b) = (place.worker("a").await, place.worker("b").await);
    for _ in 0..20 {
        let (mut at_a, mut at_b) = pair(&a, &b).await;
        check_pair(&mut at_a, &mut at_b, Way::Punched).await;
    }
    let counted = counts(&a, Way::Punched);
    // 7 bytes there and back over both streams of a pair.
    let expected = WayCounts {
        streams_total: 40,
        streams_open: 0,
        sent_bytes_total: 20 * 14,
        received_bytes_total: 20 * 14,
        failed_total: 0,
    };
    assert_eq!(counted, expected);
    assert_eq!(counts(&a, Way::Relayed), WayCounts::default());
    assert_eq!(place.rendezvous.counters().relays_total(), 0);
}

#[tokio::test]
async fn connections_that_are_ready_are_used_once_and_replaced() {
    let place = Place::open().await;
    let there = place.rendezvous.counters();
    for timings in [
        ready(),
        Timings {
            punch_tries: 0,
            ..ready()
        },
    ] {
        let way = match timings.punch_tries {
            0 => Way::Relayed,
            _ => Way::Punched,
        };
        let (a, b) = (
            place.worker_with("a", timings.clone()).await,
            place.worker_with("b", timings.clone()).await,
        );
        for _ in 0..5 {
            until("two spares of each", || there.spares() == 4).await;
            let (mut at_a, mut at_b) = pair(&a, &b).await;
            check_pair(&mut at_a, &mut at_b, way).await;
        }
        // One of the two has none ready.
        until("two spares of each", || there.spares() == 4).await;
        let none = Timings {
            spares: 0,
            ..timings
        };
        let c = place.worker_with("c", none).await;
        let (mut at_a, mut at_c) = pair(&a, &c).await;
        check_pair(&mut at_a, &mut at_c, way).await;
        drop((a, b, c));
        until("the end of all spares", || there.spares() == 0).await;
    }
}

#[tokio::test]
async fn what_cannot_be_punched_is_relayed() {
    let place = Place::open().await;
    let a = place.worker_with("a", relaying()).await;
    let b = place.worker_with("b", relaying()).await;
    let (mut at_a, mut at_b) = pair(&a, &b).await;
    check_pair(&mut at_a, &mut at_b, Way::Relayed).await;
    assert_eq!(counts(&b, Way::Relayed).streams_open, 2);
    assert_eq!(place.rendezvous.counters().relays(), 2);
    assert!(place.rendezvous.counters().relayed_bytes_total() > 28);
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_does_not_keep_workers_apart() {
    let place = Place::open().await;
    let timings = Timings {
        direct_max: Duration::from_millis(50),
        ..patient()
    };
    // Someone else listens there, and says nothing.
    let other = TcpListener::bind(loopback()).await.unwrap();
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let announced = vec![other.local_addr().unwrap()];
    let config = WorkerConfig {
        listener: Some(DirectListener {
            listener,
            announced,
        }),
        timings: timings.clone(),
        ..place.config("a")
    };
    let a = Registration::open(config).await.unwrap();
    let b = place.worker_with("b", timings).await;
    let (mut at_a, mut at_b) = pair(&a, &b).await;
    check_pair(&mut at_a, &mut at_b, Way::Punched).await;
    assert_eq!(counts(&b, Way::Direct).failed_total, 1);
}

#[tokio::test]
async fn workers_that_ask_for_each_other_at_once_get_one_pair() {
    let place = Place::open().await;
    let (a, b) = (place.worker("a").await, place.worker("b").await);
    for round in 1..=10 {
        let both = async { tokio::join!(a.connect(b.id()), b.connect(a.id())) };
        let (at_a, at_b) = within("a pair", both).await;
        let (mut at_a, mut at_b) = (at_a.unwrap(), at_b.unwrap());
        check_pair(&mut at_a, &mut at_b, Way::Punched).await;
        assert_eq!(place.rendezvous.counters().pairings_total(), round);
    }
}

#[tokio::test]
async fn an_invitation_that_nobody_has_taken_answers_a_later_request() {
    let place = Place::open().await;
    let (a, b) = (place.worker("a").await, place.worker("b").await);
    for round in 1..=10 {
        let later = async {
            while place.rendezvous.counters().pairings_total() < round {
                tokio::task::yield_now().await;
            }
            b.connect(a.id()).await
        };
        let both = async { tokio::join!(a.connect(b.id()), later) };
        let (at_a, at_b) = within("a pair", both).await;
        let (mut at_a, mut at_b) = (at_a.unwrap(), at_b.unwrap());
        check_pair(&mut at_a, &mut at_b, Way::Punched).await;
        assert_eq!(place.rendezvous.counters().pairings_total(), round);
    }
}
