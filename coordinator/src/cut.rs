//! `ExecutionPlan` -> stages. One stage, the whole plan, until there are workers in other processes.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

use crate::{QueryContext, QueryError};

/// Numbers the stages of one query; 0 gives the rows of the query itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId(pub u32);

impl std::fmt::Display for StageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A part of the plan that runs without exchanging rows with other workers.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) id: StageId,
    pub(crate) plan: Arc<dyn ExecutionPlan>,
}

/// A plan in stages, the one that gives the query's rows first.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) stages: Vec<Stage>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "network boundaries can be refused; the signature is the seam for them"
)]
pub(crate) fn cut(_ctx: &QueryContext, plan: Arc<dyn ExecutionPlan>) -> Result<Staged, QueryError> {
    Ok(Staged {
        stages: vec![Stage {
            id: StageId(0),
            plan,
        }],
    })
}
