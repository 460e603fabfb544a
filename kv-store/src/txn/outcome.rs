//! What became of a transaction, kept with the data so that a lost answer can be asked for again.
//!
//! ```text
//! Space::Meta   "o" + id             ->  1 committed | 2 aborted, version
//! Space::Meta   "t" + version        ->  ids, one after another: of an entry, by its last outcome; to forget the old ones
//! ```
//!
//! Before there was one of the latter for each entry, there was one for each outcome, with the id behind the version.

use std::ops::Range;

use super::TxnId;
use crate::{
    EngineError, Version,
    engine::{Batch, Direction, Overlay, Pairs, Reader, Space},
    mutant::Mutant,
    version::VERSION_LEN,
};

const COMMITTED: u8 = 1;
const ABORTED: u8 = 2;
const OF_ID: u8 = b'o';
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
    [&[OF_ID][..], &id.0].concat()
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

/// The latest id on record, or one behind it. Ids begin with a time, so that nearly all that come are later, and need not be
/// looked for: that took followers a twelfth of their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatestId {
    /// No later id stands in the state.
    in_state: TxnId,
    /// Nor in what was applied since and is to be written.
    in_batch: TxnId,
}

impl LatestId {
    /// Of a state.
    pub fn of(reader: &dyn Reader) -> Result<Self, EngineError> {
        let keys = &[OF_ID][..]..&[OF_ID + 1][..];
        let last = reader.scan(Space::Meta, keys, Direction::Reverse).next();
        let id = match last.transpose()? {
            None => TxnId([0; ID_LEN]),
            Some((key, _)) => key[1..]
                .try_into()
                .map(TxnId)
                .map_err(|_| EngineError::Malformed { what: "outcome" })?,
        };
        Ok(Self {
            in_state: id,
            in_batch: id,
        })
    }

    /// The batch is in the state now.
    pub fn written(&mut self) {
        self.in_state = self.in_batch;
    }
}

/// Outcomes that an entry decides.
#[derive(Debug)]
pub(super) struct Recorded<'a> {
    latest: &'a mut LatestId,
    /// One after another.
    ids: Vec<u8>,
    last: Version,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(latest: &'a mut LatestId) -> Self {
        Self {
            latest,
            ids: Vec::new(),
            last: Version::MIN,
        }
    }

    /// The outcome on record in a state with a batch on top.
    pub(super) fn known(
        &self,
        below: &dyn Reader,
        batch: &Batch,
        id: TxnId,
    ) -> Result<Option<Outcome>, EngineError> {
        if id > self.latest.in_batch {
            return Ok(None);
        }
        if id > self.latest.in_state || Mutant::SkipOutcomeLookup.is_active() {
            let below = &Nothing;
            return outcome(&Overlay { below, batch }, id);
        }
        outcome(&Overlay { below, batch }, id)
    }

    /// In order of version.
    pub(super) fn add(&mut self, batch: &mut Batch, id: TxnId, outcome: Outcome) {
        self.latest.in_batch = self.latest.in_batch.max(id);
        let kind = match outcome {
            Outcome::Committed(_) => COMMITTED,
            Outcome::Aborted(_) => ABORTED,
        };
        self.last = outcome.version();
        self.ids.extend_from_slice(&id.0);
        let value = [&[kind][..], &self.last.to_bytes()].concat();
        batch.put(Space::Meta, key(id), value);
    }

    /// What was decided up to now is to be forgotten together.
    pub(super) fn finish(&mut self, batch: &mut Batch) {
        if !self.ids.is_empty() {
            let ids = std::mem::take(&mut self.ids);
            batch.put(Space::Meta, age_key(self.last), ids);
        }
    }
}

struct Nothing;

impl Reader for Nothing {
    fn get(&self, _: Space, _: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(None)
    }

    fn scan(&self, _: Space, _: Range<&[u8]>, _: Direction) -> Pairs<'_> {
        Box::new(std::iter::empty())
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
            let mut latest = LatestId::of(&*engine.snapshot()).unwrap();
            let mut recorded = Recorded::new(&mut latest);
            for (position, id) in (0..).zip(ids) {
                let committed = Outcome::Committed(at(index, position));
                recorded.add(&mut batch, TxnId([id; ID_LEN]), committed);
            }
            recorded.finish(&mut batch);
        }
        let (old, aborted) = (TxnId([8; ID_LEN]), Outcome::Aborted(at(2, 7)));
        let mut latest = LatestId::of(&*engine.snapshot()).unwrap();
        Recorded::new(&mut latest).add(&mut batch, old, aborted);
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

    #[test]
    fn an_id_is_looked_for_where_one_as_late_stands_and_found_in_the_batch_where_none_does() {
        let id = |byte| TxnId([byte; ID_LEN]);
        let engine = ModelEngine::default();
        let mut latest = LatestId::of(&*engine.snapshot()).unwrap();
        // What stands behind them is no outcome.
        let mut batch = Batch::default();
        batch.put(Space::Meta, b"watermark", b"later");
        for late in [3, 7, 5] {
            let mut recorded = Recorded::new(&mut latest);
            recorded.add(&mut batch, id(late), Outcome::Committed(at(1, late.into())));
        }
        // Not written yet: only the batch has them.
        let empty = ModelEngine::default().snapshot();
        for (asked, is_known) in [(3, true), (4, false), (7, true), (9, false)] {
            let recorded = Recorded::new(&mut latest);
            let known = recorded.known(&*empty, &batch, id(asked)).unwrap();
            assert_eq!(known.is_some(), is_known, "{asked}");
        }
        engine.write(&batch).unwrap();
        latest.written();
        assert_eq!(latest, LatestId::of(&*engine.snapshot()).unwrap());
        assert_eq!(latest.in_state, id(7));
        let (snapshot, batch) = (engine.snapshot(), Batch::default());
        for (asked, is_known) in [(3, true), (4, false), (7, true), (9, false)] {
            let recorded = Recorded::new(&mut latest);
            let known = recorded.known(&*snapshot, &batch, id(asked)).unwrap();
            assert_eq!(known.is_some(), is_known, "{asked}");
        }
    }
}
