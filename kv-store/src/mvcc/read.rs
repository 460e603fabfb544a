//! Reads at a version: a key, or the keys of a range in either direction.

use std::ops::Range;

use super::key;
use crate::{
    EngineError, Version,
    engine::{Direction, Pairs, Reader, Space},
};

/// A key that has a value at the version read at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// The value of a key at `at`; `None` when it has none.
pub fn get(
    reader: &dyn Reader,
    user_key: &[u8],
    at: Version,
) -> Result<Option<Vec<u8>>, EngineError> {
    let prefix = key::prefix(user_key);
    let (start, end) = (key::versioned(&prefix, at), key::prefix_end(&prefix));
    match reader
        .scan(Space::Data, &start..&end, Direction::Forward)
        .next()
    {
        Some(pair) => key::decode_value(pair?.1),
        None => Ok(None),
    }
}

/// Rows with `range.start <= key < range.end`, as of `at`.
pub fn rows<'a>(
    reader: &'a dyn Reader,
    range: Range<&[u8]>,
    at: Version,
    direction: Direction,
) -> impl Iterator<Item = Result<Row, EngineError>> + 'a {
    let (start, end) = (key::prefix(range.start), key::prefix(range.end));
    let pairs: Pairs<'a> = if range.start < range.end {
        reader.scan(Space::Data, &start..&end, direction)
    } else {
        Box::new(std::iter::empty())
    };
    Rows {
        pairs,
        at,
        direction,
        current: None,
        failed: false,
    }
}

/// A key whose versions are being passed.
struct Current {
    prefix: Vec<u8>,
    /// As stored, of the newest version at or below the one read at; `None` while there was none.
    visible: Option<Vec<u8>>,
}

struct Rows<'a> {
    pairs: Pairs<'a>,
    at: Version,
    direction: Direction,
    current: Option<Current>,
    failed: bool,
}

impl Rows<'_> {
    /// Takes in one stored version; returns the key before when it is through.
    fn take_in(&mut self, stored: &[u8], value: Vec<u8>) -> Result<Option<Current>, EngineError> {
        let (prefix, version) = key::split(stored)?;
        let is_new = self
            .current
            .as_ref()
            .is_none_or(|current| current.prefix != prefix);
        let before = if is_new {
            self.current.replace(Current {
                prefix: prefix.to_vec(),
                visible: None,
            })
        } else {
            None
        };
        if let Some(current) = &mut self.current
            && version <= self.at
            // Forward the newest comes first, in reverse it comes last.
            && (current.visible.is_none() || self.direction == Direction::Reverse)
        {
            current.visible = Some(value);
        }
        Ok(before)
    }

    fn next_row(&mut self) -> Result<Option<Row>, EngineError> {
        loop {
            let (done, is_end) = match self.pairs.next() {
                Some(pair) => {
                    let (stored, value) = pair?;
                    (self.take_in(&stored, value)?, false)
                }
                None => (self.current.take(), true),
            };
            if let Some(Current {
                prefix,
                visible: Some(stored),
            }) = done
                && let Some(value) = key::decode_value(stored)?
            {
                return Ok(Some(Row {
                    key: key::user_key(&prefix)?,
                    value,
                }));
            }
            if is_end {
                return Ok(None);
            }
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = self.next_row().transpose();
        self.failed = matches!(row, Some(Err(_)));
        row
    }
}
