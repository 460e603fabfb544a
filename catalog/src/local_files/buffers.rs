//! Memory that is read into, and read into again.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// What is kept while nobody reads, in bytes, for all of a process.
const IDLE_BYTES_MAX: usize = 64 << 20;
/// Lengths are rounded up to it, so that a buffer fits reads of about its size.
const STEP: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Shortest first, none empty.
    idle: Mutex<Vec<Vec<u8>>>,
}

/// A buffer that goes back where it came from.
struct Lent {
    buffer: Vec<u8>,
    len: usize,
    home: Arc<Buffers>,
}

impl Buffers {
    /// `len` bytes that `fill` has written all of; what stood there before is no secret to it.
    pub(super) fn filled<E>(
        self: &Arc<Self>,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        let mut lent = Lent {
            buffer: self.take(len),
            len,
            home: Arc::clone(self),
        };
        fill(&mut lent.buffer[..len])?;
        Ok(Bytes::from_owner(lent))
    }

    /// At least `len` bytes.
    fn take(&self, len: usize) -> Vec<u8> {
        let mut idle = self.idle.lock();
        let place = idle.partition_point(|buffer| buffer.len() < len);
        if place < idle.len() {
            return idle.remove(place);
        }
        drop(idle);
        vec![0; len.next_multiple_of(STEP)]
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut idle = self.idle.lock();
        let place = idle.partition_point(|other| other.len() < buffer.len());
        idle.insert(place, buffer);
        // Long ones fit short reads as well.
        let mut bytes: usize = idle.iter().map(Vec::len).sum();
        let dropped = idle.iter().take_while(|buffer| {
            let is_too_much = bytes > IDLE_BYTES_MAX;
            bytes -= buffer.len();
            is_too_much
        });
        let dropped = dropped.count();
        let dropped: Vec<_> = idle.drain(..dropped).collect();
        drop(idle);
        drop(dropped);
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffers: &Arc<Buffers>, len: usize, byte: u8) -> Bytes {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(byte);
            Ok::<_, ()>(())
        };
        buffers.filled(len, fill).unwrap()
    }

    fn idle_bytes(buffers: &Buffers) -> usize {
        buffers.idle.lock().iter().map(Vec::len).sum()
    }

    #[test]
    fn a_buffer_is_used_again_once_nothing_of_it_is() {
        let buffers = Arc::new(Buffers::default());
        let first = filled(&buffers, 3 * STEP, 1);
        let place = first.as_ptr();
        let part = first.slice(7..9);
        drop(first);
        let second = filled(&buffers, STEP, 2);
        assert_ne!(second.as_ptr(), place);
        assert_eq!(*part, [1, 1]);
        drop((part, second));
        let third = filled(&buffers, 2 * STEP, 3);
        assert_eq!((third.as_ptr(), third.len()), (place, 2 * STEP));
        assert!(third.iter().all(|byte| *byte == 3));
    }

    #[test]
    fn a_read_that_fails_gives_its_buffer_back() {
        let buffers = Arc::new(Buffers::default());
        buffers.filled(STEP, |_| Err(())).unwrap_err();
        assert_eq!(idle_bytes(&buffers), STEP);
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_long_ones_stay() {
        let buffers = Arc::new(Buffers::default());
        let many: Vec<_> = (1..=40).map(|n| filled(&buffers, n * STEP, 0)).collect();
        drop(many);
        assert!(idle_bytes(&buffers) <= IDLE_BYTES_MAX);
        assert!(idle_bytes(&buffers) > IDLE_BYTES_MAX / 2);
        let longest = buffers.idle.lock().last().map(Vec::len);
        assert_eq!(longest, Some(40 * STEP));
        drop(filled(&buffers, IDLE_BYTES_MAX + 1, 0));
        assert_eq!(idle_bytes(&buffers), 0);
    }
}
