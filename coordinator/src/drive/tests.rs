use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{Int32Type, Schema},
};
use catalog::{DataFolder, ObjectStores, Secrets, Users, disk::RealDisk, local::LocalTableStore};
use futures::{StreamExt, TryStreamExt};

use super::*;
use crate::{Answer, Engine, EngineConfig, Session, StatementOptions, WorkersKind};

/// With one thread, and a mebibyte of memory.
pub(crate) fn engine(data: &std::path::Path) -> Arc<Engine> {
    engine_with_memory(data, 1 << 20)
}

pub(crate) fn engine_with_memory(data: &std::path::Path, memory_limit_bytes: u64) -> Arc<Engine> {
    let folder = DataFolder::open(data).unwrap();
    let store = LocalTableStore::open(&folder.tables(), Arc::new(RealDisk)).unwrap();
    let secrets = Arc::new(Secrets::open(&folder.secrets()).unwrap());
    let objects = ObjectStores::new(secrets, tokio::runtime::Handle::current());
    let users = Arc::new(Users::open(&folder.users()).unwrap());
    let config = EngineConfig {
        threads: 1,
        memory_limit_bytes,
        spill_limit_bytes: 0,
        spill_folder: folder.spill(),
        module_folder: None,
        module_cache_bytes: 0,
        metadata_cache_bytes: 0,
        statistics_cache_bytes: 0,
        slow_query: None,
        statement_timeout: None,
        workers: WorkersKind::Embedded,
    };
    Engine::open(config, Arc::new(store), Arc::new(objects), users).unwrap()
}

/// What a statement gives, at its end.
pub(crate) async fn run(session: &Arc<Session>, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
    let prepared = session.prepare(sql, StatementOptions::default()).await?;
    match prepared.run(None).await? {
        Answer::Rows(rows) => rows.try_collect().await,
        Answer::Done(outcome) => Ok(outcome.batches),
    }
}

#[tokio::test]
async fn a_driver_that_panics_is_an_error_and_counts_as_failed() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let ctx = engine
        .session()
        .begin("SELECT 1", &StatementOptions::default());
    let ctx = ctx.unwrap();
    let (sender, batches) = mpsc::channel(1);
    let driver = async move {
        let _held = sender;
        panic!("the driver's test");
    };
    let stop = CancellationToken::new();
    let counted = Arc::new(AtomicBool::new(false));
    let lane = engine.lane();
    let mut rows = BatchStream {
        schema: Arc::new(Schema::empty()),
        batches,
        driver: Some(engine.spawn_in(lane, driver)),
        lane,
        counted: Arc::clone(&counted),
        stop: stop.clone(),
        _stop: stop.drop_guard(),
        ctx,
    };
    let failed = metrics::queries("failed");
    let error = rows.next().await.unwrap().unwrap_err();
    assert!(matches!(error, QueryError::Internal { .. }), "{error}");
    // Counters are the process's: other tests' statements fail beside this one. What is counted here is not counted as cancelled by the drop.
    assert!(metrics::queries("failed") > failed);
    assert!(counted.load(Ordering::Acquire));
    assert!(rows.next().await.is_none());
}

#[tokio::test]
async fn parts_of_times_beyond_the_calendar_are_null_in_every_mode() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine_with_memory(&dir.path().join("data"), 256 << 20);
    let session = engine.session();
    for sql in [
        "CREATE TABLE t (s TIMESTAMP(6) NOT NULL)",
        "INSERT INTO t SELECT arrow_cast(v, 'Timestamp(Microsecond, None)') FROM (VALUES (1), (9000000000000000000)) AS n(v)",
    ] {
        run(&session, sql).await.unwrap();
    }
    for mode in ["never", "always", "auto"] {
        let set = format!("SET murre.compile = {mode}");
        run(&session, &set).await.unwrap();
        for week in ["date_part('week', s)", "extract(week FROM s)"] {
            let sql = format!("SELECT {week} AS w, count(*) AS n FROM t GROUP BY 1 ORDER BY 1");
            let rows = run(&session, &sql).await.unwrap();
            let weeks: Vec<_> = rows
                .iter()
                .flat_map(|rows| rows.column(0).as_primitive::<Int32Type>())
                .collect();
            assert_eq!(weeks, [Some(1), None], "{mode}: {week}");
        }
    }
}
