//! Rows that instances keep for one table: each reads a part of the input, and one takes what all have kept.
//!
//! ```text
//! hold_rows -> push .. -> finish                                      each instance
//!                                take_rows .. -> finish -> take_table     one of them
//! ```
//! Rows are copied as they lie in memory, which is the same for all instances of a fragment, whichever facts their modules
//! rely on. Only long text lies elsewhere, and is copied with the rows that name it.

use std::sync::Arc;

use super::{Check, Instance, builds, lock, write};
use crate::{
    RunError,
    abi::{CHUNK_ROWS, control, kept, view},
    codegen,
    fragment::Storage,
    runtime::memory::{Arena, SharedArena},
};

/// Text that is taken at once, unless one row alone has more: it is copied between two checks. Bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// How rows lie in memory.
struct Layout {
    row_bytes: usize,
    /// Where views of text are in a row.
    texts: Vec<usize>,
}

/// Rows that lie one behind the other.
struct Piece {
    address: u64,
    rows: usize,
    /// Bytes of their long text.
    text_bytes: u64,
}

/// What an instance says about its rows.
struct Kept {
    rows: usize,
    null_key: u32,
    low: i64,
    high: i64,
    text_bytes: u64,
}

impl Instance {
    /// Makes the end of the input leave the rows of a table where they are, to be taken by another instance, or to be
    /// built here by another [`Self::finish`].
    ///
    /// Errors: [`RunError::Shape`] for fragments that build no table.
    pub fn hold_rows(&mut self, holds: bool) -> Result<(), RunError> {
        if !builds(self.module.fragment()) {
            return Err(self.shape("it builds no table".to_owned()));
        }
        self.with_arena(|arena| {
            write(arena, control::HOLDS, u32::from(holds));
            Ok(())
        })
    }

    /// Adds the rows that another instance of the same fragment has kept, all inputs of which have ended; they stay there,
    /// too. `check` runs between pieces of them and may stop the copying. To be called when the own inputs have ended.
    ///
    /// Errors: [`RunError::Shape`] for an instance of another fragment, or one that still reads; every other error ends
    /// this instance.
    pub fn take_rows(&mut self, from: &Self, check: Check<'_>) -> Result<(), RunError> {
        let (own, other) = (self.module.fragment(), from.module.fragment());
        if own.general() != other.general() || from.unfinished > 0 {
            return Err(self.shape(format!("rows of module {}", from.module.name())));
        }
        let calls = Arc::clone(&self.calls);
        let Some(make_room) = &calls.make_room else {
            return Err(self.shape("it builds no table".to_owned()));
        };
        let (places, row_bytes) = codegen::table_places(self.module.output());
        let texts = places.iter().filter(|of| of.storage == Storage::View);
        let layout = Layout {
            row_bytes,
            texts: texts.map(|of| of.offset).collect(),
        };
        let (mut all, other) = (self.kept(), from.kept());
        all.add(&other);
        let (shared, mut taken) = (SharedArena::clone(&from.arena), 0);
        while taken < other.rows {
            // Rows of one chunk there go into one chunk here.
            let left = |row: usize| CHUNK_ROWS - row % CHUNK_ROWS;
            let most = left(taken).min(left(all.rows)).min(other.rows - taken);
            let source = lock(&shared);
            let source = source.as_ref().expect("the store keeps its memory");
            let piece = layout.piece(source, taken, most);
            let piece = piece.ok_or_else(|| from.outside())?;
            // More than there are addresses is more than the guest can have room for.
            let text_bytes = u32::try_from(piece.text_bytes).unwrap_or(u32::MAX);
            self.run(make_room, text_bytes, check)?;
            let copied = self.with_arena(|arena| Ok(layout.copy(source, &piece, arena, all.rows)));
            copied?.ok_or_else(|| self.outside())?;
            taken += piece.rows;
            all.rows += piece.rows;
            self.with_arena(|arena| {
                all.write(arena);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn kept(&self) -> Kept {
        let field = |at| self.read(control::KEPT + at);
        let long = |at| self.read_long(control::KEPT + at);
        Kept {
            rows: field(kept::ROWS) as usize,
            null_key: field(kept::NULL_KEY),
            low: long(kept::LOW).cast_signed(),
            high: long(kept::HIGH).cast_signed(),
            text_bytes: long(kept::TEXT_BYTES),
        }
    }

    fn outside(&self) -> RunError {
        self.broken("its rows are outside the windows".to_owned())
    }
}

impl Kept {
    /// With what is known of the rows of another instance, which are not counted yet.
    fn add(&mut self, other: &Self) {
        (self.low, self.high) = match (self.rows, other.rows) {
            (_, 0) => (self.low, self.high),
            (0, _) => (other.low, other.high),
            _ => (self.low.min(other.low), self.high.max(other.high)),
        };
        self.null_key |= other.null_key;
        self.text_bytes = self.text_bytes.saturating_add(other.text_bytes);
    }

    fn write(&self, arena: &mut Arena) {
        let mut long = |at: u32, value: u64| {
            write(arena, control::KEPT + at, value as u32);
            write(arena, control::KEPT + at + 4, (value >> 32) as u32);
        };
        long(kept::LOW, self.low.cast_unsigned());
        long(kept::HIGH, self.high.cast_unsigned());
        long(kept::TEXT_BYTES, self.text_bytes);
        write(arena, control::KEPT + kept::NULL_KEY, self.null_key);
        write(arena, control::KEPT + kept::ROWS, self.rows as u32);
    }
}

impl Layout {
    /// Where a row is, by its number; `None` where the list of chunks is in no window.
    fn row(&self, arena: &Arena, number: usize) -> Option<u64> {
        let chunks = arena.bytes((control::KEPT + kept::CHUNKS).into(), 4)?;
        let entry = u64::from(u32_at(chunks, 0)) + 4 * (number / CHUNK_ROWS) as u64;
        let chunk = u32_at(arena.bytes(entry, 4)?, 0);
        Some(u64::from(chunk) + (number % CHUNK_ROWS * self.row_bytes) as u64)
    }

    /// Some of `most` rows of one chunk, as many as have text that can be taken at once; `None` where they are in no window.
    fn piece(&self, source: &Arena, first: usize, most: usize) -> Option<Piece> {
        let address = self.row(source, first)?;
        let bytes = source.bytes(address, (most * self.row_bytes) as u64)?;
        let (mut rows, mut text_bytes) = (most, 0);
        if !self.texts.is_empty() {
            rows = 0;
            for row in bytes.chunks_exact(self.row_bytes) {
                let long = self.texts.iter().filter_map(|at| long_text(row, *at));
                let with_row = text_bytes + long.map(|(_, bytes)| bytes).sum::<u64>();
                if rows > 0 && with_row > TEXT_BYTES_MAX {
                    break;
                }
                (rows, text_bytes) = (rows + 1, with_row);
            }
        }
        Some(Piece {
            address,
            rows,
            text_bytes,
        })
    }

    /// Copies rows to where there is room for them from row `at` on, and their text to its room; `None` where one of these is
    /// in no window.
    fn copy(&self, source: &Arena, piece: &Piece, target: &mut Arena, at: usize) -> Option<()> {
        let bytes = (piece.rows * self.row_bytes) as u64;
        let place = self.row(target, at)?;
        let rows = target.bytes_mut(place, bytes)?;
        rows.copy_from_slice(source.bytes(piece.address, bytes)?);
        if piece.text_bytes == 0 {
            return Some(());
        }
        let room = target.bytes(control::TEXT_ROOM.into(), 4)?;
        let mut room = u64::from(u32_at(room, 0));
        for row in (place..place + bytes).step_by(self.row_bytes) {
            for offset in &self.texts {
                let view = row + *offset as u64;
                let Some((of, length)) = long_text(target.bytes(view, view::BYTES.into())?, 0)
                else {
                    continue;
                };
                let text = target.bytes_mut(room, length)?;
                text.copy_from_slice(source.bytes(of, length)?);
                let address = target.bytes_mut(view + u64::from(view::ADDRESS), 4)?;
                address.copy_from_slice(&u32::try_from(room).ok()?.to_le_bytes());
                room += length;
            }
        }
        Some(())
    }
}

/// Address and bytes of the text that a view in a row names, if it is long.
fn long_text(row: &[u8], at: usize) -> Option<(u64, u64)> {
    let length = u32_at(row, at + view::LENGTH as usize);
    let address = u32_at(row, at + view::ADDRESS as usize);
    (length > view::INLINE_BYTES_MAX).then_some((address.into(), length.into()))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = &bytes[at..at + 4];
    u32::from_le_bytes(field.try_into().expect("four bytes"))
}
