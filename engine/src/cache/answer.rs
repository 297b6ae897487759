//! Answer: a finished result, and a shelf beside it for forms that are made of it.

use super::budget::Reservation;
use datafusion::arrow::array::RecordBatch;
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Room on the shelf of a small result, whose forms are larger than its rows.
pub(super) const SHELF_BYTES: usize = 4 * 1024;

/// A finished result.
#[derive(Debug)]
pub(crate) struct Answer {
    batches: Vec<RecordBatch>,
    /// How many cells the policy withheld.
    withheld: u64,
    shelf: Mutex<Forms>,
    /// Of the rows, and as much again for the shelf.
    reserved: Arc<Reservation>,
}

#[derive(Debug, Default)]
struct Forms {
    forms: Vec<Arc<dyn Any + Send + Sync>>,
    left_bytes: usize,
}

impl Forms {
    fn take(&mut self, bytes: usize) -> bool {
        let left_bytes = self.left_bytes.checked_sub(bytes);
        self.left_bytes = left_bytes.unwrap_or(self.left_bytes);
        left_bytes.is_some()
    }
}

impl Answer {
    pub(super) fn new(
        batches: Vec<RecordBatch>,
        withheld: u64,
        shelf_bytes: usize,
        reserved: Arc<Reservation>,
    ) -> Self {
        let shelf = Mutex::new(Forms { left_bytes: shelf_bytes, ..Forms::default() });
        Self { batches, withheld, shelf, reserved }
    }

    pub(super) fn weight(&self) -> usize {
        self.reserved.bytes()
    }

    /// Returns how many cells the policy withheld.
    pub(crate) fn withheld(&self) -> u64 {
        self.withheld
    }

    fn shelf(&self) -> MutexGuard<'_, Forms> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows of an answer, one batch after the other.
#[derive(Debug)]
pub(crate) struct AnswerRows {
    answer: Arc<Answer>,
    next: usize,
}

impl AnswerRows {
    pub(crate) fn of(answer: Arc<Answer>) -> Self {
        Self { answer, next: 0 }
    }

    pub(crate) fn shelf(&self) -> Shelf {
        Shelf(Arc::clone(&self.answer))
    }
}

impl Iterator for AnswerRows {
    type Item = RecordBatch;

    fn next(&mut self) -> Option<RecordBatch> {
        let batch = self.answer.batches.get(self.next).cloned();
        self.next += 1;
        batch
    }
}

/// Where forms of a kept result are kept as long as it is, such as its encoded messages, so that the next reader need not
/// make them. The engine does not look at them.
#[derive(Debug, Clone)]
pub struct Shelf(Arc<Answer>);

impl Shelf {
    /// Returns how many batches the result has.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.0.batches.len()
    }

    /// Finds the wanted form of a type, or keeps a new one of so many bytes; none when there is no room for it.
    pub fn form<T: Any + Send + Sync>(
        &self,
        wanted: impl Fn(&T) -> bool,
        bytes: usize,
        make: impl FnOnce() -> T,
    ) -> Option<Arc<T>> {
        let mut shelf = self.0.shelf();
        let mut known = shelf.forms.iter().filter_map(|form| Arc::clone(form).downcast::<T>().ok());
        if let Some(form) = known.find(|form| wanted(form)) {
            return Some(form);
        }
        shelf.take(bytes).then(|| {
            let form = Arc::new(make());
            shelf.forms.push(Arc::clone(&form) as _);
            form
        })
    }

    /// Takes room for what is added to a form; `false` when there is none.
    #[must_use]
    pub fn take(&self, bytes: usize) -> bool {
        self.0.shelf().take(bytes)
    }
}
