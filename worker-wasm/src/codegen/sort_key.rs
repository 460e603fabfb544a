//! Sort keys of a row as whole numbers: rows order as the words of their keys do, unsigned, the first word first.
//!
//! ```text
//! key     [null flag, 1 bit] value bits          bits of all keys are packed behind one another, highest first
//! value   signed: sign flipped | float: total order with one NaN, as a signed number | descending: all bits flipped
//! ```
//!
//! The number of words follows from the keys' types alone. Source: normalised keys, as in Graefe, "Implementing sorting in
//! database systems" (2006), without lengths because every key is of fixed width.

use super::{
    builder::{Function, I64, Local, Value, select},
    expr::{self, Datum, Scalar},
};
use crate::fragment::{SortKey, Type, ValueType};

const WORD_BITS: u32 = 64;

/// Words that the keys of a row take.
pub(crate) fn word_count(keys: &[ValueType]) -> u32 {
    let bits = keys
        .iter()
        .map(|of| value_bits(&of.ty) + u32::from(of.nullable));
    bits.sum::<u32>().div_ceil(WORD_BITS)
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

    fn finish(mut self, f: &mut Function) -> Vec<Local<I64>> {
        if let Some((last, used)) = self.last.take() {
            let filled = f.let_(last.get() << i64::from(WORD_BITS - used));
            self.words.push(filled);
        }
        self.words
    }
}
