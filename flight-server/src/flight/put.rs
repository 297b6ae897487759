//! DoPut: parameters to bind, statements that change something, rows to ingest.

use arrow_flight::sql::DoPutUpdateResult;
use arrow_flight::{FlightData, FlightDescriptor, PutResult};
use basin_engine::Query;
use futures::stream::{self, StreamExt};
use prost::Message;
use tonic::Streaming;

use super::command::{self, Put};
use super::parameters;
use super::service::{FlightSql, Opened};
use super::write::one_run;
use crate::error::{Result, ServerError};

const NO_CHANGE: &str = "the statement is a query, or you can't write here (role sandbox); send queries with \
                         GetFlightInfo and DoGet";

/// Reads the first message of a DoPut, and its descriptor.
///
/// # Errors
/// `InvalidRequest` when there is none.
pub(super) async fn descriptor(data: &mut Streaming<FlightData>) -> Result<(FlightData, FlightDescriptor)> {
    let invalid = |what: &str| ServerError::InvalidRequest(what.to_owned());
    let first = data
        .message()
        .await
        .map_err(|_| invalid("the data of DoPut can't be read"))?
        .ok_or_else(|| invalid("DoPut was sent without data"))?;
    let descriptor = first
        .flight_descriptor
        .clone()
        .ok_or_else(|| invalid("the first message of DoPut has no descriptor"))?;
    Ok((first, descriptor))
}

impl FlightSql {
    /// Does what a DoPut asks for with its data; `first` is the message that the descriptor came with.
    ///
    /// # Errors
    /// `InvalidRequest` or `Unsupported` for what there is not, else the command's.
    pub(super) async fn put(
        &self,
        opened: &Opened,
        descriptor: &FlightDescriptor,
        first: FlightData,
        data: Streaming<FlightData>,
    ) -> Result<PutResult> {
        let command = command::put(command::of_descriptor(descriptor)?)?;
        let rows = stream::iter([Ok(first)]).chain(data);
        let (call, run) = (&opened.call, &opened.run);
        let count = match command {
            Put::Bind(handle) => {
                let result = run.step(self.bind(call, &handle, rows)).await?;
                return Ok(PutResult { app_metadata: result.encode_to_vec().into() });
            }
            Put::Update(sql) => run.step(self.write(call.request(Query::Sql(sql)), one_run())).await?,
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
