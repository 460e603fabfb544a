use arrow::{
    array::{
        ArrayRef, AsArray, Date32Array, Decimal128Array, Int32Array, Int64Array, StringViewArray,
        TimestampMicrosecondArray,
    },
    buffer::NullBuffer,
    datatypes::Field,
};
use datafusion::{
    catalog::TableProvider,
    logical_expr::Operator,
    physical_expr::expressions::{binary, col, like, lit},
    physical_plan::{collect, empty::EmptyExec},
    prelude::SessionContext,
};
use fastrand::Rng;

use super::*;
use crate::{
    Session,
    drive::tests::{engine, run},
};

const ROWS: usize = 1_000;

/// Asks an expression as it is and in one pass, of all rows and of some in the middle.
fn check(column: &ArrayRef, expression: impl Fn(&Schema) -> Arc<dyn PhysicalExpr>) {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "c",
        column.data_type().clone(),
        true,
    )]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(column)]).unwrap();
    let input: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(schema));
    check_below(&input, &[batch], expression);
}

/// The same of batches that `input` gives.
fn check_below(
    input: &Arc<dyn ExecutionPlan>,
    batches: &[RecordBatch],
    expression: impl Fn(&Schema) -> Arc<dyn PhysicalExpr>,
) {
    let expression = expression(&input.schema());
    let better = asked(&expression, input).unwrap();
    assert!(better.transformed, "{expression}");
    assert_eq!(better.data.to_string(), expression.to_string());
    for batch in batches {
        let middle = batch.num_rows() / 3;
        for batch in [batch.slice(0, 0), batch.slice(3, middle), batch.clone()] {
            let [found, expected] = [&better.data, &expression].map(|expression| {
                let value = expression.evaluate(&batch).unwrap();
                value.into_array(batch.num_rows()).unwrap()
            });
            assert_eq!(&found, &expected, "{expression}");
        }
    }
}

fn bounds(
    schema: &Schema,
    low: (Operator, ScalarValue),
    high: (Operator, ScalarValue),
) -> Arc<dyn PhysicalExpr> {
    let side = |(op, value)| binary(col("c", schema).unwrap(), op, lit(value), schema).unwrap();
    binary(side(low), Operator::And, side(high), schema).unwrap()
}

/// A number as a value of a column's type.
type Value = fn(i64) -> ScalarValue;

#[test]
fn numbers_between_two_bounds_are_those_that_two_comparisons_find() {
    let mut random = Rng::with_seed(7);
    for _ in 0..300 {
        let range = *random.choice(&[10, 1_000, i64::MAX]).unwrap();
        let number = |random: &mut Rng| match random.u8(..20) {
            0 => None,
            1 => Some(i64::MIN),
            2 => Some(i64::MAX),
            _ => Some(random.i64(-range..range)),
        };
        let numbers: Vec<Option<i64>> = (0..ROWS).map(|_| number(&mut random)).collect();
        let small = |number: i64| number.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let smalls = || numbers.iter().map(|number| number.map(small));
        let wides = || numbers.iter().map(|number| number.map(i128::from));
        let columns: [(ArrayRef, Value); 5] = [
            (Arc::new(Int64Array::from(numbers.clone())), |number| {
                number.into()
            }),
            (Arc::new(Int32Array::from_iter(smalls())), |number| {
                (number.clamp(i32::MIN.into(), i32::MAX.into()) as i32).into()
            }),
            (Arc::new(Date32Array::from_iter(smalls())), |number| {
                ScalarValue::Date32(Some(number.clamp(i32::MIN.into(), i32::MAX.into()) as i32))
            }),
            (
                Arc::new(TimestampMicrosecondArray::from(numbers.clone())),
                |number| ScalarValue::TimestampMicrosecond(Some(number), None),
            ),
            (
                Arc::new(
                    Decimal128Array::from_iter(wides())
                        .with_precision_and_scale(38, 2)
                        .unwrap(),
                ),
                |number| ScalarValue::Decimal128(Some(number.into()), 38, 2),
            ),
        ];
        let ends = [(); 2].map(|()| number(&mut random).unwrap_or(0));
        let low = *random.choice(&[Operator::Gt, Operator::GtEq]).unwrap();
        let high = *random.choice(&[Operator::Lt, Operator::LtEq]).unwrap();
        for (column, value) in columns {
            let [low, high] = [(low, value(ends[0])), (high, value(ends[1]))];
            check(&column, |schema| bounds(schema, low.clone(), high.clone()));
            check(&column, |schema| bounds(schema, high.clone(), low.clone()));
        }
    }
}

/// Columns of numbers of `range` from `base` on, with anything under their NULLs, and how a number is a value of theirs.
fn close_numbers(random: &mut Rng, base: i64, range: i64) -> Vec<(ArrayRef, Value)> {
    let nulls = (random.u8(..3) > 0).then(|| (0..ROWS).map(|_| random.u8(..10) > 0).collect());
    let nulls: Option<NullBuffer> = nulls;
    let is_valid = |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let number = |row| match is_valid(row) {
        true => base.saturating_add(random.i64(0..=range)),
        false => random.i64(..),
    };
    let numbers: Vec<i64> = (0..ROWS).map(number).collect();
    let smalls: Vec<i32> = numbers.iter().map(|number| *number as i32).collect();
    let wides: Vec<i128> = numbers.iter().map(|number| (*number).into()).collect();
    let decimals = Decimal128Array::new(wides.into(), nulls.clone());
    vec![
        (
            Arc::new(Date32Array::new(smalls.into(), nulls.clone())),
            |number| ScalarValue::Date32(Some(number as i32)),
        ),
        (
            Arc::new(TimestampMicrosecondArray::new(
                numbers.into(),
                nulls.clone(),
            )),
            |number| ScalarValue::TimestampMicrosecond(Some(number), None),
        ),
        (
            Arc::new(decimals.with_precision_and_scale(38, 2).unwrap()),
            |number| ScalarValue::Decimal128(Some(number.into()), 38, 2),
        ),
    ]
}

#[tokio::test]
async fn columns_of_temporary_tables_are_asked_in_sixteen_bits_where_they_lie_close_together() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let session = engine.session();
    let state = SessionContext::new().state();
    let mut random = Rng::with_seed(9);
    let (mut num_short, mut num_long) = (0, 0);
    for _ in 0..200 {
        // What is cut to 32 bits stays together but where it wraps around, which makes it long.
        let base = *random
            .choice(&[0, 9_000, -70_000, i32::MAX.into(), i64::MIN, i64::MAX - 99])
            .unwrap();
        let range = *random.choice(&[0, 50, 65_535, 65_536, 1 << 40]).unwrap();
        let batches = [(); 3].map(|()| close_numbers(&mut random, base, range));
        for column in 0..batches[0].len() {
            let value = batches[0][column].1;
            let arrays = batches.iter().map(|columns| Arc::clone(&columns[column].0));
            let batches = arrays.map(|array| {
                let field = Field::new("c", array.data_type().clone(), true);
                let schema = Arc::new(Schema::new(vec![field]));
                RecordBatch::try_new(schema, vec![array]).unwrap()
            });
            let batches: Vec<_> = batches.collect();
            let temporary = session.temporary();
            temporary.put("t", batches[0].schema(), batches, temporary.reserve("t"));
            let table = temporary.get("t").unwrap();
            let input = table.scan(&state, None, &[], None).await.unwrap();
            let rows = collect(Arc::clone(&input), state.task_ctx()).await.unwrap();
            for _ in 0..4 {
                let end = |random: &mut Rng| match random.u8(..8) {
                    0 => random.i64(..),
                    _ => base.saturating_add(random.i64(-60..=range + 60)),
                };
                let [low, high] = [(); 2].map(|()| value(end(&mut random)));
                check_below(&input, &rows, |schema| {
                    let (low, high) = (low.clone(), high.clone());
                    bounds(schema, (Operator::GtEq, low), (Operator::Lt, high))
                });
            }
            let shorts = temporary::shorts(&input, 0).unwrap();
            for batch in &rows {
                let is_short = shorts.of(Numbers::of(batch.column(0)).unwrap()).is_some();
                match is_short {
                    true => num_short += 1,
                    false => num_long += 1,
                }
                let is_close = range < 65_536 && column > 0;
                assert!(is_short || !is_close, "{base} {range}");
            }
        }
    }
    eprintln!("{num_short} short batches, {num_long} others");
    assert!(num_short > 500 && num_long > 100, "{num_short} {num_long}");
    let elsewhere: ArrayRef = Arc::new(Date32Array::from(vec![1]));
    let table = temporary_dates(&session).await;
    let shorts = temporary::shorts(&table, 0).unwrap();
    assert!(shorts.of(Numbers::of(&elsewhere).unwrap()).is_none());
    assert!(temporary::shorts(&table, 1).is_none(), "a column of text");
}

/// A scan of dates and text.
async fn temporary_dates(session: &Arc<Session>) -> Arc<dyn ExecutionPlan> {
    let sql = "CREATE TEMPORARY TABLE d AS SELECT DATE '2026-01-01' AS day, 'x' AS w";
    run(session, sql).await.unwrap();
    let table = session.temporary().get("d").unwrap();
    let state = SessionContext::new().state();
    table.scan(&state, None, &[], None).await.unwrap()
}

#[test]
fn texts_that_begin_so_are_those_that_like_finds() {
    let mut random = Rng::with_seed(8);
    let text = |random: &mut Rng, len_max: usize| -> String {
        let len = random.usize(..=len_max);
        (0..len)
            .map(|_| *random.choice(&['a', 'b', 'ß']).unwrap())
            .collect()
    };
    for _ in 0..300 {
        let texts = (0..ROWS).map(|_| (random.u8(..10) > 0).then(|| text(&mut random, 20)));
        let column: ArrayRef = Arc::new(StringViewArray::from_iter(texts));
        let prefix = text(&mut random, 16);
        check(&column, |schema| {
            let pattern = lit(ScalarValue::Utf8View(Some(format!("{prefix}%"))));
            like(false, false, col("c", schema).unwrap(), pattern, schema).unwrap()
        });
    }
}

#[test]
fn what_is_no_such_question_is_left_alone() {
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("m", DataType::Int64, true),
        Field::new("t", DataType::Utf8View, true),
    ]);
    let column = |name| col(name, &schema).unwrap();
    let compare = |name, op, value: i64| binary(column(name), op, lit(value), &schema).unwrap();
    let both = |left, op, right| binary(left, op, right, &schema).unwrap();
    let (low, high) = (compare("n", Operator::Gt, 1), compare("m", Operator::Lt, 9));
    let pattern = |text: &str| lit(ScalarValue::Utf8View(Some(text.to_owned())));
    let texts = ["a", "a_%", "a%b%", "%", "a\\%"].map(|text| (false, false, text));
    let negated = [(true, false, "a%"), (false, true, "a%")];
    let likes = texts
        .into_iter()
        .filter(|(_, _, text)| *text != "%")
        .chain(negated);
    let likes = likes.map(|(negated, ignores_case, text)| {
        like(negated, ignores_case, column("t"), pattern(text), &schema).unwrap()
    });
    let others = [
        both(Arc::clone(&low), Operator::And, Arc::clone(&high)),
        both(low, Operator::Or, compare("n", Operator::Lt, 9)),
        both(
            compare("n", Operator::Lt, 3),
            Operator::And,
            compare("n", Operator::Lt, 9),
        ),
        compare("n", Operator::Gt, 5),
    ];
    let input: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(Arc::new(schema.clone())));
    for expression in others.into_iter().chain(likes) {
        let asked = asked(&expression, &input).unwrap();
        assert!(!asked.transformed, "{expression}");
    }
}

#[tokio::test]
async fn a_query_says_the_same_of_its_plan_and_gives_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("data"));
    let session: Arc<Session> = engine.session();
    let table = "CREATE TEMPORARY TABLE t AS SELECT value AS n, arrow_cast('text ' || value, 'Utf8View') AS w \
        FROM generate_series(1, 10000)";
    run(&session, table).await.unwrap();
    let sql =
        "SELECT n, w LIKE 'text 70%' AS is_so FROM t WHERE n > 6998 AND n % 2 = 0 AND n <= 7004";
    let rows = run(&session, sql).await.unwrap();
    let found: Vec<_> = rows
        .iter()
        .flat_map(|rows| {
            let numbers = rows
                .column(0)
                .as_primitive::<arrow::datatypes::Int64Type>()
                .values();
            let answers = rows.column(1).as_boolean().values();
            numbers
                .iter()
                .copied()
                .zip(answers.iter())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, [(7_000, true), (7_002, true), (7_004, true)]);
    let plan = run(&session, &format!("EXPLAIN {sql}")).await.unwrap();
    let plan = arrow::util::pretty::pretty_format_batches(&plan)
        .unwrap()
        .to_string();
    assert!(
        plan.contains("n@0 > 6998") && plan.contains("LIKE text 70%"),
        "{plan}"
    );
}
