//! Fsck: whether a store is sound. It reads everything that a query could ask for, and changes nothing.
//!
//! `catalog` verifies its own log; here every published version that can still be read is held against the files that are
//! there (`survey`, `file`), and what nothing refers to is listed (`orphans`). What may be removed is decided in `gc`.

mod file;
mod orphans;
mod report;
mod survey;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Instant;

use basin_catalog::{LogCheck, Store, verify_log};
use futures::{StreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use orphans::orphans;
pub use orphans::{Orphan, OrphanKind};
pub use report::FsckReport;
pub(crate) use survey::{Objects, Survey, TableSurvey, delta_number, told};

use crate::Result;
use crate::progress::{Progress, Stage};
use crate::runtime::CpuRuntime;

/// Files checked at once: each waits for one or two small requests.
const CONCURRENCY: usize = 16;

/// Checks a store; `deep` reads and decodes every page too.
///
/// # Errors
/// `NotACatalog` when there is none, and the store's own errors. Damage is in the report.
pub async fn fsck(store: &Store, deep: bool, threads: usize, progress: &Progress) -> Result<FsckReport> {
    let started = Instant::now();
    let (objects, check) = look(store, progress).await?;
    let mut survey = Survey::of(store, &objects, &check).await?;
    survey.check_files(store, deep, threads, progress).await?;
    let orphans = if check.damage.is_empty() { orphans(store, &survey).await? } else { Vec::new() };
    progress.enter(Stage::Done);
    Ok(FsckReport::new(store, deep, (check, survey, orphans), started.elapsed()))
}

/// Lists the objects and reads the catalog, in this order: what is published meanwhile is in the catalog then, and no orphan.
pub(crate) async fn look(store: &Store, progress: &Progress) -> Result<(Objects, LogCheck)> {
    progress.enter(Stage::Replaying);
    let objects = Objects::list(store).await?;
    let check = verify_log(store, None).await?;
    Ok((objects, check))
}

impl Survey {
    /// Looks into every file of the versions that can be read.
    pub(crate) async fn check_files(
        &mut self,
        store: &Store,
        deep: bool,
        threads: usize,
        progress: &Progress,
    ) -> Result<()> {
        progress.enter(Stage::Checking);
        let cpu = CpuRuntime::start(threads)?;
        let (handle, objects) = (cpu.handle()?, store.objects());
        let mut work = Vec::new();
        for table in &self.tables {
            for file in table.files.values() {
                progress.expect_bytes(file.size_bytes);
                let there = table.objects.get(&file.path).map(|object| object.size);
                work.push((table.folder.clone(), file.clone(), there));
            }
        }
        let checks =
            work.into_iter().map(|(folder, file, there)| {
                let (objects, progress) = (Arc::clone(&objects), progress.clone());
                let object = format!("{folder}/{}", file.path);
                let task = AbortOnDropHandle::new(handle.spawn(async move {
                    let found = file::check(&objects, (&folder, &file), there, deep).await;
                    progress.read_bytes(file.size_bytes);
                    progress.took_rows(file.rows, 0);
                    found
                }));
                async move {
                    task.await.unwrap_or_else(|_| Ok(Some(file::damaged(object, "its reader panicked"))))
                }
            });
        let mut checks = stream::iter(checks).buffered(CONCURRENCY);
        while let Some(found) = checks.next().await {
            self.damage.extend(found?);
        }
        Ok(())
    }
}
