//! `basin grant add`: makes a grant of a dataset or of part of it.

use std::collections::BTreeSet;

use basin_catalog::{
    Change, DatasetName, ErrorClass, Grant, GrantId, Grantee, ItemName, OrganisationCode, RoleName,
    RowFilter, Snapshot, UserName,
};
use chrono::{DateTime, Utc};
use clap::Args;

use super::Done;
use crate::commands::error::{CommandError, Result};
use crate::commands::filter;
use crate::commands::moment::moment;
use crate::commands::session::{Session, author};
use crate::commands::user::require_organisation;

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The dataset that may be read
    dataset: DatasetName,
    #[command(flatten)]
    to: To,
    /// Why the grant is given: the law, agreement or request it rests on
    #[arg(long, value_name = "TEXT")]
    basis: String,
    /// The purpose a session must state; without it any purpose will do
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// First moment (RFC 3339 or a date, UTC) [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<DateTime<Utc>>,
    /// End, not included (RFC 3339 or a date, UTC) [default: none]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// An item that may be read; may be repeated [default: all]
    #[arg(long = "item", value_name = "ITEM")]
    items: Vec<ItemName>,
    /// The rows that may be read: an SQL condition on the items, such as "province_code = $region"
    #[arg(long, value_name = "SQL")]
    rows: Option<RowFilter>,
    /// An item that is read without its mask; may be repeated
    #[arg(long = "unmask", value_name = "ITEM")]
    unmasked: Vec<ItemName>,
    /// Lift the minimum cell: rows and groups of any size are read
    #[arg(long)]
    exact: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct To {
    /// The user who may
    #[arg(long, value_name = "USER")]
    user: Option<UserName>,
    /// The role whose users may
    #[arg(long, value_name = "ROLE")]
    role: Option<RoleName>,
    /// The organisation whose users may
    #[arg(long, value_name = "CODE")]
    agency: Option<OrganisationCode>,
}

pub(super) async fn run(session: &Session, args: AddArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let definition = &snapshot.dataset(&args.dataset)?.definition;
    if let Some(rows) = &args.rows {
        filter::check(definition, rows)?;
    }
    let not_before = args.from.unwrap_or_else(Utc::now);
    if args.until.is_some_and(|until| until <= not_before) {
        return Err(CommandError::refused(
            ErrorClass::InvalidInput,
            "the grant would end before it begins: --until must lie after --from",
        ));
    }
    let grant = Grant {
        id: GrantId::fresh(),
        to: grantee(&snapshot, args.to)?,
        dataset: args.dataset,
        purpose: args.purpose,
        not_before,
        not_after: args.until,
        basis: args.basis,
        items: some(args.items),
        rows: args.rows,
        unmasked: args.unmasked.into_iter().collect(),
        exact: args.exact,
    };
    let id = grant.id.to_string();
    let snapshot = catalog.commit(&snapshot, &author(), vec![Change::PutGrant(grant)]).await?.id().0;
    session.answer(&Done { grant: id, outcome: "given", snapshot })
}

/// The items that were named; none when all are meant.
pub(in crate::commands) fn some(items: Vec<ItemName>) -> Option<BTreeSet<ItemName>> {
    Some(items.into_iter().collect()).filter(|items: &BTreeSet<ItemName>| !items.is_empty())
}

fn grantee(snapshot: &Snapshot, to: To) -> Result<Grantee> {
    let absent = |what: String, hint: &str| {
        CommandError::refused_with(ErrorClass::NotFound, format!("there is no {what}"), hint)
    };
    match (to.user, to.role, to.agency) {
        (Some(user), None, None) if snapshot.users().contains_key(&user) => Ok(Grantee::User(user)),
        (Some(user), None, None) => Err(absent(format!("user {user}"), "`basin user list` lists the users")),
        (None, Some(role), None) if snapshot.roles().contains_key(&role) => Ok(Grantee::Role(role)),
        (None, Some(role), None) => Err(absent(
            format!("role {role}"),
            "a role is made with its first user: basin user add NAME --role ROLE",
        )),
        (None, None, Some(agency)) => {
            require_organisation(snapshot, &agency)?;
            Ok(Grantee::Agency(agency))
        }
        _ => Err(CommandError::usage(
            "the grant is for nobody, or for several",
            "give exactly one of --user, --role, --agency",
        )),
    }
}
