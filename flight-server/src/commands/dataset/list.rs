//! `basin dataset list`: every dataset with its title and current version.

use std::fmt;

use serde::Serialize;

use crate::commands::error::Result;
use crate::commands::output::{self, grouped};
use crate::commands::session::Session;
use crate::commands::size;

#[derive(Debug, Serialize)]
struct Line {
    dataset: String,
    title: String,
    provider: String,
    version: Option<u64>,
    rows: Option<u64>,
    bytes: Option<u64>,
    published_at: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Line>);

pub(super) async fn run(session: &Session) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let lines = snapshot.datasets().iter().map(|(name, state)| {
        let entry = &state.definition.entry;
        let current = state.current();
        Line {
            dataset: name.to_string(),
            title: entry.name.best().to_owned(),
            provider: entry.provider.to_string(),
            version: current.map(|version| version.number),
            rows: current.map(|version| version.rows),
            bytes: current.map(|version| version.bytes),
            published_at: current.map(|version| output::moment(version.published_at)),
        }
    });
    session.answer(&List(lines.collect()))
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            vec![
                line.dataset.clone(),
                line.title.clone(),
                line.version.map(|number| number.to_string()).unwrap_or_default(),
                line.rows.map(grouped).unwrap_or_default(),
                line.bytes.map(size::text).unwrap_or_default(),
                line.published_at.clone().unwrap_or_else(|| "nothing pooled yet".to_owned()),
            ]
        });
        let names = ["dataset", "title", "#version", "#rows", "#size", "published"];
        f.write_str(&output::table(&output::header(&names), rows.collect()))
    }
}
