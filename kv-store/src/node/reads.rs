//! Versions to read at, many from one quorum round.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    KvError, Version,
    raft::{Group, GroupError},
    state::State,
    txn::{ReadRounds, RoundId},
};

/// Whoever wants a version.
pub(super) type Waiter = oneshot::Sender<Result<Version, KvError>>;

type Round = BoxFuture<'static, (RoundId, Result<(), GroupError>)>;

/// Until the node is gone.
pub(super) async fn run(
    group: Group,
    state: Arc<State>,
    mut waiters: mpsc::Receiver<Waiter>,
    serving: watch::Receiver<bool>,
) {
    let mut rounds = ReadRounds::<Waiter>::default();
    let mut round: Option<Round> = None;
    loop {
        if let Some(id) = rounds.begin() {
            let group = group.clone();
            round = Some(async move { (id, group.confirm_lead().await) }.boxed());
        }
        tokio::select! {
            biased;
            (id, confirmed) = async { round.as_mut().expect("checked below").await }, if round.is_some() => {
                round = None;
                // Before the committer has begun, a commit at this version would be refused.
                let version = match confirmed {
                    Ok(()) if *serving.borrow() => Ok(state.applied()),
                    Ok(()) => Err(KvError::NotLeader { leader: group.lead().leader }),
                    Err(error) => Err(error.into()),
                };
                for waiter in rounds.finish(id) {
                    // One that does not wait any more does not miss it.
                    drop(waiter.send(version.clone()));
                }
            }
            waiter = waiters.recv() => {
                let Some(waiter) = waiter else { return };
                rounds.join(waiter);
                while let Ok(waiter) = waiters.try_recv() {
                    rounds.join(waiter);
                }
            }
        }
    }
}
