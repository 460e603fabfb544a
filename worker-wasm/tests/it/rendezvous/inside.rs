//! What runs in a namespace: this test binary again, with only [`plays_its_part`], told by its environment what to be.
//!
//! It says what happened in lines that begin with `@`, and ends with its standard input.

use std::{
    env,
    io::{Read, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::oneshot,
    task::JoinSet,
};
use worker_wasm::rendezvous::{
    DirectListener, Fingerprint, Identity, Limits, Pair, PeerStream, Registration, Rendezvous,
    RendezvousConfig, Timings, Token, Way, WorkerConfig, WorkerId,
};

use super::{
    network::PUBLIC,
    support::{LONG, patient, ready},
};

/// The test that plays a part, for the test binary's command line.
pub(crate) fn test_name() -> String {
    let path = format!("{}::plays_its_part", module_path!());
    let (_crate_name, test) = path.split_once("::").unwrap();
    test.to_owned()
}

/// Where [`plays_its_part`] looks for what it is to be.
pub(crate) const PART: &str = "MURRE_TEST_PART";

/// What each worker sends each other over each stream.
const BYTES: usize = 256 * 1024;

#[test]
#[ignore = "is started by other tests in a namespace"]
fn plays_its_part() {
    let words = env::var(PART).expect("another test starts this one");
    let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The one who started this has gone, or wants it to end.
    let (ended, end) = oneshot::channel();
    let (go, going) = oneshot::channel();
    thread::spawn(move || {
        let mut stdin = std::io::stdin();
        let mut line = [0; 3];
        if stdin.read_exact(&mut line).is_ok() {
            let _ = go.send(());
            let _ = stdin.read_to_end(&mut Vec::new());
        }
        let _ = ended.send(());
    });
    runtime.block_on(async {
        let part = async {
            match words.split_first() {
                Some((part, words)) if part == "rendezvous" => be_rendezvous(words).await,
                Some((_, words)) => be_worker(words, going).await,
                None => panic!("no part to play"),
            }
        };
        tokio::select! {
            () = part => {}
            _ = end => {}
        }
    });
}

fn say(line: &str) {
    // On a line of its own, whatever the test harness prints.
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{line}").unwrap();
    out.flush().unwrap();
}

async fn be_rendezvous(words: &[String]) {
    let config = RendezvousConfig {
        listen: format!("{PUBLIC}:0").parse().unwrap(),
        identity: Identity::generate().unwrap(),
        shared_token: Token::new(words[0].as_str()),
        limits: Limits {
            meeting_max: LONG,
            ..Limits::default()
        },
    };
    let rendezvous = Rendezvous::listen(config).await.unwrap();
    let (address, fingerprint) = (rendezvous.address(), rendezvous.fingerprint());
    say(&format!("listens {address} {fingerprint}"));
    std::future::pending::<()>().await;
}

async fn be_worker(words: &[String], go: oneshot::Receiver<()>) {
    let [rendezvous, fingerprint, token, own, names, listen, way] = words else {
        panic!("words are missing: {words:?}");
    };
    let listener = match listen.as_str() {
        "-" => None,
        address => {
            let listener = TcpListener::bind(format!("{address}:0")).await.unwrap();
            let announced = vec![listener.local_addr().unwrap()];
            Some(DirectListener {
                listener,
                announced,
            })
        }
    };
    let timings = match way.as_str() {
        "punch" => ready(),
        // What cannot work need not be tried for long.
        _ => Timings {
            punch_tries: 2,
            punch_max: Duration::from_millis(500),
            grace: Duration::from_millis(200),
            ..patient()
        },
    };
    let config = WorkerConfig {
        rendezvous: rendezvous.clone(),
        rendezvous_fingerprint: Fingerprint::parse(fingerprint).unwrap(),
        token: Token::new(token.as_str()).unwrap(),
        id: WorkerId::new(own.as_str()).unwrap(),
        identity: Identity::generate().unwrap(),
        listener,
        private_addresses: Vec::new(),
        timings,
    };
    let registration = Arc::new(Registration::open(config).await.unwrap());
    say("registered");
    go.await.unwrap();
    let peers: Vec<_> = names.split(',').filter(|name| name != own).collect();
    let mut pairs = JoinSet::new();
    for peer in &peers {
        let registration = Arc::clone(&registration);
        let (own, peer) = (own.clone(), WorkerId::new(*peer).unwrap());
        // The one with the smaller name asks.
        let asks = own.as_str() < peer.as_str();
        pairs.spawn(async move {
            let pair = match asks {
                true => registration.connect(&peer).await,
                false => registration.invitation().await.unwrap().accept().await,
            };
            exchange(&own, pair.unwrap()).await
        });
    }
    let mut kept = Vec::new();
    while let Some(pair) = pairs.join_next().await {
        let pair = pair.unwrap();
        let (peer, way, took) = (&pair.peer, pair.outgoing.way(), pair.took.as_micros());
        assert_eq!(pair.incoming.way(), way);
        say(&format!("pair {peer} {way} {took}"));
        kept.push(pair);
    }
    let counts = Way::ALL.map(|way| registration.counters().of(way));
    let streams: u64 = counts.iter().map(|counts| counts.streams_open).sum();
    assert_eq!(streams, 2 * peers.len() as u64);
    let sent: u64 = counts.iter().map(|counts| counts.sent_bytes_total).sum();
    assert_eq!(sent, 2 * (peers.len() * BYTES) as u64);
    let failed: u64 = counts.iter().map(|counts| counts.failed_total).sum();
    say(&format!("done {failed}"));
    std::future::pending::<()>().await;
}

/// Sends bytes that only this worker sends over both streams, and reads those of the peer.
async fn exchange(own: &str, mut pair: Pair) -> Pair {
    let peer = pair.peer.clone();
    let over = async |stream: &mut PeerStream| {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let write = async {
            writer.write_all(&bytes_of(own)).await.unwrap();
            writer.flush().await.unwrap();
        };
        let read = async {
            let mut read = vec![0; BYTES];
            reader.read_exact(&mut read).await.unwrap();
            assert!(read == bytes_of(peer.as_str()), "not the bytes of {peer}");
        };
        tokio::join!(write, read);
    };
    tokio::join!(over(&mut pair.outgoing), over(&mut pair.incoming));
    pair
}

fn bytes_of(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(BYTES).collect()
}
