//! Brings committed entries into the engine, one batch for all that are ready, and says how far the log may be purged.
//!
//! Invariants, with `a` the last applied entry, `p` the last one a finished [`Applier::persist`] covered, `g` the log's last purged one:
//! - the engine's state names `a` itself, in the batch that made it so: replaying from `a + 1` repeats nothing;
//! - `g <= p <= a`: what the engine may lose in a power loss, the log still has.

use crate::{
    EngineError, Version,
    engine::{Batch, Engine, Overlay, Reader, Space},
    mutant::Mutant,
    mvcc::{changes::Change, gc},
    txn::{
        Applied, Command, CommandError, EntryOutcome, Feed, Recent, apply, decode_entry,
        last_applied, watermark,
    },
    wal::{Entry, EntryId},
};

/// An entry about the members of the group begins with this byte. No entry of commands does: theirs is a format version.
pub const MEMBERSHIP_ENTRY: u8 = b'M';

const MEMBERSHIP_KEY: &[u8] = b"membership";

#[derive(Debug, Clone, thiserror::Error)]
pub enum ApplyError {
    #[error("cannot apply log entries")]
    Engine(#[from] EngineError),
    #[error("cannot read log entry {index}")]
    Command {
        index: u64,
        #[source]
        source: CommandError,
    },
    /// The engine lost entries that the log does not have any more: the state must come from another node or a snapshot.
    #[error("the state ends at entry {applied}, and the log is purged up to {purged}")]
    BehindLog { applied: u64, purged: u64 },
    /// Entries come one after another.
    #[error("entry {found} came to be applied, and {expected} is next")]
    Gap { expected: u64, found: u64 },
}

/// An entry that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedEntry {
    pub id: EntryId,
    /// Empty for an entry of Raft's own.
    pub commands: Vec<Command>,
    /// Of each command.
    pub outcomes: Vec<EntryOutcome>,
}

/// See [`Applier::persist_point`].
#[derive(Debug, Clone, Copy)]
pub struct PersistPoint {
    last: Option<EntryId>,
    watermark: Version,
}

#[derive(Debug)]
pub struct Applier<E> {
    engine: E,
    last_applied: Option<EntryId>,
    persisted: Option<EntryId>,
    /// As of `last_applied`.
    watermark: Version,
    /// As of `persisted`. Compactions go by this one: what they drop is gone for good.
    persisted_watermark: Version,
    /// As of `last_applied`; `None` when applying failed, and it is to be read anew.
    recent: Option<Recent>,
    feed: Feed,
}

impl<E: Engine> Applier<E> {
    /// Goes on from the engine's state. `purged` is the log's; `feed_bytes_max` bounds the changes kept in memory.
    pub fn open(
        engine: E,
        purged: Option<EntryId>,
        feed_bytes_max: usize,
    ) -> Result<Self, ApplyError> {
        let snapshot = engine.snapshot();
        let last_applied = last_applied(&*snapshot)?;
        let (applied, gone) = (index(last_applied), index(purged));
        if applied < gone && !Mutant::PurgePastSync.is_active() {
            return Err(ApplyError::BehindLog {
                applied,
                purged: gone,
            });
        }
        let mut applier = Self {
            last_applied,
            persisted: None,
            watermark: watermark(&*snapshot)?,
            persisted_watermark: Version::MIN,
            recent: Some(Recent::of(&*snapshot)?),
            feed: Feed::new(Version::end_of_entry(applied), feed_bytes_max),
            engine,
        };
        drop(snapshot);
        applier.persist()?;
        Ok(applier)
    }

    /// Applies entries that are committed, the next ones in order, in one batch.
    pub fn apply(&mut self, entries: &[Entry]) -> Result<Vec<AppliedEntry>, ApplyError> {
        let mut batch = Batch::default();
        let mut done = Vec::with_capacity(entries.len());
        let mut changes: Vec<Change> = Vec::new();
        let snapshot = self.engine.snapshot();
        let mut recent = match self.recent.take() {
            Some(recent) => recent,
            None => Recent::of(&*snapshot)?,
        };
        let mut next = index(self.last_applied) + 1;
        for entry in entries {
            if entry.id.index != next && !Mutant::PurgePastSync.is_active() {
                return Err(ApplyError::Gap {
                    expected: next,
                    found: entry.id.index,
                });
            }
            next = entry.id.index + 1;
            if entry.payload.first() == Some(&MEMBERSHIP_ENTRY) {
                record_membership(&mut batch, entry);
            }
            let commands = commands(entry)?;
            let Applied {
                outcomes,
                changes: more,
            } = apply(&*snapshot, &mut batch, entry.id, &commands, &mut recent)?;
            changes.extend(more);
            done.push(AppliedEntry {
                id: entry.id,
                commands,
                outcomes,
            });
        }
        let Some(last) = entries.last() else {
            self.recent = Some(recent);
            return Ok(done);
        };
        let after = Overlay {
            below: &*snapshot,
            batch: &batch,
        };
        self.watermark = watermark(&after)?;
        self.engine.write(&batch)?;
        recent.written();
        self.recent = Some(recent);
        self.last_applied = Some(last.id);
        self.feed
            .push(Version::end_of_entry(last.id.index), changes);
        Ok(done)
    }

    /// Makes everything applied durable in the engine. Blocks for an fsync.
    pub fn persist(&mut self) -> Result<(), ApplyError> {
        let point = self.persist_point();
        self.engine.persist()?;
        self.persisted(point);
        Ok(())
    }

    /// What a sync of the engine that begins now will cover, for [`Applier::persisted`].
    pub fn persist_point(&self) -> PersistPoint {
        PersistPoint {
            last: self.last_applied,
            watermark: self.watermark,
        }
    }

    /// A sync of the engine that began after `point` was taken is done. Lets others apply meanwhile.
    pub fn persisted(&mut self, point: PersistPoint) {
        if index(self.persisted) <= index(point.last) {
            self.persisted = point.last;
            self.persisted_watermark = point.watermark;
            self.engine.set_watermark(point.watermark);
        }
    }

    /// The log may be purged up to this entry.
    pub fn purgeable(&self) -> Option<EntryId> {
        if Mutant::PurgePastSync.is_active() {
            return self.last_applied;
        }
        self.persisted
    }

    /// Deletes what compactions found to be deletable and may not delete themselves.
    pub fn collect(&mut self) -> Result<(), ApplyError> {
        let collectable = self.engine.take_collectable();
        if collectable.is_empty() {
            return Ok(());
        }
        let snapshot = self.engine.snapshot();
        let mut batch = Batch::default();
        for prefix in collectable {
            gc::collect(&*snapshot, &mut batch, &prefix, self.persisted_watermark)?;
        }
        self.engine.write(&batch)?;
        Ok(())
    }

    pub fn engine(&self) -> &E {
        &self.engine
    }

    pub fn last_applied(&self) -> Option<EntryId> {
        self.last_applied
    }

    /// Reads below it are refused.
    pub fn watermark(&self) -> Version {
        self.watermark
    }

    /// Changes, for watches; as of `last_applied`.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }
}

/// The last entry about the group's members, and its bytes.
pub fn membership(reader: &dyn Reader) -> Result<Option<(EntryId, Vec<u8>)>, EngineError> {
    let Some(bytes) = reader.get(Space::Meta, MEMBERSHIP_KEY)? else {
        return Ok(None);
    };
    let split = || {
        let (term, rest) = bytes.split_first_chunk()?;
        let (index, payload) = rest.split_first_chunk()?;
        let id = EntryId {
            term: u64::from_le_bytes(*term),
            index: u64::from_le_bytes(*index),
        };
        Some((id, payload.to_vec()))
    };
    let what = "membership";
    split().map(Some).ok_or(EngineError::Malformed { what })
}

/// Notes an entry about the group's members.
pub(crate) fn record_membership(batch: &mut Batch, entry: &Entry) {
    let (term, index) = (entry.id.term.to_le_bytes(), entry.id.index.to_le_bytes());
    let value = [&term[..], &index, &entry.payload].concat();
    batch.put(Space::Meta, MEMBERSHIP_KEY, value);
}

fn commands(entry: &Entry) -> Result<Vec<Command>, ApplyError> {
    if matches!(entry.payload.first(), None | Some(&MEMBERSHIP_ENTRY)) {
        return Ok(Vec::new());
    }
    decode_entry(&entry.payload).map_err(|source| ApplyError::Command {
        index: entry.id.index,
        source,
    })
}

/// 0 is before the first entry.
fn index(id: Option<EntryId>) -> u64 {
    id.map_or(0, |id| id.index)
}
