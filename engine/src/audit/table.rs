//! Table: the audit's folder as a Delta table, partitioned by day. Plain Parquet, for any reader of Delta Lake.
//!
//! It reads versions and commits changes; what a change is, `roll` decides.

use super::columns::{KEY, stored_schema};
use super::fault;
use super::journal::unavailable;
use crate::error::{EngineError, Result};
use crate::table::fails_in_store;
use chrono::{DateTime, Days, NaiveDate, Utc};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::CommitData;
use deltalake_core::kernel::{Action, Add, MetadataExt, Protocol, StructType, new_metadata};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::protocol::{DeltaOperation, SaveMode, checkpoints};
use deltalake_core::table::state::DeltaTableState;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// The partition column.
pub(super) const DAY: &str = "day";
/// A checkpoint is written every so many versions (Delta's own default).
const CHECKPOINT_EVERY: u64 = 10;
/// How long a replaced file stays for those who read an older version.
const REPLACED_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long the log's entries stay that a checkpoint has made superfluous.
const LOG_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The Delta table of one audit.
#[derive(Debug)]
pub(super) struct AuditTable {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) folder: Path,
    log: LogStoreRef,
}

/// A file of a version.
#[derive(Debug, Clone)]
pub(super) struct TableFile {
    /// From the table's folder.
    pub(super) path: String,
    pub(super) location: Path,
    pub(super) day: NaiveDate,
    pub(super) bytes: u64,
    /// The least and the greatest key, when the log tells.
    pub(super) keys: Option<(String, String)>,
}

/// What a commit changes.
#[derive(Debug, Default)]
pub(super) struct TableChange {
    pub(super) added: Vec<Add>,
    /// Paths as in [`TableFile::path`].
    pub(super) removed: BTreeSet<String>,
}

impl AuditTable {
    pub(super) fn open(store: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Self> {
        // Only a name: all requests go to the given store. The kernel sorts listings only for hosts that it
        // knows to list without order, such as S3 directory buckets; local folders list without order too.
        let url = Url::parse(&format!("memory://basin--x-s3/{folder}")).map_err(fault)?;
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(store), folder.clone()));
        let log = default_logstore(prefixed, Arc::clone(store), &url, &StorageConfig::default());
        Ok(Self { store: Arc::clone(store), folder: folder.clone(), log })
    }

    /// Reads the newest version; none when nothing was rolled yet.
    pub(super) async fn latest(&self) -> Result<Option<DeltaTableState>> {
        if !self.log.is_delta_table_location().await.map_err(delta)? {
            return Ok(None);
        }
        let state = DeltaTableState::try_new(self.log.as_ref(), None).await.map_err(delta)?;
        if state.protocol().min_reader_version() > 1 {
            return Err(EngineError::NotSupported(
                "the audit's Delta table was given features beyond plain Parquet by another program"
                    .to_owned(),
            ));
        }
        Ok(Some(state))
    }

    /// Lists the files of a version, by path.
    pub(super) fn files(&self, state: &DeltaTableState) -> Result<Vec<TableFile>> {
        let mut files = Vec::new();
        for view in state.log_data().iter() {
            let day = view.partition_values_map().remove(DAY).flatten();
            let day = day.and_then(|day| day.parse().ok()).ok_or_else(|| EngineError::Corrupt {
                source: format!("a file of the audit has no day: {}", view.path()).into(),
            })?;
            let location = format!("{}/{}", self.folder, view.object_store_path());
            files.push(TableFile {
                path: view.path().into_owned(),
                location: Path::parse(location).map_err(fault)?,
                day,
                bytes: view.size().unsigned_abs(),
                keys: view.stats().as_deref().and_then(keys),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Makes the version after `latest`; false when somebody else made it. A lost reply is resolved by reading back.
    pub(super) async fn commit(&self, latest: Option<&DeltaTableState>, change: TableChange) -> Result<bool> {
        let version = latest.map_or(0, |state| state.version() + 1);
        let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        // The id makes every commit's bytes unique.
        let id = Uuid::now_v7();
        let info = HashMap::from([("basinCommit".to_owned(), id.to_string().into())]);
        let actions = actions(latest, change)?;
        let commit = CommitData::new(actions, operation, info, Vec::new());
        let bytes = commit.get_bytes().map_err(|error| delta(error.into()))?;
        let written = self.log.write_commit_entry(version, CommitOrBytes::LogBytes(bytes.clone()), id).await;
        let Err(error) = written else { return Ok(true) };
        let stored = self.log.read_commit_entry(version).await;
        match stored {
            Ok(Some(stored)) => Ok(stored == bytes),
            // A version that is there and can't be read may be this one, told so by a repeated request: an error, after
            // which nothing is deleted.
            Ok(None) | Err(_) => Err(delta(error.into())),
        }
    }

    /// Writes a checkpoint now and then, and takes away what nobody reads any more.
    pub(super) async fn tidy(&self, days: &BTreeSet<NaiveDate>, now: DateTime<Utc>) -> Result<()> {
        let Some(state) = self.latest().await? else { return Ok(()) };
        let version = state.version();
        if version > 0 && version.is_multiple_of(CHECKPOINT_EVERY) {
            let mut table = deltalake_core::DeltaTable::new(Arc::clone(&self.log));
            table.load_version(version).await.map_err(delta)?;
            checkpoints::create_checkpoint(&table, None).await.map_err(delta)?;
            let expired = (now - LOG_KEPT).timestamp_millis();
            let expired = checkpoints::cleanup_expired_logs_for(version, self.log.as_ref(), expired, None);
            expired.await.map_err(delta)?;
        }
        let live: BTreeSet<Path> = self.files(&state)?.into_iter().map(|file| file.location).collect();
        for day in days {
            self.sweep(*day, &live, now).await?;
        }
        Ok(())
    }

    /// Deletes the files of a day that were replaced, or never committed, a good while ago.
    async fn sweep(&self, day: NaiveDate, live: &BTreeSet<Path>, now: DateTime<Utc>) -> Result<()> {
        let folder = self.folder.clone().join(folder_of(day));
        let listed: Vec<_> = self.store.list(Some(&folder)).try_collect().await.map_err(unavailable)?;
        let dead = listed
            .into_iter()
            .filter(|file| !live.contains(&file.location) && file.last_modified < now - REPLACED_KEPT)
            .map(|file| file.location);
        self.delete(dead.collect()).await
    }

    /// Deletes objects; one that is gone already is no error.
    pub(super) async fn delete(&self, paths: Vec<Path>) -> Result<()> {
        let mut deleted = self.store.delete_stream(futures::stream::iter(paths).map(Ok).boxed());
        while let Some(outcome) = deleted.next().await {
            match outcome {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(())
    }
}

/// The days whose folders may hold files that were replaced lately.
pub(super) fn recent_days(now: DateTime<Utc>) -> BTreeSet<NaiveDate> {
    let today = now.date_naive();
    (0..=2).filter_map(|days| today.checked_sub_days(Days::new(days))).collect()
}

/// The folder of a day's files, from the table's.
pub(super) fn folder_of(day: NaiveDate) -> String {
    format!("{DAY}={day}")
}

fn actions(latest: Option<&DeltaTableState>, change: TableChange) -> Result<Vec<Action>> {
    let mut actions = Vec::new();
    let schema = delta_schema()?;
    match latest {
        None => {
            let protocol = serde_json::json!({ "minReaderVersion": 1, "minWriterVersion": 2 });
            let protocol: Protocol = serde_json::from_value(protocol).map_err(fault)?;
            actions.push(protocol.into());
            let none: [(&str, &str); 0] = [];
            actions.push(new_metadata(&schema, [DAY], none).map_err(fault)?.into());
        }
        Some(state) if state.schema().as_ref() != &schema => {
            actions.push(state.metadata().clone().with_schema(&schema).map_err(fault)?.into());
        }
        Some(_) => {}
    }
    if let Some(state) = latest {
        let views = state.log_data();
        let removed = views.iter().filter(|view| change.removed.contains(view.path().as_ref()));
        actions.extend(removed.map(|view| Action::from(view.remove_action(true))));
    }
    actions.extend(change.added.into_iter().map(Action::Add));
    Ok(actions)
}

fn delta_schema() -> Result<StructType> {
    let mut fields: Vec<Field> =
        stored_schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(DAY, DataType::Date32, true));
    (&Schema::new(fields)).try_into_kernel().map_err(fault)
}

fn keys(stats: &str) -> Option<(String, String)> {
    let stats: serde_json::Value = serde_json::from_str(stats).ok()?;
    let bound = |name: &str| Some(stats.get(name)?.get(KEY)?.as_str()?.to_owned());
    Some((bound("minValues")?, bound("maxValues")?))
}

fn delta(error: DeltaTableError) -> EngineError {
    match fails_in_store(&error) {
        true => EngineError::Store { source: Box::new(error) },
        false => fault(error),
    }
}
