//! `basin bench load`: each table is made into a file, pooled as any delivery is, and its file deleted again.

use std::fmt;
use std::num::NonZero;
use std::path::Path;
use std::time::Instant;

use basin_catalog::{Catalog, Change, ErrorClass, LocalText, Organisation, Snapshot};
use basin_datasets::{Manifest, PoolRequest};
use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::generate::Making;
use super::target;
use super::tpch::Table;
use super::watch::{Count, watched};
use crate::commands::dataset::{Outcome, outcome};
use crate::commands::error::{CommandError, Result};
use crate::commands::output::{self, grouped};
use crate::commands::pool::cores;
use crate::commands::pooling_bar::pool_with_bar;
use crate::commands::session::{Session, author};
use crate::commands::size;

/// Below it the generator repeats keys of partsupp.
const LEAST_SCALE: f64 = 0.01;
const MOST_SCALE: f64 = 1000.0;

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The scale factor: 1 is about 1 GB of raw data
    #[arg(long, value_name = "N", default_value = "1", value_parser = scale)]
    scale: f64,
    /// Memory that pooling may take
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = size::parse)]
    memory: usize,
    /// Threads that read and check [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
}

/// What was loaded.
#[derive(Debug, Serialize)]
struct Loaded {
    scale: f64,
    tables: Vec<LoadedTable>,
}

#[derive(Debug, Serialize)]
struct LoadedTable {
    dataset: String,
    rows: u64,
    made_seconds: f64,
    pooled_seconds: f64,
}

fn scale(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse().ok().filter(|scale| (LEAST_SCALE..=MOST_SCALE).contains(scale));
    number.ok_or_else(|| {
        format!("{text:?} is not a scale factor: write a number from {LEAST_SCALE} to {MOST_SCALE}")
    })
}

pub(crate) async fn run(session: &Session, args: LoadArgs) -> Result<()> {
    let catalog = session.open_or_create(None).await?;
    let manifests = Table::ALL.iter().map(|table| table.manifest()).collect::<Result<Vec<_>>>()?;
    register(&catalog, &manifests).await?;
    target::make_user(&catalog).await?;
    let mut tables = Vec::new();
    for (table, manifest) in Table::ALL.into_iter().zip(&manifests) {
        tables.push(load(&catalog, table, manifest, &args).await?);
    }
    session.answer(&Loaded { scale: args.scale, tables })
}

/// Puts the organisation and the definitions into the catalog, in one commit; what is there already stays.
async fn register(catalog: &Catalog, manifests: &[Manifest]) -> Result<()> {
    let snapshot = catalog.latest().await?;
    let mut changes = Vec::new();
    for definition in manifests.iter().map(Manifest::definition) {
        changes.extend(provider(&snapshot, &changes, definition.entry.provider.clone()));
        if outcome(&snapshot, definition) != Outcome::Unchanged {
            changes.push(Change::ApplyDataset(Box::new(definition.clone())));
        }
    }
    if !changes.is_empty() {
        catalog.commit(&snapshot, &author(), changes).await?;
    }
    Ok(())
}

fn provider(
    snapshot: &Snapshot,
    changes: &[Change],
    code: basin_catalog::OrganisationCode,
) -> Option<Change> {
    let coming = |change: &Change| matches!(change, Change::PutOrganisation(one) if one.code == code);
    if snapshot.organisations().contains_key(&code) || changes.iter().any(coming) {
        return None;
    }
    let mut name = LocalText::default();
    name.insert("en", "Benchmark bureau");
    name.insert("zh", "基准测试局");
    Some(Change::PutOrganisation(Organisation { code, name, region: None, node: None }))
}

async fn load(catalog: &Catalog, table: Table, manifest: &Manifest, args: &LoadArgs) -> Result<LoadedTable> {
    let folder =
        tempfile::tempdir().map_err(|source| CommandError::io("no temporary folder can be made", source))?;
    let started = Instant::now();
    let file = make(table, args.scale, folder.path()).await?;
    let made_seconds = started.elapsed().as_secs_f64();
    let definition = manifest.definition();
    let request = PoolRequest {
        datasets: vec![definition.name.clone()],
        files: vec![file],
        provider: definition.entry.provider.clone(),
        kind: None,
        dry_run: false,
        memory_bytes: args.memory,
        threads: args.threads.map_or_else(cores, NonZero::get),
        author: author(),
    };
    let report = pool_with_bar(catalog, request).await?;
    Ok(LoadedTable {
        dataset: definition.name.to_string(),
        rows: report.datasets.iter().map(|dataset| dataset.rows_accepted).sum(),
        made_seconds,
        pooled_seconds: report.elapsed_seconds,
    })
}

/// Makes a table's file on a thread of its own; dropping the future stops it.
async fn make(table: Table, scale: f64, folder: &Path) -> Result<std::path::PathBuf> {
    let (rows, stop) = (Count::default(), CancellationToken::new());
    let guard = stop.clone().drop_guard();
    let making = Making { table, scale, folder: folder.to_owned(), rows: rows.clone(), stop };
    let position = || (rows.get(), format!("making {}: {} rows", table.name(), grouped(rows.get())));
    let written = tokio::task::spawn_blocking(move || making.write());
    let written = watched(table.rows(scale), position, written).await;
    drop(guard);
    written.map_err(|_| CommandError::refused(ErrorClass::Internal, "making the table failed"))?
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.tables.iter().map(|table| {
            vec![
                table.dataset.clone(),
                grouped(table.rows),
                format!("{:.1}", table.made_seconds),
                format!("{:.1}", table.pooled_seconds),
            ]
        });
        let header = output::header(&["dataset", "#rows", "#made in s", "#pooled in s"]);
        write!(
            f,
            "{}\nTPC-H at scale factor {}: basin bench run",
            output::table(&header, rows.collect()),
            self.scale
        )
    }
}
