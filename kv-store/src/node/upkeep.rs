//! What a member does each second without being asked.
//!
//! - The engine is synced when something was applied, and the log purged behind that.
//! - The member that leads lets go of versions and outcomes that are older than they are kept.
//! - The member that leads removes leases that were not renewed.
//! - The member that leads says where it is reached, when the group knows another address: a folder may have moved, or its
//!   member may have been alone before.
//!
//! Versions have no times, so the member notes now and then which version is the newest. One that just took the lead knows
//! no times yet, and lets go of nothing until they have passed.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{open::GROUP, requests::Request};
use crate::{
    Version,
    lease::{self, Held},
    raft::Group,
    state::State,
    wal::Wal,
};

const INTERVAL: Duration = Duration::from_secs(1);
const WRITE_BACK_INTERVAL: Duration = Duration::from_millis(100);
/// Also for versions that are hardly kept at all.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// Notes are kept at this part of a retention: a version is kept at most that much longer.
const NOTES_PER_RETENTION: u32 = 16;

#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) id: u64,
    /// Empty for a member that is alone.
    pub(super) address: String,
    pub(super) retention: Duration,
    pub(super) outcome_retention: Duration,
    pub(super) log_bytes_kept: u64,
}

/// Until the group is shut down.
pub(super) async fn run(
    group: Group,
    state: Arc<State>,
    wal: Arc<Wal>,
    proposals: mpsc::Sender<Request>,
    own: Own,
) {
    let interval = INTERVAL.min(own.retention / NOTES_PER_RETENTION);
    let mut ticks = tokio::time::interval(interval.max(INTERVAL_MIN));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut persisted = state.applied();
    let mut versions = Notes::new(own.retention);
    let mut outcomes = Notes::new(own.outcome_retention);
    let mut leases = Leases::default();
    loop {
        ticks.tick().await;
        let applied = state.applied();
        if applied > persisted {
            if group.persist().await.is_err() {
                return;
            }
            persisted = applied;
            // What this sync covers may go with the next one.
            let first_kept = wal.first_within(GROUP, own.log_bytes_kept);
            if group.purge(first_kept).await.is_err() {
                return;
            }
        }
        announce(&group, &own).await;
        let now = Instant::now();
        versions.note(now, applied);
        outcomes.note(now, applied);
        let (mut watermark, outcomes_below) = (versions.old(now), outcomes.old(now));
        if group.lead().is_own {
            watermark = watermark.min(leases.look_after(&state, &proposals, now));
        } else {
            leases.seen.clear();
        }
        if group.lead().is_own
            && watermark > state.watermark()
            && state.is_written_after_watermark()
        {
            // When too much waits, the next second will do.
            drop(proposals.try_send(Request::Gc {
                watermark,
                outcomes_below,
            }));
        }
    }
}

/// Until the node is gone. Has what is applied written to disk a little at a time, so that the engine's own syncs, which
/// let nobody write, find little to do; and what it has done with given back.
pub(super) async fn write_back(state: Arc<State>) {
    let mut ticks = tokio::time::interval(WRITE_BACK_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut written = state.applied();
    loop {
        ticks.tick().await;
        let applied = state.applied();
        let is_written = std::mem::replace(&mut written, applied) < applied;
        let state = Arc::clone(&state);
        let look_after = move || match is_written {
            // A failure will be found by the sync that counts.
            true => drop(state.write_back()),
            false => state.let_go(),
        };
        drop(tokio::task::spawn_blocking(look_after).await);
    }
}

/// One that fails is tried again with the next tick.
async fn announce(group: &Group, own: &Own) {
    if own.address.is_empty() || !group.lead().is_own {
        return;
    }
    let members = group.members();
    let known = members.iter().find(|member| member.id == own.id);
    if known.is_some_and(|known| known.address != own.address)
        && let Err(error) = group.set_address(own.id, own.address.clone()).await
    {
        tracing::warn!(%error, "the group does not learn this member's address yet");
    }
}

/// The leases that stand, as a leader sees them.
#[derive(Debug, Default)]
struct Leases {
    /// By key: as last seen, and since when it has been so.
    seen: HashMap<Vec<u8>, (Held, Instant)>,
}

impl Leases {
    /// Has those removed whose time is over. The oldest version that is held.
    fn look_after(
        &mut self,
        state: &State,
        proposals: &mpsc::Sender<Request>,
        now: Instant,
    ) -> Version {
        let applied = state.applied();
        let standing = match lease::all(&*state.reader()) {
            Ok(standing) => standing,
            Err(error) => {
                tracing::warn!(%error, "leases cannot be read, so no version goes");
                return Version::MIN;
            }
        };
        let mut before = std::mem::take(&mut self.seen);
        let mut oldest = Version::MAX;
        for (key, held) in standing {
            oldest = oldest.min(held.at);
            let since = match before.remove(&key) {
                Some((same, since)) if same == held => since,
                _ => now,
            };
            if now - since > held.time_to_live {
                // A renewal meanwhile makes it a conflict. Who waits for the answer looks again with the next tick.
                let (answer, _) = tokio::sync::oneshot::channel();
                let request = lease::removal(key.clone(), applied);
                drop(proposals.try_send(Request::Commit { request, answer }));
            }
            self.seen.insert(key, (held, since));
        }
        oldest
    }
}

/// Which version was the newest, at some times.
#[derive(Debug)]
struct Notes {
    retention: Duration,
    noted: VecDeque<(Instant, Version)>,
    /// The newest version known to be older than the retention.
    old: Version,
}

impl Notes {
    fn new(retention: Duration) -> Self {
        Self {
            retention,
            noted: VecDeque::new(),
            old: Version::MIN,
        }
    }

    fn note(&mut self, now: Instant, newest: Version) {
        let is_due = self
            .noted
            .back()
            .is_none_or(|(at, _)| now - *at >= self.retention / NOTES_PER_RETENTION);
        if is_due {
            self.noted.push_back((now, newest));
        }
    }

    fn old(&mut self, now: Instant) -> Version {
        while let Some((_, version)) = self
            .noted
            .pop_front_if(|(at, _)| now - *at >= self.retention)
        {
            self.old = version;
        }
        self.old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_old_when_it_was_the_newest_a_retention_ago() {
        let start = Instant::now();
        let mut notes = Notes::new(Duration::from_secs(16));
        for second in 0..100 {
            let now = start + Duration::from_secs(second);
            notes.note(now, Version::end_of_entry(second));
            let old = notes.old(now);
            let expected = second
                .checked_sub(16)
                .map_or(Version::MIN, Version::end_of_entry);
            assert_eq!(old, expected, "second {second}");
            assert!(notes.noted.len() <= 17);
        }
    }
}
