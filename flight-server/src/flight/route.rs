//! From a descriptor or a ticket to whoever answers it.

use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::{FlightData, FlightDescriptor, FlightInfo, SchemaAsIpc, SchemaResult, Ticket};
use basin_engine::QueryId;
use futures::stream::{self, BoxStream};

use super::call::Call;
use super::command::{self, Readable};
use super::handle::TicketContent;
use super::info;
use super::running::Run;
use super::service::{FlightSql, Opened};
use super::write::{count_schema, one_run};
use crate::encode::flight_data;
use crate::error::{Result, ServerError};

const STATEMENT_AS_TICKET: &str = "a statement is not a ticket: send it with GetFlightInfo and fetch the \
                                   ticket that returns";
const TICKET_AS_STATEMENT: &str = "a ticket is not a statement: send it with DoGet";

/// The messages of a result.
type Data = BoxStream<'static, Result<FlightData>>;

/// What a ticket asks for.
enum Work {
    Statement(TicketContent),
    Metadata(command::Metadata),
}

impl FlightSql {
    /// Plans what a descriptor asks for and answers with its info; what changes something runs here.
    ///
    /// # Errors
    /// `InvalidRequest` or `Unsupported` for what there is not, else the command's.
    pub(super) async fn info(&self, opened: &Opened, descriptor: FlightDescriptor) -> Result<FlightInfo> {
        let call = &opened.call;
        match command::readable(command::of_descriptor(&descriptor)?)? {
            Readable::Statement(query) => {
                let written = opened.run.step(self.write(call.request(query.clone()), one_run()));
                if let Some(count) = written.await? {
                    return self.info_of_done(call, count, descriptor);
                }
                let described = opened.run.step(self.describe_statement(call, query)).await?;
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
                let endpoint = info::endpoint(descriptor.cmd.clone(), None);
                info::flight_info(descriptor, &self.metadata_schema(&metadata), vec![endpoint], None)
            }
            Readable::Ticket(_) => Err(ServerError::InvalidRequest(TICKET_AS_STATEMENT.to_owned())),
        }
    }

    /// Plans what a descriptor asks for and answers with the schema of its result.
    ///
    /// # Errors
    /// As [`FlightSql::info`].
    pub(super) async fn schema(&self, opened: &Opened, descriptor: FlightDescriptor) -> Result<SchemaResult> {
        let call = &opened.call;
        let schema = match command::readable(command::of_descriptor(&descriptor)?)? {
            Readable::Statement(query) if self.engine.is_change(&call.request(query.clone())) => {
                count_schema()
            }
            Readable::Statement(query) => opened.run.step(self.describe_statement(call, query)).await?.schema,
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
    pub(super) async fn get(&self, opened: Opened, ticket: Ticket) -> (QueryId, Result<Data>) {
        let Opened { call, run } = opened;
        let id = call.query_id;
        let content = match run.step(self.content_of(&call, &ticket)).await {
            Ok(Work::Statement(content)) => content,
            Ok(Work::Metadata(metadata)) => {
                return (id, self.get_metadata(&call, metadata, run).await);
            }
            Err(error) => return (id, Err(error)),
        };
        let id = content.query_id();
        let outcome = match self.running.enter(id) {
            Ok(run) => self.run_ticket(&call, content, run).await,
            Err(error) => Err(error),
        };
        (id, outcome)
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

    async fn get_metadata(&self, call: &Call, metadata: command::Metadata, run: Run) -> Result<Data> {
        let schema = self.metadata_schema(&metadata);
        let batch = run.step(self.metadata_rows(call, metadata)).await?;
        Ok(run.stream(flight_data(schema, None, stream::iter([Ok(batch.into())]))))
    }
}
