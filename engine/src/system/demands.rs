//! `basin.demands`: one row a request for access: the principal's own, and those that its agency decides.

use super::build::Columns;
use crate::error::Result;
use crate::policy::Grants;
use basin_catalog::{Decision, Demand, Verdict};
use chrono::Utc;
use datafusion::arrow::array::RecordBatch;
use std::sync::Arc;

pub(super) fn rows(grants: &Grants, filled: bool) -> Result<RecordBatch> {
    let demands = grants.snapshot().demands().values();
    let seen: Vec<&Arc<Demand>> = demands.filter(|demand| filled && grants.sees_demand(demand)).collect();
    let now = Utc::now();
    let decision = |row: &Arc<Demand>, get: fn(&Decision) -> String| row.decision.as_ref().map(get);
    Columns::of(&seen)
        .text("demand_id", |row| row.id.to_string())
        .text("state", |row| row.state(now).to_string())
        .text("schema_name", |row| row.dataset.schema().to_owned())
        .text("dataset_name", |row| row.dataset.name().to_owned())
        .text("user_name", |row| row.by.to_string())
        .maybe_text("agency", |row| row.agency.as_ref().map(ToString::to_string))
        .text("purpose", |row| row.purpose.clone())
        .text("reason", |row| row.reason.clone())
        .maybe_text("items", |row| {
            let items = row.items.as_ref()?;
            Some(items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        })
        .maybe_text("row_filter", |row| row.rows.as_ref().map(ToString::to_string))
        .maybe_time("made_at", |row| Some(row.made_at))
        .maybe_time("deadline", |row| row.deadline)
        .maybe_time("wanted_until", |row| row.until)
        .maybe_time("decided_at", |row| row.decision.as_ref().map(|decision| decision.at))
        .maybe_text("decided_by", |row| decision(row, |decision| decision.by.clone()))
        .maybe_text("basis", |row| decision(row, |decision| decision.basis.clone()))
        .maybe_text("grant_id", |row| match &row.decision.as_ref()?.outcome {
            Verdict::Granted(grant) => Some(grant.to_string()),
            Verdict::Refused | Verdict::Ended => None,
        })
        .finish()
}
