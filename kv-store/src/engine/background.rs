//! Threads that write files step back behind those that answer.
//!
//! Writing and merging files takes a fifth of a member's processor time, in pieces of tens of milliseconds. At the same priority
//! a commit waits behind them wherever there are fewer processors than threads.

use std::{panic, thread};

/// Nicer than the caller's threads: a third of the share of one of them, so that files are still written on a busy machine.
#[cfg(target_os = "linux")]
const NICE: libc::c_int = 5;

/// Starts threads that inherit a lower priority than the caller's, on Linux; elsewhere they have the caller's.
pub(super) fn in_background<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    let on_own_thread = move || {
        step_back();
        start()
    };
    let done = thread::scope(|scope| scope.spawn(on_own_thread).join());
    done.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}

/// Of the calling thread. What cannot be done is left: the store works without.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "the one system call of this crate")]
fn step_back() {
    // SAFETY: it takes a number and touches no memory. On Linux it is of the calling thread, not of the process (nice(2)).
    unsafe { libc::nice(NICE) };
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        path::{Path, PathBuf},
        time::{Duration, Instant},
    };

    use super::*;
    use crate::engine::LsmEngine;

    /// `None` for a thread that has ended.
    fn nice(thread: &Path) -> Option<i64> {
        let stat = std::fs::read_to_string(thread.join("stat")).ok()?;
        // Behind the name in brackets: the seventeenth field.
        let fields = stat.rsplit(')').next()?;
        fields.split_whitespace().nth(16)?.parse().ok()
    }

    fn nice_of_this_thread() -> i64 {
        nice(Path::new("/proc/thread-self")).unwrap()
    }

    #[test]
    fn threads_inherit_it_and_the_caller_keeps_its_own() {
        let own = nice_of_this_thread();
        let started = in_background(|| thread::spawn(nice_of_this_thread));
        assert_eq!(started.join().unwrap(), 19.min(own + i64::from(NICE)));
        assert_eq!(nice_of_this_thread(), own);
    }

    #[test]
    fn the_threads_of_an_engine_are_nicer_than_who_opened_it() {
        let expected = 19.min(nice_of_this_thread() + i64::from(NICE));
        let folder = tempfile::tempdir().unwrap();
        let _engine = LsmEngine::open(folder.path()).unwrap();
        let is_engines = |thread: &PathBuf| {
            let name = std::fs::read_to_string(thread.join("comm"));
            name.is_ok_and(|name| name.starts_with("fjall:"))
        };
        // A thread gets its name when it first runs.
        let deadline = Instant::now() + Duration::from_secs(20);
        let found = loop {
            let threads = std::fs::read_dir("/proc/self/task").unwrap();
            let threads = threads.map(|thread| thread.unwrap().path());
            // Other tests' engines among them, which are opened the same way.
            let engines = threads.filter(is_engines);
            let found: Vec<_> = engines.filter_map(|thread| nice(&thread)).collect();
            if !found.is_empty() || Instant::now() > deadline {
                break found;
            }
            thread::yield_now();
        };
        assert!(
            !found.is_empty() && found.iter().all(|nice| *nice == expected),
            "{found:?}, not {expected}"
        );
    }
}
