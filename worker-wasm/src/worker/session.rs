//! What a task sees on a worker: the settings of its query, the process's memory and files, code by hash, other workers.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use datafusion::{
    common::{DataFusionError, Result, config::ConfigOptions, exec_datafusion_err},
    execution::SessionState,
    physical_plan::ExecutionPlan,
};
use datafusion_distributed::{
    DistributedExt, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse, WorkerQueryContext,
    WorkerSessionBuilder,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;

use super::{ended::TasksHeld, modules::ModuleStore, peers::Peers, stop::Tasks};
use crate::{
    exec::{FragmentCodec, FragmentExec, link_filters},
    functions,
};

/// Carries the settings of a query that differ from the defaults, as base64 of [`Options`].
const OPTIONS: HeaderName = HeaderName::from_static("murre-options");

/// Settings that are the process's own, or that only planning reads.
const NOT_SENT: [&str; 4] = [
    "datafusion.catalog.",
    "datafusion.explain.",
    "datafusion.format.",
    "datafusion.runtime.",
];

/// Its default depends on the machine, so it is always sent.
const ALWAYS_SENT: &str = "datafusion.execution.target_partitions";

/// Makes of a decoded plan what this process would have planned: readers, for example, do not travel.
pub type PlanRewrite = fn(Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>>;

#[derive(Clone, PartialEq, Message)]
struct Options {
    #[prost(message, repeated, tag = "1")]
    options: Vec<NamedOption>,
}

#[derive(Clone, PartialEq, Message)]
struct NamedOption {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// The settings of a query as its tasks are to get them. No credentials are among them.
pub fn options_header(options: &ConfigOptions) -> HeaderMap {
    let defaults = ConfigOptions::default().entries();
    let options = options.entries().into_iter().filter_map(|entry| {
        let sent = entry.key.starts_with("datafusion.")
            && !NOT_SENT.iter().any(|prefix| entry.key.starts_with(prefix));
        let default = defaults.iter().find(|of| of.key == entry.key)?;
        let differs = default.value != entry.value || entry.key == ALWAYS_SENT;
        let value = entry.value.filter(|_| sent && differs)?;
        let name = entry.key;
        Some(NamedOption { name, value })
    });
    let options = Options {
        options: options.collect(),
    };
    let text = BASE64_STANDARD_NO_PAD.encode(options.encode_to_vec());
    let value = HeaderValue::try_from(text).expect("base64 is plain text");
    HeaderMap::from_iter([(OPTIONS, value)])
}

fn apply(options: &mut ConfigOptions, headers: &HeaderMap) -> Result<()> {
    let Some(value) = headers.get(OPTIONS) else {
        return Ok(());
    };
    let malformed = |detail: String| exec_datafusion_err!("a query's settings: {detail}");
    let sent = BASE64_STANDARD_NO_PAD.decode(value.as_bytes());
    let sent = sent.map_err(|e| malformed(e.to_string()))?;
    let sent = Options::decode(sent.as_slice()).map_err(|e| malformed(e.to_string()))?;
    for NamedOption { name, value } in sent.options {
        options.set(&name, &value)?;
    }
    Ok(())
}

/// Makes sessions of tasks.
pub(super) struct TaskSessions {
    pub(super) modules: Arc<ModuleStore>,
    pub(super) peers: Arc<Peers>,
    pub(super) tasks: Arc<Tasks>,
    pub(super) held: TasksHeld,
    pub(super) rewrite: PlanRewrite,
}

impl fmt::Debug for TaskSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSessions").finish_non_exhaustive()
    }
}

#[async_trait]
impl WorkerSessionBuilder for TaskSessions {
    async fn build_session_state(
        &self,
        task: WorkerQueryContext,
    ) -> Result<SessionState, DataFusionError> {
        let mut builder = task.builder;
        let config = builder.config().get_or_insert_default();
        apply(config.options_mut(), &task.headers)?;
        let signal = self.tasks.signal(&task.headers);
        self.held.count(config, signal.cancelled.clone());
        config.set_extension(Arc::new(signal));
        let modules = Arc::clone(&self.modules) as _;
        config.set_distributed_user_codec(FragmentCodec::new(modules));
        config.set_distributed_channel_resolver(Arc::clone(&self.peers).resolver());
        let rewrite = self.rewrite;
        let rewrite = move |event: WorkerPlanRewriteEvent<'_>| {
            let plan = link_filters(rewrite(event.plan)?)?;
            log_modules(&plan);
            Ok(WorkerPlanRewriteEventResponse::new(plan))
        };
        config.set_distributed_worker_plan_rewrite_handler(rewrite);
        let mut state = builder.build();
        functions::mend(&mut state)?;
        Ok(state)
    }
}

/// Names what a task is about to run.
fn log_modules(plan: &Arc<dyn ExecutionPlan>) {
    if let Some(fragment) = plan.downcast_ref::<FragmentExec>() {
        for modules in fragment.modules() {
            tracing::debug!(module = %modules.module().name(), "a task has a module");
        }
    }
    plan.children().into_iter().for_each(log_modules);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_travel_where_they_differ() {
        let mut asked = ConfigOptions::default();
        asked
            .set("datafusion.execution.time_zone", "Asia/Tokyo")
            .unwrap();
        asked.set("datafusion.execution.batch_size", "77").unwrap();
        asked
            .set("datafusion.catalog.default_schema", "elsewhere")
            .unwrap();
        let headers = options_header(&asked);
        let mut there = ConfigOptions::default();
        apply(&mut there, &headers).unwrap();
        assert_eq!(there.execution.time_zone, asked.execution.time_zone);
        assert_eq!(there.execution.batch_size, 77);
        assert_eq!(there.catalog.default_schema, "public");
        let mut damaged = headers;
        damaged.insert(OPTIONS, HeaderValue::from_static("%%%"));
        assert!(apply(&mut there, &damaged).is_err());
    }
}
