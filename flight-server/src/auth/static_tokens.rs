//! Bearer tokens from a file, for programs that cannot log in.
//!
//! Shape: one `name token` a line; empty lines and lines that begin with `#` are skipped. A token has at least 32
//! characters. Only hashes of the tokens stay in memory; finding one by its hash takes a time that says nothing about
//! the others.

use std::{collections::HashMap, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, bail};
use ring::digest::{SHA256, digest};
use tracing::warn;

const LENGTH_MIN: usize = 32;

type TokenHash = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct StaticTokens(HashMap<TokenHash, String>);

impl StaticTokens {
    /// Errors name the line and never the token.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let text = std::fs::read_to_string(path).with_context(cannot)?;
        let mode = std::fs::metadata(path)
            .with_context(cannot)?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "others may read the file of tokens");
        }
        let mut tokens = HashMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, token] = words[..] else {
                bail!(
                    "{}, line {}: not a name and a token",
                    path.display(),
                    at + 1
                );
            };
            if token.len() < LENGTH_MIN {
                bail!(
                    "{}, line {}: the token has fewer than {LENGTH_MIN} characters",
                    path.display(),
                    at + 1
                );
            }
            tokens.insert(hash(token), name.to_owned());
        }
        Ok(Self(tokens))
    }

    pub(super) fn name(&self, token: &str) -> Option<&str> {
        self.0.get(&hash(token)).map(String::as_str)
    }
}

fn hash(token: &str) -> TokenHash {
    let hash = digest(&SHA256, token.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<StaticTokens> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        StaticTokens::read(file.path())
    }

    #[test]
    fn each_token_has_its_name() {
        let (one, two) = ("1".repeat(32), "2".repeat(40));
        let tokens = read(&format!("# programs\n\nloader {one}\n  report\t{two}  \n")).unwrap();
        assert_eq!(tokens.name(&one), Some("loader"));
        assert_eq!(tokens.name(&two), Some("report"));
        for wrong in ["", "1", &one[1..], "loader"] {
            assert_eq!(tokens.name(wrong), None, "{wrong}");
        }
        assert!(!format!("{tokens:?}").contains(&one));
    }

    #[test]
    fn a_bad_line_is_named_and_not_quoted() {
        for text in [
            "loader geheimgeheim",
            "geheimgeheimgeheimgeheimgeheimgeheim",
            "a b geheim",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(
                error.contains("line 1") && !error.contains("geheim"),
                "{error}"
            );
        }
    }
}
