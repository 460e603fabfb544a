//! What fragments leave to DataFusion for its length or size, and what they do where something is not as it was said.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringArray},
    compute::nullif,
    datatypes::{DataType, Field, FieldRef, Int64Type},
};
use datafusion::{
    common::{DataFusionError, Result},
    datasource::MemTable,
    execution::{memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
    physical_plan::collect,
    prelude::{SessionConfig, SessionContext},
};
use worker_wasm::lower::lower;

use crate::plans::{Compile, always, error_of, how, metric, plan, sorted, with_table};

#[tokio::test]
async fn long_patterns_are_searched_for_by_datafusion() {
    let context = with_table();
    let long = "s".repeat(65);
    for pattern in [format!("%{long}%"), format!("s%{long}%s")] {
        let sql = format!("SELECT k, z FROM t WHERE z NOT LIKE '{pattern}'");
        let native = plan(&context, &sql).await;
        let hosted = always(&native);
        assert_eq!(how(&hosted), ["FilterExec wasm 0"]);
        let without = lower(&native, false, &mut Compile::new(|_| true)).unwrap();
        assert_eq!(
            how(&without),
            ["FilterExec native: a LIKE pattern is too long to be searched for"]
        );
        let expected = collect(native, context.task_ctx()).await.unwrap();
        let actual = collect(hosted.plan, context.task_ctx()).await.unwrap();
        assert_eq!(sorted(&actual), sorted(&expected));
    }
}

#[tokio::test]
async fn decimals_too_far_apart_are_datafusions() {
    let sql = "SELECT arrow_cast(arrow_cast(d, 'Decimal128(38, -1)'), 'Decimal128(38, 38)') FROM t";
    // Which row comes first is the partitions' affair.
    let without_value = |error: String| error.split(" on").next().unwrap().to_owned();
    let [native, compiled] = error_of(sql).await.map(without_value);
    assert_eq!(compiled, native);
    let native = plan(&with_table(), sql).await;
    let without = lower(&native, false, &mut Compile::new(|_| true)).unwrap();
    let how = how(&without);
    assert!(how[0].starts_with("ProjectionExec native"), "{how:?}");
}

/// One partition of long texts, each twice, in a pool of so many bytes.
fn texts(bytes: usize) -> SessionContext {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(1000);
    let context = SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap());
    let batch = |number: usize| {
        let rows = (number * 1000..(number + 1) * 1000).map(|row| row % (TEXTS * 1000));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
            rows.map(|row| format!("{row:0>100}")),
        ));
        RecordBatch::try_from_iter([("s", texts)]).unwrap()
    };
    let batches: Vec<_> = (0..2 * TEXTS).map(batch).collect();
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    context
}

/// Thousands.
const TEXTS: usize = 100;

#[tokio::test]
async fn groups_that_memory_does_not_hold_are_datafusions() {
    for (bytes, natively) in [(8 << 20, 1), (1 << 30, 0)] {
        let context = texts(bytes);
        for sql in [
            "SELECT count(*), sum(n) FROM (SELECT s, count(*) AS n FROM t GROUP BY s)",
            "SELECT s, count(*) FROM t GROUP BY s",
        ] {
            let lowered = always(&plan(&context, sql).await);
            let rows = collect(Arc::clone(&lowered.plan), context.task_ctx()).await;
            let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
            let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
            match count {
                1 => assert_eq!(sorted(&rows), ["100000 | 200000"]),
                many => assert_eq!(many, TEXTS * 1000),
            }
            assert_eq!(metric(&lowered.plan, "native_runs"), natively, "{sql}");
            drop(lowered);
            assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
        }
    }
}

#[tokio::test]
async fn groups_behind_an_exchange_that_memory_does_not_hold_are_a_typed_error() {
    let context = texts(8 << 20);
    let options = "SET datafusion.execution.target_partitions = 2";
    context.sql(options).await.unwrap().collect().await.unwrap();
    let sql = "SELECT s, count(*) FROM t GROUP BY s";
    let lowered = always(&plan(&context, sql).await);
    let error = collect(lowered.plan, context.task_ctx()).await.unwrap_err();
    let memory = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
    assert!(memory, "{error}");
}

/// Says that it gives no nulls, and does.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Lying(Signature);

impl ScalarUDFImpl for Lying {
    fn name(&self) -> &str {
        "lying"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), DataType::Int64, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let numbers = args.args[0].to_array(args.number_rows)?;
        let threes = numbers.as_primitive::<Int64Type>().iter();
        let threes = threes.map(|number| number.map(|number| number % 3 == 0));
        let nulls = nullif(&numbers, &threes.collect())?;
        Ok(ColumnarValue::Array(nulls))
    }
}

#[tokio::test]
async fn a_function_that_gives_nulls_against_its_word_is_believed_no_more() {
    let context = with_table();
    let signature = Signature::exact(vec![DataType::Int64], Volatility::Immutable);
    context.register_udf(ScalarUDF::new_from_impl(Lying(signature)));
    let sql = "SELECT sum(lying(k)), count(*) FROM t";
    let native = plan(&context, sql).await;
    let lowered = always(&plan(&context, sql).await);
    assert!(how(&lowered).iter().all(|line| line.contains(" wasm ")));
    let expected = collect(native, context.task_ctx()).await.unwrap();
    let actual = collect(Arc::clone(&lowered.plan), context.task_ctx()).await;
    assert_eq!(sorted(&actual.unwrap()), sorted(&expected));
    // In each partition the module that relies on less goes on from the first such batch.
    let broken = metric(&lowered.plan, "broken_facts");
    assert!((1..=3).contains(&broken), "{broken}");
}
