//! Functions of DataFusion that do not give what they announce, mended: in the coordinator's sessions, and in tasks alike.
//!
//! In a session with a time zone, `to_timestamp` and its kin announce that zone. Of a column of texts, DataFusion 54.1 makes
//! the right instants and leaves the zone out, and whoever puts the column into a batch fails.

use std::sync::Arc;

use arrow::{
    array::{Array, make_array},
    datatypes::DataType,
};
use datafusion::{
    common::{Result, config::ConfigOptions},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    },
};

const WITHOUT_ZONE: [&str; 5] = [
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
];

/// Puts mended functions in the places of those that need it.
pub fn mend(functions: &mut dyn FunctionRegistry) -> Result<()> {
    for name in WITHOUT_ZONE {
        let function = functions.udf(name)?;
        if !function.inner().is::<Zoned>() {
            functions.register_udf(Arc::new(Zoned(function).into()))?;
        }
    }
    Ok(())
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
    use arrow::{array::AsArray, datatypes::TimestampNanosecondType};
    use datafusion::prelude::{SessionConfig, SessionContext};

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
}
