//! Errors to gRPC status: one exhaustive match, the only one in the crate.
//!
//! Clients get the sentence and the query id; sources and internals go to the log.

use basin_catalog::ErrorClass;
use basin_engine::{EngineError, QueryId};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::error::ServerError;

/// The metadata key under which every query's id is returned.
pub(crate) const QUERY_ID_HEADER: &str = "x-basin-query-id";

/// What is said when nothing more may be.
const FAILED: &str = "the server failed; its log has the cause under this query id";

/// gRPC percent-encodes messages into a trailer; clients commonly allow 8 KiB for all of them.
const MAX_MESSAGE_BYTES: usize = 2048;

/// Returns the gRPC code of a class of errors.
pub(crate) fn code(class: ErrorClass) -> Code {
    match class {
        ErrorClass::InvalidInput => Code::InvalidArgument,
        ErrorClass::NotFound => Code::NotFound,
        ErrorClass::PermissionDenied => Code::PermissionDenied,
        ErrorClass::Unauthenticated => Code::Unauthenticated,
        ErrorClass::Conflict => Code::Aborted,
        ErrorClass::ResourceExhausted => Code::ResourceExhausted,
        ErrorClass::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorClass::Cancelled => Code::Cancelled,
        ErrorClass::Unavailable => Code::Unavailable,
        ErrorClass::UnknownOutcome => Code::Unknown,
        ErrorClass::Unimplemented => Code::Unimplemented,
        ErrorClass::Internal => Code::Internal,
    }
}

/// Returns what the client is told about an error, and logs the rest.
pub(crate) fn to_status(error: &ServerError, query_id: &QueryId) -> Status {
    let class = error.class();
    if matches!(class, ErrorClass::Internal) {
        tracing::error!(%query_id, error = %chain(error), "call failed");
    } else {
        tracing::info!(%query_id, ?class, "call refused");
    }
    let sentence = if is_for_users(error) { error.to_string() } else { FAILED.to_owned() };
    let sentence = cut(&sentence);
    let message = format!("{sentence} (query id {query_id})");
    Status::with_metadata(code(class), message, metadata(error, query_id))
}

/// The engine's own texts are made for users, whatever the class; other internals are not.
fn is_for_users(error: &ServerError) -> bool {
    match error {
        ServerError::Engine(EngineError::Catalog(_)) => !matches!(error.class(), ErrorClass::Internal),
        ServerError::Engine(_) => true,
        _ => !matches!(error.class(), ErrorClass::Internal),
    }
}

fn metadata(error: &ServerError, query_id: &QueryId) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    if let Ok(value) = MetadataValue::try_from(query_id.to_string()) {
        metadata.insert(QUERY_ID_HEADER, value);
    }
    if let Some(seconds) = error.retry_seconds() {
        metadata.insert("retry-after", MetadataValue::from(seconds));
    }
    metadata
}

/// Cuts a message at a character boundary.
fn cut(message: &str) -> &str {
    let mut end = message.len().min(MAX_MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or_default()
}

/// Writes an error with all its sources, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_code() {
        let pairs = [
            (ErrorClass::InvalidInput, Code::InvalidArgument),
            (ErrorClass::NotFound, Code::NotFound),
            (ErrorClass::PermissionDenied, Code::PermissionDenied),
            (ErrorClass::Unauthenticated, Code::Unauthenticated),
            (ErrorClass::Conflict, Code::Aborted),
            (ErrorClass::ResourceExhausted, Code::ResourceExhausted),
            (ErrorClass::DeadlineExceeded, Code::DeadlineExceeded),
            (ErrorClass::Cancelled, Code::Cancelled),
            (ErrorClass::Unavailable, Code::Unavailable),
            (ErrorClass::UnknownOutcome, Code::Unknown),
            (ErrorClass::Unimplemented, Code::Unimplemented),
            (ErrorClass::Internal, Code::Internal),
        ];
        for (class, expected) in pairs {
            assert_eq!(code(class), expected);
        }
    }

    #[test]
    fn the_status_carries_the_query_id_and_the_wait() {
        let id = QueryId::new();
        let status = to_status(&ServerError::Draining { retry_seconds: 7 }, &id);
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains(&id.to_string()));
        assert_eq!(status.metadata().get("retry-after").unwrap(), "7");
        assert_eq!(status.metadata().get(QUERY_ID_HEADER).unwrap(), id.to_string().as_str());
    }

    #[test]
    fn internals_stay_in_the_log() {
        let status = to_status(&ServerError::Internal("secret detail"), &QueryId::new());
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("secret"));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let error = ServerError::InvalidRequest("表".repeat(2000));
        let status = to_status(&error, &QueryId::new());
        assert!(status.message().len() < MAX_MESSAGE_BYTES + 80);
    }
}
