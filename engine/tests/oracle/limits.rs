//! Limits: every way in which a dataset may be closed to a principal, as policies and grants, and what is left to see.

use basin_catalog::{
    Change, DatasetDefinition, DatasetName, DatasetPolicy, Grant, GrantId, Grantee, ItemRole, Mask,
    MinimumCell, RowFilter, Share, Terms,
};
use chrono::{Duration, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// The items of each dataset.
pub(crate) const ITEMS: [&str; 8] = ["id", "name", "province", "sex", "day", "income", "rate", "weight"];

/// What the principal may see of an item, in the rows that may be seen at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The value.
    Clear,
    /// Nothing.
    Nothing,
    /// Nothing, and the item is not there at all.
    Absent,
    /// A hash: equal values stay equal.
    Hash,
    /// The first character.
    First,
    /// The range of [`WIDTH`] that it is in.
    Range,
    /// The value where the province is the principal's, else nothing.
    AtHome,
}

/// Width of the ranges.
pub(crate) const WIDTH: i64 = 1_000_000_000;

/// A kind of limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Region,
    Literal,
    TwoGrants,
    Items,
    Null,
    Deny,
    Hash,
    Range,
    First,
    SeveralMasks,
    Cells,
    WeightedCells,
    RoundedCells,
    CellsOfRows,
    Purpose,
    OtherPurpose,
    GrantsOnly,
    Expired,
    PartlyGranted,
    PartlyUnmasked,
    Closed,
    Whole,
}

pub(crate) const KINDS: [Kind; 22] = [
    Kind::Region,
    Kind::Literal,
    Kind::TwoGrants,
    Kind::Items,
    Kind::Null,
    Kind::Deny,
    Kind::Hash,
    Kind::Range,
    Kind::First,
    Kind::SeveralMasks,
    Kind::Cells,
    Kind::WeightedCells,
    Kind::RoundedCells,
    Kind::CellsOfRows,
    Kind::Purpose,
    Kind::OtherPurpose,
    Kind::GrantsOnly,
    Kind::Expired,
    Kind::PartlyGranted,
    Kind::PartlyUnmasked,
    Kind::Closed,
    Kind::Whole,
];

impl Kind {
    /// Whether the principal sees anything of the dataset.
    pub(crate) fn is_visible(self) -> bool {
        !matches!(self, Self::OtherPurpose | Self::GrantsOnly | Self::Expired | Self::Closed)
    }

    /// Whether there are rows beside those that may be seen.
    pub(crate) fn hides_rows(self) -> bool {
        matches!(
            self,
            Self::Region
                | Self::Literal
                | Self::TwoGrants
                | Self::SeveralMasks
                | Self::CellsOfRows
                | Self::Purpose
        )
    }

    /// Whether rows are shown in groups only.
    pub(crate) fn has_cells(self) -> bool {
        matches!(self, Self::Cells | Self::WeightedCells | Self::RoundedCells | Self::CellsOfRows)
    }

    /// What is shown of an item.
    pub(crate) fn shows(self, item: &str) -> Shown {
        match (self, item) {
            (Self::Items, "name" | "day" | "income") | (Self::Deny, "name" | "day") => Shown::Absent,
            (Self::Null, "name" | "income" | "day") | (Self::SeveralMasks, "id") => Shown::Nothing,
            (Self::Hash, "name" | "id") => Shown::Hash,
            (Self::SeveralMasks | Self::Range, "income" | "rate") => Shown::Range,
            (Self::First | Self::SeveralMasks, "name") => Shown::First,
            (Self::PartlyGranted | Self::PartlyUnmasked, "name" | "income") => Shown::AtHome,
            _ => Shown::Clear,
        }
    }

    pub(crate) fn role(self, item: &str) -> ItemRole {
        match (self, item) {
            (Self::WeightedCells, "id") => ItemRole::Key,
            (Self::WeightedCells, "weight") => ItemRole::UnitWeight,
            (_, "id") => ItemRole::UnitId,
            (_, "province") => ItemRole::Region,
            (_, "sex") => ItemRole::Dimension,
            (_, "day") => ItemRole::Time,
            (_, "income" | "rate") => ItemRole::Measure,
            _ => ItemRole::Attribute,
        }
    }

    pub(crate) fn share(self) -> Share {
        match self {
            Self::Items | Self::OtherPurpose | Self::Expired | Self::Purpose => {
                Share::Conditional { condition: "by grant".to_owned() }
            }
            Self::Closed => Share::None { legal_basis: "a law".to_owned() },
            _ => Share::Unconditional,
        }
    }

    /// The terms of the dataset's own definition.
    pub(crate) fn define(self, definition: &mut DatasetDefinition) {
        for item in &mut definition.items {
            item.role = self.role(item.name.as_str());
        }
        let cell = |k, round_to| Some(MinimumCell { k, round_to });
        definition.terms = match self {
            Self::Region => Terms { rows: Some(filter("province = $region")), minimum_cell: None },
            Self::Cells | Self::WeightedCells => Terms { rows: None, minimum_cell: cell(5, None) },
            Self::CellsOfRows => {
                Terms { rows: Some(filter("province LIKE '__0000'")), minimum_cell: cell(3, None) }
            }
            _ => Terms::default(),
        };
        if self == Self::Hash {
            let masked = definition.items.iter_mut().find(|item| item.name.as_str() == "name");
            masked.unwrap().mask = Some(Mask::KeyedHash {});
        }
    }

    /// What an officer adds.
    pub(crate) fn policy(self, dataset: &DatasetName) -> Option<Change> {
        let mut policy = DatasetPolicy {
            dataset: dataset.clone(),
            grants_only: false,
            terms: Terms::default(),
            masks: BTreeMap::new(),
            basis: "a rule".to_owned(),
        };
        let range = Mask::Range { width: WIDTH as u64 };
        let masks: &[(&str, Mask)] = match self {
            Self::Null => &[("name", Mask::Null {}), ("income", Mask::Null {}), ("day", Mask::Null {})],
            Self::Deny => &[("name", Mask::Deny {}), ("day", Mask::Deny {})],
            Self::Hash => &[("id", Mask::KeyedHash {})],
            Self::Range => &[("income", range.clone()), ("rate", range)],
            Self::First => &[("name", Mask::TruncatedCode { characters: 1 })],
            Self::SeveralMasks => &[
                ("id", Mask::Null {}),
                ("name", Mask::TruncatedCode { characters: 1 }),
                ("income", range.clone()),
                ("rate", range),
            ],
            Self::PartlyUnmasked => &[("name", Mask::Null {}), ("income", Mask::Null {})],
            _ => &[],
        };
        policy.masks = masks.iter().map(|(item, mask)| (item.parse().unwrap(), mask.clone())).collect();
        policy.terms.rows = match self {
            Self::Literal => Some(filter("province IN ('330000', '420000', '110000') AND income < 100000")),
            Self::SeveralMasks => Some(filter("sex IN ('f', 'm') AND day < DATE '2100-01-01'")),
            _ => None,
        };
        if self == Self::RoundedCells {
            policy.terms.minimum_cell = Some(MinimumCell { k: 5, round_to: Some(5) });
        }
        policy.grants_only = matches!(self, Self::TwoGrants | Self::GrantsOnly | Self::PartlyGranted);
        let asks = policy.grants_only || !policy.masks.is_empty() || !policy.terms.is_empty();
        asks.then(|| Change::PutPolicy(Box::new(policy)))
    }

    /// The grants to the principal.
    pub(crate) fn grants(self, dataset: &DatasetName) -> Vec<Change> {
        let grant = Grant {
            id: GrantId::fresh(),
            to: Grantee::User("ann".parse().unwrap()),
            dataset: dataset.clone(),
            purpose: None,
            not_before: Utc::now() - Duration::days(9),
            not_after: None,
            basis: "an agreement".to_owned(),
            items: None,
            rows: None,
            unmasked: BTreeSet::new(),
            exact: false,
        };
        let next = || Grant { id: GrantId::fresh(), ..grant.clone() };
        let items = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<_>>();
        let home = || Some(filter("province = '330000'"));
        let grants = match self {
            Self::TwoGrants => vec![
                Grant { rows: home(), ..next() },
                Grant { rows: Some(filter("sex = 'f' OR sex = 'm'")), ..next() },
            ],
            Self::Items => {
                vec![Grant { items: Some(items(&["id", "province", "sex", "rate", "weight"])), ..next() }]
            }
            Self::Purpose => vec![
                Grant { purpose: Some("outbreak".to_owned()), rows: Some(filter("weight < 1000")), ..next() },
                next(),
            ],
            Self::OtherPurpose | Self::Closed => {
                vec![Grant { purpose: Some("census".to_owned()), exact: true, ..next() }]
            }
            Self::Expired => vec![Grant { not_after: Some(Utc::now() - Duration::days(1)), ..next() }],
            Self::PartlyGranted => vec![
                Grant { rows: home(), ..next() },
                Grant { items: Some(items(&["id", "province", "sex", "day", "rate", "weight"])), ..next() },
            ],
            Self::PartlyUnmasked => {
                vec![Grant { rows: home(), unmasked: items(&["name", "income"]), ..next() }, next()]
            }
            // Of no avail: it lifts the minimum cell under a purpose that is not stated.
            Self::Cells => vec![Grant { purpose: Some("census".to_owned()), exact: true, ..next() }],
            _ => vec![],
        };
        grants.into_iter().map(Change::PutGrant).collect()
    }
}

fn filter(sql: &str) -> RowFilter {
    RowFilter::try_from(sql.to_owned()).unwrap()
}
