//! Named: errors of reading a file tell the log which file it was, panics too. Clients are told no paths.

use crate::error::{EngineError, is_of_data};
use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What went wrong with one file.
#[derive(Debug, thiserror::Error)]
#[error("{path}")]
struct FileError {
    path: Arc<str>,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// How DataFusion says that a file lacks a column that is never NULL; the statement is not to blame.
const LACKS_COLUMN: &str = "is missing from the physical schema";

/// Adds the file to an error that is the file's or the store's fault; others are of the statement and stay as they are.
fn named(path: &Arc<str>, error: DataFusionError) -> DataFusionError {
    let of_file = |source| Box::new(FileError { path: Arc::clone(path), source });
    if matches!(error.find_root(), DataFusionError::Execution(text) | DataFusionError::Plan(text) if text.contains(LACKS_COLUMN))
    {
        return EngineError::Corrupt { source: of_file(Box::new(error)) }.into();
    }
    if !is_of_data(&error) {
        return error;
    }
    match EngineError::from(error) {
        EngineError::Store { source } => EngineError::Store { source: of_file(source) }.into(),
        EngineError::Corrupt { source } => EngineError::Corrupt { source: of_file(source) }.into(),
        other => EngineError::Corrupt { source: of_file(Box::new(other)) }.into(),
    }
}

/// Libraries that read a damaged file may panic: the file can't be read, and the query ends with an error.
fn gave_up(path: &Arc<str>) -> DataFusionError {
    let source = "its reader panicked".into();
    EngineError::Corrupt { source: Box::new(FileError { path: Arc::clone(path), source }) }.into()
}

/// Plans files by another planner.
#[derive(Debug)]
pub(super) struct NamedMorselizer {
    inner: Box<dyn Morselizer>,
}

impl NamedMorselizer {
    pub(super) fn new(inner: Box<dyn Morselizer>) -> Self {
        Self { inner }
    }
}

impl Morselizer for NamedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let path: Arc<str> = file.object_meta.location.as_ref().into();
        let inner = self.inner.plan_file(file).map_err(|error| named(&path, error))?;
        Ok(Box::new(NamedPlanner { path, inner }))
    }
}

#[derive(Debug)]
struct NamedPlanner {
    path: Arc<str>,
    inner: Box<dyn MorselPlanner>,
}

impl NamedPlanner {
    fn boxed(path: &Arc<str>, inner: Box<dyn MorselPlanner>) -> Box<dyn MorselPlanner> {
        Box::new(Self { path: Arc::clone(path), inner })
    }
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let (path, inner) = (self.path, self.inner);
        let plan = catch_unwind(AssertUnwindSafe(|| inner.plan())).map_err(|_| gave_up(&path))?;
        let Some(mut plan) = plan.map_err(|error| named(&path, error))? else { return Ok(None) };
        let morsels = plan.take_morsels().into_iter();
        let morsels =
            morsels.map(|inner| Box::new(NamedMorsel { path: Arc::clone(&path), inner }) as Box<dyn Morsel>);
        let planners = plan.take_ready_planners().into_iter().map(|inner| Self::boxed(&path, inner));
        let mut wrapped = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners.collect());
        if let Some(pending) = plan.take_pending_planner() {
            wrapped.set_pending_planner(async move {
                let inner = AssertUnwindSafe(pending).catch_unwind().await.map_err(|_| gave_up(&path))?;
                Ok(Self::boxed(&path, inner.map_err(|error| named(&path, error))?))
            });
        }
        Ok(Some(wrapped))
    }
}

#[derive(Debug)]
struct NamedMorsel {
    path: Arc<str>,
    inner: Box<dyn Morsel>,
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let (path, inner) = (self.path, self.inner);
        match catch_unwind(AssertUnwindSafe(|| inner.into_stream())) {
            Err(_) => futures::stream::iter([Err(gave_up(&path))]).boxed(),
            Ok(rows) => {
                let rows = AssertUnwindSafe(rows).catch_unwind();
                let checked = move |rows: std::thread::Result<Result<RecordBatch>>| match rows {
                    Ok(rows) => rows.map_err(|error| named(&path, error)),
                    Err(_) => Err(gave_up(&path)),
                };
                rows.map(checked).boxed()
            }
        }
    }
}
