//! Write: a statement that changes something -> what it changes, and the query that gives its rows.
//!
//! Whatever a statement says must be done: what is understood is written down again and compared with what was sent, so
//! that no clause is ignored.

use super::statement::Work;
use super::{parse, rewrite};
use crate::error::{EngineError, Result};
use crate::policy;
use crate::request::Query;
use basin_catalog::{DatasetDefinition, DatasetName, Principal};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::Statement as PlannerStatement;
use datafusion::sql::sqlparser::ast::{
    ColumnOption, CreateTable, Insert, ObjectName, ObjectNamePart, ObjectType, Statement, TableObject,
};
use std::sync::Arc;

/// First words of statements that may change a sandbox.
const CHANGES: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "CREATE", "DROP"];

/// A statement that changes a dataset.
#[derive(Debug, Clone)]
pub struct Write {
    /// Which dataset: one of the principal's own.
    pub target: DatasetName,
    /// What is done to it.
    pub change: Change,
}

/// What is done to a dataset. The queries are read-only statements of their own, to be planned as any other.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is made, empty.
    Create {
        /// Its columns.
        schema: SchemaRef,
        /// Whether one that is there is replaced.
        replace: bool,
        /// Whether one that is there is fine.
        if_not_exists: bool,
    },
    /// It is made of the rows of a query.
    CreateAs {
        /// The query.
        query: String,
        /// Whether one that is there is replaced.
        replace: bool,
        /// Whether one that is there is fine.
        if_not_exists: bool,
    },
    /// The rows of a query come in addition.
    Insert {
        /// The columns that the query gives; none: all.
        columns: Option<Vec<String>>,
        /// The query.
        query: String,
    },
    /// Rows go: the query gives those that stay.
    Delete {
        /// The query.
        query: String,
    },
    /// Rows change: the query gives all of them, and whether each was changed as one column more.
    Update {
        /// The query.
        query: String,
    },
    /// It is removed.
    Drop {
        /// Whether one that isn't there is fine.
        if_exists: bool,
    },
    /// Rows come that no query gives.
    Rows,
}

impl Change {
    /// Returns the query that gives the rows, if there is one.
    pub(crate) fn into_query(self) -> Option<String> {
        match self {
            Self::CreateAs { query, .. }
            | Self::Insert { query, .. }
            | Self::Delete { query }
            | Self::Update { query } => Some(query),
            Self::Create { .. } | Self::Drop { .. } | Self::Rows => None,
        }
    }
}

/// Tells from the first word whether a statement could change something.
pub(crate) fn may_change(sql: &str) -> bool {
    let mut rest = sql.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            break;
        };
        rest = after.trim_start();
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    CHANGES.contains(&word.to_uppercase().as_str())
}

/// Takes a statement apart.
pub(crate) async fn of_statement(work: Work, principal: Principal) -> Result<Write> {
    let Query::Sql(sql) = &work.query else {
        return Err(EngineError::ReadOnly("a Substrait plan only reads; send changes as SQL".to_owned()));
    };
    let statement = parse::any_statement(sql, work.max_bytes, |_| Ok(()))?;
    let written = statement.to_string();
    let (write, understood) = match statement {
        Statement::CreateTable(table) => create(&work, &principal, table).await?,
        Statement::Insert(insert) => self::insert(&principal, insert)?,
        Statement::Delete(delete) => {
            let target = target(&principal, &rewrite::deleted_from(&delete)?)?;
            let (query, understood) = rewrite::delete(&delete, &target)?;
            (Write { target, change: Change::Delete { query } }, understood)
        }
        Statement::Update(update) => {
            let target = target(&principal, &rewrite::updated(&update)?)?;
            let definition = definition(&work, &target)?;
            let (query, understood) = rewrite::update(&update, &target, &definition)?;
            (Write { target, change: Change::Update { query } }, understood)
        }
        Statement::Drop { object_type: ObjectType::Table, if_exists, names, .. } => {
            drop(&principal, if_exists, &names)?
        }
        other => return Err(unsupported(&other.to_string())),
    };
    if words(&written) == words(&understood) { Ok(write) } else { Err(unsupported(&written)) }
}

fn unsupported(written: &str) -> EngineError {
    let what: String = written.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    EngineError::NotSupported(format!(
        "{what} …: in a sandbox there are CREATE [OR REPLACE] TABLE [IF NOT EXISTS] with columns (type and NOT NULL) or AS a query, \
         INSERT INTO … VALUES or a query, UPDATE … SET … WHERE, DELETE FROM … WHERE, DROP TABLE [IF EXISTS]"
    ))
}

/// Words without regard to white space between them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(" )", ")")
}

async fn create(work: &Work, principal: &Principal, table: CreateTable) -> Result<(Write, String)> {
    let target = target(principal, &table.name)?;
    let (replace, if_not_exists) = (table.or_replace, table.if_not_exists);
    let start = format!(
        "CREATE {}TABLE {}{}",
        if replace { "OR REPLACE " } else { "" },
        if if_not_exists { "IF NOT EXISTS " } else { "" },
        table.name
    );
    if let Some(query) = &table.query {
        let query = query.to_string();
        let understood = format!("{start} AS {query}");
        return Ok((
            Write { target, change: Change::CreateAs { query, replace, if_not_exists } },
            understood,
        ));
    }
    let plain = |option: &ColumnOption| matches!(option, ColumnOption::Null | ColumnOption::NotNull);
    if !table.columns.iter().flat_map(|column| &column.options).all(|option| plain(&option.option)) {
        return Err(unsupported(&table.to_string()));
    }
    let columns: Vec<String> = table.columns.iter().map(ToString::to_string).collect();
    let understood = format!("{start} ({})", columns.join(", "));
    let schema = columns_schema(work, table).await?;
    Ok((Write { target, change: Change::Create { schema, replace, if_not_exists } }, understood))
}

/// The columns as the planner understands their types.
async fn columns_schema(work: &Work, table: CreateTable) -> Result<SchemaRef> {
    let statement = PlannerStatement::Statement(Box::new(Statement::CreateTable(table)));
    match work.template.statement_to_plan(statement).await? {
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
            Ok(Arc::new(create.input.schema().as_arrow().clone()))
        }
        _ => Err(EngineError::lost("CREATE TABLE has no columns")),
    }
}

fn insert(principal: &Principal, insert: Insert) -> Result<(Write, String)> {
    let written = insert.to_string();
    let (TableObject::TableName(name), Some(source)) = (&insert.table, &insert.source) else {
        return Err(unsupported(&written));
    };
    let target = target(principal, name)?;
    let names = insert.columns.iter().map(single).collect::<Result<Vec<_>>>()?;
    let listed: Vec<String> = insert.columns.iter().map(ToString::to_string).collect();
    let listed = if listed.is_empty() { String::new() } else { format!("({}) ", listed.join(", ")) };
    let query = source.to_string();
    let understood = format!("INSERT INTO {name} {listed}{query}");
    let columns = (!names.is_empty()).then_some(names);
    Ok((Write { target, change: Change::Insert { columns, query } }, understood))
}

fn drop(principal: &Principal, if_exists: bool, names: &[ObjectName]) -> Result<(Write, String)> {
    let [name] = names else {
        return Err(EngineError::sql("drop one table at a time"));
    };
    let understood = format!("DROP TABLE {}{name}", if if_exists { "IF EXISTS " } else { "" });
    Ok((Write { target: target(principal, name)?, change: Change::Drop { if_exists } }, understood))
}

/// The dataset that a name means, if the principal may write there.
fn target(principal: &Principal, name: &ObjectName) -> Result<DatasetName> {
    let parts = name.0.iter().map(part).collect::<Result<Vec<_>>>()?;
    match parts.as_slice() {
        [table] => policy::target(principal, None, table),
        [schema, table] => policy::target(principal, Some(schema), table),
        [catalog, schema, table] if catalog == crate::session::CATALOG => {
            policy::target(principal, Some(schema), table)
        }
        _ => Err(EngineError::sql(format!("{name} is no name of a table: write schema.table"))),
    }
}

/// A name as SQL means it: lower case unless quoted.
fn part(part: &ObjectNamePart) -> Result<String> {
    match part.as_ident() {
        Some(ident) if ident.quote_style.is_some() => Ok(ident.value.clone()),
        Some(ident) => Ok(ident.value.to_lowercase()),
        None => Err(EngineError::sql(format!("{part} is no name"))),
    }
}

/// The name of a column.
pub(super) fn single(name: &ObjectName) -> Result<String> {
    match name.0.as_slice() {
        [only] => part(only),
        _ => Err(EngineError::sql(format!("{name} is no column: write its name alone"))),
    }
}

/// The definition of a dataset that is there.
fn definition(work: &Work, target: &DatasetName) -> Result<Arc<DatasetDefinition>> {
    match work.local.grants.dataset(target) {
        Some(view) => Ok(Arc::clone(view.definition())),
        None => Err(EngineError::NotFound { name: target.to_string(), suggestions: Vec::new() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells() {
        for sql in ["insert into t values (1)", "  -- a\n/* b */ CREATE TABLE t (a INT)", "DROP TABLE t"] {
            assert!(may_change(sql), "{sql}");
        }
        for sql in
            ["SELECT 1", "", "/* INSERT", "-- DELETE", "WITH a AS (SELECT 1) SELECT * FROM a", "inserted"]
        {
            assert!(!may_change(sql), "{sql}");
        }
    }
}
