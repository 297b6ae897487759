//! The Delta log of a table: reading a version's files, and committing a target list of files.
//!
//! A commit is always the difference between the newest version in the log and the target, so that
//! what a crashed run left in the log is superseded. The log is no publication: only the catalog's
//! commit makes a version visible in Basin.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake_core::kernel::transaction::{CommitData, TransactionError};
use deltalake_core::kernel::{Action, Add, LogicalFileView, Metadata, MetadataExt, Protocol, new_metadata};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::protocol::{DeltaOperation, SaveMode, checkpoints::create_checkpoint};
use deltalake_core::table::state::DeltaTableState;
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;
use uuid::Uuid;

use super::storage::delta_schema;
use super::{Counts, FileSet, TableFile};
use crate::{DatasetsError, Result};

/// A checkpoint is written every so many versions (Delta's own default).
const CHECKPOINT_EVERY: u64 = 10;
/// The tag of a file that says where its sketches of distinct values are: `OFFSET:BYTES`.
const COUNTS_TAG: &str = "basin.distinct";
/// The tag of a file with the XXH64 of its bytes, in hexadecimal digits.
const CHECKSUM_TAG: &str = "basin.xxh64";
/// Losing the race for a version this often means that something else is wrong.
const MAX_ATTEMPTS: u32 = 50;
/// Requests for one version, when replies are lost.
const MAX_REQUESTS: u32 = 4;
const REQUEST_PAUSE: Duration = Duration::from_millis(100);

/// What a table should look like, apart from its files.
#[derive(Debug, Clone)]
pub(crate) struct TableShape {
    /// Schema of the Parquet files.
    pub(crate) schema: SchemaRef,
    /// Partition columns.
    pub(crate) partition: Vec<String>,
}

/// Reads several versions of a table, from old to new, each from the one before.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    table: &'a DeltaTable,
    state: Option<DeltaTableState>,
}

impl Walk<'_> {
    /// Lists the files of a version, which is not older than the last.
    ///
    /// # Errors
    /// As [`DeltaTable::files`]; the next version is read from the log's begin then.
    pub(crate) async fn files(&mut self, version: u64) -> Result<FileSet> {
        let state = match self.state.take() {
            None => self.table.state(Some(version)).await?,
            Some(mut state) => {
                state.update(self.table.log.as_ref(), Some(version)).await?;
                state
            }
        };
        file_set(self.state.insert(state))
    }
}

/// The Delta table of one folder of the store.
#[derive(Debug)]
pub(crate) struct DeltaTable {
    log: LogStoreRef,
    folder: Path,
}

impl DeltaTable {
    /// Opens a folder; the table need not exist yet.
    ///
    /// # Errors
    /// An internal error when the folder makes no URL.
    pub(crate) fn open(store: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Self> {
        // Only a name: all requests go to the given store. The kernel sorts listings only for hosts that it
        // knows to list without order, such as S3 directory buckets; local folders list without order too.
        let url = Url::parse(&format!("memory://basin--x-s3/{folder}"))
            .map_err(|error| DeltaTableError::generic(error.to_string()))?;
        let root = Arc::clone(store);
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(&root), folder.clone()));
        let log = default_logstore(prefixed, root, &url, &StorageConfig::default());
        Ok(Self { log, folder: folder.clone() })
    }

    /// Lists the files of a version.
    ///
    /// # Errors
    /// The store's errors; a version that does not exist.
    pub(crate) async fn files(&self, version: u64) -> Result<FileSet> {
        file_set(&self.state(Some(version)).await?)
    }

    /// Starts to read several versions.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk { table: self, state: None }
    }

    /// Makes the newest version hold what an earlier one holds, or nothing, when it holds anything else.
    ///
    /// # Errors
    /// The store's errors.
    pub(crate) async fn supersede(&self, published: Option<u64>) -> Result<u64> {
        let version = published.unwrap_or_default();
        let state = self.state(Some(version)).await?;
        let target = if published.is_some() { file_set(&state)? } else { FileSet::new() };
        let schema: Schema = state.schema().as_ref().try_into_arrow()?;
        let partition = state.metadata().partition_columns().to_vec();
        self.commit(&target, &TableShape { schema: Arc::new(schema), partition }).await
    }

    /// Makes the newest version hold exactly the target files; gives its version number.
    ///
    /// # Errors
    /// The store's errors, and a refusal when the partition columns would change.
    pub(crate) async fn commit(&self, target: &FileSet, shape: &TableShape) -> Result<u64> {
        for attempt in 0..MAX_ATTEMPTS {
            let latest = self.latest().await?;
            let version = latest.as_ref().map_or(0, |state| state.version() + 1);
            let actions = actions(latest.as_ref(), target, shape)?;
            if let (Some(state), true) = (&latest, actions.is_empty()) {
                return Ok(state.version());
            }
            if self.write(version, actions, shape).await? {
                self.checkpoint(version).await;
                return Ok(version);
            }
            tracing::debug!(folder = %self.folder, version, attempt, "delta version taken, trying the next");
            tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 7)).await;
        }
        Err(DeltaTableError::from(TransactionError::MaxCommitAttempts(MAX_ATTEMPTS as i32)).into())
    }

    async fn latest(&self) -> Result<Option<DeltaTableState>> {
        if self.log.is_delta_table_location().await? { Ok(Some(self.state(None).await?)) } else { Ok(None) }
    }

    async fn state(&self, version: Option<u64>) -> Result<DeltaTableState> {
        Ok(DeltaTableState::try_new(self.log.as_ref(), version).await?)
    }

    /// Creates a version; false when another writer has it. A lost reply is resolved by reading back.
    async fn write(&self, version: u64, actions: Vec<Action>, shape: &TableShape) -> Result<bool> {
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: (!shape.partition.is_empty()).then(|| shape.partition.clone()),
            predicate: None,
        };
        // The id makes every commit's bytes unique.
        let id = Uuid::now_v7();
        let info = HashMap::from([("basinCommit".to_owned(), id.to_string().into())]);
        let bytes = CommitData::new(actions, operation, info, Vec::new())
            .get_bytes()
            .map_err(DeltaTableError::from)?;
        let mut request = 0;
        loop {
            request += 1;
            let entry = CommitOrBytes::LogBytes(bytes.clone());
            let Err(error) = self.log.write_commit_entry(version, entry, id).await else { return Ok(true) };
            // The store's client may have repeated a request whose reply was lost: what is there tells whose it is.
            if let Ok(Some(stored)) = self.log.read_commit_entry(version).await {
                return Ok(stored == bytes);
            }
            // Repeating is safe: only one entry of a version can ever be created.
            if request == MAX_REQUESTS {
                return Err(DeltaTableError::from(error).into());
            }
            tracing::warn!(folder = %self.folder, version, request, %error, "no reply to a delta commit, trying again");
            tokio::time::sleep(REQUEST_PAUSE.mul_f64(rand::random::<f64>() * f64::from(request))).await;
        }
    }

    /// Writes a checkpoint now and then; a failure only makes opening slower.
    async fn checkpoint(&self, version: u64) {
        if version == 0 || !version.is_multiple_of(CHECKPOINT_EVERY) {
            return;
        }
        let mut table = deltalake_core::DeltaTable::new(Arc::clone(&self.log));
        let result = match table.load_version(version).await {
            Ok(()) => create_checkpoint(&table, None).await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!(folder = %self.folder, version, %error, "delta checkpoint not written");
        }
    }
}

fn file_set(state: &DeltaTableState) -> Result<FileSet> {
    let mut files = FileSet::new();
    for view in state.log_data().iter() {
        let path = view.path().into_owned();
        let rows = view
            .num_records()
            .ok_or_else(|| DatasetsError::internal(format!("the delta log has no row count for {path}")))?;
        let tags = tags(&view);
        let tag = |name| tags.get(name)?.as_deref();
        let file = TableFile {
            size_bytes: view.size().unsigned_abs(),
            rows: rows as u64,
            modified_ms: view.modification_time(),
            partition: view.partition_values_map().into_iter().collect(),
            stats: view.stats().unwrap_or_default(),
            counts: tag(COUNTS_TAG).and_then(counts),
            checksum: tag(CHECKSUM_TAG).and_then(|hex| u64::from_str_radix(hex, 16).ok()),
            path: path.clone(),
        };
        files.insert(path, file);
    }
    Ok(files)
}

/// The difference between the newest version and the target.
fn actions(latest: Option<&DeltaTableState>, target: &FileSet, shape: &TableShape) -> Result<Vec<Action>> {
    let mut actions = Vec::new();
    let present = latest.map(file_set).transpose()?.unwrap_or_default();
    shape_actions(latest, shape, &mut actions)?;
    if let Some(state) = latest {
        for view in state.log_data().iter() {
            if !target.contains_key(view.path().as_ref()) {
                actions.push(view.remove_action(true).into());
            }
        }
    }
    let new = target.iter().filter(|(path, _)| !present.contains_key(*path));
    actions.extend(new.map(|(_, file)| Action::Add(add(file))));
    Ok(actions)
}

/// Protocol and metadata where they are absent or differ.
fn shape_actions(
    latest: Option<&DeltaTableState>,
    shape: &TableShape,
    actions: &mut Vec<Action>,
) -> Result<()> {
    let schema = delta_schema(&shape.schema)?;
    let needs_ntz = shape.schema.fields().iter().any(|field| has_local_timestamp(field.data_type()));
    let Some(state) = latest else {
        actions.push(protocol(needs_ntz)?.into());
        actions.push(
            new_metadata(&schema, &shape.partition, configuration()).map_err(DeltaTableError::from)?.into(),
        );
        return Ok(());
    };
    let metadata: &Metadata = state.metadata();
    if *metadata.partition_columns() != shape.partition {
        return Err(DatasetsError::Refused {
            reason: format!(
                "the table is partitioned by [{}] and the manifest says [{}]; a dataset's partition can't change: \
                 apply the manifest under a new name",
                metadata.partition_columns().join(", "),
                shape.partition.join(", ")
            ),
        });
    }
    if state.schema().as_ref() != &schema {
        if needs_ntz && state.protocol().min_reader_version() < 3 {
            actions.push(protocol(true)?.into());
        }
        actions.push(metadata.clone().with_schema(&schema).map_err(DeltaTableError::from)?.into());
    }
    Ok(())
}

/// Plain reader 1, writer 2, unless a timestamp without time zone needs its feature.
fn protocol(needs_ntz: bool) -> Result<Protocol> {
    let value = if needs_ntz {
        serde_json::json!({
            "minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"],
        })
    } else {
        serde_json::json!({ "minReaderVersion": 1, "minWriterVersion": 2 })
    };
    serde_json::from_value(value).map_err(|error| DatasetsError::internal(error.to_string()))
}

/// Older versions stay readable: neither log entries nor files ever expire by themselves.
fn configuration() -> [(&'static str, &'static str); 4] {
    [
        ("delta.dataSkippingNumIndexedCols", "-1"),
        ("delta.logRetentionDuration", "interval 36500 days"),
        ("delta.deletedFileRetentionDuration", "interval 36500 days"),
        ("delta.enableExpiredLogCleanup", "false"),
    ]
}

fn has_local_timestamp(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(_, None) => true,
        DataType::List(element) => has_local_timestamp(element.data_type()),
        _ => false,
    }
}

#[expect(deprecated, reason = "the only way to a file's tags that does not take the log's arrays apart")]
fn tags(view: &LogicalFileView) -> HashMap<String, Option<String>> {
    view.add_action().tags.unwrap_or_default()
}

/// A tag of another form is none.
fn counts(tag: &str) -> Option<Counts> {
    let (offset, bytes) = tag.split_once(':')?;
    Some(Counts { offset: offset.parse().ok()?, bytes: bytes.parse().ok()? })
}

fn add(file: &TableFile) -> Add {
    let counts = file.counts.map(|counts| (COUNTS_TAG, format!("{}:{}", counts.offset, counts.bytes)));
    let checksum = file.checksum.map(|checksum| (CHECKSUM_TAG, format!("{checksum:016x}")));
    let tags: HashMap<String, Option<String>> =
        counts.into_iter().chain(checksum).map(|(name, value)| (name.to_owned(), Some(value))).collect();
    Add {
        path: file.path.clone(),
        partition_values: file.partition.clone().into_iter().collect(),
        size: file.size_bytes as i64,
        modification_time: file.modified_ms,
        data_change: true,
        stats: Some(file.stats.clone()),
        tags: (!tags.is_empty()).then_some(tags),
        ..Add::default()
    }
}

/// Columns of a stored schema by name, or an internal error.
pub(super) fn column_indices(schema: &Schema, names: &[String]) -> Result<Vec<usize>> {
    names.iter().map(|name| schema.index_of(name).map_err(DatasetsError::from)).collect()
}
