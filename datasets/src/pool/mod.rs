//! Pooling: one delivery becomes one published version of every dataset it feeds.
//!
//! `plan` (what is meant) → `pass` per dataset (`read` → conform → arrange → write) → `verdict` (do the
//! numbers add up, is it refused) → `publish` (Delta commits, then one catalog commit). Until the last
//! step nothing is visible; a crash anywhere leaves files that no version names. `compact` tidies up afterwards.

mod compact;
mod pass;
mod plan;
mod publish;
mod raw;
mod read;
mod rejects;
#[cfg(test)]
pub(crate) mod tests;
mod verdict;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use basin_catalog::{Catalog, DatasetDefinition, Delivery, DeliveryId, Digest, ItemName, SliceKey, Snapshot};
use chrono::Utc;

pub use plan::PoolRequest;

use self::pass::{PassContext, PassOutcome};
use self::plan::{DatasetPlan, delivery_digest, digest_file};
use self::publish::Ready;
use self::rejects::RejectSpool;
use crate::conform::CodeLists;
use crate::progress::{Progress, Stage};
use crate::report::{Outcome, PoolReport};
use crate::runtime::CpuRuntime;
use crate::table::{DataLayout, FileSpec, distinct_values};
use crate::{DatasetsError, Result};

/// Pools a delivery.
///
/// Dropping the future stops the work; nothing is published then.
///
/// # Errors
/// A refusal leaves the published state as it was. `UnknownOutcome` of the catalog means that the
/// commit may have happened; nothing is deleted, and pooling again is safe.
pub async fn pool(catalog: &Catalog, request: PoolRequest, progress: &Progress) -> Result<PoolReport> {
    let started = Instant::now();
    let snapshot = catalog.latest().await?;
    let plans = plan::plan(&snapshot, &request)?;
    let cpu = CpuRuntime::start(request.threads)?;
    let stamps = plan::stamps(&request.files)?;
    progress.enter(Stage::Hashing);
    let digests = digests(&request, &cpu).await?;
    let bytes_in = request_bytes(&plans);
    let finish = |mut report: PoolReport| {
        progress.enter(Stage::Done);
        report.bytes_in = bytes_in;
        report.elapsed_seconds = started.elapsed().as_secs_f64();
        report
    };
    if let Some(report) = verdict::unchanged(&snapshot, &plans, &request.provider, &digests) {
        return Ok(finish(report));
    }
    for plan in &plans {
        progress.expect_bytes(plan.files.iter().map(|file| file.source.bytes).sum());
    }
    let spill =
        tempfile::tempdir().map_err(|source| DatasetsError::Io { path: std::env::temp_dir(), source })?;
    let pooling =
        Pooling { catalog, snapshot: &snapshot, request: &request, progress, cpu: &cpu, spill: spill.path() };
    let mut ready = Vec::new();
    let result = pooling.passes(&plans, &digests, &mut ready).await;
    let result = result.and_then(|()| plan::check_unchanged(&request.files, &stamps));
    if let Err(error) = result {
        publish::discard(catalog, &ready).await;
        return Err(error);
    }
    if request.dry_run {
        let reports = ready.into_iter().map(|ready| ready.report).collect();
        return Ok(finish(verdict::report(Outcome::DryRun, &snapshot, reports)));
    }
    progress.enter(Stage::Publishing);
    let mut report = publish::publish(&pooling, ready).await?;
    progress.enter(Stage::Compacting);
    drop(cpu);
    compact::crowded(catalog, &plans, &request, &mut report).await;
    Ok(finish(report))
}

/// What all stages of one pooling share.
#[derive(Debug)]
struct Pooling<'a> {
    catalog: &'a Catalog,
    snapshot: &'a Arc<Snapshot>,
    request: &'a PoolRequest,
    progress: &'a Progress,
    cpu: &'a CpuRuntime,
    spill: &'a std::path::Path,
}

impl Pooling<'_> {
    /// Runs every dataset's pass; what is finished is in `ready` even when a later one fails.
    async fn passes(&self, plans: &[DatasetPlan], digests: &[Digest], ready: &mut Vec<Ready>) -> Result<()> {
        let id = DeliveryId::fresh();
        for plan in plans {
            let spool = RejectSpool::new(
                id.clone(),
                file_names(plan),
                self.spill.join(format!("{}.rejects", plan.name())),
            );
            let context = PassContext {
                cpu: self.cpu.handle()?,
                stop: self.cpu.stop(),
                spill: self.spill,
                memory_bytes: self.request.memory_bytes,
                threads: self.request.threads.max(1),
                progress: self.progress.clone(),
            };
            let code_lists = self.code_lists(plan).await?;
            let spec = (!self.request.dry_run).then(|| self.data_spec(plan));
            let outcome = pass::run(plan, code_lists, spool, spec, &context).await?;
            ready.push(self.ready(plan, id.clone(), digests, outcome)?);
        }
        share_slices(ready);
        verdict::judge(ready)?;
        for ready in ready.iter_mut() {
            ready.write_rejects(self).await?;
        }
        Ok(())
    }

    /// Loads the columns that the dataset's items are checked against.
    async fn code_lists(&self, plan: &DatasetPlan) -> Result<CodeLists> {
        let mut lists = CodeLists::default();
        let mut loaded = HashSet::new();
        for list in plan.state.definition.items.iter().filter_map(|item| item.code_list.as_ref()) {
            if loaded.insert((&list.dataset, &list.item)) {
                let state = self.snapshot.dataset(&list.dataset)?;
                let values = distinct_values(self.catalog, state, list.item.as_str()).await?;
                lists.insert(list.dataset.clone(), list.item.clone(), Arc::new(values));
            }
        }
        Ok(lists)
    }

    fn data_spec(&self, plan: &DatasetPlan) -> FileSpec {
        let definition = &plan.state.definition;
        FileSpec::of_dataset(self.catalog, definition, DataLayout::of_manifest(definition, &plan.manifest))
    }

    /// Puts a pass's numbers together; they must add up.
    fn ready(
        &self,
        plan: &DatasetPlan,
        id: DeliveryId,
        digests: &[Digest],
        outcome: PassOutcome,
    ) -> Result<Ready> {
        let PassOutcome { files, slices, rows_in, accepted, rejects, key_conflicts, numbered_rows } = outcome;
        let (counts, rejected_rows) = rejects.finish()?;
        let files_report = verdict::delivered_files(plan, digests, &rows_in, &accepted, &counts)?;
        let delivery = Delivery {
            id,
            digest: delivery_digest(plan, &self.request.provider, digests),
            provider: self.request.provider.clone(),
            kind: plan.kinds(),
            received_at: Utc::now(),
            rows_in: rows_in.iter().sum(),
            rows_accepted: accepted.iter().sum(),
            rows_rejected: counts.total(),
            rejected_by_rule: counts.by_rule.clone(),
            numbered_keys: numbered_rows,
            files: files_report,
            slices,
        };
        let report = verdict::dataset_report(plan.name(), &delivery, &files, &counts, self.request.dry_run);
        let spec = self.data_spec(plan);
        Ok(Ready {
            plan: plan.clone(),
            delivery,
            files,
            spec,
            rejected_rows,
            reject_files: Vec::new(),
            key_conflicts,
            report,
        })
    }
}

/// Gives datasets with the same slice items the slices of all of them: a corrected file that has no row for one dataset any
/// more empties its slice there too.
fn share_slices(ready: &mut [Ready]) {
    let same = |a: &DatasetPlan, b: &DatasetPlan| {
        let (a, b) = (&a.state.definition, &b.state.definition);
        let kind = |definition: &DatasetDefinition, name: &ItemName| {
            definition.item(name.as_str()).map(|item| item.r#type.clone())
        };
        a.layout.slice == b.layout.slice && a.layout.slice.iter().all(|name| kind(a, name) == kind(b, name))
    };
    let shared: Vec<BTreeSet<SliceKey>> = ready
        .iter()
        .map(|one| {
            let alike = ready.iter().filter(|other| same(&one.plan, &other.plan));
            alike.flat_map(|other| other.delivery.slices.iter().cloned()).collect()
        })
        .collect();
    for (ready, slices) in ready.iter_mut().zip(shared) {
        ready.report.slices = slices.len() as u64;
        ready.delivery.slices = slices.into_iter().collect();
    }
}

fn file_names(plan: &DatasetPlan) -> Vec<String> {
    let last = plan.files.iter().map(|file| file.source.index as usize).max().unwrap_or(0);
    let mut names = vec![String::new(); last + 1];
    for file in &plan.files {
        if let Some(name) = names.get_mut(file.source.index as usize) {
            name.clone_from(&file.source.name);
        }
    }
    names
}

fn request_bytes(plans: &[DatasetPlan]) -> u64 {
    let mut seen = HashSet::new();
    plans
        .iter()
        .flat_map(|plan| &plan.files)
        .filter(|file| seen.insert(file.source.index))
        .map(|file| file.source.bytes)
        .sum()
}

/// Hashes all files, several at once.
async fn digests(request: &PoolRequest, cpu: &CpuRuntime) -> Result<Vec<Digest>> {
    let mut tasks = Vec::new();
    for path in request.files.clone() {
        tasks.push(cpu.handle()?.spawn(async move { digest_file(&path) }));
    }
    let mut digests = Vec::new();
    for task in tasks {
        digests.push(task.await.map_err(|_| DatasetsError::Cancelled)??);
    }
    Ok(digests)
}
