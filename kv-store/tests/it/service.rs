//! Who may do what over the network, and over which network.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use futures::StreamExt;
use kv_store::{
    DialOptions, Dialer, KvError,
    client::{Client, ClientOptions},
    node::NodeOptions,
    service::{ServeError, ServeOptions, Server},
    transaction::{Retry, Store},
    txn::{KeyRange, LimitError, Mutation},
};

const LOOPBACK: &str = "127.0.0.1:0";

/// Serves one member until the test ends.
async fn serve(folder: &Path, options: &ServeOptions) -> SocketAddr {
    let mut node = NodeOptions::new(folder.join("member"), 1);
    node.alone = true;
    let server = Server::open(LOOPBACK.parse().unwrap(), options, node);
    let server = server.await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve(std::future::pending()));
    address
}

fn client(address: &str, dial: &DialOptions) -> Client {
    let mut options = ClientOptions::new([address.to_owned()]);
    options.dialer = Dialer::new(dial).unwrap();
    Client::new(options).unwrap()
}

/// Gives up at once.
fn impatient(address: &str, dial: &DialOptions) -> Client {
    let mut options = ClientOptions::new([address.to_owned()]);
    options.dialer = Dialer::new(dial).unwrap();
    options.retry = Retry {
        patience: std::time::Duration::ZERO,
        ..Retry::default()
    };
    Client::new(options).unwrap()
}

fn set(key: &str) -> Vec<Mutation> {
    vec![Mutation::Set {
        key: key.into(),
        value: b"v".to_vec(),
    }]
}

fn token_file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_decides_which_keys_may_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = token_file(folder.path(), "tokens", "root\nalice user\n");
    let options = ServeOptions {
        token_file: Some(tokens),
        ..ServeOptions::default()
    };
    let address = serve(folder.path(), &options).await.to_string();
    let with = |token: &str| {
        let token_file = Some(token_file(folder.path(), token, token));
        let dial = DialOptions {
            token_file,
            ..DialOptions::default()
        };
        client(&address, &dial)
    };
    let (root, alice) = (with("root"), with("alice"));
    root.get_now(b"/system/a").await.unwrap();
    root.write(set("/system/a")).await.unwrap();
    alice.write(set("/user/a")).await.unwrap();
    assert_eq!(alice.get_now(b"/system/a").await, Ok(Some(b"v".to_vec())));
    for (key, namespace) in [("/system/a", "/system"), ("/internal/txn/a", "/internal")] {
        let denied = alice.write(set(key)).await;
        let expected = KvError::PermissionDenied {
            role: "user".into(),
            action: "write".into(),
            namespace: namespace.into(),
        };
        assert_eq!(denied, Err(expected));
    }
    let managed = alice.remove_member(1).await;
    assert!(
        matches!(managed, Err(KvError::PermissionDenied { .. })),
        "{managed:?}"
    );
    let unknown = with("mallory").write(set("/user/a")).await;
    assert!(
        matches!(unknown, Err(KvError::Unauthenticated { .. })),
        "{unknown:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_over_one_connection_get_their_own_answers() {
    let folder = tempfile::tempdir().unwrap();
    let address = serve(folder.path(), &ServeOptions::default()).await;
    let client = client(&address.to_string(), &DialOptions::default());
    let calls = (0..300_usize).map(|number| {
        let client = client.clone();
        async move {
            let mut key = format!("/user/{number:03}").into_bytes();
            let mut value = vec![number as u8; number];
            match number % 10 {
                // Too long to share a stream with the others.
                0 => value.resize(90 * 1024, 7),
                // Refused, behind all keys.
                1 => key[0] = 0xff,
                _ => {}
            }
            let set = Mutation::Set {
                key: key.clone(),
                value: value.clone(),
            };
            let written = client.write(vec![set]).await;
            let read = client.get_now(&key).await.unwrap();
            if number % 10 == 1 {
                let expected = KvError::Limit(LimitError::KeyBehindEnd);
                assert_eq!((written, read), (Err(expected), None));
            } else {
                written.unwrap();
                assert!(read == Some(value), "key {number} has another's value");
            }
        }
    });
    futures::future::join_all(calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_far_behind_is_told_everything_in_parts_also_one_version_that_is_too_much() {
    const KEYS: usize = 5_000;
    let folder = tempfile::tempdir().unwrap();
    let address = serve(folder.path(), &ServeOptions::default()).await;
    let mut options = ClientOptions::new([address.to_string()]);
    // Clearing 45 MB at once takes a slow disk a while.
    options.call_timeout = std::time::Duration::from_secs(60);
    let client = Client::new(options).unwrap();
    let all = KeyRange {
        begin: b"/user/".to_vec(),
        end: b"/user0".to_vec(),
    };
    let before = client.begin().await.unwrap();
    // Three times what is kept in memory, and then 35 MB of names in one version.
    let key = |number: usize| format!("/user/{number:05}{}", "k".repeat(7_000)).into_bytes();
    for numbers in (0..KEYS).collect::<Vec<_>>().chunks(250) {
        let set = |number: &usize| Mutation::Set {
            key: key(*number),
            value: vec![b'v'; 2_000],
        };
        client
            .write(numbers.iter().map(set).collect())
            .await
            .unwrap();
    }
    let clear = Mutation::ClearRange { range: all.clone() };
    let cleared = client.write(vec![clear]).await.unwrap();
    let mut answers = Box::pin(client.watch(&all, Some(before)).await.unwrap());
    let (mut changes, mut num_parts, mut after) = (Vec::new(), 0, before);
    while after < cleared {
        let (more, upto) = answers.next().await.unwrap().unwrap();
        assert!(
            more.iter()
                .all(|change| change.version > after && change.version <= upto)
        );
        num_parts += usize::from(!more.is_empty());
        changes.extend(more);
        after = upto;
    }
    assert!(num_parts > 3, "{num_parts} parts");
    assert_eq!(changes.len(), 2 * KEYS);
    for (half, changes) in changes.chunks(KEYS).enumerate() {
        for (number, change) in changes.iter().enumerate() {
            assert!(change.key == key(number) && change.value.is_some() == (half == 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_can_be_closed_while_it_serves_and_closing_can_be_given_up() {
    let patience = std::time::Duration::from_secs(60);
    let options = ServeOptions::default();
    for given_up in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut node = NodeOptions::new(folder.path().join("member"), 1);
        node.alone = true;
        let server = Server::open(LOOPBACK.parse().unwrap(), &options, node);
        let server = server.await.unwrap();
        let node = std::sync::Arc::clone(server.node());
        let serving = tokio::spawn(server.serve(std::future::pending()));
        let mut closing = Box::pin(node.close());
        if given_up {
            let _begun = futures::poll!(closing.as_mut());
            drop(closing);
        } else {
            closing.await;
        }
        let served = tokio::time::timeout(patience, serving).await;
        served.expect("serving ends").unwrap().unwrap();
    }
}

/// The answer to a request of HTTP/1.1, as Prometheus sends one.
async fn http_get(address: SocketAddr, header: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n{header}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_what_a_member_counts_and_needs_a_token_where_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = token_file(folder.path(), "tokens", "root\n");
    let options = ServeOptions {
        token_file: Some(tokens.clone()),
        ..ServeOptions::default()
    };
    let address = serve(folder.path(), &options).await;
    let dial = DialOptions {
        token_file: Some(tokens),
        ..DialOptions::default()
    };
    let client = client(&address.to_string(), &dial);
    for _ in 0..3 {
        client.write(set("/user/a")).await.unwrap();
    }
    let refused = http_get(address, "").await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    let answer = http_get(address, "Authorization: Bearer root\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for line in [
        "kv_store_commits_total{outcome=\"committed\"} 3",
        "kv_store_leads 1",
        "kv_store_members{kind=\"voter\"} 1",
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_than_on_the_loopback_who_calls_must_be_known_and_nobody_may_listen() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |options: &ServeOptions| {
        let node = NodeOptions::new(folder.path().join("member"), 1);
        Server::open("0.0.0.0:0".parse().unwrap(), options, node).await
    };
    let tokens = token_file(folder.path(), "tokens", "root\n");
    let in_clear = ServeOptions {
        token_file: Some(tokens.clone()),
        ..ServeOptions::default()
    };
    for options in [ServeOptions::default(), in_clear] {
        let refused = open(&options).await;
        assert!(
            matches!(refused, Err(ServeError::NotLoopback { .. })),
            "{refused:?}"
        );
    }
    let (authority, identity) = certificates(folder.path(), vec!["localhost".into()]);
    let mut options = ServeOptions {
        identity: Some(identity),
        ..ServeOptions::default()
    };
    let refused = open(&options).await;
    assert!(
        matches!(refused, Err(ServeError::Anybody { .. })),
        "{refused:?}"
    );
    options.client_ca = Some(authority);
    open(&options).await.unwrap().node().close().await;
    (options.client_ca, options.token_file) = (None, Some(tokens));
    open(&options).await.unwrap();
}

/// An authority, and a certificate of it for these names with its key, as files.
pub(crate) fn certificates(folder: &Path, names: Vec<String>) -> (PathBuf, (PathBuf, PathBuf)) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(authority, authority_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(names).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let paths = ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.join(name));
    fs::write(&paths[0], authority.pem()).unwrap();
    fs::write(&paths[1], certificate.pem()).unwrap();
    fs::write(&paths[2], key.serialize_pem()).unwrap();
    let [authority, certificate, key] = paths;
    (authority, (certificate, key))
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_who_shows_no_certificate_is_refused_when_one_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let (authority, identity) = certificates(folder.path(), names);
    let options = ServeOptions {
        identity: Some(identity.clone()),
        client_ca: Some(authority.clone()),
        token_file: None,
    };
    let address = serve(folder.path(), &options).await.to_string();
    let mut dial = DialOptions {
        server_ca: Some(authority),
        identity: Some(identity),
        token_file: None,
    };
    let known = client(&address, &dial);
    known.get_now(b"/user/a").await.unwrap();
    known.write(set("/user/a")).await.unwrap();
    assert_eq!(known.get_now(b"/user/a").await, Ok(Some(b"v".to_vec())));
    dial.identity = None;
    for dial in [dial, DialOptions::default()] {
        let refused = impatient(&address, &dial).get_now(b"/user/a").await;
        assert!(
            matches!(refused, Err(KvError::Unreachable { .. })),
            "{refused:?}"
        );
    }
}
