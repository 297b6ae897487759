//! Budget: a part of the shared memory for one query.

use datafusion::common::resources_datafusion_err;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A pool that takes from another one, up to a limit. What may spill does so beyond it; the rest fails.
#[derive(Debug)]
pub(super) struct Budget {
    shared: Arc<dyn MemoryPool>,
    limit_bytes: usize,
    used_bytes: AtomicUsize,
}

impl Budget {
    pub(super) fn of(shared: &Arc<dyn MemoryPool>, limit_bytes: usize) -> Self {
        Self { shared: Arc::clone(shared), limit_bytes, used_bytes: AtomicUsize::new(0) }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "budget of {} bytes", self.limit_bytes)
    }
}

impl MemoryPool for Budget {
    fn name(&self) -> &str {
        "budget"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used_bytes.fetch_add(additional, Ordering::Relaxed);
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used_bytes.fetch_sub(shrink, Ordering::Relaxed);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> datafusion::common::Result<()> {
        let fits = |used: usize| used.checked_add(additional).filter(|total| *total <= self.limit_bytes);
        if self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return Err(resources_datafusion_err!(
                "{} more bytes for {} exceed the query's budget of {} bytes",
                additional,
                reservation.consumer().name(),
                self.limit_bytes
            ));
        }
        let taken = self.shared.try_grow(reservation, additional);
        if taken.is_err() {
            self.used_bytes.fetch_sub(additional, Ordering::Relaxed);
        }
        taken
    }

    fn reserved(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit_bytes)
    }
}
