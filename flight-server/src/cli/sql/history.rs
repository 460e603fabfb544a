//! The shell's history: a file in the user's data folder, without statements that hold passwords or keys.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use reedline::{
    FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, Result, SearchQuery,
};

const ENTRIES_MAX: usize = 10_000;

/// The history of the user's shells.
pub(super) fn open() -> anyhow::Result<Box<dyn History>> {
    let folder = env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(env::home_dir()?.join(".local/share")))
        .context("there is no home folder")?
        .join("murre");
    let file = folder.join("history");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    create_private(&file).with_context(|| format!("cannot create {}", file.display()))?;
    let kept = FileBackedHistory::with_file(ENTRIES_MAX, file.clone())
        .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(WithoutSecrets(kept)))
}

/// Statements tell what their user works on: the file is its user's alone.
fn create_private(file: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// A history that does not keep what [`coordinator::redact`] would change.
struct WithoutSecrets<H>(H);

impl<H: History> History for WithoutSecrets<H> {
    fn save(&mut self, item: HistoryItem) -> Result<HistoryItem> {
        match coordinator::redact(&item.command_line) == item.command_line {
            true => self.0.save(item),
            false => Ok(item),
        }
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.0.load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.0.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        self.0.search(query)
    }

    fn update(
        &mut self,
        id: HistoryItemId,
        updater: &dyn Fn(HistoryItem) -> HistoryItem,
    ) -> Result<()> {
        self.0.update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.0.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.0.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.0.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.0.session()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_keys_are_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history");
        let kept = FileBackedHistory::with_file(10, file.clone()).unwrap();
        let mut history = WithoutSecrets(kept);
        for text in [
            "SELECT 1;",
            "CREATE USER ada PASSWORD 'geheimes';",
            "create secret s (TYPE s3, KEY_ID 'k', SECRET 'geheimes');",
        ] {
            history.save(HistoryItem::from_command_line(text)).unwrap();
        }
        history.sync().unwrap();
        assert_eq!(fs::read_to_string(file).unwrap().trim(), "SELECT 1;");
    }
}
