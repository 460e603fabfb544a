//! Stage -> fragment modules. The seam where compiled fragments enter.
//!
//! Every operator either compiles or is recorded here with the reason why it stays native.
//! This build has no fragment compiler: what could be compiled runs on DataFusion's own operators.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

use crate::{
    QueryContext,
    cut::{Stage, StageId, Staged},
};

/// Why a stage could not be turned into a fragment module.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The user's query is fine; we cannot compile this operator yet. The planner falls back.
    #[error("operator \"{operator}\" is not supported in stage {stage}")]
    Unsupported { stage: StageId, operator: String },
}

/// How an operator runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// DataFusion's own operator.
    Native,
    /// Reads data; not compiled by design.
    Scan,
    /// Moves rows between partitions or workers; not compiled by design.
    Exchange,
}

impl Runs {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Scan => "scan",
            Self::Exchange => "exchange",
        }
    }
}

/// One operator of a stage, in the order `EXPLAIN` prints them.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) name: String,
    pub(crate) runs: Runs,
    /// Set for native operators.
    pub(crate) reason: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct CompiledStage {
    pub(crate) stage: Stage,
    pub(crate) operators: Vec<Operator>,
}

#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) stages: Vec<CompiledStage>,
}

pub(crate) fn compile(_ctx: &QueryContext, staged: Staged) -> Result<Compiled, CompileError> {
    let stages = staged.stages.into_iter().map(|stage| {
        let mut operators = Vec::new();
        record(&stage.plan, &mut operators);
        CompiledStage { stage, operators }
    });
    Ok(Compiled {
        stages: stages.collect(),
    })
}

fn record(plan: &Arc<dyn ExecutionPlan>, operators: &mut Vec<Operator>) {
    let runs = match plan.name() {
        "RepartitionExec" | "CoalescePartitionsExec" | "SortPreservingMergeExec" => Runs::Exchange,
        _ if plan.children().is_empty() => Runs::Scan,
        _ => Runs::Native,
    };
    let reason = (runs == Runs::Native).then_some("this build has no fragment compiler");
    operators.push(Operator {
        name: plan.name().to_owned(),
        runs,
        reason,
    });
    for child in plan.children() {
        record(child, operators);
    }
}
