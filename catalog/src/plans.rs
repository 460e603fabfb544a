//! Plans that were made elsewhere: a worker gets scans without the readers that the sender's had.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode},
    },
    datasource::{physical_plan::FileScanConfig, source::DataSourceExec},
    physical_plan::ExecutionPlan,
};

use crate::parquet_format::{has_floats, nan_safe_scan};

/// A plan that came from elsewhere, its scans made what [`crate::NanSafeParquet`] makes of them.
pub fn nan_safe(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let safe = plan.transform_up(|node| {
        Ok(
            match reads_floats(&node).then(|| nan_safe_scan(&node)).flatten() {
                Some(scan) => Transformed::yes(scan),
                None => Transformed::no(node),
            },
        )
    });
    safe.map(|safe| safe.data)
}

/// Whether it is a scan of files that have columns of floats, read or not.
fn reads_floats(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let scan = plan.downcast_ref::<DataSourceExec>();
    let files = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
    files.is_some_and(|files| has_floats(files.file_schema()))
}
