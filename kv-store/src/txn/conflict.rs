//! Which commit last wrote which keys, as far back as transactions may reach.
//!
//! Commits are numbered in the order they register, which is their order in the log. A number is compared with the number
//! of commits that a read version has seen, so that a commit counts from its registration on, when it has no version yet.
//!
//! ```text
//!            floor            seen by rv          applied      registered
//!  numbers     |---- known ------|------- conflict ---|------ conflict ----|
//! ```
//!
//! Keys that were written alone are remembered by themselves. Ranges that were written cut the keys into steps: each has the
//! number of the last commit that wrote a range over it, up to the next step.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
};

use super::{KeyRange, Mutation};
use crate::{Version, mutant::Mutant};

/// What a commit writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written<'a> {
    Key(&'a [u8]),
    Range(KeyRange),
}

impl<'a> From<&'a Mutation> for Written<'a> {
    fn from(mutation: &'a Mutation) -> Self {
        match mutation.key() {
            Some(key) => Self::Key(key),
            None => Self::Range(mutation.write_range()),
        }
    }
}

/// What a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Nothing it read was written since.
    Clean,
    Conflict,
    /// The read version is below the oldest commit that is remembered: nobody knows.
    TooOld,
}

/// Of a key in the map, on average; when they are longer, fewer are remembered.
const KEY_BYTES_MEAN: usize = 128;

#[derive(Debug)]
pub struct ConflictMap {
    /// Last writers of keys, apart from those of ranges.
    points: BTreeMap<Vec<u8>, u64>,
    /// Last writers of ranges.
    steps: BTreeMap<Vec<u8>, u64>,
    /// Read versions below it are refused: commits up to number `floor_number` are forgotten, and this is the last one's version.
    floor: Version,
    floor_number: u64,
    /// Of the commits after the floor, in order; those registered and not yet applied are missing at the end.
    applied: VecDeque<Version>,
    /// Of the last registered commit.
    last_number: u64,
    /// Points and steps at most, but for those of commits that are not applied; and commits after the floor.
    num_max: usize,
    /// Of the keys of points and steps.
    key_bytes: usize,
}

impl ConflictMap {
    /// Knows of no commit, and refuses what was read below `floor`.
    pub fn new(floor: Version, num_max: usize) -> Self {
        Self {
            points: BTreeMap::new(),
            steps: BTreeMap::new(),
            floor,
            floor_number: 0,
            applied: VecDeque::new(),
            last_number: 0,
            num_max,
            key_bytes: 0,
        }
    }

    /// Whether anything in `reads` was written after `read_version`.
    pub fn check(&self, read_version: Version, reads: &[KeyRange]) -> Checked {
        if read_version < self.floor {
            return Checked::TooOld;
        }
        let num_seen = self
            .applied
            .partition_point(|version| *version <= read_version);
        let seen = self.floor_number + num_seen as u64;
        let end = if Mutant::CheckBeforeRegister.is_active() {
            self.floor_number + self.applied.len() as u64
        } else {
            self.last_number
        };
        let is_later = |number: u64| number > seen && number <= end;
        let conflict = |range: &KeyRange| match range.as_point() {
            Some(key) => {
                self.points.get(key).copied().is_some_and(is_later)
                    || self.step_at(key).is_some_and(is_later)
            }
            None => range.begin < range.end && self.numbers(range).any(is_later),
        };
        if reads.iter().any(conflict) {
            Checked::Conflict
        } else {
            Checked::Clean
        }
    }

    /// Takes in a commit that is about to be proposed.
    pub fn register<'a>(&mut self, writes: impl IntoIterator<Item = Written<'a>>) {
        self.last_number += 1;
        for written in writes {
            match written {
                Written::Key(key) => match self.points.get_mut(key) {
                    Some(last_writer) => *last_writer = self.last_number,
                    None => {
                        self.key_bytes += key.len();
                        self.points.insert(key.into(), self.last_number);
                    }
                },
                Written::Range(range) if range.begin < range.end => {
                    self.write(range, self.last_number);
                }
                Written::Range(_) => {}
            }
        }
    }

    /// The oldest commit without a version has this one.
    pub fn applied(&mut self, version: Version) {
        debug_assert!(self.floor_number + (self.applied.len() as u64) < self.last_number);
        debug_assert!(self.applied.back().is_none_or(|last| *last < version));
        self.applied.push_back(version);
        if self.points.len() + self.steps.len() > self.num_max
            || self.key_bytes > self.num_max.saturating_mul(KEY_BYTES_MEAN)
            // Commits to the same keys again and again.
            || self.applied.len() > self.num_max
        {
            self.forget_older_half();
        }
    }

    /// Only for [`Mutant::KeepConflictMap`]: goes on as if nothing had been in flight. False when there is nothing to keep.
    pub(super) fn forget_in_flight(&mut self) -> bool {
        let end = self.floor_number + self.applied.len() as u64;
        self.last_number = end;
        self.points.retain(|_, number| *number <= end);
        self.steps.retain(|_, number| *number <= end);
        self.key_bytes = self.count_key_bytes();
        self.floor != Version::MAX
    }

    /// The last writer of a range with this key in it.
    fn step_at(&self, key: &[u8]) -> Option<u64> {
        let upto = (Bound::Unbounded, Bound::Included(key));
        let last = self.steps.range::<[u8], _>(upto).next_back();
        last.map(|(_, number)| *number)
    }

    /// The last writers of the keys of a range that is not empty.
    fn numbers(&self, range: &KeyRange) -> impl Iterator<Item = u64> {
        let (begin, end) = (range.begin.as_slice(), range.end.as_slice());
        let points = (Bound::Included(begin), Bound::Excluded(end));
        let inside = (Bound::Excluded(begin), Bound::Excluded(end));
        let points = self.points.range::<[u8], _>(points);
        let inside = self.steps.range::<[u8], _>(inside);
        let numbers = points.chain(inside).map(|(_, number)| *number);
        self.step_at(begin).into_iter().chain(numbers)
    }

    fn write(&mut self, range: KeyRange, number: u64) {
        let at_end = self.step_at(&range.end).unwrap_or(0);
        let inside: Vec<Vec<u8>> = self
            .steps
            .range::<[u8], _>((
                Bound::Excluded(range.begin.as_slice()),
                Bound::Excluded(range.end.as_slice()),
            ))
            .map(|(key, _)| key.clone())
            .collect();
        for key in inside {
            self.key_bytes -= key.len();
            self.steps.remove(&key);
        }
        for (key, number) in [(range.begin, number), (range.end, at_end)] {
            let len = key.len();
            if self.steps.insert(key, number).is_none() {
                self.key_bytes += len;
            }
        }
    }

    fn count_key_bytes(&self) -> usize {
        let keys = self.points.keys().chain(self.steps.keys());
        keys.map(Vec::len).sum()
    }

    fn forget_older_half(&mut self) {
        let num = self.applied.len().div_ceil(2);
        if let Some(floor) = self.applied.drain(..num).next_back() {
            self.floor = floor;
            self.floor_number += num as u64;
        }
        let floor = self.floor_number;
        self.points.retain(|_, number| *number > floor);
        // A step without a remembered writer is needed only to end the one before it.
        let mut before_is_known = false;
        self.steps.retain(|_, number| {
            let is_known = *number > floor;
            let is_needed = is_known || before_is_known;
            before_is_known = is_known;
            is_needed
        });
        self.key_bytes = self.count_key_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Random;

    fn at(index: u64) -> Version {
        Version {
            epoch: 0,
            index,
            position: 0,
        }
    }

    /// Remembers every write and forgets none.
    #[derive(Default)]
    struct Simple {
        floor: u64,
        /// Version and range; registered ones have the version they will get.
        writes: Vec<(u64, KeyRange)>,
    }

    impl Simple {
        fn conflicts(&self, read: u64, ranges: &[KeyRange]) -> bool {
            let overlaps = |a: &KeyRange, b: &KeyRange| {
                a.begin < b.end && b.begin < a.end && a.begin < a.end && b.begin < b.end
            };
            self.writes.iter().any(|(version, write)| {
                *version > read && ranges.iter().any(|range| overlaps(range, write))
            })
        }
    }

    fn any_range(random: &mut Random) -> KeyRange {
        let key = |random: &mut Random| {
            let len = 1 + random.below(2);
            (0..len)
                .map(|_| b'a' + random.below(12) as u8)
                .collect::<Vec<_>>()
        };
        if random.chance(85) {
            return KeyRange::point(key(random));
        }
        let (a, b) = (key(random), key(random));
        KeyRange {
            begin: a.clone().min(b.clone()),
            end: a.max(b),
        }
    }

    #[test]
    fn the_map_agrees_with_a_list_of_all_writes() {
        let (mut num_clean, mut num_conflicts, mut num_old) = (0, 0, 0);
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut map = ConflictMap::new(at(5), 12);
            let mut simple = Simple {
                floor: 5,
                writes: Vec::new(),
            };
            let (mut registered, mut applied) = (5, 5);
            for _ in 0..300 {
                match random.below(3) {
                    0 => {
                        registered += 1;
                        let writes: Vec<_> = (0..1 + random.below(3))
                            .map(|_| any_range(&mut random))
                            .collect();
                        simple
                            .writes
                            .extend(writes.iter().map(|range| (registered, range.clone())));
                        // As a commit does; where keys are ranges as well, it must be the same.
                        map.register(writes.iter().map(|range| match range.as_point() {
                            Some(key) if seed % 4 > 0 => Written::Key(key),
                            _ => Written::Range(range.clone()),
                        }));
                    }
                    1 if applied < registered => {
                        applied += 1;
                        map.applied(at(applied));
                        assert!(map.floor.index >= simple.floor && map.floor.index <= applied);
                        assert_eq!(map.key_bytes, map.count_key_bytes());
                        simple.floor = map.floor.index;
                    }
                    _ => {
                        let read = applied.saturating_sub(random.below(12) as u64);
                        let reads = [any_range(&mut random), any_range(&mut random)];
                        let expected = if read < simple.floor {
                            num_old += 1;
                            Checked::TooOld
                        } else if simple.conflicts(read, &reads) {
                            num_conflicts += 1;
                            Checked::Conflict
                        } else {
                            num_clean += 1;
                            Checked::Clean
                        };
                        assert_eq!(map.check(at(read), &reads), expected, "seed {seed}");
                    }
                }
            }
        }
        eprintln!("{num_clean} clean, {num_conflicts} conflicts, {num_old} too old");
        assert!(num_clean > 1_000 && num_conflicts > 1_000 && num_old > 1_000);
    }

    #[test]
    fn the_map_stays_small_when_everything_is_applied() {
        let mut map = ConflictMap::new(Version::MIN, 100);
        for index in 1..10_000u64 {
            let key = index.to_be_bytes();
            map.register([match index % 2 {
                0 => Written::Key(&key),
                _ => Written::Range(KeyRange::point(key)),
            }]);
            map.applied(at(index));
            assert!(map.points.len() + map.steps.len() <= 102);
        }
        assert_eq!(
            map.check(at(9_998), &[KeyRange::point(9_999u64.to_be_bytes())]),
            Checked::Conflict
        );
        assert_eq!(map.check(at(1), &[]), Checked::TooOld);
    }

    #[test]
    fn one_key_written_again_and_again_takes_no_more_than_many_and_so_do_long_ones() {
        const NUM_MAX: usize = 100;
        let mut map = ConflictMap::new(Version::MIN, NUM_MAX);
        for index in 1..=10 * NUM_MAX as u64 {
            map.register([Written::Key(b"k")]);
            map.applied(at(index));
            assert!(map.applied.len() <= NUM_MAX);
            let read = [KeyRange::point("k")];
            assert_eq!(map.check(at(index), &read), Checked::Clean);
            if index > 1 {
                assert_eq!(map.check(at(index - 1), &read), Checked::Conflict);
            }
        }
        assert_eq!(map.check(at(1), &[]), Checked::TooOld);
        let mut map = ConflictMap::new(Version::MIN, NUM_MAX);
        for index in 1..=10 * NUM_MAX as u64 {
            let key = [&index.to_be_bytes()[..], &[0; 10 * 1024]].concat();
            map.register([Written::Key(&key)]);
            map.applied(at(index));
            assert!(map.key_bytes <= NUM_MAX * KEY_BYTES_MEAN);
        }
    }
}
