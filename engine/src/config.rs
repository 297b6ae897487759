//! The limits of an engine. Passed down from the command line or the configuration file; no globals.

use std::path::PathBuf;
use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// Limits and sizes of an engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Memory that all running queries share, beyond which they spill.
    pub memory_bytes: usize,
    /// Memory for decoded columns that queries use again and again, beside that of running queries; 0 keeps none.
    pub hot_bytes: usize,
    /// Folder for spilled data; the system's temporary folder when absent.
    pub spill_dir: Option<PathBuf>,
    /// Disk space that all running queries may spill.
    pub spill_bytes: u64,
    /// Queries that run at once.
    pub max_running: usize,
    /// Queries of one user that run at once: fewer than all, so that others get in.
    pub max_running_of_user: usize,
    /// Queries that may wait for one of those places; further ones are refused.
    pub max_waiting: usize,
    /// How long a query waits for a place.
    pub queue_timeout: Duration,
    /// How long a query may run, from its admission to its last row.
    pub query_timeout: Duration,
    /// How long planning may take, once for the logical and once for the physical plan.
    pub planning_timeout: Duration,
    /// Longest statement.
    pub max_sql_bytes: usize,
    /// What one function may build at once of a few bytes: repeated texts, ranges.
    pub max_built_bytes: usize,
    /// Parallelism of one query, and worker threads of the engine.
    pub target_partitions: usize,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// Memory for results that are kept for whoever asks the same again; 0 keeps none.
    pub result_cache_bytes: usize,
    /// Folder on a local disk for ranges of data files of a cloud store; without one none are kept.
    pub disk_cache_dir: Option<PathBuf>,
    /// Disk space for them; 0 keeps none.
    pub disk_cache_bytes: u64,
}

impl EngineConfig {
    /// Returns the limits of one of so many processes that share these: each has its part of memory, disk and places.
    #[must_use]
    pub fn shared_by(self, processes: usize) -> Self {
        let parts = processes.max(1);
        Self {
            memory_bytes: self.memory_bytes / parts,
            hot_bytes: self.hot_bytes / parts,
            spill_bytes: self.spill_bytes / parts as u64,
            max_running: self.max_running.div_ceil(parts),
            max_running_of_user: self.max_running_of_user.div_ceil(parts),
            max_waiting: self.max_waiting.div_ceil(parts),
            result_cache_bytes: self.result_cache_bytes / parts,
            disk_cache_bytes: self.disk_cache_bytes / parts as u64,
            ..self
        }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let max_running = cores.saturating_mul(8).max(16);
        Self {
            memory_bytes: 2048 * MIB,
            hot_bytes: 1024 * MIB,
            spill_dir: None,
            spill_bytes: 32 * 1024 * MIB as u64,
            max_running,
            max_running_of_user: max_running - max_running / 4,
            max_waiting: 256,
            queue_timeout: Duration::from_secs(30),
            query_timeout: Duration::from_secs(600),
            planning_timeout: Duration::from_secs(20),
            max_sql_bytes: MIB / 4,
            max_built_bytes: 128 * MIB,
            target_partitions: cores,
            batch_rows: 8192,
            result_cache_bytes: 256 * MIB,
            disk_cache_dir: None,
            disk_cache_bytes: 8 * 1024 * MIB as u64,
        }
    }
}
