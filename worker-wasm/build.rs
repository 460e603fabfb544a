//! Gives the build a name. Plans and modules mean the same to two processes only where this crate, the catalog's reader
//! of Parquet, which hosts put into a worker's plans (`PlanRewrite`), and what both are built from are the same, so the
//! name is a hash over all of them.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

/// What runs in every worker.
const FOLDERS: [&str; 2] = ["src", "../catalog/src"];
const LOCK: &str = "../Cargo.lock";

fn main() -> io::Result<()> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(Path::new(folder), &mut files)?;
        println!("cargo:rerun-if-changed={folder}");
    }
    files.push(LOCK.into());
    println!("cargo:rerun-if-changed={LOCK}");
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in &files {
        file.hash(&mut hasher);
        fs::read(file)?.hash(&mut hasher);
    }
    println!("cargo:rustc-env=MURRE_BUILD={:016x}", hasher.finish());
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let path = item?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}
