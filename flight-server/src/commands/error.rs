//! Why a command ended without success, as its user reads it: a sentence, the causes below it and
//! a hint where one helps. Exit codes are given in `exit`; nothing here decides them.

use std::error::Error;
use std::io::Write as _;

use arrow::error::ArrowError;
use arrow_flight::error::FlightError;
use basin_catalog::{CatalogError, ErrorClass};
use basin_datasets::DatasetsError;
use basin_engine::EngineError;
use basin_flight_server::ServerError;
use thiserror::Error;
use tonic::{Code, Status};

pub(crate) type Result<T> = std::result::Result<T, CommandError>;

/// Why a command ended without success.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Catalog(Box<CatalogError>),
    #[error(transparent)]
    Datasets(Box<DatasetsError>),
    #[error(transparent)]
    Engine(Box<EngineError>),
    #[error(transparent)]
    Server(Box<ServerError>),
    /// The Flight SQL server's own words.
    #[error("{}", .0.message())]
    Answer(Box<Status>),
    /// The Flight SQL server can't be reached or doesn't speak Flight SQL.
    #[error("{what}")]
    Connection {
        what: String,
        hint: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("{what}")]
    Refused { class: ErrorClass, what: String, hint: Option<String> },
    /// The command line can't be carried out as it stands.
    #[error("{what}")]
    Usage { what: String, hint: String },
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
    /// A result can't be written in the form that was asked for.
    #[error("the result can't be written as {form}")]
    Format {
        form: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("{file}: not a usable manifest")]
    Manifest {
        file: String,
        #[source]
        source: Box<DatasetsError>,
    },
    #[error("{file}: not a usable policy file")]
    PolicyFile {
        file: String,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("interrupted")]
    Interrupted,
    /// Whoever reads our output has seen enough.
    #[error("the reader of the output went away")]
    ReaderGone,
}

impl CommandError {
    /// Says that what was asked for is refused, with the class that decides the exit code.
    pub(crate) fn refused(class: ErrorClass, what: impl Into<String>) -> Self {
        Self::Refused { class, what: what.into(), hint: None }
    }

    /// The same with a sentence on what to do.
    pub(crate) fn refused_with(class: ErrorClass, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { class, what: what.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into() }
    }

    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// Wraps an error of the output: a reader that went away is told apart.
    pub(crate) fn output(source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::io("the output can't be written", source),
        }
    }

    /// Wraps an error of an Arrow or Parquet writer, which hides those of its output inside.
    pub(crate) fn format(form: &'static str, source: ArrowError) -> Self {
        match source {
            ArrowError::IoError(_, source) => Self::output(source),
            source => Self::Format { form, source: Box::new(source) },
        }
    }

    /// Writes the error, its causes and the hint on stderr.
    pub(crate) fn report(&self) {
        match self {
            Self::ReaderGone => return,
            // The worker has said it.
            Self::Server(error) if matches!(**error, ServerError::WorkerEnded { code: Some(_) }) => return,
            _ => {}
        }
        // Nobody is left to tell when stderr is gone too.
        let _ = std::io::stderr().lock().write_all(self.text().as_bytes());
    }

    fn text(&self) -> String {
        let mut said = self.to_string();
        let mut text = format!("error: {said}\n");
        let mut cause = self.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Some libraries repeat their cause in their own words.
            if !said.contains(&words) {
                text.push_str(&format!("  caused by: {words}\n"));
                said = words;
            }
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("  hint: {hint}\n"));
        }
        text
    }

    fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused { hint, .. } => hint.as_deref(),
            Self::Usage { hint, .. } => Some(hint),
            Self::Connection { hint, .. } => Some(hint),
            Self::Answer(status) => match status.code() {
                Code::Unauthenticated => Some("check --user and the password (BASIN_PASSWORD or the prompt)"),
                Code::Unavailable => Some("check that the server runs, then try again"),
                _ => None,
            },
            Self::Catalog(_)
            | Self::Datasets(_)
            | Self::Engine(_)
            | Self::Server(_)
            | Self::Io { .. }
            | Self::Format { .. }
            | Self::Manifest { .. }
            | Self::PolicyFile { .. }
            | Self::Interrupted
            | Self::ReaderGone => None,
        }
    }
}

impl From<CatalogError> for CommandError {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(Box::new(error))
    }
}

impl From<DatasetsError> for CommandError {
    fn from(error: DatasetsError) -> Self {
        Self::Datasets(Box::new(error))
    }
}

impl From<EngineError> for CommandError {
    fn from(error: EngineError) -> Self {
        Self::Engine(Box::new(error))
    }
}

impl From<ServerError> for CommandError {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

impl From<FlightError> for CommandError {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => Self::Answer(status),
            other => Self::Connection {
                what: "the server's answer can't be read".to_owned(),
                hint: "check that --server names a Flight SQL server",
                source: Box::new(other),
            },
        }
    }
}

impl From<Status> for CommandError {
    fn from(status: Status) -> Self {
        Self::Answer(Box::new(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_causes_and_hint() {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let error = CommandError::io("a.csv can't be read", cause);
        assert_eq!(error.text(), "error: a.csv can't be read\n  caused by: no such file\n");
        let error = CommandError::usage("no user is named", "name one with --user");
        assert_eq!(error.text(), "error: no user is named\n  hint: name one with --user\n");
    }

    #[test]
    fn causes_already_said_are_not_repeated() {
        let cause = std::io::Error::other("disk full");
        let error = CommandError::io("can't write: disk full", cause);
        assert_eq!(error.text(), "error: can't write: disk full\n");
    }
}
