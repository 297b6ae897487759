//! The cache on disk: what one server read, the next one finds there, and damage is noticed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::cloud::Cloud;
use super::server::S3Server;
use crate::client::{connect, rows};
use crate::store::{BEDS, PASSWORD, PROVIDER, entry};

const ASKED: &str = "SELECT sum(beds) AS beds FROM test.beds";

/// Serves, asks, and tells how often the disk had what was asked and how often not.
async fn served(cloud: &Cloud) -> Result<(u64, u64)> {
    let server = cloud.serve()?;
    let mut client = connect(server.address()).await?;
    client.handshake("boss", PASSWORD).await?;
    let found = rows(&mut client, ASKED).await?;
    ensure!(found == [["42"]], "{found:?}");
    let caches = "SELECT hits, misses FROM basin.caches WHERE cache_name = 'disk'";
    let figures = rows(&mut client, caches).await?.into_iter().next().context("there is no cache on disk")?;
    ensure!(server.stop()? == Some(0), "the server did not stop in order");
    let [hits, misses] = figures.as_slice() else { anyhow::bail!("{figures:?}") };
    Ok((hits.parse()?, misses.parse()?))
}

fn kept(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(folder.join("part-0"))?.map(|file| Ok(file?.path()));
    let files = files.collect::<Result<Vec<_>>>()?;
    Ok(files.into_iter().filter(|file| !file.ends_with("lock")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_read_the_next_one_finds() -> Result<()> {
    let store = S3Server::start()?;
    let cloud = Cloud::new(&store.endpoint(), "disk")?;
    cloud.prepare()?;
    cloud.run(&["user", "add", "boss", "--role", "admin"])?.success()?;
    cloud.apply(&(entry("test.beds", 1) + BEDS))?;
    let file = cloud.folder().join("beds-1.csv");
    fs::write(&file, "month,clinic,beds\n2024-01-01,a,10\n2024-01-01,b,20\n2024-02-01,a,12\n")?;
    cloud.run(&["pool", "test.beds", &file.to_string_lossy(), "--provider", PROVIDER])?.success()?;
    let folder = cloud.folder().join("cache");
    // Each worker has a part of the folder: here there is one.
    cloud
        .configure(&format!("[server]\nworkers = 1\n[engine]\ndisk_cache_dir = '{}'\n", folder.display()))?;

    let (hits, misses) = served(&cloud).await?;
    ensure!(misses > 0, "nothing was looked for: {hits} hits");
    let files = kept(&folder)?;
    ensure!(!files.is_empty(), "nothing was kept");
    let (hits, misses) = served(&cloud).await?;
    ensure!(hits > 0 && misses == 0, "{hits} hits and {misses} misses after a restart");
    for file in &files {
        let mut content = fs::read(file)?;
        if let Some(last) = content.last_mut() {
            *last ^= 1;
        }
        fs::write(file, content)?;
    }
    // The answer is checked in there.
    served(&cloud).await?;
    Ok(())
}
