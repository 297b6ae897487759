//! Columns as clients see them: wire types, and what drivers report of a column, in the fields' metadata.
//!
//! Source: Flight SQL, column metadata (`ARROW:FLIGHT:SQL:*`).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use basin_catalog::Item;
use basin_engine::SourceItem;

use super::metadata::CATALOG;
use super::options::SessionOptions;
use super::xdbc::type_name;
use crate::encode::{WireForm, wire_schema};

/// How the columns of a result look: the same in FlightInfo, in a prepared statement and in DoGet.
#[derive(Debug, Clone)]
pub(super) struct ResultForm {
    wire: WireForm,
    language: Option<String>,
    /// With parameters every column is nullable: each run binds other values, and all of them are one result.
    parameterised: bool,
}

impl ResultForm {
    pub(super) fn new(options: &SessionOptions, parameterised: bool) -> Self {
        Self { wire: options.wire_form(), language: options.language.clone(), parameterised }
    }

    pub(super) fn wire(&self) -> WireForm {
        self.wire
    }

    /// Returns the schema of a result whose columns are these items, where they are any.
    pub(super) fn schema(&self, engines: &Schema, sources: &[Option<SourceItem>]) -> SchemaRef {
        let plain = wire_schema(engines);
        let language = self.language.as_deref();
        let described = plain.fields().iter().enumerate().map(|(at, field)| {
            let source = sources.get(at).and_then(Option::as_ref);
            let table = source.map(|source| &source.dataset().name);
            // The JDBC driver takes remarks of a result for the column's label, by which its users then look for it: only
            // a session that asks for a language gets them.
            let item = source.filter(|_| language.is_some()).and_then(SourceItem::item);
            let metadata = metadata(
                field,
                table.map(|table| (table.schema(), table.name())),
                item.map(|item| remarks(item, language)),
            );
            let nullable = field.is_nullable() || self.parameterised;
            field.as_ref().clone().with_nullable(nullable).with_metadata(metadata)
        });
        let fields: Vec<Field> = described.collect();
        self.wire.schema(&Arc::new(Schema::new_with_metadata(fields, plain.metadata().clone())))
    }
}

/// Returns a table's columns in their wire types, described.
pub(super) fn of_table<'a>(
    engines: &Schema,
    table: (&str, &str),
    item: impl Fn(&str) -> Option<&'a Item>,
    language: Option<&str>,
) -> Schema {
    let described = |field: &Arc<Field>| {
        let remarks = item(field.name()).map(|item| remarks(item, language));
        field.as_ref().clone().with_metadata(metadata(field, Some(table), remarks))
    };
    Schema::new(wire_schema(engines).fields().iter().map(described).collect::<Vec<_>>())
}

/// What drivers report of a column: its type and, when it is a table's, which schema and table it is from.
fn metadata(field: &Field, table: Option<(&str, &str)>, remarks: Option<String>) -> HashMap<String, String> {
    let mut metadata = type_metadata(field);
    if let Some((schema, table)) = table {
        metadata.extend(table_metadata(schema, table));
    }
    metadata.extend(remarks.map(|remarks| entry("REMARKS", remarks)));
    metadata
}

fn entry(key: &str, value: String) -> (String, String) {
    (format!("ARROW:FLIGHT:SQL:{key}"), value)
}

/// Without IS_AUTO_INCREMENT, which is never true here: with it, Java ADBC writes columns that its own schema lacks.
fn type_metadata(field: &Field) -> HashMap<String, String> {
    let mut metadata = HashMap::from([
        entry("TYPE_NAME", type_name(field.data_type()).to_owned()),
        entry("IS_CASE_SENSITIVE", "1".to_owned()),
        entry("IS_READ_ONLY", "1".to_owned()),
        entry("IS_SEARCHABLE", "1".to_owned()),
    ]);
    if let Some((precision, scale)) = precision_and_scale(field.data_type()) {
        metadata.extend([entry("PRECISION", precision.to_string()), entry("SCALE", scale.to_string())]);
    }
    metadata
}

fn table_metadata(schema: &str, table: &str) -> [(String, String); 3] {
    [
        entry("CATALOG_NAME", CATALOG.to_owned()),
        entry("SCHEMA_NAME", schema.to_owned()),
        entry("TABLE_NAME", table.to_owned()),
    ]
}

/// The label of an item and its unit, as in "confirmed, cumulative [person]": in the session's language where there is
/// one, else in every language.
fn remarks(item: &Item, language: Option<&str>) -> String {
    let best = item.label.best();
    let label = match language.and_then(|language| item.label.get(language)) {
        Some(label) => label.to_owned(),
        None if language.is_some() => best.to_owned(),
        None => {
            let others = item.label.iter().map(|(_, text)| text).filter(|text| *text != best);
            std::iter::once(best).chain(others).collect::<Vec<_>>().join(" / ")
        }
    };
    match &item.unit {
        Some(unit) => format!("{label} [{unit}]"),
        None => label,
    }
}

fn precision_and_scale(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal128(precision, scale) => Some((*precision, *scale)),
        DataType::Int8 | DataType::UInt8 => Some((3, 0)),
        DataType::Int16 | DataType::UInt16 => Some((5, 0)),
        DataType::Int32 | DataType::UInt32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::UInt64 => Some((20, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        serde_json::from_value(serde_json::json!({
            "name": "beds", "type": "int32", "unit": "bed", "label": {"en": "beds", "zh": "床位数"}
        }))
        .unwrap()
    }

    #[test]
    fn remarks_are_in_the_language_that_was_asked_for() {
        assert_eq!(remarks(&item(), None), "beds / 床位数 [bed]");
        assert_eq!(remarks(&item(), Some("zh")), "床位数 [bed]");
        assert_eq!(remarks(&item(), Some("fr")), "beds [bed]");
    }
}
