//! Rows that instances keep for one table: each reads a part of the input, and one takes what all have kept.
//!
//! ```text
//! hold_rows -> push .. -> finish                                  each instance
//!                                take_rows .. -> finish -> take_table     one of them
//! ```

use std::ops::Range;

use super::{Check, Instance, builds, lock, write};
use crate::{
    RunError,
    abi::{TAKEN_ROWS_MAX, control, view},
    codegen,
    fragment::Storage,
    runtime::{
        input::Writer,
        ledger::Ledger,
        memory::{Arena, SharedArena},
    },
};

/// Text that is taken at once, unless one row alone has more: one call copies it, and calls are short. Bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// How rows lie in memory.
struct Layout {
    row_bytes: usize,
    /// Where views of text are in a row.
    texts: Vec<usize>,
}

/// Rows of another instance that lie one behind the other.
struct Piece {
    /// Where they are there.
    address: u64,
    rows: usize,
    /// Bytes of their long text.
    text_bytes: u64,
}

impl Instance {
    /// Makes the end of the input leave the rows of a table where they are, to be taken by another instance, or to be
    /// built here by another [`Self::finish`].
    pub fn hold_rows(&mut self, holds: bool) -> Result<(), RunError> {
        if !builds(self.module.fragment()) {
            return Err(self.shape("it builds no table".to_owned()));
        }
        self.with_arena(|arena| {
            write(arena, control::HOLDS, u32::from(holds));
            Ok(())
        })
    }

    /// Adds the rows that another instance of the same fragment has kept, all inputs of which have ended. It has them no
    /// less then. `check` runs between calls and may stop them.
    ///
    /// Errors: [`RunError::Shape`] for an instance of another fragment, or one that still reads.
    pub fn take_rows(&mut self, from: &Self, check: Check<'_>) -> Result<(), RunError> {
        let (own, other) = (self.module.fragment(), from.module.fragment());
        if own.general() != other.general() || from.unfinished > 0 {
            return Err(self.shape(format!("rows of module {}", from.module.name())));
        }
        let calls = self.calls.clone();
        let Some(take) = &calls.take else {
            return Err(self.shape("it builds no table".to_owned()));
        };
        let (places, row_bytes) = codegen::table_places(self.module.output());
        let texts = places.iter().filter(|of| of.storage == Storage::View);
        let layout = Layout {
            row_bytes,
            texts: texts.map(|of| of.offset).collect(),
        };
        let rows = from.read(control::KEPT + 8) as usize;
        let mut next = 0;
        while next < rows {
            let last = rows.min((next / TAKEN_ROWS_MAX + 1) * TAKEN_ROWS_MAX);
            let taken = self.copy_rows(from, &layout, next..last)?;
            self.run(take, taken as u32, check)?;
            next += taken;
        }
        Ok(())
    }

    /// Copies rows of one chunk into the input window, as many as their text allows; how many.
    fn copy_rows(
        &mut self,
        from: &Self,
        layout: &Layout,
        rows: Range<usize>,
    ) -> Result<usize, RunError> {
        let outside = || from.broken("its rows are outside the windows".to_owned());
        let shared = SharedArena::clone(&from.arena);
        let source = lock(&shared);
        let source = source.as_ref().expect("the store keeps its memory");
        let piece = layout.piece(source, rows).ok_or_else(outside)?;
        let Self { arena, ledger, .. } = self;
        let mut target = lock(arena);
        let target = target.as_mut().expect("the store keeps its memory");
        let copied = layout.copy(source, &piece, target, ledger)?;
        copied.ok_or_else(outside)?;
        Ok(piece.rows)
    }
}

impl Layout {
    /// The first of these rows of one chunk, with text that can be taken at once; `None` where they are in no window.
    fn piece(&self, source: &Arena, rows: Range<usize>) -> Option<Piece> {
        let chunks = u32_at(source.bytes(control::KEPT.into(), 4)?, 0);
        let (chunk, row) = (rows.start / TAKEN_ROWS_MAX, rows.start % TAKEN_ROWS_MAX);
        let entry = u64::from(chunks) + 4 * chunk as u64;
        let chunk = u32_at(source.bytes(entry, 4)?, 0);
        let mut piece = Piece {
            address: u64::from(chunk) + (row * self.row_bytes) as u64,
            rows: 0,
            text_bytes: 0,
        };
        let bytes = source.bytes(piece.address, (rows.len() * self.row_bytes) as u64)?;
        if self.texts.is_empty() {
            piece.rows = rows.len();
            return Some(piece);
        }
        for row in bytes.chunks_exact(self.row_bytes) {
            let texts = self.texts.iter();
            let long = texts.filter_map(|at| long_text(row, *at));
            let text_bytes = piece.text_bytes + long.map(|(_, bytes)| bytes).sum::<u64>();
            if piece.rows > 0 && text_bytes > TEXT_BYTES_MAX {
                break;
            }
            piece.rows += 1;
            piece.text_bytes = text_bytes;
        }
        Some(piece)
    }

    /// Copies rows, and their long text behind them, and says in the control block where they are; `None` where the text is in
    /// no window.
    fn copy(
        &self,
        source: &Arena,
        piece: &Piece,
        target: &mut Arena,
        ledger: &mut Ledger,
    ) -> Result<Option<()>, RunError> {
        let bytes = piece.rows * self.row_bytes;
        let next = target.windows().private_end;
        let mut writer = Writer::new(target, ledger, next);
        let rows = writer.buffer(bytes)?;
        let text_bytes = piece.text_bytes as usize;
        let text = writer.buffer(text_bytes)?;
        let between = (text - rows) as usize;
        let all = writer.bytes(rows, between + text_bytes);
        let (rows_part, mut texts_part) = all.split_at_mut(between);
        let Some(kept) = source.bytes(piece.address, bytes as u64) else {
            return Ok(None);
        };
        let rows_part = &mut rows_part[..bytes];
        rows_part.copy_from_slice(kept);
        let mut address = text;
        if !self.texts.is_empty() {
            for row in rows_part.chunks_exact_mut(self.row_bytes) {
                for at in &self.texts {
                    let Some((of, length)) = long_text(row, *at) else {
                        continue;
                    };
                    let Some(long) = source.bytes(of, length) else {
                        return Ok(None);
                    };
                    let (to, behind) = std::mem::take(&mut texts_part).split_at_mut(long.len());
                    to.copy_from_slice(long);
                    texts_part = behind;
                    let place = at + view::ADDRESS as usize;
                    row[place..place + 4].copy_from_slice(&address.to_le_bytes());
                    address += length as u32;
                }
            }
        }
        write(target, control::TAKEN, rows);
        write(target, control::TAKEN_TEXT, piece.text_bytes as u32);
        Ok(Some(()))
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
