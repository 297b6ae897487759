//! Cache: column chunks by file, row group and column, bounded by their bytes.
//!
//! What is asked once makes room for what is asked again (S3-FIFO, Yang et al. 2023): one large scan does not
//! drive out what many queries use.

use crate::cache::CacheFigures;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::collections::HashSet;
use std::sync::Arc;

/// Rows of a block, the unit in which rows leave and are skipped.
pub(super) const BLOCK_ROWS: usize = 8192;
/// What a chunk is expected to take, to size the cache's index.
const TYPICAL_CHUNK_BYTES: u64 = 4 << 20;
/// Buffers of texts that are this much larger than their texts are copied.
const SLACK: usize = 2;
/// Bytes of a key and of the index, for each chunk.
const ENTRY_BYTES: u64 = 256;

/// Chunks of which it is remembered how much was asked for.
const REMEMBERED: usize = 1 << 16;

/// Which chunk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ChunkKey {
    /// Path of the file in the store.
    pub(super) file: Arc<str>,
    /// Row group in the file.
    pub(super) group: usize,
    /// Column of the file.
    pub(super) column: usize,
}

/// A decoded column chunk: arrays of [`BLOCK_ROWS`] rows, the last one shorter.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) blocks: Vec<ArrayRef>,
    bytes: u64,
}

impl Chunk {
    /// Keeps blocks, with no more bytes than their values need.
    pub(super) fn new(blocks: Vec<ArrayRef>) -> Self {
        let used: usize = blocks.iter().map(|block| text_bytes(block.as_ref())).sum();
        let held = buffers_held(&blocks);
        let blocks: Vec<ArrayRef> = match held > used.saturating_mul(SLACK) {
            true => blocks.iter().map(compact).collect(),
            false => blocks,
        };
        let texts = buffers_held(&blocks);
        let fixed: usize = blocks.iter().map(|block| fixed_bytes(block.as_ref())).sum();
        Self { blocks, bytes: (texts + fixed) as u64 }
    }
}

/// Bytes of a block apart from the buffers that views point into.
fn fixed_bytes(block: &dyn Array) -> usize {
    let views = block.data_type() == &DataType::Utf8View || block.data_type() == &DataType::BinaryView;
    match views {
        true => block.len() * size_of::<u128>() + block.len() / 8,
        false => block.get_array_memory_size(),
    }
}

/// Bytes of texts that are too long for their views.
fn text_bytes(block: &dyn Array) -> usize {
    match block.data_type() {
        DataType::Utf8View => block.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => block.as_binary_view().total_buffer_bytes_used(),
        _ => 0,
    }
}

/// Bytes of all buffers that views point into, each once.
fn buffers_held(blocks: &[ArrayRef]) -> usize {
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for block in blocks {
        let buffers = match block.data_type() {
            DataType::Utf8View => block.as_string_view().data_buffers(),
            DataType::BinaryView => block.as_binary_view().data_buffers(),
            _ => continue,
        };
        for buffer in buffers {
            if seen.insert(buffer.data_ptr()) {
                bytes += buffer.capacity();
            }
        }
    }
    bytes
}

fn compact(block: &ArrayRef) -> ArrayRef {
    match block.data_type() {
        DataType::Utf8View => Arc::new(block.as_string_view().gc()),
        DataType::BinaryView => Arc::new(block.as_binary_view().gc()),
        _ => Arc::clone(block),
    }
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<ChunkKey, Arc<Chunk>> for Bytes {
    fn weight(&self, _: &ChunkKey, chunk: &Arc<Chunk>) -> u64 {
        chunk.bytes + ENTRY_BYTES
    }
}

/// The chunks that are kept. Shared by all queries.
#[derive(Debug)]
pub(crate) struct HotColumns {
    chunks: Cache<ChunkKey, Arc<Chunk>, Bytes>,
    /// Blocks of the chunks that are not kept which were asked for so far.
    asked: Cache<ChunkKey, usize>,
    capacity: u64,
}

impl HotColumns {
    /// Makes a cache of at most so many bytes; none for 0.
    pub(crate) fn of(capacity: usize) -> Option<Arc<Self>> {
        let capacity = capacity as u64;
        let chunks = usize::try_from(capacity / TYPICAL_CHUNK_BYTES).unwrap_or(usize::MAX).max(64);
        (capacity > 0).then(|| {
            Arc::new(Self {
                chunks: Cache::with_weighter(chunks, capacity, Bytes),
                asked: Cache::new(REMEMBERED),
                capacity,
            })
        })
    }

    /// Tells how it does.
    pub(crate) fn figures(&self) -> CacheFigures {
        CacheFigures {
            entries: self.chunks.len() as u64,
            bytes: self.chunks.weight(),
            capacity_bytes: self.capacity,
            hits: self.chunks.hits(),
            misses: self.chunks.misses(),
            shared: 0,
        }
    }

    /// The most bytes that a scan may decode at once to keep them: more would drive out what it just kept.
    pub(super) fn largest_fill(&self) -> u64 {
        self.capacity / 4
    }

    /// Returns a chunk that is kept.
    pub(super) fn get(&self, key: &ChunkKey) -> Option<Arc<Chunk>> {
        self.chunks.get(key)
    }

    /// Counts that blocks of a chunk are asked for that is not kept; returns how many were, now included.
    pub(super) fn ask(&self, key: &ChunkKey, blocks: usize) -> usize {
        let total = self.asked.get(key).unwrap_or_default().saturating_add(blocks);
        self.asked.insert(key.clone(), total);
        total
    }

    /// Keeps a chunk.
    pub(super) fn keep(&self, key: ChunkKey, chunk: Chunk) {
        self.chunks.insert(key, Arc::new(chunk));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Int64Array, StringViewArray};

    fn key(group: usize) -> ChunkKey {
        ChunkKey { file: "a".into(), group, column: 0 }
    }

    #[test]
    fn the_bytes_that_are_kept_are_bounded() {
        let cache = HotColumns::of(1 << 20).unwrap();
        for group in 0..64 {
            let block: ArrayRef = Arc::new(Int64Array::from_iter_values(0..BLOCK_ROWS as i64));
            cache.keep(key(group), Chunk::new(vec![block]));
        }
        assert!(cache.chunks.weight() <= 1 << 20);
        assert!(cache.chunks.len() < 64);
        assert!(HotColumns::of(0).is_none());
    }

    #[test]
    fn shared_buffers_are_counted_once_and_slack_is_given_back() {
        let words =
            StringViewArray::from_iter_values((0..1000).map(|n| format!("a text of some length {n}")));
        let all: Vec<ArrayRef> = (0..10).map(|n| Arc::new(words.slice(n * 100, 100)) as ArrayRef).collect();
        let whole = Chunk::new(all.clone());
        assert!(whole.bytes < 2 * words.get_array_memory_size() as u64);
        let part = Chunk::new(all[..1].to_vec());
        assert!(part.bytes < whole.bytes / 4, "{} of {}", part.bytes, whole.bytes);
        assert_eq!(part.blocks[0].as_ref(), all[0].as_ref());
    }
}
