//! Makes a store with a catalog of many datasets and versions, for `benches/run growth`.

use anyhow::{Context as _, Result};
use basin_benches::many::{Size, make};
use basin_catalog::Store;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, datasets, versions_each] = arguments.as_slice() else {
        eprintln!("usage: bench-catalog STORE DATASETS VERSIONS-EACH");
        std::process::exit(2);
    };
    let size = Size {
        datasets: datasets.parse().context("DATASETS is a number")?,
        versions_each: versions_each.parse().context("VERSIONS-EACH is a number")?,
    };
    make(Store::create(folder)?, size).await?;
    Ok(())
}
