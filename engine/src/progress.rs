//! Progress: how much of a running query's work is done, estimated from its operators' metrics. It looks
//! on and decides nothing.
//!
//! Work is counted in rows: what each scan reads, what each operator that must see all of its input takes
//! in, and what each join compares or gives. How much there will be is known for scans from their files;
//! above them it starts as the planner's estimate and is corrected by what was seen so far: a join that
//! gave `k` rows after half of its probe side is expected to give `2k`. This is the "total getnext" model
//! of progress with driver nodes.
//!
//! Source: Chaudhuri, Narasayya, Ramamurthy, "Estimating Progress of Execution for SQL Queries", SIGMOD 2004.

use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is shown at most while the query is not over.
const ALMOST: f64 = 0.99;
/// Comparing a pair of rows, as a part of what reading a row costs.
const PAIR_WORK: f64 = 0.1;

/// Shows how far a query has come until its first row can be fetched.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    root: Arc<Mutex<Option<Node>>>,
}

impl Progress {
    /// Returns the part of the work that is done, as far as it can be told now: from 0 to 0.99.
    ///
    /// It is an estimate and may fall when more becomes known. When no operator holds rows back, it tells how
    /// much of the whole query is done.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        let root = self.lock();
        let Some(root) = root.as_ref() else { return 0.0 };
        let mut work = root.before_first_row();
        if work.total <= 0.0 {
            work = root.seen().work;
        }
        if work.total > 0.0 { (work.done / work.total).clamp(0.0, ALMOST) } else { 0.0 }
    }

    /// Watches a plan until the guard goes: plans hold the tables of their joins, so they are not kept longer.
    pub(crate) fn watch(&self, plan: &Arc<dyn ExecutionPlan>) -> Watching {
        *self.lock() = Some(Node::of(plan, &StatisticsContext::new()));
        Watching(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Node>> {
        self.root.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the watching when it is dropped.
#[derive(Debug)]
pub(crate) struct Watching(Progress);

impl Drop for Watching {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

/// What an operator does with its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scan,
    /// Gives rows while it reads.
    Through,
    /// Must have seen all of its input before it gives a row.
    Breaker,
    /// Reads its first input whole, then passes the second along it; `pairs`: by comparing all of them.
    Join {
        pairs: bool,
        last: bool,
    },
}

/// An operator of the watched plan.
#[derive(Debug)]
struct Node {
    plan: Arc<dyn ExecutionPlan>,
    kind: Kind,
    planned_rows: Option<f64>,
    children: Vec<Node>,
}

/// Rows that were worked on, and that will have been.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    done: f64,
    total: f64,
}

impl Work {
    fn plus(self, done: f64, total: f64) -> Self {
        Self { done: self.done + done.min(total), total: self.total + total }
    }

    fn of(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::default(), |sum, part| sum.plus(part.done, part.total))
    }
}

/// What an operator has given, what it will have given, and the work up to it.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    rows: f64,
    expected: f64,
    work: Work,
}

impl Node {
    fn of(plan: &Arc<dyn ExecutionPlan>, statistics: &StatisticsContext) -> Self {
        let planned = statistics.compute(plan.as_ref(), &StatisticsArgs::new()).ok();
        let rows = planned.and_then(|planned| planned.num_rows.get_value().copied());
        Self {
            kind: Kind::of(plan.as_ref()),
            planned_rows: rows.map(to_float),
            children: plan.children().into_iter().map(|child| Self::of(child, statistics)).collect(),
            plan: Arc::clone(plan),
        }
    }

    /// The work that has to be done before the operator gives its first row.
    fn before_first_row(&self) -> Work {
        match (self.kind, self.children.as_slice()) {
            (Kind::Breaker | Kind::Join { last: true, .. }, _) => self.seen().work,
            (Kind::Join { .. }, [build, probe]) => {
                let built = build.seen();
                let probe = probe.before_first_row();
                built.work.plus(built.rows, built.expected).plus(probe.done, probe.total)
            }
            (Kind::Join { .. } | Kind::Scan | Kind::Through, children) => {
                Work::of(children.iter().map(Self::before_first_row))
            }
        }
    }

    fn seen(&self) -> Seen {
        let metrics = self.plan.metrics().unwrap_or_default();
        let inputs: Vec<Seen> = self.children.iter().map(Self::seen).collect();
        let read = inputs.iter().map(|input| input.rows).sum();
        let to_read = inputs.iter().map(|input| input.expected).sum();
        let work = Work::of(inputs.iter().map(|input| input.work));
        let rows = metrics.output_rows().map_or(read, to_float);
        let over = self.is_over(&metrics);
        match (self.kind, inputs.as_slice()) {
            (Kind::Scan, _) => self.scan(rows, over),
            (Kind::Join { pairs, .. }, [build, probe]) => {
                let part = if over { 1.0 } else { ratio(probed(&metrics), probe.expected) };
                let expected = self.expected(rows, part);
                let pairs = if pairs { build.expected * probe.expected * PAIR_WORK } else { 0.0 };
                let joining = expected.max(probe.expected).max(pairs);
                let work = work.plus(build.rows, build.expected).plus(part * joining, joining);
                Seen { rows, expected, work }
            }
            (Kind::Breaker, _) => {
                let planned = self.planned_rows.unwrap_or(to_read).min(to_read);
                let expected = if over { rows } else { planned.max(rows) };
                Seen { rows, expected, work: work.plus(read, to_read) }
            }
            (Kind::Through | Kind::Join { .. }, _) => {
                let part = if over { 1.0 } else { ratio(read, to_read) };
                let expected = if part > 0.0 { rows / part } else { self.planned_rows.unwrap_or(to_read) };
                Seen { rows, expected, work }
            }
        }
    }

    /// Of a source that does not say how much it has, nothing is counted as done before its end.
    fn scan(&self, rows: f64, over: bool) -> Seen {
        let (rows, expected) = match self.planned_rows {
            _ if over => (rows, rows),
            Some(planned) => (rows, planned.max(rows)),
            None => (0.0, rows.max(1.0)),
        };
        Seen { rows, expected, work: Work::default().plus(rows, expected) }
    }

    /// The rows that a join will have given, having given `rows` in a part of its work.
    fn expected(&self, rows: f64, part: f64) -> f64 {
        if part > 0.0 { rows / part } else { self.planned_rows.unwrap_or(rows).max(rows) }
    }

    /// Whether all parts of the operator have ended.
    fn is_over(&self, metrics: &MetricsSet) -> bool {
        let mut ends = 0;
        for metric in metrics.iter() {
            if let MetricValue::EndTimestamp(end) = metric.value() {
                if end.value().is_none() {
                    return false;
                }
                ends += 1;
            }
        }
        ends > 0 && ends >= self.plan.output_partitioning().partition_count()
    }
}

impl Kind {
    fn of(plan: &dyn ExecutionPlan) -> Self {
        let last = plan.properties().emission_type == EmissionType::Final;
        let pairs = plan.is::<NestedLoopJoinExec>() || plan.is::<CrossJoinExec>();
        if plan.children().is_empty() {
            Self::Scan
        } else if pairs || plan.is::<HashJoinExec>() {
            Self::Join { pairs, last }
        } else if last {
            Self::Breaker
        } else {
            Self::Through
        }
    }
}

/// The rows of its second input that a join is through with: of the batch that each part is busy with, half.
fn probed(metrics: &MetricsSet) -> f64 {
    let count = |name| metrics.sum_by_name(name).map_or(0.0, |value| to_float(value.as_usize()));
    let (rows, batches) = (count("input_rows"), count("input_batches"));
    let busy = metrics.iter().filter(|metric| {
        let value = metric.value();
        value.name() == "input_rows" && value.as_usize() > 0
    });
    let batch = if batches > 0.0 { rows / batches } else { 0.0 };
    (rows - batch * to_float(busy.count()) / 2.0).max(0.0)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

/// Exact up to 2^32; above that progress does not need the last digits.
fn to_float(rows: usize) -> f64 {
    u32::try_from(rows)
        .map_or_else(|_| f64::from(u32::try_from(rows >> 20).unwrap_or(u32::MAX)) * 1_048_576.0, f64::from)
}
