//! Checks one `[[delivery]]` table.

use std::collections::BTreeMap;

use basin_catalog::{DatasetDefinition, Item, ItemName, ItemType};

use super::build::regex;
use super::kind::{ColumnSource, CsvFormat, DeliveryKind, Encoding, ExcelFormat, Format, FromColumn};
use super::shape::{ColumnShape, ColumnTable, DeliveryShape, FormatShape, Texts};
use crate::error::{DatasetsError, Result};

pub(super) fn kind(
    shape: DeliveryShape,
    definition: &DatasetDefinition,
    numbered: Option<&ItemName>,
) -> Result<DeliveryKind> {
    let at = format!("delivery.{}", shape.kind);
    let files = regex(&format!("{at}.files"), &shape.files)?;
    if let (Some(from), Some(until)) = (&shape.from, &shape.until)
        && from.0 > until.0
    {
        return Err(DatasetsError::manifest(format!("{at}.until"), "lies before from; exchange them"));
    }
    let mut columns = BTreeMap::new();
    for (name, ColumnShape(table)) in shape.columns {
        let key = format!("{at}.columns.{name}");
        let Some(item) = definition.item(&name) else {
            return Err(DatasetsError::manifest(
                key,
                "there is no such item; add it to [[items]] or remove the key",
            ));
        };
        if Some(&item.name) == numbered {
            return Err(DatasetsError::manifest(key, "the item is numbered by pooling; remove the key"));
        }
        columns.insert(item.name.clone(), column(&key, table, item, &files)?);
    }
    let unmapped = |item: &&Item| Some(&item.name) != numbered && !columns.contains_key(&item.name);
    if let Some(item) = definition.items.iter().find(unmapped) {
        let key = format!("{at}.columns.{}", item.name);
        return Err(DatasetsError::manifest(
            key,
            "the item has no source; name a raw column, file, constant or sql",
        ));
    }
    Ok(DeliveryKind {
        format: format(&format!("{at}.format"), shape.format)?,
        kind: shape.kind,
        files,
        from: shape.from.map(|day| day.0),
        until: shape.until.map(|day| day.0),
        route: shape.route,
        columns,
        ignore: shape.ignore.columns.into_iter().collect(),
    })
}

fn column(key: &str, table: ColumnTable, item: &Item, files: &regex::Regex) -> Result<ColumnSource> {
    let refuse = |part: &str, reason: &str| Err(DatasetsError::manifest(format!("{key}{part}"), reason));
    let decimal_comma = match table.decimal.as_deref() {
        None | Some(".") => false,
        Some(",") => true,
        Some(_) => return refuse(".decimal", "must be \".\" or \",\""),
    };
    let formats = table.format.map(|Texts(formats)| formats).unwrap_or_default();
    let timed = matches!(item.r#type, ItemType::Date | ItemType::Time | ItemType::Timestamp { .. });
    if !formats.is_empty() && !timed {
        return refuse(".format", "only date, time and timestamp items have formats; remove it");
    }
    for format in &formats {
        if chrono::format::StrftimeItems::new(format).any(|part| part == chrono::format::Item::Error) {
            return refuse(".format", &format!("`{format}` is not a format; write it like %Y-%m-%d"));
        }
    }
    if table.optional && !item.nullable {
        return refuse(
            ".optional",
            "the item is not nullable, so its column can't be absent; remove one of the two",
        );
    }
    match (table.from, table.file, table.constant, table.sql) {
        (Some(Texts(names)), None, None, None) if !names.is_empty() => Ok(ColumnSource::Raw(FromColumn {
            names,
            formats,
            decimal_comma,
            trim: table.trim,
            optional: table.optional,
        })),
        (None, Some(capture), None, None) => {
            if files.capture_names().flatten().any(|name| name == capture) {
                return Ok(ColumnSource::File { capture, formats });
            }
            refuse(".file", &format!("`files` has no capture (?<{capture}>…); add it or correct the name"))
        }
        (None, None, Some(constant), None) => Ok(ColumnSource::Constant(constant.0)),
        (None, None, None, Some(sql)) => Ok(ColumnSource::Sql(sql)),
        _ => refuse("", "needs exactly one of from, file, constant and sql"),
    }
}

fn format(key: &str, shape: FormatShape) -> Result<Format> {
    let encoded = |encoding: Option<String>| encoding_of(&format!("{key}.encoding"), encoding.as_deref());
    let format = match shape {
        FormatShape::Csv { delimiter, quote, header, names, encoding } => Format::Csv(CsvFormat {
            delimiter: ascii(&format!("{key}.delimiter"), delimiter.as_deref().unwrap_or(","))?,
            quote: quote_of(key, quote.as_deref())?,
            header,
            names,
            encoding: encoded(encoding)?,
        }),
        FormatShape::Tsv { quote, header, names, encoding } => Format::Csv(CsvFormat {
            delimiter: b'\t',
            quote: quote_of(key, quote.as_deref())?,
            header,
            names,
            encoding: encoded(encoding)?,
        }),
        FormatShape::Json { encoding } => Format::Json(encoded(encoding)?),
        FormatShape::Jsonl { encoding } => Format::JsonLines(encoded(encoding)?),
        FormatShape::Parquet {} => Format::Parquet,
        FormatShape::Arrow {} => Format::Arrow,
        FormatShape::Excel { sheet, header_row } => match header_row.unwrap_or(1) {
            0 => return Err(DatasetsError::manifest(format!("{key}.header_row"), "rows are counted from 1")),
            header_row => Format::Excel(ExcelFormat { sheet, header_row }),
        },
    };
    if let Format::Csv(csv) = &format {
        if csv.quote == Some(csv.delimiter) {
            return Err(DatasetsError::manifest(format!("{key}.quote"), "is the same as the delimiter"));
        }
        if csv.header && !csv.names.is_empty() {
            let reason = "names are for files without a header; set header = false or remove them";
            return Err(DatasetsError::manifest(format!("{key}.names"), reason));
        }
    }
    Ok(format)
}

fn quote_of(key: &str, quote: Option<&str>) -> Result<Option<u8>> {
    match quote {
        None => Ok(Some(b'"')),
        Some("") => Ok(None),
        Some(text) => ascii(&format!("{key}.quote"), text).map(Some),
    }
}

fn ascii(key: &str, text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => Err(DatasetsError::manifest(key, format!("`{text}` is not one ASCII character"))),
    }
}

fn encoding_of(key: &str, label: Option<&str>) -> Result<Encoding> {
    let label = label.unwrap_or("auto");
    if label == "auto" {
        return Ok(Encoding::Auto);
    }
    // GB 2312 and GBK are subsets of GB18030, which decodes them alike.
    match encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()) {
        Some(encoding) if encoding == encoding_rs::GBK => Ok(Encoding::Fixed(encoding_rs::GB18030)),
        Some(encoding) => Ok(Encoding::Fixed(encoding)),
        None => {
            let reason =
                format!("`{label}` is not an encoding; use auto, utf-8, utf-16le, utf-16be or gb18030");
            Err(DatasetsError::manifest(key, reason))
        }
    }
}
