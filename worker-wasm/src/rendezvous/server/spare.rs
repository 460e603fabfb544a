//! Connections that workers keep ready for knocks. They say nothing until then, so they are known to be a worker's, there
//! are few of each and not too many of all, none grows old, and they go with their worker.
//! Invariant: what asks for one is good once, so who overhears it gets none.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Shared, counters::Open, meeting};
use crate::rendezvous::{
    error::WireError,
    frame::Sealed,
    secret::PairingKey,
    wire::{KNOCK, SPARES, WELCOME, Wait},
};

/// Of one worker. It wants a few, and has as many again while it replaces them.
const SPARES_MAX: usize = 8;

/// A registered worker's right to keep some.
#[derive(Debug)]
pub(super) struct Allowance {
    pub(super) key: PairingKey,
    asked: Numbers,
    places: Arc<Semaphore>,
    /// Ends them.
    left: CancellationToken,
    _here: DropGuard,
}

/// One that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    left: CancellationToken,
    _places: [OwnedSemaphorePermit; 2],
    _open: Open,
}

impl Allowance {
    pub(super) fn new() -> Self {
        let left = CancellationToken::new();
        Self {
            key: PairingKey::generate(),
            asked: Numbers::default(),
            places: Arc::new(Semaphore::new(SPARES_MAX)),
            _here: left.clone().drop_guard(),
            left,
        }
    }
}

/// Which numbers have come: the largest one, and which of those shortly before it, as they overtake each other.
#[derive(Debug, Default)]
struct Numbers {
    largest: u64,
    /// Bit i: `largest - i` has come.
    came: u64,
}

impl Numbers {
    /// Whether it may be the first time; remembers it. What is too far back to tell counts as a repetition.
    fn is_new(&mut self, number: u64) -> bool {
        if number > self.largest {
            let by = u32::try_from(number - self.largest).unwrap_or(u32::MAX);
            self.came = self.came.checked_shl(by).unwrap_or(0) | 1;
            self.largest = number;
            return true;
        }
        let back = u32::try_from(self.largest - number).unwrap_or(u32::MAX);
        let bit = 1_u64.checked_shl(back).unwrap_or(0);
        let new = number > 0 && bit != 0 && self.came & bit == 0;
        self.came |= bit;
        new
    }
}

/// `None`: it is refused.
pub(super) fn admit(wait: &Sealed, shared: &Shared) -> Result<Option<Kept>, WireError> {
    let unchecked: Wait = wait.unchecked()?;
    let kept = shared.registry.spares(&unchecked.worker, |allowance| {
        let Wait { number, .. } = wait.open(&allowance.key, SPARES, b"")?;
        if !allowance.asked.is_new(number) {
            return Err(WireError::Malformed {
                what: "number of a spare",
            });
        }
        let place = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let places = place(&allowance.places).zip(place(&shared.spares));
        Ok(places.map(|(own, all)| Kept {
            left: allowance.left.clone(),
            _places: [own, all],
            _open: shared.counters.spare_here(),
        }))
    });
    kept.unwrap_or(Err(WireError::Malformed { what: "worker" }))
}

/// Until it knocks, then the knock's whole life.
pub(super) async fn attend(mut tcp: TcpStream, public: SocketAddr, kept: Kept, shared: &Shared) {
    let knocked = async {
        tcp.write_u8(WELCOME).await?;
        tcp.read_u8().await
    };
    let first = tokio::select! {
        first = timeout(shared.limits.spare_age_max, knocked) => first,
        () = kept.left.cancelled() => return,
    };
    // Too old, closed, or not what was agreed on.
    if !matches!(first, Ok(Ok(KNOCK))) {
        return;
    }
    let knock = timeout(shared.limits.greeting_max, Sealed::read(&mut tcp)).await;
    drop(kept);
    match knock {
        Ok(Ok(knock)) => meeting::attend(tcp, public, knock, shared).await,
        Ok(Err(_)) | Err(_) => shared.counters.refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_once_in_whatever_order() {
        let mut numbers = Numbers::default();
        assert!(!numbers.is_new(0));
        for new in [2, 1, 5, 3, 70, 69, 7] {
            assert!(numbers.is_new(new), "{new}");
            assert!(!numbers.is_new(new), "{new}");
        }
        for old in [1, 2, 3, 5, 69, 70] {
            assert!(!numbers.is_new(old), "{old}");
        }
        // Nobody remembers whether that one has come.
        assert!(!numbers.is_new(6));
        assert!(numbers.is_new(u64::MAX));
        assert!(!numbers.is_new(70));
    }
}
