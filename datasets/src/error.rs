//! The error of the crate: variants by what the caller can do about them.

use std::path::PathBuf;

use arrow::error::ArrowError;
use basin_catalog::{CatalogError, ErrorClass, store_error};
use datafusion::error::DataFusionError;
use deltalake_core::DeltaTableError;
use parquet::errors::ParquetError;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, DatasetsError>;

/// A cause of any type, kept for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong while pooling.
#[derive(Debug, thiserror::Error)]
pub enum DatasetsError {
    /// The manifest is wrong: correct the named key.
    #[error("manifest: {key}: {reason}")]
    Manifest {
        /// The key as a path, like `items.confirmed.check.min`, or the line for a syntax error.
        key: String,
        /// What is wrong and what to do.
        reason: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// A delivered file can't be read: correct or replace the file.
    #[error("{file}{}: {reason}", line.map(|line| format!(" line {line}")).unwrap_or_default())]
    Source {
        /// Name of the file.
        file: String,
        /// Physical line, where it is known.
        line: Option<u64>,
        /// What is wrong and what to do.
        reason: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The delivery as a whole is refused; nothing was published.
    #[error("delivery refused: {reason}")]
    Refused {
        /// The difference or the threshold, and what to do.
        reason: String,
    },
    /// A statement on a sandbox dataset is refused; nothing changed.
    #[error("{reason}")]
    Sandbox {
        /// What the caller can do.
        class: ErrorClass,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Work on a whole store (gc, backup, restore) is refused; nothing changed.
    #[error("{reason}")]
    Upkeep {
        /// What the caller can do.
        class: ErrorClass,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The catalog refused or failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The object store failed.
    #[error("the store failed while {action}")]
    Store {
        /// What was being done.
        action: String,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
    /// A published file is damaged or missing: put it back.
    #[error("the published file {object} can't be read; basin fsck says what is wrong with the store")]
    DataFile {
        /// The file, below the store's root.
        object: String,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// A local file or folder can't be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Arrow failed on data that was already accepted.
    #[error("arrow: {0}")]
    Arrow(#[from] ArrowError),
    /// Parquet could not be written or read back.
    #[error("parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// An expression or a sort failed.
    #[error("datafusion: {0}")]
    DataFusion(#[from] DataFusionError),
    /// The Delta table failed.
    #[error("delta table: {0}")]
    Delta(#[from] DeltaTableError),
    /// A promise of this crate does not hold: report it.
    #[error("internal error, please report it: {reason}")]
    Internal {
        /// What does not hold.
        reason: String,
    },
    /// The caller stopped the work; nothing was published.
    #[error("pooling was stopped; nothing was published")]
    Cancelled,
}

impl DatasetsError {
    /// Classifies the error for exit codes and statuses.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Manifest { .. } | Self::Source { .. } | Self::Refused { .. } => ErrorClass::InvalidInput,
            Self::Sandbox { class, .. } | Self::Upkeep { class, .. } => *class,
            Self::Catalog(error) => error.class(),
            Self::Store { .. } | Self::Delta(_) => ErrorClass::Unavailable,
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => ErrorClass::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorClass::PermissionDenied,
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    ErrorClass::ResourceExhausted
                }
                _ => ErrorClass::Internal,
            },
            Self::DataFusion(error) => match error.find_root() {
                DataFusionError::ResourcesExhausted(_) => ErrorClass::ResourceExhausted,
                _ => of_store(error),
            },
            Self::Arrow(error) => of_store(error),
            Self::Parquet(error) => of_store(error),
            Self::DataFile { .. } | Self::Internal { .. } => ErrorClass::Internal,
            Self::Cancelled => ErrorClass::Cancelled,
        }
    }

    /// Reports a broken promise of this crate.
    pub(crate) fn internal(reason: impl Into<String>) -> Self {
        Self::Internal { reason: reason.into() }
    }

    /// Refuses a manifest at a key.
    pub(crate) fn manifest(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Manifest { key: key.into(), reason: reason.into(), source: None }
    }

    /// Refuses a file, without a line.
    pub(crate) fn file(file: &str, reason: impl Into<String>) -> Self {
        Self::Source { file: file.to_owned(), line: None, reason: reason.into(), source: None }
    }

    /// Refuses a file because of another library's error.
    pub(crate) fn file_because(file: &str, reason: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Source { file: file.to_owned(), line: None, reason: reason.into(), source: Some(cause.into()) }
    }
}

/// The class of an error that may come from the store while rows are read or written.
fn of_store(error: &(dyn std::error::Error + 'static)) -> ErrorClass {
    match store_error(error) {
        // What is published and missing does not come back by asking again.
        Some(object_store::Error::NotFound { .. }) | None => ErrorClass::Internal,
        Some(_) => ErrorClass::Unavailable,
    }
}
