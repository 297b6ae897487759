//! `basin demand show`: one demand with all that was asked, and its decision.

use std::fmt;

use chrono::Utc;

use super::{DemandArgs, DemandLine, known};
use crate::commands::error::Result;
use crate::commands::session::Session;

pub(super) async fn run(session: &Session, args: DemandArgs) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    session.answer(&DemandLine::of(known(&snapshot, &args.id)?, Utc::now()))
}

impl fmt::Display for DemandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "demand {}: {}", self.id, self.state)?;
        let agency = self.agency.as_ref().map(|agency| format!(" of agency {agency}")).unwrap_or_default();
        writeln!(f, "  user {}{agency} asks for {}", self.by, self.dataset)?;
        let items = self.items.as_ref().map_or_else(|| "all".to_owned(), |items| items.join(", "));
        writeln!(f, "  items: {items}")?;
        writeln!(f, "  rows: {}", self.rows.as_deref().unwrap_or("all"))?;
        writeln!(f, "  purpose: {}", self.purpose)?;
        writeln!(f, "  reason: {}", self.reason)?;
        writeln!(f, "  access until: {}", self.until.as_deref().unwrap_or("no end named"))?;
        writeln!(f, "  made {}", self.made_at)?;
        if let Some(deadline) = &self.deadline {
            writeln!(f, "  decision wanted by {deadline}")?;
        }
        let Some(decision) = &self.decision else { return Ok(()) };
        writeln!(f, "  decided by {} at {}; basis: {}", decision.by, decision.at, decision.basis)?;
        decision.grant.iter().try_for_each(|grant| write!(f, "  grant {grant}"))
    }
}
