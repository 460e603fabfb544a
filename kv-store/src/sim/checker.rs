//! Whether a history is strictly serialisable.
//!
//! Commits report their versions, so there is nothing to search for: sort by version, replay on a [`ModelMap`], and look.
//!
//! 1. Every read is what the map says at the read version, absent keys included.
//! 2. Every read of a transaction that committed writes is also what the map says right before its commit.
//! 3. Real time: who began after something was acknowledged reads at or after it.
//! 4. An id has one outcome, whoever asks and however often.
//! 5. A watcher saw the changes of its keys: all, once, in order.

use std::collections::BTreeMap;

use super::ModelMap;
use crate::{
    Version,
    mvcc::{changes::Change, selector::RangeQuery},
    txn::{KeyRange, Mutation, Outcome, TxnId},
};

/// Something a transaction read, at its read version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub query: RangeQuery,
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A transaction, as its client saw it.
#[derive(Debug, Clone)]
pub struct Transaction {
    pub id: TxnId,
    /// When the client asked for a read version.
    pub began: u64,
    pub read_version: Version,
    pub reads: Vec<Observed>,
    /// Empty in one that only reads.
    pub mutations: Vec<Mutation>,
    /// Every definite answer, in order of arrival. Empty when it only read, or was refused, or its client still does not know.
    pub outcomes: Vec<Outcome>,
    /// When the client knew that it was through. `None` when it never did.
    pub acknowledged: Option<u64>,
}

/// What a watcher was told about one stretch of versions.
#[derive(Debug, Clone)]
pub struct Watched {
    pub range: KeyRange,
    pub after: Version,
    pub upto: Version,
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, Default)]
pub struct History {
    pub transactions: Vec<Transaction>,
    pub watched: Vec<Watched>,
}

/// Why a history is not strictly serialisable. The indexes are of [`History::transactions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    TwoOutcomes {
        transaction: usize,
    },
    OneVersionTwice {
        version: Version,
    },
    /// The version of a commit is not after its read version.
    CommitBeforeRead {
        transaction: usize,
    },
    /// It read something that was not so at its read version.
    WrongRead {
        transaction: usize,
        read: usize,
        expected: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// It committed although something it read had changed.
    StaleRead {
        transaction: usize,
        read: usize,
    },
    /// `second` began after `first` was acknowledged, and did not see it.
    RealTime {
        first: usize,
        second: usize,
    },
    WrongWatch {
        watched: usize,
        expected: Vec<Change>,
    },
}

/// Looks at a whole history; `Ok` has nothing to complain about.
pub fn check(history: &History) -> Result<(), Verdict> {
    let commits = commits(history)?;
    check_reads(history, &commits)?;
    check_real_time(history, &commits)?;
    check_watches(history, &commits)
}

/// Indexes of transactions that committed, by version.
type Commits = BTreeMap<Version, usize>;

fn commits(history: &History) -> Result<Commits, Verdict> {
    let mut commits = Commits::new();
    for (index, transaction) in history.transactions.iter().enumerate() {
        let Some(first) = transaction.outcomes.first() else {
            continue;
        };
        if transaction.outcomes.iter().any(|other| other != first) {
            return Err(Verdict::TwoOutcomes { transaction: index });
        }
        if let Outcome::Committed(version) = *first {
            if version <= transaction.read_version {
                return Err(Verdict::CommitBeforeRead { transaction: index });
            }
            if commits.insert(version, index).is_some() {
                return Err(Verdict::OneVersionTwice { version });
            }
        }
    }
    Ok(commits)
}

fn check_reads(history: &History, commits: &Commits) -> Result<(), Verdict> {
    let mut by_read_version: Vec<usize> = (0..history.transactions.len()).collect();
    by_read_version.sort_by_key(|index| history.transactions[*index].read_version);
    let mut readers = by_read_version.into_iter().peekable();
    let mut map = ModelMap::default();
    for (version, committed) in commits {
        while let Some(reader) =
            readers.next_if(|at| history.transactions[*at].read_version < *version)
        {
            check_reads_of(history, reader, &map)?;
        }
        let transaction = &history.transactions[*committed];
        for (read, observed) in transaction.reads.iter().enumerate() {
            if map.rows(&observed.query) != observed.rows {
                return Err(Verdict::StaleRead {
                    transaction: *committed,
                    read,
                });
            }
        }
        map.commit(*version, &transaction.mutations);
    }
    readers.try_for_each(|reader| check_reads_of(history, reader, &map))
}

fn check_reads_of(history: &History, reader: usize, map: &ModelMap) -> Result<(), Verdict> {
    for (read, observed) in history.transactions[reader].reads.iter().enumerate() {
        let expected = map.rows(&observed.query);
        if expected != observed.rows {
            return Err(Verdict::WrongRead {
                transaction: reader,
                read,
                expected,
            });
        }
    }
    Ok(())
}

/// A commit counts with its version, a transaction that only read with the last commit it saw.
fn check_real_time(history: &History, commits: &Commits) -> Result<(), Verdict> {
    let mut ends: Vec<(u64, Version, usize)> = Vec::new();
    for (index, transaction) in history.transactions.iter().enumerate() {
        let Some(at) = transaction.acknowledged else {
            continue;
        };
        let seen = commits.range(..=transaction.read_version).next_back();
        let reached = match transaction.outcomes.first() {
            Some(Outcome::Committed(version)) => Some(*version),
            Some(Outcome::Aborted(_)) => None,
            None => seen.map(|(version, _)| *version),
        };
        ends.extend(reached.map(|version| (at, version, index)));
    }
    ends.sort_unstable();
    let mut begins: Vec<usize> = (0..history.transactions.len()).collect();
    begins.sort_by_key(|index| history.transactions[*index].began);
    let mut ends = ends.into_iter().peekable();
    let mut latest: Option<(Version, usize)> = None;
    for second in begins {
        let began = history.transactions[second].began;
        while let Some((_, version, first)) = ends.next_if(|(at, ..)| *at < began) {
            latest = latest.max(Some((version, first)));
        }
        if let Some((version, first)) = latest
            && history.transactions[second].read_version < version
        {
            return Err(Verdict::RealTime { first, second });
        }
    }
    Ok(())
}

fn check_watches(history: &History, commits: &Commits) -> Result<(), Verdict> {
    let mut map = ModelMap::default();
    let mut all = Vec::new();
    for (version, committed) in commits {
        all.extend(map.commit(*version, &history.transactions[*committed].mutations));
    }
    for (index, watched) in history.watched.iter().enumerate() {
        let is_seen = |change: &&Change| {
            change.version > watched.after
                && change.version <= watched.upto
                && watched.range.contains(&change.key)
        };
        let expected = all.iter().filter(is_seen);
        if !watched.changes.iter().eq(expected.clone()) {
            return Err(Verdict::WrongWatch {
                watched: index,
                expected: expected.cloned().collect(),
            });
        }
    }
    Ok(())
}
