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
//! The keys are cut into steps: each has the number of the last commit that wrote any key from it up to the next step.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
};

use super::KeyRange;
use crate::{Version, mutant::Mutant};

/// What a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Nothing it read was written since.
    Clean,
    Conflict,
    /// The read version is below the oldest commit that is remembered: nobody knows.
    TooOld,
}

#[derive(Debug)]
pub struct ConflictMap {
    steps: BTreeMap<Vec<u8>, u64>,
    /// Read versions below it are refused: commits up to number `floor_number` are forgotten, and this is the last one's version.
    floor: Version,
    floor_number: u64,
    /// Of the commits after the floor, in order; those registered and not yet applied are missing at the end.
    applied: VecDeque<Version>,
    /// Of the last registered commit.
    last_number: u64,
    /// Steps at most, but for those of commits that are not applied.
    steps_max: usize,
}

impl ConflictMap {
    /// Knows of no commit, and refuses what was read below `floor`.
    pub fn new(floor: Version, steps_max: usize) -> Self {
        Self {
            steps: BTreeMap::new(),
            floor,
            floor_number: 0,
            applied: VecDeque::new(),
            last_number: 0,
            steps_max,
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
        let conflict = |range: &KeyRange| {
            range.begin < range.end
                && self
                    .numbers(range)
                    .any(|number| number > seen && number <= end)
        };
        if reads.iter().any(conflict) {
            Checked::Conflict
        } else {
            Checked::Clean
        }
    }

    /// Takes in a commit that is about to be proposed.
    pub fn register(&mut self, writes: impl IntoIterator<Item = KeyRange>) {
        self.last_number += 1;
        for range in writes {
            if range.begin < range.end {
                self.write(range, self.last_number);
            }
        }
    }

    /// The oldest commit without a version has this one.
    pub fn applied(&mut self, version: Version) {
        debug_assert!(self.floor_number + (self.applied.len() as u64) < self.last_number);
        debug_assert!(self.applied.back().is_none_or(|last| *last < version));
        self.applied.push_back(version);
        if self.steps.len() > self.steps_max {
            self.forget_older_half();
        }
    }

    /// Only for [`Mutant::KeepConflictMap`]: goes on as if nothing had been in flight. False when there is nothing to keep.
    pub(super) fn forget_in_flight(&mut self) -> bool {
        let end = self.floor_number + self.applied.len() as u64;
        self.last_number = end;
        self.steps.retain(|_, number| *number <= end);
        self.floor != Version::MAX
    }

    /// The last writers of the keys of a range that is not empty.
    fn numbers(&self, range: &KeyRange) -> impl Iterator<Item = u64> {
        let mut first = self
            .steps
            .range::<[u8], _>((Bound::Unbounded, Bound::Included(range.begin.as_slice())));
        let inside = self.steps.range::<[u8], _>((
            Bound::Excluded(range.begin.as_slice()),
            Bound::Excluded(range.end.as_slice()),
        ));
        first
            .next_back()
            .into_iter()
            .chain(inside)
            .map(|(_, number)| *number)
    }

    fn write(&mut self, range: KeyRange, number: u64) {
        if self.write_again(&range, number) {
            return;
        }
        let at_end = self
            .steps
            .range::<[u8], _>((Bound::Unbounded, Bound::Included(range.end.as_slice())))
            .next_back()
            .map_or(0, |(_, number)| *number);
        let inside: Vec<Vec<u8>> = self
            .steps
            .range::<[u8], _>((
                Bound::Excluded(range.begin.as_slice()),
                Bound::Excluded(range.end.as_slice()),
            ))
            .map(|(key, _)| key.clone())
            .collect();
        for key in inside {
            self.steps.remove(&key);
        }
        self.steps.insert(range.begin, number);
        self.steps.insert(range.end, at_end);
    }

    /// For a range that is a step by itself, as keys are that were written before. False for others.
    fn write_again(&mut self, range: &KeyRange, number: u64) -> bool {
        let mut from_begin = self
            .steps
            .range_mut::<[u8], _>((Bound::Included(range.begin.as_slice()), Bound::Unbounded));
        let first = from_begin.next().filter(|(key, _)| **key == range.begin);
        let next = from_begin.next().filter(|(key, _)| **key == range.end);
        match (first, next) {
            (Some((_, last_writer)), Some(_)) => {
                *last_writer = number;
                true
            }
            _ => false,
        }
    }

    fn forget_older_half(&mut self) {
        let num = self.applied.len().div_ceil(2);
        if let Some(floor) = self.applied.drain(..num).next_back() {
            self.floor = floor;
            self.floor_number += num as u64;
        }
        // A step without a remembered writer is needed only to end the one before it.
        let mut before_is_known = false;
        let floor = self.floor_number;
        self.steps.retain(|_, number| {
            let is_known = *number > floor;
            let is_needed = is_known || before_is_known;
            before_is_known = is_known;
            is_needed
        });
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
                        map.register(writes);
                    }
                    1 if applied < registered => {
                        applied += 1;
                        map.applied(at(applied));
                        assert!(map.floor.index >= simple.floor && map.floor.index <= applied);
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
            map.register([KeyRange::point(index.to_be_bytes())]);
            map.applied(at(index));
            assert!(map.steps.len() <= 102);
        }
        assert_eq!(
            map.check(at(9_998), &[KeyRange::point(9_999u64.to_be_bytes())]),
            Checked::Conflict
        );
        assert_eq!(map.check(at(1), &[]), Checked::TooOld);
    }
}
