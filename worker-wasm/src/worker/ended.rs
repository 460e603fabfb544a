//! What a task reserved is free as soon as the task has ended.
//!
//! `datafusion-distributed` 3.0 keeps tasks in a cache of moka's. One that is taken out of it lives on in the cache's log
//! of what was done, until some later call finds that log long or old, and after that until crossbeam-epoch has seen all
//! threads pass by. After the last query nobody calls. And as the session of a task names the cache, a worker that is
//! dropped with such a log is never freed. So whoever has a [`Worker`] lets go of its tasks by [`let_go`].

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use datafusion::prelude::SessionConfig;
use datafusion_distributed::{ExecuteTaskRequest, ProducerHeadSpec, TaskKey, Worker};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// As many calls as fill the log, which is worked off then.
const CALLS: usize = 65;
/// As many rounds as it takes where no thread is in the way, and some more.
const EPOCHS: usize = 8;
/// Between two attempts, at first and at last. A task that has ended may still be read from, or be inside a call.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(40);

/// The tasks of a worker that are still there.
#[derive(Debug, Clone, Default)]
pub struct TasksHeld(Arc<Tasks>);

#[derive(Debug, Default)]
struct Tasks {
    latest: AtomicU64,
    /// What says of each that it has ended.
    held: Mutex<HashMap<u64, CancellationToken>>,
}

impl Tasks {
    fn held<T>(&self, act: impl FnOnce(&mut HashMap<u64, CancellationToken>) -> T) -> T {
        act(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TasksHeld {
    /// Counts a task, as long as anything has its settings. `ended` is cancelled when it is to go.
    pub fn count(&self, task: &mut SessionConfig, ended: CancellationToken) {
        let number = self.0.latest.fetch_add(1, Ordering::Relaxed);
        self.0.held(|held| held.insert(number, ended));
        let tasks = Arc::clone(&self.0);
        task.set_extension(Arc::new(Held { tasks, number }));
    }

    /// How many have ended and are still there.
    fn ended(&self) -> usize {
        let ended = |ended: &&CancellationToken| ended.is_cancelled();
        self.0.held(|held| held.values().filter(ended).count())
    }
}

struct Held {
    tasks: Arc<Tasks>,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.tasks.held(|held| held.remove(&self.number));
    }
}

/// Returns when `worker` holds no task that has ended. Must be called within a tokio runtime.
pub async fn let_go(worker: &Worker, held: &TasksHeld) {
    let mut pause = PAUSE_MIN;
    while held.ended() > 0 {
        for _ in 0..CALLS {
            // It would wait for a plan, which never comes.
            let asked = worker.execute_task(no_task()).now_or_never();
            debug_assert!(asked.is_none_or(|answer| answer.is_err()));
        }
        for _ in 0..EPOCHS {
            crossbeam_epoch::pin().flush();
        }
        if held.ended() == 0 {
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
