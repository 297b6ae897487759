//! Files: a version of a Delta table as a list of Parquet files, read once and kept for good.

use super::order::{self, FileOrder};
use super::shape::Shape;
use super::statistics::{FileStats, of_type};
use crate::error::{EngineError, Result};
use crate::hot::HotColumns;
use basin_catalog::store_error;
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::LexOrdering;
use deltalake_core::DeltaTableError;
use deltalake_core::logstore::{StorageConfig, default_logstore};
use deltalake_core::table::state::DeltaTableState;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// Features of Delta tables that a plain Parquet scan reads correctly.
const READABLE_FEATURES: [&str; 1] = ["timestampNtz"];

/// Which version of which table, read as which columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TableKey {
    /// Folder of the Delta table in the store.
    pub(crate) folder: Path,
    /// Version in the Delta log.
    pub(crate) version: u64,
    /// Columns as SQL sees them, views inside.
    pub(crate) items: SchemaRef,
}

/// The files of a version.
#[derive(Debug)]
pub(super) struct TableFiles {
    pub(super) shape: Shape,
    pub(super) files: Vec<PartitionedFile>,
    /// Order of the rows in each file, when all files have it.
    pub(super) ordering: Option<LexOrdering>,
}

type Cell = Arc<OnceCell<Arc<TableFiles>>>;

/// The versions resolved so far. Exact without invalidation: a version never changes.
#[derive(Debug)]
pub(crate) struct TableCache {
    store: Arc<dyn ObjectStore>,
    env: Arc<RuntimeEnv>,
    io: Handle,
    hot: Option<Arc<HotColumns>>,
    versions: Mutex<HashMap<TableKey, Cell>>,
    orders: Arc<Mutex<BTreeMap<Path, Option<FileOrder>>>>,
}

impl TableCache {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        env: Arc<RuntimeEnv>,
        io: Handle,
        hot: Option<Arc<HotColumns>>,
    ) -> Self {
        Self { store, env, io, hot, versions: Mutex::default(), orders: Arc::default() }
    }

    /// Returns the columns in memory, when some are kept.
    pub(crate) fn hot(&self) -> Option<&Arc<HotColumns>> {
        self.hot.as_ref()
    }

    /// Returns the files of a version, reading the Delta log the first time.
    pub(super) async fn files(&self, key: &TableKey) -> Result<Arc<TableFiles>> {
        let cell = {
            let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(versions.entry(key.clone()).or_default())
        };
        let resolve = async {
            let (store, env) = (Arc::clone(&self.store), Arc::clone(&self.env));
            let (key, orders) = (key.clone(), Arc::clone(&self.orders));
            let read = async move {
                let mut table = read_log(&store, &key).await?;
                table.ordering = order::common(&store, &env, &table, &orders).await?;
                Ok(Arc::new(table))
            };
            match AbortOnDropHandle::new(self.io.spawn(read)).await {
                Ok(result) => result,
                Err(error) => Err(EngineError::internal("reading a dataset's file list", error)),
            }
        };
        cell.get_or_try_init(|| resolve).await.map(Arc::clone)
    }
}

async fn read_log(store: &Arc<dyn ObjectStore>, key: &TableKey) -> Result<TableFiles> {
    // The scheme is a name only: all requests go to the given store.
    let url = Url::parse(&format!("memory:///{}", key.folder))
        .map_err(|error| EngineError::internal("naming a dataset's folder", error))?;
    let prefixed = Arc::new(PrefixStore::new(Arc::clone(store), key.folder.clone()));
    let log = default_logstore(prefixed, Arc::clone(store), &url, &StorageConfig::default());
    let state = DeltaTableState::try_new(log.as_ref(), Some(key.version)).await.map_err(delta)?;
    check_protocol(&state)?;
    let shape = Shape::new(&key.items, state.metadata().partition_columns())?;
    let mut files = Vec::new();
    for view in state.log_data().iter() {
        let partition = partition_values(&shape, &view.partition_values_map())?;
        let bytes = view.size().unsigned_abs();
        let stats = FileStats::parse(view.stats().as_deref());
        let location = Path::parse(format!("{}/{}", key.folder, view.object_store_path()))
            .map_err(|error| EngineError::Corrupt { source: Box::new(error) })?;
        let mut file = PartitionedFile::new_from_meta(ObjectMeta {
            location,
            last_modified: modified(view.modification_time()),
            size: bytes,
            e_tag: None,
            version: None,
        })
        .with_partition_values(partition);
        let columns = stats.columns(shape.scan.table_schema(), &file.partition_values, bytes);
        file.statistics = Some(Arc::new(columns));
        files.push(file);
    }
    // The log lists the newest first; a fixed order makes plans repeatable.
    files.sort_by(|a, b| a.object_meta.location.cmp(&b.object_meta.location));
    Ok(TableFiles { shape, files, ordering: None })
}

fn modified(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

fn partition_values(shape: &Shape, values: &HashMap<String, Option<String>>) -> Result<Vec<ScalarValue>> {
    let mut row = Vec::with_capacity(shape.partition_fields().len());
    for field in shape.partition_fields() {
        let value = match values.get(field.name()).cloned().flatten() {
            None => ScalarValue::try_from(field.data_type())?,
            Some(text) => of_type(text, field.data_type()).ok_or_else(|| EngineError::Corrupt {
                source: format!("partition value of {} is no {}", field.name(), field.data_type()).into(),
            })?,
        };
        row.push(value);
    }
    Ok(row)
}

/// Refuses tables whose files alone don't tell the rows (deletion vectors, column mapping …).
fn check_protocol(state: &DeltaTableState) -> Result<()> {
    let protocol = state.protocol();
    let readable = match protocol.min_reader_version() {
        1 => true,
        3 => protocol
            .reader_features()
            .unwrap_or_default()
            .iter()
            .all(|feature| READABLE_FEATURES.contains(&feature.as_ref())),
        _ => false,
    };
    if readable {
        return Ok(());
    }
    Err(EngineError::NotSupported(
        "the dataset's Delta table uses reader features beyond plain Parquet (such as deletion vectors or \
         column mapping)"
            .to_owned(),
    ))
}

fn delta(error: DeltaTableError) -> EngineError {
    match fails_in_store(&error) {
        true => EngineError::Store { source: Box::new(error) },
        false => EngineError::Corrupt { source: Box::new(error) },
    }
}

/// Whether a Delta log could not be read because the store failed, and not because it is damaged.
pub(crate) fn fails_in_store(error: &DeltaTableError) -> bool {
    let found = match error {
        // The one error of the kernel that does not name its cause.
        DeltaTableError::KernelError(buoyant_kernel::Error::ObjectStore(source)) => Some(source),
        other => store_error(other),
    };
    found.is_some_and(|error| !matches!(error, object_store::Error::NotFound { .. }))
}
