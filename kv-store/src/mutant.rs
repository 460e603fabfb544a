//! Deliberate faults, for the test that the checker finds them. Outside of feature `sim` none can be switched on.

/// One fault; each breaks a rule that is easy to break by accident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A read joins a quorum round that was already sent.
    JoinSentRound,
    /// Asking for an outcome that is not there answers ABORTED and does not write it.
    AbortNotWritten,
    /// The log is purged up to what is applied and not up to what the engine has on disk.
    PurgePastSync,
    /// A compaction drops delete markers.
    DropMarkerInCompaction,
    /// A commit is checked against what is applied and not against what is registered: it reads before others have registered.
    CheckBeforeRegister,
    /// A new leader goes on with the conflict map it had when it led before.
    KeepConflictMap,
    /// Outcomes are looked for in what is not written yet only, whatever ids were seen.
    SkipOutcomeLookup,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::JoinSentRound,
        Self::AbortNotWritten,
        Self::PurgePastSync,
        Self::DropMarkerInCompaction,
        Self::CheckBeforeRegister,
        Self::KeepConflictMap,
        Self::SkipOutcomeLookup,
    ];

    #[cfg(not(feature = "sim"))]
    pub(crate) const fn is_active(self) -> bool {
        false
    }

    #[cfg(feature = "sim")]
    pub(crate) fn is_active(self) -> bool {
        ACTIVE.get() == Some(self)
    }

    /// Runs with the fault switched on, on this thread.
    #[cfg(feature = "sim")]
    pub fn run<T>(mutant: Option<Self>, run: impl FnOnce() -> T) -> T {
        let before = ACTIVE.replace(mutant);
        let result = run();
        ACTIVE.set(before);
        result
    }
}

#[cfg(feature = "sim")]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}
