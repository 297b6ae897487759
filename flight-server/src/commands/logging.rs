//! Log lines on stderr. A server says what it does; other commands speak only when something is
//! wrong, because their output is the answer.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const QUIET: &str = "off,basin=warn,basin_catalog=warn,basin_datasets=warn,basin_engine=warn,\
                     basin_flight_server=warn";
const SERVING: &str = "warn,basin=info,basin_catalog=info,basin_datasets=info,basin_engine=info,\
                       basin_flight_server=info";

/// Starts logging; `serving` chooses what is said when BASIN_LOG doesn't.
pub(crate) fn start(form: LogForm, serving: bool) {
    let filter = EnvFilter::try_from_env("BASIN_LOG")
        .unwrap_or_else(|_| EnvFilter::new(if serving { SERVING } else { QUIET }));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Fails only when a logger is installed already, which is as good.
    let _ = match form {
        LogForm::Text => lines.try_init(),
        LogForm::Json => lines.json().try_init(),
    };
}
