//! Which of the engine's folders counts.
//!
//! A snapshot is installed into a fresh folder, and then one small file says that this is the engine now: so a crash leaves
//! the old engine or the new one. The old one's folder goes when nobody reads from it any more, or at the next opening.
//!
//! ```text
//! <folder>/CURRENT      name of the one that counts; none yet means the first
//! <folder>/<number>     engines, counted from 1
//! ```

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Weak,
};

use super::LsmEngine;

const CURRENT: &str = "CURRENT";
const NEXT_CURRENT: &str = "CURRENT.new";
const FIRST: u64 = 1;

/// The engine's folder, which may not exist yet. Removes what an interrupted installation left.
pub fn current(folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let number = current_number(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if number_of(&path).is_some_and(|found| found != number) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(folder.join(number.to_string()))
}

/// A folder for another engine, which does not count yet.
pub fn fresh(folder: &Path) -> io::Result<PathBuf> {
    let mut newest = current_number(folder)?;
    for entry in fs::read_dir(folder)? {
        newest = newest.max(number_of(&entry?.path()).unwrap_or(0));
    }
    let path = folder.join((newest + 1).to_string());
    fs::create_dir(&path)?;
    Ok(path)
}

/// From now on `engine` counts, also after a power loss. The one before stays: reads may go on in it.
pub fn switch(folder: &Path, engine: &Path) -> io::Result<()> {
    let number = number_of(engine).ok_or(io::ErrorKind::InvalidInput)?;
    let next = folder.join(NEXT_CURRENT);
    let mut file = File::create(&next)?;
    writeln!(file, "{number}")?;
    file.sync_all()?;
    fs::rename(&next, folder.join(CURRENT))?;
    File::open(folder)?.sync_all()
}

/// Folders of engines that do not count any more, each with who still reads from it.
#[derive(Debug, Default)]
pub struct Left(Vec<(PathBuf, Weak<()>)>);

impl Left {
    pub fn add(&mut self, engine: &LsmEngine) {
        self.0.push((engine.folder().into(), engine.in_use()));
    }

    /// Removes those that nobody uses. What cannot be removed is left to the next opening.
    pub fn remove_unused(&mut self) {
        self.0.retain(|(folder, in_use)| {
            if in_use.strong_count() > 0 {
                return true;
            }
            if let Err(error) = fs::remove_dir_all(folder) {
                tracing::warn!(%error, folder = %folder.display(), "an old state is left on disk");
            }
            false
        });
    }
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.parse().ok()
}

fn current_number(folder: &Path) -> io::Result<u64> {
    match fs::read_to_string(folder.join(CURRENT)) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| io::Error::other("CURRENT names no engine")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(FIRST),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_folder_counts_after_the_switch_and_is_removed_without_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let first = current(folder).expect("an empty folder");
        fs::create_dir(&first).expect("it is not there yet");
        let second = fresh(folder).expect("the folder is there");
        assert_eq!(current(folder).expect("nothing is damaged"), first);
        assert!(!second.exists());
        let second = fresh(folder).expect("the folder is there");
        switch(folder, &second).expect("both are there");
        assert_eq!(current(folder).expect("nothing is damaged"), second);
        assert!(!first.exists() && second.exists());
    }
}
