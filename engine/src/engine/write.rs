//! Write: changes, from a request to what is permitted and recorded. Who writes the rows is told what to write, and
//! closes the record.

use super::Engine;
use crate::audit::{AuditEntry, Outcome, Record};
use crate::error::{EngineError, Result};
use crate::plan::{self, Change, Write};
use crate::policy;
use crate::request::QueryRequest;
use basin_catalog::Snapshot;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

const NO_SANDBOX: &str = "you can't write here: SQL is read-only for users without the role sandbox; ask an \
                          administrator (basin user add NAME --role sandbox)";

impl Engine {
    /// Takes a statement apart that changes something, and opens its record; none when it is a query, or
    /// when the principal may not write, so that planning it as a query says so.
    ///
    /// # Errors
    /// What is wrong with the statement or where it writes.
    pub async fn write(&self, request: &QueryRequest) -> Result<Option<OpenWrite>> {
        if !self.is_change(request) {
            return Ok(None);
        }
        let audit = self.shared.audit.open(Record::of(request)).await?;
        let write = async {
            let work = self.work(request.clone()).await?;
            self.shared.planners.run(plan::of_statement(work, request.principal.clone())).await
        };
        OpenWrite::of(write.await, audit).await.map(Some)
    }

    /// Finds the dataset that rows may be written to without a statement, and opens the record of it.
    ///
    /// # Errors
    /// `ReadOnly` when the principal may not write there.
    pub async fn ingest(
        &self,
        request: &QueryRequest,
        schema: Option<&str>,
        table: &str,
    ) -> Result<OpenWrite> {
        let audit = self.shared.audit.open(Record::of(request)).await?;
        let target = if policy::has_sandbox(&request.principal) {
            policy::target(&request.principal, schema, table)
        } else {
            Err(EngineError::ReadOnly(NO_SANDBOX.to_owned()))
        };
        OpenWrite::of(target.map(|target| Write { target, change: Change::Rows }), audit).await
    }
}

/// A change that was permitted, and its record. Dropped before it is closed, it is recorded as cancelled.
#[derive(Debug)]
pub struct OpenWrite {
    write: Write,
    audit: AuditEntry,
}

impl OpenWrite {
    /// Has the record stored, and only then lets the change begin or tells why it may not.
    async fn of(write: Result<Write>, mut audit: AuditEntry) -> Result<Self> {
        match write {
            Ok(write) => match audit.keep().await {
                Ok(()) => Ok(Self { write, audit }),
                Err(error) => {
                    audit.close(Outcome::of(&error));
                    Err(error)
                }
            },
            Err(error) => Err(audit.fail(error).await),
        }
    }

    /// Returns what is to be changed.
    #[must_use]
    pub fn write(&self) -> &Write {
        &self.write
    }

    /// Closes the record as done.
    pub fn done(mut self, rows: u64) {
        self.audit.sent(rows, 0);
        self.audit.close(Outcome::Ok);
    }

    /// Closes the record as failed, for this reason.
    pub fn failed(mut self, reason: &str) {
        self.audit.close(Outcome::Error(reason.to_owned()));
    }
}

/// The columns that the rows of an INSERT go to, in their order; none when the dataset isn't there.
pub(super) fn written_columns(snapshot: &Snapshot, write: &Write) -> Option<SchemaRef> {
    let Change::Insert { columns, .. } = &write.change else { return None };
    let all = snapshot.datasets().get(&write.target)?.definition.arrow_schema();
    let Some(names) = columns else { return Some(all) };
    let fields = names.iter().map(|name| all.field_with_name(name).cloned());
    Some(Arc::new(Schema::new(fields.collect::<std::result::Result<Vec<_>, _>>().ok()?)))
}
