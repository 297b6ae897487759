//! `basin dataset show`: all that the catalog knows of one dataset.

use std::fmt;

use basin_catalog::{DatasetName, DatasetState, DatasetVersion, Delivery};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::commands::error::Result;
use crate::commands::output::{self, grouped};
use crate::commands::rollup::RollupLine;
use crate::commands::session::Session;
use crate::commands::{output::print, size};

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The dataset
    name: DatasetName,
    /// Print the manifest the definition came from, nothing else
    #[arg(long)]
    manifest: bool,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    dataset: String,
    revision: u64,
    entry: &'a basin_catalog::CatalogEntry,
    items: &'a [basin_catalog::Item],
    layout: &'a basin_catalog::Layout,
    current: Option<&'a DatasetVersion>,
    deliveries: Vec<&'a Delivery>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rollups: Vec<RollupLine>,
}

pub(super) async fn run(session: &Session, args: ShowArgs) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let state = snapshot.dataset(&args.name)?;
    if args.manifest {
        return print(state.definition.manifest.trim_end());
    }
    session.answer(&shown(state))
}

fn shown(state: &DatasetState) -> Shown<'_> {
    let definition = &state.definition;
    let mut live: Vec<_> = state.live_slices.values().collect();
    live.sort();
    live.dedup();
    Shown {
        dataset: definition.name.to_string(),
        revision: state.revision,
        entry: &definition.entry,
        items: &definition.items,
        layout: &definition.layout,
        current: state.current(),
        deliveries: live.into_iter().filter_map(|id| state.delivery(id)).collect(),
        rollups: state.rollups.values().map(|rollup| RollupLine::of(state, rollup)).collect(),
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (revision {})", self.dataset, self.revision)?;
        for (lang, text) in self.entry.name.iter() {
            writeln!(f, "  title ({lang}): {text}")?;
        }
        if let Ok(Value::Object(fields)) = serde_json::to_value(self.entry) {
            for (field, value) in &fields {
                if !matches!(field.as_str(), "name" | "title") && !is_empty(value) {
                    writeln!(f, "  {field}: {}", plain(value))?;
                }
            }
        }
        self.layout_lines(f)?;
        self.version_lines(f)?;
        self.rollups
            .iter()
            .try_for_each(|rollup| write!(f, "  {}", rollup.to_string().replace("\n  ", "\n    ")))?;
        self.item_table(f)
    }
}

impl Shown<'_> {
    fn layout_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("key", &self.layout.key),
            ("sorted by", &self.layout.sort),
            ("partitioned by", &self.layout.partition),
            ("replaced by", &self.layout.slice),
        ];
        for (what, items) in parts {
            if !items.is_empty() {
                let names: Vec<String> = items.iter().map(ToString::to_string).collect();
                writeln!(f, "  {what}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }

    fn version_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(version) = self.current else {
            return writeln!(f, "  nothing pooled yet");
        };
        writeln!(
            f,
            "  version {}: {} rows, {} in {} files, published {}",
            version.number,
            grouped(version.rows),
            size::text(version.bytes),
            version.files,
            output::moment(version.published_at),
        )?;
        let rejected: u64 = self.deliveries.iter().map(|delivery| delivery.rows_rejected).sum();
        let deliveries = self.deliveries.len();
        writeln!(f, "  from {deliveries} deliveries, {} rows rejected", grouped(rejected))
    }

    fn item_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.items.iter().map(|item| {
            vec![
                item.name.to_string(),
                item.r#type.to_string(),
                if item.nullable { String::new() } else { "not null".to_owned() },
                text_of(&item.role),
                item.unit.clone().unwrap_or_default(),
                item.label.best().to_owned(),
            ]
        });
        let header = output::header(&["item", "type", "", "role", "unit", "label"]);
        f.write_str(&output::table(&header, rows.collect()))
    }
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::to_value(value).map(|value| plain(&value)).unwrap_or_default()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A value in words: no quotes or braces where they say nothing.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(field, value)| format!("{field} {}", plain(value)))
            .collect::<Vec<_>>()
            .join("; "),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_in_words() {
        assert_eq!(plain(&json!(["query", "api"])), "query, api");
        assert_eq!(plain(&json!({"code": "100000", "vintage": 2020})), "code 100000; vintage 2020");
        assert!(is_empty(&json!([])) && is_empty(&json!(null)) && !is_empty(&json!(0)));
    }
}
