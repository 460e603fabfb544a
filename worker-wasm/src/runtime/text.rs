//! Text between Arrow's views, which name a buffer and an offset, and the guest's, which name an address.
//!
//! Errors: going in there are none; coming out, a view that leads outside the windows or to something that is not UTF-8,
//! and more text than Arrow's views can name.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, StringViewArray},
    buffer::{Buffer, NullBuffer, ScalarBuffer},
};

use super::memory::Arena;
use crate::abi::view;

const VIEW_BYTES: usize = view::BYTES as usize;
const ADDRESS_BITS: u32 = 8 * view::ADDRESS;
/// Where Arrow's views have the offset into their buffer.
const OFFSET_BITS: u32 = 96;
/// Offsets in Arrow's views have 31 bits. Also what a hostile guest can make the host copy.
const LONG_BYTES_MAX: usize = i32::MAX as usize;

/// Bytes of the rows that do not fit their view.
pub(super) fn long_bytes(texts: &StringViewArray) -> usize {
    if texts.data_buffers().is_empty() {
        return 0;
    }
    let long = |view: u128| match view as u32 {
        length if length > view::INLINE_BYTES_MAX => length as usize,
        _ => 0,
    };
    match texts.nulls() {
        None => texts.views().iter().map(|view| long(*view)).sum(),
        Some(nulls) => nulls
            .valid_indices()
            .map(|row| long(texts.views()[row]))
            .sum(),
    }
}

/// Writes the views of `texts`, and what does not fit them to `long`, whose address is `address`.
pub(super) fn write_views(
    views: &mut [u8],
    long: &mut [u8],
    address: u32,
    texts: &StringViewArray,
) {
    let slots = views.as_chunks_mut::<VIEW_BYTES>().0;
    if texts.data_buffers().is_empty() && texts.null_count() == 0 {
        for (slot, view) in slots.iter_mut().zip(texts.views()) {
            *slot = view.to_le_bytes();
        }
        return;
    }
    let mut next = 0;
    for (row, slot) in slots.iter_mut().enumerate() {
        // What the views of nulls say is arbitrary, and generated code may follow them.
        let mut view = match texts.is_valid(row) {
            true => texts.views()[row],
            false => 0,
        };
        if view as u32 > view::INLINE_BYTES_MAX {
            let text = texts.value(row).as_bytes();
            long[next..next + text.len()].copy_from_slice(text);
            view &= (1 << ADDRESS_BITS) - 1;
            view |= (u128::from(address) + next as u128) << ADDRESS_BITS;
            next += text.len();
        }
        *slot = view.to_le_bytes();
    }
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
    use arrow::array::AsArray;

    use super::*;
    use crate::abi::Windows;

    /// The view of `length` bytes at an address.
    fn long_view(length: u32, address: u32) -> [u8; VIEW_BYTES] {
        (u128::from(length) | u128::from(address) << ADDRESS_BITS).to_le_bytes()
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
