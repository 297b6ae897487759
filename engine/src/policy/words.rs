//! Words: what applies to a dataset and why, for people. `told` is for whoever asks and names nothing that is hidden;
//! `explained` is for the officer and says all.

use super::access::{Access, Limits, Permit, Reason, Treatment};
use super::grants::{Grants, Unfit};
use super::view::View;
use basin_catalog::{DatasetName, DatasetState, Item, Mask, Share};
use serde::Serialize;

/// What applies when one user reads one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatasetExplanation {
    /// The dataset.
    pub dataset: String,
    /// Whether it is `whole`, `limited` or `hidden` to the user.
    pub access: &'static str,
    /// Why.
    pub because: Vec<String>,
    /// The conditions that rows meet, all of them.
    pub rows: Vec<String>,
    /// What happens to items' values, by item.
    pub masked: Vec<String>,
    /// Items that are not there for the user.
    pub hidden_items: Vec<String>,
    /// What happens to small groups.
    pub cells: Option<String>,
}

/// Tells whoever asks what limits a view, in one line; none when nothing does.
pub(crate) fn told(name: &DatasetName, view: &View) -> Option<String> {
    let limits = view.access().limits()?;
    let mut parts = Vec::new();
    if limits.restricts_rows() {
        parts.push("rows are restricted".to_owned());
    }
    let masked: Vec<String> =
        view.definition().items.iter().filter_map(|item| masking(item, limits)).collect();
    if !masked.is_empty() {
        parts.push(format!("masked: {}", masked.join(", ")));
    }
    parts.extend(cells(limits));
    (!parts.is_empty()).then(|| format!("{name}: {}", parts.join("; ")))
}

/// Tells the officer what applies to a dataset that there is.
pub(crate) fn explained(grants: &Grants, name: &DatasetName, state: &DatasetState) -> DatasetExplanation {
    let mut words = DatasetExplanation {
        dataset: name.to_string(),
        access: "hidden",
        because: Vec::new(),
        rows: Vec::new(),
        masked: Vec::new(),
        hidden_items: Vec::new(),
        cells: None,
    };
    match grants.access(name) {
        None => {
            let by_grant = grants.policy().policies().get(name).is_some_and(|policy| policy.grants_only);
            words.because.push(shared_with(state, by_grant).to_owned());
            words.because.extend(grants.unfit(name).into_iter().map(unfit));
        }
        Some(Access::Whole(reason)) => {
            words.access = "whole";
            words.because.push(
                match reason {
                    Reason::Administrator => "the user has the role admin",
                    Reason::Provider => "the user works for the provider",
                    Reason::Owner => "it is the user's own sandbox, and each of its sources may be seen",
                    Reason::Unconditional => "it is open, shared or granted, and nothing limits it",
                }
                .to_owned(),
            );
            words.because.extend(grants.used(name).iter().map(|grant| format!("grant {grant}")));
        }
        Some(Access::Limited(limits)) => limited(&mut words, &limits, &state.definition.items),
    }
    words
}

fn limited(words: &mut DatasetExplanation, limits: &Limits, items: &[Item]) {
    words.access = "limited";
    words.because = limits.permits.iter().map(permit).collect();
    let permitted: Vec<String> =
        limits.permits.iter().filter_map(|permit| Some(permit.rows.as_ref()?.to_string())).collect();
    if permitted.len() == limits.permits.len() {
        words.rows.push(permitted.join(" OR "));
    }
    words.rows.extend(limits.layers.iter().map(ToString::to_string));
    words.masked = items.iter().filter_map(|item| masking(item, limits)).collect();
    let hidden = items.iter().filter(|item| limits.treatment(&item.name) == Treatment::Hidden);
    words.hidden_items = hidden.map(|item| item.name.to_string()).collect();
    words.cells = cells(limits);
}

fn permit(permit: &Permit) -> String {
    let mut text = match &permit.grant {
        None => "it is shared with the user".to_owned(),
        Some(grant) => format!("grant {grant}"),
    };
    if let Some(items) = &permit.items {
        let names: Vec<&str> = items.iter().map(basin_catalog::ItemName::as_str).collect();
        text.push_str(&format!(", of the items {}", names.join(", ")));
    }
    if let Some(rows) = &permit.rows {
        text.push_str(&format!(", of the rows where {rows}"));
    }
    if permit.exact {
        text.push_str(", without the minimum cell");
    }
    if let Some(ends) = permit.ends {
        text.push_str(&format!(", until {}", ends.format("%Y-%m-%d %H:%M UTC")));
    }
    text
}

fn masking(item: &Item, limits: &Limits) -> Option<String> {
    let Treatment::Masked { clear, masks, .. } = limits.treatment(&item.name) else { return None };
    let how: Vec<String> = masks.iter().map(kind).collect();
    let how = if how.is_empty() { "null outside of what is granted".to_owned() } else { how.join(", then ") };
    let rest = if clear.is_empty() { "" } else { ", clear in some rows" };
    Some(format!("{} ({how}{rest})", item.name))
}

fn kind(mask: &Mask) -> String {
    match mask {
        Mask::Deny {} => "denied".to_owned(),
        Mask::Null {} => "null".to_owned(),
        Mask::KeyedHash {} => "keyed hash".to_owned(),
        Mask::TruncatedCode { characters } => format!("first {characters} characters"),
        Mask::Range { width } => format!("ranges of {width}"),
    }
}

fn cells(limits: &Limits) -> Option<String> {
    let cell = limits.minimum_cell?;
    let rounded = cell.round_to.map_or_else(String::new, |to| format!(", counts are rounded to {to}"));
    Some(format!("shown in groups only; groups of fewer than {} are withheld{rounded}", cell.k))
}

fn shared_with(state: &DatasetState, grants_only: bool) -> &'static str {
    match state.definition.entry.share {
        Share::None { .. } => "share type none: only its provider's users read it, and grants do not help",
        Share::Conditional { .. } => "share type conditional: it needs a live grant",
        Share::Unconditional if grants_only => "its policy asks for a grant",
        Share::Unconditional => "it is shared with users of an agency, and the user has none",
    }
}

fn unfit(unfit: Unfit) -> String {
    match unfit {
        Unfit::Purpose { grant, purpose } => {
            format!("grant {grant} is for the purpose {purpose}, which was not stated")
        }
        Unfit::NotYet { grant, from } => {
            format!("grant {grant} begins on {}", from.format("%Y-%m-%d %H:%M UTC"))
        }
        Unfit::Over { grant, until } => {
            format!("grant {grant} ended on {}", until.format("%Y-%m-%d %H:%M UTC"))
        }
    }
}
