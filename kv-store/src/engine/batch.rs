//! Changes that happen together, and a view of a state as if they had.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::{Bound, Range},
};

use super::{Direction, EngineError, Pair, Pairs, Reader, Space};

/// Puts and deletes; of several changes to one key the last counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    data: Changes,
    meta: Changes,
}

/// By key; `None` deletes. Apart for each space: then a look-up needs no copy of its key.
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Batch {
    pub fn put(&mut self, space: Space, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.of_mut(space).insert(key.into(), Some(value.into()));
    }

    pub fn delete(&mut self, space: Space, key: impl Into<Vec<u8>>) {
        self.of_mut(space).insert(key.into(), None);
    }

    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.meta.is_empty()
    }

    pub fn len(&self) -> usize {
        self.data.len() + self.meta.len()
    }

    /// In order of space and key; `None` deletes.
    pub fn iter(&self) -> impl Iterator<Item = (Space, &[u8], Option<&[u8]>)> {
        [Space::Data, Space::Meta].into_iter().flat_map(|space| {
            let changes = self.of(space).iter();
            changes.map(move |(key, value)| (space, key.as_slice(), value.as_deref()))
        })
    }

    fn of(&self, space: Space) -> &Changes {
        match space {
            Space::Data => &self.data,
            Space::Meta => &self.meta,
        }
    }

    fn of_mut(&mut self, space: Space) -> &mut Changes {
        match space {
            Space::Data => &mut self.data,
            Space::Meta => &mut self.meta,
        }
    }
}

/// The state below with a batch on top.
pub struct Overlay<'a> {
    pub below: &'a dyn Reader,
    pub batch: &'a Batch,
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay")
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

impl Reader for Overlay<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        match self.batch.of(space).get(key) {
            Some(value) => Ok(value.clone()),
            None => self.below.get(space, key),
        }
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, direction: Direction) -> Pairs<'_> {
        if range.start >= range.end {
            return Box::new(std::iter::empty());
        }
        let keys = (Bound::Included(range.start), Bound::Excluded(range.end));
        Box::new(Merge {
            changes: InOrder {
                range: self.batch.of(space).range::<[u8], _>(keys),
                direction,
            }
            .peekable(),
            below: self.below.scan(space, range, direction).peekable(),
            direction,
        })
    }
}

type Change<'a> = (&'a Vec<u8>, &'a Option<Vec<u8>>);

struct InOrder<'a> {
    range: btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>,
    direction: Direction,
}

impl<'a> Iterator for InOrder<'a> {
    type Item = Change<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.direction {
            Direction::Forward => self.range.next(),
            Direction::Reverse => self.range.next_back(),
        }
    }
}

struct Merge<'a> {
    changes: Peekable<InOrder<'a>>,
    below: Peekable<Pairs<'a>>,
    direction: Direction,
}

impl Iterator for Merge<'_> {
    type Item = Result<Pair, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = match (self.changes.peek(), self.below.peek()) {
                (None, _) | (_, Some(Err(_))) => return self.below.next(),
                (Some(_), None) => std::cmp::Ordering::Less,
                (Some((key, _)), Some(Ok((below, _)))) => match self.direction {
                    Direction::Forward => (*key).cmp(below),
                    Direction::Reverse => below.cmp(key),
                },
            };
            if order.is_gt() {
                return self.below.next();
            }
            if order.is_eq() {
                self.below.next();
            }
            let (key, value) = self.changes.next()?;
            if let Some(value) = value {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}
