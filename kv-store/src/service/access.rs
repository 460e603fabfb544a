//! Who calls, and which keys they may read and write.
//!
//! | role    | `/user` and keys outside of all namespaces | `/system`   | `/internal`  | members, backup, Raft |
//! |---------|--------------------------------------------|-------------|--------------|-----------------------|
//! | admin   | read, write                                | read, write | read, write  | yes                   |
//! | service | read, write                                | read, write | read, write  | no                    |
//! | user    | read, write                                | read        | no           | no                    |
//!
//! A token file holds one token in a line, and behind it its role; without one it is an admin's.
//! Without a token file everybody who gets a connection is an admin: that is who is on the same machine, or shows a
//! certificate. [`super::Server`] serves no other addresses without a token file than the loopback and those where one is
//! asked for.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    KvError,
    txn::{KEYS_END, KeyRange},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Admin,
    Service,
    User,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
    /// Of the store itself: members, backups.
    Manage,
}

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("cannot read \"{}\"", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("line {line} of \"{}\" is not a token and admin, service or user", path.display())]
    Line { path: PathBuf, line: usize },
    #[error("\"{}\" holds no token", path.display())]
    Empty { path: PathBuf },
}

/// Prefixes, and what their keys are called. A key belongs to the first that it begins with.
const NAMESPACES: [(&[u8], &str); 3] = [
    (b"/system/", "/system"),
    (b"/internal/", "/internal"),
    (b"/user/", "/user"),
];

/// Empty when no token is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    tokens: Vec<(String, Role)>,
}

impl Access {
    pub(crate) fn from_file(path: &Path) -> Result<Self, AccessError> {
        let text = fs::read_to_string(path).map_err(|source| AccessError::Read {
            path: path.into(),
            source,
        })?;
        let mut tokens = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let mut words = text.split_whitespace();
            let (token, role) = match (words.next(), words.next(), words.next()) {
                (None, ..) => continue,
                (Some(token), None | Some("admin"), None) => (token, Role::Admin),
                (Some(token), Some("service"), None) => (token, Role::Service),
                (Some(token), Some("user"), None) => (token, Role::User),
                _ => {
                    let path = path.into();
                    return Err(AccessError::Line { path, line });
                }
            };
            tokens.push((token.to_owned(), role));
        }
        if tokens.is_empty() {
            return Err(AccessError::Empty { path: path.into() });
        }
        Ok(Self { tokens })
    }

    /// The role of who sent these headers.
    pub(crate) fn role(&self, headers: &http::HeaderMap) -> Result<Role, KvError> {
        if self.tokens.is_empty() {
            return Ok(Role::Admin);
        }
        let refused = |detail: &str| KvError::Unauthenticated {
            detail: detail.into(),
        };
        let shown = headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .ok_or_else(|| refused("no token was shown"))?;
        let known = self.tokens.iter().find(|(token, _)| is_same(token, shown));
        known
            .map(|(_, role)| *role)
            .ok_or_else(|| refused("the token is not known"))
    }
}

/// Takes as long for a token that is almost right as for one that is all wrong.
fn is_same(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).map(|(a, b)| a ^ b);
    a.len() == b.len() && differences.fold(0, |all, difference| all | difference) == 0
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Service => "service",
            Self::User => "user",
        }
    }

    fn may(self, action: Action, namespace: &str) -> bool {
        match (self, action, namespace) {
            (Self::Admin, ..) => true,
            (_, Action::Manage, _) => false,
            (Self::Service, ..) | (Self::User, Action::Read, "/system") => true,
            (Self::User, _, "/system" | "/internal") => false,
            (Self::User, ..) => true,
        }
    }

    pub(crate) fn check_manage(self) -> Result<(), KvError> {
        self.check(Action::Manage, "the store")
    }

    /// Whatever the keys are.
    pub(crate) fn may_everywhere(self, action: Action) -> bool {
        match self {
            Self::Admin => true,
            Self::Service => action != Action::Manage,
            Self::User => false,
        }
    }

    /// Every namespace that the range reaches into must allow it.
    pub(crate) fn check_range(self, action: Action, range: &KeyRange) -> Result<(), KvError> {
        if self.may_everywhere(action) {
            return Ok(());
        }
        for (prefix, namespace) in NAMESPACES {
            let mut end = prefix.to_vec();
            // The byte behind a slash: everything that begins with the prefix sorts before.
            *end.last_mut().expect("a prefix is not empty") += 1;
            if range.begin < end && prefix < range.end.as_slice() {
                self.check(action, namespace)?;
            }
        }
        Ok(())
    }

    pub(crate) fn check_all(self, action: Action) -> Result<(), KvError> {
        let range = KeyRange {
            begin: Vec::new(),
            end: KEYS_END.to_vec(),
        };
        self.check_range(action, &range)
    }

    fn check(self, action: Action, namespace: &str) -> Result<(), KvError> {
        if self.may(action, namespace) {
            return Ok(());
        }
        let action = match action {
            Action::Read => "read",
            Action::Write => "write",
            Action::Manage => "manage",
        };
        Err(KvError::PermissionDenied {
            role: self.name().into(),
            action: action.into(),
            namespace: namespace.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_reads_the_system_and_never_the_internals_also_through_a_range() {
        let range = |begin: &str, end: &str| KeyRange {
            begin: begin.into(),
            end: end.into(),
        };
        let may = |role: Role, action, range: &KeyRange| role.check_range(action, range).is_ok();
        let (user, system) = (range("/user/a", "/user/b"), range("/system/a", "/system/b"));
        let (internal, most) = (
            range("/internal/txn/1", "/internal/txn/2"),
            range("/a", "/z"),
        );
        for (range, read, write) in [
            (&user, true, true),
            (&system, true, false),
            (&internal, false, false),
            (&most, false, false),
            (&range("key", "kez"), true, true),
        ] {
            assert_eq!(may(Role::User, Action::Read, range), read, "{range:?}");
            assert_eq!(may(Role::User, Action::Write, range), write, "{range:?}");
            assert!(
                may(Role::Service, Action::Write, range) && may(Role::Admin, Action::Write, range)
            );
        }
        assert!(Role::Service.check_manage().is_err() && Role::Admin.check_manage().is_ok());
        assert!(Role::User.check_all(Action::Read).is_err());
    }

    #[test]
    fn a_token_gives_its_role_and_another_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens");
        fs::write(&path, "root\n\nalice user\n").expect("a file");
        let access = Access::from_file(&path).expect("every line is good");
        let role = |token: &str| {
            let mut headers = http::HeaderMap::new();
            let value = format!("Bearer {token}");
            headers.insert("authorization", value.parse().expect("a header"));
            access.role(&headers).ok()
        };
        assert_eq!(role("root"), Some(Role::Admin));
        assert_eq!(role("alice"), Some(Role::User));
        assert_eq!(role("roo"), None);
        assert!(access.role(&http::HeaderMap::new()).is_err());
        fs::write(&path, "root king\n").expect("a file");
        assert!(matches!(
            Access::from_file(&path),
            Err(AccessError::Line { line: 1, .. })
        ));
    }
}
