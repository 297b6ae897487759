//! Actions: what is done rather than read.

use arrow_flight::sql::{ActionCancelQueryRequest, ActionCancelQueryResult, Any, Command, ProstMessageExt};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightEndpoint,
    FlightInfo, RenewFlightEndpointRequest,
};
use basin_engine::{Query, QueryId};
use bytes::Bytes;
use prost::Message;

use super::call::Call;
use super::command::{self, Readable, refuse_transaction};
use super::demand;
use super::kill;
use super::service::FlightSql;
use super::session::{self, Acted};
use crate::error::{Result, ServerError};

/// Returns the actions that are answered.
pub(super) fn types() -> Vec<ActionType> {
    [
        ("CreatePreparedStatement", "makes a prepared statement of an SQL text"),
        ("CreatePreparedSubstraitPlan", "makes a prepared statement of a Substrait plan"),
        ("ClosePreparedStatement", "ends the use of a prepared statement"),
        ("CancelFlightInfo", "cancels a running query by its FlightInfo"),
        ("CancelQuery", "cancels a running query by its FlightInfo (the older name)"),
        ("RenewFlightEndpoint", "gives the ticket of a FlightEndpoint another lifetime"),
        (
            "SetSessionOptions",
            "sets catalog, schema, as_of, purpose, compression and others for all calls to come",
        ),
        ("GetSessionOptions", "tells the options that are in force"),
        ("CloseSession", "ends the session; the server keeps nothing of it"),
        (demand::DEMAND, demand::DESCRIPTION),
        (kill::KILL, kill::DESCRIPTION),
    ]
    .into_iter()
    .map(|(name, description)| ActionType { r#type: name.to_owned(), description: description.to_owned() })
    .collect()
}

impl FlightSql {
    /// Does an action and returns the bodies of its results.
    ///
    /// # Errors
    /// `Unsupported` or `InvalidRequest` for what there is not, else the action's.
    pub(super) async fn act(&self, call: &Call, action: Action) -> Result<Acted> {
        match action.r#type.as_str() {
            "CancelFlightInfo" => {
                let request = CancelFlightInfoRequest::decode(action.body).map_err(unreadable)?;
                let status = self.cancel(call, request.info.as_ref()).await?;
                let result = CancelFlightInfoResult { status: status.into() };
                Ok(vec![result.encode_to_vec().into()].into())
            }
            "RenewFlightEndpoint" => {
                let request = RenewFlightEndpointRequest::decode(action.body).map_err(unreadable)?;
                Ok(vec![self.renew(call, request.endpoint)?.encode_to_vec().into()].into())
            }
            "SetSessionOptions" => session::set(call, &action.body),
            "GetSessionOptions" => Ok(session::get(call)),
            "CloseSession" => Ok(session::close()),
            demand::DEMAND => Ok(self.demand(call, &action.body).await?.into()),
            kill::KILL => Ok(self.kill(call, &action.body).await?.into()),
            _ => Ok(self.act_on_command(call, command::decode(&action.body)?).await?.into()),
        }
    }

    /// The actions of Flight SQL say what they are in their body too; that is what counts.
    async fn act_on_command(&self, call: &Call, command: Command) -> Result<Vec<Bytes>> {
        match command {
            Command::ActionCreatePreparedStatementRequest(request) => {
                refuse_transaction(request.transaction_id.as_ref())?;
                Ok(vec![self.create_prepared(call, Query::Sql(request.query)).await?.into_body()])
            }
            Command::ActionCreatePreparedSubstraitPlanRequest(request) => {
                refuse_transaction(request.transaction_id.as_ref())?;
                let query = command::substrait(request.plan)?;
                Ok(vec![self.create_prepared(call, query).await?.into_body()])
            }
            Command::ActionClosePreparedStatementRequest(request) => {
                self.close_prepared(call, &request.prepared_statement_handle)?;
                Ok(Vec::new())
            }
            Command::ActionCancelQueryRequest(ActionCancelQueryRequest { info }) => {
                let info = FlightInfo::decode(info).map_err(unreadable)?;
                // Both enumerations have the same numbers.
                let result = self.cancel(call, Some(&info)).await?.into();
                let result = ActionCancelQueryResult { result };
                Ok(vec![Any::encode_to_vec(&result.as_any()).into()])
            }
            other => Err(command::refusal(other)),
        }
    }

    /// Cancels what runs under the ticket of an info, or under the descriptor of its next poll. Without one of
    /// them nobody can.
    async fn cancel(&self, call: &Call, info: Option<&FlightInfo>) -> Result<CancelStatus> {
        if let Some(next) = info.and_then(|info| info.flight_descriptor.as_ref())
            && let Some(id) = self.polled_query(call, next)?
        {
            return Ok(self.cancel_query(id).await);
        }
        let ticket = info
            .and_then(|info| info.endpoint.first())
            .and_then(|endpoint| endpoint.ticket.as_ref())
            .ok_or_else(|| ServerError::InvalidRequest("the FlightInfo has no ticket".to_owned()))?;
        match command::readable(command::decode(&ticket.ticket)?)? {
            Readable::Ticket(sealed) => {
                let content = self.open_ticket(call, &sealed)?;
                Ok(self.cancel_query(content.query_id()).await)
            }
            Readable::Statement(_) | Readable::Prepared(_) | Readable::Metadata(_) => {
                Ok(CancelStatus::NotCancellable)
            }
        }
    }
}

impl FlightSql {
    /// Seals the ticket of an endpoint again, for another lifetime. What holds nothing that ends stays as it is.
    fn renew(&self, call: &Call, endpoint: Option<FlightEndpoint>) -> Result<FlightEndpoint> {
        let endpoint = endpoint
            .filter(|endpoint| endpoint.ticket.is_some())
            .ok_or_else(|| ServerError::InvalidRequest("the FlightEndpoint has no ticket".to_owned()))?;
        let ticket = endpoint.ticket.clone().unwrap_or_default();
        match command::readable(command::decode(&ticket.ticket)?)? {
            Readable::Ticket(sealed) => self.endpoint(call, &self.open_ticket(call, &sealed)?),
            Readable::Statement(_) | Readable::Prepared(_) | Readable::Metadata(_) => Ok(endpoint),
        }
    }

    async fn cancel_query(&self, id: QueryId) -> CancelStatus {
        if self.end(id).await { CancelStatus::Cancelled } else { CancelStatus::NotCancellable }
    }
}

fn unreadable(_: prost::DecodeError) -> ServerError {
    ServerError::InvalidRequest("the action's body can't be read".to_owned())
}
