//! The catalog's errors, by what the caller can do about them, and the classes that every crate's errors fall into.

use thiserror::Error;

/// The result of a catalog call.
pub type Result<T> = std::result::Result<T, CatalogError>;

/// What kind of failure it is: the closed list that gRPC statuses and exit codes are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The request is wrong; the same request fails again.
    InvalidInput,
    /// What was named does not exist, or may not be seen.
    NotFound,
    /// The caller is known and may not do this.
    PermissionDenied,
    /// The caller is not known.
    Unauthenticated,
    /// Somebody else changed the same thing; look again, then decide.
    Conflict,
    /// A limit of memory, disk, size or concurrency was reached.
    ResourceExhausted,
    /// The time limit was reached.
    DeadlineExceeded,
    /// The caller gave up.
    Cancelled,
    /// A service did not answer; the same call may succeed later.
    Unavailable,
    /// It can't be known whether the change happened; look before repeating.
    UnknownOutcome,
    /// Basin does not do this.
    Unimplemented,
    /// A defect, or damaged data.
    Internal,
}

/// What can go wrong in the catalog.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A value that breaks a rule of the catalog.
    #[error("{what}: {reason}")]
    Invalid {
        /// What was given.
        what: String,
        /// Which rule it breaks, and what would be right.
        reason: String,
    },
    /// Something was named that the catalog does not have.
    #[error("{kind} {name} does not exist{hint}")]
    NotFound {
        /// What kind of thing.
        kind: &'static str,
        /// The name that was looked for.
        name: String,
        /// A suggestion, beginning with punctuation, or empty.
        hint: String,
    },
    /// Another commit changed the same thing since the base snapshot.
    #[error(
        "{what} was changed by another commit (snapshot {by}); look at it again, then repeat the command"
    )]
    Conflict {
        /// What both commits touched.
        what: String,
        /// The snapshot that the other commit made.
        by: u64,
    },
    /// Too many other writers; nothing was changed.
    #[error("the catalog is being changed by others: gave up after {attempts} attempts; repeat the command")]
    Contended {
        /// How often the commit was tried.
        attempts: u32,
    },
    /// A commit's reply was lost and reading back failed too.
    #[error(
        "it is unknown whether commit {commit} (snapshot {snapshot}) happened; look at `basin dataset history` before repeating"
    )]
    UnknownOutcome {
        /// The commit's own id.
        commit: String,
        /// The snapshot it would have made.
        snapshot: u64,
        /// Why it can't be known.
        #[source]
        source: object_store::Error,
    },
    /// A version that is not kept any more.
    #[error("version {version} of {dataset} has expired and can't be read any more{oldest}")]
    Expired {
        /// The dataset.
        dataset: String,
        /// Which version.
        version: u64,
        /// Which can be read, beginning with punctuation, or empty.
        oldest: String,
    },
    /// The object store failed or did not answer.
    #[error("the store {url} can't be used while {doing}")]
    Unavailable {
        /// The store, without secrets.
        url: String,
        /// What was being done.
        doing: String,
        /// The store's own error.
        #[source]
        source: object_store::Error,
    },
    /// A catalog object that can't be read.
    #[error("catalog object {path} is damaged; restore it from a copy of the store")]
    Corrupt {
        /// The object, below the store's root.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store holds no catalog.
    #[error(
        "{url} holds no Basin catalog; make one with `basin org put`, `basin dataset apply` or `basin demo`"
    )]
    NotACatalog {
        /// The store, without secrets.
        url: String,
    },
}

impl CatalogError {
    /// A value that breaks a rule.
    pub fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), reason: reason.into() }
    }

    /// The error's class.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Invalid { .. } => ErrorClass::InvalidInput,
            Self::NotFound { .. } | Self::NotACatalog { .. } | Self::Expired { .. } => ErrorClass::NotFound,
            Self::Conflict { .. } => ErrorClass::Conflict,
            Self::UnknownOutcome { .. } => ErrorClass::UnknownOutcome,
            Self::Unavailable { .. } | Self::Contended { .. } => ErrorClass::Unavailable,
            Self::Corrupt { .. } => ErrorClass::Internal,
        }
    }
}

/// The object store's error among the causes of another library's.
#[must_use]
pub fn store_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a object_store::Error> {
    let mut cause = Some(error);
    while let Some(step) = cause {
        if let Some(found) = step.downcast_ref::<object_store::Error>() {
            return Some(found);
        }
        // An I/O error names the cause of its content, and not its content.
        cause = match step.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(content) => Some(content),
            None => step.source(),
        };
    }
    None
}
