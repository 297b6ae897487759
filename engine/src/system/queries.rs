//! `basin.queries`: the audit, own queries only unless the principal is an administrator.

use crate::audit::{AuditLog, read_all};
use crate::error::Result;
use crate::policy::Grants;
use datafusion::arrow::array::RecordBatch;
use std::sync::Arc;

pub(super) async fn rows(audit: &AuditLog, grants: &Arc<Grants>) -> Result<Vec<RecordBatch>> {
    read_all(audit, |user| grants.sees_queries_of(user)).await
}
