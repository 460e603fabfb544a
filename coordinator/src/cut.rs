//! `ExecutionPlan` -> stages with network boundaries between them, where workers are to run it; else the plan as it is.
//!
//! datafusion-distributed puts the boundaries in: above hash exchanges, under what collects partitions, and on the build
//! side of joins that every task needs whole. A boundary between one task and one task is none, so a plan may come back
//! whole. A plan that workers cannot run stays here, with the operator that keeps it and the reason.

use std::sync::Arc;

use datafusion::{
    common::{DFSchema, Result as DataFusionResult},
    datasource::{
        physical_plan::{FileScanConfig, ParquetSource},
        sink::DataSinkExec,
        source::DataSourceExec,
    },
    execution::{SessionStateBuilder, context::QueryPlanner, context::SessionState},
    logical_expr::{EmptyRelation, LogicalPlan},
    physical_plan::{ExecutionPlan, empty::EmptyExec, placeholder_row::PlaceholderRowExec},
    prelude::SessionConfig,
};
use datafusion_distributed::{
    DesiredTaskCountEvent, DesiredTaskCountEventResponse, DistributedExt, NetworkBoundaryExt,
    SessionStateBuilderExt, WorkerResolver,
};
use datafusion_proto::{
    physical_plan::{AsExecutionPlan, DefaultPhysicalExtensionCodec},
    protobuf::PhysicalPlanNode,
};
use url::Url;

use crate::{QueryContext, QueryError, workers::Crew};

/// Numbers the stages of one query; 0 gives the rows of the query itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StageId(pub u32);

impl std::fmt::Display for StageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A plan in stages.
#[derive(Debug)]
pub(crate) struct Staged {
    /// All stages, the one that gives the query's rows at the top.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) reach: Reach,
}

/// Where a plan runs.
#[derive(Debug)]
pub(crate) enum Reach {
    /// All of it in this process, without tasks. Where workers were asked for, what keeps it here.
    Here(Option<Blocker>),
    /// Its first stage here, the others as tasks of this crew.
    Workers {
        crew: Crew,
        /// What the plan was distributed with.
        config: Box<SessionConfig>,
        /// What it was planned from, to be planned again for other workers.
        logical: Box<LogicalPlan>,
    },
}

/// What keeps a plan from workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocker {
    /// Of the operators in the order `EXPLAIN` prints them.
    pub(crate) operator: usize,
    pub(crate) reason: Stays,
}

/// Why a plan is not sent to workers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stays {
    #[error("the plan stays here: files are written by this server")]
    Writes,
    #[error("the plan stays here: these rows are in this server's memory")]
    InMemory,
    #[error("the plan stays here: workers read Parquet only")]
    OtherFormat,
    #[error("the plan stays here: workers read shared folders only, no object stores")]
    ObjectStore,
    #[error("the plan stays here: what this operator gives cannot be sent to workers")]
    OtherSource,
    #[error("the plan stays here: it cannot be sent to workers ({detail})")]
    Unsent { detail: String },
}

/// `plan` was made from `logical`; `crew` is the one to run it, if any is.
pub(crate) async fn cut(
    ctx: &QueryContext,
    logical: &LogicalPlan,
    plan: Arc<dyn ExecutionPlan>,
    crew: Option<Crew>,
) -> Result<Staged, QueryError> {
    let Some(crew) = crew else {
        return Ok(Staged {
            plan,
            reach: Reach::Here(None),
        });
    };
    if let Some(blocker) = blocker(&plan) {
        return Ok(Staged {
            plan,
            reach: Reach::Here(Some(blocker)),
        });
    }
    let crew = match reads_files(&plan) {
        true => crew.gathered(ctx).await,
        false => crew,
    };
    if crew.urls().is_empty() && reads_files(&plan) {
        return Err(QueryError::NoWorkers);
    }
    let staged = distribute(ctx, logical, plan, crew).await;
    staged.map_err(|source| QueryError::planning(ctx.id(), source))
}

async fn distribute(
    ctx: &QueryContext,
    logical: &LogicalPlan,
    plan: Arc<dyn ExecutionPlan>,
    crew: Crew,
) -> DataFusionResult<Staged> {
    let tasks = crew.tasks_per_stage();
    let state = SessionStateBuilder::new_from_existing(SessionState::clone(&ctx.state))
        .with_query_planner(Arc::new(Planned(plan)))
        .with_distributed_planner()
        .with_distributed_worker_resolver(Urls(crew.urls()))
        .with_distributed_max_tasks_per_stage(tasks)?
        .with_distributed_compression(None)?
        .with_distributed_desired_task_count_handler(move |event: DesiredTaskCountEvent<'_>| {
            is_parquet_scan(event.plan.as_ref())
                .then(|| Ok(DesiredTaskCountEventResponse::desired(tasks)))
        })
        .build();
    let none = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(DFSchema::empty()),
    });
    let plan = state.query_planner().create_physical_plan(&none, &state);
    let plan = plan.await?;
    let reach = match has_boundary(&plan) {
        true => Reach::Workers {
            crew,
            config: Box::new(state.config().clone()),
            logical: Box::new(logical.clone()),
        },
        false => Reach::Here(None),
    };
    Ok(Staged { plan, reach })
}

/// Hands out the plan that there is.
#[derive(Debug)]
struct Planned(Arc<dyn ExecutionPlan>);

#[async_trait::async_trait]
impl QueryPlanner for Planned {
    async fn create_physical_plan(
        &self,
        _: &LogicalPlan,
        _: &SessionState,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::clone(&self.0))
    }
}

/// The workers of a crew.
pub(crate) struct Urls(pub(crate) Vec<Url>);

impl WorkerResolver for Urls {
    fn get_urls(&self) -> DataFusionResult<Vec<Url>> {
        Ok(self.0.clone())
    }
}

/// For each operator of the plan its stage, in the order `EXPLAIN` prints them. A boundary is part of the stage that reads.
pub(crate) fn stages(plan: &Arc<dyn ExecutionPlan>) -> Vec<StageId> {
    let mut stages = Vec::new();
    add_stages(plan, StageId(0), &mut stages);
    stages
}

fn add_stages(plan: &Arc<dyn ExecutionPlan>, stage: StageId, stages: &mut Vec<StageId>) {
    stages.push(stage);
    let below = plan.as_network_boundary();
    let below = below.map_or(stage, |boundary| {
        StageId(u32::try_from(boundary.input_stage().num()).unwrap_or(u32::MAX))
    });
    for child in plan.children() {
        add_stages(child, below, stages);
    }
}

fn has_boundary(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is_network_boundary() || plan.children().into_iter().any(has_boundary)
}

/// The first operator that workers cannot run.
fn blocker(plan: &Arc<dyn ExecutionPlan>) -> Option<Blocker> {
    let mut operator = 0;
    if let Some(reason) = find_blocker(plan, &mut operator) {
        return Some(Blocker { operator, reason });
    }
    let written = PhysicalPlanNode::try_from_physical_plan(
        Arc::clone(plan),
        &DefaultPhysicalExtensionCodec {},
    );
    let error = written.err()?.strip_backtrace();
    let detail = error.lines().next().unwrap_or_default();
    Some(Blocker {
        operator: 0,
        reason: Stays::Unsent {
            detail: detail.to_owned(),
        },
    })
}

/// Leaves the position of what it found in `operator`.
fn find_blocker(plan: &Arc<dyn ExecutionPlan>, operator: &mut usize) -> Option<Stays> {
    if plan.is::<DataSinkExec>() {
        return Some(Stays::Writes);
    }
    let children = plan.children();
    if children.is_empty() {
        return leaf_blocker(plan.as_ref());
    }
    for child in children {
        *operator += 1;
        if let Some(reason) = find_blocker(child, operator) {
            return Some(reason);
        }
    }
    None
}

fn leaf_blocker(plan: &dyn ExecutionPlan) -> Option<Stays> {
    if plan.is::<EmptyExec>() || plan.is::<PlaceholderRowExec>() {
        return None;
    }
    let Some(scan) = plan.downcast_ref::<DataSourceExec>() else {
        return Some(Stays::OtherSource);
    };
    let Some(files) = scan.data_source().downcast_ref::<FileScanConfig>() else {
        return Some(Stays::InMemory);
    };
    if !files.file_source().is::<ParquetSource>() {
        return Some(Stays::OtherFormat);
    }
    match files.object_store_url.as_str().starts_with("file:") {
        true => None,
        false => Some(Stays::ObjectStore),
    }
}

fn reads_files(plan: &Arc<dyn ExecutionPlan>) -> bool {
    is_parquet_scan(plan.as_ref()) || plan.children().into_iter().any(reads_files)
}

fn is_parquet_scan(plan: &dyn ExecutionPlan) -> bool {
    let scan = plan.downcast_ref::<DataSourceExec>();
    let files = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
    files.is_some_and(|files| files.file_source().is::<ParquetSource>())
}
