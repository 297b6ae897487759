//! Keys are in no output: not of failures, not of the log at its most talkative.

use std::fs;

use anyhow::{Result, ensure};

use super::cloud::{Cloud, SECRET};
use super::server::S3Server;
use crate::program::Ended;

#[test]
fn keys_are_never_printed() -> Result<()> {
    let server = S3Server::start()?;
    let right = Cloud::new(&server.endpoint(), "secrets")?;
    let wrong = Cloud::new(&server.endpoint(), "secrets")?;
    let keys = format!("aws_access_key_id = AKIAOTHER\naws_secret_access_key = {SECRET}\n");
    fs::write(wrong.folder().join("credentials"), format!("[tests]\n{keys}aws_session_token = {SECRET}\n"))?;
    let nowhere = Cloud::new("http://127.0.0.1:9", "secrets")?;
    for (cloud, reaches) in [(&right, true), (&wrong, false), (&nowhere, false)] {
        for arguments in [&["store", "check"][..], &["org", "list"], &["sql", "SELECT 1"]] {
            let ended = Ended::from(cloud.command(arguments)?.env("BASIN_LOG", "trace").output()?);
            ensure!(!ended.text().contains(SECRET), "{arguments:?} prints a secret");
            let is_check = arguments == ["store", "check"];
            ensure!(!is_check || ended.stdout.contains(" yes ") == reaches, "{}", ended.text());
            ensure!(is_check || ended.code != Some(0), "{arguments:?} found a catalog");
        }
    }
    Ok(())
}
