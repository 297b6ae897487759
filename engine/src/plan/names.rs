//! Names: which tables a statement means. Hidden and absent get the same error, with the same words, and
//! suggestions come from visible names only.

use crate::error::{EngineError, Result};
use crate::policy::Grants;
use crate::session::CATALOG;
use crate::system::{self, REJECTS, SCHEMA, SETTINGS, SystemTableKind};
use basin_catalog::DatasetName;
use datafusion::catalog::information_schema::INFORMATION_SCHEMA;
use datafusion::common::TableReference;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;

/// Suggestions are at least this similar (Jaro-Winkler).
const SIMILAR: f64 = 0.8;
const MAX_SUGGESTIONS: usize = 3;

/// Checks every table of the statement; returns the datasets it reads, each once, by name.
pub(super) fn datasets(
    state: &SessionState,
    statement: &Statement,
    grants: &Grants,
) -> Result<Vec<DatasetName>> {
    let mut found = Vec::new();
    for reference in state.resolve_table_references(statement)? {
        let function = match &reference {
            TableReference::Bare { table } => state.table_functions().contains_key(table.as_ref()),
            TableReference::Partial { .. } | TableReference::Full { .. } => false,
        };
        if !function {
            found.extend(dataset(state, &reference, grants)?);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Checks one table; returns the dataset that it is, if it is one. A name without schema is in the session's.
pub(super) fn dataset(
    state: &SessionState,
    reference: &TableReference,
    grants: &Grants,
) -> Result<Option<DatasetName>> {
    let options = &state.config_options().catalog;
    let resolved = reference.clone().resolve(&options.default_catalog, &options.default_schema);
    if resolved.catalog.as_ref() != CATALOG {
        return Err(unknown(reference, grants));
    }
    let table = resolved.table.as_ref();
    match resolved.schema.as_ref() {
        // SHOW means the table of settings too, without reading it.
        INFORMATION_SCHEMA if system::in_information_schema(table) || table == SETTINGS => Ok(None),
        SCHEMA if table == REJECTS || SystemTableKind::of(SCHEMA, table).is_some() => Ok(None),
        schema => match format!("{schema}.{table}").parse::<DatasetName>() {
            Ok(name) if grants.dataset(&name).is_some() => Ok(Some(name)),
            Ok(_) | Err(_) => Err(unknown(reference, grants)),
        },
    }
}

fn unknown(reference: &TableReference, grants: &Grants) -> EngineError {
    let wanted = match reference {
        TableReference::Bare { table } => table.to_string(),
        TableReference::Partial { schema, table } | TableReference::Full { schema, table, .. } => {
            format!("{schema}.{table}")
        }
    };
    let system = SystemTableKind::of_schema(SCHEMA).map(|kind| format!("{SCHEMA}.{}", kind.name()));
    let visible = grants.visible().map(|(name, _)| name.to_string());
    let mut scored: Vec<(f64, String)> = visible
        .chain(system)
        .chain([format!("{SCHEMA}.{REJECTS}")])
        .map(|name| (similarity(&wanted, &name), name))
        .filter(|(score, _)| *score >= SIMILAR)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    EngineError::NotFound {
        name: reference.to_string(),
        suggestions: scored.into_iter().take(MAX_SUGGESTIONS).map(|(_, name)| name).collect(),
    }
}

/// Compares with the whole name, and with the name alone when no schema was written.
fn similarity(wanted: &str, name: &str) -> f64 {
    let wanted = wanted.to_lowercase();
    let alone = name.split_once('.').map_or(name, |(_, table)| table);
    let whole = strsim::jaro_winkler(&wanted, name);
    if wanted.contains('.') { whole } else { whole.max(strsim::jaro_winkler(&wanted, alone)) }
}
