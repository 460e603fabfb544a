//! What a scan gives, and what it says of itself.

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, StringArray},
    compute::cast,
    datatypes::{DataType, Field, Int64Type, Schema},
};
use datafusion::{
    execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool},
    logical_expr::Operator,
    physical_expr::{
        expressions::{BinaryExpr, lit},
        projection::ProjectionExpr,
    },
};
use futures::{StreamExt, TryStreamExt, poll};

use super::*;

fn zone(schema: &SchemaRef, keys: Vec<Option<i64>>) -> Arc<Zone> {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a"; keys.len()]));
    let keys: ArrayRef = Arc::new(Int64Array::from(keys));
    let batch = RecordBatch::try_new(Arc::clone(schema), vec![names, keys]);
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let memory = MemoryConsumer::new("t").register(&pool);
    Zone::all(vec![batch.unwrap()], memory).next().unwrap()
}

fn scan() -> Scan {
    let fields = [("name", DataType::Utf8), ("key", DataType::Int64)];
    let fields = fields.map(|(name, ty)| Field::new(name, ty, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let first = [vec![Some(1), None], vec![Some(3)]];
    let first: Vec<_> = first.map(|keys| zone(&schema, keys)).into();
    let second = vec![zone(&schema, vec![Some(4), None, None])];
    let partitions = vec![first.into(), second.into()];
    Scan::new(partitions, &schema, Some(&vec![1, 0]), true).unwrap()
}

async fn keys(source: &dyn DataSource, partition: usize) -> Vec<Option<i64>> {
    let rows = source.open(partition, Arc::default()).unwrap();
    let batches: Vec<_> = rows.try_collect().await.unwrap();
    let keys = batches.iter().flat_map(|batch| {
        let keys = batch.column(0).as_primitive::<Int64Type>();
        keys.iter().collect::<Vec<_>>()
    });
    keys.collect()
}

/// Whether it has a batch without giving up its thread first.
async fn begins_at_once(source: &dyn DataSource) -> bool {
    let mut rows = source.open(0, Arc::default()).unwrap();
    let is_ready = poll!(rows.next()).is_ready();
    assert!(is_ready || poll!(rows.next()).is_ready());
    is_ready
}

#[tokio::test]
async fn one_of_several_partitions_can_go_on_in_another_thread() {
    let several = scan();
    assert!(!begins_at_once(&several).await);
    let partitions = several.partitions[..1].to_vec();
    let one = Scan {
        claims: claims_of(&partitions),
        partitions,
        ..several
    };
    assert!(begins_at_once(&one).await);
}

#[tokio::test]
async fn a_scan_gives_the_rows_and_columns_asked_for() {
    assert!(scan().open(2, Arc::default()).is_err());
    for (fetch, rows) in [(0, 0), (1, 1), (2, 2), (4, 4), (9, 6)] {
        let few = scan().with_fetch(Some(fetch)).unwrap();
        assert_eq!(keys(few.as_ref(), 0).await.len(), rows);
    }
    let scan = scan();
    let project = |name: &str, alias: &str| {
        let column = datafusion::physical_expr::expressions::col(name, &scan.schema);
        let exprs = vec![ProjectionExpr {
            expr: column.unwrap(),
            alias: alias.to_owned(),
        }];
        scan.try_swapping_with_projection(&exprs.into()).unwrap()
    };
    let one = project("key", "key").unwrap();
    let all = [Some(4), None, None, Some(3), Some(1), None];
    assert_eq!(keys(one.as_ref(), 1).await, all);
    assert_eq!(one.eq_properties().schema().fields().len(), 1);
    assert!(project("key", "other").is_none());
}

#[tokio::test]
async fn who_has_read_its_part_reads_what_is_left_and_the_same_again() {
    let scan = scan();
    let mut first = scan.open(0, Arc::default()).unwrap();
    let one = first.try_next().await.unwrap().unwrap();
    assert_eq!(one.num_rows(), 2);
    let second = [Some(4), None, None, Some(3)];
    assert_eq!(keys(&scan, 1).await, second);
    assert!(first.try_next().await.unwrap().is_none());
    assert_eq!(keys(&scan, 0).await, [Some(1), None]);
    assert_eq!(keys(&scan, 1).await, second);
}

#[tokio::test]
async fn numbers_are_in_fewer_bits_where_that_is_asked_for() {
    let fields = [("name", DataType::Utf8), ("key", DataType::Int64)];
    let fields = fields.map(|(name, ty)| Field::new(name, ty, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let large = Some(i64::MAX);
    let zones = [vec![Some(1), None], vec![large, Some(2)], vec![Some(3)]];
    let zones: Vec<_> = zones.map(|keys| zone(&schema, keys)).into();
    let scan = Scan::new(vec![zones.into()], &schema, None, true).unwrap();
    let project = |narrows: bool| {
        let exprs = ["name", "key"]
            .into_iter()
            .enumerate()
            .map(|(index, name)| {
                let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, index));
                let narrow = narrow_type(schema.field(index).data_type());
                ProjectionExpr {
                    expr: match narrow {
                        Some(narrow) if narrows => Arc::new(Narrowed::new(column, narrow)),
                        _ => column,
                    },
                    alias: name.to_owned(),
                }
            });
        let swapped = scan.try_swapping_with_projection(&exprs.collect::<Vec<_>>().into());
        swapped.unwrap().unwrap()
    };
    let (ints, longs) = (DataType::Int32, DataType::Int64);
    for (source, types) in [
        (project(false), [&longs, &longs, &longs]),
        (project(true), [&ints, &longs, &ints]),
    ] {
        let first = source.with_fetch(Some(1)).unwrap();
        for (source, batches) in [(source, 3), (first, 1)] {
            let rows = source.open(0, Arc::default()).unwrap();
            let given: Vec<_> = rows.try_collect().await.unwrap();
            assert_eq!(given.len(), batches);
            let keys = given.iter().zip(types).map(|(batch, ty)| {
                let key = batch.column_by_name("key").unwrap();
                assert_eq!(key.data_type(), ty);
                assert_eq!(batch.schema().field(1).data_type(), ty);
                cast(key, &longs).unwrap()
            });
            let keys: Vec<_> = keys.collect();
            let keys = keys
                .iter()
                .flat_map(|keys| keys.as_primitive::<Int64Type>());
            let expected = [Some(1), None, large, Some(2), Some(3)];
            let rows = if batches == 1 { 1 } else { 5 };
            assert_eq!(keys.collect::<Vec<_>>(), expected[..rows]);
        }
    }
}

#[test]
fn a_scan_knows_how_many_rows_and_nulls_there_are() {
    let scan = scan();
    let statistics = scan.partition_statistics(None).unwrap();
    assert_eq!(statistics.num_rows, Precision::Exact(6));
    let known = statistics.column_statistics.iter();
    let known: Vec<_> = known.map(|column| column.null_count).collect();
    assert_eq!(known, [Precision::Exact(3), Precision::Exact(0)]);
    assert!(statistics.total_byte_size.get_value().unwrap() > &0);
    let one = scan.partition_statistics(Some(1)).unwrap();
    assert_eq!(*one, Statistics::new_unknown(&scan.schema));
}

#[test]
fn a_scan_is_narrowed_to_one_batch_or_not_at_all() {
    let scan = scan();
    let schema = Arc::clone(&scan.schema);
    let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(scan);
    assert!(is_scan(&plan));
    let narrowed = |op: Operator, key: i64| {
        let column = datafusion::physical_expr::expressions::col("key", &schema).unwrap();
        let filter = BinaryExpr::new(column, op, lit(key));
        let plan = narrowed(&plan, &(Arc::new(filter) as _))?;
        let zones = &scan_of(&plan).unwrap().partitions;
        assert_eq!(zones.len(), 1);
        Some(zones[0].len())
    };
    assert_eq!(narrowed(Operator::Eq, 3), Some(1));
    assert_eq!(narrowed(Operator::Gt, 3), Some(1));
    assert_eq!(narrowed(Operator::Eq, 5), Some(0));
    assert_eq!(narrowed(Operator::Lt, 4), None);
    assert_eq!(narrowed(Operator::NotEq, 9), None);
}
