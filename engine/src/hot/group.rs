//! Group: the rows of one row group, block by block: from memory, and decoding what is missing there, which is kept
//! once the row group was read to its end.

use super::cache::{BLOCK_ROWS, Chunk};
use super::file::{OpenedFile, Recipe, file_columns, partition_values};
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::BatchCoalescer;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Result, exec_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use datafusion::parquet::arrow::arrow_reader::RowSelection;
use datafusion::parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStream};
use datafusion::parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::DynamicFilterTracking;
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::physical_expr_adapter::replace_columns_with_literals;
use datafusion::physical_plan::metrics::{Count, MetricBuilder};
use datafusion_datasource::morsel::Morsel;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What a scan gives of a file: expressions over some of its columns.
#[derive(Debug)]
pub(super) struct Output {
    /// Columns of the file that are needed, by their place in it.
    roots: Vec<usize>,
    /// The same, as the expressions see them.
    inner: SchemaRef,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl Output {
    /// `None` when the file's columns are not those of the table, or none is needed.
    pub(super) fn of(recipe: &Recipe, file: &PartitionedFile, stored: &Schema) -> Result<Option<Self>> {
        let schema = Arc::new(recipe.projection.project_schema(recipe.schema.table_schema())?);
        let values = partition_values(recipe, file);
        let expressions: Vec<Arc<dyn PhysicalExpr>> = recipe
            .projection
            .expr_iter()
            .map(|expression| replace_columns_with_literals(expression, &values))
            .collect::<Result<_>>()?;
        let wanted = recipe.schema.file_schema();
        let needed: BTreeSet<usize> =
            expressions.iter().flat_map(|expression| file_columns(expression, wanted)).collect();
        let mut roots = Vec::with_capacity(needed.len());
        for field in needed.iter().filter_map(|column| wanted.fields().get(*column)) {
            match stored.column_with_name(field.name()) {
                Some((root, found)) if found.data_type() == field.data_type() => roots.push(root),
                Some(_) | None => return Ok(None),
            }
        }
        if roots.is_empty() {
            return Ok(None);
        }
        // In the order of the file, which is the order in which its columns are decoded.
        roots.sort_unstable();
        let inner = Arc::new(stored.project(&roots)?);
        let expressions = expressions
            .into_iter()
            .map(|expression| reassign_expr_columns(expression, &inner))
            .collect::<Result<_>>()?;
        Ok(Some(Self { roots, inner, expressions, schema }))
    }

    /// The columns of the file that are needed.
    pub(super) fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// The same, as the expressions see them.
    pub(super) fn inner(&self) -> &SchemaRef {
        &self.inner
    }

    fn block(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::clone(&self.inner), columns)?)
    }

    fn batch(&self, inner: &RecordBatch) -> Result<RecordBatch> {
        let rows = inner.num_rows();
        let columns = self.expressions.iter().map(|expression| expression.evaluate(inner)?.into_array(rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// A row group that is to be read.
pub(super) struct GroupRows {
    opened: Arc<OpenedFile>,
    output: Arc<Output>,
    group: usize,
    /// The blocks whose rows may match, in order.
    wanted: Vec<usize>,
    from_memory: Count,
    decoded: Count,
}

impl fmt::Debug for GroupRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupRows").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Morsel for GroupRows {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        if self.is_out_of_the_question() {
            return futures::stream::empty().boxed();
        }
        let sieved = Sieved {
            opened: Arc::clone(&self.opened),
            output: Arc::clone(&self.output),
            ready: BatchCoalescer::new(Arc::clone(&self.output.schema), BLOCK_ROWS)
                .with_biggest_coalesce_batch_size(Some(BLOCK_ROWS / 2)),
            blocks: futures::stream::once((*self).blocks()).try_flatten().boxed(),
            ended: false,
        };
        futures::stream::try_unfold(sieved, Sieved::next).boxed()
    }
}

impl GroupRows {
    pub(super) fn new(
        opened: Arc<OpenedFile>,
        output: Arc<Output>,
        group: usize,
        access: Option<RowGroupAccess>,
    ) -> Self {
        let counter =
            |name| MetricBuilder::new(&opened.recipe.metrics).counter(name, opened.recipe.partition);
        let (from_memory, decoded) = (counter("hot_columns"), counter("decoded_columns"));
        let selection = match access {
            Some(RowGroupAccess::Selection(selection)) => Some(selection),
            Some(RowGroupAccess::Scan | RowGroupAccess::Skip) | None => None,
        };
        let rows = opened.groups().get(group).map_or(0, |group| group.num_rows().unsigned_abs());
        let wanted = wanted_blocks(usize::try_from(rows).unwrap_or(usize::MAX), selection.as_ref());
        Self { opened, output, group, wanted, from_memory, decoded }
    }

    /// Bytes, decoded, of the columns that are not kept; `None` while too few of their rows were ever asked for: decoding
    /// them whole pays once their parts, one query after the other, would have cost as much.
    pub(super) fn bytes_to_fill(&self) -> Option<u64> {
        let rows = self.opened.groups().get(self.group).map_or(0, |group| group.num_rows().unsigned_abs());
        let all = usize::try_from(rows).unwrap_or(usize::MAX).div_ceil(BLOCK_ROWS);
        let columns = &self.opened.recipe.columns;
        let keys = self.output.roots().iter().map(|root| self.opened.key(self.group, *root));
        let missing: Vec<_> = keys.filter(|key| columns.get(key).is_none()).collect();
        let asked = missing.iter().map(|key| columns.ask(key, self.wanted.len())).min();
        let pays = asked.is_none_or(|blocks| blocks * 2 >= all);
        pays.then(|| missing.iter().map(|key| self.opened.decoded_bytes(self.group, key.column)).sum())
    }

    /// What is known now, since other operators tell more while the scan runs.
    fn is_out_of_the_question(&self) -> bool {
        let Some(predicate) = self.opened.predicate() else { return false };
        if !DynamicFilterTracking::classify(predicate).contains_dynamic_filter() {
            return false;
        }
        let mut plan = ParquetAccessPlan::new_none(self.opened.groups().len());
        plan.scan(self.group);
        !self.opened.access(plan, false).should_scan(self.group)
    }

    /// The wanted blocks, as the expressions see them.
    async fn blocks(self) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let chunks: Vec<Option<Arc<Chunk>>> = self
            .output
            .roots()
            .iter()
            .map(|root| self.opened.recipe.columns.get(&self.opened.key(self.group, *root)))
            .collect();
        let missing = chunks.iter().filter(|chunk| chunk.is_none()).count();
        self.from_memory.add(chunks.len() - missing);
        self.decoded.add(missing);
        if missing == 0 {
            return Ok(self.kept_blocks(chunks.into_iter().flatten().collect()));
        }
        let decoder = self.decoder(&chunks).await?;
        let filling = Filling {
            kept: chunks.iter().map(|_| Vec::new()).collect(),
            rows: self,
            chunks,
            decoder,
            block: 0,
        };
        Ok(futures::stream::try_unfold(filling, Filling::next).boxed())
    }

    fn kept_blocks(self, chunks: Vec<Arc<Chunk>>) -> BoxStream<'static, Result<RecordBatch>> {
        let output = self.output;
        let batches = self.wanted.into_iter().map(move |block| {
            let columns = chunks.iter().map(|chunk| chunk.blocks.get(block).map(Arc::clone));
            match columns.collect::<Option<Vec<ArrayRef>>>() {
                Some(columns) => output.block(columns),
                None => exec_err!("a column in memory is shorter than its row group"),
            }
        });
        futures::stream::iter(batches).boxed()
    }

    async fn decoder(
        &self,
        chunks: &[Option<Arc<Chunk>>],
    ) -> Result<ParquetRecordBatchStream<Box<dyn AsyncFileReader>>> {
        let roots = self.output.roots().iter().zip(chunks);
        let missing = roots.filter(|(_, chunk)| chunk.is_none()).map(|(root, _)| *root);
        let mask = ProjectionMask::roots(self.opened.footer.parquet_schema(), missing);
        let reader = self.opened.recipe.open(&self.opened.file)?;
        Ok(ParquetRecordBatchStreamBuilder::new_with_metadata(reader, self.opened.footer.clone())
            .with_projection(mask)
            .with_row_groups(vec![self.group])
            .with_batch_size(BLOCK_ROWS)
            .build()?)
    }
}

/// The rows of a row group that may be needed, in batches worth sending on.
struct Sieved {
    opened: Arc<OpenedFile>,
    output: Arc<Output>,
    blocks: BoxStream<'static, Result<RecordBatch>>,
    ready: BatchCoalescer,
    ended: bool,
}

impl Sieved {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(batch) = self.ready.next_completed_batch() {
                return Ok(Some((batch, self)));
            }
            if self.ended {
                return Ok(None);
            }
            match self.blocks.try_next().await? {
                Some(block) => {
                    let rows = self.opened.sieve.apply(block)?;
                    if rows.num_rows() > 0 {
                        self.ready.push_batch(self.output.batch(&rows)?)?;
                    }
                }
                None => {
                    self.ended = true;
                    self.ready.finish_buffered_batch()?;
                }
            }
        }
    }
}

/// A row group that is decoded and kept while its rows leave.
struct Filling {
    rows: GroupRows,
    /// The columns that are kept already.
    chunks: Vec<Option<Arc<Chunk>>>,
    /// What was decoded of the others.
    kept: Vec<Vec<ArrayRef>>,
    decoder: ParquetRecordBatchStream<Box<dyn AsyncFileReader>>,
    block: usize,
}

impl Filling {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            let Some(decoded) = self.decoder.try_next().await? else {
                self.keep();
                return Ok(None);
            };
            let block = self.block;
            self.block += 1;
            let mut fresh = decoded.columns().iter();
            let mut columns = Vec::with_capacity(self.chunks.len());
            for (chunk, kept) in self.chunks.iter().zip(&mut self.kept) {
                let column = match chunk {
                    Some(chunk) => chunk.blocks.get(block).map(Arc::clone),
                    None => fresh.next().map(|column| {
                        kept.push(Arc::clone(column));
                        Arc::clone(column)
                    }),
                };
                columns.extend(column);
            }
            if self.rows.wanted.binary_search(&block).is_ok() {
                return Ok(Some((self.rows.output.block(columns)?, self)));
            }
        }
    }

    fn keep(&mut self) {
        let roots = self.rows.output.roots().iter();
        for ((root, chunk), blocks) in roots.zip(&self.chunks).zip(&mut self.kept) {
            if chunk.is_none() {
                let key = self.rows.opened.key(self.rows.group, *root);
                self.rows.opened.recipe.columns.keep(key, Chunk::new(std::mem::take(blocks)));
            }
        }
    }
}

/// The blocks of a row group that hold a selected row, in order.
fn wanted_blocks(rows: usize, selection: Option<&RowSelection>) -> Vec<usize> {
    let Some(selection) = selection else { return (0..rows.div_ceil(BLOCK_ROWS)).collect() };
    let mut blocks = BTreeSet::new();
    let mut start = 0;
    for part in selection.iter() {
        let end = (start + part.row_count).min(rows);
        if !part.skip && start < end {
            blocks.extend(start / BLOCK_ROWS..end.div_ceil(BLOCK_ROWS));
        }
        start = end;
    }
    blocks.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::parquet::arrow::arrow_reader::RowSelector;

    #[test]
    fn blocks_with_a_selected_row_are_wanted() {
        assert_eq!(wanted_blocks(BLOCK_ROWS * 2 + 1, None), [0, 1, 2]);
        let parts = [RowSelector::skip(BLOCK_ROWS), RowSelector::select(1), RowSelector::skip(BLOCK_ROWS)];
        let selection = RowSelection::from(parts.to_vec());
        assert_eq!(wanted_blocks(BLOCK_ROWS * 2 + 1, Some(&selection)), [1]);
        let across = RowSelection::from(vec![RowSelector::skip(BLOCK_ROWS - 1), RowSelector::select(2)]);
        assert_eq!(wanted_blocks(BLOCK_ROWS + 1, Some(&across)), [0, 1]);
    }
}
