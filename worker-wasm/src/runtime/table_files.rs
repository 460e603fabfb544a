//! Memory files in which join tables lie, kept for the next table.
//!
//! Making the pages of a file costs several times what filling them does, and the tables of most queries are small.
//! What a kept file holds is left in it: whoever builds a table writes what is read of it.
//! Mapping and unmapping small pages is what is left then, twice for each table, and more than the rest of what the host does
//! for it: a file that is used again gets huge pages, once, from a thread of its own.
//! Giving pages back takes a fifth of a second for a gigabyte, which no query waits for: much is given back by a thread of
//! its own. Memory is charged until it is given back.

use std::{
    fs::File,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use memfd::MemfdOptions;

use super::{
    ledger::Charge,
    memory::{HUGE_PAGE_BYTES, make_huge},
};

/// So many bytes are given back by whoever has no more use for them: about 3 ms.
const AT_ONCE_BYTES_MAX: u64 = 16 << 20;

/// A memory file and its length in bytes, whole pages.
#[derive(Debug)]
pub(crate) struct TableFile {
    pub(crate) file: File,
    bytes: u64,
    pages: Pages,
}

/// How often a file has been used since it has its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pages {
    /// Not yet, but by whoever has it.
    New,
    Used,
    /// It has got huge pages, where the system has them.
    Huge,
}

impl TableFile {
    /// Makes it at least so long.
    pub(crate) fn reach(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > self.bytes {
            self.file.set_len(bytes)?;
            self.bytes = bytes;
            self.pages = Pages::New;
        }
        Ok(())
    }

    /// Where to begin with mapping what is behind the first `bytes`, which are mapped.
    pub(crate) fn map_from(&self, bytes: u64) -> u64 {
        match self.pages {
            Pages::Huge => bytes - bytes % HUGE_PAGE_BYTES,
            Pages::New | Pages::Used => bytes,
        }
    }
}

/// Files that no table uses.
#[derive(Debug)]
pub(crate) struct TableFiles {
    /// Of all that are kept together.
    bytes_max: u64,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    files: Vec<TableFile>,
    /// Bytes of them, and of those that are still being shortened.
    bytes: u64,
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
        let longest = idle.files.iter().enumerate().max_by_key(|(_, of)| of.bytes);
        if let Some(longest) = longest.map(|(index, _)| index) {
            let file = idle.files.swap_remove(longest);
            idle.bytes -= file.bytes;
            return Ok(file);
        }
        let file = MemfdOptions::default().create("murre-join-table");
        let file = file.map_err(io::Error::other)?;
        Ok(TableFile {
            file: file.into_file(),
            bytes: 0,
            pages: Pages::New,
        })
    }

    /// Keeps a file that nobody has mapped any more, or as much of it as there is room for. Its memory stays charged until
    /// the rest is given back.
    pub(super) fn give_back(self: &Arc<Self>, mut file: TableFile, charge: Charge) {
        let kept = {
            let mut idle = self.lock();
            let kept = file.bytes.min(self.bytes_max - idle.bytes);
            idle.bytes += kept;
            kept
        };
        let is_used_again = kept == file.bytes && file.pages == Pages::Used;
        file.pages = match file.pages {
            Pages::Huge if kept == file.bytes => Pages::Huge,
            _ => Pages::Used,
        };
        let gets_huge = is_used_again && kept >= HUGE_PAGE_BYTES;
        if file.bytes - kept <= AT_ONCE_BYTES_MAX && !gets_huge {
            return self.shorten(file, kept, charge);
        }
        let files = Arc::clone(self);
        let thread = thread::Builder::new().name("murre-tables".to_owned());
        let work = move || match gets_huge {
            true => files.improve(file, charge),
            false => files.shorten(file, kept, charge),
        };
        if let Err(error) = thread.spawn(work) {
            // The file went with what the thread would have done.
            tracing::warn!(%error, "no thread to give back a join table");
            self.lock().bytes -= kept;
        }
    }

    /// Keeps the first bytes of a file, for which there is room.
    fn shorten(&self, mut file: TableFile, kept: u64, charge: Charge) {
        let shortened = kept == file.bytes || kept > 0 && file.file.set_len(kept).is_ok();
        if shortened && kept > 0 {
            file.bytes = kept;
            self.lock().files.push(file);
        } else {
            // One that cannot be shortened goes.
            drop(file);
            self.lock().bytes -= kept;
        }
        drop(charge);
    }

    /// Keeps a file, for which there is room, in huge pages.
    fn improve(&self, mut file: TableFile, charge: Charge) {
        drop(charge);
        if let Err(error) = make_huge(&file.file, file.bytes) {
            tracing::debug!(%error, "a join table's file stays in small pages");
        }
        file.pages = Pages::Huge;
        self.lock().files.push(file);
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::FileExt,
        sync::mpsc::{self, Sender},
        thread::ThreadId,
        time::Duration,
    };

    use super::*;
    use crate::runtime::{MemoryAccount, Refused};

    /// Says which thread gives how many bytes back.
    struct Account(Sender<(ThreadId, u64)>);

    impl MemoryAccount for Account {
        fn grow(&mut self, _: u64) -> Result<(), Refused> {
            Ok(())
        }

        fn shrink(&mut self, bytes: u64) {
            // Nobody listens in tests of something else.
            let _ = self.0.send((thread::current().id(), bytes));
        }
    }

    fn made(bytes: u64) -> (TableFile, Charge, mpsc::Receiver<(ThreadId, u64)>) {
        let mut file = TableFiles::new(0).take().unwrap();
        file.reach(bytes).unwrap();
        let (account, given_back) = mpsc::channel();
        let charge = Charge::new(Box::new(Account(account)), bytes);
        (file, charge, given_back)
    }

    /// Lengths of the files that are kept, the longest first.
    fn lengths(files: &TableFiles) -> Vec<u64> {
        let mut lengths = Vec::new();
        loop {
            let file = files.take().unwrap();
            assert_eq!(file.file.metadata().unwrap().len(), file.bytes);
            match file.bytes {
                0 => return lengths,
                bytes => lengths.push(bytes),
            }
        }
    }

    #[test]
    fn files_are_kept_up_to_a_limit_and_the_longest_is_used_first() {
        let files = Arc::new(TableFiles::new(3 << 20));
        for bytes in [1 << 20, 4 << 20, 1 << 20] {
            let (file, charge, _) = made(bytes);
            files.give_back(file, charge);
        }
        // The second was cut to what the first had left, and there was no room for the third.
        assert_eq!(lengths(&files), [2 << 20, 1 << 20]);
        // What was taken leaves room.
        let (file, charge, _) = made(4 << 20);
        files.give_back(file, charge);
        assert_eq!(lengths(&files), [3 << 20]);
    }

    #[test]
    fn much_memory_is_given_back_elsewhere_and_charged_until_then() {
        let kept = 1 << 20;
        let files = Arc::new(TableFiles::new(kept));
        for (bytes, here) in [
            (AT_ONCE_BYTES_MAX + kept, true),
            (AT_ONCE_BYTES_MAX + kept + 4096, false),
        ] {
            let (file, charge, given_back) = made(bytes);
            files.give_back(file, charge);
            let (thread, charged) = given_back.recv_timeout(Duration::from_secs(60)).unwrap();
            assert_eq!((thread == thread::current().id(), charged), (here, bytes));
            assert_eq!(lengths(&files), [kept]);
        }
    }

    #[test]
    fn a_file_that_is_used_again_gets_huge_pages_and_keeps_what_it_holds() {
        let bytes = 2 * HUGE_PAGE_BYTES + 65_536;
        let files = Arc::new(TableFiles::new(bytes));
        let (mut file, charge, _) = made(bytes);
        let held: Vec<_> = (0..bytes).map(|at| (at / 4096) as u8).collect();
        file.file.write_all_at(&held, 0).unwrap();
        files.give_back(file, charge);
        let read = |file: &TableFile| {
            let mut read = vec![0; bytes as usize];
            file.file.read_exact_at(&mut read, 0).unwrap();
            read
        };
        for pages in [Pages::Used, Pages::Huge] {
            // The second time, another thread brings it back.
            file = loop {
                let file = files.take().unwrap();
                if file.bytes > 0 {
                    break file;
                }
                thread::yield_now();
            };
            assert_eq!((file.pages, read(&file) == held), (pages, true));
            let (_, charge, _) = made(bytes);
            files.give_back(file, charge);
        }
        assert_eq!(lengths(&files), [bytes]);
        // Who makes it longer has new pages in it.
        let (mut file, charge, _) = made(bytes);
        file.pages = Pages::Huge;
        file.reach(2 * bytes).unwrap();
        assert_eq!(file.pages, Pages::New);
        files.give_back(file, charge);
        assert_eq!(lengths(&files), [bytes]);
    }
}
