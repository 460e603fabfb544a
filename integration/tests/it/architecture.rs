//! ARCHITECTURE.md names what is there.
//!
//! Checked are words in backticks outside code blocks: paths, from the root of the repository, and type names.
//! A word is a path when it has a slash inside or at its end, or a file's ending; it is a type when it is CamelCase.
//! Of `Type::method`, the type is checked.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

const ENDINGS: [&str; 9] = [
    ".rs", ".md", ".toml", ".sh", ".py", ".slt", ".sql", ".lock", ".txt",
];

#[test]
fn every_path_named_in_architecture_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("integration/ is in the repository");
    let text =
        fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
    let known = identifiers(root).expect("the sources can be read");
    let words = backticked(&text);
    let (paths, types): (Vec<_>, Vec<_>) = words
        .into_iter()
        .filter(|word| is_path(word) || is_type(type_of(word)))
        .partition(|word| is_path(word));
    // Fewer means that the page is written in another way, and nothing is checked any more.
    assert!(
        paths.len() >= 20 && types.len() >= 20,
        "only {} paths and {} types found",
        paths.len(),
        types.len()
    );
    let mut missing: Vec<&str> = paths
        .into_iter()
        .filter(|path| !exists(root, path))
        .collect();
    missing.extend(
        types
            .into_iter()
            .filter(|word| !known.contains(type_of(word))),
    );
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names what is not there: {missing:?}"
    );
}

/// Texts in single backticks, outside fenced blocks.
fn backticked(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut words = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            words.extend(line.split('`').skip(1).step_by(2));
        }
    }
    words
}

fn is_path(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    !word.starts_with('/')
        && word.chars().all(plain)
        && (word.contains('/') || ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

fn exists(root: &Path, path: &str) -> bool {
    let found = root.join(path);
    if path.ends_with('/') {
        found.is_dir()
    } else {
        found.exists()
    }
}

fn type_of(word: &str) -> &str {
    word.split("::").next().unwrap_or(word)
}

fn is_type(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric())
        && word.contains(|c: char| c.is_ascii_lowercase())
}

/// All words of all Rust sources.
fn identifiers(root: &Path) -> io::Result<HashSet<String>> {
    let mut words = HashSet::new();
    let mut folders: Vec<PathBuf> = vec![root.into()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder)? {
            let item = item?;
            let (path, name) = (item.path(), item.file_name());
            let name = name.to_string_lossy();
            if item.file_type()?.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path)?;
                let split = text.split(|c: char| !c.is_alphanumeric() && c != '_');
                words.extend(split.filter(|word| is_type(word)).map(str::to_owned));
            }
        }
    }
    Ok(words)
}
