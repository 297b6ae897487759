//! What the headers of Parquet pages say of their size, held against the column chunk and the file: a reader reserves what they
//! claim before it looks.
//!
//! A header is a struct in Thrift's compact form. Its first fields are read here, the rest is stepped over; no page is.

use std::io::{Read, Seek, SeekFrom};

use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Read at once for a header; statistics make it long at times.
const WINDOW_BYTES: usize = 4096;
const LONGEST_HEADER_BYTES: usize = 1 << 24;
/// Pages up to this size are taken though a footer says less of their column: some writers count otherwise.
const SMALL_BYTES: i64 = 16 << 20;
/// How deep the structs of a header may lie in each other; in truth three.
const DEPTH: usize = 16;

/// Checks the headers of all pages; the footer is checked already.
pub(super) fn check_pages(
    file: &mut (impl Read + Seek),
    footer: &ParquetMetaData,
) -> Result<(), ParquetError> {
    for group in footer.row_groups() {
        for column in group.columns() {
            check_chunk(file, column)?;
        }
    }
    Ok(())
}

fn check_chunk(file: &mut (impl Read + Seek), column: &ColumnChunkMetaData) -> Result<(), ParquetError> {
    let (mut at, bytes) = column.byte_range();
    let (end, mut values) = (at + bytes, 0);
    let most = column.uncompressed_size().max(SMALL_BYTES);
    while at < end && values < column.num_values() {
        let (header, length) = header_at(file, at, end)?;
        let name = || column.column_path().string();
        let size = u64::try_from(header.compressed).ok();
        let next = size.and_then(|size| (at + length).checked_add(size)).filter(|next| *next <= end);
        let Some(next) = next else {
            return Err(ParquetError::General(format!("column {}: a page lies beyond its column", name())));
        };
        if !(0..=most).contains(&header.uncompressed) {
            let what = format!("column {}: a page claims {} bytes", name(), header.uncompressed);
            return Err(ParquetError::General(what));
        }
        let left = if header.is_dictionary { header.uncompressed } else { column.num_values() - values };
        if !(0..=left).contains(&header.values) {
            let what = format!("column {}: a page claims {} values", name(), header.values);
            return Err(ParquetError::General(what));
        }
        values += if header.is_dictionary { 0 } else { header.values };
        at = next;
    }
    Ok(())
}

/// What a page's header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    uncompressed: i64,
    compressed: i64,
    values: i64,
    is_dictionary: bool,
}

/// Reads the header at a place; gives its length too.
fn header_at(file: &mut (impl Read + Seek), at: u64, end: u64) -> Result<(Header, u64), ParquetError> {
    let mut window = WINDOW_BYTES;
    loop {
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        file.take(end.saturating_sub(at).min(window as u64)).read_to_end(&mut bytes)?;
        let mut thrift = Thrift { bytes: &bytes, at: 0 };
        if let Some(header) = thrift.header() {
            return Ok((header, thrift.at as u64));
        }
        if bytes.len() < window || window >= LONGEST_HEADER_BYTES {
            return Err(ParquetError::General(format!("there is no page header at byte {at}")));
        }
        window *= 8;
    }
}

/// A reader of Thrift's compact form; nothing where the bytes end or make no sense.
struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(bytes).ok()?).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next field's number and type after the field `last`; number 0: the struct ends.
    fn field(&mut self, last: i64) -> Option<(i64, u8)> {
        let head = self.byte()?;
        match (head >> 4, head & 0x0f) {
            (_, 0) => Some((0, 0)),
            (0, kind) => Some((self.integer()?, kind)),
            (step, kind) => Some((last + i64::from(step), kind)),
        }
    }

    fn header(&mut self) -> Option<Header> {
        let (mut header, mut last) = (Header::default(), 0);
        loop {
            let (field, kind) = self.field(last)?;
            match (field, kind) {
                (0, _) => return Some(header),
                (2, 5) => header.uncompressed = self.integer()?,
                (3, 5) => header.compressed = self.integer()?,
                (5 | 7 | 8, 12) => {
                    header.is_dictionary = field == 7;
                    header.values = self.first_integer()?;
                }
                (_, kind) => self.step_over(kind, DEPTH)?,
            }
            last = field;
        }
    }

    /// The first field of a struct, which is stepped over to its end.
    fn first_integer(&mut self) -> Option<i64> {
        let (mut value, mut last) = (None, 0);
        loop {
            let (field, kind) = self.field(last)?;
            match (field, kind) {
                (0, _) => return value,
                (1, 5) => value = Some(self.integer()?),
                (_, kind) => self.step_over(kind, DEPTH)?,
            }
            last = field;
        }
    }

    fn step_over(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.skip(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip(8),
            8 => {
                let bytes = self.varint()?;
                self.skip(bytes)
            }
            9 | 10 => {
                let head = self.byte()?;
                let size = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // A truth value in a list takes a byte.
                let kind = if matches!(head & 0x0f, 1 | 2) { 3 } else { head & 0x0f };
                (0..size).try_for_each(|_| self.step_over(kind, depth))
            }
            12 => {
                let mut last = 0;
                loop {
                    let (field, kind) = self.field(last)?;
                    if field == 0 {
                        return Some(());
                    }
                    self.step_over(kind, depth)?;
                    last = field;
                }
            }
            _ => None,
        }
    }
}
