//! `basin rollup drop`.

use std::fmt;

use basin_catalog::Change;
use serde::Serialize;

use super::{RollupArgs, found};
use crate::commands::error::Result;
use crate::commands::session::{Session, author};

#[derive(Debug, Serialize)]
struct Dropped {
    dataset: String,
    name: String,
    dropped: bool,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rollup {} of {} is dropped; queries read the dataset", self.name, self.dataset)
    }
}

pub(super) async fn run(session: &Session, args: RollupArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    found(snapshot.dataset(&args.dataset)?, &args.dataset, &args.name)?;
    let change = Change::DropRollup { dataset: args.dataset.clone(), name: args.name.clone() };
    catalog.commit(&snapshot, &author(), vec![change]).await?;
    session.answer(&Dropped { dataset: args.dataset.to_string(), name: args.name.to_string(), dropped: true })
}
