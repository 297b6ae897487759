//! `basin policy list`: the policies, one a line.

use std::fmt;

use serde::Serialize;

use super::sentences;
use crate::commands::error::Result;
use crate::commands::output;
use crate::commands::session::Session;

#[derive(Debug, Serialize)]
struct Line {
    dataset: String,
    asks: Vec<String>,
    basis: String,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Line>);

pub(super) async fn run(session: &Session) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let lines = snapshot.policies().values().map(|policy| Line {
        dataset: policy.dataset.to_string(),
        asks: sentences(policy),
        basis: policy.basis.clone(),
    });
    session.answer(&List(lines.collect()))
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows =
            self.0.iter().map(|line| vec![line.dataset.clone(), line.asks.join("\n"), line.basis.clone()]);
        f.write_str(&output::table(&output::header(&["dataset", "asks", "basis"]), rows.collect()))
    }
}
