//! For each raw file, the rows that came in are those accepted and those rejected; none is lost on the way.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::client::{login, rows};
use crate::pack::{csv_files, data_rows};
use crate::program::Server;
use crate::store::pooled;

const FOLDERS: [&str; 5] = ["health-commission-bulletins", "the-paper", "jhu-csse", "regions", "reference"];

/// What the deliveries say about one file.
#[derive(Debug)]
struct Told {
    bytes: u64,
    rows_in: u64,
    accepted: u64,
    rejected: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_raw_file_is_accounted_for() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let told: BTreeMap<String, Told> = rows(
        &mut client,
        "SELECT file_name, min(file_bytes), sum(rows_in), sum(rows_accepted), sum(rows_rejected)
         FROM basin.deliveries WHERE live GROUP BY file_name",
    )
    .await?
    .into_iter()
    .map(|row| told(&row))
    .collect::<Result<_>>()?;
    let files = raw_files()?;
    ensure!(told.len() == files.len(), "{} files delivered, {} in the pack", told.len(), files.len());
    for file in files {
        let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
        let told = told.get(&name).with_context(|| format!("{name} isn't in basin.deliveries"))?;
        let rows = data_rows(&file)?;
        ensure!(told.bytes == file.metadata()?.len(), "{name}: {told:?}");
        ensure!(told.rows_in == rows, "{name} has {rows} rows: {told:?}");
        ensure!(told.rows_in == told.accepted + told.rejected, "{name}: {told:?}");
        ensure!(told.rejected == u64::from(name == "data.csv"), "{name}: {told:?}");
    }
    Ok(())
}

fn raw_files() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        files.extend(csv_files(folder)?);
    }
    Ok(files)
}

fn told(row: &[String]) -> Result<(String, Told)> {
    let [name, bytes, rows_in, accepted, rejected] = row else { anyhow::bail!("{row:?}") };
    let told = Told {
        bytes: bytes.parse()?,
        rows_in: rows_in.parse()?,
        accepted: accepted.parse()?,
        rejected: rejected.parse()?,
    };
    Ok((name.clone(), told))
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_rows_are_in_the_tables() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let datasets = rows(
        &mut client,
        "SELECT schema_name || '.' || dataset_name AS dataset, sum(rows_accepted), sum(rows_rejected)
         FROM basin.deliveries WHERE live GROUP BY schema_name || '.' || dataset_name",
    )
    .await?;
    ensure!(datasets.len() == 12, "{datasets:?}");
    for dataset in datasets {
        let [name, accepted, rejected] = dataset.as_slice() else { anyhow::bail!("{dataset:?}") };
        let counted = rows(&mut client, &format!("SELECT count(*) FROM {name}")).await?;
        ensure!(counted == [[accepted.clone()]], "{name}: {accepted} accepted, {counted:?} in the table");
        let (schema, table) = name.split_once('.').context("schema.dataset")?;
        let rejects = format!(
            "SELECT count(*) FROM basin.rejects WHERE schema_name = '{schema}' AND dataset_name = '{table}'"
        );
        let counted = rows(&mut client, &rejects).await?;
        ensure!(counted == [[rejected.clone()]], "{name}: {rejected} rejected, {counted:?} in basin.rejects");
        let versions = format!(
            "SELECT rows FROM basin.datasets WHERE schema_name = '{schema}' AND dataset_name = '{table}'"
        );
        ensure!(
            rows(&mut client, &versions).await? == [[accepted.clone()]],
            "basin.datasets has other rows of {name}"
        );
    }
    Ok(())
}
