//! What became of a transaction, kept with the data so that a lost answer can be asked for again.
//!
//! ```text
//! Space::Meta   "o" + id             ->  1 committed | 2 aborted, version
//! Space::Meta   "t" + version        ->  ids, one after another: of an entry, by its last outcome; to forget the old ones
//! ```
//!
//! Before there was one of the latter for each entry, there was one for each outcome, with the id behind the version.

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

fn age_key(version: Version) -> Vec<u8> {
    [&[BY_AGE][..], &version.to_bytes()].concat()
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

/// Outcomes that an entry decides.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// One after another.
    ids: Vec<u8>,
    last: Version,
}

impl Recorded {
    /// In order of version.
    pub(super) fn add(&mut self, batch: &mut Batch, id: TxnId, outcome: Outcome) {
        let kind = match outcome {
            Outcome::Committed(_) => COMMITTED,
            Outcome::Aborted(_) => ABORTED,
        };
        self.last = outcome.version();
        self.ids.extend_from_slice(&id.0);
        let value = [&[kind][..], &self.last.to_bytes()].concat();
        batch.put(Space::Meta, key(id), value);
    }

    /// The entry decides no more.
    pub(super) fn finish(self, batch: &mut Batch) {
        if !self.ids.is_empty() {
            batch.put(Space::Meta, age_key(self.last), self.ids);
        }
    }
}

/// Forgets the outcomes of entries that decided their last one below `below`.
pub(super) fn forget(
    reader: &dyn Reader,
    batch: &mut Batch,
    below: Version,
) -> Result<(), EngineError> {
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::Engine, sim::ModelEngine};

    fn at(index: u64, position: u16) -> Version {
        Version {
            epoch: 0,
            index,
            position,
        }
    }

    fn ids_left(engine: &ModelEngine) -> Vec<u8> {
        let snapshot = engine.snapshot();
        let ids = (0..9).map(|id| TxnId([id; ID_LEN]));
        ids.filter(|id| outcome(&*snapshot, *id).unwrap().is_some())
            .map(|id| id.0[0])
            .collect()
    }

    #[test]
    fn outcomes_are_forgotten_by_entry_and_those_of_an_older_format_as_well() {
        let engine = ModelEngine::default();
        let mut batch = Batch::default();
        for (index, ids) in [(3, 0..3), (4, 3..5)] {
            let mut recorded = Recorded::default();
            for (position, id) in (0..).zip(ids) {
                let committed = Outcome::Committed(at(index, position));
                recorded.add(&mut batch, TxnId([id; ID_LEN]), committed);
            }
            recorded.finish(&mut batch);
        }
        let (old, aborted) = (TxnId([8; ID_LEN]), Outcome::Aborted(at(2, 7)));
        Recorded::default().add(&mut batch, old, aborted);
        let by_age = [&age_key(at(2, 7))[..], &old.0].concat();
        batch.put(Space::Meta, by_age, []);
        engine.write(&batch).unwrap();
        assert_eq!(ids_left(&engine), [0, 1, 2, 3, 4, 8]);
        for (below, left) in [
            (at(2, 7), &[0, 1, 2, 3, 4, 8][..]),
            (at(3, 2), &[0, 1, 2, 3, 4]),
            (Version::end_of_entry(3), &[3, 4]),
            (Version::end_of_entry(4), &[]),
        ] {
            let mut batch = Batch::default();
            forget(&*engine.snapshot(), &mut batch, below).unwrap();
            engine.write(&batch).unwrap();
            assert_eq!(ids_left(&engine), left, "below {below}");
        }
        let snapshot = engine.snapshot();
        assert_eq!(
            snapshot
                .scan(Space::Meta, &[]..&[0xff], Direction::Forward)
                .count(),
            0
        );
    }
}
