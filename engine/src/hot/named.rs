//! Named: errors of reading a file tell the log which file it was. Clients are told no paths.

use crate::error::EngineError;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// What went wrong with one file.
#[derive(Debug, thiserror::Error)]
#[error("{path}")]
struct FileError {
    path: Arc<str>,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Adds the file to an error that is the file's or the store's fault; others are of the statement and stay as they are.
fn named(path: &Arc<str>, error: DataFusionError) -> DataFusionError {
    let of_file = |source| Box::new(FileError { path: Arc::clone(path), source });
    let named = match EngineError::from(error) {
        EngineError::Corrupt { source } => EngineError::Corrupt { source: of_file(source) },
        EngineError::Store { source } => EngineError::Store { source: of_file(source) },
        other => other,
    };
    named.into()
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
        let path = self.path;
        let Some(mut plan) = self.inner.plan().map_err(|error| named(&path, error))? else { return Ok(None) };
        let morsels = plan.take_morsels().into_iter();
        let morsels =
            morsels.map(|inner| Box::new(NamedMorsel { path: Arc::clone(&path), inner }) as Box<dyn Morsel>);
        let planners = plan.take_ready_planners().into_iter().map(|inner| Self::boxed(&path, inner));
        let mut wrapped = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners.collect());
        if let Some(pending) = plan.take_pending_planner() {
            wrapped.set_pending_planner(async move {
                let inner = pending.await.map_err(|error| named(&path, error))?;
                Ok(Self::boxed(&path, inner))
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
        let path = self.path;
        self.inner.into_stream().map_err(move |error| named(&path, error)).boxed()
    }
}
