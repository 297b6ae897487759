//! The values of one column of a published version: the code lists that other datasets check against.

use std::collections::HashSet;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use basin_catalog::{Catalog, DatasetState};
use futures::TryStreamExt;

use super::{DeltaTable, read};
use crate::{DatasetsError, Result};

/// Reads the distinct values of an item, as canonical text, from the published version.
///
/// # Errors
/// A refusal when nothing was published or the item does not exist; the store's errors.
pub(crate) async fn distinct_values(
    catalog: &Catalog,
    state: &DatasetState,
    item: &str,
) -> Result<HashSet<String>> {
    let name = &state.definition.name;
    let Some(definition) = state.definition.item(item) else {
        return Err(DatasetsError::Refused {
            reason: format!("the code list {name}.{item} names an item that {name} lacks"),
        });
    };
    let Some(version) = state.current() else {
        return Err(DatasetsError::Refused {
            reason: format!(
                "the code list {name}.{item} is empty: pool {name} before the datasets that refer to it"
            ),
        });
    };
    let store = catalog.store().objects();
    let folder = catalog.store().data_path(name);
    let files = DeltaTable::open(&store, &folder)?.files(version.table_version).await?;
    let mut values = HashSet::new();
    for file in files.values() {
        let mut batches = read::batches(&store, &folder, file, Some(&[item.to_owned()])).await?;
        while let Some(batch) = batches.try_next().await? {
            let Some(column) = batch.column_by_name(item) else { continue };
            let typed = cast(column, &definition.r#type.arrow())?;
            let text = cast(&typed, &DataType::Utf8)?;
            let text = text.as_string::<i32>();
            for value in text.iter().flatten() {
                if !values.contains(value) {
                    values.insert(value.to_owned());
                }
            }
        }
    }
    Ok(values)
}
