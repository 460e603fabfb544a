//! Text in generated code: an address and a length, and the functions that are too long to be written out at each use.
//!
//! Text never moves while a call runs: that of columns lies in the input window, that of literals and groups in the heap.
//! Units: bytes; characters, in UTF-8, only in [`substring`] and the `_` of patterns.
//! Invariant: at least 64 readable bytes follow every text, so whole words and vectors are loaded and the rest masked.

use wasm_encoder::ValType;

use super::{
    builder::{Finished, Function, I32, I64, Label, Local, V128, Value, select},
    wide::Helper,
};
use crate::abi::{TEXT_PIECE_BYTES, view};

/// A text while it is computed with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) address: Local<I32>,
    pub(crate) length: Local<I32>,
}

impl Text {
    /// What the view at an address stands for.
    pub(crate) fn from_view(f: &mut Function, at: &Value<I32>, offset: u32) -> Self {
        let length: Local<I32> = f.let_(at.clone().load::<I32>(offset + view::LENGTH));
        let address = select(
            length.get().le_u(view::INLINE_BYTES_MAX),
            at.clone() + (offset + view::INLINE),
            at.clone().load::<I32>(offset + view::ADDRESS),
        );
        Self {
            address: f.let_(address),
            length,
        }
    }

    /// What a view in a row of a table stands for; nothing where `absent` is 1, when there is no row.
    pub(crate) fn of_table(
        f: &mut Function,
        row: Local<I32>,
        offset: u32,
        table: Local<I32>,
        absent: Option<Local<I32>>,
    ) -> Self {
        let length = row.get().load::<I32>(offset + view::LENGTH);
        let length: Local<I32> = f.let_(match absent {
            Some(absent) => select(absent, 0, length),
            None => length,
        });
        let address = select(
            length.get().le_u(view::INLINE_BYTES_MAX),
            row.get() + (offset + view::INLINE),
            table.get() + row.get().load::<I32>(offset + view::ADDRESS),
        );
        Self {
            address: f.let_(address),
            length,
        }
    }

    /// Copies it, unless it is empty, [`TEXT_PIECE_BYTES`] at once: up to 15 bytes behind its end are written as well, with
    /// whatever follows it. Most text is so short that a call to copy memory would take longer.
    pub(crate) fn copy_to(self, f: &mut Function, address: Local<I32>) {
        let at: Local<I32> = f.let_(0);
        f.if_(self.length, |f| {
            f.repeat(|f, again| {
                let piece: Value<V128> = (self.address.get() + at).load(0);
                f.store(address.get() + at, 0, piece);
                f.set(at, at.get() + TEXT_PIECE_BYTES);
                f.branch_if(again, at.get().lt_u(self.length));
            });
        });
    }

    /// Writes a view of it. Long text stays where it is.
    pub(crate) fn store_view(self, f: &mut Function, at: Local<I32>, offset: u32) {
        for argument in [at.get() + offset, self.address.get(), self.length.get()] {
            f.argument::<I32>(argument);
        }
        f.call_helper(Helper::StoreView);
    }

    /// Eight bytes from `offset` on, the lowest first, zeros behind the first `count` of them.
    pub(crate) fn bytes(self, offset: u32, count: Local<I32>) -> Value<I64> {
        self.address.get().load::<I64>(offset) & mask(count)
    }

    /// Its first eight bytes, the lowest first, zeros behind its end.
    fn head(self) -> Value<I64> {
        self.address.get().load::<I64>(0) & mask(self.length)
    }

    /// 64 bits to hash by. Text of up to seven bytes is told apart by them.
    pub(crate) fn word(self, f: &mut Function) -> Local<I64> {
        let word: Local<I64> = f.let_(self.head() ^ (self.length.get().to_i64_u() << 56i64));
        f.if_(self.length.get().gt_u(8), |f| {
            f.argument(self.address);
            f.argument(self.length);
            f.call_helper(Helper::HashText);
            f.take(word);
        });
        word
    }

    /// 1 where both are the same.
    pub(crate) fn equals(self, f: &mut Function, other: Self) -> Local<I32> {
        let equal: Local<I32> = f.let_(self.length.get().eq(other.length));
        f.if_(equal, |f| {
            f.set(equal, (self.head() ^ other.head()).eqz());
            let long = self.length.get().gt_u(8);
            f.if_(equal.get() & long, |f| {
                for argument in [self.address, other.address, self.length] {
                    f.argument(argument);
                }
                f.call_helper(Helper::EqualText);
                f.take(equal);
            });
        });
        equal
    }

    /// Below 0, 0 or above 0, by bytes, which is also the order of characters.
    pub(crate) fn order(self, f: &mut Function, other: Self) -> Local<I32> {
        self.call_with(f, other, Helper::OrderText)
    }

    pub(crate) fn starts_with(self, f: &mut Function, needle: Self) -> Local<I32> {
        self.has_at_edge(f, needle, |_| self.address.get())
    }

    pub(crate) fn ends_with(self, f: &mut Function, needle: Self) -> Local<I32> {
        self.has_at_edge(f, needle, |needle| {
            self.address.get() + self.length - needle.length
        })
    }

    fn has_at_edge(
        self,
        f: &mut Function,
        needle: Self,
        edge: impl FnOnce(Self) -> Value<I32>,
    ) -> Local<I32> {
        let found: Local<I32> = f.let_(0);
        f.if_(needle.length.get().le_u(self.length), |f| {
            let part = Self {
                address: f.let_(edge(needle)),
                length: needle.length,
            };
            let equal = part.equals(f, needle);
            f.set(found, equal);
        });
        found
    }

    pub(crate) fn contains(self, f: &mut Function, needle: Self) -> Local<I32> {
        self.call_with(f, needle, Helper::ContainsText)
    }

    /// 1 where it matches a pattern with wildcards.
    pub(crate) fn matches(self, f: &mut Function, pattern: Self) -> Local<I32> {
        self.call_with(f, pattern, Helper::MatchText)
    }

    fn call_with(self, f: &mut Function, other: Self, helper: Helper) -> Local<I32> {
        for argument in [self.address, self.length, other.address, other.length] {
            f.argument(argument);
        }
        f.call_helper(helper);
        let result = f.local();
        f.take(result);
        result
    }

    /// `count` characters from character `start` on, the first being 0. Both are clamped to what there is.
    pub(crate) fn substring(self, f: &mut Function, start: Local<I64>, end: Local<I64>) -> Self {
        f.argument(self.address);
        f.argument(self.length);
        f.argument(start);
        f.argument(end);
        f.call_helper(Helper::Substring);
        let part = Self {
            address: f.local(),
            length: f.local(),
        };
        f.take(part.length);
        f.take(part.address);
        part
    }
}

/// Ones over the first `length` of eight bytes.
fn mask(length: Local<I32>) -> Value<I64> {
    let ones = (Value::from(1i64) << (length.get() << 3).to_i64_u()) - 1i64;
    select(length.get().lt_u(8), ones, -1i64)
}

fn text_param(f: &mut Function) -> Text {
    Text {
        address: f.param(),
        length: f.param(),
    }
}

/// `(at, address, length)`.
pub(super) fn store_view() -> Finished {
    let mut f = Function::new(&[]);
    let at: Local<I32> = f.param();
    let text = text_param(&mut f);
    // Both are loaded before anything is written: a view may be stored over itself.
    let first: Local<I64> = f.let_(text.head());
    let behind: Local<I32> = f.let_(select::<I32>(
        text.length.get().lt_u(8),
        0,
        text.length.get() - 8,
    ));
    let rest: Local<I64> = f.let_(text.address.get().load::<I64>(8) & mask(behind));
    f.store::<I32>(at, view::LENGTH, text.length);
    f.store::<I64>(at, view::INLINE, first);
    let last = select(
        text.length.get().le_u(view::INLINE_BYTES_MAX),
        rest.get().to_i32(),
        0,
    );
    f.store::<I32>(at, view::INLINE + 8, last);
    f.if_(text.length.get().gt_u(view::INLINE_BYTES_MAX), |f| {
        f.store::<I32>(at, view::ADDRESS, text.address);
    });
    f.finish()
}

/// `(left, right, length) -> equal`, of more than eight bytes; the last eight are compared as a word of their own.
pub(super) fn equal_text() -> Finished {
    let mut f = Function::new(&[ValType::I32]);
    let (left, right, length): (Local<I32>, Local<I32>, Local<I32>) =
        (f.param(), f.param(), f.param());
    let last: Local<I32> = f.let_(length.get() - 8);
    let at: Local<I32> = f.let_(0);
    let differs = |at: Local<I32>| {
        let left = (left.get() + at).load::<I64>(0);
        left.ne((right.get() + at).load::<I64>(0))
    };
    f.repeat(|f, again| {
        f.if_(differs(at), |f| f.return_(0));
        f.set(at, at.get() + 8);
        f.branch_if(again, at.get().lt_u(last));
    });
    f.return_(differs(last).eqz());
    f.finish()
}

/// `(left, length, right, length) -> below 0, 0 or above 0`.
pub(super) fn order_text() -> Finished {
    let mut f = Function::new(&[ValType::I32]);
    let (left, right) = (text_param(&mut f), text_param(&mut f));
    let shorter = select::<I32>(
        left.length.get().lt_u(right.length),
        left.length,
        right.length,
    );
    let shorter: Local<I32> = f.let_(shorter);
    let at: Local<I32> = f.let_(0);
    f.if_(shorter, |f| {
        f.repeat(|f, again| {
            let word = |text: Text| (text.address.get() + at).load::<I64>(0);
            let difference: Local<I64> = f.let_(word(left) ^ word(right));
            f.if_(difference.get().ne(0i64), |f| {
                f.set(at, at.get() + difference.get().ctz().to_i32().shr_u(3));
                f.if_(at.get().lt_u(shorter), |f| {
                    let byte = |text: Text| (text.address.get() + at).load8_u(0);
                    f.return_(byte(left) - byte(right));
                });
                f.return_(left.length.get() - right.length);
            });
            f.set(at, at.get() + 8);
            f.branch_if(again, at.get().lt_u(shorter));
        });
    });
    f.return_(left.length.get() - right.length);
    f.finish()
}

/// `(address, length) -> word`, of more than eight bytes: words folded in by multiplication, the last eight bytes at the end.
pub(super) fn hash_text() -> Finished {
    const FACTOR: i64 = 0xd6e8_feb8_6659_fd93_u64.cast_signed();
    let mut f = Function::new(&[ValType::I64]);
    let text = text_param(&mut f);
    let hash: Local<I64> = f.let_(text.length.get().to_i64_u());
    let last: Local<I32> = f.let_(text.address.get() + text.length - 8);
    let product = f.wide();
    let fold = |f: &mut Function, at: Local<I32>| {
        f.mul_wide_u(product, hash.get() ^ at.get().load::<I64>(0), FACTOR);
        f.set(hash, product.lo.get() ^ product.hi);
    };
    f.repeat(|f, again| {
        fold(f, text.address);
        f.set(text.address, text.address.get() + 8);
        f.branch_if(again, text.address.get().lt_u(last));
    });
    fold(&mut f, last);
    f.return_values(|f| f.argument(hash));
    f.finish()
}

/// `(text, length, needle, length) -> found`. Looks at 16 places at once for the needle's first and last byte.
pub(super) fn contains_text() -> Finished {
    let mut f = Function::new(&[ValType::I32]);
    let (text, needle) = (text_param(&mut f), text_param(&mut f));
    f.if_(needle.length.get().eqz(), |f| f.return_(1));
    f.if_(text.length.get().lt_u(needle.length), |f| f.return_(0));
    let to_last: Local<I32> = f.let_(needle.length.get() - 1);
    let first = f.let_(needle.address.get().load8_u(0).splat8());
    let last = f.let_((needle.address.get() + to_last).load8_u(0).splat8());
    let (at, end) = (f.let_(text.address), f.local::<I32>());
    f.set(end, text.address.get() + text.length - to_last);
    let candidates = f.local::<I32>();
    let place = f.local::<I32>();
    f.repeat(|f, next_vector| {
        let firsts = at.get().load(0).eq8(first);
        let lasts = (at.get() + to_last).load(0).eq8(last);
        f.set(candidates, firsts.and(lasts).bitmask8());
        f.block(|f, none_left| {
            f.repeat(|f, next_candidate| {
                f.branch_if(none_left, candidates.get().eqz());
                f.set(place, at.get() + candidates.get().ctz());
                f.branch_if(none_left, end.get().le_u(place));
                f.block(|f, differs| {
                    compare_bytes(f, place, needle, differs);
                    f.return_(1);
                });
                f.set(candidates, candidates.get() & (candidates.get() - 1));
                f.branch(next_candidate);
            });
        });
        f.set(at, at.get() + 16);
        f.branch_if(next_vector, at.get().lt_u(end));
    });
    f.return_(0);
    f.finish()
}

/// Leaves to `differs` where the bytes at `place` are not the needle's, which is not empty.
fn compare_bytes(f: &mut Function, place: Local<I32>, needle: Text, differs: Label) {
    let index: Local<I32> = f.let_(0);
    let left: Local<I32> = f.let_(needle.length);
    f.repeat(|f, again| {
        let word = |start: Local<I32>| (start.get() + index).load::<I64>(0);
        let difference = (word(place) ^ word(needle.address)) & mask(left);
        f.branch_if(differs, difference.ne(0i64));
        f.set(index, index.get() + 8);
        f.set(left, left.get() - 8);
        f.branch_if(again, index.get().lt_u(needle.length));
    });
}

/// `(text, length, pattern, length) -> matches`.
///
/// Greedy: after a `%` the rest of the pattern is tried at one place after the other, and a later `%` settles what came
/// before it, so only the latest one is ever returned to.
pub(super) fn match_text() -> Finished {
    const NONE: i32 = 0;
    let mut f = Function::new(&[ValType::I32]);
    let (text, pattern) = (text_param(&mut f), text_param(&mut f));
    let (at, wanted) = (text.address, pattern.address);
    let end: Local<I32> = f.let_(at.get() + text.length);
    let pattern_end: Local<I32> = f.let_(wanted.get() + pattern.length);
    // Where the pattern goes on behind the latest `%`, and where in the text that was last tried.
    let (retry_pattern, retry_text): (Local<I32>, Local<I32>) = (f.let_(NONE), f.local());
    let (character, width) = (f.local::<I32>(), f.local::<I32>());
    f.block(|f, text_is_over| {
        f.repeat(|f, again| {
            f.branch_if(text_is_over, end.get().le_u(at));
            f.block(|f, differs| {
                f.branch_if(differs, pattern_end.get().le_u(wanted));
                f.set(character, wanted.get().load8_u(0));
                f.set(width, 1);
                f.if_(character.get().eq(u32::from(b'%')), |f| {
                    f.set(wanted, wanted.get() + 1);
                    f.set(retry_pattern, wanted);
                    f.set(retry_text, at);
                    f.branch(again);
                });
                f.if_(character.get().eq(u32::from(b'_')), |f| {
                    f.set(wanted, wanted.get() + 1);
                    skip_character(f, at);
                    f.branch(again);
                });
                let escaped = character.get().eq(u32::from(b'\\'));
                f.if_(escaped & (wanted.get() + 1).lt_u(pattern_end), |f| {
                    f.set(character, wanted.get().load8_u(1));
                    f.set(width, 2);
                });
                f.branch_if(differs, at.get().load8_u(0).ne(character));
                f.set(at, at.get() + 1);
                f.set(wanted, wanted.get() + width);
                f.branch(again);
            });
            f.if_(retry_pattern.get().eq(NONE), |f| f.return_(0));
            skip_character(f, retry_text);
            f.set(at, retry_text);
            f.set(wanted, retry_pattern);
            f.branch(again);
        });
    });
    f.block(|f, over| {
        f.repeat(|f, again| {
            f.branch_if(over, pattern_end.get().le_u(wanted));
            f.if_(wanted.get().load8_u(0).ne(u32::from(b'%')), |f| {
                f.return_(0)
            });
            f.set(wanted, wanted.get() + 1);
            f.branch(again);
        });
    });
    f.return_(1);
    f.finish()
}

/// `(address, length, start, end) -> address, length`: characters from `start` on and before `end`, counted from 0.
pub(super) fn substring() -> Finished {
    let mut f = Function::new(&[ValType::I32, ValType::I32]);
    let text = text_param(&mut f);
    let (start, end): (Local<I64>, Local<I64>) = (f.param(), f.param());
    let (at, behind) = (f.let_(text.address), f.local::<I32>());
    f.set(behind, text.address.get() + text.length);
    let (from, to) = (f.let_(behind), f.let_(behind));
    let character: Local<I64> = f.let_(0i64);
    f.block(|f, done| {
        f.repeat(|f, again| {
            f.branch_if(done, behind.get().le_u(at));
            f.if_(start.get().le_s(character) & from.get().eq(behind), |f| {
                f.set(from, at);
                // A text has no more characters than bytes.
                let rest = text.length.get().to_i64_u();
                f.branch_if(done, rest.le_s(end));
            });
            f.if_(end.get().le_s(character), |f| {
                f.set(to, at);
                f.branch(done);
            });
            skip_character(f, at);
            f.set(character, character.get() + 1i64);
            f.branch(again);
        });
    });
    f.return_values(|f| {
        f.argument(from);
        f.argument::<I32>(to.get() - from);
    });
    f.finish()
}

/// Moves an address behind the character there: its first byte tells how many follow.
fn skip_character(f: &mut Function, at: Local<I32>) {
    let byte: Local<I32> = f.let_(at.get().load8_u(0));
    let bytes = Value::<I32>::from(1)
        + byte.get().gt_u(0xbf)
        + byte.get().gt_u(0xdf)
        + byte.get().gt_u(0xef);
    f.set(at, at.get() + bytes);
}
