//! The known facts about the example pack (`facts/*.sql`), each computed by SQL through the Flight endpoint.
//!
//! A file holds one query; its lines `-- expect: a, b` are the rows that must come out, in this order.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::client::{login, rows};
use crate::program::Server;
use crate::store::pooled;

#[tokio::test(flavor = "multi_thread")]
async fn every_known_fact_comes_out_of_sql() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let mut files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("facts"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    ensure!(files.len() >= 19, "only {} facts", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let sql = fs::read_to_string(&file)?;
        let expected: Vec<&str> = sql.lines().filter_map(|line| line.strip_prefix("-- expect: ")).collect();
        ensure!(!expected.is_empty(), "{} expects nothing", file.display());
        match rows(&mut client, &sql).await {
            Ok(found) => {
                let found: Vec<String> = found.iter().map(|row| row.join(", ")).collect();
                if found != expected {
                    wrong.push(format!("{}: expected {expected:?}, found {found:?}", file.display()));
                }
            }
            Err(error) => wrong.push(format!("{}: {error:#}", file.display())),
        }
    }
    ensure!(wrong.is_empty(), "{} facts are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn demo_says_what_it_pooled_and_how_to_connect() -> Result<()> {
    let printed = pooled()?.printed.join("\n");
    for wanted in ["health.city", "paper.daily", "jhu.series", "2020年", "adbc", "jdbc:", "basin sql"] {
        ensure!(printed.to_lowercase().contains(wanted), "the demo doesn't print {wanted}:\n{printed}");
    }
    Ok(())
}
