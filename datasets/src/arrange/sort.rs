//! The external sort: DataFusion's, fed from channels, spilling to a folder of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::mpsc;

use super::room::RoomForMerge;
use crate::{DatasetsError, Result};

/// A source of the sort: one channel of batches, or of the reason why reading stopped.
pub(crate) type SortInput = mpsc::Receiver<std::result::Result<RecordBatch, DataFusionError>>;

/// Share of the budget kept for merging. To spill, a sort merges all batches that it holds, and a merge holds the keys
/// of each a second time: where the key is most of a narrow row, with less a sort that must spill can't.
const MERGE_SHARE: usize = 3;
/// Spilled bytes that one delivery may use on the local disk.
const SPILL_BYTES: u64 = 1 << 40;

/// Sorts streams within one memory budget and one spill folder.
#[derive(Debug)]
pub(crate) struct Arranger {
    context: Arc<TaskContext>,
}

impl Arranger {
    /// Prepares the budget, of which `sorters` inputs are sorted at the same time.
    ///
    /// # Errors
    /// When the spill folder can't be used.
    pub(crate) fn new(memory_bytes: usize, sorters: usize, batch_rows: usize, spill: &Path) -> Result<Self> {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![spill.to_path_buf()]))
            .with_max_temp_directory_size(SPILL_BYTES);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(RoomForMerge::new(memory_bytes)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let config = SessionConfig::new()
            .with_batch_size(batch_rows)
            .with_sort_spill_reservation_bytes(memory_bytes / MERGE_SHARE / sorters.max(1));
        let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).build();
        Ok(Self { context: state.task_ctx() })
    }

    /// Sorts by columns, ascending and with NULL last, as SQL does. Work starts when the stream is polled.
    ///
    /// # Errors
    /// DataFusion's errors.
    pub(crate) fn sort(
        &self,
        schema: &SchemaRef,
        columns: &[usize],
        inputs: Vec<SortInput>,
    ) -> Result<SendableRecordBatchStream> {
        let source = source(schema, inputs)?;
        let ordering = columns.iter().map(|index| PhysicalSortExpr {
            expr: Arc::new(Column::new(schema.field(*index).name(), *index)),
            options: SortOptions { descending: false, nulls_first: false },
        });
        let ordering =
            LexOrdering::new(ordering).ok_or_else(|| DatasetsError::internal("a sort without columns"))?;
        let sort = SortExec::new(ordering.clone(), source).with_preserve_partitioning(true);
        let merge = SortPreservingMergeExec::new(ordering, Arc::new(sort));
        Ok(merge.execute(0, Arc::clone(&self.context))?)
    }

    /// Passes the inputs on as they come.
    pub(crate) fn unsorted(schema: &SchemaRef, inputs: Vec<SortInput>) -> SendableRecordBatchStream {
        let streams = inputs.into_iter().map(receive);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), stream::select_all(streams)))
    }
}

fn source(schema: &SchemaRef, inputs: Vec<SortInput>) -> Result<Arc<dyn ExecutionPlan>> {
    let partitions = inputs.into_iter().map(|input| {
        let partition = ChannelPartition { schema: Arc::clone(schema), input: Mutex::new(Some(input)) };
        Arc::new(partition) as Arc<dyn PartitionStream>
    });
    let exec = StreamingTableExec::try_new(Arc::clone(schema), partitions.collect(), None, [], false, None)?;
    Ok(Arc::new(exec))
}

fn receive(input: SortInput) -> BoxStream<'static, std::result::Result<RecordBatch, DataFusionError>> {
    stream::unfold(input, |mut input| async move { input.recv().await.map(|batch| (batch, input)) }).boxed()
}

/// A partition that can be read once.
#[derive(Debug)]
struct ChannelPartition {
    schema: SchemaRef,
    input: Mutex<Option<SortInput>>,
}

impl PartitionStream for ChannelPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let input = self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rows = match input {
            Some(input) => receive(input),
            None => {
                let error = DataFusionError::Internal("the input of a sort was read twice".to_owned());
                stream::once(async { Err(error) }).boxed()
            }
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
