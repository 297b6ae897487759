//! Publication of sandbox rows: one Delta commit that nobody sees, then one catalog commit.

use std::sync::Arc;

use basin_catalog::{
    Catalog, Change, DatasetDefinition, DatasetState, DatasetVersion, ErrorClass, Publication, Snapshot,
};
use chrono::Utc;

use super::{SandboxMode, SandboxWrite, check, define, missing, refused};
use crate::Result;
use crate::table::{DeltaTable, FileSet, FileSpec, Published, TableFile, TableShape, distinct_counts};

/// Publications lost to other writers before giving up.
const MAX_ATTEMPTS: u32 = 20;

/// Publishes new files as the mode says, again when another writer was first.
pub(super) async fn publish(
    catalog: &Catalog,
    mut base: Arc<Snapshot>,
    write: &SandboxWrite,
    definition: Arc<DatasetDefinition>,
    files: (&FileSpec, &[TableFile]),
) -> Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let changes = changes(&base, write, &definition, files).await?;
        match catalog.commit(&base, write.owner.as_str(), changes).await {
            Ok(_) => return Ok(()),
            Err(error) if error.class() == ErrorClass::Conflict && attempt < MAX_ATTEMPTS => {
                tracing::info!(attempt, %error, "another writer published first, computing again");
                base = catalog.latest().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn changes(
    base: &Snapshot,
    write: &SandboxWrite,
    definition: &Arc<DatasetDefinition>,
    (spec, files): (&FileSpec, &[TableFile]),
) -> Result<Vec<Change>> {
    let state = base.datasets().get(&write.name).map(Arc::as_ref);
    check(write, state)?;
    let mut changes = Vec::new();
    let published = match (&write.mode, state) {
        (SandboxMode::Create { .. }, state) => {
            changes.extend(state.map(|_| Change::DropDataset(write.name.clone())));
            changes.push(Change::ApplyDataset(Box::new(definition.as_ref().clone())));
            None
        }
        (SandboxMode::Append { .. } | SandboxMode::Rewrite { .. }, None) => return Err(missing(&write.name)),
        (SandboxMode::Append { .. }, Some(state)) => {
            same_items(state, definition)?;
            widen(base, write, state, &mut changes)?;
            Some(state)
        }
        (SandboxMode::Rewrite { version }, Some(state)) => {
            if state.current().map(|current| current.number) != Some(*version) {
                return Err(changed(write));
            }
            same_items(state, definition)?;
            widen(base, write, state, &mut changes)?;
            Some(state)
        }
    };
    let table = DeltaTable::open(&spec.store, &spec.folder)?;
    let current = published.and_then(DatasetState::current);
    let kept = match (&write.mode, current) {
        (SandboxMode::Append { .. }, Some(current)) => table.files(current.table_version).await?,
        (SandboxMode::Append { .. } | SandboxMode::Create { .. } | SandboxMode::Rewrite { .. }, _) => {
            FileSet::new()
        }
    };
    let mut target = kept.clone();
    target.extend(files.iter().map(|file| (file.path.clone(), file.clone())));
    let shape = TableShape { schema: Arc::clone(&spec.schema), partition: Vec::new() };
    let revision = published.map_or(0, |state| state.revision) + u64::from(!changes.is_empty());
    let table_version = table.commit(&target, &shape).await?;
    let base = current.map(|current| Published { table_version: current.table_version, files: &kept });
    let new = Published { table_version, files: &target };
    let version = DatasetVersion {
        number: current.map_or(0, |current| current.number) + 1,
        table_version,
        rejects_version: None,
        rows: target.values().map(|file| file.rows).sum(),
        bytes: target.values().map(|file| file.size_bytes).sum(),
        files: target.len() as u64,
        published_at: Utc::now(),
        delivery: None,
        definition_revision: revision,
        distinct: distinct_counts(&spec.store, &spec.folder, base, new).await,
    };
    changes.push(Change::Publish(Box::new(Publication {
        dataset: write.name.clone(),
        base_version: version.number - 1,
        version,
        delivery: None,
    })));
    Ok(changes)
}

/// Remembers datasets that the rows came from and that the table did not know yet.
fn widen(
    base: &Snapshot,
    write: &SandboxWrite,
    state: &DatasetState,
    changes: &mut Vec<Change>,
) -> Result<()> {
    if let Some(definition) = define::widened(base, &state.definition, &write.reads)? {
        changes.push(Change::ApplyDataset(Box::new(definition)));
    }
    Ok(())
}

/// The files were written for these items.
fn same_items(state: &DatasetState, definition: &DatasetDefinition) -> Result<()> {
    if state.definition.items == definition.items {
        return Ok(());
    }
    Err(refused(format!("table \"{}\" was replaced meanwhile; run the statement again", definition.name)))
}

fn changed(write: &SandboxWrite) -> crate::DatasetsError {
    crate::DatasetsError::Sandbox {
        class: ErrorClass::Conflict,
        reason: format!(
            "table \"{}\" was changed by another statement meanwhile; run this one again",
            write.name
        ),
    }
}
