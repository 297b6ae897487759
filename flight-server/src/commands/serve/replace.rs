//! When workers are replaced by others that read the configuration and the certificates anew: on SIGHUP, and when a file of
//! TLS was changed.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use basin_flight_server::TlsFiles;
use tokio::sync::mpsc::Sender;

/// How often the files of TLS are looked at. Certificates are renewed days before they end.
const LOOK: Duration = Duration::from_secs(10);

/// Sends a message each time that workers are to be replaced. Never ends.
pub(super) async fn watch(replace: Sender<()>, tls: Option<TlsFiles>) {
    let files: Vec<PathBuf> = tls
        .map(|tls| [Some(tls.certificate), Some(tls.key), tls.client_ca].into_iter().flatten().collect())
        .unwrap_or_default();
    tokio::join!(on_signal(&replace), on_change(&replace, &files));
}

/// A file that is written in two goes is taken once it stays as it is.
async fn on_change(replace: &Sender<()>, files: &[PathBuf]) {
    if files.is_empty() {
        return std::future::pending().await;
    }
    let mut served = stamps(files).await;
    let mut seen = served.clone();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = stamps(files).await;
        if now == seen && now != served && now.iter().all(Option::is_some) {
            tracing::info!("the certificate files were changed");
            served.clone_from(&now);
            send(replace);
        }
        seen = now;
    }
}

async fn stamps(files: &[PathBuf]) -> Vec<Option<SystemTime>> {
    let mut stamps = Vec::with_capacity(files.len());
    for file in files {
        let changed = tokio::fs::metadata(file).await.and_then(|metadata| metadata.modified());
        stamps.push(changed.ok());
    }
    stamps
}

fn send(replace: &Sender<()>) {
    // One that waits to be heard is enough.
    let _ = replace.try_send(());
}

#[cfg(unix)]
async fn on_signal(replace: &Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => {
            while hangup.recv().await.is_some() {
                send(replace);
            }
        }
        Err(error) => tracing::warn!(%error, "SIGHUP is not heard"),
    }
    std::future::pending().await
}

#[cfg(not(unix))]
async fn on_signal(_: &Sender<()>) {
    std::future::pending().await
}
