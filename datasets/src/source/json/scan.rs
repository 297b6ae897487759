//! Finds where JSON elements start and end, without reading them.

use memchr::memchr;

/// How objects follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Form {
    /// Elements of one array.
    Array,
    /// One a line.
    Lines,
}

/// What stands at a position.
pub(super) enum Found {
    Element {
        start: usize,
        end: usize,
        next: usize,
    },
    /// Nothing whole is left in the block.
    Incomplete,
    /// The text around the elements is not what the form says.
    Wrong(&'static str),
}

/// Walks over elements.
pub(super) struct Scanner {
    form: Form,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeArray,
    /// Behind `[`: an element or `]`.
    First,
    /// Behind an element: `,` or `]`.
    Behind,
    /// Behind `,`: an element.
    Next,
    AfterArray,
}

impl Scanner {
    pub(super) fn new(form: Form) -> Self {
        Self { form, place: Place::BeforeArray }
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Finds the next element from `at` on; `last` says that the block ends with the file.
    pub(super) fn next(&mut self, bytes: &[u8], at: usize, last: bool) -> Found {
        match self.form {
            Form::Lines => line(bytes, at, last),
            Form::Array => self.element(bytes, at, last),
        }
    }

    fn element(&mut self, bytes: &[u8], mut at: usize, last: bool) -> Found {
        // The place moves on only with a whole element: an unfinished one is looked at again with more text.
        let mut place = self.place;
        loop {
            at += bytes
                .get(at..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
            let Some(byte) = bytes.get(at) else {
                return match (last, place) {
                    (false, _) | (true, Place::AfterArray) => Found::Incomplete,
                    (true, _) => {
                        Found::Wrong("the file ends inside the JSON array; it was cut off: deliver it again")
                    }
                };
            };
            match (place, byte) {
                (Place::BeforeArray, b'[') => place = Place::First,
                (Place::BeforeArray, _) => {
                    return Found::Wrong(
                        "the file is not a JSON array of objects; if it has one object a line, its format is jsonl",
                    );
                }
                (Place::First | Place::Behind, b']') => place = Place::AfterArray,
                (Place::Behind, b',') => place = Place::Next,
                (Place::Behind, _) => {
                    return Found::Wrong("a comma is missing between elements of the JSON array");
                }
                (Place::First | Place::Next, _) => {
                    return match value_end(bytes, at) {
                        Some(next) if next > at => {
                            self.place = Place::Behind;
                            let value = bytes.get(at..next).unwrap_or_default().trim_ascii_end();
                            Found::Element { start: at, end: at + value.len(), next }
                        }
                        Some(_) => Found::Wrong("an element is missing in the JSON array"),
                        None if last => Found::Wrong(
                            "the file ends inside an element of the JSON array; it was cut off: deliver it again",
                        ),
                        None => Found::Incomplete,
                    };
                }
                (Place::AfterArray, _) => {
                    return Found::Wrong("text follows the JSON array; one file holds one array");
                }
            }
            at += 1;
        }
    }
}

fn line(bytes: &[u8], mut at: usize, last: bool) -> Found {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (length, next) = match memchr(b'\n', rest) {
            Some(length) => (length, at + length + 1),
            None if last && !rest.is_empty() => (rest.len(), bytes.len()),
            None => return Found::Incomplete,
        };
        let text = rest.get(..length).unwrap_or_default();
        let trimmed = text.trim_ascii();
        if !trimmed.is_empty() {
            let start = at + (length - text.trim_ascii_start().len());
            return Found::Element { start, end: start + trimmed.len(), next };
        }
        at = next;
    }
}

/// Finds the end of the value at `at`: its closing bracket, or what follows a plain value.
fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    let (mut depth, mut text, mut escaped) = (0_usize, false, false);
    for (offset, byte) in bytes.get(at..)?.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            _ if text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            b'}' | b']' if depth == 1 => return Some(at + offset + 1),
            b',' | b']' if depth == 0 => return Some(at + offset),
            _ => {}
        }
    }
    None
}
