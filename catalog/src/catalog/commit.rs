//! How a commit gets into the log: put-if-absent decides, the loser looks again, a lost reply is read back.
//!
//! A commit carries its own id, so that an entry in the log is known to be this commit or another's.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use object_store::Error;

use super::Catalog;
use crate::change::Change;
use crate::error::{CatalogError, Result};
use crate::log::{Created, Entry};
use crate::snapshot::Snapshot;

/// Attempts to get in before other writers; with the waits below about half a minute.
const MAX_ATTEMPTS: u32 = 100;
/// Requests for one entry, when replies are lost.
const MAX_REQUESTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(4);
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Commits between two checkpoints.
const CHECKPOINT_EVERY: u64 = 32;

/// Where one commit stands after it was written.
enum Written {
    /// It is in the log.
    Ours,
    /// Another commit has this version.
    Lost,
}

impl Catalog {
    /// Makes the changes, all or none, on top of the newest snapshot; gives the snapshot that they made.
    ///
    /// # Errors
    /// `Conflict` when a commit after `base` touched the same thing; `Invalid` and `NotFound` when the changes don't fit the
    /// newest snapshot; `Contended` when other writers kept winning; `Unavailable` when nothing was changed;
    /// `UnknownOutcome` when that can't be told.
    pub async fn commit(&self, base: &Snapshot, author: &str, changes: Vec<Change>) -> Result<Arc<Snapshot>> {
        if author.trim().is_empty() {
            return Err(CatalogError::invalid("author", "a commit names who makes it"));
        }
        if changes.is_empty() {
            return Err(CatalogError::invalid("commit", "it changes nothing"));
        }
        let _turn = self.shared.committing.lock().await;
        let mut entry = Entry::new(Utc::now(), author, changes);
        for attempt in 0..MAX_ATTEMPTS {
            let latest = self.latest().await?;
            if let Some(conflict) = latest.conflict_since(base.id(), &entry.changes) {
                return Err(conflict);
            }
            entry.at = Utc::now().max(latest.committed_at());
            let next = Arc::new(latest.next(&entry)?);
            match self.write(next.id().0, &entry).await? {
                Written::Ours => {
                    self.install(Arc::clone(&next));
                    self.checkpoint(&next).await;
                    tracing::info!(snapshot = next.id().0, commit = %entry.id, attempt, "committed");
                    return Ok(next);
                }
                Written::Lost => wait(attempt).await,
            }
        }
        Err(CatalogError::Contended { attempts: MAX_ATTEMPTS })
    }

    /// Writes an entry. Repeating the request is safe: only one entry of a version can ever be created.
    async fn write(&self, version: u64, entry: &Entry) -> Result<Written> {
        let log = &self.shared.log;
        let mut failure = None;
        for request in 0..MAX_REQUESTS {
            let error = match log.create_entry(version, entry).await? {
                Created::Yes => return Ok(Written::Ours),
                // Perhaps it is ours: the store's client may have repeated a request whose reply was lost.
                Created::ThereAlready => None,
                Created::Failed(error) => Some(error),
            };
            let found = match log.entry(version).await {
                Ok(Some(found)) => {
                    return Ok(if found.id == entry.id { Written::Ours } else { Written::Lost });
                }
                Ok(None) => Ok(()),
                Err(unread) => Err(unread),
            };
            let Some(error) = error else {
                // It is there and can't be read.
                return match found {
                    Err(CatalogError::Unavailable { source, .. }) => Err(unknown(version, entry, source)),
                    Err(other) => Err(other),
                    Ok(()) => Ok(Written::Lost),
                };
            };
            let certain = found.is_ok() && (log.store().is_local() || is_refusal(&error));
            if certain {
                return Err(log.unavailable("writing a commit", error));
            }
            tracing::warn!(%error, version, request, "no reply to a commit, trying again");
            failure = Some(error);
            wait(request).await;
        }
        // A request without a reply may still arrive.
        let source = failure.unwrap_or(Error::NotImplemented {
            operation: "a reply to a commit".to_owned(),
            implementer: log.store().url().to_string(),
        });
        Err(unknown(version, entry, source))
    }

    async fn checkpoint(&self, snapshot: &Arc<Snapshot>) {
        if !snapshot.id().0.is_multiple_of(CHECKPOINT_EVERY) {
            return;
        }
        if let Err(error) = self.shared.log.write_checkpoint(snapshot).await {
            tracing::warn!(%error, "no checkpoint was written; opening the catalog reads the log instead");
        }
    }
}

fn unknown(version: u64, entry: &Entry, source: Error) -> CatalogError {
    CatalogError::UnknownOutcome { commit: entry.id.to_string(), snapshot: version, source }
}

/// Whether the store says that it did nothing.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::NotSupported { .. }
            | Error::NotImplemented { .. }
            | Error::InvalidPath { .. }
            | Error::UnknownConfigurationKey { .. }
            | Error::NotFound { .. }
    )
}

/// Waits for a random part of a growing time, so that writers don't collide again.
async fn wait(attempt: u32) {
    let longest = FIRST_WAIT.saturating_mul(1 << attempt.min(10)).min(LONGEST_WAIT);
    tokio::time::sleep(longest.mul_f64(rand::random::<f64>())).await;
}
