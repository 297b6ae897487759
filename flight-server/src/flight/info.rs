//! FlightInfo: endpoints without location, the schema, and provenance.

use std::time::Duration;

use arrow::datatypes::Schema;
use arrow_flight::sql::{Any, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use basin_engine::{Provenance, QueryId};
use bytes::Bytes;
use chrono::Utc;
use prost::Message;
use serde::Serialize;

use crate::error::{Result, ServerError};

/// What `FlightInfo.app_metadata` says, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Origin {
    query_id: String,
    snapshot: u64,
    datasets: Vec<OriginDataset>,
}

#[derive(Debug, Serialize)]
struct OriginDataset {
    dataset: String,
    version: Option<u64>,
    provider: String,
    licence: String,
    issued: String,
}

impl Origin {
    pub(super) fn new(query_id: &QueryId, snapshot: u64, provenance: &[Provenance]) -> Self {
        let datasets = provenance
            .iter()
            .map(|from| OriginDataset {
                dataset: from.dataset.to_string(),
                version: from.version,
                provider: from.provider.to_string(),
                licence: from.licence.clone(),
                issued: from.issued.to_string(),
            })
            .collect();
        Self { query_id: query_id.to_string(), snapshot, datasets }
    }
}

/// Returns the endpoint of a ticket, which may be fetched again until its time is over.
pub(super) fn endpoint(ticket: Bytes, lifetime: Option<Duration>) -> FlightEndpoint {
    let mut endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket });
    endpoint.expiration_time =
        lifetime.and_then(|lifetime| (Utc::now() + lifetime).to_rfc3339().parse().ok());
    endpoint
}

/// Returns the ticket that holds a sealed statement.
pub(super) fn statement_ticket(sealed: Vec<u8>) -> Bytes {
    let ticket = TicketStatementQuery { statement_handle: sealed.into() };
    Any::encode_to_vec(&ticket.as_any()).into()
}

/// Returns the info of a result: how many rows it has is not known before it runs. Rows in several endpoints have no
/// order.
///
/// # Errors
/// `Encode` when the schema can't be written.
pub(super) fn flight_info(
    descriptor: FlightDescriptor,
    schema: &Schema,
    endpoints: Vec<FlightEndpoint>,
    origin: Option<&Origin>,
) -> Result<FlightInfo> {
    let mut info = FlightInfo::new()
        .try_with_schema(schema)?
        .with_descriptor(descriptor)
        .with_total_records(-1)
        .with_total_bytes(-1)
        .with_ordered(endpoints.len() == 1);
    info.endpoint = endpoints;
    Ok(match origin {
        Some(origin) => {
            let json = serde_json::to_vec(origin)
                .map_err(|_| ServerError::Internal("provenance can't be written as JSON"))?;
            info.with_app_metadata(json)
        }
        None => info,
    })
}
