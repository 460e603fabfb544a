//! The worker in this process: tasks that run on the query's own threads, memory and settings.
//!
//! Plans come to it in the form in which other workers get them; batches, modules and functions are shared. It lives as
//! long as the run of one query, so nothing of the query is left when that ends.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use catalog::nan_safe;
use datafusion::{
    common::{DataFusionError, Result, internal_err},
    execution::{SessionState, TaskContext, runtime_env::RuntimeEnv},
    physical_plan::metrics::ExecutionPlanMetricsSet,
    prelude::SessionConfig,
};
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, DistributedExt, ExecuteTaskRequest,
    GetWorkerInfoRequest, GetWorkerInfoResponse, Worker, WorkerChannel, WorkerPlanRewriteEvent,
    WorkerPlanRewriteEventResponse, WorkerQueryContext, WorkerSessionBuilder,
    WorkerToCoordinatorMsg,
};
use futures::{StreamExt, stream::BoxStream};
use http::HeaderMap;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use url::Url;
use worker_wasm::{
    exec::{FragmentCodec, StopSignal, link_filters},
    worker::{TasksHeld, let_go},
};

use super::QueryModules;
use crate::QueryContext;

/// Its name among workers. Nothing is dialled.
pub(super) fn url() -> Url {
    Url::parse("murre://embedded").expect("the address is valid")
}

/// `config` for the first stage of a query whose other stages run here too. It says when to stop.
pub(super) fn session(
    ctx: &QueryContext,
    config: SessionConfig,
    modules: Arc<QueryModules>,
) -> SessionConfig {
    let codec = Arc::new(FragmentCodec::new(modules));
    let (held, ended) = (TasksHeld::default(), CancellationToken::new());
    let tasks = TaskSessions {
        state: SessionState::clone(&ctx.state),
        config: config.clone(),
        codec: Arc::clone(&codec),
        held: held.clone(),
        ended: ended.clone(),
    };
    let environment: RuntimeEnv = ctx.engine.environment(&ctx.pool);
    let worker = Worker::from_session_builder(tasks).with_runtime_env(Arc::new(environment));
    config
        .with_distributed_user_codec_arc(codec)
        .with_distributed_local_worker_context(worker.to_local_worker_context(url()))
        .with_distributed_channel_resolver(Embedded(Arc::new(Run {
            worker,
            held,
            ended,
        })))
}

/// What the tasks of a query see: what its first stage sees.
struct TaskSessions {
    /// For its functions.
    state: SessionState,
    /// For its settings, and when to stop.
    config: SessionConfig,
    codec: Arc<FragmentCodec>,
    held: TasksHeld,
    /// All tasks end with the run.
    ended: CancellationToken,
}

#[async_trait]
impl WorkerSessionBuilder for TaskSessions {
    async fn build_session_state(&self, task: WorkerQueryContext) -> Result<SessionState> {
        let mut builder = task.builder;
        // The extensions there say which task it is.
        let config = builder.config().get_or_insert_default();
        *config.options_mut() = self.config.options().as_ref().clone();
        self.held.count(config, self.ended.clone());
        if let Some(stop) = self.config.get_extension::<StopSignal>() {
            config.set_extension(stop);
        }
        config.set_distributed_user_codec_arc(Arc::clone(&self.codec) as _);
        config.set_distributed_channel_resolver(Nobody);
        config.set_distributed_worker_plan_rewrite_handler(complete);
        let state = &self.state;
        Ok(builder
            .with_scalar_functions(state.scalar_functions().values().cloned().collect())
            .with_aggregate_functions(state.aggregate_functions().values().cloned().collect())
            .with_window_functions(state.window_functions().values().cloned().collect())
            .build())
    }
}

/// A plan comes without the readers that leave out wrong bounds, and its filters without what ties them together.
fn complete(plan: WorkerPlanRewriteEvent<'_>) -> Result<WorkerPlanRewriteEventResponse> {
    let plan = link_filters(nan_safe(plan.plan)?)?;
    Ok(WorkerPlanRewriteEventResponse::new(plan))
}

/// For tasks: all that they read from are in the same worker.
struct Nobody;

#[async_trait]
impl ChannelResolver for Nobody {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        internal_err!("the embedded worker does not know {url}")
    }
}

#[derive(Clone)]
struct Embedded(Arc<Run>);

/// The worker, as long as the run of its query.
struct Run {
    worker: Worker,
    held: TasksHeld,
    ended: CancellationToken,
}

impl Drop for Run {
    /// The worker's tasks have not ended, or it has not let go of them: without this it would never be freed.
    fn drop(&mut self) {
        self.ended.cancel();
        let (worker, held) = (self.worker.clone(), self.held.clone());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { let_go(&worker, &held).await });
        }
    }
}

#[async_trait]
impl ChannelResolver for Embedded {
    async fn get_worker_client_for_url(
        &self,
        _: &Url,
    ) -> std::result::Result<Box<dyn WorkerChannel>, DataFusionError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl WorkerChannel for Embedded {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let messages = messages.map(Ok).boxed();
        self.0.worker.coordinator_channel(headers, messages).await
    }

    async fn execute_task(
        &mut self,
        _: HeaderMap,
        request: ExecuteTaskRequest,
        _: ExecutionPlanMetricsSet,
        _: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let (rows, _) = self.0.worker.execute_task(request).await?;
        Ok(rows.into_iter().map(StreamExt::boxed).collect())
    }

    async fn get_worker_info(&mut self, _: GetWorkerInfoRequest) -> Result<GetWorkerInfoResponse> {
        Ok(GetWorkerInfoResponse {
            version: self.0.worker.version().to_owned(),
        })
    }
}
