//! The hash of keys, which groups and rows of join tables are found by.
//!
//! Shapes: 32 bits over any number of keys. Equal values of a type give equal ones in every lane, whatever facts chose it.

use super::{
    builder::{Function, I32, I64, Local, Value, select},
    expr::{self, Datum, Scalar},
};

/// Odd, from the fractional part of the golden ratio.
const HASH_FACTOR: i64 = 0x9e37_79b9_7f4a_7c15_u64.cast_signed();
/// What a null hashes like, and where hashing starts.
const HASH_SEED: i64 = 0x2545_f491_4f6c_dd1d;

/// 32 bits over all keys: each word is folded in by a multiplication to 128 bits whose halves are combined.
pub(crate) fn hash(f: &mut Function, keys: &[Datum]) -> Local<I32> {
    let hash: Local<I64> = f.let_(HASH_SEED);
    let product = f.wide();
    for key in keys {
        let word = word(f, key);
        let word = match key.null {
            Some(null) => select::<I64>(null, HASH_SEED, word),
            None => word,
        };
        f.mul_wide_u(product, hash.get() ^ word, HASH_FACTOR);
        f.set(hash, product.lo.get() ^ product.hi);
    }
    f.let_(hash.get().to_i32())
}

/// A value as 64 bits: equal values of a type give equal ones in every lane.
fn word(f: &mut Function, key: &Datum) -> Value<I64> {
    if key.ty.is_decimal() {
        let wide = expr::widen(f, key.value);
        return wide.lo.get() ^ (wide.hi.get() * HASH_FACTOR);
    }
    if let Scalar::Text(text) = key.value {
        return text.word(f).get();
    }
    match expr::order_key(f, key.value) {
        Scalar::I32(v) => v.get().to_i64_u(),
        Scalar::I64(v) => v.get(),
        other => unreachable!("{other:?} is neither a number nor text"),
    }
}
