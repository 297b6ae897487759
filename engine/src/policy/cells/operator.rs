//! Operator: takes the measures of small groups away while rows pass, and counts the cells that it took.

use super::super::barrier::properties;
use super::complement::{Additive, Group, Status, protect};
use super::node::{Measure, WithheldNode};
use basin_catalog::MinimumCell;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions,
    StringArray,
};
use datafusion::arrow::compute::{cast, concat_batches, nullif};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, UInt64Type};
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_expr::{Distribution, PhysicalExpr};
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many cells a query did not show. An extension of its session's configuration.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    cells: Arc<AtomicU64>,
}

impl Withheld {
    /// Counts in `cells`.
    pub(crate) fn counting(cells: Arc<AtomicU64>) -> Self {
        Self { cells }
    }

    fn add(&self, cells: usize) {
        self.cells.fetch_add(cells as u64, Ordering::Relaxed);
    }
}

/// What to withhold, and how the columns lie.
#[derive(Debug, Clone)]
struct Plan {
    cell: MinimumCell,
    measures: Vec<Measure>,
    margins: bool,
    schema: SchemaRef,
}

/// Groups in, groups out; the last two columns in tell how many units and present rows a group has.
#[derive(Debug, Clone)]
pub(super) struct WithheldExec {
    input: Arc<dyn ExecutionPlan>,
    plan: Plan,
    properties: Arc<PlanProperties>,
}

impl WithheldExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, node: &WithheldNode) -> Self {
        use datafusion::logical_expr::UserDefinedLogicalNodeCore;
        let plan = Plan {
            cell: node.cell,
            measures: node.measures.clone(),
            margins: node.margins,
            schema: SchemaRef::clone(node.schema().inner()),
        };
        Self { properties: properties(&input, SchemaRef::clone(&plan.schema)), input, plan }
    }
}

impl DisplayAs for WithheldExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithheldExec: groups of fewer than {}", self.plan.cell.k)
    }
}

impl ExecutionPlan for WithheldExec {
    fn name(&self) -> &'static str {
        "WithheldExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        // Sums of a result with margins are over all of its groups.
        vec![if self.plan.margins {
            Distribution::SinglePartition
        } else {
            Distribution::UnspecifiedDistribution
        }]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => {
                let plan = self.plan.clone();
                Ok(Arc::new(Self {
                    properties: properties(&input, SchemaRef::clone(&plan.schema)),
                    input,
                    plan,
                }))
            }
            _ => internal_err!("groups that are withheld have one input"),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let counter = context.session_config().get_extension::<Withheld>().unwrap_or_default();
        let (plan, schema) = (self.plan.clone(), SchemaRef::clone(&self.plan.schema));
        if !plan.margins {
            let shown = input.map(move |batch| {
                let batch = batch?;
                let status = plan
                    .small(&batch)?
                    .into_iter()
                    .map(|small| if small { Status::Small } else { Status::Free });
                plan.shown(&batch, &status.collect::<Vec<_>>(), &counter)
            });
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, shown)));
        }
        let pool = MemoryConsumer::new("groups with margins").register(context.memory_pool());
        let all = async move {
            let mut batches = Vec::new();
            let mut input = input;
            while let Some(batch) = input.try_next().await? {
                pool.try_grow(2 * batch.get_array_memory_size())?;
                batches.push(batch);
            }
            let all = concat_batches(&input.schema(), &batches)?;
            plan.shown(&all, &plan.with_margins(&all)?, &counter)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(all))))
    }
}

impl Plan {
    /// Columns of groups, with the id of the grouping set where there are several.
    fn groups(&self) -> usize {
        self.schema.fields().len() - self.measures.len() - 1
    }

    /// How many units a group has, and how many rows say that it has some.
    fn counts(&self, batch: &RecordBatch) -> Result<(Int64Array, Int64Array)> {
        let at = self.groups() + self.measures.len();
        let number = |at: usize| -> Result<Int64Array> {
            Ok(cast(batch.column(at), &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        };
        Ok((number(at)?, number(at + 1)?))
    }

    /// Tells of each group whether it is small. A group of unknown size is.
    fn small(&self, batch: &RecordBatch) -> Result<Vec<bool>> {
        let (units, present) = self.counts(batch)?;
        let enough = |units: Option<i64>| units.is_some_and(|units| units >= i64::from(self.cell.k));
        Ok(units.iter().zip(&present).map(|(units, present)| !enough(units) && present != Some(0)).collect())
    }

    /// Statuses of groups with their margins.
    fn with_margins(&self, batch: &RecordBatch) -> Result<Vec<Status>> {
        let (units, present) = self.counts(batch)?;
        let Some(columns) = self.groups().checked_sub(1) else {
            return internal_err!("margins without groups");
        };
        let keys = (0..columns).map(|at| numbered(batch.column(at))).collect::<Result<Vec<_>>>()?;
        let ids = cast(batch.column(columns), &DataType::UInt64)?;
        let mut rows_of: HashMap<(u64, Vec<u32>), usize> = HashMap::new();
        let mut cells: Vec<Group> = Vec::new();
        let mut first: Vec<usize> = Vec::new();
        let mut cell_of = Vec::with_capacity(batch.num_rows());
        for (row, id) in ids.as_primitive::<UInt64Type>().values().iter().enumerate() {
            let spans = spanned(*id, columns);
            let own: Vec<u32> = keys.iter().map(|keys| keys.get(row).copied().unwrap_or_default()).collect();
            let grouped =
                own.iter().enumerate().map(|(at, key)| if spans & (1 << at) == 0 { *key } else { 0 });
            // A set that is asked for twice has each of its groups twice.
            let cell = *rows_of.entry((spans, grouped.collect())).or_insert(cells.len());
            if cell == cells.len() {
                #[expect(clippy::cast_precision_loss, reason = "counts of units are far below 2^52")]
                let count = if units.is_valid(row) { units.value(row) as f64 } else { 0.0 };
                cells.push(Group { spans, keys: own, units: count, empty: present.value(row) == 0 });
                first.push(row);
            }
            cell_of.push(cell);
        }
        let small = self.small(batch)?;
        let small: Vec<bool> = first.iter().map(|row| small.get(*row).copied().unwrap_or(true)).collect();
        let measures = self.additive(batch, &first)?;
        let status = protect(&cells, &small, self.cell.k, &measures)?;
        Ok(cell_of.iter().map(|cell| status.get(*cell).copied().unwrap_or(Status::Small)).collect())
    }

    fn additive(&self, batch: &RecordBatch, rows: &[usize]) -> Result<Vec<Additive>> {
        let mut found = Vec::new();
        for (at, measure) in self.measures.iter().enumerate().filter(|(_, measure)| measure.additive) {
            let column = batch.column(self.groups() + at);
            let numbers = cast(column, &DataType::Float64)?;
            let numbers: &Float64Array = numbers.as_primitive::<Float64Type>();
            let value = |row: &usize| if numbers.is_valid(*row) { numbers.value(*row) } else { 0.0 };
            found.push(Additive {
                values: rows.iter().map(value).collect(),
                whole_numbers: column.data_type().is_integer(),
                bounded: measure.rounded,
                is_units: measure.weight,
            });
        }
        Ok(found)
    }

    /// The groups as they are shown.
    fn shown(&self, batch: &RecordBatch, status: &[Status], counter: &Withheld) -> Result<RecordBatch> {
        let hidden: BooleanArray = status.iter().map(|status| Some(*status != Status::Free)).collect();
        counter.add(hidden.true_count() * self.measures.len());
        let mut columns: Vec<ArrayRef> = batch.columns().iter().take(self.groups()).map(Arc::clone).collect();
        for (measure, column) in self.measures.iter().zip(batch.columns().iter().skip(self.groups())) {
            let column = match self.cell.round_to {
                Some(to) if measure.rounded => rounded(column, i64::from(to))?,
                Some(_) | None => Arc::clone(column),
            };
            columns.push(nullif(&column, &hidden)?);
        }
        let marks: StringArray = status
            .iter()
            .map(|status| {
                Some(match status {
                    Status::Free => "F",
                    Status::Small => "A",
                    Status::Complementary => "D",
                })
            })
            .collect();
        columns.push(Arc::new(marks));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), columns, &options)?)
    }
}

/// The columns that a set spans, the first column as the first bit; the engine counts them from the last.
fn spanned(id: u64, columns: usize) -> u64 {
    (0..columns).filter(|at| id & (1 << (columns - 1 - at)) != 0).fold(0, |spans, at| spans | (1 << at))
}

/// The nearest multiple; a half goes up.
fn rounded(column: &ArrayRef, to: i64) -> Result<ArrayRef> {
    let numbers = cast(column, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>().iter();
    let rounded: Int64Array =
        numbers.map(|n| n.map(|n| n.saturating_add(to / 2).div_euclid(to).saturating_mul(to))).collect();
    Ok(cast(&rounded, column.data_type())?)
}

/// A number for each value, the same for equal ones.
fn numbered(column: &ArrayRef) -> Result<Vec<u32>> {
    let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
    let rows = converter.convert_columns(&[Arc::clone(column)])?;
    let mut known: HashMap<OwnedRow, u32> = HashMap::new();
    let mut numbers = Vec::with_capacity(column.len());
    for row in &rows {
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        numbers.push(*known.entry(row.owned()).or_insert(next));
    }
    Ok(numbers)
}
