//! Which fields two definitions of a dataset differ in, by their path.

use std::collections::BTreeMap;
use std::fmt;

use basin_catalog::{DatasetDefinition, Digest};
use serde::Serialize;
use serde_json::Value;

use crate::commands::error::{CommandError, Result};

/// A field whose value is not the same in both definitions; absent is `None`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) field: String,
    pub(super) a: Option<Value>,
    pub(super) b: Option<Value>,
}

/// Lists the fields in which `a` and `b` differ, in order of their path.
pub(super) fn differences(a: &DatasetDefinition, b: &DatasetDefinition) -> Result<Vec<Difference>> {
    let (mut fields_a, mut fields_b) = (BTreeMap::new(), BTreeMap::new());
    flatten("", value(a)?, &mut fields_a);
    flatten("", value(b)?, &mut fields_b);
    Ok(compared(fields_a, fields_b))
}

fn value(definition: &DatasetDefinition) -> Result<Value> {
    let value = serde_json::to_value(definition);
    let mut value =
        value.map_err(|source| CommandError::Format { form: "JSON", source: Box::new(source) })?;
    if let Value::Object(fields) = &mut value {
        // Most of its text is in the other fields; that the rest changed is enough to say.
        let digest = Digest::of(definition.manifest.as_bytes());
        fields.insert("manifest".to_owned(), format!("sha256 {}", digest.as_hex()).into());
    }
    Ok(value)
}

fn compared(a: BTreeMap<String, Value>, mut b: BTreeMap<String, Value>) -> Vec<Difference> {
    let mut differences: Vec<Difference> = a
        .into_iter()
        .filter_map(|(field, a)| {
            let b = b.remove(&field);
            (b.as_ref() != Some(&a)).then_some(Difference { field, a: Some(a), b })
        })
        .collect();
    differences.extend(b.into_iter().map(|(field, b)| Difference { field, a: None, b: Some(b) }));
    differences.sort_by(|one, other| one.field.cmp(&other.field));
    differences
}

/// Breaks a value into its leaves; things in a list are known by their name when they have one,
/// so that a new item doesn't make all later ones look changed.
fn flatten(path: &str, value: Value, leaves: &mut BTreeMap<String, Value>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                flatten(&below(&key), value, leaves);
            }
        }
        Value::Array(values) if values.iter().all(|value| name_of(value).is_some()) => {
            for value in values {
                let key = name_of(&value).unwrap_or_default().to_owned();
                flatten(&below(&key), value, leaves);
            }
        }
        Value::Null => {}
        leaf => {
            leaves.insert(path.to_owned(), leaf);
        }
    }
}

fn name_of(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, a, b } = self;
        match (a, b) {
            (Some(a), Some(b)) => write!(f, "{field}: {a} → {b}"),
            (Some(a), None) => write!(f, "{field}: {a} → removed"),
            (None, Some(b)) => write!(f, "{field}: added, {b}"),
            (None, None) => write!(f, "{field}: absent"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn diff(a: Value, b: Value) -> Vec<String> {
        let (mut leaves_a, mut leaves_b) = (BTreeMap::new(), BTreeMap::new());
        flatten("", a, &mut leaves_a);
        flatten("", b, &mut leaves_b);
        compared(leaves_a, leaves_b).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn items_are_compared_by_name() {
        let a = json!({"items": [{"name": "date", "type": "date"}, {"name": "dead", "type": "int64"}]});
        let b = json!({"items": [
            {"name": "city", "type": "text"},
            {"name": "date", "type": "date"},
            {"name": "dead", "type": "int32"},
        ]});
        assert_eq!(
            diff(a, b),
            [
                r#"items.city.name: added, "city""#,
                r#"items.city.type: added, "text""#,
                r#"items.dead.type: "int64" → "int32""#,
            ]
        );
    }

    #[test]
    fn equal_definitions_have_no_difference() {
        let value = json!({"entry": {"licence": "MIT", "region": null}, "layout": {"key": ["date"]}});
        assert_eq!(diff(value.clone(), value), Vec::<String>::new());
    }
}
