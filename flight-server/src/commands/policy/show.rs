//! `basin policy show`: who reads what of a dataset, in plain words.

use std::fmt;

use basin_catalog::{DatasetDefinition, DatasetPolicy, OpenType, Share, Snapshot};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{DatasetArgs, sentences};
use crate::commands::error::Result;
use crate::commands::grant::GrantLine;
use crate::commands::session::Session;
use crate::commands::words;

/// A dataset's access in sentences.
#[derive(Debug, Serialize)]
struct Shown {
    dataset: String,
    sharing: Vec<String>,
    definition: Vec<String>,
    policy: Option<PolicyLine>,
    masks: Vec<MaskLine>,
    grants: Vec<GrantLine>,
    open_demands: usize,
}

#[derive(Debug, Serialize)]
struct PolicyLine {
    asks: Vec<String>,
    basis: String,
}

/// What is done to one item's values, step by step.
#[derive(Debug, Serialize)]
struct MaskLine {
    item: String,
    by_definition: Option<String>,
    by_policy: Option<String>,
}

pub(super) async fn run(session: &Session, args: DatasetArgs) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let definition = &snapshot.dataset(&args.dataset)?.definition;
    session.answer(&shown(&snapshot, definition, Utc::now()))
}

fn shown(snapshot: &Snapshot, definition: &DatasetDefinition, now: DateTime<Utc>) -> Shown {
    let policy = snapshot.policies().get(&definition.name).map(AsRef::as_ref);
    let grants = snapshot.grants().values().filter(|grant| grant.dataset == definition.name);
    let waits =
        |demand: &basin_catalog::Demand| demand.dataset == definition.name && demand.decision.is_none();
    Shown {
        dataset: definition.name.to_string(),
        sharing: sharing(definition, policy),
        definition: terms(definition),
        policy: policy.map(|policy| PolicyLine { asks: sentences(policy), basis: policy.basis.clone() }),
        masks: masks(definition, policy),
        grants: grants.map(|grant| GrantLine::of(grant, now)).collect(),
        open_demands: snapshot.demands().values().filter(|demand| waits(demand)).count(),
    }
}

/// Who reads it without a grant.
fn sharing(definition: &DatasetDefinition, policy: Option<&DatasetPolicy>) -> Vec<String> {
    let provider = &definition.entry.provider;
    let mut said = vec![format!("administrators and the users of its provider {provider} read all of it")];
    if let Some(sandbox) = &definition.sandbox {
        return vec![format!("it is the sandbox dataset of {}, who alone reads it", sandbox.owner)];
    }
    let closed = policy.is_some_and(|policy| policy.grants_only);
    let open = definition.entry.open_type == OpenType::Open;
    said.push(match &definition.entry.share {
        Share::None { legal_basis } => format!("nobody else does, by {legal_basis}; grants do not help"),
        Share::Unconditional | Share::Conditional { .. } if closed => {
            "everybody else needs a grant: its policy says so".to_owned()
        }
        Share::Unconditional | Share::Conditional { .. } if open => {
            "anyone else does, under the terms below".to_owned()
        }
        Share::Unconditional => "every user with an agency does, under the terms below".to_owned(),
        Share::Conditional { condition } => format!("everybody else needs a grant; condition: {condition}"),
    });
    said
}

fn terms(definition: &DatasetDefinition) -> Vec<String> {
    let rows = definition.terms.rows.iter().map(|rows| format!("rows where {rows}"));
    rows.chain(definition.terms.minimum_cell.map(words::cell)).collect()
}

fn masks(definition: &DatasetDefinition, policy: Option<&DatasetPolicy>) -> Vec<MaskLine> {
    let lines = definition.items.iter().map(|item| MaskLine {
        item: item.name.to_string(),
        by_definition: item.mask.as_ref().map(words::mask),
        by_policy: policy.and_then(|policy| policy.masks.get(&item.name)).map(words::mask),
    });
    lines.filter(|line| line.by_definition.is_some() || line.by_policy.is_some()).collect()
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    writeln!(f, "  {title}")?;
    if lines.is_empty() {
        return writeln!(f, "    nothing");
    }
    lines.iter().try_for_each(|line| writeln!(f, "    {line}"))
}

impl fmt::Display for MaskLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.item)?;
        match (&self.by_definition, &self.by_policy) {
            (Some(first), Some(then)) => write!(f, " {first} (definition), then {then} (policy)"),
            (Some(first), None) => write!(f, " {first} (definition)"),
            (None, Some(then)) => write!(f, " {then} (policy)"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.dataset)?;
        section(f, "who reads it", &self.sharing)?;
        section(f, "its definition asks", &self.definition)?;
        match &self.policy {
            None => section(f, "its policy asks", &[])?,
            Some(policy) => section(f, &format!("its policy asks (basis: {})", policy.basis), &policy.asks)?,
        }
        if !self.masks.is_empty() {
            let lines: Vec<String> = self.masks.iter().map(ToString::to_string).collect();
            section(f, "masked items", &lines)?;
        }
        let (live, rest): (Vec<_>, Vec<_>) = self.grants.iter().partition(|grant| grant.in_force);
        section(f, "grants in force", &live.into_iter().map(sentence).collect::<Vec<_>>())?;
        if !rest.is_empty() {
            section(f, "grants not in force", &rest.into_iter().map(sentence).collect::<Vec<_>>())?;
        }
        match self.open_demands {
            0 => Ok(()),
            open => write!(f, "  {open} demands wait for a decision: basin demand list --open"),
        }
    }
}

fn sentence(grant: &GrantLine) -> String {
    let purpose = grant.purpose.as_ref().map(|purpose| format!(" for {purpose}")).unwrap_or_default();
    let until = grant.not_after.as_ref().map(|end| format!(", until {end}")).unwrap_or_default();
    format!("{}{purpose}: {}{until} ({}; {})", grant.to, grant.reads, grant.basis, grant.id)
}
