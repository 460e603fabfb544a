//! What is in the object store when every member and its disk is gone.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kv_store::{Version, transaction::Store, txn::Mutation};

use crate::{
    cluster::{all_rows, puts, write_new_keys},
    processes::{Cluster, Place, Setting, kv, kv_ok, until},
};

fn location(archive: &Path) -> String {
    format!("file://{}", archive.to_str().unwrap())
}

/// Members that upload to `archive`, with some more options.
fn uploading(archive: &Path, more: &'static [&str]) -> Setting {
    let mut options = vec!["--archive".to_owned(), location(archive)];
    options.extend(more.iter().map(|option| (*option).to_owned()));
    let place = move |_| Place {
        options: options.clone(),
        ..Place::default()
    };
    Setting {
        place: Box::new(place),
        ..Setting::default()
    }
}

/// Objects in a folder of the archive, by the last entry in each.
fn objects(archive: &Path, folder: &str) -> Vec<(u64, PathBuf)> {
    let entries = std::fs::read_dir(archive.join(folder));
    let mut objects: Vec<_> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let last = path.file_name()?.to_str()?.rsplit('-').next()?;
            Some((last.parse().ok()?, path.clone()))
        })
        .collect();
    objects.sort();
    objects
}

/// The last entry that is uploaded, as the names of the objects say.
fn last_uploaded(archive: &Path) -> u64 {
    let last = |folder| objects(archive, folder).last().map_or(0, |(last, _)| *last);
    last("log").max(last("snapshots"))
}

async fn until_uploaded(archive: &Path, index: u64) {
    until("all being uploaded", || async {
        (last_uploaded(archive) >= index).then_some(())
    })
    .await;
}

async fn keys(cluster: &Cluster) -> Vec<Vec<u8>> {
    let rows = all_rows(&cluster.client()).await;
    rows.into_iter().map(|(key, _)| key).collect()
}

/// All that a store says it has counted.
async fn metrics(cluster: &Cluster) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = &cluster.members[0].address;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_restores_all_that_was_acknowledged_as_of_any_version_also_over_a_new_leader() {
    let archive = tempfile::tempdir().unwrap();
    let archive = archive.path();
    let mut cluster = Cluster::start_in(uploading(archive, &[]), 3).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| tokio::spawn(write_new_keys(cluster.client(), writer, Arc::clone(&stop))))
        .collect();
    until_uploaded(archive, 20).await;
    // Whoever uploads, in the middle of it.
    let leader = cluster.leader().await.id;
    cluster.member(leader).kill();
    cluster.members.retain(|member| member.id != leader);
    let uploaded = last_uploaded(archive);
    cluster.until_led_by_another(leader).await;
    until_uploaded(archive, uploaded + 20).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let newest = acknowledged.iter().map(|(_, version)| version.index).max();
    until_uploaded(archive, newest.unwrap()).await;
    until("the leader saying so", || async {
        let archived = cluster.leader().await.archived?;
        (archived.index >= newest.unwrap()).then_some(())
    })
    .await;
    // Every member and its folder.
    drop(cluster);

    let middle: Version = acknowledged[acknowledged.len() / 2].1;
    for upto in [None, Some(middle)] {
        let (location, version) = (location(archive), upto.map(|upto| upto.to_string()));
        let mut from = vec!["--from", &location];
        if let Some(version) = &version {
            from.extend(["--version", version]);
        }
        let restored = Cluster::restored(&from).await;
        let found = keys(&restored).await;
        let is_before = |index| upto.is_none_or(|upto| index <= upto.index);
        for (key, version) in &acknowledged {
            assert_eq!(
                found.binary_search(key).is_ok(),
                is_before(version.index),
                "{version}, restored up to {upto:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_cut_off_ends_the_archive_until_the_next_uploader_mends_it() {
    let archive = tempfile::tempdir().unwrap();
    let archive = archive.path();
    let mut cluster = Cluster::start_in(uploading(archive, &[]), 1).await;
    let client = cluster.client();
    let mut versions = Vec::new();
    for number in 0..2 {
        let version = client.write(puts(number, 10, 100)).await.unwrap();
        until_uploaded(archive, version.index).await;
        versions.push(version);
    }
    cluster.member(1).kill();
    let (_, newest) = objects(archive, "log").pop().unwrap();
    let whole = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &whole[..whole.len() / 2]).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("1");
    let place = location(archive);
    let restore = [
        "restore",
        "--from",
        &place,
        "--data-dir",
        into.to_str().unwrap(),
    ];
    let said = kv_ok(&restore);
    assert!(said.contains("is damaged"), "{said}");
    let restored = Cluster::restored(&["--from", &place]).await;
    assert_eq!(keys(&restored).await.len(), 10);
    // What is not there cannot be asked for.
    let version = versions[1].to_string();
    let other = folder.path().join("2");
    let mut asked = restore.to_vec();
    asked[4] = other.to_str().unwrap();
    asked.extend(["--version", &version]);
    assert!(!kv(&asked).status.success());

    cluster.member(1).start_again();
    let version = client.write(puts(2, 10, 100)).await.unwrap();
    until_uploaded(archive, version.index).await;
    let restored = Cluster::restored(&["--from", &place]).await;
    assert_eq!(keys(&restored).await.len(), 30);

    // Damage with more behind it is no end: nothing may be left out silently.
    let (_, oldest) = objects(archive, "log").remove(0);
    std::fs::write(oldest, b"MURREARC").unwrap();
    let third = folder.path().join("3");
    let mut asked = restore.to_vec();
    asked[4] = third.to_str().unwrap();
    let output = kv(&asked);
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("is damaged"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_stands_for_the_log_that_is_gone() {
    let archive = tempfile::tempdir().unwrap();
    let archive = archive.path();
    // A log of a megabyte, and an archive that cannot be written to before that has gone.
    std::fs::write(archive.join("log"), b"not a folder").unwrap();
    let setting = uploading(archive, &["--keep-log-mib", "1"]);
    let cluster = Cluster::start_in(setting, 1).await;
    let client = cluster.client();
    for number in 0..8 {
        client.write(puts(number, 10, 50_000)).await.unwrap();
    }
    until("the log being purged", || async {
        client.write(puts(0, 1, 10)).await.unwrap();
        (cluster.status(1).await.first_index > 1).then_some(())
    })
    .await;
    std::fs::remove_file(archive.join("log")).unwrap();
    let version = client.write(puts(8, 10, 10)).await.unwrap();
    until_uploaded(archive, version.index).await;
    drop(cluster);
    assert!(!objects(archive, "snapshots").is_empty());
    // Neighbours of the new folder are not in the way, and what is in the way is not written over.
    let folder = tempfile::tempdir().unwrap();
    let place = location(archive);
    let restore = |name: &str| {
        let into = folder.path().join(name);
        kv(&[
            "restore",
            "--from",
            &place,
            "--data-dir",
            into.to_str().unwrap(),
        ])
    };
    let neighbour = folder.path().join("kv.snapshot");
    std::fs::write(&neighbour, "somebody's").unwrap();
    let restored = restore("kv.1");
    assert!(restored.status.success(), "{restored:?}");
    let refused = restore("kv");
    assert!(!refused.status.success() && !folder.path().join("kv").exists());
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("kv.snapshot\" exists already"), "{error}");
    assert_eq!(std::fs::read(&neighbour).unwrap(), b"somebody's");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let restored = Cluster::restored(&["--from", &location(archive)]).await;
    assert_eq!(keys(&restored).await.len(), 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_does_not_go_on_in_the_archive_that_it_came_from() {
    let archive = tempfile::tempdir().unwrap();
    let archive = archive.path();
    let cluster = Cluster::start_in(uploading(archive, &[]), 1).await;
    let version = cluster.client().write(puts(0, 10, 100)).await.unwrap();
    until_uploaded(archive, version.index).await;
    drop(cluster);
    let before = (objects(archive, "log"), objects(archive, "snapshots"));

    let place = location(archive);
    let restored = Cluster::restored_in(uploading(archive, &[]), &["--from", &place]).await;
    let set = Mutation::Set {
        key: b"/user/other".to_vec(),
        value: b"v".to_vec(),
    };
    restored.client().write(vec![set]).await.unwrap();
    until("the upload being refused", || async {
        let refused = "kv_store_archive_failures_total ";
        let metrics = metrics(&restored).await;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(refused))?;
        (line != "0").then_some(())
    })
    .await;
    assert_eq!(restored.leader().await.archived, None);
    assert!(restored.client().begin().await.is_ok(), "it serves");
    drop(restored);
    let after = (objects(archive, "log"), objects(archive, "snapshots"));
    assert_eq!(before, after);

    // In a place of its own it begins with what it was restored from.
    let own = tempfile::tempdir().unwrap();
    let own = own.path();
    let restored = Cluster::restored_in(uploading(own, &[]), &["--from", &place]).await;
    let version = restored.client().write(puts(1, 10, 100)).await.unwrap();
    until_uploaded(own, version.index).await;
    drop(restored);
    let restored = Cluster::restored(&["--from", &location(own)]).await;
    assert_eq!(keys(&restored).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_begins_before_the_snapshot_and_ends_behind_it_is_found() {
    let archive = tempfile::tempdir().unwrap();
    let archive = archive.path();
    // Everything is uploaded at once, in one object, when the archive can be written to.
    std::fs::write(archive.join("log"), b"not a folder").unwrap();
    let cluster = Cluster::start_in(uploading(archive, &[]), 1).await;
    let client = cluster.client();
    client.write(puts(0, 10, 100)).await.unwrap();
    let backup = archive.join("backup");
    let said = cluster.kv_ok(&["backup", "--json", "--to", backup.to_str().unwrap()]);
    let (_, said) = said.split_once("\"version_index\":").unwrap();
    let digits = said.find(|letter: char| !letter.is_ascii_digit()).unwrap();
    let in_snapshot: u64 = said[..digits].parse().unwrap();
    let version = client.write(puts(1, 10, 100)).await.unwrap();
    std::fs::remove_file(archive.join("log")).unwrap();
    until_uploaded(archive, version.index).await;
    drop(cluster);
    std::fs::create_dir_all(archive.join("snapshots")).unwrap();
    let snapshot = archive.join(format!("snapshots/{in_snapshot:020}"));
    std::fs::rename(backup, snapshot).unwrap();
    // Nothing begins behind the snapshot.
    let (_, only) = objects(archive, "log").remove(0);
    let name = only.file_name().unwrap().to_str().unwrap();
    let first: u64 = name.split('-').next().unwrap().parse().unwrap();
    assert!(first <= in_snapshot && objects(archive, "log").len() == 1);
    let restored = Cluster::restored(&["--from", &location(archive)]).await;
    assert_eq!(keys(&restored).await.len(), 20);
}
