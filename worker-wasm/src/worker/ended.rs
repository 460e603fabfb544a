//! What a task reserved is free as soon as the task has ended.
//!
//! `datafusion-distributed` 3.0 keeps tasks in a cache of moka's. One that is taken out of it lives on in the cache's log
//! of what was done, until some later call finds that log long or old, and after that until crossbeam-epoch has seen all
//! threads pass by. After the last query nobody calls. And as the session of a task names the cache, a worker that is
//! dropped with such a log is never freed. So whoever has a [`Worker`] lets go of its tasks by [`let_go`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use datafusion::prelude::SessionConfig;
use datafusion_distributed::{ExecuteTaskRequest, ProducerHeadSpec, TaskKey, Worker};
use futures::FutureExt;
use uuid::Uuid;

/// As many calls as fill the log, which is worked off then.
const CALLS: usize = 65;
/// As many rounds as it takes where no thread is in the way, and some more.
const EPOCHS: usize = 8;
/// Between two attempts, at first and at last. A task that has ended may still be read from.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How many tasks of a worker are still there.
#[derive(Debug, Clone, Default)]
pub struct TasksHeld(Arc<AtomicU64>);

impl TasksHeld {
    /// Counts a task, as long as anything has its settings.
    pub fn count(&self, task: &mut SessionConfig) {
        self.0.fetch_add(1, Ordering::Relaxed);
        task.set_extension(Arc::new(Held(Arc::clone(&self.0))));
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Held(Arc<AtomicU64>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns when `worker` holds no more tasks than are `running`. Must be called within a tokio runtime.
pub async fn let_go(worker: &Worker, held: &TasksHeld, running: impl Fn() -> u64) {
    let mut pause = PAUSE_MIN;
    while held.get() > running() {
        for _ in 0..CALLS {
            // It would wait for a plan, which never comes.
            let asked = worker.execute_task(no_task()).now_or_never();
            debug_assert!(asked.is_none_or(|answer| answer.is_err()));
        }
        for _ in 0..EPOCHS {
            crossbeam_epoch::pin().flush();
        }
        if held.get() <= running() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = PAUSE_MAX.min(2 * pause);
    }
}

/// Always the same, so that the cache has one entry of it.
fn no_task() -> ExecuteTaskRequest {
    ExecuteTaskRequest {
        task_key: TaskKey {
            query_id: Uuid::nil(),
            stage_id: 0,
            task_number: 0,
        },
        target_partition_start: 0,
        target_partition_end: 0,
        producer_head_spec: ProducerHeadSpec::None,
    }
}
