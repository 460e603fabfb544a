//! A group of nodes under faults, one seed after another, judged by the checker; and the faults of our own that it must find.
//!
//! Replay one seed with `KV_SEED=<n> cargo test -p kv-store --test it simulation -- --nocapture`,
//! with a mutant with `KV_MUTANT=<name>` as well. `KV_SEEDS=<from>..<to>` runs others than the usual ones.

use std::{collections::BTreeMap, ops::Range};

use kv_store::sim::{
    Mutant,
    cluster::{Failure, Mix, run},
};

/// Seeds of an ordinary test run.
const SEEDS: u64 = 200;
/// A mutant must be found within this many.
const MUTANT_SEEDS: u64 = 2_000;

fn seeds() -> Range<u64> {
    if let Ok(seed) = std::env::var("KV_SEED") {
        let seed = seed.parse().expect("KV_SEED is a number");
        return seed..seed + 1;
    }
    match std::env::var("KV_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("KV_SEEDS is a range");
            from.parse().expect("KV_SEEDS begins with a number")
                ..to.parse().expect("KV_SEEDS ends with a number")
        }
        Err(_) => 0..SEEDS,
    }
}

fn add(total: &mut Mix, mix: &Mix) {
    total.operations += mix.operations;
    total.commits += mix.commits;
    total.conflicts += mix.conflicts;
    total.too_old += mix.too_old;
    total.aborted += mix.aborted;
    total.lost_answers += mix.lost_answers;
    total.leaders += mix.leaders;
    total.crashes += mix.crashes;
    total.partitions += mix.partitions;
    total.lost_batches += mix.lost_batches;
    total.compactions += mix.compactions;
    total.watched_changes += mix.watched_changes;
}

/// For `benches/kv/seeds.py`, which adds them up.
fn counts(mix: &Mix) -> serde_json::Value {
    serde_json::json!({
        "operations": mix.operations,
        "commits": mix.commits,
        "conflicts": mix.conflicts,
        "too_old": mix.too_old,
        "aborted": mix.aborted,
        "lost_answers": mix.lost_answers,
        "leaders": mix.leaders,
        "crashes": mix.crashes,
        "partitions": mix.partitions,
        "lost_batches": mix.lost_batches,
        "compactions": mix.compactions,
        "watched_changes": mix.watched_changes,
    })
}

#[test]
fn no_seed_breaks_strict_serialisability() {
    let mut total = Mix::default();
    let mut num_nodes = BTreeMap::<usize, usize>::new();
    let mutant = std::env::var("KV_MUTANT").ok();
    let mutant = mutant.map(|name| {
        let known = Mutant::ALL
            .into_iter()
            .find(|mutant| format!("{mutant:?}") == name);
        known.expect("KV_MUTANT names a mutant")
    });
    for seed in seeds() {
        let result = Mutant::run(mutant, || run(seed));
        let mix = &result.mix;
        if let Err(failure) = &result.verdict {
            panic!(
                "seed {seed}: {failure:?}\n{mix:?}\nreplay: KV_SEED={seed} cargo test -p kv-store --test it simulation"
            );
        }
        assert!(
            mix.nodes >= 3 && mix.operations >= 500,
            "seed {seed}: {mix:?}"
        );
        assert!(
            mix.conflicts > 0 && mix.leaders > 1 && mix.crashes > 0,
            "seed {seed}: {mix:?}"
        );
        *num_nodes.entry(mix.nodes).or_default() += 1;
        add(&mut total, mix);
    }
    eprintln!("runs by number of nodes: {num_nodes:?}\n{total:#?}");
    eprintln!("counts: {}", counts(&total));
    let rare = [
        total.too_old,
        total.aborted,
        total.lost_answers,
        total.partitions,
        total.lost_batches,
        total.compactions,
        total.watched_changes,
    ];
    assert!(
        seeds().count() < 20 || rare.iter().all(|count| *count > 0),
        "{total:?}"
    );
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    for seed in [1, 2] {
        assert_eq!(run(seed).mix, run(seed).mix);
    }
}

/// The checker, and nothing else, finds the mutant.
fn found(mutant: Mutant) {
    for seed in 0..MUTANT_SEEDS {
        match Mutant::run(Some(mutant), || run(seed)).verdict {
            Err(Failure::Checker(verdict)) => {
                eprintln!(
                    "{mutant:?}: seed {seed}, {}",
                    format!("{verdict:?}").split(' ').next().unwrap_or_default()
                );
                return;
            }
            Err(Failure::Diverged(..) | Failure::Stuck) | Ok(()) => {}
        }
    }
    panic!("{mutant:?} is not found within {MUTANT_SEEDS} seeds");
}

#[test]
fn mutant_a_read_joins_a_round_already_sent() {
    found(Mutant::JoinSentRound);
}

#[test]
fn mutant_aborted_is_answered_and_not_written() {
    found(Mutant::AbortNotWritten);
}

#[test]
fn mutant_the_log_is_purged_past_the_last_sync() {
    found(Mutant::PurgePastSync);
}

#[test]
fn mutant_a_compaction_drops_a_delete_marker() {
    found(Mutant::DropMarkerInCompaction);
}

#[test]
fn mutant_a_commit_is_checked_before_others_register() {
    found(Mutant::CheckBeforeRegister);
}

#[test]
fn mutant_a_new_leader_keeps_its_old_conflict_map() {
    found(Mutant::KeepConflictMap);
}

#[test]
fn mutant_an_outcome_on_record_is_not_looked_for() {
    found(Mutant::SkipOutcomeLookup);
}
