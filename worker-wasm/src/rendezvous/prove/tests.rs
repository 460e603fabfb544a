//! Who is let in as the peer, and on which connection.

use futures::{FutureExt, stream};
use tokio::{net::TcpListener, time::timeout};

use super::*;

const LONG: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Worker {
    identity: Identity,
    key: PairingKey,
    pins: Fingerprint,
}

/// Two workers that are right about each other.
fn workers() -> (Worker, Worker) {
    let identities = [(); 2].map(|()| Identity::generate().unwrap());
    let key = PairingKey::generate();
    let [a, b] = [0, 1].map(|own: usize| Worker {
        identity: identities[own].clone(),
        key: key.clone(),
        pins: identities[1 - own].fingerprint(),
    });
    (a, b)
}

fn terms(worker: &Worker, side: Side) -> Terms {
    let (key, identity) = (worker.key.clone(), &worker.identity);
    Terms::new(PairingId([1; 16]), key, side, identity, worker.pins).unwrap()
}

/// A server's and a client's ends of a new connection.
async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    (accepted, dialled)
}

type Settled = Result<TlsStream<TcpStream>, ProveError>;

/// What the server of the first connection, and its client, come to.
async fn check(server: Terms, client: Terms) -> [Settled; 2] {
    let (accepted, dialled) = connected().await;
    let end = |terms: Terms, tcp| async move {
        let proven = prove(tcp, &terms, Link::First).await?;
        proven.settle().await
    };
    let both = async { tokio::join!(end(server, accepted), end(client, dialled)) };
    timeout(LONG, both)
        .await
        .expect("both ends come to an end")
        .into()
}

/// Two connections of one pairing. What the client makes of them once it has proven both, and what the server comes to.
async fn over_two<Made>(
    at_client: impl AsyncFnOnce(Proven, Proven) -> Made,
) -> (Made, [Result<Proven, ProveError>; 2]) {
    let (server, client) = workers();
    let (server, client) = (terms(&server, Side::Smaller), terms(&client, Side::Larger));
    let (first_accepted, first_dialled) = connected().await;
    let (second_accepted, second_dialled) = connected().await;
    let at_client = async {
        let first = prove(first_dialled, &client, Link::First).await.unwrap();
        let second = prove(second_dialled, &client, Link::First).await.unwrap();
        at_client(first, second).await
    };
    let at_server = async {
        let accepted = [first_accepted, second_accepted];
        let [first, second] = accepted.map(|tcp| prove(tcp, &server, Link::First));
        tokio::join!(first, second).into()
    };
    let both = async { tokio::join!(at_client, at_server) };
    timeout(LONG, Box::pin(both)).await.expect("an end")
}

async fn check_workers(server: &Worker, client: &Worker) -> [Settled; 2] {
    check(terms(server, Side::Smaller), terms(client, Side::Larger)).await
}

#[tokio::test]
async fn two_workers_that_are_right_about_each_other_agree() {
    let (server, client) = workers();
    let [server, client] = check_workers(&server, &client).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    client.write_all(b"rows").await.unwrap();
    client.flush().await.unwrap();
    let mut read = [0; 4];
    server.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"rows");
}

#[tokio::test]
async fn a_client_with_another_certificate_is_refused() {
    let (server, mut client) = workers();
    client.identity = Identity::generate().unwrap();
    // It may have chosen before it hears that.
    let [server, _] = check_workers(&server, &client).await;
    assert!(matches!(server, Err(ProveError::Tls { .. })), "{server:?}");
}

#[tokio::test]
async fn a_server_with_another_certificate_is_refused() {
    let (server, mut client) = workers();
    client.pins = client.identity.fingerprint();
    let [server, client] = check_workers(&server, &client).await;
    assert!(matches!(client, Err(ProveError::Tls { .. })), "{client:?}");
    assert!(server.is_err());
}

#[tokio::test]
async fn a_connection_of_another_key_pairing_or_link_is_refused() {
    let (server, client) = workers();
    let asked = || terms(&client, Side::Larger);
    let other_key = Worker {
        key: PairingKey::generate(),
        ..client.clone()
    };
    let other_pairing = Terms::new(
        PairingId([2; 16]),
        client.key.clone(),
        Side::Larger,
        &client.identity,
        client.pins,
    );
    let other_link = protocol(&client.key, PairingId([1; 16]), Link::Second);
    let mut config = ClientConfig::clone(&asked().client);
    config.alpn_protocols = vec![other_link];
    let other_link = Terms {
        client: Arc::new(config),
        ..asked()
    };
    for wrong in [
        terms(&other_key, Side::Larger),
        other_pairing.unwrap(),
        other_link,
    ] {
        let [server, client] = check(terms(&server, Side::Smaller), wrong).await;
        assert!(matches!(server, Err(ProveError::Tls { .. })), "{server:?}");
        assert!(matches!(client, Err(ProveError::Tls { .. })), "{client:?}");
    }
}

#[tokio::test]
async fn an_end_that_does_not_name_the_pairing_is_refused() {
    let (server, client) = workers();
    let (server, client) = (terms(&server, Side::Smaller), terms(&client, Side::Larger));
    let mut config = ClientConfig::clone(&client.client);
    config.alpn_protocols.clear();
    let nameless = Terms {
        client: Arc::new(config),
        ..client.clone()
    };
    let [refused, _] = check(server.clone(), nameless).await;
    assert!(matches!(refused, Err(ProveError::Pairing)), "{refused:?}");
    let mut config = ServerConfig::clone(&server.server);
    config.alpn_protocols.clear();
    let nameless = Terms {
        server: Arc::new(config),
        ..server
    };
    let [_, refused] = check(nameless, client).await;
    assert!(matches!(refused, Err(ProveError::Pairing)), "{refused:?}");
}

#[tokio::test]
async fn a_client_that_names_the_pairing_without_its_key_is_refused() {
    let (server, client) = workers();
    // It has heard the name, and has the certificate.
    let keyless = Terms {
        key: PairingKey::generate(),
        ..terms(&client, Side::Larger)
    };
    let [server, _] = check(terms(&server, Side::Smaller), keyless).await;
    assert!(matches!(server, Err(ProveError::Choice)), "{server:?}");
}

#[tokio::test]
async fn a_choice_of_another_session_is_refused() {
    let (_open, [first, second]) = over_two(async |first, second| {
        let repeated = Proven {
            choice: first.choice,
            ..second
        };
        (first.settle().await.unwrap(), repeated.settle().await)
    })
    .await;
    assert!(first.is_ok());
    let error = second.err().expect("it is not of this session");
    assert!(matches!(error, ProveError::Choice), "{error:?}");
}

#[tokio::test]
async fn a_server_waits_longer_for_a_choice_only_where_there_may_be_one() {
    let (server, client) = workers();
    let (server, client) = (terms(&server, Side::Smaller), terms(&client, Side::Larger));
    let settle = |connections| {
        // There is no time at all but the grace.
        first_settled(
            connections,
            &server,
            Link::First,
            Duration::ZERO,
            100 * LONG,
        )
    };
    let nobody = settle(stream::pending().boxed());
    let nobody = timeout(LONG, nobody).await.expect("it does not wait");
    assert!(matches!(nobody, Err(WayError::TimedOut)), "{nobody:?}");

    let (accepted, dialled) = connected().await;
    let proven = prove(accepted, &server, Link::First);
    let proven = proven.map(|proven| proven.map_err(|source| WayError::Prove { source }));
    let at_client = async {
        let proven = prove(dialled, &client, Link::First).await.unwrap();
        proven.settle().await
    };
    let connections = stream::once(proven).boxed();
    let both = async { tokio::join!(settle(connections), at_client) };
    let (at_server, _at_client) = timeout(LONG, both).await.expect("both come to an end");
    assert!(at_server.is_ok(), "{at_server:?}");
    assert_eq!(server.underway.load(Relaxed), 0);
}

#[tokio::test]
async fn the_server_takes_the_connection_that_the_client_has_chosen() {
    let (mut chosen, [first, second]) = over_two(async |first, second| {
        let chosen = second.settle().await.unwrap();
        drop(first);
        chosen
    })
    .await;
    let error = first.err().expect("nobody chose it");
    assert!(matches!(error, ProveError::Io { .. }), "{error:?}");
    let mut second = second.expect("it was chosen").settle().await.unwrap();
    second.write_all(b"rows").await.unwrap();
    second.flush().await.unwrap();
    let mut read = [0; 4];
    chosen.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"rows");
}
