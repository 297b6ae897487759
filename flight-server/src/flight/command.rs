//! What a descriptor or a ticket asks for: the protocol's commands, sorted once.
//!
//! Every command of the protocol is named here; what Basin doesn't have is refused with a sentence.

use arrow_flight::sql::{
    Any, Command, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandStatementIngest, SubstraitPlan,
};
use arrow_flight::{FlightDescriptor, flight_descriptor};
use basin_engine::Query;
use bytes::Bytes;
use prost::Message;

use super::keys::TableFilter;
use crate::error::{Result, ServerError};

const UPDATES: &str = "an update is sent as the data of DoPut, not here";
const SUBSTRAIT: &str =
    "a Substrait plan only reads: send it with GetFlightInfo or prepare it; send changes as SQL";
const INGEST: &str = "bulk ingestion is sent as the data of DoPut, not here";
const TRANSACTIONS: &str = "transactions are not supported: every query reads one snapshot; leave the \
                            connection in autocommit";

/// A command that has rows as its answer.
#[derive(Debug)]
pub(super) enum Readable {
    /// A statement or a plan.
    Statement(Query),
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
    /// GetPrimaryKeys.
    PrimaryKeys(TableFilter),
    /// GetImportedKeys, GetExportedKeys and GetCrossReference: references to tables from tables.
    References { to: TableFilter, from: TableFilter },
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
            Readable::Statement(Query::Sql(query.query))
        }
        Command::CommandStatementSubstraitPlan(query) => {
            refuse_transaction(query.transaction_id.as_ref())?;
            Readable::Statement(substrait(query.plan)?)
        }
        Command::CommandPreparedStatementQuery(query) => Readable::Prepared(query.prepared_statement_handle),
        Command::TicketStatementQuery(ticket) => Readable::Ticket(ticket.statement_handle),
        Command::CommandGetCatalogs(_) => Readable::Metadata(Metadata::Catalogs),
        Command::CommandGetDbSchemas(query) => Readable::Metadata(Metadata::Schemas(query)),
        Command::CommandGetTables(query) => Readable::Metadata(Metadata::Tables(query)),
        Command::CommandGetTableTypes(_) => Readable::Metadata(Metadata::TableTypes),
        Command::CommandGetSqlInfo(query) => Readable::Metadata(Metadata::SqlInfo(query)),
        Command::CommandGetXdbcTypeInfo(query) => Readable::Metadata(Metadata::XdbcTypeInfo(query)),
        Command::CommandGetPrimaryKeys(keys) => Readable::Metadata(Metadata::PrimaryKeys(TableFilter::new(
            keys.catalog,
            keys.db_schema,
            keys.table,
        ))),
        Command::CommandGetImportedKeys(keys) => Readable::Metadata(Metadata::References {
            to: TableFilter::default(),
            from: TableFilter::new(keys.catalog, keys.db_schema, keys.table),
        }),
        Command::CommandGetExportedKeys(keys) => Readable::Metadata(Metadata::References {
            to: TableFilter::new(keys.catalog, keys.db_schema, keys.table),
            from: TableFilter::default(),
        }),
        Command::CommandGetCrossReference(keys) => Readable::Metadata(Metadata::References {
            to: TableFilter::new(keys.pk_catalog, keys.pk_db_schema, keys.pk_table),
            from: TableFilter::new(keys.fk_catalog, keys.fk_db_schema, keys.fk_table),
        }),
        other => return Err(refusal(other)),
    })
}

/// Returns the plan of a command.
///
/// # Errors
/// `InvalidRequest` when there is none.
pub(super) fn substrait(plan: Option<SubstraitPlan>) -> Result<Query> {
    plan.map(|plan| Query::Substrait(plan.plan))
        .ok_or_else(|| ServerError::InvalidRequest("the command has no Substrait plan".to_owned()))
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
        | Command::CommandGetCrossReference(_)
        | Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetPrimaryKeys(_)
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
    short(command.type_url())
}

/// Returns the name of the command in the bytes of a descriptor, ticket or action, for the log; empty when there is none.
pub(super) fn name_in(bytes: &[u8]) -> String {
    Any::decode(bytes).map(|any| short(&any.type_url)).unwrap_or_default()
}

fn short(url: &str) -> String {
    let last = url.rsplit(['/', '.']).next().unwrap_or(url);
    last.chars().take(64).collect()
}
