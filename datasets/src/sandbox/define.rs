//! The definition of a sandbox dataset: its columns from the rows, its policy from where they come from.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, TimeUnit};
use basin_catalog::{
    CatalogEntry, DatasetDefinition, DatasetName, Digest, Grade, Item, ItemName, ItemRole, ItemType, Layout,
    LocalText, OpenType, OrganisationCode, Sandbox, Share, ShareMode, Snapshot, Terms, UpdateCycle,
};
use chrono::Utc;
use uuid::Uuid;

use super::{SandboxWrite, refused};
use crate::{DatasetsError, Result};

/// Titles have at most this many characters.
const TITLE_CHARS: usize = 50;
/// The class of the resource codes of sandbox datasets: none of the standard's.
const RESOURCE_CLASS: &str = "900000";

/// A column of a new sandbox dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxColumn {
    /// Its name.
    pub name: String,
    /// Its type, as rows have it; it is stored as the nearest item type.
    pub data_type: DataType,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// Defines a new dataset. Its grade is the strictest of what it was made from, and so is who sees it.
pub(super) fn definition(
    snapshot: &Snapshot,
    write: &SandboxWrite,
    columns: &[SandboxColumn],
) -> Result<DatasetDefinition> {
    let Sources { derived_from, under, grade } = sources(snapshot, &write.reads)?;
    let items = columns.iter().map(item).collect::<Result<Vec<_>>>()?;
    let definition = DatasetDefinition {
        name: write.name.clone(),
        entry: entry(snapshot, write, &derived_from, grade)?,
        items,
        layout: Layout::default(),
        manifest: String::new(),
        terms: Terms::default(),
        sandbox: Some(Sandbox { owner: write.owner.clone(), derived_from, under }),
    };
    definition.validate().map_err(|error| refused(error.to_string()))?;
    Ok(definition)
}

/// The definition after rows of other datasets came in; none when nothing changes.
///
/// # Errors
/// `Refused` when rows of one dataset were read under two accesses.
pub(super) fn widened(
    snapshot: &Snapshot,
    definition: &DatasetDefinition,
    reads: &[(DatasetName, Digest)],
) -> Result<Option<DatasetDefinition>> {
    let mut more = sources(snapshot, reads)?;
    let Some(sandbox) = definition.sandbox.as_ref() else { return Ok(None) };
    let derived_from: BTreeSet<DatasetName> =
        sandbox.derived_from.union(&more.derived_from).cloned().collect();
    for (source, under) in &sandbox.under {
        more.add(source, under)?;
    }
    let Sources { under, grade, .. } = more;
    if derived_from == sandbox.derived_from && under == sandbox.under && grade <= definition.entry.grade {
        return Ok(None);
    }
    let mut next = definition.clone();
    next.entry.grade = next.entry.grade.max(grade);
    next.sandbox = Some(Sandbox { owner: sandbox.owner.clone(), derived_from, under });
    Ok(Some(next))
}

/// The providers' datasets behind what was read, under which access, and the strictest of their grades.
#[derive(Debug, Default)]
struct Sources {
    derived_from: BTreeSet<DatasetName>,
    under: BTreeMap<DatasetName, Digest>,
    grade: Grade,
}

impl Sources {
    /// Rows of one dataset that were read under different accesses can't be told apart any more.
    fn add(&mut self, source: &DatasetName, under: &Digest) -> Result<()> {
        let before = self.under.insert(source.clone(), under.clone());
        if before.is_some_and(|before| before != *under) {
            return Err(refused(format!(
                "its rows of {source} would come from two different accesses (another purpose, grant or policy); write to a new table"
            )));
        }
        self.derived_from.insert(source.clone());
        Ok(())
    }
}

fn sources(snapshot: &Snapshot, reads: &[(DatasetName, Digest)]) -> Result<Sources> {
    let mut found = Sources::default();
    for (name, under) in reads {
        let state = snapshot.datasets().get(name);
        found.grade =
            found.grade.max(state.map_or_else(Grade::default, |state| state.definition.entry.grade));
        match state.and_then(|state| state.definition.sandbox.as_ref()) {
            Some(sandbox) => {
                found.derived_from.extend(sandbox.derived_from.iter().cloned());
                for (source, under) in &sandbox.under {
                    found.add(source, under)?;
                }
            }
            // One that is gone since it was read stays a source, so that nobody sees more than was allowed.
            None => found.add(name, under)?,
        }
    }
    Ok(found)
}

fn entry(
    snapshot: &Snapshot,
    write: &SandboxWrite,
    derived_from: &BTreeSet<DatasetName>,
    grade: Grade,
) -> Result<CatalogEntry> {
    let text = |text: String| {
        let mut local = LocalText::default();
        local.insert("en", text);
        local
    };
    let title: String = write.name.name().chars().take(TITLE_CHARS).collect();
    let internal = |error: basin_catalog::CatalogError| DatasetsError::from(error);
    Ok(CatalogEntry {
        resource_code: format!("{RESOURCE_CLASS}/{}", Uuid::now_v7().as_u128()).parse().map_err(internal)?,
        name: text(title),
        r#abstract: text(format!("Workings of {}.", write.owner)),
        provider: provider(snapshot, write, derived_from)?,
        formats: vec!["sql".to_owned()],
        share: Share::None { legal_basis: "A sandbox: its owner's own workings.".to_owned() },
        share_modes: BTreeSet::from([ShareMode::Query]),
        open_type: OpenType::Closed,
        update_cycle: UpdateCycle::Irregular,
        issued: Utc::now().date_naive(),
        modified: None,
        related_codes: Vec::new(),
        region: None,
        grade,
        licence: "LicenseRef-sandbox".to_owned().try_into().map_err(internal)?,
        attribution: None,
        quality: Vec::new(),
        node_id: None,
    })
}

/// The owner's organisation, else that of the first source, else the catalog's first.
fn provider(
    snapshot: &Snapshot,
    write: &SandboxWrite,
    derived_from: &BTreeSet<DatasetName>,
) -> Result<OrganisationCode> {
    let source = || {
        let first = derived_from.iter().find_map(|name| snapshot.datasets().get(name))?;
        Some(first.definition.entry.provider.clone())
    };
    let agency = write.agency.clone().filter(|code| snapshot.organisations().contains_key(code));
    agency.or_else(source).or_else(|| snapshot.organisations().keys().next().cloned()).ok_or_else(|| {
        refused("the catalog has no organisation that could answer for the table; record one: basin org put")
    })
}

fn item(column: &SandboxColumn) -> Result<Item> {
    let name: ItemName = column
        .name
        .parse()
        .map_err(|error: basin_catalog::CatalogError| refused(format!("{error}; name the column with AS")))?;
    let r#type = item_type(&column.data_type).ok_or_else(|| {
        refused(format!(
            "column {name} has type {}, which tables here can't hold; CAST it to a number, text, date, timestamp or list",
            column.data_type
        ))
    })?;
    Ok(Item {
        name,
        label: LocalText::default(),
        description: LocalText::default(),
        r#type,
        unit: None,
        nullable: column.nullable,
        role: ItemRole::default(),
        grade: Grade::default(),
        code_list: None,
        missing: BTreeMap::new(),
        mask: None,
    })
}

/// The item type that holds all values of an Arrow type; none when there is none.
fn item_type(data_type: &DataType) -> Option<ItemType> {
    Some(match data_type {
        DataType::Boolean => ItemType::Bool,
        DataType::Int8 => ItemType::Int8,
        DataType::Int16 => ItemType::Int16,
        DataType::Int32 => ItemType::Int32,
        DataType::Int64 => ItemType::Int64,
        DataType::UInt8 => ItemType::UInt8,
        DataType::UInt16 => ItemType::UInt16,
        DataType::UInt32 => ItemType::UInt32,
        DataType::UInt64 => ItemType::UInt64,
        DataType::Float16 | DataType::Float32 => ItemType::Float32,
        DataType::Float64 => ItemType::Float64,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            ItemType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => ItemType::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ItemType::Binary
        }
        DataType::Date32 | DataType::Date64 => ItemType::Date,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Microsecond) => ItemType::Time,
        DataType::Timestamp(_, zone) => ItemType::Timestamp { utc: zone.is_some() },
        DataType::Dictionary(_, values) => item_type(values)?,
        DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) => {
            ItemType::List(Box::new(item_type(of.data_type())?))
        }
        _ => return None,
    })
}
