//! An engine on a data folder, for the server and for `murre sql` without one.

use std::{path::Path, sync::Arc};

use catalog::{
    DataFolder, ObjectStores, PrivateFiles, Secrets, Users, disk::RealDisk, local::LocalTableStore,
};
use coordinator::{Engine, EngineConfig};
use tokio::runtime::Handle;
use worker_wasm::runtime::ArtefactFolder;

use crate::config::Settings;

/// Opens the folder with default settings.
pub(crate) fn open(data_dir: &Path, network: Handle) -> anyhow::Result<Arc<Engine>> {
    let settings = Settings {
        data_dir: Some(data_dir.into()),
        ..Settings::default()
    };
    let (engine, folder) = open_with(data_dir, settings.check()?.engine, network)?;
    // The lock goes with the process.
    std::mem::forget(folder);
    Ok(engine)
}

/// Locks and opens the folder; `network` runs requests to object stores.
pub(crate) fn open_with(
    data_dir: &Path,
    mut config: EngineConfig,
    network: Handle,
) -> anyhow::Result<(Arc<Engine>, DataFolder)> {
    let folder = DataFolder::open(data_dir)?;
    let store = LocalTableStore::open(&folder.tables(), Arc::new(RealDisk))?;
    let secrets = Arc::new(Secrets::open(&folder.secrets())?);
    config.module_folder = Some(ArtefactFolder {
        path: folder.modules(),
        mac_key: PrivateFiles::open(&folder.server_secrets())?.key("modules")?,
    });
    let objects = Arc::new(ObjectStores::new(secrets, network));
    config.spill_folder = folder.spill();
    clear_spill(&config.spill_folder)?;
    let users = Arc::new(Users::open(&folder.users())?);
    let engine = Engine::open(config, Arc::new(store), objects, users)?;
    Ok((engine, folder))
}

/// Spill files of a process that was killed are of no use to anyone.
fn clear_spill(folder: &Path) -> anyhow::Result<()> {
    for item in std::fs::read_dir(folder)? {
        let path = item?.path();
        if path.is_dir() {
            std::fs::remove_dir_all(path)?
        } else {
            std::fs::remove_file(path)?
        }
    }
    Ok(())
}
