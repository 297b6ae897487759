//! The backslash commands of the interactive `basin sql`.

/// The commands with what they do.
pub(crate) const COMMANDS: [(&str, &str); 5] = [
    ("\\d", "list the datasets; \\d NAME describes one"),
    ("\\dt", "list the datasets"),
    ("\\as-of", "\\as-of STATE asks an earlier state (snapshot number, time, date); alone: the latest"),
    ("\\?", "this help"),
    ("\\q", "leave (so does Ctrl-D)"),
];

/// A command as it was typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meta<'a> {
    ListDatasets,
    Describe(&'a str),
    AsOf(&'a str),
    Help,
    Quit,
    Unknown(&'a str),
}

/// Reads a line that starts with a backslash.
pub(crate) fn parse(line: &str) -> Meta<'_> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (command, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match (command, argument.trim()) {
        ("\\d" | "\\dt", "") => Meta::ListDatasets,
        ("\\d" | "\\dt", name) => Meta::Describe(name),
        ("\\as-of", state) => Meta::AsOf(state),
        ("\\?" | "\\h" | "\\help", _) => Meta::Help,
        ("\\q" | "\\quit", _) => Meta::Quit,
        (command, _) => Meta::Unknown(command),
    }
}

/// The text of `\?`.
pub(crate) fn help() -> String {
    let mut text = String::from("Statements end with ; and may go over several lines.\n");
    for (command, what) in COMMANDS {
        text.push_str(&format!("  {command:<8} {what}\n"));
    }
    text.push_str("Ctrl-C cancels the running statement, Tab completes names of datasets.");
    text
}

/// The statement behind `\dt`.
pub(crate) const DATASETS: &str = "SELECT schema_name || '.' || dataset_name AS dataset, title, \
                                   version, rows, published_at FROM basin.datasets ORDER BY 1";

/// The statement that gives the names to complete.
pub(crate) const NAMES: &str = "SELECT table_schema || '.' || table_name FROM \
                                information_schema.tables ORDER BY 1";

/// The statement behind `\d NAME`.
pub(crate) fn describe(name: &str) -> String {
    let (schema, table) = name.split_once('.').unwrap_or(("", name));
    format!(
        "SELECT c.column_name, c.data_type, c.is_nullable, i.unit, i.label \
         FROM information_schema.columns c \
         LEFT JOIN basin.items i ON i.schema_name = c.table_schema \
           AND i.dataset_name = c.table_name AND i.item_name = c.column_name \
         WHERE c.table_schema = {} AND c.table_name = {} ORDER BY c.ordinal_position",
        literal(schema),
        literal(table)
    )
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        assert_eq!(parse("\\d"), Meta::ListDatasets);
        assert_eq!(parse("\\dt;"), Meta::ListDatasets);
        assert_eq!(parse(" \\d  health.city ;"), Meta::Describe("health.city"));
        assert_eq!(parse("\\as-of 2020-02-01"), Meta::AsOf("2020-02-01"));
        assert_eq!(parse("\\as-of"), Meta::AsOf(""));
        assert_eq!(parse("\\q"), Meta::Quit);
        assert_eq!(parse("\\x on"), Meta::Unknown("\\x"));
    }

    #[test]
    fn names_are_quoted() {
        assert!(describe("a.b'; DROP").contains("'b''; DROP'"));
    }
}
