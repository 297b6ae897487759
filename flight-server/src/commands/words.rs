//! Access in plain words, as the commands of grants, policies and demands print it.

use std::collections::BTreeSet;
use std::fmt::Display;

use basin_catalog::{Grant, Grantee, ItemName, Mask, MinimumCell, RowFilter};

/// Whom a grant is for.
pub(super) fn grantee(to: &Grantee) -> String {
    match to {
        Grantee::User(user) => format!("user {user}"),
        Grantee::Role(role) => format!("role {role}"),
        Grantee::Agency(code) => format!("agency {code}"),
    }
}

/// Names with commas between them.
pub(super) fn list(names: impl IntoIterator<Item = impl Display>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

/// The items that may be read.
pub(super) fn items(items: Option<&BTreeSet<ItemName>>) -> String {
    items.map_or_else(|| "all items".to_owned(), |items| format!("items {}", list(items)))
}

/// The rows that may be read.
pub(super) fn rows(rows: Option<&RowFilter>) -> String {
    rows.map_or_else(|| "all rows".to_owned(), |rows| format!("rows where {rows}"))
}

/// What a grant lets be read.
pub(super) fn reads(grant: &Grant) -> String {
    let mut words = vec![items(grant.items.as_ref()), rows(grant.rows.as_ref())];
    if !grant.unmasked.is_empty() {
        words.push(format!("without mask {}", list(&grant.unmasked)));
    }
    if grant.exact {
        words.push("cells of any size".to_owned());
    }
    words.join("; ")
}

/// What a minimum cell withholds.
pub(super) fn cell(cell: MinimumCell) -> String {
    let withheld = format!("groups of fewer than {} units are withheld, and so are single rows", cell.k);
    match cell.round_to {
        Some(to) => format!("{withheld}; counts are rounded to multiples of {to}"),
        None => withheld,
    }
}

/// What a mask leaves of a value.
pub(super) fn mask(mask: &Mask) -> String {
    match mask {
        Mask::Deny {} => "absent".to_owned(),
        Mask::Null {} => "always NULL".to_owned(),
        Mask::KeyedHash {} => "a keyed hash: equal values stay equal".to_owned(),
        Mask::TruncatedCode { characters } => format!("its first {characters} characters"),
        Mask::Range { width } => format!("the lower bound of its range of {width}"),
    }
}
