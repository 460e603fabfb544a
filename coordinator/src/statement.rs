//! A statement that is understood once, and run as often as its client likes, with values for its parameters.
//!
//! Its plan is kept with the versions it was made for: the catalog, the temporary tables and the settings of a session.
//! Where one of them has changed it is made again, so it never answers from tables that are no longer there.

use std::sync::{Arc, Weak};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, SchemaRef},
};
use catalog::{Snapshot, external};
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    logical_expr::{Expr, LogicalPlan, Volatility},
};
use parking_lot::Mutex;

use crate::{
    Prepared, QueryContext, QueryError, Session,
    bind::{self, Bound},
    command::Command,
    parameters,
    place::Placed,
    query,
    temporary::Tables,
};

/// A statement for which values may be bound.
#[derive(Debug)]
pub struct Statement {
    sql: String,
    description: Description,
    kept: Mutex<Option<Kept>>,
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
    bound: Arc<Bound>,
    parameters: Vec<Option<DataType>>,
    /// A plan without parameters that nobody has run yet.
    placed: Option<Placed>,
}

/// What a plan was made from.
#[derive(Debug)]
struct Versions {
    session: Weak<Session>,
    settings: u64,
    snapshot: Arc<Snapshot>,
    temporary: Tables,
}

impl Versions {
    fn of(ctx: &QueryContext) -> Self {
        Self {
            session: Arc::downgrade(&ctx.session),
            settings: ctx.settings_version,
            snapshot: Arc::clone(&ctx.snapshot),
            temporary: ctx.session.temporary().all(),
        }
    }

    fn are_those_of(&self, ctx: &QueryContext) -> bool {
        Weak::ptr_eq(&self.session, &Arc::downgrade(&ctx.session))
            && self.settings == ctx.settings_version
            && Arc::ptr_eq(&self.snapshot, &ctx.snapshot)
            && Arc::ptr_eq(&self.temporary, &ctx.session.temporary().all())
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
                placed = Some(planned).filter(|_| !depends_on_time(logical));
                (schema, true)
            }
            Bound::Query(logical) => (bind::schema_of_rows(&ctx, logical), true),
        };
        let keeps = bound.plan().is_some_and(|plan| !reads_paths(plan));
        let kept = Kept {
            versions,
            bound: Arc::new(bound),
            parameters: parameters.clone(),
            placed,
        };
        Ok(Self {
            sql: ctx.sql.clone(),
            description: Description {
                parameters,
                schema,
                is_query,
            },
            kept: Mutex::new(Some(kept).filter(|_| keeps)),
        })
    }

    /// A command that needs neither names nor a plan.
    pub(crate) fn of_command(sql: &str, command: &Command) -> Self {
        Self {
            sql: sql.to_owned(),
            description: Description {
                parameters: Vec::new(),
                schema: command.schema(),
                is_query: command.is_query(),
            },
            kept: Mutex::new(None),
        }
    }

    pub fn sql(&self) -> &str {
        &self.sql
    }

    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The statement with values for its parameters, ready to run.
    pub(crate) async fn prepare(
        &self,
        ctx: Arc<QueryContext>,
        values: Option<&RecordBatch>,
    ) -> Result<Prepared, QueryError> {
        let (bound, parameters, placed) = self.bound(&ctx).await?;
        let Some(values) = parameters::accept(values, &parameters)? else {
            let bound = Bound::clone(&bound);
            return match placed {
                Some(placed) => Ok(query::prepared(ctx, bound, Some(placed))),
                None => query::plan_bound(ctx, bound).await,
            };
        };
        let bound = bind::with_values(&ctx, &bound, &values)?;
        query::plan_bound(ctx, bound).await
    }

    async fn bound(
        &self,
        ctx: &Arc<QueryContext>,
    ) -> Result<(Arc<Bound>, Vec<Option<DataType>>, Option<Placed>), QueryError> {
        if let Some(kept) = self.kept.lock().as_mut()
            && kept.versions.are_those_of(ctx)
        {
            let bound = Arc::clone(&kept.bound);
            return Ok((bound, kept.parameters.clone(), kept.placed.take()));
        }
        let versions = Versions::of(ctx);
        let (bound, parameters) = bind::bind(ctx).await?;
        let bound = Arc::new(bound);
        let keeps = bound.plan().is_some_and(|plan| !reads_paths(plan));
        *self.kept.lock() = keeps.then(|| Kept {
            versions,
            bound: Arc::clone(&bound),
            parameters: parameters.clone(),
            placed: None,
        });
        Ok((bound, parameters, None))
    }
}

/// Whether planning puts a value in place of `now()` or the like: such a plan is for one run only.
fn depends_on_time(plan: &LogicalPlan) -> bool {
    let is_stable = |expression: &Expr| match expression {
        Expr::ScalarFunction(function) => {
            function.func.signature().volatility == Volatility::Stable
        }
        _ => false,
    };
    any_node(plan, |node| {
        node.expressions().iter().any(|expression| {
            expression
                .exists(|inner| Ok(is_stable(inner)))
                .unwrap_or(true)
        })
    })
}

/// Whether it reads a file by its path: the columns are those of the file, which others may replace.
fn reads_paths(plan: &LogicalPlan) -> bool {
    any_node(plan, |node| match node {
        LogicalPlan::TableScan(scan) => external::looks_like_path(scan.table_name.table()),
        _ => false,
    })
}

fn any_node(plan: &LogicalPlan, is: impl Fn(&LogicalPlan) -> bool) -> bool {
    let mut found = false;
    let walked = plan.apply_with_subqueries(|node| {
        found |= is(node);
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    found || walked.is_err()
}
