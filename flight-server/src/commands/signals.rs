//! What Ctrl-C and SIGTERM do: short commands are dropped where they stand (a publication is
//! whole or absent), servers are asked to finish.

use tokio::signal;

use super::error::{CommandError, Result};

/// Runs a command until it ends or Ctrl-C is pressed.
///
/// # Errors
/// Those of the command, or `Interrupted`.
pub(crate) async fn interruptible<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        result = command => result,
        () = interrupt() => Err(CommandError::Interrupted),
    }
}

/// Waits for Ctrl-C.
pub(crate) async fn interrupt() {
    if signal::ctrl_c().await.is_err() {
        // Without a handler Ctrl-C ends the process by itself.
        std::future::pending::<()>().await;
    }
}

/// Waits for Ctrl-C or SIGTERM.
#[cfg(unix)]
pub(crate) async fn stop() {
    match signal::unix::signal(signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            () = interrupt() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => interrupt().await,
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn stop() {
    interrupt().await;
}
