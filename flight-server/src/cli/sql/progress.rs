//! A line on stderr that says how far a long statement is.

use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::Float64Type,
};
use coordinator::{Engine, ProcessState};
use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use super::{output::grouped, remote::Remote};

/// Statements that end sooner show nothing.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
const REDRAWN_EVERY: Duration = Duration::from_millis(100);
/// A server is asked with a statement of its own, which must not cost it.
const SERVER_ASKED_EVERY: Duration = Duration::from_secs(1);

/// Shows progress until it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    rows: Arc<AtomicU64>,
    /// `None` when stderr is no terminal. Field order matters: drawing ends before the line is cleared.
    drawing: Option<AbortOnDropHandle<()>>,
    line: ProgressBar,
}

impl Progress {
    pub(super) fn start(watcher: Watcher, sql: &str) -> Self {
        let rows = Arc::new(AtomicU64::new(0));
        let line = ProgressBar::hidden();
        let drawing = io::stderr().is_terminal().then(|| {
            let task = draw(
                watcher,
                sql.to_owned(),
                Arc::clone(&rows),
                line.clone(),
                Instant::now(),
            );
            AbortOnDropHandle::new(tokio::spawn(task))
        });
        Self {
            rows,
            drawing,
            line,
        }
    }

    pub(super) fn add(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Ends the line before something else is written to the terminal.
    pub(super) fn stop(&mut self) {
        self.drawing = None;
        self.line.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn draw(
    watcher: Watcher,
    sql: String,
    rows: Arc<AtomicU64>,
    line: ProgressBar,
    started: Instant,
) {
    tokio::time::sleep(SHOWN_AFTER).await;
    line.set_style(
        ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    line.set_draw_target(indicatif::ProgressDrawTarget::stderr());
    let (mut share, mut asked) = (None, None::<Instant>);
    loop {
        if asked.is_none_or(|at| at.elapsed() >= watcher.pause()) {
            // An answer that is long in coming must not stop the clock.
            let asking = tokio::time::timeout(watcher.pause(), watcher.share_done(&sql));
            tokio::pin!(asking);
            loop {
                tokio::select! {
                    answer = &mut asking => {
                        share = answer.ok().flatten();
                        break;
                    }
                    () = tokio::time::sleep(REDRAWN_EVERY) => line.set_message(message(started.elapsed(), &rows, share)),
                }
            }
            asked = Some(Instant::now());
        }
        line.set_message(message(started.elapsed(), &rows, share));
        line.tick();
        tokio::time::sleep(REDRAWN_EVERY).await;
    }
}

fn message(elapsed: Duration, rows: &AtomicU64, share: Option<f64>) -> String {
    let mut text = format!(
        "{:.1} s, {} rows",
        elapsed.as_secs_f64(),
        grouped(rows.load(Ordering::Relaxed))
    );
    if let Some(share) = share {
        text.push_str(&format!(", {:.0} % read", share * 100.0));
    }
    text
}

/// Asks how far a statement is.
#[derive(Debug)]
pub(crate) enum Watcher {
    Local {
        engine: Arc<Engine>,
        session: String,
    },
    Remote(Remote),
}

impl Watcher {
    fn pause(&self) -> Duration {
        match self {
            Self::Local { .. } => REDRAWN_EVERY,
            Self::Remote(_) => SERVER_ASKED_EVERY,
        }
    }

    /// Share of the input read, 0 to 1; `None` while it is not known.
    async fn share_done(&self, sql: &str) -> Option<f64> {
        match self {
            Self::Local { engine, session } => engine
                .processes()
                .iter()
                .find(|process| {
                    process.session == *session
                        && process.sql == sql
                        && process.state() == ProcessState::Running
                })
                .and_then(|process| process.progress()),
            Self::Remote(remote) => {
                let list = remote.execute("SHOW PROCESSLIST").await.ok()?;
                let batches: Vec<_> = list.batches.try_collect().await.ok()?;
                batches.iter().find_map(|batch| listed_share(batch, sql))
            }
        }
    }
}

/// The column `progress` of the statement `sql` in a process list.
fn listed_share(list: &RecordBatch, sql: &str) -> Option<f64> {
    let texts = list.column_by_name("sql")?.as_string_opt::<i32>()?;
    let shares = list
        .column_by_name("progress")?
        .as_primitive_opt::<Float64Type>()?;
    texts
        .iter()
        .zip(shares.iter())
        .find(|(text, _)| *text == Some(sql))
        .and_then(|(_, share)| share)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Float64Array, StringArray};

    use super::*;

    #[test]
    fn the_share_of_a_statement_is_found_by_its_text() {
        let columns: [(&str, ArrayRef); 2] = [
            (
                "progress",
                Arc::new(Float64Array::from(vec![Some(0.1), Some(0.5), None])),
            ),
            (
                "sql",
                Arc::new(StringArray::from(vec!["SELECT 1", "SELECT 2", "SELECT 3"])),
            ),
        ];
        let list = RecordBatch::try_from_iter(columns).expect("a batch");
        assert_eq!(listed_share(&list, "SELECT 2"), Some(0.5));
        assert_eq!(listed_share(&list, "SELECT 3"), None);
        assert_eq!(listed_share(&list, "SELECT 4"), None);
    }

    #[test]
    fn the_line_says_time_rows_and_share() {
        let rows = AtomicU64::new(12_345);
        assert_eq!(
            message(Duration::from_millis(1_540), &rows, Some(0.402)),
            "1.5 s, 12,345 rows, 40 % read"
        );
        assert_eq!(
            message(Duration::from_secs(2), &rows, None),
            "2.0 s, 12,345 rows"
        );
    }
}
