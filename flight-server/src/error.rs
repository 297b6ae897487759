//! The one error type of this crate, with variants by what the caller can do about them.

use std::net::SocketAddr;

use arrow::error::ArrowError;
use basin_catalog::{CatalogError, ErrorClass};
use basin_datasets::DatasetsError;
use basin_engine::EngineError;

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, ServerError>;

/// Why the server refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration can't be used as it is; the sentence says what to change.
    #[error("{0}")]
    Config(String),
    /// A request doesn't say what the protocol needs; the sentence says what is wrong.
    #[error("{0}")]
    InvalidRequest(String),
    /// The caller did not prove who it is.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller is known, but this ticket or handle was issued to somebody else.
    #[error("this ticket or handle was issued to another user; run the statement again under your own name")]
    ForeignHandle,
    /// Too many attempts with a wrong password or service token.
    #[error("too many failed sign-ins from this address; try again in {retry_seconds} s")]
    TooManyAttempts {
        /// When the next attempt is looked at.
        retry_seconds: u64,
    },
    /// The identity provider's keys can't be had; without them its tokens prove nothing.
    #[error("{what}")]
    IdentityProvider {
        /// What can't be had.
        what: &'static str,
        /// Why not, for the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A command of the protocol that Basin doesn't have.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The server is stopping.
    #[error("the server is stopping and takes no new calls; try again in {retry_seconds} s")]
    Draining {
        /// When another process should be there.
        retry_seconds: u64,
    },
    /// The server stopped before the result was complete.
    #[error("the server stopped before the result was complete; run the statement again")]
    Stopped,
    /// Somebody cancelled this query with CancelFlightInfo or CancelQuery.
    #[error("the query was cancelled by request")]
    Cancelled,
    /// A poll of a statement that is not polled in this process.
    #[error(
        "no such statement is polled here: it was fetched, cancelled or not asked for in time, or another \
         server process runs it; poll again with the statement itself"
    )]
    UnknownPoll,
    /// Too many connections are open.
    #[error("the server has its {limit} connections; close some, or try again in {RETRY_SECONDS} s")]
    TooManyConnections {
        /// How many there may be.
        limit: usize,
    },
    /// A limit of this server would be exceeded.
    #[error("{0}")]
    TooLarge(String),
    /// The catalog refused or failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The sandbox refused or failed.
    #[error(transparent)]
    Datasets(Box<DatasetsError>),
    /// A file of the configuration can't be read.
    #[error("can't read {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The workers of the server can't be started or reached.
    #[error("{doing} failed: {source}")]
    Workers {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A worker ended before it was ready; it has said why itself.
    #[error("the server's first worker ended before it was ready")]
    WorkerEnded {
        /// Its exit code; none when a signal ended it.
        code: Option<i32>,
    },
    /// The transport failed or its TLS material is unusable.
    #[error("the gRPC transport failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// A result can't be put into its wire form.
    #[error("can't encode the result for the wire")]
    Encode(#[from] ArrowError),
    /// A task of the server ended early.
    #[error("a server task ended early")]
    Task(#[from] tokio::task::JoinError),
    /// Something that should not happen.
    #[error("{0}")]
    Internal(&'static str),
}

impl From<DatasetsError> for ServerError {
    fn from(error: DatasetsError) -> Self {
        Self::Datasets(Box::new(error))
    }
}

impl ServerError {
    /// Returns the class that decides the gRPC status and the exit code.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Config(_) | Self::InvalidRequest(_) | Self::File { .. } => ErrorClass::InvalidInput,
            Self::Unauthenticated(_) => ErrorClass::Unauthenticated,
            Self::ForeignHandle => ErrorClass::PermissionDenied,
            Self::TooManyAttempts { .. } | Self::TooLarge(_) | Self::TooManyConnections { .. } => {
                ErrorClass::ResourceExhausted
            }
            Self::Unsupported(_) => ErrorClass::Unimplemented,
            Self::Draining { .. }
            | Self::Stopped
            | Self::Bind { .. }
            | Self::Workers { .. }
            | Self::WorkerEnded { .. }
            | Self::Transport(_)
            | Self::IdentityProvider { .. } => ErrorClass::Unavailable,
            Self::Cancelled => ErrorClass::Cancelled,
            Self::UnknownPoll => ErrorClass::NotFound,
            Self::Catalog(error) => error.class(),
            Self::Engine(error) => error.class(),
            Self::Datasets(error) => error.class(),
            Self::Encode(_) | Self::Task(_) | Self::Internal(_) => ErrorClass::Internal,
        }
    }

    /// Returns when a retry makes sense, for errors that pass.
    ///
    /// Units: seconds.
    #[must_use]
    pub(crate) fn retry_seconds(&self) -> Option<u64> {
        match self {
            Self::TooManyAttempts { retry_seconds } | Self::Draining { retry_seconds } => {
                Some(*retry_seconds)
            }
            Self::TooManyConnections { .. } => Some(RETRY_SECONDS),
            _ if matches!(self.class(), ErrorClass::Unavailable) => Some(RETRY_SECONDS),
            _ => None,
        }
    }
}

/// The wait that is suggested when nothing better is known: long enough for a restart behind a
/// load balancer, short enough not to be noticed by a person.
pub(crate) const RETRY_SECONDS: u64 = 5;
