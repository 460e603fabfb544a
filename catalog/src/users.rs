//! Users: who may connect, and who administers.
//!
//! Shape: one JSON file a user in `users/`, with an argon2id hash of the password and never the password.
//! The first user is an administrator, and the last administrator cannot go: once there are users, there is somebody
//! who can make more.
//! Every new password gives its user a new credential id; what was signed for the old one is worth nothing from then on.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    CatalogError,
    password::{self, Password, PasswordHash},
    private_files::PrivateFiles,
};

/// Longest name of a user, in bytes: its hexadecimal form has to be a file name.
pub const USER_NAME_BYTES_MAX: usize = 100;

/// One user. `Debug` leaves the hash out.
#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub admin: bool,
    /// `None` for users that were made before they had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    pub credential: CredentialId,
    password: PasswordHash,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

/// Names one user for ever: random, so that a later user of the same name is somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(String);

impl UserId {
    fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }
}

/// Names one password of one user: random, and new with every password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialId(String);

impl CredentialId {
    fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }
}

/// All users of a data folder.
#[derive(Debug)]
pub struct Users {
    files: PrivateFiles,
    users: RwLock<BTreeMap<String, Arc<User>>>,
}

impl Users {
    pub fn open(folder: &Path) -> Result<Self, CatalogError> {
        let files = PrivateFiles::open(folder)?;
        let users: Vec<User> = files.load("a user")?;
        let by_name = |user: User| (user.name.clone(), Arc::new(user));
        Ok(Self {
            files,
            users: RwLock::new(users.into_iter().map(by_name).collect()),
        })
    }

    /// Whether nobody has to say who they are.
    pub fn is_empty(&self) -> bool {
        self.users.read().is_empty()
    }

    pub fn get(&self, name: &str) -> Option<Arc<User>> {
        self.users.read().get(name).cloned()
    }

    /// In the order of their names.
    pub fn list(&self) -> Vec<Arc<User>> {
        self.users.read().values().cloned().collect()
    }

    /// Hashes on the caller's thread. The first user becomes an administrator whatever `admin` says.
    pub fn create(&self, name: &str, password: &Password, admin: bool) -> Result<(), CatalogError> {
        check_name(name)?;
        let password = PasswordHash::of(password);
        let mut users = self.users.write();
        if users.contains_key(name) {
            return Err(CatalogError::UserExists { user: name.into() });
        }
        let user = User {
            name: name.into(),
            admin: admin || users.is_empty(),
            id: Some(UserId::random()),
            credential: CredentialId::random(),
            password,
        };
        self.files.store(name, &user)?;
        users.insert(name.into(), Arc::new(user));
        Ok(())
    }

    /// Hashes on the caller's thread, and ends everything that was signed for the old password.
    pub fn set_password(&self, name: &str, password: &Password) -> Result<(), CatalogError> {
        let missing = || CatalogError::UserNotFound { user: name.into() };
        self.get(name).ok_or_else(missing)?;
        let password = PasswordHash::of(password);
        let mut users = self.users.write();
        let known = users.get_mut(name).ok_or_else(missing)?;
        let user = User {
            credential: CredentialId::random(),
            password,
            ..User::clone(known)
        };
        self.files.store(name, &user)?;
        *known = Arc::new(user);
        Ok(())
    }

    pub fn remove(&self, name: &str, if_exists: bool) -> Result<(), CatalogError> {
        let mut users = self.users.write();
        let Some(user) = users.get(name) else {
            return match if_exists {
                true => Ok(()),
                false => Err(CatalogError::UserNotFound { user: name.into() }),
            };
        };
        if user.admin && users.values().filter(|user| user.admin).count() == 1 {
            return Err(CatalogError::LastAdmin { user: name.into() });
        }
        self.files.remove(name)?;
        users.remove(name);
        Ok(())
    }

    /// The user with this name and password. Takes the same time for unknown names; on the caller's thread.
    pub fn verify(&self, name: &str, password: &str) -> Option<Arc<User>> {
        match self.get(name) {
            Some(user) => user.password.verify(password).then_some(user),
            None => {
                password::verify_nobodys(password);
                None
            }
        }
    }
}

/// Names travel in headers and log lines: nothing unprintable, and no colon, which ends the name in Basic credentials.
fn check_name(name: &str) -> Result<(), CatalogError> {
    let detail = if name.is_empty() {
        "a name has at least one character"
    } else if name.len() > USER_NAME_BYTES_MAX {
        "a name has at most 100 bytes"
    } else if name.contains(':') || name.chars().any(char::is_control) {
        "a name has no colon and no control characters"
    } else {
        return Ok(());
    };
    Err(CatalogError::UserInvalid {
        user: name.into(),
        detail: detail.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    #[test]
    fn users_survive_reopening_with_their_rights_and_passwords() {
        let dir = tempfile::tempdir().unwrap();
        let users = Users::open(dir.path()).unwrap();
        assert!(users.is_empty());
        users.create("ada", &password("first one"), false).unwrap();
        users.create("bob", &password("second one"), false).unwrap();
        let users = Users::open(dir.path()).unwrap();
        let listed: Vec<_> = users
            .list()
            .iter()
            .map(|u| (u.name.clone(), u.admin))
            .collect();
        assert_eq!(listed, [("ada".into(), true), ("bob".into(), false)]);
        assert!(users.verify("bob", "second one").is_some());
        for (name, wrong) in [
            ("bob", "first one"),
            ("ada", "second one"),
            ("eve", "first one"),
        ] {
            assert!(users.verify(name, wrong).is_none(), "{name}");
        }
    }

    #[test]
    fn a_new_password_and_a_new_user_of_the_same_name_are_new_credentials() {
        let dir = tempfile::tempdir().unwrap();
        let users = Users::open(dir.path()).unwrap();
        users.create("ada", &password("first one"), true).unwrap();
        users.create("bob", &password("second one"), false).unwrap();
        let credential = |users: &Users| users.get("bob").unwrap().credential.clone();
        let id = |users: &Users| users.get("bob").unwrap().id.clone();
        let (first, first_id) = (credential(&users), id(&users));
        users.set_password("bob", &password("third one")).unwrap();
        let second = credential(&users);
        assert_eq!(id(&users), first_id);
        users.remove("bob", false).unwrap();
        users.create("bob", &password("third one"), false).unwrap();
        let third = credential(&users);
        assert!(first != second && second != third && third != first);
        assert!(id(&users).is_some() && id(&users) != first_id);
        assert_eq!(id(&Users::open(dir.path()).unwrap()), id(&users));
        assert!(users.verify("bob", "second one").is_none());
        assert_eq!(credential(&Users::open(dir.path()).unwrap()), third);
    }

    #[test]
    fn the_last_administrator_stays() {
        let dir = tempfile::tempdir().unwrap();
        let users = Users::open(dir.path()).unwrap();
        users.create("ada", &password("first one"), false).unwrap();
        let error = users.remove("ada", false).unwrap_err();
        assert!(matches!(error, CatalogError::LastAdmin { .. }), "{error}");
        users.create("bob", &password("second one"), true).unwrap();
        users.remove("ada", false).unwrap();
        assert!(users.remove("ada", false).is_err());
        users.remove("ada", true).unwrap();
    }

    #[test]
    fn names_that_headers_cannot_carry_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let users = Users::open(dir.path()).unwrap();
        for name in ["", "a:b", "a\nb", &"x".repeat(101)] {
            let error = users
                .create(name, &password("first one"), false)
                .unwrap_err();
            assert!(matches!(error, CatalogError::UserInvalid { .. }), "{error}");
        }
        assert!(!format!("{users:?}").contains("argon2"));
    }
}
