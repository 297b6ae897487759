//! Prepared statements: create, bind, execute, close. The handle is the statement.
//!
//! Nothing is kept: binding returns a new handle that holds the values too.

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::sql::{
    ActionCreatePreparedStatementResult, Any, DoPutPreparedStatementResult, ProstMessageExt,
};
use basin_engine::{Query, QueryRequest};
use bytes::Bytes;
use futures::Stream;
use prost::Message;

use super::call::Call;
use super::columns::ResultForm;
use super::handle::{self, PreparedContent, TicketContent};
use super::parameters;
use super::service::FlightSql;
use super::statement::Described;
use crate::encode::{schema_bytes, wire_schema};
use crate::error::Result;
use crate::seal::Purpose;

/// ActionCreatePreparedStatementResult with its fourth field, which arrow-flight lacks: clients that
/// know it decide by it whether a statement is fetched or executed.
///
/// Source: FlightSql.proto, `is_update`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CreatedStatement {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) prepared_statement_handle: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) dataset_schema: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) parameter_schema: Bytes,
    #[prost(bool, optional, tag = "4")]
    pub(super) is_update: Option<bool>,
}

impl CreatedStatement {
    /// Wraps the message as clients expect it in the action's result.
    pub(super) fn into_body(self) -> Bytes {
        let any = Any {
            type_url: ActionCreatePreparedStatementResult::type_url().to_owned(),
            value: self.encode_to_vec().into(),
        };
        any.encode_to_vec().into()
    }
}

impl FlightSql {
    /// Prepares a statement.
    ///
    /// # Errors
    /// The engine's.
    pub(super) async fn create_prepared(&self, call: &Call, query: Query) -> Result<CreatedStatement> {
        let prepared = self.engine.since(call.arrived).prepare(call.request(query.clone())).await?;
        let form = ResultForm::new(&call.options, !prepared.parameters.fields().is_empty());
        // Clients take an empty schema for a statement that changes something.
        let dataset_schema = form.schema(&prepared.schema, &prepared.sources);
        let content =
            PreparedContent { query: query.into(), options: call.options.clone(), parameters: Vec::new() };
        Ok(CreatedStatement {
            prepared_statement_handle: self.seal_prepared(call, &content)?,
            dataset_schema: schema_bytes(&dataset_schema)?,
            parameter_schema: schema_bytes(&wire_schema(&prepared.parameters))?,
            is_update: Some(prepared.is_update),
        })
    }

    /// Binds the rows of a DoPut to a prepared statement and returns the handle that holds them.
    ///
    /// # Errors
    /// Those of [`handle::open`] and [`parameters::read`].
    pub(super) async fn bind(
        &self,
        call: &Call,
        handle: &[u8],
        data: impl Stream<Item = std::result::Result<FlightData, tonic::Status>> + Send + 'static,
    ) -> Result<DoPutPreparedStatementResult> {
        let mut content = self.open_prepared(call, handle)?;
        let rows = parameters::read(data).await?;
        // Some clients bind a batch without columns to a statement without parameters.
        content.parameters = match rows.filter(|rows| rows.num_columns() > 0) {
            Some(rows) => parameters::to_bytes(&rows)?,
            None => Vec::new(),
        };
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(self.seal_prepared(call, &content)?),
        })
    }

    /// Plans a prepared statement with what is bound to it.
    ///
    /// # Errors
    /// Those of [`handle::open`], else the engine's, which knows how many values there must be.
    pub(super) async fn describe_prepared(&self, call: &Call, handle: &[u8]) -> Result<Described> {
        let content = self.open_prepared(call, handle)?;
        let runs = parameters::from_bytes(&content.parameters)?;
        let request = QueryRequest {
            parameters: runs.into_iter().next().unwrap_or_default(),
            ..call.request_of(content.query.query(), &content.options)?
        };
        let ticket = TicketContent {
            query_id: call.query_id.to_string(),
            query: content.query,
            options: content.options,
            parameters: content.parameters,
            ..TicketContent::default()
        };
        self.describe(call, request, ticket).await
    }

    /// Runs a prepared statement that changes something, with the rows that come along or else those that are bound;
    /// none when it is a query.
    ///
    /// # Errors
    /// Those of [`handle::open`], else the statement's.
    pub(super) async fn write_prepared(
        &self,
        call: &Call,
        handle: &[u8],
        rows: Option<RecordBatch>,
    ) -> Result<Option<u64>> {
        let content = self.open_prepared(call, handle)?;
        let bound = match rows.filter(|rows| rows.num_columns() > 0) {
            Some(rows) => parameters::to_bytes(&rows)?,
            None => content.parameters.clone(),
        };
        let request = call.request_of(content.query.query(), &content.options)?;
        self.write(request, parameters::from_bytes(&bound)?).await
    }

    /// Tells whether a prepared statement changes something.
    ///
    /// # Errors
    /// Those of [`handle::open`].
    pub(super) fn is_prepared_change(&self, call: &Call, handle: &[u8]) -> Result<bool> {
        let content = self.open_prepared(call, handle)?;
        Ok(self.engine.is_change(&call.request_of(content.query.query(), &content.options)?))
    }

    /// Closes a prepared statement: nothing is kept, so only a foreign or forged handle is refused.
    ///
    /// # Errors
    /// Those of [`handle::open`].
    pub(super) fn close_prepared(&self, call: &Call, handle: &[u8]) -> Result<()> {
        self.open_prepared(call, handle).map(drop)
    }

    fn open_prepared(&self, call: &Call, handle: &[u8]) -> Result<PreparedContent> {
        handle::open(&self.sealer, Purpose::Prepared, call, handle)
    }

    fn seal_prepared(&self, call: &Call, content: &PreparedContent) -> Result<Bytes> {
        let lifetime = self.lifetimes.handle;
        Ok(handle::seal(&self.sealer, Purpose::Prepared, call, lifetime, content)?.into())
    }
}
