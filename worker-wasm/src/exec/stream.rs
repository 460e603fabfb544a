//! One partition of a fragment: batches of its input in, batches of its rows out.
//!
//! ```text
//! input batch -> its used columns, at most 65,536 rows at once -> push -> pull .. -> rows (gathered after a filter)
//! ```
//! States of an aggregation go out early when they have become many, and the guest begins again.
//! Between calls into the guest the query's stop signal is asked, and between batches the thread is given up, as often as
//! every operator does that does not wait for anything.

use std::{collections::VecDeque, sync::Arc};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    compute::{BatchCoalescer, cast},
    datatypes::{Schema, SchemaRef},
};
use datafusion::{
    common::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, TaskContext},
};
use futures::StreamExt;

use super::{FragmentExec, account::PoolAccount, blame, metrics::Metrics, stop::StopSignal};
use crate::{
    RunError, abi,
    fragment::{Mode, Operator, Sink, Source},
    lower::Feed,
    runtime::{Instance, NoHostFunctions},
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

pub(super) struct Run {
    node: FragmentExec,
    context: Arc<TaskContext>,
    input: SendableRecordBatchStream,
    instance: Instance,
    partition: usize,
    /// Whether groups may come out in several parts.
    splits: bool,
    state: State,
    /// Parts of an input batch that have not been pushed.
    waiting: VecDeque<RecordBatch>,
    /// Rows that have not gone out, where a filter leaves few of a batch.
    gathered: Option<BatchCoalescer>,
    batch_rows: usize,
    stop: StopSignal,
    metrics: Metrics,
    reported_rows: u64,
}

impl Run {
    pub(super) fn open(
        node: FragmentExec,
        partition: usize,
        context: Arc<TaskContext>,
        input: SendableRecordBatchStream,
    ) -> Result<Self> {
        let metrics = Metrics::new(&node.metrics, partition);
        let timer = metrics.baseline.elapsed_compute().timer();
        let instance = open(&node, partition, &context);
        timer.done();
        let batch_rows = context.session_config().batch_size();
        let gathered =
            filters_rows(&node).then(|| BatchCoalescer::new(Arc::clone(&node.schema), batch_rows));
        Ok(Self {
            instance: instance.map_err(blame::translate)?,
            partition,
            splits: gives_states(&node),
            state: State::Reading,
            waiting: VecDeque::new(),
            gathered,
            batch_rows,
            stop: StopSignal::of(&context),
            metrics,
            reported_rows: 0,
            node,
            context,
            input,
        })
    }

    /// The next rows, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(rows) = self
                .gathered
                .as_mut()
                .and_then(BatchCoalescer::next_completed_batch)
            {
                return Ok(Some(self.out(rows)));
            }
            match self.state {
                State::Done => return Ok(None),
                State::Reading => self.read().await?,
                State::Pulling(next) => match self.pull()? {
                    Some(rows) => match &mut self.gathered {
                        Some(gathered) => gathered.push_batch(rows)?,
                        None => return Ok(Some(self.out(rows))),
                    },
                    None => self.go_on(next)?,
                },
            }
        }
    }

    /// All rows of what was pushed are out.
    fn go_on(&mut self, next: Next) -> Result<()> {
        match next {
            Next::Read if self.splits && self.instance.memory_bytes() > STATES_BYTES_MAX => {
                self.metrics.early_states.add(1);
                self.finish()?;
                self.state = State::Pulling(Next::Restart);
            }
            Next::Read => self.state = State::Reading,
            Next::Restart => {
                self.report_memory();
                let (node, context) = (&self.node, &self.context);
                self.instance = open(node, self.partition, context).map_err(blame::translate)?;
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

    /// Pushes the next part of the input, or says that there is none.
    async fn read(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            match self.input.next().await.transpose()? {
                Some(batch) => self.waiting = parts(batch),
                None => {
                    self.finish()?;
                    self.state = State::Pulling(Next::End);
                    return Ok(());
                }
            }
        }
        let Some(part) = self.waiting.pop_front() else {
            return Ok(());
        };
        if let Err(error) = self.push(&part) {
            return Err(explain(&self.node, &self.context, error, part).await);
        }
        self.state = State::Pulling(Next::Read);
        Ok(())
    }

    fn push(&mut self, part: &RecordBatch) -> Result<(), RunError> {
        let _timer = self.metrics.push_time.timer();
        let _all = self.metrics.baseline.elapsed_compute().timer();
        let columns = fed(part, &self.node.bound.columns[0]);
        let columns = columns.map_err(|error| RunError::Function {
            source: error.into(),
        })?;
        self.metrics.bytes_in.add(slice_bytes(&columns));
        let stop = &self.stop;
        let pushed = self.instance.push(0, &columns, &mut || stop.check());
        match pushed {
            Err(RunError::Fact { .. }) => {
                self.metrics.general.add(1);
                let general = self.node.modules.general();
                let general = general.map_err(|source| RunError::Function {
                    source: source.into(),
                })?;
                self.instance
                    .take_over(self.node.modules.runtime(), general)?;
                self.instance.push(0, &columns, &mut || stop.check())
            }
            other => other,
        }
    }

    fn pull(&mut self) -> Result<Option<RecordBatch>> {
        let _timer = self.metrics.baseline.elapsed_compute().timer();
        let stop = &self.stop;
        let rows_max = u32::try_from(self.batch_rows).unwrap_or(u32::MAX);
        let rows = self.instance.pull(rows_max, &mut || stop.check());
        let rows = rows.map_err(blame::translate)?;
        let guest_rows = self.instance.guest_rows();
        self.metrics
            .guest_rows
            .add((guest_rows - self.reported_rows) as usize);
        self.reported_rows = guest_rows;
        rows.map(|rows| named(rows, &self.node.schema)).transpose()
    }

    fn out(&self, rows: RecordBatch) -> RecordBatch {
        self.metrics.baseline.record_output(rows.num_rows());
        self.metrics.bytes_out.add(slice_bytes(&rows));
        rows
    }
}

/// The error that the replaced operators give over the part that the guest refused.
async fn explain(
    node: &FragmentExec,
    context: &Arc<TaskContext>,
    error: RunError,
    part: RecordBatch,
) -> DataFusionError {
    if !matches!(error, RunError::Data { .. }) {
        return blame::translate(error);
    }
    let natives = blame::replay(&node.native, &node.source, part, context).await;
    natives.unwrap_or_else(|| blame::translate(error))
}

impl Drop for Run {
    fn drop(&mut self) {
        self.report_memory();
    }
}

fn open(
    node: &FragmentExec,
    partition: usize,
    context: &TaskContext,
) -> Result<Instance, RunError> {
    Instance::open(
        node.modules.runtime(),
        node.modules.expected(),
        &node.bound.params,
        Box::new(PoolAccount::new(context, partition)),
        Box::new(NoHostFunctions),
    )
}

/// Whether the fragment puts out states, of which a group may have several.
fn gives_states(node: &FragmentExec) -> bool {
    let mut pipelines = node.modules.module().fragment().pipelines.iter();
    pipelines.any(|pipeline| {
        matches!(&pipeline.sink, Sink::Aggregate(aggregate)
            if aggregate.mode == Mode::Partial && !aggregate.keys.is_empty())
    })
}

/// Whether what comes out of a pushed batch may be much less than the batch.
fn filters_rows(node: &FragmentExec) -> bool {
    let pipelines = &node.modules.module().fragment().pipelines;
    pipelines.last().is_some_and(|pipeline| {
        let filters = |operator: &Operator| matches!(operator, Operator::Filter(_));
        matches!(pipeline.source, Source::Input(_)) && pipeline.operators.iter().any(filters)
    })
}

/// A batch in parts of as many rows as a module takes at once.
fn parts(batch: RecordBatch) -> VecDeque<RecordBatch> {
    let rows = batch.num_rows();
    let part = |start: usize| batch.slice(start, abi::BATCH_ROWS_MAX.min(rows - start));
    (0..rows).step_by(abi::BATCH_ROWS_MAX).map(part).collect()
}

/// The columns of a fragment's input, out of a batch of its source.
fn fed(part: &RecordBatch, feeds: &[Feed]) -> Result<RecordBatch> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for feed in feeds {
        let (field, column) = match feed {
            Feed::Column(index) => {
                let schema = part.schema_ref();
                (
                    Arc::clone(&schema.fields()[*index]),
                    Arc::clone(part.column(*index)),
                )
            }
            Feed::Computed(expr) => {
                let field = expr.return_field(part.schema_ref())?;
                (field, expr.evaluate(part)?.into_array(part.num_rows())?)
            }
        };
        fields.push(field);
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(part.num_rows()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options);
    batch.map_err(DataFusionError::from)
}

/// The guest's columns under the plan's names, text in the form the plan has it.
fn named(rows: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let (_, columns, _) = rows.into_parts();
    let columns = columns.into_iter().zip(schema.fields());
    let columns = columns.map(
        |(column, field)| match column.data_type() == field.data_type() {
            true => Ok(column),
            false => cast(&column, field.data_type()),
        },
    );
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let named = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    named.map_err(DataFusionError::from)
}

/// Bytes of the rows, not of the buffers they are slices of.
fn slice_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns
        .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
        .sum()
}
