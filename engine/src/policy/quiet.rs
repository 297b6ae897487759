//! Quiet: errors as a limited principal gets them. A value that could not be computed is data: only the kind of the fault
//! is told.

use crate::error::EngineError;

/// What faults of computing are about, by a word of their message.
const KINDS: [(&str, &str); 6] = [
    ("divide", "a division by zero"),
    ("overflow", "a number is too large for its type"),
    ("cast", "a value can't be converted to the type that is asked for; TRY_CAST gives NULL instead"),
    ("pars", "a text can't be read as the type that is asked for; TRY_CAST gives NULL instead"),
    ("regex", "a regular expression can't be used"),
    ("more than one row", "a subquery gave more than one row where one value is needed"),
];

/// Removes what an error could tell of rows.
pub(crate) fn quiet(error: EngineError) -> EngineError {
    match error {
        EngineError::Computation(text) => {
            let text = text.to_lowercase();
            let kind = KINDS.iter().find(|(word, _)| text.contains(word)).map(|(_, kind)| *kind);
            EngineError::Computation(format!(
                "a value could not be computed: {}",
                kind.unwrap_or("an argument does not fit its function")
            ))
        }
        EngineError::InvalidSql { line, column, .. } => EngineError::InvalidSql {
            message: "the statement can't be computed on this data".to_owned(),
            line,
            column,
        },
        EngineError::NotSupported(_) => {
            EngineError::NotSupported("what the statement asks of this data".to_owned())
        }
        EngineError::Internal { what, .. } => EngineError::Internal { what, source: None },
        // Their texts are the engine's own.
        other @ (EngineError::ReadOnly(_)
        | EngineError::TooLarge(_)
        | EngineError::InvalidParameter(_)
        | EngineError::NotFound { .. }
        | EngineError::NoSuchQuery(_)
        | EngineError::PermissionDenied(_)
        | EngineError::Withdrawn(_)
        | EngineError::GroupsOnly { .. }
        | EngineError::PolicyBroken
        | EngineError::Busy(_)
        | EngineError::OutOfMemory { .. }
        | EngineError::Timeout { .. }
        | EngineError::Cancelled
        | EngineError::Store { .. }
        | EngineError::Corrupt { .. }
        | EngineError::Catalog(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_told_and_the_value_is_not() {
        let cast =
            EngineError::Computation("Cannot cast string '张三 330106' to value of Int32 type".to_owned());
        let text = quiet(cast).to_string();
        assert!(text.contains("converted") && !text.contains('张'), "{text}");
        let other = quiet(EngineError::Computation("secret 42".to_owned())).to_string();
        assert!(!other.contains("42"), "{other}");
    }
}
