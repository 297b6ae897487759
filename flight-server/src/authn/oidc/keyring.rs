//! The provider's keys over time: fetched again and again, and at once when a token names one that is not here.
//!
//! When fetching fails, the keys that are there are used for a bounded time, then none. One task fetches; it ends with the
//! keyring.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::fetch::{self, Source};
use super::keys::KeySet;
use crate::config::{KeyLocation, OidcConfig, TokenAlgorithm};
use crate::error::{Result, ServerError};
use crate::status::chain;

/// After a fetch that failed the next one comes sooner.
const RETRY: Duration = Duration::from_secs(30);

/// What the task knows.
#[derive(Debug, Clone)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// When these keys were fetched.
    fetched_at: Instant,
    /// When it was last tried, and how often it was.
    tried_at: Instant,
    tries: u64,
}

/// The keys of an identity provider.
#[derive(Debug)]
pub(super) struct Keyring {
    state: watch::Receiver<State>,
    wanted: Arc<Notify>,
    keep: Duration,
    refetch: Duration,
    _task: AbortOnDropHandle<()>,
}

impl Keyring {
    /// Fetches the keys and starts to keep them up to date.
    ///
    /// # Errors
    /// `File` or `Config` when a file is not usable: that doesn't pass by itself, so the server should not start.
    pub(super) async fn start(config: &OidcConfig) -> Result<Self> {
        let task = Refresh {
            source: Source::new(&config.keys)?,
            pinned: config.algorithms.clone(),
            every: config.refresh,
            pause: config.refetch,
            wanted: Arc::new(Notify::new()),
        };
        let now = Instant::now();
        let keys = match task.fetch().await {
            Ok(keys) => Some(keys),
            Err(error) if matches!(config.keys, KeyLocation::File(_)) => return Err(error),
            Err(error) => {
                warn(&error);
                None
            }
        };
        let (sender, state) = watch::channel(State { keys, fetched_at: now, tried_at: now, tries: 1 });
        let wanted = Arc::clone(&task.wanted);
        let task = AbortOnDropHandle::new(tokio::spawn(task.run(sender)));
        Ok(Self { state, wanted, keep: config.keep, refetch: config.refetch, _task: task })
    }

    /// Returns the keys, unless they are too old to be trusted.
    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        let state = self.state.borrow();
        state.keys.as_ref().filter(|_| state.fetched_at.elapsed() < self.keep).map(Arc::clone)
    }

    /// Returns the keys after a fetch that begins now, unless one was tried just before.
    pub(super) async fn refreshed(&self) -> Option<Arc<KeySet>> {
        let mut state = self.state.clone();
        let (tries, tried_at) = {
            let seen = state.borrow();
            (seen.tries, seen.tried_at)
        };
        if tried_at.elapsed() >= self.refetch {
            self.wanted.notify_one();
            // Whoever waits too long is answered with what there is.
            drop(timeout(fetch::TIMEOUT, state.wait_for(|seen| seen.tries > tries)).await);
        }
        self.current()
    }
}

/// The task that fetches.
struct Refresh {
    source: Source,
    pinned: Vec<TokenAlgorithm>,
    every: Duration,
    pause: Duration,
    wanted: Arc<Notify>,
}

impl Refresh {
    async fn fetch(&self) -> Result<Arc<KeySet>> {
        let text = self.source.fetch().await?;
        let unusable = |error: super::keys::Unusable| match &self.source {
            Source::File(path) => {
                let path = path.display();
                ServerError::Config(format!("{path} is not usable as the identity provider's keys: {error}"))
            }
            Source::Url(..) => ServerError::IdentityProvider {
                what: "the identity provider's keys can't be used",
                source: Some(Box::new(error)),
            },
        };
        KeySet::parse(&text, &self.pinned).map(Arc::new).map_err(unusable)
    }

    async fn run(self, sender: watch::Sender<State>) {
        let mut failing = sender.borrow().keys.is_none();
        loop {
            let wait = if failing { self.every.min(RETRY) } else { self.every };
            let soonest = sender.borrow().tried_at + self.pause;
            tokio::select! {
                () = sleep(wait) => {}
                () = self.wanted.notified() => sleep_until(soonest).await,
            }
            let fetched = self.fetch().await;
            failing = fetched.is_err();
            sender.send_modify(|state| {
                state.tries += 1;
                state.tried_at = Instant::now();
                match fetched {
                    Ok(keys) => {
                        state.keys = Some(keys);
                        state.fetched_at = state.tried_at;
                    }
                    Err(error) => warn(&error),
                }
            });
        }
    }
}

fn warn(error: &ServerError) {
    tracing::warn!(error = %chain(error), "the identity provider's keys were not fetched");
}
