//! Visible: how many rows of a version a row filter leaves, for the planner of joins. It counts rows that may be seen and
//! nothing else, so that a plan made by it tells of no others. Counted at the first query, and kept: a version never changes.

use crate::error::Result;
use crate::table::{TableKey, VersionTable};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::DFSchema;
use datafusion::datasource::TableProvider;
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use futures::TryStreamExt;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Versions of more rows are not counted: planning would take too long. Their joins are planned without.
const MAX_ROWS: usize = 30_000_000;
/// Counts that are kept.
const MAX_KEPT: usize = 10_000;

/// The counts so far, by version and condition.
#[derive(Debug, Default)]
pub(crate) struct VisibleCounts {
    known: Mutex<HashMap<(TableKey, String), usize>>,
}

impl VisibleCounts {
    /// Returns the number of rows that meet a condition over the columns of `raw`; none when it is not known.
    pub(super) async fn of(
        &self,
        table: &VersionTable,
        state: &SessionState,
        raw: &SchemaRef,
        condition: &Expr,
    ) -> Result<Option<usize>> {
        let Some(key) = table.key() else { return Ok(Some(0)) };
        let key = (key.clone(), condition.to_string());
        if let Some(count) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Some(*count));
        }
        if table.rows().await?.is_none_or(|rows| rows > MAX_ROWS) {
            return Ok(None);
        }
        let count = match count(table, state, raw, condition).await {
            Ok(count) => count,
            // The query tells what is wrong, if it needs what is missing.
            Err(error) => {
                tracing::debug!(%error, "visible rows could not be counted");
                return Ok(None);
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KEPT {
            known.clear();
        }
        known.insert(key, count);
        Ok(Some(count))
    }
}

async fn count(
    table: &VersionTable,
    state: &SessionState,
    raw: &SchemaRef,
    condition: &Expr,
) -> Result<usize> {
    let columns = condition.column_refs();
    let needed: BTreeSet<usize> =
        columns.iter().filter_map(|column| raw.index_of(&column.name).ok()).collect();
    let pruning = split_conjunction_owned(condition.clone());
    let session: &dyn Session = state;
    let scan = table.scan(session, Some(&needed.into_iter().collect()), &pruning, None).await?;
    let scanned = DFSchema::try_from(scan.schema())?;
    let predicate = state.create_physical_expr(condition.clone(), &scanned)?;
    let plan = FilterExec::try_new(predicate, scan)?;
    let context = Arc::new(TaskContext::from(state));
    let mut rows = 0;
    for partition in 0..plan.properties().output_partitioning().partition_count() {
        let mut batches = plan.execute(partition, Arc::clone(&context))?;
        while let Some(batch) = batches.try_next().await? {
            rows += batch.num_rows();
        }
    }
    Ok(rows)
}
