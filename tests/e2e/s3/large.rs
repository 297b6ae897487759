//! Files that are uploaded in parts, and what becomes of the parts when a pooling is interrupted.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::cloud::Cloud;
use super::server::S3Server;
use crate::store::{PROVIDER, entry};

/// Characters of a row: they don't compress below half.
pub(crate) const ROW_CHARACTERS: u32 = 960;
/// The least that shows as several parts.
pub(crate) const LARGE_ROWS: u32 = 20_000;
const LONG_ROWS: u32 = 120_000;
const PATIENCE: Duration = Duration::from_secs(120);
const LAYOUT: &str = r#"
[[items]]
name = "number"
type = "int64"
nullable = false
role = "key"

[[items]]
name = "noise"
type = "text"

[[delivery]]
kind = "large"
files = '^large\.csv$'
format = { type = "csv" }

[delivery.columns]
number = "number"
noise = "noise"
"#;

/// The manifest of `test.large`.
pub(crate) fn manifest(sequence: u32) -> String {
    entry("test.large", sequence) + LAYOUT
}

/// Writes a delivery of `test.large`; gives its path.
pub(crate) fn write_delivery(folder: &Path, rows: u32, seed: u64) -> Result<String> {
    let file = folder.join("large.csv");
    let mut random = StdRng::seed_from_u64(seed);
    let mut text = String::from("number,noise\n");
    for number in 0..rows {
        write!(text, "{number},")?;
        for _ in 0..ROW_CHARACTERS / 16 {
            write!(text, "{:016x}", random.random::<u64>())?;
        }
        text.push('\n');
    }
    fs::write(&file, text)?;
    Ok(file.to_string_lossy().into_owned())
}

#[test]
fn an_interrupted_upload_is_taken_back() -> Result<()> {
    let server = S3Server::start()?;
    let cloud = Cloud::new(&server.endpoint(), "large")?;
    cloud.prepare()?;
    cloud.apply(&manifest(1))?;
    let file = write_delivery(cloud.folder(), LONG_ROWS, 1)?;
    let mut pooling = cloud.command(&["pool", "test.large", &file, "--provider", PROVIDER])?;
    let mut pooling = pooling.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let deadline = Instant::now() + PATIENCE;
    while server.open_uploads()? == 0 {
        ensure!(pooling.try_wait()?.is_none(), "it ended before it uploaded in parts");
        ensure!(Instant::now() < deadline, "no upload in parts was begun");
        thread::sleep(Duration::from_millis(2));
    }
    ensure!(Command::new("kill").args(["-INT", &pooling.id().to_string()]).status()?.success(), "it is gone");
    ensure!(pooling.wait()?.code() == Some(130), "it was not interrupted");
    ensure!(server.open_uploads()? == 0, "the parts were left");
    ensure!(cloud.sql("SELECT count(*) FROM basin.versions")? == ["0"], "something was published");
    Ok(())
}
