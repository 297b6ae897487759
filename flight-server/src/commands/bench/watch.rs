//! How far a benchmark is, on stderr and only when a person watches it.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Often enough to look alive, seldom enough to cost nothing.
const REDRAW: Duration = Duration::from_millis(200);

/// What is done so far; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Count(Arc<AtomicU64>);

impl Count {
    pub(super) fn add(&self, done: u64) {
        self.0.fetch_add(done, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Runs `work` under a bar of the given length; `position` says where it is and what is told beside it.
pub(super) async fn watched<T>(
    length: u64,
    position: impl Fn() -> (u64, String),
    work: impl Future<Output = T>,
) -> T {
    let hidden = !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template("{bar:24} {percent:>3} % {elapsed:>4}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(length), target).with_style(style);
    let mut ticks = tokio::time::interval(REDRAW);
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = ticks.tick() => {
                let (at, message) = position();
                bar.set_position(at.min(length));
                bar.set_message(message);
            }
        }
    };
    bar.finish_and_clear();
    done
}
