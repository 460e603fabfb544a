//! Workers in namespaces of their own: who can be dialled is, who can be punched is, and the rest is relayed.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use worker_wasm::rendezvous::{Token, Way};

use super::{
    inside,
    network::{Namespace, Network, Ports},
    support::LONG,
};

/// What a program in a namespace is to be; the fields are words.
enum Part {
    /// token
    Rendezvous(String),
    /// rendezvous, fingerprint, token, name, names of all, address to listen on or "-", "punch" or "relay"
    Worker([String; 7]),
}

/// A program in a namespace.
struct Program {
    child: Child,
    stdin: ChildStdin,
    said: mpsc::Receiver<String>,
}

impl Program {
    fn start(namespace: &Namespace, part: &Part) -> Self {
        let words = match part {
            Part::Rendezvous(token) => vec!["rendezvous", token],
            Part::Worker(words) => {
                let mut all = vec!["worker"];
                all.extend(words.iter().map(String::as_str));
                all
            }
        };
        let binary = env::current_exe().unwrap();
        let mut child = namespace
            .command(binary.to_str().unwrap())
            .args([&inside::test_name(), "--exact", "--ignored", "--nocapture"])
            .env(inside::PART, words.join(" "))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("nsenter (util-linux) can be run");
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (say, said) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for line in lines.filter(|line| line.starts_with('@')) {
                if say.send(line[1..].to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, said }
    }

    /// The next line, without its first word, which must be `word`.
    fn says(&self, word: &str) -> Vec<String> {
        let said = self.said.recv_timeout(LONG);
        let said = said.unwrap_or_else(|error| panic!("a program does not say {word:?}: {error}"));
        let mut words = said.split(' ').map(str::to_owned);
        assert_eq!(words.next().as_deref(), Some(word), "{said:?}");
        words.collect()
    }

    fn go(&mut self) {
        self.stdin.write_all(b"go\n").unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host of a worker: where it is, and the address that it listens on, if it does.
type Host<'a> = (&'a Namespace, Option<&'a str>);

/// Of a pair, the smaller first.
type Names = (String, String);
/// The way, and how long it took from the pairing.
type Taken = (String, Duration);

/// Connects every worker with every other. Gives the way and the time of each pair as its first worker saw it, and the
/// attempts that failed, by way and over all workers.
fn connect_all(
    network: &Network,
    hosts: &[Host<'_>],
    punch: bool,
) -> (BTreeMap<Names, Taken>, u64) {
    let token = String::from_utf8(Token::generate().as_bytes().to_vec()).unwrap();
    let rendezvous = Program::start(&network.public, &Part::Rendezvous(token.clone()));
    let [address, fingerprint]: [String; 2] = rendezvous.says("listens").try_into().unwrap();
    let names: Vec<_> = (0..hosts.len())
        .map(|number| format!("w{number}"))
        .collect();
    let start = |(name, host): (&String, &Host<'_>)| {
        let words = [
            address.clone(),
            fingerprint.clone(),
            token.clone(),
            name.clone(),
            names.join(","),
            host.1.unwrap_or("-").to_owned(),
            if punch { "punch" } else { "relay" }.to_owned(),
        ];
        Program::start(host.0, &Part::Worker(words))
    };
    let mut workers: Vec<_> = names.iter().zip(hosts).map(start).collect();
    for worker in &workers {
        worker.says("registered");
    }
    for worker in &mut workers {
        worker.go();
    }
    let mut pairs = BTreeMap::new();
    let mut failed = 0;
    for (name, worker) in names.iter().zip(&workers) {
        for _ in 1..names.len() {
            let [peer, way, micros]: [String; 3] = worker.says("pair").try_into().unwrap();
            if *name < peer {
                let took = Duration::from_micros(micros.parse().unwrap());
                pairs.insert((name.clone(), peer), (way, took));
            }
        }
        failed += worker.says("done")[0].parse::<u64>().unwrap();
    }
    assert_eq!(pairs.len(), names.len() * (names.len() - 1) / 2);
    for ((a, b), (way, took)) in &pairs {
        let mut out = std::io::stdout();
        writeln!(out, "{a} and {b}: {way} in {took:?}").unwrap();
    }
    (pairs, failed)
}

fn check(network: &Network, hosts: &[Host<'_>], punch: bool, way: Way) -> u64 {
    let (pairs, failed) = connect_all(network, hosts, punch);
    for (pair, (taken, _)) in pairs {
        assert_eq!(taken, way.name(), "{pair:?}");
    }
    failed
}

#[test]
fn workers_behind_translators_of_their_own_punch_every_stream() {
    let mut network = Network::new();
    let sites = [(); 4].map(|()| network.site(Ports::Kept, 1));
    let hosts = sites.each_ref().map(|site| (&site[0], None));
    let failed = check(&network, &hosts, true, Way::Punched);
    assert_eq!(failed, 0);
}

#[test]
fn translators_that_choose_ports_at_random_make_every_stream_relayed() {
    let mut network = Network::new();
    let sites = [(); 3].map(|()| network.site(Ports::Random, 1));
    let hosts = sites.each_ref().map(|site| (&site[0], None));
    let failed = check(&network, &hosts, false, Way::Relayed);
    // Each of the three pairs tried to punch first, at both ends.
    assert_eq!(failed, 6);
}

#[test]
fn two_workers_behind_one_translator_reach_each_other() {
    for ports in [Ports::Kept, Ports::Random] {
        let mut network = Network::new();
        let site = network.site(ports, 2);
        let hosts = [(&site[0], None), (&site[1], None)];
        let failed = check(&network, &hosts, true, Way::Punched);
        assert_eq!(failed, 0, "{ports:?}");
    }
}

#[test]
fn a_worker_on_a_public_host_is_dialled_from_behind_a_translator() {
    let mut network = Network::new();
    let (public, address) = network.public_host();
    let site = network.site(Ports::Random, 1);
    for hosts in [
        [(&public, Some(address.as_str())), (&site[0], None)],
        [(&site[0], None), (&public, Some(address.as_str()))],
    ] {
        let failed = check(&network, &hosts, true, Way::Direct);
        assert_eq!(failed, 0);
    }
}
