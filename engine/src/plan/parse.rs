//! Parse: text to one statement, within limits of length, operators and nesting.
//!
//! Must run on a big stack: deep expressions are walked recursively.

use crate::error::{EngineError, Result};
use crate::session::MAX_NESTING;
use datafusion::sql::sqlparser::ast::{Expr, Query, Statement, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use std::ops::ControlFlow;

/// Operators in a statement. A chain of this many takes the planner's stack about 20 MB in debug builds.
const MAX_OPERATORS: usize = 10_000;
/// Nested operators, e.g. terms of one sum. 5,000 terms take DataFusion 34 s to plan, 1,000 about 1 s.
const MAX_DEPTH: usize = 1_000;
/// UNION, INTERSECT and EXCEPT in a statement.
const MAX_SET_OPERATIONS: usize = 500;
/// JOINs in a statement.
const MAX_JOINS: usize = 100;
/// Parameters of a statement.
const MAX_PARAMETERS: usize = 10_000;

/// Parses one read-only statement.
pub(super) fn statement(sql: &str, max_bytes: usize, is_admin: bool) -> Result<Statement> {
    let statement = any_statement(sql, max_bytes, super::readonly::check_first_word)?;
    super::readonly::check_statement(&statement, is_admin)?;
    Ok(statement)
}

/// Parses one statement, whatever it does, after a look at its first word.
pub(crate) fn any_statement(
    sql: &str,
    max_bytes: usize,
    check_first_word: impl Fn(&[TokenWithSpan]) -> Result<()>,
) -> Result<Statement> {
    if sql.len() > max_bytes {
        return Err(EngineError::TooLarge(format!(
            "the statement has {} bytes; at most {max_bytes} are accepted",
            sql.len()
        )));
    }
    let dialect = GenericDialect {};
    let mut tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|error| EngineError::sql_at(error.message, error.location.line, error.location.column))?;
    check_first_word(&tokens)?;
    check_size(&tokens)?;
    number_placeholders(&mut tokens)?;
    let parsed = Parser::new(&dialect)
        .with_recursion_limit(MAX_NESTING)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(|error| syntax_error(&error))?;
    let mut statements = parsed.into_iter();
    let (Some(statement), None) = (statements.next(), statements.next()) else {
        return Err(EngineError::sql("send exactly one statement"));
    };
    check_depth(&statement)?;
    Ok(statement)
}

/// Turns a parser's error into ours, with its place.
pub(crate) fn syntax_error(error: &ParserError) -> EngineError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return EngineError::TooLarge(format!("the statement nests deeper than {MAX_NESTING} levels"));
        }
    };
    // The parser writes the place at the end: "… at Line: 1, Column: 8".
    let placed = text.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((message, line.trim().parse().ok()?, column.trim().parse().ok()?))
    });
    match placed {
        Some((message, line, column)) => EngineError::sql_at(message, line, column),
        None => EngineError::sql(text.clone()),
    }
}

/// Numbers `?` as `$1`, `$2` …, keeping the places of all tokens.
fn number_placeholders(tokens: &mut [TokenWithSpan]) -> Result<()> {
    let (mut unnumbered, mut numbered) = (0, false);
    for token in tokens {
        let Token::Placeholder(name) = &mut token.token else { continue };
        let start = token.span.start;
        let wrong = |text: &str| Err(EngineError::sql_at(text, start.line, start.column));
        if name == "?" {
            unnumbered += 1;
            *name = format!("${unnumbered}");
        } else if name
            .strip_prefix('$')
            .and_then(|n| n.parse::<usize>().ok())
            .is_some_and(|n| n > 0 && n <= MAX_PARAMETERS)
        {
            numbered = true;
        } else {
            return wrong("write parameters as ? or as $1, $2, …");
        }
        if unnumbered > 0 && numbered {
            return wrong("use either ? or $1, $2, … for parameters, not both");
        }
        if unnumbered > MAX_PARAMETERS {
            return Err(EngineError::TooLarge(format!(
                "the statement has more than {MAX_PARAMETERS} parameters"
            )));
        }
    }
    Ok(())
}

/// Counts what makes plans large, before anything recursive touches the statement.
fn check_size(tokens: &[TokenWithSpan]) -> Result<()> {
    let (mut operators, mut sets, mut joins) = (0_usize, 0_usize, 0_usize);
    for token in tokens {
        match &token.token {
            Token::Word(word) => match word.keyword {
                Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::COLLATE => operators += 1,
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => sets += 1,
                Keyword::JOIN => joins += 1,
                _ => {}
            },
            Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::StringConcat
            | Token::DoubleColon
            | Token::Ampersand
            | Token::Pipe
            | Token::Caret
            | Token::LBracket
            | Token::Eq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq => operators += 1,
            _ => {}
        }
    }
    let limits = [
        (operators, MAX_OPERATORS, "operators"),
        (sets, MAX_SET_OPERATIONS, "UNION, INTERSECT or EXCEPT"),
        (joins, MAX_JOINS, "JOINs"),
    ];
    for (count, limit, what) in limits {
        if count > limit {
            return Err(EngineError::TooLarge(format!(
                "the statement has {count} {what}; at most {limit} are accepted"
            )));
        }
    }
    Ok(())
}

struct Depth {
    now: usize,
}

impl Visitor for Depth {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.enter()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.leave()
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.enter()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.leave()
    }
}

impl Depth {
    fn enter(&mut self) -> ControlFlow<()> {
        self.now += 1;
        if self.now > MAX_DEPTH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn leave(&mut self) -> ControlFlow<()> {
        self.now = self.now.saturating_sub(1);
        ControlFlow::Continue(())
    }
}

fn check_depth(statement: &Statement) -> Result<()> {
    if statement.visit(&mut Depth { now: 0 }).is_break() {
        return Err(EngineError::TooLarge(format!(
            "the statement nests more than {MAX_DEPTH} operators; use IN (…) for long lists of alternatives"
        )));
    }
    Ok(())
}
