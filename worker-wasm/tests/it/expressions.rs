//! Expressions against arrow's kernels, which DataFusion's own expressions call, row by row.
//!
//! Row by row, because CASE, COALESCE, AND and OR must not compute what a row does not reach.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float32Array, Float64Array,
        RecordBatch, StringViewArray, new_null_array,
    },
    compute::{
        CastOptions, cast, cast_with_options, concat, contains, ends_with,
        kernels::{boolean, cmp, numeric},
        like, starts_with,
    },
    datatypes::{DataType, Float32Type, Float64Type, Int64Type},
    error::ArrowError,
};
use fastrand::Rng;
use worker_wasm::{
    Fragment, RunError,
    abi::Reason,
    fragment::{
        ArithmeticOp, CompareOp, Expr, Input, LikeClass, Operator, Pipeline, Sink, Source, Type,
        rules, verifier::verify,
    },
    runtime::Param,
};

use crate::{
    calendar,
    random::{self, Exprs, Literal},
    support::{Mix, SHAPES, run, seeds},
};

/// A value as an array of one row, or why there is none.
type Reference = Result<ArrayRef, Reason>;

fn reason(error: &ArrowError) -> Reason {
    match error {
        ArrowError::DivideByZero => Reason::DivideByZero,
        ArrowError::ArithmeticOverflow(_) => Reason::Overflow,
        _ => Reason::CastOutOfRange,
    }
}

/// All NaNs as the positive one, the rule that makes answers the same on all processors; all text as views.
pub(crate) fn canonical(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float32 => {
            let floats: &Float32Array = array.as_primitive();
            Arc::new(floats.unary::<_, Float32Type>(|v| if v.is_nan() { f32::NAN } else { v }))
        }
        DataType::Float64 => {
            let floats: &Float64Array = array.as_primitive();
            Arc::new(floats.unary::<_, Float64Type>(|v| if v.is_nan() { f64::NAN } else { v }))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Dictionary(..) => {
            cast(&array, &DataType::Utf8View).unwrap()
        }
        _ => array,
    }
}

fn truth(array: &ArrayRef) -> Option<bool> {
    array.is_valid(0).then(|| array.as_boolean().value(0))
}

fn boolean_row(value: Option<bool>) -> ArrayRef {
    Arc::new(BooleanArray::from(vec![value]))
}

/// What the names in an expression stand for.
struct Row<'a> {
    batch: &'a RecordBatch,
    literals: &'a [Literal],
}

fn type_of(expr: &Expr, row: &Row<'_>) -> DataType {
    let schema = row.batch.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| worker_wasm::fragment::Column {
            ty: Type::from_arrow(field.data_type()).unwrap(),
            nullable: true,
            facts: worker_wasm::fragment::Facts::NONE,
        });
    let fragment = projection(columns.collect(), row.literals, vec![expr.clone()]);
    verify(&fragment).unwrap()[0].ty.to_arrow()
}

fn reference(expr: &Expr, row: &Row<'_>) -> Reference {
    let kernel =
        |result: Result<ArrayRef, ArrowError>| result.map(canonical).map_err(|e| reason(&e));
    match expr {
        Expr::Column(index) => Ok(canonical(Arc::clone(row.batch.column(*index)))),
        Expr::Param(index) => Ok(canonical(Arc::clone(&row.literals[*index].array))),
        Expr::Null(ty) => Ok(new_null_array(&ty.to_arrow(), 1)),
        Expr::Arithmetic(op, left, right) => {
            let (left, right) = (reference(left, row)?, reference(right, row)?);
            if left.is_null(0) || right.is_null(0) {
                let ty = |array: &ArrayRef| Type::from_arrow(array.data_type()).unwrap();
                let ty = rules::arithmetic(*op, &ty(&left), &ty(&right)).unwrap();
                return Ok(new_null_array(&ty.to_arrow(), 1));
            }
            kernel(match op {
                ArithmeticOp::Add => numeric::add_wrapping(&left, &right),
                ArithmeticOp::Subtract => numeric::sub_wrapping(&left, &right),
                ArithmeticOp::Multiply => numeric::mul_wrapping(&left, &right),
                ArithmeticOp::Divide => numeric::div(&left, &right),
                ArithmeticOp::Remainder => numeric::rem(&left, &right),
            })
        }
        Expr::Compare(op, left, right) => {
            let (left, right) = (reference(left, row)?, reference(right, row)?);
            compare(*op, &left, &right)
        }
        Expr::And(items) => fold(items, row, false),
        Expr::Or(items) => fold(items, row, true),
        Expr::Not(item) => Ok(boolean_row(
            truth(&reference(item, row)?).map(|value| !value),
        )),
        Expr::Negate(item) => kernel(numeric::neg_wrapping(&reference(item, row)?)),
        Expr::IsNull(item) => Ok(boolean_row(Some(reference(item, row)?.is_null(0)))),
        Expr::IsNotNull(item) => Ok(boolean_row(Some(reference(item, row)?.is_valid(0)))),
        Expr::Case {
            branches,
            otherwise,
        } => {
            for (when, then) in branches {
                if truth(&reference(when, row)?) == Some(true) {
                    return reference(then, row);
                }
            }
            match otherwise {
                Some(value) => reference(value, row),
                None => Ok(new_null_array(&type_of(expr, row), 1)),
            }
        }
        Expr::Cast(item, to) => {
            let strict = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            let item = reference(item, row)?;
            if calendar::is_unchecked_cast(&item, to) {
                return Err(Reason::CastOutOfRange);
            }
            // Arrow reports every failed cast its own way; to us they are all one reason.
            let cast = cast_with_options(&item, &to.to_arrow(), &strict);
            cast.map(canonical).map_err(|_| Reason::CastOutOfRange)
        }
        Expr::Coalesce(items) => {
            let mut last = reference(&items[0], row)?;
            for item in &items[1..] {
                if last.is_valid(0) {
                    break;
                }
                last = reference(item, row)?;
            }
            Ok(last)
        }
        Expr::In(value, items) => {
            let value = reference(value, row)?;
            let mut found = boolean_row(Some(false));
            for item in items {
                let equal = compare(CompareOp::Eq, &value, &reference(item, row)?)?;
                let either = boolean::or_kleene(found.as_boolean(), equal.as_boolean()).unwrap();
                found = Arc::new(either);
            }
            Ok(found)
        }
        Expr::Like(class, text, pattern) => {
            let (text, pattern) = (reference(text, row)?, reference(pattern, row)?);
            let found = match class {
                LikeClass::Exact => cmp::eq(&text, &pattern),
                LikeClass::Prefix => starts_with(&text, &pattern),
                LikeClass::Suffix => ends_with(&text, &pattern),
                LikeClass::Contains => contains(&text, &pattern),
                LikeClass::General => like(&text, &pattern),
            };
            Ok(Arc::new(found.unwrap()))
        }
        Expr::DatePart(part, value) => kernel(Ok(calendar::part(*part, &reference(value, row)?))),
        Expr::DateTrunc(part, value) => calendar::trunc(*part, &reference(value, row)?),
        Expr::AddInterval {
            value,
            months,
            days,
            nanos,
        } => {
            let value = reference(value, row)?;
            let months = reference(months, row)?;
            let days = reference(days, row)?;
            let nanos = reference(nanos, row)?;
            calendar::add_interval(&value, [&months, &days, &nanos])
        }
        Expr::Substring { text, start, count } => {
            let text = reference(text, row)?;
            let start = reference(start, row)?;
            let count = count
                .as_ref()
                .map(|count| reference(count, row))
                .transpose()?;
            substring(&text, &start, count.as_ref())
        }
    }
}

/// PostgreSQL's rule, by characters: positions before the first one count, but nothing is there.
fn substring(text: &ArrayRef, start: &ArrayRef, count: Option<&ArrayRef>) -> Reference {
    let present = |array: &ArrayRef| array.is_valid(0).then(|| Arc::clone(array));
    let int = |array: &ArrayRef| array.as_primitive::<Int64Type>().value(0);
    let arguments = (present(text), present(start), count.map(present));
    let (Some(text), Some(start), None | Some(Some(_))) = arguments else {
        return Ok(new_null_array(&DataType::Utf8View, 1));
    };
    let count = count.map(int);
    if count.is_some_and(|count| count < 0) {
        return Err(Reason::NegativeCount);
    }
    if int(&start) == i64::MIN {
        return Err(Reason::Overflow);
    }
    let first = i128::from(int(&start)) - 1;
    let end = count.map_or(i128::MAX, |count| first + i128::from(count));
    let characters = (0i128..).zip(text.as_string_view().value(0).chars());
    let part: String = characters
        .filter(|(position, _)| (first..end).contains(position))
        .map(|(_, character)| character)
        .collect();
    Ok(Arc::new(StringViewArray::from(vec![part.as_str()])))
}

fn compare(op: CompareOp, left: &ArrayRef, right: &ArrayRef) -> Reference {
    let result = match op {
        CompareOp::Eq => cmp::eq(left, right),
        CompareOp::Ne => cmp::neq(left, right),
        CompareOp::Lt => cmp::lt(left, right),
        CompareOp::Le => cmp::lt_eq(left, right),
        CompareOp::Gt => cmp::gt(left, right),
        CompareOp::Ge => cmp::gt_eq(left, right),
    };
    Ok(Arc::new(result.unwrap()))
}

fn fold(items: &[Expr], row: &Row<'_>, deciding: bool) -> Reference {
    let mut result = Some(!deciding);
    for item in items {
        match truth(&reference(item, row)?) {
            Some(value) if value == deciding => return Ok(boolean_row(Some(deciding))),
            Some(_) => {}
            None => result = None,
        }
    }
    Ok(boolean_row(result))
}

fn projection(
    columns: Vec<worker_wasm::fragment::Column>,
    literals: &[Literal],
    exprs: Vec<Expr>,
) -> Fragment {
    Fragment {
        inputs: vec![Input { columns }],
        params: literals
            .iter()
            .map(|literal| literal.param.clone())
            .collect(),
        pipelines: vec![Pipeline {
            source: Source::Input(0),
            operators: vec![Operator::Project(exprs)],
            sink: Sink::Emit,
        }],
    }
}

fn values(literals: &[Literal]) -> Vec<Param> {
    literals
        .iter()
        .map(|literal| literal.value.clone())
        .collect()
}

fn kind(expr: &Expr) -> &'static str {
    match expr {
        Expr::Param(_) => "literal",
        Expr::Column(_) | Expr::Null(_) => "leaf",
        Expr::Arithmetic(..) => "arithmetic",
        Expr::Compare(..) => "compare",
        Expr::And(_) => "and",
        Expr::Or(_) => "or",
        Expr::Not(_) => "not",
        Expr::Negate(_) => "negate",
        Expr::IsNull(_) | Expr::IsNotNull(_) => "is-null",
        Expr::Case { .. } => "case",
        Expr::Cast(..) => "cast",
        Expr::Coalesce(_) => "coalesce",
        Expr::In(..) => "in",
        Expr::Like(..) => "like",
        Expr::Substring { .. } => "substring",
        Expr::DatePart(..) => "date-part",
        Expr::DateTrunc(..) => "date-trunc",
        Expr::AddInterval { .. } => "add-interval",
    }
}

const TYPES: [&str; 15] = [
    "utf8",
    "boolean",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "date32",
    "timestamp",
    "decimal",
];

/// A type without what it has in brackets.
fn type_name(ty: &Type) -> String {
    let text = ty.to_string();
    let mut parts = text.split([' ', '(']);
    let name = parts.find(|part| !part.is_empty());
    name.expect("a type has a name").to_owned()
}

#[test]
fn random_expressions_agree_with_arrow() {
    let mix = Mix::default();
    let mut shapes = HashSet::new();
    let count = if std::env::var("MURRE_LONG").is_ok() {
        60_000
    } else {
        1200
    };
    for seed in seeds(1, count) {
        let mut rng = Rng::with_seed(seed);
        // Of eight cases two are about decimals alone, whose arithmetic has the most variants, two about time and one about
        // text, of which there would be too few.
        let column = match seed % 8 {
            0 | 4 => random::decimal_column,
            1 | 5 => random::time_column,
            2 => random::text_column,
            _ => random::column,
        };
        let columns: Vec<_> = (0..rng.usize(1..5)).map(|_| column(&mut rng)).collect();
        let literals: Vec<_> = (0..rng.usize(0..3))
            .map(|_| random::literal(&mut rng, &columns))
            .collect();
        let exprs = Exprs {
            columns: &columns,
            literals: &literals,
        };
        let (expr, ty) = exprs.any(&mut rng, 3);
        mix.count("expressions");
        mix.count(kind(&expr));
        mix.count(type_name(&ty));
        let fragment = projection(columns.clone(), &literals, vec![expr.clone()]);
        let rows = random::rows(&mut rng);
        let batch = random::batch(&mut rng, &columns, rows);
        mix.count_batch(&batch);
        mix.add("cases", rows as u64);
        shapes.insert(fragment.to_string());
        let context = || format!("seed {seed}: {expr}\n{fragment}");
        let expected: Vec<_> = (0..batch.num_rows())
            .map(|row| {
                let row = Row {
                    batch: &batch.slice(row, 1),
                    literals: &literals,
                };
                reference(&expr, &row)
            })
            .collect();
        let actual = run(&fragment, &values(&literals), std::slice::from_ref(&batch));
        let failing = expected.iter().position(Result::is_err);
        match (failing, actual) {
            (None, Ok(actual)) => {
                mix.count("value");
                let expected: Vec<_> = expected.into_iter().map(Result::unwrap).collect();
                let expected: Vec<_> = expected.iter().map(AsRef::as_ref).collect();
                if !expected.is_empty() {
                    let expected = concat(&expected).unwrap();
                    assert_eq!(&expected, actual.column(0), "{}", context());
                }
            }
            (Some(row), Err(RunError::Data { reason, row: at })) => {
                mix.count(format!("{reason:?}"));
                let expected = *expected[row].as_ref().unwrap_err();
                assert_eq!((expected, row as u32), (reason, at), "{}", context());
            }
            (failing, actual) => panic!(
                "{}\nexpected failure {failing:?}, got {actual:?}",
                context()
            ),
        }
    }
    mix.add("distinct expressions", shapes.len() as u64);
    let ends = [
        "value",
        "DivideByZero",
        "Overflow",
        "CastOutOfRange",
        "NegativeCount",
    ];
    let operators = [
        "literal",
        "arithmetic",
        "compare",
        "and",
        "or",
        "not",
        "negate",
        "is-null",
        "case",
        "cast",
        "coalesce",
        "in",
        "like",
        "substring",
        "date-part",
        "date-trunc",
        "add-interval",
    ];
    let shared = [&operators[..], &TYPES[..], &SHAPES[..]].concat();
    mix.check(&[&ends[..], &shared[..]].concat());
    mix.check_shares("expressions", &shared);
    mix.check_least("cases", 1_000_000);
    mix.check_least("distinct expressions", 50_000);
}

#[test]
fn random_filters_keep_the_rows_that_are_true() {
    let mix = Mix::default();
    let count = if std::env::var("MURRE_LONG").is_ok() {
        40_000
    } else {
        800
    };
    for seed in seeds(1_000_000, count) {
        let mut rng = Rng::with_seed(seed);
        let columns: Vec<_> = (0..rng.usize(1..5))
            .map(|_| random::column(&mut rng))
            .collect();
        let literals: Vec<_> = (0..rng.usize(0..4))
            .map(|_| random::literal(&mut rng, &columns))
            .collect();
        let exprs = Exprs {
            columns: &columns,
            literals: &literals,
        };
        let predicates: Vec<_> = (0..rng.usize(1..3))
            .map(|_| exprs.boolean(&mut rng, 2))
            .collect();
        mix.count("filters");
        let met = columns.iter().map(|column| type_name(&column.ty));
        let met: HashSet<_> = met
            .chain(predicates.iter().map(|of| kind(of).to_owned()))
            .collect();
        met.into_iter().for_each(|what| mix.count(what));
        let mut fragment = projection(columns.clone(), &literals, Vec::new());
        fragment.pipelines[0].operators =
            predicates.iter().cloned().map(Operator::Filter).collect();
        let batches: Vec<_> = (0..rng.usize(1..4))
            .map(|_| {
                let rows = random::rows(&mut rng);
                let batch = random::batch(&mut rng, &columns, rows);
                mix.count_batch(&batch);
                batch
            })
            .collect();
        let mut kept = Vec::new();
        let mut fails = false;
        for row in batches
            .iter()
            .flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)))
        {
            let names = Row {
                batch: &row,
                literals: &literals,
            };
            let verdict = predicates
                .iter()
                .try_fold(true, |keep, predicate| match keep {
                    true => Ok(truth(&reference(predicate, &names)?) == Some(true)),
                    false => Ok::<_, Reason>(false),
                });
            match verdict {
                Ok(true) => kept.push(row),
                Ok(false) => mix.count("dropped"),
                Err(_) => fails = true,
            }
        }
        let context = || format!("seed {seed}\n{fragment}");
        match run(&fragment, &values(&literals), &batches) {
            Err(RunError::Data { .. }) => {
                mix.count("failed");
                assert!(fails, "{}", context());
            }
            Err(error) => panic!("{}\n{error}", context()),
            Ok(actual) => {
                assert!(!fails, "{}", context());
                mix.count("kept");
                assert_eq!(kept.len(), actual.num_rows(), "{}", context());
                if !kept.is_empty() {
                    for (index, column) in actual.columns().iter().enumerate() {
                        let rows: Vec<_> = kept
                            .iter()
                            .map(|row| canonical(Arc::clone(row.column(index))))
                            .collect();
                        let rows: Vec<_> = rows.iter().map(AsRef::as_ref).collect();
                        assert_eq!(&concat(&rows).unwrap(), column, "{}", context());
                    }
                }
            }
        }
    }
    let operators = ["compare", "and", "or", "not", "is-null", "in", "like"];
    let shared = [&operators[..], &TYPES[..], &SHAPES[..]].concat();
    mix.check(&[&["kept", "dropped", "failed"], &shared[..]].concat());
    mix.check_shares("filters", &shared);
}

#[test]
fn decimals_are_cast_across_all_38_places() {
    for (from, to) in [(38, 0), (0, 38), (-19, 19), (19, -19)] {
        let fragment = format!(
            "(fragment (input (column (decimal 38 {from}))) (params)
               (pipeline (input 0) (project (cast c0 (decimal 38 {to}))) (emit)))"
        );
        let fragment: Fragment = fragment.parse().unwrap();
        let digits = 10i128.pow(38) - 1;
        for number in [0, 1, -1, digits, -digits, digits / 2, digits / 2 + 1] {
            let column = Decimal128Array::from(vec![number]);
            let column = column.with_precision_and_scale(38, from).unwrap();
            let strict = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            let expected = cast_with_options(&column, &DataType::Decimal128(38, to), &strict);
            let batch = RecordBatch::try_from_iter([("c0", Arc::new(column) as ArrayRef)]);
            let actual = run(&fragment, &[], &[batch.unwrap()]);
            match (expected, actual) {
                (Ok(expected), Ok(actual)) => assert_eq!(&expected, actual.column(0)),
                (Err(_), Err(RunError::Data { reason, .. })) => {
                    assert_eq!(reason, Reason::CastOutOfRange);
                }
                (expected, actual) => panic!("{number}: {expected:?}, got {actual:?}"),
            }
        }
    }
}

#[test]
fn floats_become_the_nearest_decimals_on_both_sides_of_zero() {
    let fragment: Fragment = "(fragment (input (column float64)) (params)
          (pipeline (input 0) (project (cast c0 (decimal 38 1))) (emit)))"
        .parse()
        .unwrap();
    let floats = [
        -35.04,
        -35.06,
        35.05,
        -0.05,
        0.04,
        2f64.powi(80),
        -2f64.powi(80) - 2f64.powi(30),
    ];
    let column: ArrayRef = Arc::new(Float64Array::from(floats.to_vec()));
    let expected = cast(&column, &DataType::Decimal128(38, 1)).unwrap();
    let batch = RecordBatch::try_from_iter([("c0", column)]).unwrap();
    let actual = run(&fragment, &[], &[batch]).unwrap();
    assert_eq!(&expected, actual.column(0));
}

#[test]
fn connectives_without_operands_are_their_neutral_values() {
    let column: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    let batch = RecordBatch::try_from_iter([("c0", column)]).unwrap();
    for (filter, rows) in [
        ("(and)", 2),
        ("(or)", 0),
        ("(and c0 (and))", 1),
        ("(or c0 (or))", 1),
    ] {
        let text = format!(
            "(fragment (input (column boolean)) (params) (pipeline (input 0) (filter {filter}) (emit)))"
        );
        let out = run(&text.parse().unwrap(), &[], std::slice::from_ref(&batch)).unwrap();
        assert_eq!(out.num_rows(), rows, "{filter}");
    }
}
