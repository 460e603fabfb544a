//! Who is let in, and who is not.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream};
use worker_wasm::rendezvous::{
    ConnectError, Identity, Limits, Refusal, Registration, RendezvousError, ReverseConfig,
    SlotError, SlotId, Token, Way, WorkerConfig, dial_reversed,
};

use super::support::{LONG, Place, check_closed, check_pair, invited, name, within};

async fn refused(config: WorkerConfig) -> Refusal {
    let opened = within("an answer", Registration::open(config)).await;
    match opened {
        Err(RendezvousError::Refused { refusal, .. }) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_worker_with_a_wrong_token_is_refused() {
    let place = Place::open().await;
    let config = WorkerConfig {
        token: Token::generate(),
        ..place.config("a")
    };
    assert_eq!(refused(config).await, Refusal::Token);
    assert_eq!(place.rendezvous.counters().workers(), 0);
    assert_eq!(place.rendezvous.counters().refused_total(), 1);
}

#[tokio::test]
async fn an_invited_worker_comes_once_and_under_its_own_name() {
    let place = Place::open().await;
    let token = place.rendezvous.invite(&name("a")).unwrap();
    let config = |id| WorkerConfig {
        token: token.clone(),
        ..place.config(id)
    };
    assert_eq!(refused(config("b")).await, Refusal::Token);
    let registered = Registration::open(config("a")).await.unwrap();
    assert_eq!(registered.id(), &name("a"));
    assert_eq!(refused(config("a")).await, Refusal::Token);
}

#[tokio::test]
async fn an_old_token_is_refused() {
    let place = Place::with(Limits {
        expected_age_max: Duration::ZERO,
        ..Limits::default()
    })
    .await;
    let token = place.rendezvous.invite(&name("a")).unwrap();
    let config = WorkerConfig {
        token,
        ..place.config("a")
    };
    assert_eq!(refused(config).await, Refusal::Token);
}

#[tokio::test]
async fn a_taken_name_and_a_worker_too_many_are_refused() {
    let place = Place::with(Limits {
        workers_max: 2,
        ..Limits::default()
    })
    .await;
    let _a = place.worker("a").await;
    assert_eq!(refused(place.config("a")).await, Refusal::NameTaken);
    let _b = place.worker("b").await;
    assert_eq!(refused(place.config("c")).await, Refusal::Full);
}

#[tokio::test]
async fn a_rendezvous_with_another_certificate_is_not_believed() {
    let place = Place::open().await;
    let config = WorkerConfig {
        rendezvous_fingerprint: Identity::generate().unwrap().fingerprint(),
        ..place.config("a")
    };
    let opened = within("an error", Registration::open(config)).await;
    assert!(
        matches!(opened, Err(RendezvousError::Tls { .. })),
        "{opened:?}"
    );
    assert_eq!(place.rendezvous.counters().workers(), 0);
}

#[tokio::test]
async fn a_name_with_another_certificate_is_not_connected() {
    let place = Place::open().await;
    let config = place.config("b");
    let pinned = config.identity.fingerprint();
    let (a, b) = (
        place.worker("a").await,
        Registration::open(config).await.unwrap(),
    );
    let other = Identity::generate().unwrap().fingerprint();
    let connected = within("an answer", a.connect_to(b.id(), other)).await;
    assert!(
        matches!(connected, Err(ConnectError::Another { .. })),
        "{connected:?}"
    );
    drop(invited(&b).await);
    let (at_a, at_b) = within("a pair", async {
        tokio::join!(a.connect_to(b.id(), pinned), async {
            invited(&b).await.accept().await
        })
    })
    .await;
    check_pair(&mut at_a.unwrap(), &mut at_b.unwrap(), Way::Punched).await;
}

#[tokio::test]
async fn nobody_is_paired_with_a_stranger_or_with_itself() {
    let place = Place::open().await;
    let a = place.worker("a").await;
    let strange = within("an answer", a.connect(&name("b"))).await;
    let refusal = Refusal::PeerUnknown;
    assert!(
        matches!(&strange, Err(ConnectError::NotPaired { refusal: found, .. }) if *found == refusal),
        "{strange:?}"
    );
    let itself = within("an answer", a.connect(&name("a"))).await;
    assert!(
        matches!(itself, Err(ConnectError::Itself { .. })),
        "{itself:?}"
    );
}

#[tokio::test]
async fn a_pairing_too_many_is_refused() {
    let place = Place::with(Limits {
        pairings_max: 0,
        ..Limits::default()
    })
    .await;
    let (a, b) = (place.worker("a").await, place.worker("b").await);
    let paired = within("an answer", a.connect(b.id())).await;
    let refusal = Refusal::Full;
    assert!(
        matches!(&paired, Err(ConnectError::NotPaired { refusal: found, .. }) if *found == refusal),
        "{paired:?}"
    );
}

#[tokio::test]
async fn a_peer_that_never_comes_is_reported_as_absent() {
    let place = Place::with(Limits {
        meeting_max: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    let (a, b) = (place.worker("a").await, place.worker("b").await);
    let connected = within("an answer", a.connect(b.id())).await;
    assert!(
        matches!(connected, Err(ConnectError::PeerAbsent { .. })),
        "{connected:?}"
    );
    // It was invited, but had better things to do; now it is too late for it too.
    let late = within("an answer", invited(&b).await.accept()).await;
    assert!(
        matches!(late, Err(ConnectError::PeerAbsent { .. })),
        "{late:?}"
    );
}

#[tokio::test]
async fn what_is_no_greeting_is_cut_off() {
    let place = Place::with(Limits {
        greeting_max: 10 * LONG,
        ..Limits::default()
    })
    .await;
    let too_long = [b'M', 0, 0, 0x10, 0x01];
    let unknown_pairing = [b"M\0\0\0\x12\x0a\x10".as_slice(), &[7; 16], &[0; 32]].concat();
    let no_pairing = [b"M\0\0\0\0".as_slice(), &[0; 32]].concat();
    // Of a worker that is there, and of none.
    let _a = place.worker("a").await;
    let [wait_of_a, wait_of_b] =
        [b'a', b'b'].map(|name| [b"W\0\0\0\x03\x0a\x01".as_slice(), &[name], &[0; 32]].concat());
    for greeting in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &too_long,
        &unknown_pairing,
        &no_pairing,
        &wait_of_a,
        &wait_of_b,
    ] {
        let mut tcp = TcpStream::connect(place.rendezvous.address())
            .await
            .unwrap();
        tcp.write_all(greeting).await.unwrap();
        check_closed(&mut tcp).await;
    }
}

#[tokio::test]
async fn a_silent_stranger_is_cut_off() {
    let place = Place::with(Limits {
        greeting_max: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    let mut silent = TcpStream::connect(place.rendezvous.address())
        .await
        .unwrap();
    check_closed(&mut silent).await;
    // Neither is it enough to begin.
    let mut slow = TcpStream::connect(place.rendezvous.address())
        .await
        .unwrap();
    slow.write_all(b"M\0\0").await.unwrap();
    check_closed(&mut slow).await;
}

#[tokio::test]
async fn a_stranger_too_many_is_cut_off_and_the_first_stays() {
    let place = Place::with(Limits {
        strangers_max: 1,
        greeting_max: LONG,
        ..Limits::default()
    })
    .await;
    let address = place.rendezvous.address();
    let first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    check_closed(&mut second).await;
    let mut byte = [0];
    let pending = futures::poll!(std::pin::pin!(first.peek(&mut byte)));
    assert!(pending.is_pending());
}

fn reverse(place: &Place, slot: &str, token: &Token) -> ReverseConfig {
    ReverseConfig {
        rendezvous: place.rendezvous.address().to_string(),
        rendezvous_fingerprint: place.rendezvous.fingerprint(),
        slot: SlotId::new(slot).unwrap(),
        token: token.clone(),
        dial_max: LONG,
    }
}

#[tokio::test]
async fn a_function_serves_on_what_it_dialled() {
    use tokio::io::AsyncReadExt;
    let place = Place::open().await;
    let slot = SlotId::new("slot-1").unwrap();
    let mut expected = place.rendezvous.expect(&slot).unwrap();
    let again = place.rendezvous.expect(&slot);
    assert!(matches!(again, Err(SlotError::Taken { .. })), "{again:?}");
    let token = expected.token().clone();
    let (function, coordinator) = within("both ends", async {
        tokio::join!(
            dial_reversed(reverse(&place, "slot-1", &token)),
            expected.arrived()
        )
    })
    .await;
    let (mut function, mut coordinator) = (function.unwrap(), coordinator.unwrap());
    assert_eq!(coordinator.slot(), &slot);
    coordinator.write_all(b"task").await.unwrap();
    coordinator.flush().await.unwrap();
    let mut read = [0; 4];
    within("a task", function.read_exact(&mut read))
        .await
        .unwrap();
    assert_eq!(&read, b"task");
    // The token was good once.
    let second = within(
        "an answer",
        dial_reversed(reverse(&place, "slot-1", &token)),
    )
    .await;
    assert!(
        matches!(
            second,
            Err(RendezvousError::Refused {
                refusal: Refusal::Token,
                ..
            })
        ),
        "{second:?}"
    );
    drop(coordinator);
    check_closed(&mut function).await;
}

#[tokio::test]
async fn a_function_needs_the_token_of_its_own_slot_and_someone_who_waits() {
    let place = Place::open().await;
    let [one, two] = ["one", "two"].map(|slot| SlotId::new(slot).unwrap());
    let mut one = place.rendezvous.expect(&one).unwrap();
    let two = place.rendezvous.expect(&two).unwrap();
    let dial = |slot, token: &Token| dial_reversed(reverse(&place, slot, token));
    let gone = two.token().clone();
    for (slot, token) in [
        ("one", two.token()),
        ("one", &place.token),
        ("three", one.token()),
    ] {
        let dialled = within("an answer", dial(slot, token)).await;
        assert!(
            matches!(dialled, Err(RendezvousError::Refused { .. })),
            "{dialled:?}"
        );
    }
    drop(two);
    let dialled = within("an answer", dial("two", &gone)).await;
    assert!(
        matches!(dialled, Err(RendezvousError::Refused { .. })),
        "{dialled:?}"
    );
    drop(place);
    let arrived = within("an error", one.arrived()).await;
    assert!(
        matches!(arrived, Err(SlotError::Absent { .. })),
        "{arrived:?}"
    );
}
