//! Node: groups whose small ones are withheld, as a step of a logical plan. Nothing is pushed through it.

use super::operator::WithheldExec;
use async_trait::async_trait;
use basin_catalog::MinimumCell;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, Result, TableReference, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A measure of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Measure {
    /// Whether it counts units, and is rounded where the minimum cell says so.
    pub(super) rounded: bool,
    /// Whether the parts of a group add up to it.
    pub(super) additive: bool,
    /// Whether it is the weight that the minimum cell goes by.
    pub(super) weight: bool,
}

/// Groups of an aggregation: columns of groups, measures, and last how many units and present rows there are. Its own
/// columns are those of the groups, the measures where they are shown, and a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WithheldNode {
    input: LogicalPlan,
    pub(super) cell: MinimumCell,
    pub(super) measures: Vec<Measure>,
    pub(super) margins: bool,
    mark: String,
    schema: DFSchemaRef,
}

impl WithheldNode {
    pub(super) fn new(
        input: LogicalPlan,
        cell: MinimumCell,
        measures: Vec<Measure>,
        margins: bool,
        mark: String,
    ) -> Result<Self> {
        let all = input.schema();
        let Some(last) = all.fields().len().checked_sub(2) else {
            return internal_err!("groups without a count of units");
        };
        let groups = last.saturating_sub(measures.len());
        let fields = all.iter().take(last).enumerate().map(|(at, (qualifier, field))| {
            let nullable = at >= groups || field.is_nullable();
            (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(nullable)))
        });
        let own: (Option<TableReference>, FieldRef) =
            (None, Arc::new(Field::new(&mark, DataType::Utf8, false)));
        let schema = DFSchema::new_with_metadata(fields.chain([own]).collect(), all.metadata().clone())?;
        Ok(Self { input, cell, measures, margins, mark, schema: Arc::new(schema) })
    }
}

impl Hash for WithheldNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.input, &self.measures, self.margins, &self.mark, self.cell.k).hash(state);
    }
}

impl PartialOrd for WithheldNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other { Some(Ordering::Equal) } else { None }
    }
}

impl UserDefinedLogicalNodeCore for WithheldNode {
    fn name(&self) -> &'static str {
        "Withheld"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Withheld: groups of fewer than {}", self.cell.k)?;
        if let Some(to) = self.cell.round_to {
            write!(f, ", counts rounded to {to}")?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (inputs.pop(), inputs.is_empty()) {
            (Some(input), true) => {
                Self::new(input, self.cell, self.measures.clone(), self.margins, self.mark.clone())
            }
            _ => internal_err!("groups that are withheld have one input"),
        }
    }
}

/// Tells whether a node of a plan is of this kind.
pub(crate) fn is_withheld(node: &dyn UserDefinedLogicalNode) -> bool {
    node.as_any().is::<WithheldNode>()
}

/// Returns the planner that knows the node.
pub(crate) fn planner() -> Arc<dyn QueryPlanner + Send + Sync> {
    Arc::new(Planner)
}

#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Self)]);
        planner.create_physical_plan(plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for Planner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<WithheldNode>() else { return Ok(None) };
        let [input] = inputs else { return internal_err!("groups that are withheld have one input") };
        Ok(Some(Arc::new(WithheldExec::new(Arc::clone(input), node))))
    }
}
