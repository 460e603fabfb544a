//! An engine that was closed in order needs no journal.
//!
//! fjall reads its journal when it is opened, 64 MB of it and more, item by item, also what stands in files since long; that
//! was most of the time that opening took. Who closes an engine has everything written into files first, and leaves a mark;
//! the next opening then begins with an empty journal.
//!
//! ```text
//! <engine>/SETTLED    the journals named here, of the lengths given here, hold nothing that is not in files; the youngest last
//! ```
//!
//! Invariant: nothing is written while the mark is there. It is made after the last write, and gone before fjall opens.
//! An older program that knows no mark may have run in between, or other files have been copied over these: then a journal
//! has another name or length, and all are read as if there were no mark. Older journals may have gone since: fjall removes
//! what it does not need itself, a moment after everything is in files.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use fjall::Keyspace;

use super::{EngineError, journal_repair::journals};

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
    let mut mark = File::create(folder.join(MARK))?;
    for journal in journals(folder)? {
        // fjall was done with it meanwhile.
        if let Some(line) = named(&journal)? {
            mark.write_all(line.as_bytes())?;
        }
    }
    mark.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Name and length, as a line of the mark; `None` for one that is gone.
fn named(journal: &Path) -> io::Result<Option<String>> {
    let name = journal.file_name().unwrap_or_default().to_string_lossy();
    match fs::metadata(journal) {
        Ok(metadata) => Ok(Some(format!("{name} {}\n", metadata.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Empties the youngest journal and removes the others where nothing in them is needed. The engine is not open. A crash on
/// the way leaves the mark, which suits what is left or suits it not; either way nothing is lost.
pub(super) fn forget_journals(folder: &Path) -> io::Result<()> {
    let mark = folder.join(MARK);
    if !mark.try_exists()? {
        return Ok(());
    }
    let text = fs::read(&mark)?;
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut journals = journals(folder)?;
    let mut suits = !journals.is_empty();
    for journal in journals.iter().rev() {
        let line = named(journal)?.unwrap_or_default();
        // The youngest is the last one named; of the others any may have gone.
        let is_youngest = Some(journal) == journals.last();
        let at = lines.iter().rposition(|named| *named == line);
        suits &= at.is_some_and(|at| !is_youngest || at + 1 == lines.len());
        lines.truncate(at.unwrap_or(0));
    }
    if suits && let Some(youngest) = journals.pop() {
        for older in journals {
            fs::remove_file(older)?;
        }
        let youngest = OpenOptions::new().write(true).open(youngest)?;
        youngest.set_len(0)?;
        youngest.sync_all()?;
    }
    fs::remove_file(mark)?;
    File::open(folder)?.sync_all()
}
