//! Metrics and health: what is told is what happened, of all workers, and nothing of anybody.

use anyhow::{Result, ensure};

use crate::client::{login, query, rows};
use crate::program::Server;
use crate::store::{USER, pooled_copy};

/// The sum over all workers of a figure with such labels.
fn sum(text: &str, name: &str, labels: &[&str]) -> f64 {
    let lines = text.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
    let fits = lines.filter(|line| {
        let next = line.get(name.len()..).and_then(|rest| rest.chars().next());
        matches!(next, Some('{' | ' ')) && labels.iter().all(|label| line.contains(label))
    });
    fits.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_those_of_what_happened() -> Result<()> {
    let store = pooled_copy()?;
    let server =
        Server::start(store.path(), ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])?;
    ensure!(server.told("/healthz")? == (200, "ok\n".to_owned()));
    ensure!(server.told("/readyz")? == (200, "ready\n".to_owned()));
    ensure!(server.told("/elsewhere")?.0 == 404);
    let mut clients = Vec::new();
    for number in 0..6 {
        let mut client = login(server.address()).await?;
        let found =
            rows(&mut client, &format!("SELECT city FROM health.city WHERE {number} >= 0 LIMIT 5")).await?;
        ensure!(found.len() == 5);
        ensure!(query(&mut client, "SELECT secret_name FROM health.city").await.is_err());
        clients.push(client);
    }
    let text = server.metrics()?;
    for (name, labels, expected) in [
        ("basin_queries_total", &["outcome=\"ok\""][..], 6.0),
        ("basin_queries_total", &["outcome=\"error\""], 6.0),
        ("basin_query_seconds_count", &[], 12.0),
        ("basin_query_seconds_bucket", &["le=\"+Inf\""], 12.0),
        ("basin_query_rows_total", &[], 30.0),
        ("basin_calls_total", &["method=\"DoGet\"", "code=\"Ok\""], 6.0),
        ("basin_calls_total", &["method=\"GetFlightInfo\"", "code=\"InvalidArgument\""], 6.0),
        ("basin_connections", &[], 6.0),
        ("basin_queries_running", &[], 0.0),
        ("basin_workers_ready", &[], 2.0),
        ("basin_worker_deaths_total", &[], 0.0),
        ("basin_audit_failing", &[], 0.0),
    ] {
        let found = sum(&text, name, labels);
        ensure!((found - expected).abs() < 0.5, "{name} {labels:?}: {found} and not {expected}\n{text}");
    }
    for secret in ["secret_name", "health", USER] {
        ensure!(!text.contains(secret), "{secret} is in the metrics");
    }
    ensure!(sum(&text, "basin_worker_resident_bytes", &[]) > 1e6, "{text}");
    // Each name is declared once, before its figures, as Prometheus wants it.
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        ensure!(text.matches(line).count() == 1, "{line}");
    }
    ensure!(server.stop()? == Some(0));
    Ok(())
}
