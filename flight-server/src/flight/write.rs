//! Statements that change a sandbox: run once, where they are asked for, and answered by a count of rows.
//!
//! Clients often never fetch the result of such a statement, so GetFlightInfo runs it; the ticket that it gives
//! holds the count and runs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use basin_catalog::{AsOf, DatasetName, Digest};
use basin_datasets::sandbox::{self, SandboxColumn, SandboxMode, SandboxWrite};
use basin_engine::{Change, OpenWrite, Query, QueryId, QueryOptions, QueryRequest, ScalarValue, Write};
use futures::stream::{self, BoxStream, Stream, StreamExt};

use super::service::FlightSql;
use super::statement::{rows, start};
use crate::error::{Result, ServerError};

/// Rows to be written, and the datasets that they were made from.
pub(super) struct Rows {
    pub(super) reads: Vec<(DatasetName, Digest)>,
    pub(super) batches: BoxStream<'static, Result<RecordBatch>>,
}

impl Rows {
    /// Rows that come from the client, or none: made from no dataset.
    pub(super) fn brought(batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static) -> Rows {
        Rows { reads: Vec::new(), batches: batches.boxed() }
    }
}

/// The rows that a statement reads, and what is known of them.
struct Source {
    schema: SchemaRef,
    /// The target's version and its number of rows, when it is there.
    target: Option<(u64, u64)>,
    rows: Rows,
}

/// One run of a statement without parameters.
pub(super) fn one_run() -> Vec<Vec<ScalarValue>> {
    vec![Vec::new()]
}

/// The schema of a count of rows.
pub(super) fn count_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("count", DataType::Int64, false)]))
}

/// A count of rows as a result.
pub(super) fn count_batch(count: i64) -> Result<RecordBatch> {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![count]));
    Ok(RecordBatch::try_new(count_schema(), vec![column])?)
}

impl FlightSql {
    /// Runs a statement that changes something, for each row of parameters; none when it is a query. Gives how many
    /// rows were made, changed or removed.
    ///
    /// # Errors
    /// The engine's, the sandbox's.
    pub(super) async fn write(
        &self,
        request: QueryRequest,
        runs: Vec<Vec<ScalarValue>>,
    ) -> Result<Option<u64>> {
        let Some(open) = self.engine.write(&request).await? else { return Ok(None) };
        if !matches!(request.as_of, AsOf::Latest) {
            let error = ServerError::InvalidRequest(
                "an earlier state can't be changed: leave as_of out for statements that write".to_owned(),
            );
            return closed(open, Err(error)).map(Some);
        }
        let outcome = Box::pin(self.perform(&request, open.write(), runs)).await;
        closed(open, outcome).map(Some)
    }

    async fn perform(
        &self,
        request: &QueryRequest,
        write: &Write,
        runs: Vec<Vec<ScalarValue>>,
    ) -> Result<u64> {
        let target = &write.target;
        match &write.change {
            Change::Create { if_not_exists: true, .. } | Change::CreateAs { if_not_exists: true, .. }
                if self.is_there(target).await? =>
            {
                Ok(0)
            }
            Change::Drop { if_exists: true } if !self.is_there(target).await? => Ok(0),
            Change::Create { schema, replace, .. } => {
                let mode = SandboxMode::Create { columns: columns(schema), replace: *replace };
                self.store(request, target, mode, Rows::brought(stream::empty())).await
            }
            Change::CreateAs { query, replace, .. } => {
                let source = self.source(request, target, query, runs).await?;
                let mode = SandboxMode::Create { columns: columns(&source.schema), replace: *replace };
                self.store(request, target, mode, source.rows).await
            }
            Change::Insert { columns, query } => {
                let source = self.source(request, target, query, runs).await?;
                let mode = SandboxMode::Append { columns: columns.clone() };
                self.store(request, target, mode, source.rows).await
            }
            Change::Delete { query } => self.each(runs, |run| self.delete(request, target, query, run)).await,
            Change::Update { query } => self.each(runs, |run| self.update(request, target, query, run)).await,
            Change::Drop { .. } => {
                let catalog = self.engine.catalog();
                sandbox::drop(catalog, target, request.principal.user()).await?;
                Ok(0)
            }
            Change::Rows => Err(ServerError::Internal("rows without their stream")),
        }
    }

    /// One run after the other: each sees what the one before changed.
    async fn each<F: Future<Output = Result<u64>>>(
        &self,
        runs: Vec<Vec<ScalarValue>>,
        one: impl Fn(Vec<ScalarValue>) -> F,
    ) -> Result<u64> {
        let mut count = 0;
        for run in runs {
            count += one(run).await?;
        }
        Ok(count)
    }

    async fn delete(
        &self,
        request: &QueryRequest,
        target: &DatasetName,
        query: &str,
        run: Vec<ScalarValue>,
    ) -> Result<u64> {
        let source = self.source(request, target, query, vec![run]).await?;
        let (version, before) = source.target.unwrap_or_default();
        let mode = SandboxMode::Rewrite { version };
        let kept = self.store(request, target, mode, source.rows).await?;
        Ok(before.saturating_sub(kept))
    }

    async fn update(
        &self,
        request: &QueryRequest,
        target: &DatasetName,
        query: &str,
        run: Vec<ScalarValue>,
    ) -> Result<u64> {
        let source = self.source(request, target, query, vec![run]).await?;
        let (version, _) = source.target.unwrap_or_default();
        let changed = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&changed);
        let batches = source.rows.batches.map(move |batch| {
            let batch = batch?;
            let last = batch.num_columns().saturating_sub(1);
            let hits = batch.column(last).as_boolean().true_count() as u64;
            counted.fetch_add(hits, Ordering::Relaxed);
            Ok(batch.project(&(0..last).collect::<Vec<_>>())?)
        });
        let mode = SandboxMode::Rewrite { version };
        let rows = Rows { reads: source.rows.reads, batches: batches.boxed() };
        self.store(request, target, mode, rows).await?;
        Ok(changed.load(Ordering::Relaxed))
    }

    /// Starts the query of a statement, which walks like any other; with several rows of parameters their results
    /// follow each other.
    async fn source(
        &self,
        request: &QueryRequest,
        target: &DatasetName,
        query: &str,
        runs: Vec<Vec<ScalarValue>>,
    ) -> Result<Source> {
        let mut runs = runs.into_iter();
        // Rows that are written have the columns that the statement names, and none more.
        let options =
            QueryOptions { without_companions: true, without_cache: true, ..request.options.clone() };
        let template = QueryRequest { query: Query::Sql(query.to_owned()), options, ..request.clone() };
        let request =
            move |parameters| QueryRequest { query_id: QueryId::new(), parameters, ..template.clone() };
        let first = request(runs.next().unwrap_or_default());
        let planned = Box::pin(self.engine.plan(first)).await?;
        let reads = planned.provenance().into_iter().map(|from| (from.dataset, from.access)).collect();
        let there = planned.snapshot().datasets().get(target).and_then(|state| state.current());
        let there = there.map(|version| (version.number, version.rows));
        let first = planned.authorize().await?.admit().await?.execute()?;
        let schema = first.schema();
        let engine = self.engine.clone();
        let rest = stream::iter(runs).then(move |values| start(engine.clone(), request(values), None));
        let rest = rest.flat_map(|result| match result {
            Ok(started) => rows(started.rows).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        });
        Ok(Source { schema, target: there, rows: Rows { reads, batches: rows(first).chain(rest).boxed() } })
    }

    /// Writes rows into the caller's sandbox.
    pub(super) async fn store(
        &self,
        request: &QueryRequest,
        target: &DatasetName,
        mode: SandboxMode,
        rows: Rows,
    ) -> Result<u64> {
        let write = SandboxWrite {
            name: target.clone(),
            owner: request.principal.user().clone(),
            agency: request.principal.agency().cloned(),
            reads: rows.reads,
            mode,
        };
        sandbox::write(self.engine.catalog(), write, rows.batches).await
    }

    /// Tells whether a dataset of the caller's sandbox exists.
    pub(super) async fn is_there(&self, target: &DatasetName) -> Result<bool> {
        Ok(self.engine.catalog().latest().await?.datasets().contains_key(target))
    }
}

/// Closes the record of a change as it ended.
pub(super) fn closed(open: OpenWrite, outcome: Result<u64>) -> Result<u64> {
    match &outcome {
        Ok(rows) => open.done(*rows),
        Err(error) => open.failed(&error.to_string()),
    }
    outcome
}

/// The columns of a dataset made of rows. Any may be NULL unless a statement said otherwise.
pub(super) fn columns(schema: &Schema) -> Vec<SandboxColumn> {
    let column = |field: &Arc<Field>| SandboxColumn {
        name: field.name().clone(),
        data_type: field.data_type().clone(),
        nullable: field.is_nullable(),
    };
    schema.fields().iter().map(column).collect()
}
