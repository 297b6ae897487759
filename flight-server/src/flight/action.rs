//! Actions: what is done rather than read.

use arrow_flight::sql::{ActionCancelQueryRequest, ActionCancelQueryResult, Any, Command, ProstMessageExt};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
};
use basin_engine::QueryId;
use bytes::Bytes;
use prost::Message;

use super::call::Call;
use super::command::{self, Readable};
use super::service::FlightSql;
use crate::error::{Result, ServerError};

const SESSION: &str = "session options are not supported yet: state the purpose and the snapshot in the \
                       headers x-basin-purpose and x-basin-as-of";
const RENEW: &str = "tickets are not renewed: run the statement again";

/// CloseSessionResult with the status CLOSED: there is no session, so nothing is left open.
///
/// Source: Flight.proto, `CloseSessionResult.Status`.
#[derive(Clone, PartialEq, Message)]
struct SessionClosed {
    #[prost(int32, tag = "1")]
    status: i32,
}

const CLOSED: i32 = 1;

/// Returns the actions that are answered.
pub(super) fn types() -> Vec<ActionType> {
    [
        ("CreatePreparedStatement", "makes a prepared statement of an SQL text"),
        ("ClosePreparedStatement", "ends the use of a prepared statement"),
        ("CancelFlightInfo", "cancels a running query by its FlightInfo"),
        ("CancelQuery", "cancels a running query by its FlightInfo (the older name)"),
        ("CloseSession", "ends the session; the server keeps nothing of it"),
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
    pub(super) async fn act(&self, call: &Call, action: Action) -> Result<Vec<Bytes>> {
        match action.r#type.as_str() {
            "CancelFlightInfo" => {
                let request = CancelFlightInfoRequest::decode(action.body).map_err(unreadable)?;
                let status = self.cancel(call, request.info.as_ref())?;
                let result = CancelFlightInfoResult { status: status.into() };
                Ok(vec![result.encode_to_vec().into()])
            }
            "CloseSession" => {
                let closed = SessionClosed { status: CLOSED };
                Ok(vec![closed.encode_to_vec().into()])
            }
            "SetSessionOptions" | "GetSessionOptions" => Err(ServerError::Unsupported(SESSION)),
            "RenewFlightEndpoint" => Err(ServerError::Unsupported(RENEW)),
            _ => self.act_on_command(call, command::decode(&action.body)?).await,
        }
    }

    /// The actions of Flight SQL say what they are in their body too; that is what counts.
    async fn act_on_command(&self, call: &Call, command: Command) -> Result<Vec<Bytes>> {
        match command {
            Command::ActionCreatePreparedStatementRequest(request) => {
                Ok(vec![self.create_prepared(call, request).await?.into_body()])
            }
            Command::ActionClosePreparedStatementRequest(request) => {
                self.close_prepared(call, &request.prepared_statement_handle)?;
                Ok(Vec::new())
            }
            Command::ActionCancelQueryRequest(ActionCancelQueryRequest { info }) => {
                let info = FlightInfo::decode(info).map_err(unreadable)?;
                // Both enumerations have the same numbers.
                let result = self.cancel(call, Some(&info))?.into();
                let result = ActionCancelQueryResult { result };
                Ok(vec![Any::encode_to_vec(&result.as_any()).into()])
            }
            other => Err(command::refusal(other)),
        }
    }

    /// Cancels what runs under the ticket of an info, or under the descriptor of its next poll. Without one of
    /// them nobody can.
    fn cancel(&self, call: &Call, info: Option<&FlightInfo>) -> Result<CancelStatus> {
        if let Some(next) = info.and_then(|info| info.flight_descriptor.as_ref())
            && let Some(id) = self.polled_query(call, next)?
        {
            return Ok(self.cancel_query(id));
        }
        let ticket = info
            .and_then(|info| info.endpoint.first())
            .and_then(|endpoint| endpoint.ticket.as_ref())
            .ok_or_else(|| ServerError::InvalidRequest("the FlightInfo has no ticket".to_owned()))?;
        match command::readable(command::decode(&ticket.ticket)?)? {
            Readable::Ticket(sealed) => {
                let content = self.open_ticket(call, &sealed)?;
                Ok(self.cancel_query(content.query_id()))
            }
            Readable::Statement(_) | Readable::Prepared(_) | Readable::Metadata(_) => {
                Ok(CancelStatus::NotCancellable)
            }
        }
    }
}

impl FlightSql {
    fn cancel_query(&self, id: QueryId) -> CancelStatus {
        if self.running.cancel(id) { CancelStatus::Cancelled } else { CancelStatus::NotCancellable }
    }
}

fn unreadable(_: prost::DecodeError) -> ServerError {
    ServerError::InvalidRequest("the action's body can't be read".to_owned())
}
