//! kill -9 at random moments of pooling: the store reopens at the old or the new snapshot, never
//! half of one, and the repeated command completes.
//!
//! One delivery feeds two datasets, and every row of a delivery carries its number: a store in
//! which the datasets or the rows disagree has half a delivery.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::program::{basin, run, sql};
use crate::store::{PROVIDER, apply, entry, with_provider};

const MOMENTS: u32 = 20;
const ATTEMPTS: u32 = 100;
const SEED: u64 = 2020;
const ROWS: u32 = 40_000;
pub(crate) const STATE: &str = "SELECT l.least, l.greatest, l.number, r.least, r.greatest, r.number
    FROM (SELECT min(delivery) AS least, max(delivery) AS greatest, count(*) AS number FROM test.left_bank) AS l
    CROSS JOIN (SELECT min(delivery) AS least, max(delivery) AS greatest, count(*) AS number FROM test.right_bank) AS r";

pub(crate) fn manifest(bank: &str, sequence: u32) -> String {
    let layout = format!(
        r#"
[layout]
key = ["gauge"]
sort = ["gauge"]
partition = []
slice = []

[[items]]
name = "gauge"
type = "int64"
label = {{ en = "gauge" }}
nullable = false
role = "key"

[[items]]
name = "delivery"
type = "int64"
label = {{ en = "number of the delivery" }}
nullable = false
role = "measure"

[pooling]
max_rejected_share = 0.0
on_duplicate = "refuse"

[[delivery]]
kind = "readings"
files = '^readings\.csv$'
format = {{ type = "csv", delimiter = ",", header = true, encoding = "utf-8" }}
route = "bank = '{bank}'"

[delivery.columns]
gauge = "gauge"
delivery = "delivery"

[delivery.ignore]
columns = ["bank"]
"#
    );
    entry(&format!("test.{bank}_bank"), sequence) + &layout
}

fn write_delivery(folder: &Path, number: u32) -> Result<PathBuf> {
    let mut text = String::from("bank,gauge,delivery\n");
    for gauge in 0..ROWS {
        let bank = if gauge % 2 == 0 { "left" } else { "right" };
        writeln!(text, "{bank},{gauge},{number}")?;
    }
    let file = folder.join("readings.csv");
    fs::write(&file, text)?;
    Ok(file)
}

fn arguments(file: &Path) -> Vec<String> {
    let file = file.to_string_lossy().into_owned();
    ["pool", "test.left_bank,test.right_bank", &file, "--provider", PROVIDER].map(str::to_owned).to_vec()
}

/// What the store holds when `number` is pooled as a whole.
fn whole(number: u32) -> String {
    let half = ROWS / 2;
    format!("{number},{number},{half},{number},{number},{half}")
}

fn state(store: &Path) -> Result<String> {
    Ok(sql(store, STATE, &[])?.join("\n"))
}

#[test]
fn killed_while_pooling_leaves_old_or_new() -> Result<()> {
    let store = with_provider()?;
    apply(store.path(), &manifest("left", 1))?;
    apply(store.path(), &manifest("right", 2))?;
    let folder = tempfile::tempdir()?;

    let mut usual = pool_whole(store.path(), &write_delivery(folder.path(), 0)?, 0)?;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut killed = 0;
    for number in 1..=ATTEMPTS {
        let file = write_delivery(folder.path(), number)?;
        let moment = usual.mul_f64(random.random_range(0.0..1.0));
        killed += u32::from(kill_at(store.path(), &file, moment)?);
        let found = state(store.path())?;
        ensure!(
            found == whole(number - 1) || found == whole(number),
            "half a delivery at {moment:?}: {found}"
        );
        // A machine gets faster and slower: the next moment is chosen within what the last whole run took.
        // One that has nothing left to do ends sooner, so the shorter time doesn't count.
        let took = pool_whole(store.path(), &file, number)?;
        if found == whole(number - 1) {
            usual = took;
        }
        if killed == MOMENTS {
            return Ok(());
        }
    }
    bail!("only {killed} of {ATTEMPTS} were killed before they ended")
}

/// Pools the file to its end; tells how long that took.
fn pool_whole(store: &Path, file: &Path, number: u32) -> Result<Duration> {
    let started = Instant::now();
    run(store, arguments(file))?.success()?;
    let took = started.elapsed();
    let found = state(store)?;
    ensure!(found == whole(number), "delivery {number} is not complete: {found}");
    Ok(took)
}

/// Pools the file and kills the process after `moment`; tells whether it was still running.
fn kill_at(store: &Path, file: &Path, moment: Duration) -> Result<bool> {
    let mut child = basin(store, arguments(file))?
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    thread::sleep(moment);
    let running = child.try_wait()?.is_none();
    child.kill()?;
    child.wait()?;
    Ok(running)
}
