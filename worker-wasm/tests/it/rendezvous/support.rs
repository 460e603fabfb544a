//! A rendezvous with workers around it, all on loopback.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{sleep, timeout},
};
use worker_wasm::{
    rendezvous::{
        DirectListener, Identity, Invitation, Limits, Pair, PeerStream, Registration, Rendezvous,
        RendezvousConfig, Timings, Token, Way, WorkerConfig, WorkerId,
    },
    worker::COORDINATOR,
};

/// What happens at all happens far sooner.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = timeout(LONG, future).await;
    done.unwrap_or_else(|_| panic!("{what} does not come"))
}

/// Waits for something that tells nobody when it becomes true.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    within(what, async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

pub(crate) fn name(name: &str) -> WorkerId {
    WorkerId::new(name).unwrap()
}

pub(crate) fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Limits that no test on a busy machine comes near by accident.
pub(crate) fn patient() -> Timings {
    Timings {
        rendezvous_max: LONG,
        direct_max: 10 * LONG,
        spares: 0,
        punch_tries: 3,
        punch_max: Duration::from_secs(20),
        relay_max: LONG,
        grace: Duration::from_secs(10),
    }
}

/// Keeps connections ready for one pair.
pub(crate) fn ready() -> Timings {
    Timings {
        spares: 2,
        ..patient()
    }
}

/// Takes the relay at once.
pub(crate) fn relaying() -> Timings {
    Timings {
        punch_tries: 0,
        ..patient()
    }
}

pub(crate) struct Place {
    pub(crate) rendezvous: Rendezvous,
    pub(crate) token: Token,
    identity: Identity,
}

impl Place {
    pub(crate) async fn open() -> Self {
        Self::with(Limits {
            meeting_max: 10 * LONG,
            ..Limits::default()
        })
        .await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let token = Token::generate();
        let identity = Identity::generate().unwrap();
        let config = RendezvousConfig {
            listen: loopback(),
            identity: identity.clone(),
            shared_token: Some(token.clone()),
            limits,
        };
        let rendezvous = Rendezvous::listen(config).await.unwrap();
        Self {
            rendezvous,
            token,
            identity,
        }
    }

    pub(crate) fn config(&self, id: &str) -> WorkerConfig {
        WorkerConfig {
            rendezvous: self.rendezvous.address().to_string(),
            rendezvous_fingerprint: self.rendezvous.fingerprint(),
            token: self.token.clone(),
            id: name(id),
            identity: Identity::generate().unwrap(),
            listener: None,
            private_addresses: Vec::new(),
            timings: patient(),
        }
    }

    pub(crate) async fn worker(&self, id: &str) -> Registration {
        self.worker_with(id, patient()).await
    }

    pub(crate) async fn worker_with(&self, id: &str, timings: Timings) -> Registration {
        let config = WorkerConfig {
            timings,
            ..self.config(id)
        };
        Registration::open(config).await.unwrap()
    }

    /// The server's own place at its rendezvous, as workers know it.
    pub(crate) async fn coordinator(&self) -> Registration {
        let config = WorkerConfig {
            identity: self.identity.clone(),
            ..self.config(COORDINATOR)
        };
        Registration::open(config).await.unwrap()
    }

    pub(crate) async fn listening(&self, id: &str) -> Registration {
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let announced = vec![listener.local_addr().unwrap()];
        let config = WorkerConfig {
            listener: Some(DirectListener {
                listener,
                announced,
            }),
            ..self.config(id)
        };
        Registration::open(config).await.unwrap()
    }
}

pub(crate) async fn invited(worker: &Registration) -> Invitation {
    let invitation = within("an invitation", worker.invitation()).await;
    invitation.expect("the rendezvous is there")
}

/// `a` asks and `b` accepts.
pub(crate) async fn pair(a: &Registration, b: &Registration) -> (Pair, Pair) {
    let (at_a, at_b) = within("a pair", async {
        tokio::join!(a.connect(b.id()), async { invited(b).await.accept().await })
    })
    .await;
    (at_a.unwrap(), at_b.unwrap())
}

/// Bytes go both ways over both streams, and each stream has the expected way at both ends.
pub(crate) async fn check_pair(a: &mut Pair, b: &mut Pair, way: Way) {
    for stream in [&a.outgoing, &a.incoming, &b.outgoing, &b.incoming] {
        assert_eq!(stream.way(), way);
    }
    check_stream(&mut a.outgoing, &mut b.incoming).await;
    check_stream(&mut b.outgoing, &mut a.incoming).await;
}

async fn check_stream(client: &mut PeerStream, server: &mut PeerStream) {
    within("an exchange", async {
        say(client, server, *b"request").await;
        say(server, client, *b"answer.").await;
    })
    .await;
}

async fn say(from: &mut PeerStream, to: &mut PeerStream, bytes: [u8; 7]) {
    from.write_all(&bytes).await.unwrap();
    from.flush().await.unwrap();
    let mut read = [0; 7];
    to.read_exact(&mut read).await.unwrap();
    assert_eq!(read, bytes);
}

/// The other end has gone, politely or not.
pub(crate) async fn check_closed(stream: &mut (impl AsyncReadExt + Unpin)) {
    let read = within("the end of a stream", stream.read(&mut [0; 1])).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}
