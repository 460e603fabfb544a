//! A whole group under one seed: nodes, clients, a network that delays and loses, and somebody who breaks things.
//!
//! Real here: the log on a simulated disk, the applier, the committer and its conflict map, read rounds, apply, outcomes, garbage
//! collection, watches. Modelled: Raft itself ([`node`]: votes, replication, commit by majority), the network, time, and the engine.
//!
//! One thread, virtual time in microseconds, one queue of events: a seed and a commit of the code decide everything.

mod client;
mod nemesis;
mod node;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use client::Client;
use nemesis::Nemesis;
use node::{Node, Stored};

use super::{
    Random,
    checker::{self, History, Verdict},
};
use crate::{
    EngineError, Version,
    engine::{Direction, Engine},
    mvcc::{changes::Change, read::rows, selector::RangeQuery},
    txn::{CommitRequest, KEYS_END, KeyRange, Outcome, TxnId},
    wal::{Entry, EntryId},
};

/// Virtual time, in microseconds.
pub(super) type Time = u64;
const MS: Time = 1_000;
/// Clients begin nothing new after this, and nothing is broken any more.
const CALM: Time = 7_000 * MS;
/// By then every client knows what became of its transactions.
const END: Time = 60_000 * MS;

/// What happened in a run; a run that lacks one of these tests less than it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mix {
    pub nodes: usize,
    /// Requests of clients that were answered.
    pub operations: usize,
    pub commits: usize,
    pub conflicts: usize,
    /// Refused because nobody remembers that far.
    pub too_old: usize,
    /// Outcomes that a client had to ask for, and were ABORTED.
    pub aborted: usize,
    /// Commits whose first answer was lost, and that turned out to have happened.
    pub lost_answers: usize,
    pub leaders: usize,
    pub crashes: usize,
    pub partitions: usize,
    /// Engine batches that power losses took and the log gave back.
    pub lost_batches: usize,
    pub compactions: usize,
    pub watched_changes: usize,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub mix: Mix,
    pub verdict: Result<(), Failure>,
}

#[derive(Debug)]
pub enum Failure {
    /// The checker's.
    Checker(Box<Verdict>),
    /// Nodes that applied the same entries read differently: by number of node.
    Diverged(usize, usize),
    /// A client never learned what became of its transaction.
    Stuck,
}

/// One run.
pub fn run(seed: u64) -> Run {
    let mut cluster = Cluster::new(seed);
    cluster.run();
    let mut history = History::default();
    let mut is_stuck = false;
    for client in &mut cluster.clients {
        is_stuck |= !client.is_done();
        history.transactions.append(&mut client.transactions);
        history.watched.append(&mut client.watched);
    }
    let mix = cluster.mix(&history);
    let verdict = match checker::check(&history) {
        Err(verdict) => Err(Failure::Checker(Box::new(verdict))),
        Ok(()) if is_stuck => Err(Failure::Stuck),
        Ok(()) => cluster.check_replicas(),
    };
    Run { mix, verdict }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    Node(usize),
    Client(usize),
}

#[derive(Debug, Clone)]
enum Message {
    AskVote {
        term: u64,
        last: Option<EntryId>,
    },
    Vote {
        term: u64,
        granted: bool,
    },
    Append {
        term: u64,
        prev: Option<EntryId>,
        entries: Vec<Entry>,
        commit: u64,
        /// The last read round that was sent.
        round: u64,
    },
    Appended {
        term: u64,
        /// `Err` is where to try next.
        matched: Result<u64, u64>,
        round: u64,
    },
    /// Clients give each request a number, and answers carry it.
    Request(u64, Request),
    Answer(u64, Answer),
}

#[derive(Debug, Clone)]
enum Request {
    Begin,
    Read { at: Version, query: RangeQuery },
    Commit(CommitRequest),
    AskOutcome(TxnId),
    Watch { range: KeyRange, after: Version },
}

#[derive(Debug, Clone)]
enum Answer {
    Began(Version),
    /// And the ranges that decided them.
    Rows(Vec<(Vec<u8>, Vec<u8>)>, Vec<KeyRange>),
    Outcome(Outcome),
    /// Nothing of it will happen, unless an earlier request of the same id is on its way.
    Conflict,
    /// Likewise.
    TooOld,
    Changes(Vec<Change>, Version),
    /// Somebody else may know.
    NotHere,
}

#[derive(Debug)]
enum Event {
    Deliver {
        from: Party,
        to: Party,
        message: Message,
    },
    /// An fsync that a node began is done.
    Synced {
        node: usize,
        life: u64,
    },
    Tick {
        node: usize,
        life: u64,
    },
    /// The engine syncs, the log is purged, files are merged.
    Maintain {
        node: usize,
        life: u64,
    },
    Wake {
        client: usize,
    },
    Break,
    Heal {
        breakage: u64,
    },
    Start {
        node: usize,
    },
}

/// What parties do to the world.
#[derive(Debug, Default)]
struct Outbox {
    messages: Vec<(Party, Message)>,
    /// Asks for [`Event::Synced`].
    wants_sync: bool,
    became_leader: bool,
}

impl Outbox {
    fn send(&mut self, to: Party, message: Message) {
        self.messages.push((to, message));
    }
}

struct Cluster {
    random: Random,
    now: Time,
    events: BinaryHeap<Reverse<(Time, u64)>>,
    /// By number, as in `events`.
    what: BTreeMap<u64, Event>,
    num_events: u64,
    nodes: Vec<Option<Node>>,
    /// What a node that is down has on its disk.
    stored: Vec<Option<Stored>>,
    /// Counts starts, so that events of an earlier life are known as such.
    lives: Vec<u64>,
    /// Of each node: entries up to here are durable there and committed.
    safe: Vec<u64>,
    clients: Vec<Client>,
    nemesis: Nemesis,
    mix: Mix,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let num_nodes = if random.chance(25) { 5 } else { 3 };
        let num_clients = 7 + random.below(4);
        let mut cluster = Self {
            now: 0,
            events: BinaryHeap::new(),
            what: BTreeMap::new(),
            num_events: 0,
            nodes: (0..num_nodes).map(|_| None).collect(),
            stored: (0..num_nodes).map(|_| Some(Stored::default())).collect(),
            lives: vec![0; num_nodes],
            safe: vec![0; num_nodes],
            clients: (0..num_clients)
                .map(|id| Client::new(id, num_nodes))
                .collect(),
            nemesis: Nemesis::new(num_nodes),
            mix: Mix {
                nodes: num_nodes,
                ..Mix::default()
            },
            random,
        };
        for node in 0..num_nodes {
            cluster.start(node);
        }
        for client in 0..num_clients {
            cluster.at(300 * MS, Event::Wake { client });
        }
        cluster.at(400 * MS, Event::Break);
        cluster
    }

    fn at(&mut self, time: Time, event: Event) {
        self.num_events += 1;
        self.events.push(Reverse((time, self.num_events)));
        self.what.insert(self.num_events, event);
    }

    fn after(&mut self, delay: Time, event: Event) {
        self.at(self.now + delay, event);
    }

    fn run(&mut self) {
        while let Some(Reverse((time, number))) = self.events.pop() {
            self.now = time;
            if time > END || (time > CALM && self.clients.iter().all(Client::is_done)) {
                break;
            }
            let event = self
                .what
                .remove(&number)
                .expect("every number has its event");
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver {
                from,
                to: Party::Node(node),
                message,
            } => {
                let (now, random) = (self.now, &mut self.random);
                if let Some(running) = &mut self.nodes[node] {
                    let mut out = Outbox::default();
                    running.receive(from, message, now, random, &mut out);
                    self.send_all(node, out);
                }
            }
            Event::Deliver {
                to: Party::Client(client),
                message,
                ..
            } => {
                if let Message::Answer(number, answer) = message {
                    self.mix.operations += 1;
                    let now = self.now;
                    let wake = self.clients[client].receive(number, answer, now, &mut self.random);
                    self.wake_at(client, wake);
                }
            }
            Event::Synced { node, life } => self.with(node, life, |node, _, out| node.synced(out)),
            Event::Tick { node, life } => {
                let now = self.now;
                self.with(node, life, |node, random, out| node.tick(now, random, out));
                self.again(node, life, 20 * MS, |node, life| Event::Tick { node, life });
            }
            Event::Maintain { node, life } => {
                let floor = self.safe.iter().copied().min().unwrap_or(0);
                let mut num_compactions = 0;
                self.with(node, life, |node, random, out| {
                    num_compactions = node.maintain(floor, random, out);
                });
                self.mix.compactions += num_compactions;
                let delay = (50 + self.random.below(300) as Time) * MS;
                self.again(node, life, delay, |node, life| Event::Maintain {
                    node,
                    life,
                });
            }
            Event::Wake { client } => {
                let is_calm = self.now >= CALM;
                let now = self.now;
                let (sends, wake) = self.clients[client].wake(now, is_calm, &mut self.random);
                for (node, message) in sends {
                    self.send(Party::Client(client), Party::Node(node), message);
                }
                self.wake_at(client, wake);
            }
            Event::Break => self.break_something(),
            Event::Heal { breakage } => self.nemesis.heal(breakage),
            Event::Start { node } => self.start(node),
        }
    }

    fn wake_at(&mut self, client: usize, delay: Option<Time>) {
        if let Some(delay) = delay {
            self.after(delay, Event::Wake { client });
        }
    }

    /// Runs something on a node that is still in this life.
    fn with(
        &mut self,
        node: usize,
        life: u64,
        run: impl FnOnce(&mut Node, &mut Random, &mut Outbox),
    ) {
        if self.lives[node] != life {
            return;
        }
        if let Some(running) = &mut self.nodes[node] {
            let mut out = Outbox::default();
            run(running, &mut self.random, &mut out);
            self.send_all(node, out);
        }
    }

    fn again(&mut self, node: usize, life: u64, delay: Time, event: fn(usize, u64) -> Event) {
        if self.lives[node] == life && self.nodes[node].is_some() {
            self.after(delay, event(node, life));
        }
    }

    fn send_all(&mut self, node: usize, out: Outbox) {
        let life = self.lives[node];
        if let Some(running) = &self.nodes[node] {
            self.safe[node] = self.safe[node].max(running.safe());
        }
        self.mix.leaders += usize::from(out.became_leader);
        if out.wants_sync {
            let delay = (1 + self.random.below(6) as Time) * MS;
            self.after(delay, Event::Synced { node, life });
        }
        for (to, message) in out.messages {
            self.send(Party::Node(node), to, message);
        }
    }

    /// Most messages take some milliseconds, some take long, some are lost.
    fn send(&mut self, from: Party, to: Party, message: Message) {
        if self.nemesis.blocks(from, to) || self.random.chance(2) {
            return;
        }
        let delay = match self.random.below(100) {
            0..6 => 20 + self.random.below(900) as Time,
            _ => 1 + self.random.below(4) as Time,
        };
        let jitter = self.random.below(MS as usize) as Time;
        self.after(delay * MS + jitter, Event::Deliver { from, to, message });
    }

    fn start(&mut self, node: usize) {
        let Some(stored) = self.stored[node].take() else {
            return;
        };
        self.lives[node] += 1;
        let life = self.lives[node];
        let (now, num_nodes) = (self.now, self.nodes.len());
        self.nodes[node] = Some(Node::start(
            node,
            num_nodes,
            stored,
            now,
            life,
            &mut self.random,
        ));
        self.after(20 * MS, Event::Tick { node, life });
        self.after(100 * MS, Event::Maintain { node, life });
    }

    fn leader(&self) -> Option<usize> {
        let leads = |node: &Option<Node>| node.as_ref().is_some_and(Node::leads);
        (0..self.nodes.len()).find(|node| leads(&self.nodes[*node]))
    }

    fn break_something(&mut self) {
        if self.now >= CALM {
            return;
        }
        let next = (300 + self.random.below(1_000) as Time) * MS;
        self.after(next, Event::Break);
        // The first breakage is a leader's crash, so that every run has one, and another leader.
        let is_first = self.mix.crashes == 0;
        let victim = match self.leader() {
            Some(leader) if is_first || self.random.chance(60) => leader,
            None if is_first => return,
            _ => self.random.below(self.nodes.len()),
        };
        if is_first || self.random.chance(45) {
            self.crash(victim);
            // A power cut takes all of them at times.
            if self.random.chance(15) {
                (0..self.nodes.len()).for_each(|node| self.crash(node));
            }
        } else {
            let breakage = self.nemesis.isolate(victim, &mut self.random);
            self.mix.partitions += 1;
            let length = (100 + self.random.below(900) as Time) * MS;
            self.after(length, Event::Heal { breakage });
        }
    }

    fn crash(&mut self, node: usize) {
        let Some(running) = self.nodes[node].take() else {
            return;
        };
        self.mix.crashes += 1;
        let (stored, num_lost) = running.crash(&mut self.random);
        self.mix.lost_batches += num_lost;
        self.stored[node] = Some(stored);
        let delay = (20 + self.random.below(600) as Time) * MS;
        self.after(delay, Event::Start { node });
    }

    /// Nodes with the same last applied entry answer a read of everything alike.
    fn check_replicas(&self) -> Result<(), Failure> {
        let mut seen: BTreeMap<Option<EntryId>, (usize, String)> = BTreeMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let snapshot = node.engine().snapshot();
            let everything: Result<Vec<_>, EngineError> =
                rows(&*snapshot, &[]..KEYS_END, Version::MAX, Direction::Forward).collect();
            let text = format!("{everything:?}");
            match seen.get(&node.last_applied()) {
                Some((other, known)) if *known != text => {
                    return Err(Failure::Diverged(*other, number));
                }
                Some(_) => {}
                None => drop(seen.insert(node.last_applied(), (number, text))),
            }
        }
        Ok(())
    }

    fn mix(&self, history: &History) -> Mix {
        let mut mix = self.mix;
        for client in &self.clients {
            mix.conflicts += client.num_conflicts;
            mix.too_old += client.num_too_old;
            mix.lost_answers += client.num_lost_answers;
        }
        for transaction in &history.transactions {
            match transaction.outcomes.first() {
                Some(Outcome::Committed(_)) => mix.commits += 1,
                Some(Outcome::Aborted(_)) => mix.aborted += 1,
                None => {}
            }
        }
        let changes = history.watched.iter().map(|watched| watched.changes.len());
        mix.watched_changes = changes.sum();
        mix
    }
}
