//! `basin dataset diff`: how two versions of a dataset differ in size, in the deliveries they hold
//! and in their definition. It compares what the catalog knows; rows are compared with SQL, as of
//! the two snapshots.

mod definition;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use basin_catalog::{
    Catalog, DatasetDefinition, DatasetName, DatasetState, DatasetVersion, DeliveryId, ErrorClass, Snapshot,
    SnapshotId,
};
use clap::Args;
use serde::Serialize;

use self::definition::Difference;
use crate::commands::error::{CommandError, Result};
use crate::commands::output::{self, grouped};
use crate::commands::session::Session;

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The dataset
    name: DatasetName,
    /// The one version
    a: u64,
    /// The other version
    b: u64,
}

/// A figure in both versions.
#[derive(Debug, Serialize)]
struct Figure {
    a: u64,
    b: u64,
}

#[derive(Debug, Serialize)]
struct DeliveryLine {
    id: String,
    received_at: String,
    kind: String,
    files: Vec<String>,
    rows_accepted: u64,
    rows_rejected: u64,
}

#[derive(Debug, Serialize)]
struct Diff {
    dataset: String,
    /// First snapshot that holds each version: what to name in `--as-of`.
    snapshot: Figure,
    version: Figure,
    rows: Figure,
    bytes: Figure,
    files: Figure,
    definition_revision: Figure,
    /// Deliveries published after the lower version, up to the higher one.
    deliveries: Vec<DeliveryLine>,
    definition: Vec<Difference>,
}

/// One side of the comparison, as it stood when the version was published.
struct Side {
    version: DatasetVersion,
    snapshot: SnapshotId,
    definition: Arc<DatasetDefinition>,
}

pub(super) async fn run(session: &Session, args: DiffArgs) -> Result<()> {
    let catalog = session.open().await?;
    let latest = catalog.latest().await?;
    let state = latest.dataset(&args.name)?;
    let (a, b) =
        (side(&catalog, &latest, state, args.a).await?, side(&catalog, &latest, state, args.b).await?);
    let figure = |of: fn(&DatasetVersion) -> u64| Figure { a: of(&a.version), b: of(&b.version) };
    session.answer(&Diff {
        dataset: args.name.to_string(),
        snapshot: Figure { a: a.snapshot.0, b: b.snapshot.0 },
        version: figure(|version| version.number),
        rows: figure(|version| version.rows),
        bytes: figure(|version| version.bytes),
        files: figure(|version| version.files),
        definition_revision: figure(|version| version.definition_revision),
        deliveries: deliveries_between(state, args.a, args.b),
        definition: definition::differences(&a.definition, &b.definition)?,
    })
}

/// Finds a version and the first snapshot that holds it: versions only grow, so half the
/// remaining snapshots fall away with each look.
async fn side(catalog: &Catalog, latest: &Arc<Snapshot>, state: &DatasetState, number: u64) -> Result<Side> {
    let version = state.versions.iter().find(|version| version.number == number);
    let Some(version) = version.cloned() else {
        return Err(no_such_version(state, number));
    };
    let name = &state.definition.name;
    let holds = |snapshot: &Snapshot| {
        let current = snapshot.datasets().get(name).and_then(|state| state.current());
        current.is_some_and(|version| version.number >= number)
    };
    let (mut absent, mut found) = (0, Arc::clone(latest));
    while found.id().0 - absent > 1 {
        let middle = absent + (found.id().0 - absent) / 2;
        let snapshot = catalog.snapshot(SnapshotId(middle)).await?;
        if holds(&snapshot) {
            found = snapshot;
        } else {
            absent = middle;
        }
    }
    let definition = Arc::clone(&found.dataset(name)?.definition);
    Ok(Side { version, snapshot: found.id(), definition })
}

fn no_such_version(state: &DatasetState, number: u64) -> CommandError {
    let hint = match (state.versions.first(), state.versions.last()) {
        (Some(first), Some(last)) => {
            format!("it has the versions {} to {}", first.number, last.number)
        }
        _ => "nothing was pooled into it yet".to_owned(),
    };
    let what = format!("{} has no version {number}", state.definition.name);
    CommandError::refused_with(ErrorClass::NotFound, what, hint)
}

fn deliveries_between(state: &DatasetState, a: u64, b: u64) -> Vec<DeliveryLine> {
    let (low, high) = (a.min(b), a.max(b));
    let published: BTreeSet<&DeliveryId> = state
        .versions
        .iter()
        .filter(|version| version.number > low && version.number <= high)
        .filter_map(|version| version.delivery.as_ref())
        .collect();
    let deliveries = state.deliveries.iter().filter(|delivery| published.contains(&delivery.id));
    deliveries
        .map(|delivery| DeliveryLine {
            id: delivery.id.to_string(),
            received_at: output::moment(delivery.received_at),
            kind: delivery.kind.clone(),
            files: delivery.files.iter().map(|file| file.name.clone()).collect(),
            rows_accepted: delivery.rows_accepted,
            rows_rejected: delivery.rows_rejected,
        })
        .collect()
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = [
            ("snapshot", &self.snapshot),
            ("rows", &self.rows),
            ("bytes", &self.bytes),
            ("files", &self.files),
            ("definition revision", &self.definition_revision),
        ];
        let rows = figures.iter().map(|(what, Figure { a, b })| {
            let change = i128::from(*b) - i128::from(*a);
            vec![(*what).to_owned(), grouped(*a), grouped(*b), format!("{change:+}")]
        });
        let (a, b) = (format!("#version {}", self.version.a), format!("#version {}", self.version.b));
        let header = output::header(&[&self.dataset, &a, &b, "#change"]);
        writeln!(f, "{}", output::table(&header, rows.collect()))?;
        writeln!(f, "deliveries between them: {}", self.deliveries.len())?;
        for line in &self.deliveries {
            writeln!(
                f,
                "  {} {} ({}): {} rows accepted, {} rejected, from {}",
                line.received_at,
                line.id,
                line.kind,
                grouped(line.rows_accepted),
                grouped(line.rows_rejected),
                some_of(&line.files),
            )?;
        }
        if self.definition.is_empty() {
            return write!(f, "definition: the same");
        }
        write!(f, "definition:")?;
        self.definition.iter().try_for_each(|difference| write!(f, "\n  {difference}"))
    }
}

/// The first few of many names.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}
