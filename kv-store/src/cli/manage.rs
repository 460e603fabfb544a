//! `kv status`, `member`, `transfer-leader`, `backup`, `restore`.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufReader, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, Remote, print};
use crate::{
    archive::{self, Archive, Archived, Restored},
    files::{self, Unfinished},
    node::{NodeStatus, restore},
    snapshot::SnapshotReader,
};

/// All members that the endpoints and whom they know of lead to.
pub(super) async fn status(remote: &Remote) -> Result<(), CliError> {
    let client = remote.client()?;
    let mut left: BTreeSet<String> = client.addresses().into_iter().collect();
    let (mut asked, mut found) = (BTreeSet::new(), Vec::<NodeStatus>::new());
    while let Some(address) = left.pop_first() {
        let answer = client.status(&address).await;
        asked.insert(address);
        let Ok(status) = answer else { continue };
        let known = status.members.iter().map(|member| member.address.clone());
        left.extend(known.filter(|address| !address.is_empty() && !asked.contains(address)));
        found.retain(|other| other.id != status.id);
        found.push(status);
    }
    // Whom the newest term says.
    let newest = found.iter().max_by_key(|status| status.lead.term);
    let newest = newest.ok_or(CliError::NobodyAnswers)?;
    let leader = newest.lead.leader.as_ref().map(|leader| leader.id);
    if remote.json {
        let nodes: Vec<_> = found.iter().map(node_json).collect();
        let term = newest.lead.term;
        return print(&json!({"leader": leader, "term": term, "nodes": nodes}).to_string());
    }
    for status in &found {
        print(&format!(
            "member {}{}: term {}, last entry {}, applied {}, kept from {}",
            status.id,
            if status.lead.is_own { " leads" } else { "" },
            status.lead.term,
            status.last_index,
            status.applied,
            status.watermark,
        ))?;
        if let Some(Archived { index, behind }) = status.archived {
            let behind = behind.as_secs_f64();
            print(&format!(
                "archived up to entry {index}, all but the last {behind:.1} s"
            ))?;
        }
    }
    for member in &newest.members {
        let votes = if member.is_voter { "votes" } else { "learns" };
        print(&format!("{} at {} {votes}", member.id, member.address))?;
    }
    Ok(())
}

fn node_json(status: &NodeStatus) -> serde_json::Value {
    let members: Vec<_> = status
        .members
        .iter()
        .map(|member| {
            json!({
                "id": member.id,
                "address": member.address,
                "voter": member.is_voter,
                "matched": member.matched,
            })
        })
        .collect();
    json!({
        "id": status.id,
        "term": status.lead.term,
        "leads": status.lead.is_own,
        "stopped": status.lead.is_stopped,
        "first_index": status.first_index,
        "last_index": status.last_index,
        "applied": status.applied.to_string(),
        "watermark": status.watermark.to_string(),
        "fsyncs": status.num_syncs,
        "archived": status.archived.map(|archived| {
            json!({"index": archived.index, "behind_s": archived.behind.as_secs_f64()})
        }),
        "members": members,
    })
}

/// For what has no answer but that it is done.
fn print_json(remote: &Remote, done: &serde_json::Value) -> Result<(), CliError> {
    match remote.json {
        true => print(&done.to_string()),
        false => Ok(()),
    }
}

/// Makes a group of one member.
pub(super) async fn init(remote: &Remote) -> Result<(), CliError> {
    remote.client()?.init().await?;
    print_json(remote, &json!({"initialized": true}))
}

#[derive(Debug, Args)]
pub(super) struct Member {
    #[command(subcommand)]
    action: MemberAction,
}

#[derive(Debug, Subcommand)]
enum MemberAction {
    /// Let a member learn; it votes once it has caught up
    Add {
        id: u64,
        /// host:port
        address: String,
        /// Never let it vote by itself
        #[arg(long)]
        learner: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// Let a learner vote now
    Promote {
        id: u64,
        #[command(flatten)]
        remote: Remote,
    },
    /// Let a member go
    Remove {
        id: u64,
        #[command(flatten)]
        remote: Remote,
    },
}

impl Member {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let (remote, done) = match self.action {
            MemberAction::Add {
                id,
                address,
                learner,
                remote,
            } => {
                remote.client()?.add_member(id, &address, !learner).await?;
                (remote, json!({"added": id, "address": address}))
            }
            MemberAction::Promote { id, remote } => {
                remote.client()?.promote(id).await?;
                (remote, json!({"promoted": id}))
            }
            MemberAction::Remove { id, remote } => {
                remote.client()?.remove_member(id).await?;
                (remote, json!({"removed": id}))
            }
        };
        print_json(&remote, &done)
    }
}

#[derive(Debug, Args)]
pub(super) struct TransferLeader {
    /// Who is to lead
    to: u64,
    #[command(flatten)]
    remote: Remote,
}

impl TransferLeader {
    pub(super) async fn run(self) -> Result<(), CliError> {
        self.remote.client()?.transfer_leader(self.to).await?;
        // It leads a little later, if at all.
        print_json(&self.remote, &json!({"asked": self.to}))
    }
}

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// File to write; it gets its name when it is whole
    #[arg(long)]
    to: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

impl Backup {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let path = files::beside(&self.to, ".unfinished");
        let failed = |source| CliError::File {
            path: self.to.clone(),
            source,
        };
        let created = Unfinished::create(path.clone());
        let (unfinished, file) = created.map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => CliError::Unfinished { path },
            _ => failed(source),
        })?;
        let mut file = BufWriter::new(file);
        let num_bytes = self.remote.client()?.backup(&mut file).await?;
        file.flush()
            .and_then(|()| file.get_ref().sync_all())
            .map_err(failed)?;
        let (last, num_pairs) = check(unfinished.path())?;
        unfinished.name(&self.to).map_err(failed)?;
        if self.remote.json {
            let summary = json!({"version_index": last, "pairs": num_pairs, "bytes": num_bytes});
            return print(&summary.to_string());
        }
        print(&format!(
            "{num_pairs} pairs up to entry {last}, {num_bytes} bytes"
        ))
    }
}

/// Reads it all: the last entry in it, and the number of pairs.
fn check(path: &Path) -> Result<(u64, usize), CliError> {
    let file = File::open(path).map_err(|source| CliError::File {
        path: path.into(),
        source,
    })?;
    let damaged = |source| CliError::Backup {
        path: path.into(),
        source,
    };
    let mut reader = SnapshotReader::open(BufReader::new(file)).map_err(damaged)?;
    let mut num_pairs = 0;
    for pair in &mut reader {
        pair.map_err(damaged)?;
        num_pairs += 1;
    }
    Ok((reader.last_entry().index, num_pairs))
}

/// The entry of a version as it is printed, or of an entry's number alone.
fn index(version: &str) -> Result<u64, CliError> {
    let mut parts = version.split('.');
    let index = match (parts.next(), parts.next(), parts.next()) {
        (Some(index), None, _) | (Some(_), Some(index), Some(_)) => index.parse().ok(),
        _ => None,
    };
    index.ok_or(CliError::Usage(
        "a version is epoch.entry.position, or the number of an entry",
    ))
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// File of a backup; or where a store uploaded to, as s3://bucket/prefix or file:///folder
    #[arg(long)]
    from: String,
    /// Of an archive: nothing behind the entry that holds this version
    #[arg(long)]
    version: Option<String>,
    /// Folder of the new member, which must not exist
    #[arg(long)]
    data_dir: PathBuf,
    /// Id of the new member, the first of its group
    #[arg(long, default_value_t = crate::FIRST_ID)]
    id: u64,
    /// host:port where it will be reached
    #[arg(long, default_value = "127.0.0.1:31339")]
    advertise: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) async fn run(self) -> Result<(), CliError> {
        if !self.from.contains("://") {
            if self.version.is_some() {
                return Err(CliError::Usage("a backup holds one version only"));
            }
            let backup = Path::new(&self.from);
            let last = restore(backup, &self.data_dir, self.id, &self.advertise)?;
            return self.say(last, None);
        }
        let upto = self.version.as_deref().map(index).transpose()?;
        let archive = Archive::open(&self.from)?;
        let restored = archive::restore(&archive, upto, &self.data_dir, self.id, &self.advertise);
        let Restored { last, damaged } = restored.await?;
        self.say(last, damaged)
    }

    fn say(&self, last: u64, damaged: Option<String>) -> Result<(), CliError> {
        if self.json {
            let summary = json!({"version_index": last, "damaged_behind": damaged});
            return print(&summary.to_string());
        }
        print(&format!("restored up to entry {last}"))?;
        match damaged {
            Some(damaged) => print(&format!("what came behind it is damaged: {damaged}")),
            None => Ok(()),
        }
    }
}
