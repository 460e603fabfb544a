//! The engine on disk: fjall, a log-structured merge tree.
//!
//! Its journal is written without fsync and synced by [`Engine::persist`]; an opening after a power loss may find it torn,
//! see [`super::journal_repair`].
//! fjall's compaction filter runs [`gc::Filter`] over the data.

use std::{
    fs::File,
    io,
    ops::{Range, RangeInclusive},
    panic::RefUnwindSafe,
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable,
    compaction::{
        Leveled,
        filter::{
            CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict,
        },
    },
    config::FilterPolicy,
};
use parking_lot::Mutex;

use super::{
    Batch, Direction, Engine, EngineError, Pair, Pairs, Reader, Repair, Space,
    background::in_background, held::Held, journal_repair::sync_journal, repair_journal, settled,
};
use crate::{Version, files, mvcc::gc, snapshot::SnapshotError};

const FORMAT_KEY: &[u8] = b"format";
/// Of keys and values in both spaces. Downgrade rule: a release refuses a format newer than it knows.
/// 2 is 1 with one record of the age of outcomes for an entry, 3 is 2 with one record of the outcomes themselves for an entry;
/// those of 1 and 2 are read as they are.
const FORMAT: &[u8] = &[3];
const FORMATS_READ: [&[u8]; 3] = [&[1], &[2], FORMAT];
/// In memory before it becomes a file, in bytes. Opening reads what is not a file yet from the journal, so this bounds how
/// long that takes. The two fill up at about the same time under small writes: a journal goes when both are files.
const DATA_MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
const META_MEMTABLE_BYTES: u64 = 4 * 1024 * 1024;
/// Of both, drawn when a folder is made: members of a group write the same, and would all write their files at the same time,
/// when a commit needs two of three that do not.
const MEMTABLE_PERCENT: RangeInclusive<u64> = 60..=100;
/// Of all journals, the least that fjall allows.
const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Of a file of merged tables. fjall syncs the last one of a merge while nobody can read or write, so it is small.
const TABLE_BYTES: u64 = 16 * 1024 * 1024;
/// Memtables that were written to files before these are merged with what is there. With 4, fjall's own number, merging takes a
/// third of a member's time under load; with more, reads look into more files.
const TABLES_MERGED: u8 = 6;
/// That write files and merge them. With more than one, fjall's first keeps itself free for writing files: as long as the
/// others merge, it takes what is to be merged out of the queue and puts it back, without a pause, on a processor of its own.
const WORKER_THREADS: usize = 1;
const DATA: &str = "data";
const META: &str = "meta";

#[derive(Clone)]
pub struct LsmEngine {
    folder: Arc<Path>,
    database: Database,
    data: Keyspace,
    meta: Keyspace,
    gc: Arc<SharedGc>,
    held: Arc<Held>,
    /// Nothing may be written any more.
    is_settled: Arc<AtomicBool>,
    /// Behind all that holds files open: with the last of them nobody uses the folder.
    in_use: Arc<()>,
}

impl std::fmt::Debug for LsmEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LsmEngine")
            .field("gc", &self.gc)
            .finish_non_exhaustive()
    }
}

/// What compactions, on fjall's threads, share with the applier.
#[derive(Debug, Default)]
struct SharedGc(Mutex<Gc>);

#[derive(Debug, Default)]
struct Gc {
    /// Set by the applier.
    watermark: Version,
    /// Filled by compactions, emptied by the applier.
    collectable: Vec<Vec<u8>>,
}

// Nothing is left half done when a compaction panics: each access is one assignment or one append.
impl RefUnwindSafe for SharedGc {}

impl LsmEngine {
    /// Opens the engine in `folder`, making it where there is none. A torn journal is cut at its last good batch,
    /// and the second value says so: the state is then older, and the log has the rest.
    pub fn open(folder: &Path) -> Result<(Self, Option<Repair>), EngineError> {
        settled::forget_journals(folder).map_err(|e| EngineError::storage("open", e))?;
        let gc = Arc::new(SharedGc::default());
        let (database, repair) = match open_database(folder, &gc) {
            Err(fjall::Error::JournalRecovery(_)) => {
                let repair = repair_journal(folder)?;
                (open_database(folder, &gc), Some(repair))
            }
            opened => (opened, None),
        };
        let database = database.map_err(|e| EngineError::storage("open", e))?;
        let percent = fastrand::u64(MEMTABLE_PERCENT);
        let keyspace = |name: &str, memtable_bytes: u64| {
            let memtable_bytes = memtable_bytes / 100 * percent;
            let options = || {
                let merging = Leveled::default()
                    .with_l0_threshold(TABLES_MERGED)
                    .with_table_target_size(TABLE_BYTES);
                let options = KeyspaceCreateOptions::default()
                    .max_memtable_size(memtable_bytes)
                    .compaction_strategy(Arc::new(merging));
                // Versions of a key are found by scanning, which asks no filter.
                match name {
                    DATA => options.filter_policy(FilterPolicy::disabled()),
                    _ => options,
                }
            };
            database
                .keyspace(name, options)
                .map_err(|e| EngineError::storage("open", e))
        };
        let engine = Self {
            data: keyspace(DATA, DATA_MEMTABLE_BYTES)?,
            meta: keyspace(META, META_MEMTABLE_BYTES)?,
            folder: folder.into(),
            database,
            gc,
            held: Arc::default(),
            is_settled: Arc::default(),
            in_use: Arc::default(),
        };
        engine.check_format()?;
        sync_names(folder).map_err(|e| EngineError::storage("open", e))?;
        Ok((engine, repair))
    }

    /// Marks the folder with the format of what is written from now on.
    fn check_format(&self) -> Result<(), EngineError> {
        let found = self.snapshot().get(Space::Meta, FORMAT_KEY)?;
        match found.as_deref() {
            Some(FORMAT) => return Ok(()),
            Some(known) if FORMATS_READ.contains(&known) => {}
            Some(other) => {
                return Err(EngineError::Format {
                    found: other.first().copied().unwrap_or(0),
                    supported: FORMAT[0],
                });
            }
            None => {}
        }
        let mut batch = Batch::default();
        batch.put(Space::Meta, FORMAT_KEY, FORMAT);
        self.write(&batch)?;
        self.persist()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// There as long as handles or readers are.
    pub fn in_use(&self) -> Weak<()> {
        Arc::downgrade(&self.in_use)
    }

    /// Brings what was written so far to disk, as far as it is in the youngest journal, while others write. It promises
    /// nothing: fjall lets nobody write while it syncs its journal, for [`Engine::persist`] and before it writes a file, and
    /// then has little to do. Takes along what fjall will be done with, see [`super::held`]. Blocks.
    pub fn write_back(&self) -> Result<(), EngineError> {
        self.held.renew([&self.data, &self.meta]);
        match sync_journal(&self.folder) {
            // fjall was done with it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|e| EngineError::storage("sync", e)),
        }
    }

    /// Gives back what fjall has done with, when nothing was written since. Blocks.
    pub fn let_go(&self) {
        self.held.let_go();
    }

    /// Brings everything into files, so that the next opening reads no journal. From now on writes are refused; nobody writes
    /// meanwhile. Blocks, 5 s at most; an error costs the next opening some time and nothing else.
    pub fn settle(&self) -> Result<(), EngineError> {
        self.is_settled.store(true, Ordering::Relaxed);
        settled::settle(&self.folder, &[&self.data, &self.meta])
    }

    /// Rewrites all files, so that everything that may go is gone. Blocks.
    pub fn compact(&self) -> Result<(), EngineError> {
        for keyspace in [&self.data, &self.meta] {
            keyspace
                .rotate_memtable_and_wait()
                .and_then(|()| keyspace.major_compact())
                .map_err(|e| EngineError::storage("compact", e))?;
        }
        Ok(())
    }

    /// Fills an engine that holds nothing else. Durable with the next [`Engine::persist`]; on an error the engine is
    /// worth nothing. Blocks.
    pub fn ingest(
        &self,
        pairs: impl Iterator<Item = Result<(Space, Pair), SnapshotError>>,
    ) -> Result<(), SnapshotError> {
        let failed = |e| EngineError::storage("fill", e);
        let mut pairs = pairs.peekable();
        for space in [Space::Data, Space::Meta] {
            let mut ingestion = self.keyspace(space).start_ingestion().map_err(failed)?;
            while let Some(pair) =
                pairs.next_if(|pair| pair.as_ref().map_or(true, |(found, _)| *found == space))
            {
                let (_, (key, value)) = pair?;
                ingestion.write(key, value).map_err(failed)?;
            }
            ingestion.finish().map_err(failed)?;
        }
        match pairs.next() {
            None => Ok(()),
            Some(_) => Err(SnapshotError::Damaged {
                detail: "its pairs are out of order",
            }),
        }
    }

    fn keyspace(&self, space: Space) -> &Keyspace {
        match space {
            Space::Data => &self.data,
            Space::Meta => &self.meta,
        }
    }
}

/// fjall syncs the folders of keyspaces, and not the one that names them; nor does it sync where the engine's own name stands.
/// Without them a power loss could take what the log has already forgotten.
fn sync_names(folder: &Path) -> io::Result<()> {
    for names in [&*folder.join("keyspaces"), folder] {
        File::open(names)?.sync_all()?;
    }
    files::sync_name(folder)
}

fn open_database(folder: &Path, gc: &Arc<SharedGc>) -> fjall::Result<Database> {
    let gc = Arc::clone(gc);
    let builder = Database::builder(folder)
        .manual_journal_persist(true)
        .worker_threads(WORKER_THREADS)
        .max_journaling_size(JOURNAL_BYTES_MAX)
        .with_compaction_filter_factories(Arc::new(move |keyspace| {
            let factory = FilterFactory(Arc::clone(&gc));
            (keyspace == DATA).then(|| Arc::new(factory) as Arc<dyn Factory>)
        }));
    in_background(|| builder.open())
}

impl Engine for LsmEngine {
    fn snapshot(&self) -> Box<dyn Reader + Send> {
        Box::new(LsmSnapshot {
            snapshot: self.database.snapshot(),
            engine: self.clone(),
        })
    }

    fn write(&self, batch: &Batch) -> Result<(), EngineError> {
        if self.is_settled.load(Ordering::Relaxed) {
            let closed = io::Error::other("it is closed");
            return Err(EngineError::storage("write to", closed));
        }
        let changes = OwnedWriteBatch::with_capacity(self.database.clone(), batch.len());
        let mut changes = changes.durability(Some(PersistMode::Buffer));
        for (space, key, value) in batch.iter() {
            match value {
                Some(value) => changes.insert(self.keyspace(space), key, value),
                None => changes.remove(self.keyspace(space), key),
            }
        }
        changes
            .commit()
            .map_err(|e| EngineError::storage("write to", e))
    }

    fn persist(&self) -> Result<(), EngineError> {
        self.write_back()?;
        self.database
            .persist(PersistMode::SyncAll)
            .map_err(|e| EngineError::storage("sync", e))
    }

    fn set_watermark(&self, watermark: Version) {
        self.gc.0.lock().watermark = watermark;
    }

    fn take_collectable(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.gc.0.lock().collectable)
    }
}

struct LsmSnapshot {
    // Let go of before the engine.
    snapshot: fjall::Snapshot,
    engine: LsmEngine,
}

impl Reader for LsmSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let value = self.snapshot.get(self.engine.keyspace(space), key);
        let value = value.map_err(|e| EngineError::storage("read", e))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, direction: Direction) -> Pairs<'_> {
        if range.start >= range.end {
            return Box::new(std::iter::empty());
        }
        let pairs = self.snapshot.range(self.engine.keyspace(space), range);
        let pair = |guard: fjall::Guard| {
            let (key, value) = guard
                .into_inner()
                .map_err(|e| EngineError::storage("read", e))?;
            Ok((key.to_vec(), value.to_vec()))
        };
        match direction {
            Direction::Forward => Box::new(pairs.map(pair)),
            Direction::Reverse => Box::new(pairs.rev().map(pair)),
        }
    }
}

struct FilterFactory(Arc<SharedGc>);

impl Factory for FilterFactory {
    fn name(&self) -> &str {
        "versions"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        let watermark = self.0.0.lock().watermark;
        Box::new(LsmFilter {
            filter: gc::Filter::new(watermark),
            gc: Arc::clone(&self.0),
        })
    }
}

struct LsmFilter {
    filter: gc::Filter,
    gc: Arc<SharedGc>,
}

impl CompactionFilter for LsmFilter {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        Ok(match self.filter.look_at(item.key(), &item.value()?) {
            gc::Verdict::Keep => Verdict::Keep,
            // Leaves an engine's tombstone, which a replayed copy of the version further down needs.
            gc::Verdict::Drop => Verdict::Remove,
        })
    }

    fn finish(self: Box<Self>) {
        self.gc
            .0
            .lock()
            .collectable
            .extend(self.filter.into_collectable());
    }
}
