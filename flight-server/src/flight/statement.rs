//! Statements: GetFlightInfo plans and seals a ticket; DoGet walks from the ticket to the stream.
//!
//! DoGet walks again from the start, so grants are looked at when rows leave, not only when asked.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::CompressionType;
use arrow_flight::{FlightData, FlightDescriptor, FlightEndpoint, FlightInfo};
use basin_engine::{Engine, Planned, Progress, Query, QueryRequest, ResultStream, SourceItem};
use futures::future::ready;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::call::Call;
use super::columns::ResultForm;
use super::handle::{self, TicketContent};
use super::info::{self, Origin};
use super::parameters;
use super::running::Run;
use super::service::FlightSql;
use super::write::{count_batch, count_schema};
use crate::encode::{Kept, Leaving, flight_data};
use crate::error::{Result, ServerError};
use crate::seal::Purpose;

/// A statement that was planned for a ticket, and what is told about it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) content: TicketContent,
    pub(super) schema: SchemaRef,
    pub(super) origin: Origin,
    /// How many endpoints it is divided into.
    pub(super) parts: u32,
}

impl FlightSql {
    /// Plans a statement: its schema, its provenance and the content of its ticket.
    ///
    /// # Errors
    /// The engine's.
    pub(super) async fn describe_statement(&self, call: &Call, query: Query) -> Result<Described> {
        let content = TicketContent {
            query_id: call.query_id.to_string(),
            query: query.clone().into(),
            options: call.options.clone(),
            ..TicketContent::default()
        };
        self.describe(call, call.request(query), content).await
    }

    /// Plans a request for a ticket, which is pinned to the snapshot that the plan saw.
    ///
    /// # Errors
    /// The engine's.
    pub(super) async fn describe(
        &self,
        call: &Call,
        request: QueryRequest,
        mut content: TicketContent,
    ) -> Result<Described> {
        let query_id = request.query_id;
        let planned = self.engine.since(call.arrived).plan(request).await?;
        content.snapshot = snapshot_id(&planned);
        // Each part of each run would be a stream of its own.
        let divisible = planned.is_divisible() && content.parameters.is_empty();
        let asked = content.options.parallel_export.unwrap_or(1);
        let form = ResultForm::new(&content.options, !content.parameters.is_empty());
        let schema = form.schema(&planned.schema(), planned.sources());
        let origin = Origin::new(&query_id, content.snapshot, &planned.provenance());
        // DoGet plans again, and is what the audit remembers.
        planned.withdraw();
        Ok(Described { content, schema, origin, parts: if divisible { asked } else { 1 } })
    }

    /// Seals the ticket of a planned statement into its FlightInfo.
    ///
    /// # Errors
    /// `TooLarge` when the ticket is, `Encode` when the schema can't be written.
    pub(super) fn info_of(
        &self,
        call: &Call,
        described: &Described,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let Described { content, schema, origin, parts } = described;
        let endpoints = match *parts {
            0 | 1 => vec![self.endpoint(call, content)?],
            parts => (0..parts)
                .map(|part| self.endpoint(call, &TicketContent { part, parts, ..content.clone() }))
                .collect::<Result<Vec<_>>>()?,
        };
        info::flight_info(descriptor, schema, endpoints, Some(origin))
    }

    /// Seals a ticket into its endpoint.
    ///
    /// # Errors
    /// `TooLarge` when it is more than a ticket may have.
    pub(super) fn endpoint(&self, call: &Call, content: &TicketContent) -> Result<FlightEndpoint> {
        let lifetime = self.lifetimes.ticket;
        let sealed = handle::seal(&self.sealer, Purpose::Ticket, call, lifetime, content)?;
        Ok(info::endpoint(info::statement_ticket(sealed), Some(lifetime)))
    }

    /// Gives the info of a statement that ran already: its result is a count of rows.
    ///
    /// # Errors
    /// `Encode` when the schema can't be written.
    pub(super) fn info_of_done(
        &self,
        call: &Call,
        count: u64,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let content = TicketContent {
            query_id: call.query_id.to_string(),
            done: Some(i64::try_from(count).unwrap_or(i64::MAX)),
            ..TicketContent::default()
        };
        let endpoints = vec![self.endpoint(call, &content)?];
        Ok(info::flight_info(descriptor, &count_schema(), endpoints, None)?.with_total_records(1))
    }

    /// Opens a ticket of the caller.
    ///
    /// # Errors
    /// Those of [`handle::open`].
    pub(super) fn open_ticket(&self, call: &Call, sealed: &[u8]) -> Result<TicketContent> {
        handle::open(&self.sealer, Purpose::Ticket, call, sealed)
    }

    /// Runs what a ticket holds, or takes over what was polled under it.
    ///
    /// # Errors
    /// The engine's, when the first run can't start; later ones end the stream.
    pub(super) async fn run_ticket(
        &self,
        call: &Call,
        content: TicketContent,
        run: Run,
    ) -> Result<BoxStream<'static, Result<FlightData>>> {
        if let Some(count) = content.done {
            return Ok(run.stream(flight_data(
                count_schema(),
                None,
                stream::iter([count_batch(count).map(Leaving::from)]),
            )));
        }
        let request = content.request(call)?;
        let form = ResultForm::new(&content.options, !content.parameters.is_empty());
        let compression = form.wire().compression;
        let rows = match self.polls.take(request.query_id) {
            Some(polled) => {
                // Its grants were looked at when it began; they are again now that rows leave.
                run.step(async { Ok(self.engine.prepare(request).await?) }).await?;
                run.step(polled.rows()).await?
            }
            None => {
                let engine = self.engine.since(call.arrived);
                run.step(rows_of(engine, request, content.parameters, form, None)).await?
            }
        };
        Ok(run.stream(flight_data(rows.schema, compression, rows.batches)))
    }
}

/// The rows of a statement, of all its runs.
pub(super) struct Rows {
    pub(super) schema: SchemaRef,
    pub(super) batches: BoxStream<'static, Result<Leaving>>,
}

/// Runs a statement once per row of parameters, one result after the other. `progress` shows the first run.
///
/// # Errors
/// The engine's, when the first run can't start; later ones end the stream.
pub(super) async fn rows_of(
    engine: Engine,
    template: QueryRequest,
    parameters: Vec<u8>,
    form: ResultForm,
    progress: Option<Progress>,
) -> Result<Rows> {
    let mut runs = parameters::from_bytes(&parameters)?.into_iter();
    let first = runs.next().ok_or(ServerError::Internal("a ticket has no run"))?;
    let request = move |parameters| QueryRequest { parameters, ..template.clone() };
    let Started { rows: result, sources } = start(engine.clone(), request(first), progress).await?;
    let schema = form.schema(&result.schema(), &sources);
    let promised = Arc::clone(&schema);
    let compression = form.wire().compression;
    let first = leaving(result, &schema, compression);
    let rest = stream::iter(runs)
        .then(move |values| start(engine.since(Instant::now()), request(values), None))
        .and_then(move |started| ready(same_types(started, &form, &promised)))
        .map_ok({
            let schema = Arc::clone(&schema);
            move |result| leaving(result, &schema, compression)
        })
        .try_flatten();
    Ok(Rows { schema, batches: first.chain(rest).boxed() })
}

/// A stream, and which items its columns are.
pub(super) struct Started {
    pub(super) rows: ResultStream,
    sources: Vec<Option<SourceItem>>,
}

/// Walks from a request to its stream.
pub(super) async fn start(
    engine: Engine,
    request: QueryRequest,
    progress: Option<Progress>,
) -> Result<Started> {
    let planned = engine.plan(request).await?;
    let sources = planned.sources().to_vec();
    let admitted = planned.authorize().await?.admit().await?;
    let rows = match progress {
        Some(progress) => admitted.execute_watched(progress)?,
        None => admitted.execute()?,
    };
    Ok(Started { rows, sources })
}

/// Refuses a run whose values make other types than the first: casting them could change them.
fn same_types(started: Started, form: &ResultForm, promised: &Schema) -> Result<ResultStream> {
    let types = |schema: &Schema| schema.fields().iter().map(|f| f.data_type().clone()).collect::<Vec<_>>();
    if types(&form.schema(&started.rows.schema(), &started.sources)) == types(promised) {
        return Ok(started.rows);
    }
    Err(ServerError::InvalidRequest(
        "the rows of parameters make columns of different types; CAST the parameters in the statement"
            .to_owned(),
    ))
}

/// The batches of a result, with their messages where it is a kept one.
fn leaving(
    result: ResultStream,
    promised: &SchemaRef,
    compression: Option<CompressionType>,
) -> impl futures::Stream<Item = Result<Leaving>> + Send + use<> {
    let kept = result.shelf().and_then(|shelf| Kept::new(shelf, promised, compression));
    rows(result).enumerate().map(move |(at, batch)| {
        let batch = batch?;
        Ok(match &kept {
            Some(kept) => Leaving::of_kept(batch, kept, at),
            None => Leaving::from(batch),
        })
    })
}

pub(super) fn rows(
    result: ResultStream,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Send + 'static {
    result.map_err(ServerError::from)
}

fn snapshot_id(planned: &Planned) -> u64 {
    planned.snapshot().id().0
}
