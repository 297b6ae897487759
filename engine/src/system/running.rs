//! `basin.running`: the queries that have not ended, of all processes of this server. Own ones, unless the policy shows the
//! principal those of others; who asks sees their own question among them.

use super::build::Columns;
use crate::audit::AuditLog;
use crate::beside::RunningQuery;
use crate::error::Result;
use crate::policy::Grants;
use datafusion::arrow::array::RecordBatch;
use std::sync::Arc;

/// The columns without rows.
pub(super) fn none() -> Result<RecordBatch> {
    table(&[])
}

pub(super) async fn rows(audit: &AuditLog, grants: &Arc<Grants>) -> Result<RecordBatch> {
    let mut queries = audit.running().await;
    queries.retain(|query| grants.sees_query_of(&query.user, query.started_at));
    queries.sort_by_key(|query| query.started_at);
    table(&queries)
}

fn table(queries: &[RunningQuery]) -> Result<RecordBatch> {
    Columns::of(queries)
        .text("query_id", |query| query.query_id.to_string())
        .text("user_name", |query| query.user.clone())
        .maybe_text("agency", |query| query.agency.clone())
        .maybe_text("purpose", |query| query.purpose.clone())
        .text("sql", |query| query.sql.clone())
        .text("datasets", |query| query.datasets.clone())
        .text("stage", |query| query.stage.name().to_owned())
        .number("rows", |query| query.rows)
        .number("bytes", |query| query.bytes)
        .maybe_time("started_at", |query| Some(query.started_at))
        .text("process", |query| query.process.clone())
        .finish()
}
