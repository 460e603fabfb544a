//! What became of a transaction, kept with the data so that a lost answer can be asked for again.
//!
//! ```text
//! Space::Meta   "g" + time + version ->  outcomes that an entry decided, by its last one; see [`group`]
//! Space::Meta   "o" + id             ->  1 committed | 2 aborted, version: of late ids
//! Space::Meta   "t" + version        ->  late ids, one after another: of an entry, by its last outcome; to forget the old ones
//! ```
//!
//! An id begins with a time, in milliseconds. Nearly all ids of an entry are of about the time of the latest one, so one
//! record is enough for them: an id of time `t` is in a record of a time from `t` to `t + SPAN_MILLIS`, or it was late and
//! has a record of its own, as have those that come by the hundred thousand while time stands still. [`Recent`] has those of
//! the last records in memory, where nearly all ids that come are looked for.
//!
//! Invariant: times of groups never fall as versions rise. To that end the last group is kept however old it is.
//!
//! Before there were groups each outcome stood under its id, and before there was one record of age for each entry, there
//! was one for each outcome, with the id behind the version.

mod group;
mod recent;

use super::TxnId;
use crate::{
    EngineError, Version,
    engine::{Batch, Direction, Overlay, Reader, Space},
    version::VERSION_LEN,
};

pub use recent::Recent;
pub(super) use recent::Recorded;

const COMMITTED: u8 = 1;
const ABORTED: u8 = 2;
const OF_ID: u8 = b'o';
const BY_AGE: u8 = b't';
const ID_LEN: usize = 16;
/// How much older than the latest an id may be and still stand in a group.
const SPAN_MILLIS: u64 = 1_000;

/// Final: an id has at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Happened, at this version.
    Committed(Version),
    /// Did not happen and never will; decided at this version.
    Aborted(Version),
}

impl Outcome {
    fn version(self) -> Version {
        let (Self::Committed(version) | Self::Aborted(version)) = self;
        version
    }

    fn kind(self) -> u8 {
        match self {
            Self::Committed(_) => COMMITTED,
            Self::Aborted(_) => ABORTED,
        }
    }

    fn of(kind: u8, version: Version) -> Option<Self> {
        match kind {
            COMMITTED => Some(Self::Committed(version)),
            ABORTED => Some(Self::Aborted(version)),
            _ => None,
        }
    }
}

/// The outcome on record. That there is none says nothing: the transaction may still be on its way.
pub fn outcome(reader: &dyn Reader, id: TxnId) -> Result<Option<Outcome>, EngineError> {
    if let Some(late) = of_late(reader, id)? {
        return Ok(Some(late));
    }
    let from = group::time(id);
    for group in group::all(reader, from..=from.saturating_add(SPAN_MILLIS)) {
        if let Some(found) = group?.find(id)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The outcome of an id that was late, or is of an older format.
fn of_late(reader: &dyn Reader, id: TxnId) -> Result<Option<Outcome>, EngineError> {
    let Some(bytes) = reader.get(Space::Meta, &key(id))? else {
        return Ok(None);
    };
    let split = || {
        let (kind, version) = bytes.split_first()?;
        Outcome::of(*kind, Version::from_bytes(version.try_into().ok()?))
    };
    let what = "outcome";
    split().map(Some).ok_or(EngineError::Malformed { what })
}

fn put_late(batch: &mut Batch, id: TxnId, outcome: Outcome) {
    let value = [&[outcome.kind()][..], &outcome.version().to_bytes()].concat();
    batch.put(Space::Meta, key(id), value);
}

fn key(id: TxnId) -> Vec<u8> {
    [&[OF_ID][..], &id.0].concat()
}

fn age_key(version: Version) -> Vec<u8> {
    [&[BY_AGE][..], &version.to_bytes()].concat()
}

/// Forgets the outcomes of entries that decided their last one below `below`.
pub(super) fn forget(
    reader: &dyn Reader,
    batch: &mut Batch,
    below: Version,
    recent: &mut Recent,
) -> Result<(), EngineError> {
    let forgotten = group::forget(reader, batch, below)?;
    let end = age_key(below);
    let old = Overlay {
        below: reader,
        batch,
    }
    .scan(Space::Meta, &[BY_AGE]..&end, Direction::Forward)
    .collect::<Result<Vec<_>, _>>()?;
    for (by_age, ids) in old {
        let in_key = by_age.get(1 + VERSION_LEN..).unwrap_or_default();
        let (ids, rest) = if in_key.is_empty() { &ids } else { in_key }.as_chunks::<ID_LEN>();
        if !rest.is_empty() {
            return Err(EngineError::Malformed {
                what: "age of an outcome",
            });
        }
        for id in ids {
            batch.delete(Space::Meta, key(TxnId(*id)));
        }
        batch.delete(Space::Meta, by_age);
    }
    if let Some(upto) = forgotten {
        let below = reader;
        recent.forget(&Overlay { below, batch }, upto)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
