//! Optimising: the files of a published version are brought into the layout that the definition asks for.
//!
//! ```text
//! choose ─► merge ─► publish ─► report
//! files     sorted   one catalog
//!           Parquet  commit
//! ```
//! Small files of a partition become large ones, and files in an order of yesterday's manifest are sorted again. The rows
//! stay the same, and so does what is known of deliveries: a slice is found by its rows, wherever they are. Readers
//! of earlier versions keep their files.

mod choose;
mod merge;
mod publish;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Instant;

use basin_catalog::{Catalog, DatasetName, DatasetState};
use futures::{StreamExt, TryStreamExt, stream};

pub use report::{OptimizeReport, PartitionReport};

use self::choose::Group;
use self::merge::MergeContext;
use self::publish::Merged;
use crate::progress::{Progress, Stage};
use crate::report::Outcome;
use crate::runtime::CpuRuntime;
use crate::table::{DataLayout, DeltaTable, FileSet, FileSpec, file_order};
use crate::{DatasetsError, Result};

/// Footers read at once.
const CONCURRENCY: usize = 16;

/// What is to be optimised.
#[derive(Debug, Clone)]
pub struct OptimizeRequest {
    /// The dataset.
    pub dataset: DatasetName,
    /// Say what would be done, and write nothing.
    pub dry_run: bool,
    /// Memory for sorting and encoding.
    pub memory_bytes: usize,
    /// Threads for reading, sorting and encoding.
    pub threads: usize,
    /// Who is named as the author of the commit.
    pub author: String,
}

/// Which files are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All that are not as the layout asks.
    All,
    /// Small ones, in partitions that have more than so many.
    Crowded(usize),
}

/// Optimises a dataset.
///
/// Dropping the future stops the work; nothing is published then.
///
/// # Errors
/// A conflict when a delivery replaced all of the files meanwhile; the stores' errors. Nothing changed then.
pub async fn optimize(
    catalog: &Catalog,
    request: &OptimizeRequest,
    progress: &Progress,
) -> Result<OptimizeReport> {
    wanted(catalog, request, Wanted::All, progress).await
}

/// Optimises the files that are wanted.
///
/// # Errors
/// As [`optimize`].
pub(crate) async fn wanted(
    catalog: &Catalog,
    request: &OptimizeRequest,
    wanted: Wanted,
    progress: &Progress,
) -> Result<OptimizeReport> {
    let started = Instant::now();
    let snapshot = catalog.latest().await?;
    let state = snapshot.dataset(&request.dataset)?;
    let mut report = OptimizeReport {
        dataset: request.dataset.clone(),
        outcome: if request.dry_run { Outcome::DryRun } else { Outcome::Unchanged },
        snapshot: snapshot.id(),
        version: state.current().map(|version| version.number),
        files_before: state.current().map_or(0, |version| version.files),
        files_after: None,
        partitions: Vec::new(),
        elapsed_seconds: 0.0,
    };
    progress.enter(Stage::Reading);
    let layout = DataLayout::of(&state.definition)?;
    let spec = FileSpec::of_dataset(catalog, &state.definition, layout.clone());
    let groups = choose(state, &spec, wanted).await?;
    report.partitions = groups.iter().map(PartitionReport::of).collect();
    if !groups.is_empty() && !request.dry_run {
        progress.expect_bytes(groups.iter().map(Group::bytes).sum());
        let merged = merge_all(&groups, &spec, &layout, request, progress).await?;
        progress.enter(Stage::Publishing);
        let mine = (&request.dataset, request.author.as_str());
        let done = match publish::publish(catalog, mine, &spec, merged.clone()).await {
            Ok(done) => done,
            Err(error) => {
                if !may_be_published(&error) {
                    publish::discard(&spec, merged.iter().flat_map(|merged| &merged.files)).await;
                }
                return Err(error);
            }
        };
        let kept = |group: &Group| {
            done.merged.iter().any(|merged| group.files.iter().all(|file| merged.from.contains(&file.path)))
        };
        let used = groups.iter().filter(|group| kept(group));
        report.partitions = used.map(PartitionReport::of).collect();
        report.outcome = Outcome::Published;
        report.snapshot = done.snapshot.id();
        report.version = Some(done.version.number);
        report.files_after = Some(done.version.files);
    }
    progress.enter(Stage::Done);
    report.elapsed_seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Files of a commit whose outcome is not known must stay.
fn may_be_published(error: &DatasetsError) -> bool {
    error.class() != basin_catalog::ErrorClass::Conflict
}

async fn choose(state: &DatasetState, spec: &FileSpec, wanted: Wanted) -> Result<Vec<Group>> {
    let Some(current) = state.current() else { return Ok(Vec::new()) };
    let files = DeltaTable::open(&spec.store, &spec.folder)?.files(current.table_version).await?;
    match wanted {
        Wanted::Crowded(limit) => Ok(choose::crowded(&files, limit)),
        Wanted::All => Ok(choose::all(&files, &orders(spec, &files).await?, &spec.sort)),
    }
}

/// The order of each file's rows. Not asked for where the layout has none.
async fn orders(spec: &FileSpec, files: &FileSet) -> Result<BTreeMap<String, Vec<String>>> {
    if spec.sort.is_empty() {
        return Ok(BTreeMap::new());
    }
    let read = |file: crate::table::TableFile| async move {
        Ok::<_, DatasetsError>((file.path.clone(), file_order(&spec.store, &spec.folder, &file).await?))
    };
    let reads: Vec<_> = files.values().cloned().map(read).collect();
    stream::iter(reads).buffer_unordered(CONCURRENCY).try_collect().await
}

/// Merges group after group; what is finished when one fails is thrown away.
async fn merge_all(
    groups: &[Group],
    spec: &FileSpec,
    layout: &DataLayout,
    request: &OptimizeRequest,
    progress: &Progress,
) -> Result<Vec<Merged>> {
    let cpu = CpuRuntime::start(request.threads)?;
    let spill =
        tempfile::tempdir().map_err(|source| DatasetsError::Io { path: std::env::temp_dir(), source })?;
    let context = MergeContext {
        cpu: cpu.handle()?,
        spill: spill.path(),
        memory_bytes: request.memory_bytes,
        threads: request.threads.max(1),
        progress,
        number: layout.number.as_ref(),
    };
    progress.enter(Stage::Writing);
    let mut done: Vec<Merged> = Vec::new();
    for group in groups {
        match merge::merge(group, spec, &context).await {
            Ok(files) => {
                let from = group.files.iter().map(|file| file.path.clone()).collect();
                done.push(Merged { from, files });
            }
            Err(error) => {
                publish::discard(spec, done.iter().flat_map(|merged| &merged.files)).await;
                return Err(error);
            }
        }
    }
    Ok(done)
}
