//! `basin rollup refresh`, and what other commands call after a publication: the rows of rollups are computed by the engine
//! from the dataset's newest version, stored, and named in the catalog by one commit each. Until then queries read the
//! dataset; a process that is lost in between leaves a rollup that answers nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use basin_catalog::{
    AsOf, Catalog, Change, DatasetName, DatasetState, ErrorClass, ItemName, Principal, Rollup, RollupFill,
    RollupName, RollupVersion, Snapshot,
};
use basin_engine::{
    Engine, EngineConfig, Query, QueryId, QueryOptions, QueryRequest, ResultStream, exactness_query,
    rows_query,
};
use clap::Args;
use futures::TryStreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde::Serialize;

use super::{RollupLine, found};
use crate::commands::error::{CommandError, Result};
use crate::commands::output::{grouped, note};
use crate::commands::session::{Session, author};

/// Refreshes lost to other writers before giving up.
const MAX_ATTEMPTS: u32 = 5;
/// Nobody waits for a maintained rollup: it may take long.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const REDRAW: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct RefreshArgs {
    /// Only rollups of this dataset
    dataset: Option<DatasetName>,
    /// Only this one
    name: Option<RollupName>,
}

/// Which rollups.
#[derive(Debug, Default)]
pub(super) struct Which {
    /// Those of these datasets; none: of all.
    pub(super) datasets: Option<Vec<DatasetName>>,
    /// The one of this name; none: all.
    pub(super) name: Option<RollupName>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Refreshed(Vec<RollupLine>);

impl fmt::Display for Refreshed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing to do: each rollup is of its dataset's newest version");
        }
        self.0.iter().try_for_each(|line| line.fmt(f))
    }
}

pub(super) async fn run(session: &Session, args: RefreshArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    if let Some(dataset) = &args.dataset {
        let state = snapshot.dataset(dataset)?;
        if let Some(name) = &args.name {
            found(state, dataset, name)?;
        }
    }
    let which = Which { datasets: args.dataset.map(|dataset| vec![dataset]), name: args.name };
    session.answer(&Refreshed(refresh(&catalog, &which).await?))
}

/// Refreshes the rollups of datasets that were published. A failure leaves the publication as it is, and is told.
pub(crate) async fn refresh_after(catalog: &Catalog, datasets: &[DatasetName]) {
    let which = Which { datasets: Some(datasets.to_vec()), name: None };
    match refresh(catalog, &which).await {
        Ok(lines) => lines.iter().for_each(|line| {
            note(format!("rollup {} of {}: {}", line.name, line.dataset, line.status()));
        }),
        Err(error) => {
            note(
                "the new version is published; its rollups could not be made again, and queries read the dataset:",
            );
            error.report();
            note("  make them again: basin rollup refresh");
        }
    }
}

/// Makes the rows of stale rollups again; tells those it made.
///
/// # Errors
/// The engine's, the stores' and the catalog's.
pub(super) async fn refresh(catalog: &Catalog, which: &Which) -> Result<Vec<RollupLine>> {
    let stale = stale(catalog.latest().await?.as_ref(), which);
    if stale.is_empty() {
        return Ok(Vec::new());
    }
    let engine =
        Engine::new(catalog.clone(), EngineConfig { query_timeout: LONGEST, ..EngineConfig::default() })?;
    let mut made = Vec::new();
    let mut result = Ok(());
    for (dataset, name) in stale {
        match refresh_one(catalog, &engine, &dataset, &name).await {
            Ok(line) => made.extend(line),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    engine.close().await?;
    result.map(|()| made)
}

fn stale(snapshot: &Snapshot, which: &Which) -> Vec<(DatasetName, RollupName)> {
    let asked = |dataset: &DatasetName| which.datasets.as_ref().is_none_or(|some| some.contains(dataset));
    let states = snapshot.datasets().iter().filter(|(dataset, _)| asked(dataset));
    let of = |(dataset, state): (&DatasetName, &Arc<DatasetState>)| {
        let named = |name: &RollupName| which.name.as_ref().is_none_or(|one| one == name);
        let rollups = state.rollups.iter().filter(|(name, rollup)| named(name) && !state.is_fresh(rollup));
        let published = rollups.filter(|_| state.current().is_some());
        published.map(|(name, _)| (dataset.clone(), name.clone())).collect::<Vec<_>>()
    };
    states.flat_map(of).collect()
}

/// Makes one rollup's rows, again when the dataset was published meanwhile; none when somebody else did or it is gone.
async fn refresh_one(
    catalog: &Catalog,
    engine: &Engine,
    dataset: &DatasetName,
    name: &RollupName,
) -> Result<Option<RollupLine>> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let snapshot = catalog.latest().await?;
        let state = snapshot.dataset(dataset)?;
        let Some(rollup) = state.rollups.get(name).filter(|rollup| !state.is_fresh(rollup)) else {
            return Ok(None);
        };
        let declared = rollup.declared.clone();
        let made = make(catalog, engine, &snapshot, &declared).await?;
        let fill = Change::FillRollup(Box::new(RollupFill { declared, made }));
        match catalog.commit(&snapshot, &author(), vec![fill]).await {
            Ok(snapshot) => {
                let state = snapshot.dataset(dataset)?;
                return Ok(Some(RollupLine::of(state, found(state, dataset, name)?)));
            }
            Err(error) if error.class() == ErrorClass::Conflict && attempt < MAX_ATTEMPTS => {
                tracing::info!(attempt, %error, "the dataset was published meanwhile, making its rollup again");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn make(
    catalog: &Catalog,
    engine: &Engine,
    snapshot: &Snapshot,
    declared: &Rollup,
) -> Result<RollupVersion> {
    let state = snapshot.dataset(&declared.dataset)?;
    let bar = bar(declared);
    let ask = |sql: String| ask(engine, sql, AsOf::Snapshot(snapshot.id()));
    let mut groups = 0;
    let rows = ask(rows_query(declared, &state.definition)).await?;
    let rows = rows.map_err(CommandError::from).inspect_ok(|batch| {
        groups += batch.num_rows() as u64;
        bar.set_message(format!(
            "rollup {} of {}: {} rows",
            declared.name,
            declared.dataset,
            grouped(groups)
        ));
    });
    let mut made = basin_datasets::rollup::store(catalog, declared, state, rows).await?;
    if let Some((items, sql)) = exactness_query(declared, &state.definition) {
        let told: Vec<RecordBatch> = ask(sql).await?.try_collect().await?;
        made.exact_in_doubles = exact(items, &told);
    }
    bar.finish_and_clear();
    Ok(made)
}

/// The items of which the one row says so.
fn exact(items: Vec<ItemName>, told: &[RecordBatch]) -> BTreeSet<ItemName> {
    let columns = told.iter().filter(|batch| batch.num_rows() > 0).flat_map(RecordBatch::columns);
    let is_true = columns
        .map(|column| column.as_boolean_opt().is_some_and(|flags| flags.is_valid(0) && flags.value(0)));
    items.into_iter().zip(is_true).filter_map(|(item, is_true)| is_true.then_some(item)).collect()
}

async fn ask(engine: &Engine, sql: String, as_of: AsOf) -> Result<ResultStream> {
    let request = QueryRequest {
        query_id: QueryId::new(),
        principal: Principal::operator(),
        query: Query::Sql(sql),
        as_of,
        parameters: Vec::new(),
        options: QueryOptions { without_rollups: true, without_cache: true, ..QueryOptions::default() },
    };
    Ok(engine.plan(request).await?.authorize().await?.admit().await?.execute()?)
}

/// On stderr and only when a person watches it.
fn bar(declared: &Rollup) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_message(format!("rollup {} of {}: reading the dataset", declared.name, declared.dataset));
    bar.set_style(
        indicatif::ProgressStyle::with_template("{spinner} {elapsed:>4}  {msg}")
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(REDRAW);
    bar
}
