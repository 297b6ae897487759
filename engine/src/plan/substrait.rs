//! Substrait: a plan that a client made -> the logical plan that SQL would have given, under the same names, limits and
//! checks. What it reads is resolved like the tables of a statement: hidden and absent alike.
//!
//! Source: the Substrait specification, `proto/substrait/plan.proto`; datafusion-substrait reads it.

use super::names;
use crate::error::{EngineError, Result};
use crate::policy::Grants;
use async_trait::async_trait;
use basin_catalog::DatasetName;
use bytes::Bytes;
use datafusion::catalog::TableProvider;
use datafusion::common::{DFSchema, TableReference};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion_substrait::extensions::Extensions;
use datafusion_substrait::logical_plan::consumer::{SubstraitConsumer, from_substrait_plan_with_consumer};
use datafusion_substrait::serializer::deserialize_bytes;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The version of Substrait that plans are read by; older plans are read as far as protobuf goes.
#[must_use]
pub fn substrait_version() -> String {
    let version = datafusion_substrait::substrait::version::version();
    format!("{}.{}.{}", version.major_number, version.minor_number, version.patch_number)
}

/// Reads a plan; returns it with the datasets that it reads, each once, by name.
pub(super) async fn plan(
    state: &SessionState,
    bytes: &Bytes,
    max_bytes: usize,
    grants: &Grants,
) -> Result<(LogicalPlan, Vec<DatasetName>)> {
    if bytes.len() > max_bytes {
        return Err(EngineError::TooLarge(format!(
            "the plan has {} bytes; at most {max_bytes} are accepted",
            bytes.len()
        )));
    }
    // Reading protobuf bounds the nesting, at 100 messages; operators of many arguments become balanced trees.
    let plan = deserialize_bytes(bytes).map_err(|_| malformed())?;
    let extensions = Extensions::try_from(&plan.extensions).map_err(|_| malformed())?;
    let consumer = Consumer { state, grants, extensions, outer: Mutex::default(), found: Mutex::default() };
    // The reader takes some fields for granted that a message may lack.
    let read = AssertUnwindSafe(from_substrait_plan_with_consumer(&consumer, &plan)).catch_unwind();
    let logical = read.await.map_err(|_| malformed())?.map_err(|error| match EngineError::from(error) {
        // What the reader takes for a fault of the engine is one of the plan.
        EngineError::Internal { .. } => malformed(),
        other => other,
    })?;
    let mut found = std::mem::take(&mut *lock(&consumer.found));
    found.sort();
    found.dedup();
    Ok((logical, found))
}

fn malformed() -> EngineError {
    EngineError::sql(
        "the bytes are no Substrait plan that can be read; send one root relation with its names, or SQL",
    )
}

/// Reads relations and resolves their tables.
struct Consumer<'a> {
    state: &'a SessionState,
    grants: &'a Grants,
    extensions: Extensions,
    /// Schemas of the queries around a correlated subquery.
    outer: Mutex<Vec<Arc<DFSchema>>>,
    found: Mutex<Vec<DatasetName>>,
}

#[async_trait]
impl SubstraitConsumer for Consumer<'_> {
    async fn resolve_table_ref(
        &self,
        reference: &TableReference,
    ) -> datafusion::common::Result<Option<Arc<dyn TableProvider>>> {
        let dataset = names::dataset(self.state, reference, self.grants)?;
        lock(&self.found).extend(dataset);
        let schema = self.state.schema_for_ref(reference.clone())?;
        schema.table(reference.table()).await
    }

    fn get_extensions(&self) -> &Extensions {
        &self.extensions
    }

    fn get_function_registry(&self) -> &impl FunctionRegistry {
        self.state
    }

    fn push_outer_schema(&self, schema: Arc<DFSchema>) {
        lock(&self.outer).push(schema);
    }

    fn pop_outer_schema(&self) {
        lock(&self.outer).pop();
    }

    fn get_outer_schema(&self, steps_out: usize) -> Option<Arc<DFSchema>> {
        let outer = lock(&self.outer);
        let at = outer.len().checked_sub(steps_out)?;
        outer.get(at).map(Arc::clone)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
