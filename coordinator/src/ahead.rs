//! A query that is planned and run while its client is still on its way to ask for the rows.
//!
//! Its rows wait for [`AHEAD_MAX`] at most; who asks later has it begin again.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Prepared, QueryContext, QueryError, drive,
    query::{self, First, Logical},
    template::Template,
};

/// How long the rows of a query that was begun ahead wait for whoever is to ask for them.
const AHEAD_MAX: Duration = Duration::from_secs(1);

/// A query that was optimised with its parameters open, begun with values for them.
pub(crate) fn begin(
    ctx: &Arc<QueryContext>,
    template: &Arc<Template>,
    values: RecordBatch,
) -> Result<Prepared, QueryError> {
    let schema = template.schema(ctx, &values)?;
    let logical = Logical::Optimised(Arc::clone(template), values.clone());
    let (running, template) = (Arc::clone(ctx), Arc::clone(template));
    let begun = async move {
        let placed = query::to_tasks_with_values(&running, &template, &values);
        let placed = query::planning(&running, None, placed).await;
        let placed =
            placed.inspect_err(|error| drive::finished(&running, Some(error), Duration::ZERO))?;
        running.process().planned();
        drive::drive(&running, placed, None)
    };
    let begun = ctx.engine.spawn(begun);
    let first = Arc::new_cyclic(|first| {
        // On the caller's thread: on one of the query's it would wake another.
        let patience = AbortOnDropHandle::new(tokio::spawn(give_up(Weak::clone(first))));
        Mutex::new(Some(First::Begun {
            begun,
            _patience: patience,
        }))
    });
    Ok(Prepared::begun(ctx, schema, logical, first))
}

/// Stops a query that was begun ahead and is not asked for. It begins again when it is.
async fn give_up(begun: Weak<Mutex<Option<First>>>) {
    tokio::time::sleep(AHEAD_MAX).await;
    let first = begun.upgrade().and_then(|first| first.lock().take());
    drop(first);
}
