//! `basin rollup create`.

use std::collections::BTreeSet;

use basin_catalog::{Change, DatasetName, Dimension, Measure, Rollup, RollupName};
use clap::Args;

use super::{refresh, shown};
use crate::commands::error::Result;
use crate::commands::session::{Session, author};

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The dataset
    dataset: DatasetName,
    /// The rollup's name
    name: RollupName,
    /// What queries group by and filter on: items, or periods of an item such as month(day)
    #[arg(long, required = true, value_delimiter = ',', value_name = "ITEM[,…]")]
    dimensions: Vec<Dimension>,
    /// What queries ask of groups: count(item), sum(item), min(item), max(item); count(*) is always kept, and averages
    /// of whole numbers follow from sum and count
    #[arg(long, value_delimiter = ',', value_name = "MEASURE[,…]")]
    measures: Vec<Asked>,
}

/// A measure, or the number of rows, which is always kept.
#[derive(Debug, Clone)]
struct Asked(Option<Measure>);

impl std::str::FromStr for Asked {
    type Err = basin_catalog::CatalogError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if compact.eq_ignore_ascii_case("count(*)") {
            Ok(Self(None))
        } else {
            text.parse().map(|it| Self(Some(it)))
        }
    }
}

pub(super) async fn run(session: &Session, args: CreateArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let measures: BTreeSet<Measure> = args.measures.into_iter().filter_map(|asked| asked.0).collect();
    let declared = Rollup {
        dataset: args.dataset.clone(),
        name: args.name.clone(),
        dimensions: args.dimensions,
        measures,
    };
    catalog.commit(&snapshot, &author(), vec![Change::PutRollup(Box::new(declared))]).await?;
    let which = refresh::Which { datasets: Some(vec![args.dataset.clone()]), name: Some(args.name.clone()) };
    refresh::refresh(&catalog, &which).await?;
    session.answer(&shown(catalog.latest().await?.as_ref(), &args.dataset, &args.name)?)
}
