use arrow::{
    array::{
        ArrayRef, AsArray, Date32Array, Decimal128Array, Int32Array, Int64Array, StringViewArray,
        TimestampMicrosecondArray,
    },
    datatypes::Field,
};
use datafusion::{
    logical_expr::Operator,
    physical_expr::expressions::{binary, col, like, lit},
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
    let expression = expression(&schema);
    let better = asked(&expression, &schema).unwrap();
    assert!(better.transformed, "{expression}");
    assert_eq!(better.data.to_string(), expression.to_string());
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(column)]).unwrap();
    for batch in [batch.slice(0, 0), batch.slice(3, 129), batch] {
        let [found, expected] = [&better.data, &expression].map(|expression| {
            let value = expression.evaluate(&batch).unwrap();
            value.into_array(batch.num_rows()).unwrap()
        });
        assert_eq!(&found, &expected, "{expression}");
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
    for expression in others.into_iter().chain(likes) {
        let asked = asked(&expression, &schema).unwrap();
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
