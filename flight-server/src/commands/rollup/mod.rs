//! `basin rollup`: aggregates of datasets that answer queries in the datasets' place, with the same rows.

mod create;
mod drop;
mod list;
mod refresh;

use std::fmt;

use basin_catalog::{DatasetName, DatasetState, RollupName, RollupState, Snapshot};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::{CommandError, Result};
use super::output::{self, grouped};
use super::session::Session;
use super::size;

pub(super) use refresh::refresh_after;

#[derive(Debug, Subcommand)]
pub(crate) enum RollupCommand {
    /// Declare a rollup of a dataset and make its rows
    Create(create::CreateArgs),
    /// List the rollups, of all datasets or of one
    List(list::ListArgs),
    /// Show one rollup
    Show(RollupArgs),
    /// Remove a rollup; earlier states of the catalog still have it
    Drop(RollupArgs),
    /// Make the rows of rollups again that are not of their dataset's newest version
    Refresh(refresh::RefreshArgs),
}

/// Which rollup.
#[derive(Debug, Args)]
pub(crate) struct RollupArgs {
    /// The dataset
    dataset: DatasetName,
    /// The rollup's name
    name: RollupName,
}

pub(crate) async fn run(session: &Session, command: RollupCommand) -> Result<()> {
    match command {
        RollupCommand::Create(args) => create::run(session, args).await,
        RollupCommand::List(args) => list::run(session, args).await,
        RollupCommand::Show(args) => {
            let snapshot = session.open().await?.latest().await?;
            session.answer(&shown(&snapshot, &args.dataset, &args.name)?)
        }
        RollupCommand::Drop(args) => drop::run(session, args).await,
        RollupCommand::Refresh(args) => refresh::run(session, args).await,
    }
}

/// A rollup as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct RollupLine {
    dataset: String,
    name: String,
    dimensions: Vec<String>,
    measures: Vec<String>,
    /// Whether it answers queries of the newest version.
    fresh: bool,
    of_version: Option<u64>,
    dataset_version: Option<u64>,
    rows: Option<u64>,
    dataset_rows: Option<u64>,
    bytes: Option<u64>,
    made_at: Option<String>,
}

impl RollupLine {
    pub(super) fn of(state: &DatasetState, rollup: &RollupState) -> Self {
        let (declared, made, current) = (&rollup.declared, rollup.made.as_ref(), state.current());
        let measures = declared.measures.iter().map(ToString::to_string);
        Self {
            dataset: declared.dataset.to_string(),
            name: declared.name.to_string(),
            dimensions: declared.dimensions.iter().map(ToString::to_string).collect(),
            measures: std::iter::once("count(*)".to_owned()).chain(measures).collect(),
            fresh: state.is_fresh(rollup),
            of_version: made.map(|made| made.of_version),
            dataset_version: current.map(|version| version.number),
            rows: made.map(|made| made.rows),
            dataset_rows: current.map(|version| version.rows),
            bytes: made.map(|made| made.bytes),
            made_at: made.map(|made| output::moment(made.made_at)),
        }
    }

    /// What it is good for now.
    fn status(&self) -> String {
        match (self.of_version, self.dataset_version) {
            (_, None) => "waits for the first rows of the dataset".to_owned(),
            (Some(of), Some(_)) if self.fresh => format!("answers queries of version {of}"),
            (Some(of), Some(current)) => format!("behind: made of version {of}, the newest is {current}"),
            (None, Some(_)) => "not made yet".to_owned(),
        }
    }
}

impl fmt::Display for RollupLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rollup {} of {}: {}", self.name, self.dataset, self.status())?;
        writeln!(f, "  dimensions: {}", self.dimensions.join(", "))?;
        writeln!(f, "  measures: {}", self.measures.join(", "))?;
        if let (Some(rows), Some(bytes), Some(at)) = (self.rows, self.bytes, &self.made_at) {
            writeln!(f, "  {} rows, {}, made {at}", grouped(rows), size::text(bytes))?;
        }
        if !self.fresh && self.dataset_version.is_some() {
            writeln!(f, "  make it again: basin rollup refresh {} {}", self.dataset, self.name)?;
        }
        Ok(())
    }
}

fn shown(snapshot: &Snapshot, dataset: &DatasetName, name: &RollupName) -> Result<RollupLine> {
    let state = snapshot.dataset(dataset)?;
    Ok(RollupLine::of(state, found(state, dataset, name)?))
}

fn found<'a>(state: &'a DatasetState, dataset: &DatasetName, name: &RollupName) -> Result<&'a RollupState> {
    state.rollups.get(name).ok_or_else(|| {
        CommandError::refused_with(
            basin_catalog::ErrorClass::NotFound,
            format!("{dataset} has no rollup {name}"),
            format!("`basin rollup list {dataset}` lists those it has"),
        )
    })
}
