//! What a log entry does to the state. Equal states and entries give equal batches.

use super::{
    Command, Mutation, Outcome, Recent, TxnId, atomic,
    outcome::{self, Recorded},
};
use crate::{
    EngineError, Version,
    engine::{Batch, Direction, Overlay, Reader, Space},
    lease,
    mutant::Mutant,
    mvcc::{changes::Change, key, read},
    version::VERSION_LEN,
    wal::EntryId,
};

const APPLIED_KEY: &[u8] = b"applied";
const WATERMARK_KEY: &[u8] = b"watermark";

/// What became of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryOutcome {
    /// Of a commit, or of asking for an outcome.
    Outcome(Outcome),
    /// A commit that was admitted in another term than it was logged in. It did not happen and may be tried again.
    OtherTerm,
    /// The watermark is now this.
    Watermark(Version),
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// By position in the entry.
    pub outcomes: Vec<EntryOutcome>,
    /// In order of version and key.
    pub changes: Vec<Change>,
}

/// Adds to `batch` what the commands of entry `id` do to the state of `reader` with `batch` on top. `recent` is of the state
/// and of what `batch` holds, which has passed through here with it; after an error it is worth nothing.
///
/// Also records that the entry is applied: the caller writes the batch whole.
pub fn apply(
    reader: &dyn Reader,
    batch: &mut Batch,
    id: EntryId,
    commands: &[Command],
    recent: &mut Recent,
) -> Result<Applied, EngineError> {
    let mut applied = Applied {
        outcomes: Vec::with_capacity(commands.len()),
        changes: Vec::with_capacity(commands.len()),
    };
    let mut recorded = Recorded::new(recent);
    for (position, command) in commands.iter().enumerate() {
        let version = Version {
            epoch: 0,
            index: id.index,
            position: u16::try_from(position)
                .expect("COMMANDS_MAX is checked when an entry is decoded"),
        };
        let outcome = match command {
            Command::Commit { term, .. } if *term != id.term => EntryOutcome::OtherTerm,
            Command::Commit { id, mutations, .. } => EntryOutcome::Outcome(commit(
                reader,
                batch,
                version,
                *id,
                mutations,
                &mut applied.changes,
                &mut recorded,
            )?),
            Command::AskOutcome { id } => {
                EntryOutcome::Outcome(ask(reader, batch, version, *id, &mut recorded)?)
            }
            Command::Gc {
                watermark,
                outcomes_below,
            } => {
                let recent = recorded.finish(batch);
                outcome::forget(reader, batch, *outcomes_below, recent)?;
                let held = lease::oldest(&Overlay {
                    below: reader,
                    batch,
                })?;
                let watermark = held.min(*watermark);
                EntryOutcome::Watermark(raise_watermark(reader, batch, watermark)?)
            }
        };
        applied.outcomes.push(outcome);
    }
    recorded.finish(batch);
    record_applied(batch, id);
    Ok(applied)
}

/// Notes that entry `id` is applied; for entries without commands too.
pub fn record_applied(batch: &mut Batch, id: EntryId) {
    let value = [id.term.to_be_bytes(), id.index.to_be_bytes()].concat();
    batch.put(Space::Meta, APPLIED_KEY, value);
}

/// The last entry that the state contains.
pub fn last_applied(reader: &dyn Reader) -> Result<Option<EntryId>, EngineError> {
    let Some(bytes) = reader.get(Space::Meta, APPLIED_KEY)? else {
        return Ok(None);
    };
    let malformed = EngineError::Malformed {
        what: "applied index",
    };
    let (term, index) = bytes.split_first_chunk::<8>().ok_or(malformed.clone())?;
    Ok(Some(EntryId {
        term: u64::from_be_bytes(*term),
        index: u64::from_be_bytes(index.try_into().map_err(|_| malformed)?),
    }))
}

/// Reads below it are refused: what they would see may be gone.
pub fn watermark(reader: &dyn Reader) -> Result<Version, EngineError> {
    match reader.get(Space::Meta, WATERMARK_KEY)? {
        None => Ok(Version::MIN),
        Some(bytes) => <[u8; VERSION_LEN]>::try_from(bytes)
            .map(Version::from_bytes)
            .map_err(|_| EngineError::Malformed { what: "watermark" }),
    }
}

fn raise_watermark(
    reader: &dyn Reader,
    batch: &mut Batch,
    to: Version,
) -> Result<Version, EngineError> {
    let now = watermark(&Overlay {
        below: reader,
        batch,
    })?;
    if to > now {
        batch.put(Space::Meta, WATERMARK_KEY, to.to_bytes());
    }
    Ok(now.max(to))
}

/// The outcome on record, or ABORTED, which is then on record: whatever is still on its way cannot commit any more.
fn ask(
    reader: &dyn Reader,
    batch: &mut Batch,
    version: Version,
    id: TxnId,
    recorded: &mut Recorded<'_>,
) -> Result<Outcome, EngineError> {
    if let Some(known) = recorded.known(reader, batch, id)? {
        return Ok(known);
    }
    let aborted = Outcome::Aborted(version);
    if !Mutant::AbortNotWritten.is_active() {
        recorded.add(batch, id, aborted);
    }
    Ok(aborted)
}

fn commit(
    reader: &dyn Reader,
    batch: &mut Batch,
    version: Version,
    id: TxnId,
    mutations: &[Mutation],
    changes: &mut Vec<Change>,
    recorded: &mut Recorded<'_>,
) -> Result<Outcome, EngineError> {
    if let Some(known) = recorded.known(reader, batch, id)? {
        return Ok(known);
    }
    let mut commit = Commit {
        reader,
        batch,
        version,
        written: Vec::with_capacity(mutations.len()),
    };
    for mutation in mutations {
        commit.mutate(mutation)?;
    }
    let mut written = commit.written;
    // Keeps the order of writes to the same key, of which the last one counts.
    written.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut written = written.into_iter().peekable();
    while let Some((key, value)) = written.next() {
        if written.peek().is_none_or(|(next, _)| *next != key) {
            changes.push(Change {
                version,
                key,
                value,
            });
        }
    }
    let committed = Outcome::Committed(version);
    recorded.add(batch, id, committed);
    Ok(committed)
}

struct Commit<'a> {
    reader: &'a dyn Reader,
    batch: &'a mut Batch,
    version: Version,
    /// Keys in the order they were written; `None` where they were cleared.
    written: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Commit<'_> {
    fn mutate(&mut self, mutation: &Mutation) -> Result<(), EngineError> {
        match mutation {
            Mutation::Set { key, value } => self.write(key.clone(), Some(value.clone())),
            Mutation::Clear { key } => {
                if self.current(key)?.is_some() {
                    self.write(key.clone(), None);
                }
            }
            Mutation::ClearRange { range } => {
                let now = self.now();
                let keys = read::rows(
                    &now,
                    &range.begin..&range.end,
                    self.version,
                    Direction::Forward,
                )
                .map(|row| row.map(|row| row.key))
                .collect::<Result<Vec<_>, _>>()?;
                for key in keys {
                    self.write(key, None);
                }
            }
            Mutation::Atomic { op, key, operand } => {
                let before = self.current(key)?;
                let after = atomic::evaluate(*op, before.clone(), operand);
                if before.is_some() || after.is_some() {
                    self.write(key.clone(), after);
                }
            }
            Mutation::SetVersionstampedKey { key, offset, value } => {
                self.write(self.stamped(key, *offset), Some(value.clone()));
            }
            Mutation::SetVersionstampedValue { key, value, offset } => {
                self.write(key.clone(), Some(self.stamped(value, *offset)));
            }
        }
        Ok(())
    }

    /// The state with everything before this mutation.
    fn now(&self) -> Overlay<'_> {
        Overlay {
            below: self.reader,
            batch: self.batch,
        }
    }

    fn current(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        read::get(&self.now(), key, self.version)
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let stored = key::stored(&key, self.version);
        self.batch
            .put(Space::Data, stored, key::encode_value(value.as_deref()));
        self.written.push((key, value));
    }

    fn stamped(&self, bytes: &[u8], offset: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[offset..offset + VERSION_LEN].copy_from_slice(&self.version.to_bytes());
        bytes
    }
}
