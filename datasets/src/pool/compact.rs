//! After a publication: small files that have gathered in a partition are merged, when the layout says so.
//!
//! The delivery is published by then. What goes wrong here is reported, and undoes nothing.

use basin_catalog::Catalog;

use super::PoolRequest;
use super::plan::DatasetPlan;
use crate::optimize::{OptimizeRequest, Wanted, wanted};
use crate::progress::Progress;
use crate::report::{Compaction, Outcome, PoolReport};

/// Merges the small files of the datasets of a delivery, and says so in its report.
pub(super) async fn crowded(
    catalog: &Catalog,
    plans: &[DatasetPlan],
    request: &PoolRequest,
    report: &mut PoolReport,
) {
    for plan in plans {
        let Some(limit) = plan.manifest.files().compact_above_files else { continue };
        let optimize = OptimizeRequest {
            dataset: plan.name().clone(),
            dry_run: false,
            memory_bytes: request.memory_bytes,
            threads: request.threads,
            author: request.author.clone(),
        };
        // Its own counters: those of the delivery stay as they are reported.
        let done = wanted(catalog, &optimize, Wanted::Crowded(limit), &Progress::default()).await;
        let compaction = match done {
            Ok(done) if done.outcome == Outcome::Published => Compaction::Done {
                version: done.version,
                files_before: done.files_before,
                files_after: done.files_after.unwrap_or_default(),
            },
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(dataset = %plan.name(), %error, "small files not merged");
                Compaction::Failed { reason: error.to_string() }
            }
        };
        let dataset = report.datasets.iter_mut().find(|dataset| dataset.dataset == *plan.name());
        if let Some(dataset) = dataset {
            dataset.compaction = Some(compaction);
        }
    }
}
