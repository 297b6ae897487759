//! From the written shape to a checked manifest.

use std::collections::BTreeSet;

use basin_catalog::{CatalogEntry, DatasetDefinition, Item, ItemName, ItemType, Layout, Share};
use regex::Regex;

use super::kind::DeliveryKind;
use super::shape::{
    CheckShape, DatasetShape, DeliveryShape, DuplicateShape, ItemShape, ManifestShape, RuleShape,
};
use super::{FileLayout, ItemCheck, Manifest, OnDuplicate, Pooling, RowRule};
use crate::conform;
use crate::error::{DatasetsError, Result};

/// Rule names that pooling itself gives to rejects.
const RESERVED_RULES: [&str; 10] =
    ["fields", "encoding", "type", "null", "range", "pattern", "code_list", "route", "key", "duplicate"];

pub(super) fn manifest(text: &str) -> Result<Manifest> {
    let shape: ManifestShape = toml::from_str(text).map_err(|error| syntax(text, error))?;
    let checks: Vec<ItemCheck> = shape.items.iter().map(check).collect::<Result<_>>()?;
    let items: Vec<Item> = shape.items.into_iter().map(item).collect();
    let pooling = Pooling {
        max_rejected_share: share_of_rejects(shape.pooling.max_rejected_share)?,
        on_duplicate: on_duplicate(shape.pooling.on_duplicate),
    };
    let layout = Layout {
        key: shape.layout.key,
        sort: shape.layout.sort,
        partition: shape.layout.partition,
        slice: shape.layout.slice,
    };
    numbered(&pooling.on_duplicate, &items, &layout)?;
    let files = FileLayout {
        compact_above_files: Some(shape.layout.compact_above_files).filter(|files| *files > 0),
        bloom: bloom(shape.layout.bloom, &items)?,
    };
    let definition = DatasetDefinition {
        name: shape.dataset.name.clone(),
        entry: entry(shape.dataset)?,
        items,
        layout,
        manifest: text.to_owned(),
        terms: shape.policy,
        sandbox: None,
    };
    definition.validate()?;
    let manifest = Manifest {
        kinds: kinds(shape.delivery, &definition, &pooling.on_duplicate)?,
        rules: rules(shape.rules)?,
        definition,
        checks,
        pooling,
        files,
    };
    conform::verify(&manifest)?;
    Ok(manifest)
}

fn syntax(text: &str, error: toml::de::Error) -> DatasetsError {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
    let quoted = text.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
    DatasetsError::Manifest {
        key: format!("line {line} (`{quoted}`)"),
        reason: error.message().to_owned(),
        source: Some(error.into()),
    }
}

fn entry(shape: DatasetShape) -> Result<CatalogEntry> {
    let share = share(&shape)?;
    Ok(CatalogEntry {
        resource_code: shape.resource_code,
        name: shape.title,
        r#abstract: shape.r#abstract,
        provider: shape.provider,
        formats: shape.formats,
        share,
        share_modes: shape.share_modes.into_iter().collect(),
        open_type: shape.open_type,
        update_cycle: shape.update_cycle,
        issued: shape.issued.0,
        modified: shape.modified.map(|day| day.0),
        related_codes: shape.related_codes,
        region: shape.region,
        grade: shape.grade,
        licence: shape.licence,
        attribution: shape.attribution,
        quality: Vec::new(),
        node_id: None,
    })
}

fn share(shape: &DatasetShape) -> Result<Share> {
    let refuse = |key: &str, reason: &str| Err(DatasetsError::manifest(format!("dataset.{key}"), reason));
    let present = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    match (shape.share_type.as_str(), present(&shape.share_condition), present(&shape.legal_basis)) {
        ("unconditional", None, None) => Ok(Share::Unconditional),
        ("conditional", Some(condition), None) => Ok(Share::Conditional { condition }),
        ("none", None, Some(legal_basis)) => Ok(Share::None { legal_basis }),
        ("conditional", None, _) => {
            refuse("share_condition", "a conditional share needs its condition; add the key")
        }
        ("none", _, None) => {
            refuse("legal_basis", "share_type none needs the law or rule it rests on; add the key")
        }
        ("unconditional", _, _) => refuse(
            "share_type",
            "an unconditional share has neither share_condition nor legal_basis; remove them",
        ),
        ("conditional", _, Some(_)) => {
            refuse("legal_basis", "only share_type none has a legal basis; remove it")
        }
        ("none", Some(_), _) => {
            refuse("share_condition", "only a conditional share has a condition; remove it")
        }
        _ => refuse("share_type", "must be unconditional, conditional or none"),
    }
}

fn item(shape: ItemShape) -> Item {
    Item {
        name: shape.name,
        label: shape.label,
        description: shape.description,
        r#type: shape.r#type,
        unit: shape.unit,
        nullable: shape.nullable,
        role: shape.role,
        grade: shape.grade,
        code_list: shape.code_list,
        missing: shape.missing,
        mask: shape.mask,
    }
}

fn check(shape: &ItemShape) -> Result<ItemCheck> {
    let CheckShape { min, max, pattern } = &shape.check;
    if let Some(pattern) = pattern {
        let key = format!("items.{}.check.pattern", shape.name);
        if shape.r#type != ItemType::Text {
            return Err(DatasetsError::manifest(key, "only text items have a pattern; use min and max"));
        }
        regex(&key, pattern)?;
    }
    let text = |scalar: &Option<super::shape::Scalar>| scalar.as_ref().map(|scalar| scalar.0.clone());
    Ok(ItemCheck { min: text(min), max: text(max), pattern: pattern.clone() })
}

/// Compiles a regular expression that stands at `key`.
pub(super) fn regex(key: &str, pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| DatasetsError::Manifest {
        key: key.to_owned(),
        reason: format!("`{pattern}` is not a regular expression"),
        source: Some(error.into()),
    })
}

fn share_of_rejects(share: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(DatasetsError::manifest(
        "pooling.max_rejected_share",
        format!("{share} is not a share between 0 and 1"),
    ))
}

fn on_duplicate(shape: DuplicateShape) -> OnDuplicate {
    match shape {
        DuplicateShape::Refuse => OnDuplicate::Refuse,
        DuplicateShape::First => OnDuplicate::First,
        DuplicateShape::Last => OnDuplicate::Last,
        DuplicateShape::Reject => OnDuplicate::Reject,
        DuplicateShape::Number(item) => OnDuplicate::Number(item),
    }
}

/// The numbered item must be able to tell rows of one key apart.
fn numbered(on_duplicate: &OnDuplicate, items: &[Item], layout: &Layout) -> Result<()> {
    let OnDuplicate::Number(name) = on_duplicate else { return Ok(()) };
    let refuse = |reason: String| Err(DatasetsError::manifest("pooling.on_duplicate.number", reason));
    let Some(item) = items.iter().find(|item| item.name == *name) else {
        return refuse(format!("`{name}` is not an item; add it to [[items]] with an integer type"));
    };
    if !item.r#type.arrow().is_integer() {
        return refuse(format!("item `{name}` is {}; it must be an integer", item.r#type));
    }
    if !layout.key.contains(name) {
        return refuse(format!("item `{name}` is not in layout.key; add it there"));
    }
    Ok(())
}

/// Bloom filters answer whether a file holds a value, for values that are compared as they are.
fn bloom(names: Vec<ItemName>, items: &[Item]) -> Result<Vec<ItemName>> {
    for name in &names {
        let refuse = |reason: String| Err(DatasetsError::manifest("layout.bloom", reason));
        match items.iter().find(|item| item.name == *name) {
            None => return refuse(format!("`{name}` is not an item of the dataset")),
            Some(item) if !FileLayout::takes_bloom(&item.r#type) => {
                let reason =
                    format!("item `{name}` is {}; only texts and integers have bloom filters", item.r#type);
                return refuse(reason);
            }
            Some(_) => {}
        }
    }
    Ok(names)
}

fn rules(shapes: Vec<RuleShape>) -> Result<Vec<RowRule>> {
    let mut seen = BTreeSet::new();
    for shape in &shapes {
        let refuse = |reason| Err(DatasetsError::manifest(format!("rules.{}.name", shape.name), reason));
        if RESERVED_RULES.contains(&shape.name.as_str()) {
            return refuse("the name is used by pooling itself; choose another");
        }
        if shape.name.trim().is_empty() || !seen.insert(&shape.name) {
            return refuse("each rule needs a name of its own");
        }
    }
    Ok(shapes.iter().map(|shape| RowRule { name: shape.name.clone(), sql: shape.sql.clone() }).collect())
}

fn kinds(
    shapes: Vec<DeliveryShape>,
    definition: &DatasetDefinition,
    on_duplicate: &OnDuplicate,
) -> Result<Vec<DeliveryKind>> {
    if shapes.is_empty() {
        return Err(DatasetsError::manifest("delivery", "no kind of delivery; add a [[delivery]] table"));
    }
    let mut seen = BTreeSet::new();
    for shape in &shapes {
        if shape.kind.trim().is_empty() || !seen.insert(shape.kind.clone()) {
            let key = format!("delivery.{}.kind", shape.kind);
            return Err(DatasetsError::manifest(key, "each kind of delivery needs a name of its own"));
        }
    }
    let numbered: Option<&ItemName> = match on_duplicate {
        OnDuplicate::Number(item) => Some(item),
        OnDuplicate::Refuse | OnDuplicate::First | OnDuplicate::Last | OnDuplicate::Reject => None,
    };
    shapes.into_iter().map(|shape| super::build_kind::kind(shape, definition, numbered)).collect()
}
