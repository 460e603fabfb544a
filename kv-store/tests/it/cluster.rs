//! Clusters of real processes: what clients saw is judged by the checker that judges the simulation.

use std::time::Instant;

use kv_store::{KvError, transaction::Transaction};

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
    kv_ok(&[
        "transfer-leader",
        &to.to_string(),
        "--endpoints",
        &endpoints,
    ]);
    until("the handing over", || async {
        (cluster.leader().await.id == to).then_some(())
    })
    .await;
    load.until_commits(50).await;
    kv_ok(&["member", "remove", "1", "--endpoints", &endpoints]);
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
    kv_ok(&[
        "backup",
        "--to",
        backup,
        "--endpoints",
        &cluster.endpoints(),
    ]);
    drop(cluster);
    let mut restored = Cluster::restored(backup).await;
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
