//! Checks names and passwords: not on the threads of the connections, only a few at once, and slower after failures.
//!
//! Checking one takes some 20 ms and 19 MiB on purpose. Clients that send Basic with every call would pay that each
//! time, so a checked pair is remembered, as a hash under a key of this process, for as long as its user keeps it.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Instant};

use catalog::{CredentialId, User, Users};
use parking_lot::Mutex;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use tokio::sync::Semaphore;

use super::{AuthError, failures::Failures};

/// Checks that wait or run; more are turned away.
const WAITING_MAX: usize = 64;
/// Remembered pairs.
const REMEMBERED_MAX: usize = 1_000;

type PairHash = [u8; 32];

#[derive(Debug)]
pub(super) struct Passwords {
    users: Arc<Users>,
    failures: Failures,
    /// Of all cores, half may check passwords.
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    remembered: Mutex<HashMap<PairHash, CredentialId>>,
    /// For `remembered`; it ends with the process.
    key: hmac::Key,
}

impl Passwords {
    pub(super) fn new(users: Arc<Users>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut key = [0; 32];
        SystemRandom::new()
            .fill(&mut key)
            .expect("the operating system has random numbers");
        Self {
            users,
            failures: Failures::default(),
            running: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            remembered: Mutex::default(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        }
    }

    pub(super) async fn check(
        &self,
        user: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<Arc<User>, AuthError> {
        let pair = self.hash(user, password);
        if let Some(user) = self.remembered(user, &pair) {
            return Ok(user);
        }
        let seat = Arc::clone(&self.waiting).try_acquire_owned();
        let _seat = seat.map_err(|_| AuthError::Busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await;
        let turn = turn.map_err(|_| AuthError::Busy)?;
        // After the wait: many attempts at once must not slip through before the first one has failed.
        self.failures.check(user, from, Instant::now())?;
        let (users, name, password) = (
            Arc::clone(&self.users),
            user.to_owned(),
            password.to_owned(),
        );
        let checked = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, also where the caller has gone.
            let _turn = turn;
            users.verify(&name, &password)
        });
        match checked.await.map_err(AuthError::Task)? {
            Some(known) => {
                self.failures.succeeded(user, from);
                self.remember(pair, known.credential.clone());
                Ok(known)
            }
            None => {
                self.failures.failed(user, from, Instant::now());
                Err(AuthError::WrongPassword)
            }
        }
    }

    fn hash(&self, user: &str, password: &str) -> PairHash {
        let mut pair = hmac::Context::with_key(&self.key);
        // The length keeps "a" + "bc" and "ab" + "c" apart.
        pair.update(&user.len().to_be_bytes());
        pair.update(user.as_bytes());
        pair.update(password.as_bytes());
        let tag = pair.sign();
        tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    fn remembered(&self, user: &str, pair: &PairHash) -> Option<Arc<User>> {
        let credential = self.remembered.lock().get(pair)?.clone();
        self.users
            .get(user)
            .filter(|user| user.credential == credential)
    }

    fn remember(&self, pair: PairHash, credential: CredentialId) {
        let mut remembered = self.remembered.lock();
        if remembered.len() >= REMEMBERED_MAX {
            // Rare, and whoever is forgotten is checked once more.
            remembered.clear();
        }
        remembered.insert(pair, credential);
    }
}

#[cfg(test)]
mod tests {
    use catalog::Password;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn passwords(dir: &tempfile::TempDir) -> (Arc<Users>, Passwords) {
        let users = Arc::new(Users::open(dir.path()).unwrap());
        let password = Password::new("correct horse").unwrap();
        users.create("ada", &password, true).unwrap();
        (Arc::clone(&users), Passwords::new(users))
    }

    #[tokio::test]
    async fn a_remembered_password_ends_with_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let (users, passwords) = passwords(&dir);
        for _ in 0..2 {
            let user = passwords.check("ada", "correct horse", HERE).await.unwrap();
            assert_eq!(user.name, "ada");
        }
        assert_eq!(passwords.remembered.lock().len(), 1);
        let new = Password::new("another horse").unwrap();
        users.set_password("ada", &new).unwrap();
        let old = passwords.check("ada", "correct horse", HERE).await;
        assert!(matches!(old, Err(AuthError::WrongPassword)), "{old:?}");
        passwords.check("ada", "another horse", HERE).await.unwrap();
    }

    #[tokio::test]
    async fn many_guesses_at_once_get_no_further_than_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let passwords = Arc::new(passwords(&dir).1);
        let guesses = (0..40).map(|guess| {
            let passwords = Arc::clone(&passwords);
            tokio::spawn(async move {
                let password = format!("guess number {guess}");
                passwords.check("ada", &password, HERE).await
            })
        });
        let mut looked_at = 0;
        for guess in futures::future::join_all(guesses).await {
            match guess.unwrap() {
                Err(AuthError::WrongPassword) => looked_at += 1,
                Err(AuthError::TooManyFailures { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        // Those that run beside each other may all have begun before the last free one failed.
        let beside = std::thread::available_parallelism().map_or(1, usize::from);
        assert!(
            (5..5 + beside).contains(&looked_at),
            "{looked_at} passwords were checked"
        );
    }
}
