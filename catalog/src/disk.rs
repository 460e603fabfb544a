//! The file system as the table store sees it: a trait, so that a test can record every write and replay a power loss.
//!
//! Rules the store keeps, and the replay test checks: bytes count as durable only after [`DiskFile::sync`];
//! a name counts as durable only after [`Disk::sync_dir`] on its folder; a rename is atomic.

use std::{
    fmt::Debug,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// One file open for writing. [`Write::flush`] promises nothing; [`DiskFile::sync`] does.
pub trait DiskFile: Write + Send + Debug {
    /// Bytes written so far survive a power loss once this returns.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file, or grows it with zeros.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
}

/// The operations on files and folders that the store's durability rests on.
pub trait Disk: Send + Sync + Debug + 'static {
    /// Makes a folder; one that exists is fine.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// A new, empty file; an existing one is emptied.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens for appending, creating an empty file where there is none.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Names created in, moved into or removed from this folder survive a power loss once this returns.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(File);

impl Write for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl DiskFile for RealFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::create(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(
            OpenOptions::new().append(true).create(true).open(path)?,
        )))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
