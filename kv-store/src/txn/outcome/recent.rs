//! Outcomes of the last moments, in memory, and how new ones are recorded.
//!
//! Each commit looks for an outcome of its id before it happens. Ids of clients whose clocks differ by less than
//! [`SPAN_MILLIS`] are found, or missed, in memory. One that is later than all before cannot be on record. A late one, whose
//! clock is behind or whose maker is slow, is looked for under its own key and among the groups of its time; these are kept
//! for the next ones of that clock.

use std::collections::{HashMap, VecDeque};

use super::{Outcome, SPAN_MILLIS, TxnId, age_key, group, of_late, put_late};
use crate::{
    EngineError, Version,
    engine::{Batch, Direction, Overlay, Reader, Space},
    mutant::Mutant,
};

/// Outcomes in memory behind which more are recorded as those of late ids are, as long as time does not go on.
const YOUNG_MAX: usize = 1 << 18;
/// Of late ids, whose groups are read at once.
const LOADED_MILLIS: u64 = 1_000;
/// Clocks that are behind, and asked of in turns without reading again.
const LOADED_MAX: usize = 4;

type Outcomes = HashMap<TxnId, Outcome>;

/// What a state and what was applied to it say of ids that may come now. A function of the state: reading it anew gives the
/// same answers.
#[derive(Debug, Default)]
pub struct Recent {
    /// The time of the latest id on record.
    latest: u64,
    /// Of those that have a record of their own, the time of the latest, or later.
    latest_alone: u64,
    /// Of groups from `young_from` on.
    young: Outcomes,
    young_from: u64,
    /// Of the groups before from `old_from` on: `SPAN_MILLIS` of them at least.
    old: Outcomes,
    old_from: u64,
    loaded: VecDeque<Loaded>,
}

/// Outcomes in groups, of late ids.
#[derive(Debug)]
struct Loaded {
    /// Times of ids.
    from: u64,
    end: u64,
    outcomes: Outcomes,
}

impl Recent {
    /// Of a state.
    pub fn of(reader: &dyn Reader) -> Result<Self, EngineError> {
        let keys = &[super::OF_ID][..]..&[super::OF_ID + 1][..];
        let last = reader.scan(Space::Meta, keys, Direction::Reverse).next();
        let latest_alone = match last.transpose()? {
            None => 0,
            Some((key, _)) => {
                let id = key[1..].try_into().map(TxnId);
                group::time(id.map_err(|_| EngineError::Malformed { what: "outcome" })?)
            }
        };
        let latest = latest_alone.max(group::last_time(reader)?.unwrap_or_default());
        let from = latest.saturating_sub(SPAN_MILLIS);
        let mut young = Outcomes::new();
        for group in group::all(reader, from..=latest) {
            for outcome in group?.outcomes() {
                let (id, outcome) = outcome?;
                young.insert(id, outcome);
            }
        }
        Ok(Self {
            latest,
            latest_alone,
            young,
            young_from: from,
            old_from: from,
            ..Self::default()
        })
    }

    /// The batch is in the state now.
    pub fn written(&mut self) {
        if Mutant::SkipOutcomeLookup.is_active() {
            self.young.clear();
            self.old.clear();
        }
    }

    /// Groups up to a time are not on record any more.
    pub(super) fn forget(&mut self, now: &dyn Reader, upto: u64) -> Result<(), EngineError> {
        self.loaded.clear();
        if upto >= self.old_from {
            *self = Self::of(now)?;
        }
        Ok(())
    }

    fn is_late(&self, time: u64) -> bool {
        time.saturating_add(SPAN_MILLIS) < self.latest
    }

    fn raise(&mut self, latest: u64) {
        self.latest = latest;
        if latest - self.young_from >= SPAN_MILLIS {
            self.old = std::mem::take(&mut self.young);
            self.old_from = self.young_from;
            self.young_from = latest;
        }
    }

    fn find(&mut self, now: &dyn Reader, id: TxnId) -> Result<Option<Outcome>, EngineError> {
        let time = group::time(id);
        if time > self.latest {
            return Ok(None);
        }
        if !self.is_late(time) {
            let found = self.young.get(&id).or_else(|| self.old.get(&id));
            return match found {
                None if time <= self.latest_alone => of_late(now, id),
                found => Ok(found.copied()),
            };
        }
        if Mutant::SkipOutcomeLookup.is_active() {
            return Ok(None);
        }
        match of_late(now, id)? {
            Some(late) => Ok(Some(late)),
            None => self.find_among_groups(now, id, time),
        }
    }

    fn find_among_groups(
        &mut self,
        now: &dyn Reader,
        id: TxnId,
        time: u64,
    ) -> Result<Option<Outcome>, EngineError> {
        let mut loaded = self.loaded.iter();
        if let Some(loaded) = loaded.find(|loaded| (loaded.from..loaded.end).contains(&time)) {
            return Ok(loaded.outcomes.get(&id).copied());
        }
        // No group of such an early time is added any more.
        let end = (time + LOADED_MILLIS).min(self.latest - SPAN_MILLIS);
        let mut outcomes = Outcomes::new();
        for group in group::all(now, time..=end - 1 + SPAN_MILLIS) {
            for outcome in group?.outcomes() {
                let (id, outcome) = outcome?;
                if (time..end).contains(&group::time(id)) {
                    outcomes.insert(id, outcome);
                }
            }
        }
        let found = outcomes.get(&id).copied();
        if self.loaded.len() == LOADED_MAX {
            self.loaded.pop_front();
        }
        self.loaded.push_back(Loaded {
            from: time,
            end,
            outcomes,
        });
        Ok(found)
    }
}

/// Outcomes that an entry decides.
#[derive(Debug)]
pub(crate) struct Recorded<'a> {
    recent: &'a mut Recent,
    /// A group's bytes.
    group: Vec<u8>,
    /// Of the earliest id in it.
    group_from: u64,
    /// One after another.
    late_ids: Vec<u8>,
    last: Version,
}

impl<'a> Recorded<'a> {
    pub(crate) fn new(recent: &'a mut Recent) -> Self {
        Self {
            recent,
            group: Vec::new(),
            group_from: u64::MAX,
            late_ids: Vec::new(),
            last: Version::MIN,
        }
    }

    /// The outcome on record in a state with a batch on top.
    pub(crate) fn known(
        &mut self,
        below: &dyn Reader,
        batch: &Batch,
        id: TxnId,
    ) -> Result<Option<Outcome>, EngineError> {
        self.recent.find(&Overlay { below, batch }, id)
    }

    /// In order of version.
    pub(crate) fn add(&mut self, batch: &mut Batch, id: TxnId, outcome: Outcome) {
        let time = group::time(id);
        let is_crowded = time <= self.recent.latest && self.recent.young.len() >= YOUNG_MAX;
        if is_crowded || self.recent.is_late(time) {
            put_late(batch, id, outcome);
            self.recent.latest_alone = self.recent.latest_alone.max(time);
            self.late_ids.extend_from_slice(&id.0);
        } else {
            if time > self.recent.latest {
                if self.group_from.saturating_add(SPAN_MILLIS) < time {
                    self.finish_group(batch);
                }
                self.recent.raise(time);
            }
            self.group_from = self.group_from.min(time);
            group::add(&mut self.group, id, outcome);
            self.recent.young.insert(id, outcome);
        }
        self.last = outcome.version();
    }

    /// What was decided up to now is to be forgotten together.
    pub(crate) fn finish(&mut self, batch: &mut Batch) -> &mut Recent {
        self.finish_group(batch);
        if !self.late_ids.is_empty() {
            let ids = std::mem::take(&mut self.late_ids);
            batch.put(Space::Meta, age_key(self.last), ids);
        }
        self.recent
    }

    fn finish_group(&mut self, batch: &mut Batch) {
        if !self.group.is_empty() {
            let bytes = std::mem::take(&mut self.group);
            group::put(batch, self.recent.latest, self.last, bytes);
            self.group_from = u64::MAX;
        }
    }
}
