//! Sieve: drops the rows that a join or a top-k above already knows not to need, before any other operator sees them.
//!
//! Until an operator has said all, its filter lets all rows through or is a cheap bound, and is applied to every block.
//! What it is worth from then on depends on the data: it is tried on some blocks, left out while it keeps most rows, and
//! tried again later.

use datafusion::arrow::array::{Array, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::cast::as_boolean_array;
use datafusion::physical_expr::expressions::DynamicFilterTracking;
use datafusion::physical_expr::utils::{collect_columns, conjunction, reassign_expr_columns};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Blocks on which a filter is tried, of each [`ROUND`] blocks.
const TRIAL: u64 = 4;
/// Blocks after which a filter that was left out is tried again.
const ROUND: u64 = 64;
/// A filter that keeps more than this many of a hundred rows costs more than it saves.
const WORTHWHILE_PERCENT: u64 = 70;

/// What was seen of the moving filters of one partition of a scan, in the order of its predicate.
#[derive(Debug)]
pub(super) struct Judges(Vec<Arc<Judge>>);

impl Judges {
    pub(super) fn of(predicate: Option<&Arc<dyn PhysicalExpr>>) -> Self {
        let all = predicate.map(split_conjunction).unwrap_or_default();
        Self(all.into_iter().filter(|condition| is_moving(condition)).map(|_| Arc::default()).collect())
    }
}

/// How many rows a filter kept lately.
#[derive(Debug, Default)]
struct Judge {
    /// Whether the filter has its last form.
    settled: AtomicBool,
    blocks: AtomicU64,
    seen: AtomicU64,
    kept: AtomicU64,
}

impl Judge {
    /// Tells whether a filter has its last form, from which on it is judged.
    fn is_settled(&self, filter: &Arc<dyn PhysicalExpr>) -> bool {
        if self.settled.load(Ordering::Relaxed) {
            return true;
        }
        let settled = !matches!(DynamicFilterTracking::classify(filter), DynamicFilterTracking::Watching(_));
        self.settled.store(settled, Ordering::Relaxed);
        settled
    }

    /// Tells whether to apply the filter to the next block.
    fn wants(&self) -> bool {
        let block = self.blocks.fetch_add(1, Ordering::Relaxed) % ROUND;
        if block == 0 {
            self.seen.store(0, Ordering::Relaxed);
            self.kept.store(0, Ordering::Relaxed);
        }
        let (seen, kept) = (self.seen.load(Ordering::Relaxed), self.kept.load(Ordering::Relaxed));
        block < TRIAL || kept * 100 < seen * WORTHWHILE_PERCENT
    }

    fn saw(&self, rows: usize, kept: usize) {
        self.seen.fetch_add(rows as u64, Ordering::Relaxed);
        self.kept.fetch_add(kept as u64, Ordering::Relaxed);
    }
}

/// The filters of a scan over the columns that it reads.
#[derive(Debug)]
pub(super) struct Sieve {
    /// What the statement itself demands: cheap, and it spares the others work. An operator above applies it again.
    fixed: Option<Arc<dyn PhysicalExpr>>,
    moving: Vec<(Arc<dyn PhysicalExpr>, Arc<Judge>)>,
}

impl Sieve {
    /// The filters that look at no other columns than those of `schema`.
    pub(super) fn of(
        predicate: Option<&Arc<dyn PhysicalExpr>>,
        judges: &Judges,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let mut fixed = Vec::new();
        let mut moving = Vec::new();
        let mut judges = judges.0.iter();
        for condition in predicate.map(split_conjunction).unwrap_or_default() {
            let judge = if is_moving(condition) { judges.next() } else { None };
            if !collect_columns(condition).iter().all(|column| schema.index_of(column.name()).is_ok()) {
                continue;
            }
            let condition = reassign_expr_columns(Arc::clone(condition), schema)?;
            match judge {
                Some(judge) => moving.push((condition, Arc::clone(judge))),
                None => fixed.push(condition),
            }
        }
        let fixed = (!fixed.is_empty()).then(|| conjunction(fixed));
        Ok(Self { fixed, moving })
    }

    /// Returns the rows that may be needed.
    pub(super) fn apply(&self, block: RecordBatch) -> Result<RecordBatch> {
        let mut wanted = Vec::with_capacity(self.moving.len());
        for (condition, judge) in &self.moving {
            let settled = judge.is_settled(condition);
            if !settled || judge.wants() {
                wanted.push((condition, settled.then_some(judge)));
            }
        }
        if wanted.is_empty() {
            return Ok(block);
        }
        let mut rows = match &self.fixed {
            Some(fixed) => kept(fixed, block)?,
            None => block,
        };
        for (condition, judge) in wanted {
            let before = rows.num_rows();
            if before == 0 {
                break;
            }
            rows = kept(condition, rows)?;
            if let Some(judge) = judge {
                judge.saw(before, rows.num_rows());
            }
        }
        Ok(rows)
    }
}

/// Tells whether operators above say only while they run what a filter lets through.
fn is_moving(condition: &Arc<dyn PhysicalExpr>) -> bool {
    DynamicFilterTracking::classify(condition).contains_dynamic_filter()
}

fn kept(condition: &Arc<dyn PhysicalExpr>, rows: RecordBatch) -> Result<RecordBatch> {
    let mask = condition.evaluate(&rows)?.into_array(rows.num_rows())?;
    let mask: &BooleanArray = as_boolean_array(&mask)?;
    if mask.null_count() == 0 && mask.true_count() == rows.num_rows() {
        return Ok(rows);
    }
    Ok(filter_record_batch(&rows, mask)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_keeps_all_is_left_out_and_tried_again() {
        let judge = Judge::default();
        let tried = |judge: &Judge| {
            (0..ROUND)
                .filter(|_| {
                    let wants = judge.wants();
                    if wants {
                        judge.saw(100, 100);
                    }
                    wants
                })
                .count() as u64
        };
        assert_eq!(tried(&judge), TRIAL);
        assert_eq!(tried(&judge), TRIAL);
    }

    #[test]
    fn a_filter_that_drops_most_is_always_wanted() {
        let judge = Judge::default();
        assert!((0..ROUND * 2).all(|_| {
            judge.saw(100, 10);
            judge.wants()
        }));
    }
}
