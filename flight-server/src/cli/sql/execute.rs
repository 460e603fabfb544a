//! Statements -> results on stdout.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use futures::TryStreamExt;

use super::{
    connection::Connection,
    output::{Format, Output, grouped},
    progress::Progress,
    statements,
};

/// Runs all statements of a text, up to the first that fails.
pub(super) async fn text(
    connection: &mut Connection,
    text: &str,
    out: &mut Output,
) -> anyhow::Result<()> {
    for sql in statements::split(text) {
        let summary = statement(connection, sql, out).await?;
        if summary.what != What::Rows && out.format() == Format::Table {
            eprintln!("({})", summary.text());
        }
    }
    Ok(())
}

/// Runs one statement and writes its rows.
pub(super) async fn statement(
    connection: &mut Connection,
    sql: &str,
    out: &mut Output,
) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let mut progress = Progress::start(connection.watcher(), sql);
    let mut result = connection.execute(sql).await?;
    if let Some(rows) = result.rows_changed {
        let what = if result.schema.fields().is_empty() {
            What::Definition
        } else {
            What::Change
        };
        return Ok(Summary {
            what,
            rows,
            elapsed: started.elapsed(),
        });
    }
    let mut sink = out.sink()?;
    let mut rows = 0;
    while let Some(batch) = result.batches.try_next().await? {
        rows += batch.num_rows() as u64;
        progress.add(batch.num_rows());
        if sink.writes_at_once() && io::stdout().is_terminal() {
            progress.stop();
        }
        sink.write(&batch)?;
    }
    let elapsed = started.elapsed();
    progress.stop();
    sink.finish(&result.schema)?;
    Ok(Summary {
        what: What::Rows,
        rows,
        elapsed,
    })
}

/// What a statement did.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) what: What,
    pub(super) rows: u64,
    /// Until the last row was here.
    pub(super) elapsed: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Rows,
    /// Rows were written.
    Change,
    /// Nothing to count.
    Definition,
}

impl Summary {
    pub(super) fn text(&self) -> String {
        let rows = match self.rows {
            1 => "1 row".to_owned(),
            rows => format!("{} rows", grouped(rows)),
        };
        match self.what {
            What::Rows => rows,
            What::Change => format!("{rows} written"),
            What::Definition => "done".to_owned(),
        }
    }
}

/// A time as a person reads it: `3.4 ms`, `12.345 s`, `2 min 5.0 s`.
pub(super) fn human_time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        ..1.0 => format!("{:.1} ms", seconds * 1000.0),
        ..60.0 => format!("{seconds:.3} s"),
        _ => format!("{} min {:.1} s", time.as_secs() / 60, seconds % 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (millis, expected) in [
            (3, "3.0 ms"),
            (999, "999.0 ms"),
            (12_345, "12.345 s"),
            (125_000, "2 min 5.0 s"),
        ] {
            assert_eq!(human_time(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn summaries_count_rows() {
        let check = |what, rows, expected: &str| {
            assert_eq!(
                Summary {
                    what,
                    rows,
                    elapsed: Duration::ZERO
                }
                .text(),
                expected
            );
        };
        check(What::Rows, 1, "1 row");
        check(What::Rows, 12_000, "12,000 rows");
        check(What::Change, 0, "0 rows written");
        check(What::Definition, 0, "done");
    }
}
