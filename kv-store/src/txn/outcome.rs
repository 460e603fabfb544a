//! What became of a transaction, kept with the data so that a lost answer can be asked for again.
//!
//! ```text
//! Space::Meta   "o" + id             ->  1 committed | 2 aborted, version
//! Space::Meta   "t" + version + id   ->  nothing; by age, to forget the old ones
//! ```

use super::TxnId;
use crate::{
    EngineError, Version,
    engine::{Batch, Direction, Overlay, Reader, Space},
    version::VERSION_LEN,
};

const COMMITTED: u8 = 1;
const ABORTED: u8 = 2;
const BY_AGE: u8 = b't';
const ID_LEN: usize = 16;

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
}

fn key(id: TxnId) -> Vec<u8> {
    [&b"o"[..], &id.0].concat()
}

fn age_key(version: Version, id: TxnId) -> Vec<u8> {
    [&[BY_AGE][..], &version.to_bytes(), &id.0].concat()
}

/// The outcome on record. That there is none says nothing: the transaction may still be on its way.
pub fn outcome(reader: &dyn Reader, id: TxnId) -> Result<Option<Outcome>, EngineError> {
    let Some(bytes) = reader.get(Space::Meta, &key(id))? else {
        return Ok(None);
    };
    let version = bytes.get(1..).and_then(|version| version.try_into().ok());
    let version = version.map(Version::from_bytes);
    match (bytes.first(), version) {
        (Some(&COMMITTED), Some(version)) => Ok(Some(Outcome::Committed(version))),
        (Some(&ABORTED), Some(version)) => Ok(Some(Outcome::Aborted(version))),
        _ => Err(EngineError::Malformed { what: "outcome" }),
    }
}

pub(super) fn record(batch: &mut Batch, id: TxnId, outcome: Outcome) {
    let kind = match outcome {
        Outcome::Committed(_) => COMMITTED,
        Outcome::Aborted(_) => ABORTED,
    };
    let version = outcome.version();
    let value = [&[kind][..], &version.to_bytes()].concat();
    batch.put(Space::Meta, key(id), value);
    batch.put(Space::Meta, age_key(version, id), []);
}

/// Forgets outcomes decided below `below`.
pub(super) fn forget(
    reader: &dyn Reader,
    batch: &mut Batch,
    below: Version,
) -> Result<(), EngineError> {
    let end = [&[BY_AGE][..], &below.to_bytes()].concat();
    let old = Overlay {
        below: reader,
        batch,
    }
    .scan(Space::Meta, &[BY_AGE]..&end, Direction::Forward)
    .collect::<Result<Vec<_>, _>>()?;
    for (by_age, _) in old {
        let id = by_age
            .get(1 + VERSION_LEN..)
            .and_then(|id| <[u8; ID_LEN]>::try_from(id).ok())
            .ok_or(EngineError::Malformed {
                what: "age of an outcome",
            })?;
        batch.delete(Space::Meta, key(TxnId(id)));
        batch.delete(Space::Meta, by_age);
    }
    Ok(())
}
