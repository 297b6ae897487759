//! The progress bar of pooling and optimising, on stderr and only when a person watches it.

use std::io::IsTerminal as _;
use std::time::Duration;

use basin_catalog::Catalog;
use basin_datasets::{PoolReport, PoolRequest, Progress, pool};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::error::Result;
use super::output::grouped;

/// Often enough to look alive, seldom enough to cost nothing.
const REDRAW: Duration = Duration::from_millis(100);

/// Pools a delivery and shows how far it is.
///
/// # Errors
/// Those of pooling.
pub(crate) async fn pool_with_bar(catalog: &Catalog, request: PoolRequest) -> Result<PoolReport> {
    let progress = Progress::default();
    Ok(watched(&progress, pool(catalog, request, &progress)).await?)
}

/// Runs work to its end and shows how far it is.
pub(crate) async fn watched<T>(progress: &Progress, work: impl Future<Output = T>) -> T {
    let bar = bar();
    let mut ticks = tokio::time::interval(REDRAW);
    let mut work = std::pin::pin!(work);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            _ = ticks.tick() => show(&bar, progress),
        }
    };
    bar.finish_and_clear();
    outcome
}

fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(
        "{bar:24} {bytes:>10}/{total_bytes} {bytes_per_sec:>12} {elapsed:>4}  {msg}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style)
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(progress.bytes_total());
    bar.set_position(progress.bytes_read());
    let rejected = progress.rows_rejected();
    let rows = grouped(progress.rows_in());
    let stage = progress.stage();
    bar.set_message(if rejected == 0 {
        format!("{stage}: {rows} rows")
    } else {
        format!("{stage}: {rows} rows, {} rejected", grouped(rejected))
    });
}
