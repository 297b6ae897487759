//! What a Parquet footer may say of a file: numbers that others rely on without looking are held against the file's size.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Says what in a footer can't be true of a file of so many bytes.
pub(crate) fn impossible(footer: &ParquetMetaData, bytes: u64) -> Option<String> {
    let rows = footer.file_metadata().num_rows();
    let grouped = footer.row_groups().iter().map(|group| group.num_rows());
    if grouped.clone().any(|rows| rows < 0) || grouped.map(i128::from).sum::<i128>() != i128::from(rows) {
        return Some(format!("its row groups don't add up to its {rows} rows"));
    }
    for (number, group) in footer.row_groups().iter().enumerate() {
        let wrong = group.columns().iter().find_map(|column| {
            let flat = column.column_descr().max_rep_level() == 0;
            let what = impossible_chunk(column, bytes, flat.then(|| group.num_rows()))?;
            Some(format!("column {} of row group {number}: {what}", column.column_path().string()))
        });
        if wrong.is_some() {
            return wrong;
        }
    }
    None
}

fn impossible_chunk(column: &ColumnChunkMetaData, bytes: u64, rows: Option<i64>) -> Option<String> {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let numbers = [
        start,
        column.data_page_offset(),
        column.compressed_size(),
        column.uncompressed_size(),
        column.num_values(),
    ];
    if numbers.iter().any(|number| *number < 0) {
        return Some("a place or a size is negative".to_owned());
    }
    let end = start.unsigned_abs().saturating_add(column.compressed_size().unsigned_abs());
    if end > bytes || column.data_page_offset().unsigned_abs() > bytes {
        return Some("it lies beyond the file's end".to_owned());
    }
    if let Some(rows) = rows.filter(|rows| *rows != column.num_values()) {
        return Some(format!("{} values for {rows} rows", column.num_values()));
    }
    None
}
