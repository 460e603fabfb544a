//! Files and folders whose names survive a power loss.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Makes a folder and those above it that are missing.
pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        // Whoever made it may have stopped before this; whoever did not may not be allowed to.
        drop(sync_name(path));
        return Ok(());
    }
    create_dir_all(parent(path))?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => sync_name(path),
    }
}

/// Where a name stands.
fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// What was made, renamed or removed under this name survives a power loss once this returns.
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

/// A neighbour with something behind the whole name: `kv.1` and `kv.2` have two of them.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().into();
    name.push(ending);
    path.with_file_name(name)
}

/// A file on its way, removed unless it gets its name.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
    is_named: bool,
}

impl Unfinished {
    /// One that exists is an error: it may be somebody's.
    pub(crate) fn create(path: PathBuf) -> io::Result<(Self, File)> {
        let file = File::options().write(true).create_new(true).open(&path)?;
        let unfinished = Self {
            path,
            is_named: false,
        };
        Ok((unfinished, file))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes are on disk already.
    pub(crate) fn name(mut self, name: &Path) -> io::Result<()> {
        fs::rename(&self.path, name)?;
        self.is_named = true;
        sync_name(name)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_named {
            // What stays is in the way of the next one, which says so.
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_file_is_nobody_elses_and_goes_unless_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(beside(&at("kv.1"), ".new"), at("kv.1.new"));
        assert_eq!(beside(&at("kv/"), ".new"), at("kv.new"));
        assert_eq!(beside(Path::new("kv"), ".new"), Path::new("kv.new"));
        fs::write(at("kv.new"), "somebody's").unwrap();
        let refused = Unfinished::create(at("kv.new")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(at("kv.new")).unwrap(), b"somebody's");
        for is_named in [false, true] {
            let (unfinished, _) = Unfinished::create(at("kv.1.new")).unwrap();
            if is_named {
                unfinished.name(&at("kv.1")).unwrap();
            } else {
                drop(unfinished);
            }
            assert!(!at("kv.1.new").exists());
            assert_eq!(at("kv.1").exists(), is_named);
        }
    }

    #[test]
    fn folders_are_made_with_all_above_them() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        create_dir_all(&deep).unwrap();
        create_dir_all(&deep).unwrap();
        assert!(deep.is_dir());
        fs::write(deep.join("file"), "").unwrap();
        assert!(create_dir_all(&deep.join("file")).is_err());
        assert!(create_dir_all(&deep.join("file/d")).is_err());
    }
}
