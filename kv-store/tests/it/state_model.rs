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
    sim::{ModelEngine, Random},
    txn::{
        AtomicOp, Command, EntryOutcome, Feed, FeedError, KEYS_END, KeyRange, Mutation, Outcome,
        TxnId, VALUE_BYTES_MAX, apply, decode_entry, encode_entry, last_applied, outcome,
        watermark,
    },
    wal::EntryId,
};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Every state there was, by the version that made it.
#[derive(Default)]
struct Model {
    states: Vec<(Version, Map)>,
    changes: Vec<Change>,
    outcomes: BTreeMap<TxnId, Outcome>,
    watermark: Version,
}

impl Model {
    fn at(&self, version: Version) -> Map {
        let num = self.states.partition_point(|(made, _)| *made <= version);
        num.checked_sub(1)
            .map_or_else(Map::new, |at| self.states[at].1.clone())
    }

    fn commit(&mut self, version: Version, mutations: &[Mutation]) {
        let before = self.at(Version::MAX);
        let mut after = before.clone();
        let mut written = BTreeMap::new();
        for mutation in mutations {
            for (key, value) in effects(&after, mutation, version) {
                match &value {
                    Some(value) => drop(after.insert(key.clone(), value.clone())),
                    None => drop(after.remove(&key)),
                }
                written.insert(key, value);
            }
        }
        self.states.push((version, after));
        let changes = written.into_iter().map(|(key, value)| Change {
            version,
            key,
            value,
        });
        self.changes.extend(changes);
    }
}

/// What a mutation does, written down once more and as plainly as can be.
fn effects(map: &Map, mutation: &Mutation, version: Version) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let stamp = |bytes: &[u8], offset: usize| {
        [&bytes[..offset], &version.to_bytes(), &bytes[offset + 12..]].concat()
    };
    match mutation {
        Mutation::Set { key, value } => vec![(key.clone(), Some(value.clone()))],
        Mutation::Clear { key } => map
            .get(key)
            .map(|_| (key.clone(), None))
            .into_iter()
            .collect(),
        Mutation::ClearRange { range } => {
            let inside = map.keys().filter(|key| range.contains(key));
            inside.map(|key| (key.clone(), None)).collect()
        }
        Mutation::SetVersionstampedKey { key, offset, value } => {
            vec![(stamp(key, *offset), Some(value.clone()))]
        }
        Mutation::SetVersionstampedValue { key, value, offset } => {
            vec![(key.clone(), Some(stamp(value, *offset)))]
        }
        Mutation::Atomic { op, key, operand } => {
            let before = map.get(key);
            let number = |bytes: &[u8]| {
                let mut wide = [0; 8];
                let len = bytes.len().min(operand.len()).min(8);
                wide[..len].copy_from_slice(&bytes[..len]);
                u64::from_le_bytes(wide)
            };
            let old = before.map_or(0, |bytes| number(bytes));
            let new = number(operand);
            let number = match op {
                AtomicOp::Add => old.wrapping_add(new),
                AtomicOp::BitAnd if before.is_none() => new,
                AtomicOp::BitAnd => old & new,
                AtomicOp::BitOr => old | new,
                AtomicOp::BitXor => old ^ new,
                AtomicOp::Min if before.is_none() => new,
                AtomicOp::Min => old.min(new),
                AtomicOp::Max => old.max(new),
                AtomicOp::AppendIfFits => {
                    let both = [before.map_or(&[][..], Vec::as_slice), operand].concat();
                    let fits = both.len() <= VALUE_BYTES_MAX;
                    return vec![(key.clone(), if fits { Some(both) } else { before.cloned() })];
                }
                AtomicOp::CompareAndClear => {
                    let after = before.filter(|value| *value != operand);
                    return before
                        .map(|_| (key.clone(), after.cloned()))
                        .into_iter()
                        .collect();
                }
            };
            vec![(
                key.clone(),
                Some(number.to_le_bytes()[..operand.len()].to_vec()),
            )]
        }
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
            let mut id = [0; 16];
            id[..8].copy_from_slice(&random.draw().to_be_bytes());
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
            let applied = apply(&*snapshot, &mut batch, id, &commands).unwrap();
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
                map.get(&key).cloned(),
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
        match self.feed.since(snapshot, &range, after) {
            Ok((found, upto)) => {
                assert_eq!(upto, Version::end_of_entry(self.index));
                let all = self.model.changes.iter();
                let expected =
                    all.filter(|change| change.version > after && range.contains(&change.key));
                assert!(found.iter().eq(expected), "after {after}");
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

fn resolved(map: &Map, selector: &KeySelector) -> Vec<u8> {
    let is_before = |key: &Vec<u8>| {
        if selector.or_equal {
            *key <= selector.key
        } else {
            *key < selector.key
        }
    };
    let num_before = map.keys().filter(|key| is_before(key)).count() as i64;
    let place = num_before + i64::from(selector.offset) - 1;
    match usize::try_from(place) {
        Err(_) => Vec::new(),
        Ok(place) => map
            .keys()
            .nth(place)
            .cloned()
            .unwrap_or_else(|| KEYS_END.to_vec()),
    }
}

fn check_selector(snapshot: &dyn Reader, map: &Map, at: Version, random: &mut Random) {
    let selector = any_selector(random);
    let (key, seen) = resolve(snapshot, &selector, at).unwrap();
    assert_eq!(key, resolved(map, &selector), "{selector:?} at {at}");
    // Whatever happens outside of what was seen, the answer stays.
    let inside: Map = map
        .iter()
        .filter(|(key, _)| seen.contains(key))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    assert_eq!(
        resolved(&inside, &selector),
        key,
        "{selector:?} saw {seen:?}"
    );
}

fn check_range(snapshot: &dyn Reader, map: &Map, at: Version, random: &mut Random) {
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
    assert_eq!(rows, expected_rows(map, &query), "{query:?} at {at}");
    let inside: Map = map
        .iter()
        .filter(|(key, _)| found.read.iter().any(|range| range.contains(key)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    assert_eq!(
        expected_rows(&inside, &query),
        rows,
        "{query:?} read {:?}",
        found.read
    );
}

fn expected_rows(map: &Map, query: &RangeQuery) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (begin, end) = (resolved(map, &query.begin), resolved(map, &query.end));
    let inside = map.iter().filter(|(key, _)| begin <= **key && **key < end);
    let mut rows: Vec<_> = inside
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if query.direction == Direction::Reverse {
        rows.reverse();
    }
    rows.truncate(query.limit);
    rows
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
    }
    eprintln!("{total:?}");
    if std::env::var("KV_SEED").is_err() {
        assert!(total.commits > 5_000 && total.aborts > 100 && total.repeats > 500);
        assert!(total.other_terms > 100 && total.gcs > 100 && total.collected > 100);
        assert!(total.reads > 1_000 && total.compacted_feeds > 50);
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
    apply(&*run.engine.snapshot(), &mut batch, id, &[clear, gc]).unwrap();
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
    assert_eq!(left, [&b"applied"[..], b"format", b"watermark"]);
}
