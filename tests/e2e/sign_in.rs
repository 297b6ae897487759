//! Who may sign in, by the commands that say so: users, service tokens, certificates; and that each ends at once.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tonic::Code;

use crate::client::{connect, query, rows, status};
use crate::program::{Server, run};
use crate::store::with_provider;

fn json(store: &std::path::Path, arguments: &[&str]) -> Result<Value> {
    let printed = run(store, [&["--json"], arguments].concat())?.success()?;
    Ok(serde_json::from_str(&printed)?)
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("no {key} in {value}"))
}

#[tokio::test]
async fn a_service_token_is_shown_once_works_and_is_revoked() -> Result<()> {
    let store = with_provider()?;
    let path = store.path();
    run(path, ["user", "add", "exporter", "--external"])?.success()?;
    let made = run(path, ["token", "add", "exporter", "--name", "nightly export"])?;
    ensure!(made.stderr.contains("not shown again"), "{}", made.text());
    let secret = made.success()?.trim().to_owned();
    ensure!(secret.starts_with("basin_") && !secret.contains(char::is_whitespace), "{secret}");
    let other = json(path, &["token", "add", "exporter", "--name", "another", "--days", "1"])?;
    ensure!(text(&other, "token")?.starts_with("basin_"), "{other}");

    let server = Server::serve(path)?;
    let mut bearer = connect(server.address()).await?;
    bearer.set_token(secret.clone());
    ensure!(rows(&mut bearer, "SELECT 1").await? == [["1"]]);
    let mut basic = connect(server.address()).await?;
    basic.handshake("exporter", &secret).await?;
    ensure!(rows(&mut basic, "SELECT 2").await? == [["2"]]);

    let list = json(path, &["token", "list"])?;
    let listed = list.as_array().context("a list")?;
    ensure!(listed.len() == 2 && !list.to_string().contains(&secret), "{list}");
    let nightly = listed.iter().find(|token| token["name"] == "nightly export").context("listed")?;
    run(path, ["token", "revoke", text(nightly, "id")?])?.success()?;
    for client in [&mut bearer, &mut basic] {
        let error = query(client, "SELECT 3").await.map(drop).expect_err("it was revoked");
        ensure!(status(error)?.code() == Code::Unauthenticated);
    }
    let mut left = connect(server.address()).await?;
    left.set_token(text(&other, "token")?.to_owned());
    ensure!(rows(&mut left, "SELECT 4").await? == [["4"]]);
    run(path, ["user", "remove", "exporter"])?.success()?;
    let error = query(&mut left, "SELECT 5").await.map(drop).expect_err("the user was removed");
    ensure!(status(error)?.code() == Code::Unauthenticated);
    ensure!(json(path, &["token", "list"])?.as_array().is_some_and(Vec::is_empty));
    Ok(())
}

#[test]
fn users_are_changed_and_linked() -> Result<()> {
    let store = with_provider()?;
    let path = store.path();
    run(path, ["user", "add", "eve", "--external", "--subject", "s-1", "--role", "reader"])?.success()?;
    let fingerprint = "AB:".repeat(31) + "CD";
    run(path, ["user", "link", "eve", "--certificate-sha256", &fingerprint])?.success()?;
    let digest = "ab".repeat(31) + "cd";
    let eve = json(path, &["user", "list"])?[0].clone();
    ensure!(eve["password"] == false && eve["external"] == true && eve["subject"] == "s-1", "{eve}");
    ensure!(
        eve["certificates"] == serde_json::json!([digest]) && eve["roles"] == serde_json::json!(["reader"])
    );
    let listed = run(path, ["user", "list"])?.success()?;
    ensure!(listed.contains("provider (s-1), certificates: 1"), "{listed}");

    run(path, ["user", "set", "eve", "--no-roles", "--no-external"])?.success()?;
    run(path, ["user", "unlink", "--certificate-sha256", &digest])?.success()?;
    let eve = json(path, &["user", "list"])?[0].clone();
    ensure!(eve["external"] == false && eve["roles"] == serde_json::json!([]), "{eve}");
    ensure!(eve["certificates"] == serde_json::json!([]), "{eve}");
    for (wrong, code) in [
        (vec!["user", "set", "eve"], 2),
        (vec!["user", "set", "eve", "--external", "--no-external"], 2),
        (vec!["user", "set", "eve", "--subject", "s"], 2),
        (vec!["user", "set", "nobody", "--no-roles"], 4),
        (vec!["user", "remove", "nobody"], 4),
        (vec!["user", "link", "eve"], 2),
        (vec!["user", "link", "eve", "--certificate-sha256", "12"], 2),
        (vec!["user", "link", "eve", "--certificate", "Cargo.toml"], 3),
        (vec!["user", "unlink", "--certificate-sha256", &digest], 4),
        (vec!["token", "add", "eve", "--name", "x", "--days", "0"], 2),
        (vec!["token", "add", "eve", "--name", " "], 3),
        (vec!["token", "add", "nobody", "--name", "x"], 4),
        (vec!["token", "revoke", "00000000-0000-0000-0000-000000000000"], 4),
        (vec!["serve", "--require-client-certificate"], 2),
    ] {
        let ended = run(path, &wrong)?;
        ensure!(ended.code == Some(code), "{wrong:?}: {}", ended.text());
    }
    Ok(())
}
