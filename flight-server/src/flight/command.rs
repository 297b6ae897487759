//! What a descriptor or a ticket asks for: the protocol's commands, sorted once.
//!
//! Every command of the protocol is named here; what Basin doesn't have is refused with a sentence.

use arrow_flight::sql::{
    Any, Command, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandStatementIngest,
};
use arrow_flight::{FlightDescriptor, flight_descriptor};
use bytes::Bytes;
use prost::Message;

use crate::error::{Result, ServerError};

const UPDATES: &str = "an update is sent as the data of DoPut, not here";
const SUBSTRAIT: &str = "Substrait plans are not supported; send the statement as SQL";
const INGEST: &str = "bulk ingestion is sent as the data of DoPut, not here";
const KEYS: &str = "primary and foreign keys are not published yet; the keys of a dataset are in \
                    basin.items";
const TRANSACTIONS: &str = "transactions are not supported: every query reads one snapshot; leave the \
                            connection in autocommit";

/// A command that has rows as its answer.
#[derive(Debug)]
pub(super) enum Readable {
    /// A statement, as SQL.
    Statement(String),
    /// A prepared statement, by its handle.
    Prepared(Bytes),
    /// A sealed ticket.
    Ticket(Bytes),
    /// A metadata command.
    Metadata(Metadata),
}

/// A metadata command.
#[derive(Debug)]
pub(super) enum Metadata {
    /// GetCatalogs.
    Catalogs,
    /// GetDbSchemas.
    Schemas(CommandGetDbSchemas),
    /// GetTables.
    Tables(CommandGetTables),
    /// GetTableTypes.
    TableTypes,
    /// GetSqlInfo.
    SqlInfo(CommandGetSqlInfo),
    /// GetXdbcTypeInfo.
    XdbcTypeInfo(CommandGetXdbcTypeInfo),
}

/// A command that comes with data.
#[derive(Debug)]
pub(super) enum Put {
    /// Parameters of a prepared statement, by its handle.
    Bind(Bytes),
    /// A statement that changes something, as SQL.
    Update(String),
    /// A prepared statement that changes something, by its handle, with its parameters.
    PreparedUpdate(Bytes),
    /// Rows for a table.
    Ingest(Box<CommandStatementIngest>),
}

/// Sorts a command that comes with data.
///
/// # Errors
/// As [`readable`].
pub(super) fn put(command: Command) -> Result<Put> {
    Ok(match command {
        Command::CommandPreparedStatementQuery(query) => Put::Bind(query.prepared_statement_handle),
        Command::CommandStatementUpdate(update) => {
            refuse_transaction(update.transaction_id.as_ref())?;
            Put::Update(update.query)
        }
        Command::CommandPreparedStatementUpdate(update) => {
            Put::PreparedUpdate(update.prepared_statement_handle)
        }
        Command::CommandStatementIngest(ingest) => Put::Ingest(Box::new(ingest)),
        other => return Err(refusal(other)),
    })
}

/// Reads the command of a descriptor.
///
/// # Errors
/// `InvalidRequest` when it is a path or no command.
pub(super) fn of_descriptor(descriptor: &FlightDescriptor) -> Result<Command> {
    let kind = flight_descriptor::DescriptorType::try_from(descriptor.r#type);
    if matches!(kind, Ok(flight_descriptor::DescriptorType::Path)) {
        return Err(ServerError::InvalidRequest(
            "Basin speaks Flight SQL: a descriptor must hold a command, not a path; use a Flight SQL \
             client"
                .to_owned(),
        ));
    }
    decode(&descriptor.cmd)
}

/// Reads a command from the bytes of a descriptor, a ticket or an action.
///
/// # Errors
/// `InvalidRequest` when they are none.
pub(super) fn decode(bytes: &[u8]) -> Result<Command> {
    let invalid = || {
        ServerError::InvalidRequest(
            "the message is not a Flight SQL command; use a Flight SQL client".to_owned(),
        )
    };
    let any = Any::decode(bytes).map_err(|_| invalid())?;
    Command::try_from(any).map_err(|_| invalid())
}

/// Sorts a command that asks for rows.
///
/// # Errors
/// `Unsupported` with the sentence that says what there is instead, `InvalidRequest` for a message
/// that is no query.
pub(super) fn readable(command: Command) -> Result<Readable> {
    Ok(match command {
        Command::CommandStatementQuery(query) => {
            refuse_transaction(query.transaction_id.as_ref())?;
            Readable::Statement(query.query)
        }
        Command::CommandPreparedStatementQuery(query) => Readable::Prepared(query.prepared_statement_handle),
        Command::TicketStatementQuery(ticket) => Readable::Ticket(ticket.statement_handle),
        Command::CommandGetCatalogs(_) => Readable::Metadata(Metadata::Catalogs),
        Command::CommandGetDbSchemas(query) => Readable::Metadata(Metadata::Schemas(query)),
        Command::CommandGetTables(query) => Readable::Metadata(Metadata::Tables(query)),
        Command::CommandGetTableTypes(_) => Readable::Metadata(Metadata::TableTypes),
        Command::CommandGetSqlInfo(query) => Readable::Metadata(Metadata::SqlInfo(query)),
        Command::CommandGetXdbcTypeInfo(query) => Readable::Metadata(Metadata::XdbcTypeInfo(query)),
        other => return Err(refusal(other)),
    })
}

/// Returns why a command is not answered where it was sent.
pub(super) fn refusal(command: Command) -> ServerError {
    match command {
        Command::CommandStatementSubstraitPlan(_) | Command::ActionCreatePreparedSubstraitPlanRequest(_) => {
            ServerError::Unsupported(SUBSTRAIT)
        }
        Command::CommandStatementUpdate(_) | Command::CommandPreparedStatementUpdate(_) => {
            ServerError::Unsupported(UPDATES)
        }
        Command::CommandStatementIngest(_) => ServerError::Unsupported(INGEST),
        Command::CommandGetPrimaryKeys(_)
        | Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => ServerError::Unsupported(KEYS),
        Command::ActionBeginSavepointRequest(_)
        | Command::ActionBeginTransactionRequest(_)
        | Command::ActionEndSavepointRequest(_)
        | Command::ActionEndTransactionRequest(_) => ServerError::Unsupported(TRANSACTIONS),
        misplaced @ (Command::ActionBeginSavepointResult(_)
        | Command::ActionBeginTransactionResult(_)
        | Command::ActionCancelQueryRequest(_)
        | Command::ActionCancelQueryResult(_)
        | Command::ActionClosePreparedStatementRequest(_)
        | Command::ActionCreatePreparedStatementRequest(_)
        | Command::ActionCreatePreparedStatementResult(_)
        | Command::CommandGetCatalogs(_)
        | Command::CommandGetDbSchemas(_)
        | Command::CommandGetSqlInfo(_)
        | Command::CommandGetTableTypes(_)
        | Command::CommandGetTables(_)
        | Command::CommandGetXdbcTypeInfo(_)
        | Command::CommandPreparedStatementQuery(_)
        | Command::CommandStatementQuery(_)
        | Command::DoPutPreparedStatementResult(_)
        | Command::DoPutUpdateResult(_)
        | Command::TicketStatementQuery(_)
        | Command::Unknown(_)) => ServerError::InvalidRequest(format!(
            "the message {} does not belong in this call",
            name(&misplaced)
        )),
    }
}

/// Refuses to run something in a transaction.
///
/// # Errors
/// `Unsupported` when there is one.
pub(super) fn refuse_transaction(id: Option<&Bytes>) -> Result<()> {
    match id {
        Some(id) if !id.is_empty() => Err(ServerError::Unsupported(TRANSACTIONS)),
        Some(_) | None => Ok(()),
    }
}

/// Returns the last part of a command's type, cut to what a name may have.
fn name(command: &Command) -> String {
    let url = command.type_url();
    let last = url.rsplit(['/', '.']).next().unwrap_or(url);
    last.chars().take(64).collect()
}
