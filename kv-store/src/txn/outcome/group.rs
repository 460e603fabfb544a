//! One record for the outcomes that an entry decides.
//!
//! ```text
//! key     "g", time 6 big-endian: of the latest id up to here, version 12: of the last outcome
//! value   outcomes: id 16, 1 committed | 2 aborted, position of its version 2 little-endian
//! ```

use std::ops::RangeInclusive;

use super::{ID_LEN, Outcome, TxnId};
use crate::{
    EngineError, Version,
    engine::{Batch, Direction, Overlay, Pair, Reader, Space},
    version::VERSION_LEN,
};

pub(super) const GROUP: u8 = b'g';
const TIME_LEN: usize = 6;
const TIME_MAX: u64 = (1 << (8 * TIME_LEN)) - 1;
const KIND_AT: usize = ID_LEN;
const POSITION_AT: usize = KIND_AT + 1;
const OUTCOME_LEN: usize = POSITION_AT + 2;
const MALFORMED: EngineError = EngineError::Malformed {
    what: "group of outcomes",
};

/// Of an entry, or of a part of it.
#[derive(Debug)]
pub(super) struct Group {
    last: Version,
    bytes: Vec<u8>,
}

/// When an id was drawn, by its maker's clock, in milliseconds since 1970.
pub(super) fn time(id: TxnId) -> u64 {
    let mut time = [0; 8];
    time[8 - TIME_LEN..].copy_from_slice(&id.0[..TIME_LEN]);
    u64::from_be_bytes(time)
}

/// Adds an outcome to the bytes of a group.
pub(super) fn add(bytes: &mut Vec<u8>, id: TxnId, outcome: Outcome) {
    bytes.extend_from_slice(&id.0);
    bytes.push(outcome.kind());
    bytes.extend_from_slice(&outcome.version().position.to_le_bytes());
}

pub(super) fn put(batch: &mut Batch, time: u64, last: Version, bytes: Vec<u8>) {
    batch.put(Space::Meta, key(time, last), bytes);
}

/// Groups of these times, in order of version.
pub(super) fn all(
    reader: &dyn Reader,
    times: RangeInclusive<u64>,
) -> impl Iterator<Item = Result<Group, EngineError>> + '_ {
    let (from, upto) = (key(*times.start(), Version::MIN), end_of(*times.end()));
    let found = reader.scan(Space::Meta, &from..&upto, Direction::Forward);
    found.map(|pair| Group::new(pair?))
}

/// The time of the last one.
pub(super) fn last_time(reader: &dyn Reader) -> Result<Option<u64>, EngineError> {
    let last = reader
        .scan(Space::Meta, &[GROUP]..&[GROUP + 1], Direction::Reverse)
        .next();
    last.map(|pair| Ok(split(&pair?.0)?.0)).transpose()
}

/// Forgets those that end below a version, but not the last. The time of the last one that was forgotten.
pub(super) fn forget(
    reader: &dyn Reader,
    batch: &mut Batch,
    below: Version,
) -> Result<Option<u64>, EngineError> {
    let mut old = Vec::new();
    let now = Overlay {
        below: reader,
        batch,
    };
    let found = now.scan(Space::Meta, &[GROUP]..&[GROUP + 1], Direction::Forward);
    let mut is_last = true;
    for pair in found {
        let (key, _) = pair?;
        if split(&key)?.1 >= below {
            is_last = false;
            break;
        }
        old.push(key);
    }
    if is_last {
        old.pop();
    }
    let forgotten = old.last().map(|key| split(key)).transpose()?;
    for key in old {
        batch.delete(Space::Meta, key);
    }
    Ok(forgotten.map(|(time, _)| time))
}

fn key(time: u64, last: Version) -> Vec<u8> {
    let time = time.min(TIME_MAX).to_be_bytes();
    [&[GROUP][..], &time[8 - TIME_LEN..], &last.to_bytes()].concat()
}

/// Behind all of a time.
fn end_of(time: u64) -> Vec<u8> {
    match time.checked_add(1).filter(|next| *next <= TIME_MAX) {
        Some(next) => key(next, Version::MIN),
        None => vec![GROUP + 1],
    }
}

/// Time and version.
fn split(key: &[u8]) -> Result<(u64, Version), EngineError> {
    let rest = key.get(1..).ok_or(MALFORMED)?;
    let (time, version) = rest.split_at_checked(TIME_LEN).ok_or(MALFORMED)?;
    let version = <[u8; VERSION_LEN]>::try_from(version).map_err(|_| MALFORMED)?;
    let time = time
        .iter()
        .fold(0, |time, byte| time << 8 | u64::from(*byte));
    Ok((time, Version::from_bytes(version)))
}

impl Group {
    fn new((key, bytes): Pair) -> Result<Self, EngineError> {
        let (_, last) = split(&key)?;
        Ok(Self { last, bytes })
    }

    pub(super) fn outcomes(
        &self,
    ) -> impl Iterator<Item = Result<(TxnId, Outcome), EngineError>> + '_ {
        let (outcomes, rest) = self.bytes.as_chunks::<OUTCOME_LEN>();
        let damage = (!rest.is_empty()).then_some(Err(MALFORMED));
        let outcomes = outcomes.iter().map(|bytes| {
            let id = bytes[..ID_LEN].try_into().expect("that long");
            let position = bytes[POSITION_AT..].try_into().expect("that long");
            let version = Version {
                position: u16::from_le_bytes(position),
                ..self.last
            };
            let outcome = Outcome::of(bytes[KIND_AT], version).ok_or(MALFORMED)?;
            Ok((TxnId(id), outcome))
        });
        outcomes.chain(damage)
    }

    pub(super) fn find(&self, id: TxnId) -> Result<Option<Outcome>, EngineError> {
        for outcome in self.outcomes() {
            let (other, outcome) = outcome?;
            if other == id {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }
}
