//! The store in this process: what a commit promises, over stops and kills.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command as Process, Stdio},
    time::{Duration, Instant},
};

use kv_store::{
    Embedded, KvError, Lease, Version,
    engine::Direction,
    mvcc::selector::{KeySelector, RangeQuery},
    node::{NodeOptions, OpenError},
    transaction::{Store, Transaction},
    txn::{AtomicOp, CLEARED_KEYS_MAX, KeyRange, LimitError, Mutation, Outcome, TxnId},
};

fn rows(begin: &str, end: &str) -> RangeQuery {
    RangeQuery {
        begin: KeySelector::first_at_or_after(begin),
        end: KeySelector::first_at_or_after(end),
        limit: 1_000,
        direction: Direction::Forward,
    }
}

async fn keys(store: &Embedded, query: &RangeQuery) -> Vec<String> {
    let txn = Transaction::begin(store).await.unwrap();
    let rows = txn.get_range(query).await.unwrap();
    let text = |row: kv_store::mvcc::read::Row| String::from_utf8(row.key).unwrap();
    rows.into_iter().map(text).collect()
}

async fn set(store: &Embedded, key: &str, value: &str) -> Version {
    let txn = Transaction::begin(store).await.unwrap();
    txn.set(key, value);
    txn.commit().await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_sees_its_own_writes_and_a_later_one_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).await.unwrap();
    set(&store, "a", "1").await;
    set(&store, "c", "3").await;
    let txn = Transaction::begin(&store).await.unwrap();
    txn.set("b", "2");
    txn.clear("c");
    txn.atomic(AtomicOp::AppendIfFits, "a", "x");
    txn.atomic(AtomicOp::AppendIfFits, "a", "y");
    assert_eq!(txn.get(b"a").await.unwrap(), Some(b"1xy".to_vec()));
    assert_eq!(txn.get(b"c").await.unwrap(), None);
    let seen = txn.get_range(&rows("a", "z")).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|row| (&*row.key, &*row.value)).collect();
    assert_eq!(seen, [(&b"a"[..], &b"1xy"[..]), (b"b", b"2")]);
    let mut last = rows("a", "z");
    (last.limit, last.direction) = (1, Direction::Reverse);
    assert_eq!(txn.get_range(&last).await.unwrap()[0].key, b"b");
    assert_eq!(
        keys(&store, &rows("a", "z")).await,
        ["a", "c"],
        "not committed yet"
    );
    txn.commit().await.unwrap();
    assert_eq!(keys(&store, &rows("a", "z")).await, ["a", "b"]);
    let txn = Transaction::begin(&store).await.unwrap();
    txn.mutate(Mutation::SetVersionstampedValue {
        key: b"stamp".to_vec(),
        value: vec![0; 12],
        offset: 0,
    });
    assert_eq!(txn.get(b"stamp").await, Err(KvError::Unreadable));
    let at = txn.commit().await.unwrap().unwrap();
    let txn = Transaction::begin(&store).await.unwrap();
    let stamp = txn.get(b"stamp").await.unwrap().unwrap();
    assert_eq!(stamp, at.to_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_and_written_since_is_a_conflict_and_a_snapshot_read_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).await.unwrap();
    for conflicts in [true, false] {
        let txn = Transaction::begin(&store).await.unwrap();
        if conflicts {
            txn.get(b"a").await.unwrap();
        } else {
            txn.snapshot_get(b"a").await.unwrap();
        }
        set(&store, "a", "other").await;
        txn.set("b", "mine");
        let committed = txn.commit().await;
        assert_eq!(
            committed == Err(KvError::Conflict),
            conflicts,
            "{committed:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_callers_add_to_one_counter_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).await.unwrap();
    let add = |store: Embedded| async move {
        for _ in 0..10 {
            let added = store.run_transaction(|txn| async move {
                let before = txn
                    .get(b"n")
                    .await?
                    .map_or(0, |value| u64::from_le_bytes(value.try_into().unwrap()));
                txn.set("n", (before + 1).to_le_bytes());
                Ok::<_, KvError>(before)
            });
            added.await.unwrap();
        }
    };
    let callers: Vec<_> = (0..64).map(|_| tokio::spawn(add(store.clone()))).collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let at = store.begin().await.unwrap();
    let sum = store.get(b"n", at).await.unwrap();
    assert_eq!(sum, Some(640_u64.to_le_bytes().to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_twice_commits_once_and_an_outcome_asked_for_first_aborts_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).await.unwrap();
    let txn = Transaction::begin(&store).await.unwrap();
    txn.atomic(AtomicOp::Add, "n", [1]);
    let request = txn.request(TxnId([1; 16])).unwrap();
    let (first, second) =
        tokio::join!(store.commit(request.clone()), store.commit(request.clone()));
    assert_eq!(first, second);
    assert_eq!(store.commit(request).await, first);
    let at = first.unwrap();
    assert_eq!(
        store.outcome(TxnId([1; 16])).await,
        Ok(Outcome::Committed(at))
    );
    let now = store.begin().await.unwrap();
    assert_eq!(store.get(b"n", now).await.unwrap(), Some(vec![1]));

    let txn = Transaction::begin(&store).await.unwrap();
    txn.set("late", "x");
    let asked = store.outcome(TxnId([2; 16])).await.unwrap();
    let Outcome::Aborted(at) = asked else {
        panic!("{asked:?}")
    };
    let late = store.commit(txn.request(TxnId([2; 16])).unwrap()).await;
    assert_eq!(late, Err(KvError::Aborted { at }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_told_of_every_change_once_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).await.unwrap();
    let from = store.begin().await.unwrap();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 0..200_u32 {
                set(&store, &format!("w{}", number % 7), &number.to_string()).await;
                set(&store, "other", "x").await;
            }
        }
    });
    let range = KeyRange {
        begin: b"w".to_vec(),
        end: b"x".to_vec(),
    };
    let (mut seen, mut after) = (Vec::new(), from);
    while seen.len() < 200 {
        let (changes, upto) = store
            .watch(&range, after, Duration::from_secs(20))
            .await
            .unwrap();
        assert!(!changes.is_empty(), "nothing came for long");
        assert!(
            changes
                .iter()
                .all(|change| change.version > after && change.version <= upto)
        );
        seen.extend(changes);
        after = upto;
    }
    writer.await.unwrap();
    let numbers: Vec<u32> = seen
        .iter()
        .map(|change| {
            let value = change.value.clone().unwrap();
            String::from_utf8(value).unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_opening_of_a_folder_is_refused_and_so_is_another_id() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).await.unwrap();
    let second = Embedded::open(folder.path()).await;
    assert!(
        matches!(second, Err(OpenError::Locked { .. })),
        "{second:?}"
    );
    store.close().await;
    let other = Embedded::open_with(NodeOptions::new(folder.path(), 7)).await;
    assert!(
        matches!(
            other,
            Err(OpenError::OtherNode {
                found: 1,
                id: 7,
                ..
            })
        ),
        "{other:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_and_the_log_go_when_their_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(folder.path(), 1);
    options.retention = Duration::from_millis(500);
    options.outcome_retention = Duration::from_secs(1);
    let store = Embedded::open_with(options).await.unwrap();
    let old = set(&store, "a", "1").await;
    set(&store, "a", "2").await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.status().watermark <= old {
        assert!(Instant::now() < deadline, "{:?}", store.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
        // The watermark is raised only where it lets something go.
        set(&store, "b", "x").await;
    }
    let refused = store.get(b"a", old).await;
    assert!(
        matches!(refused, Err(KvError::Compacted { .. })),
        "{refused:?}"
    );
    let gone = store
        .watch(&KeyRange::point("a"), old, Duration::ZERO)
        .await;
    assert!(matches!(gone, Err(KvError::Compacted { .. })), "{gone:?}");
    let now = store.begin().await.unwrap();
    assert_eq!(store.get(b"a", now).await.unwrap(), Some(b"2".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_holds_its_version_while_it_is_renewed_and_ends_by_itself_or_when_it_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(folder.path(), 1);
    options.retention = Duration::from_millis(100);
    let store = Embedded::open_with(options).await.unwrap();
    set(&store, "a", "1").await;
    let time_to_live = Duration::from_secs(2);
    let mut lease = Lease::take(&store, time_to_live).await.unwrap();
    let at = lease.version();
    let later = set(&store, "a", "2").await;
    let start = Instant::now();
    // Longer than versions are kept, and longer than the lease lasts by itself.
    while start.elapsed() < time_to_live * 2 {
        lease.renew().await.unwrap();
        set(&store, "b", "x").await;
        assert_eq!(store.get(b"a", at).await, Ok(Some(b"1".to_vec())));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(store.status().watermark <= at, "{:?}", store.status());
    until_compacted(&store, at).await;
    assert!(
        matches!(lease.renew().await, Err(KvError::Compacted { .. })),
        "it has ended"
    );
    // The versions behind it went with it, and another one is released at once.
    assert!(store.get(b"a", later).await.is_err());
    let lease = Lease::take(&store, Duration::from_secs(3600))
        .await
        .unwrap();
    let at = lease.version();
    lease.release().await.unwrap();
    until_compacted(&store, at).await;
}

/// Writes until a version is too old to be read at.
async fn until_compacted(store: &Embedded, at: Version) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !matches!(store.get(b"a", at).await, Err(KvError::Compacted { .. })) {
        assert!(Instant::now() < deadline, "{:?}", store.status());
        set(store, "b", "x").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Bytes of all files in a folder and its folders. Files go while this looks.
fn num_bytes(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => num_bytes(&entry.path()),
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

/// Writes one key, so that time passes for the store, until what is no longer needed is gone: however slow the disk is, it
/// has to go in the end.
async fn until_small(store: &Embedded, folder: &Path, bytes_max: u64) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let bytes = num_bytes(folder);
        if bytes < bytes_max {
            return;
        }
        assert!(Instant::now() < deadline, "still {} MiB", bytes >> 20);
        set(store, "time", "passes").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Values that the next test writes; more than the usual ones for `make long`.
fn num_writes() -> u64 {
    let writes = std::env::var("KV_WRITES").map(|writes| writes.parse().expect("a number"));
    writes.unwrap_or(400_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn log_and_engine_stay_small_while_the_same_keys_are_written_again_and_again() {
    const VALUES: u64 = 500;
    const VALUE_BYTES: usize = 1_000;
    const BYTES_MAX: u64 = 200 * 1024 * 1024;
    assert!(num_writes() * VALUE_BYTES as u64 > BYTES_MAX + BYTES_MAX / 2);
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(folder.path(), 1);
    options.retention = Duration::from_millis(200);
    options.outcome_retention = Duration::from_millis(400);
    options.log_bytes_kept = 1024 * 1024;
    let store = Embedded::open_with(options.clone()).await.unwrap();
    let mut most = 0;
    for round in 0..num_writes() / VALUES {
        let written = store.run_transaction(|txn| async move {
            for number in 0..VALUES {
                let mut value = vec![b'v'; VALUE_BYTES];
                value[..8].copy_from_slice(&round.to_be_bytes());
                txn.set(format!("k{number:03}"), value);
            }
            Ok::<_, KvError>(())
        });
        written.await.unwrap();
        if round % 20 == 0 {
            most = most.max(num_bytes(folder.path()));
            until_small(&store, folder.path(), BYTES_MAX).await;
        }
    }
    until_small(&store, folder.path(), BYTES_MAX).await;
    eprintln!("{} values, {} MiB at most", num_writes(), most >> 20);
    store.close().await;
    let store = Embedded::open_with(options).await.unwrap();
    let txn = Transaction::begin(&store).await.unwrap();
    let last = num_writes() / VALUES - 1;
    for number in 0..VALUES {
        let value = txn.get(format!("k{number:03}").as_bytes()).await.unwrap();
        assert_eq!(value.unwrap()[..8], last.to_be_bytes());
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if path.is_dir() {
            copy_folder(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_closed_needs_no_journal_and_one_that_was_killed_needs_all_of_it() {
    const KEYS: u64 = 200;
    let folder = tempfile::tempdir().unwrap();
    let (closed, killed) = (folder.path().join("closed"), folder.path().join("killed"));
    let mark_of = |folder: &Path| folder.join("state/1/SETTLED");
    let mark = mark_of(&closed);
    let journal_bytes = |folder: &Path| {
        let files = std::fs::read_dir(folder.join("state/1")).unwrap();
        let journals = files
            .map(Result::unwrap)
            .filter(|file| file.path().extension().is_some_and(|name| name == "jnl"));
        journals
            .map(|file| file.metadata().unwrap().len())
            .sum::<u64>()
    };
    let write = async |store: &Embedded, value: &str| {
        for key in 0..KEYS {
            let txn = Transaction::begin(store).await.unwrap();
            txn.set(format!("k{key:03}"), value.repeat(1_000));
            txn.commit().await.unwrap();
        }
    };
    let check = async |store: &Embedded, value: &str| {
        let txn = Transaction::begin(store).await.unwrap();
        for key in 0..KEYS {
            let found = txn.get(format!("k{key:03}").as_bytes()).await.unwrap();
            assert_eq!(found, Some(value.repeat(1_000).into_bytes()), "key {key}");
        }
    };
    let store = Embedded::open(&closed).await.unwrap();
    write(&store, "a").await;
    assert!(!mark.exists());
    store.close().await;
    assert!(mark.exists() && journal_bytes(&closed) > KEYS * 1_000);
    let old_mark = std::fs::read(&mark).unwrap();

    let store = Embedded::open(&closed).await.unwrap();
    assert!(!mark.exists(), "what is written now stands in the journal");
    let len = journal_bytes(&closed);
    assert!(
        len < 10_000,
        "{len} bytes of what stands in files were kept"
    );
    check(&store, "a").await;
    write(&store, "b").await;
    // What a kill leaves.
    copy_folder(&closed, &killed);
    store.close().await;
    // As if a program that does not know the mark had written since.
    std::fs::write(mark_of(&killed), old_mark).unwrap();

    for (folder, is_whole) in [(closed, false), (killed, true)] {
        let store = Embedded::open(&folder).await.unwrap();
        assert!(!mark_of(&folder).exists());
        assert_eq!(journal_bytes(&folder) > KEYS * 1_000, is_whole);
        check(&store, "b").await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_of_more_keys_than_a_transaction_may_clear_is_refused_and_in_parts_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).await.unwrap();
    let write = |keys: std::ops::Range<usize>| {
        let store = store.clone();
        async move {
            let txn = Transaction::begin(&store).await.unwrap();
            for number in keys {
                txn.set(format!("k{number:05}"), "v");
            }
            txn.commit().await
        }
    };
    let clear = |from: usize, to: usize| {
        let store = store.clone();
        async move {
            let txn = Transaction::begin(&store).await.unwrap();
            // In two ranges, which count together.
            let half = usize::midpoint(from, to);
            for (from, to) in [(from, half), (half, to)] {
                txn.clear_range(KeyRange {
                    begin: format!("k{from:05}").into(),
                    end: format!("k{to:05}").into(),
                });
            }
            txn.commit().await
        }
    };
    write(0..CLEARED_KEYS_MAX + 1).await.unwrap();
    let refused = clear(0, CLEARED_KEYS_MAX + 1).await;
    assert_eq!(refused, Err(KvError::Limit(LimitError::ClearsTooMuch)));
    assert_eq!(keys(&store, &rows("k", "l")).await.len(), 1_000);
    clear(0, CLEARED_KEYS_MAX).await.unwrap();
    let left = keys(&store, &rows("k", "l")).await;
    assert_eq!(left, [format!("k{CLEARED_KEYS_MAX:05}")]);
}

/// Not a test of its own: the process that the next test kills. It prints what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn child_writes_until_it_is_killed() {
    use std::io::Write;
    let Ok(folder) = std::env::var("KV_CHILD_FOLDER") else {
        return;
    };
    let store = Embedded::open(folder).await.unwrap();
    for number in 0_u64.. {
        set(&store, &format!("k{number:08}"), &"v".repeat(1_000)).await;
        // The test harness prints without ends of lines.
        writeln!(std::io::stdout(), "\nacknowledged {number}").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_kill() {
    use std::io::BufRead;
    let folder = tempfile::tempdir().unwrap();
    let mut num_before = 0;
    for round in 0..3 {
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args(["embedded::child_writes", "--nocapture"])
            .env("KV_CHILD_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines.filter_map(|line| {
            let line = line.ok()?;
            line.strip_prefix("acknowledged ")?.parse::<usize>().ok()
        });
        let last = acknowledged.take(400).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Embedded::open(folder.path()).await.unwrap();
        let mut all = rows("k", "l");
        all.limit = usize::MAX;
        let found = keys(&store, &all).await;
        assert!(
            found.len() > last,
            "round {round}: {} of {last}",
            found.len()
        );
        let expected: Vec<_> = (0..found.len())
            .map(|number| format!("k{number:08}"))
            .collect();
        assert_eq!(found, expected);
        num_before = num_before.max(last);
        store.close().await;
    }
    eprintln!("3 kills, {num_before} acknowledged writes in the longest run");
}
