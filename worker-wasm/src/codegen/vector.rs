//! Predicates over 16 rows at once: comparisons of fixed-width columns with parameters, boolean columns and tests for null,
//! put together by AND and OR.
//!
//! Each of them becomes 16 bits, lowest row first, in which null rows are 0; so a bit says that the predicate is true.
//! Behind the last row up to 15 values more are loaded, and their bits are arbitrary.

use wasm_encoder::Instruction;

use super::{
    builder::{Function, I32, Local, V128, Value},
    expr::{self, Binding, Row, Scalar},
};
use crate::fragment::{CompareOp, Expr, Storage, Type};

pub(crate) const ROWS: i32 = 16;

/// A predicate whose parameters are in vector registers.
#[derive(Debug)]
pub(crate) enum Predicate {
    Compare {
        op: CompareOp,
        lanes: Lanes,
        /// Address of the column's values.
        values: Local<I32>,
        validity: Option<Local<I32>>,
        parameter: Local<V128>,
    },
    /// A boolean column.
    Flags {
        bits: Local<I32>,
        validity: Option<Local<I32>>,
        wanted: bool,
    },
    /// Whether a column is not null, or is.
    Valid {
        validity: Option<Local<I32>>,
        wanted: bool,
    },
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
}

/// How a vector is divided.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lanes {
    I8 { signed: bool },
    I16 { signed: bool },
    I32 { signed: bool },
    I64 { signed: bool },
    F32,
    F64,
}

impl Lanes {
    /// `None` for what vectors cannot compare.
    fn of(storage: Storage) -> Option<Self> {
        Some(match storage {
            Storage::I8 => Self::I8 { signed: true },
            Storage::U8 => Self::I8 { signed: false },
            Storage::I16 => Self::I16 { signed: true },
            Storage::U16 => Self::I16 { signed: false },
            Storage::I32 => Self::I32 { signed: true },
            Storage::U32 => Self::I32 { signed: false },
            Storage::I64 => Self::I64 { signed: true },
            Storage::U64 => Self::I64 { signed: false },
            Storage::F32 => Self::F32,
            Storage::F64 => Self::F64,
            Storage::Bit | Storage::I128 | Storage::View => return None,
        })
    }

    fn bytes(self) -> u32 {
        match self {
            Self::I8 { .. } => 1,
            Self::I16 { .. } => 2,
            Self::I32 { .. } | Self::F32 => 4,
            Self::I64 { .. } | Self::F64 => 8,
        }
    }

    /// The parameter in every lane, as [`Self::keys`] makes the values.
    fn splat(self, f: &mut Function, parameter: Scalar) -> Option<Value<V128>> {
        Some(match (self, expr::order_key(f, parameter)) {
            (Self::I8 { .. }, Scalar::I32(v)) => v.get().splat8(),
            (Self::I16 { .. }, Scalar::I32(v)) => v.get().splat(Instruction::I16x8Splat),
            (Self::I32 { .. } | Self::F32, Scalar::I32(v)) => {
                v.get().splat(Instruction::I32x4Splat)
            }
            // Of decimals in 32 bits, which are computed with in 64.
            (Self::I32 { .. }, Scalar::I64(v)) => v.get().to_i32().splat(Instruction::I32x4Splat),
            (Self::I64 { signed: true } | Self::F64, Scalar::I64(v)) => {
                v.get().splat(Instruction::I64x2Splat)
            }
            (Self::I64 { signed: false }, Scalar::I64(v)) => {
                (v.get() ^ i64::MIN).splat(Instruction::I64x2Splat)
            }
            _ => return None,
        })
    }

    /// Lanes that compare as integers like the values: see `expr::order_key` for floats. There is no unsigned comparison
    /// of 64 bits, so such numbers are moved down by half their range.
    fn keys(self, f: &mut Function, values: Value<V128>) -> Value<V128> {
        use Instruction as I;
        let (ne, nan, shr_s, shr_u, bits) = match self {
            Self::F32 => {
                let nan = i128::from(f32::NAN.to_bits());
                let nan = nan | nan << 32;
                (I::F32x4Ne, nan | nan << 64, I::I32x4ShrS, I::I32x4ShrU, 31)
            }
            Self::F64 => {
                let nan = i128::from(f64::NAN.to_bits());
                (I::F64x2Ne, nan | nan << 64, I::I64x2ShrS, I::I64x2ShrU, 63)
            }
            Self::I64 { signed: false } => {
                let half = 1i128 << 63;
                return values.vector(Value::vector_constant(half | half << 64), I::V128Xor);
            }
            _ => return values,
        };
        let values: Local<V128> = f.let_(values);
        let is_nan = values.get().vector(values, ne);
        let nan = Value::vector_constant(nan);
        let canonical: Local<V128> = f.let_(Value::bit_select(nan, values, is_nan));
        let sign = canonical.get().vector_shift(bits, shr_s);
        let flip = sign.vector_shift(1, shr_u);
        canonical.get().vector(flip, I::V128Xor)
    }

    fn compare(self, op: CompareOp) -> Instruction<'static> {
        use Instruction as I;
        match (self, op) {
            (Self::I8 { .. }, CompareOp::Eq) => I::I8x16Eq,
            (Self::I8 { .. }, CompareOp::Ne) => I::I8x16Ne,
            (Self::I8 { signed: true }, CompareOp::Lt) => I::I8x16LtS,
            (Self::I8 { signed: true }, CompareOp::Le) => I::I8x16LeS,
            (Self::I8 { signed: true }, CompareOp::Gt) => I::I8x16GtS,
            (Self::I8 { signed: true }, CompareOp::Ge) => I::I8x16GeS,
            (Self::I8 { signed: false }, CompareOp::Lt) => I::I8x16LtU,
            (Self::I8 { signed: false }, CompareOp::Le) => I::I8x16LeU,
            (Self::I8 { signed: false }, CompareOp::Gt) => I::I8x16GtU,
            (Self::I8 { signed: false }, CompareOp::Ge) => I::I8x16GeU,
            (Self::I16 { .. }, CompareOp::Eq) => I::I16x8Eq,
            (Self::I16 { .. }, CompareOp::Ne) => I::I16x8Ne,
            (Self::I16 { signed: true }, CompareOp::Lt) => I::I16x8LtS,
            (Self::I16 { signed: true }, CompareOp::Le) => I::I16x8LeS,
            (Self::I16 { signed: true }, CompareOp::Gt) => I::I16x8GtS,
            (Self::I16 { signed: true }, CompareOp::Ge) => I::I16x8GeS,
            (Self::I16 { signed: false }, CompareOp::Lt) => I::I16x8LtU,
            (Self::I16 { signed: false }, CompareOp::Le) => I::I16x8LeU,
            (Self::I16 { signed: false }, CompareOp::Gt) => I::I16x8GtU,
            (Self::I16 { signed: false }, CompareOp::Ge) => I::I16x8GeU,
            (Self::I32 { .. } | Self::F32, CompareOp::Eq) => I::I32x4Eq,
            (Self::I32 { .. } | Self::F32, CompareOp::Ne) => I::I32x4Ne,
            (Self::I32 { signed: true } | Self::F32, CompareOp::Lt) => I::I32x4LtS,
            (Self::I32 { signed: true } | Self::F32, CompareOp::Le) => I::I32x4LeS,
            (Self::I32 { signed: true } | Self::F32, CompareOp::Gt) => I::I32x4GtS,
            (Self::I32 { signed: true } | Self::F32, CompareOp::Ge) => I::I32x4GeS,
            (Self::I32 { signed: false }, CompareOp::Lt) => I::I32x4LtU,
            (Self::I32 { signed: false }, CompareOp::Le) => I::I32x4LeU,
            (Self::I32 { signed: false }, CompareOp::Gt) => I::I32x4GtU,
            (Self::I32 { signed: false }, CompareOp::Ge) => I::I32x4GeU,
            (Self::I64 { .. } | Self::F64, CompareOp::Eq) => I::I64x2Eq,
            (Self::I64 { .. } | Self::F64, CompareOp::Ne) => I::I64x2Ne,
            (Self::I64 { .. } | Self::F64, CompareOp::Lt) => I::I64x2LtS,
            (Self::I64 { .. } | Self::F64, CompareOp::Le) => I::I64x2LeS,
            (Self::I64 { .. } | Self::F64, CompareOp::Gt) => I::I64x2GtS,
            (Self::I64 { .. } | Self::F64, CompareOp::Ge) => I::I64x2GeS,
        }
    }

    /// One bit per row out of the vectors that a comparison of 16 rows gives.
    fn bits(self, mut masks: Vec<Value<V128>>) -> Value<I32> {
        if let Self::I64 { .. } | Self::F64 = self {
            let bits = masks.into_iter().zip((0..ROWS).step_by(2));
            let bits = bits.map(|(mask, shift)| mask.bitmask(Instruction::I64x2Bitmask) << shift);
            return bits.reduce(|bits, more| bits | more).expect("16 rows");
        }
        // All ones stay all ones when a lane is halved.
        let mut lane_bytes = self.bytes();
        while lane_bytes > 1 {
            let narrow = match lane_bytes {
                4 => Instruction::I16x8NarrowI32x4S,
                _ => Instruction::I8x16NarrowI16x8S,
            };
            masks = masks
                .chunks(2)
                .map(|pair| pair[0].clone().vector(pair[1].clone(), narrow.clone()))
                .collect();
            lane_bytes /= 2;
        }
        masks.remove(0).bitmask8()
    }
}

impl Predicate {
    /// A predicate of this form, its parameters brought into registers here, or `None`.
    pub(crate) fn new(f: &mut Function, row: &Row<'_>, expr: &Expr) -> Option<Self> {
        let each = |f: &mut Function, items: &[Expr]| -> Option<Vec<Self>> {
            let all = items.iter().map(|item| Self::new(f, row, item));
            all.collect::<Option<Vec<_>>>()
                .filter(|all| !all.is_empty())
        };
        match expr {
            Expr::And(items) => Some(Self::All(each(f, items)?)),
            Expr::Or(items) => Some(Self::Any(each(f, items)?)),
            Expr::Column(column) => Self::flags(row, *column, true),
            Expr::Not(item) => match **item {
                Expr::Column(column) => Self::flags(row, column, false),
                _ => None,
            },
            Expr::IsNull(item) => Self::valid(row, item, false),
            Expr::IsNotNull(item) => Self::valid(row, item, true),
            Expr::Compare(op, left, right) => match (left.as_ref(), right.as_ref()) {
                (Expr::Column(column), Expr::Param(param)) => {
                    Self::compare(f, row, *op, *column, *param)
                }
                (Expr::Param(param), Expr::Column(column)) => {
                    Self::compare(f, row, flip(*op), *column, *param)
                }
                _ => None,
            },
            Expr::In(value, items) => {
                let Expr::Column(column) = **value else {
                    return None;
                };
                let equal = items.iter().map(|item| match item {
                    Expr::Param(param) => Self::compare(f, row, CompareOp::Eq, column, *param),
                    _ => None,
                });
                let equal = equal.collect::<Option<Vec<_>>>()?;
                (!equal.is_empty()).then_some(Self::Any(equal))
            }
            _ => None,
        }
    }

    fn flags(row: &Row<'_>, column: usize, wanted: bool) -> Option<Self> {
        match row.columns[column] {
            Binding::Input {
                storage: Storage::Bit,
                values,
                validity,
                ..
            } => Some(Self::Flags {
                bits: values,
                validity,
                wanted,
            }),
            _ => None,
        }
    }

    fn valid(row: &Row<'_>, item: &Expr, wanted: bool) -> Option<Self> {
        let Expr::Column(column) = item else {
            return None;
        };
        match row.columns[*column] {
            Binding::Input { validity, .. } => Some(Self::Valid { validity, wanted }),
            Binding::Computed(_) | Binding::Stored { .. } => None,
        }
    }

    fn compare(
        f: &mut Function,
        row: &Row<'_>,
        op: CompareOp,
        column: usize,
        param: usize,
    ) -> Option<Self> {
        let Binding::Input {
            ty,
            storage,
            range,
            values,
            validity,
        } = &row.columns[column]
        else {
            return None;
        };
        // A literal beyond the column's lanes would be cut off.
        let is_wider = row.param_types[param].range > *range;
        if matches!(ty, Type::Decimal { .. }) && is_wider {
            return None;
        }
        let lanes = Lanes::of(*storage)?;
        let parameter = lanes.splat(f, row.params[param].value)?;
        Some(Self::Compare {
            op,
            lanes,
            values: *values,
            validity: *validity,
            parameter: f.let_(parameter),
        })
    }

    /// The bits of the 16 rows from `start` on, a multiple of 16.
    pub(crate) fn bits(&self, f: &mut Function, start: Local<I32>) -> Value<I32> {
        match self {
            Self::All(items) => {
                let bits = items.iter().map(|item| item.bits(f, start));
                bits.reduce(|bits, more| bits & more).expect(OPERANDS)
            }
            Self::Any(items) => {
                let bits = items.iter().map(|item| item.bits(f, start));
                bits.reduce(|bits, more| bits | more).expect(OPERANDS)
            }
            Self::Flags {
                bits,
                validity,
                wanted,
            } => valid_only(
                flip_unless(*wanted, load_bits(*bits, start)),
                *validity,
                start,
            ),
            Self::Valid { validity, wanted } => {
                let valid = validity.map_or(0xffff.into(), |bits| load_bits(bits, start));
                flip_unless(*wanted, valid)
            }
            Self::Compare {
                op,
                lanes,
                values,
                validity,
                parameter,
            } => {
                let address = values.get() + start.get() * lanes.bytes();
                let vectors = (0..16 * lanes.bytes()).step_by(16);
                let masks = vectors.map(|offset| {
                    let keys = lanes.keys(f, address.clone().load::<V128>(offset));
                    keys.vector(*parameter, lanes.compare(*op))
                });
                let masks = masks.collect();
                valid_only(lanes.bits(masks), *validity, start)
            }
        }
    }
}

const OPERANDS: &str = "a predicate is made of operands";

/// 16 bits of a bitmap.
fn load_bits(bitmap: Local<I32>, start: Local<I32>) -> Value<I32> {
    (bitmap.get() + start.get().shr_u(3)).load16_u(0)
}

fn flip_unless(wanted: bool, bits: Value<I32>) -> Value<I32> {
    match wanted {
        true => bits,
        false => bits ^ 0xffff,
    }
}

fn valid_only(bits: Value<I32>, validity: Option<Local<I32>>, start: Local<I32>) -> Value<I32> {
    match validity {
        Some(validity) => bits & load_bits(validity, start),
        None => bits,
    }
}

/// The comparison with its sides exchanged.
fn flip(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        same => same,
    }
}
