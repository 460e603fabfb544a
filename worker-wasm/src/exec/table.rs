//! The tables that a node's joins probe: each is built by a fragment that reads its source to the end.
//!
//! ```text
//! shared (CollectLeft)    source, all partitions -> one table -> all partitions
//! otherwise               source, partition n    -> a table for partition n
//! ```
//! Several partitions that are read for one table are so by an instance each, on whatever threads there are; when all have
//! ended, one lays the table out, and each copies its rows into it.
//! Whoever polls first builds, and if it goes away another one goes on; while nobody waits, nothing is read. The topmost
//! join's table is built first, as in DataFusion: what is known of its keys may spare reading for the others.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use datafusion::{
    common::{DataFusionError, Result, internal_datafusion_err, runtime::JoinSet},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::ExecutionPlanProperties,
};
use futures::{
    FutureExt, TryFutureExt,
    future::{BoxFuture, Shared},
};
use tokio::sync::watch;

use super::{
    FragmentExec,
    marks::Marks,
    narrow::{Keys, Report},
    stream::Run,
};
use crate::{
    lower::{Part, TableSide},
    runtime::JoinTable,
};

/// A table that is built, or will be when somebody asks for it.
type Building = Shared<BoxFuture<'static, Result<Arc<JoinTable>, Arc<DataFusionError>>>>;

/// What the partitions of a node share of one table.
#[derive(Debug)]
pub(super) struct TableState {
    /// Only of a table that is shared.
    building: Mutex<Option<Building>>,
    /// How many wait for it, or will.
    waiting: Arc<watch::Sender<usize>>,
    marks: Arc<Marks>,
    keys: Option<Arc<Keys>>,
}

/// What one run of a part reads, started and not waited for.
pub(super) struct Reads {
    pub(super) source: SendableRecordBatchStream,
    pub(super) tables: Vec<Probed>,
}

/// A table as one partition probes it.
pub(super) struct Probed {
    building: Building,
    /// Of a join that keeps rows of it.
    pub(super) marks: Option<Arc<Marks>>,
    /// Whether no row comes out where the table is empty.
    pub(super) empties: bool,
    _waits: Waits,
}

/// One of those who wait for a table.
struct Waits(Arc<watch::Sender<usize>>);

impl Waits {
    fn new(waiting: &Arc<watch::Sender<usize>>) -> Self {
        waiting.send_modify(|waiting| *waiting += 1);
        Self(Arc::clone(waiting))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl TableState {
    /// One for each part of a piece, by their numbers; that of the last part, which builds no table, is not used.
    pub(super) fn of_all(part: &Part) -> Vec<Self> {
        let mut states = Vec::new();
        Self::add(part, None, 1, &mut states);
        states
    }

    fn add(part: &Part, side: Option<&TableSide>, probing: usize, states: &mut Vec<Self>) {
        let partitions = part.source.output_partitioning().partition_count();
        for table in &part.tables {
            Self::add(&table.part, Some(table), partitions, states);
        }
        let keys = side.and_then(|side| {
            let builders = if side.shared { 1 } else { partitions };
            let narrowing = side.narrowing.clone()?;
            Some(Arc::new(Keys::new(narrowing, builders)))
        });
        states.push(Self {
            building: Mutex::new(None),
            waiting: Arc::new(watch::Sender::new(0)),
            marks: Arc::new(Marks::new(probing)),
            keys,
        });
    }
}

impl Probed {
    pub(super) async fn table(&self) -> Result<Arc<JoinTable>> {
        let built = self.building.clone().await;
        built.map_err(DataFusionError::Shared)
    }
}

/// Begins to read what a part of a node reads in one partition.
pub(super) fn start(
    node: &FragmentExec,
    part: &Part,
    partition: usize,
    context: &Arc<TaskContext>,
) -> Result<Reads> {
    let tables = part.tables.iter();
    let tables = tables.map(|side| probed(node, side, partition, context));
    let tables = tables.collect::<Result<_>>()?;
    Ok(Reads {
        tables,
        source: node.scans[part.number].execute(partition, Arc::clone(context))?,
    })
}

fn probed(
    node: &FragmentExec,
    side: &TableSide,
    partition: usize,
    context: &Arc<TaskContext>,
) -> Result<Probed> {
    let state = &node.tables[side.part.number];
    let (building, marks) = match side.shared {
        true => {
            let known = state.building.lock();
            let mut known = known.unwrap_or_else(PoisonError::into_inner);
            let building = match known.as_ref() {
                Some(building) => building.clone(),
                None => {
                    let source = &side.part.source;
                    let partitions = source.output_partitioning().partition_count();
                    let building = build(node, side, 0..partitions.max(1), context)?;
                    known.insert(building).clone()
                }
            };
            (building, Arc::clone(&state.marks))
        }
        false => (
            build(node, side, partition..partition + 1, context)?,
            Arc::new(Marks::new(1)),
        ),
    };
    Ok(Probed {
        building,
        marks: side.kept.then_some(marks),
        empties: side.empties,
        _waits: Waits::new(&state.waiting),
    })
}

/// Builds a table of what some partitions read, once it is polled.
fn build(
    node: &FragmentExec,
    side: &TableSide,
    partitions: Range<usize>,
    context: &Arc<TaskContext>,
) -> Result<Building> {
    let code = node.code(&side.part);
    let runs = partitions.map(|partition| {
        let reads = start(node, &side.part, partition, context)?;
        let context = Arc::clone(context);
        Ok(Run::open(code.clone(), partition, context, reads))
    });
    let runs = runs.collect::<Result<Vec<_>>>()?;
    let keys = node.tables[side.part.number].keys.as_ref();
    let report = keys.map(|keys| Report::new(Arc::clone(keys)));
    let waiting = node.tables[side.part.number].waiting.subscribe();
    let table = async move {
        let table = table_of(runs, &waiting).await?;
        if let Some(report) = report {
            report.table(&table).await?;
        }
        Ok::<_, DataFusionError>(Arc::new(table))
    };
    Ok(table.map_err(Arc::new).boxed().shared())
}

async fn table_of(
    mut runs: Vec<impl Future<Output = Result<Run>> + Send + 'static>,
    waiting: &watch::Receiver<usize>,
) -> Result<JoinTable> {
    if runs.len() == 1 {
        let only = runs.remove(0).await?;
        return only.build().await;
    }
    // Those that are left go away with the set.
    let mut tasks = JoinSet::new();
    for run in runs {
        let waiting = waiting.clone();
        tasks.spawn(async move {
            let mut run = run.await?;
            run.keep_rows(waiting).await?;
            Ok::<_, DataFusionError>(run)
        });
    }
    let mut ended = Vec::new();
    while let Some(run) = tasks.join_next().await {
        ended.push(run.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
    }
    let first = ended.pop();
    let first = first.ok_or_else(|| internal_datafusion_err!("a table is of no partition"))?;
    first.build_together(ended).await
}
