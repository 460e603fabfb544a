//! Failed attempts, counted for each user and address, and for each address alone.
//!
//! The first few failures are free; then each one doubles the wait, up to five minutes, in which further attempts are
//! refused without looking at the password. A lock-out is one of the pair: an attacker elsewhere cannot lock a user out.
//! Of an address's failures one is forgiven every [`FORGIVEN_EVERY`]: a program that goes on with an old password must not
//! add up to a lock-out of all its neighbours, and whoever tries many names is held to that rate.
//! Units: an address is one IPv4 address or one IPv6 /64, which is what one machine usually has.
//! Invariant: at most [`ENTRIES_MAX`] counts are kept; the one that failed longest ago goes first.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::AuthError;

const ENTRIES_MAX: usize = 10_000;
const FREE_FOR_USER: u32 = 5;
const FREE_FOR_ADDRESS: u32 = 50;
const FORGIVEN_EVERY: Duration = Duration::from_secs(30);
const WAIT_MIN: Duration = Duration::from_secs(5);
const WAIT_MAX: Duration = Duration::from_secs(300);
/// A count is forgotten this long after its last failure.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);

/// The user's name, or `None` for all names tried from an address.
type Key = (Option<String>, IpAddr);

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    last: Instant,
}

impl Count {
    fn blocked_until(&self, free: u32) -> Instant {
        let Some(over) = self.failures.checked_sub(free) else {
            return self.last;
        };
        let wait = WAIT_MIN.saturating_mul(1 << over.min(16)).min(WAIT_MAX);
        self.last + wait
    }
}

#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<Key, Count>>);

impl Failures {
    /// Errors: [`AuthError::TooManyFailures`] where an attempt has to wait.
    pub(super) fn check(&self, user: &str, address: IpAddr, now: Instant) -> Result<(), AuthError> {
        let counts = self.0.lock();
        for (key, free) in keys(user, address) {
            let until = counts.get(&key).map(|count| count.blocked_until(free));
            if let Some(wait) = until.and_then(|until| until.checked_duration_since(now))
                && !wait.is_zero()
            {
                let of_user = key.0.is_some();
                return Err(AuthError::TooManyFailures {
                    address,
                    of_user,
                    wait,
                });
            }
        }
        Ok(())
    }

    pub(super) fn failed(&self, user: &str, address: IpAddr, now: Instant) {
        let mut counts = self.0.lock();
        for (key, _) in keys(user, address) {
            let is_address = key.0.is_none();
            if counts.len() >= ENTRIES_MAX && !counts.contains_key(&key) {
                make_room(&mut counts, now);
            }
            let count = counts.entry(key).or_insert(Count {
                failures: 0,
                last: now,
            });
            let since = now.saturating_duration_since(count.last);
            if since > FORGOTTEN_AFTER {
                count.failures = 0;
            }
            if is_address {
                let forgiven = since.as_secs() / FORGIVEN_EVERY.as_secs();
                let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
                count.failures = count.failures.saturating_sub(forgiven);
            }
            count.failures = count.failures.saturating_add(1);
            count.last = now;
        }
    }

    /// Only the user's own count: else one right password would pay for guesses at all others.
    pub(super) fn succeeded(&self, user: &str, address: IpAddr) {
        let [(key, _), _] = keys(user, address);
        self.0.lock().remove(&key);
    }
}

fn make_room(counts: &mut HashMap<Key, Count>, now: Instant) {
    counts.retain(|_, count| now.saturating_duration_since(count.last) <= FORGOTTEN_AFTER);
    let oldest = counts.iter().min_by_key(|(_, count)| count.last);
    if let Some(key) = oldest.map(|(key, _)| key.clone())
        && counts.len() >= ENTRIES_MAX
    {
        counts.remove(&key);
    }
}

/// No user has a longer name; a client must not choose how much is remembered of it.
const NAME_BYTES: usize = 100;

fn keys(user: &str, address: IpAddr) -> [(Key, u32); 2] {
    let address = match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 => v4,
    };
    let user = user.get(..NAME_BYTES).unwrap_or(user);
    let user: String = user.chars().take(NAME_BYTES).collect();
    [
        ((Some(user), address), FREE_FOR_USER),
        ((None, address), FREE_FOR_ADDRESS),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn waits_double_after_the_free_failures_and_end() {
        let (failures, at, start) = (Failures::default(), address("10.0.0.1"), Instant::now());
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..16 {
            assert!(failures.check("ada", at, now).is_ok());
            failures.failed("ada", at, now);
            let wait = match failures.check("ada", at, now) {
                Err(AuthError::TooManyFailures { wait, .. }) => wait.as_secs(),
                _ => 0,
            };
            waits.push(wait);
            now += Duration::from_secs(wait);
        }
        let doubling = [
            0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300,
        ];
        assert_eq!(waits, doubling);
        failures.succeeded("ada", at);
        assert!(failures.check("ada", at, now).is_ok());
    }

    #[test]
    fn a_user_is_locked_out_from_one_address_and_an_address_for_all_users() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..9 {
            failures.failed("ada", address("10.0.0.1"), now);
        }
        assert!(failures.check("ada", address("10.0.0.1"), now).is_err());
        assert!(failures.check("ada", address("10.0.0.2"), now).is_ok());
        assert!(failures.check("bob", address("10.0.0.1"), now).is_ok());
        for guess in 0..60 {
            failures.failed(&format!("guess{guess}"), address("10.0.0.1"), now);
        }
        assert!(failures.check("bob", address("10.0.0.1"), now).is_err());
        for _ in 0..9 {
            failures.failed("ada", address("fd00::1"), now);
        }
        assert!(failures.check("ada", address("fd00::2"), now).is_err());
        assert!(failures.check("ada", address("fd00:0:0:1::2"), now).is_ok());
    }

    #[test]
    fn an_old_password_somewhere_does_not_lock_its_address_out() {
        let (failures, at) = (Failures::default(), address("10.0.0.1"));
        let mut now = Instant::now();
        for _ in 0..10_000 {
            now += Duration::from_secs(60);
            if failures.check("cron", at, now).is_ok() {
                failures.failed("cron", at, now);
            }
            assert!(failures.check("bob", at, now).is_ok());
        }
        // Whoever tries names as fast as it goes is held to the rate.
        let mut tried = 0;
        for second in 0..3600u64 {
            let name = format!("guess{second}");
            let then = now + Duration::from_secs(second);
            if failures.check(&name, at, then).is_ok() {
                failures.failed(&name, at, then);
                tried += 1;
            }
        }
        assert!((50..200).contains(&tried), "{tried}");
        let error = failures.check("bob", at, now + Duration::from_secs(3600));
        if let Err(error) = error {
            assert!(!error.to_string().contains("this user"), "{error}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (failures, now) = (Failures::default(), Instant::now());
        for at in 0..u32::try_from(ENTRIES_MAX).unwrap() {
            let address = IpAddr::V4(at.into());
            failures.failed(
                &"ä".repeat(1000),
                address,
                now + Duration::from_nanos(at.into()),
            );
        }
        let counts = failures.0.lock();
        assert_eq!(counts.len(), ENTRIES_MAX);
        assert!(counts.keys().all(|(name, _)| {
            name.as_ref()
                .is_none_or(|name| name.len() <= 2 * NAME_BYTES)
        }));
    }
}
