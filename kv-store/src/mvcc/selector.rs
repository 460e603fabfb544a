//! Keys named by their neighbours, and ranges between two of them.
//!
//! A selector is resolved as of a version: begin at a key, or right behind it, and step over keys that have a value.
//! The forms and their names are FoundationDB's, so that layers written for it carry over.

use std::ops::Range;

use super::read::{self, Row};
use crate::{
    EngineError, Version,
    engine::{Direction, Reader},
    txn::{KEYS_END, KeyRange},
};

/// The `offset`-th key with a value behind a boundary; 0 is the one before it, -1 the one before that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySelector {
    pub key: Vec<u8>,
    /// Whether the boundary is behind `key` and not before it.
    pub or_equal: bool,
    pub offset: i32,
}

impl KeySelector {
    pub fn first_at_or_after(key: impl Into<Vec<u8>>) -> Self {
        Self::new(key, false, 1)
    }

    pub fn first_after(key: impl Into<Vec<u8>>) -> Self {
        Self::new(key, true, 1)
    }

    pub fn last_before(key: impl Into<Vec<u8>>) -> Self {
        Self::new(key, false, 0)
    }

    pub fn last_at_or_before(key: impl Into<Vec<u8>>) -> Self {
        Self::new(key, true, 0)
    }

    /// The place between keys that steps are counted from.
    fn boundary(&self) -> Vec<u8> {
        if self.or_equal {
            behind(&self.key)
        } else {
            clamp(self.key.clone())
        }
    }

    fn new(key: impl Into<Vec<u8>>, or_equal: bool, offset: i32) -> Self {
        Self {
            key: key.into(),
            or_equal,
            offset,
        }
    }

    /// This many keys further on.
    #[must_use]
    pub fn plus(mut self, offset: i32) -> Self {
        self.offset += offset;
        self
    }
}

/// Which rows to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeQuery {
    pub begin: KeySelector,
    /// Not part of the range.
    pub end: KeySelector,
    /// Rows at most.
    pub limit: usize,
    pub direction: Direction,
}

/// What a query found, and every range whose contents decided it, absent keys included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRows {
    pub rows: Vec<Row>,
    pub read: Vec<KeyRange>,
}

/// The key that a selector names as of `at`, and the range that decided it.
///
/// Before the first key it is the empty key, behind the last it is [`KEYS_END`].
pub fn resolve(
    reader: &dyn Reader,
    selector: &KeySelector,
    at: Version,
) -> Result<(Vec<u8>, KeyRange), EngineError> {
    let boundary = selector.boundary();
    let (range, direction, steps): (Range<&[u8]>, _, _) = if selector.offset > 0 {
        (
            &boundary..KEYS_END,
            Direction::Forward,
            selector.offset.unsigned_abs() - 1,
        )
    } else {
        (
            &[]..&boundary,
            Direction::Reverse,
            selector.offset.unsigned_abs(),
        )
    };
    let found = read::rows(reader, range, at, direction)
        .nth(steps as usize)
        .transpose()?
        .map(|row| row.key);
    Ok(match direction {
        Direction::Forward => {
            let key = found.unwrap_or_else(|| KEYS_END.to_vec());
            let end = behind(&key);
            (
                key,
                KeyRange {
                    begin: boundary,
                    end,
                },
            )
        }
        Direction::Reverse => {
            let key = found.unwrap_or_default();
            (
                key.clone(),
                KeyRange {
                    begin: key,
                    end: boundary,
                },
            )
        }
    })
}

/// Runs a query as of `at`.
pub fn get_range(
    reader: &dyn Reader,
    query: &RangeQuery,
    at: Version,
) -> Result<RangeRows, EngineError> {
    Ok(get_page(reader, query, at, usize::MAX)?.0)
}

/// Like [`get_range`], and ends where keys and values would take more than `bytes_max`, behind the first row at least. Says
/// whether it ended there or at the limit of the query, so that there may be more.
pub fn get_page(
    reader: &dyn Reader,
    query: &RangeQuery,
    at: Version,
    bytes_max: usize,
) -> Result<(RangeRows, bool), EngineError> {
    let mut read = Vec::new();
    let mut border = |selector: &KeySelector| {
        if selector.offset == 1 {
            // The same rows lie behind a boundary as behind the first key after it, and nothing more is read.
            return Ok(selector.boundary());
        }
        let (key, range) = resolve(reader, selector, at)?;
        read.push(range);
        Ok::<_, EngineError>(key)
    };
    let (begin, end) = (border(&query.begin)?, border(&query.end)?);
    let (mut rows, mut bytes, mut is_cut) = (Vec::<Row>::new(), 0, false);
    for row in read::rows(reader, &begin..&end, at, query.direction).take(query.limit) {
        let row = row?;
        bytes += row.key.len() + row.value.len();
        if bytes > bytes_max && !rows.is_empty() {
            is_cut = true;
            break;
        }
        rows.push(row);
    }
    is_cut |= rows.len() == query.limit;
    let mut seen = KeyRange { begin, end };
    if is_cut {
        // The answer does not depend on what is behind its last row.
        match (query.direction, rows.last()) {
            (Direction::Forward, Some(last)) => seen.end = behind(&last.key),
            (Direction::Reverse, Some(last)) => seen.begin = last.key.clone(),
            (_, None) => seen.end = seen.begin.clone(),
        }
    }
    read.push(seen);
    read.retain(|range| range.begin < range.end);
    Ok((RangeRows { rows, read }, is_cut))
}

/// The first place behind a key.
fn behind(key: &[u8]) -> Vec<u8> {
    let mut end = key.to_vec();
    end.push(0);
    clamp(end)
}

/// Nothing is behind the end of the keys.
fn clamp(key: Vec<u8>) -> Vec<u8> {
    if key.as_slice() > KEYS_END {
        KEYS_END.to_vec()
    } else {
        key
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        engine::{Batch, Engine, Pairs, Space},
        mvcc::key,
        sim::ModelEngine,
    };

    /// Counts what is read.
    struct Counting<'a> {
        below: &'a dyn Reader,
        num_pairs: Cell<usize>,
    }

    impl Reader for Counting<'_> {
        fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
            self.below.get(space, key)
        }

        fn scan(&self, space: Space, range: Range<&[u8]>, direction: Direction) -> Pairs<'_> {
            let pairs = self.below.scan(space, range, direction);
            Box::new(pairs.inspect(move |_| self.num_pairs.set(self.num_pairs.get() + 1)))
        }
    }

    #[test]
    fn a_page_reads_no_more_than_it_holds_and_all_pages_are_the_whole_range() {
        const VALUE_BYTES: usize = 1_000;
        let engine = ModelEngine::default();
        let mut batch = Batch::default();
        for number in 0..100_u8 {
            let value = key::encode_value(Some(&[number; VALUE_BYTES]));
            batch.put(Space::Data, key::stored(&[number], Version::MIN), value);
        }
        engine.write(&batch).unwrap();
        let snapshot = engine.snapshot();
        for direction in [Direction::Forward, Direction::Reverse] {
            // Less than a row, and more than nine.
            for (bytes_max, rows_max) in [(10, 1), (10 * VALUE_BYTES, 9)] {
                let mut query = RangeQuery {
                    begin: KeySelector::first_at_or_after(Vec::new()),
                    end: KeySelector::first_at_or_after(KEYS_END),
                    limit: usize::MAX,
                    direction,
                };
                let mut found = Vec::new();
                loop {
                    let reader = Counting {
                        below: &*snapshot,
                        num_pairs: Cell::new(0),
                    };
                    let (page, may_be_more) =
                        get_page(&reader, &query, Version::MIN, bytes_max).unwrap();
                    assert!(page.rows.len() <= rows_max);
                    // A row is through when the next one begins.
                    assert!(reader.num_pairs.get() <= rows_max + 2);
                    let last = page.rows.last().map(|row| row.key.clone());
                    if let (Some(last), [read]) = (&last, &page.read[..]) {
                        assert!(read.contains(last));
                        let next = match direction {
                            Direction::Forward => last[0] + 1,
                            Direction::Reverse => last[0].wrapping_sub(1),
                        };
                        assert!(!may_be_more || !read.contains(&[next]));
                    }
                    found.extend(page.rows);
                    match (last, direction) {
                        (Some(last), Direction::Forward) if may_be_more => {
                            query.begin = KeySelector::first_after(last);
                        }
                        (Some(last), Direction::Reverse) if may_be_more => {
                            query.end = KeySelector::first_at_or_after(last);
                        }
                        _ => break,
                    }
                }
                assert_eq!(found.len(), 100);
            }
        }
    }
}
