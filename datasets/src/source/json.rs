//! JSON: an array of objects, or one object a line.
//!
//! The file is read twice: first for the names of all members, so that the columns are known before the first batch and
//! a member that appears late is not lost; then for the values. Numbers keep their text, nested values their JSON text.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::SchemaRef;

use super::block::Blocks;
use super::header::text_schema;
use super::raw::{RawBatch, RawRows, append, cut};
use super::{OnBytes, RawBatches, SourceFile, batches};
use crate::conform::Reject;
use crate::error::{DatasetsError, Result};
use crate::manifest::Encoding;

mod object;
mod scan;

use object::{members, names};
pub(super) use scan::Form;
use scan::{Found, Scanner};

/// Opens JSON text.
pub(super) fn open(
    file: &SourceFile,
    encoding: Encoding,
    form: Form,
    batch_rows: usize,
    on_bytes: &OnBytes,
) -> Result<RawBatches> {
    let schema = schema(file, encoding, form)?;
    let columns = schema.fields().iter().enumerate().map(|(at, field)| (field.name().clone(), at)).collect();
    let mut reader = JsonReader {
        elements: Elements::open(file, encoding, form, on_bytes)?,
        index: file.index,
        name: Arc::from(file.name.as_str()),
        schema,
        columns,
        batch_rows,
        emitted: false,
    };
    Ok(batches(move || reader.next_batch()))
}

/// First pass: the members' names in order of appearance.
fn schema(file: &SourceFile, encoding: Encoding, form: Form) -> Result<SchemaRef> {
    let mut elements = Elements::open(file, encoding, form, &(Arc::new(|_| ()) as OnBytes))?;
    let (mut seen, mut ordered) = (HashMap::new(), Vec::new());
    while let Some(element) = elements.next_element()? {
        // What is not an object becomes a reject in the second pass.
        for name in names(elements.text(&element)).unwrap_or_default() {
            if !seen.contains_key(&name) {
                seen.insert(name.clone(), ordered.len());
                ordered.push(name);
            }
        }
    }
    if ordered.is_empty() {
        return Err(DatasetsError::file(
            &file.name,
            "no JSON object was found, so there are no columns; deliver it again",
        ));
    }
    text_schema(&file.name, ordered)
}

/// Part of the current block that is one element.
struct Element {
    start: usize,
    end: usize,
    /// Line, or ordinal in an array.
    line: u64,
}

/// Cuts elements from blocks.
struct Elements {
    file: String,
    blocks: Blocks,
    scanner: Scanner,
    ordinal: u64,
}

impl Elements {
    fn open(file: &SourceFile, encoding: Encoding, form: Form, on_bytes: &OnBytes) -> Result<Self> {
        let blocks = Blocks::open(file, encoding, on_bytes)?;
        Ok(Self { file: file.name.clone(), blocks, scanner: Scanner::new(form), ordinal: 0 })
    }

    fn text(&self, element: &Element) -> &str {
        self.blocks.block().get(element.start..element.end).unwrap_or_default()
    }

    /// Returns the next element, reading on where the block ends.
    fn next_element(&mut self) -> Result<Option<Element>> {
        loop {
            if let Some(found) = self.next_in_block()? {
                return Ok(Some(found));
            }
            if !self.blocks.refill()? {
                return Ok(None);
            }
        }
    }

    /// Returns the next element that is whole in the current block.
    fn next_in_block(&mut self) -> Result<Option<Element>> {
        let (position, line, last) = (self.blocks.position(), self.blocks.line(), self.blocks.is_last());
        let bytes = self.blocks.block().as_bytes();
        match self.scanner.next(bytes, position, last) {
            Found::Element { start, end, next } => {
                let newlines =
                    |from, to| memchr::memchr_iter(b'\n', bytes.get(from..to).unwrap_or_default()).count();
                let starts = line + newlines(position, start) as u64;
                let follows = starts + newlines(start, next) as u64;
                self.ordinal += 1;
                let line = if self.scanner.form() == Form::Lines { starts } else { self.ordinal };
                self.blocks.advance(next, follows);
                Ok(Some(Element { start, end, line }))
            }
            Found::Incomplete => Ok(None),
            Found::Wrong(reason) => Err(DatasetsError::Source {
                file: self.file.clone(),
                line: Some(line),
                reason: reason.to_owned(),
                source: None,
            }),
        }
    }
}

struct JsonReader {
    elements: Elements,
    index: u32,
    name: Arc<str>,
    schema: SchemaRef,
    columns: HashMap<String, usize>,
    batch_rows: usize,
    emitted: bool,
}

impl JsonReader {
    fn next_batch(&mut self) -> Result<Option<RawBatch>> {
        let mut builders: Vec<_> = self.schema.fields().iter().map(|_| StringBuilder::new()).collect();
        let (mut spans, mut lines, mut malformed) = (Vec::new(), Vec::new(), Vec::new());
        // A batch's raw text is part of one block, so a batch ends with its block.
        while spans.len() < self.batch_rows {
            let element = match self.elements.next_in_block()? {
                Some(element) => element,
                None if !spans.is_empty() || !malformed.is_empty() => break,
                None if self.elements.blocks.refill()? => continue,
                None => break,
            };
            let text = self.elements.text(&element);
            match members(text, &self.columns) {
                Ok(values) => {
                    for (builder, value) in builders.iter_mut().zip(values) {
                        append(builder, &value.unwrap_or_default());
                    }
                    spans.push((element.start as u32, element.end as u32));
                    lines.push(element.line);
                }
                Err(error) => malformed.push(Reject {
                    file: self.index,
                    line: element.line,
                    raw: cut(text),
                    rule: "fields".to_owned(),
                    item: None,
                    reason: format!("not a JSON object with each member once: {error}"),
                }),
            }
        }
        if spans.is_empty() && malformed.is_empty() && self.emitted {
            return Ok(None);
        }
        self.emitted = true;
        let columns = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(spans.len()));
        Ok(Some(RawBatch {
            file: self.index,
            name: Arc::clone(&self.name),
            rows: RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?,
            lines,
            raw: RawRows::Text { block: Arc::clone(self.elements.blocks.block()), spans },
            malformed,
        }))
    }
}
