//! Expressions over one row -> code, one family per file.
//!
//! A [`Datum`] is a computed value: locals in the lane of its type, and a flag where it can be null. Values of null rows
//! are arbitrary, so whatever can fail asks the flag first.

mod arithmetic;
mod calendar;
mod cast;
mod compare;
mod conditional;
mod decimal;
mod logic;
mod text;

pub(crate) use compare::{equals, less, order_key};
pub(crate) use decimal::{divide, scale_of};

use super::{
    builder::{F32, F64, Function, I32, I64, Kind, Local, Value, Wide, select},
    text::Text,
};
use crate::fragment::{Expr, Lane, Param, Range, Storage, Type, ValueType, verifier::Scope};

/// A value in the lane its type and range ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scalar {
    I32(Local<I32>),
    I64(Local<I64>),
    I128(Wide),
    F32(Local<F32>),
    F64(Local<F64>),
    Text(Text),
}

/// A computed value.
#[derive(Debug, Clone)]
pub(crate) struct Datum {
    pub(crate) ty: Type,
    pub(crate) value: Scalar,
    /// 1 where the value is null. `None` if it never is.
    pub(crate) null: Option<Local<I32>>,
    /// Of decimals: the magnitude is below two to the power of this, at most 127. Decides lanes and overflow checks.
    pub(crate) bits: u32,
}

/// Bits of a magnitude about which nothing is known.
pub(crate) const BITS_MAX: u32 = 127;
/// Most bits that a decimal in a 64-bit lane has.
const NARROW_BITS_MAX: u32 = 63;

fn range_bits(range: Range) -> u32 {
    match range {
        Range::I32 => 31,
        Range::I64 => NARROW_BITS_MAX,
        Range::Full => BITS_MAX,
    }
}

/// A column that expressions can name.
#[derive(Debug, Clone)]
pub(crate) enum Binding {
    /// In the input window: loaded where it is used.
    Input {
        ty: Type,
        storage: Storage,
        range: Range,
        values: Local<I32>,
        /// Address of the validity bits; `None` if no row is null.
        validity: Option<Local<I32>>,
    },
    /// In a kept row, see `rows`: loaded where it is used.
    Stored {
        ty: Type,
        storage: Storage,
        /// Address of the row.
        row: Local<I32>,
        offset: u32,
        /// Where the row says that the value is null; `None` if it never is.
        null_offset: Option<u32>,
        /// 1 where an outer join has found no row, so that the value is null.
        absent: Option<Local<I32>>,
        /// Address of the table that the row is in, from which views of long text count.
        table: Option<Local<I32>>,
    },
    Computed(Datum),
}

impl Binding {
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self, Self::Stored { .. })
    }

    fn value_type(&self) -> ValueType {
        match self {
            Self::Input { ty, validity, .. } => ValueType::new(ty.clone(), validity.is_some()),
            Self::Stored {
                ty,
                null_offset,
                absent,
                ..
            } => ValueType::new(ty.clone(), null_offset.is_some() || absent.is_some()),
            Self::Computed(datum) => ValueType::new(datum.ty.clone(), datum.null.is_some()),
        }
    }
}

/// The row that expressions are about.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) columns: Vec<Binding>,
    pub(crate) params: &'a [Datum],
    pub(crate) param_types: &'a [Param],
    /// Position in the batch, for loads and for errors.
    pub(crate) index: Local<I32>,
}

impl Datum {
    pub(crate) fn new(ty: Type, value: Scalar, null: Option<Local<I32>>) -> Self {
        Self {
            ty,
            value,
            null,
            bits: BITS_MAX,
        }
    }

    /// A decimal, in the lane for its bits.
    fn decimal(ty: Type, value: Scalar, null: Option<Local<I32>>, bits: u32) -> Self {
        debug_assert_eq!(bits <= NARROW_BITS_MAX, matches!(value, Scalar::I64(_)));
        Self {
            ty,
            value,
            null,
            bits,
        }
    }

    fn boolean(value: Local<I32>, null: Option<Local<I32>>) -> Self {
        Self::new(Type::Boolean, Scalar::I32(value), null)
    }

    /// The local of a 32-bit lane.
    pub(crate) fn i32(&self) -> Local<I32> {
        match self.value {
            Scalar::I32(local) => local,
            other => unreachable!("verified types keep lanes, {other:?}"),
        }
    }

    pub(crate) fn text(&self) -> Text {
        match self.value {
            Scalar::Text(text) => text,
            other => unreachable!("verified types keep lanes, {other:?}"),
        }
    }

    /// 1 where the value is true and not null.
    pub(crate) fn is_true(&self) -> Value<I32> {
        match self.null {
            Some(null) => self.i32().get() & null.get().eqz(),
            None => self.i32().get(),
        }
    }

    /// `condition`, but only where the value is not null.
    fn unless_null(&self, condition: Value<I32>) -> Value<I32> {
        unless(self.null, condition)
    }
}

fn unless(null: Option<Local<I32>>, condition: Value<I32>) -> Value<I32> {
    match null {
        Some(null) => condition & null.get().eqz(),
        None => condition,
    }
}

/// 1 where one of the two is null.
fn either_null(f: &mut Function, left: &Datum, right: &Datum) -> Option<Local<I32>> {
    match (left.null, right.null) {
        (Some(left), Some(right)) => Some(f.let_(left.get() | right)),
        (one, other) => one.or(other),
    }
}

/// A decimal in two locals, whatever its lane.
pub(crate) fn widen(f: &mut Function, value: Scalar) -> Wide {
    match value {
        Scalar::I128(wide) => wide,
        Scalar::I64(narrow) => {
            let wide = f.wide();
            f.set_wide(wide, narrow, narrow.get().shr_s(63i64));
            wide
        }
        other => unreachable!("decimals have integer lanes, {other:?}"),
    }
}

/// A new variable of the same lane, zero at first.
pub(crate) fn fresh(f: &mut Function, like: Scalar) -> Scalar {
    match like {
        Scalar::I32(_) => Scalar::I32(f.local()),
        Scalar::I64(_) => Scalar::I64(f.local()),
        Scalar::I128(_) => Scalar::I128(f.wide()),
        Scalar::F32(_) => Scalar::F32(f.local()),
        Scalar::F64(_) => Scalar::F64(f.local()),
        Scalar::Text(_) => Scalar::Text(Text {
            address: f.local(),
            length: f.local(),
        }),
    }
}

/// `to = from`, of one lane.
pub(crate) fn copy(f: &mut Function, to: Scalar, from: Scalar) {
    match (to, from) {
        (Scalar::I32(to), Scalar::I32(from)) => f.set(to, from),
        (Scalar::I64(to), Scalar::I64(from)) => f.set(to, from),
        (Scalar::I128(to), Scalar::I128(from)) => f.set_wide(to, from.lo, from.hi),
        (Scalar::F32(to), Scalar::F32(from)) => f.set(to, from),
        (Scalar::F64(to), Scalar::F64(from)) => f.set(to, from),
        (Scalar::Text(to), Scalar::Text(from)) => {
            f.set(to.address, from.address);
            f.set(to.length, from.length);
        }
        (to, from) => unreachable!("{to:?} and {from:?} are not of one lane"),
    }
}

/// Loads a value of `storage` from an address. A bit is loaded by [`load_bit`].
pub(crate) fn load(
    f: &mut Function,
    storage: Storage,
    ty: &Type,
    address: &Value<I32>,
    offset: u32,
) -> Scalar {
    let address = address.clone();
    match storage {
        Storage::I32 if ty.is_decimal() => Scalar::I64(f.let_(address.load32_s(offset))),
        Storage::Bit | Storage::U8 => Scalar::I32(f.let_(address.load8_u(offset))),
        Storage::I8 => Scalar::I32(f.let_(address.load8_s(offset))),
        Storage::I16 => Scalar::I32(f.let_(address.load16_s(offset))),
        Storage::U16 => Scalar::I32(f.let_(address.load16_u(offset))),
        Storage::I32 | Storage::U32 => Scalar::I32(f.let_(address.load::<I32>(offset))),
        Storage::I64 | Storage::U64 => Scalar::I64(f.let_(address.load::<I64>(offset))),
        Storage::F32 => Scalar::F32(f.let_(address.load::<F32>(offset))),
        Storage::F64 => Scalar::F64(f.let_(address.load::<F64>(offset))),
        Storage::I128 => {
            let wide = f.wide();
            f.set_wide(
                wide,
                address.clone().load::<I64>(offset),
                address.load::<I64>(offset + 8),
            );
            Scalar::I128(wide)
        }
        Storage::View => Scalar::Text(Text::from_view(f, &address, offset)),
    }
}

/// Stores a value in the storage of its type: decimals as 128 bits, booleans as a byte, NaNs as the canonical one, text as
/// a view of where it is.
pub(crate) fn store(
    f: &mut Function,
    address: Local<I32>,
    offset: u32,
    value: Scalar,
    storage: Storage,
) {
    match (storage, value) {
        (Storage::Bit | Storage::I8 | Storage::U8, Scalar::I32(value)) => {
            f.store8(address, offset, value)
        }
        (Storage::I16 | Storage::U16, Scalar::I32(value)) => f.store16(address, offset, value),
        (Storage::I32 | Storage::U32, Scalar::I32(value)) => f.store::<I32>(address, offset, value),
        (Storage::I64 | Storage::U64, Scalar::I64(value)) => f.store::<I64>(address, offset, value),
        (Storage::F32, Scalar::F32(value)) => {
            let value = select::<F32>(value.get().ne(value), f32::NAN, value);
            f.store::<F32>(address, offset, value);
        }
        (Storage::F64, Scalar::F64(value)) => {
            let value = select::<F64>(value.get().ne(value), f64::NAN, value);
            f.store::<F64>(address, offset, value);
        }
        (Storage::I128, value) => {
            let wide = widen(f, value);
            f.store::<I64>(address, offset, wide.lo);
            f.store::<I64>(address, offset + 8, wide.hi);
        }
        (Storage::View, Scalar::Text(text)) => text.store_view(f, address, offset),
        (storage, value) => unreachable!("{value:?} is not stored as {storage:?}"),
    }
}

/// Bit `index` of a bitmap.
fn load_bit(bitmap: Local<I32>, index: Local<I32>) -> Value<I32> {
    let byte = (bitmap.get() + index.get().shr_u(3)).load8_u(0);
    byte.shr_u(index.get() & 7) & 1
}

/// Loads the parameters, which `open` has put at `address`.
pub(crate) fn load_params(f: &mut Function, params: &[Param], address: u32) -> Vec<Datum> {
    let slots = params
        .iter()
        .zip((address..).step_by(crate::abi::PARAM_BYTES as usize));
    slots
        .map(|(param, slot)| {
            let value = match param.storage() {
                Storage::View => Scalar::Text(Text {
                    address: f.let_(Value::from(0).load::<I32>(slot)),
                    length: f.let_(Value::from(0).load::<I32>(slot + 4)),
                }),
                storage => load(f, storage, &param.ty, &Value::from(0), slot),
            };
            Datum {
                bits: range_bits(param.range),
                ..Datum::new(param.ty.clone(), value, None)
            }
        })
        .collect()
}

impl Row<'_> {
    /// The same row, for code that takes it.
    pub(crate) fn again(&self) -> Self {
        Self {
            columns: self.columns.clone(),
            ..*self
        }
    }

    /// Computes an expression of a verified fragment.
    pub(crate) fn value(&self, f: &mut Function, expr: &Expr) -> Datum {
        match expr {
            Expr::Column(index) => self.column(f, &self.columns[*index]),
            Expr::Param(index) => self.params[*index].clone(),
            Expr::Null(ty) => null(f, ty),
            Expr::Arithmetic(op, left, right) => self.arithmetic(f, *op, left, right),
            Expr::Negate(item) => self.negate(f, item),
            Expr::Compare(op, left, right) => self.compare(f, *op, left, right),
            Expr::In(value, items) => self.is_in(f, value, items),
            Expr::And(items) => self.and(f, items),
            Expr::Or(items) => self.or(f, items),
            Expr::Not(item) => self.not(f, item),
            Expr::IsNull(item) => self.is_null(f, item, true),
            Expr::IsNotNull(item) => self.is_null(f, item, false),
            Expr::Case {
                branches,
                otherwise,
            } => self.case(f, branches, otherwise.as_deref()),
            Expr::Coalesce(items) => self.coalesce(f, items),
            Expr::Cast(item, to) => self.cast(f, item, to),
            Expr::Like(class, text, pattern) => self.like(f, *class, text, pattern),
            Expr::DatePart(part, value) => self.date_part(f, *part, value),
            Expr::DateTrunc(part, value) => self.date_trunc(f, *part, value),
            Expr::AddInterval {
                value,
                months,
                days,
                nanos,
            } => self.add_interval(f, value, [months, days, nanos].map(|part| &**part)),
            Expr::Substring { text, start, count } => {
                self.substring(f, text, start, count.as_deref())
            }
        }
    }

    /// Type of an expression of a verified fragment.
    fn type_of(&self, expr: &Expr) -> Type {
        let columns: Vec<_> = self.columns.iter().map(Binding::value_type).collect();
        let scope = Scope {
            columns: &columns,
            params: self.param_types,
        };
        scope.value_type(expr).expect("the fragment is verified").ty
    }

    pub(crate) fn column(&self, f: &mut Function, binding: &Binding) -> Datum {
        match binding {
            Binding::Computed(datum) => datum.clone(),
            Binding::Stored {
                ty,
                storage,
                row,
                offset,
                null_offset,
                absent,
                table,
            } => {
                let value = match (storage, table) {
                    (Storage::View, Some(table)) => {
                        Scalar::Text(Text::of_table(f, *row, *offset, *table, *absent))
                    }
                    _ => load(f, *storage, ty, &row.get(), *offset),
                };
                let stored = null_offset.map(|offset| f.let_(row.get().load8_u(offset)));
                let null = match (stored, *absent) {
                    // What stands in for a row that is not there has any byte in this place.
                    (Some(stored), Some(absent)) => Some(f.let_(select::<I32>(absent, 1, stored))),
                    (one, other) => one.or(other),
                };
                Datum::new(ty.clone(), value, null)
            }
            Binding::Input {
                ty,
                storage,
                range,
                values,
                validity,
            } => {
                let value = match storage {
                    Storage::Bit => Scalar::I32(f.let_(load_bit(*values, self.index))),
                    other => {
                        let offset = self.index.get() * other.bytes();
                        load(f, *storage, ty, &(values.get() + offset), 0)
                    }
                };
                let null = validity.map(|bits| f.let_(load_bit(bits, self.index).eqz()));
                Datum {
                    bits: range_bits(*range),
                    ..Datum::new(ty.clone(), value, null)
                }
            }
        }
    }
}

/// The null of a type.
pub(crate) fn null(f: &mut Function, ty: &Type) -> Datum {
    let value = match ty.storage().lane() {
        Lane::I32 => Scalar::I32(f.let_(0)),
        Lane::I64 => Scalar::I64(f.let_(0i64)),
        Lane::I128 => Scalar::I128(super::wide::constant(f, 0)),
        Lane::F32 => Scalar::F32(f.let_(0f32)),
        Lane::F64 => Scalar::F64(f.let_(0f64)),
        Lane::Text => Scalar::Text(Text {
            address: f.let_(0),
            length: f.let_(0),
        }),
    };
    let null = f.let_(1);
    Datum::new(ty.clone(), value, Some(null))
}

/// A new local with `value`, for callers that name the type only here.
fn hold<T: Kind>(f: &mut Function, value: Value<T>) -> Local<T> {
    f.let_(value)
}
