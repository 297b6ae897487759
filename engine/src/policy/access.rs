//! Access: how one principal reads one dataset, from the catalog's terms, policies and grants.
//!
//! Permits widen each other (OR), layers narrow (AND). It decides; `rules` makes tables of it.

use basin_catalog::{
    DatasetPolicy, DatasetState, Grant, GrantId, Item, ItemName, Mask, MinimumCell, OpenType, RowFilter,
    Share,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// How a dataset is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// All of it.
    Whole(Reason),
    /// Under these limits.
    Limited(Box<Limits>),
}

/// Why a dataset is read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The principal administers the node.
    Administrator,
    /// The principal works for the provider.
    Provider,
    /// It is the principal's own sandbox.
    Owner,
    /// It is open, shared or granted, without any condition.
    Unconditional,
}

/// What limits the reading of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// What is permitted; a row of any of them is read. Never empty.
    pub(super) permits: Vec<Permit>,
    /// Conditions that each row must meet beside.
    pub(super) layers: Vec<RowFilter>,
    /// Masks by item, applied one after the other.
    pub(super) masks: BTreeMap<ItemName, Vec<Mask>>,
    /// The minimum cell that holds.
    pub(super) minimum_cell: Option<MinimumCell>,
}

/// One thing that gives access: a grant, or that the dataset is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permit {
    /// The grant; none when the dataset is shared with the principal anyway.
    pub(super) grant: Option<GrantId>,
    pub(super) items: Option<BTreeSet<ItemName>>,
    pub(super) rows: Option<RowFilter>,
    pub(super) unmasked: BTreeSet<ItemName>,
    pub(super) exact: bool,
    /// When it ends by itself.
    pub(super) ends: Option<DateTime<Utc>>,
}

impl Permit {
    /// Access because the dataset is shared with the principal.
    pub(super) fn shared() -> Self {
        Self { grant: None, items: None, rows: None, unmasked: BTreeSet::new(), exact: false, ends: None }
    }

    pub(super) fn granted(grant: &Grant) -> Self {
        Self {
            grant: Some(grant.id.clone()),
            items: grant.items.clone(),
            rows: grant.rows.clone(),
            unmasked: grant.unmasked.clone(),
            exact: grant.exact,
            ends: grant.not_after,
        }
    }

    fn shows(&self, item: &ItemName) -> bool {
        self.items.as_ref().is_none_or(|items| items.contains(item))
    }
}

/// What is shown of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Treatment<'a> {
    /// The item is not there.
    Hidden,
    /// Its values are shown.
    Clear,
    /// Its values are shown in the rows of `clear`, masked in the other rows of `shown`, and NULL beyond.
    Masked { clear: Vec<&'a Permit>, shown: Vec<&'a Permit>, masks: &'a [Mask] },
}

impl Access {
    /// Access under permits, of which there is one at least.
    pub(super) fn under(permits: Vec<Permit>, state: &DatasetState, policy: Option<&DatasetPolicy>) -> Self {
        let terms = [Some(&state.definition.terms), policy.map(|policy| &policy.terms)];
        let terms = || terms.iter().flatten();
        let exact = permits.iter().all(|permit| permit.exact);
        let cells = terms().filter_map(|terms| terms.minimum_cell);
        let limits = Limits {
            layers: terms().filter_map(|terms| terms.rows.clone()).collect(),
            masks: masks(&state.definition.items, policy),
            minimum_cell: cells.reduce(MinimumCell::and).filter(|_| !exact),
            permits,
        };
        let whole = limits.minimum_cell.is_none()
            && limits.layers.is_empty()
            && limits.permits.iter().any(|permit| permit.rows.is_none())
            && state.definition.items.iter().all(|item| limits.treatment(&item.name) == Treatment::Clear);
        if whole { Self::Whole(Reason::Unconditional) } else { Self::Limited(Box::new(limits)) }
    }

    /// Returns the limits, if there are any.
    pub(crate) fn limits(&self) -> Option<&Limits> {
        match self {
            Self::Whole(_) => None,
            Self::Limited(limits) => Some(limits),
        }
    }
}

fn masks(items: &[Item], policy: Option<&DatasetPolicy>) -> BTreeMap<ItemName, Vec<Mask>> {
    let mut masks: BTreeMap<ItemName, Vec<Mask>> = BTreeMap::new();
    let own = items.iter().filter_map(|item| Some((&item.name, item.mask.as_ref()?)));
    for (item, mask) in own.chain(policy.iter().flat_map(|policy| &policy.masks)) {
        masks.entry(item.clone()).or_default().push(mask.clone());
    }
    masks
}

impl Limits {
    /// Tells what is shown of an item.
    pub(super) fn treatment(&self, item: &ItemName) -> Treatment<'_> {
        let masks = self.masks.get(item).map_or(&[][..], Vec::as_slice);
        let shown: Vec<&Permit> = self.permits.iter().filter(|permit| permit.shows(item)).collect();
        let clear: Vec<&Permit> = shown
            .iter()
            .copied()
            .filter(|permit| masks.is_empty() || permit.unmasked.contains(item))
            .collect();
        let denied = masks.iter().any(|mask| matches!(mask, Mask::Deny {}));
        if shown.is_empty() || (denied && clear.is_empty()) {
            return Treatment::Hidden;
        }
        if clear.len() == self.permits.len() || clear.iter().any(|permit| permit.rows.is_none()) {
            return Treatment::Clear;
        }
        Treatment::Masked { clear, shown, masks }
    }

    /// The limits without what does not change what is shown: which grants they come from, and until when.
    pub(super) fn canonical(&self) -> Self {
        let mut permits: Vec<Permit> =
            self.permits.iter().map(|permit| Permit { grant: None, ends: None, ..permit.clone() }).collect();
        permits.sort_by_key(|permit| format!("{permit:?}"));
        Self { permits, ..self.clone() }
    }

    /// Tells whether some rows may be withheld.
    pub(super) fn restricts_rows(&self) -> bool {
        !self.layers.is_empty() || self.permits.iter().all(|permit| permit.rows.is_some())
    }
}

/// Tells whether a dataset is shared with a principal without any grant.
pub(super) fn is_shared(state: &DatasetState, policy: Option<&DatasetPolicy>, has_agency: bool) -> bool {
    if policy.is_some_and(|policy| policy.grants_only) {
        return false;
    }
    let entry = &state.definition.entry;
    let open = match entry.open_type {
        OpenType::Open => true,
        OpenType::Conditional | OpenType::Closed => false,
    };
    match entry.share {
        Share::Unconditional => open || has_agency,
        Share::Conditional { .. } => open,
        Share::None { .. } => false,
    }
}

/// Tells whether a grant on a dataset can hold: what is shared with nobody is granted to nobody.
pub(super) fn is_grantable(state: &DatasetState) -> bool {
    match state.definition.entry.share {
        Share::Unconditional | Share::Conditional { .. } => true,
        Share::None { .. } => false,
    }
}
