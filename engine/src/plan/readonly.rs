//! Read-only: which statements may be said at all. Everything else is refused with a sentence.

use crate::error::{EngineError, Result};
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use std::ops::ControlFlow;

/// First words of statements that read.
const READS: [&str; 9] = ["SELECT", "WITH", "VALUES", "TABLE", "FROM", "EXPLAIN", "DESCRIBE", "DESC", "SHOW"];
/// First words of statements that set options.
const SETTINGS: [&str; 4] = ["SET", "RESET", "USE", "PRAGMA"];
/// First words of statements that control transactions or prepare.
const CONTROL: [&str; 10] = [
    "BEGIN",
    "START",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
    "DECLARE",
];
/// First words of statements that change or load something.
const WRITES: [&str; 27] = [
    "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "UPSERT", "TRUNCATE", "CREATE", "DROP", "ALTER",
    "RENAME", "COPY", "UNLOAD", "LOAD", "IMPORT", "EXPORT", "GRANT", "REVOKE", "DENY", "ANALYZE", "VACUUM",
    "OPTIMIZE", "CALL", "ATTACH", "DETACH", "INSTALL", "LOCK",
];

/// Refuses by the first word, so that statements the parser does not even know get a clear answer.
pub(super) fn check_first_word(tokens: &[TokenWithSpan]) -> Result<()> {
    let first = tokens
        .iter()
        .map(|token| &token.token)
        .find(|token| !matches!(token, Token::Whitespace(_) | Token::LParen | Token::SemiColon));
    let word = match first {
        None | Some(Token::EOF) => return Err(EngineError::sql("the statement is empty")),
        Some(Token::Word(word)) => word.value.to_uppercase(),
        // The parser says where and why.
        Some(_) => return Ok(()),
    };
    let word = word.as_str();
    if READS.contains(&word) {
        return Ok(());
    }
    if WRITES.contains(&word) {
        return Err(writes(word));
    }
    if SETTINGS.contains(&word) {
        return Err(EngineError::ReadOnly(format!(
            "{word} is not accepted: settings can't be changed by SQL; the earlier state to query is the session option as_of"
        )));
    }
    if CONTROL.contains(&word) {
        return Err(EngineError::ReadOnly(format!(
            "{word} is not accepted: queries are read-only and each sees one snapshot, so there are no transactions"
        )));
    }
    Ok(())
}

/// Refuses statements that are more than a query.
pub(super) fn check_statement(statement: &Statement, is_admin: bool) -> Result<()> {
    match statement {
        Statement::Query(_)
        | Statement::ExplainTable { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowFunctions { .. } => {}
        Statement::Explain { analyze: true, .. } if !is_admin => {
            return Err(EngineError::ReadOnly(
                "EXPLAIN ANALYZE is accepted from administrators only: its statistics can tell what rows you may not see hold; use EXPLAIN"
                    .to_owned(),
            ));
        }
        Statement::Explain { statement, .. } => match statement.as_ref() {
            Statement::Query(_) => {}
            _ => return Err(EngineError::ReadOnly("EXPLAIN accepts queries only".to_owned())),
        },
        other => {
            let text = other.to_string();
            return Err(writes(text.split_whitespace().next().unwrap_or("this statement")));
        }
    }
    match statement.visit(&mut Writes) {
        ControlFlow::Break(what) => Err(writes(what)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn writes(what: &str) -> EngineError {
    EngineError::ReadOnly(format!(
        "{} is not accepted: SQL is read-only here; new data comes in by `basin pool`",
        what.to_uppercase()
    ))
}

/// Finds writes inside queries: `WITH x AS (INSERT …)`, `SELECT … INTO t`.
struct Writes;

impl Visitor for Writes {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("FOR UPDATE");
        }
        check_body(&query.body)
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<Self::Break> {
        match statement {
            Statement::Insert(_) => ControlFlow::Break("INSERT"),
            Statement::Update(_) => ControlFlow::Break("UPDATE"),
            Statement::Delete(_) => ControlFlow::Break("DELETE"),
            Statement::Merge(_) => ControlFlow::Break("MERGE"),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn check_body(body: &SetExpr) -> ControlFlow<&'static str> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break("SELECT INTO"),
        SetExpr::Insert(_) => ControlFlow::Break("INSERT"),
        SetExpr::Update(_) => ControlFlow::Break("UPDATE"),
        SetExpr::Delete(_) => ControlFlow::Break("DELETE"),
        SetExpr::Merge(_) => ControlFlow::Break("MERGE"),
        SetExpr::SetOperation { left, right, .. } => {
            check_body(left)?;
            check_body(right)
        }
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => {
            ControlFlow::Continue(())
        }
    }
}
