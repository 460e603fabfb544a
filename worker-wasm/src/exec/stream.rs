//! One partition of a fragment: batches of its input in, batches of its rows out.
//!
//! ```text
//! input batch -> its used columns, at most 65,536 rows at once -> push -> pull .. -> rows (gathered after a filter)
//! ```
//! States of an aggregation go out early when they have become many, and the guest begins again.
//! Between calls into the guest the query's stop signal is asked, and between batches the thread is given up, as often as
//! every operator does that does not wait for anything.

use std::{sync::Arc, time::Instant};

use arrow::{array::RecordBatch, compute::BatchCoalescer, datatypes::SchemaRef};
use datafusion::{
    common::{DataFusionError, Result, internal_datafusion_err, runtime::JoinSet},
    execution::{SendableRecordBatchStream, TaskContext},
};
use futures::StreamExt;
use tokio::sync::watch;

use super::{
    batch::{fed, loose, named, slice_bytes, strict},
    blame,
    code::Code,
    marks::Marks,
    metrics::Metrics,
    parts::Parts,
    stop::StopSignal,
    table::Reads,
};
use crate::{
    RunError,
    runtime::{Instance, JoinTable},
};

/// What the next row waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A batch of the input.
    Reading,
    /// Rows of what was pushed, and then what is said here.
    Pulling(Next),
    /// Nothing: all rows are out.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    /// Begin again with an empty memory.
    Restart,
    End,
}

/// Guest memory with which an aggregation into states gives out what it has and begins again: it does not reduce its
/// input much then, and the phase behind it can spill.
const STATES_BYTES_MAX: u64 = 64 << 20;

/// Rows that are copied into a table sooner than another thread would begin: about 20 microseconds.
const COPIED_HERE_MAX: u64 = 8192;

pub(super) struct Run {
    code: Code,
    /// The schema of the rows that go out, nulls allowed everywhere.
    loose: SchemaRef,
    context: Arc<TaskContext>,
    /// `None` when it has ended.
    input: Option<SendableRecordBatchStream>,
    instance: Instance,
    /// Modules that rely on less which the instance has gone through, see [`Modules::wider`](super::Modules).
    wider: usize,
    /// Those that are probed.
    tables: Vec<Arc<JoinTable>>,
    /// The table of which a join keeps rows, by its number, and what its rows have met.
    marks: Option<(usize, Arc<Marks>)>,
    partition: usize,
    /// How many wait for the rows, where that is not whoever polls.
    waiting: Option<watch::Receiver<usize>>,
    /// Whether groups may come out in several parts.
    splits: bool,
    /// Whether a batch that is pushed may give rows at once.
    gives_early: bool,
    state: State,
    /// The part that was pushed last, whose rows may still fail.
    pushed: Option<RecordBatch>,
    parts: Parts,
    /// Rows that have not gone out, where few of a batch may be left.
    gathered: Option<BatchCoalescer>,
    batch_rows: usize,
    stop: StopSignal,
    metrics: Metrics,
    reported_rows: u64,
}

impl Run {
    /// Waits for the tables, and begins.
    pub(super) async fn open(
        code: Code,
        partition: usize,
        context: Arc<TaskContext>,
        reads: Reads,
    ) -> Result<Self> {
        let mut tables = Vec::new();
        for probed in reads.tables.iter().rev() {
            tables.push(probed.table().await?);
        }
        tables.reverse();
        let probed = || reads.tables.iter().zip(&tables);
        let empty = probed().any(|(probed, table)| probed.empties && table.rows() == 0);
        let marks = probed().enumerate();
        let mut marks = marks.filter_map(|(index, (probed, _))| {
            let marks = probed.marks.as_ref()?;
            Some((index, Arc::clone(marks)))
        });
        let marks = marks.next_back();
        let metrics = Metrics::new(&code.metrics, partition);
        let timer = metrics.baseline.elapsed_compute().timer();
        let instance = code.open(&tables, partition, &context);
        timer.done();
        let batch_rows = context.session_config().batch_size();
        let loose = loose(&code.schema);
        let gathered = code
            .leaves_few()
            .then(|| BatchCoalescer::new(Arc::clone(&loose), batch_rows));
        Ok(Self {
            instance: instance.map_err(blame::translate)?,
            wider: 0,
            tables,
            marks,
            partition,
            waiting: None,
            splits: code.gives_states(),
            gives_early: code.gives_rows_early(),
            state: State::Reading,
            pushed: None,
            parts: Parts::new(&code.part.source.schema(), &code.part.bound.columns[0]),
            gathered,
            batch_rows,
            stop: StopSignal::of(&context),
            metrics,
            reported_rows: 0,
            loose,
            code,
            context,
            // What would be read would come to nothing.
            input: (!empty).then_some(reads.source),
        })
    }

    /// Reads all of the input into the table that the fragment builds.
    pub(super) async fn build(mut self) -> Result<JoinTable> {
        while self.next().await?.is_some() {}
        self.table()
    }

    /// Reads all of the input while somebody waits, and keeps its rows for a table that several build.
    pub(super) async fn keep_rows(&mut self, waiting: watch::Receiver<usize>) -> Result<()> {
        self.waiting = Some(waiting);
        self.instance.hold_rows().map_err(blame::translate)?;
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// The table of the rows that several have kept.
    pub(super) async fn build_together(mut self, mut others: Vec<Self>) -> Result<JoinTable> {
        let at_once = self.lay_out(&mut others)?;
        // A thread keeps the newest task for itself: others can have what was there before it.
        let mut copying = JoinSet::new();
        for mut other in others {
            match at_once && other.instance.kept_rows() >= COPIED_HERE_MAX {
                true => drop(copying.spawn(async move { other.copy_rows().map(|()| None) })),
                false => other.copy_rows()?,
            }
        }
        if copying.is_empty() {
            self.copy_rows()?;
            return self.table();
        }
        copying.spawn(async move { self.copy_rows().map(|()| Some(self)) });
        let mut builder = None;
        while let Some(copied) = copying.join_next().await {
            let copied = copied.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??;
            builder = builder.or(copied);
        }
        let builder = builder.ok_or_else(|| internal_datafusion_err!("nobody has the table"))?;
        builder.table()
    }

    fn lay_out(&mut self, others: &mut [Self]) -> Result<bool> {
        let stop = &self.stop;
        let _all = self.metrics.baseline.elapsed_compute().timer();
        let others = others.iter_mut().map(|other| &mut other.instance);
        let mut others: Vec<_> = others.collect();
        let laid_out = self.instance.lay_out(&mut others, &mut || stop.check());
        laid_out.map_err(blame::translate)
    }

    fn copy_rows(&mut self) -> Result<()> {
        let stop = &self.stop;
        let _all = self.metrics.baseline.elapsed_compute().timer();
        let copied = self.instance.copy_rows(&mut || stop.check());
        copied.map_err(blame::translate)
    }

    fn table(mut self) -> Result<JoinTable> {
        self.report_memory();
        self.instance.take_table().map_err(blame::translate)
    }

    /// The next rows, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(rows) = self
                .gathered
                .as_mut()
                .and_then(BatchCoalescer::next_completed_batch)
            {
                return self.out(rows).map(Some);
            }
            match self.state {
                State::Done => return Ok(None),
                State::Reading => self.read().await?,
                State::Pulling(next) => match self.pull() {
                    Ok(Some(rows)) => match &mut self.gathered {
                        Some(gathered) => gathered.push_batch(rows)?,
                        None => return self.out(rows).map(Some),
                    },
                    Ok(None) => self.go_on(next)?,
                    Err(error) => return Err(self.explain(error).await),
                },
            }
        }
    }

    /// All rows of what was pushed are out.
    fn go_on(&mut self, next: Next) -> Result<()> {
        match next {
            Next::Read if self.splits && self.instance.memory_bytes() > STATES_BYTES_MAX => {
                self.metrics.early_states.add(1);
                if let Some((table, marks)) = &self.marks {
                    let matched = self.instance.matched_rows(*table);
                    let matched = matched.map_err(blame::translate)?;
                    marks.add(&matched, self.context.memory_pool())?;
                }
                self.finish()?;
                self.state = State::Pulling(Next::Restart);
            }
            Next::Read => self.state = State::Reading,
            Next::Restart => {
                self.report_memory();
                let opened = self.code.open(&self.tables, self.partition, &self.context);
                self.instance = opened.map_err(blame::translate)?;
                self.wider = 0;
                self.reported_rows = 0;
                self.state = State::Reading;
            }
            Next::End => {
                self.state = State::Done;
                if let Some(gathered) = &mut self.gathered {
                    gathered.finish_buffered_batch()?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let stop = &self.stop;
        let _timer = self.metrics.push_time.timer();
        let _all = self.metrics.baseline.elapsed_compute().timer();
        let finished = self.instance.finish(0, &mut || stop.check());
        finished.map_err(blame::translate)
    }

    fn report_memory(&self) {
        let bytes = self.instance.memory_bytes();
        self.metrics
            .memory_bytes
            .set_max(bytes.try_into().unwrap_or(usize::MAX));
    }

    /// The input has ended: the last partition puts out what a join keeps of its table.
    fn end(&mut self) -> Result<()> {
        // What is below is done, and what it holds is needed no more.
        self.input = None;
        self.pushed = None;
        if let Some((table, marks)) = &self.marks {
            let matched = self.instance.matched_rows(*table);
            let matched = matched.map_err(blame::translate)?;
            if let Some(all) = marks.finish(&matched, self.context.memory_pool())? {
                let kept = self.instance.keep_rows(*table, [all.rows.as_slice()]);
                kept.map_err(blame::translate)?;
            }
        }
        self.finish()?;
        self.state = State::Pulling(Next::End);
        Ok(())
    }

    /// Pushes the next part of the input, or says that there is none.
    async fn read(&mut self) -> Result<()> {
        if self.parts.is_empty() {
            if let Some(waiting) = &mut self.waiting {
                // Gone with the plan, as this task is then.
                let _gone = waiting.wait_for(|waiting| *waiting > 0).await.is_err();
            }
            let batch = match &mut self.input {
                Some(input) => input.next().await.transpose()?,
                None => None,
            };
            match batch {
                Some(batch) => self.parts.put(batch),
                None => return self.end(),
            }
        }
        let Some(part) = self.parts.next() else {
            return Ok(());
        };
        let pushed = self.push(&part);
        self.pushed = Some(part);
        if let Err(error) = pushed {
            return Err(self.explain(error).await);
        }
        match self.gives_early {
            true => self.state = State::Pulling(Next::Read),
            false => self.go_on(Next::Read)?,
        }
        Ok(())
    }

    /// The error that the replaced operators give over the part that was pushed last.
    async fn explain(&mut self, error: RunError) -> DataFusionError {
        let part = &self.code.part;
        let is_datas = matches!(error, RunError::Data { .. });
        let Some(rows) = self
            .pushed
            .take()
            .filter(|_| is_datas && blame::can_replay(part))
        else {
            return blame::translate(error);
        };
        // The scan may have handed out narrower columns than the plan has.
        let Ok(rows) = named(rows, &part.source.schema()) else {
            return blame::translate(error);
        };
        let natives = blame::replay(part, rows, &self.context).await;
        natives.unwrap_or_else(|| blame::translate(error))
    }

    fn push(&mut self, part: &RecordBatch) -> Result<(), RunError> {
        let started = Instant::now();
        let pushed = self.push_columns(part);
        let took = started.elapsed();
        self.metrics.push_time.add_duration(took);
        let all = self.metrics.baseline.elapsed_compute();
        all.add_duration(took);
        pushed
    }

    fn push_columns(&mut self, part: &RecordBatch) -> Result<(), RunError> {
        let columns = fed(part, &self.code.part.bound.columns[0]);
        let columns = columns.map_err(|error| RunError::Function {
            source: error.into(),
        })?;
        self.metrics.bytes_in.add(slice_bytes(&columns));
        let (stop, rows) = (&self.stop, part.num_rows());
        loop {
            let instance = &mut self.instance;
            match instance.push_columns(0, &columns, rows, &mut || stop.check()) {
                Err(fact @ RunError::Fact { .. }) => {
                    self.metrics.general.add(1);
                    self.code.widen(&mut self.instance, &mut self.wider, fact)?;
                }
                other => return other,
            }
        }
    }

    fn pull(&mut self) -> Result<Option<RecordBatch>, RunError> {
        let _timer = self.metrics.baseline.elapsed_compute().timer();
        let stop = &self.stop;
        let rows_max = u32::try_from(self.batch_rows).unwrap_or(u32::MAX);
        let rows = loop {
            match self.instance.pull(rows_max, &mut || stop.check()) {
                Err(fact @ RunError::Fact { .. }) => {
                    self.metrics.general.add(1);
                    self.code.widen(&mut self.instance, &mut self.wider, fact)?;
                }
                other => break other?,
            }
        };
        let guest_rows = self.instance.guest_rows();
        self.metrics
            .guest_rows
            .add((guest_rows - self.reported_rows) as usize);
        self.reported_rows = guest_rows;
        let rows = rows.map(|rows| named(rows, &self.loose)).transpose();
        rows.map_err(|error| RunError::Function {
            source: error.into(),
        })
    }

    fn out(&self, rows: RecordBatch) -> Result<RecordBatch> {
        self.metrics.baseline.record_output(rows.num_rows());
        self.metrics.bytes_out.add(slice_bytes(rows.columns()));
        strict(rows, &self.code.schema)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.report_memory();
    }
}
