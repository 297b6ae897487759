//! `basin audit roll`: the newest records into the audit's Delta table.

use std::fmt;

use basin_engine::{Engine, Rolled};
use serde::Serialize;

use crate::commands::error::Result;
use crate::commands::output::grouped;
use crate::commands::session::Session;

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Done(Rolled);

pub(super) async fn run(session: &Session, engine: &Engine) -> Result<()> {
    session.answer(&Done(engine.roll_audit().await?))
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rolled { records, objects, running } = self.0;
        write!(f, "{} records rolled, {} small objects removed", grouped(records), grouped(objects))?;
        if running > 0 {
            write!(f, "; {} queries may still run and stay where they are", grouped(running))?;
        }
        Ok(())
    }
}
