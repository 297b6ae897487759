//! The corrupter: makes a damaged file of a good one, the same for the same seed. It knows where a Parquet file keeps what, so
//! that every part of it is hit: footer, page headers, pages, dictionaries; and it lies about counts and sizes.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
    RowGroupMetaData,
};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// The footer's length and the mark, at the end of a Parquet file.
const TAIL: usize = 8;
/// Bytes from a page's begin that are surely its header.
const HEADER: usize = 12;
/// The largest counts and sizes, and those at which signs and widths change.
const LIES: [i64; 8] = [-1, 0, 1, 1 << 20, i32::MAX as i64, 1 << 33, 1 << 61, -(1 << 61)];

/// A way to damage a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    Anywhere,
    Cut,
    Hole,
    Repeated,
    /// Four or eight bytes become a huge or negative number.
    Number,
    Footer,
    FooterLength,
    PageHeader,
    PageSize,
    Page,
    Dictionary,
    ForgedRows,
    ForgedValues,
    ForgedSizes,
    ForgedPlaces,
}

/// What can be done to any file.
pub(crate) const ANY: [Harm; 5] = [Harm::Anywhere, Harm::Cut, Harm::Hole, Harm::Repeated, Harm::Number];
/// What can be done to a Parquet file.
pub(crate) const PARQUET: [Harm; 13] = [
    Harm::Anywhere,
    Harm::Cut,
    Harm::Hole,
    Harm::Footer,
    Harm::FooterLength,
    Harm::PageHeader,
    Harm::PageSize,
    Harm::Page,
    Harm::Dictionary,
    Harm::ForgedRows,
    Harm::ForgedValues,
    Harm::ForgedSizes,
    Harm::ForgedPlaces,
];

/// Damages a file.
pub(crate) fn harmed(good: &[u8], harm: Harm, random: &mut StdRng) -> Result<Vec<u8>> {
    let mut bytes = good.to_vec();
    let end = bytes.len();
    match harm {
        Harm::Anywhere => flip(&mut bytes, (0, end), random),
        Harm::Cut => bytes.truncate(random.random_range(1..end)),
        Harm::Hole => {
            let start = random.random_range(0..end);
            let length = random.random_range(1..=(end - start).min(64));
            bytes.iter_mut().skip(start).take(length).for_each(|byte| *byte = 0);
        }
        Harm::Repeated => {
            let start = random.random_range(0..end);
            let again: Vec<u8> = bytes.iter().skip(start).take(40).copied().collect();
            bytes.splice(start..start, again);
        }
        Harm::Number => {
            let lie = lie(random).to_le_bytes();
            let width = if random.random_bool(0.5) { 4 } else { 8 };
            let start = random.random_range(0..end / 4) * 4;
            bytes.iter_mut().skip(start).zip(lie.iter().take(width)).for_each(|(byte, new)| *byte = *new);
        }
        Harm::Footer => flip(&mut bytes, (footer_start(good)?, end - TAIL), random),
        Harm::FooterLength => flip(&mut bytes, (end - TAIL, end), random),
        Harm::PageHeader | Harm::PageSize | Harm::Page | Harm::Dictionary => {
            in_pages(&mut bytes, harm, &column(good, random)?, random);
        }
        Harm::ForgedRows | Harm::ForgedValues | Harm::ForgedSizes | Harm::ForgedPlaces => {
            bytes = forged(good, harm, random)?;
        }
    }
    Ok(bytes)
}

fn lie(random: &mut StdRng) -> i64 {
    LIES.get(random.random_range(0..LIES.len())).copied().unwrap_or_default()
}

/// Changes one to eight bytes in a range.
fn flip(bytes: &mut [u8], (start, end): (usize, usize), random: &mut StdRng) {
    for _ in 0..random.random_range(1..=8) {
        let at = random.random_range(start..end.max(start + 1));
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= random.random_range(1..=255_u8);
        }
    }
}

fn metadata(good: &[u8]) -> Result<ParquetMetaData> {
    Ok(ParquetMetaDataReader::new().parse_and_finish(&Bytes::copy_from_slice(good))?)
}

fn footer_start(good: &[u8]) -> Result<usize> {
    let tail = good.len().checked_sub(TAIL).context("too short for Parquet")?;
    let length: Vec<u8> = good.iter().skip(tail).take(4).copied().collect();
    let length = u32::from_le_bytes(length.try_into().map_err(|_| anyhow::anyhow!("no footer"))?);
    Ok(tail - length as usize)
}

fn column(good: &[u8], random: &mut StdRng) -> Result<ColumnChunkMetaData> {
    let metadata = metadata(good)?;
    let group = metadata.row_group(random.random_range(0..metadata.num_row_groups()));
    Ok(group.column(random.random_range(0..group.num_columns())).clone())
}

fn in_pages(bytes: &mut Vec<u8>, harm: Harm, column: &ColumnChunkMetaData, random: &mut StdRng) {
    let (start, length) = column.byte_range();
    let (start, end) = (start as usize, (start + length) as usize);
    let data = column.data_page_offset() as usize;
    match harm {
        Harm::PageHeader => {
            let page = if random.random_bool(0.5) { start } else { data };
            flip(bytes, (page, page + HEADER), random);
        }
        // The header begins with the page's kind and its size when it is decompressed: two marks with their numbers.
        Harm::PageSize => {
            let size_end = (start + 3..end).find(|at| bytes.get(*at).is_none_or(|byte| byte & 0x80 == 0));
            let huge = [0xfe, 0xff, 0xff, 0xff, random.random_range(0..=0x0f)];
            bytes.splice(start + 3..=size_end.unwrap_or(start + 3), huge);
        }
        Harm::Dictionary if data > start => flip(bytes, (start + HEADER, data), random),
        _ => flip(bytes, (data + HEADER, end), random),
    }
}

/// The same pages under a footer that lies.
fn forged(good: &[u8], harm: Harm, random: &mut StdRng) -> Result<Vec<u8>> {
    let truth = metadata(good)?;
    let file = truth.file_metadata();
    let mut groups = truth.row_groups().to_vec();
    let chosen = random.random_range(0..groups.len());
    if let Some(group) = groups.get_mut(chosen) {
        *group = forged_group(group, harm, random)?;
    }
    let rows =
        if harm == Harm::ForgedRows && random.random_bool(0.7) { lie(random) } else { file.num_rows() };
    let lying = FileMetaData::new(
        file.version(),
        rows,
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let mut bytes: Vec<u8> = good.iter().take(footer_start(good)?).copied().collect();
    ParquetMetaDataWriter::new(&mut bytes, &ParquetMetaData::new(lying, groups)).finish()?;
    Ok(bytes)
}

fn forged_group(group: &RowGroupMetaData, harm: Harm, random: &mut StdRng) -> Result<RowGroupMetaData> {
    let mut columns = group.columns().to_vec();
    let chosen = random.random_range(0..columns.len());
    let column = columns.get(chosen).cloned().context("a row group has no columns")?.into_builder();
    let column = match harm {
        Harm::ForgedValues => column.set_num_values(lie(random)),
        Harm::ForgedSizes => {
            column.set_total_compressed_size(lie(random)).set_total_uncompressed_size(lie(random))
        }
        Harm::ForgedPlaces => {
            let dictionary = random.random_bool(0.5).then(|| lie(random));
            column.set_data_page_offset(lie(random)).set_dictionary_page_offset(dictionary)
        }
        _ => column,
    };
    if let Some(place) = columns.get_mut(chosen) {
        *place = column.build()?;
    }
    let builder = group.clone().into_builder().set_column_metadata(columns);
    let builder = if harm == Harm::ForgedRows { builder.set_num_rows(lie(random)) } else { builder };
    let builder = if harm == Harm::ForgedSizes { builder.set_total_byte_size(lie(random)) } else { builder };
    Ok(builder.build()?)
}
