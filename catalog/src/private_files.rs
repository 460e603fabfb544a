//! Small files that only the server's own account may read: credentials and hashes.
//!
//! Shape: one JSON file a name in a folder of mode 0700, mode 0600 each. The file name is the name's bytes in
//! hexadecimal, so that any name is one.
//! A file is replaced whole: written beside its place, synced, renamed, and the folder synced before the caller goes on.
//! Errors: IO, and [`CatalogError::Damaged`] without the parser's words, which could quote a value.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{CatalogError, folder::restrict};

/// A folder of them.
#[derive(Debug)]
pub struct PrivateFiles {
    folder: PathBuf,
}

impl PrivateFiles {
    /// Makes the folder where there is none.
    pub fn open(folder: &Path) -> Result<Self, CatalogError> {
        fs::create_dir_all(folder).map_err(|e| CatalogError::io("create folder", folder, e))?;
        restrict(folder, 0o700)?;
        Ok(Self {
            folder: folder.into(),
        })
    }

    /// Everything stored; `what` names one of them in the message about a damaged file.
    pub(crate) fn load<T: DeserializeOwned>(&self, what: &str) -> Result<Vec<T>, CatalogError> {
        let listing = |e| CatalogError::io("list", &self.folder, e);
        let mut values = Vec::new();
        for item in fs::read_dir(&self.folder).map_err(listing)? {
            let path = item.map_err(listing)?.path();
            // Not by its extension: the file of the empty name is `.json`, which has none.
            if path.as_os_str().as_encoded_bytes().ends_with(b".json") {
                values.push(read(&path, what)?);
            }
        }
        Ok(values)
    }

    /// What is stored under a name, if anything is.
    pub fn get<T: DeserializeOwned>(
        &self,
        name: &str,
        what: &str,
    ) -> Result<Option<T>, CatalogError> {
        let path = self.path(name);
        match path.exists() {
            true => read(&path, what).map(Some),
            false => Ok(None),
        }
    }

    pub fn store<T: Serialize>(&self, name: &str, value: &T) -> Result<(), CatalogError> {
        let path = self.path(name);
        let bytes = serde_json::to_vec(value).expect("what is stored is plain data");
        replace(&path, &bytes).map_err(|e| CatalogError::io("write", path, e))
    }

    /// The random key of that name, made with the first call.
    pub fn key(&self, name: &str) -> Result<[u8; 32], CatalogError> {
        if let Some(key) = self.get(name, "a key of 32 bytes")? {
            return Ok(key);
        }
        let mut key = [0; 32];
        for half in key.chunks_mut(16) {
            half.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        }
        self.store(name, &key)?;
        Ok(key)
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), CatalogError> {
        let path = self.path(name);
        fs::remove_file(&path)
            .and_then(|()| fs::File::open(&self.folder)?.sync_all())
            .map_err(|e| CatalogError::io("remove", path, e))
    }

    fn path(&self, name: &str) -> PathBuf {
        let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{hex}.json"))
    }
}

fn read<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T, CatalogError> {
    let bytes = fs::read(path).map_err(|e| CatalogError::io("read", path, e))?;
    serde_json::from_slice(&bytes).map_err(|e| CatalogError::Damaged {
        path: path.into(),
        detail: format!("not {what} (line {}, column {})", e.line(), e.column()),
    })
}

/// Puts `bytes` into a file of mode 0600, whole or not at all, and makes that durable.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn any_name_is_one_private_file_in_a_private_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("private");
        let files = PrivateFiles::open(&folder).unwrap();
        for name in ["../x", "", "Ä b/c"] {
            files.store(name, &name).unwrap();
        }
        assert_eq!(mode(&folder), 0o700);
        let mut loaded: Vec<String> = files.load("a name").unwrap();
        loaded.sort();
        assert_eq!(loaded, ["", "../x", "Ä b/c"]);
        assert_eq!(
            files.get("../x", "a name").unwrap(),
            Some("../x".to_owned())
        );
        assert_eq!(files.get::<String>("y", "a name").unwrap(), None);
        for item in fs::read_dir(&folder).unwrap() {
            assert_eq!(mode(&item.unwrap().path()), 0o600);
        }
    }

    #[test]
    fn a_key_stays_the_same_and_another_name_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let files = PrivateFiles::open(dir.path()).unwrap();
        let key = files.key("modules").unwrap();
        assert_eq!(
            PrivateFiles::open(dir.path())
                .unwrap()
                .key("modules")
                .unwrap(),
            key
        );
        assert_ne!(files.key("tokens").unwrap(), key);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let files = PrivateFiles::open(dir.path()).unwrap();
        fs::write(files.path("x"), "\"hush").unwrap();
        let error = files.load::<String>("a name").unwrap_err().to_string();
        assert!(
            error.contains("not a name (line 1") && !error.contains("hush"),
            "{error}"
        );
    }
}
