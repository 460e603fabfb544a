//! Compiled modules, in memory and on disk.
//!
//! Loading an artefact is running it, so a file is trusted only with a MAC under the process's own key, over its key and
//! its bytes. A file that fails it, or that this engine does not take, is removed and compiled again.
//!
//! Format of a file: `MAGIC | HMAC-SHA-256 (32 bytes) | artefact`. Its name is the hash of the artefact's key, which
//! holds the engine's compatibility hash, so another wasmtime or other settings never meet it.
//! Errors: IO on the folder is logged and costs a compilation, never a query.

use std::{
    collections::HashMap,
    fs,
    hash::{Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

use crate::{
    RuntimeError,
    module::{ModuleHash, hex},
    runtime::{baseline::Baseline, protection::Protection},
};

const MAGIC: &[u8; 8] = b"murreAR1";
const MAC_BYTES: usize = 32;

/// What an artefact was made from and for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ArtefactKey {
    pub(crate) module: ModuleHash,
    pub(crate) baseline: Baseline,
    pub(crate) protection: Protection,
}

/// How much is kept, and where.
#[derive(Debug)]
pub struct ArtefactLimits {
    /// Modules with code in memory; 0 keeps none.
    pub modules_max: usize,
    /// All files together; 0 keeps none.
    pub disk_bytes_max: u64,
}

/// A folder of artefacts and the key that authenticates them.
#[derive(Clone)]
pub struct ArtefactFolder {
    pub path: PathBuf,
    /// Secret of this installation.
    pub mac_key: [u8; 32],
}

impl std::fmt::Debug for ArtefactFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArtefactFolder")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The cache of one process.
#[derive(Debug)]
pub struct ArtefactCache {
    limits: ArtefactLimits,
    folder: Option<ArtefactFolder>,
    /// Code and when it was last asked for.
    modules: Mutex<HashMap<ArtefactKey, (Module, u64)>>,
    clock: AtomicU64,
    compiled: AtomicU64,
}

impl ArtefactCache {
    /// Keeps artefacts in `folder` too if there is one; it is made when missing.
    pub fn new(limits: ArtefactLimits, folder: Option<ArtefactFolder>) -> Self {
        Self {
            limits,
            folder,
            modules: Mutex::default(),
            clock: AtomicU64::new(0),
            compiled: AtomicU64::new(0),
        }
    }

    /// Modules compiled so far, because neither memory nor disk had them.
    pub fn compiled(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    /// The code for `key` and whether it was there already, or came along as `made`. Two threads that miss at once both
    /// compile.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        key: ArtefactKey,
        made: Option<Vec<u8>>,
        compile: impl FnOnce() -> Result<Vec<u8>, RuntimeError>,
    ) -> Result<(Module, bool), RuntimeError> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        if let Some((module, used)) = self.lock().get_mut(&key) {
            *used = now;
            return Ok((module.clone(), true));
        }
        let name = file_name(engine, key);
        let from_disk = self.folder.as_ref().and_then(|folder| {
            let path = folder.path.join(&name);
            let artefact = read(folder, &path, &name)?;
            let module = deserialize(engine, &artefact);
            if module.is_err() {
                remove(&path);
            }
            module.ok()
        });
        let there = from_disk.or_else(|| {
            let module = deserialize(engine, &made?);
            let module = module.inspect_err(|error| {
                tracing::warn!(module = hex(&key.module), %error, "code that came along does not load");
            });
            module.ok()
        });
        let cached = there.is_some();
        let module = match there {
            Some(module) => module,
            None => {
                let artefact = compile()?;
                self.compiled.fetch_add(1, Ordering::Relaxed);
                if let Some(folder) = &self.folder
                    && let Err(error) = write(folder, &name, &artefact, self.limits.disk_bytes_max)
                {
                    tracing::warn!(%error, folder = %folder.path.display(), "cannot keep a compiled module");
                }
                deserialize(engine, &artefact).map_err(|source| RuntimeError::Load {
                    module: hex(&key.module),
                    source: source.into(),
                })?
            }
        };
        self.keep(key, module.clone(), now);
        Ok((module, cached))
    }

    fn keep(&self, key: ArtefactKey, module: Module, now: u64) {
        let mut modules = self.lock();
        modules.insert(key, (module, now));
        while modules.len() > self.limits.modules_max {
            let oldest = modules.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            modules.remove(&oldest);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ArtefactKey, (Module, u64)>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deserialize(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: the bytes come from this process's own compilation; or from a file with a valid MAC under the key that
    // only this installation has, which its own compilation wrote; or from the compilation of this worker's coordinator,
    // over a connection whose other end has proved to be the one that this process was told to believe.
    unsafe { Module::deserialize(engine, artefact) }
}

fn file_name(engine: &Engine, key: ArtefactKey) -> String {
    let mut hasher = Sha256::new();
    hasher.update(key.module);
    hasher.update(target(engine, key.baseline, key.protection));
    hex(&hasher.finalize().into())
}

/// What [`super::Runtime::target`] says.
pub(crate) fn target(engine: &Engine, baseline: Baseline, protection: Protection) -> String {
    struct Bytes(Sha256);
    impl Hasher for Bytes {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut settings = Bytes(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    let settings = hex(&settings.0.finalize().into());
    format!("{}-{}-{settings}", baseline.name(), protection.name())
}

fn mac(folder: &ArtefactFolder, name: &str, artefact: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&folder.mac_key).expect("HMAC takes keys of any length");
    mac.update(name.as_bytes());
    mac.update(artefact);
    mac
}

fn read(folder: &ArtefactFolder, path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut file = fs::read(path).ok()?;
    let header = MAGIC.len() + MAC_BYTES;
    let authentic = file.len() > header
        && file.starts_with(MAGIC)
        && mac(folder, name, &file[header..])
            .verify_slice(&file[MAGIC.len()..header])
            .is_ok();
    if !authentic {
        tracing::warn!(path = %path.display(), "a compiled module fails its check and is removed");
        remove(path);
        return None;
    }
    // The oldest files go first when the folder is full, and reading makes one young.
    let opened = fs::File::options().append(true).open(path);
    if let Err(error) = opened.and_then(|file| file.set_modified(SystemTime::now())) {
        tracing::debug!(%error, path = %path.display(), "cannot mark a compiled module as used");
    }
    Some(file.split_off(header))
}

fn write(
    folder: &ArtefactFolder,
    name: &str,
    artefact: &[u8],
    disk_bytes_max: u64,
) -> Result<(), RuntimeError> {
    let bytes = (MAGIC.len() + MAC_BYTES + artefact.len()) as u64;
    if bytes > disk_bytes_max {
        return Ok(());
    }
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |source| RuntimeError::Io { what, path, source }
    };
    fs::create_dir_all(&folder.path).map_err(io("create folder", &folder.path))?;
    make_room(&folder.path, disk_bytes_max - bytes).map_err(io("list", &folder.path))?;
    // Readers see the whole file or none; a torn one after power loss fails its check.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = folder
        .path
        .join(format!("{name}.{}.{number}.new", std::process::id()));
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(MAGIC)?;
        file.write_all(&mac(folder, name, artefact).finalize().into_bytes())?;
        file.write_all(artefact)?;
        fs::rename(&temporary, folder.path.join(name))
    });
    written.map_err(|source| {
        remove(&temporary);
        io("write", &temporary)(source)
    })
}

/// Removes the longest unused files until the rest has at most `bytes_max`.
fn make_room(folder: &Path, bytes_max: u64) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        files.push((metadata.modified()?, metadata.len(), entry.path()));
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in files {
        if total <= bytes_max {
            break;
        }
        remove(&path);
        total -= bytes;
    }
    Ok(())
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "cannot remove a compiled module");
    }
}
