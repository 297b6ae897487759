//! Checks of one item's typed values: null, range, pattern, code list.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Scalar};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::{gt, lt};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use basin_catalog::Item;
use regex::Regex;

use super::marks::{Marks, quoted};
use super::value::{Reading, parse};
use crate::error::{DatasetsError, Result};
use crate::manifest::ItemCheck;

/// Compiled checks of an item.
#[derive(Debug)]
pub(super) struct Checks {
    item: String,
    nullable: bool,
    min: Option<Limit>,
    max: Option<Limit>,
    pattern: Option<Regex>,
    codes: Option<Codes>,
}

#[derive(Debug)]
struct Limit {
    text: String,
    value: Scalar<ArrayRef>,
}

/// A code list and the name under which people know it.
#[derive(Debug)]
pub(super) struct Codes {
    pub(super) name: String,
    pub(super) values: Arc<HashSet<String>>,
}

impl Checks {
    pub(super) fn new(item: &Item, check: &ItemCheck, codes: Option<Codes>) -> Result<Self> {
        let limit = |part: &str, text: &Option<String>| {
            text.as_ref()
                .map(|text| limit(&format!("items.{}.check.{part}", item.name), text, item))
                .transpose()
        };
        let key = || format!("items.{}.check.pattern", item.name);
        let pattern = check.pattern.as_ref().map(|pattern| {
            Regex::new(pattern).map_err(|error| DatasetsError::manifest(key(), error.to_string()))
        });
        Ok(Self {
            item: item.name.to_string(),
            nullable: item.nullable,
            min: limit("min", &check.min)?,
            max: limit("max", &check.max)?,
            pattern: pattern.transpose()?,
            codes,
        })
    }

    /// Marks the rows whose value fails; NULL passes all but the null check.
    pub(super) fn run(&self, values: &ArrayRef, marks: &mut Marks) -> Result<()> {
        let item = Some(self.item.as_str());
        if !self.nullable && values.null_count() > 0 {
            for row in (0..values.len()).filter(|row| values.is_null(*row)) {
                marks.fail(row, "null", item, || {
                    format!("{} is blank or missing but must have a value", self.item)
                });
            }
        }
        if let Some(min) = &self.min {
            self.range(values, &lt(values, &min.value)?, &format!("below the minimum {}", min.text), marks)?;
        }
        if let Some(max) = &self.max {
            self.range(values, &gt(values, &max.value)?, &format!("above the maximum {}", max.text), marks)?;
        }
        if let (Some(pattern), Some(texts)) = (&self.pattern, values.as_string_opt::<i32>()) {
            each(
                texts,
                |text| pattern.is_match(text),
                |row, text| {
                    marks.fail(row, "pattern", item, || format!("{} does not match {pattern}", quoted(text)));
                },
            );
        }
        if let Some(codes) = &self.codes {
            let texts = cast(values, &DataType::Utf8)?;
            each(
                texts.as_string::<i32>(),
                |text| codes.values.contains(text),
                |row, text| {
                    marks.fail(row, "code_list", item, || {
                        format!("{} is not a code of {}", quoted(text), codes.name)
                    });
                },
            );
        }
        Ok(())
    }

    fn range(&self, values: &ArrayRef, outside: &BooleanArray, what: &str, marks: &mut Marks) -> Result<()> {
        if !outside.has_true() {
            return Ok(());
        }
        for row in (0..values.len()).filter(|row| outside.is_valid(*row) && outside.value(*row)) {
            let text = array_value_to_string(values, row)?;
            marks.fail(row, "range", Some(&self.item), || format!("{text} is {what}"));
        }
        Ok(())
    }
}

/// Tests each text; neighbours that are equal are tested once.
fn each(texts: &arrow::array::StringArray, test: impl Fn(&str) -> bool, mut fail: impl FnMut(usize, &str)) {
    let mut last: Option<(&str, bool)> = None;
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else { continue };
        let passed = match last {
            Some((same, passed)) if same == text => passed,
            _ => test(text),
        };
        last = Some((text, passed));
        if !passed {
            fail(row, text);
        }
    }
}

/// Reads a limit like the item's own values.
fn limit(key: &str, text: &str, item: &Item) -> Result<Limit> {
    let mut unread = false;
    let r#type = item.r#type.arrow();
    let value = parse(&vec![text].into(), &Reading::canonical(r#type), &mut |_, _| unread = true)?;
    if unread || value.is_null(0) {
        return Err(DatasetsError::manifest(key, format!("`{text}` is not a value of type {}", item.r#type)));
    }
    if value.data_type().is_nested() {
        return Err(DatasetsError::manifest(key, "lists have no range; use a row rule"));
    }
    Ok(Limit { text: text.to_owned(), value: Scalar::new(value) })
}
