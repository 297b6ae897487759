//! Demands: a caller asks for access to a dataset. Whether it may ask is the engine's policy's to say; an officer decides.

use std::collections::BTreeSet;

use basin_catalog::{Change, DatasetName, Demand, DemandId, ItemName};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::service::FlightSql;
use crate::error::{Result, ServerError};

/// The action's name.
pub(super) const DEMAND: &str = "basin.Demand";
/// What the action is, for those who list actions.
pub(super) const DESCRIPTION: &str = "asks for access to a dataset; body: JSON with dataset, purpose, reason and, when wanted, items, \
     until, deadline (RFC 3339); result: JSON with demand, its id in basin.demands";

/// The body of the action.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    dataset: DatasetName,
    purpose: String,
    reason: String,
    /// Not checked here: which items a hidden dataset has is hidden too.
    #[serde(default)]
    items: Option<BTreeSet<ItemName>>,
    #[serde(default)]
    until: Option<DateTime<Utc>>,
    #[serde(default)]
    deadline: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
struct Made {
    demand: DemandId,
}

impl FlightSql {
    /// Makes a demand for the caller and returns the body of the action's result.
    ///
    /// # Errors
    /// `InvalidRequest` for a body that can't be read, the engine's when the dataset can't be asked for, the catalog's.
    pub(super) async fn demand(&self, call: &Call, body: &Bytes) -> Result<Vec<Bytes>> {
        let asked: Asked = serde_json::from_slice(body)
            .map_err(|error| ServerError::InvalidRequest(format!("the demand can't be read: {error}")))?;
        self.engine.may_demand(&call.principal, &asked.dataset).await?;
        let id = DemandId::fresh();
        let demand = Demand {
            id: id.clone(),
            by: call.principal.user().clone(),
            agency: call.principal.agency().cloned(),
            dataset: asked.dataset,
            items: asked.items,
            rows: None,
            purpose: asked.purpose,
            reason: asked.reason,
            until: asked.until,
            deadline: asked.deadline,
            made_at: Utc::now(),
            decision: None,
        };
        let catalog = self.engine.catalog();
        let base = catalog.latest().await?;
        catalog.commit(&base, &call.user(), vec![Change::PutDemand(Box::new(demand))]).await?;
        let made = serde_json::to_vec(&Made { demand: id })
            .map_err(|_| ServerError::Internal("a demand's id has no JSON form"))?;
        Ok(vec![made.into()])
    }
}
