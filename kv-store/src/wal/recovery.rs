//! From the files of a folder to what was acknowledged.
//!
//! 1. Read the headers. Numbers without a gap, each naming the length of the segment before.
//! 2. Begin with the first header's checkpoint and take in record after record.
//! 3. A bad record in any segment but the last is damage: the header after it vouches for all of it.
//! 4. In the last segment a bad record is damage when a good record behind it vouches for it, else the torn tail begins there.

use std::{path::Path, sync::Arc};

use super::{
    WalError,
    groups::Groups,
    log::Segment,
    record::{self, Kind},
    segment::{self, Header},
};
use crate::disk::Disk;

pub(super) struct Recovered {
    pub(super) groups: Groups,
    /// Oldest first.
    pub(super) segments: Vec<Segment>,
    /// Length of the good part of the last one, in bytes.
    pub(super) last_len: u64,
}

/// A segment as read.
struct Loaded {
    segment: Segment,
    header: Header,
    header_len: u64,
    bytes: Vec<u8>,
}

pub(super) fn recover(disk: &Arc<dyn Disk>, folder: &Path) -> Result<Recovered, WalError> {
    let numbers = segment_numbers(disk, folder)?;
    let mut recovered = Recovered {
        groups: Groups::default(),
        segments: Vec::new(),
        last_len: 0,
    };
    let mut numbers = numbers.into_iter().peekable();
    let mut next = match numbers.peek() {
        Some(number) => load(disk, folder, *number)?,
        None => return Ok(recovered),
    };
    recovered.groups = Groups::from_kept(next.header.checkpoint.clone());
    while let Some(number) = numbers.next() {
        let loaded = next;
        if loaded.header.checkpoint != recovered.groups.kept() {
            return Err(damaged(
                &loaded,
                0,
                "the checkpoint is not what the records before say",
            ));
        }
        match numbers.peek() {
            Some(after) if *after == number + 1 => {
                next = load(disk, folder, *after)?;
                take_in_whole(&loaded, next.header.previous_len, &mut recovered.groups)?;
                recovered.segments.push(loaded.segment);
            }
            Some(_) => {
                return Err(WalError::MissingSegment {
                    folder: folder.into(),
                    segment: number + 1,
                });
            }
            None => {
                recovered.last_len = take_in_good_part(&loaded, &mut recovered.groups)?;
                check_first_entries(&loaded, &recovered.groups)?;
                recovered.segments.push(loaded.segment);
                break;
            }
        }
    }
    Ok(recovered)
}

/// Sorted. Makes the folder, and removes a segment that never got its name.
fn segment_numbers(disk: &Arc<dyn Disk>, folder: &Path) -> Result<Vec<u64>, WalError> {
    let parent = folder.parent().unwrap_or(folder);
    disk.create_dir(folder)
        .and_then(|()| disk.sync_dir(parent))
        .map_err(|e| WalError::io("make", folder, e))?;
    let names = disk
        .list(folder)
        .map_err(|e| WalError::io("list", folder, e))?;
    let unfinished = segment::unfinished_path(folder);
    if names.iter().any(|name| unfinished.ends_with(name)) {
        disk.remove_file(&unfinished)
            .map_err(|e| WalError::io("remove", &unfinished, e))?;
    }
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| segment::number(name))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn load(disk: &Arc<dyn Disk>, folder: &Path, number: u64) -> Result<Loaded, WalError> {
    let path = segment::path(folder, number);
    let read = || {
        let file = disk.open(&path)?;
        let len = usize::try_from(file.num_bytes()?).map_err(std::io::Error::other)?;
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0)?;
        Ok((file, bytes))
    };
    let (file, bytes) = read().map_err(|e| WalError::io("read", &path, e))?;
    let (header, header_len) = Header::decode(&bytes, &path)?;
    let loaded = Loaded {
        segment: Segment::new(number, path, file, header.salt),
        header,
        header_len,
        bytes,
    };
    if loaded.header.segment != number {
        return Err(damaged(&loaded, 0, "the file has another segment's name"));
    }
    Ok(loaded)
}

/// All `len` bytes of a segment that is not the last.
fn take_in_whole(loaded: &Loaded, len: u64, groups: &mut Groups) -> Result<(), WalError> {
    let bytes_len = loaded.bytes.len() as u64;
    let good_len = take_in(loaded, len.min(bytes_len), groups)?;
    if good_len == len {
        Ok(())
    } else {
        Err(damaged(
            loaded,
            good_len,
            &format!("the next segment vouches for {len} bytes"),
        ))
    }
}

/// The records of the last segment up to its torn tail, and where that begins.
fn take_in_good_part(loaded: &Loaded, groups: &mut Groups) -> Result<u64, WalError> {
    let bytes_len = loaded.bytes.len() as u64;
    let good_len = take_in(loaded, bytes_len, groups)?;
    let behind = (good_len..bytes_len).step_by(record::ALIGNMENT);
    let synced = behind
        .filter_map(|offset| decode_at(&loaded.bytes, loaded.segment.salt, offset))
        .map(|(_, synced, _)| synced)
        .max();
    match synced {
        Some(synced) if synced > good_len => Err(damaged(
            loaded,
            good_len,
            &format!("a later record vouches for {synced} bytes"),
        )),
        _ => Ok(good_len),
    }
}

/// Takes in records up to byte `end`, or up to the first one that is not good. Returns where it stopped.
fn take_in(loaded: &Loaded, end: u64, groups: &mut Groups) -> Result<u64, WalError> {
    let bytes = &loaded.bytes[..usize::try_from(end).expect("the file was read")];
    let mut offset = loaded.header_len;
    while let Some((record, _, len)) = decode_at(bytes, loaded.segment.salt, offset) {
        if record.kind == Kind::Entry {
            check_follows(groups, loaded, &record, offset)?;
        }
        groups.apply(&record, loaded.segment.number, offset);
        offset += len as u64;
    }
    Ok(offset)
}

fn decode_at(bytes: &[u8], salt: u64, offset: u64) -> Option<(record::Record<'_>, u64, usize)> {
    record::decode(bytes.get(usize::try_from(offset).ok()?..)?, salt, offset)
}

/// An entry follows the one before it. In a group without entries it may also come later: what was between stood in
/// segments that are deleted, and a purge record further on says so.
fn check_follows(
    groups: &Groups,
    loaded: &Loaded,
    record: &record::Record<'_>,
    offset: u64,
) -> Result<(), WalError> {
    let Some(group) = groups.groups.get(&record.group) else {
        return Ok(());
    };
    match group.next() {
        Some(next)
            if record.id.index < next || (record.id.index > next && !group.entries.is_empty()) =>
        {
            Err(damaged(
                loaded,
                offset,
                &format!(
                    "entry {} of group {} stands where {next} is due",
                    record.id.index, record.group
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// Entries begin right after the purged ones: no deleted segment held a live one.
fn check_first_entries(last: &Loaded, groups: &Groups) -> Result<(), WalError> {
    for (id, group) in &groups.groups {
        if let Some(purged) = group.kept.purged
            && !group.entries.is_empty()
            && group.first != purged.index + 1
        {
            return Err(damaged(
                last,
                0,
                &format!(
                    "group {id} is purged up to {} and begins at {}",
                    purged.index, group.first
                ),
            ));
        }
    }
    Ok(())
}

fn damaged(loaded: &Loaded, offset: u64, detail: &str) -> WalError {
    WalError::Damaged {
        path: loaded.segment.path.clone(),
        offset,
        detail: detail.into(),
    }
}
