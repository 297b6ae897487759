//! Help while typing: names of datasets are completed, and a statement goes on over several lines
//! until its `;`.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::{meta, statements};

/// What the line editor asks while a line is typed.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    pub(crate) names: Vec<String>,
}

/// Finds the names that the word before the cursor may become, and where that word starts.
fn candidates(line: &str, cursor: usize, names: &[String]) -> (usize, Vec<String>) {
    let before = line.get(..cursor).unwrap_or(line);
    let word_char = |char: char| char.is_alphanumeric() || matches!(char, '_' | '.' | '\\' | '-');
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, char)| word_char(*char))
        .last()
        .map_or(before.len(), |(at, _)| at);
    let word = before.get(start..).unwrap_or_default().to_lowercase();
    if word.is_empty() {
        return (start, Vec::new());
    }
    let commands = meta::COMMANDS.iter().map(|(command, _)| *command);
    let known = names.iter().map(String::as_str).chain(commands);
    let fitting = known.filter(|name| name.starts_with(&word)).map(str::to_owned).collect();
    (start, fitting)
}

fn is_complete(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('\\') || statements::statements(text).1.is_empty()
}

impl Completer for Typing {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(candidates(line, cursor, &self.names))
    }
}

impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_complete(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Hinter for Typing {
    type Hint = String;
}

impl Highlighter for Typing {}

impl Helper for Typing {}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> (usize, Vec<String>) {
        let names = ["basin.datasets", "health.city", "health.province"].map(str::to_owned);
        candidates(line, line.len(), &names)
    }

    #[test]
    fn words_become_dataset_names() {
        let both = vec!["health.city".to_owned(), "health.province".to_owned()];
        assert_eq!(complete("SELECT * FROM hea"), (14, both.clone()));
        assert_eq!(complete("SELECT * FROM HEALTH."), (14, both));
        assert_eq!(complete("SELECT count(health.c"), (13, vec!["health.city".to_owned()]));
        assert_eq!(complete("SELECT '湖北', b"), (17, vec!["basin.datasets".to_owned()]));
        assert_eq!(complete("SELECT "), (7, vec![]));
    }

    #[test]
    fn commands_are_completed() {
        assert_eq!(complete("\\as"), (0, vec!["\\as-of".to_owned()]));
    }

    #[test]
    fn statements_end_with_a_semicolon() {
        assert!(is_complete("SELECT 1;"));
        assert!(!is_complete("SELECT 1"));
        assert!(!is_complete("SELECT ';"));
        assert!(is_complete("\\d health.city"));
        assert!(is_complete("  "));
    }
}
