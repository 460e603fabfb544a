//! Members whose disks fill up.

use std::{fs, io::Write, path::Path};

use crate::{
    isolated::{isolated, run},
    load::Load,
    processes::{Cluster, Setting},
};

/// Of each member's disk.
const DISK: &str = "size=96m";

/// Takes all that is left of a disk.
fn fill(folder: &Path) {
    let mut ballast = fs::File::create(folder.join("ballast")).unwrap();
    for bytes in [1 << 20, 4096, 1] {
        while ballast.write_all(&vec![0; bytes]).is_ok() {}
    }
}

async fn disks_fill_under_load() {
    let setting = Setting::default();
    for id in 1..=3 {
        let disk = setting.folder.path().join(id.to_string());
        fs::create_dir(&disk).unwrap();
        run(&[
            "mount",
            "-t",
            "tmpfs",
            "-o",
            DISK,
            "none",
            disk.to_str().unwrap(),
        ]);
    }
    let mut cluster = Cluster::start_in(setting, 3).await;
    let load = Load::start(6, || cluster.client());
    for leads in [true, false] {
        load.until_commits(100).await;
        let leader = cluster.leader().await.id;
        let id = if leads { leader } else { leader % 3 + 1 };
        let folder = cluster.member(id).folder.clone();
        fill(&folder);
        // It cannot keep what it would promise, so it ends, and says so.
        let status = cluster.member(id).until_ended().await;
        assert!(!status.success(), "{status}");
        load.until_commits(100).await;
        fs::remove_file(folder.join("ballast")).unwrap();
        cluster.member(id).start_again();
        cluster.until_equal().await;
    }
    load.judge().await;
    for member in &mut cluster.members {
        member.kill();
        run(&["umount", member.folder.to_str().unwrap()]);
    }
}

#[test]
fn a_member_whose_disk_is_full_ends_and_comes_back_when_there_is_room() {
    let test = "full_disk::a_member_whose_disk_is_full_ends_and_comes_back_when_there_is_room";
    isolated(test, disks_fill_under_load);
}
