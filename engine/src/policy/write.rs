//! Write: who may change what. A user with the role `sandbox` may, in the schema that is the user's own; nobody
//! may change what a provider delivered.

use crate::error::{EngineError, Result};
use basin_catalog::{DatasetName, Principal, RoleName, SchemaName};

/// Tells whether a principal may write anywhere at all.
pub(crate) fn has_sandbox(principal: &Principal) -> bool {
    principal.roles().contains(&RoleName::sandbox()) || principal.roles().contains(&RoleName::admin())
}

/// Finds the dataset that a statement means to change. A name without schema is in the sandbox.
///
/// # Errors
/// `ReadOnly` when it is anywhere else, `InvalidSql` when it is no name of a dataset.
pub(crate) fn target(principal: &Principal, schema: Option<&str>, table: &str) -> Result<DatasetName> {
    let own = SchemaName::sandbox_of(principal.user());
    if let Some(schema) = schema.filter(|schema| *schema != own.as_str()) {
        return Err(EngineError::ReadOnly(format!(
            "schema {schema} is read-only; you can write in your own, {own}; what agencies deliver comes in by `basin pool`"
        )));
    }
    format!("{own}.{table}")
        .parse()
        .map_err(|error: basin_catalog::CatalogError| EngineError::sql(error.to_string()))
}
