//! The data folder: its layout, its format version, and the lock that keeps a second process out.
//!
//! `LOCK VERSION users/ secrets/ tables/ kv/ modules/ spill/`; parts appear with the first thing stored in them.
//! `secrets/` and `users/` are mode 0700 and hold files of mode 0600; secrets are in clear, passwords are hashes.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::CatalogError;

/// Format of the folder as a whole; raised when an older program could no longer read it.
const FORMAT: u32 = 1;

/// An open, locked data folder. The lock goes with the process, however it ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Held for its lock.
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, making it where there is none.
    ///
    /// Errors: [`CatalogError::FolderInUse`] with the other process's id, [`CatalogError::FolderVersion`], IO.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        create_durably(path)?;
        let path = path
            .canonicalize()
            .map_err(|e| CatalogError::io("open data folder", path, e))?;
        let lock = lock(&path)?;
        check_version(&path)?;
        for part in ["tables", "spill", "secrets", "users"] {
            let part = path.join(part);
            fs::create_dir_all(&part).map_err(|e| CatalogError::io("create folder", part, e))?;
        }
        for part in ["secrets", "users"] {
            restrict(&path.join(part), 0o700)?;
        }
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn tables(&self) -> PathBuf {
        self.path.join("tables")
    }

    pub fn secrets(&self) -> PathBuf {
        self.path.join("secrets")
    }

    /// Keys of the server's own, apart from the secrets that users make.
    pub fn server_secrets(&self) -> PathBuf {
        self.secrets().join("server")
    }

    pub fn users(&self) -> PathBuf {
        self.path.join("users")
    }

    pub fn spill(&self) -> PathBuf {
        self.path.join("spill")
    }

    /// Compiled modules; made with the first of them.
    pub fn modules(&self) -> PathBuf {
        self.path.join("modules")
    }
}

/// Makes the folder and those above it that are missing, and makes each new name durable.
fn create_durably(path: &Path) -> Result<(), CatalogError> {
    let failed = |e| CatalogError::io("create data folder", path, e);
    let absolute = std::path::absolute(path).map_err(failed)?;
    let missing: Vec<&Path> = absolute
        .ancestors()
        .take_while(|folder| !folder.exists())
        .collect();
    fs::create_dir_all(&absolute).map_err(failed)?;
    for parent in missing.iter().filter_map(|folder| folder.parent()) {
        File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(failed)?;
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, CatalogError> {
    let path = folder.join("LOCK");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| CatalogError::io("open", &path, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid)
                .map_err(|e| CatalogError::io("read", &path, e))?;
            return Err(CatalogError::FolderInUse {
                path: folder.into(),
                pid: pid.trim().into(),
            });
        }
        Err(fs::TryLockError::Error(e)) => return Err(CatalogError::io("lock", &path, e)),
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| writeln!(file, "{}", std::process::id()));
    written.map_err(|e| CatalogError::io("write", &path, e))?;
    Ok(file)
}

fn check_version(folder: &Path) -> Result<(), CatalogError> {
    let path = folder.join("VERSION");
    match fs::read_to_string(&path) {
        // An empty file is what a crash between create and write leaves; nothing can have been stored yet.
        Ok(text) if !text.trim().is_empty() => match text.trim().parse::<u32>() {
            Ok(FORMAT) => Ok(()),
            _ => Err(CatalogError::FolderVersion {
                path: folder.into(),
                found: text.trim().into(),
                supported: FORMAT,
            }),
        },
        Err(e) if e.kind() != ErrorKind::NotFound => Err(CatalogError::io("read", &path, e)),
        _ => {
            let written = File::create(&path)
                .and_then(|mut file| writeln!(file, "{FORMAT}").and_then(|()| file.sync_all()))
                .and_then(|()| File::open(folder)?.sync_all());
            written.map_err(|e| CatalogError::io("write", &path, e))
        }
    }
}

#[cfg(unix)]
pub(crate) fn restrict(path: &Path, mode: u32) -> Result<(), CatalogError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|e| CatalogError::io("restrict access to", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_opening_is_refused_with_the_pid() {
        let dir = tempfile::tempdir().unwrap();
        let _first = DataFolder::open(dir.path()).unwrap();
        let second = DataFolder::open(dir.path()).unwrap_err();
        assert!(
            second.to_string().contains(&std::process::id().to_string()),
            "{second}"
        );
    }

    #[test]
    fn a_folder_of_another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("VERSION"), "99\n").unwrap();
        let error = DataFolder::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("format 99"), "{error}");
    }
}
