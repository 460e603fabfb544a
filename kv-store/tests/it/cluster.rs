//! Clusters of real processes: what clients saw is judged by the checker that judges the simulation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use kv_store::{
    KvError, Version,
    client::Client,
    engine::Direction,
    mvcc::selector::{KeySelector, RangeQuery},
    transaction::Transaction,
    txn::Mutation,
};

use crate::{
    load::Load,
    processes::{Cluster, kv, kv_ok, until},
};

/// Leaders killed one after another; more than the usual two for a measurement.
fn num_kills() -> usize {
    let kills = std::env::var("KV_KILLS").map(|kills| kills.parse().expect("a number"));
    kills.unwrap_or(2)
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_are_killed_under_load_and_come_back_and_nothing_is_lost() {
    let mut cluster = Cluster::start(3).await;
    let load = Load::start(8, || cluster.client());
    let mut failovers = Vec::new();
    for _ in 0..num_kills() {
        load.until_commits(100).await;
        let leader = cluster.leader().await.id;
        cluster.member(leader).kill();
        let killed = Instant::now();
        let probe = cluster.client();
        let write = |txn: Transaction<_>| async move {
            txn.set("/probe", "x");
            Ok::<_, KvError>(())
        };
        probe.run_transaction(write).await.unwrap();
        failovers.push(killed.elapsed().as_millis());
        load.until_commits(100).await;
        cluster.member(leader).start_again();
        cluster.until_equal().await;
    }
    let mix = load.judge().await;
    failovers.sort_unstable();
    eprintln!("milliseconds from a kill to the first new write: {failovers:?}, {mix:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_stopped_and_goes_on_answers_nothing_old() {
    let mut cluster = Cluster::start(3).await;
    let load = Load::start(6, || cluster.client());
    load.until_commits(100).await;
    let old = cluster.leader().await.id;
    cluster.member(old).signal("-STOP");
    load.until_commits(100).await;
    assert_ne!(cluster.leader().await.id, old);
    cluster.member(old).signal("-CONT");
    load.until_commits(100).await;
    cluster.until_equal().await;
    load.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_members_go_on_without_two_of_them() {
    let mut cluster = Cluster::start(5).await;
    let load = Load::start(6, || cluster.client());
    load.until_commits(100).await;
    let leader = cluster.leader().await.id;
    let gone = [leader, leader % 5 + 1];
    for id in gone {
        cluster.member(id).kill();
    }
    load.until_commits(100).await;
    for id in gone {
        cluster.member(id).start_again();
    }
    load.until_commits(100).await;
    cluster.until_equal().await;
    load.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_the_lead_is_handed_over_under_load() {
    let mut cluster = Cluster::start(1).await;
    let load = Load::start(4, || cluster.client());
    load.until_commits(50).await;
    cluster.add(2);
    cluster.add(3);
    cluster.until_voters(3).await;
    load.until_commits(50).await;
    let endpoints = cluster.endpoints();
    let first = cluster.leader().await.id;
    let to = if first == 3 { 2 } else { 3 };
    let asked = kv_ok(&[
        "transfer-leader",
        &to.to_string(),
        "--endpoints",
        &endpoints,
        "--json",
    ]);
    assert_eq!(asked, format!("{{\"asked\":{to}}}\n"));
    until("the handing over", || async {
        (cluster.leader().await.id == to).then_some(())
    })
    .await;
    load.until_commits(50).await;
    let removed = kv_ok(&["member", "remove", "1", "--endpoints", &endpoints, "--json"]);
    assert_eq!(removed, "{\"removed\":1}\n");
    cluster.until_voters(2).await;
    load.until_commits(50).await;
    load.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_read_write_and_fail_with_a_status() {
    let cluster = Cluster::start(1).await;
    let at = ["--endpoints", &cluster.endpoints()];
    let run = |args: &[&str]| kv_ok(&[args, &at[..]].concat());
    run(&["set", "/user/a", "1"]);
    run(&["set", "/user/b", "2"]);
    assert_eq!(run(&["get", "/user/a"]), "1\n");
    assert_eq!(
        run(&["range", "/user/", "/user0"]),
        "/user/a\t1\n/user/b\t2\n"
    );
    assert_eq!(run(&["range", "--reverse", "--limit", "1"]), "/user/b\t2\n");
    let status: serde_json::Value =
        serde_json::from_str(&run(&["status", "--json"])).expect("a JSON document");
    assert_eq!(status["leader"], 1);
    let missing = kv(&["get", "/user/zz", at[0], at[1]]);
    assert!(
        !missing.status.success() && missing.stdout.is_empty(),
        "{missing:?}"
    );
    let nobody = kv(&["get", "a", "--endpoints", "127.0.0.1:1", "--patience", "0"]);
    assert!(!nobody.status.success(), "{nobody:?}");
    let bench = run(&[
        "bench",
        "--workload",
        "put",
        "--clients",
        "4",
        "--seconds",
        "1",
        "--json",
    ]);
    let bench: serde_json::Value = serde_json::from_str(&bench).expect("a JSON document");
    assert!(
        bench["ops_per_s"].as_f64() > Some(0.0) && bench["errors"] == 0,
        "{bench}"
    );
    assert!(bench["fsyncs"].as_u64() > Some(0), "{bench}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_restores_into_a_new_group_that_others_join() {
    let cluster = Cluster::start(3).await;
    let client = cluster.client();
    for number in 0..200 {
        let write = move |txn: Transaction<_>| async move {
            txn.set(format!("/user/{number:03}"), vec![b'v'; 5_000]);
            Ok::<_, KvError>(())
        };
        client.run_transaction(write).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let backup = backup.to_str().unwrap();
    let endpoints = cluster.endpoints();
    let asked = ["backup", "--to", backup, "--endpoints", &endpoints];
    let in_the_way = folder.path().join("backup.unfinished");
    std::fs::write(&in_the_way, "another's").unwrap();
    let refused = kv(&asked);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && error.contains("exists already"),
        "{error}"
    );
    assert_eq!(std::fs::read(&in_the_way).unwrap(), b"another's");
    std::fs::remove_file(in_the_way).unwrap();
    kv_ok(&asked);
    let left = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(left.count(), 1);
    drop(cluster);
    let mut restored = Cluster::restored(&["--from", backup]).await;
    let all = ["range", "/user/", "/user0", "--endpoints"];
    let rows = kv_ok(&[&all[..], &[&restored.endpoints()]].concat());
    assert_eq!(rows.lines().count(), 200);
    // The newcomer lacks the log's beginning, so it gets a snapshot.
    restored.add(2);
    restored.until_voters(2).await;
    restored.until_equal().await;
    kv_ok(&[
        "set",
        "/user/new",
        "x",
        "--endpoints",
        &restored.endpoints(),
    ]);
    assert_eq!(
        kv_ok(&["get", "/user/199", "--endpoints", &restored.endpoints()]).len(),
        5_001
    );
}

/// One that writes this many values of this many bytes.
pub(crate) fn puts(number: u64, values: u64, bytes: usize) -> Vec<Mutation> {
    let put = |value| Mutation::Set {
        key: format!("/user/{:05}", number * values + value).into(),
        value: vec![b'v'; bytes],
    };
    (0..values).map(put).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_away_for_longer_than_the_log_is_kept_gets_a_snapshot() {
    let mut cluster = Cluster::start_with(&["--keep-log-mib", "1"], 3).await;
    let client = cluster.client();
    client.write(puts(0, 10, 10)).await.unwrap();
    cluster.until_equal().await;
    let away = cluster.leader().await.id % 3 + 1;
    let had = cluster.status(away).await.last_index;
    cluster.member(away).kill();
    for number in 1..=8 {
        client.write(puts(number, 10, 50_000)).await.unwrap();
    }
    until("the log being purged", || async {
        // The log goes when more is written.
        client.write(puts(0, 1, 10)).await.unwrap();
        (cluster.leader().await.first_index > had + 1).then_some(())
    })
    .await;
    cluster.member(away).start_again();
    cluster.until_equal().await;
    let status = cluster.status(away).await;
    assert!(status.first_index > had + 1, "{status:?}, had {had}");
    // What it got is whole: alone with the other, it leads or follows, and reads are right.
    let leader = cluster.leader().await.id;
    cluster.member(leader).kill();
    let found = all_rows(&cluster.client()).await;
    assert_eq!(found.len(), 90);
    assert!(
        found
            .iter()
            .filter(|(_, value)| value.len() == 50_000)
            .count()
            == 80
    );
}

pub(crate) async fn all_rows(client: &Client) -> Vec<(Vec<u8>, Vec<u8>)> {
    let query = RangeQuery {
        begin: KeySelector::first_at_or_after("/user/"),
        end: KeySelector::first_at_or_after("/user0"),
        limit: usize::MAX,
        direction: Direction::Forward,
    };
    let rows = client.get_range_now(&query).await.unwrap();
    rows.into_iter().map(|row| (row.key, row.value)).collect()
}

/// Writes new keys until told to stop: what was acknowledged, and at which version.
pub(crate) async fn write_new_keys(
    client: Client,
    writer: u64,
    stop: Arc<AtomicBool>,
) -> Vec<(Vec<u8>, Version)> {
    let mut acknowledged = Vec::new();
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("/user/{writer}/{number:06}").into_bytes();
        let set = Mutation::Set {
            key: key.clone(),
            value: b"v".to_vec(),
        };
        // One without an answer may be there or not.
        if let Ok(version) = client.write(vec![set]).await {
            acknowledged.push((key, version));
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_all_that_was_acknowledged_up_to_its_version_and_nothing_else() {
    let cluster = Cluster::start(3).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| tokio::spawn(write_new_keys(cluster.client(), writer, Arc::clone(&stop))))
        .collect();
    let probe = cluster.client();
    let until_rows = async |num_rows: usize| {
        until("enough writes", || async {
            (all_rows(&probe).await.len() >= num_rows).then_some(())
        })
        .await;
    };
    until_rows(200).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let backup = backup.to_str().unwrap();
    let said = cluster.kv_ok(&["backup", "--to", backup, "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let last_index = said["version_index"].as_u64().unwrap();
    until_rows(all_rows(&probe).await.len() + 100).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    // Every member and its folder.
    drop(cluster);

    let into = folder.path().join("restored");
    let into = into.to_str().unwrap();
    let said = kv_ok(&["restore", "--from", backup, "--data-dir", into, "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["version_index"], last_index);
    assert!(said["damaged_behind"].is_null());
    let mut restored = Cluster::restored(&["--from", backup]).await;
    restored.add(2);
    restored.add(3);
    restored.until_voters(3).await;
    let found: Vec<_> = all_rows(&restored.client()).await;
    let found: Vec<_> = found.into_iter().map(|(key, _)| key).collect();
    let (before, after): (Vec<_>, Vec<_>) = acknowledged
        .into_iter()
        .partition(|(_, version)| version.index <= last_index);
    assert!(before.len() >= 200 && after.len() >= 100);
    let mut expected: Vec<_> = before.into_iter().map(|(key, _)| key).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
