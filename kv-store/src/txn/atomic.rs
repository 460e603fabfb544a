//! Atomic operations: the value after, from the value before and the operand.

use super::{AtomicOp, limits::VALUE_BYTES_MAX};

/// `None` is a key without a value, before and after.
pub(crate) fn evaluate(op: AtomicOp, before: Option<Vec<u8>>, operand: &[u8]) -> Option<Vec<u8>> {
    let fitted = || {
        let mut value = before.clone().unwrap_or_default();
        value.resize(operand.len(), 0);
        value
    };
    let bytewise = |combine: fn(u8, u8) -> u8| {
        let mut value = fitted();
        for (byte, other) in value.iter_mut().zip(operand) {
            *byte = combine(*byte, *other);
        }
        Some(value)
    };
    match op {
        AtomicOp::BitAnd | AtomicOp::Min if before.is_none() => Some(operand.to_vec()),
        AtomicOp::Add => {
            let mut value = fitted();
            let mut carry = 0;
            for (byte, other) in value.iter_mut().zip(operand) {
                let sum = u16::from(*byte) + u16::from(*other) + carry;
                [*byte, _] = sum.to_le_bytes();
                carry = sum >> 8;
            }
            Some(value)
        }
        AtomicOp::BitAnd => bytewise(|a, b| a & b),
        AtomicOp::BitOr => bytewise(|a, b| a | b),
        AtomicOp::BitXor => bytewise(|a, b| a ^ b),
        AtomicOp::Min => Some(fitted())
            .filter(|value| is_less(value, operand))
            .or_else(|| Some(operand.to_vec())),
        AtomicOp::Max => Some(fitted())
            .filter(|value| is_less(operand, value))
            .or_else(|| Some(operand.to_vec())),
        AtomicOp::AppendIfFits => {
            let mut value = before.unwrap_or_default();
            if value.len() + operand.len() <= VALUE_BYTES_MAX {
                value.extend_from_slice(operand);
            }
            Some(value)
        }
        AtomicOp::CompareAndClear => before.filter(|value| value != operand),
    }
}

/// As little-endian numbers of equal length.
fn is_less(a: &[u8], b: &[u8]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(op: AtomicOp, before: Option<&[u8]>, operand: &[u8], after: Option<&[u8]>) {
        let found = evaluate(op, before.map(<[u8]>::to_vec), operand);
        assert_eq!(
            found.as_deref(),
            after,
            "{op:?} of {before:?} and {operand:?}"
        );
    }

    #[test]
    fn numbers_have_the_operands_length_and_wrap() {
        check(AtomicOp::Add, None, &[1, 0], Some(&[1, 0]));
        check(AtomicOp::Add, Some(&[0xff, 0]), &[1, 0], Some(&[0, 1]));
        check(AtomicOp::Add, Some(&[0xff, 0xff]), &[1, 0], Some(&[0, 0]));
        check(AtomicOp::Add, Some(&[1, 2, 3]), &[1], Some(&[2]));
        check(AtomicOp::Add, Some(&[1]), &[], Some(&[]));
    }

    #[test]
    fn bits_and_extremes_treat_absence_as_documented() {
        check(AtomicOp::BitAnd, None, &[6], Some(&[6]));
        check(AtomicOp::BitAnd, Some(&[3]), &[6], Some(&[2]));
        check(AtomicOp::BitOr, None, &[6], Some(&[6]));
        check(AtomicOp::BitOr, Some(&[3]), &[6], Some(&[7]));
        check(AtomicOp::BitXor, Some(&[3]), &[6], Some(&[5]));
        check(AtomicOp::Min, None, &[6], Some(&[6]));
        check(AtomicOp::Min, Some(&[0, 1]), &[1, 0], Some(&[1, 0]));
        check(AtomicOp::Max, Some(&[0, 1]), &[1, 0], Some(&[0, 1]));
        check(AtomicOp::Max, None, &[0], Some(&[0]));
    }

    #[test]
    fn append_stops_at_the_limit_of_a_value_and_clear_compares_all_of_it() {
        check(AtomicOp::AppendIfFits, None, b"a", Some(b"a"));
        check(AtomicOp::AppendIfFits, Some(b"a"), b"b", Some(b"ab"));
        let full = vec![7; VALUE_BYTES_MAX];
        check(AtomicOp::AppendIfFits, Some(&full), b"b", Some(&full));
        check(AtomicOp::CompareAndClear, Some(b"a"), b"a", None);
        check(AtomicOp::CompareAndClear, Some(b"ab"), b"a", Some(b"ab"));
        check(AtomicOp::CompareAndClear, None, b"a", None);
    }
}
