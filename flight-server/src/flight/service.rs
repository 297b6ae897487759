//! The gRPC surface of Flight: each call is let in, authenticated, answered, and its error mapped.

use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use basin_engine::{Engine, QueryId};
use futures::stream::{self, BoxStream, StreamExt};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use super::answer::Asked;
use super::call::Call;
use super::metadata::flight_error;
use super::polled::Polls;
use super::running::{Run, Running};
use super::session::Acted;
use super::{action, put, sql_info, xdbc};
use crate::authn::{Authenticator, Peer};
use crate::config::ServerConfig;
use crate::error::{Result, ServerError};
use crate::metrics::Calls;
use crate::seal::Sealer;
use crate::status::to_status;

const LIST_FLIGHTS: &str = "Basin has no list of flights; list datasets with GetTables or \
                            SELECT * FROM basin.datasets";
const EXCHANGE: &str = "DoExchange is not part of Flight SQL; send statements with GetFlightInfo and DoGet";

/// How long what this server issues is good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    pub(super) ticket: Duration,
    pub(super) handle: Duration,
    pub(super) session: Duration,
}

/// The Flight SQL service of one engine.
pub(crate) struct FlightSql {
    pub(super) engine: Engine,
    pub(super) authenticator: Authenticator,
    pub(super) sealer: Sealer,
    pub(super) lifetimes: Lifetimes,
    pub(super) running: Running,
    calls: Calls,
    pub(super) polls: Polls,
    pub(super) sql_info: SqlInfoData,
    pub(super) sql_info_schema: SchemaRef,
    pub(super) type_info: XdbcTypeInfoData,
}

impl std::fmt::Debug for FlightSql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlightSql").finish_non_exhaustive()
    }
}

impl FlightSql {
    /// Makes the service; `running` is shared with whoever stops the server, `calls` with whoever watches it.
    ///
    /// # Errors
    /// The catalog's, when the store's key can't be read; those of [`Authenticator::new`].
    pub(crate) async fn new(
        engine: Engine,
        config: &ServerConfig,
        running: Running,
        calls: Calls,
    ) -> Result<Self> {
        let sealer = Sealer::of(engine.catalog()).await?;
        let authenticator = Authenticator::new(engine.catalog().clone(), sealer.clone(), config).await?;
        let sql_info = sql_info::build()?;
        let none = sql_info.record_batch([u32::MAX]).map_err(flight_error)?;
        Ok(Self {
            engine,
            authenticator,
            sealer,
            lifetimes: Lifetimes {
                ticket: config.ticket_lifetime,
                handle: config.handle_lifetime,
                session: config.token_lifetime,
            },
            running,
            calls,
            polls: Polls::new(config.poll_lifetime),
            sql_info_schema: sql_info::specified(&none)?.schema(),
            sql_info,
            type_info: xdbc::build()?,
        })
    }

    /// Lets a call in and finds out who asks.
    async fn open(&self, id: QueryId, metadata: &MetadataMap, peer: &Peer) -> Result<Opened> {
        let arrived = Instant::now();
        peer.fits()?;
        let run = self.running.enter(id)?;
        let identity =
            self.authenticator.identify(metadata, peer).instrument(tracing::debug_span!("authn")).await?;
        let call = Call::new(id, identity, &self.sealer, metadata, arrived)?;
        Ok(Opened { call, run })
    }
}

/// A call that was let in.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) call: Call,
    pub(super) run: Run,
}

type Answer<T> = std::result::Result<Response<T>, Status>;
type Items<T> = BoxStream<'static, std::result::Result<T, Status>>;

/// Opens a call with a new id, or answers with its error.
macro_rules! opened {
    ($self:ident, $asked:expr, $request:ident) => {{
        let asked: Asked = $asked;
        let peer = Peer::of(&$request);
        let (metadata, _, message) = $request.into_parts();
        match $self.open(asked.id, &metadata, &peer).await {
            Ok(opened) => (asked, opened, message),
            Err(error) => return asked.refuse(&error),
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
        let asked = Asked::new(&self.calls, "Handshake", request.metadata());
        let peer = Peer::of(&request);
        let (metadata, _, messages) = request.into_parts();
        let shaken = async {
            peer.fits()?;
            let _run = self.running.enter(asked.id)?;
            self.shake_hands(&metadata, &peer, messages).await
        };
        let shaken = shaken.instrument(tracing::info_span!("handshake")).await;
        asked.answer_with(shaken)
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        let (asked, _opened, _) =
            opened!(self, Asked::new(&self.calls, "ListFlights", request.metadata()), request);
        asked.refuse(&ServerError::Unsupported(LIST_FLIGHTS))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        let asked =
            Asked::new(&self.calls, "GetFlightInfo", request.metadata()).command(&request.get_ref().cmd);
        let (asked, opened, descriptor) = opened!(self, asked, request);
        let span = tracing::info_span!("get_flight_info", query_id = %asked.id);
        asked.answer(self.info(&opened, descriptor).instrument(span).await)
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<PollInfo> {
        let asked =
            Asked::new(&self.calls, "PollFlightInfo", request.metadata()).command(&request.get_ref().cmd);
        let (asked, opened, descriptor) = opened!(self, asked, request);
        let span = tracing::info_span!("poll_flight_info", query_id = %asked.id);
        asked.answer(self.poll(&opened, descriptor).instrument(span).await)
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        let asked = Asked::new(&self.calls, "GetSchema", request.metadata()).command(&request.get_ref().cmd);
        let (asked, opened, descriptor) = opened!(self, asked, request);
        let span = tracing::info_span!("get_schema", query_id = %asked.id);
        asked.answer(self.schema(&opened, descriptor).instrument(span).await)
    }

    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let asked = Asked::new(&self.calls, "DoGet", request.metadata()).command(&request.get_ref().ticket);
        let (asked, opened, ticket) = opened!(self, asked, request);
        let span = tracing::info_span!("do_get", query_id = %asked.id);
        let (id, outcome) = self.get(opened, ticket).instrument(span).await;
        let items = |data: BoxStream<'static, Result<FlightData>>| {
            data.map(move |item| item.map_err(|error| to_status(&error, &id))).boxed()
        };
        asked.under(id).answer(outcome.map(items))
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        let (asked, opened, mut data) =
            opened!(self, Asked::new(&self.calls, "DoPut", request.metadata()), request);
        let span = tracing::info_span!("do_put", query_id = %asked.id);
        let (asked, outcome) = match put::descriptor(&mut data).await {
            Ok((first, descriptor)) => {
                let asked = asked.command(&descriptor.cmd);
                (asked, self.put(&opened, &descriptor, first, data).instrument(span).await)
            }
            Err(error) => (asked, Err(error)),
        };
        asked.answer(outcome.map(|result| stream::iter([Ok(result)]).boxed()))
    }

    async fn do_exchange(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        let (asked, _opened, _) =
            opened!(self, Asked::new(&self.calls, "DoExchange", request.metadata()), request);
        asked.refuse(&ServerError::Unsupported(EXCHANGE))
    }

    async fn do_action(&self, request: Request<Action>) -> Answer<Self::DoActionStream> {
        let asked = Asked::new(&self.calls, "DoAction", request.metadata()).action(&request.get_ref().r#type);
        let (asked, opened, action) = opened!(self, asked, request);
        let span = tracing::info_span!("do_action", query_id = %asked.id, action = %action.r#type);
        let acted = opened.run.step(self.act(&opened.call, action)).instrument(span).await;
        let respond = |Acted { bodies, session }| {
            let results = bodies.into_iter().map(|body| Ok(arrow_flight::Result { body }));
            let mut response = Response::new(stream::iter(results).boxed());
            if let Some(session) = session {
                self.hand_over(&opened.call, &session, response.metadata_mut())?;
            }
            Ok(response)
        };
        asked.answer_with(acted.and_then(respond))
    }

    async fn list_actions(&self, request: Request<Empty>) -> Answer<Self::ListActionsStream> {
        let (asked, _opened, _) =
            opened!(self, Asked::new(&self.calls, "ListActions", request.metadata()), request);
        asked.answer(Ok(stream::iter(action::types().into_iter().map(Ok)).boxed()))
    }
}
