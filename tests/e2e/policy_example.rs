//! The shipped policy on the pooled pack: what a provincial analyst, the public and an epidemiologist read, against
//! figures that are counted here from the raw bulletins and never from Basin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use arrow_flight::error::FlightError;
use tempfile::TempDir;
use tonic::Code;

use crate::client::{Client, connect, query, rows, status};
use crate::pack::csv_files;
use crate::program::{Server, basin, run};
use crate::store::{PASSWORD, pooled_copy};

/// Zhejiang's own organisation; its code is made up.
const ZHEJIANG_AGENCY: &str = "11330000990000076Y";
const ZHEJIANG: &str = "330000";
/// A day with a bulletin of most provinces and figures small and large.
const DAY: &str = "2020-01-22";
const K: u64 = 5;

/// One row of a bulletin, as far as it is asked about here.
struct Row {
    date: String,
    province: String,
    province_code: String,
    city: String,
    confirmed: Option<u64>,
}

/// Reads the bulletins. They have no quotes, so that a comma is a comma.
fn bulletins() -> Result<Vec<Row>> {
    let mut all = Vec::new();
    for file in csv_files("health-commission-bulletins")? {
        let text = fs::read_to_string(&file)?;
        ensure!(!text.contains('"'), "{} has quotes", file.display());
        let mut lines = text.trim_start_matches('\u{feff}').lines();
        let header: Vec<&str> = lines.next().context("a header")?.split(',').collect();
        let at = |name: &str| header.iter().position(|column| *column == name).context("a column is absent");
        let (date, province, code, city, confirmed) =
            (at("date")?, at("province")?, at("provinceCode")?, at("city")?, at("confirmed")?);
        for line in lines.filter(|line| !line.is_empty()) {
            let fields: Vec<&str> = line.split(',').collect();
            ensure!(fields.len() == header.len(), "{}: {line}", file.display());
            let field = |index: usize| fields.get(index).map(|text| (*text).to_owned()).unwrap_or_default();
            let confirmed = field(confirmed);
            all.push(Row {
                date: field(date),
                province: field(province),
                province_code: field(code),
                city: field(city),
                confirmed: if confirmed.is_empty() { None } else { Some(confirmed.parse()?) },
            });
        }
    }
    ensure!(all.len() == 6002, "{} rows in the bulletins", all.len());
    Ok(all)
}

fn city_rows(all: &[Row]) -> impl Iterator<Item = &Row> {
    all.iter().filter(|row| !row.city.is_empty())
}

fn province_rows(all: &[Row]) -> impl Iterator<Item = &Row> {
    all.iter().filter(|row| !row.province.is_empty() && row.city.is_empty())
}

/// Persons by province on the day.
fn totals(all: &[Row]) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for row in province_rows(all).filter(|row| row.date == DAY) {
        *totals.entry(row.province_code.clone()).or_default() += row.confirmed.unwrap_or_default();
    }
    totals
}

fn policy_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/china-2020/policy.toml")
}

/// The pack under the policy, with the three users.
fn policed() -> Result<TempDir> {
    let store = pooled_copy()?;
    let file = policy_file();
    let apply = ["policy".as_ref(), "apply".as_ref(), file.as_os_str()];
    run(store.path(), apply)?.success()?;
    let again = run(store.path(), apply)?.success()?;
    ensure!(again.contains("0 added, 0 changed, 0 removed"), "not the same twice:\n{again}");
    let organisation =
        ["--name-en", "Zhejiang Provincial Health Commission (example code)", "--region", ZHEJIANG];
    run(store.path(), ["org", "put", ZHEJIANG_AGENCY].into_iter().chain(organisation))?.success()?;
    for user in [
        &["zhejiang", "--agency", ZHEJIANG_AGENCY, "--role", "provincial-analyst"][..],
        &["visitor"],
        &["epidemiologist", "--role", "epidemiologist"],
    ] {
        let mut command = basin(store.path(), ["user", "add"].iter().chain(user))?;
        let ended = command.env("BASIN_PASSWORD", PASSWORD).output()?;
        ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    Ok(store)
}

async fn signed_in(server: &Server, user: &str, purpose: Option<&str>) -> Result<Client> {
    let mut client = connect(server.address()).await?;
    client.handshake(user, PASSWORD).await.context("handshake")?;
    if let Some(purpose) = purpose {
        client.set_header("x-basin-purpose", purpose);
    }
    Ok(client)
}

/// The gRPC code that a statement is refused with.
async fn refused(client: &mut Client, sql: &str) -> Result<Code> {
    match query(client, sql).await {
        Ok(_) => anyhow::bail!("was answered: {sql}"),
        Err(error @ FlightError::Tonic(_)) => Ok(status(error)?.code()),
        Err(other) => anyhow::bail!("{other}: {sql}"),
    }
}

/// Code and total of each province on the day, as `client` reads them; what follows them is the status of cells.
async fn provinces(client: &mut Client) -> Result<BTreeMap<String, String>> {
    let sql = format!(
        "SELECT province_code, sum(confirmed) FROM health.provincial WHERE date = DATE '{DAY}' GROUP BY province_code"
    );
    let mut found = BTreeMap::new();
    for row in rows(client, &sql).await? {
        let [code, total, ..] = row.as_slice() else { anyhow::bail!("{row:?}") };
        ensure!(found.insert(code.clone(), total.clone()).is_none(), "{code} is there twice");
    }
    Ok(found)
}

fn as_read(totals: &BTreeMap<String, u64>, smallest: u64) -> BTreeMap<String, String> {
    let shown =
        |total: u64| if total > 0 && total < smallest { "NULL".to_owned() } else { total.to_string() };
    totals.iter().map(|(code, total)| (code.clone(), shown(*total))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provincial_analyst_reads_its_own_cities() -> Result<()> {
    let store = policed()?;
    let server = Server::serve(store.path())?;
    let all = bulletins()?;
    let own: Vec<&Row> = city_rows(&all).filter(|row| row.province_code == ZHEJIANG).collect();
    let persons: u64 = own.iter().filter_map(|row| row.confirmed).sum();
    let cities: BTreeSet<&str> = own.iter().map(|row| row.city.as_str()).collect();
    ensure!((own.len(), persons) == (173, 7460), "{} rows, {persons} persons", own.len());
    let mut client = signed_in(&server, "zhejiang", None).await?;
    let sql = "SELECT count(*), sum(confirmed), count(DISTINCT city), min(province), max(province) FROM health.city";
    let name = &own.first().context("a row")?.province;
    let wanted =
        [own.len().to_string(), persons.to_string(), cities.len().to_string(), name.clone(), name.clone()];
    ensure!(rows(&mut client, sql).await? == [wanted], "{:?}", rows(&mut client, sql).await?);
    let others = "SELECT count(*) FROM health.city WHERE province_code <> '330000'";
    ensure!(rows(&mut client, others).await? == [["0"]]);
    ensure!(provinces(&mut client).await? == as_read(&totals(&all), K));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_reads_province_totals_without_small_cells() -> Result<()> {
    let store = policed()?;
    let server = Server::serve(store.path())?;
    let all = bulletins()?;
    let wanted = as_read(&totals(&all), K);
    let withheld = wanted.values().filter(|total| *total == "NULL").count();
    ensure!((wanted.len(), withheld) == (28, 18), "{} provinces, {withheld} small", wanted.len());
    let mut client = signed_in(&server, "visitor", None).await?;
    ensure!(provinces(&mut client).await? == wanted, "{:?}", provinces(&mut client).await?);
    ensure!(refused(&mut client, "SELECT * FROM health.city").await? == Code::NotFound);
    for sql in [
        "SELECT * FROM health.provincial",
        "SELECT province_code, confirmed FROM health.provincial",
        "SELECT min(confirmed) FROM health.provincial",
        "SELECT count(*) FROM health.provincial WHERE confirmed = 1",
    ] {
        let code = refused(&mut client, sql).await?;
        ensure!(matches!(code, Code::PermissionDenied | Code::InvalidArgument), "{code:?}: {sql}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epidemiologist_reads_all_under_the_purpose_alone() -> Result<()> {
    let store = policed()?;
    let server = Server::serve(store.path())?;
    let all = bulletins()?;
    let mut client = signed_in(&server, "epidemiologist", Some("outbreak")).await?;
    for (dataset, found) in [
        ("health.city", city_rows(&all).collect::<Vec<_>>()),
        ("health.provincial", province_rows(&all).collect::<Vec<_>>()),
    ] {
        let persons: u64 = found.iter().filter_map(|row| row.confirmed).sum();
        let sql = format!("SELECT count(*), sum(confirmed) FROM {dataset}");
        let wanted = [found.len().to_string(), persons.to_string()];
        ensure!(
            rows(&mut client, &sql).await? == [wanted],
            "{dataset}: {:?}",
            rows(&mut client, &sql).await?
        );
    }
    ensure!(provinces(&mut client).await? == as_read(&totals(&all), 0));
    let single =
        "SELECT confirmed FROM health.provincial WHERE date = DATE '2020-01-22' AND province_code = '220000'";
    ensure!(rows(&mut client, single).await? == [["1"]]);
    for purpose in [None, Some("curiosity")] {
        let mut client = signed_in(&server, "epidemiologist", purpose).await?;
        ensure!(refused(&mut client, "SELECT * FROM health.city").await? == Code::NotFound);
        ensure!(provinces(&mut client).await? == as_read(&totals(&all), K));
    }
    Ok(())
}
