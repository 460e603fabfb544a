//! Bounds of the columns of each batch, so that a filter on a key reads the batches the key can be in.
//!
//! Such bounds are known as zone maps (Moerkotte, "Small Materialized Aggregates", VLDB 1998). They are taken from a
//! batch when a filter first asks for them. Columns of text have none: taking them costs as much as many scans. Neither
//! have floats: bounds say nothing about NaN, which is larger than every number.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt64Array},
    datatypes::{DataType, SchemaRef},
};
use datafusion::{
    common::{Column, Result, ScalarValue, pruning::PruningStatistics},
    execution::memory_pool::MemoryReservation,
    functions_aggregate::min_max::{MaxAccumulator, MinAccumulator},
    logical_expr::Accumulator,
    physical_expr::PhysicalExpr,
    physical_optimizer::pruning::PruningPredicate,
};

use super::{numbers, short::Short};

/// A batch of a table.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) batch: RecordBatch,
    /// By column.
    bounds: Vec<OnceLock<Bounds>>,
    sizes: Vec<OnceLock<Size>>,
    /// Copies that have been asked for; none where there is none, or no memory for it.
    narrow: Vec<OnceLock<Option<ArrayRef>>>,
    short: Vec<OnceLock<Option<Short>>>,
    /// Of all batches that came with the same statement, and of their copies: given back when the last of them goes.
    memory: Arc<MemoryReservation>,
}

/// What statistics say of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) bytes: usize,
    pub(super) nulls: usize,
}

/// NULL where they are not known.
#[derive(Debug)]
struct Bounds {
    min: ScalarValue,
    max: ScalarValue,
}

impl Zone {
    /// What a statement added, charged to `memory`.
    pub(super) fn all(
        batches: Vec<RecordBatch>,
        memory: MemoryReservation,
    ) -> impl Iterator<Item = Arc<Self>> {
        let memory = Arc::new(memory);
        batches.into_iter().map(move |batch| {
            let columns = batch.num_columns();
            Arc::new(Self {
                batch,
                bounds: (0..columns).map(|_| OnceLock::new()).collect(),
                sizes: vec![OnceLock::new(); columns],
                narrow: vec![OnceLock::new(); columns],
                short: (0..columns).map(|_| OnceLock::new()).collect(),
                memory: Arc::clone(&memory),
            })
        })
    }

    /// A column in as few bits as its numbers fit; as it is where that is not fewer, or memory is short. The copy stays.
    pub(super) fn narrow(&self, column: usize) -> &ArrayRef {
        let wide = self.batch.column(column);
        let narrow = self.narrow[column].get_or_init(|| {
            let narrow = numbers::narrowed(wide)?;
            let charged = self.memory.try_grow(narrow.get_array_memory_size());
            charged.is_ok().then_some(narrow)
        });
        narrow.as_ref().unwrap_or(wide)
    }

    /// A column in sixteen bits, if its numbers lie close enough to each other and there is memory. The copy stays.
    pub(super) fn short(&self, column: usize) -> Option<&Short> {
        let short = self.short[column].get_or_init(|| {
            let short = Short::of(self.batch.column(column))?;
            let charged = self.memory.try_grow(short.bytes());
            charged.is_ok().then_some(short)
        });
        short.as_ref()
    }

    pub(super) fn size(&self, column: usize) -> Size {
        let size = self.sizes[column].get_or_init(|| {
            let array = self.batch.column(column);
            Size {
                bytes: array.get_array_memory_size(),
                nulls: array.logical_null_count(),
            }
        });
        *size
    }

    fn bounds(&self, column: usize) -> Option<&Bounds> {
        let taken = self.bounds.get(column)?;
        Some(taken.get_or_init(|| Bounds::of(self.batch.column(column))))
    }
}

impl Bounds {
    fn of(column: &ArrayRef) -> Self {
        let values = std::slice::from_ref(column);
        let data_type = column.data_type();
        let min = MinAccumulator::try_new(data_type).and_then(|min| bound(min, values));
        let max = MaxAccumulator::try_new(data_type).and_then(|max| bound(max, values));
        let unknown = |_| ScalarValue::try_from(data_type).unwrap_or(ScalarValue::Null);
        Self {
            min: min.unwrap_or_else(unknown),
            max: max.unwrap_or_else(unknown),
        }
    }
}

fn bound(mut accumulator: impl Accumulator, values: &[ArrayRef]) -> Result<ScalarValue> {
    accumulator.update_batch(values)?;
    accumulator.evaluate()
}

/// The zones of a table as DataFusion asks about them.
pub(super) struct Zones<'a> {
    pub(super) schema: &'a SchemaRef,
    /// For each column of the schema its position in the zones.
    pub(super) columns: &'a [usize],
    pub(super) zones: &'a [Arc<Zone>],
}

impl Zones<'_> {
    fn column(&self, column: &Column) -> Option<(usize, &DataType)> {
        let (place, field) = self.schema.column_with_name(column.name())?;
        Some((*self.columns.get(place)?, field.data_type()))
    }

    fn bounds(&self, column: &Column, one: fn(&Bounds) -> &ScalarValue) -> Option<ArrayRef> {
        let (index, data_type) = self.column(column)?;
        if !is_bounded(data_type) {
            return None;
        }
        let bounds = self.zones.iter().map(|zone| zone.bounds(index).map(one));
        ScalarValue::iter_to_array(bounds.collect::<Option<Vec<_>>>()?.into_iter().cloned()).ok()
    }
}

fn is_bounded(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean => true,
        other => {
            other.is_primitive() && !other.is_floating() && !matches!(other, DataType::Interval(_))
        }
    }
}

impl Zones<'_> {
    /// For each zone whether it may hold rows that pass the filter; `None` where all may. The filter is of the columns of
    /// the schema.
    pub(super) fn keeps(&self, filter: Arc<dyn PhysicalExpr>) -> Result<Option<Vec<bool>>> {
        let predicate = PruningPredicate::try_new(filter, Arc::clone(self.schema))?;
        if predicate.always_true() {
            return Ok(None);
        }
        predicate.prune(self).map(Some)
    }
}

impl PruningStatistics for Zones<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |bounds| &bounds.min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |bounds| &bounds.max)
    }

    fn num_containers(&self) -> usize {
        self.zones.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (index, _) = self.column(column)?;
        let counts = self.zones.iter();
        let counts = counts.map(|zone| zone.size(index).nulls as u64);
        Some(Arc::new(UInt64Array::from_iter_values(counts)))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts = self.zones.iter().map(|zone| zone.batch.num_rows() as u64);
        Some(Arc::new(UInt64Array::from_iter_values(counts)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Float64Array, Int32Array, Int64Array, StringArray},
        datatypes::{Field, Schema},
    };
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};

    use super::*;

    fn zone(keys: Vec<Option<i64>>) -> Arc<Zone> {
        let rows = keys.len();
        let columns: [(&str, ArrayRef); 3] = [
            ("key", Arc::new(Int64Array::from(keys))),
            ("score", Arc::new(Float64Array::from(vec![f64::NAN; rows]))),
            ("name", Arc::new(StringArray::from(vec!["x"; rows]))),
        ];
        let fields = columns
            .iter()
            .map(|(name, values)| Field::new(*name, values.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = columns.into_iter().map(|(_, values)| values).collect();
        let batch = RecordBatch::try_new(schema, columns).unwrap();
        one(batch, &pool(usize::MAX))
    }

    fn pool(limit: usize) -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(limit))
    }

    fn one(batch: RecordBatch, pool: &Arc<dyn MemoryPool>) -> Arc<Zone> {
        let memory = MemoryConsumer::new("t").register(pool);
        Zone::all(vec![batch], memory).next().unwrap()
    }

    #[test]
    fn keys_have_bounds_and_what_they_may_not_say_is_unknown() {
        let zones = [
            zone(vec![Some(5), None, Some(-3)]),
            zone(vec![None, None]),
            zone(vec![Some(i64::MAX)]),
        ];
        let schema = zones[0].batch.schema();
        let zones = Zones {
            schema: &schema,
            columns: &[0, 1, 2],
            zones: &zones,
        };
        let ints = |values: [Option<i64>; 3]| {
            Some(Arc::new(Int64Array::from(values.to_vec())) as ArrayRef)
        };
        let key = Column::new_unqualified("key");
        assert_eq!(
            zones.min_values(&key),
            ints([Some(-3), None, Some(i64::MAX)])
        );
        assert_eq!(
            zones.max_values(&key),
            ints([Some(5), None, Some(i64::MAX)])
        );
        let counts =
            |values: [u64; 3]| Some(Arc::new(UInt64Array::from(values.to_vec())) as ArrayRef);
        assert_eq!(zones.null_counts(&key), counts([1, 2, 0]));
        assert_eq!(zones.row_counts(), counts([3, 2, 1]));
        for name in ["score", "name", "missing"] {
            assert_eq!(
                zones.min_values(&Column::new_unqualified(name)),
                None,
                "{name}"
            );
        }
    }

    #[test]
    fn a_narrow_copy_is_made_once_and_charged_as_long_as_its_batch_is_there() {
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let large: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 2, 3]));
        let columns = [("key", keys), ("large", large)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let pool = pool(usize::MAX);
        let zone = one(batch.clone(), &pool);
        let narrow = Arc::clone(zone.narrow(0));
        assert_eq!(narrow.as_ref(), &Int32Array::from(vec![1, 2, 3]));
        assert_eq!(pool.reserved(), narrow.get_array_memory_size());
        assert!(Arc::ptr_eq(zone.narrow(0), &narrow));
        assert!(Arc::ptr_eq(zone.narrow(1), batch.column(1)));
        assert_eq!(pool.reserved(), narrow.get_array_memory_size());
        drop(zone);
        assert_eq!(pool.reserved(), 0);
        // Without memory for the copy the column is taken as it is.
        let zone = one(batch.clone(), &self::pool(1));
        assert!(Arc::ptr_eq(zone.narrow(0), batch.column(0)));
    }

    #[test]
    fn a_short_copy_is_charged_and_left_out_where_memory_is_short() {
        let days: ArrayRef = Arc::new(Int32Array::from(vec![70_000, 70_001, 70_100]));
        let batch = RecordBatch::try_from_iter([("day", days)]).unwrap();
        let pool = pool(usize::MAX);
        let zone = one(batch.clone(), &pool);
        for _ in 0..2 {
            assert_eq!(zone.short(0).map(Short::bytes), Some(6));
            assert_eq!(pool.reserved(), 6);
        }
        drop(zone);
        assert_eq!(pool.reserved(), 0);
        assert!(one(batch, &self::pool(5)).short(0).is_none());
    }
}
