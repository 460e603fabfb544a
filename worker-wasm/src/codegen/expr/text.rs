//! LIKE and substrings.

use super::{Datum, Row, Scalar, either_null, unless};
use crate::{
    abi::Reason,
    codegen::builder::{Function, I64, Local, select},
    fragment::{Expr, LikeClass, Type},
};

impl Row<'_> {
    pub(super) fn like(
        &self,
        f: &mut Function,
        class: LikeClass,
        text: &Expr,
        pattern: &Expr,
    ) -> Datum {
        let (text, pattern) = (self.value(f, text), self.value(f, pattern));
        let null = either_null(f, &text, &pattern);
        let (text, pattern) = (text.text(), pattern.text());
        let found = match class {
            LikeClass::Exact => text.equals(f, pattern),
            LikeClass::Prefix => text.starts_with(f, pattern),
            LikeClass::Suffix => text.ends_with(f, pattern),
            LikeClass::Contains => text.contains(f, pattern),
            LikeClass::General => text.matches(f, pattern),
        };
        Datum::boolean(found, null)
    }

    /// As DataFusion's `substr`: what lies before the first character counts, but is not there.
    pub(super) fn substring(
        &self,
        f: &mut Function,
        text: &Expr,
        start: &Expr,
        count: Option<&Expr>,
    ) -> Datum {
        let (text, start) = (self.value(f, text), self.value(f, start));
        let mut null = either_null(f, &text, &start);
        let count = count.map(|count| {
            let count = self.value(f, count);
            null = either_null(
                f,
                &Datum {
                    null,
                    ..text.clone()
                },
                &count,
            );
            int64(&count)
        });
        let start = int64(&start);
        if let Some(count) = count {
            let negative = unless(null, count.get().lt_s(0i64));
            f.raise_if(negative, Reason::NegativeCount, self.index);
        }
        let none = unless(null, start.get().eq(i64::MIN));
        f.raise_if(none, Reason::Overflow, self.index);
        let first: Local<I64> = f.let_(start.get() - 1i64);
        let end: Local<I64> = f.let_(i64::MAX);
        if let Some(count) = count {
            let sum: Local<I64> = f.let_(first.get() + count);
            // A sum below its first part has left 64 bits: everything is before such an end.
            let beyond = sum.get().lt_s(first);
            f.set(end, select::<I64>(beyond, i64::MAX, sum));
        }
        let part = text.text().substring(f, first, end);
        Datum::new(Type::Utf8, Scalar::Text(part), null)
    }
}

fn int64(datum: &Datum) -> Local<I64> {
    match datum.value {
        Scalar::I64(local) => local,
        other => unreachable!("verified: positions are int64, not {other:?}"),
    }
}
