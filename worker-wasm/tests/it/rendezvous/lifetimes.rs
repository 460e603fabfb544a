//! What is dropped is gone: tasks end, sockets close.

use std::sync::Arc;

use tokio::{net::TcpListener, runtime::Handle};
use worker_wasm::rendezvous::{DirectListener, Registration, RendezvousError, Way, WorkerConfig};

use super::support::{
    Place, check_closed, check_pair, invited, loopback, name, pair, relaying, until, within,
};

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn a_rendezvous_takes_its_tasks_and_connections_with_it() {
    let before = tasks();
    let place = Place::open().await;
    let a = place.worker_with("a", relaying()).await;
    let b = place.worker_with("b", relaying()).await;
    let (mut at_a, mut at_b) = pair(&a, &b).await;
    check_pair(&mut at_a, &mut at_b, Way::Relayed).await;
    assert!(tasks() > before);
    let config = place.config("c");
    drop(place);
    for worker in [&a, &b] {
        let invitation = within("the loss", worker.invitation()).await;
        assert!(invitation.is_none());
    }
    check_closed(&mut at_a.outgoing).await;
    check_closed(&mut at_b.outgoing).await;
    until("the end of all tasks", || tasks() == before).await;
    let refused = within("an error", Registration::open(config)).await;
    assert!(
        matches!(refused, Err(RendezvousError::Dial { .. })),
        "{refused:?}"
    );
    let lost = within("an error", a.connect(b.id())).await;
    assert!(lost.is_err());
}

#[tokio::test]
async fn a_registration_takes_its_tasks_with_it_and_leaves_its_streams() {
    let place = Place::open().await;
    let counters = place.rendezvous.counters();
    let before = tasks();
    let (a, b) = (place.listening("a").await, place.listening("b").await);
    let (mut at_a, mut at_b) = pair(&a, &b).await;
    assert_eq!(counters.workers(), 2);
    drop((a, b));
    until("both leave", || counters.workers() == 0).await;
    until("the end of their tasks", || tasks() == before).await;
    check_pair(&mut at_a, &mut at_b, Way::Direct).await;
    // The names are free again.
    let _a = place.worker("a").await;
}

#[tokio::test]
async fn a_connect_that_is_dropped_closes_what_it_dialled() {
    let place = Place::open().await;
    let before_workers = tasks();
    // Whoever dials this gets no answer.
    let mute = TcpListener::bind(loopback()).await.unwrap();
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let announced = vec![mute.local_addr().unwrap()];
    let config = WorkerConfig {
        listener: Some(DirectListener {
            listener,
            announced,
        }),
        ..place.config("b")
    };
    let (a, b) = (
        place.worker("a").await,
        Registration::open(config).await.unwrap(),
    );
    let before = tasks();
    let mut dialled = {
        let connecting = a.connect(b.id());
        let dialled = async {
            let (first, _) = mute.accept().await.unwrap();
            let (second, _) = mute.accept().await.unwrap();
            [first, second]
        };
        tokio::select! {
            connected = connecting => panic!("connected: {connected:?}"),
            dialled = within("two connections", dialled) => dialled,
        }
    };
    for tcp in &mut dialled {
        // Behind what it had sent.
        within("the end", async {
            let mut rest = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(tcp, &mut rest).await;
        })
        .await;
    }
    assert_eq!(tasks(), before);
    drop((a, b));
    until("the end of the workers", || tasks() == before_workers).await;
}

#[tokio::test]
async fn a_registration_that_nobody_has_takes_waiting_invitations_with_it() {
    let place = Place::open().await;
    let (a, b) = (place.worker("a").await, place.worker("b").await);
    let counters = b.counters();
    let before = tasks();
    let asked = async { until("both knocks", || tasks() == before + 2).await };
    tokio::select! {
        connected = a.connect(b.id()) => panic!("connected: {connected:?}"),
        () = asked => {}
    }
    // Said to b after a's invitation, so that one waits now.
    let refused = within("an answer", b.connect(&name("nobody"))).await;
    assert!(refused.is_err());
    drop((a, b));
    until("the end of what b had", || {
        Arc::strong_count(&counters) == 1
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_stops_waiting_leaves_its_meeting() {
    let place = Place::open().await;
    let (a, b) = (place.worker("a").await, place.worker("b").await);
    let before = tasks();
    let invitation = {
        let connecting = a.connect(b.id());
        let knocked = async {
            let invitation = invited(&b).await;
            // Both connections of the pair wait at the rendezvous, a task each.
            until("both knocks", || tasks() == before + 2).await;
            invitation
        };
        tokio::select! {
            connected = connecting => panic!("connected: {connected:?}"),
            invitation = knocked => invitation,
        }
    };
    until("both leave", || tasks() == before).await;
    drop(invitation);
    // Nothing of it is in the way of the next pair.
    let (mut at_a, mut at_b) = pair(&a, &b).await;
    check_pair(&mut at_a, &mut at_b, Way::Punched).await;
}
