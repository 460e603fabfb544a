//! Filters that an operator narrows while it runs, for a scan below it: tied together again in a plan that was sent.
//!
//! In one process both hold the same filter. In a plan that is read from bytes each has one of its own, which nobody
//! narrows, or nobody asks; they have the same id. What an operator knows is about the rows of its own task, so only
//! scans of the same task may hear it: those of other tasks are in other plans, and keep a filter that lets everything
//! through.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    datasource::{
        physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource},
        source::DataSourceExec,
    },
    physical_expr::{PhysicalExpr, expressions::DynamicFilterPhysicalExpr},
    physical_plan::{
        ExecutionPlan, aggregates::AggregateExec, joins::HashJoinExec, sorts::sort::SortExec,
    },
};

type Filter = Arc<DynamicFilterPhysicalExpr>;

/// Lets the scans of a task hear the operators of the same task, but for those inside of fragments, which the codec ties.
pub fn link_filters(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let filters = filters(&plan)?;
    link(&filters, plan)
}

/// Filters that operators of `plan` narrow.
pub(super) fn filters(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Filter>> {
    let mut filters = Vec::new();
    plan.apply(|node| {
        let join = node.downcast_ref::<HashJoinExec>();
        filters.extend(join.and_then(HashJoinExec::dynamic_filter_expr).cloned());
        let sort = node.downcast_ref::<SortExec>();
        filters.extend(sort.and_then(SortExec::dynamic_filter_expr));
        let aggregate = node.downcast_ref::<AggregateExec>();
        filters.extend(
            aggregate
                .and_then(AggregateExec::dynamic_filter_expr)
                .cloned(),
        );
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(filters)
}

/// `plan` with scans that share what they have of `filters`.
pub(super) fn link(
    filters: &[Filter],
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    if filters.is_empty() {
        return Ok(plan);
    }
    let linked = plan.transform_up(|node| match linked_scan(filters, &node)? {
        Some(scan) => Ok(Transformed::yes(scan)),
        None => Ok(Transformed::no(node)),
    });
    linked.map(|linked| linked.data)
}

/// `None` for what does not have any of the filters.
fn linked_scan(
    filters: &[Filter],
    node: &Arc<dyn ExecutionPlan>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let scan = node.downcast_ref::<DataSourceExec>();
    let files = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
    let Some(files) = files else { return Ok(None) };
    let Some(parquet) = files.file_source().downcast_ref::<ParquetSource>() else {
        return Ok(None);
    };
    let Some(predicate) = parquet.filter() else {
        return Ok(None);
    };
    let linked = predicate.transform_up(|expr| match shared(filters, &expr) {
        Some(filter) => {
            let children = expr.children().into_iter().cloned().collect();
            filter.with_new_children(children).map(Transformed::yes)
        }
        None => Ok(Transformed::no(expr)),
    })?;
    if !linked.transformed {
        return Ok(None);
    }
    let parquet = parquet.with_predicate(linked.data);
    let files = FileScanConfigBuilder::from(files.clone()).with_source(Arc::new(parquet));
    Ok(Some(DataSourceExec::from_data_source(files.build())))
}

fn shared(filters: &[Filter], expr: &Arc<dyn PhysicalExpr>) -> Option<Filter> {
    expr.downcast_ref::<DynamicFilterPhysicalExpr>()?;
    let id = expr.expression_id()?;
    let mut filters = filters.iter();
    filters
        .find(|filter| filter.expression_id() == Some(id))
        .map(Arc::clone)
}
