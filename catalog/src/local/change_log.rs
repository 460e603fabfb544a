//! The append-only file that definitions and file lists are recovered from.
//!
//! Shape: one line a change, `crc32 SPACE json LF`, the checksum in eight hexadecimal digits over the JSON bytes.
//! Invariant: at most the last change can be unfinished, because the next is written only after the fsync of the one before.
//! So bytes after the last good line are a torn change, never acknowledged, and are cut off; a good line after a bad one is damage.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    CatalogError, DataFile, Relation, TableId, TableName,
    disk::{Disk, DiskFile},
};

/// What one commit changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    CreateSchema {
        schema: String,
    },
    /// Goes with everything in it.
    DropSchema {
        schema: String,
    },
    /// Creates the relation, or takes the place of the one there.
    Put {
        name: TableName,
        relation: Relation,
    },
    Drop {
        name: TableName,
    },
    /// More rows for the managed table `id`.
    Append {
        name: TableName,
        id: TableId,
        files: Vec<DataFile>,
    },
}

#[derive(Debug)]
pub(super) struct ChangeLog {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// Length of the good part, in bytes.
    len: u64,
    /// Set when a failed write could not be taken back: what is on disk is then unknown.
    poisoned: bool,
}

impl ChangeLog {
    /// Opens the log and returns the changes in it, oldest first.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        folder: &Path,
    ) -> Result<(Self, Vec<Change>), CatalogError> {
        let path = folder.join("changes.log");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(CatalogError::io("read", &path, e)),
        };
        let (changes, len) = parse(&bytes).map_err(|detail| CatalogError::Damaged {
            path: path.clone(),
            detail,
        })?;
        let open = || {
            let mut file = disk.append(&path)?;
            if len < bytes.len() as u64 {
                file.set_len(len)?;
            }
            file.sync()?;
            disk.sync_dir(folder)?;
            Ok(file)
        };
        let file = open().map_err(|e| CatalogError::io("open", &path, e))?;
        Ok((
            Self {
                path,
                file,
                len,
                poisoned: false,
            },
            changes,
        ))
    }

    /// Whether a failed write could not be taken back.
    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Makes the change durable. On an error it is absent, or the log refuses all further changes.
    pub(super) fn append(&mut self, change: &Change) -> Result<(), CatalogError> {
        if self.poisoned {
            return Err(CatalogError::Poisoned);
        }
        let line = line(change);
        match self.file.write_all(&line).and_then(|()| self.file.sync()) {
            Ok(()) => {
                self.len += line.len() as u64;
                Ok(())
            }
            Err(source) => {
                let undone = self.file.set_len(self.len).and_then(|()| self.file.sync());
                self.poisoned = undone.is_err();
                Err(CatalogError::io("append to", &self.path, source))
            }
        }
    }

    /// Rewrites the log as the shortest one with the same outcome, in one atomic rename.
    pub(super) fn compact(
        self,
        disk: &Arc<dyn Disk>,
        folder: &Path,
        changes: &[Change],
    ) -> Result<Self, CatalogError> {
        let new = folder.join("changes.log.new");
        let write = || {
            let mut file = disk.create(&new)?;
            for change in changes {
                file.write_all(&line(change))?;
            }
            file.sync()?;
            disk.rename(&new, &self.path)?;
            disk.sync_dir(folder)
        };
        write().map_err(|e| CatalogError::io("rewrite", &self.path, e))?;
        Ok(Self::open(disk, folder)?.0)
    }
}

fn line(change: &Change) -> Vec<u8> {
    let json = serde_json::to_vec(change).expect("a change is plain data");
    let mut line = format!("{:08x} ", crc32(&json)).into_bytes();
    line.extend_from_slice(&json);
    line.push(b'\n');
    line
}

/// The good changes and the length of the lines they came from, or what is wrong.
fn parse(bytes: &[u8]) -> Result<(Vec<Change>, u64), String> {
    let mut changes = Vec::new();
    let (mut at, mut good_len, mut torn) = (0, 0, None);
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        at += line.len() as u64;
        match (whole_json(line), torn) {
            (Some(json), None) => {
                // The checksum holds, so it was written so and acknowledged: it must never be cut off as torn.
                let change = serde_json::from_slice(json)
                    .map_err(|e| format!("line {} is whole but not understood: {e}", number + 1))?;
                changes.push(change);
                good_len = at;
            }
            (Some(_), Some(torn)) => {
                return Err(format!(
                    "line {torn} cannot be read, and line {} after it can",
                    number + 1
                ));
            }
            (None, _) => torn = torn.or(Some(number + 1)),
        }
    }
    Ok((changes, good_len))
}

/// The JSON of a line whose checksum is right; `None` for a torn one.
fn whole_json(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    let (checksum, json) = line.split_at_checked(9)?;
    let checksum =
        u32::from_str_radix(std::str::from_utf8(checksum.strip_suffix(b" ")?).ok()?, 16).ok()?;
    (crc32(json) == checksum).then_some(json)
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(schema: &str) -> Change {
        Change::CreateSchema {
            schema: schema.into(),
        }
    }

    #[test]
    fn a_torn_last_line_is_cut_off_wherever_it_tears() {
        let whole = [line(&change("a")), line(&change("b"))].concat();
        let first_len = line(&change("a")).len();
        for cut in first_len..whole.len() {
            let (changes, len) = parse(&whole[..cut]).unwrap();
            assert_eq!(
                (changes, len),
                (vec![change("a")], first_len as u64),
                "cut at {cut}"
            );
        }
        assert_eq!(parse(&whole).unwrap().0, vec![change("a"), change("b")]);
    }

    #[test]
    fn a_whole_line_of_an_unknown_kind_is_damage_and_not_torn() {
        let json = br#"{"from_the_future":{}}"#;
        let bytes = [format!("{:08x} ", crc32(json)).as_bytes(), json, b"\n"].concat();
        assert!(
            parse(&bytes)
                .unwrap_err()
                .starts_with("line 1 is whole but not understood")
        );
    }

    #[test]
    fn a_good_line_after_a_bad_one_is_damage() {
        let mut bytes = [line(&change("a")), line(&change("b"))].concat();
        bytes[12] ^= 1;
        assert_eq!(
            parse(&bytes).unwrap_err(),
            "line 1 cannot be read, and line 2 after it can"
        );
    }
}
