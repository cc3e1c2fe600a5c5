//! How do operators see what it does?
//!
//! Log lines on standard error, traces over OTLP, metrics for Prometheus. None of them carries content
//! (arguments, results, tokens, headers): spans and labels name methods, tools and causes.

mod config;
pub mod context;
mod metrics;
pub mod semconv;
mod traces;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Dispatch, Level, Metadata};
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

pub use self::config::{BadLevel, Config, Log, LogFormat, Otlp, Protocol};
pub use self::metrics::{AuditFigures, Metrics};

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The OTLP endpoint is no URL, or holds credentials.
    #[error("the OTLP endpoint is not an http or https URL without credentials: put a token into `headers`")]
    Endpoint,
    /// gRPC with TLS is not built in.
    #[error("OTLP over gRPC is spoken without TLS only: use `http/protobuf` for an https endpoint")]
    GrpcTls,
    /// A gRPC channel needs a runtime.
    #[error("OTLP over gRPC must be started inside the Tokio runtime")]
    NoRuntime,
    /// A header of the exporter is not valid.
    #[error("OTLP header `{0}` is not a valid header: correct its name or its value")]
    Header(String),
    /// The exporter refuses its settings.
    #[error("the OTLP exporter cannot start: {0}")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Another subscriber is installed in this process.
    #[error("telemetry was started twice in one process")]
    Twice,
}

/// Holds the exporter; ask it to flush before the process ends.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts log output and, if a collector is named, traces, for the whole process.
    pub fn init(config: &Config) -> Result<Self, Error> {
        let (dispatch, telemetry) = Self::build(config, BoxMakeWriter::new(std::io::stderr))?;
        dispatch.try_init().map_err(|_| Error::Twice)?;
        Ok(telemetry)
    }

    /// The same, without installing it: log output goes to `writer`.
    pub fn build(config: &Config, writer: BoxMakeWriter) -> Result<(Dispatch, Self), Error> {
        let provider = traces::provider(&config.otlp)?;
        let log = log_layer(&config.log, writer);
        let dispatch = match &provider {
            // No layer at all without a collector: then a span costs one check of a static.
            None => Dispatch::new(Registry::default().with(log)),
            Some(provider) => {
                let layer = tracing_opentelemetry::layer()
                    .with_tracer(traces::tracer(provider))
                    .with_location(false)
                    .with_threads(false)
                    .with_target(false)
                    .with_level(false)
                    .with_tracked_inactivity(false)
                    .with_context_activation(false)
                    .with_filter(filter_fn(is_exported).with_max_level_hint(LevelFilter::INFO));
                Dispatch::new(Registry::default().with(log).with(layer))
            }
        };
        Ok((dispatch, Self { provider }))
    }

    /// Whether traces are made.
    pub fn traces(&self) -> bool {
        self.provider.is_some()
    }

    /// Sends what is left and stops the exporter, off the runtime's threads (the exporter blocks, and over
    /// gRPC needs the runtime meanwhile). At most as long as an export may take.
    pub async fn shutdown(self) {
        let stopped = tokio::task::spawn_blocking(move || self.shutdown_blocking()).await;
        if let Err(error) = stopped {
            tracing::warn!(%error, "the trace exporter did not stop cleanly");
        }
    }

    /// The same for a thread that may block. Never call it on a runtime's thread.
    pub fn shutdown_blocking(self) {
        if let Some(Err(error)) = self.provider.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces were not delivered");
        }
    }
}

/// Spans of ours, and nothing else: the exporter's own client would otherwise trace itself without end, other
/// crates' spans carry content, and events are log lines.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let ours = target == "sealgate" || target.starts_with("sealgate::");
    ours && metadata.is_span() && *metadata.level() <= Level::INFO
}

fn is_event(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// Events only: spans are the tracer's, and cost nothing when nobody traces.
fn log_layer(log: &Log, writer: BoxMakeWriter) -> Box<dyn Layer<Registry> + Send + Sync> {
    let levels = log.filter().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let filter = levels.and(filter_fn(is_event));
    let layer = fmt::layer().with_writer(writer).with_ansi(false);
    match log.format {
        LogFormat::Text => layer.with_filter(filter).boxed(),
        LogFormat::Json => {
            layer.json().with_current_span(false).with_span_list(false).with_filter(filter).boxed()
        }
    }
}
