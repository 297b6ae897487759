//! Flight: one run for all that ask the same at the same time. The first of them leads: it runs and records; the others
//! wait for it, hold no place meanwhile, and can be cancelled alone. When the leader is cancelled, the next one leads.

use super::answer::{Answer, SHELF_BYTES};
use super::budget::Reservation;
use super::key::Key;
use super::{Entry, ResultCache};
use datafusion::arrow::array::RecordBatch;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What a query learns when it looks for its result.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is there.
    Answer(Arc<Answer>),
    /// It is not: the query runs, and records its rows for those that wait and come later.
    Lead(Box<Recording>),
    /// It is not, and will not be.
    Run,
}

/// How far a flight is. When its leader went away without a word, the channel is closed.
#[derive(Debug, Clone)]
enum Word {
    Running,
    Answer(Arc<Answer>),
    /// It gives no answer to others: they run.
    Alone,
}

/// The runs that others may wait for.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Arc<Key>, watch::Receiver<Word>>>);

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<Key>, watch::Receiver<Word>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Claim {
    Found(Found),
    Wait(watch::Receiver<Word>),
}

impl ResultCache {
    /// Looks for a result, and waits for it while another query makes it.
    pub(crate) async fn look(self: &Arc<Self>, key: &Arc<Key>) -> Found {
        loop {
            let mut flight = match self.claim(key) {
                Claim::Found(found) => return found,
                Claim::Wait(flight) => flight,
            };
            let over = flight.wait_for(|word| !matches!(word, Word::Running)).await;
            match over.map(|word| word.clone()) {
                Ok(Word::Answer(answer)) => {
                    self.count(|counts| &counts.hits);
                    self.count(|counts| &counts.shared);
                    return Found::Answer(answer);
                }
                Ok(Word::Alone | Word::Running) => {
                    self.count(|counts| &counts.misses);
                    return Found::Run;
                }
                // The leader was cancelled: the first that comes leads.
                Err(_) => {}
            }
        }
    }

    fn claim(self: &Arc<Self>, key: &Arc<Key>) -> Claim {
        let mut flights = self.flights.lock();
        // An answer is kept before its flight ends, so that it is found in one of the two places.
        match self.get(key) {
            Some(Entry::Answer(answer)) => {
                self.count(|counts| &counts.hits);
                return Claim::Found(Found::Answer(answer));
            }
            Some(Entry::TooLarge) => {
                self.count(|counts| &counts.misses);
                return Claim::Found(Found::Run);
            }
            None => {}
        }
        if let Some(flight) = flights.get(key) {
            return Claim::Wait(flight.clone());
        }
        self.count(|counts| &counts.misses);
        let (word, flight) = watch::channel(Word::Running);
        flights.insert(Arc::clone(key), flight);
        let reserved = Arc::new(Reservation::of(&self.budget));
        let recording = Recording {
            cache: Arc::clone(self),
            key: Arc::clone(key),
            word,
            batches: Vec::new(),
            row_bytes: 0,
            reserved,
        };
        Claim::Found(Found::Lead(Box::new(recording)))
    }
}

/// The rows of a run, for the cache and for those that wait. Dropped before its end, the run was cancelled.
#[derive(Debug)]
pub(crate) struct Recording {
    cache: Arc<ResultCache>,
    key: Arc<Key>,
    word: watch::Sender<Word>,
    batches: Vec<RecordBatch>,
    row_bytes: usize,
    reserved: Arc<Reservation>,
}

impl Recording {
    /// Records a batch. The memory that it takes is counted as long as what is returned lives; when the result is more
    /// than may be kept, the recording ends and nothing is returned.
    pub(crate) fn add(mut self: Box<Self>, batch: &RecordBatch) -> Option<(Box<Self>, Arc<Reservation>)> {
        let bytes = batch.get_array_memory_size().saturating_add(size_of::<RecordBatch>());
        self.row_bytes = self.row_bytes.saturating_add(bytes);
        if self.weight() > self.cache.largest() {
            self.cache.put(&self.key, Entry::TooLarge);
            (*self).alone();
            return None;
        }
        // As much again for the shelf.
        if !self.reserved.grow(bytes.saturating_mul(2)) {
            (*self).alone();
            return None;
        }
        self.batches.push(batch.clone());
        let reserved = Arc::clone(&self.reserved);
        Some((self, reserved))
    }

    /// Keeps the result: all of its rows were recorded.
    pub(crate) fn finish(mut self, withheld: u64) {
        if !self.reserved.grow(self.key.weight() + SHELF_BYTES) {
            return self.alone();
        }
        let batches = std::mem::take(&mut self.batches);
        let shelf_bytes = self.row_bytes + SHELF_BYTES;
        let answer = Arc::new(Answer::new(batches, withheld, shelf_bytes, Arc::clone(&self.reserved)));
        self.cache.put(&self.key, Entry::Answer(Arc::clone(&answer)));
        self.end(Word::Answer(answer));
    }

    /// Gives no answer to those that wait.
    pub(crate) fn alone(self) {
        self.end(Word::Alone);
    }

    fn end(&self, word: Word) {
        self.cache.flights.lock().remove(&self.key);
        self.word.send_replace(word);
    }

    fn weight(&self) -> usize {
        self.row_bytes.saturating_mul(2).saturating_add(self.key.weight() + SHELF_BYTES)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if matches!(*self.word.borrow(), Word::Running) {
            self.cache.flights.lock().remove(&self.key);
        }
    }
}
