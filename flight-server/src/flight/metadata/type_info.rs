//! The SQL types there are, and the names of Arrow types in SQL.

use std::sync::LazyLock;

use arrow::datatypes::{DataType, TimeUnit};
use arrow_flight::sql::{
    Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode,
    metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder},
};

/// The types that a CREATE TABLE makes by their names (`TIMESTAMP WITH TIME ZONE` makes a plain one), as CommandGetXdbcTypeInfo lists them.
pub(super) fn all() -> &'static XdbcTypeInfoData {
    static ALL: LazyLock<XdbcTypeInfoData> = LazyLock::new(|| {
        let mut builder = XdbcTypeInfoDataBuilder::new();
        types().into_iter().for_each(|info| builder.append(info));
        builder.build().expect("the list is constant")
    });
    &ALL
}

fn types() -> Vec<XdbcTypeInfo> {
    use XdbcDataType::*;
    let mut types = vec![
        number("TINYINT", XdbcTinyint, 3, false),
        number("SMALLINT", XdbcSmallint, 5, false),
        number("INTEGER", XdbcInteger, 10, false),
        number("BIGINT", XdbcBigint, 19, false),
        number("TINYINT UNSIGNED", XdbcTinyint, 3, true),
        number("SMALLINT UNSIGNED", XdbcSmallint, 5, true),
        number("INTEGER UNSIGNED", XdbcInteger, 10, true),
        number("BIGINT UNSIGNED", XdbcBigint, 20, true),
        XdbcTypeInfo {
            num_prec_radix: Some(2),
            ..number("REAL", XdbcReal, 24, false)
        },
        XdbcTypeInfo {
            num_prec_radix: Some(2),
            ..number("DOUBLE", XdbcDouble, 53, false)
        },
        XdbcTypeInfo {
            create_params: Some(vec!["precision".into(), "scale".into()]),
            fixed_prec_scale: false,
            minimum_scale: Some(0),
            maximum_scale: Some(76),
            ..number("DECIMAL", XdbcDecimal, 76, false)
        },
        plain("BOOLEAN", XdbcBit, 1),
        XdbcTypeInfo {
            case_sensitive: true,
            searchable: Searchable::Full,
            ..quoted("VARCHAR", XdbcVarchar, i32::MAX, "'")
        },
        quoted("BYTEA", XdbcVarbinary, i32::MAX, "X'"),
        quoted("DATE", XdbcDate, 10, "DATE '"),
        quoted("TIME", XdbcTime, 18, "TIME '"),
        quoted("TIMESTAMP", XdbcTimestamp, 29, "TIMESTAMP '"),
        quoted("INTERVAL", XdbcInterval, 64, "INTERVAL '"),
    ];
    for info in &mut types {
        (info.sql_data_type, info.datetime_subcode) = match info.data_type {
            XdbcDate => (XdbcDatetime, Some(XdbcDatetimeSubcode::XdbcSubcodeYear)),
            XdbcTime => (XdbcDatetime, Some(XdbcDatetimeSubcode::XdbcSubcodeTime)),
            XdbcTimestamp => (
                XdbcDatetime,
                Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
            ),
            other => (other, None),
        };
    }
    types
}

fn plain(name: &str, data_type: XdbcDataType, size: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.into(),
        data_type,
        column_size: Some(size),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Basic,
        local_type_name: Some(name.into()),
        sql_data_type: data_type,
        ..XdbcTypeInfo::default()
    }
}

/// `size` in digits, or in bits where the caller sets the radix to 2.
fn number(name: &str, data_type: XdbcDataType, size: i32, unsigned: bool) -> XdbcTypeInfo {
    XdbcTypeInfo {
        unsigned_attribute: Some(unsigned),
        auto_increment: Some(false),
        minimum_scale: Some(0),
        maximum_scale: Some(0),
        num_prec_radix: Some(10),
        ..plain(name, data_type, size)
    }
}

fn quoted(name: &str, data_type: XdbcDataType, size: i32, prefix: &str) -> XdbcTypeInfo {
    XdbcTypeInfo {
        literal_prefix: Some(prefix.into()),
        literal_suffix: Some("'".into()),
        ..plain(name, data_type, size)
    }
}

/// The name of a type in SQL, for columns; Arrow's own where SQL has none.
pub(super) fn name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INTEGER UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "DECIMAL",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "BYTEA",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Timestamp(_, None) => "TIMESTAMP",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::Interval(_) => "INTERVAL",
        DataType::Dictionary(_, values) => return self::name(values),
        other => return other.to_string(),
    };
    name.into()
}

/// Digits of a number, and digits after its point or of its second.
pub(super) fn precision_and_scale(data_type: &DataType) -> (Option<i32>, Option<i32>) {
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match data_type {
        DataType::Int8 | DataType::UInt8 => (Some(3), Some(0)),
        DataType::Int16 | DataType::UInt16 => (Some(5), Some(0)),
        DataType::Int32 | DataType::UInt32 => (Some(10), Some(0)),
        DataType::Int64 => (Some(19), Some(0)),
        DataType::UInt64 => (Some(20), Some(0)),
        DataType::Float32 => (Some(24), None),
        DataType::Float64 => (Some(53), None),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            (Some(i32::from(*precision)), Some(i32::from(*scale)))
        }
        DataType::Time32(time) | DataType::Time64(time) | DataType::Timestamp(time, _) => {
            (None, Some(unit(time)))
        }
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_listed_has_a_row_and_can_be_asked_for_alone() {
        let every = all().record_batch(None).unwrap();
        assert_eq!(every.num_rows(), types().len());
        let dates = all().record_batch(XdbcDataType::XdbcDate as i32).unwrap();
        assert_eq!(dates.num_rows(), 1);
    }
}
