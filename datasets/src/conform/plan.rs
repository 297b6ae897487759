//! The compiled mapping of raw columns to items, with its checks and row rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use basin_catalog::Item;

use super::check::{Checks, Codes};
use super::expression::{Compiler, Expression};
use super::marks::{Marks, quoted};
use super::value::{Reading, convert, parse};
use super::{CodeLists, header};
use crate::error::{DatasetsError, Result};
use crate::manifest::{ColumnSource, DeliveryKind, ItemCheck, Manifest};

/// Compiled items and rules.
#[derive(Debug)]
pub(super) struct Plan {
    items: Vec<ItemPlan>,
    rules: Vec<Rule>,
    /// The items, all nullable: rows that failed a check are still in it when the rules run.
    typed: SchemaRef,
}

#[derive(Debug)]
struct ItemPlan {
    name: String,
    type_name: String,
    origin: Origin,
    reading: Reading,
    checks: Checks,
}

/// Where the values are taken from.
#[derive(Debug)]
enum Origin {
    /// A raw column, or a part of the file name.
    Column(usize),
    Sql(Expression),
    /// One value for all rows: constants, and 1 for the numbered item, which is numbered when all rows are known.
    Same(ArrayRef),
    /// An optional column that is not there.
    Absent,
}

#[derive(Debug)]
struct Rule {
    name: String,
    sql: String,
    condition: Expression,
}

/// Compiles what does not depend on raw columns, so that a manifest's errors show when it is parsed.
pub(crate) fn verify(manifest: &Manifest) -> Result<()> {
    for (item, check) in manifest.definition().items.iter().zip(manifest.checks()) {
        Checks::new(item, check, None)?;
        for kind in manifest.kinds() {
            if let Some(ColumnSource::Constant(text)) = kind.columns().get(&item.name) {
                constant(kind, item, text)?;
            }
        }
    }
    rules(manifest, &typed_schema(manifest)).map(drop)
}

/// Adds the named parts of the file name to the raw columns, as `$file.NAME`.
pub(super) fn with_captures(raw: &Schema, kind: &DeliveryKind) -> Schema {
    let captures = kind.files().capture_names().flatten();
    let mut fields: Vec<Field> = raw.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.extend(captures.map(|name| Field::new(capture_column(name), DataType::Utf8, true)));
    Schema::new(fields)
}

fn capture_column(name: &str) -> String {
    format!("$file.{name}")
}

/// The items as defined, then where each row came from.
pub(super) fn output_schema(manifest: &Manifest) -> SchemaRef {
    let items = manifest.definition().arrow_schema();
    let mut fields: Vec<Field> = items.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new("_file", DataType::UInt32, false));
    fields.push(Field::new("_line", DataType::UInt64, false));
    Arc::new(Schema::new(fields))
}

fn typed_schema(manifest: &Manifest) -> Schema {
    let items = manifest.definition().arrow_schema();
    Schema::new(
        items.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
    )
}

fn rules(manifest: &Manifest, typed: &Schema) -> Result<Vec<Rule>> {
    let compiler = Compiler::new(typed)?;
    let compile = |rule: &crate::manifest::RowRule| {
        let condition = compiler.condition(&format!("rules.{}.sql", rule.name), &rule.sql)?;
        Ok(Rule { name: rule.name.clone(), sql: rule.sql.clone(), condition })
    };
    manifest.rules().iter().map(compile).collect()
}

fn constant(kind: &DeliveryKind, item: &Item, text: &str) -> Result<ArrayRef> {
    let mut unread = false;
    let reading = Reading::canonical(item.r#type.arrow());
    let value = parse(&StringArray::from(vec![text]), &reading, &mut |_, _| unread = true)?;
    if unread {
        let key = format!("delivery.{}.columns.{}.constant", kind.kind(), item.name);
        return Err(DatasetsError::manifest(key, format!("`{text}` is not a value of type {}", item.r#type)));
    }
    Ok(value)
}

impl Plan {
    pub(super) fn new(
        manifest: &Manifest,
        kind: &DeliveryKind,
        raw: &Schema,
        compiler: &Compiler,
        code_lists: &CodeLists,
    ) -> Result<Self> {
        let items = manifest.definition().items.iter().zip(manifest.checks());
        let item = |(item, check): (&Item, &ItemCheck)| {
            Ok(ItemPlan {
                name: item.name.to_string(),
                type_name: item.r#type.to_string(),
                origin: origin(kind, item, raw, compiler)?,
                reading: reading(kind, item),
                checks: Checks::new(item, check, codes(item, code_lists)?)?,
            })
        };
        let typed = typed_schema(manifest);
        Ok(Self {
            items: items.map(item).collect::<Result<_>>()?,
            rules: rules(manifest, &typed)?,
            typed: Arc::new(typed),
        })
    }

    /// Returns the raw columns that SQL mappings read.
    pub(super) fn columns_in_sql(&self) -> BTreeSet<String> {
        let of = |item: &ItemPlan| match &item.origin {
            Origin::Sql(expression) => expression.columns(),
            Origin::Column(_) | Origin::Same(_) | Origin::Absent => BTreeSet::new(),
        };
        self.items.iter().flat_map(of).collect()
    }

    /// Reads and checks all items of some rows.
    pub(super) fn run(&self, rows: &RecordBatch) -> Result<(Vec<ArrayRef>, Marks)> {
        let mut marks = Marks::default();
        let columns: Vec<ArrayRef> =
            self.items.iter().map(|item| item.run(rows, &mut marks)).collect::<Result<_>>()?;
        if !self.rules.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let typed =
                RecordBatch::try_new_with_options(Arc::clone(&self.typed), columns.clone(), &options)?;
            for rule in &self.rules {
                rule.run(&typed, &mut marks)?;
            }
        }
        Ok((columns, marks))
    }
}

fn reading(kind: &DeliveryKind, item: &Item) -> Reading {
    let mut reading = Reading::canonical(item.r#type.arrow());
    reading.missing = item.missing.keys().map(|label| label.trim().to_owned()).collect();
    match kind.columns().get(&item.name) {
        Some(ColumnSource::Raw(from)) => {
            reading.formats.clone_from(&from.formats);
            reading.decimal_comma = from.decimal_comma;
            reading.trim = from.trim;
        }
        Some(ColumnSource::File { formats, .. }) => reading.formats.clone_from(formats),
        Some(ColumnSource::Constant(_) | ColumnSource::Sql(_)) | None => {}
    }
    reading
}

fn origin(kind: &DeliveryKind, item: &Item, raw: &Schema, compiler: &Compiler) -> Result<Origin> {
    Ok(match kind.columns().get(&item.name) {
        // A column that is absent without being optional is shown by `header::compare`.
        Some(ColumnSource::Raw(from)) => header::position(raw, from).map_or(Origin::Absent, Origin::Column),
        Some(ColumnSource::File { capture, .. }) => Origin::Column(raw.index_of(&capture_column(capture))?),
        Some(ColumnSource::Constant(text)) => Origin::Same(constant(kind, item, text)?),
        Some(ColumnSource::Sql(sql)) => Origin::Sql(
            compiler.compile(&format!("delivery.{}.columns.{}.sql", kind.kind(), item.name), sql)?,
        ),
        None => Origin::Same(constant(kind, item, "1")?),
    })
}

fn codes(item: &Item, code_lists: &CodeLists) -> Result<Option<Codes>> {
    let Some(list) = &item.code_list else { return Ok(None) };
    let name = format!("{}.{}", list.dataset, list.item);
    let Some(values) = code_lists.get(&list.dataset, &list.item) else {
        let key = format!("items.{}.code_list", item.name);
        return Err(DatasetsError::manifest(
            key,
            format!("{name} has no published values; pool {} first", list.dataset),
        ));
    };
    Ok(Some(Codes { name, values: Arc::clone(values) }))
}

impl ItemPlan {
    /// Returns the typed column, marking the rows that fail.
    fn run(&self, rows: &RecordBatch, marks: &mut Marks) -> Result<ArrayRef> {
        let values = match &self.origin {
            Origin::Column(at) => self.typed(rows.column(*at), marks)?,
            Origin::Sql(expression) => {
                let values = expression.evaluate(rows, &mut |row, error| {
                    marks.fail(row, "type", Some(&self.name), || {
                        format!("the sql of {} fails: {error}", self.name)
                    });
                })?;
                self.typed(&values, marks)?
            }
            Origin::Same(value) => {
                let zeros = arrow::array::UInt32Array::from_value(0, rows.num_rows());
                take(value, &zeros, None)?
            }
            Origin::Absent => new_null_array(&self.reading.r#type, rows.num_rows()),
        };
        self.checks.run(&values, marks)?;
        Ok(values)
    }

    fn typed(&self, values: &ArrayRef, marks: &mut Marks) -> Result<ArrayRef> {
        let typed = convert(values, &self.reading, &mut |row, text| {
            marks.fail(row, "type", Some(&self.name), || self.unread(text));
        })?;
        // Timestamps of equal unit may still differ in how the zone is written.
        if *typed.data_type() == self.reading.r#type {
            Ok(typed)
        } else {
            Ok(cast(&typed, &self.reading.r#type)?)
        }
    }

    fn unread(&self, text: &str) -> String {
        match self.reading.formats.as_slice() {
            [] => format!("{} is not {}", quoted(text), self.type_name),
            formats => format!("{} is not {} as {}", quoted(text), self.type_name, formats.join(" or ")),
        }
    }
}

impl Rule {
    /// Marks the rows for which the condition is false; unknown passes.
    fn run(&self, rows: &RecordBatch, marks: &mut Marks) -> Result<()> {
        let holds = self.condition.test(rows, &mut |row, error| {
            marks.fail(row, &self.name, None, || format!("{} can't be decided: {error}", self.sql));
        })?;
        if holds.has_false() {
            for row in (0..holds.len()).filter(|row| holds.is_valid(*row) && !holds.value(*row)) {
                marks.fail(row, &self.name, None, || format!("{} is false", self.sql));
            }
        }
        Ok(())
    }
}
