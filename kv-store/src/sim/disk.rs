//! A disk in memory that can lose power.
//!
//! Model: a file's bytes are durable up to its last sync. Of what was written since, each 4-KiB page has arrived whole,
//! in part, or not at all, with its neighbours or without; the length is the durable one or any later one, and pages of
//! it that have not arrived read as zeros. Names are durable up to their folder's last sync; of what was made, moved and
//! removed since, any part has happened, in order, and a rename has happened whole or not at all.
//! Folders themselves are durable as soon as they are made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::Random;
use crate::disk::{Disk, DiskFile};

/// The unit in which an operating system brings file contents to disk, in bytes.
const PAGE: usize = 4096;

/// How much of what was not synced arrives at a power loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Nothing,
    Everything,
    /// Each page and each name with this chance, in percent; pages may tear.
    Perhaps(u64),
}

/// An operation on a file that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full: half of the bytes are written.
    Write,
    Sync,
    SetLen,
}

/// Called after every operation with what was done; see [`SimDisk::observe`].
type Observer = Box<dyn FnMut(&SimDisk) + Send>;

/// Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    observer: Arc<Mutex<Option<Observer>>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// By file number.
    files: Vec<Contents>,
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Done to names and not yet durable, oldest first.
    name_changes: Vec<NameChange>,
    num_syncs: u64,
    /// Syncs of files answer and do nothing.
    lies: bool,
    /// To come, each at the next operation of its kind.
    faults: Vec<Fault>,
}

#[derive(Debug, Clone, Default)]
struct Contents {
    now: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Put {
        path: PathBuf,
        file: usize,
    },
    Move {
        from: PathBuf,
        to: PathBuf,
        file: usize,
    },
    Remove {
        path: PathBuf,
    },
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Put { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Move { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        let (Self::Put { path, .. } | Self::Move { to: path, .. } | Self::Remove { path }) = self;
        path.parent() == Some(folder)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::with_state(State::default())
    }
}

impl SimDisk {
    fn with_state(state: State) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
            observer: Arc::default(),
        }
    }

    /// From now on `observer` is called after each operation; within a write, after each page.
    pub fn observe(&self, observer: impl FnMut(&Self) + Send + 'static) {
        *self.observer.lock() = Some(Box::new(observer));
    }

    /// What a machine that lost power now finds when it is back: `contents` is the fate of bytes, `names` of names.
    pub fn after_power_loss(&self, contents: Fate, names: Fate, random: &mut Random) -> Self {
        let state = self.state.lock();
        let files = state
            .files
            .iter()
            .map(|file| {
                let arrived = file.arrived(contents, random);
                Contents {
                    now: Arc::clone(&arrived),
                    durable: arrived,
                }
            })
            .collect();
        let mut left = state.durable_names.clone();
        for change in &state.name_changes {
            let happened = match names {
                Fate::Nothing => false,
                Fate::Everything => true,
                Fate::Perhaps(percent) => random.chance(percent),
            };
            if happened {
                change.apply(&mut left);
            }
        }
        Self::with_state(State {
            files,
            folders: state.folders.clone(),
            names: left.clone(),
            durable_names: left,
            name_changes: Vec::new(),
            num_syncs: 0,
            lies: state.lies,
            faults: Vec::new(),
        })
    }

    /// What a process that was killed finds when it starts again: all it wrote, durable or not.
    pub fn after_kill(&self) -> Self {
        Self::with_state(self.state.lock().clone())
    }

    /// From now on fsyncs of files answer and do nothing, which a test of durability must notice.
    pub fn lie_about_syncs(&self) {
        self.state.lock().lies = true;
    }

    /// The next operation of this kind fails, once.
    pub fn fail_next(&self, fault: Fault) {
        self.state.lock().faults.push(fault);
    }

    fn take_fault(&self, fault: Fault) -> bool {
        let faults = &mut self.state.lock().faults;
        let at = faults.iter().position(|known| *known == fault);
        at.map(|at| faults.remove(at)).is_some()
    }

    /// Fsyncs of files so far.
    pub fn num_syncs(&self) -> u64 {
        self.state.lock().num_syncs
    }

    /// Files by name, with their contents.
    pub fn files(&self) -> BTreeMap<PathBuf, Arc<Vec<u8>>> {
        let state = self.state.lock();
        let contents = |file: &usize| Arc::clone(&state.files[*file].now);
        state
            .names
            .iter()
            .map(|(path, file)| (path.clone(), contents(file)))
            .collect()
    }

    /// A copy of this disk with one bit of a file changed.
    pub fn with_flipped_bit(&self, path: &Path, byte: usize, bit: u32) -> Self {
        let copy = self.after_kill();
        {
            let mut state = copy.state.lock();
            let file = state.names[path];
            let contents = &mut state.files[file];
            Arc::make_mut(&mut contents.now)[byte] ^= 1 << bit;
            contents.durable = Arc::clone(&contents.now);
        }
        copy
    }

    fn notify(&self) {
        if let Some(observer) = &mut *self.observer.lock() {
            observer(self);
        }
    }

    fn put_name(
        &self,
        change: impl FnOnce(&mut State) -> io::Result<NameChange>,
    ) -> io::Result<()> {
        {
            let mut state = self.state.lock();
            let change = change(&mut state)?;
            change.apply(&mut state.names);
            state.name_changes.push(change);
        }
        self.notify();
        Ok(())
    }

    fn handle(&self, file: usize) -> Arc<dyn DiskFile> {
        Arc::new(SimFile {
            disk: self.clone(),
            file,
        })
    }
}

impl Contents {
    fn arrived(&self, fate: Fate, random: &mut Random) -> Arc<Vec<u8>> {
        let percent = match fate {
            _ if Arc::ptr_eq(&self.now, &self.durable) => return Arc::clone(&self.now),
            Fate::Nothing => return Arc::clone(&self.durable),
            Fate::Everything => return Arc::clone(&self.now),
            Fate::Perhaps(percent) => percent,
        };
        let (short, long) = (
            self.now.len().min(self.durable.len()),
            self.now.len().max(self.durable.len()),
        );
        let len = match random.below(4) {
            0 => self.durable.len(),
            1 => short + random.below(long - short + 1),
            _ => self.now.len(),
        };
        let mut bytes = self.durable.to_vec();
        bytes.resize(len, 0);
        for start in (0..len).step_by(PAGE) {
            if !random.chance(percent) {
                continue;
            }
            let end = (start + PAGE).min(len).min(self.now.len());
            // Half of the pages that arrive tear somewhere.
            let end = if end > start && random.chance(50) {
                start + random.below(end - start + 1)
            } else {
                end
            };
            if end > start {
                bytes[start..end].copy_from_slice(&self.now[start..end]);
            }
        }
        Arc::new(bytes)
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl SimFile {
    fn with<T>(&self, run: impl FnOnce(&mut Contents) -> T) -> T {
        run(&mut self.disk.state.lock().files[self.file])
    }
}

impl DiskFile for SimFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut at = usize::try_from(offset).map_err(io::Error::other)?;
        let is_full = self.disk.take_fault(Fault::Write);
        let mut rest = if is_full {
            &bytes[..bytes.len() / 2]
        } else {
            bytes
        };
        while !rest.is_empty() {
            let (page, behind) = rest.split_at(rest.len().min(PAGE - at % PAGE));
            self.with(|contents| {
                let now = Arc::make_mut(&mut contents.now);
                if now.len() < at + page.len() {
                    now.resize(at + page.len(), 0);
                }
                now[at..at + page.len()].copy_from_slice(page);
            });
            self.disk.notify();
            at += page.len();
            rest = behind;
        }
        if is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|contents| {
            let bytes = contents
                .now
                .get(at..at + buffer.len())
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.take_fault(Fault::Sync) {
            return Err(io::Error::other("the disk is broken"));
        }
        let lies = self.disk.state.lock().lies;
        if !lies {
            self.with(|contents| contents.durable = Arc::clone(&contents.now));
        }
        self.disk.state.lock().num_syncs += 1;
        self.disk.notify();
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        if self.disk.take_fault(Fault::SetLen) {
            return Err(io::Error::other("the disk is broken"));
        }
        self.with(|contents| Arc::make_mut(&mut contents.now).resize(len, 0));
        self.disk.notify();
        Ok(())
    }

    fn num_bytes(&self) -> io::Result<u64> {
        Ok(self.with(|contents| contents.now.len() as u64))
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.state.lock().folders.insert(path.into());
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut new = 0;
        self.put_name(|state| {
            new = state.files.len();
            state.files.push(Contents::default());
            Ok(NameChange::Put {
                path: path.into(),
                file: new,
            })
        })?;
        Ok(self.handle(new))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.state.lock().names.get(path).copied();
        Ok(self.handle(file.ok_or(io::ErrorKind::NotFound)?))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        if !state.folders.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = state.names.keys();
        Ok(names
            .filter(|name| name.parent() == Some(path))
            .filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.put_name(|state| {
            let file = state.names.get(from).copied();
            Ok(NameChange::Move {
                from: from.into(),
                to: to.into(),
                file: file.ok_or(io::ErrorKind::NotFound)?,
            })
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.put_name(|state| {
            let file = state.names.get(path).copied();
            file.ok_or(io::ErrorKind::NotFound)?;
            Ok(NameChange::Remove { path: path.into() })
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        {
            let mut state = self.state.lock();
            let (durable, pending) = std::mem::take(&mut state.name_changes)
                .into_iter()
                .partition(|change| change.is_in(path));
            state.name_changes = pending;
            let durable: Vec<NameChange> = durable;
            for change in durable {
                change.apply(&mut state.durable_names);
            }
        }
        self.notify();
        Ok(())
    }
}
