//! `basin.queries`: the audit. Own queries, unless the policy shows the principal those of others.

use crate::audit::{AuditLog, DaysWanted, read_all};
use crate::error::Result;
use crate::policy::Grants;
use datafusion::arrow::array::RecordBatch;
use std::sync::Arc;

pub(super) async fn rows(
    audit: &AuditLog,
    grants: &Arc<Grants>,
    days: DaysWanted,
) -> Result<Vec<RecordBatch>> {
    read_all(audit, days, |user, began| grants.sees_query_of(user, began)).await
}
