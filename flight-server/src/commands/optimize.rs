//! `basin optimize`: the files of datasets are brought into the layout that their manifests ask for.

use std::fmt;
use std::num::NonZero;

use basin_catalog::DatasetName;
use basin_datasets::{OptimizeReport, OptimizeRequest, Outcome, Progress, optimize};
use clap::Args;
use serde::Serialize;

use super::error::Result;
use super::pool::cores;
use super::pooling_bar::watched;
use super::rollup;
use super::session::{Session, author};
use super::size;

#[derive(Debug, Args)]
pub(crate) struct OptimizeArgs {
    /// The datasets
    #[arg(value_name = "DATASET", required_unless_present = "all")]
    datasets: Vec<DatasetName>,
    /// All datasets, users' sandboxes too
    #[arg(long, conflicts_with = "datasets")]
    all: bool,
    /// Say what would be written again, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Memory that sorting may take
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = size::parse)]
    memory: usize,
    /// Threads that read and sort [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Reports(Vec<OptimizeReport>);

pub(crate) async fn run(session: &Session, args: OptimizeArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let datasets = if args.all { snapshot.datasets().keys().cloned().collect() } else { args.datasets };
    for dataset in &datasets {
        snapshot.dataset(dataset)?;
    }
    let mut reports = Vec::with_capacity(datasets.len());
    for dataset in datasets {
        let request = OptimizeRequest {
            dataset,
            dry_run: args.dry_run,
            memory_bytes: args.memory,
            threads: args.threads.map_or_else(cores, NonZero::get),
            author: author(),
        };
        let progress = Progress::default();
        reports.push(watched(&progress, optimize(&catalog, &request, &progress)).await?);
    }
    let published = reports.iter().filter(|report| report.outcome == Outcome::Published);
    let published: Vec<_> = published.map(|report| report.dataset.clone()).collect();
    if !published.is_empty() {
        rollup::refresh_after(&catalog, &published).await;
    }
    session.answer(&Reports(reports))
}

impl fmt::Display for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|report| write!(f, "{report}"))
    }
}
