//! Log and engine together, on real files: what a torn journal costs the engine, the log gives back.
//!
//! Entries are appended, synced and applied; now and then the engine syncs, and the log is purged up to there. Then the
//! power fails, and the engine's journal keeps its synced part and all of the rest but one page.

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
};

use kv_store::{
    Version,
    applier::{Applier, ApplyError},
    disk::RealDisk,
    engine::{Direction, Engine, LsmEngine},
    mvcc::read::rows,
    sim::{ModelMap, Random},
    txn::{Command, KEYS_END, Mutation, TxnId, encode_entry},
    wal::{Entry, EntryId, GroupId, LogOptions, Wal},
};

use crate::engine_power_loss::{PAGE, copy, journals, read_trimmed};

const GROUP: GroupId = GroupId(1);
const FEED_BYTES: usize = 10_000;
const NUM_ENTRIES: u64 = 30;

fn open_log(folder: &Path) -> Wal {
    let options = LogOptions {
        segment_bytes_max: 64 * 1024,
        salt: 7,
    };
    Wal::open(Arc::new(RealDisk), &folder.join("wal"), options).unwrap()
}

fn any_entry(index: u64, model: &mut ModelMap, random: &mut Random) -> Entry {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&index.to_be_bytes());
    let mutations: Vec<_> = (0..1 + random.below(4))
        .map(|_| {
            let key = vec![b'k', random.below(40) as u8];
            if random.chance(20) {
                return Mutation::Clear { key };
            }
            let len = random.below(30_000);
            let value = (0..len).map(|_| random.draw() as u8).collect();
            Mutation::Set { key, value }
        })
        .collect();
    model.commit(
        Version {
            epoch: 0,
            index,
            position: 0,
        },
        &mutations,
    );
    let commit = Command::Commit {
        term: 1,
        id: TxnId(id),
        mutations,
    };
    Entry {
        id: EntryId { term: 1, index },
        payload: encode_entry(&[commit]).into(),
    }
}

fn append(log: &Wal, entry: Entry) {
    let (sender, receiver) = mpsc::channel();
    log.append(GROUP, &[entry], move |result| sender.send(result).unwrap())
        .unwrap();
    receiver.recv().unwrap().unwrap();
}

fn contents(engine: &LsmEngine) -> ModelMap {
    let snapshot = engine.snapshot();
    let all = rows(&*snapshot, &[]..KEYS_END, Version::MAX, Direction::Forward);
    ModelMap(
        all.map(|row| row.unwrap())
            .map(|row| (row.key, row.value))
            .collect(),
    )
}

/// The files as a crash leaves them, what the journal held at the last sync, and the state that was acknowledged.
fn crashed(seed: u64, crash: &Path) -> (Vec<u8>, ModelMap, u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed);
    let mut model = ModelMap::default();
    let log = open_log(folder.path());
    let engine_folder = folder.path().join("engine");
    let (engine, _) = LsmEngine::open(&engine_folder).unwrap();
    let mut applier = Applier::open(engine, None, FEED_BYTES).unwrap();
    let journal = journals(&engine_folder).pop().unwrap();
    let mut synced = Vec::new();
    for index in 1..=NUM_ENTRIES {
        let entry = any_entry(index, &mut model, &mut random);
        append(&log, entry.clone());
        applier.apply(&[entry]).unwrap();
        if index % 10 == 0 && index < NUM_ENTRIES {
            applier.persist().unwrap();
            synced = read_trimmed(&journal);
            log.purge(GROUP, applier.purgeable().unwrap()).unwrap();
        }
    }
    let purged = applier.purgeable().unwrap().index;
    copy(folder.path(), crash);
    (synced, model, purged)
}

/// Leaves of the journal its first bytes, and of the pages behind them those that arrived.
fn tear(crash: &Path, kept: &[u8], mut arrives: impl FnMut() -> bool) {
    let journal = journals(&crash.join("engine")).pop().unwrap();
    let mut bytes = read_trimmed(&journal);
    for start in (0..bytes.len()).step_by(PAGE) {
        let range = start.max(kept.len())..(start + PAGE).min(bytes.len());
        if range.start < range.end && !arrives() {
            bytes[range].fill(0);
        }
    }
    fs::write(&journal, bytes).unwrap();
}

#[test]
fn the_log_replays_what_a_torn_journal_lost() {
    let (mut num_repairs, mut num_replayed) = (0, 0);
    for seed in 0..10 {
        let crash = tempfile::tempdir().unwrap();
        let (synced, model, _) = crashed(seed, crash.path());
        let missing = Random::new(seed).below(20);
        let mut page = 0;
        tear(crash.path(), &synced, || {
            page += 1;
            page - 1 != missing
        });
        let log = open_log(crash.path());
        let (engine, repair) = LsmEngine::open(&crash.path().join("engine")).unwrap();
        num_repairs += usize::from(repair.is_some());
        let state = log.state(GROUP);
        let mut applier = Applier::open(engine, state.purged, FEED_BYTES).unwrap();
        let next = applier.last_applied().unwrap().index + 1;
        let last = state.last.unwrap().index;
        num_replayed += last + 1 - next;
        let entries = log.read(GROUP, next..last + 1).unwrap();
        applier.apply(&entries).unwrap();
        assert_eq!(last, NUM_ENTRIES, "seed {seed}");
        assert!(
            contents(applier.engine()) == model,
            "seed {seed}: the state differs"
        );
    }
    eprintln!("10 crashes, {num_repairs} repairs, {num_replayed} entries replayed");
    assert!(num_repairs > 2 && num_replayed > 20);
}

#[test]
fn an_engine_that_lost_more_than_the_log_has_is_refused() {
    let crash = tempfile::tempdir().unwrap();
    let (synced, _, purged) = crashed(3, crash.path());
    // Not a power loss: half of what was synced is gone.
    tear(crash.path(), &synced[..synced.len() / 2], || false);
    let log = open_log(crash.path());
    let (engine, _) = LsmEngine::open(&crash.path().join("engine")).unwrap();
    match Applier::open(engine, log.state(GROUP).purged, FEED_BYTES) {
        Err(ApplyError::BehindLog {
            applied,
            purged: at,
        }) => {
            assert!(applied < at && at == purged);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_out_of_order_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = LsmEngine::open(folder.path()).unwrap();
    let mut applier = Applier::open(engine, None, FEED_BYTES).unwrap();
    let entry = |index| any_entry(index, &mut ModelMap::default(), &mut Random::new(index));
    applier.apply(&[entry(1)]).unwrap();
    for wrong in [1, 3] {
        let error = applier.apply(&[entry(wrong)]).unwrap_err();
        assert!(
            matches!(error, ApplyError::Gap { expected: 2, .. }),
            "{error}"
        );
    }
}
