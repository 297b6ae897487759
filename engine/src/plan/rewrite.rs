//! Rewrite: UPDATE and DELETE as the query that gives the rows that the table has afterwards.

use super::write::single;
use crate::error::{EngineError, Result};
use basin_catalog::{DatasetDefinition, DatasetName};
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, Delete, FromTable, ObjectName, TableFactor, TableWithJoins, Update,
};
use std::collections::BTreeMap;

/// The column that tells whether an UPDATE changed the row; no item's name begins with `_`.
const CHANGED: &str = "__changed";

/// The table of a DELETE.
pub(super) fn deleted_from(delete: &Delete) -> Result<ObjectName> {
    match &delete.from {
        FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables) => match tables.as_slice() {
            [table] => plain(table),
            _ => Err(EngineError::sql("delete from one table at a time")),
        },
    }
}

/// The table of an UPDATE.
pub(super) fn updated(update: &Update) -> Result<ObjectName> {
    plain(&update.table)
}

fn plain(table: &TableWithJoins) -> Result<ObjectName> {
    match &table.relation {
        TableFactor::Table { name, alias: None, .. } if table.joins.is_empty() => Ok(name.clone()),
        _ => Err(EngineError::sql("name the table alone, without alias or join")),
    }
}

/// The rows that stay, and the statement as it was understood.
pub(super) fn delete(delete: &Delete, target: &DatasetName) -> Result<(String, String)> {
    let name = deleted_from(delete)?;
    Ok(match &delete.selection {
        Some(gone) => (
            format!("SELECT * FROM {target} WHERE ({gone}) IS NOT TRUE"),
            format!("DELETE FROM {name} WHERE {gone}"),
        ),
        None => (format!("SELECT * FROM {target} WHERE false"), format!("DELETE FROM {name}")),
    })
}

/// All rows as they become, with a column more that tells whether the row was changed, and the statement as it was
/// understood.
pub(super) fn update(
    update: &Update,
    target: &DatasetName,
    definition: &DatasetDefinition,
) -> Result<(String, String)> {
    let name = updated(update)?;
    let mut values = BTreeMap::new();
    let mut listed = Vec::new();
    for assignment in &update.assignments {
        let AssignmentTarget::ColumnName(column) = &assignment.target else {
            return Err(EngineError::sql("set one column at a time: SET a = 1, b = 2"));
        };
        let item = single(column)?;
        if definition.item(&item).is_none() {
            let known: Vec<&str> = definition.items.iter().map(|item| item.name.as_str()).collect();
            return Err(EngineError::sql(format!(
                "{target} has no column {item}; it has {}",
                known.join(", ")
            )));
        }
        listed.push(format!("{column} = {}", assignment.value));
        if values.insert(item, &assignment.value).is_some() {
            return Err(EngineError::sql(format!("{column} is set twice")));
        }
    }
    let hit = update
        .selection
        .as_ref()
        .map_or_else(|| "true".to_owned(), |selection| format!("({selection}) IS TRUE"));
    let columns = definition.items.iter().map(|item| {
        let column = quoted(item.name.as_str());
        match values.get(item.name.as_str()) {
            Some(value) => {
                let data_type = item.r#type.arrow().to_string().replace('\'', "''");
                format!(
                    "CASE WHEN {hit} THEN arrow_cast(({value}), '{data_type}') ELSE {column} END AS {column}"
                )
            }
            None => column,
        }
    });
    let columns: Vec<String> = columns.collect();
    let query = format!("SELECT {}, {hit} AS {CHANGED} FROM {target}", columns.join(", "));
    let mut understood = format!("UPDATE {name} SET {}", listed.join(", "));
    if let Some(selection) = &update.selection {
        understood.push_str(&format!(" WHERE {selection}"));
    }
    Ok((query, understood))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
