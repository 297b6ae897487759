//! GetSqlInfo: every code of the specification, each in the union slot that drivers read it from.
//!
//! The JDBC driver casts without looking and fails on gaps, so nothing is left out. A maximum of 0
//! means that there is none, or none that is known.
//!
//! Source: FlightSql.proto, `SqlInfo`; the slot of 562 is the one that the JDBC driver reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, RecordBatch, StructArray, UnionArray};
use arrow::datatypes::{Fields, Schema};
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::{
    SqlInfo as Info, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
    SqlSupportedGroupBy, SqlSupportedResultSetConcurrency, SqlSupportedResultSetType, SqlSupportedSubqueries,
    SqlSupportedTransaction, SqlSupportedUnions, SqlSupportsConvert, SqlTransactionIsolationLevel,
    SupportedSqlGrammar,
};

use basin_engine::substrait_version;

use super::metadata::flight_error;
use crate::error::Result;

const KEYWORDS: &[&str] = &["ANTI", "ILIKE", "LIMIT", "OFFSET", "QUALIFY", "SEMI", "SIMILAR"];
const NUMERIC_FUNCTIONS: &[&str] = &[
    "abs", "acos", "asin", "atan", "atan2", "cbrt", "ceil", "cos", "cot", "degrees", "exp", "floor", "ln",
    "log", "log10", "log2", "pi", "power", "radians", "random", "round", "signum", "sin", "sqrt", "tan",
    "trunc",
];
const STRING_FUNCTIONS: &[&str] = &[
    "ascii",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "initcap",
    "left",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "position",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "to_hex",
    "translate",
    "trim",
    "upper",
];
const SYSTEM_FUNCTIONS: &[&str] = &["arrow_typeof", "coalesce", "nullif", "nvl", "version"];
const DATETIME_FUNCTIONS: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "now",
    "to_char",
    "to_date",
    "to_timestamp",
    "to_unixtime",
];

/// Maxima without a limit of their own: 541 to 555 and 557 to 561.
const UNLIMITED: [Info; 20] = [
    Info::SqlMaxBinaryLiteralLength,
    Info::SqlMaxCharLiteralLength,
    Info::SqlMaxColumnNameLength,
    Info::SqlMaxColumnsInGroupBy,
    Info::SqlMaxColumnsInIndex,
    Info::SqlMaxColumnsInOrderBy,
    Info::SqlMaxColumnsInSelect,
    Info::SqlMaxColumnsInTable,
    Info::SqlMaxConnections,
    Info::SqlMaxCursorNameLength,
    Info::SqlMaxIndexLength,
    Info::SqlDbSchemaNameLength,
    Info::SqlMaxProcedureNameLength,
    Info::SqlMaxCatalogNameLength,
    Info::SqlMaxRowSize,
    Info::SqlMaxStatementLength,
    Info::SqlMaxStatements,
    Info::SqlMaxTableNameLength,
    Info::SqlMaxTablesInSelect,
    Info::SqlMaxUsernameLength,
];

/// Builds the answer to GetSqlInfo.
///
/// # Errors
/// `Encode` when Arrow can't build it.
pub(super) fn build() -> Result<SqlInfoData> {
    let mut infos = SqlInfoDataBuilder::new();
    server(&mut infos);
    names(&mut infos);
    language(&mut infos);
    grammar(&mut infos);
    for info in UNLIMITED {
        infos.append(info, 0_i64);
    }
    infos.append(Info::SqlMaxRowSizeIncludesBlobs, true);
    transactions(&mut infos);
    results(&mut infos);
    infos.build().map_err(flight_error)
}

/// Returns rows of GetSqlInfo as the specification has them: arrow-flight calls the parts of the map `keys` and `values`,
/// and Arrow Java finds `key` and `value` by name.
///
/// # Errors
/// `Encode` when Arrow can't build them.
pub(super) fn specified(batch: &RecordBatch) -> Result<RecordBatch> {
    let (fields, type_ids, offsets, children) = batch.column(1).as_union().clone().into_parts();
    let children: Vec<ArrayRef> = children.into_iter().map(|child| renamed(&child)).collect::<Result<_>>()?;
    let named = fields.iter().zip(&children).map(|((id, field), child)| {
        (id, Arc::new(field.as_ref().clone().with_data_type(child.data_type().clone())))
    });
    let values = UnionArray::try_new(named.collect(), type_ids, offsets, children)?;
    let field = batch.schema_ref().field(1).clone().with_data_type(values.data_type().clone());
    let schema = Schema::new(vec![batch.schema_ref().field(0).clone(), field]);
    Ok(RecordBatch::try_new(Arc::new(schema), vec![Arc::clone(batch.column(0)), Arc::new(values)])?)
}

fn renamed(child: &ArrayRef) -> Result<ArrayRef> {
    let Some(map) = child.as_map_opt() else { return Ok(Arc::clone(child)) };
    let (field, offsets, entries, nulls, ordered) = map.clone().into_parts();
    let (parts, columns, entry_nulls) = entries.into_parts();
    let names = ["key", "value"].into_iter().zip(parts.iter());
    let parts: Fields = names.map(|(name, part)| part.as_ref().clone().with_name(name)).collect();
    let entries = StructArray::try_new(parts, columns, entry_nulls)?;
    let field = Arc::new(field.as_ref().clone().with_data_type(entries.data_type().clone()));
    Ok(Arc::new(MapArray::try_new(field, offsets, entries, nulls, ordered)?))
}

/// 0 to 11, 100 and 101.
fn server(infos: &mut SqlInfoDataBuilder) {
    infos.append(Info::FlightSqlServerName, "Basin");
    infos.append(Info::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    infos.append(Info::FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    infos.append(Info::FlightSqlServerReadOnly, false);
    infos.append(Info::FlightSqlServerSql, true);
    infos.append(Info::FlightSqlServerSubstrait, true);
    infos.append(Info::FlightSqlServerSubstraitMinVersion, "");
    infos.append(Info::FlightSqlServerSubstraitMaxVersion, substrait_version().as_str());
    infos.append(Info::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    infos.append(Info::FlightSqlServerCancel, true);
    infos.append(Info::FlightSqlServerBulkIngestion, true);
    infos.append(Info::FlightSqlServerIngestTransactionsSupported, false);
    // Handles expire by the clock, not by disuse: no timeout in the sense of the specification.
    infos.append(Info::FlightSqlServerStatementTimeout, 0_i32);
    infos.append(Info::FlightSqlServerTransactionTimeout, 0_i32);
}

/// 500 to 507, 513 and 514, 529 to 535.
fn names(infos: &mut SqlInfoDataBuilder) {
    let lower = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32;
    infos.append(Info::SqlDdlCatalog, false);
    infos.append(Info::SqlDdlSchema, false);
    infos.append(Info::SqlDdlTable, true);
    infos.append(Info::SqlIdentifierCase, lower);
    infos.append(Info::SqlIdentifierQuoteChar, "\"");
    // Quoted names are taken exactly as written; the enumeration has no better word for it.
    let unknown = SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32;
    infos.append(Info::SqlQuotedIdentifierCase, unknown);
    infos.append(Info::SqlAllTablesAreSelectable, true);
    infos.append(Info::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    infos.append(Info::SqlSearchStringEscape, "\\");
    infos.append(Info::SqlExtraNameCharacters, "");
    infos.append(Info::SqlSchemaTerm, "schema");
    infos.append(Info::SqlProcedureTerm, "procedure");
    infos.append(Info::SqlCatalogTerm, "node");
    infos.append(Info::SqlCatalogAtStart, true);
    infos.append(Info::SqlSchemasSupportedActions, 0_i32);
    infos.append(Info::SqlCatalogsSupportedActions, 0_i32);
    infos.append(Info::SqlSupportedPositionedCommands, 0_i32);
}

/// 508 to 512, 515 to 521, 523 and 524.
fn language(infos: &mut SqlInfoDataBuilder) {
    infos.append(Info::SqlKeywords, KEYWORDS);
    infos.append(Info::SqlNumericFunctions, NUMERIC_FUNCTIONS);
    infos.append(Info::SqlStringFunctions, STRING_FUNCTIONS);
    infos.append(Info::SqlSystemFunctions, SYSTEM_FUNCTIONS);
    infos.append(Info::SqlDatetimeFunctions, DATETIME_FUNCTIONS);
    infos.append(Info::SqlSupportsColumnAliasing, true);
    infos.append(Info::SqlNullPlusNullIsNull, true);
    infos.append(Info::SqlSupportsConvert, conversions());
    infos.append(Info::SqlSupportsTableCorrelationNames, true);
    infos.append(Info::SqlSupportsDifferentTableCorrelationNames, false);
    infos.append(Info::SqlSupportsExpressionsInOrderBy, true);
    infos.append(Info::SqlSupportsOrderByUnrelated, true);
    infos.append(Info::SqlSupportsLikeEscapeClause, true);
    infos.append(Info::SqlSupportsNonNullableColumns, true);
}

/// 522, 525 to 528, 536 to 540.
fn grammar(infos: &mut SqlInfoDataBuilder) {
    infos.append(
        Info::SqlSupportedGroupBy,
        bits(&[
            SqlSupportedGroupBy::SqlGroupByUnrelated as i32,
            SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32,
        ]),
    );
    infos.append(
        Info::SqlSupportedGrammar,
        bits(&[SupportedSqlGrammar::SqlMinimumGrammar as i32, SupportedSqlGrammar::SqlCoreGrammar as i32]),
    );
    // Entry level: SupportedAnsi92SqlGrammarLevel.ANSI92_ENTRY_SQL is 0.
    infos.append(Info::SqlAnsi92SupportedLevel, bits(&[0]));
    infos.append(Info::SqlSupportsIntegrityEnhancementFacility, false);
    infos.append(
        Info::SqlOuterJoinsSupportLevel,
        bits(&[
            SqlOuterJoinsSupportLevel::SqlLimitedOuterJoins as i32,
            SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32,
        ]),
    );
    infos.append(Info::SqlSelectForUpdateSupported, false);
    infos.append(Info::SqlStoredProceduresSupported, false);
    infos.append(
        Info::SqlSupportedSubqueries,
        bits(&[
            SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32,
            SqlSupportedSubqueries::SqlSubqueriesInExists as i32,
            SqlSupportedSubqueries::SqlSubqueriesInIns as i32,
        ]),
    );
    infos.append(Info::SqlCorrelatedSubqueriesSupported, true);
    infos.append(
        Info::SqlSupportedUnions,
        bits(&[SqlSupportedUnions::SqlUnion as i32, SqlSupportedUnions::SqlUnionAll as i32]),
    );
}

/// 562 to 566, 572 to 573.
fn transactions(infos: &mut SqlInfoDataBuilder) {
    let none = SqlTransactionIsolationLevel::SqlTransactionNone as i32;
    infos.append(Info::SqlDefaultTransactionIsolation, i64::from(none));
    infos.append(Info::SqlTransactionsSupported, false);
    infos.append(Info::SqlSupportedTransactionsIsolationLevels, bits(&[none]));
    infos.append(Info::SqlDataDefinitionCausesTransactionCommit, false);
    infos.append(Info::SqlDataDefinitionsInTransactionsIgnored, false);
    infos.append(Info::SqlBatchUpdatesSupported, false);
    infos.append(Info::SqlSavepointsSupported, false);
}

/// 567 to 571, 574 to 576.
fn results(infos: &mut SqlInfoDataBuilder) {
    let forward = SqlSupportedResultSetType::SqlResultSetTypeForwardOnly as i32;
    let read_only = SqlSupportedResultSetConcurrency::SqlResultSetConcurrencyReadOnly as i32;
    infos.append(Info::SqlSupportedResultSetTypes, bits(&[forward]));
    infos.append(Info::SqlSupportedConcurrenciesForResultSetUnspecified, 0_i32);
    infos.append(Info::SqlSupportedConcurrenciesForResultSetForwardOnly, bits(&[read_only]));
    infos.append(Info::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0_i32);
    infos.append(Info::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0_i32);
    infos.append(Info::SqlNamedParametersSupported, false);
    infos.append(Info::SqlLocatorsUpdateCopy, false);
    infos.append(Info::SqlStoredFunctionsUsingCallSyntaxSupported, false);
}

/// Sets the bit of each ordinal.
fn bits(ordinals: &[i32]) -> i32 {
    ordinals.iter().fold(0, |mask, ordinal| mask | (1 << ordinal))
}

/// CAST goes between all numbers and between text and everything that has a text.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use SqlSupportsConvert as C;
    let numbers = [
        C::SqlConvertBigint,
        C::SqlConvertBit,
        C::SqlConvertDecimal,
        C::SqlConvertFloat,
        C::SqlConvertInteger,
        C::SqlConvertNumeric,
        C::SqlConvertReal,
        C::SqlConvertSmallint,
        C::SqlConvertTinyint,
    ];
    let times = [C::SqlConvertDate, C::SqlConvertTime, C::SqlConvertTimestamp];
    let text = [C::SqlConvertChar, C::SqlConvertVarchar];
    let codes = |types: &[C]| types.iter().map(|to| *to as i32).collect::<Vec<_>>();
    let mut map = BTreeMap::new();
    for from in numbers {
        map.insert(from as i32, [codes(&numbers), codes(&text)].concat());
    }
    for from in text {
        map.insert(from as i32, [codes(&numbers), codes(&times), codes(&text)].concat());
    }
    map.insert(C::SqlConvertDate as i32, [codes(&text), codes(&[C::SqlConvertTimestamp])].concat());
    map.insert(C::SqlConvertTime as i32, codes(&text));
    map.insert(C::SqlConvertTimestamp as i32, [codes(&text), codes(&times)].concat());
    map
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, UInt32Type};

    use super::*;

    /// Slots of the union: 0 text, 1 bool, 2 bigint, 3 int32, 4 list, 5 map.
    fn specified_slot(code: u32) -> i8 {
        match code {
            0..=2 | 6 | 7 | 504 | 513 | 514 | 529..=531 => 0,
            3..=5
            | 9..=11
            | 500..=502
            | 506
            | 515
            | 516
            | 518..=521
            | 523
            | 524
            | 527
            | 532
            | 536
            | 537
            | 539
            | 556
            | 563
            | 565
            | 566
            | 572..=576 => 1,
            541..=555 | 557..=562 => 2,
            8
            | 100
            | 101
            | 503
            | 505
            | 507
            | 522
            | 525
            | 526
            | 528
            | 533..=535
            | 538
            | 540
            | 564
            | 567..=571 => 3,
            508..=512 => 4,
            517 => 5,
            _ => panic!("{code} is not specified"),
        }
    }

    #[test]
    fn every_code_is_answered_in_its_slot() {
        let batch = build().unwrap().record_batch(None).unwrap();
        let codes = batch.column(0).as_primitive::<UInt32Type>().values().to_vec();
        let expected: Vec<u32> = (0..=11).chain(100..=101).chain(500..=576).collect();
        assert_eq!(codes, expected);
        let values: &UnionArray = batch.column(1).as_union();
        for (row, code) in codes.into_iter().enumerate() {
            assert_eq!(values.type_id(row), specified_slot(code), "code {code}");
        }
    }

    #[test]
    fn the_parts_of_the_map_have_their_specified_names() {
        let batch = specified(&build().unwrap().record_batch([517]).unwrap()).unwrap();
        let DataType::Map(entries, _) = batch.column(1).as_union().child(5).data_type() else {
            panic!("no map")
        };
        let DataType::Struct(parts) = entries.data_type() else { panic!("no entries") };
        let names: Vec<&str> = parts.iter().map(|part| part.name().as_str()).collect();
        assert_eq!(names, ["key", "value"]);
        assert!(batch.column(1).as_union().value(0).as_map().value_length(0) > 10);
    }

    #[test]
    fn the_codes_that_drivers_ask_first_can_be_filtered() {
        let data = build().unwrap();
        let batch = data.record_batch([0, 1, 2, 3, 8, 504]).unwrap();
        assert_eq!(batch.num_rows(), 6);
        assert_eq!(data.record_batch([99_999]).unwrap().num_rows(), 0);
    }
}
