//! Keeper: one place among the workers. It starts a worker, starts another when that one dies, and replaces it by one that
//! reads the configuration anew when told so.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::child::{Child, Death, WorkerCommand};
use super::fleet::Fleet;
use crate::error::{Result, ServerError};

/// The first pause after a worker died; it doubles with each death …
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// … up to this: a store that is away for an hour is not asked a thousand times, and one that is back not long waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that lived so long died of something new: the pause is the first again.
const STEADY: Duration = Duration::from_secs(60);

/// What all keepers share.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) command: WorkerCommand,
    pub(super) listener: TcpListener,
    pub(super) fleet: Arc<Fleet>,
    pub(super) stop: CancellationToken,
    /// Counts how often workers are to be replaced.
    pub(super) replacements: watch::Sender<u64>,
}

/// One place, and the number of workers that had it.
#[derive(Debug)]
pub(super) struct Keeper {
    shop: Arc<Shop>,
    place: usize,
    started: u64,
    /// Before the next worker is started after a death.
    pause: Duration,
}

impl Keeper {
    pub(super) fn new(shop: &Arc<Shop>, place: usize) -> Self {
        Self { shop: Arc::clone(shop), place, started: 0, pause: FIRST_PAUSE }
    }

    /// Starts the first worker, and waits until it is ready.
    ///
    /// # Errors
    /// `WorkerEnded` when it ends instead: it has said why; `Workers` when it can't be started.
    pub(super) async fn first(&mut self) -> Result<Child> {
        let mut child = self.start()?;
        match self.ready(&mut child).await {
            Ok(()) => Ok(child),
            Err(death) => {
                self.shop.fleet.dismiss(&child.member, death.cause).await;
                Err(ServerError::WorkerEnded { code: death.status.and_then(|status| status.code()) })
            }
        }
    }

    /// Keeps a worker in its place until the server stops.
    pub(super) async fn keep(mut self, first: Child) {
        let mut replacements = self.shop.replacements.subscribe();
        let stop = self.shop.stop.clone();
        let mut retiring = JoinSet::new();
        let mut current = Some(first);
        while let Some(mut child) = current.take() {
            let born = Instant::now();
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    retiring.spawn(retire(Arc::clone(&self.shop.fleet), child));
                    None
                }
                death = child.ended() => {
                    self.shop.fleet.died();
                    self.shop.fleet.dismiss(&child.member, death.cause).await;
                    self.another(born.elapsed()).await
                }
                _ = replacements.changed() => Some(match self.successor().await {
                    Some(new) => {
                        retiring.spawn(retire(Arc::clone(&self.shop.fleet), child));
                        new
                    }
                    None => child,
                }),
            };
            current = next;
            while retiring.try_join_next().is_some() {}
        }
        while retiring.join_next().await.is_some() {}
    }

    /// Starts a worker after one died, as often as it takes; none once the server stops.
    async fn another(&mut self, lived: Duration) -> Option<Child> {
        if lived >= STEADY {
            self.pause = FIRST_PAUSE;
        }
        loop {
            tracing::warn!(place = self.place, pause = ?self.pause, "a worker died and is started anew");
            tokio::select! {
                biased;
                () = self.shop.stop.cancelled() => return None,
                () = tokio::time::sleep(self.pause) => {}
            }
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            match self.successor().await {
                Some(child) => return Some(child),
                None if self.shop.stop.is_cancelled() => return None,
                None => {}
            }
        }
    }

    /// Starts a worker and waits until it is ready; none when it ends instead, or the server stops.
    async fn successor(&mut self) -> Option<Child> {
        let mut child = match self.start() {
            Ok(child) => child,
            Err(error) => {
                tracing::error!(%error, place = self.place, "a worker can't be started");
                return None;
            }
        };
        let stop = self.shop.stop.clone();
        let ready = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            ready = self.ready(&mut child) => ready,
        };
        match ready {
            Ok(()) => {
                self.shop.fleet.bury().await;
                Some(child)
            }
            Err(death) => {
                tracing::error!(
                    cause = death.cause,
                    place = self.place,
                    "a worker ended before it was ready"
                );
                self.shop.fleet.dismiss(&child.member, death.cause).await;
                None
            }
        }
    }

    fn start(&mut self) -> Result<Child> {
        self.started += 1;
        let name = format!("{}.{}", self.place, self.started);
        Child::start(&self.shop.command, &self.shop.listener, &self.shop.fleet, name)
    }

    async fn ready(&self, child: &mut Child) -> std::result::Result<(), Death> {
        let member = Arc::clone(&child.member);
        tokio::select! {
            biased;
            () = member.is_ready() => Ok(()),
            death = child.ended() => Err(death),
        }
    }
}

/// Lets a worker end in peace.
async fn retire(fleet: Arc<Fleet>, child: Child) {
    child.member.leaves();
    let (member, death) = child.retire().await;
    fleet.dismiss(&member, death.cause).await;
}
