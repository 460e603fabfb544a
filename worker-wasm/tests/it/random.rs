//! Random types, values, arrays and expressions.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, RecordBatch,
        StringViewArray,
    },
    compute::{cast, concat_batches},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type,
        Int32Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
        UInt64Type,
    },
};
use fastrand::Rng;
use worker_wasm::{
    fragment::{
        ArithmeticOp, Column, CompareOp, Expr, Facts, LikeClass, Param, Range, TimePart, Type,
        rules,
    },
    runtime,
};

pub(crate) fn column_type(rng: &mut Rng) -> Type {
    match rng.u32(0..18) {
        16.. => Type::Utf8,
        0 => Type::Boolean,
        1 => Type::Int8,
        2 => Type::Int16,
        3 => Type::Int32,
        4 => Type::Int64,
        5 => Type::UInt8,
        6 => Type::UInt16,
        7 => Type::UInt32,
        8 => Type::UInt64,
        9 => Type::Float32,
        10 => Type::Float64,
        11 => Type::Date32,
        12 => {
            let unit = [
                TimeUnit::Second,
                TimeUnit::Millisecond,
                TimeUnit::Microsecond,
                TimeUnit::Nanosecond,
            ][rng.usize(0..4)];
            Type::Timestamp(unit, rng.bool().then(|| "+00:00".into()))
        }
        13 => decimal(15, 2),
        14 => decimal(rng.u8(1..=38), 0),
        _ => {
            let precision = rng.u8(1..=38);
            decimal(precision, rng.i8(0..=precision.min(10) as i8))
        }
    }
}

pub(crate) fn decimal(precision: u8, scale: i8) -> Type {
    Type::Decimal { precision, scale }
}

/// A column of an input, with facts that `array` then keeps.
pub(crate) fn column(rng: &mut Rng) -> Column {
    let ty = column_type(rng);
    column_of(rng, ty)
}

/// A column that is not text.
pub(crate) fn fixed_column(rng: &mut Rng) -> Column {
    loop {
        let column = column(rng);
        if column.ty != Type::Utf8 {
            return column;
        }
    }
}

/// Wide ones more often than not: they overflow.
pub(crate) fn decimal_column(rng: &mut Rng) -> Column {
    let precision = [38, 37, 20, 15][rng.usize(0..4)];
    let ty = decimal(precision, rng.i8(0..=precision.min(10) as i8));
    column_of(rng, ty)
}

/// Points in time, and the numbers that move them.
pub(crate) fn time_column(rng: &mut Rng) -> Column {
    let ty = match rng.u32(0..6) {
        0 => Type::Int32,
        1 => Type::Int64,
        2 => Type::Date32,
        unit => {
            let unit = [
                TimeUnit::Second,
                TimeUnit::Microsecond,
                TimeUnit::Nanosecond,
            ][unit as usize - 3];
            Type::Timestamp(unit, rng.bool().then(|| "+00:00".into()))
        }
    };
    column_of(rng, ty)
}

/// Text, and the numbers that cut it.
pub(crate) fn text_column(rng: &mut Rng) -> Column {
    let ty = match rng.u32(0..3) {
        0 => Type::Int64,
        _ => Type::Utf8,
    };
    column_of(rng, ty)
}

pub(crate) fn column_of(rng: &mut Rng, ty: Type) -> Column {
    let nullable = rng.bool();
    let range = match rng.u32(0..3) {
        _ if !ty.is_decimal() => Range::Full,
        0 => Range::I32,
        1 => Range::I64,
        _ => Range::Full,
    };
    let no_nulls = nullable && rng.u32(0..4) == 0;
    Column {
        ty,
        nullable,
        facts: Facts { range, no_nulls },
    }
}

/// An integer: mostly small, sometimes anything or an extreme of `low..=high`.
fn integer(rng: &mut Rng, low: i128, high: i128) -> i128 {
    let value = match rng.u32(0..12) {
        0 => low,
        1 => high,
        2 => 0,
        3 => rng.i128(low..=high),
        4..8 => rng.i128(-100_000..=100_000),
        _ => rng.i128(-4..=4),
    };
    value.clamp(low, high)
}

/// A timestamp: mostly of a time that people have lived in, sometimes at the edge of a day, sometimes anything.
fn time(rng: &mut Rng, unit: TimeUnit) -> i64 {
    let second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let day = rng.i64(-100_000..100_000) * 86_400 * second;
    match rng.u32(0..6) {
        0 => integer(rng, i64::MIN.into(), i64::MAX.into()) as i64,
        1 => day,
        2 => day - 1,
        _ => day + rng.i64(0..86_400 * second),
    }
}

fn float(rng: &mut Rng) -> f64 {
    match rng.u32(0..14) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        3 => 0.0,
        4 => -0.0,
        5 => f64::MAX,
        6 => f64::MIN_POSITIVE,
        _ => f64::from(rng.i32(-1000..1000)) / 8.0,
    }
}

/// Text: of no length, around the length that fits a view, around whole vectors; with wildcards and characters of several bytes.
fn text(rng: &mut Rng) -> String {
    const PARTS: [&str; 9] = ["a", "b", "ab", "%", "_", "\\", "é", "🌏", "PROMO "];
    let mut text = match rng.bool() {
        true => "PROMO BURNISHED ",
        false => "",
    }
    .to_owned();
    let parts = match rng.u32(0..8) {
        0 => 0,
        1 => rng.usize(30..60),
        2 => rng.usize(10..14),
        _ => rng.usize(1..4),
    };
    for _ in 0..parts {
        text += PARTS[rng.usize(0..PARTS.len())];
    }
    text
}

/// The forms in which Arrow has text.
fn text_form(rng: &mut Rng) -> DataType {
    let dictionary =
        |keys: DataType, values: DataType| DataType::Dictionary(Box::new(keys), Box::new(values));
    match rng.u32(0..5) {
        0 => DataType::Utf8,
        1 => DataType::LargeUtf8,
        2 => dictionary(DataType::Int32, DataType::Utf8),
        3 => dictionary(DataType::UInt16, DataType::LargeUtf8),
        _ => DataType::Utf8View,
    }
}

fn primitive<T: ArrowPrimitiveType>(
    rng: &mut Rng,
    rows: usize,
    null_share: f64,
    mut value: impl FnMut(&mut Rng) -> T::Native,
) -> PrimitiveArray<T> {
    // Null rows hold random values too, as they do in arrays that kernels give.
    let values: Vec<_> = (0..rows).map(|_| value(rng)).collect();
    let nulls = (null_share > 0.0).then(|| (0..rows).map(|_| rng.f64() >= null_share).collect());
    PrimitiveArray::new(values.into(), nulls)
}

/// Values of a column, sliced out of a longer array now and then.
pub(crate) fn array(rng: &mut Rng, column: &Column, rows: usize) -> ArrayRef {
    let (before, after) = match rng.bool() {
        true => (rng.usize(0..20), rng.usize(0..20)),
        false => (0, 0),
    };
    let null_share = match column.nullable && !column.facts.no_nulls {
        true => [0.0, 0.1, 0.5, 1.0][rng.usize(0..4)],
        false => 0.0,
    };
    let all = before + rows + after;
    whole_array(rng, column, all, null_share).slice(before, rows)
}

fn whole_array(rng: &mut Rng, column: &Column, rows: usize, null_share: f64) -> ArrayRef {
    macro_rules! integers {
        ($arrow:ident) => {{
            type Native = <$arrow as ArrowPrimitiveType>::Native;
            let (low, high) = (Native::MIN.into(), Native::MAX.into());
            Arc::new(primitive::<$arrow>(rng, rows, null_share, |rng| {
                integer(rng, low, high) as Native
            }))
        }};
    }
    match &column.ty {
        Type::Boolean => {
            let values: Vec<_> = (0..rows)
                .map(|_| (rng.f64() >= null_share).then(|| rng.bool()))
                .collect();
            Arc::new(BooleanArray::from(values))
        }
        Type::Int8 => integers!(Int8Type),
        Type::Int16 => integers!(Int16Type),
        Type::Int32 => integers!(Int32Type),
        Type::Int64 => integers!(Int64Type),
        Type::UInt8 => integers!(UInt8Type),
        Type::UInt16 => integers!(UInt16Type),
        Type::UInt32 => integers!(UInt32Type),
        Type::UInt64 => integers!(UInt64Type),
        Type::Date32 => Arc::new(primitive::<Date32Type>(
            rng,
            rows,
            null_share,
            |rng| match rng.u32(0..4) {
                0 => integer(rng, i32::MIN.into(), i32::MAX.into()) as i32,
                _ => rng.i32(-100_000..100_000),
            },
        )),
        Type::Timestamp(unit, zone) => {
            let mut value = |rng: &mut Rng| time(rng, *unit);
            macro_rules! timestamps {
                ($arrow:ident) => {{
                    let values = primitive::<$arrow>(rng, rows, null_share, &mut value);
                    Arc::new(values.with_timezone_opt(zone.clone()))
                }};
            }
            match unit {
                TimeUnit::Second => timestamps!(TimestampSecondType),
                TimeUnit::Millisecond => timestamps!(TimestampMillisecondType),
                TimeUnit::Microsecond => timestamps!(TimestampMicrosecondType),
                TimeUnit::Nanosecond => timestamps!(TimestampNanosecondType),
            }
        }
        Type::Float32 => Arc::new(primitive::<Float32Type>(rng, rows, null_share, |rng| {
            float(rng) as f32
        })),
        Type::Float64 => Arc::new(primitive::<Float64Type>(rng, rows, null_share, float)),
        Type::Decimal { precision, scale } => {
            let digits = 10i128.pow(u32::from(*precision)) - 1;
            let limit = match column.facts.range {
                Range::I32 => digits.min(i32::MAX.into()),
                Range::I64 => digits.min(i64::MAX.into()),
                Range::Full => digits,
            };
            let values = primitive::<Decimal128Type>(rng, rows, null_share, |rng| {
                integer(rng, -limit, limit)
            });
            Arc::new(values.with_precision_and_scale(*precision, *scale).unwrap())
        }
        Type::Utf8 => {
            let texts = (0..rows).map(|_| (rng.f64() >= null_share).then(|| text(rng)));
            let texts: StringViewArray = texts.collect();
            cast(&texts, &text_form(rng)).unwrap()
        }
    }
}

pub(crate) fn batch(rng: &mut Rng, columns: &[Column], rows: usize) -> RecordBatch {
    let arrays: Vec<_> = columns
        .iter()
        .map(|column| array(rng, column, rows))
        .collect();
    let fields: Vec<_> = columns
        .iter()
        .zip(&arrays)
        .enumerate()
        .map(|(index, (column, array))| {
            let data_type = array.data_type().clone();
            Field::new(format!("c{index}"), data_type, column.nullable)
        })
        .collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap()
}

/// Batches as one, with every column in the form that fragments put out.
pub(crate) fn whole(columns: &[Column], batches: &[RecordBatch]) -> RecordBatch {
    let batches = batches.iter().map(|batch| {
        let arrays = batch.columns().iter().zip(columns);
        let arrays = arrays.map(|(array, column)| cast(array, &column.ty.to_arrow()).unwrap());
        let arrays: Vec<ArrayRef> = arrays.collect();
        let fields = columns.iter().enumerate().map(|(index, column)| {
            Field::new(format!("c{index}"), column.ty.to_arrow(), column.nullable)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        RecordBatch::try_new(schema, arrays).unwrap()
    });
    let batches: Vec<_> = batches.collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// Rows of a batch: none, one, around multiples of what code handles at once, many.
pub(crate) fn rows(rng: &mut Rng) -> usize {
    match rng.u32(0..6) {
        0 => rng.usize(0..3),
        1 => rng.usize(14..18),
        2 => rng.usize(62..66),
        _ => rng.usize(3..200),
    }
}

fn compare_op(rng: &mut Rng) -> CompareOp {
    [
        CompareOp::Eq,
        CompareOp::Ne,
        CompareOp::Lt,
        CompareOp::Le,
        CompareOp::Gt,
        CompareOp::Ge,
    ][rng.usize(0..6)]
}

const TIME_PARTS: [TimePart; 16] = [
    TimePart::Year,
    TimePart::IsoYear,
    TimePart::Quarter,
    TimePart::Month,
    TimePart::Week,
    TimePart::Day,
    TimePart::DayOfYear,
    TimePart::DayOfWeek,
    TimePart::IsoDayOfWeek,
    TimePart::Hour,
    TimePart::Minute,
    TimePart::Second,
    TimePart::Millisecond,
    TimePart::Microsecond,
    TimePart::Nanosecond,
    TimePart::Epoch,
];

/// A parameter with a value of its type and range.
pub(crate) struct Literal {
    pub(crate) param: Param,
    pub(crate) value: runtime::Param,
    /// The value as an array of one row.
    pub(crate) array: ArrayRef,
}

/// A parameter like one of `columns`, so that the two can be compared.
pub(crate) fn literal(rng: &mut Rng, columns: &[Column]) -> Literal {
    let of = &columns[rng.usize(0..columns.len())];
    let range = match rng.bool() {
        true => of.facts.range,
        false => Range::Full,
    };
    let (ty, facts) = (
        of.ty.clone(),
        Facts {
            range,
            ..Facts::NONE
        },
    );
    let column = Column {
        ty: ty.clone(),
        nullable: false,
        facts,
    };
    let array = cast(&whole_array(rng, &column, 1, 0.0), &ty.to_arrow()).unwrap();
    Literal {
        param: Param { ty, range },
        value: literal_value(&array),
        array,
    }
}

fn literal_value(array: &ArrayRef) -> runtime::Param {
    match array.data_type() {
        DataType::Boolean => runtime::Param::Boolean(array.as_boolean().value(0)),
        DataType::Float32 => runtime::Param::Float32(array.as_primitive::<Float32Type>().value(0)),
        DataType::Float64 => runtime::Param::Float64(array.as_primitive::<Float64Type>().value(0)),
        DataType::Utf8View => runtime::Param::Text(array.as_string_view().value(0).into()),
        DataType::Decimal128(..) => {
            runtime::Param::Int(array.as_primitive::<Decimal128Type>().value(0))
        }
        DataType::UInt64 => runtime::Param::Int(array.as_primitive::<UInt64Type>().value(0).into()),
        other => {
            let days = match other {
                DataType::Date32 => cast(array, &DataType::Int32).unwrap(),
                _ => ArrayRef::clone(array),
            };
            let number = cast(&days, &DataType::Int64).unwrap();
            runtime::Param::Int(number.as_primitive::<Int64Type>().value(0).into())
        }
    }
}

/// Makes expressions over columns and parameters.
pub(crate) struct Exprs<'a> {
    pub(crate) columns: &'a [Column],
    pub(crate) literals: &'a [Literal],
}

impl Exprs<'_> {
    /// An expression and its type, at most `depth` operators deep.
    pub(crate) fn any(&self, rng: &mut Rng, depth: u32) -> (Expr, Type) {
        if depth == 0 || rng.u32(0..8) == 0 {
            let index = rng.usize(0..self.columns.len() + self.literals.len());
            return match index.checked_sub(self.columns.len()) {
                None => (Expr::Column(index), self.columns[index].ty.clone()),
                Some(index) => (Expr::Param(index), self.literals[index].param.ty.clone()),
            };
        }
        if rng.u32(0..3) == 0 {
            return (self.boolean(rng, depth), Type::Boolean);
        }
        let (item, ty) = self.any(rng, depth - 1);
        match rng.u32(0..6) {
            0..3 if ty == Type::Utf8 => {
                let start = Box::new(self.of(rng, &Type::Int64, depth - 1));
                let count = rng
                    .bool()
                    .then(|| Box::new(self.of(rng, &Type::Int64, depth - 1)));
                let text = Box::new(item);
                (Expr::Substring { text, start, count }, ty)
            }
            0..4 if rules::takes_interval(&ty) => self.time(rng, item, ty, depth),
            0 => self.cast(rng, item, ty),
            1 if ty.is_signed() || ty.is_float() || ty.is_decimal() => {
                (Expr::Negate(Box::new(item)), ty)
            }
            2 => {
                let branches = (0..rng.usize(1..3))
                    .map(|_| (self.boolean(rng, depth - 1), self.of(rng, &ty, depth - 1)))
                    .collect();
                let otherwise = rng.bool().then(|| Box::new(item));
                (
                    Expr::Case {
                        branches,
                        otherwise,
                    },
                    ty,
                )
            }
            3 => {
                let last = self.of(rng, &ty, depth - 1);
                (Expr::Coalesce(vec![item, last]), ty)
            }
            _ => self.arithmetic(rng, item, ty, depth),
        }
    }

    /// Something about a date or timestamp.
    fn time(&self, rng: &mut Rng, value: Expr, ty: Type, depth: u32) -> (Expr, Type) {
        let part = TIME_PARTS[rng.usize(0..TIME_PARTS.len())];
        if rng.u32(0..3) == 0 {
            let mut of = |ty: Type| Box::new(self.of(rng, &ty, depth - 1));
            let interval = Expr::AddInterval {
                months: of(Type::Int32),
                days: of(Type::Int32),
                nanos: of(Type::Int64),
                value: Box::new(value),
            };
            return (interval, ty);
        }
        // Few parts of few types can be truncated to, so nearly all of those are.
        if rules::date_trunc(part, &ty) && rng.u32(0..10) > 0 {
            return (Expr::DateTrunc(part, Box::new(value)), ty);
        }
        let (of, _) = rules::date_part(part, &ty).unwrap();
        (Expr::DatePart(part, Box::new(value)), of)
    }

    fn arithmetic(&self, rng: &mut Rng, left: Expr, ty: Type, depth: u32) -> (Expr, Type) {
        let op = [
            ArithmeticOp::Add,
            ArithmeticOp::Subtract,
            ArithmeticOp::Multiply,
            ArithmeticOp::Divide,
            ArithmeticOp::Remainder,
        ][rng.usize(0..5)];
        let (right, right_type) = match ty.is_decimal() {
            true => self.decimal(rng),
            false => (self.of(rng, &ty, depth - 1), ty.clone()),
        };
        match rules::arithmetic(op, &ty, &right_type) {
            Some(result) => (
                Expr::Arithmetic(op, Box::new(left), Box::new(right)),
                result,
            ),
            None => (left, ty),
        }
    }

    fn decimal(&self, rng: &mut Rng) -> (Expr, Type) {
        let decimals: Vec<_> = (0..self.columns.len())
            .filter(|index| self.columns[*index].ty.is_decimal())
            .collect();
        match decimals.is_empty() {
            true => (Expr::Null(decimal(9, 3)), decimal(9, 3)),
            false => {
                let index = decimals[rng.usize(0..decimals.len())];
                (Expr::Column(index), self.columns[index].ty.clone())
            }
        }
    }

    fn cast(&self, rng: &mut Rng, item: Expr, ty: Type) -> (Expr, Type) {
        let to = column_type(rng);
        match rules::can_cast(&ty, &to) {
            true => (Expr::Cast(Box::new(item), to.clone()), to),
            false => (item, ty),
        }
    }

    /// An expression of a given type.
    fn of(&self, rng: &mut Rng, ty: &Type, depth: u32) -> Expr {
        for _ in 0..8 {
            let (expr, found) = self.any(rng, depth.min(1));
            if found == *ty {
                return expr;
            }
        }
        let same = (0..self.columns.len()).find(|index| self.columns[*index].ty == *ty);
        same.map_or_else(|| Expr::Null(ty.clone()), Expr::Column)
    }

    /// A column compared with a parameter, or looked up among parameters: what filters mostly are.
    fn column_by_literal(&self, rng: &mut Rng) -> Expr {
        let param = rng.usize(0..self.literals.len());
        let ty = &self.literals[param].param.ty;
        let like = |column: &Column| column.ty == *ty;
        let column = self
            .columns
            .iter()
            .position(like)
            .expect("literals are like columns");
        let (column, param) = (Box::new(Expr::Column(column)), Box::new(Expr::Param(param)));
        match rng.u32(0..5) {
            0 => Expr::In(column, vec![*param]),
            1 => Expr::Compare(compare_op(rng), param, column),
            _ => Expr::Compare(compare_op(rng), column, param),
        }
    }

    pub(crate) fn boolean(&self, rng: &mut Rng, depth: u32) -> Expr {
        let depth = depth.saturating_sub(1);
        let some = |rng: &mut Rng| {
            (0..rng.usize(2..4))
                .map(|_| self.boolean(rng, depth))
                .collect()
        };
        let text = self
            .columns
            .iter()
            .position(|column| column.ty == Type::Utf8);
        if !self.literals.is_empty() && rng.u32(0..3) == 0 {
            return self.column_by_literal(rng);
        }
        match rng.u32(0..12) {
            9.. if text.is_some() => {
                let class = [
                    LikeClass::Exact,
                    LikeClass::Prefix,
                    LikeClass::Suffix,
                    LikeClass::Contains,
                    LikeClass::General,
                ][rng.usize(0..5)];
                let text = self.of(rng, &Type::Utf8, depth);
                let pattern = self.of(rng, &Type::Utf8, depth);
                Expr::Like(class, Box::new(text), Box::new(pattern))
            }
            0 if depth > 0 => Expr::And(some(rng)),
            1 if depth > 0 => Expr::Or(some(rng)),
            2 if depth > 0 => Expr::Not(Box::new(self.boolean(rng, depth))),
            3 => Expr::IsNull(Box::new(self.any(rng, depth).0)),
            4 => Expr::IsNotNull(Box::new(self.any(rng, depth).0)),
            5 => {
                let (value, ty) = self.any(rng, depth);
                let items = (0..rng.usize(1..4))
                    .map(|_| self.of(rng, &ty, depth))
                    .collect();
                Expr::In(Box::new(value), items)
            }
            _ => {
                let (left, ty) = self.any(rng, depth);
                let op = compare_op(rng);
                let right = self.of(rng, &ty, depth);
                Expr::Compare(op, Box::new(left), Box::new(right))
            }
        }
    }
}
