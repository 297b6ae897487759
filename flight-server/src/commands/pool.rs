//! `basin pool`: a delivery of raw files becomes a new version of its datasets.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use basin_catalog::{CatalogError, DatasetName, OrganisationCode};
use basin_datasets::PoolRequest;
use clap::Args;

use super::error::{CommandError, Result};
use super::pooling_bar::pool_with_bar;
use super::rollup;
use super::session::{Session, author};
use super::size;

#[derive(Debug, Args)]
pub(crate) struct PoolArgs {
    /// The dataset; several, separated by commas, when the files feed them all
    #[arg(value_name = "DATASET[,DATASET]")]
    datasets: DatasetList,
    /// The raw files; a folder stands for the files in it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The organisation that hands the files over
    #[arg(long, value_name = "CODE")]
    provider: OrganisationCode,
    /// The kind of delivery, when the file names don't tell
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Check everything, publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Memory that pooling may take
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = size::parse)]
    memory: usize,
    /// Threads that read and check [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
}

/// Datasets that one delivery feeds.
#[derive(Debug, Clone)]
struct DatasetList(Vec<DatasetName>);

impl FromStr for DatasetList {
    type Err = CatalogError;

    fn from_str(text: &str) -> std::result::Result<Self, CatalogError> {
        text.split(',').map(|name| name.trim().parse()).collect::<std::result::Result<_, _>>().map(Self)
    }
}

pub(crate) async fn run(session: &Session, args: PoolArgs) -> Result<()> {
    let catalog = session.open().await?;
    let request = PoolRequest {
        datasets: args.datasets.0,
        files: expanded(&args.files)?,
        provider: args.provider,
        kind: args.kind,
        dry_run: args.dry_run,
        memory_bytes: args.memory,
        threads: args.threads.map_or_else(cores, NonZero::get),
        author: author(),
    };
    let (datasets, dry_run) = (request.datasets.clone(), request.dry_run);
    let report = pool_with_bar(&catalog, request).await?;
    session.answer(&report)?;
    if !dry_run {
        rollup::refresh_after(&catalog, &datasets).await;
    }
    Ok(())
}

/// One thread a core.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Replaces each folder by the files in it, by name; hidden ones are left out.
fn expanded(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        if path.is_dir() {
            files.extend(files_in(path).map_err(|source| {
                CommandError::io(format!("the folder {} can't be read", path.display()), source)
            })?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn files_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dataset_lists_are_split_at_commas() {
        let list: DatasetList = "health.city, health.province".parse().unwrap();
        let names: Vec<String> = list.0.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["health.city", "health.province"]);
        assert!("health.city,".parse::<DatasetList>().is_err());
    }
}
