//! The engine on disk after a power loss that tore its journal.
//!
//! Batches are written, some synced, some not; then the power fails: the journal's file keeps what was synced, and of the
//! pages written since any subset. The engine opens, holds a prefix of the batches, and every one that was synced.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use kv_store::{
    engine::{Batch, Direction, Engine, EngineError, LsmEngine, Space, repair_journal},
    sim::Random,
};
use tempfile::TempDir;

pub(crate) const PAGE: usize = 4096;
const NUM_SYNCED: u64 = 3;
const NUM_BATCHES: u64 = 9;

/// A batch of several pages, in both spaces: half there would be seen.
fn batch(number: u64, random: &mut Random) -> Batch {
    let mut batch = Batch::default();
    for part in 0..3 + random.below(20) as u64 {
        let key = [number.to_be_bytes(), part.to_be_bytes()].concat();
        // A hole inside of a long value is what only the checksum sees.
        let len = random.below(*random.clone().pick(&[300, 3_000, 30_000]));
        let value: Vec<u8> = (0..len).map(|_| random.draw() as u8).collect();
        batch.put(Space::Data, key, value);
    }
    batch.put(Space::Meta, b"applied", number.to_be_bytes());
    batch
}

fn contents(engine: &LsmEngine) -> Vec<(Vec<u8>, Vec<u8>)> {
    let snapshot = engine.snapshot();
    let mut all = Vec::new();
    for space in [Space::Data, Space::Meta] {
        for pair in snapshot.scan(space, &[]..&[0xff], Direction::Forward) {
            all.push(pair.unwrap());
        }
    }
    all
}

pub(crate) fn journals(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "jnl"))
        .collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if target.extension().is_some_and(|ending| ending == "jnl") {
            fs::write(&target, read_trimmed(&entry.path())).unwrap();
            let allocated = entry.metadata().unwrap().len();
            let file = fs::OpenOptions::new().write(true).open(&target).unwrap();
            file.set_len(allocated).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A run, with its journal as of the last sync and as of the end.
struct Recorded {
    folder: TempDir,
    synced: Vec<u8>,
    written: Vec<u8>,
    /// By number of batches.
    states: Vec<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Recorded {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("engine");
        let (engine, _) = LsmEngine::open(&database).unwrap();
        let journal = journals(&database).pop().unwrap();
        let mut random = Random::new(seed);
        let mut states = vec![contents(&engine)];
        let mut synced = Vec::new();
        for number in 1..=NUM_BATCHES {
            engine.write(&batch(number, &mut random)).unwrap();
            states.push(contents(&engine));
            if number == NUM_SYNCED {
                engine.persist().unwrap();
                synced = read_trimmed(&journal);
            }
        }
        let written = read_trimmed(&journal);
        // The files as they are, as a kill leaves them; a drop would sync.
        let crashed = tempfile::tempdir().unwrap();
        copy(&database, crashed.path());
        drop(engine);
        Self {
            folder: crashed,
            synced,
            written,
            states,
        }
    }

    /// Opens what is there when only these pages of what was not synced arrived.
    fn open(&self, arrives: impl Fn(usize) -> bool) -> (usize, bool) {
        let folder = tempfile::tempdir().unwrap();
        copy(self.folder.path(), folder.path());
        let journal = journals(folder.path()).pop().unwrap();
        let allocated = fs::metadata(&journal).unwrap().len();
        let mut bytes = self.synced.clone();
        bytes.resize(self.written.len(), 0);
        let first_page = self.synced.len() / PAGE;
        for page in first_page..=self.written.len() / PAGE {
            let range =
                (page * PAGE).max(self.synced.len())..((page + 1) * PAGE).min(self.written.len());
            if arrives(page - first_page) && range.start < range.end {
                bytes[range.clone()].copy_from_slice(&self.written[range]);
            }
        }
        fs::write(&journal, bytes).unwrap();
        fs::OpenOptions::new()
            .write(true)
            .open(&journal)
            .unwrap()
            .set_len(allocated)
            .unwrap();
        let (engine, repair) = LsmEngine::open(folder.path()).unwrap();
        let found = contents(&engine);
        let num = self
            .states
            .iter()
            .position(|state| *state == found)
            .expect("whole batches, from the first on");
        assert!(
            num >= NUM_SYNCED as usize,
            "{num} batches are left of {NUM_SYNCED} synced ones"
        );
        // It goes on from there, and what it then syncs stays.
        engine.write(&batch(99, &mut Random::new(99))).unwrap();
        engine.persist().unwrap();
        let after = contents(&engine);
        drop(engine);
        let (engine, again) = LsmEngine::open(folder.path()).unwrap();
        assert_eq!((contents(&engine), again), (after, None));
        (num, repair.is_some())
    }

    fn num_pages(&self) -> usize {
        self.written.len() / PAGE - self.synced.len() / PAGE + 1
    }
}

/// Without the zeros that are allocated behind, which are most of the file and would be most of the test's time.
pub(crate) fn read_trimmed(journal: &Path) -> Vec<u8> {
    let mut file = fs::File::open(journal).unwrap();
    let mut bytes = Vec::new();
    loop {
        let start = bytes.len();
        (&mut file).take(1 << 20).read_to_end(&mut bytes).unwrap();
        if bytes[start..].iter().all(|byte| *byte == 0) {
            break;
        }
    }
    let len = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(len.map_or(0, |last| last + 1));
    bytes
}

#[test]
fn a_page_missing_anywhere_in_the_unsynced_journal_costs_only_unsynced_batches() {
    let recorded = Recorded::new(1);
    let (mut num_repairs, mut found) = (0, Vec::new());
    for missing in 0..recorded.num_pages() {
        let (num, repaired) = recorded.open(|page| page != missing);
        num_repairs += usize::from(repaired);
        found.push(num);
    }
    eprintln!(
        "{} pages, {num_repairs} repairs, batches left {found:?}",
        recorded.num_pages()
    );
    assert!(recorded.num_pages() > 12 && num_repairs > 5);
    assert!(found.is_sorted());
}

#[test]
fn any_subset_of_the_unsynced_pages_leaves_whole_batches() {
    let (mut num_repairs, mut num_states, mut lengths) = (0, 0, std::collections::BTreeSet::new());
    for seed in 2..4 {
        let recorded = Recorded::new(seed);
        for state in 0..15 {
            let arrived: Vec<bool> = {
                let mut random = Random::new(seed * 1_000 + state);
                let percent = *random.pick(&[10, 50, 90, 97]);
                (0..recorded.num_pages())
                    .map(|_| random.chance(percent))
                    .collect()
            };
            let (num, repaired) = recorded.open(|page| arrived[page]);
            num_states += 1;
            num_repairs += usize::from(repaired);
            lengths.insert(num);
        }
    }
    eprintln!("{num_states} states, {num_repairs} repairs, batches left {lengths:?}");
    assert!(num_repairs > 3 && lengths.len() > 2);
}

#[test]
fn a_journal_that_is_whole_is_cut_behind_its_last_batch_only() {
    let recorded = Recorded::new(4);
    let repair = repair_journal(recorded.folder.path()).unwrap();
    assert_eq!(repair.good_len, recorded.written.len() as u64);
    assert!(repair.found_len > repair.good_len);
}

#[test]
fn a_format_from_the_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = LsmEngine::open(folder.path()).unwrap();
    let mut batch = Batch::default();
    batch.put(Space::Meta, b"format", [9]);
    engine.write(&batch).unwrap();
    drop(engine);
    let error = LsmEngine::open(folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            EngineError::Format {
                found: 9,
                supported: 3
            }
        ),
        "{error}"
    );
}

#[test]
fn a_folder_of_a_format_before_is_read_and_marked() {
    for before in [1, 2] {
        check_format_before(before);
    }
}

fn check_format_before(before: u8) {
    let folder = tempfile::tempdir().unwrap();
    let format = |engine: &LsmEngine| engine.snapshot().get(Space::Meta, b"format").unwrap();
    let (engine, _) = LsmEngine::open(folder.path()).unwrap();
    let mut batch = Batch::default();
    batch.put(Space::Meta, b"format", [before]);
    batch.put(Space::Data, b"key", b"value");
    engine.write(&batch).unwrap();
    engine.persist().unwrap();
    drop(engine);
    let (engine, _) = LsmEngine::open(folder.path()).unwrap();
    assert_eq!(format(&engine).as_deref(), Some(&[3][..]));
    let value = engine.snapshot().get(Space::Data, b"key").unwrap();
    assert_eq!(value.as_deref(), Some(&b"value"[..]));
}

/// An engine that was closed, and what it holds.
fn closed_engine(folder: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (engine, _) = LsmEngine::open(folder).unwrap();
    let mut random = Random::new(5);
    for number in 0..NUM_BATCHES {
        engine.write(&batch(number, &mut random)).unwrap();
    }
    let found = contents(&engine);
    engine.settle().unwrap();
    found
}

fn journal_bytes(folder: &Path) -> u64 {
    let journals = journals(folder).into_iter();
    journals.map(|path| fs::metadata(path).unwrap().len()).sum()
}

/// Opens a copy that the power loss left like this. Whether its journals were needed.
fn opens_with_all(
    closed: &Path,
    expected: &[(Vec<u8>, Vec<u8>)],
    lose: impl FnOnce(&Path),
) -> bool {
    let folder = tempfile::tempdir().unwrap();
    copy(closed, folder.path());
    lose(folder.path());
    let (engine, repair) = LsmEngine::open(folder.path()).unwrap();
    assert_eq!((&contents(&engine)[..], repair), (expected, None));
    assert!(!folder.path().join("SETTLED").exists());
    let were_read = journal_bytes(folder.path()) > PAGE as u64;
    // It goes on, and what it then syncs stays.
    engine.write(&batch(99, &mut Random::new(99))).unwrap();
    engine.persist().unwrap();
    let after = contents(&engine);
    drop(engine);
    let (engine, _) = LsmEngine::open(folder.path()).unwrap();
    assert_eq!(contents(&engine), after);
    were_read
}

#[test]
fn a_power_loss_while_an_engine_is_closed_or_opened_again_loses_nothing() {
    let closed = tempfile::tempdir().unwrap();
    let closed = closed.path();
    let expected = closed_engine(closed);
    let mark = fs::read(closed.join("SETTLED")).unwrap();
    // Closing: the mark has arrived, in part, or not, and its name may be there before its bytes are.
    for len in 0..=mark.len() {
        let were_read = opens_with_all(closed, &expected, |folder| {
            fs::write(folder.join("SETTLED"), &mark[..len]).unwrap();
        });
        assert_eq!(were_read, len < mark.len(), "{len} bytes of the mark");
    }
    let remove_mark = |folder: &Path| fs::remove_file(folder.join("SETTLED")).unwrap();
    assert!(opens_with_all(closed, &expected, remove_mark));
    // Opening: the journal is empty, and the mark is there or gone.
    let empty_journal = |folder: &Path| {
        let journal = journals(folder).pop().unwrap();
        fs::write(journal, b"").unwrap();
    };
    assert!(!opens_with_all(closed, &expected, empty_journal));
    let both = |folder: &Path| {
        empty_journal(folder);
        remove_mark(folder);
    };
    assert!(!opens_with_all(closed, &expected, both));
}

#[test]
fn older_journals_of_an_engine_that_was_closed_go_as_well() {
    let closed = tempfile::tempdir().unwrap();
    let closed = closed.path();
    let expected = closed_engine(closed);
    // As if fjall had begun another journal, and not got to removing this one.
    let youngest = journals(closed).pop().unwrap();
    let number: u64 = youngest
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let older = youngest.clone();
    let youngest = youngest.with_file_name(format!("{}.jnl", number + 1));
    fs::write(&youngest, b"").unwrap();
    let line = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        format!("{name} {}\n", fs::metadata(path).unwrap().len())
    };
    let (older_line, youngest_line) = (line(&older), line(&youngest));
    fs::write(
        closed.join("SETTLED"),
        format!("{older_line}{youngest_line}"),
    )
    .unwrap();
    assert!(!opens_with_all(closed, &expected, |_| {}));
    // fjall got to it after the mark was made.
    let remove_older = |folder: &Path| {
        fs::remove_file(folder.join(older.file_name().unwrap())).unwrap();
    };
    assert!(!opens_with_all(closed, &expected, remove_older));
    // One that the mark does not name is read, and all with it.
    let name_youngest_only = |folder: &Path| {
        fs::write(folder.join("SETTLED"), &youngest_line).unwrap();
    };
    assert!(opens_with_all(closed, &expected, name_youngest_only));
}
