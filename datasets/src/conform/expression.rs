//! SQL expressions of a manifest over raw columns or over items: compiled once, evaluated per batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::error::{DatasetsError, Result};

/// Compiles expressions over one schema.
pub(super) struct Compiler {
    context: SessionContext,
    columns: DFSchema,
    schema: Schema,
}

impl Compiler {
    pub(super) fn new(schema: &Schema) -> Result<Self> {
        // Column names are what the header says, so `Confirmed` needs no quotes.
        let config = SessionConfig::new().set_bool("datafusion.sql_parser.enable_ident_normalization", false);
        Ok(Self {
            context: SessionContext::new_with_config(config),
            columns: DFSchema::try_from(schema.clone())?,
            schema: schema.clone(),
        })
    }

    /// Compiles the expression that stands at a key of the manifest.
    pub(super) fn compile(&self, key: &str, sql: &str) -> Result<Expression> {
        let compiled = self
            .context
            .parse_sql_expr(sql, &self.columns)
            .and_then(|expr| self.context.create_physical_expr(expr, &self.columns))
            .map_err(|error| refuse(key, sql, &error))?;
        let r#type = compiled.data_type(&self.schema).map_err(|error| refuse(key, sql, &error))?;
        Ok(Expression { compiled, r#type })
    }

    /// Compiles a condition.
    pub(super) fn condition(&self, key: &str, sql: &str) -> Result<Expression> {
        let expression = self.compile(key, sql)?;
        match expression.r#type {
            DataType::Boolean | DataType::Null => Ok(expression),
            other => Err(DatasetsError::manifest(key, format!("`{sql}` gives {other}, not true or false"))),
        }
    }
}

fn refuse(key: &str, sql: &str, error: &DataFusionError) -> DatasetsError {
    DatasetsError::manifest(key, format!("`{sql}` can't be used: {}", message(error)))
}

fn message(error: &DataFusionError) -> String {
    error.find_root().strip_backtrace()
}

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    compiled: Arc<dyn PhysicalExpr>,
    r#type: DataType,
}

impl Expression {
    /// Returns the columns that it reads.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        collect_columns(&self.compiled).into_iter().map(|column| column.name().to_owned()).collect()
    }

    /// Evaluates the expression; a row on which it fails is NULL and told of.
    pub(super) fn evaluate(
        &self,
        rows: &RecordBatch,
        fail: &mut dyn FnMut(usize, String),
    ) -> Result<ArrayRef> {
        if let Ok(values) = self.on(rows) {
            return Ok(values);
        }
        let single = |row| self.on(&rows.slice(row, 1));
        let values: Vec<ArrayRef> = (0..rows.num_rows())
            .map(|row| {
                single(row).unwrap_or_else(|error| {
                    fail(row, message(&error));
                    new_null_array(&self.r#type, 1)
                })
            })
            .collect();
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        Ok(concat(&values)?)
    }

    /// Evaluates a condition.
    pub(super) fn test(
        &self,
        rows: &RecordBatch,
        fail: &mut dyn FnMut(usize, String),
    ) -> Result<BooleanArray> {
        let values = self.evaluate(rows, fail)?;
        match values.as_any().downcast_ref::<BooleanArray>() {
            Some(truths) => Ok(truths.clone()),
            None => Ok(BooleanArray::new_null(rows.num_rows())),
        }
    }

    fn on(&self, rows: &RecordBatch) -> datafusion::error::Result<ArrayRef> {
        self.compiled.evaluate(rows)?.into_array(rows.num_rows())
    }
}
