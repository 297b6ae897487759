//! Room: a pool of memory in which the sorts never take what the merge after them needs.
//!
//! Sorts may take all of a fair pool, since they spill when others ask; the merge of their runs can't spill, and would
//! fail. It holds a batch a run, so it gets what it asks for.

use std::fmt;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// How the merge calls itself, before the number of its partition.
const MERGE: &str = "SortPreservingMergeExec";

/// A fair pool with room for the merge.
#[derive(Debug)]
pub(super) struct RoomForMerge(FairSpillPool);

impl RoomForMerge {
    pub(super) fn new(bytes: usize) -> Self {
        Self(FairSpillPool::new(bytes))
    }
}

impl fmt::Display for RoomForMerge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MemoryPool for RoomForMerge {
    fn name(&self) -> &str {
        "room for merge"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.0.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.0.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.0.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.0.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if reservation.consumer().name().starts_with(MERGE) {
            self.0.grow(reservation, additional);
            return Ok(());
        }
        self.0.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.0.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn sorts_that_took_everything_leave_the_merge_its_room() {
        let pool: Arc<dyn MemoryPool> = Arc::new(RoomForMerge::new(1000));
        let sort = MemoryConsumer::new("ExternalSorter[0]").with_can_spill(true).register(&pool);
        sort.try_grow(1000).unwrap();
        assert!(sort.try_grow(1).is_err(), "a sort is bounded");
        let merge = MemoryConsumer::new("SortPreservingMergeExec[0]").register(&pool);
        merge.try_grow(100).unwrap();
        let other = MemoryConsumer::new("ExternalSorterMerge[0]").register(&pool);
        assert!(other.try_grow(100).is_err(), "nothing else gets more than there is");
        drop((sort, merge));
        assert_eq!(pool.reserved(), 0);
    }
}
