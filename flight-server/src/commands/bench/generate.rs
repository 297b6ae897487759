//! Making a table: rows of the generator go into a file as they come, so that memory doesn't grow with the scale.
//!
//! The two large tables are Parquet and the rest CSV, as the manifests take them.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatchReader;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tokio_util::sync::CancellationToken;
use tpchgen::csv::{CustomerCsv, NationCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{LineItemArrow, OrderArrow};

use super::tpch::Table;
use super::watch::Count;
use crate::commands::error::{CommandError, Result};

/// Rows between two looks at whether to stop.
const STEP_ROWS: u64 = 1024;
/// Rows that the Parquet writer holds until it writes them out.
const GROUP_ROWS: usize = 131_072;

/// One table's file in the making.
#[derive(Debug, Clone)]
pub(super) struct Making {
    pub(super) table: Table,
    pub(super) scale: f64,
    pub(super) folder: PathBuf,
    pub(super) rows: Count,
    pub(super) stop: CancellationToken,
}

impl Making {
    /// Writes the file and gives its path.
    ///
    /// # Errors
    /// `Io` when it can't be written, `Interrupted` when it was told to stop.
    pub(super) fn write(&self) -> Result<PathBuf> {
        let scale = self.scale;
        match self.table {
            Table::Region => {
                let rows = RegionGenerator::new(scale, 1, 1);
                self.csv(RegionCsv::header(), rows.iter().map(RegionCsv::new))
            }
            Table::Nation => {
                let rows = NationGenerator::new(scale, 1, 1);
                self.csv(NationCsv::header(), rows.iter().map(NationCsv::new))
            }
            Table::Supplier => {
                let rows = SupplierGenerator::new(scale, 1, 1);
                self.csv(SupplierCsv::header(), rows.iter().map(SupplierCsv::new))
            }
            Table::Part => {
                let rows = PartGenerator::new(scale, 1, 1);
                self.csv(PartCsv::header(), rows.iter().map(PartCsv::new))
            }
            Table::PartSupp => {
                let rows = PartSuppGenerator::new(scale, 1, 1);
                self.csv(PartSuppCsv::header(), rows.iter().map(PartSuppCsv::new))
            }
            Table::Customer => {
                let rows = CustomerGenerator::new(scale, 1, 1);
                self.csv(CustomerCsv::header(), rows.iter().map(CustomerCsv::new))
            }
            Table::Orders => self.parquet(OrderArrow::new(OrderGenerator::new(scale, 1, 1))),
            Table::LineItem => self.parquet(LineItemArrow::new(LineItemGenerator::new(scale, 1, 1))),
        }
    }

    fn csv(&self, header: &str, rows: impl Iterator<Item = impl Display>) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.csv", self.table.name()));
        let failed = |source| unwritten(&path, source);
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(failed)?);
        writeln!(out, "{header}").map_err(failed)?;
        let mut waiting = 0;
        for row in rows {
            writeln!(out, "{row}").map_err(failed)?;
            waiting += 1;
            if waiting == STEP_ROWS {
                self.step(waiting)?;
                waiting = 0;
            }
        }
        self.step(waiting)?;
        out.flush().map_err(failed)?;
        Ok(path)
    }

    fn parquet(&self, batches: impl RecordBatchReader) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.parquet", self.table.name()));
        let failed = |source: ParquetError| CommandError::format("Parquet", source.into());
        let out = File::create(&path).map_err(|source| unwritten(&path, source))?;
        // Read once and deleted: compressing it would cost more than it saves.
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP_ROWS)).build();
        let mut writer = ArrowWriter::try_new(out, batches.schema(), Some(properties)).map_err(failed)?;
        for batch in batches {
            let batch = batch.map_err(|source: ArrowError| CommandError::format("Parquet", source))?;
            writer.write(&batch).map_err(failed)?;
            self.step(batch.num_rows() as u64)?;
        }
        writer.close().map_err(failed)?;
        Ok(path)
    }

    fn step(&self, rows: u64) -> Result<()> {
        self.rows.add(rows);
        if self.stop.is_cancelled() { Err(CommandError::Interrupted) } else { Ok(()) }
    }
}

fn unwritten(path: &Path, source: std::io::Error) -> CommandError {
    CommandError::io(
        format!("{} can't be written; TMPDIR names another folder for it", path.display()),
        source,
    )
}
