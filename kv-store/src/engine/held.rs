//! Memory and files that fjall has done with, given back where nobody waits for it.
//!
//! fjall frees a memtable, and removes files that it has merged, with the last version of a tree that has them, and lets go of
//! versions under a lock that every read and write takes: for 10 to 50 ms at a time. Whoever holds each version a little longer
//! than fjall does frees them instead.

use std::{
    any::Any,
    collections::VecDeque,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use fjall::{AbstractTree, Keyspace};
use parking_lot::Mutex;

/// At most, where fjall begins no new memtable for long.
const HELD_MAX: Duration = Duration::from_secs(2);

/// Versions of trees, the oldest first.
#[derive(Default)]
pub(super) struct Held(Mutex<VecDeque<Version>>);

struct Version {
    taken: Instant,
    /// That was written to then. fjall lets go of versions in order, so whoever has no older memtable has no older version.
    memtable: Weak<dyn Any + Send + Sync>,
    /// With the memtable, and the files that there were.
    _version: Box<dyn Any + Send>,
}

impl Held {
    /// Takes the current versions along, and lets go of old ones. Blocks for what is freed. To be called several times for
    /// each memtable that is filled.
    pub(super) fn renew<'a>(&self, trees: impl IntoIterator<Item = &'a Keyspace>) {
        for tree in trees {
            let version = tree.tree.get_version_history_lock().latest_version();
            let memtable: Arc<dyn Any + Send + Sync> = Arc::clone(&version.active_memtable) as _;
            self.0.lock().push_back(Version {
                taken: Instant::now(),
                memtable: Arc::downgrade(&memtable),
                _version: Box::new(version),
            });
        }
        self.let_go();
    }

    /// Of what nobody else has, and what is old. Blocks for what is freed.
    pub(super) fn let_go(&self) {
        let mut held = self.0.lock();
        let now = Instant::now();
        let is_done = |version: &Version| {
            let of_memtable = |other: &&Version| Weak::ptr_eq(&other.memtable, &version.memtable);
            let own = held.iter().filter(of_memtable).count();
            now - version.taken > HELD_MAX || version.memtable.strong_count() == own
        };
        let done: Vec<bool> = held.iter().map(is_done).collect();
        let mut done = done.into_iter();
        let (old, kept) = held
            .drain(..)
            .partition::<VecDeque<_>, _>(|_| done.next() == Some(true));
        *held = kept;
        drop(held);
        // Freed behind the lock.
        drop(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with something in its memtable, which is held.
    fn held(folder: &std::path::Path) -> (fjall::Database, Keyspace, Held, Weak<impl Any>) {
        let database = fjall::Database::builder(folder).open().unwrap();
        let tree = database.keyspace("data", Default::default).unwrap();
        let held = Held::default();
        tree.insert("a", "b").unwrap();
        let memtable = Arc::downgrade(&tree.tree.active_memtable());
        held.renew([&tree]);
        held.renew([&tree]);
        (database, tree, held, memtable)
    }

    #[test]
    fn a_memtable_is_freed_by_who_holds_it_last() {
        let folder = tempfile::tempdir().unwrap();
        let (_database, tree, held, memtable) = held(folder.path());
        assert_eq!(held.0.lock().len(), 2, "fjall has it too");
        for _ in 0..3 {
            // It lets go of versions with the next memtable.
            tree.rotate_memtable_and_wait().unwrap();
            tree.insert("a", "c").unwrap();
        }
        assert_eq!(memtable.strong_count(), 2, "held and nowhere else");
        held.let_go();
        assert_eq!(memtable.strong_count(), 0);
        assert!(held.0.lock().is_empty());
    }

    #[test]
    fn what_is_written_to_for_long_is_not_held_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let (_database, _tree, held, memtable) = held(folder.path());
        let deadline = Instant::now() + 20 * HELD_MAX;
        while !held.0.lock().is_empty() && Instant::now() < deadline {
            held.let_go();
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(held.0.lock().is_empty());
        assert!(memtable.strong_count() > 0);
    }
}
