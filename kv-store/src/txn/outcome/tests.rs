use std::collections::BTreeMap;

use super::*;
use crate::{
    engine::Engine,
    sim::{ModelEngine, Random},
};

fn at(index: u64, position: u16) -> Version {
    Version {
        epoch: 0,
        index,
        position,
    }
}

fn id(time: u64, number: u64) -> TxnId {
    let mut id = [0; ID_LEN];
    id[..6].copy_from_slice(&time.to_be_bytes()[2..]);
    id[8..].copy_from_slice(&number.to_be_bytes());
    TxnId(id)
}

fn recent(engine: &ModelEngine) -> Recent {
    Recent::of(&*engine.snapshot()).unwrap()
}

/// How many records begin with a letter.
fn records(engine: &ModelEngine, letter: u8) -> usize {
    let snapshot = engine.snapshot();
    snapshot
        .scan(Space::Meta, &[letter]..&[letter + 1], Direction::Forward)
        .count()
}

#[test]
fn an_entry_has_one_record_and_late_ids_one_each() {
    let engine = ModelEngine::default();
    let mut recent = recent(&engine);
    let mut batch = Batch::default();
    let mut recorded = Recorded::new(&mut recent);
    // In both directions of time, a leap, and two that are late since.
    let times = [5_000, 5_900, 5_000, 9_000, 8_000, 7_999, 5_000];
    for (position, time) in (0..).zip(times) {
        let committed = Outcome::Committed(at(1, position));
        recorded.add(&mut batch, id(time, position.into()), committed);
    }
    recorded.finish(&mut batch);
    engine.write(&batch).unwrap();
    let kinds = [group::GROUP, OF_ID, BY_AGE];
    assert_eq!(kinds.map(|kind| records(&engine, kind)), [2, 2, 1]);
    let snapshot = engine.snapshot();
    for (position, time) in (0..).zip(times) {
        let known = outcome(&*snapshot, id(time, position.into())).unwrap();
        assert_eq!(known, Some(Outcome::Committed(at(1, position))), "{time}");
    }
    assert_eq!(outcome(&*snapshot, id(5_000, 77)).unwrap(), None);
}

#[test]
fn outcomes_of_older_formats_are_found_and_forgotten() {
    let engine = ModelEngine::default();
    let mut batch = Batch::default();
    // One record of age for each entry, and for each outcome.
    let (second, first) = (id(6_000, 2), id(7_000, 1));
    put_late(&mut batch, second, Outcome::Committed(at(4, 3)));
    batch.put(Space::Meta, age_key(at(4, 3)), second.0);
    put_late(&mut batch, first, Outcome::Aborted(at(2, 7)));
    let by_age = [&age_key(at(2, 7))[..], &first.0].concat();
    batch.put(Space::Meta, by_age, []);
    engine.write(&batch).unwrap();
    let known = |id| {
        let snapshot = engine.snapshot();
        let mut recent = recent(&engine);
        let recorded = &mut Recorded::new(&mut recent);
        let known = recorded.known(&*snapshot, &Batch::default(), id).unwrap();
        assert_eq!(known, outcome(&*snapshot, id).unwrap());
        known
    };
    assert_eq!(known(first), Some(Outcome::Aborted(at(2, 7))));
    assert_eq!(known(second), Some(Outcome::Committed(at(4, 3))));
    assert_eq!(known(id(7_000, 3)), None);
    for (below, left) in [
        (at(2, 7), [true, true]),
        (at(2, 8), [false, true]),
        (at(4, 3), [false, true]),
        (Version::end_of_entry(4), [false, false]),
    ] {
        let mut batch = Batch::default();
        let snapshot = engine.snapshot();
        forget(&*snapshot, &mut batch, below, &mut recent(&engine)).unwrap();
        engine.write(&batch).unwrap();
        assert_eq!(
            [first, second].map(|id| known(id).is_some()),
            left,
            "{below}"
        );
    }
}

#[test]
fn groups_are_forgotten_but_for_the_last() {
    let engine = ModelEngine::default();
    let mut recent = recent(&engine);
    for index in 1..=3 {
        let mut batch = Batch::default();
        let mut recorded = Recorded::new(&mut recent);
        for position in 0..2 {
            let committed = Outcome::Committed(at(index, position));
            recorded.add(&mut batch, id(index, position.into()), committed);
        }
        recorded.finish(&mut batch);
        engine.write(&batch).unwrap();
    }
    for (below, left) in [
        (at(1, 1), 3),
        (at(2, 0), 2),
        (Version::end_of_entry(9), 1),
        (Version::end_of_entry(9), 1),
    ] {
        let mut batch = Batch::default();
        forget(&*engine.snapshot(), &mut batch, below, &mut recent).unwrap();
        engine.write(&batch).unwrap();
        assert_eq!(records(&engine, group::GROUP), left, "{below}");
    }
}

#[test]
fn a_clock_that_stands_still_does_not_fill_the_memory() {
    const IDS: u64 = 300_000;
    let engine = ModelEngine::default();
    let mut kept = recent(&engine);
    for index in 0..IDS / 1_000 {
        let mut batch = Batch::default();
        let mut recorded = Recorded::new(&mut kept);
        for position in 0..1_000 {
            let id = id(7_000, 1_000 * index + position);
            let version = at(index + 1, position as u16);
            recorded.add(&mut batch, id, Outcome::Committed(version));
        }
        recorded.finish(&mut batch);
        engine.write(&batch).unwrap();
    }
    assert!(records(&engine, OF_ID) > 30_000);
    let snapshot = engine.snapshot();
    let mut read = recent(&engine);
    for recent in [&mut kept, &mut read] {
        for (time, number, is_known) in [
            (7_000, 0, true),
            (7_000, IDS - 1, true),
            (7_000, IDS, false),
            (6_999, 0, false),
        ] {
            let recorded = &mut Recorded::new(recent);
            let known = recorded.known(&*snapshot, &Batch::default(), id(time, number));
            assert_eq!(known.unwrap().is_some(), is_known, "{time} {number}");
        }
    }
}

/// What a run of random entries did, all of it to be seen in each.
#[derive(Debug, Default)]
struct Mix {
    known: usize,
    late: usize,
    forgotten: usize,
    opened: usize,
}

#[test]
fn memory_says_what_the_records_say_whatever_clocks_do() {
    let mut mix = Mix::default();
    for seed in 0..60 {
        check(&mut Random::new(seed), &mut mix);
    }
    eprintln!("{mix:?}");
    let Mix {
        known,
        late,
        forgotten,
        opened,
    } = mix;
    assert!([known, late, forgotten, opened].iter().all(|n| *n > 100));
}

fn check(random: &mut Random, mix: &mut Mix) {
    let engine = ModelEngine::default();
    let mut kept = recent(&engine);
    let mut model: BTreeMap<[u8; ID_LEN], Outcome> = BTreeMap::new();
    let mut forgotten_below = Version::MIN;
    let mut ids: Vec<TxnId> = Vec::new();
    let mut now = 10_000;
    for index in 1..80 {
        now += random.below(400) as u64;
        let snapshot = engine.snapshot();
        let mut batch = Batch::default();
        let mut recorded = Recorded::new(&mut kept);
        for position in 0..random.below(6) as u16 {
            let wrong = *random.pick(&[0, 0, 3, 500, 999, 1_000, 1_001, 1_500, 4_000]);
            let is_early = random.chance(5);
            let time = if is_early { now + wrong } else { now - wrong };
            let is_new = ids.is_empty() || random.chance(70);
            let id = if is_new {
                id(time, random.draw())
            } else {
                *random.pick(&ids)
            };
            let known = recorded.known(&*snapshot, &batch, id).unwrap();
            let expected = model.get(&id.0).copied();
            assert_eq!(known, expected, "entry {index}");
            mix.known += usize::from(known.is_some());
            if known.is_none() {
                let version = at(index, position);
                let outcome = match random.chance(20) {
                    true => Outcome::Aborted(version),
                    false => Outcome::Committed(version),
                };
                recorded.add(&mut batch, id, outcome);
                model.insert(id.0, outcome);
                ids.push(id);
            }
        }
        recorded.finish(&mut batch);
        if random.chance(15) {
            let below = at(
                random.below(index as usize + 1) as u64,
                random.below(3) as u16,
            );
            forget(&*snapshot, &mut batch, below, &mut kept).unwrap();
            forgotten_below = forgotten_below.max(below);
        }
        engine.write(&batch).unwrap();
        kept.written();
        let snapshot = engine.snapshot();
        let before = model.len();
        // Which outcomes go together is up to the records.
        model.retain(|id, known| {
            let is_left = outcome(&*snapshot, TxnId(*id)).unwrap().is_some();
            assert!(is_left || known.version() < forgotten_below);
            is_left
        });
        mix.forgotten += before - model.len();
        mix.late += records(&engine, OF_ID);
        let mut read = recent(&engine);
        for id in &ids {
            let expected = model.get(&id.0).copied();
            assert_eq!(outcome(&*snapshot, *id).unwrap(), expected);
            let known = |recent: &mut Recent| {
                let recorded = &mut Recorded::new(recent);
                recorded.known(&*snapshot, &Batch::default(), *id).unwrap()
            };
            assert_eq!(known(&mut kept), expected, "entry {index}");
            assert_eq!(known(&mut read), expected, "entry {index}, read anew");
        }
        if random.chance(10) {
            kept = read;
            mix.opened += 1;
        }
    }
}
