//! The exit code of every end a command can have. Scripts rely on these numbers: they are part of
//! the command line's contract and are given nowhere else.

use basin_catalog::ErrorClass;
use basin_flight_server::ServerError;
use tonic::Code;

use super::error::CommandError;

const OK: u8 = 0;
const INTERNAL: u8 = 1;
const USAGE: u8 = 2;
const INVALID: u8 = 3;
const NOT_FOUND: u8 = 4;
const DENIED: u8 = 5;
const CONFLICT: u8 = 6;
const UNAVAILABLE: u8 = 7;
const LIMIT: u8 = 8;
const UNKNOWN_OUTCOME: u8 = 9;
const INTERRUPTED: u8 = 130;

/// Gives the exit code for a command that ended with `error`.
pub(crate) fn code(error: &CommandError) -> u8 {
    match error {
        CommandError::Catalog(error) => of_class(error.class()),
        CommandError::Datasets(error) | CommandError::Manifest { source: error, .. } => {
            of_class(error.class())
        }
        CommandError::Engine(error) => of_class(error.class()),
        CommandError::Server(error) => match error.as_ref() {
            ServerError::WorkerEnded { code: Some(code) } => u8::try_from(*code).unwrap_or(INTERNAL),
            error => of_class(error.class()),
        },
        CommandError::Answer(status) => of_class(class_of(status.code())),
        CommandError::Refused { class, .. } => of_class(*class),
        CommandError::Connection { .. } => UNAVAILABLE,
        CommandError::Usage { .. } => USAGE,
        CommandError::Io { source, .. } => of_io(source),
        CommandError::Format { .. } | CommandError::PolicyFile { .. } => INVALID,
        CommandError::Interrupted => INTERRUPTED,
        CommandError::ReaderGone => OK,
    }
}

const fn of_class(class: ErrorClass) -> u8 {
    match class {
        ErrorClass::InvalidInput | ErrorClass::Unimplemented => INVALID,
        ErrorClass::NotFound => NOT_FOUND,
        ErrorClass::PermissionDenied | ErrorClass::Unauthenticated => DENIED,
        ErrorClass::Conflict => CONFLICT,
        ErrorClass::Unavailable => UNAVAILABLE,
        ErrorClass::ResourceExhausted | ErrorClass::DeadlineExceeded => LIMIT,
        ErrorClass::UnknownOutcome => UNKNOWN_OUTCOME,
        ErrorClass::Cancelled => INTERRUPTED,
        ErrorClass::Internal => INTERNAL,
    }
}

/// What a server's status means here: the reverse of the server's own mapping.
const fn class_of(code: Code) -> ErrorClass {
    match code {
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => ErrorClass::InvalidInput,
        Code::NotFound => ErrorClass::NotFound,
        Code::PermissionDenied => ErrorClass::PermissionDenied,
        Code::Unauthenticated => ErrorClass::Unauthenticated,
        Code::Aborted | Code::AlreadyExists => ErrorClass::Conflict,
        Code::ResourceExhausted => ErrorClass::ResourceExhausted,
        Code::DeadlineExceeded => ErrorClass::DeadlineExceeded,
        Code::Cancelled => ErrorClass::Cancelled,
        Code::Unavailable => ErrorClass::Unavailable,
        Code::Unknown => ErrorClass::UnknownOutcome,
        Code::Unimplemented => ErrorClass::Unimplemented,
        Code::Ok | Code::Internal | Code::DataLoss => ErrorClass::Internal,
    }
}

fn of_io(error: &std::io::Error) -> u8 {
    match error.kind() {
        std::io::ErrorKind::NotFound => NOT_FOUND,
        std::io::ErrorKind::PermissionDenied => DENIED,
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => INVALID,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => LIMIT,
        _ => UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_contract() {
        let refused = |class| code(&CommandError::refused(class, "x"));
        assert_eq!(refused(ErrorClass::Internal), 1);
        assert_eq!(code(&CommandError::usage("x", "y")), 2);
        assert_eq!(refused(ErrorClass::InvalidInput), 3);
        assert_eq!(refused(ErrorClass::NotFound), 4);
        assert_eq!(refused(ErrorClass::PermissionDenied), 5);
        assert_eq!(refused(ErrorClass::Unauthenticated), 5);
        assert_eq!(refused(ErrorClass::Conflict), 6);
        assert_eq!(refused(ErrorClass::Unavailable), 7);
        assert_eq!(refused(ErrorClass::ResourceExhausted), 8);
        assert_eq!(refused(ErrorClass::DeadlineExceeded), 8);
        assert_eq!(refused(ErrorClass::UnknownOutcome), 9);
        assert_eq!(code(&CommandError::Interrupted), 130);
        assert_eq!(code(&CommandError::ReaderGone), 0);
        assert_eq!(code(&tonic::Status::unauthenticated("x").into()), 5);
    }
}
