//! Bytes to text: finds the encoding and decodes block by block.
//!
//! A byte that does not fit is an error, never a replacement character.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, GB18030, GBK, UTF_8};

use super::{OnBytes, SourceFile};
use crate::error::{DatasetsError, Result};
use crate::manifest::Encoding;

/// Bytes read at once: large enough for sequential reads, small enough to stay in a core's cache.
const READ_BYTES: usize = 1 << 20;

/// Bytes that show what kind of file it is.
const START_BYTES: u64 = 4096;

/// How many bytes from the first invalid one on are looked at to guess the encoding.
const GUESS_BYTES: usize = 4 << 20;

/// Reads a file as text.
pub(super) struct TextReader {
    file: File,
    source: SourceFile,
    encoding: &'static encoding_rs::Encoding,
    assumed: &'static str,
    /// `None` for UTF-8, which needs no conversion.
    decoder: Option<Decoder>,
    /// Bytes of an unfinished character (UTF-8), at most three.
    tail: Vec<u8>,
    /// Offset in the file of what is decoded next.
    offset: u64,
    ended: bool,
    on_bytes: OnBytes,
}

impl TextReader {
    /// Opens a file, finding its encoding first.
    pub(super) fn open(source: &SourceFile, encoding: Encoding, on_bytes: &OnBytes) -> Result<Self> {
        let (encoding, bom, assumed) = find(source, encoding)?;
        let mut file = open(source)?;
        let mut mark = vec![0; bom];
        file.read_exact(&mut mark).map_err(|error| unreadable(source, error))?;
        on_bytes(bom as u64);
        if source.bytes == bom as u64 {
            return Err(DatasetsError::file(
                &source.name,
                "the file holds nothing but a byte order mark; deliver it again",
            ));
        }
        Ok(Self {
            file,
            source: source.clone(),
            encoding,
            assumed,
            decoder: (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling()),
            tail: Vec::new(),
            offset: bom as u64,
            ended: false,
            on_bytes: Arc::clone(on_bytes),
        })
    }

    /// Tells whether everything was read.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Appends the next portion, at least `bytes` long where the file has as much.
    pub(super) fn read(&mut self, text: String, bytes: usize) -> Result<String> {
        let mut raw = std::mem::take(&mut self.tail);
        let kept = raw.len();
        let want = bytes.max(READ_BYTES);
        if self.decoder.is_none() {
            // Decoding in place: the block starts with the text that is already there.
            let start = text.len();
            let mut block = text.into_bytes();
            block.reserve(kept + want);
            block.append(&mut raw);
            self.fill(&mut block, want)?;
            return self.utf8(block, start);
        }
        self.fill(&mut raw, want)?;
        self.convert(text, &raw)
    }

    fn fill(&mut self, buffer: &mut Vec<u8>, want: usize) -> Result<()> {
        let taken = (&mut self.file).take(want as u64).read_to_end(buffer);
        let taken = taken.map_err(|error| unreadable(&self.source, error))?;
        self.ended = taken < want;
        (self.on_bytes)(taken as u64);
        Ok(())
    }

    fn utf8(&mut self, block: Vec<u8>, start: usize) -> Result<String> {
        let error = match String::from_utf8(block) {
            Ok(text) => {
                self.offset += (text.len() - start) as u64;
                return Ok(text);
            }
            Err(error) => error,
        };
        let (valid, cut_off) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_none());
        self.offset += valid.saturating_sub(start) as u64;
        if !cut_off || self.ended {
            return Err(self.malformed(self.offset));
        }
        let mut block = error.into_bytes();
        self.tail = block.split_off(valid);
        String::from_utf8(block).map_err(|_| self.malformed(self.offset))
    }

    fn convert(&mut self, mut text: String, raw: &[u8]) -> Result<String> {
        let Some(decoder) = self.decoder.as_mut() else { return Ok(text) };
        let mut rest = raw;
        loop {
            text.reserve(
                decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len() * 3),
            );
            let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut text, self.ended);
            self.offset += read as u64;
            rest = rest.get(read..).unwrap_or_default();
            match result {
                DecoderResult::InputEmpty => return Ok(text),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(bytes, after) => {
                    let at = self.offset.saturating_sub(u64::from(bytes) + u64::from(after));
                    return Err(self.malformed(at));
                }
            }
        }
    }

    fn malformed(&self, offset: u64) -> DatasetsError {
        let encoding = self.encoding.name();
        let wide = encoding.starts_with("UTF-16");
        DatasetsError::Source {
            file: self.source.name.clone(),
            line: if wide { None } else { line_at(&self.source, offset) },
            reason: format!(
                "the byte at offset {offset} is not {encoding}, which was {}; if the file is in another encoding, set \
                 `encoding` in the delivery's format in the manifest, else have the file corrected",
                self.assumed
            ),
            source: None,
        }
    }
}

/// Finds the encoding, the length of the byte order mark, and why it was assumed.
fn find(
    source: &SourceFile,
    declared: Encoding,
) -> Result<(&'static encoding_rs::Encoding, usize, &'static str)> {
    let mut start = Vec::new();
    let read = open(source)?.take(START_BYTES).read_to_end(&mut start);
    read.map_err(|error| unreadable(source, error))?;
    if let Some((encoding, bom)) = encoding_rs::Encoding::for_bom(&start) {
        return Ok((encoding, bom, "named by its byte order mark"));
    }
    let is_wide = matches!(declared, Encoding::Fixed(encoding) if encoding.name().starts_with("UTF-16"));
    if let (false, Some(at)) = (is_wide, memchr::memchr(0, &start)) {
        return Err(DatasetsError::file(
            &source.name,
            format!(
                "the byte at offset {at} is zero, which text does not hold; if the file is UTF-16 without a byte order \
                 mark, set `encoding = \"utf-16le\"` in the delivery's format in the manifest, else it is no text file"
            ),
        ));
    }
    match declared {
        Encoding::Fixed(encoding) => Ok((encoding, 0, "set in the manifest")),
        Encoding::Auto => match first_invalid(source)? {
            None => Ok((UTF_8, 0, "assumed because all of the file is valid")),
            Some((offset, sample)) => guess(source, offset, &sample),
        },
    }
}

/// Returns the offset of the first byte that is not UTF-8 and what follows it.
fn first_invalid(source: &SourceFile) -> Result<Option<(u64, Vec<u8>)>> {
    let mut file = open(source)?;
    let (mut block, mut offset) = (Vec::with_capacity(READ_BYTES + 4), 0_u64);
    loop {
        let read = (&mut file).take(READ_BYTES as u64).read_to_end(&mut block);
        let ended = read.map_err(|error| unreadable(source, error))? < READ_BYTES;
        match std::str::from_utf8(&block) {
            Ok(_) => {
                offset += block.len() as u64;
                block.clear();
            }
            Err(error) => {
                offset += error.valid_up_to() as u64;
                block.drain(..error.valid_up_to());
                if error.error_len().is_some() || ended {
                    let more = file.take(GUESS_BYTES as u64).read_to_end(&mut block);
                    more.map_err(|error| unreadable(source, error))?;
                    return Ok(Some((offset, block)));
                }
            }
        }
        if ended {
            return Ok(None);
        }
    }
}

fn guess(
    source: &SourceFile,
    offset: u64,
    sample: &[u8],
) -> Result<(&'static encoding_rs::Encoding, usize, &'static str)> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    let found = detector.guess(None, Utf8Detection::Deny);
    if found == GBK || found == GB18030 {
        return Ok((GB18030, 0, "assumed because it is not UTF-8 and looks like Chinese"));
    }
    Err(DatasetsError::Source {
        file: source.name.clone(),
        line: line_at(source, offset),
        reason: format!(
            "the byte at offset {offset} is not UTF-8, and the text does not look like GB18030 (rather like {}); set \
             `encoding` in the delivery's format in the manifest, or have the file corrected",
            found.name()
        ),
        source: None,
    })
}

/// Counts lines up to an offset; only errors pay for it.
fn line_at(source: &SourceFile, offset: u64) -> Option<u64> {
    let mut before = Vec::new();
    let (mut file, mut line, mut left) = (open(source).ok()?, 1, offset);
    while left > 0 {
        before.clear();
        let read = (&mut file).take(left.min(READ_BYTES as u64)).read_to_end(&mut before).ok()?;
        if read == 0 {
            break;
        }
        line += memchr::memchr_iter(b'\n', &before).count() as u64;
        left -= read as u64;
    }
    Some(line)
}

fn open(source: &SourceFile) -> Result<File> {
    File::open(&source.path).map_err(|error| unreadable(source, error))
}

/// Wraps an input error with the file's path.
pub(super) fn unreadable(source: &SourceFile, error: std::io::Error) -> DatasetsError {
    DatasetsError::Io { path: source.path.clone(), source: error }
}
