//! Text between Arrow's views, which name a buffer and an offset, and the guest's, which name an address.
//!
//! Errors: going in there are none; coming out, a view that leads outside the windows or to something that is not UTF-8,
//! and more text than Arrow's views can name.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, StringViewArray},
    buffer::{Buffer, NullBuffer, ScalarBuffer},
};

use super::{memory::Arena, values::Rows};
use crate::abi::view;

const VIEW_BYTES: usize = view::BYTES as usize;
const ADDRESS_BITS: u32 = 8 * view::ADDRESS;
/// Where Arrow's views have their buffer, and the offset into it.
const BUFFER_BITS: u32 = 64;
const OFFSET_BITS: u32 = 96;
/// Offsets in Arrow's views have 31 bits. Also what a hostile guest can make the host copy.
const LONG_BYTES_MAX: usize = i32::MAX as usize;

/// Ranges of buffers are copied whole where that is at most so many times what the rows need, and a bit more.
const SPREAD_MAX: usize = 2;
const SPREAD_BYTES: usize = 4096;

/// What of an array's text does not fit its views, and how it gets into the window.
pub(super) struct LongText {
    /// Of all rows. A row counts as often as its text occurs.
    bytes: usize,
    /// Of the longest row.
    longest: u32,
    /// Per buffer of the array what its rows reach; empty, with its start behind its end, where none does.
    ranges: Vec<Range<u32>>,
    /// Whether the ranges are copied as they are, not row by row.
    whole: bool,
}

impl LongText {
    /// Of some rows of an array.
    pub(super) fn of(texts: &StringViewArray, rows: &Rows<'_>) -> Self {
        let (mut bytes, mut longest) = (0, 0);
        let none = Range {
            start: u32::MAX,
            end: 0,
        };
        let mut ranges = vec![none; texts.data_buffers().len()];
        // Columns of codes and flags come with the pages of their file, into which none of their views leads.
        let views = texts.views().iter();
        let all_short =
            views.fold(0, |longest, view| longest.max(*view as u32)) <= view::INLINE_BYTES_MAX;
        let nulls = texts.nulls().filter(|nulls| nulls.null_count() > 0);
        let mut note = |row: usize| {
            let view = texts.views()[row];
            let length = view as u32;
            if length > view::INLINE_BYTES_MAX && nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                let (buffer, offset) = place(view);
                let range = &mut ranges[buffer];
                range.start = range.start.min(offset);
                range.end = range.end.max(offset + length);
                bytes += length as usize;
                longest = longest.max(length);
            }
        };
        match rows {
            _ if all_short => {}
            Rows::Range(range) => range.clone().for_each(&mut note),
            Rows::Each(rows) => rows.iter().for_each(|row| note(*row as usize)),
        }
        let spread: usize = ranges.iter().map(|range| range.len()).sum();
        Self {
            bytes,
            longest,
            whole: spread <= bytes * SPREAD_MAX + SPREAD_BYTES,
            ranges,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn longest(&self) -> u32 {
        self.longest
    }

    /// What is copied beside the views.
    pub(super) fn copied_bytes(&self) -> usize {
        match self.whole {
            true => self.ranges.iter().map(|range| range.len()).sum(),
            false => self.bytes,
        }
    }

    /// Writes the views of the rows, and the text that does not fit them to `long`, whose address is `address`.
    pub(super) fn write(
        &self,
        texts: &StringViewArray,
        rows: &Rows<'_>,
        views: &mut [u8],
        long: &mut [u8],
        address: u32,
    ) {
        let slots = views.as_chunks_mut::<VIEW_BYTES>().0;
        if let Rows::Range(range) = rows
            && self.bytes == 0
            && texts.null_count() == 0
        {
            let slots = slots[range.clone()].iter_mut();
            let views = &texts.views()[range.clone()];
            slots
                .zip(views)
                .for_each(|(slot, view)| *slot = view.to_le_bytes());
            return;
        }
        let starts = match self.whole {
            true => self.copy_ranges(texts, long, address),
            false => Vec::new(),
        };
        let mut next = 0;
        let mut put = |row: usize| {
            // What the views of nulls say is arbitrary, and generated code may follow them.
            let mut view = match texts.is_valid(row) {
                true => texts.views()[row],
                false => 0,
            };
            if view as u32 > view::INLINE_BYTES_MAX {
                let (buffer, offset) = place(view);
                let there = match starts.get(buffer) {
                    Some(start) => start.wrapping_add(offset),
                    None => {
                        let text = texts.value(row).as_bytes();
                        long[next..next + text.len()].copy_from_slice(text);
                        next += text.len();
                        address + (next - text.len()) as u32
                    }
                };
                view &= (1 << ADDRESS_BITS) - 1;
                view |= u128::from(there) << ADDRESS_BITS;
            }
            slots[row] = view.to_le_bytes();
        };
        match rows {
            Rows::Range(range) => range.clone().for_each(&mut put),
            Rows::Each(rows) => rows.iter().for_each(|row| put(*row as usize)),
        }
    }

    /// Copies the ranges one behind the other. Where offset 0 of each buffer would lie, wrapping.
    fn copy_ranges(&self, texts: &StringViewArray, long: &mut [u8], address: u32) -> Vec<u32> {
        let mut next = 0;
        let buffers = self.ranges.iter().zip(texts.data_buffers());
        let starts = buffers.map(|(range, buffer)| {
            let start = (address + next as u32).wrapping_sub(range.start);
            if !range.is_empty() {
                let text = &buffer[range.start as usize..range.end as usize];
                long[next..next + text.len()].copy_from_slice(text);
                next += text.len();
            }
            start
        });
        starts.collect()
    }
}

/// Buffer and offset that one of Arrow's views of long text names.
fn place(view: u128) -> (usize, u32) {
    (
        ((view >> BUFFER_BITS) as u32) as usize,
        (view >> OFFSET_BITS) as u32,
    )
}

/// The texts that a guest's views stand for.
pub(super) fn read_views(
    arena: &Arena,
    views: &[u8],
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, String> {
    let mut out = Vec::with_capacity(views.len() / VIEW_BYTES);
    let mut long = Vec::new();
    for (row, slot) in views.as_chunks::<VIEW_BYTES>().0.iter().enumerate() {
        let mut view = u128::from_le_bytes(*slot);
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            view = 0;
        }
        let length = view as u32;
        if length > view::INLINE_BYTES_MAX {
            let address = (view >> ADDRESS_BITS) as u32;
            let text = arena.bytes(u64::from(address), u64::from(length));
            let text = text.ok_or_else(|| format!("text at {address} is outside the windows"))?;
            if long.len() + text.len() > LONG_BYTES_MAX {
                return Err("more text is out than one batch can have".to_owned());
            }
            // The number of the one buffer is 0.
            view &= (1 << ADDRESS_BITS) - 1;
            view |= (long.len() as u128) << OFFSET_BITS;
            long.extend_from_slice(text);
        }
        out.push(view);
    }
    let texts = StringViewArray::try_new(ScalarBuffer::from(out), [Buffer::from(long)], nulls);
    Ok(Arc::new(texts.map_err(|e| e.to_string())?))
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{AsArray, UInt32Array},
        compute::take,
    };

    use super::*;
    use crate::abi::Windows;

    /// The view of `length` bytes at an address.
    fn long_view(length: u32, address: u32) -> [u8; VIEW_BYTES] {
        (u128::from(length) | u128::from(address) << ADDRESS_BITS).to_le_bytes()
    }

    /// What comes out again of `texts` in the input window, and how many bytes of long text that took.
    fn round_trip(texts: &StringViewArray) -> (ArrayRef, usize) {
        let mut arena = Arena::reserve(Windows::SMALL, 0).unwrap();
        let start = Windows::SMALL.private_end;
        let all = Rows::Range(0..texts.len());
        let long = LongText::of(texts, &all);
        let views_bytes = texts.len() * VIEW_BYTES;
        let bytes = (views_bytes + long.copied_bytes()) as u64;
        let window = arena.bytes_mut(start, bytes).unwrap();
        let (views, text) = window.split_at_mut(views_bytes);
        long.write(texts, &all, views, text, start as u32 + views_bytes as u32);
        let views = arena.bytes(start, views_bytes as u64).unwrap();
        let out = read_views(&arena, views, texts.nulls().cloned()).unwrap();
        (out, long.copied_bytes())
    }

    #[test]
    fn text_is_copied_in_one_piece_or_row_by_row() {
        let text = |row: usize| format!("{row}, told at some length");
        let all: StringViewArray = (0..10_000)
            .map(|row| (row % 7 > 0).then(|| text(row)))
            .collect();
        let check = |rows: &[u32], copied: std::ops::Range<usize>| {
            let rows = UInt32Array::from(rows.to_vec());
            let taken = take(&all, &rows, None).unwrap();
            let (out, bytes) = round_trip(taken.as_string_view());
            assert_eq!(&out, &taken);
            assert!(copied.contains(&bytes), "{bytes}");
        };
        let length = text(9_999).len();
        // Neighbours come with what lies between them; what is far apart does not.
        check(&[1, 2, 3, 8], 4 * 22..9 * length);
        check(&[1, 9_999], 44..2 * length + 1);
        // A text that occurs often is there once.
        check(&[5_000; 1000], length..length + 1);
        check(&[0, 7], 0..1);
        check(&[], 0..1);
        let (out, _) = round_trip(&all);
        assert_eq!(out.as_string_view(), &all);
    }

    #[test]
    fn views_lead_to_text_in_the_windows_and_nowhere_else() {
        let mut arena = Arena::reserve(Windows::SMALL, 0).unwrap();
        arena.grow_private(65_536).unwrap();
        let text = b"text that does not fit a view";
        arena.bytes_mut(1000, 29).unwrap().copy_from_slice(text);
        // Arrow's views have the first four bytes in them.
        let mut good = long_view(29, 1000);
        good[4..8].copy_from_slice(&text[..4]);
        let read = |view: [u8; VIEW_BYTES], nulls| read_views(&arena, &view, nulls);
        let texts = read(good, None).unwrap();
        assert_eq!(texts.as_string_view().value(0).as_bytes(), text);
        assert!(read(long_view(29, 65_520), None).is_err());
        assert!(read(long_view(u32::MAX, 1000), None).is_err());
        // Another prefix than the text's, and text that is not UTF-8.
        assert!(read(long_view(29, 1000), None).is_err());
        assert!(read((u128::from(1u32) | 0xff << 32).to_le_bytes(), None).is_err());
        let null = NullBuffer::from(vec![false]);
        assert!(read(long_view(29, 65_520), Some(null)).is_ok());
    }
}
