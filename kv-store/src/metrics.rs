//! What a member counts, in the text format of Prometheus. Base units, closed label sets, never keys or ids.
//!
//! Of the member and not of the process: a process may hold several. Gauges are set when they are asked for.

mod steps;

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder, core::Collector, exponential_buckets, histogram_opts, opts,
};

pub(crate) use self::steps::{Step, Steps};
use crate::{KvError, Version, node::NodeStatus, txn::Outcome};

/// From a tenth of a millisecond to thirteen seconds.
fn buckets() -> Vec<f64> {
    exponential_buckets(0.000_1, 2.0, 18).expect("buckets are valid")
}

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    steps: Steps,
    /// In the order of [`COMMIT_LABELS`].
    commits: [IntCounter; COMMIT_LABELS.len()],
    commit_seconds: Histogram,
    outcomes: IntCounterVec,
    begins: IntCounterVec,
    key_reads: IntCounter,
    range_reads: IntCounter,
    term: IntGauge,
    leads: IntGauge,
    stopped: IntGauge,
    members: IntGaugeVec,
    log_first_index: IntGauge,
    log_last_index: IntGauge,
    applied_index: IntGauge,
    watermark_index: IntGauge,
    fsyncs: IntCounter,
    archive_index: IntGauge,
    archive_behind_seconds: Gauge,
    archive_failures: IntCounter,
}

fn gauge(name: &str, help: &str) -> prometheus::Result<IntGauge> {
    IntGauge::new(name, help)
}

fn counters(name: &str, help: &str, label: &str) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(opts!(name, help), &[label])
}

/// What became of a commit, by its place in [`COMMIT_LABELS`].
fn place_of(committed: &Result<Version, KvError>) -> usize {
    match committed {
        Ok(_) => 0,
        Err(KvError::Conflict) => 1,
        Err(KvError::TooOld) => 2,
        Err(KvError::Aborted { .. }) => 3,
        Err(KvError::UnknownOutcome { .. }) => 4,
        Err(KvError::NotLeader { .. }) => 5,
        Err(_) => 6,
    }
}

const COMMIT_LABELS: [&str; 7] = [
    "committed",
    "conflict",
    "too_old",
    "aborted",
    "unknown",
    "not_leader",
    "refused",
];

/// No index comes near the end of an `i64`.
fn number(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let commits = register(
            &registry,
            counters(
                "kv_store_commits_total",
                "Transactions that asked to commit here, by what became of them",
                "outcome",
            ),
        );
        let metrics = Self {
            steps: Steps::new(&registry),
            commits: COMMIT_LABELS.map(|label| commits.with_label_values(&[label])),
            commit_seconds: register(
                &registry,
                Histogram::with_opts(histogram_opts!(
                    "kv_store_commit_duration_seconds",
                    "Time from a commit's arrival to its answer",
                    buckets()
                )),
            ),
            outcomes: register(
                &registry,
                counters(
                    "kv_store_outcomes_total",
                    "Transactions whose outcome was asked for, by the answer",
                    "outcome",
                ),
            ),
            begins: register(
                &registry,
                counters(
                    "kv_store_begins_total",
                    "Versions to read at that were asked for, by whether one was given",
                    "outcome",
                ),
            ),
            key_reads: register(
                &registry,
                IntCounter::new("kv_store_key_reads_total", "Reads of a key"),
            ),
            range_reads: register(
                &registry,
                IntCounter::new("kv_store_range_reads_total", "Reads of a range"),
            ),
            term: register(&registry, gauge("kv_store_term", "Raft's term")),
            leads: register(&registry, gauge("kv_store_leads", "1 on the leader")),
            stopped: register(
                &registry,
                gauge("kv_store_stopped", "1 when the log or the state has failed"),
            ),
            members: register(
                &registry,
                IntGaugeVec::new(
                    opts!(
                        "kv_store_members",
                        "Members of the group, by whether they vote"
                    ),
                    &["kind"],
                ),
            ),
            log_first_index: register(
                &registry,
                gauge("kv_store_log_first_index", "First entry in the log"),
            ),
            log_last_index: register(
                &registry,
                gauge("kv_store_log_last_index", "Last entry in the log"),
            ),
            applied_index: register(
                &registry,
                gauge("kv_store_applied_index", "Last entry that was applied"),
            ),
            watermark_index: register(
                &registry,
                gauge(
                    "kv_store_watermark_index",
                    "Entry of the oldest version that can be read",
                ),
            ),
            fsyncs: register(
                &registry,
                IntCounter::new("kv_store_log_fsyncs_total", "Fsyncs of the log"),
            ),
            archive_index: register(
                &registry,
                gauge(
                    "kv_store_archive_index",
                    "Last entry in the archive; 0 on a member that does not upload",
                ),
            ),
            archive_behind_seconds: register(
                &registry,
                Gauge::new(
                    "kv_store_archive_behind_seconds",
                    "What was acknowledged longer ago is in the archive; 0 on a member that does not upload",
                ),
            ),
            archive_failures: register(
                &registry,
                IntCounter::new(
                    "kv_store_archive_failures_total",
                    "Uploads that failed, and are tried again",
                ),
            ),
            registry,
        };
        metrics.declare();
        metrics
    }

    /// Makes every series appear, also before its first event.
    fn declare(&self) {
        for outcome in ["committed", "aborted", "unknown"] {
            self.outcomes.with_label_values(&[outcome]);
        }
        for outcome in ["given", "refused"] {
            self.begins.with_label_values(&[outcome]);
        }
    }

    pub(crate) fn steps(&self) -> Steps {
        self.steps.clone()
    }

    pub(crate) fn committed(&self, result: &Result<Version, KvError>, took: Duration) {
        self.commits[place_of(result)].inc();
        self.commit_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn asked(&self, answer: &Result<Outcome, KvError>) {
        let label = match answer {
            Ok(Outcome::Committed(_)) => "committed",
            Ok(Outcome::Aborted(_)) => "aborted",
            Err(_) => "unknown",
        };
        self.outcomes.with_label_values(&[label]).inc();
    }

    pub(crate) fn began(&self, is_given: bool) {
        let label = if is_given { "given" } else { "refused" };
        self.begins.with_label_values(&[label]).inc();
    }

    pub(crate) fn read_key(&self) {
        self.key_reads.inc();
    }

    pub(crate) fn read_range(&self) {
        self.range_reads.inc();
    }

    /// All of them, with the gauges as of `status`.
    pub(crate) fn text(&self, status: &NodeStatus, archive_failures: u64) -> Vec<u8> {
        self.term.set(number(status.lead.term));
        self.leads.set(i64::from(status.lead.is_own));
        self.stopped.set(i64::from(status.lead.is_stopped));
        for (kind, is_voter) in [("voter", true), ("learner", false)] {
            let members = status.members.iter();
            let num = members.filter(|member| member.is_voter == is_voter).count();
            self.members
                .with_label_values(&[kind])
                .set(number(num as u64));
        }
        self.log_first_index.set(number(status.first_index));
        self.log_last_index.set(number(status.last_index));
        self.applied_index.set(number(status.applied.index));
        self.watermark_index.set(number(status.watermark.index));
        self.fsyncs
            .inc_by(status.num_syncs.saturating_sub(self.fsyncs.get()));
        let archived = status.archived.unwrap_or_default();
        self.archive_index.set(number(archived.index));
        self.archive_behind_seconds
            .set(archived.behind.as_secs_f64());
        self.archive_failures
            .inc_by(archive_failures.saturating_sub(self.archive_failures.get()));
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("a vector takes everything");
        text
    }
}

fn register<M: Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<M>,
) -> M {
    let metric = metric.expect("metric descriptions are constants");
    registry
        .register(Box::new(metric.clone()))
        .expect("each metric is registered once");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lead, archive::Archived};

    #[test]
    fn every_series_is_there_from_the_start_and_gauges_are_of_the_status() {
        let metrics = Metrics::new();
        let mut status = NodeStatus {
            id: 1,
            lead: Lead {
                term: 7,
                is_own: true,
                ..Lead::default()
            },
            members: Vec::new(),
            first_index: 3,
            last_index: 9,
            applied: Version::end_of_entry(8),
            watermark: Version::end_of_entry(2),
            num_syncs: 5,
            archived: Some(Archived {
                index: 7,
                behind: Duration::from_millis(1500),
            }),
        };
        metrics.committed(&Err(KvError::Conflict), Duration::from_millis(3));
        metrics
            .steps()
            .observe(Step::Follower, Duration::from_millis(3));
        metrics.text(&status, 1);
        status.num_syncs = 6;
        let text = String::from_utf8(metrics.text(&status, 3)).expect("it is text");
        for line in [
            "kv_store_commits_total{outcome=\"conflict\"} 1",
            "kv_store_commits_total{outcome=\"committed\"} 0",
            "kv_store_commit_duration_seconds_count 1",
            "kv_store_step_duration_seconds_count{step=\"follower\"} 1",
            "kv_store_step_duration_seconds_count{step=\"apply\"} 0",
            "kv_store_term 7",
            "kv_store_leads 1",
            "kv_store_log_last_index 9",
            "kv_store_applied_index 8",
            "kv_store_log_fsyncs_total 6",
            "kv_store_archive_index 7",
            "kv_store_archive_behind_seconds 1.5",
            "kv_store_archive_failures_total 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}
