//! What a new revision of a dataset may change: nothing that its published rows or their readers rest on.

use crate::definition::DatasetDefinition;
use crate::error::{CatalogError, Result};
use crate::ids::ItemName;
use crate::snapshot::DatasetState;

/// Checks a new revision against the dataset as it is.
///
/// # Errors
/// `Invalid` with every difference that is not possible.
pub(crate) fn check(state: &DatasetState, new: &DatasetDefinition) -> Result<()> {
    let old = &state.definition;
    let mut differences = Vec::new();
    if old.entry.resource_code != new.entry.resource_code {
        let (was, is) = (&old.entry.resource_code, &new.entry.resource_code);
        differences.push(format!("resource_code was {was}, is {is}: it never changes"));
    }
    if state.current().is_some() {
        items(old, new, &mut differences);
        let (was, is) = (&old.layout, &new.layout);
        layout("slice", &was.slice, &is.slice, &mut differences);
        layout("key", &was.key, &is.key, &mut differences);
        layout("partition", &was.partition, &is.partition, &mut differences);
    }
    if differences.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "this revision does not fit what is published; undo the changes below, or define a dataset with another name:\n  {}",
        differences.join("\n  ")
    );
    Err(CatalogError::invalid(new.name.to_string(), reason))
}

fn items(old: &DatasetDefinition, new: &DatasetDefinition, differences: &mut Vec<String>) {
    for item in &old.items {
        let name = &item.name;
        match new.item(name.as_str()) {
            None => differences.push(format!("item {name} was {}, is removed", item.r#type)),
            Some(now) if now.r#type != item.r#type => {
                differences.push(format!("item {name} was {}, is {}", item.r#type, now.r#type));
            }
            Some(now) if item.nullable && !now.nullable => {
                differences.push(format!("item {name} was nullable, is not"));
            }
            Some(_) => {}
        }
    }
    for item in &new.items {
        if old.item(item.name.as_str()).is_none() && !item.nullable {
            differences
                .push(format!("item {} is new and not nullable: published rows do not have it", item.name));
        }
    }
}

fn layout(part: &str, was: &[ItemName], is: &[ItemName], differences: &mut Vec<String>) {
    let names = |items: &[ItemName]| items.iter().map(ItemName::as_str).collect::<Vec<_>>().join(", ");
    if was != is {
        differences.push(format!("layout.{part} was [{}], is [{}]", names(was), names(is)));
    }
}
