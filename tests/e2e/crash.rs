//! kill -9 at random moments of pooling, against a record outside the store of what was acknowledged: nothing is lost, nothing
//! is there half or twice, and the store is sound.
//!
//! One delivery feeds two datasets, and every row of a delivery carries its number. A delivery that was killed is never
//! repeated, so that half of one would stay, and be found.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::program::{basin, run, sql};
use crate::store::{PROVIDER, apply, entry, with_provider};

/// Kills in all, unless the environment variable says another number.
const KILLS: u32 = 500;
const KILLS_VARIABLE: &str = "BASIN_TEST_KILLS";
/// Kills of one store: a longer history makes each run slower.
const KILLS_OF_A_STORE: u32 = 250;
/// Kills between two looks at the rows.
const LOOK_EVERY: u32 = 25;
const SEED: u64 = 2020;
const ROWS: u32 = 400;

/// What is known of a delivery from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The command said that it is published.
    Acknowledged,
    /// The command was killed before it said anything.
    Killed,
}

/// What a dataset holds after several deliveries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holds {
    Each,
    TheLast,
}

/// The manifest of one of the two datasets that a delivery feeds.
pub(crate) fn manifest(bank: &str, sequence: u32, holds: Holds) -> String {
    let (key, slice, role) = match holds {
        Holds::Each => (r#""delivery", "gauge""#, r#""delivery""#, "key"),
        Holds::TheLast => (r#""gauge""#, "", "measure"),
    };
    let layout = format!(
        r#"
[layout]
key = [{key}]
sort = [{key}]
partition = []
slice = [{slice}]

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
role = "{role}"

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

/// A store that is killed at, and the record outside of it.
struct Trial {
    store: tempfile::TempDir,
    folder: tempfile::TempDir,
    random: StdRng,
    told: BTreeMap<u32, Told>,
    /// What a run that is not killed takes.
    usual: Duration,
}

impl Trial {
    fn new(seed: u64) -> Result<Self> {
        let store = with_provider()?;
        apply(store.path(), &manifest("left", 1, Holds::Each))?;
        apply(store.path(), &manifest("right", 2, Holds::Each))?;
        let folder = tempfile::tempdir()?;
        let random = StdRng::seed_from_u64(seed);
        Ok(Self { store, folder, random, told: BTreeMap::new(), usual: Duration::ZERO })
    }

    /// Kills that many runs; looks at the rows now and then, and at the whole store in the end.
    fn kill(&mut self, kills: u32) -> Result<()> {
        let mut killed = 0;
        self.deliver(None)?;
        while killed < kills {
            let moment = self.usual.mul_f64(self.random.random_range(0.0..1.1));
            if self.deliver(Some(moment))? == Told::Killed {
                killed += 1;
                if killed.is_multiple_of(LOOK_EVERY) {
                    self.deliver(None)?;
                    self.look()?;
                }
            }
        }
        self.look()?;
        run(self.store.path(), ["fsck", "--deep"])?.success()?;
        run(self.store.path(), ["gc", "--apply", "--grace-hours", "0"])?.success()?;
        let left = run(self.store.path(), ["fsck", "--json"])?.success()?;
        let left: serde_json::Value = serde_json::from_str(&left)?;
        ensure!(left["orphans"].as_array().is_some_and(Vec::is_empty), "{left}");
        self.look()
    }

    /// Pools the next delivery; kills the process after a moment.
    fn deliver(&mut self, moment: Option<Duration>) -> Result<Told> {
        let number = self.told.len() as u32;
        let file = self.write(number)?;
        let started = Instant::now();
        let mut child = basin(self.store.path(), ["pool", "test.left_bank,test.right_bank"])?
            .arg(&file)
            .args(["--provider", PROVIDER])
            // A killed process leaves its own files here.
            .env("TMPDIR", self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(moment) = moment {
            thread::sleep(moment);
            child.kill()?;
        }
        let ended = child.wait_with_output()?;
        let told = match ended.status.code() {
            Some(0) => Told::Acknowledged,
            None if moment.is_some() => Told::Killed,
            code => return Err(anyhow!("{code:?}: {}", String::from_utf8_lossy(&ended.stderr))),
        };
        if told == Told::Acknowledged && moment.is_none() {
            self.usual = started.elapsed();
        }
        self.told.insert(number, told);
        Ok(told)
    }

    fn write(&self, number: u32) -> Result<PathBuf> {
        let mut text = String::from("bank,gauge,delivery\n");
        for gauge in 0..ROWS {
            let bank = if gauge % 2 == 0 { "left" } else { "right" };
            writeln!(text, "{bank},{gauge},{number}")?;
        }
        let file = self.folder.path().join("readings.csv");
        fs::write(&file, text)?;
        Ok(file)
    }

    /// Every acknowledged delivery is there as a whole in both datasets, every killed one as a whole or not at all.
    fn look(&self) -> Result<()> {
        let [left, right] = ["left", "right"].map(|bank| deliveries(self.store.path(), bank));
        let (left, right) = (left?, right?);
        for (number, told) in &self.told {
            let here = (left.get(number).copied(), right.get(number).copied());
            let whole = here == (Some(figures(0)), Some(figures(1)));
            let absent = here == (None, None) && *told == Told::Killed;
            ensure!(
                whole || absent,
                "delivery {number} ({told:?}): {here:?}, of {:?}",
                (figures(0), figures(1))
            );
        }
        let known = |number: &u32| self.told.contains_key(number);
        ensure!(left.keys().chain(right.keys()).all(known), "rows of a delivery that was never made");
        Ok(())
    }
}

/// Rows, distinct gauges and their sum.
type Figures = (u64, u64, u64);

/// The figures of a whole delivery: every other gauge from `first` on.
fn figures(first: u32) -> Figures {
    let gauges = || (first..ROWS).step_by(2).map(u64::from);
    (gauges().count() as u64, gauges().count() as u64, gauges().sum())
}

fn deliveries(store: &Path, bank: &str) -> Result<BTreeMap<u32, Figures>> {
    let statement = format!(
        "SELECT delivery, count(*), count(DISTINCT gauge), sum(gauge) FROM test.{bank}_bank GROUP BY delivery"
    );
    let line = |line: &String| -> Result<(u32, Figures)> {
        let cells = line.split(',').map(str::parse).collect::<std::result::Result<Vec<u64>, _>>()?;
        let [number, rows, gauges, sum] = cells.as_slice() else {
            return Err(anyhow!("a line has other cells: {line}"));
        };
        Ok((u32::try_from(*number)?, (*rows, *gauges, *sum)))
    };
    sql(store, &statement, &[])?.iter().map(line).collect()
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_or_twice() -> Result<()> {
    let kills = match std::env::var(KILLS_VARIABLE) {
        Ok(number) => number.parse().context(KILLS_VARIABLE)?,
        Err(_) => KILLS,
    };
    let started = Instant::now();
    let mut left = kills;
    let mut acknowledged = 0;
    while left > 0 {
        let kills = left.min(KILLS_OF_A_STORE);
        let mut trial = Trial::new(SEED + u64::from(left))?;
        trial.kill(kills)?;
        acknowledged += trial.told.values().filter(|told| **told == Told::Acknowledged).count();
        left -= kills;
        println!("{left} kills to go, {acknowledged} deliveries acknowledged");
    }
    println!(
        "{kills} kills, {acknowledged} acknowledged deliveries, {:.0} s",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Writers of one catalog, each a process of its own.
const WRITERS: usize = 4;
const COMMITS: usize = 12;

#[test]
fn processes_that_commit_at_once_make_a_serial_history() -> Result<()> {
    let store = with_provider()?;
    let before = crate::store::commits(store.path())?.len();
    let write = |writer: usize| -> Result<()> {
        for commit in 0..COMMITS {
            let name = format!("w{writer}-c{commit}");
            run(store.path(), ["user", "add", &name, "--external"])?.success()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| anyhow!("a writer panicked"))?)
    })?;
    ensure!(crate::store::commits(store.path())?.len() == before + WRITERS * COMMITS);
    let users = run(store.path(), ["user", "list"])?.success()?;
    for writer in 0..WRITERS {
        ensure!((0..COMMITS).all(|commit| users.contains(&format!("w{writer}-c{commit}"))), "{users}");
    }
    run(store.path(), ["fsck"])?.success()?;
    Ok(())
}
