//! Stages -> fragment modules. The seam where compiled fragments enter.
//!
//! Every operator either compiles or is recorded here with the reason why it stays native.
//! `SET murre.compile` decides: `always` compiles what can be, `never` nothing, `auto` what pays ([`gain`]).

use std::sync::Arc;

use datafusion::{common::DataFusionError, physical_plan::ExecutionPlan};
use worker_wasm::{
    exec::{Encoded, FragmentExec, ModuleCache, ModuleError, Modules},
    lower::{self, Assemble, Lowered, Operator, Piece, Reason, Runs, gain},
};

use crate::{
    CompileMode, MurreSettings, QueryContext,
    cut::{self, Reach, StageId, Staged},
    renew,
};

/// Why a plan could not be turned into fragment modules. A bug of ours: what cannot be compiled yet stays native.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("a plan cannot be lowered to fragments")]
    Lower {
        #[source]
        source: DataFusionError,
    },
    #[error("a fragment has no module")]
    Module {
        #[source]
        source: Box<ModuleError>,
    },
}

/// A plan with its fragments in it.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// All stages, the one that gives the query's rows at the top.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// Of the plan as DataFusion made it, in the order `EXPLAIN` prints them.
    pub(crate) operators: Vec<StagedOperator>,
    /// By the number that [`Runs::Wasm`] says.
    pub(crate) fragments: Vec<Arc<Modules>>,
    pub(crate) reach: Reach,
    /// Whether planning it again would choose the same fragments: none of them is being compiled for the next time.
    pub(crate) is_settled: bool,
}

/// An operator and the stage it is in.
#[derive(Debug, Clone)]
pub(crate) struct StagedOperator {
    pub(crate) stage: StageId,
    pub(crate) operator: Operator,
}

pub(crate) fn compile(ctx: &QueryContext, staged: Staged) -> Result<Compiled, CompileError> {
    let settings = MurreSettings::of(ctx.state.config_options());
    let Staged { plan: cut, reach } = staged;
    let mut choice = Choice {
        mode: settings.compile,
        wanted: gain::Wanted::of(&cut),
        modules: ctx.engine.modules(),
        fragments: Vec::new(),
        is_settled: true,
    };
    // Fragments end at the boundaries of stages: of exchanges they have those alone that stay in a task.
    let lowered = lower::lower(&cut, settings.host_eval, &mut choice).map_err(sort)?;
    let Lowered { plan, operators } = lowered;
    let stages = cut::stages(&cut).into_iter();
    let operators = stages.zip(operators);
    let operators = operators.map(|(stage, operator)| StagedOperator { stage, operator });
    let operators = operators.collect();
    // Without a fragment the plan stays the very one that DataFusion made.
    let plan = match choice.fragments.is_empty() {
        true => cut,
        false => plan,
    };
    Ok(Compiled {
        plan,
        operators,
        fragments: choice.fragments,
        reach,
        is_settled: choice.is_settled,
    })
}

impl Compiled {
    /// The same for another run of a plan that stays here, if it can be had without planning again.
    pub(crate) fn renewed(&self) -> Result<Option<Self>, DataFusionError> {
        let Reach::Here(blocker) = &self.reach else {
            return Ok(None);
        };
        if !self.is_settled {
            return Ok(None);
        }
        let plan = renew::renewed(&self.plan)?;
        Ok(plan.map(|plan| Self {
            plan,
            operators: self.operators.clone(),
            fragments: self.fragments.clone(),
            reach: Reach::Here(blocker.clone()),
            is_settled: true,
        }))
    }

    /// The stage that a fragment is part of.
    pub(crate) fn stage_of(&self, fragment: usize) -> StageId {
        // A table may be built by a fragment without operators; the one that probes it comes later and has some.
        let found = (fragment..self.fragments.len()).find_map(|fragment| {
            let mut operators = self.operators.iter();
            operators.find(|of| of.operator.runs == Runs::Wasm(fragment))
        });
        found.map_or(StageId(0), |of| of.stage)
    }

    /// The modules of all stages but the first, each once.
    pub(crate) fn modules_of_tasks(&self) -> Vec<Arc<Modules>> {
        let mut of_tasks: Vec<Arc<Modules>> = Vec::new();
        for (fragment, modules) in self.fragments.iter().enumerate() {
            let hash = modules.module().hash();
            let known = of_tasks.iter().any(|known| known.module().hash() == hash);
            if self.stage_of(fragment) != StageId(0) && !known {
                of_tasks.push(Arc::clone(modules));
            }
        }
        of_tasks
    }
}

fn sort(source: DataFusionError) -> CompileError {
    match source {
        DataFusionError::External(error) => match error.downcast::<ModuleError>() {
            Ok(source) => CompileError::Module { source },
            Err(error) => CompileError::Lower {
                source: DataFusionError::External(error),
            },
        },
        source => CompileError::Lower { source },
    }
}

/// Which pieces of a plan become fragments.
struct Choice<'a> {
    mode: CompileMode,
    wanted: gain::Wanted,
    /// `None` where this machine cannot run modules.
    modules: Option<&'a Arc<ModuleCache>>,
    fragments: Vec<Arc<Modules>>,
    /// See [`Compiled::is_settled`].
    is_settled: bool,
}

impl Assemble for Choice<'_> {
    fn wants(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<(), Reason> {
        match self.mode {
            CompileMode::Auto => self.wanted.wants(plan),
            CompileMode::Always | CompileMode::Never => Ok(()),
        }
    }

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
        self.fragments.extend(modules.iter().cloned());
        Ok(Ok(Arc::new(FragmentExec::new(piece, modules)?)))
    }
}

impl Choice<'_> {
    /// The code of a piece, part by part, or why it stays native.
    fn modules(
        &mut self,
        piece: &Piece,
    ) -> Result<Result<Vec<Arc<Modules>>, &'static str>, ModuleError> {
        if self.mode == CompileMode::Never {
            return Ok(Err("murre.compile is never"));
        }
        let Some(cache) = self.modules else {
            return Ok(Err("this machine cannot run compiled fragments"));
        };
        if self.mode == CompileMode::Auto && !gain::gains(piece) {
            return Ok(Err("DataFusion's own operator is as fast"));
        }
        let mut parts = Vec::new();
        for part in piece.parts() {
            let fragment = &part.bound.fragment;
            parts.push(match cache.get(fragment) {
                Some(modules) => Code::Loaded(modules),
                None => Code::Encoded(Encoded::new(fragment)?),
            });
        }
        let new_bytes = parts.iter().map(Code::new_bytes).sum();
        if self.mode == CompileMode::Auto && !gain::pays(gain::rows(piece), new_bytes) {
            self.is_settled = false;
            for part in parts {
                if let Code::Encoded(encoded) = part {
                    compile_later(cache, encoded);
                }
            }
            return Ok(Err(
                "its estimated work is below the cost of compiling, which goes on for the next run",
            ));
        }
        let parts = parts.into_iter().map(|part| match part {
            Code::Loaded(modules) => Ok(modules),
            Code::Encoded(encoded) => cache.load(encoded),
        });
        Ok(Ok(parts.collect::<Result<_, _>>()?))
    }
}

/// The code of a part, as far as there is some.
enum Code {
    Loaded(Arc<Modules>),
    Encoded(Encoded),
}

impl Code {
    /// Bytes that are to be compiled.
    fn new_bytes(&self) -> usize {
        match self {
            Self::Loaded(_) => 0,
            Self::Encoded(encoded) => encoded.module.bytes().len(),
        }
    }
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
