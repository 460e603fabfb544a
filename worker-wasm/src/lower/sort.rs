//! `SortExec` -> the sort of a fragment, with its limit as a parameter.

use std::sync::Arc;

use datafusion::{
    datasource::{physical_plan::FileScanConfig, source::DataSourceExec},
    physical_expr::{PhysicalExpr, expressions::DynamicFilterPhysicalExpr},
    physical_plan::{ExecutionPlan, sorts::sort::SortExec},
};

use super::{Reason, join, pipeline::Rows};
use crate::{
    fragment::{Expr, Param, Pipeline, Range, Sink, Sort, SortKey, Source, Type},
    runtime,
};

/// Rows that are estimated to take more than this are sorted by DataFusion, which can put some of them on disk. Bytes.
const ROWS_BYTES_MAX: usize = 256 << 20;

/// Fuses a sort onto `rows`.
pub(crate) fn lower(rows: &mut Rows, plan: &SortExec) -> Result<(), Reason> {
    if plan.fetch().is_none() && join::estimated_bytes(plan.input()) > ROWS_BYTES_MAX {
        return Err(Reason::Form("its rows may not fit a fragment's memory"));
    }
    if let Some(filter) = plan.dynamic_filter_expr()
        && is_scanned_with(plan.input(), &filter)
    {
        return Err(Reason::Form(
            "its scan skips what cannot be among the first",
        ));
    }
    // A row is kept with the columns that go out, and with no others.
    let exprs = (0..rows.columns.len()).map(|index| rows.column(index));
    let exprs = exprs.collect::<Result<_, _>>()?;
    rows.go_on_with(exprs)?;
    let keys = plan.expr().iter().map(|key| {
        let expr = rows.expr(&key.expr)?;
        let of = rows.value_type(&expr, &key.expr)?;
        if of.ty == Type::Utf8 && !matches!(expr, Expr::Column(_)) {
            return Err(Reason::Form("computed text is a sort key"));
        }
        Ok(SortKey {
            expr,
            descending: key.options.descending,
            nulls_first: key.options.nulls_first,
        })
    });
    let keys = keys.collect::<Result<_, _>>()?;
    let fetch = plan.fetch().map(|fetch| {
        let param = Param {
            ty: Type::UInt64,
            range: Range::Full,
        };
        rows.param(param, runtime::Param::Int(fetch as i128));
        rows.params_count() - 1
    });
    rows.finished.push(Pipeline {
        source: rows.from,
        operators: std::mem::take(&mut rows.operators),
        sink: Sink::Sort(Sort { keys, fetch }),
    });
    rows.from = Source::Sorted(rows.finished.len() - 1);
    rows.input_at = None;
    Ok(())
}

/// Whether a scan below reads with a filter that the sort would narrow while it runs.
fn is_scanned_with(plan: &Arc<dyn ExecutionPlan>, filter: &DynamicFilterPhysicalExpr) -> bool {
    let scan = plan.downcast_ref::<DataSourceExec>();
    let files = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
    let own = files.and_then(|files| files.file_source().filter());
    let id = filter.inner().expression_id;
    own.is_some_and(|own| mentions(&own, id))
        || plan
            .children()
            .into_iter()
            .any(|child| is_scanned_with(child, filter))
}

fn mentions(expr: &Arc<dyn PhysicalExpr>, id: u64) -> bool {
    let own = expr.downcast_ref::<DynamicFilterPhysicalExpr>();
    own.is_some_and(|own| own.inner().expression_id == id)
        || expr.children().into_iter().any(|child| mentions(child, id))
}
