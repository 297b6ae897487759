//! Decoded blocks: text from which whole records are cut, the unfinished rest moving to the next block.

use std::sync::Arc;

use super::decode::TextReader;
use super::{OnBytes, SourceFile};
use crate::error::{DatasetsError, Result};
use crate::manifest::Encoding;

/// Longest record: one that grows beyond it has lost its end, most likely a quote that is never closed.
const RECORD_BYTES: usize = 64 << 20;

/// A position in a file's text.
pub(super) struct Blocks {
    reader: TextReader,
    file: String,
    block: Arc<String>,
    position: usize,
    line: u64,
}

impl Blocks {
    pub(super) fn open(file: &SourceFile, encoding: Encoding, on_bytes: &OnBytes) -> Result<Self> {
        let mut reader = TextReader::open(file, encoding, on_bytes)?;
        let block = Arc::new(reader.read(String::new(), 0)?);
        Ok(Self { reader, file: file.name.clone(), block, position: 0, line: 1 })
    }

    /// The current block.
    pub(super) fn block(&self) -> &Arc<String> {
        &self.block
    }

    /// Where the next record starts in the block.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Physical line of the next record, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Tells whether the block ends with the file.
    pub(super) fn is_last(&self) -> bool {
        self.reader.ended()
    }

    /// Moves behind records that were taken.
    pub(super) fn advance(&mut self, position: usize, line: u64) {
        self.position = position;
        self.line = line;
    }

    /// Reads on, keeping the unfinished rest; `false` when nothing is left to read.
    pub(super) fn refill(&mut self) -> Result<bool> {
        if self.is_last() {
            return Ok(false);
        }
        let rest = self.block.get(self.position..).unwrap_or_default();
        if rest.len() > RECORD_BYTES {
            return Err(DatasetsError::Source {
                file: self.file.clone(),
                line: Some(self.line),
                reason: format!(
                    "the record that starts here is longer than {} MiB; most likely a quote or bracket is never closed; \
                     correct the file, or set `quote` in the delivery's format (\"\" for none)",
                    RECORD_BYTES >> 20
                ),
                source: None,
            });
        }
        let (rest, wanted) = (rest.to_owned(), rest.len());
        self.block = Arc::new(self.reader.read(rest, wanted)?);
        self.position = 0;
        Ok(true)
    }
}
