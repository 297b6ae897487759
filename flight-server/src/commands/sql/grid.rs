//! A result as a text table for people: figures to the right, NULL named, long results cut with a
//! notice.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::stream::StreamExt as _;

use super::source::Answer;
use crate::commands::error::{CommandError, Result};
use crate::commands::output::{self, Lean, grouped};

/// The rows of a result that a table shows.
#[derive(Debug)]
pub(crate) struct Grid {
    header: Vec<(String, Lean)>,
    rows: Vec<Vec<String>>,
    more: bool,
}

impl Grid {
    /// Reads at most `max_rows` rows (0: all); what is left is cancelled.
    pub(crate) async fn collect(answer: Answer, max_rows: usize) -> Result<Self> {
        let Answer { schema, mut batches } = answer;
        let limit = if max_rows == 0 { usize::MAX } else { max_rows };
        let mut grid = Self { header: header(&schema), rows: Vec::new(), more: false };
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let shown = batch.num_rows().min(limit - grid.rows.len());
            cells(&batch.slice(0, shown), &mut grid.rows)
                .map_err(|source| CommandError::format("a table", source))?;
            if shown < batch.num_rows() {
                grid.more = true;
                break;
            }
        }
        Ok(grid)
    }

    /// How many rows are shown.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// What to say when rows were left out.
    pub(crate) fn notice(&self) -> Option<String> {
        self.more.then(|| {
            format!(
                "the first {} rows are shown, there are more: --max-rows 0 shows all, \
                 --format csv writes all",
                grouped(self.rows.len() as u64)
            )
        })
    }
}

fn header(schema: &SchemaRef) -> Vec<(String, Lean)> {
    let lean = |numeric: bool| if numeric { Lean::Right } else { Lean::Left };
    schema.fields().iter().map(|field| (field.name().clone(), lean(field.data_type().is_numeric()))).collect()
}

fn cells(
    batch: &RecordBatch,
    rows: &mut Vec<Vec<String>>,
) -> std::result::Result<(), arrow::error::ArrowError> {
    let options = FormatOptions::default().with_null("NULL").with_display_error(true);
    let columns = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    for row in 0..batch.num_rows() {
        rows.push(columns.iter().map(|column| column.value(row).to_string()).collect());
    }
    Ok(())
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&output::table(&self.header, self.rows.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use futures::stream;

    use super::*;

    fn answer() -> Answer {
        let province: ArrayRef = Arc::new(StringArray::from(vec![Some("湖北"), None, Some("x")]));
        let confirmed: ArrayRef = Arc::new(Int64Array::from(vec![Some(13_522), Some(7), None]));
        let batch = RecordBatch::try_from_iter([("province", province), ("confirmed", confirmed)]).unwrap();
        Answer { schema: batch.schema(), batches: stream::iter([Ok(batch)]).boxed() }
    }

    #[tokio::test]
    async fn figures_lean_right_and_null_is_named() {
        let grid = Grid::collect(answer(), 0).await.unwrap();
        let expected = "\
+----------+-----------+
| province | confirmed |
+----------+-----------+
| 湖北     |     13522 |
| NULL     |         7 |
| x        |      NULL |
+----------+-----------+";
        assert_eq!(grid.to_string(), expected);
        assert_eq!(grid.notice(), None);
    }

    #[tokio::test]
    async fn rows_beyond_the_limit_are_said_to_exist() {
        let grid = Grid::collect(answer(), 2).await.unwrap();
        assert_eq!(grid.rows(), 2);
        assert!(grid.notice().unwrap().starts_with("the first 2 rows are shown"));
        assert_eq!(Grid::collect(answer(), 3).await.unwrap().notice(), None);
    }
}
