//! Rules: the limits of a view as a scan. Rows are filtered and values masked at the scan itself, below a barrier, so
//! that predicates, joins and sorts see nothing else.

use super::access::{Limits, Permit, Treatment};
use super::barrier::BarrierExec;
use super::grants::Grants;
use super::mask::{MaskKey, masked};
use super::rows::{Asker, condition};
use super::safe::is_safe;
use super::view::View;
use super::visible::VisibleCounts;
use crate::error::{EngineError, Result};
use crate::table::VersionTable;
use basin_catalog::{Digest, ItemRole, Mask, MinimumCell, RowFilter};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::TableProvider;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::utils::{conjunction, disjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, lit, when};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion::scalar::ScalarValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// One row of so many is taken to pass a filter, as the engine takes it elsewhere.
const FILTERED: usize = 5;

/// Name of the column with the unit that a row is counted by; no item begins with `_`.
pub(super) const UNIT: &str = "__unit";
/// Name of a column that is never NULL in a row of the dataset.
pub(super) const PRESENT: &str = "__present";

/// How a limited view is scanned.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    limits: Limits,
    asker: Asker,
    key: MaskKey,
    /// All items as they lie in the files.
    raw: SchemaRef,
    columns: Vec<Shown>,
    schema: SchemaRef,
    counts: Arc<VisibleCounts>,
    /// Row filters as conditions, so far.
    made: Arc<Mutex<BTreeMap<RowFilter, Expr>>>,
}

/// A column of a limited view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// An item as it is.
    Clear(usize),
    /// An item under masks.
    Masked(usize),
    /// The unit, as it is: only the minimum cell looks at it.
    Unit(usize),
    /// Not NULL.
    Present,
}

impl Rules {
    /// Returns the rules of a view; none when it has no limits.
    pub(crate) fn of(
        view: &View,
        grants: &Grants,
        key: MaskKey,
        counts: &Arc<VisibleCounts>,
    ) -> Option<Self> {
        let limits = view.access().limits()?.clone();
        let raw = view.raw_schema();
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for (at, (item, field)) in view.full().items.iter().zip(raw.fields()).enumerate() {
            match limits.treatment(&item.name) {
                Treatment::Hidden => {}
                Treatment::Clear => {
                    columns.push(Shown::Clear(at));
                    fields.push(Arc::clone(field));
                }
                Treatment::Masked { .. } => {
                    columns.push(Shown::Masked(at));
                    fields.push(Arc::new(field.as_ref().clone().with_nullable(true)));
                }
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let counts = Arc::clone(counts);
        Some(Self {
            limits,
            asker: Asker::of(grants),
            key,
            raw,
            columns,
            schema,
            counts,
            made: Arc::default(),
        })
    }

    /// Returns what tells apart rules that show something else of the same version. Who asks counts as far as a filter
    /// asks for it; which grants give the access, and until when, does not.
    pub(crate) fn identity(&self) -> Digest {
        let limits = self.limits.canonical();
        let permitted = limits.permits.iter().filter_map(|permit| permit.rows.as_ref());
        let asker = self.asker.as_far_as(limits.layers.iter().chain(permitted));
        Digest::of(format!("{limits:?} {asker:?} {:?}", self.columns).as_bytes())
    }

    /// Returns the columns that are shown.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the same rules with two columns more: the unit, and one that is never NULL.
    ///
    /// # Errors
    /// `PermissionDenied` when the data has no item that counts units: nothing can be shown of it.
    pub(super) fn with_unit(&self, view: &View) -> Result<Self> {
        let of = |role| view.terms().items.iter().find(|item| item.role == role);
        let unit = of(ItemRole::UnitId).or_else(|| of(ItemRole::UnitWeight));
        let unit = unit.and_then(|item| self.raw.index_of(item.name.as_str()).ok());
        let Some(unit) = unit else {
            return Err(EngineError::PermissionDenied(view.full().name.to_string()));
        };
        let mut fields: Vec<Field> =
            self.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(self.raw.field(unit).clone().with_name(UNIT).with_nullable(true));
        fields.push(Field::new(PRESENT, DataType::Boolean, false));
        let columns = self.columns.iter().copied().chain([Shown::Unit(unit), Shown::Present]).collect();
        Ok(Self { columns, schema: Arc::new(Schema::new(fields)), ..self.clone() })
    }

    /// Returns the minimum cell, if one holds: rows are not shown then.
    pub(super) fn minimum_cell(&self) -> Option<MinimumCell> {
        self.limits.minimum_cell
    }

    /// Tells whether the unit of a view is a weight; else it is an id.
    pub(super) fn is_weighted(view: &View) -> bool {
        !view.terms().items.iter().any(|item| item.role == ItemRole::UnitId)
    }

    /// Tells whether a predicate may be evaluated on rows that are hidden: it can neither fail nor be observed, and
    /// looks at values that are shown as they are.
    pub(crate) fn may_go_below(&self, predicate: &Expr) -> bool {
        let type_of = |column: &Column| {
            let at = self.schema.index_of(&column.name).ok()?;
            match self.columns.get(at)? {
                Shown::Clear(_) => Some(self.schema.field(at).data_type().clone()),
                Shown::Masked(_) | Shown::Unit(_) | Shown::Present => None,
            }
        };
        is_safe(predicate, &type_of)
    }

    /// Scans a version of the dataset. `filters` are such as may go below.
    pub(crate) async fn scan(
        &self,
        table: &VersionTable,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return Err(EngineError::lost("a policy needs a session"));
        };
        if !filters.iter().all(|filter| self.may_go_below(filter)) {
            return Err(EngineError::lost("a predicate was to be evaluated below a policy"));
        }
        let wanted: Vec<usize> = projection.map_or_else(|| (0..self.columns.len()).collect(), Clone::clone);
        let outputs = wanted.iter().map(|at| self.output(state, *at)).collect::<Result<Vec<_>>>()?;
        let own = conjunction(self.rows(state)?);
        let visible = self.visible(table, state, own.as_ref(), filters.len()).await?;
        let predicate = conjunction(own.into_iter().chain(filters.iter().cloned()));

        let mut needed = BTreeSet::new();
        for expr in outputs.iter().map(|(expr, _)| expr).chain(&predicate) {
            for column in expr.column_refs() {
                needed.insert(
                    self.raw.index_of(&column.name).map_err(datafusion::common::DataFusionError::from)?,
                );
            }
        }
        let needed: Vec<usize> = needed.into_iter().collect();
        let pruning = predicate.clone().map_or_else(Vec::new, split_conjunction_owned);
        let mut plan = table.scan(session, Some(&needed), &pruning, None).await?;
        let scanned = DFSchema::try_from(plan.schema())?;
        let physical =
            |expr: Expr| -> Result<Arc<dyn PhysicalExpr>> { Ok(state.create_physical_expr(expr, &scanned)?) };
        if let Some(predicate) = predicate {
            plan = Arc::new(FilterExec::try_new(physical(predicate)?, plan)?);
        }
        let exprs = outputs.into_iter().map(|(expr, name)| Ok((physical(expr)?, name)));
        let shown = ProjectionExec::try_new(exprs.collect::<Result<Vec<_>>>()?, plan)?;
        Ok(Arc::new(BarrierExec::new(Arc::new(shown), visible)))
    }

    /// An estimate of the rows that a scan gives, from rows that may be seen alone.
    async fn visible(
        &self,
        table: &VersionTable,
        state: &SessionState,
        own: Option<&Expr>,
        filters: usize,
    ) -> Result<Option<usize>> {
        let rows = match own {
            None => table.rows().await?,
            Some(condition) => self.counts.of(table, state, &self.raw, condition).await?,
        };
        let filtered = |rows: usize| (0..filters).fold(rows, |rows, _| rows.div_ceil(FILTERED));
        Ok(rows.map(filtered))
    }

    /// The condition that rows meet, of permits and layers.
    fn rows(&self, state: &SessionState) -> Result<Vec<Expr>> {
        let mut all: Vec<Expr> =
            self.limits.layers.iter().map(|layer| self.condition(state, layer)).collect::<Result<_>>()?;
        all.extend(self.any_of(state, &self.limits.permits.iter().collect::<Vec<_>>())?);
        Ok(all)
    }

    /// Names of the items that row filters look at.
    pub(super) fn columns_looked_at(&self, state: &SessionState) -> Result<BTreeSet<String>> {
        let permitted = self.limits.permits.iter().filter_map(|permit| permit.rows.as_ref());
        let mut names = BTreeSet::new();
        for filter in self.limits.layers.iter().chain(permitted) {
            let condition = self.condition(state, filter)?;
            names.extend(condition.column_refs().into_iter().map(|column| column.name.clone()));
        }
        Ok(names)
    }

    /// A row filter as a condition, made once.
    fn condition(&self, state: &SessionState, filter: &RowFilter) -> Result<Expr> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(condition) = made.get(filter) {
            return Ok(condition.clone());
        }
        let condition = condition(state, filter, &self.raw, &self.asker).map_err(|error| {
            tracing::error!(%error, "a row filter can't be applied");
            EngineError::PolicyBroken
        })?;
        made.insert(filter.clone(), condition.clone());
        Ok(condition)
    }

    /// The rows of any of some permits; none: all rows.
    fn any_of(&self, state: &SessionState, permits: &[&Permit]) -> Result<Option<Expr>> {
        let mut conditions = Vec::new();
        for permit in permits {
            let Some(rows) = &permit.rows else { return Ok(None) };
            conditions.push(self.condition(state, rows)?);
        }
        Ok(Some(disjunction(conditions).unwrap_or_else(|| lit(false))))
    }

    /// A column of the view, as an expression over the files' columns, with its name.
    fn output(&self, state: &SessionState, at: usize) -> Result<(Expr, String)> {
        let missing = || EngineError::lost("a column of a policed table is missing");
        let name = self.schema.fields().get(at).ok_or_else(missing)?.name().clone();
        let column = |raw: usize| Expr::Column(Column::new_unqualified(self.raw.field(raw).name().as_str()));
        let expr = match *self.columns.get(at).ok_or_else(missing)? {
            Shown::Clear(raw) | Shown::Unit(raw) => column(raw),
            Shown::Present => lit(true),
            Shown::Masked(raw) => self.masked(state, raw, column(raw))?,
        };
        Ok((expr, name))
    }

    fn masked(&self, state: &SessionState, raw: usize, value: Expr) -> Result<Expr> {
        let null = lit(ScalarValue::try_from(self.raw.field(raw).data_type())?);
        let item = self.raw.field(raw).name();
        let item = item.parse().map_err(EngineError::Catalog)?;
        let Treatment::Masked { clear, shown, masks } = self.limits.treatment(&item) else {
            return Ok(null);
        };
        let denied = masks.iter().any(|mask| matches!(mask, Mask::Deny {}));
        let hidden = match masks {
            _ if denied => null.clone(),
            [] => value.clone(),
            masks => masked(value.clone(), masks, self.key),
        };
        let hidden = match self.any_of(state, &shown)? {
            None => hidden,
            Some(rows) => when(rows, hidden).otherwise(null)?,
        };
        if clear.is_empty() {
            return Ok(hidden);
        }
        match self.any_of(state, &clear)? {
            None => Ok(value),
            Some(rows) => Ok(when(rows, value).otherwise(hidden)?),
        }
    }
}
