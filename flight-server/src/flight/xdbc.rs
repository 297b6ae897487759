//! Type names, and GetXdbcTypeInfo: the SQL types that results can have.

use arrow::datatypes::DataType;
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode};

use super::metadata::flight_error;
use crate::error::Result;

/// Returns the SQL name of a wire type.
pub(super) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INTEGER UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float16 | DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Decimal32(_, _)
        | DataType::Decimal64(_, _)
        | DataType::Decimal128(_, _)
        | DataType::Decimal256(_, _) => "DECIMAL",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "VARBINARY"
        }
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Timestamp(_, None) => "TIMESTAMP",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::Duration(_) | DataType::Interval(_) => "INTERVAL",
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(_, _) => "ARRAY",
        DataType::Struct(_) => "STRUCT",
        DataType::Map(_, _) => "MAP",
        DataType::Union(_, _) => "UNION",
        DataType::Dictionary(_, values) => type_name(values),
        DataType::RunEndEncoded(_, values) => type_name(values.data_type()),
        DataType::Null => "NULL",
    }
}

/// What differs between types: name, code, size, radix, and what quotes a literal.
type Row = (&'static str, XdbcDataType, i32, Option<i32>, Option<&'static str>);

const TYPES: [Row; 17] = [
    ("BOOLEAN", XdbcDataType::XdbcBit, 1, None, None),
    ("TINYINT", XdbcDataType::XdbcTinyint, 3, Some(10), None),
    ("SMALLINT", XdbcDataType::XdbcSmallint, 5, Some(10), None),
    ("INTEGER", XdbcDataType::XdbcInteger, 10, Some(10), None),
    ("BIGINT", XdbcDataType::XdbcBigint, 19, Some(10), None),
    ("TINYINT UNSIGNED", XdbcDataType::XdbcTinyint, 3, Some(10), None),
    ("SMALLINT UNSIGNED", XdbcDataType::XdbcSmallint, 5, Some(10), None),
    ("INTEGER UNSIGNED", XdbcDataType::XdbcInteger, 10, Some(10), None),
    ("BIGINT UNSIGNED", XdbcDataType::XdbcBigint, 20, Some(10), None),
    ("REAL", XdbcDataType::XdbcReal, 24, Some(2), None),
    ("DOUBLE", XdbcDataType::XdbcDouble, 53, Some(2), None),
    ("DECIMAL", XdbcDataType::XdbcDecimal, 38, Some(10), None),
    ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, None, Some("'")),
    ("VARBINARY", XdbcDataType::XdbcVarbinary, i32::MAX, None, Some("'")),
    ("DATE", XdbcDataType::XdbcDate, 10, None, Some("'")),
    ("TIME", XdbcDataType::XdbcTime, 18, None, Some("'")),
    ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 29, None, Some("'")),
];

/// Builds the answer to GetXdbcTypeInfo.
///
/// # Errors
/// `Encode` when Arrow can't build it.
pub(super) fn build() -> Result<XdbcTypeInfoData> {
    let mut rows = XdbcTypeInfoDataBuilder::new();
    for row in TYPES {
        rows.append(info(row));
    }
    rows.build().map_err(flight_error)
}

fn info((name, code, size, radix, quote): Row) -> XdbcTypeInfo {
    let subcode = match code {
        // YEAR and DATE share the number 1 in the specification.
        XdbcDataType::XdbcDate => Some(XdbcDatetimeSubcode::XdbcSubcodeYear),
        XdbcDataType::XdbcTime => Some(XdbcDatetimeSubcode::XdbcSubcodeTime),
        XdbcDataType::XdbcTimestamp => Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
        _ => None,
    };
    // The verbose types report DATETIME as their SQL data type, with the subcode beside it.
    let sql_data_type = if subcode.is_some() { XdbcDataType::XdbcDatetime } else { code };
    let decimal = name == "DECIMAL";
    XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type: code,
        column_size: Some(size),
        literal_prefix: quote.map(str::to_owned),
        literal_suffix: quote.map(str::to_owned),
        create_params: decimal.then(|| vec!["precision".to_owned(), "scale".to_owned()]),
        nullable: Nullable::NullabilityNullable,
        case_sensitive: name == "VARCHAR",
        searchable: Searchable::Full,
        unsigned_attribute: radix.map(|_| name.ends_with("UNSIGNED")),
        fixed_prec_scale: false,
        auto_increment: radix.map(|_| false),
        local_type_name: Some(name.to_owned()),
        minimum_scale: decimal.then_some(0),
        maximum_scale: decimal.then_some(38),
        sql_data_type,
        datetime_subcode: subcode,
        num_prec_radix: radix,
        interval_precision: None,
    }
}
