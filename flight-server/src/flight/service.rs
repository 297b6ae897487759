//! The gRPC surface of Flight: each call is let in, authenticated, answered, and its error mapped.

use std::net::IpAddr;
use std::time::Duration;

use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::DoPutUpdateResult;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaAsIpc, SchemaResult, Ticket,
};
use basin_engine::{Engine, QueryId, ScalarValue};
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use super::call::Call;
use super::command::{self, Put, Readable};
use super::polled::Polls;
use super::running::{Run, Running};
use super::write::count_schema;
use super::{action, info, parameters, sql_info, xdbc};
use crate::authn::Authenticator;
use crate::config::ServerConfig;
use crate::encode::flight_data;
use crate::error::{Result, ServerError};
use crate::seal::Sealer;
use crate::status::{QUERY_ID_HEADER, to_status};

const LIST_FLIGHTS: &str = "Basin has no list of flights; list datasets with GetTables or \
                            SELECT * FROM basin.datasets";
const EXCHANGE: &str = "DoExchange is not part of Flight SQL; send statements with GetFlightInfo and DoGet";
const NO_CHANGE: &str = "the statement is a query, or you can't write here (role sandbox); send queries with \
                         GetFlightInfo and DoGet";
const STATEMENT_AS_TICKET: &str = "a statement is not a ticket: send it with GetFlightInfo and fetch the \
                                   ticket that returns";
const TICKET_AS_STATEMENT: &str = "a ticket is not a statement: send it with DoGet";

/// How long what this server issues is good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    pub(super) ticket: Duration,
    pub(super) handle: Duration,
}

/// The Flight SQL service of one engine.
pub(crate) struct FlightSql {
    pub(super) engine: Engine,
    pub(super) authenticator: Authenticator,
    pub(super) sealer: Sealer,
    pub(super) lifetimes: Lifetimes,
    pub(super) running: Running,
    pub(super) polls: Polls,
    pub(super) sql_info: SqlInfoData,
    pub(super) type_info: XdbcTypeInfoData,
}

impl std::fmt::Debug for FlightSql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlightSql").finish_non_exhaustive()
    }
}

impl FlightSql {
    /// Makes the service; `running` is shared with whoever stops the server.
    ///
    /// # Errors
    /// The catalog's, when the store's key can't be read.
    pub(crate) async fn new(engine: Engine, config: &ServerConfig, running: Running) -> Result<Self> {
        let sealer = Sealer::of(engine.catalog()).await?;
        let authenticator =
            Authenticator::new(engine.catalog().clone(), sealer.clone(), config.token_lifetime);
        Ok(Self {
            engine,
            authenticator,
            sealer,
            lifetimes: Lifetimes { ticket: config.ticket_lifetime, handle: config.handle_lifetime },
            running,
            polls: Polls::new(config.poll_lifetime),
            sql_info: sql_info::build()?,
            type_info: xdbc::build()?,
        })
    }

    /// Lets a call in and finds out who asks.
    async fn open(&self, id: QueryId, metadata: &MetadataMap, peer: Option<IpAddr>) -> Result<Opened> {
        let run = self.running.enter(id)?;
        let identity =
            self.authenticator.identify(metadata, peer).instrument(tracing::debug_span!("authn")).await?;
        let call = Call::new(id, identity, metadata)?;
        Ok(Opened { call, run })
    }

    /// Plans what a descriptor asks for and answers with its info.
    pub(super) async fn info(&self, opened: &Opened, descriptor: FlightDescriptor) -> Result<FlightInfo> {
        let call = &opened.call;
        match command::readable(command::of_descriptor(&descriptor)?)? {
            Readable::Statement(sql) => {
                if let Some(count) = opened.run.step(self.write(call.request(sql.clone()), one_run())).await?
                {
                    return self.info_of_done(call, count, descriptor);
                }
                let described = opened.run.step(self.describe_statement(call, sql)).await?;
                self.info_of(call, &described, descriptor)
            }
            Readable::Prepared(handle) => {
                if let Some(count) = opened.run.step(self.write_prepared(call, &handle, None)).await? {
                    return self.info_of_done(call, count, descriptor);
                }
                let described = opened.run.step(self.describe_prepared(call, &handle)).await?;
                self.info_of(call, &described, descriptor)
            }
            Readable::Metadata(metadata) => {
                // The command is its own ticket: it holds nothing that needs a seal.
                let ticket = descriptor.cmd.clone();
                info::flight_info(descriptor, &self.metadata_schema(&metadata), ticket, None)
            }
            Readable::Ticket(_) => Err(ServerError::InvalidRequest(TICKET_AS_STATEMENT.to_owned())),
        }
    }

    async fn schema(&self, opened: &Opened, descriptor: FlightDescriptor) -> Result<SchemaResult> {
        let call = &opened.call;
        let schema = match command::readable(command::of_descriptor(&descriptor)?)? {
            Readable::Statement(sql) if self.engine.is_change(&call.request(sql.clone())) => count_schema(),
            Readable::Statement(sql) => opened.run.step(self.describe_statement(call, sql)).await?.schema,
            Readable::Prepared(handle) if self.is_prepared_change(call, &handle)? => count_schema(),
            Readable::Prepared(handle) => {
                opened.run.step(self.describe_prepared(call, &handle)).await?.schema
            }
            Readable::Metadata(metadata) => self.metadata_schema(&metadata),
            Readable::Ticket(_) => {
                return Err(ServerError::InvalidRequest(TICKET_AS_STATEMENT.to_owned()));
            }
        };
        let options = IpcWriteOptions::default();
        Ok(SchemaAsIpc::new(&schema, &options).try_into()?)
    }

    /// Starts the result that a ticket names. A ticket's query id is that of its FlightInfo.
    async fn get(&self, opened: Opened, ticket: Ticket) -> Served<BoxStream<'static, Result<FlightData>>> {
        let Opened { call, run } = opened;
        let id = call.query_id;
        let content = match run.step(self.content_of(&call, &ticket)).await {
            Ok(Work::Statement(content)) => content,
            Ok(Work::Metadata(metadata)) => {
                return Served { id, outcome: self.get_metadata(&call, metadata, run).await };
            }
            Err(error) => return Served { id, outcome: Err(error) },
        };
        let id = content.query_id();
        let outcome = match self.running.enter(id) {
            Ok(run) => self.run_ticket(&call, content, run).await,
            Err(error) => Err(error),
        };
        Served { id, outcome }
    }

    async fn content_of(&self, call: &Call, ticket: &Ticket) -> Result<Work> {
        Ok(match command::readable(command::decode(&ticket.ticket)?)? {
            Readable::Ticket(sealed) => Work::Statement(self.open_ticket(call, &sealed)?),
            Readable::Prepared(handle) => {
                Work::Statement(self.describe_prepared(call, &handle).await?.content)
            }
            Readable::Metadata(metadata) => Work::Metadata(metadata),
            Readable::Statement(_) => {
                return Err(ServerError::InvalidRequest(STATEMENT_AS_TICKET.to_owned()));
            }
        })
    }

    async fn get_metadata(
        &self,
        call: &Call,
        metadata: command::Metadata,
        run: Run,
    ) -> Result<BoxStream<'static, Result<FlightData>>> {
        let schema = self.metadata_schema(&metadata);
        let batch = run.step(self.metadata_rows(call, metadata)).await?;
        Ok(run.stream(flight_data(schema, stream::iter([Ok(batch)]))))
    }

    async fn put(&self, opened: &Opened, mut data: Streaming<FlightData>) -> Result<PutResult> {
        let invalid = |what: &str| ServerError::InvalidRequest(what.to_owned());
        let first = data
            .message()
            .await
            .map_err(|_| invalid("the data of DoPut can't be read"))?
            .ok_or_else(|| invalid("DoPut was sent without data"))?;
        let descriptor = first
            .flight_descriptor
            .as_ref()
            .ok_or_else(|| invalid("the first message of DoPut has no descriptor"))?;
        let command = command::put(command::of_descriptor(descriptor)?)?;
        let rows = stream::iter([Ok(first)]).chain(data);
        let (call, run) = (&opened.call, &opened.run);
        let count = match command {
            Put::Bind(handle) => {
                let result = run.step(self.bind(call, &handle, rows)).await?;
                return Ok(PutResult { app_metadata: result.encode_to_vec().into() });
            }
            Put::Update(sql) => run.step(self.write(call.request(sql), one_run())).await?,
            Put::PreparedUpdate(handle) => {
                let rows = run.step(parameters::read(rows)).await?;
                run.step(self.write_prepared(call, &handle, rows)).await?
            }
            Put::Ingest(ingest) => Some(run.step(self.ingest(call, *ingest, rows)).await?),
        };
        let count = count.ok_or(ServerError::Unsupported(NO_CHANGE))?;
        let result = DoPutUpdateResult { record_count: i64::try_from(count).unwrap_or(i64::MAX) };
        Ok(PutResult { app_metadata: result.encode_to_vec().into() })
    }
}

/// One run of a statement without parameters.
fn one_run() -> Vec<Vec<ScalarValue>> {
    vec![Vec::new()]
}

/// A call that was let in.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) call: Call,
    pub(super) run: Run,
}

/// What a ticket asks for.
enum Work {
    Statement(super::handle::TicketContent),
    Metadata(command::Metadata),
}

/// An outcome with the id under which it is reported.
struct Served<T> {
    id: QueryId,
    outcome: Result<T>,
}

impl<T> Served<T> {
    /// Answers with the id in the response's metadata, or with the mapped error.
    fn respond(self) -> std::result::Result<Response<T>, Status> {
        let value = self.outcome.map_err(|error| to_status(&error, &self.id))?;
        let mut response = Response::new(value);
        if let Ok(id) = MetadataValue::try_from(self.id.to_string()) {
            response.metadata_mut().insert(QUERY_ID_HEADER, id);
        }
        Ok(response)
    }
}

fn peer<T>(request: &Request<T>) -> Option<IpAddr> {
    request.remote_addr().map(|address| address.ip())
}

type Answer<T> = std::result::Result<Response<T>, Status>;
type Items<T> = BoxStream<'static, std::result::Result<T, Status>>;

/// Opens a call with a new id, or answers with its error.
macro_rules! opened {
    ($self:ident, $request:ident) => {{
        let id = QueryId::new();
        let peer = peer(&$request);
        let (metadata, _, message) = $request.into_parts();
        match $self.open(id, &metadata, peer).await {
            Ok(opened) => (id, opened, message),
            Err(error) => return Err(to_status(&error, &id)),
        }
    }};
}

#[tonic::async_trait]
impl FlightService for FlightSql {
    type HandshakeStream = Items<HandshakeResponse>;
    type ListFlightsStream = Items<FlightInfo>;
    type DoGetStream = Items<FlightData>;
    type DoPutStream = Items<PutResult>;
    type DoExchangeStream = Items<FlightData>;
    type DoActionStream = Items<arrow_flight::Result>;
    type ListActionsStream = Items<ActionType>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Self::HandshakeStream> {
        let id = QueryId::new();
        let peer = peer(&request);
        let (metadata, _, messages) = request.into_parts();
        let _run = self.running.enter(id).map_err(|error| to_status(&error, &id))?;
        self.shake_hands(&metadata, peer, messages)
            .instrument(tracing::info_span!("handshake"))
            .await
            .map_err(|error| to_status(&error, &id))
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        let (id, _opened, _) = opened!(self, request);
        Err(to_status(&ServerError::Unsupported(LIST_FLIGHTS), &id))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        let (id, opened, descriptor) = opened!(self, request);
        let span = tracing::info_span!("get_flight_info", query_id = %id);
        let outcome = self.info(&opened, descriptor).instrument(span).await;
        Served { id, outcome }.respond()
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<PollInfo> {
        let (id, opened, descriptor) = opened!(self, request);
        let span = tracing::info_span!("poll_flight_info", query_id = %id);
        let outcome = self.poll(&opened, descriptor).instrument(span).await;
        Served { id, outcome }.respond()
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        let (id, opened, descriptor) = opened!(self, request);
        let span = tracing::info_span!("get_schema", query_id = %id);
        let outcome = self.schema(&opened, descriptor).instrument(span).await;
        Served { id, outcome }.respond()
    }

    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let (id, opened, ticket) = opened!(self, request);
        let span = tracing::info_span!("do_get", query_id = %id);
        let served = self.get(opened, ticket).instrument(span).await;
        let id = served.id;
        let items = |data: BoxStream<'static, Result<FlightData>>| {
            data.map(move |item| item.map_err(|error| to_status(&error, &id))).boxed()
        };
        let outcome = served.outcome.map(items);
        Served { id, outcome }.respond()
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        let (id, opened, data) = opened!(self, request);
        let span = tracing::info_span!("do_put", query_id = %id);
        let outcome = self.put(&opened, data).instrument(span).await;
        let outcome = outcome.map(|result| stream::iter([Ok(result)]).boxed());
        Served { id, outcome }.respond()
    }

    async fn do_exchange(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        let (id, _opened, _) = opened!(self, request);
        Err(to_status(&ServerError::Unsupported(EXCHANGE), &id))
    }

    async fn do_action(&self, request: Request<Action>) -> Answer<Self::DoActionStream> {
        let (id, opened, action) = opened!(self, request);
        let span = tracing::info_span!("do_action", query_id = %id, action = %action.r#type);
        let outcome = opened.run.step(self.act(&opened.call, action)).instrument(span).await;
        let items = |bodies: Vec<bytes::Bytes>| {
            stream::iter(bodies.into_iter().map(|body| Ok(arrow_flight::Result { body }))).boxed()
        };
        let outcome = outcome.map(items);
        Served { id, outcome }.respond()
    }

    async fn list_actions(&self, request: Request<Empty>) -> Answer<Self::ListActionsStream> {
        let (id, _opened, _) = opened!(self, request);
        let outcome = Ok(stream::iter(action::types().into_iter().map(Ok)).boxed());
        Served { id, outcome }.respond()
    }
}
