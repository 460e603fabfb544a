//! SqlInfo: what the server is and can do, each value with the type of the specification.
//!
//! JDBC drivers fail on values that are missing or of the other integer type, so all are there, and limits are 64 bits
//! wide. Only what is true is claimed: SQL_SUPPORTED_GRAMMAR and SQL_ANSI92_SUPPORTED_LEVEL are empty because every
//! level contains UPDATE and DELETE.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayData, RecordBatch, make_array},
    compute::can_cast_types,
    datatypes::{
        DataType, Field, FieldRef, IntervalUnit, Schema, SchemaRef, TimeUnit, UnionFields,
    },
    error::ArrowError,
};
use arrow_flight::{
    error::Result,
    sql::{
        CommandGetSqlInfo, SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel,
        SqlSupportedCaseSensitivity, SqlSupportedGroupBy, SqlSupportedResultSetConcurrency,
        SqlSupportedResultSetType, SqlSupportedSubqueries, SqlSupportedTransaction,
        SqlSupportedUnions, SqlSupportsConvert, SqlTransactionIsolationLevel,
        metadata::SqlInfoDataBuilder,
    },
};
use catalog::USER_NAME_BYTES_MAX;
use coordinator::SubstraitVersion;
use datafusion::sql::sqlparser::keywords::RESERVED_FOR_TABLE_ALIAS;

use super::pattern::ESCAPE;
use crate::flight::{
    limits::FlightLimits,
    statement::{Caller, SQL_BYTES_MAX},
};

/// The server's limits as SqlInfo gives them: 0 means none, or not known.
const NO_LIMIT: i64 = 0;

pub(super) fn columns() -> SchemaRef {
    let fields = SqlInfoDataBuilder::schema().fields().iter();
    Arc::new(Schema::new(fields.map(as_drivers_name).collect::<Vec<_>>()))
}

/// The crate calls the halves of a map's entries `keys` and `values`; Java reads them by the names of the format's
/// specification.
fn as_drivers_name(field: &FieldRef) -> FieldRef {
    let renamed = match field.data_type() {
        DataType::Union(fields, mode) => {
            let fields = fields
                .iter()
                .map(|(id, field)| (id, as_drivers_name(field)));
            DataType::Union(UnionFields::from_iter(fields), *mode)
        }
        DataType::Map(entries, sorted) => {
            let halves = match entries.data_type() {
                DataType::Struct(halves) => halves.iter().zip(["key", "value"]),
                _ => return Arc::clone(field),
            };
            let halves = halves.map(|(half, name)| half.as_ref().clone().with_name(name));
            let entries = Field::new("entries", DataType::Struct(halves.collect()), false);
            DataType::Map(Arc::new(entries), *sorted)
        }
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(renamed))
}

/// The same values as of `data_type`, which has other names of fields.
fn renamed(data: &ArrayData, data_type: &DataType) -> std::result::Result<ArrayData, ArrowError> {
    let inner: Vec<&DataType> = match data_type {
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field.data_type()).collect(),
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::Map(entries, _) => vec![entries.data_type()],
        _ => return Ok(data.clone()),
    };
    let children = data.child_data().iter().zip(inner);
    let children = children.map(|(child, data_type)| renamed(child, data_type));
    let children: std::result::Result<Vec<_>, _> = children.collect();
    let builder = data.clone().into_builder().data_type(data_type.clone());
    builder.child_data(children?).build()
}

pub(super) fn rows(
    caller: &Caller,
    wanted: CommandGetSqlInfo,
    of_server: &FlightLimits,
) -> Result<RecordBatch> {
    let mut builder = SqlInfoDataBuilder::new();
    server(&mut builder, of_server);
    syntax(caller, &mut builder);
    support(&mut builder);
    limits(&mut builder, of_server);
    transactions(&mut builder);
    let rows = wanted.into_builder(&builder.build()?).build()?;
    let announced = columns();
    let columns = rows.columns().iter().zip(announced.fields());
    let columns = columns
        .map(|(column, field)| renamed(&column.to_data(), field.data_type()).map(make_array));
    let columns: std::result::Result<Vec<_>, _> = columns.collect();
    Ok(RecordBatch::try_new(announced, columns?)?)
}

fn server(info: &mut SqlInfoDataBuilder, limits: &FlightLimits) {
    info.append(SqlInfo::FlightSqlServerName, "Murre");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    info.append(SqlInfo::FlightSqlServerReadOnly, false);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, true);
    for (name, version) in [
        (
            SqlInfo::FlightSqlServerSubstraitMinVersion,
            SubstraitVersion::MIN,
        ),
        (
            SqlInfo::FlightSqlServerSubstraitMaxVersion,
            SubstraitVersion::MAX,
        ),
    ] {
        info.append(name, &*version.to_string());
    }
    let transactions = SqlSupportedTransaction::None as i32;
    info.append(SqlInfo::FlightSqlServerTransaction, transactions);
    info.append(SqlInfo::FlightSqlServerCancel, true);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, true);
    info.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
    // Of the handles of prepared statements, as the specification has it, not of statements that run.
    let handles = i32::try_from(limits.session_idle.as_millis()).unwrap_or(i32::MAX);
    info.append(SqlInfo::FlightSqlServerStatementTimeout, handles);
    info.append(SqlInfo::FlightSqlServerTransactionTimeout, 0i32);
}

fn syntax(caller: &Caller, info: &mut SqlInfoDataBuilder) {
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, true);
    info.append(SqlInfo::SqlDdlTable, true);
    let lower_case = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32;
    info.append(SqlInfo::SqlIdentifierCase, lower_case);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    // Quoted names keep their case and are told apart by it, which none of the other values says.
    let as_written = SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32;
    info.append(SqlInfo::SqlQuotedIdentifierCase, as_written);
    info.append(SqlInfo::SqlAllTablesAreSelectable, true);
    let nulls = SqlNullOrdering::SqlNullsSortedHigh as i32;
    info.append(SqlInfo::SqlNullOrdering, nulls);
    let keywords: Vec<String> = RESERVED_FOR_TABLE_ALIAS
        .iter()
        .map(|keyword| format!("{keyword:?}"))
        .collect();
    info.append(SqlInfo::SqlKeywords, keywords);
    for (name, section) in [
        (SqlInfo::SqlNumericFunctions, "Math Functions"),
        (SqlInfo::SqlStringFunctions, "String Functions"),
        (SqlInfo::SqlSystemFunctions, "Other Functions"),
        (SqlInfo::SqlDatetimeFunctions, "Time and Date Functions"),
    ] {
        info.append(name, caller.session.functions_of(section));
    }
    info.append(SqlInfo::SqlSearchStringEscape, &*String::from(ESCAPE));
    info.append(SqlInfo::SqlExtraNameCharacters, "");
    info.append(SqlInfo::SqlSchemaTerm, "schema");
    info.append(SqlInfo::SqlProcedureTerm, "procedure");
    info.append(SqlInfo::SqlCatalogTerm, "catalog");
    info.append(SqlInfo::SqlCatalogAtStart, true);
}

fn support(info: &mut SqlInfoDataBuilder) {
    for (name, is) in [
        (SqlInfo::SqlSupportsColumnAliasing, true),
        (SqlInfo::SqlNullPlusNullIsNull, true),
        (SqlInfo::SqlSupportsTableCorrelationNames, true),
        (SqlInfo::SqlSupportsDifferentTableCorrelationNames, false),
        (SqlInfo::SqlSupportsExpressionsInOrderBy, true),
        (SqlInfo::SqlSupportsOrderByUnrelated, true),
        (SqlInfo::SqlSupportsLikeEscapeClause, true),
        (SqlInfo::SqlSupportsNonNullableColumns, true),
        (SqlInfo::SqlSupportsIntegrityEnhancementFacility, false),
        (SqlInfo::SqlSelectForUpdateSupported, false),
        (SqlInfo::SqlStoredProceduresSupported, false),
        (SqlInfo::SqlCorrelatedSubqueriesSupported, true),
        (SqlInfo::SqlMaxRowSizeIncludesBlobs, true),
        (SqlInfo::SqlBatchUpdatesSupported, true),
        (SqlInfo::SqlSavepointsSupported, false),
        (SqlInfo::SqlNamedParametersSupported, false),
        (SqlInfo::SqlLocatorsUpdateCopy, false),
        (SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported, false),
    ] {
        info.append(name, is);
    }
    info.append(SqlInfo::SqlSupportsConvert, conversions());
    let joins = SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32;
    info.append(SqlInfo::SqlOuterJoinsSupportLevel, joins);
    for (name, flags) in [
        (
            SqlInfo::SqlSupportedGroupBy,
            &[
                SqlSupportedGroupBy::SqlGroupByUnrelated as i32,
                SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32,
            ][..],
        ),
        (SqlInfo::SqlSupportedGrammar, &[]),
        (SqlInfo::SqlAnsi92SupportedLevel, &[]),
        (SqlInfo::SqlSchemasSupportedActions, &[]),
        (SqlInfo::SqlCatalogsSupportedActions, &[]),
        (SqlInfo::SqlSupportedPositionedCommands, &[]),
        (
            SqlInfo::SqlSupportedSubqueries,
            &[
                SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32,
                SqlSupportedSubqueries::SqlSubqueriesInExists as i32,
                SqlSupportedSubqueries::SqlSubqueriesInIns as i32,
            ],
        ),
        (
            SqlInfo::SqlSupportedUnions,
            &[
                SqlSupportedUnions::SqlUnion as i32,
                SqlSupportedUnions::SqlUnionAll as i32,
            ],
        ),
    ] {
        info.append(name, bitmask(flags));
    }
}

/// A bit for each ordinal.
fn bitmask(ordinals: &[i32]) -> i32 {
    ordinals.iter().fold(0, |mask, ordinal| mask | 1 << ordinal)
}

fn limits(info: &mut SqlInfoDataBuilder, limits: &FlightLimits) {
    for name in [
        SqlInfo::SqlMaxBinaryLiteralLength,
        SqlInfo::SqlMaxCharLiteralLength,
        SqlInfo::SqlMaxColumnNameLength,
        SqlInfo::SqlMaxColumnsInGroupBy,
        SqlInfo::SqlMaxColumnsInIndex,
        SqlInfo::SqlMaxColumnsInOrderBy,
        SqlInfo::SqlMaxColumnsInSelect,
        SqlInfo::SqlMaxColumnsInTable,
        SqlInfo::SqlMaxConnections,
        SqlInfo::SqlMaxCursorNameLength,
        SqlInfo::SqlMaxIndexLength,
        SqlInfo::SqlDbSchemaNameLength,
        SqlInfo::SqlMaxProcedureNameLength,
        SqlInfo::SqlMaxCatalogNameLength,
        SqlInfo::SqlMaxRowSize,
        SqlInfo::SqlMaxTableNameLength,
        SqlInfo::SqlMaxTablesInSelect,
    ] {
        info.append(name, NO_LIMIT);
    }
    info.append(SqlInfo::SqlMaxStatementLength, SQL_BYTES_MAX as i64);
    info.append(
        SqlInfo::SqlMaxStatements,
        limits.prepared_per_session_max as i64,
    );
    info.append(SqlInfo::SqlMaxUsernameLength, USER_NAME_BYTES_MAX as i64);
}

fn transactions(info: &mut SqlInfoDataBuilder) {
    let none = SqlTransactionIsolationLevel::SqlTransactionNone as i32;
    info.append(SqlInfo::SqlDefaultTransactionIsolation, i64::from(none));
    info.append(SqlInfo::SqlTransactionsSupported, false);
    info.append(
        SqlInfo::SqlSupportedTransactionsIsolationLevels,
        bitmask(&[none]),
    );
    info.append(SqlInfo::SqlDataDefinitionCausesTransactionCommit, false);
    info.append(SqlInfo::SqlDataDefinitionsInTransactionsIgnored, false);
    let forward = SqlSupportedResultSetType::SqlResultSetTypeForwardOnly as i32;
    info.append(SqlInfo::SqlSupportedResultSetTypes, bitmask(&[forward]));
    let read_only = SqlSupportedResultSetConcurrency::SqlResultSetConcurrencyReadOnly as i32;
    for (name, concurrencies) in [
        (SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0),
        (
            SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly,
            bitmask(&[read_only]),
        ),
        (
            SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive,
            0,
        ),
        (
            SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
            0,
        ),
    ] {
        info.append(name, concurrencies);
    }
}

/// Which types can be cast to which, from what the engine casts.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use SqlSupportsConvert::*;
    let types = [
        (SqlConvertBigint, DataType::Int64),
        (SqlConvertBinary, DataType::Binary),
        (SqlConvertBit, DataType::Boolean),
        (SqlConvertChar, DataType::Utf8),
        (SqlConvertDate, DataType::Date32),
        (SqlConvertDecimal, DataType::Decimal128(38, 10)),
        (SqlConvertFloat, DataType::Float64),
        (SqlConvertInteger, DataType::Int32),
        (
            SqlConvertIntervalDayTime,
            DataType::Interval(IntervalUnit::DayTime),
        ),
        (
            SqlConvertIntervalYearMonth,
            DataType::Interval(IntervalUnit::YearMonth),
        ),
        (SqlConvertLongvarbinary, DataType::Binary),
        (SqlConvertLongvarchar, DataType::Utf8),
        (SqlConvertNumeric, DataType::Decimal128(38, 10)),
        (SqlConvertReal, DataType::Float32),
        (SqlConvertSmallint, DataType::Int16),
        (SqlConvertTime, DataType::Time64(TimeUnit::Nanosecond)),
        (
            SqlConvertTimestamp,
            DataType::Timestamp(TimeUnit::Nanosecond, None),
        ),
        (SqlConvertTinyint, DataType::Int8),
        (SqlConvertVarbinary, DataType::Binary),
        (SqlConvertVarchar, DataType::Utf8),
    ];
    let targets = |from: &DataType| {
        let able = types.iter().filter(|(_, to)| can_cast_types(from, to));
        able.map(|(name, _)| *name as i32).collect()
    };
    types
        .iter()
        .map(|(name, from)| (*name as i32, targets(from)))
        .collect()
}
