//! `basin grant show`: one grant with all that it says.

use std::fmt;

use chrono::Utc;

use super::{GrantArgs, GrantLine, known};
use crate::commands::error::Result;
use crate::commands::session::Session;

pub(super) async fn run(session: &Session, args: GrantArgs) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    session.answer(&GrantLine::of(known(&snapshot, &args.id)?, Utc::now()))
}

impl fmt::Display for GrantLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "grant {}", self.id)?;
        writeln!(f, "  of {} to {}", self.dataset, self.to)?;
        let purpose = self.purpose.as_deref().unwrap_or("any, or none");
        writeln!(f, "  purpose: {purpose}")?;
        writeln!(f, "  reads: {}", self.reads)?;
        let until = self.not_after.as_deref().unwrap_or("it is revoked");
        let force = if self.in_force { "in force" } else { "not in force" };
        writeln!(f, "  from {} until {until}: {force}", self.not_before)?;
        write!(f, "  basis: {}", self.basis)
    }
}
