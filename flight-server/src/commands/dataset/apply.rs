//! `basin dataset apply`: the definitions in manifest files become the catalog's, in one commit.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use basin_catalog::{Change, DatasetDefinition, DatasetName, ErrorClass, NodeId, Snapshot};
use basin_datasets::Manifest;
use clap::Args;
use serde::Serialize;

use crate::commands::error::{CommandError, Result};
use crate::commands::filter;
use crate::commands::session::{Session, author};

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Manifest files (TOML)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Node id of the store, when this makes its catalog
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
}

/// What applying a definition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Created,
    Changed,
    Unchanged,
}

#[derive(Debug, Serialize)]
struct Line {
    dataset: DatasetName,
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
struct Applied {
    snapshot: u64,
    datasets: Vec<Line>,
}

pub(super) async fn run(session: &Session, args: ApplyArgs) -> Result<()> {
    let definitions = read(&args.files)?;
    check_filters(&definitions)?;
    let catalog = session.open_or_create(args.node).await?;
    let mut snapshot = catalog.latest().await?;
    require_providers(&snapshot, definitions.iter())?;
    let mut changes = Vec::new();
    let mut datasets = Vec::new();
    for definition in definitions {
        let outcome = outcome(&snapshot, &definition);
        datasets.push(Line { dataset: definition.name.clone(), outcome });
        if outcome != Outcome::Unchanged {
            changes.push(Change::ApplyDataset(Box::new(definition)));
        }
    }
    if !changes.is_empty() {
        snapshot = catalog.commit(&snapshot, &author(), changes).await?;
    }
    session.answer(&Applied { snapshot: snapshot.id().0, datasets })
}

/// Says what applying `definition` to `snapshot` does.
pub(crate) fn outcome(snapshot: &Snapshot, definition: &DatasetDefinition) -> Outcome {
    match snapshot.datasets().get(&definition.name) {
        None => Outcome::Created,
        Some(known) if known.definition.digest() == definition.digest() => Outcome::Unchanged,
        Some(_) => Outcome::Changed,
    }
}

fn read(files: &[PathBuf]) -> Result<Vec<DatasetDefinition>> {
    let mut definitions = Vec::with_capacity(files.len());
    let mut seen = BTreeMap::new();
    for path in files {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| CommandError::io(format!("the manifest {file} can't be read"), source))?;
        let manifest = Manifest::parse(&text)
            .map_err(|source| CommandError::Manifest { file: file.clone(), source: Box::new(source) })?;
        let definition = manifest.definition().clone();
        if let Some(other) = seen.insert(definition.name.clone(), file.clone()) {
            return Err(CommandError::refused(
                ErrorClass::InvalidInput,
                format!("{other} and {file} both define {}", definition.name),
            ));
        }
        definitions.push(definition);
    }
    Ok(definitions)
}

/// Checks the row filters that the definitions ask for.
fn check_filters(definitions: &[DatasetDefinition]) -> Result<()> {
    let filters =
        definitions.iter().filter_map(|definition| Some((definition, definition.terms.rows.as_ref()?)));
    filters.into_iter().try_for_each(|(definition, rows)| filter::check(definition, rows))
}

fn require_providers<'a>(
    snapshot: &Snapshot,
    definitions: impl Iterator<Item = &'a DatasetDefinition>,
) -> Result<()> {
    for definition in definitions {
        let code = &definition.entry.provider;
        if !snapshot.organisations().contains_key(code) {
            return Err(CommandError::refused_with(
                ErrorClass::InvalidInput,
                format!("{}: its provider {code} is not a recorded organisation", definition.name),
                format!("record it first: basin org put {code} --name-zh NAME --name-en NAME"),
            ));
        }
    }
    Ok(())
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { dataset, outcome } in &self.datasets {
            let outcome = match outcome {
                Outcome::Created => "created",
                Outcome::Changed => "changed",
                Outcome::Unchanged => "unchanged",
            };
            writeln!(f, "{dataset} {outcome}")?;
        }
        write!(f, "snapshot {}", self.snapshot)
    }
}
