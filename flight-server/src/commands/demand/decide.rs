//! `basin demand grant` and `basin demand refuse`: the decision, and its grant in the same commit.

use std::collections::BTreeSet;

use basin_catalog::{
    Change, Decision, Demand, DemandId, ErrorClass, Grant, GrantId, Grantee, ItemName, RowFilter, Snapshot,
    Verdict,
};
use chrono::{DateTime, Utc};
use clap::Args;

use super::{Done, known};
use crate::commands::error::{CommandError, Result};
use crate::commands::filter;
use crate::commands::moment::moment;
use crate::commands::session::{Session, author};

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The demand's id, as `basin demand list` shows it
    id: DemandId,
    /// The law, rule or agreement that the decision rests on
    #[arg(long, value_name = "TEXT")]
    basis: String,
    /// End of the access, not included (RFC 3339 or a date, UTC) [default: as asked]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// An item that may be read; may be repeated [default: as asked]
    #[arg(long = "item", value_name = "ITEM")]
    items: Vec<ItemName>,
    /// A condition more that the rows must meet
    #[arg(long, value_name = "SQL")]
    rows: Option<RowFilter>,
}

#[derive(Debug, Args)]
pub(crate) struct RefuseArgs {
    /// The demand's id, as `basin demand list` shows it
    id: DemandId,
    /// The law, rule or agreement that the decision rests on
    #[arg(long, value_name = "TEXT")]
    basis: String,
}

pub(super) async fn grant(session: &Session, args: GrantArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let demand = open(&snapshot, &args.id)?;
    let definition = &snapshot.dataset(&demand.dataset)?.definition;
    // Each alone: only of two whole conditions is the conjunction narrower than either.
    demand.rows.iter().chain(&args.rows).try_for_each(|rows| filter::check(definition, rows))?;
    let grant = narrowed(demand, &args, Utc::now())?;
    let outcome = Verdict::Granted(grant.id.clone());
    let id = grant.id.to_string();
    let changes = vec![Change::PutGrant(grant), decide(&args.id, outcome, args.basis)];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { demand: args.id.to_string(), outcome: "granted", grant: Some(id), snapshot })
}

pub(super) async fn refuse(session: &Session, args: RefuseArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    open(&snapshot, &args.id)?;
    let changes = vec![decide(&args.id, Verdict::Refused, args.basis)];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { demand: args.id.to_string(), outcome: "refused", grant: None, snapshot })
}

fn open<'a>(snapshot: &'a Snapshot, id: &DemandId) -> Result<&'a Demand> {
    let demand = known(snapshot, id)?;
    match &demand.decision {
        None => Ok(demand),
        Some(decision) => Err(CommandError::refused_with(
            ErrorClass::Conflict,
            format!("demand {id} was decided already, by {}", decision.by),
            "a decision never changes; `basin grant add` and `basin grant revoke` change what is granted",
        )),
    }
}

fn decide(id: &DemandId, outcome: Verdict, basis: String) -> Change {
    Change::DecideDemand {
        id: id.clone(),
        decision: Decision { outcome, basis, by: author(), at: Utc::now() },
    }
}

/// The grant of what was asked, less what the officer takes away.
fn narrowed(demand: &Demand, args: &GrantArgs, now: DateTime<Utc>) -> Result<Grant> {
    let wider = |what: &str| {
        CommandError::refused_with(
            ErrorClass::InvalidInput,
            format!("that is more than was asked: {what}"),
            "leave it out, or give it by `basin grant add`",
        )
    };
    let named: BTreeSet<ItemName> = args.items.iter().cloned().collect();
    let items = match (&demand.items, named) {
        (asked, named) if named.is_empty() => asked.clone(),
        (Some(asked), named) => match named.difference(asked).next() {
            Some(more) => return Err(wider(&format!("item {more}"))),
            None => Some(named),
        },
        (None, named) => Some(named),
    };
    let not_after = match (demand.until, args.until) {
        (Some(asked), Some(given)) if given > asked => return Err(wider("a later end")),
        (asked, given) => given.or(asked),
    };
    if not_after.is_some_and(|end| end <= now) {
        return Err(CommandError::refused_with(
            ErrorClass::InvalidInput,
            "the grant would have ended already",
            "the time that was asked for has passed: refuse the demand",
        ));
    }
    Ok(Grant {
        id: GrantId::fresh(),
        to: Grantee::User(demand.by.clone()),
        dataset: demand.dataset.clone(),
        purpose: Some(demand.purpose.clone()),
        not_before: now,
        not_after,
        basis: format!("{} (demand {})", args.basis, demand.id),
        items,
        rows: both(demand.rows.as_ref(), args.rows.as_ref())?,
        unmasked: BTreeSet::new(),
        exact: false,
    })
}

/// Rows that meet both conditions.
fn both(asked: Option<&RowFilter>, given: Option<&RowFilter>) -> Result<Option<RowFilter>> {
    match (asked, given) {
        (None, None) => Ok(None),
        (Some(one), None) | (None, Some(one)) => Ok(Some(one.clone())),
        (Some(asked), Some(given)) => Ok(Some(format!("({asked}) AND ({given})").parse()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand() -> Demand {
        Demand {
            id: DemandId::fresh(),
            by: "ann".parse().unwrap(),
            agency: None,
            dataset: "health.city".parse().unwrap(),
            items: Some(["city".parse().unwrap(), "confirmed".parse().unwrap()].into()),
            rows: Some("city = 'x'".parse().unwrap()),
            purpose: "outbreak".to_owned(),
            reason: "a study".to_owned(),
            until: Some("2030-01-01T00:00:00Z".parse().unwrap()),
            deadline: None,
            made_at: Utc::now(),
            decision: None,
        }
    }

    fn args(until: Option<&str>, items: &[&str], rows: Option<&str>) -> GrantArgs {
        GrantArgs {
            id: DemandId::fresh(),
            basis: "an order".to_owned(),
            until: until.map(|until| moment(until).unwrap()),
            items: items.iter().map(|item| item.parse().unwrap()).collect(),
            rows: rows.map(|rows| rows.parse().unwrap()),
        }
    }

    #[test]
    fn a_grant_gives_what_was_asked_or_less() {
        let now = moment("2029-01-01").unwrap();
        let asked = narrowed(&demand(), &args(None, &[], None), now).unwrap();
        assert_eq!((asked.items, asked.rows), (demand().items, demand().rows));
        assert_eq!(asked.not_after, demand().until);
        let less = args(Some("2029-06-01"), &["city"], Some("confirmed > 1 OR confirmed < 0"));
        let less = narrowed(&demand(), &less, now).unwrap();
        assert_eq!(less.items.unwrap().len(), 1);
        assert_eq!(less.rows.unwrap().as_str(), "(city = 'x') AND (confirmed > 1 OR confirmed < 0)");
        assert!(narrowed(&demand(), &args(Some("2031-01-01"), &[], None), now).is_err());
        assert!(narrowed(&demand(), &args(None, &["dead"], None), now).is_err());
        assert!(narrowed(&demand(), &args(None, &[], None), moment("2030-01-02").unwrap()).is_err());
    }
}
