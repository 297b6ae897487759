//! Providers: the tables of one snapshot, as one principal sees them, in DataFusion's terms. A table that
//! is not visible is not there.

use super::recent::RecentPlans;
use crate::audit::AuditLog;
use crate::cache::{Reading, ResultCache};
use crate::disk::Shelf;
use crate::error::Result;
use crate::policy::{Grants, MaskKey, Rules, View, VisibleCounts};
use crate::session::CATALOG;
use crate::system::{self, REJECTS, SystemTable, SystemTableKind};
use crate::table::{TableCache, TableKey, VersionTable};
use async_trait::async_trait;
use basin_catalog::{Catalog, DatasetName, RollupState};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, Session};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::functions_table::generate_series::GenerateSeriesTable;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

/// The local catalog as one principal sees it.
#[derive(Debug, Clone)]
pub(crate) struct LocalCatalog {
    pub(crate) grants: Arc<Grants>,
    pub(crate) catalog: Catalog,
    pub(crate) cache: Arc<TableCache>,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) mask_key: MaskKey,
    pub(crate) counts: Arc<VisibleCounts>,
    pub(crate) results: Arc<ResultCache>,
    /// A kept plan has this catalog in it.
    pub(crate) plans: Weak<RecentPlans>,
    pub(crate) disk: Option<Arc<Shelf>>,
    /// Columns only, in the types that clients get: for information_schema.
    pub(crate) described: bool,
}

impl LocalCatalog {
    /// Returns the same catalog with columns in the types that clients get.
    pub(super) fn described(&self) -> Self {
        Self { described: true, ..self.clone() }
    }

    fn dataset(&self, name: &DatasetName) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(view) = self.grants.dataset(name) else { return Ok(None) };
        if self.described {
            return Ok(Some(Arc::new(EmptyTable::new(view.definition().arrow_schema()))));
        }
        self.grants.policy().check_kept(view.state())?;
        let rules = Rules::of(&view, &self.grants, self.mask_key, &self.counts).map(Arc::new);
        let table = Arc::new(self.version(name, &view));
        let of = ScanOf::Dataset(name.clone());
        Ok(Some(Arc::new(DatasetTable { table, of, grants: Arc::clone(&self.grants), rules })))
    }

    /// Returns the table of a rollup of a dataset that is seen as a whole.
    pub(crate) fn rollup(&self, rollup: &RollupState, schema: SchemaRef) -> Option<Arc<dyn TableProvider>> {
        let (declared, made) = (&rollup.declared, rollup.made.as_ref()?);
        let key = TableKey {
            folder: self.catalog.store().rollup_path(&declared.dataset, &declared.name),
            version: made.table_version,
            items: SchemaRef::clone(&schema),
        };
        let table = VersionTable::new(schema, Some(key), BTreeMap::new(), Arc::clone(&self.cache));
        let of = ScanOf::Rollup(declared.dataset.clone());
        Some(Arc::new(DatasetTable::whole(Arc::new(table), of, &self.grants)))
    }

    fn version(&self, name: &DatasetName, view: &View) -> VersionTable {
        let schema = view.raw_schema();
        let current = view.state().current();
        let key = current.map(|version| TableKey {
            folder: self.catalog.store().data_path(name),
            version: version.table_version,
            items: SchemaRef::clone(&schema),
        });
        let distinct = current.map(|version| version.distinct.clone()).unwrap_or_default();
        let table = VersionTable::new(schema, key, distinct, Arc::clone(&self.cache));
        // Sizes and bounds of files are of hidden rows too, and the order of the visible ones would tell of them.
        if view.is_whole() { table } else { table.by_name() }
    }

    fn system(&self, schema: &str, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let table: Arc<dyn TableProvider> = match SystemTableKind::of(schema, name) {
            Some(kind) => Arc::new(SystemTable::new(kind, self)?),
            None if schema == system::SCHEMA && name == REJECTS => {
                system::rejects_table(&self.grants, &self.catalog, &self.cache)?
            }
            None => return Ok(None),
        };
        if self.described {
            let plain = crate::output::plain_schema(&table.schema());
            return Ok(Some(Arc::new(EmptyTable::new(plain))));
        }
        Ok(Some(table))
    }

    fn information(&self) -> InformationSchemaProvider {
        InformationSchemaProvider::new(Arc::new(self.described()))
    }
}

impl CatalogProviderList for LocalCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(self.clone()) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for LocalCatalog {
    fn schema_names(&self) -> Vec<String> {
        let schemas = self.grants.visible().map(|(name, _)| name.schema().to_owned());
        let all: BTreeSet<String> =
            schemas.chain([system::SCHEMA.to_owned(), INFORMATION_SCHEMA.to_owned()]).collect();
        all.into_iter().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == INFORMATION_SCHEMA {
            return Some(Arc::new(Information { inner: self.information(), local: self.clone() }));
        }
        let known =
            name == system::SCHEMA || self.grants.visible().any(|(dataset, _)| dataset.schema() == name);
        known.then(|| {
            Arc::new(LocalSchema { catalog: self.clone(), name: name.to_owned() }) as Arc<dyn SchemaProvider>
        })
    }
}

#[derive(Debug)]
struct LocalSchema {
    catalog: LocalCatalog,
    name: String,
}

#[async_trait]
impl SchemaProvider for LocalSchema {
    fn table_names(&self) -> Vec<String> {
        if self.name == system::SCHEMA {
            let names = SystemTableKind::of_schema(system::SCHEMA).map(SystemTableKind::name);
            return names.chain([REJECTS]).map(ToOwned::to_owned).collect();
        }
        let visible = self.catalog.grants.visible();
        visible
            .filter(|(dataset, _)| dataset.schema() == self.name)
            .map(|(dataset, _)| dataset.name().to_owned())
            .collect()
    }

    async fn table(&self, name: &str) -> datafusion::common::Result<Option<Arc<dyn TableProvider>>> {
        if self.name == system::SCHEMA {
            return Ok(self.catalog.system(system::SCHEMA, name)?);
        }
        let dataset = format!("{}.{name}", self.name).parse::<DatasetName>().ok();
        Ok(dataset.map(|dataset| self.catalog.dataset(&dataset)).transpose()?.flatten())
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}

/// DataFusion's information_schema without the engine's settings, and with the tables of constraints.
#[derive(Debug)]
struct Information {
    inner: InformationSchemaProvider,
    local: LocalCatalog,
}

#[async_trait]
impl SchemaProvider for Information {
    fn table_names(&self) -> Vec<String> {
        let ours = SystemTableKind::of_schema(INFORMATION_SCHEMA).map(|kind| kind.name().to_owned());
        let theirs = self.inner.table_names().into_iter();
        theirs.filter(|name| system::in_information_schema(name)).chain(ours).collect()
    }

    async fn table(&self, name: &str) -> datafusion::common::Result<Option<Arc<dyn TableProvider>>> {
        if !system::in_information_schema(name) {
            return Ok(None);
        }
        match self.local.system(INFORMATION_SCHEMA, name)? {
            Some(table) => Ok(Some(table)),
            None => self.inner.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        system::in_information_schema(name)
    }
}

/// What a scan reads, for the check that authorises it.
#[derive(Debug, Clone)]
pub(crate) enum ScanOf {
    /// The data of a dataset.
    Dataset(DatasetName),
    /// The rejected rows of a dataset.
    Rejects(DatasetName),
    /// A rollup of all rows of a dataset.
    Rollup(DatasetName),
    /// Nothing but columns.
    System,
}

/// A dataset's table together with the grants it was made under.
#[derive(Debug)]
pub(crate) struct DatasetTable {
    table: Arc<VersionTable>,
    of: ScanOf,
    grants: Arc<Grants>,
    /// What limits the scan; none: all of it is read.
    rules: Option<Arc<Rules>>,
}

impl DatasetTable {
    /// A table of what is read as a whole.
    pub(crate) fn whole(table: Arc<VersionTable>, of: ScanOf, grants: &Arc<Grants>) -> Self {
        Self { table, of, grants: Arc::clone(grants), rules: None }
    }

    /// Returns the rules of the scan, if there are any.
    pub(crate) fn rules(&self) -> Option<&Arc<Rules>> {
        self.rules.as_ref()
    }

    /// Returns the same table under other rules.
    pub(crate) fn under(&self, rules: Rules) -> Self {
        Self {
            table: Arc::clone(&self.table),
            of: self.of.clone(),
            grants: Arc::clone(&self.grants),
            rules: Some(Arc::new(rules)),
        }
    }

    /// Tells a scan of it from any that gives other rows; none when what it reads has no versions of its own.
    pub(crate) fn reading(&self) -> Option<Reading> {
        let name = match &self.of {
            ScanOf::Dataset(name) => name,
            // A key is of the plan before rollups answer it.
            ScanOf::Rejects(_) | ScanOf::Rollup(_) | ScanOf::System => return None,
        };
        let view = self.grants.dataset(name)?;
        let rules = self.rules.as_ref().map(|rules| rules.identity());
        Some(Reading::of(name, view.state().current(), view.raw_schema(), rules))
    }

    /// Returns what a scan reads.
    pub(crate) fn of(&self) -> &ScanOf {
        &self.of
    }
}

/// Tells whether a table may be scanned under `grants`. Kinds of tables not listed here may not.
pub(crate) fn is_granted(provider: &dyn TableProvider, grants: &Arc<Grants>) -> bool {
    if let Some(table) = provider.downcast_ref::<DatasetTable>() {
        return Arc::ptr_eq(&table.grants, grants)
            && match &table.of {
                ScanOf::Dataset(name) => {
                    grants.dataset(name).is_some_and(|view| view.is_whole() || table.rules.is_some())
                }
                ScanOf::Rejects(name) | ScanOf::Rollup(name) => {
                    grants.dataset(name).is_some_and(|view| view.is_whole())
                }
                ScanOf::System => true,
            };
    }
    if let Some(table) = provider.downcast_ref::<SystemTable>() {
        return table.is_of(grants);
    }
    // information_schema, WITH RECURSIVE, generate_series: they hold no data of datasets.
    provider.is::<StreamingTable>() || provider.is::<CteWorkTable>() || provider.is::<GenerateSeriesTable>()
}

#[async_trait]
impl TableProvider for DatasetTable {
    fn schema(&self) -> SchemaRef {
        self.rules.as_ref().map_or_else(|| self.table.schema(), |rules| SchemaRef::clone(rules.schema()))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::common::Result<Vec<TableProviderFilterPushDown>> {
        let Some(rules) = &self.rules else { return self.table.supports_filters_pushdown(filters) };
        // A filter below a policy is applied there: above the barrier nothing of it would be left to do.
        let below = |filter: &&Expr| match rules.may_go_below(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(below).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        match &self.rules {
            None => self.table.scan(state, projection, filters, limit).await,
            Some(rules) => Ok(rules.scan(&self.table, state, projection, filters).await?),
        }
    }
}
