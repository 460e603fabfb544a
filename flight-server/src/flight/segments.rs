//! A message in pieces: one HTTP/2 DATA frame, and one system call, for many column buffers.
//!
//! As separate buffers each would be a frame of its own, and each frame a write and a wake-up of the receiver.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

/// Bytes that follow each other but do not lie beside each other.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    parts: VecDeque<Bytes>,
    remaining: usize,
}

impl Segments {
    pub(super) fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.remaining += part.len();
            self.parts.push_back(part);
        }
    }

    /// What follows.
    pub(super) fn append(&mut self, mut other: Self) {
        self.remaining += other.remaining;
        self.parts.append(&mut other.parts);
    }
}

impl From<Bytes> for Segments {
    fn from(bytes: Bytes) -> Self {
        let mut segments = Self::default();
        segments.push(bytes);
        segments
    }
}

impl Buf for Segments {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], Bytes::as_ref)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.parts);
        filled
            .map(|(slice, part)| *slice = IoSlice::new(part))
            .count()
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advanced past the end");
        self.remaining -= count;
        while let Some(part) = self.parts.front_mut() {
            if count < part.len() {
                part.advance(count);
                return;
            }
            count -= part.len();
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_same_in_steps_of_any_size() {
        for step in 1..12 {
            let mut segments = Segments::from(Bytes::from_static(b"abc"));
            segments.push(Bytes::new());
            segments.push(Bytes::from_static(b"d"));
            segments.append(Bytes::from_static(b"efghij").into());
            let mut read = Vec::new();
            while segments.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let filled = segments.chunks_vectored(&mut slices);
                let seen: Vec<u8> = slices[..filled]
                    .iter()
                    .flat_map(|slice| slice.iter().copied())
                    .collect();
                let taken = step.min(seen.len());
                read.extend_from_slice(&seen[..taken]);
                segments.advance(taken);
            }
            assert_eq!(read, b"abcdefghij");
        }
    }
}
