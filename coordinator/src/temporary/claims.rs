//! Which batches each partition of a scan reads: its own, then what others have not come to.
//!
//! Threads do not get on alike, because rows differ, and because other programs take processor time from some of them; a
//! fixed part for each makes a query as slow as the slowest (morsel-driven parallelism: Leis et al., SIGMOD 2014).
//!
//! What a partition has taken is written down, so whoever reads it again, as operators do that begin again, reads the same.

use std::ops::Range;

use parking_lot::Mutex;

/// What the partitions of one scan have taken.
#[derive(Debug)]
pub(super) struct Claims(Box<[Claimed]>);

#[derive(Debug)]
struct Claimed {
    /// Of its own batches, those that nobody has taken.
    left: Mutex<Range<usize>>,
    /// What it reads, in this order.
    taken: Mutex<Vec<Claim>>,
}

/// A batch of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) partition: usize,
    pub(super) index: usize,
}

impl Claims {
    /// Of partitions with so many batches.
    pub(super) fn of(batches: impl Iterator<Item = usize>) -> Self {
        let claimed = batches.map(|batches| Claimed {
            left: Mutex::new(0..batches),
            taken: Mutex::default(),
        });
        Self(claimed.collect())
    }

    /// The `nth` batch that `partition` reads, if there is one.
    pub(super) fn nth(&self, partition: usize, nth: usize) -> Option<Claim> {
        let mut taken = self.0[partition].taken.lock();
        if let Some(known) = taken.get(nth) {
            return Some(*known);
        }
        let new = self.own(partition).or_else(|| self.others())?;
        taken.push(new);
        Some(new)
    }

    fn own(&self, partition: usize) -> Option<Claim> {
        let index = self.0[partition].left.lock().next()?;
        Some(Claim { partition, index })
    }

    /// The last batch of who has most left.
    fn others(&self) -> Option<Claim> {
        loop {
            let left = self.0.iter().map(|claimed| claimed.left.lock().len());
            let (partition, left) = left.enumerate().max_by_key(|(_, left)| *left)?;
            if left == 0 {
                return None;
            }
            if let Some(index) = self.0[partition].left.lock().next_back() {
                return Some(Claim { partition, index });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(partition: usize, index: usize) -> Claim {
        Claim { partition, index }
    }

    #[test]
    fn who_is_done_takes_the_last_of_others_and_reads_the_same_again() {
        let claims = Claims::of([1, 3, 4].into_iter());
        assert_eq!(claims.nth(2, 0), Some(claim(2, 0)));
        let first: Vec<_> = (0..4).map(|nth| claims.nth(0, nth).unwrap()).collect();
        assert_eq!(first[0], claim(0, 0));
        assert_eq!(claims.nth(1, 0), Some(claim(1, 0)));
        let rest: Vec<_> = (4..).map_while(|nth| claims.nth(0, nth)).collect();
        assert_eq!([claims.nth(1, 1), claims.nth(2, 1)], [None, None]);
        let again: Vec<_> = (0..).map_while(|nth| claims.nth(0, nth)).collect();
        assert_eq!(again, [first, rest].concat());
        assert_eq!(claims.nth(1, 0), Some(claim(1, 0)));
        let mut all: Vec<_> = again.iter().map(|of| (of.partition, of.index)).collect();
        all.extend([(1, 0), (2, 0)]);
        all.sort_unstable();
        let every = [
            (0, 0),
            (1, 0),
            (1, 1),
            (1, 2),
            (2, 0),
            (2, 1),
            (2, 2),
            (2, 3),
        ];
        assert_eq!(all, every);
    }

    #[test]
    fn threads_take_each_batch_once() {
        let claims = Claims::of([100, 0, 3000].into_iter());
        let taken = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|partition| {
                    let claims = &claims;
                    let taken = move || (0..).map_while(move |nth| claims.nth(partition, nth));
                    scope.spawn(move || taken().collect::<Vec<_>>())
                })
                .collect();
            let taken = threads.into_iter().flat_map(|one| one.join().unwrap());
            taken.collect::<Vec<_>>()
        });
        let mut taken: Vec<_> = taken.iter().map(|of| (of.partition, of.index)).collect();
        taken.sort_unstable();
        let first = (0..100).map(|index| (0, index));
        assert!(
            taken
                .into_iter()
                .eq(first.chain((0..3000).map(|index| (2, index))))
        );
    }
}
