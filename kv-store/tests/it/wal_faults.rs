//! The write-ahead log on a disk that says no: nothing half-done is found later, and nothing is acknowledged that may be lost.

use std::{
    path::Path,
    sync::{Arc, mpsc},
};

use kv_store::{
    sim::{
        Fate::{Everything, Nothing},
        Fault, Random, SimDisk,
    },
    wal::{Entry, EntryId, GroupId, Log, LogOptions, Wal, WalError},
};

const GROUP: GroupId = GroupId(1);
const OPTIONS: LogOptions = LogOptions {
    segment_bytes_max: 64 * 1024,
    salt: 1,
};

fn open(disk: &SimDisk) -> Log {
    Log::open(Arc::new(disk.clone()), Path::new("/data/wal"), OPTIONS).unwrap()
}

fn entry(index: u64, len: usize) -> Entry {
    Entry {
        id: EntryId { term: 1, index },
        payload: vec![index as u8; len].into(),
    }
}

fn last_index(log: &Log) -> u64 {
    log.state(GROUP).last.map_or(0, |last| last.index)
}

#[test]
fn an_append_that_does_not_fit_on_the_disk_is_not_there_and_the_next_one_is() {
    let disk = SimDisk::default();
    let mut log = open(&disk);
    log.append(GROUP, &[entry(1, 100)]).unwrap();
    disk.fail_next(Fault::Write);
    // Half of these bytes arrive: two whole records.
    let four = [2, 3, 4, 5].map(|index| entry(index, 100));
    let error = log.append(GROUP, &four).unwrap_err();
    assert!(
        matches!(
            error,
            WalError::Io {
                action: "write to",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(last_index(&log), 1);
    log.append(GROUP, &[entry(2, 100)]).unwrap();
    log.sync().unwrap();
    for left in [
        disk.after_kill(),
        disk.after_power_loss(Nothing, Nothing, &mut Random::new(1)),
    ] {
        let log = open(&left);
        assert_eq!(
            last_index(&log),
            2,
            "the records of the failed append do not come back"
        );
        assert_eq!(
            log.read(GROUP, 1..3).unwrap(),
            [entry(1, 100), entry(2, 100)]
        );
    }
}

#[test]
fn room_ahead_of_the_records_makes_fsyncs_fast_and_changes_nothing() {
    let disk = SimDisk::default();
    let mut log = open(&disk);
    let num_bytes = |disk: &SimDisk| -> Vec<usize> {
        let files = disk.files();
        files.values().map(|bytes| bytes.len()).collect()
    };
    log.append(GROUP, &[entry(1, 100)]).unwrap();
    let with_room = num_bytes(&disk);
    assert_eq!(with_room, [64 * 1024]);
    log.append(GROUP, &[entry(2, 1000)]).unwrap();
    log.sync().unwrap();
    assert_eq!(
        num_bytes(&disk),
        with_room,
        "an append makes no file longer"
    );
    // The next append is the last that this file has room for.
    log.append(GROUP, &[entry(3, 63_500)]).unwrap();
    disk.fail_next(Fault::SetLen);
    let error = log.append(GROUP, &[entry(4, 1000)]).unwrap_err();
    assert!(
        matches!(error, WalError::Io { action: "cut", .. }),
        "{error}"
    );
    log.append(GROUP, &[entry(4, 1000)]).unwrap();
    assert!(
        num_bytes(&disk)[0] < 64 * 1024,
        "a file that is done has no room"
    );
    log.sync().unwrap();
    for left in [
        disk.after_kill(),
        disk.after_power_loss(Nothing, Nothing, &mut Random::new(1)),
    ] {
        let log = open(&left);
        assert_eq!(last_index(&log), 4);
        assert_eq!(log.read(GROUP, 4..5).unwrap(), [entry(4, 1000)]);
    }
    log.close().unwrap();
    assert!(
        num_bytes(&disk)[1] < 2048,
        "a log that is closed has no room"
    );
}

#[test]
fn a_write_that_cannot_be_taken_back_stops_the_log_until_it_is_opened_again() {
    let disk = SimDisk::default();
    let mut log = open(&disk);
    log.append(GROUP, &[entry(1, 100)]).unwrap();
    log.sync().unwrap();
    disk.fail_next(Fault::Write);
    disk.fail_next(Fault::SetLen);
    log.append(GROUP, &[entry(2, 100), entry(3, 100)])
        .unwrap_err();
    assert!(matches!(
        log.append(GROUP, &[entry(2, 100)]),
        Err(WalError::Poisoned)
    ));
    assert!(matches!(log.sync(), Err(WalError::Poisoned)));
    // What was refused may be there or not; what was acknowledged is.
    for fate in [Everything, Nothing] {
        let log = open(&disk.after_power_loss(fate, fate, &mut Random::new(1)));
        assert!(last_index(&log) >= 1 && last_index(&log) <= 2);
    }
}

#[test]
fn a_failed_fsync_fails_everybody_who_waited_and_everything_after() {
    let disk = SimDisk::default();
    let wal = Wal::open(Arc::new(disk.clone()), Path::new("/data/wal"), OPTIONS).unwrap();
    let (sender, receiver) = mpsc::channel();
    disk.fail_next(Fault::Sync);
    wal.append(GROUP, &[entry(1, 10)], move |result| {
        sender.send(result).unwrap()
    })
    .unwrap();
    let error = receiver.recv().unwrap().unwrap_err();
    assert!(
        matches!(error, WalError::Io { action: "sync", .. }),
        "{error}"
    );
    assert!(matches!(
        wal.append(GROUP, &[entry(2, 10)], drop),
        Err(WalError::Poisoned)
    ));
    assert!(matches!(
        wal.save_vote(GROUP, b"me"),
        Err(WalError::Poisoned)
    ));
}
