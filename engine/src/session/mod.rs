//! Session: how DataFusion is set up. One runtime environment for the engine (memory pool, spill disk,
//! caches, Basin's own store and no other) and one template of a session, copied for each query.
//! It decides nothing about data or policy.

mod bounded;
mod budget;
mod spill;
mod store;

pub(crate) use spill::SpillFolder;
pub(crate) use store::StoreOnIo;

use crate::config::EngineConfig;
use crate::error::Result;
use crate::request::QueryOptions;
use datafusion::config::SpillCompression;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The name of the catalog in SQL.
pub const CATALOG: &str = "basin";

/// Scheme under which Basin's store is known inside the engine; it never leaves it.
const STORE_URL: &str = "basin://store/";

/// Consumers that the pool names when memory runs out, for the log.
const TRACKED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

/// Nesting of parentheses and subqueries that the parser follows.
pub(crate) const MAX_NESTING: usize = 128;

/// Footers of Parquet files kept in memory. The default of 50 MB holds about 1,000 wide files.
const FOOTER_CACHE_BYTES: usize = 512 * 1024 * 1024;

/// Smaller sides of joins up to this size are built once and not distributed; docs/performance.md says what it is worth.
const SHARED_BUILD_BYTES: usize = 64 * 1024 * 1024;
/// The same in rows: building is done by one thread.
const SHARED_BUILD_ROWS: usize = 1_000_000;

/// Span of keys, of 4 bytes each, that a join may address directly whatever the number of its rows.
const DIRECT_KEYS: usize = 1_000_000;
/// Beyond it, the part of the span that must be keys: at most 133 bytes a row.
const DIRECT_KEY_DENSITY: f64 = 0.03;

/// Data up to this size is read by one thread: dividing it costs more than it saves, and other queries want the cores.
const ONE_THREAD_BYTES: u64 = 16 * 1024 * 1024;

/// Returns the internal URL of Basin's store.
pub(crate) fn store_url() -> Result<ObjectStoreUrl> {
    Ok(ObjectStoreUrl::parse(STORE_URL)?)
}

/// Makes the runtime environment that all queries share.
#[expect(
    clippy::disallowed_methods,
    reason = "this room owns the registration of Basin's own store, the only one the engine can reach"
)]
pub(crate) fn runtime_env(
    config: &EngineConfig,
    spill: &SpillFolder,
    store: Arc<dyn ObjectStore>,
) -> Result<Arc<RuntimeEnv>> {
    let mode = DiskManagerMode::Directories(vec![spill.path()]);
    let pool = TrackConsumersPool::new(FairSpillPool::new(config.memory_bytes), TRACKED);
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(config.spill_bytes),
        )
        .with_metadata_cache_limit(FOOTER_CACHE_BYTES)
        .with_object_store_registry(Arc::new(store::OnlyOurs::default()))
        .build_arc()?;
    env.register_object_store(store_url()?.as_ref(), store);
    Ok(env)
}

/// Makes the session that each query copies.
///
/// # Errors
/// Internal when a function of DataFusion is not there.
pub(crate) fn template(config: &EngineConfig, env: Arc<RuntimeEnv>) -> Result<SessionState> {
    let mut session = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, "unqualified")
        .with_information_schema(false)
        .with_target_partitions(config.target_partitions)
        .with_batch_size(config.batch_rows);
    let options = session.options_mut();
    options.sql_parser.collect_spans = true;
    options.execution.collect_statistics = true;
    options.execution.spill_compression = SpillCompression::Lz4Frame;
    // Timestamps without a zone stay so; the server's own zone must not show in results.
    options.execution.time_zone = None;
    // One table of the smaller side for all, so that the larger one need not be distributed first.
    options.optimizer.hash_join_single_partition_threshold = SHARED_BUILD_BYTES;
    options.optimizer.hash_join_single_partition_threshold_rows = SHARED_BUILD_ROWS;
    // Keys of a join are looked for in its table: a list of them would be hashed and compared once more.
    options.optimizer.hash_join_inlist_pushdown_max_size = 0;
    // Whole numbers as keys are found by their place, not by their hash, while that takes little memory for each.
    options.execution.perfect_hash_join_small_build_threshold = DIRECT_KEYS;
    options.execution.perfect_hash_join_min_key_density = DIRECT_KEY_DENSITY;
    let mut state = SessionStateBuilder::new()
        .with_config(session)
        .with_runtime_env(env)
        .with_default_features()
        .with_query_planner(crate::policy::planner())
        // The default formats and factories read and write files that a statement names.
        .with_file_formats(vec![])
        .with_table_factories(std::collections::HashMap::new())
        .build();
    bounded::bound(&mut state, config.max_built_bytes)?;
    Ok(state)
}

/// Lets a query that reads so little run on one thread.
pub(crate) fn fit(state: &mut SessionState, read_bytes: u64) {
    if read_bytes <= ONE_THREAD_BYTES {
        state.config_mut().options_mut().execution.target_partitions = 1;
    }
}

/// Begins the session of one query. With a budget, its operators spill or fail beyond that part of the shared memory;
/// fetched in parts, its scan is divided into as many and in no other way.
pub(crate) fn of_query(
    template: SessionState,
    schema: &str,
    options: &QueryOptions,
) -> Result<SessionStateBuilder> {
    let mut config = template.config().clone();
    schema.clone_into(&mut config.options_mut().catalog.default_schema);
    if let Some(part) = options.part {
        // A partition that runs alone would take over the files of the others.
        config.options_mut().execution.enable_file_stream_work_stealing = false;
        config = config
            .with_target_partitions(part.of)
            .with_round_robin_repartition(false)
            .with_repartition_file_min_size(0);
    }
    let shared = Arc::clone(template.runtime_env());
    let mut builder = SessionStateBuilder::new_from_existing(template).with_config(config);
    if let Some(bytes) = options.memory_bytes {
        let pool = budget::Budget::of(&shared.memory_pool, bytes);
        let env =
            RuntimeEnvBuilder::from_runtime_env(&shared).with_memory_pool(Arc::new(pool)).build_arc()?;
        builder = builder.with_runtime_env(env);
    }
    Ok(builder)
}
