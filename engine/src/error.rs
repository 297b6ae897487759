//! The engine's errors, by what the caller can do about them.
//!
//! The text of an error is for the user: it says what is wrong and what to do, and never holds a file
//! path, a store URL or an internal plan. Causes are kept as `source` for the log.

use crate::request::QueryId;
use basin_catalog::{CatalogError, ErrorClass, store_error};
use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use std::sync::Arc;
use std::time::Duration;

/// Result of an engine call.
pub type Result<T> = std::result::Result<T, EngineError>;

/// What can go wrong between a statement and its rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The statement is wrong: correct it. The place is given where it is known.
    #[error("{message}{}", place(*.line, *.column))]
    InvalidSql {
        /// What is wrong.
        message: String,
        /// Line in the statement, from 1.
        line: Option<u64>,
        /// Column in that line, from 1.
        column: Option<u64>,
    },
    /// The statement would change something.
    #[error("{0}")]
    ReadOnly(String),
    /// The statement exceeds a limit of size or nesting.
    #[error("{0}")]
    TooLarge(String),
    /// A parameter is missing, superfluous or of a type that does not fit.
    #[error("{0}")]
    InvalidParameter(String),
    /// No such table, or none that the principal may see: both read the same.
    #[error("table \"{name}\" does not exist or is not shared with you{}", suggest(.suggestions))]
    NotFound {
        /// The name as written.
        name: String,
        /// Visible names that resemble it.
        suggestions: Vec<String>,
    },
    /// No such query runs, or none that the principal may end: both read the same.
    #[error("no query {0} of yours is running on this server; basin.running lists those that are")]
    NoSuchQuery(QueryId),
    /// The policy changed between planning and authorising.
    #[error("access to \"{0}\" was refused; ask its provider for a grant")]
    PermissionDenied(String),
    /// The access was over while rows were streaming.
    #[error(
        "access to \"{0}\" was withdrawn or changed while rows were streaming; ask again for what may be read now"
    )]
    Withdrawn(String),
    /// A dataset with a minimum cell is asked for rows.
    #[error("{dataset} is shown in groups only: {why}")]
    GroupsOnly {
        /// The dataset.
        dataset: String,
        /// What can't be done, and what can.
        why: String,
    },
    /// A policy of a dataset can't be applied to its data: nothing of it is shown.
    #[error(
        "the policy of a dataset in this query can't be applied; tell its provider or the operator of this server"
    )]
    PolicyBroken,
    /// SQL that this engine does not support.
    #[error("not supported: {0}")]
    NotSupported(String),
    /// A value could not be computed, e.g. a division by zero or a failed cast.
    #[error("{0}")]
    Computation(String),
    /// Too many queries run and wait, or a bounded resource of the server is used up.
    #[error("{0}; try again later")]
    Busy(String),
    /// The query needs more memory or spill space than it may have.
    #[error(
        "the query needs more memory or spill space than the server allows; select fewer columns, filter more or aggregate earlier"
    )]
    OutOfMemory {
        /// The cause.
        #[source]
        source: Box<DataFusionError>,
    },
    /// The time limit of the query or of its planning passed.
    #[error("{what} took longer than its limit of {} s", limit.as_secs_f64())]
    Timeout {
        /// "the query" or "planning the query".
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The query was cancelled.
    #[error("the query was cancelled")]
    Cancelled,
    /// The object store does not answer.
    #[error("the data store does not answer; try again later")]
    Store {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Data of a dataset is missing or unreadable.
    #[error("data of the dataset is missing or damaged; tell the operator of this server")]
    Corrupt {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An error of the catalog.
    #[error(transparent)]
    Catalog(CatalogError),
    /// A fault of the engine itself.
    #[error("internal error: {what}; tell the operator of this server the query id")]
    Internal {
        /// Which step failed.
        what: &'static str,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl EngineError {
    /// Tells what kind of error this is, for status codes and exit codes.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::InvalidSql { .. }
            | Self::ReadOnly(_)
            | Self::TooLarge(_)
            | Self::InvalidParameter(_)
            | Self::Computation(_) => ErrorClass::InvalidInput,
            Self::NotFound { .. } | Self::NoSuchQuery(_) => ErrorClass::NotFound,
            Self::PermissionDenied(_) | Self::PolicyBroken | Self::Withdrawn(_) | Self::GroupsOnly { .. } => {
                ErrorClass::PermissionDenied
            }
            Self::NotSupported(_) => ErrorClass::Unimplemented,
            Self::Busy(_) | Self::OutOfMemory { .. } => ErrorClass::ResourceExhausted,
            Self::Timeout { .. } => ErrorClass::DeadlineExceeded,
            Self::Cancelled => ErrorClass::Cancelled,
            Self::Store { .. } => ErrorClass::Unavailable,
            Self::Corrupt { .. } | Self::Internal { .. } => ErrorClass::Internal,
            Self::Catalog(error) => error.class(),
        }
    }

    pub(crate) fn sql(message: impl Into<String>) -> Self {
        Self::InvalidSql { message: message.into(), line: None, column: None }
    }

    pub(crate) fn sql_at(message: impl Into<String>, line: u64, column: u64) -> Self {
        let known = line > 0;
        Self::InvalidSql {
            message: message.into(),
            line: known.then_some(line),
            column: known.then_some(column),
        }
    }

    pub(crate) fn internal(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal { what, source: Some(source.into()) }
    }

    pub(crate) fn lost(what: &'static str) -> Self {
        Self::Internal { what, source: None }
    }
}

impl From<CatalogError> for EngineError {
    fn from(error: CatalogError) -> Self {
        // Their texts name the store and its objects.
        match error {
            CatalogError::Unavailable { .. } | CatalogError::UnknownOutcome { .. } => {
                Self::Store { source: Box::new(error) }
            }
            CatalogError::Corrupt { .. } | CatalogError::NotACatalog { .. } => {
                Self::Corrupt { source: Box::new(error) }
            }
            other => Self::Catalog(other),
        }
    }
}

/// Carries an engine error through DataFusion's interfaces; `From<DataFusionError>` unpacks it.
impl From<EngineError> for DataFusionError {
    fn from(error: EngineError) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<DataFusionError> for EngineError {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(own) => *own,
                Err(other) => fault(DataFusionError::External(other)),
            },
            DataFusionError::Context(_, inner) => Self::from(*inner),
            DataFusionError::Collection(mut errors) if !errors.is_empty() => {
                Self::from(errors.swap_remove(0))
            }
            DataFusionError::Diagnostic(diagnostic, inner) => {
                let place = diagnostic.span.map(|span| span.start);
                match Self::from(*inner) {
                    Self::InvalidSql { message, line: None, .. } => Self::InvalidSql {
                        message,
                        line: place.map(|start| start.line),
                        column: place.map(|start| start.column),
                    },
                    other => other,
                }
            }
            other => plain(other),
        }
    }
}

/// How DataFusion begins the part of a message that is of use to whoever wrote the statement.
const NO_SUCH_SIGNATURE: &str = "No function matches the given name and argument types";

/// How DataFusion begins messages about types that a statement got wrong, which it takes for gaps of its own.
const NO_SUCH_TYPE: [&str; 2] = ["Unsupported SQL type", "Unsupported CAST"];

/// Classifies an error that wraps no other engine error.
fn plain(error: DataFusionError) -> EngineError {
    match error {
        DataFusionError::SQL(parser, _) => crate::plan::syntax_error(&parser),
        DataFusionError::Plan(message) | DataFusionError::Configuration(message) => {
            public(message, EngineError::sql)
        }
        DataFusionError::SchemaError(schema, _) => EngineError::sql(schema.to_string()),
        DataFusionError::NotImplemented(message)
            if NO_SUCH_TYPE.iter().any(|start| message.starts_with(start)) =>
        {
            public(message, EngineError::sql)
        }
        DataFusionError::NotImplemented(message) => public(message, EngineError::NotSupported),
        DataFusionError::Execution(message) => public(message, EngineError::Computation),
        DataFusionError::ArrowError(arrow, context) => arrow_error(*arrow, context),
        DataFusionError::ResourcesExhausted(_) => EngineError::OutOfMemory { source: Box::new(error) },
        DataFusionError::Shared(shared) => match shared.find_root() {
            DataFusionError::ResourcesExhausted(text) => EngineError::OutOfMemory {
                source: Box::new(DataFusionError::ResourcesExhausted(text.clone())),
            },
            DataFusionError::Execution(text) => public(text.clone(), EngineError::Computation),
            DataFusionError::Plan(text) => public(text.clone(), EngineError::sql),
            DataFusionError::ArrowError(arrow, _) if is_computation(arrow) => {
                EngineError::Computation(arrow.to_string())
            }
            DataFusionError::External(own) => match own.downcast_ref::<EngineError>() {
                Some(own) => retold(own, DataFusionError::Shared(Arc::clone(&shared))),
                None => fault(DataFusionError::Shared(shared)),
            },
            _ => fault(DataFusionError::Shared(shared)),
        },
        other => fault(other),
    }
}

/// An error of ours that several operators share, for one of them.
fn retold(own: &EngineError, shared: DataFusionError) -> EngineError {
    match own {
        EngineError::InvalidSql { message, line, column } => {
            EngineError::InvalidSql { message: message.clone(), line: *line, column: *column }
        }
        EngineError::ReadOnly(text) => EngineError::ReadOnly(text.clone()),
        EngineError::TooLarge(text) => EngineError::TooLarge(text.clone()),
        EngineError::InvalidParameter(text) => EngineError::InvalidParameter(text.clone()),
        EngineError::NotFound { name, suggestions } => {
            EngineError::NotFound { name: name.clone(), suggestions: suggestions.clone() }
        }
        EngineError::NoSuchQuery(id) => EngineError::NoSuchQuery(*id),
        EngineError::PermissionDenied(text) => EngineError::PermissionDenied(text.clone()),
        EngineError::Withdrawn(text) => EngineError::Withdrawn(text.clone()),
        EngineError::GroupsOnly { dataset, why } => {
            EngineError::GroupsOnly { dataset: dataset.clone(), why: why.clone() }
        }
        EngineError::PolicyBroken => EngineError::PolicyBroken,
        EngineError::NotSupported(text) => EngineError::NotSupported(text.clone()),
        EngineError::Computation(text) => EngineError::Computation(text.clone()),
        EngineError::Busy(text) => EngineError::Busy(text.clone()),
        EngineError::Timeout { what, limit } => EngineError::Timeout { what, limit: *limit },
        EngineError::Cancelled => EngineError::Cancelled,
        EngineError::OutOfMemory { .. } => EngineError::OutOfMemory { source: Box::new(shared) },
        EngineError::Store { .. } => EngineError::Store { source: Box::new(shared) },
        EngineError::Corrupt { .. } => EngineError::Corrupt { source: Box::new(shared) },
        EngineError::Catalog(_) | EngineError::Internal { .. } => {
            EngineError::internal("the query engine failed", shared)
        }
    }
}

fn arrow_error(error: ArrowError, context: Option<String>) -> EngineError {
    if is_computation(&error) {
        return EngineError::Computation(error.to_string());
    }
    match error {
        ArrowError::ExternalError(inner) => EngineError::from(DataFusionError::External(inner)),
        other => fault(DataFusionError::ArrowError(Box::new(other), context)),
    }
}

fn is_computation(error: &ArrowError) -> bool {
    matches!(
        error,
        ArrowError::CastError(_)
            | ArrowError::ParseError(_)
            | ArrowError::ComputeError(_)
            | ArrowError::DivideByZero
            | ArrowError::ArithmeticOverflow(_)
            | ArrowError::InvalidArgumentError(_)
    )
}

/// Tells whether an error is that of a file or of the store, and not of a statement.
pub(crate) fn is_of_data(error: &DataFusionError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(step) = cause {
        if step.is::<parquet::errors::ParquetError>() || step.is::<std::io::Error>() {
            return true;
        }
        cause = step.source();
    }
    store_error(error).is_some()
}

/// An error whose text may name files: only its kind is shown.
fn fault(error: DataFusionError) -> EngineError {
    let missing_or_damaged = {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        let mut is_parquet = false;
        while let Some(step) = cause {
            is_parquet |= step.is::<parquet::errors::ParquetError>();
            cause = step.source();
        }
        match store_error(&error) {
            Some(store) => Some(matches!(store, object_store::Error::NotFound { .. })),
            None => is_parquet.then_some(true),
        }
    };
    match (missing_or_damaged, error) {
        (Some(true), error) => EngineError::Corrupt { source: Box::new(error) },
        (Some(false), error) => EngineError::Store { source: Box::new(error) },
        (None, DataFusionError::ParquetError(error)) => EngineError::Corrupt { source: error },
        (None, DataFusionError::ObjectStore(error)) => match *error {
            object_store::Error::NotFound { .. } => EngineError::Corrupt { source: error },
            _ => EngineError::Store { source: error },
        },
        (None, DataFusionError::IoError(error)) => EngineError::Store { source: Box::new(error) },
        (None, error) => EngineError::internal("the query engine failed", error),
    }
}

/// Passes a message on unless it names a file or a URL.
fn public(message: String, make: impl FnOnce(String) -> EngineError) -> EngineError {
    // DataFusion takes a function whose arguments have wrong types for its own fault, and asks for a report of it.
    if let Some((_, rest)) = message.split_once(NO_SUCH_SIGNATURE) {
        return make(format!("{NO_SUCH_SIGNATURE}{rest}"));
    }
    if message.contains("://") || message.contains(".parquet") || message.contains("_delta_log") {
        return EngineError::internal("the query engine failed", message);
    }
    make(message)
}

fn place(line: Option<u64>, column: Option<u64>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
        (Some(line), None) => format!(" (line {line})"),
        (None, _) => String::new(),
    }
}

fn suggest(names: &[String]) -> String {
    match names {
        [] => "; list what you may query with: SELECT * FROM basin.datasets".to_owned(),
        names => format!("; did you mean {}?", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_operators_share_stays_what_it_is() {
        let shared = |own: EngineError| {
            let inner = DataFusionError::Shared(Arc::new(own.into()));
            EngineError::from(DataFusionError::Shared(Arc::new(inner)))
        };
        let computed = shared(EngineError::Computation("cannot cast 'x'".to_owned()));
        assert!(
            matches!(&computed, EngineError::Computation(text) if text == "cannot cast 'x'"),
            "{computed:?}"
        );
        let large = shared(EngineError::TooLarge("too much".to_owned()));
        assert!(matches!(&large, EngineError::TooLarge(_)), "{large:?}");
        let corrupt = shared(EngineError::Corrupt { source: "part-1.parquet".into() });
        assert!(matches!(&corrupt, EngineError::Corrupt { .. }), "{corrupt:?}");
    }
}
