//! The one schema function: `FlightInfo`, `GetSchema` and the stream itself all send what it gives.
//!
//! Clients compare the schemas of info and stream, types and nullability; older drivers cannot read views or
//! dictionaries. So columns are cast down unless the session asks otherwise, and field metadata stays here.
//! Decimals of 32 and 64 bits and half floats, which the JDBC driver refuses, are always widened.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch, RecordBatchOptions},
    buffer::Buffer,
    compute::cast,
    datatypes::{
        ByteViewType, DECIMAL128_MAX_PRECISION, DECIMAL128_MAX_SCALE, DataType, Field, FieldRef,
        Schema, SchemaRef, TimeUnit,
    },
    error::ArrowError,
    ipc::writer::IpcWriteOptions,
};
use arrow_flight::{IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use coordinator::MurreSettings;
use tonic::Status;

/// The schema that clients of a session see for rows of `schema`.
pub(super) fn wire_schema(schema: &Schema, settings: &MurreSettings) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .map(|field| wire_field(field, settings));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn wire_field(field: &Field, settings: &MurreSettings) -> FieldRef {
    Arc::new(Field::new(
        field.name(),
        wire_type(field.data_type(), settings),
        field.is_nullable(),
    ))
}

fn wire_type(data_type: &DataType, settings: &MurreSettings) -> DataType {
    let inner = |field: &FieldRef| wire_field(field, settings);
    match data_type {
        DataType::Utf8View if !settings.flight_views => DataType::Utf8,
        DataType::BinaryView if !settings.flight_views => DataType::Binary,
        DataType::Dictionary(_, values) if !settings.flight_dictionaries => {
            wire_type(values, settings)
        }
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::ListView(field) => DataType::List(inner(field)),
        DataType::LargeListView(field) => DataType::LargeList(inner(field)),
        DataType::FixedSizeList(field, length) => DataType::FixedSizeList(inner(field), *length),
        DataType::Map(field, sorted) => DataType::Map(inner(field), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::RunEndEncoded(_, values) => wire_type(values.data_type(), settings),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Float16 => DataType::Float32,
        other => other.clone(),
    }
}

/// What the rows of a prepared statement are announced to be: what was announced when it was prepared, and nullable
/// where either says so. Values can change the types of a statement's columns; then it is what this run gives.
pub(super) fn agreed(before: &Schema, now: &SchemaRef) -> SchemaRef {
    if before.fields().len() != now.fields().len() {
        return Arc::clone(now);
    }
    let fields = before.fields().iter().zip(now.fields());
    let fields = fields.map(
        |(before, now)| match before.data_type() == now.data_type() {
            true => {
                let nullable = before.is_nullable() || now.is_nullable();
                Arc::new(now.as_ref().clone().with_nullable(nullable))
            }
            false => Arc::clone(now),
        },
    );
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// What clients are told to bind: a nullable field for each parameter, in numeric order.
///
/// A parameter of any type is announced as text. Timestamps and times are announced in milliseconds and dates in days,
/// because the JDBC driver writes those whatever the unit; it cannot write decimals of more than 128 bits at all. Values
/// are cast to what the statement wants.
pub(super) fn parameter_schema(
    parameters: &[Option<DataType>],
    settings: &MurreSettings,
) -> SchemaRef {
    let fields = parameters.iter().enumerate().map(|(index, data_type)| {
        let data_type = match data_type {
            None => DataType::Utf8,
            Some(DataType::Timestamp(_, zone)) => {
                DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
            }
            Some(DataType::Time32(_) | DataType::Time64(_)) => {
                DataType::Time32(TimeUnit::Millisecond)
            }
            Some(DataType::Date64) => DataType::Date32,
            Some(DataType::Decimal256(_, scale)) if *scale <= DECIMAL128_MAX_SCALE => {
                DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale)
            }
            Some(known) => wire_type(known, settings),
        };
        Field::new(format!("${}", index + 1), data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The schema as an encapsulated IPC message.
pub(super) fn schema_bytes(schema: &Schema) -> Result<Bytes, Status> {
    let message: Result<IpcMessage, ArrowError> =
        SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into();
    message
        .map(|message| message.0)
        .map_err(|e| Status::internal(format!("the schema cannot be sent: {e}")))
}

/// The batch with the columns cast to `schema`; those that have their type already are shared, not copied.
pub(super) fn to_wire(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns: Result<Vec<ArrayRef>, ArrowError> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(
            |(column, field)| match column.data_type() == field.data_type() {
                true => Ok(without_far_views(column)),
                false => cast(column, field.data_type()),
            },
        )
        .collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns?, &rows)
}

/// The same values; views into much larger buffers are copied out, because a message carries whole buffers.
fn without_far_views(column: &ArrayRef) -> ArrayRef {
    fn far<T: ByteViewType>(views: &GenericByteViewArray<T>) -> bool {
        let held: usize = views.data_buffers().iter().map(Buffer::len).sum();
        held > 4096 && held > 2 * views.total_buffer_bytes_used()
    }
    match column.data_type() {
        DataType::Utf8View if far(column.as_string_view()) => {
            Arc::new(column.as_string_view().gc())
        }
        DataType::BinaryView if far(column.as_binary_view()) => {
            Arc::new(column.as_binary_view().gc())
        }
        _ => Arc::clone(column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, StringViewArray, types::Int8Type};

    #[test]
    fn views_and_dictionaries_become_plain_values_at_any_depth() {
        let view = Field::new("item", DataType::Utf8View, true);
        let schema = Schema::new(vec![
            Field::new("v", DataType::Utf8View, false),
            Field::new(
                "d",
                DataType::Dictionary(DataType::Int8.into(), DataType::Utf8View.into()),
                true,
            ),
            Field::new("l", DataType::List(view.into()), true),
        ]);
        let wire = wire_schema(&schema, &MurreSettings::default());
        let types: Vec<_> = wire
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        assert_eq!(types[..2], [DataType::Utf8, DataType::Utf8]);
        assert_eq!(
            types[2],
            DataType::List(Field::new("item", DataType::Utf8, true).into())
        );
        assert!(!wire.field(0).is_nullable());
    }

    #[test]
    fn narrow_decimals_and_half_floats_are_widened_whatever_the_session_says() {
        let settings = MurreSettings {
            flight_views: true,
            flight_dictionaries: true,
            ..MurreSettings::default()
        };
        for (narrow, wide) in [
            (DataType::Decimal32(5, 2), DataType::Decimal128(5, 2)),
            (DataType::Decimal64(10, 0), DataType::Decimal128(10, 0)),
            (DataType::Float16, DataType::Float32),
        ] {
            assert_eq!(wire_type(&narrow, &settings), wide);
        }
    }

    #[test]
    fn parameters_are_announced_in_the_units_that_drivers_write() {
        let types = [
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Date64,
            DataType::Decimal256(60, 2),
            DataType::Decimal256(60, 50),
        ];
        let parameters = types.clone().map(Some);
        let announced = parameter_schema(&parameters, &MurreSettings::default());
        let announced: Vec<_> = announced.fields().iter().map(|f| f.data_type()).collect();
        let expected = [
            &DataType::Timestamp(TimeUnit::Millisecond, None),
            &DataType::Time32(TimeUnit::Millisecond),
            &DataType::Date32,
            &DataType::Decimal128(38, 2),
            &types[4],
        ];
        assert_eq!(announced, expected);
    }

    #[test]
    fn a_slice_of_views_carries_its_own_strings_only() {
        let all: StringViewArray = (0..10_000)
            .map(|n| Some(format!("a string that is not inline, number {n}")))
            .collect();
        let slice: ArrayRef = Arc::new(all.slice(5_000, 3));
        let schema = Schema::new(vec![Field::new("v", DataType::Utf8View, true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::clone(&slice)]).unwrap();
        let wire = to_wire(&batch, &batch.schema()).unwrap();
        assert_eq!(&wire.column(0), &&slice);
        assert!(wire.column(0).get_array_memory_size() < 2_000);
    }

    #[test]
    fn values_survive_the_cast() {
        let dictionary: DictionaryArray<Int8Type> =
            vec![Some("a"), None, Some("a")].into_iter().collect();
        let columns: [ArrayRef; 2] = [
            Arc::new(StringViewArray::from(vec![
                "x",
                "a longer text than twelve",
                "",
            ])),
            Arc::new(dictionary),
        ];
        let batch = RecordBatch::try_from_iter(["v", "d"].into_iter().zip(columns)).unwrap();
        let wire = to_wire(
            &batch,
            &wire_schema(&batch.schema(), &MurreSettings::default()),
        )
        .unwrap();
        let text = arrow::util::pretty::pretty_format_batches(&[wire])
            .unwrap()
            .to_string();
        let before = arrow::util::pretty::pretty_format_batches(&[batch])
            .unwrap()
            .to_string();
        assert_eq!(text, before);
    }
}
