//! `basin demand list`: the officer's inbox. What waits stands first, the most urgent at the top.

use std::fmt;

use basin_catalog::{DatasetName, Demand, UserName};
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::DemandLine;
use crate::commands::error::Result;
use crate::commands::output;
use crate::commands::session::Session;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those that wait for a decision
    #[arg(long)]
    open: bool,
    /// Only those for this dataset
    #[arg(long, value_name = "DATASET")]
    dataset: Option<DatasetName>,
    /// Only those of this user
    #[arg(long, value_name = "USER")]
    user: Option<UserName>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<DemandLine>);

pub(super) async fn run(session: &Session, args: ListArgs) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let now = Utc::now();
    let wanted = |demand: &Demand| {
        (!args.open || demand.decision.is_none())
            && args.dataset.as_ref().is_none_or(|dataset| demand.dataset == *dataset)
            && args.user.as_ref().is_none_or(|user| demand.by == *user)
    };
    let mut demands: Vec<&Demand> =
        snapshot.demands().values().map(AsRef::as_ref).filter(|demand| wanted(demand)).collect();
    demands.sort_by_key(|demand| urgency(demand));
    session.answer(&List(demands.into_iter().map(|demand| DemandLine::of(demand, now)).collect()))
}

/// Undecided ones first, by their deadline, those without one last; then by age.
fn urgency(demand: &Demand) -> (bool, DateTime<Utc>, DateTime<Utc>) {
    let decided = demand.decision.is_some();
    let deadline = demand.deadline.filter(|_| !decided).unwrap_or(DateTime::<Utc>::MAX_UTC);
    (decided, deadline, demand.made_at)
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            vec![
                line.id.clone(),
                line.state.clone(),
                line.dataset.clone(),
                line.by.clone(),
                line.agency.clone().unwrap_or_default(),
                line.purpose.clone(),
                line.made_at.clone(),
                line.deadline.clone().unwrap_or_default(),
            ]
        });
        let names = ["demand", "state", "dataset", "by", "agency", "purpose", "made", "deadline"];
        f.write_str(&output::table(&output::header(&names), rows.collect()))
    }
}
