//! Ingestion: rows that a client sends become a dataset of its sandbox, all of them or none.

use arrow::datatypes::Schema;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementIngest, TableExistsOption, TableNotExistOption};
use basin_datasets::sandbox::SandboxMode;
use basin_engine::{CATALOG, Query};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};

use super::call::Call;
use super::command::refuse_transaction;
use super::service::FlightSql;
use super::write::{Rows, closed, columns};
use crate::error::{Result, ServerError};

const TEMPORARY: &str =
    "temporary tables are not kept: servers have no sessions; ingest into a table and drop it";

impl FlightSql {
    /// Stores the rows of a DoPut as its command says; gives their number.
    ///
    /// # Errors
    /// `InvalidRequest` when they are no Arrow data or the command can't be done, else the engine's and the sandbox's.
    pub(super) async fn ingest(
        &self,
        call: &Call,
        command: CommandStatementIngest,
        data: impl Stream<Item = std::result::Result<FlightData, tonic::Status>> + Send + 'static,
    ) -> Result<u64> {
        refuse_transaction(command.transaction_id.as_ref())?;
        if command.temporary {
            return Err(ServerError::Unsupported(TEMPORARY));
        }
        let catalog = command.catalog.as_deref().unwrap_or_default();
        if !catalog.is_empty() && catalog != CATALOG {
            return Err(invalid(format!("there is no catalog {catalog}; the catalog is {CATALOG}")));
        }
        let schema = command.schema.as_deref().filter(|schema| !schema.is_empty());
        let request = call.request(Query::Sql(format!("INGEST INTO {}", command.table)));
        let open = self.engine.ingest(&request, schema, &command.table).await?;
        let stored = async {
            let data = data
                .try_filter(|message| std::future::ready(!message.data_header.is_empty()))
                .map_err(|status| FlightError::Tonic(Box::new(status)));
            let mut batches = FlightRecordBatchStream::new_from_flight_data(data);
            let first = batches.try_next().await.map_err(unreadable)?;
            let rows_schema = batches.schema().cloned();
            let rows_schema = rows_schema.ok_or_else(|| invalid("the rows have no schema".to_owned()))?;
            let target = &open.write().target;
            let mode = mode(&command, self.is_there(target).await?, &rows_schema)?;
            let rows = Rows::brought(stream::iter(first.map(Ok)).chain(batches.map_err(unreadable)));
            self.store(&request, target, mode, rows).await
        };
        let outcome = stored.await;
        closed(open, outcome)
    }
}

/// What becomes of the rows, by what is there and what the client wants then.
fn mode(command: &CommandStatementIngest, is_there: bool, schema: &Schema) -> Result<SandboxMode> {
    let unset = || {
        invalid("the command doesn't say what to do when the table exists, or when it does not".to_owned())
    };
    let options = command.table_definition_options.ok_or_else(unset)?;
    let create = |replace| SandboxMode::Create { columns: columns(schema), replace };
    let append = || SandboxMode::Append {
        columns: Some(schema.fields().iter().map(|field| field.name().clone()).collect()),
    };
    if is_there {
        return match TableExistsOption::try_from(options.if_exists) {
            Ok(TableExistsOption::Fail) => Ok(create(false)),
            Ok(TableExistsOption::Append) => Ok(append()),
            Ok(TableExistsOption::Replace) => Ok(create(true)),
            Ok(TableExistsOption::Unspecified) | Err(_) => Err(unset()),
        };
    }
    match TableNotExistOption::try_from(options.if_not_exist) {
        Ok(TableNotExistOption::Create) => Ok(create(false)),
        Ok(TableNotExistOption::Fail) => Ok(append()),
        Ok(TableNotExistOption::Unspecified) | Err(_) => Err(unset()),
    }
}

fn invalid(what: String) -> ServerError {
    ServerError::InvalidRequest(what)
}

fn unreadable(error: FlightError) -> ServerError {
    tracing::info!(%error, "rows to ingest can't be read");
    invalid("the rows are not readable as Arrow data".to_owned())
}
