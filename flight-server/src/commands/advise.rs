//! `basin advise`: which layout of a dataset and which rollups would have helped the queries that were asked of it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use basin_catalog::{DatasetName, DatasetState};
use basin_datasets::Manifest;
use basin_engine::{Advice, Asked, Choice, Engine, EngineConfig, LaidOut, ScalarValue, advise};
use clap::Args;
use futures::stream::TryStreamExt as _;
use serde::Serialize;

use super::audit::ask;
use super::error::{CommandError, Result};
use super::output::{self, grouped};
use super::session::Session;

/// Queries of a dataset that were answered, the newest first.
const ANSWERED: &str = "
    SELECT sql, output_columns, predicate_columns, started_at, finished_at FROM basin.queries
    WHERE strpos(concat(',', datasets, ','), concat(',', CAST($1 AS VARCHAR), ',')) > 0
      AND outcome = 'ok'
      AND query_id <> $2
    ORDER BY started_at DESC, query_id DESC
    LIMIT $3";

#[derive(Debug, Args)]
pub(crate) struct AdviseArgs {
    /// The dataset
    dataset: DatasetName,
    /// Look at so many of its queries, the newest
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    last: u32,
}

/// Advice with what to paste.
#[derive(Debug, Serialize)]
struct Told {
    dataset: DatasetName,
    #[serde(flatten)]
    advice: Advice,
    /// Lines of the manifest's `[layout]`.
    manifest: Vec<String>,
    /// Commands that make the rollups.
    commands: Vec<String>,
}

pub(crate) async fn run(session: &Session, args: AdviseArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let state = snapshot.dataset(&args.dataset)?.as_ref().clone();
    let engine = Engine::new(catalog, EngineConfig::default())?;
    let asked = asked(&engine, &args).await;
    let closed = engine.close().await;
    let asked = asked?;
    closed?;
    let looking = tokio::task::spawn_blocking(move || advice_for(&state, &asked));
    let advice = looking.await.map_err(|source| {
        CommandError::io("the queries can't be looked at", std::io::Error::other(source))
    })??;
    session.answer(&told(args.dataset, advice))
}

fn advice_for(state: &DatasetState, asked: &[Asked]) -> Result<Advice> {
    let bloom: BTreeSet<String> = if state.definition.manifest.is_empty() {
        BTreeSet::new()
    } else {
        let manifest = Manifest::parse(&state.definition.manifest)?;
        manifest.files().bloom.iter().map(ToString::to_string).collect()
    };
    let dataset = LaidOut { definition: &state.definition, version: state.current(), bloom: &bloom };
    Ok(advise(dataset, asked))
}

/// Reads the records of the dataset's newest queries.
async fn asked(engine: &Engine, args: &AdviseArgs) -> Result<Vec<Asked>> {
    let parameters = vec![ScalarValue::from(args.dataset.to_string())];
    let answer = ask(engine, ANSWERED, parameters, i64::from(args.last)).await?;
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
    Ok(batches.iter().flat_map(|batch| records(batch, &args.dataset)).collect())
}

fn records(batch: &RecordBatch, dataset: &DatasetName) -> Vec<Asked> {
    let text = |name: &str, row: usize| {
        let column = batch
            .column_by_name(name)
            .map(|column| arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8));
        let column = column.and_then(std::result::Result::ok);
        column
            .and_then(|column| Some(column.as_string_opt::<i32>()?.value(row).to_owned()))
            .unwrap_or_default()
    };
    let micros = |name: &str, row: usize| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(column.value(row))
    };
    let prefix = format!("{dataset}.");
    (0..batch.num_rows())
        .map(|row| {
            let columns = [text("output_columns", row), text("predicate_columns", row)];
            let items = columns.iter().flat_map(|columns| columns.split(','));
            let began = micros("started_at", row).unwrap_or_default();
            let ended = micros("finished_at", row).unwrap_or(began);
            Asked {
                sql: text("sql", row),
                items: items.filter_map(|item| Some(item.trim().strip_prefix(&prefix)?.to_owned())).collect(),
                took: Duration::from_micros(ended.saturating_sub(began).unsigned_abs()),
            }
        })
        .collect()
}

fn told(dataset: DatasetName, advice: Advice) -> Told {
    let line = |key: &str, choice: &Option<Choice>| {
        let items = &choice.as_ref()?.items;
        Some(format!(
            "{key} = [{}]",
            items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ")
        ))
    };
    let lines = [("sort", &advice.sort), ("partition", &advice.partition), ("bloom", &advice.bloom)];
    let manifest = lines.iter().filter_map(|(key, choice)| line(key, choice)).collect();
    let commands = advice.rollups.iter().map(|rollup| {
        let name: String = rollup.dimensions.join("_by_");
        let name: String = name.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
        format!(
            "basin rollup create {dataset} {name} --dimensions '{}' --measures '{}'",
            rollup.dimensions.join(","),
            rollup.measures.join(",")
        )
    });
    let commands = commands.collect();
    Told { dataset, advice, manifest, commands }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advice { queries, understood, seconds, items, sort, partition, bloom, rollups } = &self.advice;
        writeln!(f, "{}: the last {} queries, {seconds:.1} s together", self.dataset, grouped(*queries))?;
        if understood < queries {
            writeln!(f, "{} of them have no SQL that can be read again", grouped(queries - understood))?;
        }
        let rows = items.iter().map(|item| {
            let kinds: Vec<_> =
                item.filters.iter().map(|(kind, count)| format!("{} {count}", kind.word())).collect();
            vec![item.item.clone(), grouped(item.queries), format!("{:.1}", item.seconds), kinds.join(", ")]
        });
        if !items.is_empty() {
            let header = output::header(&["filtered item", "#queries", "#seconds", "how"]);
            writeln!(f, "{}", output::table(&header, rows.collect()))?;
        }
        let choices = [("sort", sort), ("partition", partition), ("bloom filters", bloom)];
        for (what, choice) in choices.iter().filter_map(|(what, choice)| Some((what, choice.as_ref()?))) {
            let list =
                |items: &[String]| if items.is_empty() { "nothing".to_owned() } else { items.join(", ") };
            writeln!(
                f,
                "{what}: {} (now {}), because of {}",
                list(&choice.items),
                list(&choice.now),
                choice.because
            )?;
        }
        for rollup in rollups {
            writeln!(
                f,
                "rollup by {} of {}: it would have answered {} queries ({:.1} s)",
                rollup.dimensions.join(", "),
                rollup.measures.join(", "),
                rollup.queries,
                rollup.seconds
            )?;
        }
        if !self.manifest.is_empty() {
            writeln!(
                f,
                "\nTo paste into the manifest, then basin dataset apply and basin optimize {}:",
                self.dataset
            )?;
            writeln!(f, "[layout]\n{}", self.manifest.join("\n"))?;
        }
        if !self.commands.is_empty() {
            writeln!(f, "\nTo make the rollups:\n{}", self.commands.join("\n"))?;
        }
        if self.manifest.is_empty() && self.commands.is_empty() {
            writeln!(f, "nothing to change: the layout fits these queries")?;
        }
        Ok(())
    }
}
