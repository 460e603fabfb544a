//! One client: transaction after transaction, with retries, lost answers and questions for outcomes.

use std::collections::BTreeMap;

use super::{
    super::{
        Random,
        checker::{Observed, Transaction, Watched},
    },
    Answer, MS, Message, Request, Time,
};
use crate::{
    Version,
    engine::Direction,
    mvcc::selector::{KeySelector, RangeQuery},
    txn::{AtomicOp, CommitRequest, KeyRange, Mutation, Outcome, TxnId},
};

#[derive(Debug)]
enum Phase {
    Idle,
    Beginning,
    /// What is still to be read, last first.
    Reading {
        queries: Vec<RangeQuery>,
        num_tries: usize,
    },
    Thinking,
    /// Whether a request for it was sent that was never answered.
    Committing {
        unknown: bool,
    },
    Asking,
    Watching,
    Done,
}

#[derive(Debug)]
pub(super) struct Client {
    id: usize,
    num_nodes: usize,
    /// Who answered last.
    node: usize,
    phase: Phase,
    /// Of the request under way.
    number: u64,
    began: Time,
    /// Wakes before it are of an earlier wait.
    wake_at: Time,
    /// The transaction under way is the last one.
    pub(super) transactions: Vec<Transaction>,
    reads: Vec<KeyRange>,
    /// Requests whose answer is an outcome, and their transactions.
    asked: BTreeMap<u64, usize>,
    watch_range: KeyRange,
    watched_upto: Option<Version>,
    pub(super) watched: Vec<Watched>,
    pub(super) num_conflicts: usize,
    pub(super) num_too_old: usize,
    pub(super) num_lost_answers: usize,
}

impl Client {
    pub(super) fn new(id: usize, num_nodes: usize) -> Self {
        let watch_range = KeyRange {
            begin: b"k2".to_vec(),
            end: b"l".to_vec(),
        };
        Self {
            id,
            num_nodes,
            node: 0,
            phase: Phase::Idle,
            number: 0,
            began: 0,
            wake_at: 0,
            transactions: Vec::new(),
            reads: Vec::new(),
            asked: BTreeMap::new(),
            watch_range,
            watched_upto: None,
            watched: Vec::new(),
            num_conflicts: 0,
            num_too_old: 0,
            num_lost_answers: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Time is up: begin something, or give up waiting. Returns what to send to whom, and when to wake.
    pub(super) fn wake(
        &mut self,
        now: Time,
        is_calm: bool,
        random: &mut Random,
    ) -> (Vec<(usize, Message)>, Option<Time>) {
        if now < self.wake_at || self.is_done() {
            return (Vec::new(), None);
        }
        match &mut self.phase {
            Phase::Idle | Phase::Beginning | Phase::Watching if is_calm => {
                self.phase = Phase::Done;
                return (Vec::new(), None);
            }
            Phase::Idle => {
                if random.chance(15) {
                    self.phase = Phase::Watching;
                } else {
                    self.phase = Phase::Beginning;
                    // Some ask a node that led once and does not know better.
                    if random.chance(25) {
                        self.node = random.below(self.num_nodes);
                    }
                }
            }
            Phase::Beginning => self.node = random.below(self.num_nodes),
            Phase::Watching | Phase::Done => self.phase = Phase::Idle,
            Phase::Reading { num_tries, .. } => {
                *num_tries += 1;
                if *num_tries > 6 {
                    self.phase = Phase::Idle;
                }
            }
            Phase::Thinking => self.phase = Phase::Committing { unknown: false },
            Phase::Committing { unknown } => {
                let was_sent = self.asked.contains_key(&self.number);
                *unknown |= was_sent;
                if *unknown && random.chance(50) {
                    self.phase = Phase::Asking;
                } else {
                    self.node = random.below(self.num_nodes);
                }
            }
            Phase::Asking => self.node = random.below(self.num_nodes),
        }
        self.send(now, random)
    }

    fn send(&mut self, now: Time, random: &mut Random) -> (Vec<(usize, Message)>, Option<Time>) {
        let (node, request) = match &self.phase {
            Phase::Idle | Phase::Thinking | Phase::Done => {
                return (Vec::new(), self.sleep(now, 5 * MS));
            }
            Phase::Beginning => {
                self.began = now;
                (self.node, Request::Begin)
            }
            Phase::Reading { queries, .. } => {
                let transaction = self.transactions.last().expect("it began");
                let query = queries.last().expect("there is something to read");
                let read = Request::Read {
                    at: transaction.read_version,
                    query: query.clone(),
                };
                (random.below(self.num_nodes), read)
            }
            Phase::Committing { .. } => (self.node, Request::Commit(self.commit_request())),
            Phase::Asking => (self.node, Request::AskOutcome(self.commit_request().id)),
            Phase::Watching => {
                let watch = Request::Watch {
                    range: self.watch_range.clone(),
                    after: self.watched_upto.unwrap_or(Version::MIN),
                };
                (random.below(self.num_nodes), watch)
            }
        };
        self.number += 1;
        if matches!(request, Request::Commit(_) | Request::AskOutcome(_)) {
            self.asked.insert(self.number, self.transactions.len() - 1);
        }
        let patience = (30 + random.below(250) as Time) * MS;
        let wake = self.sleep(now, patience);
        (vec![(node, Message::Request(self.number, request))], wake)
    }

    fn sleep(&mut self, now: Time, delay: Time) -> Option<Time> {
        self.wake_at = now + delay;
        Some(delay)
    }

    fn commit_request(&self) -> CommitRequest {
        let transaction = self.transactions.last().expect("it began");
        CommitRequest {
            id: transaction.id,
            read_version: transaction.read_version,
            reads: self.reads.clone(),
            mutations: transaction.mutations.clone(),
        }
    }

    /// Takes an answer; returns when to wake.
    pub(super) fn receive(
        &mut self,
        number: u64,
        answer: Answer,
        now: Time,
        random: &mut Random,
    ) -> Option<Time> {
        if let (Answer::Outcome(outcome), Some(asked)) = (&answer, self.asked.get(&number)) {
            // Late answers count too: they must agree.
            let transaction = &mut self.transactions[*asked];
            transaction.outcomes.push(*outcome);
            if matches!(outcome, Outcome::Committed(_)) {
                transaction.acknowledged.get_or_insert(now);
            }
        }
        if number != self.number {
            return None;
        }
        // The next request has another number, so that this one's answer is not taken twice.
        self.number += 1;
        match (&mut self.phase, answer) {
            (Phase::Beginning, Answer::Began(version)) => self.begin(version, random),
            (Phase::Reading { queries, .. }, Answer::Rows(rows, read)) => {
                let query = queries.pop().expect("there was something to read");
                self.reads.extend(read);
                let is_last = queries.is_empty();
                let transaction = self.transactions.last_mut().expect("it began");
                transaction.reads.push(Observed { query, rows });
                if is_last {
                    return self.read_all(now, random);
                }
            }
            (Phase::Reading { .. }, Answer::TooOld) => {
                self.num_too_old += 1;
                self.phase = Phase::Idle;
            }
            (Phase::Committing { unknown }, Answer::Outcome(outcome)) => {
                let was_lost = *unknown && matches!(outcome, Outcome::Committed(_));
                self.num_lost_answers += usize::from(was_lost);
                self.phase = Phase::Idle;
            }
            (Phase::Asking, Answer::Outcome(outcome)) => {
                self.num_lost_answers += usize::from(matches!(outcome, Outcome::Committed(_)));
                self.phase = Phase::Idle;
            }
            (Phase::Committing { unknown }, Answer::Conflict | Answer::TooOld) if *unknown => {
                self.phase = Phase::Asking;
            }
            (Phase::Committing { .. }, Answer::Conflict) => {
                self.num_conflicts += 1;
                self.phase = Phase::Idle;
            }
            (Phase::Committing { .. }, Answer::TooOld) => {
                self.num_too_old += 1;
                self.phase = Phase::Idle;
            }
            (Phase::Watching, Answer::Changes(changes, upto)) => {
                self.watched.push(Watched {
                    range: self.watch_range.clone(),
                    after: self.watched_upto.unwrap_or(Version::MIN),
                    upto,
                    changes,
                });
                self.watched_upto = Some(upto);
                self.phase = Phase::Idle;
            }
            (Phase::Watching, Answer::TooOld) => {
                // Compacted: go on from what a transaction would read now.
                self.watched_upto = self.transactions.last().map(|last| last.read_version);
                self.phase = Phase::Idle;
            }
            // Not here: another node, a little later.
            _ => return self.sleep(now, (5 + random.below(30) as Time) * MS),
        }
        self.sleep(now, random.below(4 * MS as usize) as Time)
    }

    fn begin(&mut self, version: Version, random: &mut Random) {
        let num_reads = 1 + random.below(3);
        // As real ones do, they begin with the time of a clock that is a little wrong, and now and then very wrong.
        let mut id = [self.id as u8; 16];
        let wrong = match self.number % 50 {
            7 => 300,
            17 => 1_001,
            37 => 2_500,
            _ => 5 * self.id as Time,
        };
        id[..6].copy_from_slice(&(self.began / MS + wrong).to_be_bytes()[2..]);
        id[8..].copy_from_slice(&random.draw().to_be_bytes());
        let is_read_only = random.chance(25);
        let num_mutations = if is_read_only { 0 } else { 1 + random.below(3) };
        self.transactions.push(Transaction {
            id: TxnId(id),
            began: self.began,
            read_version: version,
            reads: Vec::new(),
            mutations: (0..num_mutations)
                .map(|_| self.any_mutation(random))
                .collect(),
            outcomes: Vec::new(),
            acknowledged: None,
        });
        self.reads.clear();
        self.phase = Phase::Reading {
            queries: (0..num_reads).map(|_| any_query(random)).collect(),
            num_tries: 0,
        };
    }

    fn read_all(&mut self, now: Time, random: &mut Random) -> Option<Time> {
        let transaction = self.transactions.last_mut().expect("it began");
        if transaction.mutations.is_empty() {
            transaction.acknowledged = Some(now);
            self.phase = Phase::Idle;
            return self.sleep(now, MS);
        }
        self.phase = Phase::Thinking;
        let thought = match random.below(10) {
            0 => random.below(900),
            1..4 => random.below(60),
            _ => random.below(4),
        };
        self.sleep(now, thought as Time * MS)
    }

    fn any_mutation(&self, random: &mut Random) -> Mutation {
        let key = any_key(random);
        // No two are alike, so that a wrong one is seen.
        let value = format!(
            "{}-{}-{}",
            self.id,
            self.transactions.len(),
            random.below(1_000)
        )
        .into_bytes();
        let counter = || format!("n{}", self.id % 3).into_bytes();
        match random.below(20) {
            0..8 => Mutation::Set { key, value },
            8..12 => Mutation::Clear { key },
            12 => Mutation::ClearRange {
                range: KeyRange {
                    end: [&key[..], b"z"].concat(),
                    begin: key,
                },
            },
            13 | 14 => Mutation::Atomic {
                op: *random.pick(&[
                    AtomicOp::Add,
                    AtomicOp::Max,
                    AtomicOp::BitXor,
                    AtomicOp::Min,
                ]),
                key: counter(),
                operand: vec![1 + random.below(200) as u8, 0],
            },
            15 => Mutation::Atomic {
                op: AtomicOp::AppendIfFits,
                key,
                operand: value,
            },
            16 => Mutation::Atomic {
                op: AtomicOp::CompareAndClear,
                key: counter(),
                operand: vec![1, 0],
            },
            17 => Mutation::SetVersionstampedKey {
                key: [&b"log/"[..], &[0; 12], &[self.id as u8]].concat(),
                offset: 4,
                value,
            },
            18 => Mutation::ClearRange {
                range: KeyRange {
                    begin: b"log/".to_vec(),
                    end: b"log0".to_vec(),
                },
            },
            _ => Mutation::SetVersionstampedValue {
                key,
                value: vec![b'v'; 14],
                offset: 1,
            },
        }
    }
}

fn any_key(random: &mut Random) -> Vec<u8> {
    format!("k{}", random.below(9)).into_bytes()
}

fn any_query(random: &mut Random) -> RangeQuery {
    let key = any_key(random);
    let direction = *random.pick(&[Direction::Forward, Direction::Reverse]);
    match random.below(10) {
        // One key.
        0..6 => RangeQuery {
            begin: KeySelector::first_at_or_after(key.clone()),
            end: KeySelector::first_after(key),
            limit: usize::MAX,
            direction,
        },
        6 => RangeQuery {
            begin: KeySelector::first_at_or_after("log/"),
            end: KeySelector::first_at_or_after("o"),
            limit: *random.pick(&[3, usize::MAX]),
            direction,
        },
        7 => RangeQuery {
            begin: KeySelector::last_before(key.clone()),
            end: KeySelector::first_after(key).plus(1),
            limit: usize::MAX,
            direction,
        },
        _ => RangeQuery {
            begin: KeySelector::first_at_or_after(key),
            end: KeySelector::first_at_or_after("l"),
            limit: *random.pick(&[1, 2, usize::MAX]),
            direction,
        },
    }
}
