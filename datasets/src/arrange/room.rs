//! Room: a pool of memory in which the sorts never take what the merge after them needs.
//!
//! Sorts may take all of a fair pool, since they spill when others ask; the merge of their runs can't spill, and would
//! fail. It holds a batch a run, so it gets what it asks for. A sort that merges what it spilled takes as many runs at
//! once as it has memory for, and fails with less than two; and where keys are most of a row, merging what it holds takes
//! almost as much again. So a part of the pool is given to each whatever others have taken; and to each sort a smaller one,
//! since it fails when it can't hold a single batch.

use std::fmt;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// How the merge calls itself, before the number of its partition.
const MERGE: &str = "SortPreservingMergeExec";

/// How a sort calls what it merges with.
const SPILLED: &str = "ExternalSorterMerge";
/// The part of the pool that each of these gets, whatever others have taken.
const SPILLED_SHARE: usize = 4;
/// How a sort calls what it holds.
const SORT: &str = "ExternalSorter[";
const SORT_SHARE: usize = 16;

/// A fair pool with room for the merge.
#[derive(Debug)]
pub(super) struct RoomForMerge {
    pool: FairSpillPool,
    bytes: usize,
}

impl RoomForMerge {
    pub(super) fn new(bytes: usize) -> Self {
        Self { pool: FairSpillPool::new(bytes), bytes }
    }

    /// Tells whether it is for the merge, or for something that fails without it and holds little.
    fn is_needed(&self, reservation: &MemoryReservation, additional: usize) -> bool {
        let name = reservation.consumer().name();
        let held = reservation.size().saturating_add(additional);
        name.starts_with(MERGE)
            || (name.starts_with(SPILLED) && held <= self.bytes / SPILLED_SHARE)
            || (name.starts_with(SORT) && held <= self.bytes / SORT_SHARE)
    }
}

impl fmt::Display for RoomForMerge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}

impl MemoryPool for RoomForMerge {
    fn name(&self) -> &str {
        "room for merge"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if self.is_needed(reservation, additional) {
            self.pool.grow(reservation, additional);
            return Ok(());
        }
        self.pool.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
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
        let spilled = MemoryConsumer::new("ExternalSorterMerge[0]").register(&pool);
        spilled.try_grow(250).unwrap();
        assert!(spilled.try_grow(1).is_err(), "it gets its share and no more");
        let late = MemoryConsumer::new("ExternalSorter[1]").with_can_spill(true).register(&pool);
        merge.try_grow(800).unwrap();
        late.try_grow(60).unwrap();
        assert!(late.try_grow(60).is_err(), "it holds a batch, and spills");
        let other = MemoryConsumer::new("another").register(&pool);
        assert!(other.try_grow(1).is_err(), "nothing else gets more than there is");
        drop((sort, merge, spilled, late));
        assert_eq!(pool.reserved(), 0);
    }
}
