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
    functions_aggregate::min_max::{MaxAccumulator, MinAccumulator},
    logical_expr::Accumulator,
    physical_expr::PhysicalExpr,
    physical_optimizer::pruning::PruningPredicate,
};

/// A batch of a table.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) batch: RecordBatch,
    /// By column.
    bounds: Vec<OnceLock<Bounds>>,
    sizes: Vec<OnceLock<Size>>,
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
    pub(super) fn new(batch: RecordBatch) -> Arc<Self> {
        let columns = batch.num_columns();
        Arc::new(Self {
            batch,
            bounds: (0..columns).map(|_| OnceLock::new()).collect(),
            sizes: vec![OnceLock::new(); columns],
        })
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
        array::{Float64Array, Int64Array, StringArray},
        datatypes::{Field, Schema},
    };

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
        Zone::new(RecordBatch::try_new(schema, columns).unwrap())
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
}
