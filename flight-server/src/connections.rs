//! Connections: how many are open, and how several processes share those that come.
//!
//! A connection beyond the limit is let in for as long as it takes to tell its client so; far beyond, it is closed at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use tonic::transport::server::TcpIncoming;

use crate::lingering::Lingering;

/// Connections beyond the limit whose clients are told why they are refused.
const TOLD: usize = 64;
/// After it could not accept (no file descriptors), the server tries again so much later.
const RETRY: Duration = Duration::from_millis(100);
/// For each connection that a process has, it leaves the others so much time to take the next …
const COURTESY: Duration = Duration::from_micros(200);
/// … up to this many: connecting must not become slow.
const MOST_COURTEOUS: u32 = 25;

/// The open connections of a process.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    open: Arc<AtomicUsize>,
    limit: usize,
}

/// One open connection; dropping it uncounts it.
#[derive(Debug)]
pub(crate) struct Counted {
    open: Arc<AtomicUsize>,
    refused: Option<usize>,
}

impl Connections {
    /// Makes the count of a process that may have so many.
    pub(crate) fn new(limit: usize) -> Self {
        Self { open: Arc::default(), limit }
    }

    /// Returns how many are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts one; none when it is to be closed at once.
    fn count(&self) -> Option<Counted> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let counted =
            Counted { open: Arc::clone(&self.open), refused: (before >= self.limit).then_some(self.limit) };
        (before < self.limit.saturating_add(TOLD)).then_some(counted)
    }

    fn courtesy(&self) -> Duration {
        let open = u32::try_from(self.open()).unwrap_or(u32::MAX);
        COURTESY * open.min(MOST_COURTEOUS)
    }

    /// Accepts connections. `shared` says that other processes accept from the same socket: the one with the fewest
    /// connections is quickest.
    pub(crate) fn accept(
        self,
        incoming: TcpIncoming,
        shared: bool,
    ) -> impl Stream<Item = io::Result<Lingering>> + Send {
        stream::unfold((self, incoming), move |(connections, mut incoming)| async move {
            loop {
                if shared {
                    tokio::time::sleep(connections.courtesy()).await;
                }
                match incoming.next().await? {
                    Ok(accepted) => {
                        if let Some(counted) = connections.count() {
                            return Some((
                                Ok(Lingering::counted(accepted, counted)),
                                (connections, incoming),
                            ));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        })
    }
}

impl Counted {
    /// Returns the limit that this connection is beyond, if it is.
    pub(crate) fn refused(&self) -> Option<usize> {
        self.refused
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_they_are_told_and_far_beyond_closed() {
        let connections = Connections::new(2);
        let mut held: Vec<_> = (0..2 + TOLD).map(|_| connections.count().unwrap()).collect();
        assert_eq!(held.iter().filter(|counted| counted.refused().is_some()).count(), TOLD);
        assert!(connections.count().is_none());
        held.clear();
        assert_eq!(connections.open.load(Ordering::Relaxed), 0);
        assert_eq!(connections.count().unwrap().refused(), None);
    }
}
