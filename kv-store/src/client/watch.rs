//! Changes from afar.

use std::future::ready;

use futures::{Stream, StreamExt};

use super::Client;
use crate::{
    KvError, Version,
    mvcc::changes::Change,
    service::{
        messages as wire, method,
        wire::{change_from_wire, range_to_wire, version},
    },
    txn::KeyRange,
};

impl Client {
    /// Changes to keys of a range after a version, or from now on, each batch with the version it reaches up to. Ends with
    /// an error when the member is lost: watch again from the last version.
    pub async fn watch(
        &self,
        range: &KeyRange,
        after: Option<Version>,
    ) -> Result<impl Stream<Item = Result<(Vec<Change>, Version), KvError>> + use<>, KvError> {
        let message = wire::Watch {
            range: range_to_wire(range),
            after: after.map(version::to_wire),
        };
        let answers = self
            .stream::<_, wire::Changes>(method::WATCH, message)
            .await?;
        let mut held = Vec::new();
        Ok(answers.filter_map(move |answer| {
            let told = answer.and_then(|answer| batch(&mut held, answer));
            ready(told.transpose())
        }))
    }
}

/// What an answer brings to an end. Changes that take several answers are held until the last of them, which alone reaches
/// behind them: whoever saw a part of a version could not go on from there.
fn batch(
    held: &mut Vec<Change>,
    answer: wire::Changes,
) -> Result<Option<(Vec<Change>, Version)>, KvError> {
    let upto = version::from_wire(&answer.upto)?;
    for change in answer.changes {
        held.push(change_from_wire(change)?);
    }
    let is_whole = held.last().is_none_or(|last| last.version <= upto);
    Ok(is_whole.then(|| (std::mem::take(held), upto)))
}
