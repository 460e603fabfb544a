//! A worker beside its coordinator: joining, modules by hash, and the end of either.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, stream};
use http::HeaderMap;
use tokio::task::{JoinHandle, JoinSet};
use worker_wasm::{
    exec::{Encoded, ModuleCache, Modules},
    rendezvous::{Registration, Token, Way, WorkerId},
    runtime::Protection,
    worker::{
        BUILD, COORDINATOR, Core, CoreConfig, HostConfig, HostError, Join, LinkError, Peers,
        WorkerLink, serve_coordinator,
    },
};

use crate::{
    rendezvous::support::{Place, invited, until, within},
    support::runtime,
};

pub(crate) fn cache() -> Arc<ModuleCache> {
    cache_with(Protection::Guarded)
}

fn cache_with(protection: Protection) -> Arc<ModuleCache> {
    Arc::new(ModuleCache::new(Arc::new(runtime(protection)), 8))
}

fn modules(cache: &ModuleCache, fragment: &str) -> Arc<Modules> {
    let encoded = Encoded::new(&fragment.parse().unwrap()).unwrap();
    cache.load(encoded).unwrap()
}

const PASSES: &str = "(fragment (input (column int64)) (params) (pipeline (input 0) (emit)))";
const PASSES_TWO: &str =
    "(fragment (input (column int64) (column int32)) (params) (pipeline (input 0) (emit)))";

fn host(place: &Place, name: &str) -> HostConfig {
    HostConfig {
        rendezvous: place.rendezvous.address().to_string(),
        join: Join {
            token: place.token.clone(),
            fingerprint: place.rendezvous.fingerprint(),
        },
        id: WorkerId::new(name).unwrap(),
        listen: None,
        announce: None,
        private_addresses: Vec::new(),
    }
}

async fn serve(config: HostConfig) -> HostError {
    serve_with(config, cache()).await
}

async fn serve_with(config: HostConfig, modules: Arc<ModuleCache>) -> HostError {
    let peers = Arc::new(Peers::default());
    let core = CoreConfig {
        kind: "test",
        threads: 1,
        environment: Arc::new(RuntimeEnv::default()),
        modules,
        rewrite: Ok,
    };
    let core = Core::new(core, Arc::clone(&peers)).unwrap();
    match serve_coordinator(core, peers, config, || ()).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn link(coordinator: &Registration) -> WorkerLink {
    let pair = within("a pair", invited(coordinator).await.accept()).await;
    let pair = pair.unwrap();
    WorkerLink::open(pair.peer.clone(), pair.outgoing.way(), pair.outgoing)
}

#[tokio::test]
async fn a_worker_gets_each_module_once_whoever_asks() {
    let place = Place::open().await;
    let coordinator = place.coordinator().await;
    let worker: JoinHandle<HostError> = tokio::spawn(serve(host(&place, "w")));
    let link = link(&coordinator).await;
    assert_eq!(link.way(), Way::Punched);
    let before = link.describe().await.unwrap();
    assert_eq!(
        (before.build.as_str(), before.kind.as_str()),
        (BUILD, "test")
    );
    assert_eq!((before.modules, before.tasks_total), (0, 0));

    let here = cache();
    let both = [modules(&here, PASSES), modules(&here, PASSES_TWO)];
    // Two queries at once, one of them with a module more.
    let (first, second) = tokio::join!(link.ensure(&both), link.ensure(&both[..1]));
    assert_eq!(first.unwrap() + second.unwrap(), 2);
    assert_eq!(link.ensure(&both).await.unwrap(), 0);
    let after = link.describe().await.unwrap();
    assert_eq!((after.modules, after.modules_received_total), (2, 2));

    worker.abort();
    within("the end of the worker", link.lost()).await;
    assert!(link.is_lost());
    let error = link.describe().await.unwrap_err();
    assert!(matches!(error, LinkError::Lost { .. }), "{error}");
}

#[tokio::test]
async fn a_worker_compiles_nothing_even_where_its_memories_are_protected_otherwise() {
    let place = Place::open().await;
    let coordinator = place.coordinator().await;
    for (name, protection) in [("w1", Protection::Guarded), ("w2", Protection::Checked)] {
        let config = host(&place, name);
        let worker = tokio::spawn(serve_with(config, cache_with(protection)));
        let link = link(&coordinator).await;
        let here = cache();
        let sent = link.ensure(&[modules(&here, PASSES)]).await.unwrap();
        let there = link.describe().await.unwrap();
        assert_eq!((sent, there.modules), (1, 1), "{protection:?}");
        assert_eq!(there.modules_compiled_total, 0, "{protection:?}");
        worker.abort();
    }
}

#[tokio::test]
async fn a_worker_comes_again_when_its_connection_is_lost() {
    let place = Place::open().await;
    let coordinator = place.coordinator().await;
    let worker = tokio::spawn(serve(host(&place, "w")));
    for _ in 0..2 {
        let link = link(&coordinator).await;
        link.describe().await.unwrap();
    }
    worker.abort();
}

#[tokio::test]
async fn who_only_has_the_coordinators_name_is_not_served_as_one() {
    let place = Place::open().await;
    // It may register, as it has the token and nobody else has the name.
    let impostor = place.worker(COORDINATOR).await;
    let worker = tokio::spawn(serve(host(&place, "w")));
    let mut accepting = JoinSet::new();
    // The worker asks for the name, finds somebody else and asks again; one that it connects to it would keep.
    for _ in 0..2 {
        accepting.spawn(invited(&impostor).await.accept());
    }
    assert!(accepting.try_join_next().is_none());
    drop(accepting);
    drop(impostor);
    until("the name is free", || {
        place.rendezvous.counters().workers() == 1
    })
    .await;
    let coordinator = place.coordinator().await;
    let link = self::link(&coordinator).await;
    let sent = link.ensure(&[modules(&cache(), PASSES)]).await;
    assert_eq!(sent.unwrap(), 1);
    worker.abort();
}

#[tokio::test]
async fn a_peer_gives_a_worker_neither_plans_nor_modules() {
    let place = Place::open().await;
    let worker = tokio::spawn(serve(host(&place, "w")));
    until("the worker registers", || {
        place.rendezvous.counters().workers() == 1
    })
    .await;
    // Whoever has the token may come as a worker and connect to others.
    let peer = place.worker("peer").await;
    let pair = within("a pair", peer.connect(&WorkerId::new("w").unwrap())).await;
    let pair = pair.unwrap();
    let link = WorkerLink::open(pair.peer.clone(), pair.outgoing.way(), pair.outgoing);
    link.describe().await.unwrap();
    let (mut client, plans) = (link.client(), stream::empty().boxed());
    let refused = client.coordinator_channel(HeaderMap::new(), plans).await;
    let refused = refused.err().unwrap().to_string();
    assert!(
        refused.contains("takes plans from its coordinator only"),
        "{refused}"
    );
    let refused = link.ensure(&[modules(&cache(), PASSES)]).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("takes modules from its coordinator only"),
        "{refused}"
    );
    assert_eq!(link.describe().await.unwrap().tasks_total, 0);
    worker.abort();
}

#[tokio::test]
async fn who_shows_a_wrong_token_or_believes_the_wrong_server_ends() {
    let place = Place::open().await;
    let mut config = host(&place, "w");
    config.join.token = Token::generate();
    let error = within("a refusal", Box::pin(serve(config))).await;
    assert!(matches!(error, HostError::Refused { .. }), "{error}");
    let mut config = host(&place, "w");
    config.join.fingerprint = Place::open().await.rendezvous.fingerprint();
    let error = within("a refusal", Box::pin(serve(config))).await;
    assert!(matches!(error, HostError::Refused { .. }), "{error}");
    let error = within("a refusal", Box::pin(serve(host(&place, "a/b")))).await;
    assert!(matches!(error, HostError::Name { .. }), "{error}");
}
