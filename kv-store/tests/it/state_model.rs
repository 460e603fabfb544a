//! Versions, ranges, selectors, atomic operations, outcomes and garbage collection against a model that keeps
//! every state there ever was as a map.
//!
//! Replay one seed with `KV_SEED=<n> cargo test -p kv-store --test it state_model`.

use std::collections::BTreeMap;

use kv_store::{
    Version,
    engine::{Batch, Direction, Engine, LsmEngine, Reader},
    mvcc::{
        changes::Change,
        gc, read,
        selector::{KeySelector, RangeQuery, get_range, resolve},
    },
    sim::{ModelEngine, ModelMap, Random},
    txn::{
        AtomicOp, Command, EntryOutcome, Feed, FeedError, KEYS_END, KeyRange, Mutation, Outcome,
        Recent, TxnId, apply, decode_entry, encode_entry, last_applied, outcome, watermark,
    },
    wal::EntryId,
};

/// Every state there was, by the version that made it.
#[derive(Default)]
struct Model {
    states: Vec<(Version, ModelMap)>,
    changes: Vec<Change>,
    outcomes: BTreeMap<TxnId, Outcome>,
    watermark: Version,
}

impl Model {
    fn at(&self, version: Version) -> ModelMap {
        let num = self.states.partition_point(|(made, _)| *made <= version);
        num.checked_sub(1)
            .map_or_else(ModelMap::default, |at| self.states[at].1.clone())
    }

    fn commit(&mut self, version: Version, mutations: &[Mutation]) {
        let mut map = self.at(Version::MAX);
        self.changes.extend(map.commit(version, mutations));
        self.states.push((version, map));
    }
}

fn any_key(random: &mut Random) -> Vec<u8> {
    let len = random.below(4);
    (0..len)
        .map(|_| *random.pick(&[0, 1, b'a', b'b', 0xfe]))
        .collect()
}

fn any_range(random: &mut Random) -> KeyRange {
    let (a, b) = (any_key(random), any_key(random));
    let end = if random.chance(20) {
        KEYS_END.to_vec()
    } else {
        a.clone().max(b.clone())
    };
    KeyRange {
        begin: a.min(b),
        end,
    }
}

fn any_mutation(random: &mut Random) -> Mutation {
    let bytes =
        |random: &mut Random, len: usize| (0..len).map(|_| random.draw() as u8).collect::<Vec<_>>();
    let key = any_key(random);
    match random.below(16) {
        0..5 => {
            let len = random.below(6);
            Mutation::Set {
                key,
                value: bytes(random, len),
            }
        }
        5..7 => Mutation::Clear { key },
        7 => Mutation::ClearRange {
            range: any_range(random),
        },
        8 => Mutation::SetVersionstampedKey {
            key: [b"b", &[0; 12][..], &key].concat(),
            offset: 1,
            value: key,
        },
        9 => Mutation::SetVersionstampedValue {
            value: [&key, &[0; 12][..]].concat(),
            offset: key.len(),
            key,
        },
        10 => Mutation::Atomic {
            op: AtomicOp::AppendIfFits,
            key,
            operand: bytes(random, 60_000),
        },
        _ => {
            let ops = [
                AtomicOp::Add,
                AtomicOp::BitAnd,
                AtomicOp::BitOr,
                AtomicOp::BitXor,
                AtomicOp::Min,
                AtomicOp::Max,
                AtomicOp::AppendIfFits,
                AtomicOp::CompareAndClear,
            ];
            let len = 1 + random.below(3);
            Mutation::Atomic {
                op: *random.pick(&ops),
                key,
                operand: bytes(random, len),
            }
        }
    }
}

#[derive(Debug, Default)]
struct Mix {
    commits: usize,
    aborts: usize,
    repeats: usize,
    other_terms: usize,
    gcs: usize,
    collected: usize,
    reads: usize,
    compacted_feeds: usize,
    cut_feeds: usize,
}

struct Run<E> {
    engine: E,
    model: Model,
    feed: Feed,
    index: u64,
    ids: Vec<TxnId>,
    mix: Mix,
}

impl<E: Engine> Run<E> {
    fn new(engine: E) -> Self {
        Self {
            engine,
            model: Model::default(),
            feed: Feed::new(Version::MIN, 2_000),
            index: 0,
            ids: Vec::new(),
            mix: Mix::default(),
        }
    }

    fn any_command(&mut self, random: &mut Random) -> Command {
        let id = if random.chance(15) && !self.ids.is_empty() {
            *random.pick(&self.ids)
        } else {
            // Times of clocks that are a little wrong, some of them very.
            let wrong = *random.pick(&[0, 0, 0, 7, 300, 1_000, 1_001, 5_000]);
            let mut id = [0; 16];
            id[..6].copy_from_slice(&(40 * self.index + wrong).to_be_bytes()[2..]);
            id[6..14].copy_from_slice(&random.draw().to_be_bytes());
            TxnId(id)
        };
        match random.below(12) {
            0 => {
                self.ids.push(id);
                Command::AskOutcome { id }
            }
            1 => Command::Gc {
                watermark: Version::end_of_entry(
                    self.index.saturating_sub(random.below(12) as u64),
                ),
                outcomes_below: Version::MIN,
            },
            _ => {
                self.ids.push(id);
                Command::Commit {
                    term: if random.chance(10) { 6 } else { 7 },
                    id,
                    mutations: (0..1 + random.below(4))
                        .map(|_| any_mutation(random))
                        .collect(),
                }
            }
        }
    }

    fn expect(&mut self, version: Version, command: &Command) -> EntryOutcome {
        match command {
            Command::Commit { term: 6, .. } => {
                self.mix.other_terms += 1;
                EntryOutcome::OtherTerm
            }
            Command::Commit { id, .. } | Command::AskOutcome { id }
                if self.model.outcomes.contains_key(id) =>
            {
                self.mix.repeats += 1;
                EntryOutcome::Outcome(self.model.outcomes[id])
            }
            Command::Commit { id, mutations, .. } => {
                self.mix.commits += 1;
                self.model.commit(version, mutations);
                self.model.outcomes.insert(*id, Outcome::Committed(version));
                EntryOutcome::Outcome(Outcome::Committed(version))
            }
            Command::AskOutcome { id } => {
                self.mix.aborts += 1;
                self.model.outcomes.insert(*id, Outcome::Aborted(version));
                EntryOutcome::Outcome(Outcome::Aborted(version))
            }
            Command::Gc { watermark, .. } => {
                self.mix.gcs += 1;
                self.model.watermark = self.model.watermark.max(*watermark);
                EntryOutcome::Watermark(self.model.watermark)
            }
        }
    }

    fn apply_some_entries(&mut self, random: &mut Random) {
        let mut batch = Batch::default();
        let mut news = Vec::new();
        let snapshot = self.engine.snapshot();
        let mut recent = Recent::of(&*snapshot).unwrap();
        for _ in 0..1 + random.below(3) {
            self.index += 1;
            let commands: Vec<_> = (0..random.below(4))
                .map(|_| self.any_command(random))
                .collect();
            let commands = decode_entry(&encode_entry(&commands)).unwrap();
            let id = EntryId {
                term: 7,
                index: self.index,
            };
            let applied = apply(&*snapshot, &mut batch, id, &commands, &mut recent).unwrap();
            let num_changes = self.model.changes.len();
            for (position, command) in commands.iter().enumerate() {
                let version = Version {
                    epoch: 0,
                    index: self.index,
                    position: position as u16,
                };
                assert_eq!(applied.outcomes[position], self.expect(version, command));
            }
            assert_eq!(applied.changes, self.model.changes[num_changes..]);
            news.extend(applied.changes);
        }
        self.engine.write(&batch).unwrap();
        self.feed.push(Version::end_of_entry(self.index), news);
        let id = EntryId {
            term: 7,
            index: self.index,
        };
        assert_eq!(last_applied(&*self.engine.snapshot()).unwrap(), Some(id));
    }

    fn collect(&mut self) {
        let collectable = self.engine.take_collectable();
        let snapshot = self.engine.snapshot();
        let mut batch = Batch::default();
        for prefix in collectable {
            gc::collect(&*snapshot, &mut batch, &prefix, self.model.watermark).unwrap();
        }
        self.mix.collected += batch.iter().count();
        self.engine.write(&batch).unwrap();
        self.engine.set_watermark(self.model.watermark);
    }

    fn read(&mut self, random: &mut Random) {
        let snapshot = self.engine.snapshot();
        assert_eq!(watermark(&*snapshot).unwrap(), self.model.watermark);
        let oldest = self.model.watermark.index;
        let index = oldest + random.below((self.index - oldest) as usize + 1) as u64;
        let at = Version {
            epoch: 0,
            index,
            position: *random.pick(&[0, 1, u16::MAX]),
        };
        let at = at.max(self.model.watermark);
        let map = self.model.at(at);
        self.mix.reads += 1;
        for _ in 0..4 {
            let key = any_key(random);
            assert_eq!(
                read::get(&*snapshot, &key, at).unwrap(),
                map.0.get(&key).cloned(),
                "{key:?} at {at}"
            );
        }
        check_selector(&*snapshot, &map, at, random);
        check_range(&*snapshot, &map, at, random);
        for id in self.ids.iter().rev().take(3) {
            let known = outcome(&*snapshot, *id).unwrap();
            assert_eq!(known, self.model.outcomes.get(id).copied());
        }
        self.check_feed(&*snapshot, random);
    }

    fn check_feed(&mut self, snapshot: &dyn Reader, random: &mut Random) {
        let range = any_range(random);
        let after = Version::end_of_entry(random.below(self.index as usize + 1) as u64);
        let bytes_max = *random.pick(&[1, 500, usize::MAX]);
        match self.feed.since(snapshot, &range, after, bytes_max) {
            Ok((found, upto)) => {
                let newest = Version::end_of_entry(self.index);
                let all = self.model.changes.iter();
                let expected = all.filter(|change| {
                    change.version > after && change.version <= upto && range.contains(&change.key)
                });
                assert!(found.iter().eq(expected), "after {after} up to {upto}");
                if upto != newest {
                    // It was enough without the last version, or that alone is more.
                    let bytes =
                        |found: &[Change]| found.iter().map(Change::num_bytes).sum::<usize>();
                    let before = found.partition_point(|change| change.version < upto);
                    assert!(upto > after && upto < newest && before < found.len());
                    assert!(bytes(&found) >= bytes_max && bytes(&found[..before]) < bytes_max);
                    self.mix.cut_feeds += 1;
                }
            }
            Err(FeedError::Compacted { .. }) => {
                self.mix.compacted_feeds += 1;
                assert!(after < self.model.watermark);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

fn any_selector(random: &mut Random) -> KeySelector {
    let key = any_key(random);
    match random.below(5) {
        0 => KeySelector::first_at_or_after(key),
        1 => KeySelector::first_after(key),
        2 => KeySelector::last_before(key),
        3 => KeySelector::last_at_or_before(key),
        _ => KeySelector::first_at_or_after(key).plus(random.below(7) as i32 - 3),
    }
}

fn check_selector(snapshot: &dyn Reader, map: &ModelMap, at: Version, random: &mut Random) {
    let selector = any_selector(random);
    let (key, seen) = resolve(snapshot, &selector, at).unwrap();
    assert_eq!(key, map.resolve(&selector), "{selector:?} at {at}");
    // Whatever happens outside of what was seen, the answer stays.
    let inside = map
        .0
        .iter()
        .filter(|(key, _)| seen.contains(key))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let inside = ModelMap(inside);
    assert_eq!(inside.resolve(&selector), key, "{selector:?} saw {seen:?}");
}

fn check_range(snapshot: &dyn Reader, map: &ModelMap, at: Version, random: &mut Random) {
    let query = RangeQuery {
        begin: any_selector(random),
        end: any_selector(random),
        limit: *random.pick(&[0, 1, 2, 5, usize::MAX]),
        direction: *random.pick(&[Direction::Forward, Direction::Reverse]),
    };
    let found = get_range(snapshot, &query, at).unwrap();
    let rows: Vec<_> = found
        .rows
        .iter()
        .map(|row| (row.key.clone(), row.value.clone()))
        .collect();
    assert_eq!(rows, map.rows(&query), "{query:?} at {at}");
    let inside = map
        .0
        .iter()
        .filter(|(key, _)| found.read.iter().any(|range| range.contains(key)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let inside = ModelMap(inside);
    assert_eq!(inside.rows(&query), rows, "{query:?} read {:?}", found.read);
}

fn seeds(num: u64) -> Vec<u64> {
    match std::env::var("KV_SEED") {
        Ok(seed) => vec![seed.parse().expect("KV_SEED is a number")],
        Err(_) => (0..num).collect(),
    }
}

#[test]
fn every_read_at_every_version_is_what_the_model_says() {
    let mut total = Mix::default();
    for seed in seeds(60) {
        eprintln!("seed {seed}");
        let mut random = Random::new(seed);
        let mut run = Run::new(ModelEngine::default());
        for _ in 0..150 {
            match random.below(8) {
                0..4 => run.apply_some_entries(&mut random),
                4 => {
                    run.engine.flush();
                    run.engine.compact(&mut random);
                }
                5 => run.collect(),
                _ => run.read(&mut random),
            }
        }
        total.commits += run.mix.commits;
        total.aborts += run.mix.aborts;
        total.repeats += run.mix.repeats;
        total.other_terms += run.mix.other_terms;
        total.gcs += run.mix.gcs;
        total.collected += run.mix.collected;
        total.reads += run.mix.reads;
        total.compacted_feeds += run.mix.compacted_feeds;
        total.cut_feeds += run.mix.cut_feeds;
    }
    eprintln!("{total:?}");
    if std::env::var("KV_SEED").is_err() {
        assert!(total.commits > 5_000 && total.aborts > 100 && total.repeats > 500);
        assert!(total.other_terms > 100 && total.gcs > 100 && total.collected > 100);
        assert!(total.reads > 1_000 && total.compacted_feeds > 50 && total.cut_feeds > 50);
    }
}

#[test]
fn the_engine_on_disk_answers_like_the_model_and_lets_deleted_keys_go() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, repair) = LsmEngine::open(folder.path()).unwrap();
    assert_eq!(repair, None);
    let mut random = Random::new(5);
    let mut run = Run::new(engine);
    for round in 0..300 {
        run.apply_some_entries(&mut random);
        run.read(&mut random);
        if round % 60 == 59 {
            run.collect();
            run.engine.compact().unwrap();
            run.collect();
        }
    }
    eprintln!("{:?}", run.mix);
    assert!(run.mix.commits > 500 && run.mix.collected > 50);
    // After the last key is cleared and everything is collected, nothing is left of the data.
    run.index += 1;
    let everything = Mutation::ClearRange {
        range: KeyRange {
            begin: Vec::new(),
            end: KEYS_END.to_vec(),
        },
    };
    let clear = Command::Commit {
        term: 7,
        id: TxnId([0xee; 16]),
        mutations: vec![everything],
    };
    let gc = Command::Gc {
        watermark: Version::end_of_entry(run.index),
        outcomes_below: Version::end_of_entry(run.index + 1),
    };
    let mut batch = Batch::default();
    let id = EntryId {
        term: 7,
        index: run.index,
    };
    let snapshot = run.engine.snapshot();
    let mut recent = Recent::of(&*snapshot).unwrap();
    apply(&*snapshot, &mut batch, id, &[clear, gc], &mut recent).unwrap();
    run.engine.write(&batch).unwrap();
    run.model.watermark = Version::end_of_entry(run.index);
    run.collect();
    run.engine.compact().unwrap();
    run.collect();
    let snapshot = run.engine.snapshot();
    let data = snapshot.scan(
        kv_store::engine::Space::Data,
        &[]..&[0xff],
        Direction::Forward,
    );
    assert_eq!(data.count(), 0);
    let meta = snapshot.scan(
        kv_store::engine::Space::Meta,
        &[]..&[0xff],
        Direction::Forward,
    );
    let left: Vec<_> = meta.map(|pair| pair.unwrap().0).collect();
    let [applied, format, last_outcomes, watermark] = &left[..] else {
        panic!("more is left: {left:?}");
    };
    assert_eq!(
        [&applied[..], format, watermark],
        [&b"applied"[..], b"format", b"watermark"]
    );
    assert_eq!(last_outcomes[0], b'g');
}
