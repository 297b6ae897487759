//! Places: who runs and who waits, so that nobody's many queries keep out another's one.
//!
//! A place that becomes free goes to whoever has the fewest running, and among those to the one that waited longest. One
//! user never has all places, nor all of the queue.

use crate::error::{EngineError, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// The places of an engine.
#[derive(Debug)]
pub(crate) struct Places {
    state: Mutex<State>,
    /// Of one user, at once.
    max_of_user: usize,
    max_waiting: usize,
    max_waiting_of_user: usize,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    free: usize,
    running: HashMap<String, usize>,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    user: String,
    place: oneshot::Sender<Permit>,
}

/// A place among the running queries; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Permit {
    places: Arc<Places>,
    user: String,
}

/// How an engine's places are taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlaceFigures {
    /// Queries that run.
    pub running: usize,
    /// Queries that wait.
    pub waiting: usize,
}

impl Places {
    /// Makes so many places, with a queue of so many before them.
    pub(crate) fn new(running: usize, of_user: usize, waiting: usize) -> Arc<Self> {
        let running = running.max(1);
        Arc::new(Self {
            state: Mutex::new(State { free: running, ..State::default() }),
            max_of_user: of_user.clamp(1, running),
            max_waiting: waiting,
            max_waiting_of_user: waiting.div_ceil(2),
        })
    }

    /// Returns the number of free places.
    pub(crate) fn free(&self) -> usize {
        self.state().free
    }

    /// Returns how many run and wait.
    pub(crate) fn figures(&self) -> PlaceFigures {
        let state = self.state();
        PlaceFigures { running: state.running.values().sum(), waiting: state.waiting.len() }
    }

    /// Tells whether anybody is let in.
    pub(crate) fn is_open(&self) -> bool {
        !self.state().closed
    }

    /// Refuses all that wait and come from now on.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
    }

    /// Waits for a place for a user, at most so long.
    ///
    /// # Errors
    /// `Busy` when too many wait, or it took too long.
    pub(crate) async fn enter(self: &Arc<Self>, user: &str, longest: Duration) -> Result<Permit> {
        let (number, place) = match self.ask(user)? {
            Asked::Taken(permit) => return Ok(permit),
            Asked::Waits(number, place) => (number, place),
        };
        // Leaving the queue, in whatever way, makes room in it.
        let _queued = Queued { places: self, number };
        match tokio::time::timeout(longest, place).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(stopping()),
            Err(_) => Err(EngineError::Busy(format!(
                "the server is busy: no place became free within {} s",
                longest.as_secs_f64()
            ))),
        }
    }

    fn ask(self: &Arc<Self>, user: &str) -> Result<Asked> {
        let mut state = self.state();
        if state.closed {
            return Err(stopping());
        }
        if state.free > 0 && state.running_of(user) < self.max_of_user {
            state.take(user);
            return Ok(Asked::Taken(Permit { places: Arc::clone(self), user: user.to_owned() }));
        }
        let waiting = state.waiting.len();
        let of_user = state.waiting.iter().filter(|waiting| waiting.user == user).count();
        if waiting >= self.max_waiting || of_user >= self.max_waiting_of_user {
            return Err(EngineError::Busy(format!(
                "the server is busy: {waiting} queries wait, {of_user} of yours"
            )));
        }
        let (place, got) = oneshot::channel();
        let number = state.next;
        state.next += 1;
        state.waiting.push(Waiting { number, user: user.to_owned(), place });
        Ok(Asked::Waits(number, got))
    }

    /// Gives a place back, and to the next.
    fn release(self: &Arc<Self>, user: &str) {
        let mut state = self.state();
        state.give_back(user);
        let Some(next) = state.next(self.max_of_user) else { return };
        state.take(&next.user);
        drop(state);
        let permit = Permit { places: Arc::clone(self), user: next.user };
        // Whoever gave up meanwhile gives it back with this.
        drop(next.place.send(permit));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Asked {
    Taken(Permit),
    Waits(u64, oneshot::Receiver<Permit>),
}

impl State {
    fn running_of(&self, user: &str) -> usize {
        self.running.get(user).copied().unwrap_or(0)
    }

    fn take(&mut self, user: &str) {
        self.free -= 1;
        *self.running.entry(user.to_owned()).or_default() += 1;
    }

    fn give_back(&mut self, user: &str) {
        self.free += 1;
        if let Some(running) = self.running.get_mut(user) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(user);
            }
        }
    }

    /// Takes the next out of the queue: of those that may have a place, the one whose user has the fewest.
    fn next(&mut self, max_of_user: usize) -> Option<Waiting> {
        let fits = |(_, waiting): &(usize, &Waiting)| self.running_of(&waiting.user) < max_of_user;
        let candidates = self.waiting.iter().enumerate().filter(fits);
        // Of equals the first: they are in the order in which they came.
        let (position, _) = candidates.min_by_key(|(_, waiting)| self.running_of(&waiting.user))?;
        Some(self.waiting.remove(position))
    }
}

/// One that waits.
struct Queued<'a> {
    places: &'a Places,
    number: u64,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.places.state().waiting.retain(|waiting| waiting.number != self.number);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.places.release(&self.user);
    }
}

pub(super) fn stopping() -> EngineError {
    EngineError::Busy("the server is stopping".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn enter(places: &Arc<Places>, user: &'static str) -> tokio::task::JoinHandle<Result<Permit>> {
        let places = Arc::clone(places);
        tokio::spawn(async move { places.enter(user, LONG).await })
    }

    async fn until_waiting(places: &Places, number: usize) {
        while places.figures().waiting != number {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn many_queries_of_one_user_dont_keep_out_another() {
        let places = Places::new(4, 3, 16);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(places.enter("many", LONG).await.unwrap());
        }
        let mut more = Vec::new();
        for waiting in 1..=5 {
            more.push(enter(&places, "many"));
            until_waiting(&places, waiting).await;
        }
        // One place is not for them.
        assert_eq!(places.free(), 1);
        let first = places.enter("one", LONG).await.unwrap();
        let second = enter(&places, "one");
        until_waiting(&places, 6).await;
        // The last that came, but of the user with the fewest.
        held.pop();
        let second = second.await.unwrap().unwrap();
        drop((first, second));
        held.clear();
        for more in more {
            drop(more.await.unwrap().unwrap());
        }
        assert_eq!((places.free(), places.figures()), (4, PlaceFigures { running: 0, waiting: 0 }));
    }

    #[tokio::test]
    async fn nobody_fills_the_queue_alone() {
        let places = Places::new(1, 1, 4);
        let held = places.enter("a", LONG).await.unwrap();
        let waiting: Vec<_> = (0..2).map(|_| enter(&places, "a")).collect();
        until_waiting(&places, 2).await;
        assert!(matches!(places.enter("a", LONG).await, Err(EngineError::Busy(_))));
        let other = enter(&places, "b");
        until_waiting(&places, 3).await;
        // Whoever gives up makes room.
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        until_waiting(&places, 1).await;
        drop(held);
        drop(other.await.unwrap().unwrap());
        assert_eq!(places.free(), 1);
    }

    #[tokio::test]
    async fn who_waits_too_long_or_when_it_is_closed_is_refused() {
        let places = Places::new(1, 1, 4);
        let held = places.enter("a", LONG).await.unwrap();
        assert!(
            places.enter("b", Duration::from_millis(10)).await.unwrap_err().to_string().contains("0.01 s")
        );
        let waiting = enter(&places, "b");
        until_waiting(&places, 1).await;
        places.close();
        assert!(waiting.await.unwrap().unwrap_err().to_string().contains("stopping"));
        drop(held);
        assert!(places.enter("a", LONG).await.is_err());
    }
}
