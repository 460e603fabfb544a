//! An engine that was closed in order needs no journal.
//!
//! fjall reads its journal when it is opened, 64 MB of it and more, item by item, also what stands in files since long; that
//! was most of the time that opening took. Who closes an engine has everything written into files first, and leaves a mark;
//! the next opening then begins with an empty journal.
//!
//! ```text
//! <engine>/SETTLED    the journal named here, of the length given here, holds nothing that is not in files
//! ```
//!
//! Invariant: nothing is written while the mark is there. It is made after the last write, and gone before fjall opens.
//! An older program that knows no mark may have run in between, or other files have been copied over these: then the journal
//! has another name or length, and is read as if there were no mark.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use fjall::Keyspace;

use super::{EngineError, journal_repair::youngest_journal};

const MARK: &str = "SETTLED";
/// Until what is in memory is in files. A disk that is full never gets there.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at whether it is.
const INTERVAL: Duration = Duration::from_millis(1);

/// Brings everything into files and leaves the mark. Nobody writes any more. Blocks, and gives up after [`TIMEOUT`].
pub(super) fn settle(folder: &Path, keyspaces: &[&Keyspace]) -> Result<(), EngineError> {
    let failed = |e| EngineError::storage("close", e);
    for keyspace in keyspaces {
        // What is in memory then waits to be written, whether since now or for longer.
        keyspace
            .rotate_memtable()
            .map_err(|e| EngineError::storage("close", e))?;
    }
    let until = Instant::now() + TIMEOUT;
    while keyspaces
        .iter()
        .any(|keyspace| keyspace.sealed_memtable_count() > 0)
    {
        if Instant::now() > until {
            return Err(failed(io::ErrorKind::TimedOut.into()));
        }
        std::thread::sleep(INTERVAL);
    }
    mark(folder).map_err(failed)
}

fn mark(folder: &Path) -> io::Result<()> {
    let named = name_and_length(&youngest_journal(folder)?)?;
    let mut mark = File::create(folder.join(MARK))?;
    mark.write_all(named.as_bytes())?;
    mark.sync_all()?;
    File::open(folder)?.sync_all()
}

fn name_and_length(journal: &Path) -> io::Result<String> {
    let name = journal.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{name} {}\n", fs::metadata(journal)?.len()))
}

/// Empties the journal where nothing in it is needed. The engine is not open. A crash on the way leaves the mark, which an
/// empty journal does not suit any more.
pub(super) fn forget_journal(folder: &Path) -> io::Result<()> {
    let mark = folder.join(MARK);
    if !mark.try_exists()? {
        return Ok(());
    }
    let journal = youngest_journal(folder)?;
    if fs::read(&mark)? == name_and_length(&journal)?.into_bytes() {
        let journal = OpenOptions::new().write(true).open(journal)?;
        journal.set_len(0)?;
        journal.sync_all()?;
    }
    fs::remove_file(mark)?;
    File::open(folder)?.sync_all()
}
