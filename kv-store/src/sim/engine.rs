//! An engine in memory with levels, a journal, and power losses.
//!
//! Model: batches go to a journal and to a table in memory. A flush syncs the journal and turns the table into the
//! youngest file; a compaction merges two neighbouring files and runs the garbage filter over the data, and forgets the
//! engine's own tombstones only when it writes the oldest file. A power loss keeps the files and of the journal the synced batches and a
//! random number of those after.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use parking_lot::Mutex;

use super::Random;
use crate::{
    EngineError, Version,
    engine::{Batch, Direction, Engine, Pairs, Reader, Space},
    mvcc::gc,
};

/// Sorted; `None` is the engine's own tombstone.
type File = BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>;

/// Clones are the same engine.
#[derive(Debug, Clone, Default)]
pub struct ModelEngine {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    memory: Arc<File>,
    /// Youngest first.
    files: Vec<Arc<File>>,
    /// What `memory` was made of, oldest first.
    journal: Vec<Batch>,
    /// Batches at the beginning of the journal that survive a power loss.
    num_synced: usize,
    watermark: Version,
    collectable: Vec<Vec<u8>>,
}

impl ModelEngine {
    /// What is there after a power loss, and how many batches are not.
    pub fn after_power_loss(&self, random: &mut Random) -> (Self, usize) {
        let state = self.state.lock();
        let num_lost = random.below(state.journal.len() - state.num_synced + 1);
        let num_kept = state.journal.len() - num_lost;
        let left = Self {
            state: Arc::new(Mutex::new(State {
                files: state.files.clone(),
                ..State::default()
            })),
        };
        for batch in &state.journal[..num_kept] {
            left.state.lock().write(batch);
        }
        left.state.lock().num_synced = num_kept;
        (left, num_lost)
    }

    /// Turns the table in memory into a file.
    pub fn flush(&self) {
        let mut state = self.state.lock();
        let memory = std::mem::take(&mut state.memory);
        if !memory.is_empty() {
            state.files.insert(0, memory);
        }
        state.journal.clear();
        state.num_synced = 0;
    }

    /// Merges two neighbouring files; false when there are not two.
    pub fn compact(&self, random: &mut Random) -> bool {
        let mut state = self.state.lock();
        if state.files.len() < 2 {
            return false;
        }
        let young = random.below(state.files.len() - 1);
        let is_oldest = young + 2 == state.files.len();
        let mut merged = File::clone(&state.files[young + 1]);
        merged.extend(File::clone(&state.files[young]));
        let mut filter = gc::Filter::new(state.watermark);
        for ((space, key), value) in &mut merged {
            if *space == Space::Data
                && let Some(stored) = value
                && filter.look_at(key, stored) == gc::Verdict::Drop
            {
                *value = None;
            }
        }
        if is_oldest {
            merged.retain(|_, value| value.is_some());
        }
        state.files.splice(young..young + 2, [Arc::new(merged)]);
        state.collectable.extend(filter.into_collectable());
        true
    }
}

impl State {
    fn write(&mut self, batch: &Batch) {
        let memory = Arc::make_mut(&mut self.memory);
        for (space, key, value) in batch.iter() {
            memory.insert((space, key.to_vec()), value.map(<[u8]>::to_vec));
        }
        self.journal.push(batch.clone());
    }
}

impl Engine for ModelEngine {
    fn snapshot(&self) -> Box<dyn Reader + Send> {
        let state = self.state.lock();
        let mut files = vec![Arc::clone(&state.memory)];
        files.extend(state.files.iter().map(Arc::clone));
        Box::new(ModelSnapshot { files })
    }

    fn write(&self, batch: &Batch) -> Result<(), EngineError> {
        self.state.lock().write(batch);
        Ok(())
    }

    fn persist(&self) -> Result<(), EngineError> {
        let mut state = self.state.lock();
        state.num_synced = state.journal.len();
        Ok(())
    }

    fn set_watermark(&self, watermark: Version) {
        self.state.lock().watermark = watermark;
    }

    fn take_collectable(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state.lock().collectable)
    }
}

struct ModelSnapshot {
    /// Youngest first.
    files: Vec<Arc<File>>,
}

impl Reader for ModelSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let key = (space, key.to_vec());
        Ok(self
            .files
            .iter()
            .find_map(|file| file.get(&key))
            .cloned()
            .flatten())
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, direction: Direction) -> Pairs<'_> {
        if range.start >= range.end {
            return Box::new(std::iter::empty());
        }
        let keys = (space, range.start.to_vec())..(space, range.end.to_vec());
        let mut merged = BTreeMap::new();
        for file in self.files.iter().rev() {
            merged.extend(
                file.range(keys.clone())
                    .map(|((_, key), value)| (key.clone(), value.clone())),
            );
        }
        let pairs = merged
            .into_iter()
            .filter_map(|(key, value)| Some(Ok((key, value?))));
        match direction {
            Direction::Forward => Box::new(pairs),
            Direction::Reverse => Box::new(pairs.rev()),
        }
    }
}
