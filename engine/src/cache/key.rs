//! Key: all that decides a result, and nothing else; or why a result is not kept.
//!
//! Two plans are the same question when they are equal, what their scans read is, and so is the schema that was promised.
//! Equality of plans leaves out where a scan reads from; [`Reading`] tells it, with what the policy shows there. What
//! may give another result the next time, or reads what has no version, is never kept.

use crate::plan::DatasetTable;
use crate::policy::is_withheld;
use basin_catalog::{DatasetName, DatasetVersion, Digest};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalTableSource, TableScan, TableSource, Volatility, WindowFunctionDefinition,
};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

/// Steps below each other. Plans are compared and dropped on threads with usual stacks.
const MAX_DEPTH: usize = 200;
/// What a step takes in memory, about, without its texts and values.
const STEP_BYTES: usize = 512;
/// What a column of a step takes.
const COLUMN_BYTES: usize = 160;

/// What a scan reads, and what is shown of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// A version of a dataset.
    Version(Box<VersionReading>),
    /// The rows of a recursion so far.
    Recursion,
}

/// A version of a dataset under a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct VersionReading {
    dataset: DatasetName,
    /// Number, table version and time: names may be used again. None: nothing was pooled yet.
    version: Option<(u64, u64, i64)>,
    /// Columns as they lie in the files.
    items: SchemaRef,
    /// What the policy shows of it; none: all.
    rules: Option<Digest>,
}

impl Reading {
    /// Tells a version of a dataset under a policy.
    pub(crate) fn of(
        dataset: &DatasetName,
        version: Option<&DatasetVersion>,
        items: SchemaRef,
        rules: Option<Digest>,
    ) -> Self {
        let told = |version: &DatasetVersion| {
            (version.number, version.table_version, version.published_at.timestamp_micros())
        };
        Self::Version(Box::new(VersionReading {
            dataset: dataset.clone(),
            version: version.map(told),
            items,
            rules,
        }))
    }
}

/// Why a result is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Never {
    /// The server keeps none.
    Off,
    /// The session wants none.
    Unwanted,
    /// It is one of several parts.
    Part,
    /// It describes, and is not asked for itself.
    Described,
    /// The function may give something else each time.
    Function(String),
    /// What is read has no version.
    Unversioned(String),
    /// The statement is too large to be compared.
    Complex,
    /// The result is too large.
    TooLarge,
}

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("the server keeps no results"),
            Self::Unwanted => f.write_str("the session wants none from the cache (result_cache)"),
            Self::Part => f.write_str("the result is fetched in parts"),
            Self::Described => f.write_str("it only describes"),
            Self::Function(name) => write!(f, "{name} may give something else each time"),
            Self::Unversioned(name) => write!(f, "{name} has no version"),
            Self::Complex => f.write_str("the statement is too large to be compared"),
            Self::TooLarge => f.write_str("the result is larger than what is kept"),
        }
    }
}

/// Whether a result is kept, and under what.
#[derive(Debug, Clone)]
pub(crate) enum Keepable {
    As(Arc<Key>),
    /// What decides it is known, with a key of so many bytes; it is not kept all the same.
    Known(usize, Never),
    Never(Never),
}

impl Keepable {
    /// Says that nothing is kept of what only describes.
    pub(crate) fn described() -> Self {
        Self::Never(Never::Described)
    }

    /// Tells whether what decides the result is known, be it kept or not.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::As(_) | Self::Known(..) => true,
            Self::Never(_) => false,
        }
    }

    /// About how many bytes the key takes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::As(key) => key.weight(),
            Self::Known(weight, _) => *weight,
            Self::Never(_) => 0,
        }
    }
}

/// All that decides a result.
#[derive(Debug)]
pub(crate) struct Key {
    hash: u64,
    /// Without the tables of its scans, which hold whole snapshots.
    plan: LogicalPlan,
    /// What the scans read, in the order of the plan.
    readings: Vec<Reading>,
    schema: SchemaRef,
    /// Whether rollups may answer: who wants none of them gets nothing that they made.
    rollups: bool,
    weight: usize,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.rollups == other.rollups
            && self.schema == other.schema
            && self.readings == other.readings
            && self.plan == other.plan
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl Key {
    /// Makes the key of a policed plan whose result has this schema.
    pub(super) fn of(
        plan: &LogicalPlan,
        schema: &SchemaRef,
        rollups: bool,
        hashing: &impl BuildHasher,
    ) -> Result<Self, Never> {
        let mut walk = Walk::default();
        walk.plan(plan, 0)?;
        // The walk has seen each scan: rewriting can't fail.
        let plan = plan.clone().transform_down_with_subqueries(without_table).data();
        let plan = plan.map_err(|_| Never::Complex)?;
        let Walk { readings, bytes } = walk;
        let hash = hashing.hash_one((&plan, &readings, schema, rollups));
        let weight = bytes + size_of::<Self>() + schema.fields().len() * COLUMN_BYTES;
        Ok(Self { hash, plan, readings, schema: SchemaRef::clone(schema), rollups, weight })
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }
}

fn without_table(plan: LogicalPlan) -> datafusion::common::Result<Transformed<LogicalPlan>> {
    let LogicalPlan::TableScan(scan) = plan else { return Ok(Transformed::no(plan)) };
    let source: Arc<dyn TableSource> = Arc::new(LogicalTableSource::new(Arc::new(Schema::empty())));
    Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { source, ..scan })))
}

/// Gathers what a plan reads, and finds what keeps its result from being kept. It goes no deeper than is allowed.
#[derive(Debug, Default)]
struct Walk {
    readings: Vec<Reading>,
    bytes: usize,
}

impl Walk {
    fn plan(&mut self, plan: &LogicalPlan, depth: usize) -> Result<(), Never> {
        self.step(depth, plan.schema().fields().len() * COLUMN_BYTES)?;
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan)?,
            LogicalPlan::Extension(node) if !is_withheld(node.node.as_ref()) => {
                return Err(Never::Function(node.node.name().to_owned()));
            }
            LogicalPlan::DescribeTable(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_) => return Err(Never::Described),
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_) => {}
        }
        let mut found = Ok(());
        // The walk itself can't fail.
        let _ = plan.apply_expressions(|expr| Ok(go_on(&mut found, self.expr(expr, depth + 1))));
        found?;
        plan.inputs().into_iter().try_for_each(|input| self.plan(input, depth + 1))
    }

    fn scan(&mut self, scan: &TableScan) -> Result<(), Never> {
        let unversioned = || Never::Unversioned(scan.table_name.to_string());
        let provider = source_as_provider(&scan.source).map_err(|_| unversioned())?;
        let reading = match provider.downcast_ref::<DatasetTable>() {
            Some(table) => table.reading().ok_or_else(unversioned)?,
            None if provider.is::<CteWorkTable>() => Reading::Recursion,
            None => return Err(unversioned()),
        };
        self.readings.push(reading);
        Ok(())
    }

    fn expr(&mut self, expr: &Expr, depth: usize) -> Result<(), Never> {
        self.step(depth, texts_and_values(expr))?;
        if let Some((name, volatility)) = function(expr) {
            match volatility {
                Volatility::Immutable => {}
                Volatility::Stable | Volatility::Volatile => {
                    return Err(Never::Function(format!("{name}()")));
                }
            }
        }
        let subquery = match expr {
            Expr::Exists(exists) => Some(&exists.subquery),
            Expr::InSubquery(within) => Some(&within.subquery),
            Expr::SetComparison(compared) => Some(&compared.subquery),
            Expr::ScalarSubquery(subquery) => Some(subquery),
            Expr::ScalarVariable(_, names) => return Err(Never::Function(names.join("."))),
            Expr::Placeholder(placeholder) => return Err(Never::Function(placeholder.id.clone())),
            // Made of their parts, which follow.
            _ => None,
        };
        if let Some(subquery) = subquery {
            self.plan(&subquery.subquery, depth + 1)?;
        }
        let mut found = Ok(());
        let _ = expr.apply_children(|part| Ok(go_on(&mut found, self.expr(part, depth + 1))));
        found
    }

    fn step(&mut self, depth: usize, bytes: usize) -> Result<(), Never> {
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(STEP_BYTES);
        if depth > MAX_DEPTH { Err(Never::Complex) } else { Ok(()) }
    }
}

fn go_on(found: &mut Result<(), Never>, step: Result<(), Never>) -> TreeNodeRecursion {
    *found = step;
    if found.is_ok() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop }
}

/// The function that an expression calls, and whether it gives the same each time.
fn function(expr: &Expr) -> Option<(&str, Volatility)> {
    match expr {
        Expr::ScalarFunction(call) => Some((call.func.name(), call.func.signature().volatility)),
        Expr::AggregateFunction(call) => Some((call.func.name(), call.func.signature().volatility)),
        Expr::WindowFunction(call) => Some(match &call.fun {
            WindowFunctionDefinition::AggregateUDF(of) => (of.name(), of.signature().volatility),
            WindowFunctionDefinition::WindowUDF(of) => (of.name(), of.signature().volatility),
        }),
        Expr::HigherOrderFunction(call) => Some((call.func.name(), call.func.signature().volatility)),
        _ => None,
    }
}

/// How many bytes of its own an expression may hold beyond a step's.
fn texts_and_values(expr: &Expr) -> usize {
    match expr {
        Expr::Literal(value, _) => value.size(),
        Expr::Column(column) | Expr::OuterReferenceColumn(_, column) => column.name.len(),
        Expr::Alias(alias) => alias.name.len(),
        _ => 0,
    }
}
