//! Sort keys of a row as whole numbers: rows order as the words of their keys do, unsigned, the first word first.
//!
//! ```text
//! key     [null flag, 1 bit] value bits          bits of all keys are packed behind one another, highest first
//! value   signed: sign flipped | float: total order with one NaN, as a signed number | descending: all bits flipped
//! text    two words of their own: its first 15 bytes, highest first, and its length or 16
//! ```
//!
//! The number of words follows from the keys' types alone. Where the words of two texts are the same and both are longer,
//! the texts themselves decide, see [`Tie`]. Source: normalised keys, as in Graefe, "Implementing sorting in database
//! systems" (2006), with a prefix for what is not of fixed width.

use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::{self, Datum, Scalar},
    text::Text,
};
use crate::fragment::{SortKey, Type, ValueType};

const WORD_BITS: u32 = 64;

/// Words of a text.
const TEXT_WORDS: u32 = 2;
/// What the last byte of a text's words says of one that goes on behind them.
const LONG: i64 = 16;

/// A text key that its words do not settle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tie {
    /// The last word of the text.
    pub(crate) word: u32,
    /// Position of the key.
    pub(crate) key: usize,
    pub(crate) descending: bool,
}

impl Tie {
    /// 1 where that word is of a text that goes on behind it.
    pub(crate) fn is_long(self, word: Value<I64>) -> Value<I32> {
        let long = if self.descending { LONG ^ 0xff } else { LONG };
        (word & 0xffi64).eq(long)
    }
}

/// Words that the keys of a row take.
pub(crate) fn word_count(keys: &[ValueType]) -> u32 {
    let bits = keys.iter().fold(0, bits_behind);
    bits.div_ceil(WORD_BITS)
}

/// The text keys, in their order.
pub(crate) fn ties(types: &[ValueType], keys: &[SortKey]) -> Vec<Tie> {
    let mut bits = 0;
    let mut ties = Vec::new();
    for (number, (of, key)) in types.iter().zip(keys).enumerate() {
        bits = bits_behind(bits, of);
        if of.ty == Type::Utf8 {
            ties.push(Tie {
                word: bits / WORD_BITS - 1,
                key: number,
                descending: key.descending,
            });
        }
    }
    ties
}

/// Bits taken when a key is behind those that have taken `bits`.
fn bits_behind(bits: u32, of: &ValueType) -> u32 {
    let bits = bits + u32::from(of.nullable);
    match of.ty {
        Type::Utf8 => bits.next_multiple_of(WORD_BITS) + TEXT_WORDS * WORD_BITS,
        _ => bits + value_bits(&of.ty),
    }
}

fn value_bits(ty: &Type) -> u32 {
    match ty {
        Type::Boolean => 1,
        other => 8 * other.storage().bytes(),
    }
}

/// The words of a row's keys, which come with the types that their shape gives them.
pub(crate) fn words(f: &mut Function, keys: &[(Datum, &ValueType, &SortKey)]) -> Vec<Local<I64>> {
    let mut packed = Packed::default();
    for (datum, of, key) in keys {
        if of.nullable {
            // What comes first has the smaller flag.
            let flag = match (datum.null, key.nulls_first) {
                (Some(null), false) => null.get().to_i64_u(),
                (Some(null), true) => null.get().eqz().to_i64_u(),
                (None, nulls_first) => Value::from(i64::from(nulls_first)),
            };
            packed.push(f, flag, 1);
        }
        if of.ty == Type::Utf8 {
            packed.fill_word(f);
        }
        for (part, bits) in parts(f, datum) {
            let part = match key.descending {
                true => part ^ mask(bits),
                false => part,
            };
            let part = match datum.null {
                Some(null) => select(null, 0i64, part),
                None => part,
            };
            packed.push(f, part, bits);
        }
    }
    packed.finish(f)
}

/// Parts of a value that order as it does, unsigned, with their bits.
fn parts(f: &mut Function, datum: &Datum) -> Vec<(Value<I64>, u32)> {
    if datum.ty.is_decimal() {
        let wide = expr::widen(f, datum.value);
        return vec![
            (wide.hi.get() ^ sign(WORD_BITS), WORD_BITS),
            (wide.lo.get(), WORD_BITS),
        ];
    }
    if let Scalar::Text(text) = datum.value {
        return text_words(f, text).map(|word| (word, WORD_BITS)).into();
    }
    let bits = value_bits(&datum.ty);
    let signed = !datum.ty.is_unsigned() && datum.ty != Type::Boolean;
    let value = match expr::order_key(f, datum.value) {
        Scalar::I32(v) => v.get().to_i64_u() & mask(bits),
        Scalar::I64(v) => v.get(),
        other => unreachable!("{other:?} is neither an integer nor a decimal"),
    };
    match signed {
        true => vec![(value ^ sign(bits), bits)],
        false => vec![(value, bits)],
    }
}

/// The first 15 bytes of a text, zeros behind its end, and its length or [`LONG`].
fn text_words(f: &mut Function, text: Text) -> [Value<I64>; TEXT_WORDS as usize] {
    let length = text.length;
    let left: Local<I32> = f.let_(select::<I32>(length.get().lt_u(8), 0, length.get() - 8));
    let left: Local<I32> = f.let_(select::<I32>(left.get().lt_u(7), left, 7));
    let first: Local<I64> = f.let_(text.bytes(0, length));
    let second: Local<I64> = f.let_(text.bytes(8, left));
    let long = length.get().to_i64_u();
    let long = select(length.get().lt_u(LONG as i32), long, LONG);
    let first = highest_first(f, first);
    let second = highest_first(f, second);
    [first.get(), second.get() | long]
}

/// The bytes of a word in the other order.
fn highest_first(f: &mut Function, word: Local<I64>) -> Local<I64> {
    let swap = |f: &mut Function, word: Local<I64>, bits: i64, low: i64| -> Local<I64> {
        let up = (word.get() & low) << bits;
        f.let_(up | (word.get().shr_u(bits) & low))
    };
    let word = swap(f, word, 8, 0x00ff_00ff_00ff_00ff);
    let word = swap(f, word, 16, 0x0000_ffff_0000_ffff);
    swap(f, word, 32, 0x0000_0000_ffff_ffff)
}

fn mask(bits: u32) -> i64 {
    (u64::MAX >> (WORD_BITS - bits)).cast_signed()
}

fn sign(bits: u32) -> i64 {
    (1u64 << (bits - 1)).cast_signed()
}

/// Words being filled from the highest bit down.
#[derive(Default)]
struct Packed {
    words: Vec<Local<I64>>,
    /// The bits of the last word so far, at its low end.
    last: Option<(Local<I64>, u32)>,
}

impl Packed {
    fn push(&mut self, f: &mut Function, value: Value<I64>, bits: u32) {
        let value: Local<I64> = f.let_(value);
        let Some((last, used)) = self.last.take() else {
            return self.keep(value, bits);
        };
        let room = WORD_BITS - used;
        if bits <= room {
            let filled = f.let_((last.get() << i64::from(bits)) | value);
            return self.keep(filled, used + bits);
        }
        let over = bits - room;
        let high = value.get().shr_u(i64::from(over));
        let filled = f.let_((last.get() << i64::from(room)) | high);
        self.keep(filled, WORD_BITS);
        let low = f.let_(value.get() & mask(over));
        self.keep(low, over);
    }

    fn keep(&mut self, word: Local<I64>, used: u32) {
        match used {
            WORD_BITS => self.words.push(word),
            _ => self.last = Some((word, used)),
        }
    }

    /// What comes next begins a word.
    fn fill_word(&mut self, f: &mut Function) {
        if let Some((last, used)) = self.last.take() {
            let filled = f.let_(last.get() << i64::from(WORD_BITS - used));
            self.words.push(filled);
        }
    }

    fn finish(mut self, f: &mut Function) -> Vec<Local<I64>> {
        self.fill_word(f);
        self.words
    }
}
