//! Answers: each call gets one, with its id, and one line in the log: the method, the command, the code, who sent it.

use basin_engine::QueryId;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Response, Status};

use super::command;
use crate::error::{Result, ServerError};
use crate::metrics::Calls;
use crate::status::{QUERY_ID_HEADER, to_status};

/// The longest name of a client that the log takes.
const MAX_USER_AGENT_CHARS: usize = 120;
/// The longest name of an action that the log takes.
const MAX_ACTION_CHARS: usize = 64;

/// One call that waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    /// Under which it is reported.
    pub(super) id: QueryId,
    method: &'static str,
    /// The Flight SQL command or action; empty where there is none.
    command: String,
    user_agent: String,
    calls: Calls,
}

impl Asked {
    pub(super) fn new(calls: &Calls, method: &'static str, metadata: &MetadataMap) -> Self {
        let agent = metadata.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let user_agent = agent.chars().take(MAX_USER_AGENT_CHARS).collect();
        Self { id: QueryId::new(), method, command: String::new(), user_agent, calls: calls.clone() }
    }

    /// Notes the command in the bytes of a descriptor or ticket.
    pub(super) fn command(self, bytes: &[u8]) -> Self {
        Self { command: command::name_in(bytes), ..self }
    }

    /// Notes the action.
    pub(super) fn action(self, name: &str) -> Self {
        Self { command: name.chars().take(MAX_ACTION_CHARS).collect(), ..self }
    }

    /// Reports under another id: a ticket's is that of its FlightInfo.
    pub(super) fn under(self, id: QueryId) -> Self {
        Self { id, ..self }
    }

    /// Answers with a value and the id in the response's metadata, or with the mapped error.
    pub(super) fn answer<T>(self, outcome: Result<T>) -> std::result::Result<Response<T>, Status> {
        self.answer_with(outcome.map(Response::new))
    }

    /// The same with a response that has metadata of its own.
    pub(super) fn answer_with<T>(
        self,
        outcome: Result<Response<T>>,
    ) -> std::result::Result<Response<T>, Status> {
        let mut response = match outcome {
            Ok(response) => response,
            Err(error) => return self.refuse(&error),
        };
        if let Ok(id) = MetadataValue::try_from(self.id.to_string()) {
            response.metadata_mut().insert(QUERY_ID_HEADER, id);
        }
        self.log(Code::Ok);
        Ok(response)
    }

    /// Answers with an error.
    pub(super) fn refuse<T>(self, error: &ServerError) -> std::result::Result<T, Status> {
        let status = to_status(error, &self.id);
        self.log(status.code());
        Err(status)
    }

    fn log(&self, code: Code) {
        let Self { id, method, command, user_agent, calls } = self;
        calls.count(method, code);
        tracing::info!(query_id = %id, method, command, ?code, user_agent, "answered");
    }
}
