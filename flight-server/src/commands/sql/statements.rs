//! Cutting a script into statements at `;`, but not inside quotes and comments.

/// Returns the statements that a `;` ends, and what follows the last one, all trimmed; empty
/// statements are left out.
pub(crate) fn statements(script: &str) -> (Vec<&str>, &str) {
    let mut complete = Vec::new();
    let mut rest = script;
    while let Some(end) = end_of_statement(rest) {
        let (statement, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let statement = statement.trim();
        if has_words(statement) {
            complete.push(statement);
        }
        rest = after.strip_prefix(';').unwrap_or(after);
    }
    let rest = rest.trim();
    (complete, if has_words(rest) { rest } else { "" })
}

/// The place of the first `;` that ends a statement.
fn end_of_statement(sql: &str) -> Option<usize> {
    let mut scan = Scan::new(sql);
    while let Some((at, char)) = scan.next_outside() {
        if char == ';' {
            return Some(at);
        }
    }
    None
}

/// Whether there is more than comments and space.
fn has_words(sql: &str) -> bool {
    let mut scan = Scan::new(sql);
    while let Some((_, char)) = scan.next_outside() {
        if !char.is_whitespace() {
            return true;
        }
    }
    false
}

/// Walks over SQL text and skips what stands in comments and inside quotes.
struct Scan<'a> {
    chars: std::iter::Peekable<std::str::CharIndices<'a>>,
}

impl<'a> Scan<'a> {
    fn new(sql: &'a str) -> Self {
        Self { chars: sql.char_indices().peekable() }
    }

    /// The next character outside comments; of a quoted text only its opening quote.
    fn next_outside(&mut self) -> Option<(usize, char)> {
        loop {
            let (at, char) = self.chars.next()?;
            match char {
                // A doubled quote inside closes and opens again, which comes to the same.
                '\'' | '"' | '`' => {
                    self.skip_past(char);
                    return Some((at, char));
                }
                '-' if self.follows('-') => self.skip_past('\n'),
                '/' if self.follows('*') => self.skip_block(),
                _ => return Some((at, char)),
            }
        }
    }

    fn follows(&mut self, expected: char) -> bool {
        self.chars.next_if(|(_, char)| *char == expected).is_some()
    }

    fn skip_past(&mut self, end: char) {
        self.chars.by_ref().find(|(_, char)| *char == end);
    }

    /// Skips a block comment, which may hold others.
    fn skip_block(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            match self.chars.next() {
                Some((_, '*')) if self.follows('/') => depth -= 1,
                Some((_, '/')) if self.follows('*') => depth += 1,
                Some(_) => {}
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn scripts_are_cut_at_semicolons() {
        assert_eq!(statements("SELECT 1; SELECT 2;"), (vec!["SELECT 1", "SELECT 2"], ""));
        assert_eq!(statements("SELECT 1;\nSELECT"), (vec!["SELECT 1"], "SELECT"));
        assert_eq!(statements("SELECT 1"), (vec![], "SELECT 1"));
        assert_eq!(statements(" ;; \n"), (vec![], ""));
        assert_eq!(statements(""), (vec![], ""));
    }

    #[test]
    fn quotes_and_comments_hide_semicolons() {
        for sql in [
            "SELECT 'a;b'",
            "SELECT 'it''s; fine'",
            r#"SELECT ";" FROM t"#,
            "SELECT 1 -- not; here\n + 2",
            "SELECT 1 /* a; /* b; */ c; */ + 2",
            "SELECT '湖北;武汉'",
        ] {
            assert_eq!(statements(&format!("{sql}; SELECT 2")), (vec![sql], "SELECT 2"));
        }
    }

    #[test]
    fn open_quotes_and_comments_are_not_complete() {
        assert_eq!(statements("SELECT 'a;"), (vec![], "SELECT 'a;"));
        assert_eq!(statements("SELECT 1 /* a;"), (vec![], "SELECT 1 /* a;"));
        assert_eq!(statements("-- only a remark;\n"), (vec![], ""));
    }
}
