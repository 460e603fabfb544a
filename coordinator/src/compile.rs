//! Stage -> fragment modules. The seam where compiled fragments enter.
//!
//! Every operator either compiles or is recorded here with the reason why it stays native.
//! `SET murre.compile` decides: `always` compiles what can be, `never` nothing, `auto` what pays ([`Choice`]).

use std::sync::Arc;

use datafusion::{
    common::DataFusionError,
    physical_plan::{ExecutionPlan, aggregates::AggregateExec},
};
use worker_wasm::{
    exec::{Encoded, FragmentExec, ModuleCache, ModuleError, Modules},
    fragment::{Mode, Sink},
    lower::{self, Assemble, Lowered, Operator, Piece, Reason},
};

use crate::{
    CompileMode, MurreSettings, QueryContext,
    cut::{Stage, StageId, Staged},
};

/// Why a stage could not be turned into fragment modules. A bug of ours: what cannot be compiled yet stays native.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("stage {stage} cannot be lowered to fragments")]
    Lower {
        stage: StageId,
        #[source]
        source: DataFusionError,
    },
    #[error("a fragment of stage {stage} has no module")]
    Module {
        stage: StageId,
        #[source]
        source: Box<ModuleError>,
    },
}

/// A stage with its fragments in it.
#[derive(Debug)]
pub(crate) struct CompiledStage {
    pub(crate) stage: Stage,
    /// Of the plan as DataFusion made it, in the order `EXPLAIN` prints them.
    pub(crate) operators: Vec<Operator>,
    /// By the number that [`lower::Runs::Wasm`] says.
    pub(crate) fragments: Vec<Arc<Modules>>,
}

#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) stages: Vec<CompiledStage>,
}

pub(crate) fn compile(ctx: &QueryContext, staged: Staged) -> Result<Compiled, CompileError> {
    let settings = MurreSettings::of(ctx.state.config_options());
    let stages = staged.stages.into_iter();
    let stages = stages.map(|stage| compile_stage(ctx, &settings, stage));
    Ok(Compiled {
        stages: stages.collect::<Result<_, _>>()?,
    })
}

fn compile_stage(
    ctx: &QueryContext,
    settings: &MurreSettings,
    stage: Stage,
) -> Result<CompiledStage, CompileError> {
    let id = stage.id;
    let mut choice = Choice {
        mode: settings.compile,
        modules: ctx.engine.modules(),
        fragments: Vec::new(),
    };
    let lowered = lower::lower(&stage.plan, settings.host_eval, &mut choice);
    let Lowered { plan, operators } = lowered.map_err(|error| sort(id, error))?;
    // Without a fragment the plan stays the very one that DataFusion made.
    let plan = match choice.fragments.is_empty() {
        true => stage.plan,
        false => plan,
    };
    Ok(CompiledStage {
        stage: Stage { id, plan },
        operators,
        fragments: choice.fragments,
    })
}

fn sort(stage: StageId, source: DataFusionError) -> CompileError {
    match source {
        DataFusionError::External(error) => match error.downcast::<ModuleError>() {
            Ok(source) => CompileError::Module { stage, source },
            Err(error) => CompileError::Lower {
                stage,
                source: DataFusionError::External(error),
            },
        },
        source => CompileError::Lower { stage, source },
    }
}

/// Which pieces of a plan become fragments.
struct Choice<'a> {
    mode: CompileMode,
    /// `None` where this machine cannot run modules.
    modules: Option<&'a Arc<ModuleCache>>,
    fragments: Vec<Arc<Modules>>,
}

impl Assemble for Choice<'_> {
    fn node(
        &mut self,
        piece: Piece,
    ) -> Result<Result<Arc<dyn ExecutionPlan>, Reason>, DataFusionError> {
        let modules = self.modules(&piece);
        let modules = modules.map_err(|error| DataFusionError::External(error.into()))?;
        let modules = match modules {
            Ok(modules) => modules,
            Err(reason) => return Ok(Err(Reason::Choice(reason.to_owned()))),
        };
        self.fragments.push(Arc::clone(&modules));
        Ok(Ok(Arc::new(FragmentExec::new(piece, modules)?)))
    }
}

impl Choice<'_> {
    /// The code of a piece, or why it stays native.
    fn modules(&self, piece: &Piece) -> Result<Result<Arc<Modules>, &'static str>, ModuleError> {
        if self.mode == CompileMode::Never {
            return Ok(Err("murre.compile is never"));
        }
        let Some(cache) = self.modules else {
            return Ok(Err("this machine cannot run compiled fragments"));
        };
        if self.mode == CompileMode::Auto && !gains(piece) {
            return Ok(Err("DataFusion's own operator is as fast"));
        }
        if let Some(modules) = cache.get(&piece.bound.fragment) {
            return Ok(Ok(modules));
        }
        let encoded = Encoded::new(&piece.bound.fragment)?;
        if self.mode == CompileMode::Auto && !pays(rows(piece), encoded.module.bytes().len()) {
            compile_later(cache, encoded);
            return Ok(Err(
                "its estimated work is below the cost of compiling, which goes on for the next run",
            ));
        }
        cache.load(encoded).map(Ok)
    }
}

/// Whether a piece is one that fragments run faster than DataFusion. Aggregations are; of rows that only pass through,
/// copying them in and out costs what compiled expressions save.
fn gains(piece: &Piece) -> bool {
    if stops_early(piece, &piece.native) {
        return false;
    }
    let mut sinks = piece.bound.fragment.pipelines.iter().map(|of| &of.sink);
    sinks.any(|sink| matches!(sink, Sink::Aggregate(aggregate) if aggregate.mode != Mode::Final))
}

/// Whether DataFusion's operator spares rows that a fragment reads: it ends with a number of groups, or tells its scan
/// which values still matter.
fn stops_early(piece: &Piece, native: &Arc<dyn ExecutionPlan>) -> bool {
    if piece
        .sources
        .iter()
        .any(|source| Arc::ptr_eq(source, native))
    {
        return false;
    }
    let own = native.downcast_ref::<AggregateExec>();
    let own = own.is_some_and(|aggregate| {
        aggregate.limit_options().is_some() || aggregate.dynamic_filter_expr().is_some()
    });
    let mut children = native.children().into_iter();
    own || children.any(|child| stops_early(piece, child))
}

/// What a row gains at least in the pieces that gain. Nanoseconds.
const SAVED_PER_ROW: usize = 20;

/// What compiling costs a byte of a module. Nanoseconds.
const COST_PER_BYTE: usize = 1_000;

fn pays(rows: usize, module_bytes: usize) -> bool {
    rows.saturating_mul(SAVED_PER_ROW) >= module_bytes.saturating_mul(COST_PER_BYTE)
}

/// Rows that a piece is estimated to read; unknown counts as none.
fn rows(piece: &Piece) -> usize {
    let sources = piece.sources.iter();
    let rows = sources.filter_map(|source| {
        let statistics = source.partition_statistics(None).ok()?;
        statistics.num_rows.get_value().copied()
    });
    rows.sum()
}

fn compile_later(cache: &Arc<ModuleCache>, encoded: Encoded) {
    let cache = Arc::clone(cache);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = cache.load(encoded) {
            let error = crate::error_chain(&error);
            tracing::warn!(%error, "a fragment was not compiled");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiling_pays_for_many_rows_only() {
        assert!(!pays(0, 1));
        assert!(!pays(100, 5_000));
        assert!(pays(600_000, 10_000));
        assert!(pays(usize::MAX, usize::MAX));
    }
}
