//! A physical plan with its parameters open, for queries that look into one batch of a temporary table.
//!
//! Planning such a query takes longer than running it, and every value gives the same plan: filters and projections over
//! a scan. It is made once, with calls of [`Open`] where the parameters are; a run puts values in their places and leaves
//! out the batches that these cannot be in, as planning does.
//! Only where nothing else depends on the values: parameters stand in filters alone, no fragment would run the plan, and
//! one batch is left at most. With more of them a plan in as many parts as there are threads is faster.

use std::sync::{Arc, OnceLock};

use arrow::{array::RecordBatch, datatypes::DataType};
use datafusion::{
    common::{
        Result, ScalarValue, internal_err,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    execution::context::SessionState,
    logical_expr::{
        ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
    physical_expr::{PhysicalExpr, ScalarFunctionExpr, expressions::lit},
    physical_plan::{
        ExecutionPlan,
        filter::{FilterExec, FilterExecBuilder},
        projection::ProjectionExec,
    },
};

use crate::{
    QueryContext, compile,
    cut::{Reach, Staged},
    inspect, parameters,
    place::Placed,
    temporary,
};

#[derive(Debug)]
pub(crate) struct OpenPlan {
    /// One partition.
    root: Arc<dyn ExecutionPlan>,
    /// What it was first run with: as good for every run, as it says nothing of the time. Only where it is native: it takes
    /// 40 KiB.
    state: OnceLock<Arc<SessionState>>,
    /// Whether no fragment runs it. Known once values have been put in.
    is_native: OnceLock<bool>,
}

impl OpenPlan {
    /// Of an optimised plan; `None` where values decide about more than the batches that are read.
    pub(crate) async fn new(
        ctx: &QueryContext,
        optimised: &LogicalPlan,
        types: &[DataType],
    ) -> Option<Self> {
        if !is_filters_over_a_temporary_table(optimised) {
            return None;
        }
        let open = with_open_parameters(optimised, types).ok()?;
        let mut state = SessionState::clone(&ctx.state);
        state.config_mut().options_mut().execution.target_partitions = 1;
        let planned = state.query_planner().create_physical_plan(&open, &state);
        let plan = Self {
            root: planned.await.ok()?,
            state: OnceLock::new(),
            is_native: OnceLock::new(),
        };
        Some(plan)
    }

    /// The plan with values of its types; `None` where they do not leave one batch at most, or fragments run it.
    pub(crate) fn with_values(
        &self,
        ctx: &QueryContext,
        values: &RecordBatch,
    ) -> Result<Option<Placed>> {
        if self.is_native.get() == Some(&false) {
            return Ok(None);
        }
        let values = values.columns().iter();
        let values = values.map(|column| ScalarValue::try_from_array(column, 0));
        let Some(plan) = closed(&self.root, &values.collect::<Result<Vec<_>>>()?)? else {
            return Ok(None);
        };
        let is_native = self.is_native.get_or_init(|| is_native(ctx, &plan));
        Ok(is_native.then(|| {
            self.state.get_or_init(|| Arc::clone(&ctx.state));
            Placed::native(plan)
        }))
    }

    /// What contexts of later runs may share with the first.
    pub(crate) fn state(&self) -> Option<&Arc<SessionState>> {
        self.state.get()
    }
}

fn is_native(ctx: &QueryContext, plan: &Arc<dyn ExecutionPlan>) -> bool {
    let staged = Staged {
        plan: Arc::clone(plan),
        reach: Reach::Here(None),
    };
    compile::compile(ctx, staged).is_ok_and(|compiled| compiled.fragments.is_empty())
}

fn is_filters_over_a_temporary_table(plan: &LogicalPlan) -> bool {
    let is_parameter = |expression: &Expr| matches!(expression, Expr::Placeholder(_));
    let is_step = |node: &LogicalPlan| match node {
        // One batch is taken by what its bounds say, which is nothing of values that are drawn.
        node if node.expressions().iter().any(Expr::is_volatile) => false,
        LogicalPlan::TableScan(scan) => temporary::is_table(&scan.source),
        LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => true,
        LogicalPlan::Projection(columns) => columns.expr.iter().all(|column| {
            !column
                .exists(|inner| Ok(is_parameter(inner)))
                .unwrap_or(true)
        }),
        _ => false,
    };
    !inspect::any_node(plan, |node| !is_step(node))
}

/// The plan with a call of [`Open`] for each parameter.
fn with_open_parameters(plan: &LogicalPlan, types: &[DataType]) -> Result<LogicalPlan> {
    let opened = plan.clone().transform_up(|node| {
        node.map_expressions(|expression| {
            expression.transform_up(|inner| {
                let Expr::Placeholder(parameter) = &inner else {
                    return Ok(Transformed::no(inner));
                };
                let index = parameters::position(&parameter.id);
                let Some(data_type) = index.and_then(|index| types.get(index)) else {
                    return internal_err!("{} has no type", parameter.id);
                };
                let call = ScalarUDF::from(Open::new(index.unwrap_or_default(), data_type));
                Ok(Transformed::yes(call.call(vec![])))
            })
        })
    });
    opened.data()
}

/// The plan with values for its parameters, over the batches that these may be in.
fn closed(
    plan: &Arc<dyn ExecutionPlan>,
    values: &[ScalarValue],
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let predicate = with_literals(filter.predicate(), values)?;
        let input = match temporary::is_scan(filter.input()) {
            true => temporary::narrowed(filter.input(), &predicate),
            false => closed(filter.input(), values)?,
        };
        let Some(input) = input else { return Ok(None) };
        let filter = FilterExecBuilder::from(filter)
            .with_predicate(predicate)
            .with_input(input);
        return Ok(Some(Arc::new(filter.build()?)));
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let Some(input) = closed(projection.input(), values)? else {
            return Ok(None);
        };
        let projection = ProjectionExec::try_new(projection.expr().to_vec(), input)?;
        return Ok(Some(Arc::new(projection)));
    }
    Ok(None)
}

fn with_literals(
    expression: &Arc<dyn PhysicalExpr>,
    values: &[ScalarValue],
) -> Result<Arc<dyn PhysicalExpr>> {
    let closed = Arc::clone(expression).transform_up(|inner| {
        let call = inner.downcast_ref::<ScalarFunctionExpr>();
        let open = call.and_then(|call| call.fun().inner().downcast_ref::<Open>());
        match open.map(|open| values.get(open.index)) {
            None => Ok(Transformed::no(inner)),
            Some(Some(value)) => Ok(Transformed::yes(lit(value.clone()))),
            Some(None) => internal_err!("a parameter has no value"),
        }
    });
    closed.data()
}

/// Stands for a parameter while a plan is made. Volatile, so that nothing is done with a value that is not there.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Open {
    index: usize,
    data_type: DataType,
    signature: Signature,
}

impl Open {
    fn new(index: usize, data_type: &DataType) -> Self {
        Self {
            index,
            data_type: data_type.clone(),
            signature: Signature::nullary(Volatility::Volatile),
        }
    }
}

impl ScalarUDFImpl for Open {
    fn name(&self) -> &str {
        "parameter"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("a parameter has no value yet")
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, AsArray, Int64Array},
        datatypes::Int64Type,
    };
    use futures::TryStreamExt;

    use super::*;
    use crate::{
        Answer, Session, Statement, StatementOptions, drive::tests::engine, statement::Versions,
    };

    async fn numbers(session: &Arc<Session>, statement: &Arc<Statement>, value: i64) -> Vec<i64> {
        let value: ArrayRef = Arc::new(Int64Array::from(vec![value]));
        let values = RecordBatch::try_from_iter([("p", value)]).unwrap();
        let options = StatementOptions::default();
        let prepared = session.prepare_with(statement, Some(values), options);
        let Answer::Rows(rows) = prepared.await.unwrap().run(None).await.unwrap() else {
            panic!("a query gives rows")
        };
        let batches: Vec<_> = rows.try_collect().await.unwrap();
        let numbers = batches.iter().flat_map(|batch| {
            let column = batch.column(0).as_primitive::<Int64Type>();
            column.values().to_vec()
        });
        numbers.collect()
    }

    #[tokio::test]
    async fn a_look_up_is_planned_once_and_a_search_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&dir.path().join("data"));
        let session = engine.session();
        let table = "CREATE TEMPORARY TABLE t AS SELECT value AS k, 2 * value AS v FROM generate_series(1, 40000)";
        let table = session.prepare(table, StatementOptions::default()).await;
        table.unwrap().run(None).await.unwrap();
        for (sql, is_kept) in [
            ("SELECT v FROM t WHERE k = ?", true),
            ("SELECT v FROM t WHERE k = ? AND v > 1", true),
            ("SELECT v FROM t WHERE k % 60000 = ?", false),
            ("SELECT 2 * CAST(? AS BIGINT) AS v", false),
        ] {
            let statement = session.statement(sql, StatementOptions::default()).await;
            let statement = Arc::new(statement.unwrap());
            for key in [40_000, 40_000, 40_000] {
                let found = numbers(&session, &statement, key).await;
                assert_eq!(found, [2 * key], "{sql}");
            }
            let ctx = session.begin(sql, &StatementOptions::default()).unwrap();
            let kept = statement.state(&Versions::of(&ctx));
            assert_eq!(kept.is_some(), is_kept, "{sql}");
        }
        let sql = "SELECT v FROM t WHERE k = ?";
        let statement = session.statement(sql, StatementOptions::default()).await;
        let statement = Arc::new(statement.unwrap());
        for key in [1, 32_768, 32_769, 0, 40_001] {
            let found = numbers(&session, &statement, key).await;
            let expected: &[i64] = if (1..=40_000).contains(&key) {
                &[2 * key]
            } else {
                &[]
            };
            assert_eq!(found, expected);
        }
    }
}
