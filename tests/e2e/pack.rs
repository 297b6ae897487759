//! Where the example pack's raw files are, and how many rows they hold, counted without Basin.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// The code of the organisation that delivers the bulletins.
pub(crate) const BULLETINS_PROVIDER: &str = "111000009900000172";
/// The datasets that a delivery of bulletins feeds.
pub(crate) const BULLETINS: &str = "health.national,health.provincial,health.city";

/// The pack's folder of raw files.
pub(crate) fn raw() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/china-2020/raw")
}

/// The CSV files below a folder of the raw files.
pub(crate) fn csv_files(folder: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(raw().join(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Counts the data rows of a CSV file: its lines outside quotes that aren't empty, without the header.
/// Neither a quote nor a line end occurs inside a character of UTF-8 or GB18030, so bytes suffice.
pub(crate) fn data_rows(file: &Path) -> Result<u64> {
    let mut quoted = false;
    let mut rows: u64 = 0;
    let mut in_row = false;
    for byte in fs::read(file)? {
        match byte {
            b'"' => {
                quoted = !quoted;
                in_row = true;
            }
            b'\n' if !quoted => {
                rows += u64::from(in_row);
                in_row = false;
            }
            b'\r' => {}
            _ => in_row = true,
        }
    }
    rows += u64::from(in_row);
    Ok(rows.saturating_sub(1))
}
