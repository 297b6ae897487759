//! What is running: for CancelFlightInfo, and for stopping without tearing results apart.
//!
//! It is the only state between calls, and only a convenience: queries of the server's other processes are reached by
//! `kill`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use basin_engine::QueryId;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument;

use crate::error::{RETRY_SECONDS, Result, ServerError};

/// The calls and results that are running in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    draining: Arc<AtomicBool>,
    closing: CancellationToken,
    stop: CancellationToken,
    tracker: TaskTracker,
    queries: Arc<Mutex<Queries>>,
}

/// A ticket may be fetched several times at once: all of its runs share one token.
type Queries = HashMap<QueryId, (CancellationToken, usize)>;

/// One running call or result; what it counts ends when it is dropped.
#[derive(Debug)]
pub(super) struct Run {
    query_id: QueryId,
    cancel: CancellationToken,
    closing: CancellationToken,
    stop: CancellationToken,
    queries: Arc<Mutex<Queries>>,
    _tracked: TaskTrackerToken,
}

impl Running {
    /// Lets a call in.
    ///
    /// # Errors
    /// `Draining` once the server is stopping.
    pub(super) fn enter(&self, query_id: QueryId) -> Result<Run> {
        let tracked = self.tracker.token();
        // Looked at after the token is taken, so that the drain either waits for it or it is refused.
        if self.draining.load(Ordering::SeqCst) {
            return Err(ServerError::Draining { retry_seconds: RETRY_SECONDS });
        }
        let mut queries = lock(&self.queries);
        let entry = queries.entry(query_id).or_default();
        entry.1 += 1;
        Ok(Run {
            query_id,
            cancel: entry.0.clone(),
            closing: self.closing.clone(),
            stop: self.stop.clone(),
            queries: Arc::clone(&self.queries),
            _tracked: tracked,
        })
    }

    /// Cancels a query; `false` when none of that id runs in this process.
    pub(crate) fn cancel(&self, query_id: QueryId) -> bool {
        match lock(&self.queries).get(&query_id) {
            Some((token, _)) => {
                token.cancel();
                true
            }
            None => false,
        }
    }

    /// Refuses new calls from now on, and waits until the running ones have ended.
    pub(crate) async fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.closing.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Ends what still runs, each with an error.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Run {
    /// Returns whose run it is.
    pub(super) fn query_id(&self) -> QueryId {
        self.query_id
    }

    /// Returns what is cancelled when new calls are refused: for work that only a new call can ask for.
    pub(super) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Waits for a step of the call, unless it is cancelled.
    ///
    /// # Errors
    /// `Cancelled` or `Stopped`, else the step's.
    pub(super) async fn step<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(ServerError::Cancelled),
            () = self.stop.cancelled() => Err(ServerError::Stopped),
            done = step => done,
        }
    }

    /// Keeps a result running under this run: it ends with an error when the run is cancelled, so
    /// that a part never passes for the whole.
    ///
    /// A task of its own fetches ahead by one item, and ends the work of a cancelled run even while
    /// its client doesn't read. Dropping the stream ends the task.
    pub(super) fn stream<T: Send + 'static>(
        self,
        items: impl Stream<Item = Result<T>> + Send + 'static,
    ) -> BoxStream<'static, Result<T>> {
        let (send, receive) = mpsc::channel(1);
        let pump = self.pump(items.boxed(), send).in_current_span();
        let pump = AbortOnDropHandle::new(tokio::spawn(pump));
        stream::unfold(Some((receive, pump)), |state| async move {
            let (mut receive, pump) = state?;
            if let Some(item) = receive.recv().await {
                return Some((item, Some((receive, pump))));
            }
            // A task that died must not look like the end of the result.
            pump.await.err().map(|died| (Err(ServerError::Task(died)), None))
        })
        .boxed()
    }

    async fn pump<T: Send>(self, mut items: BoxStream<'static, Result<T>>, send: mpsc::Sender<Result<T>>) {
        let error = loop {
            let delivered = self.step(async {
                match items.next().await.transpose()? {
                    Some(item) => Ok(send.send(Ok(item)).await.is_ok()),
                    None => Ok(false),
                }
            });
            match delivered.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => break error,
            }
        };
        // The work ends here, whether or not the client comes to hear why.
        drop(items);
        drop(send.send(Err(error)).await);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut queries = lock(&self.queries);
        if let Some(entry) = queries.get_mut(&self.query_id) {
            entry.1 -= 1;
            if entry.1 == 0 {
                queries.remove(&self.query_id);
            }
        }
    }
}

fn lock(queries: &Mutex<Queries>) -> MutexGuard<'_, Queries> {
    queries.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::TryStreamExt;

    use super::*;

    fn endless() -> impl Stream<Item = Result<u8>> + Send + 'static {
        stream::repeat(7).then(|item| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(item)
        })
    }

    #[tokio::test]
    async fn a_cancelled_result_ends_in_an_error() {
        let running = Running::default();
        let id = QueryId::new();
        let mut items = running.enter(id).unwrap().stream(endless());
        items.try_next().await.unwrap();
        assert!(running.cancel(id));
        let error = items.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(matches!(error, ServerError::Cancelled));
        assert!(!running.cancel(id));
    }

    #[tokio::test]
    async fn cancelling_ends_the_work_of_a_client_that_does_not_read() {
        let running = Running::default();
        let (id, work) = (QueryId::new(), Arc::new(()));
        let held = Arc::clone(&work);
        let items = running.enter(id).unwrap().stream(endless().inspect(move |_| {
            let _held = &held;
        }));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(running.cancel(id));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(Arc::strong_count(&work), 1);
        drop(items);
    }

    #[tokio::test]
    async fn a_task_that_dies_is_an_error_and_not_the_end() {
        let running = Running::default();
        let items = stream::iter([1, 2]).map(|item| {
            assert!(item < 2, "dies on purpose");
            Ok(item)
        });
        let items = running.enter(QueryId::new()).unwrap().stream(items);
        let error = items.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(matches!(error, ServerError::Task(_)));
    }

    #[tokio::test]
    async fn draining_refuses_new_calls_and_waits_for_running_ones() {
        let running = Running::default();
        let run = running.enter(QueryId::new()).unwrap();
        let drained = tokio::spawn({
            let running = running.clone();
            async move { running.drain().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!drained.is_finished());
        assert!(matches!(running.enter(QueryId::new()), Err(ServerError::Draining { .. })));
        drop(run);
        drained.await.unwrap();
    }

    #[tokio::test]
    async fn stopping_ends_results_in_an_error() {
        let running = Running::default();
        let items = running.enter(QueryId::new()).unwrap().stream(endless());
        running.stop();
        let error = items.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(matches!(error, ServerError::Stopped));
    }
}
