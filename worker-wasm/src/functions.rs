//! Functions of DataFusion that do not give what they announce, mended: in the coordinator's sessions, and in tasks alike.
//!
//! In a session with a time zone, `to_timestamp` and its kin announce that zone. Of a column of texts, DataFusion 54.1 makes
//! the right instants and leaves the zone out, and whoever puts the column into a batch fails.
//!
//! `date_part` announces a part for every time there is, and gives null for times beyond the years of the calendar, some
//! 262,000 to both sides; whoever puts such a column into a batch fails too. Compared with a constant, the year of such a time
//! is what it is nevertheless, because DataFusion compares the time itself then.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{Array, make_array},
    datatypes::{DataType, FieldRef, TimeUnit},
};
use datafusion::{
    common::{Result, config::ConfigOptions},
    execution::FunctionRegistry,
    functions::datetime,
    logical_expr::{
        ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
        ScalarUDFImpl, Signature,
        expr::ScalarFunction,
        planner::{ExprPlanner, PlannerResult},
        preimage::PreimageResult,
        simplify::{ExprSimplifyResult, SimplifyContext},
        sort_properties::{ExprProperties, SortProperties},
    },
};

const WITHOUT_ZONE: [&str; 5] = [
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
];

static DATE_PART: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(DatePart(datetime::date_part()).into()));

/// Puts mended functions in the places of those that need it.
pub fn mend(functions: &mut dyn FunctionRegistry) -> Result<()> {
    for name in WITHOUT_ZONE {
        let function = functions.udf(name)?;
        if !function.inner().is::<Zoned>() {
            functions.register_udf(Arc::new(Zoned(function).into()))?;
        }
    }
    functions.register_udf(Arc::clone(&DATE_PART))?;
    Ok(())
}

/// Reads EXTRACT as a call of the mended `date_part`; it has to come before DataFusion's planners, which name their own.
pub fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(Extract)
}

/// DataFusion's own function below a mended one, for those who know it by its type.
pub(crate) fn original(function: &ScalarUDF) -> &ScalarUDF {
    match function.inner().downcast_ref::<DatePart>() {
        Some(DatePart(original)) => original,
        None => function,
    }
}

/// A function whose instants get the zone that it announces.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Zoned(Arc<ScalarUDF>);

impl ScalarUDFImpl for Zoned {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let updated = self.0.inner().with_updated_config(config)?;
        Some(Self(Arc::new(updated)).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let announced = args.return_field.data_type().clone();
        match self.0.invoke_with_args(args)? {
            ColumnarValue::Array(times) if is_same_but_zone(times.data_type(), &announced) => {
                let times = times
                    .to_data()
                    .into_builder()
                    .data_type(announced)
                    .build()?;
                Ok(ColumnarValue::Array(make_array(times)))
            }
            other => Ok(other),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }
}

/// `date_part` with a result that may be null although its argument is not.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DatePart(Arc<ScalarUDF>);

impl ScalarUDFImpl for DatePart {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let time = args.arg_fields.get(1).map(|field| field.data_type());
        // Nanoseconds in 64 bits reach from 1677 to 2262.
        let is_near = matches!(time, Some(DataType::Timestamp(TimeUnit::Nanosecond, _)));
        let announced = self.0.return_field_from_args(args)?;
        Ok(match is_near {
            true => announced,
            false => Arc::new(announced.as_ref().clone().with_nullable(true)),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.0.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.0.simplify(args, context)
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        context: &SimplifyContext,
    ) -> Result<PreimageResult> {
        self.0.preimage(args, literal, context)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.0.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.0.preserves_lex_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }
}

#[derive(Debug)]
struct Extract;

impl ExprPlanner for Extract {
    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let call = ScalarFunction::new_udf(Arc::clone(&DATE_PART), args);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}

/// Whether the same numbers mean the same instants in both.
fn is_same_but_zone(given: &DataType, announced: &DataType) -> bool {
    match (given, announced) {
        (DataType::Timestamp(given, None), DataType::Timestamp(announced, Some(_))) => {
            given == announced
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray},
        compute::cast,
        datatypes::{Field, Int32Type, Schema, TimestampNanosecondType},
    };
    use datafusion::{
        datasource::MemTable,
        execution::SessionStateBuilder,
        prelude::{SessionConfig, SessionContext},
    };

    use super::*;

    async fn times(mended: bool, sql: &str) -> Result<Vec<i64>> {
        let config = SessionConfig::new().set_str("datafusion.execution.time_zone", "Asia/Tokyo");
        let context = SessionContext::new_with_config(config);
        if mended {
            let state = context.state_ref();
            mend(&mut *state.write())?;
        }
        let batches = context.sql(sql).await?.collect().await?;
        let column = batches[0].column(0);
        let zone = DataType::Timestamp(
            arrow::datatypes::TimeUnit::Nanosecond,
            Some("Asia/Tokyo".into()),
        );
        assert_eq!(column.data_type(), &zone);
        Ok(column
            .as_primitive::<TimestampNanosecondType>()
            .values()
            .to_vec())
    }

    const TEXTS: &str = "SELECT to_timestamp(t) FROM (VALUES ('1970-01-01 09:00:01'), ('1970-01-01T00:00:02Z')) AS v(t)";

    #[tokio::test]
    async fn times_of_texts_have_the_zone_of_the_session() {
        assert_eq!(
            times(true, TEXTS).await.unwrap(),
            [1_000_000_000, 2_000_000_000]
        );
    }

    #[tokio::test]
    async fn known_wrong_times_of_texts_have_no_zone_in_datafusion() {
        assert!(times(false, TEXTS).await.is_err());
    }

    #[tokio::test]
    async fn a_mended_function_follows_the_zone() {
        let context = SessionContext::new();
        mend(&mut *context.state_ref().write()).unwrap();
        context
            .sql("SET datafusion.execution.time_zone = 'Asia/Tokyo'")
            .await
            .unwrap();
        let typed = context.sql("SELECT arrow_typeof(to_timestamp('1970-01-01 09:00:00'))");
        let typed = typed.await.unwrap().to_string().await.unwrap();
        assert!(typed.contains("Asia/Tokyo"), "{typed}");
    }

    /// Asks for a part of a time of our years and of one beyond all calendars, in a column that denies nulls.
    async fn parts(mended: bool, unit: TimeUnit, part: &str) -> Result<ArrayRef> {
        let mut state = SessionStateBuilder::new();
        if mended {
            state = state.with_expr_planners(vec![planner()]);
        }
        let mut state = state.with_default_features().build();
        if mended {
            mend(&mut state)?;
        }
        let context = SessionContext::new_with_state(state);
        let far = match unit {
            TimeUnit::Nanosecond => 2,
            _ => i64::MAX,
        };
        let data_type = DataType::Timestamp(unit, None);
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1, far]));
        let times = cast(&cast(&times, &DataType::Int64)?, &data_type)?;
        let schema = Arc::new(Schema::new(vec![Field::new("s", data_type, false)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![times])?;
        let table = MemTable::try_new(schema, vec![vec![batch]])?;
        context.register_table("t", Arc::new(table))?;
        let rows = context.sql(&format!("SELECT {part} AS p FROM t")).await?;
        let batches = rows.collect().await?;
        assert_eq!(batches.len(), 1);
        Ok(Arc::clone(batches[0].column(0)))
    }

    #[tokio::test]
    async fn a_part_of_a_time_beyond_the_calendar_is_null() {
        for part in [
            "date_part('week', s)",
            "datepart('week', s)",
            "extract(week FROM s)",
        ] {
            let parts = parts(true, TimeUnit::Microsecond, part).await.unwrap();
            let parts: Vec<_> = parts.as_primitive::<Int32Type>().iter().collect();
            assert_eq!(parts, [Some(1), None], "{part}");
        }
        let near = parts(true, TimeUnit::Nanosecond, "date_part('week', s) IS NULL").await;
        assert_eq!(near.unwrap().as_boolean().true_count(), 0);
        let is_later = parts(true, TimeUnit::Microsecond, "date_part('year', s) > 2000").await;
        assert_eq!(is_later.unwrap().as_boolean().true_count(), 1);
    }

    #[tokio::test]
    async fn known_wrong_a_part_of_a_time_is_announced_for_every_time_in_datafusion() {
        let error = parts(false, TimeUnit::Microsecond, "date_part('week', s)").await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("declared as non-nullable"), "{error}");
    }
}
