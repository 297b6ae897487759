//! Judging a delivery: is it published already, do its numbers add up, is it refused.

use basin_catalog::{DatasetName, DeliveredFile, Delivery, Digest, OrganisationCode, Snapshot};

use super::plan::{DatasetPlan, delivery_digest};
use super::publish::Ready;
use super::rejects::RejectCounts;
use crate::manifest::OnDuplicate;
use crate::report::{DatasetReport, FileReport, Outcome, PoolReport, RejectReport};
use crate::table::TableFile;
use crate::{DatasetsError, Result};

/// Files of a delivery that a refusal names.
const NAMED_FILES: usize = 5;

/// The report of a delivery whose every slice is live already, in all datasets.
pub(super) fn unchanged(
    snapshot: &Snapshot,
    plans: &[DatasetPlan],
    provider: &OrganisationCode,
    digests: &[Digest],
) -> Option<PoolReport> {
    let mut reports = Vec::new();
    for plan in plans {
        let digest = delivery_digest(plan, provider, digests);
        let state = &plan.state;
        let is_live = |delivery: &&Delivery| {
            delivery.digest == digest
                && delivery.slices.iter().all(|slice| state.live_slices.get(slice) == Some(&delivery.id))
        };
        let delivery = state.deliveries.iter().rev().find(is_live)?;
        let current = state.current()?;
        let mut report = dataset_report(plan.name(), delivery, &[], &RejectCounts::default(), false);
        report.version = Some(current.number);
        report.rows_retained = current.rows.saturating_sub(delivery.rows_accepted);
        reports.push(report);
    }
    // A delivery that left no slice anywhere says nothing about what is live.
    let has_slices = plans.iter().zip(&reports).any(|(_, report)| report.slices > 0);
    has_slices.then(|| self::report(Outcome::Unchanged, snapshot, reports))
}

/// Puts reports of datasets together.
pub(super) fn report(outcome: Outcome, snapshot: &Snapshot, datasets: Vec<DatasetReport>) -> PoolReport {
    PoolReport { outcome, snapshot: snapshot.id(), datasets, bytes_in: 0, elapsed_seconds: 0.0 }
}

/// The delivered files with their numbers.
///
/// # Errors
/// An internal error when rows in are not accepted + rejected for some file: nothing may be lost silently.
pub(super) fn delivered_files(
    plan: &DatasetPlan,
    digests: &[Digest],
    rows_in: &[u64],
    accepted: &[u64],
    rejects: &RejectCounts,
) -> Result<Vec<DeliveredFile>> {
    let mut files = Vec::new();
    for file in &plan.files {
        let index = file.source.index as usize;
        let number = |numbers: &[u64]| numbers.get(index).copied().unwrap_or_default();
        let (rows_in, rows_accepted, rows_rejected) =
            (number(rows_in), number(accepted), number(&rejects.by_file));
        let name = file.source.name.clone();
        if rows_in != rows_accepted + rows_rejected {
            let reason = format!(
                "{name}: {rows_in} rows in are not {rows_accepted} accepted + {rows_rejected} rejected"
            );
            return Err(DatasetsError::internal(reason));
        }
        let sha256 =
            digests.get(index).cloned().ok_or_else(|| DatasetsError::internal("a file has no digest"))?;
        files.push(DeliveredFile {
            name,
            bytes: file.source.bytes,
            sha256,
            rows_in,
            rows_accepted,
            rows_rejected,
        });
    }
    Ok(files)
}

/// The report of one dataset from its delivery.
pub(super) fn dataset_report(
    dataset: &DatasetName,
    delivery: &Delivery,
    written: &[TableFile],
    rejects: &RejectCounts,
    dry_run: bool,
) -> DatasetReport {
    let file_report = |file: &DeliveredFile| FileReport {
        name: file.name.clone(),
        bytes: file.bytes,
        rows_in: file.rows_in,
        rows_accepted: file.rows_accepted,
        rows_rejected: file.rows_rejected,
    };
    DatasetReport {
        dataset: dataset.clone(),
        version: None,
        delivery: (!dry_run).then(|| delivery.id.clone()),
        rows_in: delivery.rows_in,
        rows_accepted: delivery.rows_accepted,
        rows_rejected: delivery.rows_rejected,
        rejected_by_rule: delivery.rejected_by_rule.clone(),
        numbered_keys: delivery.numbered_keys,
        slices: delivery.slices.len() as u64,
        rows_retained: 0,
        bytes_out: written.iter().map(|file| file.size_bytes).sum(),
        files: delivery.files.iter().map(file_report).collect(),
        first_rejects: rejects.first.clone(),
        compaction: None,
    }
}

/// Refuses a delivery whole.
///
/// # Errors
/// `Refused`, with the rows at fault and what to do.
pub(super) fn judge(ready: &[Ready]) -> Result<()> {
    for ready in ready {
        let name = ready.plan.name();
        let pooling = ready.plan.manifest.pooling();
        let delivery = &ready.delivery;
        let keys_dropped = match pooling.on_duplicate {
            // The manifest chose which row counts: giving way is no fault of the delivery.
            OnDuplicate::First | OnDuplicate::Last => ready.key_conflicts,
            OnDuplicate::Refuse | OnDuplicate::Reject | OnDuplicate::Number(_) => 0,
        };
        let faulty = delivery.rows_rejected - keys_dropped;
        let allowed = pooling.max_rejected_share * delivery.rows_in as f64;
        if pooling.on_duplicate == OnDuplicate::Refuse && ready.key_conflicts > 0 {
            let reason =
                format!("{name}: {} rows repeat a key, which the manifest refuses", ready.key_conflicts);
            return Err(refusal(&reason, delivery, &ready.report.first_rejects));
        }
        if faulty as f64 > allowed {
            let reason = format!(
                "{name}: {faulty} of {} rows are rejected, more than the share of {} that the manifest allows \
                 (pooling.max_rejected_share)",
                delivery.rows_in, pooling.max_rejected_share
            );
            return Err(refusal(&reason, delivery, &ready.report.first_rejects));
        }
    }
    let is_empty = |ready: &&Ready| ready.delivery.rows_accepted == 0;
    // Without slices the whole dataset is replaced, which no row at all can't mean.
    let emptied =
        ready.iter().filter(is_empty).find(|ready| ready.plan.state.definition.layout.slice.is_empty());
    let nothing = ready.iter().all(|ready| is_empty(&ready)).then(|| ready.first()).flatten();
    match emptied.or(nothing) {
        None => Ok(()),
        Some(empty) => {
            let files: Vec<&str> =
                empty.delivery.files.iter().map(|file| file.name.as_str()).take(NAMED_FILES).collect();
            let reason = format!(
                "{}: no row of the delivery ({}) is accepted, there is nothing to publish",
                empty.plan.name(),
                files.join(", ")
            );
            Err(refusal(&reason, &empty.delivery, &empty.report.first_rejects))
        }
    }
}

fn refusal(reason: &str, delivery: &Delivery, rejects: &[RejectReport]) -> DatasetsError {
    let mut lines =
        vec![format!("{reason}. Correct the rows below and deliver again; nothing was published.")];
    lines.extend(delivery.rejected_by_rule.iter().map(|(rule, rows)| format!("  {rows} by rule {rule}")));
    lines.extend(rejects.iter().map(|reject| format!("  {reject}")));
    DatasetsError::Refused { reason: lines.join("\n") }
}
