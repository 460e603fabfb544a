//! Memory files in which join tables lie, kept for the next table.
//!
//! Making the pages of a file costs several times what filling them does, and the tables of most queries are small.
//! What a kept file holds is left in it: whoever builds a table writes what is read of it.

use std::{
    fs::File,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use memfd::MemfdOptions;

/// A memory file and its length in bytes, whole pages.
#[derive(Debug)]
pub(crate) struct TableFile {
    pub(crate) file: File,
    bytes: u64,
}

impl TableFile {
    /// Makes it at least so long.
    pub(crate) fn reach(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > self.bytes {
            self.file.set_len(bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }
}

/// Files that no table uses.
#[derive(Debug)]
pub(crate) struct TableFiles {
    /// Of all that are kept together.
    bytes_max: u64,
    idle: Mutex<Vec<TableFile>>,
}

impl TableFiles {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            idle: Mutex::default(),
        }
    }

    /// The longest that is kept, or a new one.
    pub(crate) fn take(&self) -> io::Result<TableFile> {
        let mut idle = self.lock();
        let longest = idle.iter().enumerate().max_by_key(|(_, of)| of.bytes);
        if let Some(longest) = longest.map(|(index, _)| index) {
            return Ok(idle.swap_remove(longest));
        }
        let file = MemfdOptions::default().create("murre-join-table");
        let file = file.map_err(io::Error::other)?;
        Ok(TableFile {
            file: file.into_file(),
            bytes: 0,
        })
    }

    /// Keeps a file that nobody has mapped any more, or as much of it as there is room for.
    pub(crate) fn give_back(&self, mut file: TableFile) {
        let mut idle = self.lock();
        let room = self.bytes_max - idle.iter().map(|of| of.bytes).sum::<u64>();
        if file.bytes > room {
            // One that cannot be shortened goes.
            match file.file.set_len(room) {
                Ok(()) => file.bytes = room,
                Err(_) => return,
            }
        }
        if file.bytes > 0 {
            idle.push(file);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<TableFile>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_up_to_a_limit_and_the_longest_is_used_first() {
        let files = TableFiles::new(3 << 20);
        let made = |bytes: u64| {
            let mut file = TableFiles::new(0).take().unwrap();
            file.reach(bytes).unwrap();
            file
        };
        files.give_back(made(1 << 20));
        files.give_back(made(4 << 20));
        files.give_back(made(1 << 20));
        let lengths = [(); 3].map(|()| {
            let file = files.take().unwrap();
            assert_eq!(file.file.metadata().unwrap().len(), file.bytes);
            file.bytes
        });
        // The second was cut to what the first had left, and there was no room for the third.
        assert_eq!(lengths, [2 << 20, 1 << 20, 0]);
    }
}
