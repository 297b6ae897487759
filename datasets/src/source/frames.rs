//! What Arrow IPC says of its own size, held against the file: its reader reserves what a file claims before it looks.
//!
//! Only lengths are read here, batches are skipped.

use std::io::{Read, Seek, SeekFrom};

use arrow::error::ArrowError;
use arrow::ipc::reader::read_footer_length;
use arrow::ipc::{Block, root_as_footer, root_as_message};

/// The footer's length and the mark, at the end of an Arrow file.
const TAIL_BYTES: u64 = 10;
/// Begins a message, before its length; old writers leave it out.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Checks an Arrow file: its footer and its blocks lie inside it.
pub(super) fn check_file(file: &mut (impl Read + Seek), bytes: u64) -> Result<(), ArrowError> {
    let mut tail = [0; TAIL_BYTES as usize];
    file.seek(SeekFrom::End(-(TAIL_BYTES as i64)))?;
    file.read_exact(&mut tail)?;
    let length = read_footer_length(tail)? as u64;
    let start = bytes.checked_sub(TAIL_BYTES + length).ok_or_else(|| beyond("its footer"))?;
    file.seek(SeekFrom::Start(start))?;
    let mut footer = vec![0; length as usize];
    file.read_exact(&mut footer)?;
    let footer = root_as_footer(&footer).map_err(|error| ArrowError::ParseError(error.to_string()))?;
    let blocks = footer.recordBatches().into_iter().chain(footer.dictionaries()).flatten();
    for block in blocks {
        check_block(block, bytes)?;
    }
    Ok(())
}

fn check_block(block: &Block, bytes: u64) -> Result<(), ArrowError> {
    let parts = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()];
    let parts: Option<Vec<u64>> = parts.into_iter().map(|part| u64::try_from(part).ok()).collect();
    let end = parts.and_then(|parts| parts.into_iter().try_fold(0_u64, u64::checked_add));
    if end.is_some_and(|end| end <= bytes) { Ok(()) } else { Err(beyond("a batch")) }
}

/// Checks an Arrow stream: each message, and its body, lies inside it.
pub(super) fn check_stream(file: &mut (impl Read + Seek), bytes: u64) -> Result<(), ArrowError> {
    file.seek(SeekFrom::Start(0))?;
    let mut at = 0_u64;
    while let Some((length, prefix)) = message_length(file)? {
        at += prefix;
        if length == 0 {
            break;
        }
        if at.saturating_add(length) > bytes {
            return Err(beyond("a message"));
        }
        let mut message = vec![0; length as usize];
        file.read_exact(&mut message)?;
        let message = root_as_message(&message).map_err(|error| ArrowError::ParseError(error.to_string()))?;
        let body = u64::try_from(message.bodyLength()).map_err(|_| beyond("a batch"))?;
        at += length;
        if at.checked_add(body).is_none_or(|end| end > bytes) {
            return Err(beyond("a batch"));
        }
        at += body;
        file.seek(SeekFrom::Start(at))?;
    }
    Ok(())
}

/// The length of the next message and the bytes before it; none at the end.
fn message_length(file: &mut impl Read) -> Result<Option<(u64, u64)>, ArrowError> {
    let mut word = [0; 4];
    let mut prefix = 4;
    if file.read(&mut word[..1])? == 0 {
        return Ok(None);
    }
    file.read_exact(&mut word[1..])?;
    if word == CONTINUATION {
        file.read_exact(&mut word)?;
        prefix = 8;
    }
    let length = u64::try_from(i32::from_le_bytes(word)).map_err(|_| beyond("a message"))?;
    Ok(Some((length, prefix)))
}

fn beyond(what: &str) -> ArrowError {
    ArrowError::IpcError(format!("{what} lies beyond the file's end"))
}
