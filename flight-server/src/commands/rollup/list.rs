//! `basin rollup list`.

use std::fmt;

use basin_catalog::DatasetName;
use clap::Args;
use serde::Serialize;

use super::RollupLine;
use crate::commands::error::Result;
use crate::commands::output::{self, grouped};
use crate::commands::session::Session;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this dataset
    dataset: Option<DatasetName>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<RollupLine>);

pub(super) async fn run(session: &Session, args: ListArgs) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let states = match &args.dataset {
        Some(name) => vec![snapshot.dataset(name)?],
        None => snapshot.datasets().values().collect(),
    };
    let of = |state: &std::sync::Arc<basin_catalog::DatasetState>| {
        state.rollups.values().map(|rollup| RollupLine::of(state, rollup)).collect::<Vec<_>>()
    };
    session.answer(&List(states.into_iter().flat_map(of).collect()))
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = |number: Option<u64>| number.map(grouped).unwrap_or_default();
        let rows = self.0.iter().map(|line| {
            vec![
                line.dataset.clone(),
                line.name.clone(),
                line.dimensions.join(", "),
                line.measures.join(", "),
                figure(line.rows),
                figure(line.dataset_rows),
                line.status(),
            ]
        });
        let names = ["dataset", "rollup", "dimensions", "measures", "#rows", "#of", "state"];
        f.write_str(&output::table(&output::header(&names), rows.collect()))
    }
}
