//! How long an entry of the log spends where: what a slow write waits for.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, Registry, histogram_opts};

use super::{buckets, register};

/// On the way of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its first command waits for it to begin.
    Gather,
    /// From its proposal to its answer here: all of the following.
    Round,
    /// Fsync of this member's own log.
    Log,
    /// A follower has it on disk and has said so.
    Follower,
    /// It, and those that were ready with it, goes into the engine.
    Apply,
}

const STEPS: [(Step, &str); 5] = [
    (Step::Gather, "gather"),
    (Step::Round, "round"),
    (Step::Log, "log"),
    (Step::Follower, "follower"),
    (Step::Apply, "apply"),
];
/// A step that takes this long is told.
const SLOW: Duration = Duration::from_millis(500);

/// How long the steps take. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Steps([Histogram; STEPS.len()]);

impl Steps {
    pub(super) fn new(registry: &Registry) -> Self {
        let options = histogram_opts!(
            "kv_store_step_duration_seconds",
            "Time that an entry of the log spends, by step",
            buckets()
        );
        let steps = register(registry, HistogramVec::new(options, &["step"]));
        Self(STEPS.map(|(_, label)| steps.with_label_values(&[label])))
    }

    pub(crate) fn observe(&self, step: Step, took: Duration) {
        let (_, label) = STEPS[step as usize];
        self.0[step as usize].observe(took.as_secs_f64());
        if took >= SLOW {
            let millis = took.as_millis();
            tracing::warn!(step = label, millis, "an entry of the log takes long");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_counted_under_its_own_name() {
        let registry = Registry::new();
        let steps = Steps::new(&registry);
        for (number, (step, _)) in (1..).zip(STEPS) {
            (0..number).for_each(|_| steps.observe(step, Duration::from_millis(3)));
        }
        let family = registry.gather().remove(0);
        for (number, (_, label)) in (1..).zip(STEPS) {
            let mut found = family.get_metric().iter();
            let one = found.find(|one| one.get_label()[0].value() == label);
            let histogram = one.expect("every step has a series").get_histogram();
            assert_eq!(histogram.get_sample_count(), number, "{label}");
        }
    }
}
