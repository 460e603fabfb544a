//! Clients that read and write a few keys through real members, and note what they saw, for the checker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kv_store::{
    KvError,
    client::Client,
    engine::Direction,
    mvcc::selector::{KeySelector, RangeQuery},
    sim::{
        Random,
        checker::{History, Observed, Transaction as Noted, check},
    },
    transaction::{Store, Transaction, new_id},
    txn::{AtomicOp, KeyRange, Mutation, Outcome},
};

/// Few, so that transactions meet.
const KEYS: usize = 12;

/// What happened, for a test to say that everything did.
#[derive(Debug, Default)]
pub(crate) struct Mix {
    pub(crate) commits: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) aborted: AtomicU64,
    pub(crate) reads: AtomicU64,
    /// Transactions that ended before their commit, because nobody answered for as long as a client is patient.
    pub(crate) unanswered: AtomicU64,
}

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    mix: Arc<Mix>,
    clients: Vec<tokio::task::JoinHandle<Vec<Noted>>>,
}

struct Caller {
    client: Client,
    random: Random,
    start: Instant,
    mix: Arc<Mix>,
}

impl Load {
    pub(crate) fn start(num_clients: u64, client: impl Fn() -> Client) -> Self {
        let (stop, mix) = (Arc::new(AtomicBool::new(false)), Arc::new(Mix::default()));
        let start = Instant::now();
        let clients = (0..num_clients).map(|seed| {
            let mut caller = Caller {
                client: client(),
                random: Random::new(seed),
                start,
                mix: Arc::clone(&mix),
            };
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut noted = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    noted.extend(caller.operate().await);
                }
                noted
            })
        });
        let clients = clients.collect();
        Self { stop, mix, clients }
    }

    pub(crate) fn num_commits(&self) -> u64 {
        self.mix.commits.load(Ordering::Relaxed)
    }

    /// Waits until this many more commits were acknowledged.
    pub(crate) async fn until_commits(&self, more: u64) {
        let wanted = self.num_commits() + more;
        let deadline = Instant::now() + crate::processes::PATIENCE;
        while self.num_commits() < wanted {
            assert!(
                Instant::now() < deadline,
                "no commits any more: {:?}",
                self.mix
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the clients, and judges all they saw.
    pub(crate) async fn judge(self) -> Arc<Mix> {
        self.stop.store(true, Ordering::Relaxed);
        let mut history = History::default();
        for client in self.clients {
            history.transactions.extend(client.await.unwrap());
        }
        eprintln!(
            "{} transactions, {:?}",
            history.transactions.len(),
            self.mix
        );
        assert_eq!(check(&history), Ok(()));
        self.mix
    }
}

fn key(number: usize) -> Vec<u8> {
    format!("/user/{number:02}").into_bytes()
}

impl Caller {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }

    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn any_query(&mut self) -> RangeQuery {
        let mut ends = [self.random.below(KEYS), self.random.below(KEYS)];
        if self.random.chance(60) {
            ends[1] = ends[0];
        }
        ends.sort_unstable();
        RangeQuery {
            begin: KeySelector::first_at_or_after(key(ends[0])),
            end: KeySelector::first_after(key(ends[1])),
            limit: 1 + self.random.below(4),
            direction: if self.random.chance(30) {
                Direction::Reverse
            } else {
                Direction::Forward
            },
        }
    }

    fn any_mutation(&mut self) -> Mutation {
        let key = key(self.random.below(KEYS));
        let number = self.random.draw().to_le_bytes().to_vec();
        match self.random.below(10) {
            0 => Mutation::Clear { key },
            1 => Mutation::ClearRange {
                range: KeyRange {
                    begin: key,
                    end: b"/user/99".to_vec(),
                },
            },
            2 | 3 => Mutation::Atomic {
                op: AtomicOp::Add,
                key,
                operand: number,
            },
            4 => Mutation::SetVersionstampedValue {
                key,
                value: vec![0; 12],
                offset: 0,
            },
            _ => Mutation::Set { key, value: number },
        }
    }

    /// What was asked before the commit; `None` when nobody answered.
    fn answered<T>(&self, answer: Result<T, KvError>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(KvError::Unreachable { .. }) => {
                Self::count(&self.mix.unanswered);
                None
            }
            // Members that fail are the client's business.
            Err(error) => {
                panic!("no member's fault may end a transaction before its commit: {error}")
            }
        }
    }

    /// One transaction, as it is seen from here. `None` when nothing can be said about it.
    async fn operate(&mut self) -> Option<Noted> {
        let began = self.now();
        let txn = self.answered(Transaction::begin(&self.client).await)?;
        let mut noted = Noted {
            id: new_id(),
            began,
            read_version: txn.read_version(),
            reads: Vec::new(),
            mutations: Vec::new(),
            outcomes: Vec::new(),
            acknowledged: None,
        };
        for _ in 0..1 + self.random.below(2) {
            let query = self.any_query();
            let rows = self.answered(txn.get_range(&query).await)?;
            let rows = rows.into_iter().map(|row| (row.key, row.value)).collect();
            noted.reads.push(Observed { query, rows });
        }
        if self.random.chance(30) {
            Self::count(&self.mix.reads);
            noted.acknowledged = Some(self.now());
            return Some(noted);
        }
        for _ in 0..1 + self.random.below(3) {
            noted.mutations.push(self.any_mutation());
        }
        noted
            .mutations
            .iter()
            .for_each(|mutation| txn.mutate(mutation.clone()));
        let committed = self.client.commit(txn.request(noted.id)?).await;
        self.resolve(&mut noted, committed).await;
        Some(noted)
    }

    async fn resolve(&mut self, noted: &mut Noted, committed: Result<kv_store::Version, KvError>) {
        let outcome = match committed {
            Ok(version) => Outcome::Committed(version),
            Err(KvError::Aborted { at }) => Outcome::Aborted(at),
            Err(error) if error.is_unknown() => {
                Self::count(&self.mix.unknown);
                // Without an answer for as long as a client is patient the test has failed anyway.
                self.client.outcome(noted.id).await.unwrap()
            }
            Err(KvError::Conflict | KvError::TooOld) => {
                Self::count(&self.mix.conflicts);
                return;
            }
            Err(error) => panic!("no member's fault may refuse a commit: {error}"),
        };
        match outcome {
            Outcome::Committed(_) => Self::count(&self.mix.commits),
            Outcome::Aborted(_) => Self::count(&self.mix.aborted),
        }
        noted.outcomes.push(outcome);
        noted.acknowledged = Some(self.now());
    }
}
