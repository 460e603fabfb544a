//! A statement that is understood once, and run as often as its client likes, with values for its parameters.
//!
//! Its plan is kept with the versions it was made for: the catalog, the temporary tables and the settings of a session.
//! Where one of them has changed it is made again, so it never answers from tables that are no longer there.

use std::sync::{Arc, OnceLock, Weak};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, SchemaRef},
};
use catalog::Snapshot;
use datafusion::execution::context::SessionState;
use parking_lot::Mutex;

use crate::{
    Prepared, QueryContext, QueryError, Session, ahead,
    bind::{self, Bound, SubstraitPlan},
    command::Command,
    inspect,
    pace::Pace,
    parameters,
    place::Placed,
    query,
    template::Template,
    temporary::Tables,
};

/// A statement for which values may be bound.
#[derive(Debug)]
pub struct Statement {
    sql: String,
    substrait: Option<Arc<SubstraitPlan>>,
    description: Description,
    kept: Mutex<Option<Kept>>,
    pace: Arc<Pace>,
}

/// What a client learns about a statement before it runs.
#[derive(Debug, Clone)]
pub struct Description {
    /// Types of the parameters in numeric order; `None` where any type will do.
    pub parameters: Vec<Option<DataType>>,
    /// Columns of its rows. Where parameters stand among them, running it may give other types.
    pub schema: SchemaRef,
    /// Whether it is asked for its rows. Statements that change something are not.
    pub is_query: bool,
}

#[derive(Debug)]
struct Kept {
    versions: Versions,
    understood: Arc<Understood>,
    /// A plan without parameters that nobody has run yet.
    placed: Option<Placed>,
}

#[derive(Debug)]
struct Understood {
    bound: Bound,
    parameters: Vec<Option<DataType>>,
    /// Made by the first run with values.
    template: OnceLock<Option<Arc<Template>>>,
}

impl Understood {
    fn new(bound: Bound, parameters: Vec<Option<DataType>>) -> Self {
        Self {
            bound,
            parameters,
            template: OnceLock::new(),
        }
    }

    /// Whether it can be kept at all.
    fn keeps(&self) -> bool {
        let plan = self.bound.plan();
        plan.is_some_and(|plan| !inspect::reads_paths(plan))
    }

    fn template(&self, ctx: &QueryContext) -> Option<&Arc<Template>> {
        let Bound::Query(plan) = &self.bound else {
            return None;
        };
        let made = || Template::new(ctx, plan, &self.parameters).map(Arc::new);
        self.template.get_or_init(made).as_ref()
    }
}

/// What a plan was made from.
#[derive(Debug)]
pub(crate) struct Versions {
    pub(crate) session: Weak<Session>,
    pub(crate) settings: u64,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) temporary: Tables,
}

impl Versions {
    pub(crate) fn of(ctx: &QueryContext) -> Self {
        Self {
            session: Arc::downgrade(&ctx.session),
            settings: ctx.settings_version,
            snapshot: Arc::clone(&ctx.snapshot),
            temporary: Arc::clone(&ctx.temporary),
        }
    }

    fn are_those_of(&self, ctx: &QueryContext) -> bool {
        self.are(&Self::of(ctx))
    }

    fn are(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.session, &other.session)
            && self.settings == other.settings
            && Arc::ptr_eq(&self.snapshot, &other.snapshot)
            && Arc::ptr_eq(&self.temporary, &other.temporary)
    }
}

impl Statement {
    /// Understands the statement of `ctx`, and plans it where it has no parameters.
    pub(crate) async fn understand(ctx: Arc<QueryContext>) -> Result<Self, QueryError> {
        let versions = Versions::of(&ctx);
        let (bound, parameters) = bind::bind(&ctx).await?;
        let mut placed = None;
        let (schema, is_query) = match &bound {
            Bound::Command(command) => (command.schema(), command.is_query()),
            Bound::Query(logical) if parameters.is_empty() => {
                let planned = query::to_tasks(&ctx, logical).await?;
                let schema = planned.schema();
                placed = Some(planned).filter(|_| !inspect::depends_on_time(logical));
                (schema, true)
            }
            Bound::Query(logical) => (bind::schema_of_rows(&ctx, logical), true),
        };
        let understood = Arc::new(Understood::new(bound, parameters.clone()));
        let kept = understood.keeps().then_some(Kept {
            versions,
            understood,
            placed,
        });
        Ok(Self {
            sql: ctx.sql.clone(),
            substrait: ctx.substrait.clone(),
            description: Description {
                parameters,
                schema,
                is_query,
            },
            kept: Mutex::new(kept),
            pace: Arc::new(Pace::unknown()),
        })
    }

    /// A command that needs neither names nor a plan.
    pub(crate) fn of_command(sql: &str, command: &Command) -> Self {
        Self {
            sql: sql.to_owned(),
            substrait: None,
            description: Description {
                parameters: Vec::new(),
                schema: command.schema(),
                is_query: command.is_query(),
            },
            kept: Mutex::new(None),
            pace: Arc::new(Pace::unknown()),
        }
    }

    pub fn sql(&self) -> &str {
        &self.sql
    }

    pub(crate) fn substrait(&self) -> Option<&Arc<SubstraitPlan>> {
        self.substrait.as_ref()
    }

    pub fn description(&self) -> &Description {
        &self.description
    }

    pub(crate) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// The statement with values for its parameters, ready to run.
    pub(crate) async fn prepare(
        &self,
        ctx: Arc<QueryContext>,
        values: Option<&RecordBatch>,
    ) -> Result<Prepared, QueryError> {
        let (understood, placed) = self.understood(&ctx).await?;
        let Some(values) = parameters::accept(values, &understood.parameters)? else {
            let bound = understood.bound.clone();
            return match placed {
                Some(placed) => Ok(query::prepared(ctx, bound, Some(placed))),
                None => query::plan_bound(ctx, bound).await,
            };
        };
        let template = understood.template(&ctx);
        match template.filter(|template| template.takes(&values)) {
            Some(template) => {
                let template = Arc::clone(template);
                query::plan_with_values(ctx, template, values).await
            }
            None => {
                let bound = bind::with_values(&ctx, &understood.bound, &values)?;
                query::plan_bound(ctx, bound).await
            }
        }
    }

    /// The same for a statement whose last run was quick: planning and running have begun when this returns. `None`
    /// where it has to be understood or optimised first.
    pub(crate) fn begin_ahead(
        &self,
        ctx: &Arc<QueryContext>,
        values: Option<&RecordBatch>,
    ) -> Option<Prepared> {
        let values = values.filter(|_| self.pace.is_quick())?;
        let understood = {
            let kept = self.kept.lock();
            let kept = kept.as_ref();
            Arc::clone(
                &kept
                    .filter(|kept| kept.versions.are_those_of(ctx))?
                    .understood,
            )
        };
        let values = parameters::accept(Some(values), &understood.parameters).ok()??;
        let template = understood.template.get()?.as_ref()?;
        match template.takes(&values) {
            true => ahead::begin(ctx, template, values).ok(),
            false => None,
        }
    }

    /// The state that a run may share with an earlier one of the same versions.
    pub(crate) fn state(&self, versions: &Versions) -> Option<Arc<SessionState>> {
        let kept = self.kept.lock();
        let kept = kept.as_ref().filter(|kept| kept.versions.are(versions))?;
        kept.understood.template.get()?.as_ref()?.state().cloned()
    }

    async fn understood(
        &self,
        ctx: &Arc<QueryContext>,
    ) -> Result<(Arc<Understood>, Option<Placed>), QueryError> {
        if let Some(kept) = self.kept.lock().as_mut()
            && kept.versions.are_those_of(ctx)
        {
            return Ok((Arc::clone(&kept.understood), kept.placed.take()));
        }
        let versions = Versions::of(ctx);
        let (bound, parameters) = bind::bind(ctx).await?;
        let understood = Arc::new(Understood::new(bound, parameters));
        *self.kept.lock() = understood.keeps().then(|| Kept {
            versions,
            understood: Arc::clone(&understood),
            placed: None,
        });
        Ok((understood, None))
    }
}
