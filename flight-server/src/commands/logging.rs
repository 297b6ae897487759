//! Log lines on stderr, and traces to a collector. A server says what it does; other commands speak only when something is
//! wrong, because their output is the answer.
//!
//! Traces go out by OTLP (gRPC) when OTEL_EXPORTER_OTLP_ENDPOINT names a collector; the standard variables of OpenTelemetry say
//! the rest. A span is a stage of a query's walk; none holds a statement or data.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::ValueEnum;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

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
/// The crates whose spans are traced.
const TRACED: [&str; 5] = ["basin", "basin_catalog", "basin_datasets", "basin_engine", "basin_flight_server"];
/// Where a collector is; the name is OpenTelemetry's.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// How long a process that ends tries to hand over its last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Traces on their way to a collector; dropped, the last ones are handed over.
#[derive(Debug, Default)]
pub(crate) struct Traces(Option<SdkTracerProvider>);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            // The collector may be away; the process ends all the same.
            if let Err(error) = provider.shutdown_with_timeout(LAST_SPANS) {
                tracing::warn!(%error, "the last spans were not handed over");
            }
        }
    }
}

/// Starts logging, and for a server tracing; `serving` chooses what is said when BASIN_LOG doesn't. Needs a runtime.
pub(crate) fn start(form: LogForm, serving: bool) -> Traces {
    let filter = EnvFilter::try_from_env("BASIN_LOG")
        .unwrap_or_else(|_| EnvFilter::new(if serving { SERVING } else { QUIET }));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match form {
        LogForm::Text => lines.boxed(),
        LogForm::Json => lines.json().boxed(),
    };
    let (provider, problem) = match collector().filter(|_| serving) {
        Some(endpoint) => match provider(endpoint) {
            Ok(provider) => (Some(provider), None),
            Err(error) => (None, Some(error)),
        },
        None => (None, None),
    };
    let traces = provider.as_ref().map(|provider| {
        let traced = TRACED.map(|name| (name, LevelFilter::DEBUG));
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("basin"))
            .with_filter(Targets::new().with_targets(traced))
    });
    // Fails only when a logger is installed already, which is as good.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces).try_init();
    if let Some(error) = problem {
        tracing::warn!(%error, "traces are not sent: {COLLECTOR} can't be used");
    }
    Traces(provider)
}

fn collector() -> Option<String> {
    std::env::var(COLLECTOR).ok().filter(|endpoint| !endpoint.is_empty())
}

fn provider(
    endpoint: String,
) -> std::result::Result<SdkTracerProvider, opentelemetry_otlp::ExporterBuildError> {
    use opentelemetry_otlp::WithExportConfig as _;
    let exporter =
        opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    // OTEL_SERVICE_NAME wins over this name.
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("basin");
    }
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build())
}
