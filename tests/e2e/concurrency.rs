//! Two `basin pool` processes at once on one dataset: the history is serial and nothing is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Result, ensure};

use crate::program::{basin, run, sql};
use crate::store::{PROVIDER, apply, entry, with_provider};

/// The manifest without its `[dataset]` part.
const LAYOUT: &str = r#"
[layout]
key = ["day", "gauge"]
sort = ["day"]
partition = []
slice = ["day"]

[[items]]
name = "day"
type = "date"
label = { en = "day" }
nullable = false
role = "time"

[[items]]
name = "gauge"
type = "int64"
label = { en = "gauge" }
nullable = false
role = "key"

[[items]]
name = "level"
type = "decimal(9,2)"
label = { en = "level" }
unit = "metre"
role = "measure"

[[delivery]]
kind = "levels"
files = '^levels-.+\.csv$'
format = { type = "csv", delimiter = ",", header = true, encoding = "utf-8" }

[delivery.columns]
day = { from = "day", format = ["%Y-%m-%d"] }
gauge = "gauge"
level = "level"
"#;
const DAYS: usize = 8;
const ROWS: usize = 2_000;

fn write_day(folder: &Path, day: usize) -> Result<PathBuf> {
    let file = folder.join(format!("levels-{day}.csv"));
    let lines: String = (0..ROWS).map(|gauge| format!("2024-05-{day:02},{gauge},{day}.25\n")).collect();
    fs::write(&file, format!("day,gauge,level\n{lines}"))?;
    Ok(file)
}

fn arguments(file: &Path) -> Vec<String> {
    let file = file.to_string_lossy().into_owned();
    ["pool", "test.levels", &file, "--provider", PROVIDER].map(str::to_owned).to_vec()
}

#[test]
fn two_pools_at_once_give_a_serial_history() -> Result<()> {
    let store = with_provider()?;
    apply(store.path(), &(entry("test.levels", 3) + LAYOUT))?;
    let folder = tempfile::tempdir()?;
    for pair in 0..DAYS / 2 {
        let days = [2 * pair + 1, 2 * pair + 2];
        let files = [write_day(folder.path(), days[0])?, write_day(folder.path(), days[1])?];
        let running = files
            .iter()
            .map(|file| {
                Ok(basin(store.path(), arguments(file))?
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()?)
            })
            .collect::<Result<Vec<Child>>>()?;
        let ended =
            running.into_iter().map(|child| Ok(child.wait_with_output()?)).collect::<Result<Vec<_>>>()?;
        for output in &ended {
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(matches!(output.status.code(), Some(0 | 6)), "{:?}: {said}", output.status.code());
        }
        ensure!(ended.iter().any(|output| output.status.success()), "both lost");
        for file in &files {
            run(store.path(), arguments(file))?.success()?;
        }
    }
    let sums = sql(store.path(), "SELECT count(*), count(DISTINCT day), sum(level) FROM test.levels", &[])?;
    ensure!(sums == [format!("{},{DAYS},{}.00", DAYS * ROWS, ROWS * (36 + DAYS / 4))], "{sums:?}");
    let versions = sql(
        store.path(),
        "SELECT version, rows FROM basin.versions WHERE dataset_name = 'levels' ORDER BY version",
        &[],
    )?;
    let serial: Vec<String> = (1..=DAYS).map(|version| format!("{version},{}", version * ROWS)).collect();
    ensure!(versions == serial, "{versions:?}");
    Ok(())
}
