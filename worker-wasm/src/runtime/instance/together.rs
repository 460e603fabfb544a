//! A table that several instances build, each of the rows that it has read.
//!
//! ```text
//! hold_rows -> push .. -> finish                             each, on its thread
//!                                lay_out                     one of them, with all others
//!                                        copy_rows           each; at the same time, where `lay_out` says so
//!                                                  take_table    the one that laid it out, when the others are gone
//! ```
//! Rows lie in the private memory of who has read them until each is copied to its place in the table, which all have mapped
//! then. Who takes which [`step`] is said there.

use std::sync::Arc;

use super::{Check, Instance, builds, in_arena, lock, write, write_long};
use crate::{
    RunError,
    abi::{TEXT_PIECE_BYTES, control, kept, step, table as header},
    runtime::{memory::Arena, table},
};

/// What an instance says about its rows.
#[derive(Debug, Clone, Copy)]
struct Kept {
    rows: u64,
    null_key: u32,
    low: i64,
    high: i64,
    text_bytes: u64,
}

impl Instance {
    /// Makes the end of the input leave the rows of a table where they are.
    ///
    /// Errors: [`RunError::Shape`] for fragments that build no table.
    pub fn hold_rows(&mut self) -> Result<(), RunError> {
        if !builds(self.module.fragment()) {
            return Err(self.shape("it builds no table".to_owned()));
        }
        self.with_arena(|arena| {
            write(arena, control::STEPS_DONE, step::ALL);
            Ok(())
        })
    }

    /// Rows that are kept for a table.
    pub fn kept_rows(&self) -> u64 {
        self.kept().rows
    }

    /// Makes a table for the rows that several instances of one fragment hold, all inputs of which have ended. Then each
    /// [copies its own](Self::copy_rows). Whether they may do so at the same time.
    ///
    /// Errors: [`RunError::Shape`] for instances of several fragments, and for those that hold no rows; every other error
    /// ends all of them.
    pub fn lay_out(
        &mut self,
        others: &mut [&mut Self],
        check: Check<'_>,
    ) -> Result<bool, RunError> {
        for other in others.iter() {
            self.builds_with(other)?;
        }
        let own = self.kept();
        let parts: Vec<_> = others.iter().map(|other| other.kept()).collect();
        let all = parts.iter().fold(own, |all, part| all.with(part));
        self.with_arena(|arena| {
            // No window has room for so many, and places are reckoned in 32 bits.
            if i32::try_from(all.rows).is_err() {
                return Err(table::full(arena));
            }
            all.write(arena, (all.rows - own.rows) as u32);
            Ok(())
        })?;

        self.take_steps(step::MEASURE | step::CLEAR_BITMAP, check)?;
        let span = self.read_long(control::KEPT + kept::SPAN);
        if span > 0 {
            self.take_steps(step::MARK, check)?;
        }
        for other in others.iter_mut().filter(|_| span > 0) {
            other.borrow_table(self, check)?;
            other.with_arena(|arena| {
                write_long(arena, control::KEPT + kept::LOW, all.low.cast_unsigned());
                write_long(arena, control::KEPT + kept::SPAN, span);
                Ok(())
            })?;
            other.take_steps(step::MARK, check)?;
        }

        self.take_steps(step::RANK | step::LAY_OUT | step::CLEAR_DIRECTORY, check)?;
        let mut next_text = self.read(control::KEPT + kept::NEXT_TEXT);
        let mut before = own;
        for (other, part) in others.iter_mut().zip(parts) {
            other.borrow_table(self, check)?;
            // All of it fits the window, or the memory had been refused.
            next_text = next_text.wrapping_add(before.text_room() as u32);
            before = part;
            other.with_arena(|arena| {
                write(arena, control::KEPT + kept::NEXT_TEXT, next_text);
                Ok(())
            })?;
        }
        let has_slots = self.slots()? > 0;
        if has_slots {
            self.take_steps(step::COUNT, check)?;
            for other in others.iter_mut() {
                other.take_steps(step::COUNT, check)?;
            }
            self.take_steps(step::ADD_UP, check)?;
        }
        self.leave_steps(step::COPY)?;
        Ok(!has_slots)
    }

    /// Copies the rows that are kept to their places in a table that is [laid out](Self::lay_out).
    ///
    /// Errors: every error ends this instance, and the table.
    pub fn copy_rows(&mut self, check: Check<'_>) -> Result<(), RunError> {
        self.take_steps(step::COPY, check)
    }

    /// Whether the rows of another instance can be in one table with those of this one.
    fn builds_with(&self, other: &Self) -> Result<(), RunError> {
        let (own, others) = (self.module.fragment(), other.module.fragment());
        let holds = |of: &Self| {
            let has_ended = of.unfinished == 0 && of.read(control::STEPS_DONE) == step::ALL;
            has_ended && of.growing.is_none() && of.borrowed.is_none()
        };
        let suits = own.general() == others.general() && builds(own) && holds(self);
        match suits && holds(other) {
            true => Ok(()),
            false => Err(self.shape(format!("rows of module {}", other.module.name()))),
        }
    }

    /// Takes some of the steps in which a table is built.
    fn take_steps(&mut self, steps: u32, check: Check<'_>) -> Result<(), RunError> {
        let calls = Arc::clone(&self.calls);
        let Some(finish) = calls.finish.first() else {
            return Err(self.shape("it has no input".to_owned()));
        };
        self.leave_steps(steps)?;
        self.run(finish, (), check).map(drop)
    }

    fn leave_steps(&mut self, steps: u32) -> Result<(), RunError> {
        self.with_arena(|arena| {
            write(arena, control::STEPS_DONE, step::ALL & !steps);
            Ok(())
        })
    }

    /// Maps the table that another instance lays out, as far as there is memory of it, behind the tables that are probed
    /// here. Nothing in a table says where it is.
    fn borrow_table(&mut self, of: &Self, check: Check<'_>) -> Result<(), RunError> {
        let growing = of.growing.as_ref();
        let growing =
            growing.ok_or_else(|| of.broken("it has asked for no table's memory".to_owned()))?;
        self.borrowed = Some(growing.borrowed());
        growing.lend(self.build_start(), in_arena(&self.arena), check)
    }

    /// Slots of the table that is laid out here.
    fn slots(&self) -> Result<u32, RunError> {
        let at = self.build_start() + u64::from(header::SLOTS);
        let arena = lock(&self.arena);
        let arena = arena.as_ref().expect("the store keeps its memory");
        let slots = arena.bytes(at, 4).and_then(|bytes| bytes.try_into().ok());
        let slots = slots.map(u32::from_le_bytes);
        slots.ok_or_else(|| self.broken("its table has no header".to_owned()))
    }

    fn kept(&self) -> Kept {
        let field = |at| self.read(control::KEPT + at);
        let long = |at| self.read_long(control::KEPT + at);
        Kept {
            rows: field(kept::ROWS).into(),
            null_key: field(kept::NULL_KEY),
            low: long(kept::LOW).cast_signed(),
            high: long(kept::HIGH).cast_signed(),
            text_bytes: long(kept::TEXT_BYTES),
        }
    }
}

impl Kept {
    /// Bytes that text takes of a table into which others copy theirs, perhaps later or at the same time.
    fn text_room(&self) -> u64 {
        self.text_bytes.saturating_add(TEXT_PIECE_BYTES.into())
    }

    /// With what another instance has kept.
    fn with(self, other: &Self) -> Self {
        let (low, high) = match (self.rows, other.rows) {
            (_, 0) => (self.low, self.high),
            (0, _) => (other.low, other.high),
            _ => (self.low.min(other.low), self.high.max(other.high)),
        };
        Self {
            rows: self.rows + other.rows,
            null_key: self.null_key | other.null_key,
            low,
            high,
            text_bytes: self.text_bytes.saturating_add(other.text_room()),
        }
    }

    /// Tells an instance what there is to build of, `other_rows` of it not its own.
    fn write(self, arena: &mut Arena, other_rows: u32) {
        let field = |at| control::KEPT + at;
        write_long(arena, field(kept::LOW), self.low.cast_unsigned());
        write_long(arena, field(kept::HIGH), self.high.cast_unsigned());
        write_long(arena, field(kept::TEXT_BYTES), self.text_bytes);
        write(arena, field(kept::NULL_KEY), self.null_key);
        write(arena, field(kept::OTHER_ROWS), other_rows);
    }
}
