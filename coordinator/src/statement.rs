//! A statement that is understood once, and run as often as its client likes, with values for its parameters.
//!
//! Its plan is kept with the versions it was made for: the catalog, the temporary tables and the settings of a session.
//! Where one of them has changed it is made again, so it never answers from tables that are no longer there.
//! The session it was made in keeps it ([`KeptPlans`](crate::kept::KeptPlans)).

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, Weak},
};

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
    query, recent,
    template::Template,
    temporary::TemporaryTable,
};

/// A statement for which values may be bound.
#[derive(Debug)]
pub struct Statement {
    sql: String,
    substrait: Option<Arc<SubstraitPlan>>,
    description: Description,
    /// The session's.
    kept: Mutex<Weak<Kept>>,
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

/// What is known of a statement in one session, as long as it is true.
#[derive(Debug)]
pub(crate) struct Kept {
    versions: Versions,
    understood: Arc<Understood>,
    /// A plan without parameters that nobody has run yet.
    placed: Mutex<Option<Placed>>,
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

/// What a plan was made from. Weak: to be compared, which keeps no table.
#[derive(Debug)]
pub(crate) struct Versions {
    pub(crate) session: Weak<Session>,
    pub(crate) settings: u64,
    pub(crate) snapshot: Weak<Snapshot>,
    pub(crate) temporary: Weak<BTreeMap<String, Arc<TemporaryTable>>>,
}

impl Versions {
    pub(crate) fn of(ctx: &QueryContext) -> Self {
        Self {
            session: Arc::downgrade(&ctx.session),
            settings: ctx.settings_version,
            snapshot: Arc::downgrade(&ctx.snapshot),
            temporary: Arc::downgrade(&ctx.temporary),
        }
    }

    pub(crate) fn are(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.session, &other.session)
            && self.settings == other.settings
            && Weak::ptr_eq(&self.snapshot, &other.snapshot)
            && Weak::ptr_eq(&self.temporary, &other.temporary)
    }
}

impl Statement {
    /// Understands the statement of `ctx`, and plans it where it has no parameters.
    pub(crate) async fn understand(ctx: Arc<QueryContext>) -> Result<Self, QueryError> {
        let (bound, parameters) = match recent::bound(&ctx) {
            Some(bound) => (bound, Vec::new()),
            None => bind::bind(&ctx).await?,
        };
        let mut placed = None;
        let (schema, is_query) = match &bound {
            Bound::Command(command) => (command.schema(), command.is_query()),
            Bound::Query(logical) if parameters.is_empty() => {
                let planned = query::text_to_tasks(&ctx, logical).await?;
                let schema = planned.schema();
                placed = Some(planned).filter(|_| !inspect::depends_on_time(logical));
                (schema, true)
            }
            Bound::Query(logical) => (bind::schema_of_rows(&ctx, logical), true),
        };
        let understood = Arc::new(Understood::new(bound, parameters.clone()));
        let statement = Self {
            sql: ctx.sql.clone(),
            substrait: ctx.substrait.clone(),
            description: Description {
                parameters,
                schema,
                is_query,
            },
            kept: Mutex::default(),
            pace: Arc::new(Pace::unknown()),
        };
        statement.keep(&ctx, understood, placed);
        Ok(statement)
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
            kept: Mutex::default(),
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
        // Rows are counted before anything is made of them: a few bytes may claim any number.
        if !matches!(&understood.bound, Bound::Command(Command::Insert(_))) {
            parameters::check_rows(values.map_or(0, RecordBatch::num_rows))?;
        }
        let charge = |bytes| ctx.charge_values(bytes);
        let Some(values) = parameters::accept(values, &understood.parameters, charge)? else {
            let bound = understood.bound.clone();
            return match placed {
                Some(placed) => Ok(query::prepared(ctx, bound, Some(placed))),
                None => query::plan_text(ctx, bound).await,
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
        let values = values.filter(|values| self.pace.is_quick() && values.num_rows() == 1)?;
        let kept = self.kept(&Versions::of(ctx))?;
        let understood = &kept.understood;
        let charge = |bytes| ctx.charge_values(bytes);
        let values = parameters::accept(Some(values), &understood.parameters, charge).ok()??;
        let template = understood.template.get()?.as_ref()?;
        match template.takes(&values) {
            true => ahead::begin(ctx, template, values).ok(),
            false => None,
        }
    }

    /// The state that a run may share with an earlier one of the same versions.
    pub(crate) fn state(&self, versions: &Versions) -> Option<Arc<SessionState>> {
        let kept = self.kept(versions)?;
        kept.understood.template.get()?.as_ref()?.state().cloned()
    }

    /// What is kept of it, where that was made from `versions`.
    fn kept(&self, versions: &Versions) -> Option<Arc<Kept>> {
        let kept = self.kept.lock().upgrade()?;
        kept.versions.are(versions).then_some(kept)
    }

    /// Has the session of `ctx` keep what it understood, if that can be kept, in place of what was kept before.
    fn keep(&self, ctx: &QueryContext, understood: Arc<Understood>, placed: Option<Placed>) {
        if !understood.keeps() {
            return self.forget_for(Weak::new());
        }
        let kept = Arc::new(Kept {
            versions: Versions::of(ctx),
            understood,
            placed: Mutex::new(placed),
        });
        let temporary = ctx.session.temporary();
        temporary.plans().add(&kept);
        // Tables that changed before it was added did not take it along.
        if !Arc::ptr_eq(&temporary.all(), &ctx.temporary) {
            temporary.plans().remove(&kept);
        }
        self.forget_for(Arc::downgrade(&kept));
    }

    fn forget_for(&self, next: Weak<Kept>) {
        let kept = std::mem::replace(&mut *self.kept.lock(), next);
        if let Some(kept) = kept.upgrade()
            && let Some(session) = kept.versions.session.upgrade()
        {
            session.temporary().plans().remove(&kept);
        }
    }

    async fn understood(
        &self,
        ctx: &Arc<QueryContext>,
    ) -> Result<(Arc<Understood>, Option<Placed>), QueryError> {
        if let Some(kept) = self.kept(&Versions::of(ctx)) {
            return Ok((Arc::clone(&kept.understood), kept.placed.lock().take()));
        }
        let (bound, parameters) = bind::bind(ctx).await?;
        let understood = Arc::new(Understood::new(bound, parameters));
        self.keep(ctx, Arc::clone(&understood), None);
        Ok((understood, None))
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        self.forget_for(Weak::new());
    }
}

#[cfg(test)]
mod tests;
