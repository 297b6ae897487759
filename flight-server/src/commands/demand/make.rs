//! `basin demand make`: records what a user asks for.

use basin_catalog::{Change, DatasetName, Demand, DemandId, ErrorClass, ItemName, RowFilter, UserName};
use chrono::{DateTime, Utc};
use clap::Args;

use super::Done;
use crate::commands::error::{CommandError, Result};
use crate::commands::filter;
use crate::commands::grant::some;
use crate::commands::moment::moment;
use crate::commands::session::{Session, author};

#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    /// The dataset that is wanted
    dataset: DatasetName,
    /// Who asks
    #[arg(long, value_name = "USER")]
    user: UserName,
    /// The purpose that sessions will state
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    /// Why the data is needed
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// An item that is wanted; may be repeated [default: all]
    #[arg(long = "item", value_name = "ITEM")]
    items: Vec<ItemName>,
    /// The rows that are wanted: an SQL condition on the items
    #[arg(long, value_name = "SQL")]
    rows: Option<RowFilter>,
    /// End of the access, not included (RFC 3339 or a date, UTC) [default: none]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// By when a decision is wanted (RFC 3339 or a date, UTC) [default: none]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    deadline: Option<DateTime<Utc>>,
}

pub(super) async fn run(session: &Session, args: MakeArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let definition = &snapshot.dataset(&args.dataset)?.definition;
    if let Some(absent) = args.items.iter().find(|item| definition.item(item.as_str()).is_none()) {
        return Err(CommandError::refused(
            ErrorClass::NotFound,
            format!("{} has no item {absent}", args.dataset),
        ));
    }
    if let Some(rows) = &args.rows {
        filter::check(definition, rows)?;
    }
    let demand = Demand {
        id: DemandId::fresh(),
        agency: snapshot.users().get(&args.user).and_then(|user| user.agency.clone()),
        by: args.user,
        dataset: args.dataset,
        items: some(args.items),
        rows: args.rows,
        purpose: args.purpose,
        reason: args.reason,
        until: args.until,
        deadline: args.deadline,
        made_at: Utc::now(),
        decision: None,
    };
    let id = demand.id.to_string();
    let changes = vec![Change::PutDemand(Box::new(demand))];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { demand: id, outcome: "made", grant: None, snapshot })
}
