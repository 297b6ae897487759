//! A partitioned dataset over more versions than one Delta checkpoint holds: every version stays readable.

use std::fs;

use anyhow::{Result, ensure};

use crate::program::{run, sql};
use crate::store::{BEDS, PROVIDER, apply, entry, with_provider};

const LAYOUT: &str = r#"
[layout]
key = ["month", "clinic"]
sort = ["clinic"]
partition = ["month"]
slice = ["month"]
"#;

#[test]
fn partitions_are_replaced_and_every_version_stays() -> Result<()> {
    let store = with_provider()?;
    apply(store.path(), &(entry("test.beds", 31) + LAYOUT + BEDS))?;
    let folder = tempfile::tempdir()?;
    let pool = |month: usize, beds: usize| -> Result<()> {
        let file = folder.path().join(format!("beds-{month:02}.csv"));
        let rows = format!("month,clinic,beds\n2024-{month:02}-01,007,{beds}\n2024-{month:02}-01,008,\n");
        fs::write(&file, rows)?;
        let arguments = ["pool", "test.beds", &file.to_string_lossy(), "--provider", PROVIDER];
        run(store.path(), arguments)?.success().map(drop)
    };
    for month in 1..=12 {
        pool(month, month)?;
    }
    pool(3, 100)?;

    let total = "SELECT count(*), count(beds), sum(beds) FROM test.beds";
    ensure!(sql(store.path(), total, &[])? == ["24,12,175"], "{:?}", sql(store.path(), total, &[])?);
    let march = "SELECT clinic, beds FROM test.beds WHERE month = DATE '2024-03-01' ORDER BY clinic";
    ensure!(sql(store.path(), march, &[])? == ["007,100", "008,"], "{:?}", sql(store.path(), march, &[])?);
    // Snapshot 0 made the catalog, 1 the provider, 2 the definition; then each delivery is one.
    let newest: usize =
        sql(store.path(), "SELECT max(version) FROM basin.versions", &[])?.concat().parse()?;
    ensure!(newest == 13, "{newest} versions");
    let snapshots = sql(store.path(), "SELECT rows FROM basin.versions ORDER BY version", &[])?;
    ensure!(snapshots.len() == 13 && snapshots[0] == "2" && snapshots[12] == "24", "{snapshots:?}");
    for (month, sum) in [(1, 1), (6, 21), (12, 78)] {
        let as_of = (2 + month).to_string();
        let found = sql(store.path(), "SELECT sum(beds) FROM test.beds", &["--as-of", &as_of])?;
        ensure!(found == [sum.to_string()], "as of {as_of}: {found:?}");
    }
    let folders = fs::read_dir(store.path().join("data/test/beds"))?.count();
    ensure!(folders == 14, "twelve partitions, the log and the sketches, found {folders}");
    Ok(())
}
