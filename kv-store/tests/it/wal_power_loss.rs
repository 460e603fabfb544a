//! The write-ahead log after a power loss: everything acknowledged is there, in order, and nothing that was forgotten.
//!
//! A run of appends, truncations, purges, votes and fsyncs goes on a disk that loses power after each operation, and
//! after each page of a write. The log is opened on states the disk may be in, and what it holds must be what it held
//! after some record between the last one an fsync covered and the last one written.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, mpsc},
};

use kv_store::{
    disk::RealDisk,
    sim::{
        Fate::{self, Everything, Nothing, Perhaps},
        Random, SimDisk,
    },
    wal::{Entry, EntryId, GroupId, GroupState, Log, LogOptions, Wal, WalError},
};
use parking_lot::Mutex;

const FOLDER: &str = "/data/wal";
const GROUPS: u32 = 3;
const SEGMENT_BYTES: u64 = 48 * 1024;

/// States made of each crash point: which bytes and which names have arrived.
const FATES: [(Fate, Fate); 9] = [
    (Nothing, Nothing),
    (Everything, Everything),
    (Everything, Nothing),
    (Nothing, Everything),
    (Perhaps(20), Everything),
    (Perhaps(50), Perhaps(50)),
    (Perhaps(50), Nothing),
    (Perhaps(80), Perhaps(80)),
    (Perhaps(95), Everything),
];

/// One record of the log, as the model sees it.
#[derive(Debug, Clone)]
enum Change {
    Append(Entry),
    Truncate(u64),
    Purge(EntryId),
    Vote(Vec<u8>),
    Committed(EntryId),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Group {
    entries: BTreeMap<u64, Entry>,
    state: GroupState,
}

type Groups = BTreeMap<u32, Group>;

fn apply(groups: &mut Groups, id: u32, change: &Change) {
    let group = groups.entry(id).or_default();
    match change {
        Change::Append(entry) => drop(group.entries.insert(entry.id.index, entry.clone())),
        Change::Truncate(from) => drop(group.entries.split_off(from)),
        Change::Purge(upto) => {
            group.entries = group.entries.split_off(&(upto.index + 1));
            group.state.purged = Some(*upto);
        }
        Change::Vote(vote) => group.state.vote = Some(vote.clone()),
        Change::Committed(upto) => group.state.committed = Some(*upto),
    }
    let last = group.entries.values().next_back().map(|entry| entry.id);
    group.state.last = last.or(group.state.purged);
}

/// What was asked of the log so far.
#[derive(Debug, Default)]
struct Asked {
    /// What the durable records lead to.
    durable: Groups,
    /// Asked for since, oldest first.
    pending: Vec<(u32, Change)>,
}

impl Asked {
    /// Everything pending is durable: an fsync was acknowledged.
    fn acknowledge(&mut self) {
        for (group, change) in std::mem::take(&mut self.pending) {
            apply(&mut self.durable, group, &change);
        }
    }

    /// How many pending records the found state holds; `None` when it is no state the log may be in.
    fn num_found(&self, found: &Groups) -> Option<usize> {
        let mut state = self.durable.clone();
        let mut is = state == *found;
        let mut num = 0;
        for (at, (group, change)) in self.pending.iter().enumerate() {
            if is {
                break;
            }
            apply(&mut state, *group, change);
            is = state == *found;
            num = at + 1;
        }
        is.then_some(num)
    }
}

fn open(disk: &SimDisk, salt: u64) -> Result<Log, WalError> {
    let options = LogOptions {
        segment_bytes_max: SEGMENT_BYTES,
        salt,
    };
    Log::open(Arc::new(disk.clone()), Path::new(FOLDER), options)
}

fn read(log: &Log) -> Result<Groups, WalError> {
    let mut groups = Groups::new();
    for id in 0..GROUPS {
        let state = log.state(GroupId(id));
        let first = state.purged.map_or(1, |purged| purged.index + 1);
        let end = state.last.map_or(first, |last| last.index + 1);
        let entries = log.read(GroupId(id), first..end)?;
        let entries = entries
            .into_iter()
            .map(|entry| (entry.id.index, entry))
            .collect();
        let group = Group { entries, state };
        if group != Group::default() {
            groups.insert(id, group);
        }
    }
    Ok(groups)
}

#[derive(Debug, Default)]
struct Mix {
    num_points: usize,
    num_states: usize,
    /// States in which a part of the records that were not synced was there.
    num_partly: usize,
    num_entries: usize,
    num_truncations: usize,
    num_purges: usize,
    segments: BTreeSet<String>,
    violations: Vec<String>,
}

/// A long run, with the power failing at every point of it.
fn run(seed: u64, num_entries: usize, fates: &[(Fate, Fate)]) -> (Mix, SimDisk, Groups) {
    run_on(SimDisk::default(), seed, num_entries, fates)
}

fn run_on(
    disk: SimDisk,
    seed: u64,
    num_entries: usize,
    fates: &[(Fate, Fate)],
) -> (Mix, SimDisk, Groups) {
    let asked = Arc::new(Mutex::new(Asked::default()));
    let mix = Arc::new(Mutex::new(Mix::default()));
    let mut crashes = Random::new(seed ^ 0xc0ffee);
    let observed = (Arc::clone(&asked), Arc::clone(&mix));
    let fates = fates.to_vec();
    disk.observe(move |disk| {
        let (asked, mix) = (observed.0.lock(), &mut *observed.1.lock());
        mix.num_points += 1;
        for (contents, names) in &fates {
            let left = disk.after_power_loss(*contents, *names, &mut crashes);
            mix.num_states += 1;
            let found = open(&left, 2).and_then(|log| read(&log));
            let verdict = match &found {
                Ok(found) => match asked.num_found(found) {
                    Some(num) => {
                        let partly = num > 0 && num < asked.pending.len();
                        mix.num_partly += usize::from(partly);
                        continue;
                    }
                    None => "the log holds what it never held".to_owned(),
                },
                Err(error) => format!("the log does not open: {error}"),
            };
            let point = mix.num_points;
            mix.violations
                .push(format!("point {point}, {contents:?} {names:?}: {verdict}"));
        }
        for path in disk.files().keys() {
            mix.segments.insert(path.display().to_string());
        }
    });
    let mut random = Random::new(seed);
    let mut log = open(&disk, 1).unwrap();
    let mut term = 1;
    while mix.lock().num_entries < num_entries {
        step(&mut log, &mut random, &mut term, &asked, &mix);
    }
    log.sync().unwrap();
    asked.lock().acknowledge();
    log.close().unwrap();
    disk.observe(|_| {});
    let mix = std::mem::take(&mut *mix.lock());
    let model = asked.lock().durable.clone();
    (mix, disk, model)
}

fn step(
    log: &mut Log,
    random: &mut Random,
    term: &mut u64,
    asked: &Mutex<Asked>,
    mix: &Mutex<Mix>,
) {
    let id = random.below(GROUPS as usize) as u32;
    let group = GroupId(id);
    let state = log.state(group);
    let first = state.purged.map_or(1, |purged| purged.index + 1);
    let next = state.last.map_or(1, |last| last.index + 1);
    match random.below(100) {
        0..55 => {
            let num = 1 + random.below(6) as u64;
            let entries: Vec<Entry> = (next..next + num)
                .map(|index| Entry {
                    id: EntryId { term: *term, index },
                    payload: (0..random.below(200))
                        .map(|_| random.draw() as u8)
                        .collect(),
                })
                .collect();
            mix.lock().num_entries += entries.len();
            let changes = entries
                .iter()
                .cloned()
                .map(|entry| (id, Change::Append(entry)));
            asked.lock().pending.extend(changes);
            log.append(group, &entries).unwrap();
        }
        55..60 if next > first => {
            *term += 1;
            let from = first + random.below((next - first) as usize) as u64;
            let from = from.max(next.saturating_sub(8));
            mix.lock().num_truncations += 1;
            asked.lock().pending.push((id, Change::Truncate(from)));
            log.truncate(group, from).unwrap();
        }
        60..66 if next > first => {
            let keep = random.below(40) as u64;
            let index = (next - 1).saturating_sub(keep).max(first);
            let upto = log.read(group, index..index + 1).unwrap()[0].id;
            mix.lock().num_purges += 1;
            asked.lock().pending.push((id, Change::Purge(upto)));
            log.purge(group, upto).unwrap();
        }
        66..70 => {
            let vote = (0..1 + random.below(20))
                .map(|_| random.draw() as u8)
                .collect::<Vec<_>>();
            asked.lock().pending.push((id, Change::Vote(vote.clone())));
            log.save_vote(group, &vote).unwrap();
        }
        70..78 => {
            if let Some(last) = state.last {
                asked.lock().pending.push((id, Change::Committed(last)));
                log.save_committed(group, last).unwrap();
            }
        }
        78..100 => {
            log.sync().unwrap();
            asked.lock().acknowledge();
        }
        _ => {}
    }
}

#[test]
fn every_crash_point_of_a_long_run_keeps_what_was_acknowledged() {
    for seed in [1, 2] {
        let (mix, disk, model) = run(seed, 2_000, &FATES);
        eprintln!(
            "seed {seed}: {} points, {} states, {} with a part of the tail, {} entries, {} truncations, {} purges, {} segments, {} fsyncs",
            mix.num_points,
            mix.num_states,
            mix.num_partly,
            mix.num_entries,
            mix.num_truncations,
            mix.num_purges,
            mix.segments.len() - 1,
            disk.num_syncs(),
        );
        assert!(
            mix.violations.is_empty(),
            "seed {seed}: {:#?}",
            &mix.violations[..mix.violations.len().min(5)]
        );
        assert!(mix.num_entries >= 2_000 && mix.segments.len() > 4);
        assert!(mix.num_truncations > 20 && mix.num_purges > 20 && mix.num_partly > 100);
        assert_eq!(read(&open(&disk.after_kill(), 3).unwrap()).unwrap(), model);
    }
}

#[test]
fn mutant_a_disk_that_lies_about_fsyncs_is_noticed() {
    let disk = SimDisk::default();
    // The first segment's header is honest, so that there is a log to open.
    open(&disk, 1).unwrap().close().unwrap();
    disk.lie_about_syncs();
    let (mix, ..) = run_on(disk, 1, 100, &FATES);
    assert!(!mix.violations.is_empty());
}

#[test]
fn a_changed_bit_anywhere_in_a_closed_log_is_refused_by_file_and_place() {
    let (_, disk, model) = run(7, 600, &[]);
    let mut random = Random::new(7);
    let (mut num_flips, mut num_files) = (0, 0);
    for (path, bytes) in disk.files() {
        num_files += 1;
        // The last record vouches for all before it, and nothing for itself.
        let is_last = disk.files().keys().next_back() == Some(&path);
        let vouched = if is_last {
            bytes.len() - 40
        } else {
            bytes.len()
        };
        for start in (0..vouched).step_by(256) {
            let byte = start + random.below(256.min(vouched - start));
            let changed = disk.with_flipped_bit(&path, byte, random.below(8) as u32);
            num_flips += 1;
            match open(&changed, 3) {
                Err(WalError::Damaged {
                    path: named,
                    offset,
                    ..
                }) => {
                    assert_eq!(named, path, "byte {byte}");
                    let distance = (byte as u64)
                        .checked_sub(offset)
                        .expect("it begins before the bit");
                    assert!(distance < 4096, "byte {byte}, told {offset}");
                }
                Err(other) => panic!("{}, byte {byte}: {other}", path.display()),
                Ok(log) => {
                    assert_eq!(read(&log).unwrap(), model);
                    panic!("{}, byte {byte}: not noticed", path.display());
                }
            }
        }
    }
    eprintln!("{num_flips} flips in {num_files} files");
    assert!(num_flips > 300 && num_files >= 2);
}

#[test]
fn a_log_that_lost_a_whole_segment_is_refused() {
    use kv_store::disk::Disk;
    let disk = SimDisk::default();
    let mut log = open(&disk, 1).unwrap();
    for index in 1..=2_000 {
        let entry = Entry {
            id: EntryId { term: 1, index },
            payload: vec![7; 64].into(),
        };
        log.append(GroupId(0), &[entry]).unwrap();
    }
    log.close().unwrap();
    let paths: Vec<_> = disk.files().into_keys().collect();
    assert!(paths.len() >= 3);
    let middle = disk.after_kill();
    middle.remove_file(&paths[1]).unwrap();
    assert!(matches!(
        open(&middle, 2),
        Err(WalError::MissingSegment { segment: 2, .. })
    ));
}

#[test]
fn crashes_one_after_another_lose_nothing_that_was_acknowledged() {
    let mut random = Random::new(3);
    let mut disk = SimDisk::default();
    let mut asked = Asked::default();
    let mut mix = Mix::default();
    let mut term = 1;
    for round in 0..200 {
        let mut log = open(&disk, round + 1).unwrap_or_else(|e| panic!("round {round}: {e}"));
        let found = read(&log).unwrap();
        let num = asked
            .num_found(&found)
            .unwrap_or_else(|| panic!("round {round}: not what was there"));
        // What was found counts as durable: the log made it so.
        asked.pending.truncate(num);
        asked.acknowledge();
        let (shared, mixed) = (Mutex::new(asked), Mutex::new(mix));
        for _ in 0..random.below(40) {
            step(&mut log, &mut random, &mut term, &shared, &mixed);
        }
        (asked, mix) = (shared.into_inner(), mixed.into_inner());
        let percent = random.below(101) as u64;
        disk = if random.chance(20) {
            disk.after_kill()
        } else {
            disk.after_power_loss(Perhaps(percent), Perhaps(percent), &mut random)
        };
    }
    eprintln!(
        "200 crashes, {} entries, {} truncations, {} purges",
        mix.num_entries, mix.num_truncations, mix.num_purges
    );
    assert!(mix.num_entries > 2_000 && mix.num_purges > 50);
}

#[test]
fn many_appends_share_an_fsync_and_are_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal");
    let options = LogOptions {
        segment_bytes_max: 64 * 1024,
        salt: 1,
    };
    let entry = |index| Entry {
        id: EntryId { term: 1, index },
        payload: vec![index as u8; 100].into(),
    };
    let wal = Wal::open(Arc::new(RealDisk), &path, options).unwrap();
    wal.save_vote(GroupId(1), b"me").unwrap();
    let (sender, receiver) = mpsc::channel();
    for index in 1..=2_000 {
        let sender = sender.clone();
        wal.append(GroupId(1), &[entry(index)], move |result| {
            sender.send((index, result)).unwrap()
        })
        .unwrap();
        assert_eq!(
            wal.read(GroupId(1), index..index + 1).unwrap(),
            [entry(index)]
        );
    }
    drop(sender);
    let answers: Vec<u64> = receiver
        .iter()
        .map(|(index, result)| {
            result.unwrap();
            index
        })
        .collect();
    assert!(
        answers.iter().copied().eq(1..=2_000),
        "callbacks come in order, one each"
    );
    assert!(wal.num_syncs() < 2_000);
    drop(wal);
    let wal = Wal::open(Arc::new(RealDisk), &path, options).unwrap();
    assert_eq!(wal.state(GroupId(1)).vote.as_deref(), Some(&b"me"[..]));
    let all = wal.read(GroupId(1), 1..2_001).unwrap();
    assert!(all.into_iter().eq((1..=2_000).map(entry)));
    let upto = EntryId {
        term: 1,
        index: 2_000,
    };
    wal.purge(GroupId(1), upto).unwrap();
    wal.save_vote(GroupId(1), b"you").unwrap();
    drop(wal);
    let wal = Wal::open(Arc::new(RealDisk), &path, options).unwrap();
    let state = wal.state(GroupId(1));
    assert_eq!(
        (state.purged, state.last, state.vote.as_deref()),
        (Some(upto), Some(upto), Some(&b"you"[..]))
    );
    let num_files = std::fs::read_dir(&path).unwrap().count();
    assert!(num_files <= 3, "{num_files} files hold nothing");
}
