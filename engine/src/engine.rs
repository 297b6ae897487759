//! Engine: what all queries share, and the entrance to the walk.

mod running;
mod write;

pub use write::OpenWrite;

use crate::admission::Admission;
use crate::audit::{AuditLog, Record, Rolled};
use crate::beside::{Alone, Beside};
use crate::cache::ResultCache;
use crate::config::EngineConfig;
use crate::disk::{DiskCached, Shelf};
use crate::error::{EngineError, Result};
use crate::execute::CpuRuntime;
use crate::hot::HotColumns;
use crate::plan::{
    self, Keys, LocalCatalog, Outline, Plan, PlanKey, Planned, Planners, Prepared, RecentPlans, Run, Visible,
    Work,
};
use crate::policy::{self, DatasetExplanation, Grants, MaskKey, RecentPolicy, VisibleCounts};
use crate::request::{Query, QueryRequest};
use crate::session::{self, SpillFolder, StoreOnIo};
use crate::table::TableCache;
use basin_catalog::{AsOf, Catalog, DatasetName, Principal, SchemaName, Snapshot};
use chrono::Utc;
use datafusion::arrow::datatypes::Schema;
use datafusion::execution::session_state::SessionState;
use object_store::ObjectStore;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

/// Runs SQL against the snapshots of a catalog. Cheap to clone: clones share everything.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    /// What is known of the catalog since then is new enough; none: it is asked each time.
    since: Option<Instant>,
}

/// What the rooms share. Nothing in it changes what a query answers.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalog: Catalog,
    pub(crate) config: EngineConfig,
    pub(crate) io: Handle,
    pub(crate) cpu: CpuRuntime,
    pub(crate) template: SessionState,
    /// Removed after the environment that writes there.
    _spill: SpillFolder,
    pub(crate) cache: Arc<TableCache>,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) admission: Admission,
    pub(crate) planners: Planners,
    pub(crate) mask_key: OnceCell<MaskKey>,
    pub(crate) policy: Arc<RecentPolicy>,
    pub(crate) counts: Arc<VisibleCounts>,
    pub(crate) results: Arc<ResultCache>,
    pub(crate) plans: Arc<RecentPlans>,
    pub(crate) disk: Option<Arc<Shelf>>,
}

impl Engine {
    /// Starts an engine. The runtime that this is called on becomes its I/O runtime; computing happens on
    /// threads of its own.
    ///
    /// # Errors
    /// Internal when called outside a tokio runtime or when threads can't be started.
    pub fn new(catalog: Catalog, config: EngineConfig) -> Result<Self> {
        Self::beside(catalog, config, Arc::new(Alone))
    }

    /// Starts an engine as one of several processes of a server.
    ///
    /// # Errors
    /// As for [`Engine::new`].
    pub fn beside(catalog: Catalog, config: EngineConfig, beside: Arc<dyn Beside>) -> Result<Self> {
        let io = Handle::try_current()
            .map_err(|error| EngineError::internal("starting the engine outside a runtime", error))?;
        let store = catalog.store().objects();
        let disk = disk_cache(&catalog, &config)?;
        let cached: Arc<dyn ObjectStore> = match &disk {
            Some(shelf) => Arc::new(DiskCached::new(Arc::clone(&store), Arc::clone(shelf))),
            None => Arc::clone(&store),
        };
        let read_only: Arc<dyn ObjectStore> = Arc::new(StoreOnIo::new(cached, io.clone()));
        let spill = SpillFolder::make(config.spill_dir.as_deref())?;
        let env = session::runtime_env(&config, &spill, Arc::clone(&read_only))?;
        let template = session::template(&config, Arc::clone(&env))?;
        let folder = catalog.store().audit_path();
        let audit = AuditLog::start((store, folder), &io, longest(&config), beside);
        let cores = config.target_partitions;
        Ok(Self {
            since: None,
            shared: Arc::new(Shared {
                cpu: CpuRuntime::start(cores)?,
                cache: Arc::new(TableCache::new(
                    read_only,
                    env,
                    io.clone(),
                    HotColumns::of(config.hot_bytes),
                )),
                template,
                _spill: spill,
                audit: Arc::new(audit),
                admission: Admission::new(&config),
                planners: Planners::new(cores, io.clone(), config.planning_timeout),
                mask_key: OnceCell::new(),
                policy: Arc::new(RecentPolicy::of(&catalog)),
                counts: Arc::default(),
                results: Arc::new(ResultCache::new(config.result_cache_bytes)),
                plans: Arc::new(RecentPlans::new()),
                disk,
                catalog,
                config,
                io,
            }),
        })
    }

    /// Returns the same engine for a call that arrived at `moment`: the catalog is not asked again for what it said since.
    #[must_use]
    pub fn since(&self, moment: Instant) -> Self {
        Self { shared: Arc::clone(&self.shared), since: Some(moment) }
    }

    /// Returns the catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// Returns the number of queries that could start at once.
    #[must_use]
    pub fn free_places(&self) -> usize {
        self.shared.admission.free()
    }

    /// Plans a read-only statement with the values of its parameters.
    ///
    /// # Errors
    /// What is wrong with the statement, its parameters or the names in it.
    #[tracing::instrument(name = "plan", skip_all, fields(query_id = %request.query_id))]
    pub async fn plan(&self, request: QueryRequest) -> Result<Planned> {
        let mut audit = self.shared.audit.open(Record::of(&request)).await?;
        let longest = self.shared.config.query_timeout;
        let timeout = request.options.timeout.map_or(longest, |asked| asked.min(longest));
        let run = Run { query_id: request.query_id, timeout, part: request.options.part };
        let planned = async {
            let plan = self.planned(request).await?;
            match run.part {
                Some(_) if !plan.is_divisible() => {
                    Err(EngineError::sql("this query can't be fetched in parts"))
                }
                Some(_) | None => Ok(plan),
            }
        };
        match planned.await {
            Ok(plan) => Ok(Planned::new(run, &plan, audit, Arc::clone(&self.shared))),
            Err(error) => Err(audit.fail(log_internal(error)).await),
        }
    }

    async fn planned(&self, request: QueryRequest) -> Result<Arc<Plan>> {
        let states = self.states(&request.as_of).await?;
        let key = PlanKey::of(&request, &states.data, &states.policy);
        if let Some(plan) = key.as_ref().and_then(|key| self.shared.plans.get(key)) {
            return Ok(plan);
        }
        let parameters = request.parameters.clone();
        let local = self.local_of(&request.principal, states).await?;
        let work = plan::plan(self.work_on(local, request), parameters);
        let plan = Arc::new(self.shared.planners.run(work).await?);
        if let Some(key) = key {
            self.shared.plans.put(key, &plan);
        }
        Ok(plan)
    }

    /// Plans a statement without the values of its parameters. Nothing is executed, nothing audited.
    ///
    /// # Errors
    /// What is wrong with the statement or the names in it.
    #[tracing::instrument(name = "prepare", skip_all, fields(query_id = %request.query_id))]
    pub async fn prepare(&self, request: QueryRequest) -> Result<Prepared> {
        if self.is_change(&request) {
            return self.prepare_change(request).await;
        }
        if has_no_parameters(&request.query) {
            let plan = self.planned(request).await.map_err(log_internal)?;
            return Ok(plan.prepared());
        }
        let work = self.work(request).await?;
        let snapshot = Arc::clone(work.local.grants.snapshot());
        let Outline { schema, sources, parameters } =
            self.shared.planners.run(plan::prepare(work, None)).await.map_err(log_internal)?;
        Ok(Prepared { schema, sources, parameters, is_update: false, snapshot })
    }

    /// Tells whether a request is for a statement that changes something and not for a query.
    #[must_use]
    pub fn is_change(&self, request: &QueryRequest) -> bool {
        match &request.query {
            Query::Sql(sql) => plan::may_change(sql) && policy::has_sandbox(&request.principal),
            Query::Substrait(_) => false,
        }
    }

    async fn prepare_change(&self, request: QueryRequest) -> Result<Prepared> {
        let work = self.work(request.clone()).await?;
        let snapshot = Arc::clone(work.local.grants.snapshot());
        let write = plan::of_statement(work, request.principal.clone());
        let write = self.shared.planners.run(write).await.map_err(log_internal)?;
        let columns = write::written_columns(&snapshot, &write);
        let parameters = match write.change.into_query() {
            Some(sql) => {
                let work = self.work(QueryRequest { query: Query::Sql(sql), ..request }).await?;
                let outline = plan::prepare(work, columns);
                self.shared.planners.run(outline).await.map_err(log_internal)?.parameters
            }
            None => Schema::empty(),
        };
        let schema = Arc::new(Schema::empty());
        Ok(Prepared { schema, sources: Vec::new(), parameters, is_update: true, snapshot })
    }

    /// Lists what a principal may query, under the same grants as planning.
    ///
    /// # Errors
    /// The catalog's errors.
    pub async fn visible(&self, principal: &Principal, as_of: &AsOf) -> Result<Visible> {
        Visible::of(self.local(principal, as_of).await?).await
    }

    /// Tells the keys and references of what a principal may query.
    ///
    /// # Errors
    /// The catalog's errors.
    pub async fn keys(&self, principal: &Principal, as_of: &AsOf) -> Result<Keys> {
        Ok(Keys::of(&self.local(principal, as_of).await?.grants))
    }

    /// Checks that a principal may ask for access to a dataset.
    ///
    /// # Errors
    /// `NotFound` alike for one that is absent and for one that can't be asked for.
    pub async fn may_demand(&self, principal: &Principal, dataset: &DatasetName) -> Result<()> {
        self.local(principal, &AsOf::Latest).await?.grants.may_demand(dataset)
    }

    /// Tells what policy applies when a request's principal asks its statement, and why, in words for the officer. The
    /// statement is not run.
    ///
    /// # Errors
    /// What is wrong with the statement, for someone who sees all datasets.
    pub async fn explain_policy(&self, request: QueryRequest) -> Result<PolicyExplanation> {
        let operator = QueryRequest { principal: Principal::operator(), ..request.clone() };
        let plan =
            self.shared.planners.run(plan::plan(self.work(operator).await?, request.parameters.clone()));
        let names = plan.await?.into_datasets();
        let grants = Arc::clone(&self.local(&request.principal, &request.as_of).await?.grants);
        let states = grants.snapshot().datasets();
        let datasets =
            names.iter().filter_map(|name| Some(policy::explained(&grants, name, states.get(name)?)));
        let datasets = datasets.collect();
        let own = self.shared.planners.run(plan::plan(self.work(request.clone()).await?, request.parameters));
        let outcome = match own.await {
            Ok(_) => "the statement is answered under the limits above".to_owned(),
            Err(error) => format!("the statement is refused: {error}"),
        };
        Ok(PolicyExplanation { user: request.principal.user().to_string(), datasets, outcome })
    }

    /// Stops admitting queries and stores the audit records of those that ended. Call it when the streams
    /// have ended or are dropped.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn close(&self) -> Result<()> {
        self.shared.admission.close();
        self.shared.audit.flush().await?;
        self.shared.audit.beside().settled().await;
        Ok(())
    }

    /// Rolls the audit's records into its Delta table. A server does so by itself every few minutes.
    ///
    /// # Errors
    /// The store's errors; `Busy` when other servers keep doing the same.
    pub async fn roll_audit(&self) -> Result<Rolled> {
        self.shared.audit.roll().await
    }

    async fn work(&self, request: QueryRequest) -> Result<Work> {
        Ok(self.work_on(self.local(&request.principal, &request.as_of).await?, request))
    }

    fn work_on(&self, local: LocalCatalog, request: QueryRequest) -> Work {
        let max_bytes = self.shared.config.max_sql_bytes;
        let own = || SchemaName::sandbox_of(request.principal.user()).to_string();
        Work {
            local,
            max_bytes,
            template: self.shared.template.clone(),
            // Names without schema are the principal's own unless the query says otherwise.
            schema: request.options.schema.clone().unwrap_or_else(own),
            options: request.options,
            query: request.query,
        }
    }

    /// Read once: it never changes.
    async fn mask_key(&self) -> Result<MaskKey> {
        let read = async { Ok::<_, EngineError>(MaskKey::new(self.shared.catalog.mask_key().await?)) };
        self.shared.mask_key.get_or_try_init(|| read).await.copied()
    }

    async fn local(&self, principal: &Principal, as_of: &AsOf) -> Result<LocalCatalog> {
        self.local_of(principal, self.states(as_of).await?).await
    }

    async fn states(&self, as_of: &AsOf) -> Result<States> {
        let policy = match self.since {
            Some(moment) => self.shared.catalog.latest_since(moment).await?,
            None => self.shared.catalog.latest().await?,
        };
        let data = match as_of {
            AsOf::Latest => Arc::clone(&policy),
            AsOf::Snapshot(_) | AsOf::At(_) => self.shared.catalog.as_of(as_of).await?,
        };
        Ok(States { data, policy })
    }

    async fn local_of(&self, principal: &Principal, states: States) -> Result<LocalCatalog> {
        Ok(LocalCatalog {
            grants: Arc::new(Grants::of(principal, states.data, states.policy, Utc::now())),
            catalog: self.shared.catalog.clone(),
            cache: Arc::clone(&self.shared.cache),
            audit: Arc::clone(&self.shared.audit),
            mask_key: self.mask_key().await?,
            counts: Arc::clone(&self.shared.counts),
            results: Arc::clone(&self.shared.results),
            plans: Arc::downgrade(&self.shared.plans),
            disk: self.shared.disk.clone(),
            described: false,
        })
    }
}

/// The cache on disk that the configuration asks for. What is on a local disk already needs none.
fn disk_cache(catalog: &Catalog, config: &EngineConfig) -> Result<Option<Arc<Shelf>>> {
    let (Some(folder), false) = (&config.disk_cache_dir, catalog.store().is_local()) else { return Ok(None) };
    if config.disk_cache_bytes == 0 {
        return Ok(None);
    }
    let shelf = Shelf::open(folder, catalog.store().url().as_str(), config.disk_cache_bytes)?;
    Ok(Some(Arc::new(shelf)))
}

/// Tells, without reading the statement, whether it can't have parameters.
fn has_no_parameters(query: &Query) -> bool {
    match query {
        Query::Sql(sql) => !sql.contains(['?', '$']),
        Query::Substrait(_) => false,
    }
}

/// The state whose data is asked, and the one whose policy is in force.
struct States {
    data: Arc<Snapshot>,
    policy: Arc<Snapshot>,
}

/// What policy applies when a user asks a statement.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PolicyExplanation {
    /// Who asks.
    pub user: String,
    /// Each dataset of the statement.
    pub datasets: Vec<DatasetExplanation>,
    /// Whether the statement is answered, and if not, what the user is told.
    pub outcome: String,
}

/// The longest time from a query's planning to its last row.
fn longest(config: &EngineConfig) -> Duration {
    config.planning_timeout * 2 + config.queue_timeout + config.query_timeout
}

/// Writes to the log what the error's text keeps from its reader.
fn log_internal(error: EngineError) -> EngineError {
    if let EngineError::Internal { what, source } = &error {
        tracing::error!(what, ?source, "planning failed");
    }
    error
}
