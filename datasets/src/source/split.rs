//! Splits delimited text into records and fields without copying.
//!
//! RFC 4180 with any delimiter and quote: a quote counts at a field's start, is doubled inside, and may hold line ends.
//! A lone quote inside an unquoted field is text.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2};

/// The bytes that structure the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    /// `\n` (a `\r` before it is dropped), or `\r` in files that have no `\n`.
    pub(super) terminator: u8,
}

/// Part of a block that is one field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Whether doubled quotes are inside.
    pub(super) escaped: bool,
}

/// What was found at a position.
#[derive(Debug)]
pub(super) enum Step {
    /// A record; its fields were appended.
    Record(Record),
    /// The block ends inside the record.
    Incomplete,
    /// The file ends inside quotes.
    Unclosed,
}

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    /// End of its text, without the line end.
    pub(super) end: usize,
    /// Where the next one starts.
    pub(super) next: usize,
    /// Physical lines it takes.
    pub(super) lines: u64,
    /// Whether text follows a closing quote.
    pub(super) stray: bool,
}

/// How a field ended.
enum End {
    Delimiter(usize),
    Record { end: usize, next: usize },
}

impl Dialect {
    /// Returns a field's text, doubled quotes undone.
    pub(super) fn value<'a>(&self, block: &'a str, field: Field) -> Cow<'a, str> {
        let text = block.get(field.start as usize..field.end as usize).unwrap_or_default();
        match self.quote {
            Some(quote) if field.escaped => {
                let quote = char::from(quote);
                Cow::Owned(text.replace(&format!("{quote}{quote}"), &quote.to_string()))
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// Reads one record at `start`; `last` says that the block ends with the file.
    pub(super) fn record(&self, bytes: &[u8], start: usize, last: bool, fields: &mut Vec<Field>) -> Step {
        let (before, mut at, mut lines, mut stray) = (fields.len(), start, 0, false);
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let quoted = self.quote.is_some() && rest.first().copied() == self.quote;
            let end = if quoted {
                let Some((close, escaped)) = self.closing(rest) else {
                    fields.truncate(before);
                    return if last { Step::Unclosed } else { Step::Incomplete };
                };
                let inside = rest.get(1..close).unwrap_or_default();
                lines += memchr_iter(self.terminator, inside).count() as u64;
                fields.push(field(at + 1, at + close, escaped));
                let behind = at + close + 1;
                self.field_end(bytes, behind, last).map(|end| {
                    let ended = match end {
                        End::Delimiter(ended) => ended,
                        End::Record { end, .. } => end,
                    };
                    stray |= ended != behind;
                    end
                })
            } else {
                self.field_end(bytes, at, last).inspect(|end| match end {
                    End::Delimiter(end) | End::Record { end, .. } => fields.push(field(at, *end, false)),
                })
            };
            match end {
                Some(End::Delimiter(end)) => at = end + 1,
                Some(End::Record { end, next }) => {
                    return Step::Record(Record { end, next, lines: lines + 1, stray });
                }
                None => {
                    fields.truncate(before);
                    return Step::Incomplete;
                }
            }
        }
    }

    /// Finds the closing quote of a field that starts with one; says whether doubled quotes are inside.
    ///
    /// A quote at the very end of an unfinished block may be the first of a doubled one: the caller then finds no field
    /// end behind it and asks again with more text.
    fn closing(&self, rest: &[u8]) -> Option<(usize, bool)> {
        let quote = self.quote?;
        let (mut at, mut escaped) = (1, false);
        loop {
            at += memchr(quote, rest.get(at..)?)?;
            if rest.get(at + 1) != Some(&quote) {
                return Some((at, escaped));
            }
            escaped = true;
            at += 2;
        }
    }

    /// Finds the end of the field: the next delimiter or line end from `at` on.
    #[inline]
    fn field_end(&self, bytes: &[u8], at: usize, last: bool) -> Option<End> {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(length) = memchr2(self.delimiter, self.terminator, rest) else {
            return last
                .then(|| End::Record { end: self.trimmed(bytes, at, bytes.len()), next: bytes.len() });
        };
        let end = at + length;
        if rest.get(length) == Some(&self.delimiter) {
            return Some(End::Delimiter(end));
        }
        Some(End::Record { end: self.trimmed(bytes, at, end), next: end + 1 })
    }

    /// Drops the `\r` of a `\r\n`.
    #[inline]
    fn trimmed(&self, bytes: &[u8], at: usize, end: usize) -> usize {
        let returned = self.terminator == b'\n' && end > at && bytes.get(end - 1) == Some(&b'\r');
        if returned { end - 1 } else { end }
    }
}

/// Blocks are shorter than 4 GiB: a record is at most 64 MiB and a portion follows it.
#[inline]
fn field(start: usize, end: usize, escaped: bool) -> Field {
    Field { start: start as u32, end: end as u32, escaped }
}
